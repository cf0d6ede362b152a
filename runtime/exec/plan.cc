#include "runtime/exec/plan.h"

#include <algorithm>
#include <map>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "runtime/exec/plan_reads.h"
#include "runtime/exec/plan_shortcuts.h"
#include "runtime/graph/signature.h"

namespace cairn::internal {

namespace {

struct EndpointHash {
  size_t operator()(const Endpoint& e) const {
    return std::hash<const void*>()(e.node) * 31 + static_cast<size_t>(e.index);
  }
};

bool carries_variable(Endpoint e) {
  const DType t = e.node->output_dtypes[static_cast<size_t>(e.index)];
  return is_ref(t) || t == DType::kResource;
}

class Planner {
 public:
  Planner(const PlanKey& key, const Graph* graph) : key_(key), graph_(graph) {}

  Plan make() {
    for (const Endpoint& feed : key_.feeds) {
      feeds_.emplace(feed, plan_.num_slots);
      plan_.feed_slots.push_back(plan_.num_slots++);
    }
    collect();
    check_runnable();
    sort();
    lay_out_steps();
    find_idle();
    lay_out_fetches();
    take_shortcuts(plan_);
    find_last_readers();
    find_reads();
    return std::move(plan_);
  }

 private:
  bool is_fed(const Endpoint& e) const { return !feeds_.empty() && feeds_.count(e) > 0; }
  // A fed placeholder satisfies control edges from it.
  bool is_fed_whole(const Node* node) const {
    return node->op->def && node->op->def->must_be_fed && is_fed({node, 0});
  }

  // Collects the nodes that fetches and targets depend on, except through feeds.
  void collect() {
    std::vector<const Node*> open;
    const auto need = [&](const Node* node) {
      if (needed_.insert(node).second) open.push_back(node);
    };
    for (const Endpoint& e : key_.fetches) {
      if (e.index < 0 ? !is_fed_whole(e.node) : !is_fed(e)) need(e.node);
    }
    for (const Node* node : key_.targets) {
      if (!is_fed_whole(node)) need(node);
    }
    while (!open.empty()) {
      const Node* node = open.back();
      open.pop_back();
      for (const Endpoint& e : node->inputs) {
        if (!is_fed(e)) need(e.node);
      }
      for (const Node* control : node->control_inputs) {
        if (!is_fed_whole(control)) need(control);
      }
    }
  }

  void check_runnable() const {
    // Op and the reason why it is carried -> number of nodes, the first of them.
    std::map<std::pair<std::string, std::string>, std::pair<int, const Node*>> unknown;
    std::vector<const Node*> unfed;
    for (const Node* node : needed_) {
      const OpDef* def = node->op->def;
      if (def && def->must_be_fed) unfed.push_back(node);
      if (def && def->prepare) continue;
      auto& [count, first] =
          unknown[{node->op->name, def || !graph_ ? "" : why_carried(*graph_, *node)}];
      if (count++ == 0 || node->id < first->id) first = node;
    }
    if (!unknown.empty()) {
      std::vector<std::string> ops;
      for (const auto& [op, where] : unknown) {
        const auto& [type, why] = op;
        ops.push_back(str_cat(type, " (", where.first,
                              where.first == 1 ? " node, " : " nodes, first ", "'",
                              where.second->name, "'", why.empty() ? "" : ", " + why, ")"));
      }
      fail(Code::kUnimplemented, "this needs ops that cannot be run here: ", join_for_people(ops),
           ". They are carried in the graph; fetch or feed something that does not depend on them");
    }
    if (unfed.empty()) return;
    std::sort(unfed.begin(), unfed.end(),
              [](const Node* a, const Node* b) { return a->id < b->id; });
    std::vector<std::string> names;
    for (const Node* node : unfed) {
      const std::string made = node->made_at.known() ? ", made at " + node->made_at.str() : "";
      names.push_back(str_cat("'", node->name, ":0' (", node->output_dtypes[0], " ",
                              node->output_shapes[0], made, ")"));
    }
    throw Error(
        Code::kInvalidArgument,
        str_cat("a value must be fed for ", unfed[0]->op->name, " ", join_for_people(names)),
        unfed[0]->name);
  }

