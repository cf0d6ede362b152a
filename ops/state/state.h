// Nodes that hold, read and write variables: the values that live between runs of a session. Whole
// variables, with their initial values, are made by ops/state/variables.h, which this header does
// not need.
//
//   session.run(assign(rate, 0.5f));
//   session.run(assign_add(count, 1));
//   session.run(scatter_sub(table, indices, rows));   // table[indices[i]] -= rows[i]
//
// A run that fails changes no variable of the failing node:
//
//   session.run(scatter_sub(table, outside, rows));   // InvalidArgument:
//                                                     // indices[0] = 9 is not in [0, 8)
#pragma once

#include <span>
#include <string>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct AssignOptions {
  // Refuse a value of another shape than that of the variable. If false, the variable takes the
  // shape of the value.
  bool validate_shape = true;
  bool use_locking = true;
  std::string name = "";
};
struct UpdateOptions {
  bool use_locking = false;
  std::string name = "";
};

// Nodes that write a variable when they run; their output is its new value. A number takes the
// dtype of the variable. Throw InvalidArgument for a value of another dtype or shape; a run does so
// for a shape that was not known before, and the variable is then unchanged. A run of assign_add
// and assign_sub throws FailedPrecondition for an uninitialized variable. (TensorFlow's Assign,
// AssignAdd, AssignSub; for resource variables AssignVariableOp, AssignAddVariableOp,
// AssignSubVariableOp with a ReadVariableOp after them.)
Output assign(const Variable& variable, const Operand& value, const AssignOptions& options = {});
Output assign_add(const Variable& variable, const Operand& value,
                  const UpdateOptions& options = {});
Output assign_sub(const Variable& variable, const Operand& value,
                  const UpdateOptions& options = {});
// The bodies of Variable::assign(), assign_add() and assign_sub().
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
// The same for the reference of a variable alone, W:0.
Output assign(const Output& ref, const Operand& value, const AssignOptions& options = {});
Output assign_add(const Output& ref, const Operand& value, const UpdateOptions& options = {});
Output assign_sub(const Output& ref, const Operand& value, const UpdateOptions& options = {});

struct ScatterOptions {
  bool use_locking = false;
  std::string name = "";
};
// Write, add to or subtract from rows of a variable: row indices[i...] with updates[i..., :]; a
// repeated index is applied each time, in order. indices: int32 or int64, of any shape; updates: of
// shape indices.shape + variable.shape[1:], or one number for all. The output is the new value of
// the variable. Throw InvalidArgument for updates of another shape; a run does so for an index out
// of bounds, and changes nothing. (TensorFlow's ScatterUpdate, ScatterAdd, ScatterSub; reference
// variables only.)
//
//   scatter_add(count, words, 1)               // counts [n], words [batch]: one more for each word
Output scatter_update(const Variable& variable, const Operand& indices, const Operand& updates,
                      const ScatterOptions& options = {.use_locking = true});
Output scatter_add(const Variable& variable, const Operand& indices, const Operand& updates,
                   const ScatterOptions& options = {});
Output scatter_sub(const Variable& variable, const Operand& indices, const Operand& updates,
                   const ScatterOptions& options = {});

// A bool scalar: true if the variable has a value (TensorFlow's IsVariableInitialized,
// VarIsInitializedOp). Unlike reading the variable, it does not fail if there is none.
Output is_variable_initialized(const Variable& variable, const NameOptions& options = {},
                               SourceLocation at = SourceLocation::current());
// The value of a resource variable at the time this node runs (TensorFlow's ReadVariableOp).
// `handle`: the output of a VarHandleOp, also through Identity and Switch. Throws InvalidArgument
// for another tensor ("'x:0' is not a resource variable").
Output read_variable(const Operand& handle, const NameOptions& options = {});

// As assign_add(), but returns the node that writes, without a read after it.
Operation assign_add_op(const Variable& variable, const Operand& value,
                        const UpdateOptions& options = {});

// The node that holds a variable, without initial value and collections; programs use variable()
// and get_variable(). A `name` ending in '/' is used exactly, without it.
Output variable_v2(GraphAt graph, const Shape& shape, DType dtype, std::string_view name);
Output var_handle(GraphAt graph, const Shape& shape, DType dtype, std::string_view name,
                  std::string_view shared_name);
// Assign or AssignVariableOp alone, as the initializer of a variable: without a read after it.
Operation assign_initial(const Output& ref, const Output& value, bool validate_shape,
                         std::string_view name);

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> state_ops();

}  // namespace cairn
