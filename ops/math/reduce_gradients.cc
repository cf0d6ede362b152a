// Gradients of reductions. The gradient of a result goes to all elements that it was made of:
// reshaped to have the reduced axes with extent 1, then tiled.
#include "ops/math/reduce_gradients.h"

#include "ops/array/array.h"
#include "ops/array/gather.h"
#include "ops/array/joining.h"
#include "ops/array/rearranging.h"
#include "ops/array/reshape.h"
#include "ops/core/building.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"

namespace cairn {

namespace {

// reduced_shape() in the dtype of `extents`.
Output kept_shape(const Output& extents, const Operand& axes) {
  const Output named = cast(axes, DType::kInt32);
  const Output rank = size(extents);
  const Output shifted = named + rank, wrapped = shifted % rank;
  const Output count = shape(wrapped);
  const Output every = range(0, rank);
  const Output ones =
      fill(count, extents.dtype() == DType::kInt64 ? Tensor(int64_t{1}) : Tensor(int32_t{1}));
  return dynamic_stitch({every, wrapped}, {extents, ones});
}

}  // namespace

Output reduced_shape(const Operand& input_shape, const Operand& axes) {
  return kept_shape(cast(input_shape, DType::kInt32), axes);
}

namespace internal {
namespace {

// x / y for counts, with 0 / 0 = 0.
Output safe_quotient(const Output& x, const Output& y) {
  const Output at_least_one = maximum(y, 1);
  return floordiv(x, at_least_one);
}

// The dtype in which counts of elements are divided by: 16-bit floats end at 65504, or have eight
// bits only.
DType counting_dtype(DType dtype) {
  return dtype == DType::kHalf || dtype == DType::kBFloat16 ? DType::kFloat : dtype;
}

bool are_all_axes(const Tensor& axes, int rank) {
  if (!axes.valid() || axes.num_elements() != rank) return false;
  const std::vector<int64_t> values = axes.to_int64s();
  for (int i = 0; i < rank; ++i) {
    if (values[static_cast<size_t>(i)] != i) return false;
  }
  return axes.rank() == 1;
}

}  // namespace

Grads sum_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), axes = op.input(1);
  if (x.shape().has_rank() && are_all_axes(x.graph().static_value(axes), x.shape().rank())) {
    const Output spread =
        reshape(dy[0], std::vector<int64_t>(static_cast<size_t>(x.shape().rank()), 1));
    if (!x.shape().is_fully_defined()) return {tile(spread, extents_of(x)), {}};
    const Output multiples = constant(x.graph(), IntList(x.shape()).tensor());
    return {tile(spread, multiples), {}};
  }
  const Output extents = extents_of(x);
  Output kept, times;
  {
    Scope scope = x.graph().colocate_with(extents.op());
    kept = kept_shape(extents, axes);
    times = safe_quotient(extents, kept);
  }
  return {tile(reshape(dy[0], kept), times), {}};
}

Grads mean_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), y = op.output(), sum = sum_gradient(op, dy)[0];
  const DType dtype = counting_dtype(base_dtype(sum.dtype()));
  Output factor;
  if (x.shape().is_fully_defined() && y.shape().is_fully_defined()) {
    const int64_t count = x.shape().num_elements() / std::max<int64_t>(y.shape().num_elements(), 1);
    factor = Operand(count).in(x.graph(), dtype, "Const");
  } else {
    const Output in = extents_of(x), out = shape(y, {.out_type = in.dtype()});
    const Output in_count = reduce_prod(in), out_count = reduce_prod(out);
    factor = safe_quotient(in_count, out_count);
  }
  const Output divisor = cast(factor, dtype);
  return {cast(cast(sum, dtype) / divisor, base_dtype(sum.dtype())), {}};
}

// If several elements are the extreme, they share the gradient equally.
Grads extremum_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), axes = op.input(1);
  const Output kept = kept_shape(extents_of(x), axes);
  const Output y = reshape(op.output(), kept), g = reshape(dy[0], kept);
  const DType dtype = base_dtype(g.dtype()), counting = counting_dtype(dtype);
  const Output chosen = cast(equal(y, x), counting);
  const Output count = reshape(reduce_sum(chosen, axes), kept);
  return {cast(div(chosen, count), dtype) * g, {}};
}

// The product of all other elements, which is not y / x if x is 0: running products from both
// sides, with the reduced axes moved to the front and joined.
Grads prod_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), extents = shape(x);
  const Output flat_axes = reshape(op.input(1), {-1});
  const Output kept = reduced_shape(extents, op.input(1)), times = safe_quotient(extents, kept);
  const Output g = tile(reshape(dy[0], kept), times);
  Output perm, reduced_count, other_count;
  {
    Scope scope = x.graph().device("/device:CPU:0");
    const Output r = rank(x);
    const Output shifted = flat_axes + r, wrapped = shifted % r;
    const Output reduced = cast(wrapped, DType::kInt32), every = range(0, r);
    const Output other = list_diff(every, reduced).first;
    perm = concat({reduced, other}, 0);
    reduced_count = reduce_prod(gather(extents, reduced));
    other_count = reduce_prod(gather(extents, other));
  }
  const Output permuted = transpose(x, perm), permuted_shape = shape(permuted);
  Output flat;
  {
    Scope scope = x.graph().name_scope("Reshape");
    const Output two = stack({reduced_count, other_count}, {.name = "shape"});
    flat = reshape(permuted, two, {.name = scope.name()});
  }
  const Output left = cumprod(flat, 0, {.exclusive = true});
  const Output right = cumprod(flat, 0, {.exclusive = true, .reverse = true});
  const Output others = reshape(left * right, permuted_shape);
  const Output back = transpose(others, invert_permutation(perm));
  return {reshape(g * back, extents), {}};
}

Grads cumsum_gradient(const Operation& op, const Grads& dy) {
  return {cumsum(dy[0], op.input(1),
                 {.exclusive = op.flag("exclusive"), .reverse = !op.flag("reverse")}),
          {}};
}

Grads cumprod_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), axis = op.input(1);
  const bool exclusive = op.flag("exclusive"), reverse = op.flag("reverse");
  const auto sum_of = [&](const Output& of) {
    const Output products = cumprod(of, axis, {.exclusive = exclusive, .reverse = reverse});
    return cumsum(products * dy[0], axis, {.exclusive = exclusive, .reverse = !reverse});
  };
  // The gradients of all products that contain an element, summed and divided by the element. For a
  // zero the products are computed without it instead. Only the first two zeros along the axis need
  // this: products after the first zero are 0, so later elements get 0, but those of the second
  // zero are the first zero times something, which has a derivative.
  const Output is_zero = equal(x, 0), one = ones_like(x);
  const Output zeros_so_far = cumsum(cast(is_zero, DType::kInt32), axis, {.reverse = reverse});
  Output dx = sum_of(x) / where(is_zero, one, x);
  for (const int nth : {2, 1}) {
    const Output is_nth = logical_and(is_zero, equal(zeros_so_far, nth));
    dx = where(is_nth, sum_of(where(is_nth, one, x)), dx);
  }
  return {dx, {}};
}

}  // namespace internal
}  // namespace cairn
