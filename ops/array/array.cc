#include "ops/array/array.h"

#include <cmath>
#include <cstring>

#include "ops/array/gather.h"
#include "ops/array/joining.h"
#include "ops/array/reshape.h"
#include "ops/array/slicing.h"
#include "ops/core/building.h"
#include "ops/core/move.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"

namespace cairn {
namespace {

// ---- Const --------------------------------------------------------------------------------------

void const_shape(ShapeContext& c) {
  const Tensor& value = c.tensor("value");
  c.require(
      value.dtype() == c.dtype("dtype"),
      str_cat("value is of dtype ", value.dtype(), ", attribute dtype says ", c.dtype("dtype")));
  c.set_output(value.shape());
}
Kernel const_prepare(const KernelSetup& s) {
  return [value = s.tensor("value")](KernelContext& c) { c.set(0, value); };
}
Tensor const_value(const Operation& op) { return op.attrs().tensor("value"); }

constexpr OpDef kConst = {.name = "Const",
                          .inputs = "",
                          .outputs = "output: dtype",
                          .attrs = "value: tensor, dtype: type",
                          .shape = const_shape,
                          .prepare = const_prepare,
                          .gradient = not_differentiable,
                          .static_value = const_value};

// ---- Placeholder --------------------------------------------------------------------------------

void placeholder_shape(ShapeContext& c) {
  const Shape& shape = c.shape("shape");
  // Up to producer 21 a file could not express an unknown shape: it wrote that of a scalar.
  c.set_output(c.producer() <= 21 && shape.is_scalar() ? Shape::unknown() : shape);
}
Kernel placeholder_prepare(const KernelSetup& s) {
  return [shape = s.output_shape(0)](KernelContext& c) {
    c.fail(str_cat("no value was fed; feed a tensor of dtype ",
                   base_dtype(c.node().output_dtypes[0]), " and shape ", shape));
  };
}

constexpr OpDef kPlaceholder = {.name = "Placeholder",
                                .inputs = "",
                                .outputs = "output: dtype",
                                .attrs = "dtype: type, shape: shape = {unknown_rank: true}",
                                .must_be_fed = true,
                                .shape = placeholder_shape,
                                .prepare = placeholder_prepare,
                                .gradient = not_differentiable};

// ---- PlaceholderWithDefault ---------------------------------------------------------------------

void placeholder_with_default_shape(ShapeContext& c) {
  const Shape& shape = c.shape("shape");
  c.require(c.input(0).is_compatible_with(shape),
            str_cat("the default is of shape ", c.input(0), ", which is not of shape ", shape));
  c.set_output(shape);
}

Kernel forward_prepare(const KernelSetup&) {
  return [](KernelContext& c) { c.forward(0, 0); };
}
Grads pass_gradient(const Operation&, const Grads& dy) { return dy; }

constexpr OpDef kPlaceholderWithDefault = {.name = "PlaceholderWithDefault",
                                           .inputs = "input: dtype",
                                           .outputs = "output: dtype",
                                           .attrs = "dtype: type, shape: shape",
                                           .must_run = true,
                                           .shape = placeholder_with_default_shape,
                                           .prepare = forward_prepare,
                                           .gradient = pass_gradient};

// ---- Identity, IdentityN, StopGradient, PreventGradient -----------------------------------------

constexpr OpDef kIdentity = {.name = "Identity",
                             .inputs = "input: T",
                             .outputs = "output: T",
                             .attrs = "T: type",
                             .passes_on = true,
                             .shape = unchanged_shape,
                             .prepare = forward_prepare,
                             .gradient = pass_gradient};

constexpr OpDef kStopGradient = {.name = "StopGradient",
                                 .inputs = "input: T",
                                 .outputs = "output: T",
                                 .attrs = "T: type",
                                 .passes_on = true,
                                 .shape = unchanged_shape,
                                 .prepare = forward_prepare,
                                 .gradient = not_differentiable};

Grads prevent_gradient_gradient(const Operation& op, const Grads&) {
  fail_at(op.node(), Code::kInvalidArgument,
          "no gradient may be asked for through this node: " + op.attrs().str("message"));
}
constexpr OpDef kPreventGradient = {.name = "PreventGradient",
                                    .inputs = "input: T",
                                    .outputs = "output: T",
                                    .attrs = "T: type, message: string = ''",
                                    .passes_on = true,
                                    .shape = unchanged_shape,
                                    .prepare = forward_prepare,
                                    .gradient = prevent_gradient_gradient};

void identity_n_shape(ShapeContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) c.set_output(i, c.input(i));
}
Kernel identity_n_prepare(const KernelSetup& s) {
  return [n = s.num_inputs()](KernelContext& c) {
    for (int i = 0; i < n; ++i) c.forward(i, i);
  };
}
constexpr OpDef kIdentityN = {.name = "IdentityN",
                              .inputs = "input: T",
                              .outputs = "output: T",
                              .attrs = "T: list(type) >= 1",
                              .shape = identity_n_shape,
                              .prepare = identity_n_prepare,
                              .gradient = pass_gradient};

// ---- Fill, ZerosLike, OnesLike ------------------------------------------------------------------

void fill_shape(ShapeContext& c) {
  c.with_rank(1, 0, "value");
  c.set_output(c.shape_from(0));
}
Kernel fill_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    if (c.input(1).rank() != 0)
      c.fail(str_cat("value must be a scalar, got shape ", c.input(1).shape()));
    fill_all(c, m, c.allocate(0, shape_of_vector(c.input(0), "dims")), c.input(1).raw_data());
  };
}
Grads fill_gradient(const Operation&, const Grads& dy) { return {Output(), reduce_sum(dy[0])}; }

