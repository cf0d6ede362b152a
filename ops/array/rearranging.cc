#include "ops/array/rearranging.h"

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/array/slicing.h"
#include "ops/core/building.h"
#include "ops/core/move.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"

namespace cairn {
namespace {

void check_rank(const KernelContext& c, const Tensor& x) {
  if (x.rank() > kMaxRank)
    c.fail(str_cat("there is no kernel for rank ", x.rank()), Code::kUnimplemented);
}

// ---- Transpose ----------------------------------------------------------------------------------

// Throws through c.fail unless `perm` contains each of 0 … rank - 1 once.
void check_permutation(const IntReader& perm, int64_t rank) {
  if (perm.size() != rank)
    fail(Code::kInvalidArgument, "perm has ", perm.size(), " elements, but the rank is ", rank);
  uint64_t seen = 0;
  for (int64_t i = 0; i < rank; ++i) {
    const bool inside = perm[i] >= 0 && perm[i] < rank && rank <= 64;
    if (!inside)
      fail(Code::kInvalidArgument, "perm[", i, "] is ", perm[i], ", outside [0, ", rank, ")");
    if (seen >> perm[i] & 1) fail(Code::kInvalidArgument, "perm names ", perm[i], " twice");
    seen |= uint64_t{1} << perm[i];
  }
}

void transpose_shape(ShapeContext& c) {
  const int64_t length = c.with_rank(1, 1, "perm")[0];
  Shape x = c.input(0);
  if (!x.has_rank() && length >= 0) x = Shape::unknown(static_cast<int>(length));
  if (!x.has_rank()) return;
  c.same(x.rank(), length, "the rank and the length of perm");
  Shape result = Shape::unknown(x.rank());
  if (const Tensor perm = c.constant(1); perm.valid()) {
    check_permutation(IntReader(perm), x.rank());
    for (int i = 0; i < x.rank(); ++i) result.set_dim(i, x[static_cast<int>(IntReader(perm)[i])]);
  }
  c.set_output(result);
}

Kernel transpose_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const Tensor& x = c.input(0);
    const IntReader perm = vector_input(c, 1, "perm");
    check_rank(c, x);
    check_permutation(perm, x.rank());
    std::array<int64_t, kMaxRank> strides;
    int64_t stride = 1;
    for (int i = x.rank() - 1; i >= 0; --i) {
      strides[static_cast<size_t>(i)] = stride;
      stride *= x.dim(i);
    }
    StridedCopy copy(c, m);
    Shape shape = x.shape();
    int64_t to = 1;
    bool same = true;
    for (int i = x.rank() - 1; i >= 0; --i) {
      const int from = static_cast<int>(perm[i]);
      shape.set_dim(i, x.dim(from));
      copy.add(shape[i], to, strides[static_cast<size_t>(from)]);
      to *= shape[i];
      same &= from == i;
    }
    if (same) return c.forward(0, 0);
    copy.run(c.allocate(0, shape).raw_data(), x.raw_data());
  };
}
Grads transpose_gradient(const Operation& op, const Grads& dy) {
  return {transpose(dy[0], invert_permutation(op.input(1))), Output()};
}
constexpr OpDef kTranspose = {.name = "Transpose",
                              .inputs = "x: T, perm: Tperm",
                              .outputs = "y: T",
                              .attrs = "T: type, Tperm: {int32, int64} = DT_INT32",
                              .shape = transpose_shape,
                              .prepare = transpose_prepare,
                              .gradient = transpose_gradient};

// ---- InvertPermutation --------------------------------------------------------------------------

void invert_permutation_shape(ShapeContext& c) { c.set_output(c.with_rank(0, 1, "x")); }
Kernel invert_permutation_prepare(const KernelSetup& s) {
  return by_dtype<int32_t, int64_t>(s, s.dtype("T"), []<class T>() -> Kernel {
    return [](KernelContext& c) {
      const Tensor& x = c.input(0);
      if (x.rank() != 1) c.fail(str_cat("x must be a vector, got shape ", x.shape()));
      const int64_t n = x.dim(0);
      Tensor& out = c.allocate(0, {n});
      std::fill_n(elements<T>(out), n, T(-1));
      for (int64_t i = 0; i < n; ++i) {
        const T at = elements<T>(x)[i];
        if (at < 0 || at >= n) c.fail(str_cat("x[", i, "] is ", at, ", outside [0, ", n, ")"));
        if (elements<T>(out)[at] >= 0) c.fail(str_cat("x names ", at, " twice"));
        elements<T>(out)[at] = static_cast<T>(i);
      }
    };
  });
}
constexpr OpDef kInvertPermutation = {.name = "InvertPermutation",
                                      .inputs = "x: T",
                                      .outputs = "y: T",
                                      .attrs = "T: {int32, int64} = DT_INT32",
                                      .shape = invert_permutation_shape,
                                      .prepare = invert_permutation_prepare,
                                      .gradient = not_differentiable};

