// Variables: made, shared by name, initialised.
//
//   Variable w = variable(zeros(graph, {784, 10}), {.name = "W"});
//   Variable b = get_variable(graph, "b", {10});
//   session.run(global_variables_initializer(graph));
//
// A variable W is the nodes W (the reference), W/Assign (its initializer) and W/read (its value);
// in a file that is all there is of it, besides an entry in the collections "variables" and, when
// it is trainable, "trainable_variables".
#pragma once

#include <string>
#include <vector>

#include "ops/state/initializers.h"
#include "ops/state/state.h"

namespace CAIRN_API cairn {

struct VariableOptions {
  std::string name = "Variable";
  bool trainable = true;  // also in the collection "trainable_variables": optimizers change it
  std::vector<std::string> collections = {GraphKeys::kGlobalVariables};
  // Without it the variable may be given values of any shape.
  bool validate_shape = true;
  // A resource variable (VarHandleOp) instead of a reference.
  bool use_resource = false;
};

// A variable that begins with the value of `initial_value`, of its dtype and shape (TensorFlow's
// tf.Variable). Throws InvalidArgument when that shape is not fully known, unless validate_shape is
// false; and, where it is called inside a condition (ops/flow/cond.h), for an initial value made
// there: a variable and its initializer stand outside.
Variable variable(const Operand& initial_value, const VariableOptions& options = {});
// The same with a value of the program's, which becomes the constant W/initial_value:
//   variable(graph, 0.5f, {.name = "a"});  variable(graph, Tensor::vector<float>({1, 2}));
Variable variable(GraphAt graph, const Tensor& initial_value, const VariableOptions& options = {});

struct GetVariableOptions {
  DType dtype = DType::kFloat;
  Initializer initializer = {};  // glorot_uniform_initializer(); zeros for integers and bool
  bool trainable = true;
  // From the variable's value to what it adds to the loss: put into the collection
  // "regularization_losses".
  std::function<Output(const Output&)> regularizer = {};
  std::vector<std::string> collections = {GraphKeys::kGlobalVariables};
  bool validate_shape = true;
  bool use_resource = false;
};

// The variable `name` of the current variable scope (TensorFlow's tf.get_variable): a new one or,
// where the scope reuses, the one there is, which is found by name in the graph's collections,
// however it was made. Name scopes do not count. Throws AlreadyExists when the scope does not reuse
// and there is one, NotFound when it does and there is none, InvalidArgument when the one there is
// has another shape or dtype, or the initializer gives another.
//   auto scope = graph.variable_scope("hidden1");
//   Variable w = get_variable(graph, "kernel", {784, 300});      // hidden1/kernel
Variable get_variable(GraphAt graph, std::string_view name, const Shape& shape,
                      const GetVariableOptions& options = {});
// The variable called exactly `name`, in whatever collection it stands. Throws NotFound with the
// nearest names.
Variable find_variable(const Graph& graph, std::string_view name);

// One operation that runs the initializers of `variables`.
Operation variables_initializer(GraphAt graph, const std::vector<Variable>& variables,
                                const NameOptions& options = {.name = "init"});
// ... of the collection "variables", and of "local_variables".
Operation global_variables_initializer(GraphAt graph);
Operation local_variables_initializer(GraphAt graph);

// The variable that counts training steps: global_step, an int64 scalar that begins at 0, not
// trainable, in the collection "global_step". create throws AlreadyExists when there is one, get
// NotFound when there is none.
Variable create_global_step(GraphAt graph);
Variable get_global_step(GraphAt graph);
Variable get_or_create_global_step(GraphAt graph);

}  // namespace cairn