constexpr OpDef kFill = {.name = "Fill",
                         .inputs = "dims: index_type, value: T",
                         .outputs = "output: T",
                         .attrs = "T: type, index_type: {int32, int64} = DT_INT32",
                         .shape = fill_shape,
                         .prepare = fill_prepare,
                         .gradient = fill_gradient};

Kernel zeros_like_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    fill_all(c, m, c.allocate_or_reuse(0, 0, c.input(0).shape()), m.zero);
  };
}
constexpr OpDef kZerosLike = {.name = "ZerosLike",
                              .inputs = "x: T",
                              .outputs = "y: T",
                              .attrs = "T: type",
                              .shape = unchanged_shape,
                              .prepare = zeros_like_prepare,
                              .gradient = not_differentiable};

using WithOnes = TypeList<BFloat16, Half, float, double, int8_t, uint8_t, int16_t, uint16_t,
                          int32_t, int64_t, std::complex<float>, std::complex<double>, bool>;
Kernel ones_like_prepare(const KernelSetup& s) {
  const DType dtype = s.dtype("T");
  const Tensor one = by_types(WithOnes(), s, dtype, []<class T>() { return Tensor(T(1)); });
  return [one, &m = mover_of(s, dtype)](KernelContext& c) {
    fill_all(c, m, c.allocate_or_reuse(0, 0, c.input(0).shape()), one.raw_data());
  };
}
constexpr OpDef kOnesLike = {
    .name = "OnesLike",
    .inputs = "x: T",
    .outputs = "y: T",
    .attrs =
        "T: {bfloat16, half, float, double, int8, uint8, int16, uint16, int32, int64, "
        "complex64, complex128, bool}",
    .shape = unchanged_shape,
    .prepare = ones_like_prepare,
    .gradient = not_differentiable};

// ---- OneHot -------------------------------------------------------------------------------------

// The position of the new extent.
int one_hot_axis(int64_t axis, int rank) {
  if (axis < -1 || axis > rank)
    fail(Code::kInvalidArgument, "axis ", axis, " is outside [-1, ", rank, "]");
  return axis == -1 ? rank : static_cast<int>(axis);
}

void one_hot_shape(ShapeContext& c) {
  c.with_rank(1, 0, "depth");
  c.with_rank(2, 0, "on_value");
  c.with_rank(3, 0, "off_value");
  const Shape& indices = c.input(0);
  if (!indices.has_rank()) return;
  const int axis = one_hot_axis(c.integer("axis"), indices.rank());
  const Tensor depth = c.constant(1);
  if (depth.valid()) c.require(depth.scalar<int32_t>() >= 0, "depth must not be negative");
  Shape shape = indices.slice(0, axis);
  shape.append(depth.valid() ? depth.scalar<int32_t>() : kUnknownDim);
  c.set_output(concat(shape, indices.slice(axis)));
}