// ---- ReverseV2, Reverse -------------------------------------------------------------------------

// The extents to reverse, as bits: from the axes of ReverseV2, or the flags of the older Reverse.
// Throws through c.fail.
uint64_t reversed_extents(const Tensor& told, int rank) {
  uint64_t named = 0;
  if (told.dtype() == DType::kBool) {
    if (told.num_elements() != rank)
      fail(Code::kInvalidArgument, "dims must have ", rank, " elements, got shape ", told.shape());
    for (int i = 0; i < rank; ++i) named |= uint64_t{elements<bool>(told)[i]} << i;
    return named;
  }
  const IntReader axes(told);
  for (int64_t i = 0; i < axes.size(); ++i) {
    const int axis = axis_of(axes[i], rank);
    if (named >> axis & 1) fail(Code::kInvalidArgument, "axis ", axis, " is named twice");
    named |= uint64_t{1} << axis;
  }
  return named;
}

void reverse_shape(ShapeContext& c) {
  c.with_rank(1, 1, "axis");
  if (c.input(0).has_rank() && c.input(0).rank() <= kMaxRank && c.constant(1).valid()) {
    reversed_extents(c.constant(1), c.input(0).rank());
  }
  c.set_output(c.input(0));
}

Kernel reverse_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const Tensor& x = c.input(0);
    check_rank(c, x);
    if (c.input(1).rank() != 1)
      c.fail(str_cat("axis must be a vector, got shape ", c.input(1).shape()));
    const uint64_t named = reversed_extents(c.input(1), x.rank());
    StridedCopy copy(c, m);
    int64_t offset = 0, stride = 1;
    for (int i = x.rank() - 1; i >= 0; --i) {
      const bool reversed = named >> i & 1;
      copy.add(x.dim(i), stride, reversed ? -stride : stride);
      if (reversed && x.dim(i) > 0) offset += (x.dim(i) - 1) * stride;
      stride *= x.dim(i);
    }
    copy.run(c.allocate(0, x.shape()).raw_data(), m.at(x, offset));
  };
}
Grads reverse_v2_gradient(const Operation& op, const Grads& dy) {
  return {reverse(dy[0], op.input(1)), Output()};
}

constexpr OpDef kReverseV2 = {
    .name = "ReverseV2",
    .inputs = "tensor: T, axis: Tidx",
    .outputs = "output: T",
    .attrs =
        "Tidx: {int32, int64} = DT_INT32, T: {uint8, int8, uint16, int16, int32, int64, "
        "bool, bfloat16, half, float, double, complex64, complex128, string}",
    .shape = reverse_shape,
    .prepare = reverse_prepare,
    .gradient = reverse_v2_gradient};

Grads reverse_gradient(const Operation& op, const Grads& dy);
constexpr OpDef kReverse = {
    .name = "Reverse",
    .inputs = "tensor: T, dims: bool",
    .outputs = "output: T",
    .attrs =
        "T: {uint8, int8, uint16, int16, int32, int64, bool, half, float, double, complex64, "
        "complex128, string}",
    .shape = reverse_shape,
    .prepare = reverse_prepare,
    .gradient = reverse_gradient};
Grads reverse_gradient(const Operation& op, const Grads& dy) {
  return {add_node(kReverse, {dy[0], op.input(1)}), Output()};
}

// ---- Tile ---------------------------------------------------------------------------------------

void tile_shape(ShapeContext& c) {
  const int64_t length = c.with_rank(1, 1, "multiples")[0];
  Shape x = c.input(0);
  if (!x.has_rank() && length >= 0) x = Shape::unknown(static_cast<int>(length));
  if (!x.has_rank()) return;
  c.same(x.rank(), length, "the rank and the length of multiples");
  const Tensor multiples = c.constant(1);
  Shape result = Shape::unknown(x.rank());
  for (int i = 0; multiples.valid() && i < x.rank(); ++i) {
    const int64_t n = IntReader(multiples)[i];
    c.require(n >= 0, str_cat("multiples[", i, "] is ", n));
    if (x[i] >= 0) result.set_dim(i, times_extent(x[i], n));
  }
  c.set_output(result);
}

