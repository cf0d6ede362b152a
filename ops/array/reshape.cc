#include "ops/array/reshape.h"

#include "ops/array/array.h"
#include "ops/core/building.h"
#include "ops/core/move.h"

namespace cairn {
namespace {

// ---- Shape, ShapeN, Size, Rank ------------------------------------------------------------------

void shape_n_shape(ShapeContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) {
    c.set_output(i, {c.input(i).has_rank() ? c.input(i).rank() : kUnknownDim});
  }
}
Kernel shape_n_prepare(const KernelSetup& s) {
  return [n = s.num_inputs()](KernelContext& c) {
    for (int i = 0; i < n; ++i) {
      const auto dims = c.input(i).shape().dims();
      put_integers(c, c.allocate(i, {static_cast<int64_t>(dims.size())}), dims);
    }
  };
}
bool fits(int64_t value, DType dtype) { return dtype == DType::kInt64 || value <= INT32_MAX; }
bool fit(const Shape& extents, DType dtype) {
  return std::all_of(extents.begin(), extents.end(),
                     [&](int64_t extent) { return fits(extent, dtype); });
}
// A value that does not fit is left to the run, which reports it.
Tensor shape_value(const Operation& op) {
  const Shape& shape = op.input(0).shape();
  const DType dtype = op.dtype("out_type");
  return shape.is_fully_defined() && fit(shape, dtype) ? IntList(shape).tensor(dtype) : Tensor();
}

constexpr OpDef kShape = {.name = "Shape",
                          .inputs = "input: T",
                          .outputs = "output: out_type",
                          .attrs = "T: type, out_type: {int32, int64} = DT_INT32",
                          .reads_shapes = true,
                          .shape = shape_n_shape,
                          .prepare = shape_n_prepare,
                          .gradient = not_differentiable,
                          .static_value = shape_value};
constexpr OpDef kShapeN = {.name = "ShapeN",
                           .inputs = "input: N * T",
                           .outputs = "output: N * out_type",
                           .attrs = "N: int >= 1, T: type, out_type: {int32, int64} = DT_INT32",
                           .reads_shapes = true,
                           .shape = shape_n_shape,
                           .prepare = shape_n_prepare,
                           .gradient = not_differentiable};

Kernel size_prepare(const KernelSetup&) {
  return [](KernelContext& c) {
    const int64_t count = c.input(0).num_elements();
    put_integers(c, c.allocate(0, {}), {&count, 1});
  };
}
Tensor number(int64_t value, DType dtype) { return IntList({value}).tensor(dtype).reshaped({}); }
Tensor size_value(const Operation& op) {
  const Shape& shape = op.input(0).shape();
  const DType dtype = op.dtype("out_type");
  return shape.is_fully_defined() && fits(shape.num_elements(), dtype)
             ? number(shape.num_elements(), dtype)
             : Tensor();
}
constexpr OpDef kSize = {.name = "Size",
                         .inputs = "input: T",
                         .outputs = "output: out_type",
                         .attrs = "T: type, out_type: {int32, int64} = DT_INT32",
                         .reads_shapes = true,
                         .shape = scalar_shape,
                         .prepare = size_prepare,
                         .gradient = not_differentiable,
                         .static_value = size_value};

Kernel rank_prepare(const KernelSetup&) {
  return [](KernelContext& c) { *elements<int32_t>(c.allocate(0, {})) = c.input(0).rank(); };
}
Tensor rank_value(const Operation& op) {
  const Shape& shape = op.input(0).shape();
  return shape.has_rank() ? Tensor(int32_t{shape.rank()}) : Tensor();
}
constexpr OpDef kRank = {.name = "Rank",
                         .inputs = "input: T",
                         .outputs = "output: int32",
                         .attrs = "T: type",
                         .reads_shapes = true,
                         .shape = scalar_shape,
                         .prepare = rank_prepare,
                         .gradient = not_differentiable,
                         .static_value = rank_value};

// ---- Reshape ------------------------------------------------------------------------------------

// `asked` with its one -1, if any, replaced by the extent that `count` elements leave; it stays -1
// if the count is unknown (-1). Throws through c.fail.
Shape resolved(const Shape& asked, int64_t count) {
  int free = -1;
  int64_t product = 1;
  for (int i = 0; i < asked.rank(); ++i) {
    if (asked[i] >= 0) {
      product *= asked[i];
    } else if (free >= 0) {
      fail(Code::kInvalidArgument, "only one extent may be -1, got ", asked);
    } else {
      free = i;
    }
  }
  Shape shape = asked;
  if (count < 0) return shape;
  if (free >= 0 && product > 0 && count % product == 0) {
    shape.set_dim(free, count / product);
  } else if (free >= 0 && product == 0 && count == 0) {
    fail(Code::kInvalidArgument, "the extent left open in ", asked,
         " cannot be told for a tensor without elements");
  } else if (free >= 0 || product != count) {
    fail(Code::kInvalidArgument, "a tensor of ", count, " elements cannot have the shape ", asked);
  }
  return shape;
}

void reshape_shape(ShapeContext& c) {
  const Tensor value = c.constant(1);
  c.require(c.input(1).rank() <= 1, str_cat("shape must be a vector, got shape ", c.input(1)));
  if (value.valid())
    return c.set_output(resolved(Shape(value.to_int64s()), c.input(0).num_elements()));
  Shape shape = c.shape_from(1);
  // At most one of the unknown extents is -1 in the run. A single unknown one is therefore the rest
  // of the elements, whether it is -1 or a number.
  const int64_t count = c.input(0).num_elements();
  if (std::count(shape.begin(), shape.end(), kUnknownDim) == 1 && count > 0)
    shape = resolved(shape, count);
  c.set_output(shape);
}

Kernel reshape_prepare(const KernelSetup&) {
  return [](KernelContext& c) {
    if (c.input(1).rank() > 1)
      c.fail(str_cat("shape must be a vector, got shape ", c.input(1).shape()));
    const IntReader extents(c.input(1));
    Shape asked;
    for (int64_t i = 0; i < extents.size(); ++i) asked.append(extents[i]);
    c.forward(0, 0, resolved(asked, c.input(0).num_elements()));
  };
}

// For Reshape, ExpandDims and Squeeze: dy in the shape of the input.
Grads reshape_gradient(const Operation& op, const Grads& dy) {
  Grads grads(static_cast<size_t>(op.num_inputs()));
  grads[0] = reshape(dy[0], extents_of(op.input(0)));
  return grads;
}

constexpr OpDef kReshape = {.name = "Reshape",
                            .inputs = "tensor: T, shape: Tshape",
                            .outputs = "output: T",
                            .attrs = "T: type, Tshape: {int32, int64} = DT_INT32",
                            .shape = reshape_shape,
                            .prepare = reshape_prepare,
                            .gradient = reshape_gradient};

// ---- ExpandDims, Squeeze ------------------------------------------------------------------------

Shape expanded(const Shape& shape, const Tensor& dim) {
  if (dim.num_elements() != 1)
    fail(Code::kInvalidArgument, "dim must be a scalar, got shape ", dim.shape());
  const int axis = axis_of(IntReader(dim)[0], shape.rank() + 1, "dim");
  Shape result = shape.slice(0, axis);
  result.append(1);
  return concat(result, shape.slice(axis));
}

void expand_dims_shape(ShapeContext& c) {
  const Shape& shape = c.input(0);
  if (!shape.has_rank()) return;
  const Tensor dim = c.constant(1);
  c.set_output(dim.valid() ? expanded(shape, dim) : Shape::unknown(shape.rank() + 1));
}
Kernel expand_dims_prepare(const KernelSetup&) {
  return [](KernelContext& c) { c.forward(0, 0, expanded(c.input(0).shape(), c.input(1))); };
}
constexpr OpDef kExpandDims = {.name = "ExpandDims",
                               .inputs = "input: T, dim: Tdim",
                               .outputs = "output: T",
                               .attrs = "T: type, Tdim: {int32, int64} = DT_INT32",
                               .shape = expand_dims_shape,
                               .prepare = expand_dims_prepare,
                               .gradient = reshape_gradient};

// `shape` without the extents at `dims`, or without all extents of 1 if `dims` is empty. Unknown if
// that depends on an unknown extent.
Shape squeezed(const Shape& shape, const std::vector<int64_t>& dims) {
  Shape result;
  for (int i = 0; i < shape.rank(); ++i) {
    bool named = dims.empty() && shape[i] == 1;
    for (int64_t d : dims) named |= axis_of(d, shape.rank(), "squeeze_dims") == i;
    if (dims.empty() && shape[i] < 0) return Shape::unknown();
    if (!named) result.append(shape[i]);
    if (named && shape[i] > 1)
      fail(Code::kInvalidArgument, "extent ", i, " of shape ", shape,
           " is not 1, and cannot be left out");
    if (named && shape[i] == 0)
      fail(Code::kInvalidArgument, "extent ", i, " of shape ", shape,
           " is 0, and cannot be left out");
  }
  return result;
}

void squeeze_shape(ShapeContext& c) {
  if (c.input(0).has_rank()) c.set_output(squeezed(c.input(0), c.integers("squeeze_dims")));
}
Kernel squeeze_prepare(const KernelSetup& s) {
  return [dims = s.integers("squeeze_dims")](KernelContext& c) {
    c.forward(0, 0, squeezed(c.input(0).shape(), dims));
  };
}
constexpr OpDef kSqueeze = {.name = "Squeeze",
                            .inputs = "input: T",
                            .outputs = "output: T",
                            .attrs = "T: type, squeeze_dims: list(int) >= 0 = []",
                            .shape = squeeze_shape,
                            .prepare = squeeze_prepare,
                            .gradient = reshape_gradient};

// ---- BroadcastGradientArgs ----------------------------------------------------------------------

// The extents of the broadcast result along which an operand was stretched, or that are 1 in both.
struct SummedExtents {
  std::array<int64_t, kMaxRank> axes[2];
  size_t counts[2] = {0, 0};
};

SummedExtents summed_extents(const KernelContext& c) {
  const IntReader s[2] = {vector_input(c, 0, "s0"), vector_input(c, 1, "s1")};
  const int64_t rank = std::max(s[0].size(), s[1].size());
  if (rank > kMaxRank)
    c.fail(str_cat("there is no kernel for shapes of rank ", rank), Code::kUnimplemented);
  SummedExtents summed;
  bool equal = s[0].size() == s[1].size();
  for (int64_t i = 0; i < rank; ++i) {
    int64_t d[2];
    for (int k : {0, 1}) d[k] = i < rank - s[k].size() ? 1 : s[k][i - (rank - s[k].size())];
    if (d[0] != d[1] && d[0] != 1 && d[1] != 1) c.fail("the shapes cannot be broadcast together");
    equal &= d[0] == d[1];
    for (int k : {0, 1}) {
      if (d[k] == 1) summed.axes[k][summed.counts[k]++] = i;
    }
  }
  if (equal) summed.counts[0] = summed.counts[1] = 0;
  return summed;
}

void broadcast_gradient_args_shape(ShapeContext& c) {
  for (int i : {0, 1}) {
    c.with_rank(i, 1, i == 0 ? "s0" : "s1");
    c.set_output(i, {kUnknownDim});
  }
}
Kernel broadcast_gradient_args_prepare(const KernelSetup&) {
  return [](KernelContext& c) {
    const SummedExtents summed = summed_extents(c);
    for (int k : {0, 1}) {
      const std::span<const int64_t> axes(summed.axes[k].data(), summed.counts[k]);
      put_integers(c, c.allocate(k, {static_cast<int64_t>(axes.size())}), axes);
    }
  };
}
constexpr OpDef kBroadcastGradientArgs = {.name = "BroadcastGradientArgs",
                                          .inputs = "s0: T, s1: T",
                                          .outputs = "r0: T, r1: T",
                                          .attrs = "T: {int32, int64} = DT_INT32",
                                          .shape = broadcast_gradient_args_shape,
                                          .prepare = broadcast_gradient_args_prepare,
                                          .gradient = not_differentiable};

}  // namespace

