#include "ops/array/joining.h"

#include "ops/array/array.h"
#include "ops/array/slicing.h"
#include "ops/core/building.h"
#include "ops/core/move.h"
#include "ops/math/math.h"

namespace cairn {
namespace {

// ---- Concat, ConcatV2 ---------------------------------------------------------------------------

// The positions of the operands: Concat has its axis first, ConcatV2 last.
struct ConcatInputs {
  int axis, first, count;
  ConcatInputs(bool v2, int num_inputs)
      : axis(v2 ? num_inputs - 1 : 0), first(v2 ? 0 : 1), count(num_inputs - 1) {}
};

template <bool kV2>
void concat_shape(ShapeContext& c) {
  const ConcatInputs in(kV2, c.num_inputs());
  c.with_rank(in.axis, 0, "axis");
  int rank = -1;
  for (int i = 0; i < in.count; ++i) {
    const Shape& shape = c.input(in.first + i);
    if (shape.has_rank() && rank >= 0 && shape.rank() != rank) {
      c.fail(str_cat("values are of ranks ", rank, " and ", shape.rank()));
    }
    if (shape.has_rank()) rank = shape.rank();
  }
  if (rank < 0) return;
  c.require(rank > 0, "scalars cannot be concatenated; stack them");
  const Tensor value = c.constant(in.axis);
  if (!value.valid()) return c.set_output(Shape::unknown(rank));
  const int axis = axis_of(IntReader(value)[0], rank);
  Shape joined = Shape::unknown(rank);
  int64_t along = 0;
  for (int i = 0; i < in.count; ++i) {
    Shape part = c.with_rank(in.first + i, rank, "value");
    along = along < 0 || part[axis] < 0 ? kUnknownDim : plus_extent(along, part[axis]);
    part.set_dim(axis, kUnknownDim);
    c.require(part.is_compatible_with(joined), str_cat("values differ outside of axis ", axis, ": ",
                                                       joined, " and ", c.input(in.first + i)));
    joined = merge(joined, part);
  }
  joined.set_dim(axis, along);
  c.set_output(joined);
}

// The shape of the parts of `c` joined along `axis`.
Shape joined_shape(const KernelContext& c, const ConcatInputs& in, int axis) {
  Shape shape = c.input(in.first).shape();
  int64_t along = 0;
  for (int i = 0; i < in.count; ++i) {
    const Shape& part = c.input(in.first + i).shape();
    bool fits = part.rank() == shape.rank();
    for (int d = 0; fits && d < part.rank(); ++d) fits = d == axis || part[d] == shape[d];
    if (!fits)
      c.fail(str_cat("values 0 and ", i, " differ outside of axis ", axis, ": ", shape, " and ",
                     part));
    along = plus_extent(along, part[axis]);
  }
  shape.set_dim(axis, along);
  return shape;
}

template <bool kV2>
Kernel concat_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const ConcatInputs in(kV2, c.num_inputs());
    const int axis = axis_of(scalar_input(c, in.axis, "axis"), c.input(in.first).rank());
    Tensor& out = c.allocate(0, joined_shape(c, in, axis));
    const int64_t before = extents_before(out.shape(), axis),
                  after = extents_after(out.shape(), axis);
    const int64_t row = out.dim(axis) * after;
    int64_t at = 0;
    for (int i = 0; i < in.count; ++i) {
      const Tensor& part = c.input(in.first + i);
      const int64_t n = part.dim(axis) * after;
      copy_runs(c, m, before, n, m.at(out, at), row, part.raw_data(), n);
      at += n;
    }
  };
}

// The shapes of the parts: constants if all are known, else outputs of one ShapeN. (A part of
// unknown shape leaves an unused Shape node, as in TensorFlow.)
std::vector<Output> part_shapes(const std::vector<Output>& parts) {
  std::vector<Output> shapes;
  for (const Output& part : parts) {
    shapes.push_back(shape(part));
    if (shapes.back().op().type() != "Const") return shape_n(parts);
  }
  return shapes;
}

