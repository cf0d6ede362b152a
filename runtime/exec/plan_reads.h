// Which values of reference variables a plan has to read again, because something writes the
// variable in between.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "runtime/graph/node.h"

namespace cairn::internal {

// What the planner knows of the graph it cuts out.
struct PlanView {
  std::function<bool(const Endpoint&)> is_fed;
  // a placeholder: who waits for it waits for nothing
  std::function<bool(const Node*)> is_fed_whole;
  // whose reference or handle it is; null: no variable's
  std::function<const Node*(const Endpoint&)> variable_behind;
};

bool writes_variables(const Node& node);

// The writes of reference variables that come before each node by edges. A node that takes W/read:0
// sees those of W (runtime/graph/variable.h), while W/read itself runs when it can.
class WritesBefore {
 public:
  // `order`: the nodes of the plan, each after those it waits for.
  WritesBefore(const std::vector<const Node*>& order, PlanView view);

  // The node that read, from its reference, the value that `reader` takes from `e`, if a write
  // comes after it and before the reader; else null.
  const Node* outdated_read(const Node* reader, const Endpoint& e) const;

 private:
  using Set = std::vector<bool>;  // of writers, by number

  void find_writers(const std::vector<const Node*>& order);
  std::shared_ptr<const Set> set_of(const Node* node) const;
  const Node* read_behind(Endpoint e) const;

  PlanView view_;
  std::unordered_map<const Node*, size_t> writers_;              // their numbers
  std::unordered_map<const Node*, std::vector<size_t>> writes_;  // variable -> its writers
  // Few nodes stand behind any, and most of those behind the same: sets are shared. Absent: none.
  std::unordered_map<const Node*, std::shared_ptr<const Set>> before_;
};

}  // namespace cairn::internal