// Puts the value on_value at the places of a tensor [before, depth, after] that are told by
// indices [before, after].
template <class T>
void mark_places(IntReader index, int64_t depth, int64_t after, const void* on_value, void* out) {
  const T on = *static_cast<const T*>(on_value);
  T* to = static_cast<T*>(out);
  for (int64_t i = 0; i < index.size(); ++i) {
    const int64_t k = index[i];
    if (k >= 0 && k < depth) to[(i / after * depth + k) * after + i % after] = on;
  }
}

Kernel one_hot_prepare(const KernelSetup& s) {
  const auto mark = by_width(s, s.dtype("T"), []<class T>() { return mark_places<T>; });
  return [mark, &m = mover_of(s, s.dtype("T")), axis = s.integer("axis")](KernelContext& c) {
    const Tensor& indices = c.input(0);
    if (c.input(2).rank() != 0 || c.input(3).rank() != 0)
      c.fail(str_cat("on_value and off_value must be scalars, got shapes ", c.input(2).shape(),
                     " and ", c.input(3).shape()));
    const int at = one_hot_axis(axis, indices.rank());
    const int64_t depth = c.input(1).scalar<int32_t>();
    if (depth < 0) c.fail(str_cat("depth must not be negative, got ", depth));
    Shape shape = indices.shape().slice(0, at);
    shape.append(depth);
    shape = concat(shape, indices.shape().slice(at));
    Tensor& out = c.allocate(0, shape);
    fill_all(c, m, out, c.input(3).raw_data());
    mark(IntReader(indices), depth, extents_after(shape, at), c.input(2).raw_data(),
         out.raw_data());
  };
}

constexpr OpDef kOneHot = {.name = "OneHot",
                           .inputs = "indices: TI, depth: int32, on_value: T, off_value: T",
                           .outputs = "output: T",
                           .attrs = "axis: int = -1, T: type, TI: {uint8, int32, int64} = DT_INT64",
                           .shape = one_hot_shape,
                           .prepare = one_hot_prepare,
                           .gradient = not_differentiable};

// ---- Range, LinSpace ----------------------------------------------------------------------------

// The number of values from start towards limit. Throws through c.fail.
template <class T>
int64_t range_count(T start, T limit, T delta) {
  const auto told = [&] {
    return str_cat(" (start ", start, ", limit ", limit, ", delta ", delta, ")");
  };
  if (delta != delta) fail(Code::kInvalidArgument, "delta must be a number", told());
  if (delta == 0) fail(Code::kInvalidArgument, "delta must not be zero", told());
  if ((delta > 0 && start > limit) || (delta < 0 && start < limit))
    fail(Code::kInvalidArgument, "delta leads away from limit", told());
  if constexpr (std::is_integral_v<T>) {
    // Unsigned: the distance of two integers may not fit in their type.
    const auto distance = [](T a, T b) {
      return a < b ? static_cast<uint64_t>(b) - static_cast<uint64_t>(a)
                   : static_cast<uint64_t>(a) - static_cast<uint64_t>(b);
    };
    const uint64_t step = distance(0, delta), whole = distance(start, limit);
    const uint64_t count = whole / step + (whole % step != 0);
    if (count > static_cast<uint64_t>(INT64_MAX))
      fail(Code::kInvalidArgument, "these are more values than 63 bits count", told());
    return static_cast<int64_t>(count);
  } else {
    const double count = std::ceil(std::abs((limit - start) / delta));
    if (!(count < 9e18))
      fail(Code::kInvalidArgument, "this makes no finite number of values", told());
    return static_cast<int64_t>(count);
  }
}

void range_shape(ShapeContext& c) {
  for (int i = 0; i < 3; ++i) c.with_rank(i, 0, i == 0 ? "start" : i == 1 ? "limit" : "delta");
  const Tensor start = c.constant(0), limit = c.constant(1), delta = c.constant(2);
  int64_t count = kUnknownDim;
  if (start.valid() && limit.valid() && delta.valid()) {
    for_dtype<float, double, int32_t, int64_t>(start.dtype(), [&]<class T> {
      count = range_count(start.scalar<T>(), limit.scalar<T>(), delta.scalar<T>());
    });
  }
  c.set_output({count});
}

