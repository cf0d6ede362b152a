// Variables: made, shared by name, initialised.
//
//   Variable w = variable(zeros(graph, {784, 10}), {.name = "W"});
//   Variable b = get_variable(graph, "b", {10});
//   session.run(global_variables_initializer(graph));
//
// A variable W is the nodes W (the reference), W/Assign (its initializer) and W/read (its value). A
// file has these nodes and an entry in the collection "variables" and, if it is trainable, in
// "trainable_variables"; nothing else.
//
// Calls that fail:
//
//   get_variable(graph, "b", {10});
//   // AlreadyExists: get_variable (a.cc:9): 'b' exists already, made at a.cc:7; to share it, enter
//   // the variable scope with reuse
//   find_variable(graph, "hidden1/kernal");
//   // NotFound: there is no variable 'hidden1/kernal' in the graph's collections; did you mean
//   // hidden1/kernel?
//   session.run(w.value());   // FailedPrecondition if no initializer ran
#pragma once

#include <string>
#include <vector>

#include "ops/state/initializers.h"
#include "ops/state/state.h"

namespace CAIRN_API cairn {

struct VariableOptions {
  std::string name = "Variable";
  bool trainable = true;  // also in the collection "trainable_variables", which optimizers train
  std::vector<std::string> collections = {GraphKeys::kGlobalVariables};
  // If false, the variable may take values of any shape.
  bool validate_shape = true;
  // A resource variable (VarHandleOp) instead of a reference.
  bool use_resource = false;
};

// A variable that begins with the value of `initial_value`, of its dtype and shape (TensorFlow's
// tf.Variable). Throws InvalidArgument if that shape is not fully known, unless validate_shape is
// false. Called inside a condition (ops/flow/cond.h), it also throws for an initial value made
// there: the variable and its initializer are made outside.
Variable variable(const Operand& initial_value, const VariableOptions& options = {});
// The same with a value of the program, which becomes the constant W/initial_value.
//
//   variable(graph, 0.5f, {.name = "a"});
//   variable(graph, Tensor::vector<float>({1, 2}));
Variable variable(GraphAt graph, const Tensor& initial_value, const VariableOptions& options = {});

struct GetVariableOptions {
  DType dtype = DType::kFloat;
  Initializer initializer = {};  // glorot_uniform_initializer(); zeros for integers and bool
  bool trainable = true;
  // Maps the value of the variable to its term in the loss, which is put into the collection
  // "regularization_losses".
  std::function<Output(const Output&)> regularizer = {};
  std::vector<std::string> collections = {GraphKeys::kGlobalVariables};
  bool validate_shape = true;
  bool use_resource = false;
};

// The variable `name` of the current variable scope (TensorFlow's tf.get_variable): a new one or,
// if the scope reuses, the existing one, found by name in the graph's collections, however it was
// made. Name scopes have no effect. Throws AlreadyExists if the scope does not reuse and the name
// is taken, NotFound if it reuses and there is no such variable, InvalidArgument if the existing
// variable has another shape or dtype, or the initializer gives another.
//
//   auto scope = graph.variable_scope("hidden1");
//   Variable w = get_variable(graph, "kernel", {784, 300});      // hidden1/kernel
Variable get_variable(GraphAt graph, std::string_view name, const Shape& shape,
                      const GetVariableOptions& options = {});
// The variable with exactly this name, in any collection; for imported graphs. Throws NotFound with
// the nearest names.
Variable find_variable(const Graph& graph, std::string_view name);

// One operation that runs the initializers of `variables`; a NoOp if there are none.
Operation variables_initializer(GraphAt graph, const std::vector<Variable>& variables,
                                const NameOptions& options = {.name = "init"});
// The same for all variables of the collection "variables", and of "local_variables".
Operation global_variables_initializer(GraphAt graph);
Operation local_variables_initializer(GraphAt graph);

// The variable that counts training steps: global_step, an int64 scalar that begins at 0, not
// trainable, in the collection "global_step". create throws AlreadyExists if there is one, get
// NotFound if there is none.
Variable create_global_step(GraphAt graph);
Variable get_global_step(GraphAt graph);
Variable get_or_create_global_step(GraphAt graph);

}  // namespace cairn
