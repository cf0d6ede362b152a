// What builders share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ops/core/operand.h"

namespace cairn {

// A builder at work, all or nothing: the scope named like the node to come, in which the constants
// made for its operands stand
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

// The graph of the first of `tensors`. Throws FailedPrecondition, naming `op` and the line, where
// one is an empty handle.
inline Graph& graph_of(const std::vector<Output>& tensors, std::string_view op, SourceLocation at) {
  for (const Output& tensor : tensors) Operand(tensor, at).require(op);
  return tensors.at(0).graph();
}

// What TensorFlow's functions take shapes as: int32. int64 where one of the extents is known and
// does not fit.
DType extents_dtype(std::initializer_list<Output> tensors);
// shape(x) of that dtype, for builders whose callers cannot ask for one.
Output extents_of(const Operand& x);

// On a node: names two things that must be of one shape and whose shapes were not known when it was
// made, so that its kernel compares them. TensorFlow takes attributes with an underscore.
constexpr const char* kSameShape = "_same_shape";

// x * y, two tensors of one shape: where the graph does not tell that they are, it is looked at
// when the node runs. `what` names the two in the error.
Output multiply_alike(const Output& x, const Output& y, std::string_view what, SourceLocation at);

}  // namespace cairn