  // Orders the nodes by creation, which is a topological order in graphs that programs build. In
  // graphs from files a reader may come before its inputs.
  void sort() {
    order_.assign(needed_.begin(), needed_.end());
    std::sort(order_.begin(), order_.end(),
              [](const Node* a, const Node* b) { return a->id < b->id; });
    const bool follows = std::all_of(order_.begin(), order_.end(), [&](const Node* node) {
      return std::all_of(node->inputs.begin(), node->inputs.end(),
                         [&](const Endpoint& e) { return is_fed(e) || e.node->id < node->id; }) &&
             std::all_of(node->control_inputs.begin(), node->control_inputs.end(),
                         [&](const Node* c) { return is_fed_whole(c) || c->id < node->id; });
    });
    if (!follows) sort_by_edges();
  }

  void sort_by_edges() {
    std::unordered_map<const Node*, int> waiting;
    std::unordered_map<const Node*, std::vector<const Node*>> readers;
    for (const Node* node : order_) {
      int& count = waiting[node];
      const auto wait_for = [&](const Node* from) {
        readers[from].push_back(node);
        ++count;
      };
      for (const Endpoint& e : node->inputs) {
        if (!is_fed(e)) wait_for(e.node);
      }
      for (const Node* control : node->control_inputs) {
        if (!is_fed_whole(control)) wait_for(control);
      }
    }
    const auto later = [](const Node* a, const Node* b) { return a->id > b->id; };
    std::priority_queue<const Node*, std::vector<const Node*>, decltype(later)> ready(later);
    for (const Node* node : order_) {
      if (waiting[node] == 0) ready.push(node);
    }
    std::vector<const Node*> sorted;
    while (!ready.empty()) {
      const Node* node = ready.top();
      ready.pop();
      sorted.push_back(node);
      for (const Node* reader : readers[node]) {
        if (--waiting[reader] == 0) ready.push(reader);
      }
    }
    if (sorted.size() < order_.size()) {
      const Node* stuck = *std::find_if(order_.begin(), order_.end(),
                                        [&](const Node* node) { return waiting[node] > 0; });
      fail(Code::kInvalidArgument, stuck->str(), ": the graph has a cycle through it");
    }
    order_ = std::move(sorted);
  }

  // The variable op whose reference or handle `e` carries, through ops that pass it on as their
  // input 0 (Assign, RefSwitch, Identity); null for any other tensor, also a fed one.
  const Node* variable_behind(Endpoint e) const {
    if (!carries_variable(e) || is_fed(e)) return nullptr;
    if (e.node->inputs.empty()) return e.node;
    const Node* first = e.node;
    if (const auto known = behind_.find(first); known != behind_.end()) return known->second;
    const Node* variable = nullptr;
    for (e = first->inputs[0]; carries_variable(e) && !is_fed(e); e = e.node->inputs[0]) {
      const auto known = behind_.find(e.node);
      variable = e.node->inputs.empty() ? e.node : known != behind_.end() ? known->second : nullptr;
      if (e.node->inputs.empty() || known != behind_.end()) break;
    }
    return behind_[first] = variable;
  }

  void lay_out_steps() {
    const WritesBefore writes(
        order_, {.is_fed = [this](const Endpoint& e) { return is_fed(e); },
                 .is_fed_whole = [this](const Node* node) { return is_fed_whole(node); },
                 .variable_behind = [this](const Endpoint& e) { return variable_behind(e); }});
    for (const Node* node : order_) {
      Step step;
      step.node = node;
      for (const Endpoint& e : node->inputs) {
        const Node* variable = variable_behind(e);
        step.variables.push_back(variable);
        const bool by_value =
            variable && is_ref(e.node->output_dtypes[static_cast<size_t>(e.index)]);
        step.sources.push_back(slot_of(e));
        step.inputs.push_back(by_value ? -1 : step.sources.back());
        plan_.uses_variables |= variable != nullptr;
      }
      read_again(step, writes);
      step.first_output = plan_.num_slots;
      plan_.num_slots += node->num_outputs();
      for (const Node* control : node->control_inputs) {
        if (!is_fed_whole(control)) step.controls.push_back(step_of_.at(control));
      }
      plan_.has_switch |= node->op->def->flow != Flow::kPlain;
      step_of_[node] = static_cast<int>(plan_.steps.size());
      plan_.steps.push_back(std::move(step));
    }
    drop_replaced_reads();
  }

