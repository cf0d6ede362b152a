// Makes all variables: those of users and those of optimizers.
#pragma once

#include <optional>
#include <string>

#include "ops/state/variables.h"

namespace cairn::internal {

struct NewVariable {
  std::string name;  // ending in '/': used exactly
  // One of these: a tensor of the graph, a value for W/initial_value, or a function that is called
  // within W/Initializer.
  Output tensor = {};
  Tensor value = {};
  Initializer initializer = {};
  // For `initializer`.
  Shape shape = {};
  DType dtype = DType::kFloat;

  bool trainable = true;
  std::vector<std::string> collections = {GraphKeys::kGlobalVariables};
  bool validate_shape = true;
  bool use_resource = false;
  std::optional<SaveSliceInfo> slice = {};  // its part of a partitioned variable
};
Variable make_variable(GraphAt graph, const NewVariable& wanted);

// For variables that are made outside of a condition although the call is inside one
// (Graph::init_scope). Throws InvalidArgument if the initial value `tensor` is made inside: it does
// not exist if the other side is taken. `what` names the variable.
void check_made_outside(GraphAt graph, const Output& tensor, std::string_view what);

// get_variable() of a part of a partitioned variable.
Variable get_variable_part(GraphAt graph, std::string_view name, const Shape& shape,
                           const GetVariableOptions& options,
                           const std::optional<SaveSliceInfo>& slice);

// The name of a variable that belongs to `owner`: W/Adam, in the current variable scope, or the
// next free one of W/Adam_1, W/Adam_2 ...
std::string slot_name(const Graph& graph, const Variable& owner, std::string_view suffix);
// The part that a slot named `slot` holds if its owner is a part of a partitioned variable.
std::optional<SaveSliceInfo> slot_slice(const Variable& owner, std::string_view slot);

}  // namespace cairn::internal