Kernel range_prepare(const KernelSetup& s) {
  return by_dtype<float, double, int32_t, int64_t>(s, s.dtype("Tidx"), []<class T>() -> Kernel {
    return [](KernelContext& c) {
      const T start = c.input(0).scalar<T>(), delta = c.input(2).scalar<T>();
      Tensor& out = c.allocate(0, {range_count(start, c.input(1).scalar<T>(), delta)});
      T value = start;
      // Added up as in TensorFlow, not multiplied: the last bits of fractions differ.
      for (T& element : out.span<T>()) {
        element = value;
        if constexpr (std::is_integral_v<T>) {
          value = static_cast<T>(static_cast<uint64_t>(value) + static_cast<uint64_t>(delta));
        } else {
          value += delta;
        }
      }
    };
  });
}

constexpr OpDef kRange = {.name = "Range",
                          .inputs = "start: Tidx, limit: Tidx, delta: Tidx",
                          .outputs = "output: Tidx",
                          .attrs = "Tidx: {bfloat16, float, double, int32, int64} = DT_INT32",
                          .shape = range_shape,
                          .prepare = range_prepare,
                          .gradient = not_differentiable};

void linspace_shape(ShapeContext& c) {
  for (int i = 0; i < 3; ++i) c.with_rank(i, 0, i == 0 ? "start" : i == 1 ? "stop" : "num");
  const Tensor num = c.constant(2);
  if (num.valid())
    c.require(num.to_int64s()[0] > 0, str_cat("num must be positive, got ", num.to_int64s()[0]));
  c.set_output({num.valid() ? num.to_int64s()[0] : kUnknownDim});
}

Kernel linspace_prepare(const KernelSetup& s) {
  return by_dtype<float, double>(s, s.dtype("T"), []<class T>() -> Kernel {
    return [](KernelContext& c) {
      const T start = c.input(0).scalar<T>(), stop = c.input(1).scalar<T>();
      const int64_t num = scalar_input(c, 2, "num");
      if (num <= 0) c.fail(str_cat("num must be positive, got ", num));
      T* out = c.allocate(0, {num}).data<T>();
      const T step = num > 1 ? (stop - start) / static_cast<T>(num - 1) : T(0);
      for (int64_t i = 0; i < num; ++i) out[i] = start + step * static_cast<T>(i);
      if (num > 1) out[num - 1] = stop;
    };
  });
}

constexpr OpDef kLinSpace = {
    .name = "LinSpace",
    .inputs = "start: T, stop: T, num: Tidx",
    .outputs = "output: T",
    .attrs = "T: {bfloat16, float, double}, Tidx: {int32, int64} = DT_INT32",
    .shape = linspace_shape,
    .prepare = linspace_prepare,
    .gradient = not_differentiable};

// ---- SparseToDense ------------------------------------------------------------------------------

void sparse_to_dense_shape(ShapeContext& c) {
  c.require(c.input(0).rank() <= 2,
            str_cat("sparse_indices must be of rank 0, 1 or 2, got shape ", c.input(0)));
  c.require(c.input(2).rank() <= 1,
            str_cat("sparse_values must be a scalar or vector, got shape ", c.input(2)));
  c.with_rank(3, 0, "default_value");
  c.set_output(c.shape_from(1));
}

// The offset, in elements, of the index tuple at `row`.
int64_t sparse_offset(const KernelContext& c, const IntReader& indices, int64_t row,
                      const Shape& shape) {
  int64_t offset = 0;
  for (int d = 0; d < shape.rank(); ++d) {
    const int64_t i = indices[row * shape.rank() + d];
    if (i < 0 || i >= shape[d]) {
      c.fail(str_cat("sparse_indices[", row, ",", d, "] is ", i, ", outside [0, ", shape[d], ")"));
    }
    offset = offset * shape[d] + i;
  }
  return offset;
}