  // Inserts a read directly before `step` for each input that was read from a variable before a
  // write which edges order before the step.
  void read_again(Step& step, const WritesBefore& writes) {
    std::vector<std::pair<Endpoint, int>> made;  // one read per endpoint: its slot
    for (size_t k = 0; k < step.node->inputs.size(); ++k) {
      const Endpoint& e = step.node->inputs[k];
      const Node* read = step.variables[k] ? nullptr : writes.outdated_read(step.node, e);
      if (!read) continue;
      auto known = std::find_if(made.begin(), made.end(),
                                [&](const auto& other) { return other.first == e; });
      if (known == made.end()) known = made.insert(made.end(), {e, lay_out_read(e, read)});
      step.inputs[k] = step.sources[k] = known->second;
      replaced_.insert(read);
    }
  }

  // Appends a step that repeats `read`; returns its slot.
  int lay_out_read(const Endpoint& e, const Node* read) {
    Step again;
    again.node = read;
    again.inputs = {-1};
    again.variables = {variable_behind(read->inputs[0])};
    again.read_behind = e.node == read ? nullptr : e.node;  // dead if that Switch output is
    again.sources = {e.node == read ? slot_of(read->inputs[0]) : slot_of(e)};
    again.first_output = plan_.num_slots++;
    plan_.uses_variables = true;
    plan_.steps.push_back(std::move(again));
    return plan_.steps.back().first_output;
  }

  // A read that is repeated for all its readers does not read the variable, which may then be
  // uninitialized.
  void drop_replaced_reads() {
    if (replaced_.empty()) return;
    std::unordered_set<int> used;
    for (const Step& step : plan_.steps) used.insert(step.sources.begin(), step.sources.end());
    std::unordered_set<const Node*> asked(key_.targets.begin(), key_.targets.end());
    for (const Endpoint& e : key_.fetches) asked.insert(e.node);
    for (const Node* read : replaced_) {
      Step& step = plan_.steps[static_cast<size_t>(step_of_.at(read))];
      if (used.count(step.first_output) > 0 || asked.count(read) > 0) continue;
      step.variables = {nullptr};
      step.inputs = step.sources;
    }
  }

  // Marks steps that have no kernel to run but may be control inputs of others. Gradients have
  // many: those of one node wait for each other, also for the one with respect to a placeholder,
  // which nothing reads.
  void find_idle() {
    std::unordered_set<const Node*> asked(key_.targets.begin(), key_.targets.end());
    for (const Endpoint& e : key_.fetches) asked.insert(e.node);
    // Slots that some step reads.
    std::vector<bool> wanted(static_cast<size_t>(plan_.num_slots), false);
    for (size_t i = plan_.steps.size(); i-- > 0;) {
      Step& step = plan_.steps[i];
      const Node* node = step.node;
      const OpDef& def = *node->op->def;
      const bool is_handle =
          node->inputs.empty() && node->num_outputs() == 1 && carries_variable({node, 0});
      const bool has_effect =
          def.stateful || def.must_run || def.flow != Flow::kPlain || writes_variables(*node);
      bool is_wanted = asked.count(node) > 0 && step_of_.at(node) == static_cast<int>(i);
      for (int k = 0; k < node->num_outputs(); ++k)
        is_wanted |= wanted[static_cast<size_t>(step.first_output + k)];
      step.idle = is_handle || (!has_effect && (node->num_outputs() == 0 || !is_wanted));
      step.constant = !step.idle && !has_effect && !plan_.has_switch && def.static_value &&
                      node->inputs.empty();
      if (step.idle) continue;
      for (int slot : step.sources) wanted[static_cast<size_t>(slot)] = true;
    }
  }

