#include "ops/array/slicing.h"

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/array/rearranging.h"
#include "ops/core/building.h"
#include "ops/core/move.h"
#include "ops/math/math.h"

namespace cairn {
namespace {

// ---- Slice --------------------------------------------------------------------------------------

void slice_shape(ShapeContext& c) {
  const Shape lengths = merge(c.with_rank(1, 1, "begin"), c.with_rank(2, 1, "size"));
  Shape shape = c.input(0);
  if (!shape.has_rank() && lengths[0] >= 0) shape = Shape::unknown(static_cast<int>(lengths[0]));
  if (!shape.has_rank()) return;
  c.same(shape.rank(), lengths[0], "the rank and the lengths of begin and size");
  const Tensor begin = c.constant(1), size = c.constant(2);
  if (!size.valid())
    return c.set_output(c.shape_from(2).has_rank() ? Shape::unknown(shape.rank())
                                                   : Shape::unknown());
  Shape result;
  for (int i = 0; i < shape.rank(); ++i) {
    const int64_t extent = shape[i], n = IntReader(size)[i],
                  from = begin.valid() ? IntReader(begin)[i] : kUnknownDim;
    const bool told = begin.valid() && extent >= 0;
    c.require(n >= -1 && (!begin.valid() || from >= 0) &&
                  (!told || from + std::max<int64_t>(n, 0) <= extent),
              str_cat("begin ", from, " and size ", n, " do not fit extent ", i, " of ", shape));
    result.append(n >= 0 ? n : told ? extent - from : kUnknownDim);
  }
  c.set_output(result);
}

Kernel slice_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const Tensor& x = c.input(0);
    const IntReader begin = vector_input(c, 1, "begin"), size = vector_input(c, 2, "size");
    if (begin.size() != x.rank() || size.size() != x.rank()) {
      c.fail(str_cat("begin and size must have ", x.rank(), " elements, as x is of shape ",
                     x.shape()));
    }
    Shape shape = x.shape();
    for (int i = 0; i < x.rank(); ++i) {
      const int64_t n = size[i] == -1 ? x.dim(i) - begin[i] : size[i];
      if (begin[i] < 0 || n < 0 || begin[i] > x.dim(i) || n > x.dim(i) - begin[i]) {
        c.fail(str_cat("begin ", begin[i], " and size ", size[i], " do not fit extent ", i, " of ",
                       x.shape()));
      }
      shape.set_dim(i, n);
    }
    if (shape == x.shape()) return c.forward(0, 0);
    Tensor& out = c.allocate(0, shape);
    StridedCopy copy(c, m);
    int64_t offset = 0, to = 1, from = 1;
    for (int i = x.rank() - 1; i >= 0; --i) {
      copy.add(shape[i], to, from);
      offset += begin[i] * from;
      to *= shape[i];
      from *= x.dim(i);
    }
    copy.run(out.raw_data(), m.at(x, offset));
  };
}

// The dtype of extents in a gradient: that of `begin`, or int64 if the extents of the input need
// it.
DType index_dtype(const Operation& op) {
  const DType given = base_dtype(op.input(1).dtype());
  return given == DType::kInt64 ? given : extents_dtype({op.input(0)});
}

// dy, padded with zeros to the shape of the input.
Grads slice_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0);
  const ShapeOptions as_index = {.out_type = index_dtype(op)};
  const Output begin = cast(op.input(1), as_index.out_type);
  const Output ranks = rank(x), size = shape(op.output(), as_index);
  const Output column = stack({ranks, 1});
  const Output before = reshape(begin, column);
  const Output after = reshape(shape(x, as_index) - size - begin, column);
  return {pad(dy[0], concat({before, after}, 1)), Output(), Output()};
}

constexpr OpDef kSlice = {.name = "Slice",
                          .inputs = "input: T, begin: Index, size: Index",
                          .outputs = "output: T",
                          .attrs = "T: type, Index: {int32, int64}",
                          .shape = slice_shape,
                          .prepare = slice_prepare,
                          .gradient = slice_gradient};

