#include "runtime/internal/plan_shortcuts.h"

#include <algorithm>

namespace cairn::internal {
namespace {

bool has_effect(const OpDef& def) { return def.stateful || def.never_static || def.access != Access::kRead; }

bool reads_no_variable(const Step& step) {
  return std::all_of(step.variables.begin(), step.variables.end(), [](const Node* v) { return !v; });
}

class Shortcuts {
 public:
  explicit Shortcuts(Plan& plan) : plan_(plan), makers_(static_cast<size_t>(plan.num_slots), nullptr) {
    for (Step& step : plan_.steps) {
      for (int k = 0; k < step.node->num_outputs(); ++k) makers_[at(step.first_output + k)] = &step;
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
        Step* maker = slot >= 0 && !step.variables[k] && readers[at(slot)] == 1 ? makers_[at(slot)] : nullptr;
        if (!maker || !is_movable(*maker) || !absorbs(*step.node, static_cast<int>(k), *maker->node)) continue;
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
      if (step.idle || step.absorbed || has_effect(def) || def.must_be_fed || !reads_no_variable(step)) continue;
      bool handed_out = false, follows = !step.inputs.empty();
      for (int k = 0; k < step.node->num_outputs(); ++k) handed_out |= fetched[at(step.first_output + k)];
      if (handed_out) continue;
      for (int slot : step.inputs) follows &= slot >= 0 && derived[at(slot)];
      step.tells_shapes = def.reads_shapes && !follows;
      step.derived = follows;
      for (int k = 0; k < step.node->num_outputs(); ++k) {
        derived[at(step.first_output + k)] = step.constant || step.tells_shapes || step.derived;
      }
    }
  }

 private:
  static size_t at(int slot) { return static_cast<size_t>(slot); }

  // May compute later than it stands: it has no effect, and what it reads stays as it is.
  static bool is_movable(const Step& step) {
    return !step.idle && !step.constant && !step.absorbed && !has_effect(*step.node->op->def) &&
           step.node->num_outputs() == 1 && !step.inputs.empty() && reads_no_variable(step);
  }

  // Per slot: how often steps read it, and fetches.
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
  std::vector<Step*> makers_;  // per slot; null for what is fed
};

}  // namespace

void take_shortcuts(Plan& plan) {
  if (plan.has_switch) return;
  Shortcuts shortcuts(plan);
  shortcuts.pass_on();
  shortcuts.absorb();
  shortcuts.find_derived();
}

}  // namespace cairn::internal