  int slot_of(const Endpoint& e) const {
    const auto fed = feeds_.find(e);
    if (fed != feeds_.end()) return fed->second;
    return plan_.steps[static_cast<size_t>(step_of_.at(e.node))].first_output + e.index;
  }

  void lay_out_fetches() {
    for (const Endpoint& e : key_.fetches) {
      const auto index = static_cast<int>(plan_.fetches.size());
      Plan::Fetch fetch;
      if (e.index >= 0) {
        fetch.is_feed = is_fed(e);
        fetch.slot = slot_of(e);
        const bool by_value = is_ref(e.node->output_dtypes[static_cast<size_t>(e.index)]);
        fetch.variable = by_value ? variable_behind(e) : nullptr;
        if (fetch.variable) {
          plan_.steps[static_cast<size_t>(step_of_.at(e.node))].fetches.push_back(index);
          plan_.uses_variables = true;
        }
      }
      if (e.index < 0) fetch.nothing = nothing_of(*e.node);
      plan_.fetches.push_back(std::move(fetch));
    }
  }

  static Tensor nothing_of(const Node& node) {
    return Tensor::none(str_cat(
        "'", node.name, "' names an operation (", node.op->name, "), and running one gives no ",
        "value", node.num_outputs() == 0 ? "; it has no outputs" : "; its value is fetched as '",
        node.num_outputs() == 0 ? "" : node.name + ":0'"));
  }

  void find_last_readers() {
    std::vector<int> last(static_cast<size_t>(plan_.num_slots), -1);
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      const Step& step = plan_.steps[i];
      for (int k = 0; k < step.node->num_outputs(); ++k)
        last[static_cast<size_t>(step.first_output + k)] = static_cast<int>(i);
      if (step.idle) continue;
      for (int slot : step.inputs) {
        if (slot >= 0) last[static_cast<size_t>(slot)] = static_cast<int>(i);
      }
    }
    std::vector<bool> kept(static_cast<size_t>(plan_.num_slots), false);
    const auto keep = [&](int slot) {
      if (kept[static_cast<size_t>(slot)]) return;
      kept[static_cast<size_t>(slot)] = true;
      plan_.kept_slots.push_back(slot);
    };
    for (const Step& step : plan_.steps) {
      const bool kept_between_runs = step.constant || step.reads_shapes || step.derived;
      for (int k = 0; kept_between_runs && k < step.node->num_outputs(); ++k)
        kept[static_cast<size_t>(step.first_output + k)] =
            true;  // for all runs, so not among kept_slots
    }
    for (int slot : plan_.feed_slots) keep(slot);
    for (const Plan::Fetch& fetch : plan_.fetches) {
      if (fetch.slot >= 0) keep(fetch.slot);
    }
    for (size_t slot = 0; slot < last.size(); ++slot) {
      if (last[slot] >= 0 && !kept[slot])
        plan_.steps[static_cast<size_t>(last[slot])].releases.push_back(static_cast<int>(slot));
    }
    // An input that a step reads twice is not donated: a kernel may read its inputs one after the
    // other.
    std::vector<int> times(static_cast<size_t>(plan_.num_slots), 0);
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      Step& step = plan_.steps[i];
      for (int slot : step.inputs) {
        if (slot >= 0) ++times[static_cast<size_t>(slot)];
      }
      // Memory of inner values is not donated to results, which leave the arena: so inner values
      // can be bound to their blocks from run to run.
      bool leaves = false;
      for (int k = 0; k < step.node->num_outputs(); ++k)
        leaves |= kept[static_cast<size_t>(step.first_output + k)];
      for (int slot : step.inputs) {
        const auto s = static_cast<size_t>(std::max(slot, 0));
        step.may_reuse.push_back(slot >= 0 && !kept[s] && last[s] == static_cast<int>(i) &&
                                 times[s] == 1 && !leaves);
      }
      for (int slot : step.inputs) times[static_cast<size_t>(std::max(slot, 0))] = 0;
    }
  }

