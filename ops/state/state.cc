#include "ops/state/state.h"

#include <limits>

#include "ops/array/array.h"
#include "ops/core/elements.h"
#include "ops/core/move.h"

namespace cairn {
namespace {

// The VarHandleOp of a resource variable; null if the handle comes from elsewhere, or through more
// than `most` nodes.
const Node* holder_of(Endpoint e, int most = std::numeric_limits<int>::max()) {
  while (e.node->op->name != "VarHandleOp" && !e.node->inputs.empty() && most-- > 0)
    e = e.node->inputs[0];
  return e.node->op->name == "VarHandleOp" ? e.node : nullptr;
}

// The declared shape of the resource variable at input i. The search is bounded: a file can pass a
// handle through a long chain of nodes and read it at each of them.
Shape resource_shape(const ShapeContext& c, int i) {
  constexpr int kFarthest = 200;  // deeper than conditions are nested
  const Node* holder = holder_of(c.node().inputs[static_cast<size_t>(i)], kFarthest);
  const Attr* shape = holder ? holder->attrs.find("shape") : nullptr;
  const Shape* known = shape ? shape->get<Shape>() : nullptr;
  return known ? *known : Shape::unknown();
}

Shape same_shape(const ShapeContext& c, const Shape& variable, const Shape& value) {
  c.require(variable.is_compatible_with(value),
            str_cat("the variable is of shape ", variable, ", the value of shape ", value));
  return merge(variable, value);
}

// ---- VariableV2, Variable, VarHandleOp ----------------------------------------------------------

void variable_shape(ShapeContext& c) { c.set_output(c.shape("shape")); }
// In older files the shape of a scalar also meant "unknown".
void legacy_variable_shape(ShapeContext& c) {
  c.set_output(c.shape("shape").is_scalar() ? Shape::unknown() : c.shape("shape"));
}

constexpr OpDef kVariableV2 = {
    .name = "VariableV2",
    .inputs = "",
    .outputs = "ref: Ref(dtype)",
    .attrs = "shape: shape, dtype: type, container: string = '', shared_name: string = ''",
    .stateful = true,
    .shape = variable_shape,
    .prepare = do_nothing,
    .gradient = not_differentiable};
constexpr OpDef kVariable = {
    .name = "Variable",
    .inputs = "",
    .outputs = "ref: Ref(dtype)",
    .attrs = "shape: shape, dtype: type, container: string = '', shared_name: string = ''",
    .stateful = true,
    .shape = legacy_variable_shape,
    .prepare = do_nothing,
    .gradient = not_differentiable};
constexpr OpDef kVarHandleOp = {
    .name = "VarHandleOp",
    .inputs = "",
    .outputs = "resource: resource",
    .attrs = "container: string = '', shared_name: string = '', dtype: type, shape: shape",
    .stateful = true,
    .shape = scalar_shape,
    .prepare = do_nothing,
    .gradient = not_differentiable};

// ---- ReadVariableOp, IsVariableInitialized, VarIsInitializedOp, VariableShape -------------------

void read_shape(ShapeContext& c) { c.set_output(resource_shape(c, 0)); }
Kernel read_prepare(const KernelSetup&) {
  return [](KernelContext& c) { c.set(0, c.variable(0).value); };
}
Grads read_gradient(const Operation&, const Grads& dy) { return dy; }
constexpr OpDef kReadVariableOp = {.name = "ReadVariableOp",
                                   .inputs = "resource: resource",
                                   .outputs = "value: dtype",
                                   .attrs = "dtype: type",
                                   .stateful = true,
                                   .shape = read_shape,
                                   .prepare = read_prepare,
                                   .gradient = read_gradient};

Kernel is_initialized_prepare(const KernelSetup&) {
  return [](KernelContext& c) { *c.allocate(0, {}).data<bool>() = c.variable(0).initialized(); };
}
constexpr OpDef kIsVariableInitialized = {.name = "IsVariableInitialized",
                                          .inputs = "ref: Ref(dtype)",
                                          .outputs = "is_initialized: bool",
                                          .attrs = "dtype: type",
                                          .allows_uninitialized_input = true,
                                          .access = Access::kQuery,
                                          .shape = scalar_shape,
                                          .prepare = is_initialized_prepare,
                                          .gradient = not_differentiable};
constexpr OpDef kVarIsInitializedOp = {.name = "VarIsInitializedOp",
                                       .inputs = "resource: resource",
                                       .outputs = "is_initialized: bool",
                                       .attrs = "",
                                       .stateful = true,
                                       .access = Access::kQuery,
                                       .shape = scalar_shape,
                                       .prepare = is_initialized_prepare,
                                       .gradient = not_differentiable};

void variable_shape_shape(ShapeContext& c) {
  const int rank = resource_shape(c, 0).rank();
  c.set_output({rank < 0 ? kUnknownDim : rank});
}
Kernel variable_shape_prepare(const KernelSetup&) {
  return [](KernelContext& c) {
    const auto dims = c.variable(0).value.shape().dims();
    put_integers(c, c.allocate(0, {static_cast<int64_t>(dims.size())}), dims);
  };
}
constexpr OpDef kVariableShape = {.name = "VariableShape",
                                  .inputs = "input: resource",
                                  .outputs = "output: out_type",
                                  .attrs = "out_type: {int32, int64} = DT_INT32",
                                  .stateful = true,
                                  .shape = variable_shape_shape,
                                  .prepare = variable_shape_prepare,
                                  .gradient = not_differentiable};

// ---- Assign, AssignVariableOp -------------------------------------------------------------------

void assign_value(KernelContext& c, bool validate_shape) {
  VariableState& variable = c.variable(0);
  const Tensor& value = c.input(1);
  const Shape& expected = variable.initialized() ? variable.value.shape() : variable.shape;
  if (validate_shape && !expected.is_compatible_with(value.shape())) {
    c.fail(str_cat("variable '", variable.name, "' is of shape ", expected, ", the value of shape ",
                   value.shape()));
  }
  if (&value != &variable.value) variable.assign(value);
}

void assign_shape(ShapeContext& c) {
  c.set_output(c.flag("validate_shape") ? same_shape(c, c.input(0), c.input(1)) : c.input(1));
}
Kernel assign_prepare(const KernelSetup& s) {
  return [validate = s.flag("validate_shape")](KernelContext& c) { assign_value(c, validate); };
}
constexpr OpDef kAssign = {
    .name = "Assign",
    .inputs = "ref: Ref(T), value: T",
    .outputs = "output_ref: Ref(T)",
    .attrs = "T: type, validate_shape: bool = true, use_locking: bool = true",
    .allows_uninitialized_input = true,
    .access = Access::kAssign,
    .shape = assign_shape,
    .prepare = assign_prepare,
    .gradient = not_differentiable};

// Also for AssignAddVariableOp and AssignSubVariableOp. They have no outputs: the shapes are only
// checked.
void resource_assign_shape(ShapeContext& c) { same_shape(c, resource_shape(c, 0), c.input(1)); }
// A resource variable declared with unknown extents may change them.
Kernel resource_assign_prepare(const KernelSetup&) {
  return [](KernelContext& c) {
    const VariableState& variable = c.variable(0);
    assign_value(c, /*validate_shape=*/variable.shape.is_fully_defined());
  };
}
constexpr OpDef kAssignVariableOp = {.name = "AssignVariableOp",
                                     .inputs = "resource: resource, value: dtype",
                                     .outputs = "",
                                     .attrs = "dtype: type",
                                     .stateful = true,
                                     .access = Access::kAssign,
                                     .shape = resource_assign_shape,
                                     .prepare = resource_assign_prepare,
                                     .gradient = not_differentiable};

// ---- AssignAdd, AssignSub and their resource forms ----------------------------------------------

void update_shape(ShapeContext& c) { c.set_output(same_shape(c, c.input(0), c.input(1))); }

template <bool kAdd>
Kernel update_prepare(const KernelSetup& s) {
  const DType dtype = s.input_dtype(1);
  const Adder& adder = adder_of(s, dtype);
  return [dtype, update = kAdd ? adder.add : adder.subtract,
          &m = mover_of(s, dtype)](KernelContext& c) {
    const Tensor& value = of_dtype(c, c.input(1), dtype);
    Tensor& variable = writable_value(c, 0, dtype);
    if (variable.shape() != value.shape()) {
      c.fail(str_cat("variable '", c.variable(0).name, "' is of shape ", variable.shape(),
                     ", the value of shape ", value.shape()));
    }
    c.parallel_for(variable.num_elements(), 0.5, [&](int64_t begin, int64_t end) {
      void* const to = m.at(variable, begin);
      update(to, m.at(value, begin), true, to, end - begin);
    });
  };
}

constexpr OpDef ref_update_op(std::string_view name, Kernel (*prepare)(const KernelSetup&)) {
  return {.name = name,
          .inputs = "ref: Ref(T), value: T",
          .outputs = "output_ref: Ref(T)",
          .attrs = "T: numbertype, use_locking: bool = false",
          .access = Access::kUpdate,
          .shape = update_shape,
          .prepare = prepare,
          .gradient = not_differentiable};
}
constexpr OpDef resource_update_op(std::string_view name, Kernel (*prepare)(const KernelSetup&)) {
  return {.name = name,
          .inputs = "resource: resource, value: dtype",
          .outputs = "",
          .attrs = "dtype: type",
          .stateful = true,
          .access = Access::kUpdate,
          .shape = resource_assign_shape,
          .prepare = prepare,
          .gradient = not_differentiable};
}
constexpr OpDef kAssignAdd = ref_update_op("AssignAdd", update_prepare<true>);
constexpr OpDef kAssignSub = ref_update_op("AssignSub", update_prepare<false>);
constexpr OpDef kAssignAddVariableOp =
    resource_update_op("AssignAddVariableOp", update_prepare<true>);
constexpr OpDef kAssignSubVariableOp =
    resource_update_op("AssignSubVariableOp", update_prepare<false>);

// ---- ScatterUpdate, ScatterAdd, ScatterSub ------------------------------------------------------

enum class Scatter { kUpdate, kAdd, kSub };

// The shape that `updates` must have for a variable of shape `variable`, unless it is a scalar.
Shape updates_shape(const Shape& variable, const Shape& indices) {
  return concat(indices, variable.slice(1));
}

void scatter_shape(ShapeContext& c) {
  const Shape variable = c.with_rank_at_least(0, 1, "ref");
  const Shape wanted = updates_shape(variable, c.input(1));
  c.require(c.input(2).is_scalar() || c.input(2).is_compatible_with(wanted),
            str_cat("updates are of shape ", c.input(2), ", expected ", wanted));
  c.set_output(variable);
}

// Null for `combine`: rows are replaced.
void scatter(KernelContext& c, DType dtype, const Mover& m, decltype(Adder::add) combine) {
  // Copies of the handles: the variable may be one of them.
  const Tensor indices = c.input(1), updates = of_dtype(c, c.input(2), dtype);
  Tensor& variable = writable_value(c, 0, dtype);
  const Shape wanted = updates_shape(variable.shape(), indices.shape());
  const bool one_for_all = updates.rank() == 0;
  if (!one_for_all && updates.shape() != wanted)
    c.fail(str_cat("updates are of shape ", updates.shape(), ", expected ", wanted));
  const int64_t rows = variable.dim(0);
  const IntReader index(indices);
  for (int64_t i = 0; i < index.size(); ++i) {
    if (index[i] < 0 || index[i] >= rows)
      c.fail(str_cat("indices[", i, "] = ", index[i], " is not in [0, ", rows, ")"));
  }
  const int64_t width = rows == 0 ? 0 : variable.num_elements() / rows;
  for (int64_t i = 0; i < index.size(); ++i) {
    void* const row = m.at(variable, index[i] * width);
    const void* from = m.at(updates, one_for_all ? 0 : i * width);
    if (combine) {
      combine(row, from, !one_for_all, row, width);
    } else {
      (one_for_all ? m.fill : m.copy)(row, from, width);
    }
  }
}

template <Scatter kHow>
Kernel scatter_prepare(const KernelSetup& s) {
  const DType dtype = s.dtype("T");
  const auto combine = kHow == Scatter::kUpdate ? nullptr
                       : kHow == Scatter::kAdd  ? adder_of(s, dtype).add
                                                : adder_of(s, dtype).subtract;
  return [=, &m = mover_of(s, dtype)](KernelContext& c) { scatter(c, dtype, m, combine); };
}

constexpr OpDef scatter_op(std::string_view name, std::string_view attrs,
                           Kernel (*prepare)(const KernelSetup&)) {
  return {.name = name,
          .inputs = "ref: Ref(T), indices: Tindices, updates: T",
          .outputs = "output_ref: Ref(T)",
          .attrs = attrs,
          .access = Access::kUpdate,
          .shape = scatter_shape,
          .prepare = prepare,
          .gradient = not_differentiable};
}
constexpr OpDef kScatterUpdate =
    scatter_op("ScatterUpdate", "T: type, Tindices: {int32, int64}, use_locking: bool = true",
               scatter_prepare<Scatter::kUpdate>);
constexpr OpDef kScatterAdd =
    scatter_op("ScatterAdd", "T: numbertype, Tindices: {int32, int64}, use_locking: bool = false",
               scatter_prepare<Scatter::kAdd>);
constexpr OpDef kScatterSub =
    scatter_op("ScatterSub", "T: numbertype, Tindices: {int32, int64}, use_locking: bool = false",
               scatter_prepare<Scatter::kSub>);

// ---- builders -----------------------------------------------------------------------------------

// `op` on a reference or resource, with a value that may be a number: then it is the constant
// name/value.
Operation write(const OpDef& op, const Output& ref, const Operand& value, Attrs attrs,
                std::string_view name) {
  Graph& graph = ref.graph();
  const Graph::Transaction whole(graph);
  const std::string_view wish = name.empty() ? op.name : name;
  if (value.is_output())
    return add_operation({graph, value.at()}, op, {ref, value.output()}, std::move(attrs), wish);
  const Node* holder = ref.dtype() == DType::kResource ? holder_of(ref.endpoint()) : nullptr;
  const DType dtype = holder ? AttrReader(*holder).dtype("dtype") : ref.dtype();
  const Scope scope = graph.name_scope(wish);
  return add_operation({graph, value.at()}, op, {ref, value.in(graph, dtype, "value")},
                       std::move(attrs), scope.name());
}

// Writes a resource variable, and reads it after that.
Output write_and_read(const OpDef& op, const Variable& variable, const Operand& value,
                      std::string_view name) {
  const Graph::Transaction whole(variable.graph(), value.at());
  const Scope after =
      variable.graph().control_dependencies({write(op, variable.ref(), value, {}, name)});
  return read_variable(variable.ref());
}

Output scatter(const OpDef& op, const Variable& variable, const Operand& indices,
               const Operand& updates, const ScatterOptions& options) {
  Graph& graph = variable.graph();
  const Graph::Transaction whole(graph, indices.at());
  const bool plain = !indices.is_output() || !updates.is_output();
  const Scope scope =
      plain ? graph.name_scope(options.name.empty() ? op.name : options.name) : Scope();
  return add_node(op,
                  {variable.ref(), indices.in(graph, DType::kInt32, "indices"),
                   updates.in(graph, variable.dtype(), "updates")},
                  {{"use_locking", options.use_locking}}, plain ? scope.name() : options.name,
                  indices.at());
}

}  // namespace

Output assign(const Output& ref, const Operand& value, const AssignOptions& options) {
  return write(kAssign, ref, value,
               {{"validate_shape", options.validate_shape}, {"use_locking", options.use_locking}},
               options.name)
      .output();
}
Output assign_add(const Output& ref, const Operand& value, const UpdateOptions& options) {
  return write(kAssignAdd, ref, value, {{"use_locking", options.use_locking}}, options.name)
      .output();
}
Output assign_sub(const Output& ref, const Operand& value, const UpdateOptions& options) {
  return write(kAssignSub, ref, value, {{"use_locking", options.use_locking}}, options.name)
      .output();
}

Output assign(const Variable& variable, const Operand& value, const AssignOptions& options) {
  if (!variable.is_resource()) return assign(variable.ref(), value, options);
  return write_and_read(kAssignVariableOp, variable, value, options.name);
}
Output assign_add(const Variable& variable, const Operand& value, const UpdateOptions& options) {
  if (!variable.is_resource()) return assign_add(variable.ref(), value, options);
  return write_and_read(kAssignAddVariableOp, variable, value, options.name);
}
Operation assign_add_op(const Variable& variable, const Operand& value,
                        const UpdateOptions& options) {
  if (!variable.is_resource()) return assign_add(variable.ref(), value, options).op();
  return write(kAssignAddVariableOp, variable.ref(), value, {}, options.name);
}
Output assign_sub(const Variable& variable, const Operand& value, const UpdateOptions& options) {
  if (!variable.is_resource()) return assign_sub(variable.ref(), value, options);
  return write_and_read(kAssignSubVariableOp, variable, value, options.name);
}

Output Variable::as_tensor(SourceLocation at) const {
  const bool may_have_changed =
      is_resource() && (graph().has_control_dependencies() || graph().control_flow());
  return may_have_changed ? read_variable({ref(), at}) : value();
}
Output Variable::read_value(SourceLocation at) const {
  if (!is_resource()) return identity({ref(), at}, {.name = "read"});
  const Graph::Transaction whole(graph(), at);
  Output value;
  {
    const Scope inside = graph().name_scope("Read");
    value = read_variable(ref());
  }
  return identity(value);
}

Output scatter_update(const Variable& variable, const Operand& indices, const Operand& updates,
                      const ScatterOptions& options) {
  return scatter(kScatterUpdate, variable, indices, updates, options);
}
Output scatter_add(const Variable& variable, const Operand& indices, const Operand& updates,
                   const ScatterOptions& options) {
  return scatter(kScatterAdd, variable, indices, updates, options);
}
Output scatter_sub(const Variable& variable, const Operand& indices, const Operand& updates,
                   const ScatterOptions& options) {
  return scatter(kScatterSub, variable, indices, updates, options);
}

Output is_variable_initialized(const Variable& variable, const NameOptions& options,
                               SourceLocation at) {
  return add_node(variable.is_resource() ? kVarIsInitializedOp : kIsVariableInitialized,
                  {variable.ref()}, {}, options.name, at);
}
Output read_variable(const Operand& handle, const NameOptions& options) {
  const Node* holder = holder_of(handle.output().endpoint());
  if (!holder)
    fail(Code::kInvalidArgument, "'", handle.output().name(), "' is not a resource variable");
  return add_node(kReadVariableOp, {handle.output()},
                  {{"dtype", AttrReader(*holder).dtype("dtype")}}, options.name, handle.at());
}

Output variable_v2(GraphAt graph, const Shape& shape, DType dtype, std::string_view name) {
  return add_operation(graph, kVariableV2, {}, {{"shape", shape}, {"dtype", base_dtype(dtype)}},
                       name)
      .output();
}
Output var_handle(GraphAt graph, const Shape& shape, DType dtype, std::string_view name,
                  std::string_view shared_name) {
  return add_operation(
             graph, kVarHandleOp, {},
             {{"shape", shape}, {"dtype", base_dtype(dtype)}, {"shared_name", shared_name}}, name)
      .output();
}
Operation assign_initial(const Output& ref, const Output& value, bool validate_shape,
                         std::string_view name) {
  if (ref.dtype() == DType::kResource) return write(kAssignVariableOp, ref, value, {}, name);
  return assign(ref, value, {.validate_shape = validate_shape, .name = std::string(name)}).op();
}

std::span<const OpDef* const> state_ops() {
  static constexpr const OpDef* kOps[] = {&kVariableV2,
                                          &kVariable,
                                          &kVarHandleOp,
                                          &kReadVariableOp,
                                          &kIsVariableInitialized,
                                          &kVarIsInitializedOp,
                                          &kVariableShape,
                                          &kAssign,
                                          &kAssignVariableOp,
                                          &kAssignAdd,
                                          &kAssignSub,
                                          &kAssignAddVariableOp,
                                          &kAssignSubVariableOp,
                                          &kScatterUpdate,
                                          &kScatterAdd,
                                          &kScatterSub};
  return kOps;
}

}  // namespace cairn