DType extents_dtype(std::initializer_list<Output> tensors) {
  for (const Output& tensor : tensors) {
    for (const int64_t extent : tensor.shape()) {
      if (extent > INT32_MAX) return DType::kInt64;
    }
  }
  return DType::kInt32;
}
Output extents_of(const Operand& x) { return shape(x, {.out_type = extents_dtype({x.output()})}); }

namespace {

void check_fits(const Operand& x, const char* op, int64_t value, DType dtype) {
  if (!fits(value, dtype))
    fail(Code::kInvalidArgument, op, " (", x.at().str(), "): ", value, ", of '", x.output().name(),
         "' ", x.output().shape(), ", does not fit out_type int32; ask for int64");
}

}  // namespace

Output shape(const Operand& x, const ShapeOptions& options) {
  x.require("Shape");
  const Graph::Transaction whole(x.graph());
  const Shape& known = x.output().shape();
  if (options.optimize && known.is_fully_defined()) {
    for (const int64_t extent : known) check_fits(x, "Shape", extent, options.out_type);
    const std::string name = options.name.empty() ? "Shape" : options.name;
    return constant({x.graph(), x.at()}, IntList(known).tensor(options.out_type), {.name = name});
  }
  return add_node(kShape, {x.output()}, {{"out_type", options.out_type}}, options.name, x.at());
}