template <bool kV2>
Grads concat_gradient(const Operation& op, const Grads& dy) {
  const ConcatInputs in(kV2, op.num_inputs());
  const std::vector<Output> all = op.inputs();
  const std::vector<Output> parts(all.begin() + in.first, all.begin() + in.first + in.count);
  const Output axis = all[static_cast<size_t>(in.axis)] % rank(parts[0]);
  const std::vector<Output> sizes = part_shapes(parts);
  Grads grads(all.size());
  // For 17 and more parts TensorFlow splits instead of slicing.
  if (sizes.size() > 16) {
    const Output table = stack(std::vector<Operand>(sizes.begin(), sizes.end()), {.axis = 1});
    const Output along = squeeze(slice(table, stack({axis, 0}), {1, -1}));
    const std::vector<Output> pieces =
        split_v(dy[0], along, axis, static_cast<int64_t>(parts.size()));
    std::copy(pieces.begin(), pieces.end(), grads.begin() + in.first);
    return grads;
  }
  const std::vector<Output> begins = concat_offset(axis, sizes);
  for (size_t i = 0; i < parts.size(); ++i) {
    grads[static_cast<size_t>(in.first) + i] = slice(dy[0], begins[i], sizes[i]);
  }
  return grads;
}

constexpr OpDef kConcat = {.name = "Concat",
                           .inputs = "concat_dim: int32, values: N * T",
                           .outputs = "output: T",
                           .attrs = "N: int >= 2, T: type",
                           .shape = concat_shape<false>,
                           .prepare = concat_prepare<false>,
                           .gradient = concat_gradient<false>};
constexpr OpDef kConcatV2 = {.name = "ConcatV2",
                             .inputs = "values: N * T, axis: Tidx",
                             .outputs = "output: T",
                             .attrs = "N: int >= 2, T: type, Tidx: {int32, int64} = DT_INT32",
                             .shape = concat_shape<true>,
                             .prepare = concat_prepare<true>,
                             .gradient = concat_gradient<true>};

// ---- ConcatOffset -------------------------------------------------------------------------------

void concat_offset_shape(ShapeContext& c) {
  c.with_rank(0, 0, "concat_dim");
  for (int i = 1; i < c.num_inputs(); ++i) c.set_output(i - 1, c.with_rank(i, 1, "shape"));
}
Kernel concat_offset_prepare(const KernelSetup& s) {
  return [n = s.num_outputs()](KernelContext& c) {
    const int64_t rank = c.input(1).num_elements();
    const int axis = axis_of(c.input(0).scalar<int32_t>(), static_cast<int>(rank), "concat_dim");
    int64_t offset = 0;
    for (int i = 0; i < n; ++i) {
      const Tensor& shape = c.input(i + 1);
      if (shape.rank() != 1)
        c.fail(str_cat("shape ", i, " must be a vector, is of shape ", shape.shape()));
      if (shape.num_elements() != rank)
        c.fail(str_cat("shapes 0 and ", i, " are of different lengths"));
      Tensor& out = c.allocate(i, {rank});
      std::fill_n(elements<int32_t>(out), rank, 0);
      if (offset != static_cast<int32_t>(offset))
        c.fail(str_cat("the offset of part ", i, ", ", offset, ", is no int32"));
      elements<int32_t>(out)[axis] = static_cast<int32_t>(offset);
      offset += elements<int32_t>(shape)[axis];
    }
  };
}
constexpr OpDef kConcatOffset = {.name = "ConcatOffset",
                                 .inputs = "concat_dim: int32, shape: N * int32",
                                 .outputs = "offset: N * int32",
                                 .attrs = "N: int >= 2",
                                 .shape = concat_offset_shape,
                                 .prepare = concat_offset_prepare,
                                 .gradient = not_differentiable};

// ---- Pack, Unpack -------------------------------------------------------------------------------

Shape with_extent(const Shape& shape, int axis, int64_t extent) {
  Shape result = shape.slice(0, axis);
  result.append(extent);
  return concat(result, shape.slice(axis));
}
Shape without_extent(const Shape& shape, int axis) {
  return concat(shape.slice(0, axis), shape.slice(axis + 1));
}

void pack_shape(ShapeContext& c) {
  Shape shape = Shape::unknown();
  for (int i = 0; i < c.num_inputs(); ++i) {
    c.require(c.input(i).is_compatible_with(shape),
              str_cat("values must be of one shape, got ", shape, " and ", c.input(i)));
    shape = merge(shape, c.input(i));
  }
  if (shape.has_rank()) {
    c.set_output(with_extent(shape, axis_of(c.integer("axis"), shape.rank() + 1), c.num_inputs()));
  }
}