  // Finds the variables that are read before a step of the plan assigns them.
  void find_reads() {
    // perhaps: assigned by steps that may be skipped; checked when the reader runs.
    std::unordered_set<const Node*> assigned, perhaps, reported, written;
    std::vector<bool> skippable(plan_.steps.size(), false);  // may be dead
    const auto read = [&](const Node* variable, Step& step, bool may_be_skipped) {
      if (assigned.count(variable)) return;
      if (may_be_skipped || perhaps.count(variable)) {
        step.needs_value.push_back(variable);
      } else if (reported.insert(variable).second) {
        plan_.reads.push_back(variable);
      }
    };
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      Step& step = plan_.steps[i];
      skippable[i] = plan_.has_switch && may_be_skipped(step, skippable);
      const Access access = step.node->op->def->access;
      plan_.undoes |= step.node->op->def->undoes_failed_run;
      for (size_t k = 0; k < step.variables.size(); ++k) {
        const Node* variable = step.variables[k];
        if (!variable) continue;
        const bool passes_handle = is_handle_passed(step, k);
        if (access == Access::kRead && passes_handle) continue;
        if (access == Access::kRead || access == Access::kUpdate)
          read(variable, step, skippable[i]);
        plan_.writes_variables |= writes_variables(*step.node);
        if (writes_variables(*step.node) && written.insert(variable).second)
          plan_.writes.push_back(variable);
      }
      for (const Node* variable : step.variables) {
        if (variable && access == Access::kAssign)
          (skippable[i] ? perhaps : assigned).insert(variable);
      }
      for (int fetch : step.fetches) {
        read(plan_.fetches[static_cast<size_t>(fetch)].variable, step, skippable[i]);
      }
    }
  }

  // An Identity of a resource handle does not read the variable.
  static bool is_handle_passed(const Step& step, size_t k) {
    if (k >= step.node->inputs.size()) return false;
    const Endpoint& e = step.node->inputs[k];
    return step.node->num_outputs() > 0 && step.node->output_dtypes[0] == DType::kResource &&
           e.node->output_dtypes[static_cast<size_t>(e.index)] == DType::kResource;
  }

  bool may_be_skipped(const Step& step, const std::vector<bool>& skippable) const {
    const auto behind = [&](const Node* from) {
      const auto at = step_of_.find(from);
      return at != step_of_.end() &&
             (skippable[static_cast<size_t>(at->second)] || from->op->def->flow == Flow::kSwitch);
    };
    return (step.read_behind && behind(step.read_behind)) ||
           std::any_of(step.node->inputs.begin(), step.node->inputs.end(),
                       [&](const Endpoint& e) { return !is_fed(e) && behind(e.node); }) ||
           std::any_of(step.node->control_inputs.begin(), step.node->control_inputs.end(), behind);
  }

  const PlanKey& key_;
  const Graph* graph_;
  Plan plan_;
  std::unordered_map<Endpoint, int, EndpointHash> feeds_;
  std::unordered_set<const Node*> needed_;
  std::vector<const Node*> order_;
  std::unordered_map<const Node*, int> step_of_;
  // Results of variable_behind() for nodes with inputs.
  mutable std::unordered_map<const Node*, const Node*> behind_;
  std::unordered_set<const Node*> replaced_;  // reads that are repeated for some reader
};

}  // namespace

size_t PlanKeyHash::operator()(const PlanKey& key) const {
  size_t hash = key.fetches.size() * 1000003 + key.feeds.size();
  const auto mix = [&](size_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u + (hash >> 29);
  };
  for (const Endpoint& e : key.fetches) mix(EndpointHash()(e));
  for (const Endpoint& e : key.feeds) mix(EndpointHash()(e));
  for (const Node* node : key.targets) mix(std::hash<const void*>()(node));
  return hash;
}

Plan make_plan(const PlanKey& key, const Graph* graph) { return Planner(key, graph).make(); }

}  // namespace cairn::internal