// ---- StridedSlice -------------------------------------------------------------------------------

struct Masks {
  int64_t begin, end, ellipsis, new_axis, shrink_axis;
  explicit Masks(const AttrReader& a)
      : begin(a.integer("begin_mask")),
        end(a.integer("end_mask")),
        ellipsis(a.integer("ellipsis_mask")),
        new_axis(a.integer("new_axis_mask")),
        shrink_axis(a.integer("shrink_axis_mask")) {}
};
bool bit(int64_t mask, int64_t i) { return i < 63 && (mask >> i & 1) != 0; }

// The elements that a strided slice takes: along each extent `size` elements from `begin`, `stride`
// apart.
struct Box {
  struct Extent {
    int64_t begin, size, stride;
  };
  std::array<Extent, kMaxRank> extents;
  int rank = 0;
  Shape result;  // with new extents, without shrunk ones; -1: unknown
};

// One extent of length n (-1: unknown). Throws through c.fail.
Box::Extent strided_extent(int axis, int64_t n, bool shrink, bool from_start, bool to_end,
                           std::optional<int64_t> begin, std::optional<int64_t> end,
                           int64_t stride) {
  if (stride == 0) fail(Code::kInvalidArgument, "the stride of extent ", axis, " is 0");
  if (shrink && stride < 0)
    fail(Code::kInvalidArgument, "the stride of extent ", axis,
         ", of which one place is taken, is negative");
  if (n < 0 || (!begin && !(from_start && !shrink)) || (!end && !to_end && !shrink)) {
    return {0, shrink ? 1 : kUnknownDim, stride};
  }
  if (shrink) {
    const int64_t at = *begin < 0 ? *begin + n : *begin;
    if (at < 0 || at >= n)
      fail(Code::kInvalidArgument, "index ", *begin, " is outside extent ", axis, ", which is ", n);
    return {at, 1, 1};
  }
  const int64_t lowest = stride > 0 ? 0 : -1, highest = stride > 0 ? n : n - 1;
  const auto place = [&](int64_t at) { return std::clamp(at < 0 ? at + n : at, lowest, highest); };
  const int64_t first = from_start ? (stride > 0 ? lowest : highest) : place(*begin);
  const int64_t last = to_end ? (stride > 0 ? highest : lowest) : place(*end);
  const int64_t distance = stride > 0 ? last - first : first - last;
  // Unsigned: -stride may not fit.
  const uint64_t step = stride > 0 ? static_cast<uint64_t>(stride) : -static_cast<uint64_t>(stride);
  const int64_t size =
      distance <= 0 ? 0 : static_cast<int64_t>((static_cast<uint64_t>(distance) - 1) / step) + 1;
  return {first, size, size > 1 ? stride : 1};
}

// The box of a tensor of `shape`; begin and end may be invalid if only the rank of the result is
// needed. Throws through c.fail.
Box strided_box(const Shape& shape, const Tensor& begin, const Tensor& end, const Tensor& strides,
                const Masks& masks) {
  if (shape.rank() > kMaxRank)
    fail(Code::kInvalidArgument, "there is no kernel for tensors of rank ", shape.rank());
  const int64_t told = strides.num_elements();
  if ((begin.valid() && begin.num_elements() != told) ||
      (end.valid() && end.num_elements() != told)) {
    fail(Code::kInvalidArgument, "begin, end and strides must be of one length");
  }
  Box box;
  const auto take = [&](const Box::Extent& extent, bool shrink) {
    box.extents[static_cast<size_t>(box.rank++)] = extent;
    if (!shrink) box.result.append(extent.size);
  };
  int64_t left = 0;  // the numbers not yet used that take an extent each
  bool ellipsis = false;
  for (int64_t i = 0; i < told; ++i) {
    if (bit(masks.ellipsis, i) && std::exchange(ellipsis, true))
      fail(Code::kInvalidArgument, "there may be one ellipsis only");
    left += !bit(masks.ellipsis, i) && !bit(masks.new_axis, i);
  }
  if (left > shape.rank())
    fail(Code::kInvalidArgument, left, " extents are told, but the tensor is of shape ", shape);
  const auto take_whole = [&](int64_t up_to) {
    while (box.rank < up_to) take({0, shape[box.rank], 1}, false);
  };
  for (int64_t i = 0; i < told; ++i) {
    if (bit(masks.ellipsis, i)) {
      take_whole(shape.rank() - left);
    } else if (bit(masks.new_axis, i)) {
      box.result.append(1);
    } else {
      const auto value = [&](const Tensor& t) {
        return t.valid() ? std::optional<int64_t>(IntReader(t)[i]) : std::nullopt;
      };
      const bool shrink = bit(masks.shrink_axis, i);
      take(strided_extent(box.rank, shape[box.rank], shrink, bit(masks.begin, i), bit(masks.end, i),
                          value(begin), value(end), IntReader(strides)[i]),
           shrink);
      --left;
    }
  }
  take_whole(shape.rank());
  return box;
}