Kernel sparse_to_dense_prepare(const KernelSetup& s) {
  const bool validate = s.flag("validate_indices");
  return [validate, &m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const Tensor &indices = c.input(0), &values = c.input(2);
    const Shape shape = shape_of_vector(c.input(1), "output_shape");
    const int64_t count = indices.rank() > 0 ? indices.dim(0) : 1;
    const int64_t width = indices.rank() > 1 ? indices.dim(1) : 1;
    if (indices.rank() > 2 || width != shape.rank()) {
      c.fail(str_cat("sparse_indices of shape ", indices.shape(),
                     " do not point into a tensor of shape ", shape));
    }
    if (values.rank() > 1 || (values.rank() == 1 && values.dim(0) != count)) {
      c.fail(str_cat("there are ", count, " sparse_indices, but sparse_values are of shape ",
                     values.shape()));
    }
    if (c.input(3).rank() != 0)
      c.fail(str_cat("default_value must be a scalar, got ", c.input(3).shape()));
    Tensor& out = c.allocate(0, shape);
    fill_all(c, m, out, c.input(3).raw_data());
    const IntReader reader(indices);
    int64_t last = -1;
    // Tuples without numbers all refer to the only element: two show a repetition as well as
    // many.
    for (int64_t i = width == 0 ? std::max<int64_t>(count - 2, 0) : 0; i < count; ++i) {
      const int64_t at = sparse_offset(c, reader, i, shape);
      if (validate && at <= last) {
        c.fail(str_cat("sparse_indices[", i, "] is ", at == last ? "repeated" : "out of order"));
      }
      m.copy(m.at(out, at), m.at(values, values.rank() == 1 ? i : 0), 1);
      last = at;
    }
  };
}

Grads sparse_to_dense_gradient(const Operation& op, const Grads& dy) {
  const Output dims = op.input(1), values = op.input(2);
  const Output places = reshape(op.input(0), stack({Operand(-1), cast(size(dims), DType::kInt32)}));
  // If an index is repeated, the later value is in the result, and gets the gradient.
  const Output numbers = range(0, element(shape(places), 0), 1),
               none = constant(dy[0].graph(), int32_t{-1});
  const Output left =
      sparse_to_dense(places, dims, numbers, {.default_value = none, .validate_indices = false});
  const Output at_places = gather_nd(dy[0], places);
  const Output stands = equal(gather_nd(left, places), numbers);
  const Output taken = where(stands, at_places, zeros_like(at_places));
  const Output value_shape = shape(values);  // may be a scalar, for all indices
  const Output axes = broadcast_gradient_args(value_shape, shape(taken)).first;
  return {Output(), Output(), reshape(reduce_sum(taken, axes), value_shape),
          reduce_sum(dy[0]) - reduce_sum(taken)};
}

constexpr OpDef kSparseToDense = {
    .name = "SparseToDense",
    .inputs =
        "sparse_indices: Tindices, output_shape: Tindices, sparse_values: T, default_value: T",
    .outputs = "dense: T",
    .attrs = "validate_indices: bool = true, T: type, Tindices: {int32, int64}",
    .shape = sparse_to_dense_shape,
    .prepare = sparse_to_dense_prepare,
    .gradient = sparse_to_dense_gradient};

// ---- zeros and ones -----------------------------------------------------------------------------

Tensor number_of(DType dtype, int number) {
  Tensor value = Tensor::zeros(dtype, {});
  if (number == 0) return value;
  const bool made =
      for_dtype<float, double, Half, BFloat16, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t,
                uint32_t, uint64_t, bool, std::complex<float>, std::complex<double>>(
          storage_dtype(dtype), [&]<class T> { *value.data<T>() = T(static_cast<float>(number)); });
  if (!made) fail(Code::kInvalidArgument, "there is no ", number, " of dtype ", dtype);
  return value;
}

// A tensor of one repeated value.
Tensor repeated(const Shape& shape, const Tensor& value) {
  Tensor all = Tensor::zeros(value.dtype(), shape);
  const size_t size = dtype_size(value.dtype());
  auto* to = static_cast<char*>(all.raw_data());
  for (int64_t i = 0; size > 0 && i < all.num_elements(); ++i)
    std::memcpy(to + static_cast<size_t>(i) * size, value.raw_data(), size);
  return all;
}

Output filled(const BuilderScope& b, const Output& dims, DType dtype, int number) {
  return b.add(kFill, {dims, constant(b, number_of(dtype, number), {.name = "Const"})});
}