Output size(const Operand& x, const ShapeOptions& options) {
  x.require("Size");
  const Graph::Transaction whole(x.graph());
  const Shape& known = x.output().shape();
  if (options.optimize && known.is_fully_defined()) {
    check_fits(x, "Size", known.num_elements(), options.out_type);
    const std::string name = options.name.empty() ? "Size" : options.name;
    return constant({x.graph(), x.at()}, number(known.num_elements(), options.out_type),
                    {.name = name});
  }
  return add_node(kSize, {x.output()}, {{"out_type", options.out_type}}, options.name, x.at());
}

Output rank(const Operand& x, const NameOptions& options) {
  x.require("Rank");
  const Graph::Transaction whole(x.graph());
  const Shape& known = x.output().shape();
  if (known.has_rank()) {
    const std::string name = options.name.empty() ? "Rank" : options.name;
    return constant({x.graph(), x.at()}, int32_t{known.rank()}, {.name = name});
  }
  return unary_op(kRank, x, options);
}

std::vector<Output> shape_n(const std::vector<Output>& xs, const ShapeOptions& options,
                            SourceLocation at) {
  if (xs.empty()) fail(Code::kInvalidArgument, "shape_n (", at.str(), "): no tensors given");
  return outputs_of(add_operation({graph_of(xs, "ShapeN", at), at}, kShapeN, xs,
                                  {{"out_type", options.out_type}}, options.name));
}