void strided_slice_shape(ShapeContext& c) {
  for (int i = 1; i < 4; ++i) c.with_rank(i, 1, i == 1 ? "begin" : i == 2 ? "end" : "strides");
  const Tensor strides = c.constant(3);
  if (!strides.valid() || !c.input(0).has_rank()) return;
  c.set_output(strided_box(c.input(0), c.constant(1), c.constant(2), strides, Masks(c)).result);
}

// Sets up a copy between the box in a tensor of `shape` and a contiguous tensor; returns the offset
// of the box in the tensor.
int64_t box_copy(const Box& box, const Shape& shape, bool into_box, StridedCopy& copy) {
  int64_t inside = 1, packed = 1, offset = 0;
  for (int i = box.rank - 1; i >= 0; --i) {
    const Box::Extent& e = box.extents[static_cast<size_t>(i)];
    into_box ? copy.add(e.size, e.stride * inside, packed)
             : copy.add(e.size, packed, e.stride * inside);
    offset += e.size > 0 ? e.begin * inside : 0;
    inside *= shape[i];
    packed *= e.size;
  }
  return offset;
}

Kernel strided_slice_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T")), masks = Masks(s)](KernelContext& c) {
    const Tensor& x = c.input(0);
    for (int i = 1; i < 4; ++i) vector_input(c, i, i == 1 ? "begin" : i == 2 ? "end" : "strides");
    const Box box = strided_box(x.shape(), c.input(1), c.input(2), c.input(3), masks);
    StridedCopy copy(c, m);
    const int64_t offset = box_copy(box, x.shape(), false, copy);
    copy.run(c.allocate(0, box.result).raw_data(), m.at(x, offset));
  };
}

StridedSliceOptions masks_of(const Operation& op) {
  const Masks m(op.attrs());
  return {m.begin, m.end, m.ellipsis, m.new_axis, m.shrink_axis, ""};
}
Grads strided_slice_gradient(const Operation& op, const Grads& dy) {
  const DType index = index_dtype(op);
  const Output x_shape = shape(op.input(0), {.out_type = index});
  const Output begin = cast(op.input(1), index), end = cast(op.input(2), index),
               strides = cast(op.input(3), index);
  return {strided_slice_grad(x_shape, begin, end, strides, dy[0], masks_of(op)), Output(), Output(),
          Output()};
}

constexpr OpDef kStridedSlice = {
    .name = "StridedSlice",
    .inputs = "input: T, begin: Index, end: Index, strides: Index",
    .outputs = "output: T",
    .attrs =
        "T: type, Index: {int32, int64}, begin_mask: int = 0, end_mask: int = 0, "
        "ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0",
    .shape = strided_slice_shape,
    .prepare = strided_slice_prepare,
    .gradient = strided_slice_gradient};

// ---- StridedSliceGrad ---------------------------------------------------------------------------

void strided_slice_grad_shape(ShapeContext& c) { c.set_output(c.shape_from(0)); }