Output filled(const BuilderScope& b, const Shape& shape, DType dtype, int number) {
  constexpr int64_t kSmall = 1000;
  if (!shape.is_fully_defined())
    fail(Code::kInvalidArgument, "expected a fully known shape, got ", shape);
  if (shape.num_elements() < kSmall) {
    const Tensor value = repeated(shape, number_of(dtype, number));
    return b.add_op(kConst, {}, {{"value", value}, {"dtype", dtype}}).output();
  }
  return filled(b, IntList(shape).in(b, "shape_as_tensor"), dtype, number);
}

}  // namespace

Output constant(GraphAt graph, const Tensor& value, const NameOptions& options) {
  return add_operation(graph, kConst, {}, {{"value", value}, {"dtype", value.dtype()}},
                       options.name)
      .output();
}

Output placeholder(GraphAt graph, DType dtype, const Shape& shape, const NameOptions& options) {
  return add_operation(graph, kPlaceholder, {}, {{"dtype", dtype}, {"shape", shape}}, options.name)
      .output();
}

Output placeholder_with_default(const Operand& input, const Shape& shape,
                                const NameOptions& options) {
  const Graph::Transaction whole(input.graph());
  return add_node(kPlaceholderWithDefault, {input.output()}, {{"shape", shape}}, options.name,
                  input.at());
}

Output identity(const Operand& x, const NameOptions& options) {
  return unary_op(kIdentity, x, options);
}
Output stop_gradient(const Operand& x, const NameOptions& options) {
  return unary_op(kStopGradient, x, options);
}
Output prevent_gradient(const Operand& x, const PreventGradientOptions& options) {
  const Graph::Transaction whole(x.graph());
  return add_node(kPreventGradient, {x.output()}, {{"message", options.message}}, options.name,
                  x.at());
}
std::vector<Output> identity_n(const std::vector<Output>& xs, const NameOptions& options,
                               SourceLocation at) {
  if (xs.empty()) fail(Code::kInvalidArgument, "identity_n (", at.str(), "): no tensors given");
  return outputs_of(
      add_operation({graph_of(xs, "IdentityN", at), at}, kIdentityN, xs, {}, options.name));
}

Output zeros(GraphAt graph, const Shape& shape, DType dtype, const NameOptions& options) {
  return filled(BuilderScope(graph, "zeros", options.name), shape, dtype, 0);
}
Output ones(GraphAt graph, const Shape& shape, DType dtype, const NameOptions& options) {
  return filled(BuilderScope(graph, "ones", options.name), shape, dtype, 1);
}
Output zeros(const Operand& shape, DType dtype, const NameOptions& options) {
  return filled(BuilderScope(shape, "zeros", options.name), shape.output(), dtype, 0);
}
Output ones(const Operand& shape, DType dtype, const NameOptions& options) {
  return filled(BuilderScope(shape, "ones", options.name), shape.output(), dtype, 1);
}

Output zeros_like(const Operand& x, const LikeOptions& options) {
  const BuilderScope b(x, "zeros_like", options.name);
  const DType own = base_dtype(x.output().dtype()), dtype = options.dtype.value_or(own);
  if (options.optimize && x.output().shape().is_fully_defined())
    return filled(b, x.output().shape(), dtype, 0);
  if (dtype == own) return b.add(kZerosLike, {x.output()});
  return filled(b,
                shape(x, {.out_type = extents_dtype({x.output()}), .optimize = options.optimize}),
                dtype, 0);
}

Output ones_like(const Operand& x, const LikeOptions& options) {
  const BuilderScope b(x, "ones_like", options.name);
  const Output dims =
      shape(x, {.out_type = extents_dtype({x.output()}), .optimize = options.optimize});
  return filled(b, dims, options.dtype.value_or(base_dtype(x.output().dtype())), 1);
}

Output fill(const Operand& dims, const Operand& value, const NameOptions& options) {
  const BuilderScope b(dims.is_output() ? dims : value, "Fill", options.name);
  return b.add(kFill, {dims.in(b.graph(), DType::kInt32, "dims"),
                       value.in(b.graph(), value.natural_dtype(), "value")});
}
Output fill(GraphAt graph, const Shape& dims, const Tensor& value, const NameOptions& options) {
  const BuilderScope b(graph, "Fill", options.name);
  const Output extents = IntList(dims).in(b, "dims");
  return b.add(kFill, {extents, constant(b, value, {.name = "value"})});
}