Kernel pack_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T")), asked = s.integer("axis")](KernelContext& c) {
    const Shape& shape = c.input(0).shape();
    const int axis = axis_of(asked, shape.rank() + 1);
    const int n = c.num_inputs();
    Tensor& out = c.allocate(0, with_extent(shape, axis, n));
    const int64_t before = extents_before(shape, axis), after = extents_after(out.shape(), axis);
    for (int i = 0; i < n; ++i) {
      const Tensor& part = c.input(i);
      if (!(part.shape() == shape))
        c.fail(str_cat("values must be of one shape, got ", shape, " and ", part.shape()));
      copy_runs(c, m, before, after, m.at(out, i * after), n * after, part.raw_data(), after);
    }
  };
}
Grads pack_gradient(const Operation& op, const Grads& dy) {
  return unstack(dy[0], op.num_inputs(), {.axis = op.integer("axis")});
}
constexpr OpDef kPack = {.name = "Pack",
                         .inputs = "values: N * T",
                         .outputs = "output: T",
                         .attrs = "N: int >= 1, T: type, axis: int = 0",
                         .shape = pack_shape,
                         .prepare = pack_prepare,
                         .gradient = pack_gradient};

void unpack_shape(ShapeContext& c) {
  const Shape shape = c.with_rank_at_least(0, 1, "value");
  if (!shape.has_rank()) return;
  const int axis = axis_of(c.integer("axis"), shape.rank());
  c.same(shape[axis], c.num_outputs(), "the extent and num");
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, without_extent(shape, axis));
}

Kernel unpack_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T")), asked = s.integer("axis")](KernelContext& c) {
    const Tensor& value = c.input(0);
    const int axis = axis_of(asked, value.rank());
    const int n = c.num_outputs();
    if (value.dim(axis) != n)
      c.fail(str_cat("extent ", axis, " of ", value.shape(), " is not num = ", n));
    const Shape shape = without_extent(value.shape(), axis);
    const int64_t before = extents_before(value.shape(), axis),
                  after = extents_after(value.shape(), axis);
    for (int i = 0; i < n; ++i) {
      Tensor& out = c.allocate(i, shape);
      copy_runs(c, m, before, after, out.raw_data(), after, m.at(value, i * after), n * after);
    }
  };
}

// The gradients of all outputs of an op, zeros for those without one.
std::vector<Output> all_of(const Operation& op, const Grads& dy) {
  std::vector<Output> grads = dy;
  for (int i = 0; i < op.num_outputs(); ++i) {
    Output& g = grads[static_cast<size_t>(i)];
    if (!g) g = zeros_like(op.output(i));
  }
  return grads;
}
std::vector<Operand> operands(const std::vector<Output>& outputs) {
  return {outputs.begin(), outputs.end()};
}

Grads unpack_gradient(const Operation& op, const Grads& dy) {
  return {stack(operands(all_of(op, dy)), {.axis = op.integer("axis")})};
}
constexpr OpDef kUnpack = {.name = "Unpack",
                           .inputs = "value: T",
                           .outputs = "output: num * T",
                           .attrs = "num: int >= 0, T: type, axis: int = 0",
                           .shape = unpack_shape,
                           .prepare = unpack_prepare,
                           .gradient = unpack_gradient};

// ---- Split, SplitV ------------------------------------------------------------------------------

void split_shape(ShapeContext& c) {
  c.with_rank(0, 0, "split_dim");
  const Shape shape = c.with_rank_at_least(1, 1, "value");
  if (!shape.has_rank()) return;
  const Tensor dim = c.constant(0);
  const int n = c.num_outputs();
  Shape piece = Shape::unknown(shape.rank());
  if (dim.valid()) {
    const int axis = axis_of(dim.scalar<int32_t>(), shape.rank(), "split_dim");
    piece = shape;
    c.require(shape[axis] < 0 || shape[axis] % n == 0,
              str_cat("extent ", axis, " of ", shape, " does not split into ", n, " equal pieces"));
    piece.set_dim(axis, shape[axis] < 0 ? kUnknownDim : shape[axis] / n);
  }
  for (int i = 0; i < n; ++i) c.set_output(i, piece);
}

// Copies the piece [begin, begin + size) along `axis` to output i.
void copy_piece(KernelContext& c, const Mover& m, const Tensor& value, int axis, int64_t begin,
                int64_t size, int i) {
  Shape shape = value.shape();
  shape.set_dim(axis, size);
  const int64_t before = extents_before(shape, axis), after = extents_after(shape, axis);
  Tensor& out = c.allocate(i, shape);
  copy_runs(c, m, before, size * after, out.raw_data(), size * after, m.at(value, begin * after),
            value.dim(axis) * after);
}

