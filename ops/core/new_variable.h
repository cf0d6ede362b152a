// How all variables are made: those of users and those of optimizers.
#pragma once

#include <optional>
#include <string>

#include "ops/state/variables.h"

namespace cairn::internal {

struct NewVariable {
  std::string name;  // ending in '/': exactly this
  // One of these: a tensor of the graph, a value for W/initial_value, a function called within
  // W/Initializer.
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
  std::optional<SaveSliceInfo> slice = {};  // the part of a partitioned variable that it holds
};
Variable make_variable(GraphAt graph, const NewVariable& wanted);

// For what stands outside of conditions with its initializer, though it be made inside one
// (Graph::init_scope): throws InvalidArgument where `tensor`, which it begins with, is made inside,
// and so is not there when the other side is taken. `what` names it.
void check_made_outside(GraphAt graph, const Output& tensor, std::string_view what);

// get_variable() of such a part.
Variable get_variable_part(GraphAt graph, std::string_view name, const Shape& shape,
                           const GetVariableOptions& options,
                           const std::optional<SaveSliceInfo>& slice);

// For a variable that belongs to another: W/Adam, within the current variable scope, or the next of
// W/Adam_1, W/Adam_2 ... that is free, whoever made the others.
std::string slot_name(const Graph& graph, const Variable& owner, std::string_view suffix);
// The part that a slot named `slot` holds if its owner is a part of a partitioned variable.
std::optional<SaveSliceInfo> slot_slice(const Variable& owner, std::string_view slot);

}  // namespace cairn::internal
