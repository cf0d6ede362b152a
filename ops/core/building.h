// Helpers of builders.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ops/core/operand.h"

namespace cairn {

// For the length of one builder: a transaction (if the builder throws, the graph is unchanged), the
// name scope of the node it makes, which also holds the constants of its operands
// ("Reshape/shape"), and the user's line, which its nodes are attributed to.
//
//   const BuilderScope b(x, "Reshape", options.name);
//   return b.add(kReshape, {x.output(), shape.in(b, "shape")});
class BuilderScope {
 public:
  BuilderScope(GraphAt graph, std::string_view default_name, const std::string& name)
      : graph_(graph),
        whole_(*graph.graph, graph.at),
        scope_(graph->name_scope(name.empty() ? default_name : std::string_view(name))) {}
  BuilderScope(const Operand& x, std::string_view default_name, const std::string& name)
      : BuilderScope((x.require(default_name), GraphAt(x.graph(), x.at())), default_name, name) {}

  operator GraphAt() const { return graph_; }  // NOLINT: implicit on purpose
  Graph& graph() const { return graph_; }
  // The name of the node, "a/Reshape/", for a builder that calls another one to finish.
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

// The graph of the first of `tensors`. Throws FailedPrecondition, with `op` and the line, for an
// empty handle.
inline Graph& graph_of(const std::vector<Output>& tensors, std::string_view op, SourceLocation at) {
  for (const Output& tensor : tensors) Operand(tensor, at).require(op);
  return tensors.at(0).graph();
}

// The dtype of shapes in TensorFlow's functions: int32; int64 if a known extent does not fit in it.
DType extents_dtype(std::initializer_list<Output> tensors);
// shape(x) of that dtype, for builders whose callers cannot choose one.
Output extents_of(const Operand& x);

// An attribute of a node whose inputs must have one shape, and whose shapes were not known when it
// was made: the kernel compares them. Its value names the inputs for the error. TensorFlow accepts
// unknown attributes that begin with an underscore.
constexpr const char* kSameShape = "_same_shape";

// x * y for two tensors of one shape; if the graph does not know that they are, the kernel compares
// them when it runs. `what` names the two in the error.
Output multiply_alike(const Output& x, const Output& y, std::string_view what, SourceLocation at);

}  // namespace cairn