Kernel split_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const Tensor& value = c.input(1);
    const int axis = axis_of(c.input(0).scalar<int32_t>(), value.rank(), "split_dim");
    const int64_t n = c.num_outputs(), size = value.dim(axis) / n;
    if (size * n != value.dim(axis)) {
      c.fail(str_cat("extent ", axis, " of ", value.shape(), " does not split into ", n,
                     " equal pieces"));
    }
    for (int i = 0; i < n; ++i) copy_piece(c, m, value, axis, i * size, size, i);
  };
}
Grads split_gradient(const Operation& op, const Grads& dy) {
  return {Output(), concat(operands(all_of(op, dy)), op.input(0))};
}
constexpr OpDef kSplit = {.name = "Split",
                          .inputs = "split_dim: int32, value: T",
                          .outputs = "output: num_split * T",
                          .attrs = "num_split: int >= 1, T: type",
                          .shape = split_shape,
                          .prepare = split_prepare,
                          .gradient = split_gradient};

// The value of a size of -1: the rest of `extent`. Throws through c.fail unless the sizes add up to
// the extent.
int64_t size_left(const IntReader& sizes, int64_t extent) {
  int64_t sum = 0, open = 0;
  for (int64_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < -1) fail(Code::kInvalidArgument, "size_splits[", i, "] is ", sizes[i]);
    sizes[i] < 0 ? ++open : (sum = plus_extent(sum, sizes[i]));
  }
  if (open > 1) fail(Code::kInvalidArgument, "only one of size_splits may be -1");
  if (sum > extent || (open == 0 && sum != extent)) {
    fail(Code::kInvalidArgument, "size_splits add up to ", sum, ", but the extent is ", extent);
  }
  return extent - sum;
}

void split_v_shape(ShapeContext& c) {
  c.with_rank(2, 0, "split_dim");
  const Shape count = c.with_rank(1, 1, "size_splits"), shape = c.with_rank_at_least(0, 1, "value");
  c.same(count[0], c.num_outputs(), "the length of size_splits and num_split");
  if (!shape.has_rank()) return;
  const Tensor dim = c.constant(2), sizes = c.constant(1);
  if (!dim.valid()) {
    for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, Shape::unknown(shape.rank()));
    return;
  }
  const int axis = axis_of(dim.scalar<int32_t>(), shape.rank(), "split_dim");
  const int64_t left =
      sizes.valid() && shape[axis] >= 0 ? size_left(IntReader(sizes), shape[axis]) : kUnknownDim;
  for (int i = 0; i < c.num_outputs(); ++i) {
    Shape piece = shape;
    const int64_t size = sizes.valid() ? IntReader(sizes)[i] : kUnknownDim;
    piece.set_dim(axis, size < 0 && sizes.valid() ? left : size);
    c.set_output(i, piece);
  }
}

Kernel split_v_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const Tensor& value = c.input(0);
    const int axis = axis_of(c.input(2).scalar<int32_t>(), value.rank(), "split_dim");
    const IntReader sizes = vector_input(c, 1, "size_splits");
    if (sizes.size() != c.num_outputs())
      c.fail(str_cat("size_splits must be ", c.num_outputs(), " numbers"));
    const int64_t left = size_left(sizes, value.dim(axis));
    int64_t begin = 0;
    for (int i = 0; i < c.num_outputs(); ++i) {
      const int64_t size = sizes[i] < 0 ? left : sizes[i];
      copy_piece(c, m, value, axis, begin, size, i);
      begin += size;
    }
  };
}
Grads split_v_gradient(const Operation& op, const Grads& dy) {
  return {concat(operands(all_of(op, dy)), op.input(2)), Output(), Output()};
}
constexpr OpDef kSplitV = {.name = "SplitV",
                           .inputs = "value: T, size_splits: Tlen, split_dim: int32",
                           .outputs = "output: num_split * T",
                           .attrs = "num_split: int >= 1, T: type, Tlen: {int32, int64} = DT_INT64",
                           .shape = split_v_shape,
                           .prepare = split_v_prepare,
                           .gradient = split_v_gradient};

// The first of the values that is a tensor of the graph: it decides graph and dtype.
const Operand& known_of(const std::vector<Operand>& values, const char* what, SourceLocation at) {
  for (const Operand& value : values) value.require(what);
  for (const Operand& value : values) {
    if (value.is_output()) return value;
  }
  fail(Code::kInvalidArgument, what, " (", at.str(),
       "): expected at least one tensor of a graph among the values");
}

