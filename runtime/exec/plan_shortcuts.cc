#include "runtime/exec/plan_shortcuts.h"

#include <algorithm>
#include <span>

namespace cairn::internal {
namespace {

bool has_effect(const OpDef& def) {
  return def.stateful || def.must_run || def.access != Access::kRead;
}

bool reads_no_variable(const Step& step) {
  return std::all_of(step.variables.begin(), step.variables.end(),
                     [](const Node* v) { return !v; });
}

class Shortcuts {
 public:
  explicit Shortcuts(Plan& plan)
      : plan_(plan), makers_(static_cast<size_t>(plan.num_slots), nullptr) {
    for (Step& step : plan_.steps) {
      for (int k = 0; k < step.node->num_outputs(); ++k) makers_[at(step.first_output + k)] = &step;
    }
  }

  // OpDef::sees_before_reshape: appends the inputs of the Reshapes to the step's inputs.
  void look_behind_reshapes() {
    for (Step& step : plan_.steps) {
      const auto sees = step.node->op->def->sees_before_reshape;
      if (!sees || step.idle || !sees(*step.node)) continue;
      std::vector<const Step*> reshapes;
      for (int slot : step.inputs) {
        const Step* maker = slot >= 0 ? makers_[at(slot)] : nullptr;
        if (maker && maker->node->op->name == "Reshape") reshapes.push_back(maker);
      }
      if (reshapes.size() != step.inputs.size()) continue;  // one is fed
      for (const Step* reshape : reshapes) {
        step.inputs.push_back(reshape->inputs[0]);
        step.sources.push_back(reshape->sources[0]);
        step.variables.push_back(reshape->variables[0]);
      }
    }
  }

  void pass_on() {
    std::vector<int> source(makers_.size());
    for (size_t slot = 0; slot < source.size(); ++slot) source[slot] = static_cast<int>(slot);
    for (Step& step : plan_.steps) {
      for (size_t k = 0; k < step.inputs.size(); ++k) {
        if (step.inputs[k] < 0) continue;
        step.inputs[k] = source[at(step.inputs[k])];
        step.sources[k] = source[at(step.sources[k])];
      }
      if (step.idle || !step.node->op->def->passes_on || !reads_no_variable(step)) continue;
      source[at(step.first_output)] = step.inputs[0];
      step.idle = true;
    }
    for (Plan::Fetch& fetch : plan_.fetches) {
      if (fetch.slot >= 0 && !fetch.variable) fetch.slot = source[at(fetch.slot)];
    }
  }

  void absorb() {
    const std::vector<int> readers = count_readers();
    for (Step& step : plan_.steps) {
      const auto absorbs = step.node->op->def->absorbs;
      if (!absorbs || step.idle) continue;
      for (size_t k = 0; k < step.node->inputs.size() && !step.absorbed; ++k) {
        const int slot = step.inputs[k];
        Step* maker =
            slot >= 0 && !step.variables[k] && readers[at(slot)] == 1 ? makers_[at(slot)] : nullptr;
        if (!maker || !is_movable(*maker) ||
            !absorbs(*step.node, static_cast<int>(k), *maker->node))
          continue;
        step.absorbed = maker->node;
        step.inputs[k] = step.sources[k] = maker->inputs[0];
        step.inputs.insert(step.inputs.end(), maker->inputs.begin(), maker->inputs.end());
        step.sources.insert(step.sources.end(), maker->sources.begin(), maker->sources.end());
        step.variables.resize(step.inputs.size(), nullptr);
        maker->idle = true;
      }
    }
  }

  void find_derived() {
    std::vector<bool> derived(makers_.size(), false), fetched(makers_.size(), false);
    for (const Plan::Fetch& fetch : plan_.fetches) {
      if (fetch.slot >= 0) fetched[at(fetch.slot)] = true;
    }
    for (Step& step : plan_.steps) {
      const OpDef& def = *step.node->op->def;
      if (step.idle || step.absorbed || has_effect(def) || def.must_be_fed ||
          !reads_no_variable(step))
        continue;
      bool handed_out = false, follows = !step.inputs.empty();
      for (int k = 0; k < step.node->num_outputs(); ++k)
        handed_out |= fetched[at(step.first_output + k)];
      if (handed_out) continue;
      for (int slot : step.inputs) follows &= slot >= 0 && derived[at(slot)];
      step.reads_shapes = def.reads_shapes && !follows;
      step.derived = follows;
      for (int k = 0; k < step.node->num_outputs(); ++k) {
        derived[at(step.first_output + k)] = step.constant || step.reads_shapes || step.derived;
      }
    }
  }

