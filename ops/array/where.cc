#include "ops/array/where.h"

#include "ops/array/array.h"
#include "ops/array/reshape.h"
#include "ops/core/building.h"
#include "ops/core/move.h"
#include "ops/math/reduce.h"
#include "runtime/exec/context.h"

namespace cairn {
namespace {

// The strides of a tensor of `shape` along each extent of `out`, to which it is broadcast: 0 where
// it is stretched.
std::array<int64_t, kMaxRank> steps_to(KernelContext& c, const Shape& shape, const Shape& out) {
  if (out.rank() > kMaxRank)
    c.fail("a tensor of such a rank cannot be stretched", Code::kUnimplemented);
  std::array<int64_t, kMaxRank> steps{};
  int64_t step = 1;
  for (int from = shape.rank() - 1, to = out.rank() - 1; from >= 0; --from, --to) {
    if (shape[from] != 1) steps[static_cast<size_t>(to)] = step;
    step *= shape[from];
  }
  return steps;
}

// The gradient of a tensor of `shape` that was broadcast: the sum over its copies.
Output sum_of_copies(const Output& dy, const Output& shape, const Output& stretched) {
  const Output axes = broadcast_gradient_args(shape, stretched).first;
  return reshape(reduce_sum(dy, axes, {.keep_dims = true}), shape);
}

// ---- BroadcastTo --------------------------------------------------------------------------------

void check_stretches(const Shape& from, const Shape& to) {
  bool fits = from.rank() <= to.rank();
  for (int i = 1; fits && i <= from.rank(); ++i) {
    const int64_t have = from[from.rank() - i], want = to[to.rank() - i];
    fits = have == want || have == 1 || have < 0 || want < 0;
  }
  if (!fits)
    fail(Code::kInvalidArgument, "a tensor of shape ", from, " cannot be stretched to ", to);
}

void broadcast_to_shape(ShapeContext& c) {
  const Shape to = c.shape_from(1);
  if (c.input(0).has_rank() && to.has_rank()) check_stretches(c.input(0), to);
  c.set_output(to);
}
Kernel broadcast_to_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const Shape from = c.input(0).shape(), to = shape_of_vector(c.input(1), "shape");
    check_stretches(from, to);
    const auto steps = steps_to(c, from, to);
    Tensor& out = c.allocate(0, to);
    StridedCopy copy(c, m);
    int64_t step = 1;
    for (int i = to.rank(); i-- > 0; step *= to[i])
      copy.add(to[i], step, steps[static_cast<size_t>(i)]);
    copy.run(out.raw_data(), c.input(0).raw_data());
  };
}
Grads broadcast_to_gradient(const Operation& op, const Grads& dy) {
  const Output from = shape(op.input(0), {.out_type = base_dtype(op.input(1).dtype())});
  return {sum_of_copies(dy[0], from, op.input(1)), Output()};
}
constexpr OpDef kBroadcastTo = {.name = "BroadcastTo",
                                .inputs = "input: T, shape: Tidx",
                                .outputs = "output: T",
                                .attrs = "T: type, Tidx: {int32, int64} = DT_INT32",
                                .shape = broadcast_to_shape,
                                .prepare = broadcast_to_prepare,
                                .gradient = broadcast_to_gradient};

// ---- SelectV2 -----------------------------------------------------------------------------------

void select_v2_shape(ShapeContext& c) {
  c.set_output(broadcast(c.input(0), broadcast(c.input(1), c.input(2))));
}

// Of an operand the strides along the extents of the result.
using Strides = std::array<int64_t, kMaxRank>;
struct Selection {
  const Shape& shape;
  const bool* condition;
  const void *x, *y;
  void* out;
  Strides of_condition, of_x, of_y;
  int64_t at(int64_t index, const Strides& steps) const {
    int64_t offset = 0;
    for (int i = shape.rank(); i-- > 0; index /= shape[i])
      offset += index % shape[i] * steps[static_cast<size_t>(i)];
    return offset;
  }
};
template <class T>
void select_run(const Selection& s, int64_t begin, int64_t end) {
  const T *x = static_cast<const T*>(s.x), *y = static_cast<const T*>(s.y);
  for (int64_t i = begin; i < end; ++i) {
    static_cast<T*>(s.out)[i] =
        s.condition[s.at(i, s.of_condition)] ? x[s.at(i, s.of_x)] : y[s.at(i, s.of_y)];
  }
}