std::vector<Output> outputs_in(const BuilderScope& b, const std::vector<Operand>& values,
                               DType dtype, std::string_view prefix) {
  std::vector<Output> outputs;
  for (const Operand& value : values) {
    outputs.push_back(value.in(b.graph(), dtype, str_cat(prefix, outputs.size())));
  }
  return outputs;
}

}  // namespace

Output concat(const std::vector<Operand>& values, const Operand& axis, const NameOptions& options) {
  const Operand& known = known_of(values, "concat", axis.at());
  const BuilderScope b(known, "concat", options.name);
  if (values.size() == 1) {
    axis.in(b.graph(), DType::kInt32, "concat_dim");
    return identity(known, {.name = b.name()});
  }
  std::vector<Output> inputs = outputs_in(b, values, base_dtype(known.output().dtype()), "values_");
  inputs.push_back(axis.in(b.graph(), DType::kInt32, "axis"));
  return b.add(kConcatV2, std::move(inputs));
}

Output stack(const std::vector<Operand>& values, const AxisOptions& options, SourceLocation at) {
  const Operand& known = known_of(values, "stack", at);
  const BuilderScope b(known, "stack", options.name);
  const char* prefix = options.axis == 0 ? "" : "values_";
  return b.add(kPack, outputs_in(b, values, base_dtype(known.output().dtype()), prefix),
               {{"axis", options.axis}});
}

std::vector<Output> unstack(const Operand& x, const AxisOptions& options) {
  x.require("unstack");
  const Graph::Transaction whole(x.graph());
  const Shape& shape = x.output().shape();
  if (shape.has_rank() && (options.axis < -shape.rank() || options.axis >= shape.rank())) {
    fail(Code::kInvalidArgument, "unstack (", x.at().str(), "): there is no axis ", options.axis,
         " in shape ", shape, " of ", x.output().name());
  }
  const int64_t num = shape.has_rank() ? shape.dim(static_cast<int>(options.axis)) : kUnknownDim;
  if (num < 0) {
    fail(Code::kInvalidArgument, "unstack (", x.at().str(), "): extent ", options.axis, " of ",
         x.output().name(), " ", shape, " is not known; say how many");
  }
  return unstack(x, num, options);
}
std::vector<Output> unstack(const Operand& x, int64_t num, const AxisOptions& options) {
  const BuilderScope b(x, "unstack", options.name);
  return outputs_of(b.add_op(kUnpack, {x.output()}, {{"num", num}, {"axis", options.axis}}));
}

std::vector<Output> split(const Operand& x, int64_t num, const AxisOptions& options) {
  const BuilderScope b(x, "split", options.name);
  const Output dim = Operand(options.axis).in(b.graph(), DType::kInt32, "split_dim");
  return outputs_of(b.add_op(kSplit, {dim, x.output()}, {{"num_split", num}}));
}
std::vector<Output> split(const Operand& x, const std::vector<int64_t>& sizes,
                          const AxisOptions& options) {
  const Graph::Transaction whole(x.graph(), x.at());
  // Outside of the scope of the node, as in Python.
  const Output lengths = IntList(sizes).in({x.graph(), x.at()}, "Const");
  return split_v(x, lengths, options.axis, static_cast<int64_t>(sizes.size()),
                 {.name = options.name});
}
std::vector<Output> split_v(const Operand& x, const Output& sizes, const Operand& axis, int64_t num,
                            const NameOptions& options) {
  const BuilderScope b(x, "split", options.name);
  const Output dim = axis.in(b.graph(), DType::kInt32, "split_dim");
  return outputs_of(b.add_op(kSplitV, {x.output(), sizes, dim}, {{"num_split", num}}));
}

std::vector<Output> concat_offset(const Output& axis, const std::vector<Output>& shapes,
                                  const NameOptions& options, SourceLocation at) {
  std::vector<Output> inputs = {axis};
  inputs.insert(inputs.end(), shapes.begin(), shapes.end());
  return outputs_of(add_operation({axis.graph(), at}, kConcatOffset, inputs, {}, options.name));
}

std::span<const OpDef* const> joining_ops() {
  static constexpr const OpDef* kOps[] = {&kConcat, &kConcatOffset, &kConcatV2, &kPack,
                                          &kSplit,  &kSplitV,       &kUnpack};
  return kOps;
}

}  // namespace cairn