Kernel strided_slice_grad_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T")), masks = Masks(s)](KernelContext& c) {
    const Shape shape = shape_of_vector(c.input(0), "shape");
    const Tensor& dy = c.input(4);
    for (int i = 1; i < 4; ++i) vector_input(c, i, i == 1 ? "begin" : i == 2 ? "end" : "strides");
    const Box box = strided_box(shape, c.input(1), c.input(2), c.input(3), masks);
    if (!(box.result == dy.shape())) {
      c.fail(str_cat("dy is of shape ", dy.shape(), ", but the slice of ", shape, " is of shape ",
                     box.result));
    }
    Tensor& out = c.allocate(0, shape);
    fill_all(c, m, out, m.zero);
    StridedCopy copy(c, m);
    const int64_t offset = box_copy(box, shape, true, copy);
    copy.run(m.at(out, offset), dy.raw_data());
  };
}

Grads strided_slice_grad_gradient(const Operation& op, const Grads& dy) {
  Grads grads(5);
  grads[4] = strided_slice(dy[0], op.input(1), op.input(2), op.input(3), masks_of(op));
  return grads;
}

constexpr OpDef kStridedSliceGrad = {
    .name = "StridedSliceGrad",
    .inputs = "shape: Index, begin: Index, end: Index, strides: Index, dy: T",
    .outputs = "output: T",
    .attrs =
        "T: type, Index: {int32, int64}, begin_mask: int = 0, end_mask: int = 0, "
        "ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0",
    .shape = strided_slice_grad_shape,
    .prepare = strided_slice_grad_prepare,
    .gradient = strided_slice_grad_gradient};

Attrs mask_attrs(const StridedSliceOptions& o) {
  return {{"begin_mask", o.begin_mask},
          {"end_mask", o.end_mask},
          {"ellipsis_mask", o.ellipsis_mask},
          {"new_axis_mask", o.new_axis_mask},
          {"shrink_axis_mask", o.shrink_axis_mask}};
}

}  // namespace

Output slice(const Operand& x, const IntList& begin, const IntList& size,
             const NameOptions& options) {
  const BuilderScope b(x, "Slice", options.name);
  const DType index = IntList::common_dtype({&begin, &size});
  const Output from = begin.in(b, "begin", index);
  return b.add(kSlice, {x.output(), from, size.in(b, "size", index)});
}

Output strided_slice(const Operand& x, const IntList& begin, const IntList& end,
                     const IntList& strides, const StridedSliceOptions& options) {
  const bool lists = begin.list() && end.list() && strides.list();
  const BuilderScope b(x, lists ? "strided_slice" : "StridedSlice", options.name);
  const DType index = IntList::common_dtype({&begin, &end, &strides});
  const Output from = begin.in(b, lists ? "stack" : "begin", index),
               to = end.in(b, lists ? "stack" : "end", index);
  return b.add(kStridedSlice,
               {x.output(), from, to, strides.in(b, lists ? "stack" : "strides", index)},
               mask_attrs(options));
}

Output element(const Operand& x, int64_t i, const NameOptions& options) {
  return strided_slice(x, {i}, {i + 1}, {1}, {.shrink_axis_mask = 1, .name = options.name});
}
Output Output::operator[](const Index& i) const { return element(Operand(*this, i.at), i.value); }
Output tail(const Operand& x, int64_t i, const NameOptions& options) {
  return strided_slice(x, {i}, {0}, {1}, {.end_mask = 1, .name = options.name});
}

Output strided_slice_grad(const Output& shape, const Output& begin, const Output& end,
                          const Output& strides, const Output& dy,
                          const StridedSliceOptions& options, SourceLocation at) {
  return add_node(kStridedSliceGrad, {shape, begin, end, strides, dy}, mask_attrs(options),
                  options.name, at);
}

std::span<const OpDef* const> slicing_ops() {
  static constexpr const OpDef* kOps[] = {&kSlice, &kStridedSlice, &kStridedSliceGrad};
  return kOps;
}

}  // namespace cairn