void select_v2(KernelContext& c, void run(const Selection&, int64_t, int64_t)) {
  const Shape shape =
      broadcast(c.input(0).shape(), broadcast(c.input(1).shape(), c.input(2).shape()));
  const Selection all = {shape,
                         c.in<bool>(0),
                         c.input(1).raw_data(),
                         c.input(2).raw_data(),
                         c.allocate(0, shape).raw_data(),
                         steps_to(c, c.input(0).shape(), shape),
                         steps_to(c, c.input(1).shape(), shape),
                         steps_to(c, c.input(2).shape(), shape)};
  c.parallel_for(shape.num_elements(), 4.0 + 6.0 * shape.rank(),
                 [&](int64_t begin, int64_t end) { run(all, begin, end); });
}
Kernel select_v2_prepare(const KernelSetup& s) {
  const auto run = by_width(s, s.dtype("T"), []<class T>() { return select_run<T>; });
  return [run](KernelContext& c) { select_v2(c, run); };
}
Grads select_v2_gradient(const Operation& op, const Grads& dy) {
  const Output none = constant(dy[0].graph(), Tensor::zeros(base_dtype(dy[0].dtype()), {}));
  const ShapeOptions wide_enough = {.out_type = extents_dtype({op.output()})};
  const Output stretched = shape(op.output(), wide_enough);
  const Output to_x = where_v2(op.input(0), dy[0], none);
  const Output dx = sum_of_copies(to_x, shape(op.input(1), wide_enough), stretched);
  const Output to_y = where_v2(op.input(0), none, dy[0]);
  return {Output(), dx, sum_of_copies(to_y, shape(op.input(2), wide_enough), stretched)};
}
constexpr OpDef kSelectV2 = {.name = "SelectV2",
                             .inputs = "condition: bool, t: T, e: T",
                             .outputs = "output: T",
                             .attrs = "T: type",
                             .shape = select_v2_shape,
                             .prepare = select_v2_prepare,
                             .gradient = select_v2_gradient};

// ---- Where --------------------------------------------------------------------------------------

void where_shape(ShapeContext& c) {
  const Shape& condition = c.input(0);
  c.set_output(condition.has_rank() ? Shape{kUnknownDim, condition.rank()} : Shape::unknown(2));
}
// The number of elements that are not zero, and their places, `step` apart in `places`.
template <class T>
int64_t count_set(const void* from, int64_t n) {
  const T* x = static_cast<const T*>(from);
  return std::count_if(x, x + n, [](const T& v) { return v != T(); });
}
template <class T>
void list_set(const void* from, int64_t n, int64_t* places, int64_t step) {
  const T* x = static_cast<const T*>(from);
  for (int64_t i = 0; i < n; ++i) {
    if (x[i] == T()) continue;
    *places = i;
    places += step;
  }
}
struct Finder {
  int64_t (*count)(const void* x, int64_t n);
  void (*list)(const void* x, int64_t n, int64_t* places, int64_t step);
};

void where_kernel(KernelContext& c, const Finder& find) {
  const Shape shape = c.input(0).shape();
  const void* condition = c.input(0).raw_data();
  const int64_t n = shape.num_elements(), rank = shape.rank(), count = find.count(condition, n);
  int64_t* out = elements<int64_t>(c.allocate(0, {count, rank}));
  if (rank == 0) return;
  find.list(condition, n, out, rank);
  for (int64_t i = 0; rank > 1 && i < count; ++i, out += rank) {
    for (int64_t k = rank - 1, rest = *out; k > 0; --k) {
      out[k] = rest % shape[static_cast<int>(k)];
      out[0] = rest /= shape[static_cast<int>(k)];
    }
  }
}
using Conditions =
    TypeList<bool, float, double, int8_t, uint8_t, int16_t, uint16_t, int32_t, int64_t>;
Kernel where_prepare(const KernelSetup& s) {
  const Finder find = by_types(Conditions(), s, s.dtype("T"), []<class T>() {
    return Finder{count_set<T>, list_set<T>};
  });
  return [find](KernelContext& c) { where_kernel(c, find); };
}
constexpr OpDef kWhere = {.name = "Where",
                          .inputs = "input: T",
                          .outputs = "index: int64",
                          .attrs =
                              "T: {float, double, int32, uint8, int16, int8, complex64, int64, "
                              "qint8, quint8, qint32, bfloat16, uint16, "
                              "complex128, half, uint32, uint64, bool} = DT_BOOL",
                          .shape = where_shape,
                          .prepare = where_prepare,
                          .gradient = not_differentiable};

}  // namespace

Output broadcast_to(const Operand& x, const IntList& shape, const NameOptions& options) {
  const BuilderScope b(x, "BroadcastTo", options.name);
  return b.add(kBroadcastTo, {x.output(), shape.in(b, "shape")});
}

Output where_v2(const Operand& condition, const Operand& x, const Operand& y,
                const NameOptions& options) {
  const BuilderScope b(condition, "SelectV2", options.name);
  const DType dtype = base_dtype((x.is_output() ? x : y).natural_dtype());
  return b.add(kSelectV2,
               {condition.output(), x.in(b.graph(), dtype, "t"), y.in(b.graph(), dtype, "e")});
}

Output where_indices(const Operand& condition, const NameOptions& options) {
  return unary_op(kWhere, condition, options);
}

std::span<const OpDef* const> where_ops() {
  static constexpr const OpDef* kOps[] = {&kBroadcastTo, &kSelectV2, &kWhere};
  return kOps;
}

}  // namespace cairn