Output one_hot(const Operand& indices, const Operand& depth, const OneHotOptions& options) {
  const BuilderScope b(indices.is_output() ? indices : depth, "one_hot", options.name);
  const DType dtype = options.dtype       ? *options.dtype
                      : options.on_value  ? options.on_value->natural_dtype()
                      : options.off_value ? options.off_value->natural_dtype()
                                          : DType::kFloat;
  const auto value = [&](const std::optional<Operand>& given, int number, const char* name) {
    return given ? given->in(b.graph(), dtype, name)
                 : constant(b, number_of(dtype, number), {.name = name});
  };
  const Output on = value(options.on_value, 1, "on_value"),
               off = value(options.off_value, 0, "off_value");
  const Output index = indices.in(b.graph(), DType::kInt64, "indices");
  return b.add(kOneHot, {index, depth.in(b.graph(), DType::kInt32, "depth"), on, off},
               {{"axis", options.axis}});
}

Output range(const Operand& start, const Operand& limit, const Operand& delta,
             const NameOptions& options) {
  const Operand& known = start.is_output() ? start : limit.is_output() ? limit : delta;
  const BuilderScope b(known, "range", options.name);
  const DType dtype = known.output().dtype();
  const Output first = start.in(b.graph(), dtype, "start"),
               last = limit.in(b.graph(), dtype, "limit");
  return b.add(kRange, {first, last, delta.in(b.graph(), dtype, "delta")});
}

Output range(GraphAt graph, double start, double limit, double delta, const NameOptions& options) {
  const BuilderScope b(graph, "range", options.name);
  const auto whole = [](double v) { return v == std::trunc(v) && std::abs(v) < 2147483648.0; };
  const bool integers = whole(start) && whole(limit) && whole(delta);
  std::vector<Output> inputs;
  for (const auto& [value, name] :
       {std::pair{start, "start"}, {limit, "limit"}, {delta, "delta"}}) {
    const Tensor number =
        integers ? Tensor(static_cast<int32_t>(value)) : Tensor(static_cast<float>(value));
    inputs.push_back(constant(b, number, {.name = name}));
  }
  return b.add(kRange, inputs);
}

Output linspace(const Operand& start, const Operand& stop, const Operand& num,
                const NameOptions& options) {
  const Operand& known = start.is_output() ? start : stop.is_output() ? stop : num;
  const BuilderScope b(known, "LinSpace", options.name);
  const DType dtype =
      start.is_output() || stop.is_output() ? base_dtype(known.output().dtype()) : DType::kFloat;
  const Output first = start.in(b.graph(), dtype, "start"),
               last = stop.in(b.graph(), dtype, "stop");
  return b.add(kLinSpace, {first, last, num.in(b.graph(), DType::kInt32, "num")});
}

Output sparse_to_dense(const Operand& indices, const IntList& output_shape, const Operand& values,
                       const SparseToDenseOptions& options) {
  const BuilderScope b(indices.is_output() ? indices : values, "SparseToDense", options.name);
  const Output at = indices.in(b.graph(), DType::kInt32, "sparse_indices");
  const Output dims = output_shape.in(b, "output_shape", base_dtype(at.dtype()));
  const Output given = values.in(b.graph(), values.natural_dtype(), "sparse_values");
  return b.add(
      kSparseToDense,
      {at, dims, given, options.default_value.in(b.graph(), given.dtype(), "default_value")},
      {{"validate_indices", options.validate_indices}});
}

std::span<const OpDef* const> array_ops() {
  static constexpr const OpDef* kOps[] = {
      &kConst,           &kFill,        &kIdentity,
      &kIdentityN,       &kLinSpace,    &kOneHot,
      &kOnesLike,        &kPlaceholder, &kPlaceholderWithDefault,
      &kPreventGradient, &kRange,       &kSparseToDense,
      &kStopGradient,    &kZerosLike};
  return kOps;
}

}  // namespace cairn
