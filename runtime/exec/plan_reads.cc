#include "runtime/exec/plan_reads.h"

#include <algorithm>

namespace cairn::internal {
namespace {

bool is_reference(const Endpoint& e) {
  return is_ref(e.node->output_dtypes[static_cast<size_t>(e.index)]);
}

}  // namespace

bool writes_variables(const Node& node) {
  const Access access = node.op->def->access;
  return access == Access::kUpdate || access == Access::kAssign;
}

WritesBefore::WritesBefore(const std::vector<const Node*>& order, PlanView view)
    : view_(std::move(view)) {
  find_writers(order);
  if (writes_.empty()) return;
  for (const Node* node : order) {
    if (auto set = set_of(node)) before_.emplace(node, std::move(set));
  }
}

void WritesBefore::find_writers(const std::vector<const Node*>& order) {
  for (const Node* node : order) {
    if (!writes_variables(*node)) continue;
    for (const Endpoint& e : node->inputs) {
      const Node* variable = is_reference(e) ? view_.variable_behind(e) : nullptr;
      if (variable)
        writes_[variable].push_back(writers_.emplace(node, writers_.size()).first->second);
    }
  }
}

// The writers before the node's inputs and control inputs, and those of them that write. Null:
// none.
std::shared_ptr<const WritesBefore::Set> WritesBefore::set_of(const Node* node) const {
  std::shared_ptr<const Set> same;  // as long as one existing set is the union
  Set joined;                       // else the union
  const auto own_set = [&]() -> Set& {
    if (joined.empty()) joined = same ? *same : Set(writers_.size(), false);
    same = nullptr;
    return joined;
  };
  const auto join = [&](const Node* from) {
    if (const auto known = before_.find(from); known != before_.end() && known->second != same) {
      if (!same && joined.empty()) {
        same = known->second;
      } else {
        Set& all = own_set();
        for (size_t i = 0; i < all.size(); ++i) all[i] = all[i] || (*known->second)[i];
      }
    }
    const auto writer = writers_.find(from);
    if (writer != writers_.end() && !(same && (*same)[writer->second]))
      own_set()[writer->second] = true;
  };
  for (const Endpoint& e : node->inputs) {
    if (!view_.is_fed(e)) join(e.node);
  }
  for (const Node* control : node->control_inputs) {
    if (!view_.is_fed_whole(control)) join(control);
  }
  return joined.empty() ? same : std::make_shared<const Set>(std::move(joined));
}

// If `e` is the value of a reference variable, read by a node (W/read) and passed through Switches
// only: that node. Else null.
const Node* WritesBefore::read_behind(Endpoint e) const {
  while (!view_.is_fed(e) && !e.node->inputs.empty() && !is_reference(e)) {
    const OpDef& def = *e.node->op->def;
    const Endpoint& input = e.node->inputs[0];
    if (!view_.is_fed(input) && is_reference(input)) return def.passes_on ? e.node : nullptr;
    if (def.flow != Flow::kSwitch) return nullptr;
    e = input;
  }
  return nullptr;
}

const Node* WritesBefore::outdated_read(const Node* reader, const Endpoint& e) const {
  const auto before = before_.find(reader);
  const Node* read = before == before_.end() ? nullptr : read_behind(e);
  const auto writers = read ? writes_.find(view_.variable_behind(read->inputs[0])) : writes_.end();
  if (writers == writes_.end()) return nullptr;
  const auto seen = before_.find(read);
  const bool changed =
      std::any_of(writers->second.begin(), writers->second.end(), [&](size_t writer) {
        return (*before->second)[writer] && !(seen != before_.end() && (*seen->second)[writer]);
      });
  return changed ? read : nullptr;
}

}  // namespace cairn::internal