Output reshape(const Operand& x, const IntList& shape, const NameOptions& options) {
  const BuilderScope b(x, "Reshape", options.name);
  return b.add(kReshape, {x.output(), shape.in(b, "shape")});
}

Output expand_dims(const Operand& x, const Operand& axis, const NameOptions& options) {
  const BuilderScope b(x, "ExpandDims", options.name);
  return b.add(kExpandDims, {x.output(), axis.in(b.graph(), DType::kInt32, "dim")});
}

Output squeeze(const Operand& x, const SqueezeOptions& options) {
  x.require("Squeeze");
  const Graph::Transaction whole(x.graph());
  return add_node(kSqueeze, {x.output()}, {{"squeeze_dims", options.axis}}, options.name, x.at());
}

std::pair<Output, Output> broadcast_gradient_args(const Output& s0, const Output& s1,
                                                  const NameOptions& options, SourceLocation at) {
  const GraphAt graph(graph_of({s0, s1}, "BroadcastGradientArgs", at), at);
  const Operation op = add_operation(graph, kBroadcastGradientArgs, {s0, s1}, {}, options.name);
  return {op.output(0), op.output(1)};
}

std::span<const OpDef* const> reshape_ops() {
  static constexpr const OpDef* kOps[] = {&kBroadcastGradientArgs,
                                          &kExpandDims,
                                          &kRank,
                                          &kReshape,
                                          &kShape,
                                          &kShapeN,
                                          &kSize,
                                          &kSqueeze};
  return kOps;
}

}  // namespace cairn
