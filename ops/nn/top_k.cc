// InTopK, InTopKV2, TopKV2.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/array/array.h"
#include "ops/array/gather.h"
#include "ops/array/joining.h"
#include "ops/array/reshape.h"
#include "ops/array/slicing.h"
#include "ops/core/building.h"
#include "ops/core/elementwise.h"
#include "ops/core/move.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"
#include "ops/nn/nn.h"

namespace cairn {
namespace {

void in_top_k_shape(ShapeContext& c) {
  const Shape predictions = c.with_rank(0, 2, "predictions"),
              targets = c.with_rank(1, 1, "targets");
  if (c.num_inputs() > 2) c.with_rank(2, 0, "k");
  c.set_output({c.same(predictions[0], targets[0], "rows of predictions and targets")});
}

// True if `target` is among the k best of `row`.
bool is_in_top(const float* row, int64_t classes, int64_t target, int64_t k) {
  if (target < 0 || target >= classes || !std::isfinite(row[target])) return false;
  int64_t better = 0;
  for (int64_t i = 0; i < classes; ++i) {
    if (!std::isfinite(row[i])) return false;
    better += row[i] > row[target];
  }
  return better < k;
}

Kernel in_top_k_prepare(const KernelSetup& s) {
  const std::optional<int64_t> fixed_k =
      s.num_inputs() == 2 ? std::optional<int64_t>(s.integer("k")) : std::optional<int64_t>();
  return [=](KernelContext& c) {
    const Tensor &predictions = c.input(0), &targets = c.input(1);
    if (predictions.rank() != 2 || targets.rank() != 1 || predictions.dim(0) != targets.dim(0))
      c.fail(str_cat("expected predictions [batch, classes] and targets [batch], got ",
                     predictions.shape(), " and ", targets.shape()));
    const int64_t k = fixed_k ? *fixed_k : scalar_input(c, 2, "k");
    const int64_t rows = predictions.dim(0), classes = predictions.dim(1);
    const auto* p = c.in<float>(0);
    const IntReader target(targets);
    bool* out = c.allocate(0, {rows}).data<bool>();
    c.parallel_for(rows, static_cast<double>(classes), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        out[i] = is_in_top(p + i * classes, classes, target[i], k);
    });
  };
}

constexpr OpDef kInTopK = {.name = "InTopK",
                           .inputs = "predictions: float, targets: T",
                           .outputs = "precision: bool",
                           .attrs = "k: int, T: {int32, int64} = DT_INT32",
                           .shape = in_top_k_shape,
                           .prepare = in_top_k_prepare,
                           .gradient = not_differentiable};
constexpr OpDef kInTopKV2 = {.name = "InTopKV2",
                             .inputs = "predictions: float, targets: T, k: T",
                             .outputs = "precision: bool",
                             .attrs = "T: {int32, int64} = DT_INT32",
                             .shape = in_top_k_shape,
                             .prepare = in_top_k_prepare,
                             .gradient = not_differentiable};

void top_k_shape(ShapeContext& c) {
  Shape shape = c.with_rank_at_least(0, 1, "input");
  c.with_rank(1, 0, "k");
  if (shape.has_rank()) {
    const int64_t last = shape.dim(-1);
    const Tensor k = c.constant(1);
    const int64_t count = k.valid() ? k.to_int64s()[0] : kUnknownDim;
    c.require(!k.valid() || count >= 0, str_cat("k must not be negative, is ", count));
    c.require(last < 0 || count <= last,
              str_cat("k is ", count, ", but a row has ", last, " values"));
    shape.set_dim(shape.rank() - 1, count);
  }
  c.set_output(0, shape);
  c.set_output(1, shape);
}

// The type in which values of T are compared: few, as sorting is much code.
template <class T>
using Sorted = std::conditional_t<std::is_integral_v<T> && (sizeof(T) < 4), int32_t, Wide<T>>;

// The places of the k greatest of n values, in `order`, which has room for n.
template <class W>
void find_top(const W* x, int64_t n, int64_t k, int32_t* order) {
  std::iota(order, order + n, 0);
  std::partial_sort(order, order + k, order + n, [x](int32_t a, int32_t b) {
    return is_above(x[a], x[b]) || (!is_above(x[b], x[a]) && a < b);
  });
}
template <class T>
void top_of_row(const void* row, int64_t n, int64_t k, void* memory, int32_t* order) {
  using W = Sorted<T>;
  const T* x = static_cast<const T*>(row);
  if constexpr (std::is_same_v<T, W>) {
    find_top(x, n, k, order);
  } else {
    W* const wide = static_cast<W*>(memory);
    each(n, [=](int64_t i) { wide[i] = static_cast<W>(x[i]); });
    find_top(static_cast<const W*>(wide), n, k, order);
  }
}

Kernel top_k_prepare(const KernelSetup& s) {
  const DType dtype = s.dtype("T");
  const auto top = by_types(Reals(), s, dtype, []<class T>() { return top_of_row<T>; });
  return [top, &m = mover_of(s, dtype)](KernelContext& c) {
    Shape shape = c.input(0).shape();
    if (shape.rank() < 1) c.fail("expected at least a vector, got a scalar");
    const int64_t k = c.input(1).scalar<int32_t>(), row = shape.dim(-1);
    if (k < 0 || k > row) c.fail(str_cat("k is ", k, ", but a row has ", row, " values"));
    shape.set_dim(shape.rank() - 1, k);
    Tensor& values = c.allocate(0, shape);
    if (row - 1 > INT32_MAX)
      c.fail(str_cat("indices of rows of ", row, " values do not fit int32"));
    auto* indices = c.allocate(1, shape).data<int32_t>();
    const int64_t rows = k == 0 ? 0 : shape.num_elements() / k;
    if (rows == 0) return;
    Tensor memory = c.scratch(DType::kInt32, {2, row});
    auto *wide = memory.data<int32_t>(), *order = wide + row;
    for (int64_t r = 0; r < rows; ++r) {
      top(m.at(c.input(0), r * row), row, k, wide, order);
      for (int64_t i = 0; i < k; ++i) {
        indices[r * k + i] = order[i];
        m.copy(m.at(values, r * k + i), m.at(c.input(0), r * row + order[i]), 1);
      }
    }
  };
}

// The gradient of each value goes to its index in the flattened input.
Grads top_k_gradient(const Operation& op, const Grads& dy) {
  if (!dy[0]) return Grads(2);
  const Output x = op.input(0), extents = shape(x, {.out_type = DType::kInt64});
  const Output last = strided_slice(extents, {-1}, {0}, {1}, {.end_mask = 1});
  const Output outer = reduce_prod(strided_slice(extents, {0}, {-1}, {1}, {.begin_mask = 1}));
  const Output first = expand_dims(range(int64_t{0}, outer, int64_t{1}) * last, 1);  // of each row
  const Output k = cast(op.input(1), DType::kInt64);
  const Output in_row = reshape(cast(op.output(1), DType::kInt64), stack({outer, k}));
  const Output places = reshape(first + in_row, stack({outer * k, int64_t{1}}));
  const Output all = scatter_nd(places, reshape(dy[0], {-1}), reshape(reduce_prod(extents), {1}));
  return {reshape(all, extents), Output()};
}

constexpr OpDef kTopKV2 = {.name = "TopKV2",
                           .inputs = "input: T, k: int32",
                           .outputs = "values: T, indices: int32",
                           .attrs = "sorted: bool = true, T: realnumbertype",
                           .shape = top_k_shape,
                           .prepare = top_k_prepare,
                           .gradient = top_k_gradient};

}  // namespace

Output in_top_k(const Operand& predictions, const Operand& targets, const Operand& k,
                const NameOptions& options) {
  const BuilderScope scope(predictions, "in_top_k", options.name);
  const BuilderScope b(scope, "InTopKV2", "");
  const Output& of = targets.output();
  return b.add(kInTopKV2, {predictions.output(), of, k.in(b.graph(), of.dtype(), "k")});
}

std::pair<Output, Output> top_k(const Operand& input, const Operand& k,
                                const TopKOptions& options) {
  const BuilderScope b(input, "TopKV2", options.name);
  const Operation op = b.add_op(kTopKV2, {input.output(), k.in(b.graph(), DType::kInt32, "k")},
                                {{"sorted", options.sorted}});
  return {op.output(0), op.output(1)};
}

std::span<const OpDef* const> top_k_ops() {
  static constexpr const OpDef* kOps[] = {&kInTopK, &kInTopKV2, &kTopKV2};
  return kOps;
}

}  // namespace cairn
