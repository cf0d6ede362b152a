// Finds the reads of reference variables that a plan must repeat, because the variable is written
// between the read and its reader.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "runtime/graph/node.h"

namespace cairn::internal {

// The part of the graph that is planned, as the planner sees it.
struct PlanView {
  std::function<bool(const Endpoint&)> is_fed;
  // A fed placeholder: it satisfies control edges from it.
  std::function<bool(const Node*)> is_fed_whole;
  // The variable whose reference or handle the endpoint is; else null.
  std::function<const Node*(const Endpoint&)> variable_behind;
};

bool writes_variables(const Node& node);

// For each node, the writes of reference variables that edges order before it. A reader of W/read:0
// must see the writes of W among them (runtime/graph/variable.h), although W/read itself may run
// earlier.
class WritesBefore {
 public:
  // `order`: the nodes of the plan in topological order.
  WritesBefore(const std::vector<const Node*>& order, PlanView view);

  // `e` is an input of `reader`. If it is the value of a reference variable, and edges order a
  // write between the node that read the variable and `reader`: the node that read it. Else null.
  const Node* outdated_read(const Node* reader, const Endpoint& e) const;

 private:
  using Set = std::vector<bool>;  // of writers, by number

  void find_writers(const std::vector<const Node*>& order);
  std::shared_ptr<const Set> set_of(const Node* node) const;
  const Node* read_behind(Endpoint e) const;

  PlanView view_;
  std::unordered_map<const Node*, size_t> writers_;              // their numbers
  std::unordered_map<const Node*, std::vector<size_t>> writes_;  // variable -> its writers
  // Most nodes have no writes before them and are absent; many others have the same set, shared.
  std::unordered_map<const Node*, std::shared_ptr<const Set>> before_;
};

}  // namespace cairn::internal