Kernel tile_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const Tensor& x = c.input(0);
    const IntReader multiples = vector_input(c, 1, "multiples");
    if (multiples.size() != x.rank())
      c.fail(str_cat("multiples must have ", x.rank(), " elements"));
    Shape shape = x.shape();
    StridedCopy copy(c, m);
    int64_t to = 1, from = 1;
    for (int i = x.rank() - 1; i >= 0; --i) {
      if (multiples[i] < 0) c.fail(str_cat("multiples[", i, "] is ", multiples[i]));
      shape.set_dim(i, times_extent(x.dim(i), multiples[i]));
      copy.add(x.dim(i), to, from);
      copy.add(multiples[i], to * x.dim(i), 0);
      to *= shape[i];
      from *= x.dim(i);
    }
    if (shape == x.shape()) return c.forward(0, 0);
    copy.run(c.allocate(0, shape).raw_data(), x.raw_data());
  };
}

// dy, seen as [multiples[0], extent 0, multiples[1], extent 1, …], summed over the multiples.
Grads tile_gradient(const Operation& op, const Grads& dy) {
  const bool wide = base_dtype(op.input(1).dtype()) == DType::kInt64;
  const Output x_shape =
      shape(op.input(0), {.out_type = wide ? DType::kInt64 : extents_dtype({op.input(0)})});
  const Output multiples = cast(op.input(1), x_shape.dtype());
  const Output both = reshape(transpose(stack({multiples, x_shape})), {-1});
  const Output axes = range(0, size(both), 2);
  return {reduce_sum(reshape(dy[0], both), axes), Output()};
}

constexpr OpDef kTile = {.name = "Tile",
                         .inputs = "input: T, multiples: Tmultiples",
                         .outputs = "output: T",
                         .attrs = "T: type, Tmultiples: {int32, int64} = DT_INT32",
                         .shape = tile_shape,
                         .prepare = tile_prepare,
                         .gradient = tile_gradient};

// ---- Pad, PadV2 ---------------------------------------------------------------------------------

void pad_shape(ShapeContext& c) {
  const Shape table = merge(c.with_rank(1, 2, "paddings"), {kUnknownDim, 2});
  if (c.num_inputs() > 2) c.with_rank(2, 0, "constant_values");
  Shape x = c.input(0);
  if (!x.has_rank() && table[0] >= 0) x = Shape::unknown(static_cast<int>(table[0]));
  if (!x.has_rank()) return;
  c.same(x.rank(), table[0], "the rank and the rows of paddings");
  const Tensor paddings = c.constant(1);
  Shape result = Shape::unknown(x.rank());
  for (int i = 0; paddings.valid() && i < x.rank(); ++i) {
    const int64_t before = IntReader(paddings)[2 * i], after = IntReader(paddings)[2 * i + 1];
    c.require(before >= 0 && after >= 0,
              str_cat("paddings[", i, "] is [", before, ",", after, "]"));
    if (x[i] >= 0) result.set_dim(i, plus_extent(plus_extent(before, x[i]), after));
  }
  c.set_output(result);
}

Kernel pad_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const Tensor& x = c.input(0);
    const IntReader paddings(c.input(1));
    if (c.input(1).shape() != Shape{x.rank(), 2}) {
      c.fail(str_cat("paddings must be of shape [", x.rank(), ",2], got ", c.input(1).shape()));
    }
    if (c.num_inputs() > 2 && c.input(2).rank() != 0)
      c.fail(str_cat("constant_values must be a scalar, got shape ", c.input(2).shape()));
    Shape shape = x.shape();
    StridedCopy copy(c, m);
    int64_t offset = 0, to = 1, from = 1;
    for (int i = x.rank() - 1; i >= 0; --i) {
      const int64_t before = paddings[2 * i], after = paddings[2 * i + 1];
      if (before < 0 || after < 0)
        c.fail(str_cat("paddings[", i, "] is [", before, ",", after, "]"));
      shape.set_dim(i, plus_extent(plus_extent(before, x.dim(i)), after));
      copy.add(x.dim(i), to, from);
      offset += before * to;
      to *= shape[i];
      from *= x.dim(i);
    }
    if (shape == x.shape()) return c.forward(0, 0);
    Tensor& out = c.allocate(0, shape);
    fill_all(c, m, out, c.num_inputs() > 2 ? c.input(2).raw_data() : m.zero);
    if (x.num_elements() > 0) copy.run(m.at(out, offset), x.raw_data());
  };
}