  // Moves steps that can be fused by rows next to each other, in chains of up to kLongest. The
  // steps of a chain move down to the one that reads their rows, past steps that do not depend on
  // them and have no effect.
  void follow_rows() {
    constexpr size_t kLongest = 8;
    const auto steps = plan_.steps.begin();
    for (size_t i = 0; i < plan_.steps.size();) {
      size_t first = i, end = i + 1;
      if (goes_by_rows(steps[offset(i)]) && steps[offset(i)].fused_input < 0) {
        for (Follower next; end - first < kLongest && (next = find_follower(first, end)).step != 0;
             end = next.step + 1) {
          std::rotate(steps + offset(first), steps + offset(end), steps + offset(next.step));
          first += next.step - end;
          steps[offset(next.step)].fused_input = next.input;
        }
      }
      if (first == i) i = end;  // else the steps in between have moved up to i
    }
  }

 private:
  static std::ptrdiff_t offset(size_t i) { return static_cast<std::ptrdiff_t>(i); }

  bool goes_by_rows(const Step& step) const {
    const OpDef& def = *step.node->op->def;
    return def.by_rows != ByRows::kNo && !has_effect(def) && !step.idle && !step.constant &&
           !step.absorbed && !step.reads_shapes && !step.derived;
  }

  // The step that can be fused with the last of steps [first, end), if all of them may be moved
  // down to directly before it; step 0 if there is none.
  struct Follower {
    size_t step = 0;
    int input = 0;
  };
  Follower find_follower(size_t first, size_t end) const {
    constexpr size_t kFarthest = 32;
    const std::span<const Step> makers(&plan_.steps[first], end - first);
    for (size_t i = end; i < std::min(end + kFarthest, plan_.steps.size()); ++i) {
      const Step& step = plan_.steps[i];
      const auto& controls = step.node->control_inputs;
      const auto made = [&](int slot) {
        return std::any_of(makers.begin(), makers.end(), [&](const Step& maker) {
          return slot >= maker.first_output &&
                 slot < maker.first_output + maker.node->num_outputs();
        });
      };
      const auto reads =
          step.idle ? 0 : std::count_if(step.inputs.begin(), step.inputs.end(), made);
      if (reads == 1 && step.fused_input < 0 && goes_by_rows(step)) {
        const auto at =
            std::find(step.inputs.begin(), step.inputs.end(), makers.back().first_output);
        const auto input = static_cast<int>(at - step.inputs.begin());
        const ByRows rows = step.node->op->def->by_rows;
        if (at != step.inputs.end() &&
            (rows == ByRows::kTakesAny || (rows == ByRows::kTakesFirst && input == 0)))
          return {i, input};
      }
      const bool waits = std::any_of(makers.begin(), makers.end(), [&](const Step& maker) {
        return std::find(controls.begin(), controls.end(), maker.node) != controls.end();
      });
      if (reads > 0 || waits || (!step.idle && has_effect(*step.node->op->def))) break;
    }
    return {};
  }

  static size_t at(int slot) { return static_cast<size_t>(slot); }

  // The step may run later: it has no effect, and its inputs do not change during the run.
  static bool is_movable(const Step& step) {
    return !step.idle && !step.constant && !step.absorbed && !has_effect(*step.node->op->def) &&
           step.node->num_outputs() == 1 && !step.inputs.empty() && reads_no_variable(step);
  }

  // Per slot: how many inputs of steps and fetches read it.
  std::vector<int> count_readers() const {
    std::vector<int> readers(makers_.size(), 0);
    for (const Step& step : plan_.steps) {
      if (step.idle) continue;
      for (int slot : step.inputs) {
        if (slot >= 0) ++readers[at(slot)];
      }
    }
    for (const Plan::Fetch& fetch : plan_.fetches) {
      if (fetch.slot >= 0) ++readers[at(fetch.slot)];
    }
    return readers;
  }

  Plan& plan_;
  std::vector<Step*> makers_;  // per slot; null for feeds
};

}  // namespace

void take_shortcuts(Plan& plan) {
  Shortcuts shortcuts(plan);
  shortcuts.look_behind_reshapes();
  if (plan.has_switch) return;
  shortcuts.pass_on();
  shortcuts.absorb();
  shortcuts.find_derived();
  shortcuts.follow_rows();
}

}  // namespace cairn::internal
