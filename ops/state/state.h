// Nodes that hold, read and write the values which live between runs. Making whole variables, with
// their initial values, is in ops/state/variables.h, which this does not need.
#pragma once

#include <span>
#include <string>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct AssignOptions {
  // Refuse a value of another shape than the variable has. Without it the variable takes the
  // value's shape.
  bool validate_shape = true;
  bool use_locking = true;
  std::string name = "";
};
struct UpdateOptions {
  bool use_locking = false;
  std::string name = "";
};

// Nodes that write a variable when they are run, and give its new value. A number takes the
// variable's dtype. They throw InvalidArgument for a value of another dtype or shape, when the node
// is made or, where the shape is known only then, when it runs; the variable is then as before.
// (TensorFlow's Assign, AssignAdd, AssignSub; for resource variables AssignVariableOp,
// AssignAddVariableOp, AssignSubVariableOp and the ReadVariableOp behind them.)
//   session.run(assign(w, 0.5f));
//   session.run(assign_add(count, 1));
Output assign(const Variable& variable, const Operand& value, const AssignOptions& options = {});
Output assign_add(const Variable& variable, const Operand& value,
                  const UpdateOptions& options = {});
Output assign_sub(const Variable& variable, const Operand& value,
                  const UpdateOptions& options = {});
// What Variable::assign() and its like call.
template <class Value>
Output assign_variable(const Variable& variable, const Value& value, SourceLocation at) {
  return assign(variable, Operand(value, at), {.use_locking = false});
}
template <class Value>
Output assign_add_variable(const Variable& variable, const Value& delta, SourceLocation at) {
  return assign_add(variable, Operand(delta, at));
}
template <class Value>
Output assign_sub_variable(const Variable& variable, const Value& delta, SourceLocation at) {
  return assign_sub(variable, Operand(delta, at));
}
// The same for a reference alone, W:0.
Output assign(const Output& ref, const Operand& value, const AssignOptions& options = {});
Output assign_add(const Output& ref, const Operand& value, const UpdateOptions& options = {});
Output assign_sub(const Output& ref, const Operand& value, const UpdateOptions& options = {});

struct ScatterOptions {
  bool use_locking = false;
  std::string name = "";
};
// Writes rows of a variable: row indices[i...] becomes, grows by or shrinks by updates[i..., :], an
// index that occurs twice counting twice. indices: int32 or int64, of any shape; updates: of shape
// indices.shape + variable.shape[1:], or one number for all. Give the variable's new value. An
// index out of bounds fails the run with InvalidArgument and changes nothing. (TensorFlow's
// ScatterUpdate, ScatterAdd, ScatterSub; reference variables only.)
Output scatter_update(const Variable& variable, const Operand& indices, const Operand& updates,
                      const ScatterOptions& options = {.use_locking = true});
Output scatter_add(const Variable& variable, const Operand& indices, const Operand& updates,
                   const ScatterOptions& options = {});
Output scatter_sub(const Variable& variable, const Operand& indices, const Operand& updates,
                   const ScatterOptions& options = {});

// A bool scalar: does the variable hold a value (TensorFlow's IsVariableInitialized,
// VarIsInitializedOp).
Output is_variable_initialized(const Variable& variable, const NameOptions& options = {},
                               SourceLocation at = SourceLocation::current());
// The value of a resource variable at this place in the order of the run (TensorFlow's
// ReadVariableOp).
Output read_variable(const Operand& handle, const NameOptions& options = {});

// assign_add, and the node that writes instead of the value written.
Operation assign_add_op(const Variable& variable, const Operand& value,
                        const UpdateOptions& options = {});

// The bare holders; use variable() and get_variable(). `name` ending in '/' is taken as it is.
Output variable_v2(GraphAt graph, const Shape& shape, DType dtype, std::string_view name);
Output var_handle(GraphAt graph, const Shape& shape, DType dtype, std::string_view name,
                  std::string_view shared_name);
// Assign or AssignVariableOp alone, as initializers are.
Operation assign_initial(const Output& ref, const Output& value, bool validate_shape,
                         std::string_view name);

std::span<const OpDef* const> state_ops();

}  // namespace cairn
