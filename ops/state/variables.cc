#include "ops/state/variables.h"

#include <algorithm>

#include "ops/array/array.h"
#include "ops/core/new_variable.h"
#include "ops/flow/flow.h"
#include "runtime/base/text.h"

namespace cairn {
namespace internal {
namespace {

Shape declared_shape(const NewVariable& wanted, const Output& initial, const std::string& name) {
  if (!wanted.validate_shape) return Shape::unknown();
  if (!initial.shape().is_fully_defined()) {
    fail(Code::kInvalidArgument, "variable '", name, "': the shape of its initial value '",
         initial.name(), "' is ", initial.shape(),
         "; give one that is fully known, or .validate_shape = false");
  }
  return initial.shape();
}

Output initial_value(GraphAt graph, const NewVariable& wanted) {
  if (wanted.tensor) return wanted.tensor;
  if (wanted.value.valid() && !wanted.use_resource)
    return constant(graph, wanted.value, {.name = "initial_value"});
  const Scope scope = graph->name_scope("Initializer");
  const Scope anywhere = graph->device("");
  if (wanted.value.valid()) return constant(graph, wanted.value, {.name = "initial_value"});
  const DType dtype = base_dtype(wanted.dtype);
  const Output made =
      wanted.initializer(graph, wanted.shape, dtype, wanted.slice ? &*wanted.slice : nullptr);
  const std::string_view name =
      std::string_view(wanted.name).substr(0, wanted.name.size() - wanted.name.ends_with('/'));
  graph->check_owns(made, str_cat("what the initializer of variable '", name, "' gives"));
  const bool fits = !wanted.validate_shape || made.shape().is_compatible_with(wanted.shape);
  if (base_dtype(made.dtype()) != dtype || !fits) {
    fail(Code::kInvalidArgument, "variable '", name, "' (", graph.at.str(), ") is to be ", dtype,
         " ", wanted.shape, ", and its initializer gives ", base_dtype(made.dtype()), " ",
         made.shape(), ": ", made.node().str(), "; it must give what it is asked for");
  }
  return made;
}

VariableInfo make_reference(GraphAt graph, const NewVariable& wanted, const std::string& scope) {
  const std::string name = scope.substr(0, scope.size() - 1);
  VariableInfo info;
  {
    // An initial value made for the variable is colocated with it; one given by the caller is not.
    const Scope beside = wanted.initializer ? graph->colocate_with_future(name) : Scope();
    info.initial_value = initial_value(graph, wanted);
    info.ref = variable_v2(graph, declared_shape(wanted, info.initial_value, name),
                           base_dtype(info.initial_value.dtype()), scope);
  }
  info.initializer = assign_initial(info.ref, info.initial_value, wanted.validate_shape, "Assign");
  const Scope beside = graph->colocate_with(info.ref.op());
  info.snapshot = identity(info.ref, {.name = "read"});
  return info;
}

VariableInfo make_resource(GraphAt graph, const NewVariable& wanted, const std::string& scope) {
  const std::string name = scope.substr(0, scope.size() - 1);
  VariableInfo info;
  info.is_resource = true;
  {
    const Scope beside = graph->colocate_with_future(name);
    info.initial_value = initial_value(graph, wanted);
    info.ref = var_handle(graph, declared_shape(wanted, info.initial_value, name),
                          base_dtype(info.initial_value.dtype()), scope, name);
    const Scope query = graph->name_scope("IsInitialized");
    is_variable_initialized(Variable(info));
  }
  const Scope beside = graph->colocate_with(info.ref.op());
  info.initializer = assign_initial(info.ref, info.initial_value, wanted.validate_shape, "Assign");
  const Scope read = graph->name_scope("Read");
  info.snapshot = read_variable(info.ref);
  return info;
}

}  // namespace

void check_made_outside(GraphAt graph, const Output& tensor, std::string_view what) {
  const auto condition = graph->control_flow();
  if (!condition || !condition->holds(tensor)) return;
  fail(Code::kInvalidArgument, what, " (", graph.at.str(), "): what it begins with, ",
       tensor.node().str(),
       ", is made inside a condition; make it outside, or have get_variable() call an initializer, "
       "which it does "
       "outside");
}

Variable make_variable(GraphAt graph, const NewVariable& wanted) {
  const Graph::Transaction whole(*graph.graph, graph.at);
  if (wanted.tensor)
    check_made_outside(graph, wanted.tensor, str_cat("variable '", wanted.name, "'"));
  const Scope once = graph->init_scope();
  const Scope scope = graph->name_scope(wanted.name);
  VariableInfo info = wanted.use_resource ? make_resource(graph, wanted, scope.name())
                                          : make_reference(graph, wanted, scope.name());
  info.trainable = wanted.trainable;
  info.slice = wanted.slice;
  const Variable variable(std::move(info));
  std::vector<std::string> collections = wanted.collections;
  const auto has = [&](const char* key) {
    return std::find(collections.begin(), collections.end(), key) != collections.end();
  };
  if (wanted.trainable && !has(GraphKeys::kTrainableVariables)) {
    collections.push_back(GraphKeys::kTrainableVariables);
  }
  for (const std::string& key : collections) graph->add_to_collection(key, variable);
  return variable;
}

std::string slot_name(const Graph& graph, const Variable& owner, std::string_view suffix) {
  const std::string scope = graph.current_variable_scope();
  const std::string wish = str_cat(scope, scope.empty() ? "" : "/", owner.name(), "/", suffix);
  std::string name = wish;
  for (int i = 1; graph.contains(name); ++i) name = str_cat(wish, "_", i);
  return name;
}

// TensorFlow removes the name of the owner by its length alone. For optimizers inside variable
// scopes the names of slots in checkpoints are therefore W/part_0/Adam, and these must be found.
std::optional<SaveSliceInfo> slot_slice(const Variable& owner, std::string_view slot) {
  if (!owner.slice()) return std::nullopt;
  SaveSliceInfo slice = *owner.slice();
  slice.full_name = str_cat(slice.full_name, "/", slot.substr(owner.name().size() + 1));
  return slice;
}

}  // namespace internal

namespace {

internal::NewVariable wanted_by(const VariableOptions& options) {
  return {.name = options.name.empty() ? "Variable" : options.name,
          .trainable = options.trainable,
          .collections = options.collections,
          .validate_shape = options.validate_shape,
          .use_resource = options.use_resource};
}

std::optional<Variable> known_variable(const Graph& graph, std::string_view name) {
  for (const std::string& key : graph.collection_keys()) {
    for (const CollectionItem& item : graph.items(key)) {
      const auto* variable = std::get_if<Variable>(&item);
      if (variable && variable->name() == name) return *variable;
    }
  }
  return std::nullopt;
}

Variable reused(GraphAt graph, const Variable& variable, const Shape& shape,
                const GetVariableOptions& options) {
  if (!shape.is_compatible_with(variable.shape())) {
    fail(Code::kInvalidArgument, "get_variable (", graph.at.str(), "): '", variable.name(),
         "' is of shape ", variable.shape(), ", not ", shape);
  }
  if (variable.dtype() != base_dtype(options.dtype)) {
    fail(Code::kInvalidArgument, "get_variable (", graph.at.str(), "): '", variable.name(),
         "' is of dtype ", variable.dtype(), ", not ", options.dtype);
  }
  return variable;
}

Initializer default_initializer(GraphAt graph, DType dtype, std::string_view name) {
  if (is_floating(dtype)) return glorot_uniform_initializer();
  if (is_integer(dtype) || dtype == DType::kBool) return zeros_initializer();
  fail(Code::kInvalidArgument, "get_variable (", graph.at.str(), "): '", printable(name),
       "' of dtype ", dtype, " needs an initializer");
}

}  // namespace

Variable variable(const Operand& initial_value, const VariableOptions& options) {
  const Graph::Transaction whole(initial_value.graph());
  internal::NewVariable wanted = wanted_by(options);
  wanted.tensor = initial_value.output();
  return internal::make_variable({initial_value.graph(), initial_value.at()}, wanted);
}

Variable variable(GraphAt graph, const Tensor& initial_value, const VariableOptions& options) {
  internal::NewVariable wanted = wanted_by(options);
  wanted.value = initial_value;
  return internal::make_variable(graph, wanted);
}

Variable get_variable(GraphAt graph, std::string_view name, const Shape& shape,
                      const GetVariableOptions& options) {
  return internal::get_variable_part(graph, name, shape, options, std::nullopt);
}

Variable internal::get_variable_part(GraphAt graph, std::string_view name, const Shape& shape,
                                     const GetVariableOptions& options,
                                     const std::optional<SaveSliceInfo>& slice) {
  const std::string scope = graph->current_variable_scope();
  const std::string full = scope.empty() ? std::string(name) : str_cat(scope, "/", name);
  const auto known = known_variable(graph, full);
  if (graph->reusing_variables())
    return reused(graph, known ? *known : find_variable(graph, full), shape, options);
  if (known || graph->contains(full)) {
    fail(Code::kAlreadyExists, "get_variable (", graph.at.str(), "): '", full,
         "' exists already, made at ",
         graph->find_op(full).node().made_at.known() ? graph->find_op(full).node().made_at.str()
                                                     : "an unknown place",
         "; to share it, enter the variable scope with reuse");
  }
  if (!shape.is_fully_defined()) {
    fail(Code::kInvalidArgument, "get_variable (", graph.at.str(), "): '", printable(full),
         "' needs a fully known shape, got ", shape);
  }
  const DType dtype = base_dtype(options.dtype);
  const Graph::Transaction whole(*graph.graph, graph.at);
  const Scope once = graph->init_scope();
  const Scope root = graph->name_scope("");
  const Variable variable = internal::make_variable(
      graph, {.name = full + "/",
              .initializer = options.initializer ? options.initializer
                                                 : default_initializer(graph, dtype, full),
              .shape = shape,
              .dtype = dtype,
              .trainable = options.trainable,
              .collections = options.collections,
              .validate_shape = options.validate_shape,
              .use_resource = options.use_resource,
              .slice = slice});
  if (options.regularizer) {
    const Scope beside = graph->colocate_with(variable.ref().op());
    const Scope within = graph->name_scope(full + "/Regularizer/");
    if (const Output loss = options.regularizer(variable)) {
      graph->add_to_collection(GraphKeys::kRegularizationLosses, loss);
    }
  }
  return variable;
}

Variable find_variable(const Graph& graph, std::string_view name) {
  if (const auto known = known_variable(graph, name)) return *known;
  std::vector<std::string> names;
  for (const std::string& key : graph.collection_keys()) {
    for (const CollectionItem& item : graph.items(key)) {
      if (const auto* variable = std::get_if<Variable>(&item)) names.push_back(variable->name());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  fail(Code::kNotFound, "there is no variable '", printable(name), "' in the graph's collections",
       names_instead_of(name, names));
}

Operation variables_initializer(GraphAt graph, const std::vector<Variable>& variables,
                                const NameOptions& options) {
  if (variables.empty()) return no_op(graph, options);
  std::vector<Operation> initializers;
  for (const Variable& variable : variables) initializers.push_back(variable.initializer());
  return group(initializers, options, graph.at);
}
Operation global_variables_initializer(GraphAt graph) {
  return variables_initializer(graph, graph->variables());
}
Operation local_variables_initializer(GraphAt graph) {
  return variables_initializer(graph, graph->collection<Variable>(GraphKeys::kLocalVariables));
}

namespace {

std::optional<Variable> global_step(const Graph& graph) {
  for (const CollectionItem& item : graph.items(GraphKeys::kGlobalStep)) {
    if (const auto* variable = std::get_if<Variable>(&item)) return *variable;
    // Older files contain only its tensor.
    if (const auto* tensor = std::get_if<Output>(&item))
      return find_variable(graph, tensor->op().name());
  }
  return known_variable(graph, GraphKeys::kGlobalStep);
}

}  // namespace

Variable create_global_step(GraphAt graph) {
  if (const auto known = global_step(graph))
    fail(Code::kAlreadyExists, "create_global_step (", graph.at.str(), "): there is one, '",
         known->name(), "'");
  return get_variable(graph, GraphKeys::kGlobalStep, {},
                      {.dtype = DType::kInt64,
                       .initializer = zeros_initializer(),
                       .trainable = false,
                       .collections = {GraphKeys::kGlobalVariables, GraphKeys::kGlobalStep}});
}
Variable get_global_step(GraphAt graph) {
  if (const auto known = global_step(graph)) return *known;
  fail(Code::kNotFound, "get_global_step (", graph.at.str(),
       "): the graph has none; see create_global_step()");
}
Variable get_or_create_global_step(GraphAt graph) {
  const auto known = global_step(graph);
  return known ? *known : create_global_step(graph);
}

}  // namespace cairn
