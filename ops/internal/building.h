// What builders share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ops/operand.h"

namespace cairn {

// A builder at work, all or nothing: the scope named like the node to come, in which the constants made for its
// operands stand
// ("Reshape/shape"), and the line of the program that all its nodes are said to be made at.
//
//   const Building b(x, "Reshape", options.name);
//   return b.add(kReshape, {x.output(), shape.in(b, "shape")});
class Building {
 public:
  Building(GraphAt graph, std::string_view default_name, const std::string& name)
      : graph_(graph),
        whole_(*graph.graph, graph.at),
        scope_(graph->name_scope(name.empty() ? default_name : std::string_view(name))) {}
  Building(const Operand& x, std::string_view default_name, const std::string& name)
      : Building((x.require(default_name), GraphAt(x.graph(), x.at())), default_name, name) {}

  operator GraphAt() const { return graph_; }  // NOLINT: implicit on purpose
  Graph& graph() const { return graph_; }
  // The node's name, "a/Reshape/", for a builder that another one finishes.
  const std::string& name() const { return scope_.name(); }
  Operation add_op(const OpDef& op, std::vector<Output> inputs, Attrs attrs = {}) const {
    return add_operation(graph_, op, std::move(inputs), std::move(attrs), name());
  }
  Output add(const OpDef& op, std::vector<Output> inputs, Attrs attrs = {}) const {
    return add_op(op, std::move(inputs), std::move(attrs)).output();
  }

 private:
  GraphAt graph_;
  Graph::Transaction whole_;
  Scope scope_;
};

// All outputs of an operation.
inline std::vector<Output> outputs_of(const Operation& op) {
  std::vector<Output> outputs;
  for (int i = 0; i < op.num_outputs(); ++i) outputs.push_back(op.output(i));
  return outputs;
}

// x * y, two tensors of one shape: where the graph does not tell that they are, it is looked at when the node runs.
// `what` names the two in the error.
Output multiply_alike(const Output& x, const Output& y, std::string_view what, SourceLocation at);

}  // namespace cairn