// The part of dy inside the border.
Grads pad_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0);
  const bool wide = base_dtype(op.input(1).dtype()) == DType::kInt64;
  const DType index = wide ? DType::kInt64 : extents_dtype({x});
  const Output paddings = cast(op.input(1), index);
  const Output column = stack({rank(x), 1});
  const Output begin = reshape(slice(paddings, {0, 0}, column), {-1});
  Grads grads(static_cast<size_t>(op.num_inputs()));
  grads[0] = slice(dy[0], begin, shape(x, {.out_type = index}));
  return grads;
}

constexpr OpDef kPad = {.name = "Pad",
                        .inputs = "input: T, paddings: Tpaddings",
                        .outputs = "output: T",
                        .attrs = "T: type, Tpaddings: {int32, int64} = DT_INT32",
                        .shape = pad_shape,
                        .prepare = pad_prepare,
                        .gradient = pad_gradient};
constexpr OpDef kPadV2 = {.name = "PadV2",
                          .inputs = "input: T, paddings: Tpaddings, constant_values: T",
                          .outputs = "output: T",
                          .attrs = "T: type, Tpaddings: {int32, int64} = DT_INT32",
                          .shape = pad_shape,
                          .prepare = pad_prepare,
                          .gradient = pad_gradient};

}  // namespace

Output transpose(const Operand& x, const IntList& perm, const NameOptions& options) {
  const BuilderScope b(x, "transpose", options.name);
  return b.add(kTranspose, {x.output(), perm.in(b, "perm")});
}
Output transpose(const Operand& x, const NameOptions& options) {
  const int known = x.output().shape().rank();
  if (known >= 0) {
    std::vector<int64_t> perm;
    for (int i = known - 1; i >= 0; --i) perm.push_back(i);
    return transpose(x, perm, options);
  }
  const BuilderScope b(x, "transpose", options.name);
  const Output ranks = rank(x);
  const Output perm = (ranks - 1) - range(0, ranks, 1, {.name = "Range"});
  return b.add(kTranspose, {x.output(), perm});
}

Output invert_permutation(const Operand& perm, const NameOptions& options) {
  return unary_op(kInvertPermutation, perm, options);
}

Output reverse(const Operand& x, const IntList& axis, const NameOptions& options) {
  const BuilderScope b(x, "ReverseV2", options.name);
  return b.add(kReverseV2, {x.output(), axis.in(b, "axis")});
}

Output tile(const Operand& x, const IntList& multiples, const NameOptions& options) {
  const BuilderScope b(x, "Tile", options.name);
  return b.add(kTile, {x.output(), multiples.in(b, "multiples")});
}

Output pad(const Operand& x, const Output& paddings, const NameOptions& options) {
  return add_node(kPad, {x.output(), paddings}, {}, options.name, x.at());
}
Output pad(const Operand& x, const Output& paddings, const Operand& value,
           const NameOptions& options) {
  const BuilderScope b(x, "PadV2", options.name);
  return b.add(kPadV2,
               {x.output(), paddings, value.in(b.graph(), x.output().dtype(), "constant_values")});
}
Output pad(const Operand& x, std::initializer_list<std::initializer_list<int64_t>> paddings,
           const NameOptions& options) {
  for (const auto& row : paddings) {
    if (row.size() != 2)
      fail(Code::kInvalidArgument, "Pad (", x.at().str(), "): paddings[", &row - paddings.begin(),
           "] is of ", row.size(), " numbers, expected {before, after}");
  }
  const BuilderScope b(x, "Pad", options.name);
  const Tensor wide = Tensor::matrix<int64_t>(paddings);
  const Tensor table = IntList(wide.to_int64s()).tensor().reshaped(wide.shape());
  return b.add(kPad, {x.output(), constant(b, table, {.name = "paddings"})});
}

std::span<const OpDef* const> rearranging_ops() {
  static constexpr const OpDef* kOps[] = {&kInvertPermutation, &kPad,  &kPadV2,    &kReverse,
                                          &kReverseV2,         &kTile, &kTranspose};
  return kOps;
}

}  // namespace cairn
