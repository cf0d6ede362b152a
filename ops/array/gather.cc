#include "ops/array/gather.h"

#include <unordered_set>

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/array/rearranging.h"
#include "ops/array/reshape.h"
#include "ops/array/slicing.h"
#include "ops/core/building.h"
#include "ops/core/elements.h"
#include "ops/core/move.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"

namespace cairn {
namespace {

// Throws through c.fail unless all of `indices` are in [0, bound). Called before anything is
// written and outside of parallel loops, so that a failed run leaves no partial output and throws
// on one thread.
void check_indices(const KernelContext& c, const IntReader& indices, int64_t bound,
                   const char* what) {
  for (int64_t i = 0; i < indices.size(); ++i) {
    if (indices[i] < 0 || indices[i] >= bound) {
      c.fail(str_cat(what, "[", i, "] is ", indices[i], ", outside [0, ", bound, ")"));
    }
  }
}

// ---- Gather, GatherV2 ---------------------------------------------------------------------------

Shape gathered(const Shape& params, int axis, const Shape& indices) {
  return concat(concat(params.slice(0, axis), indices), params.slice(axis + 1));
}

void gather_shape(ShapeContext& c) {
  const Shape params = c.with_rank_at_least(0, 1, "params");
  int64_t asked = 0;
  if (c.num_inputs() > 2) {
    c.require(c.integer("batch_dims") == 0, "batch_dims other than 0 are not supported");
    c.with_rank(2, 0, "axis");
    const Tensor axis = c.constant(2);
    if (!axis.valid()) {
      const bool known = params.has_rank() && c.input(1).has_rank();
      return c.set_output(Shape::unknown(known ? params.rank() - 1 + c.input(1).rank() : -1));
    }
    asked = IntReader(axis)[0];
  }
  if (params.has_rank()) c.set_output(gathered(params, axis_of(asked, params.rank()), c.input(1)));
}

// Tables of `extent` rows of `after` elements, one after the other, and the rows to take of each.
struct Tables {
  IntReader indices;
  int64_t extent, after;
  const void* from;
  void* to;
};

// Rows [begin, end) of the result.
template <class T>
void take_rows(const Tables& t, int64_t begin, int64_t end) {
  const int64_t count = t.indices.size(), after = t.after;
  const T* table = static_cast<const T*>(t.from) + begin / count * t.extent * after;
  T* const to = static_cast<T*>(t.to);
  for (int64_t i = begin, k = begin % count; i < end; ++i) {
    const T* row = table + t.indices[k] * after;
    if (after == 1) {
      to[i] = *row;
    } else {
      std::copy_n(row, after, to + i * after);
    }
    if (++k == count) {
      k = 0;
      table += t.extent * after;
    }
  }
}

Kernel gather_prepare(const KernelSetup& s) {
  const DType dtype = s.dtype("Tparams");
  const auto take = by_width(s, dtype, []<class T>() { return take_rows<T>; });
  return [take, size = mover_of(s, dtype).size](KernelContext& c) {
    const Tensor& params = c.input(0);
    if (params.rank() < 1) c.fail("params must not be a scalar");
    const int axis = c.num_inputs() > 2 ? axis_of(scalar_input(c, 2, "axis"), params.rank()) : 0;
    const IntReader indices(c.input(1));
    const int64_t extent = params.dim(axis), after = extents_after(params.shape(), axis);
    const int64_t rows = extents_before(params.shape(), axis) * indices.size();
    check_indices(c, indices, extent, "indices");
    Tensor& out = c.allocate(0, gathered(params.shape(), axis, c.input(1).shape()));
    if (out.num_elements() == 0) return;
    const Tables tables = {indices, extent, after, params.raw_data(), out.raw_data()};
    c.parallel_for(rows, static_cast<double>(size * after) / 8 + 4,
                   [&](int64_t begin, int64_t end) { take(tables, begin, end); });
  };
}

// The gradient with respect to params, for indices along axis 0. TensorFlow makes IndexedSlices of
// the nodes up to Reshape_1, and adds the sum where a dense tensor is needed; here it is always
// added.
Output gather_rows_gradient(const Output& params_shape, const Output& indices, const Output& dy) {
  const Output count = expand_dims(size(indices, {.out_type = params_shape.dtype()}), 0);
  const Output rows = reshape(dy, concat({count, tail(params_shape, 1)}, 0));
  const Output places = reshape(indices, count);
  return unsorted_segment_sum(rows, places, element(params_shape, 0));
}

// Along another axis: the axis is moved to the front, summed, and moved back.
Output gather_along_gradient(const Output& params_shape, const Output& indices, const Output& axis,
                             const Output& dy) {
  const Output count = expand_dims(size(indices, {.out_type = params_shape.dtype()}), 0);
  const auto vector_of = [](const Output& scalar) { return expand_dims(scalar, 0); };
  const Output at = vector_of(axis);
  const Output outer = strided_slice(params_shape, {0}, at, {1}, {.begin_mask = 1});
  // In two steps: a negative axis plus one may be 0, which would not mean the end.
  const Output inner = tail(strided_slice(params_shape, at, {0}, {1}, {.end_mask = 1}), 1);
  const Output outer_rank = size(outer), inner_rank = size(inner);
  const Output outer_axes = range(0, outer_rank, 1);
  const Output inner_axes = range(outer_rank + 1, outer_rank + 1 + inner_rank, 1);
  const Output values = reshape(dy, concat({outer, count, inner}, 0));
  const Output places = reshape(indices, count);
  const Output to_front = concat({vector_of(outer_rank), outer_axes, inner_axes}, 0);
  const Output extent = strided_slice(params_shape, at, at + 1, {1}, {.shrink_axis_mask = 1});
  const Output summed = unsorted_segment_sum(transpose(values, to_front), places, extent);
  const Output back =
      concat({outer_axes + 1, constant(dy.graph(), Tensor::vector<int32_t>({0})), inner_axes}, 0);
  return transpose(summed, back);
}

Grads gather_gradient(const Operation& op, const Grads& dy) {
  const Output params = op.input(0);
  Output params_shape;
  {
    const Scope colocated = params.graph().colocate_with(params.op());
    params_shape = cast(shape(params, {.out_type = DType::kInt64}), extents_dtype({params}));
  }
  Grads grads(static_cast<size_t>(op.num_inputs()));
  const Tensor axis =
      op.num_inputs() > 2 ? params.graph().static_value(op.input(2)) : Tensor(int32_t{0});
  grads[0] = axis.valid() && axis.to_int64s()[0] == 0
                 ? gather_rows_gradient(params_shape, op.input(1), dy[0])
                 : gather_along_gradient(params_shape, op.input(1), op.input(2), dy[0]);
  return grads;
}

constexpr OpDef kGather = {
    .name = "Gather",
    .inputs = "params: Tparams, indices: Tindices",
    .outputs = "output: Tparams",
    .attrs = "validate_indices: bool = true, Tparams: type, Tindices: {int32, int64}",
    .shape = gather_shape,
    .prepare = gather_prepare,
    .gradient = gather_gradient};
constexpr OpDef kGatherV2 = {
    .name = "GatherV2",
    .inputs = "params: Tparams, indices: Tindices, axis: Taxis",
    .outputs = "output: Tparams",
    .attrs = "batch_dims: int = 0, Tparams: type, Tindices: {int32, int64}, Taxis: {int32, int64}",
    .shape = gather_shape,
    .prepare = gather_prepare,
    .gradient = gather_gradient};

// ---- GatherNd, ScatterNd ------------------------------------------------------------------------

// The layout of index tuples of shape [..., depth] into a tensor of `shape`.
struct IndexTuples {
  int64_t tuples;  // their number
  int depth;
  int64_t row;  // elements per tuple
  // The number of tuples with indices to check or elements to copy. Tuples with neither are not
  // visited: a file can claim any number of them without a byte of data.
  int64_t looked_at() const { return depth == 0 && row == 0 ? 0 : tuples; }
};

IndexTuples index_tuples(const KernelContext& c, const Shape& indices, const Shape& shape) {
  if (indices.rank() < 1) c.fail("indices must not be a scalar");
  const int64_t depth = indices.dim(-1);
  if (depth > shape.rank())
    c.fail(str_cat("indices of shape ", indices, " point too deep into shape ", shape));
  return {indices.slice(0, -1).num_elements(), static_cast<int>(depth),
          shape.slice(static_cast<int>(depth)).num_elements()};
}

// The offset, in rows, of tuple i. Throws through c.fail if it is out of bounds.
int64_t place_of(const KernelContext& c, const IntReader& indices, int64_t i, const IndexTuples& p,
                 const Shape& shape) {
  int64_t place = 0;
  for (int d = 0; d < p.depth; ++d) {
    const int64_t at = indices[i * p.depth + d];
    if (at < 0 || at >= shape[d]) {
      c.fail(str_cat("indices[", i, ",", d, "] is ", at, ", outside [0, ", shape[d], ")"));
    }
    place = place * shape[d] + at;
  }
  return place;
}

void gather_nd_shape(ShapeContext& c) {
  const Shape &params = c.input(0), indices = c.with_rank_at_least(1, 1, "indices");
  if (!params.has_rank() || !indices.has_rank() || indices.dim(-1) < 0) return;
  c.require(indices.dim(-1) <= params.rank(),
            str_cat("indices of shape ", indices, " point too deep into ", params));
  c.set_output(concat(indices.slice(0, -1), params.slice(static_cast<int>(indices.dim(-1)))));
}

Kernel gather_nd_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("Tparams"))](KernelContext& c) {
    const Tensor& params = c.input(0);
    const IntReader indices(c.input(1));
    const IndexTuples p = index_tuples(c, c.input(1).shape(), params.shape());
    Tensor& out =
        c.allocate(0, concat(c.input(1).shape().slice(0, -1), params.shape().slice(p.depth)));
    for (int64_t i = 0; i < p.looked_at(); ++i) {
      const int64_t place = place_of(c, indices, i, p, params.shape());
      m.copy(m.at(out, i * p.row), m.at(params, place * p.row), p.row);
    }
  };
}

Grads gather_nd_gradient(const Operation& op, const Grads& dy) {
  const Output params = op.input(0), indices = op.input(1);
  const Output params_shape = shape(params, {.out_type = indices.dtype()});
  const Shape& tuples = indices.shape();
  // Tuples of one number select rows: TensorFlow makes IndexedSlices of them, here they are summed
  // at once.
  if (tuples.rank() == 2 && tuples[1] == 1) {
    return {unsorted_segment_sum(dy[0], squeeze(indices, {.axis = {-1}}), element(params_shape, 0)),
            Output()};
  }
  return {scatter_nd(indices, dy[0], params_shape), Output()};
}

constexpr OpDef kGatherNd = {.name = "GatherNd",
                             .inputs = "params: Tparams, indices: Tindices",
                             .outputs = "output: Tparams",
                             .attrs = "Tparams: type, Tindices: {int32, int64}",
                             .shape = gather_nd_shape,
                             .prepare = gather_nd_prepare,
                             .gradient = gather_nd_gradient};

void scatter_nd_shape(ShapeContext& c) {
  c.with_rank_at_least(0, 1, "indices");
  c.set_output(c.shape_from(2));
}

Kernel scatter_nd_prepare(const KernelSetup& s) {
  const Adder& adder = adder_of(s, s.dtype("T"));
  return [&adder, &m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const IntReader indices(c.input(0));
    const Tensor& updates = c.input(1);
    const Shape shape = shape_of_vector(c.input(2), "shape");
    const IndexTuples p = index_tuples(c, c.input(0).shape(), shape);
    const Shape expected = concat(c.input(0).shape().slice(0, -1), shape.slice(p.depth));
    if (!(updates.shape() == expected))
      c.fail(str_cat("updates must be ", expected, ", got ", updates.shape()));
    Tensor& out = c.allocate(0, shape);
    fill_all(c, m, out, m.zero);
    for (int64_t i = 0; i < p.looked_at(); ++i) {
      const int64_t place = place_of(c, indices, i, p, shape);
      void* const to = m.at(out, place * p.row);
      adder.add(to, m.at(updates, i * p.row), true, to, p.row);
    }
  };
}
Grads scatter_nd_gradient(const Operation& op, const Grads& dy) {
  return {Output(), gather_nd(dy[0], op.input(0)), Output()};
}
constexpr OpDef kScatterNd = {.name = "ScatterNd",
                              .inputs = "indices: Tindices, updates: T, shape: Tindices",
                              .outputs = "output: T",
                              .attrs = "T: type, Tindices: {int32, int64}",
                              .shape = scatter_nd_shape,
                              .prepare = scatter_nd_prepare,
                              .gradient = scatter_nd_gradient};

// ---- UnsortedSegmentSum -------------------------------------------------------------------------

void unsorted_segment_sum_shape(ShapeContext& c) {
  const Shape &data = c.input(0), &ids = c.input(1);
  c.with_rank(2, 0, "num_segments");
  if (!data.has_rank() || !ids.has_rank()) return;
  c.require(
      data.rank() >= ids.rank() && data.slice(0, ids.rank()).is_compatible_with(ids),
      str_cat("data of shape ", data, " does not begin with the extents of segment_ids, ", ids));
  const Tensor num = c.constant(2);
  if (num.valid()) c.require(IntReader(num)[0] >= 0, "num_segments must not be negative");
  c.set_output(
      concat(Shape{num.valid() ? IntReader(num)[0] : kUnknownDim}, data.slice(ids.rank())));
}

using Summed = TypeList<float, double, int32_t, int64_t, int8_t, int16_t, uint8_t, uint16_t,
                        std::complex<float>, std::complex<double>>;

// Adds columns [begin, end) of rows of n elements to those of their segments; negative ones skip.
template <class T>
void add_to_segments(const void* from, const IntReader& segments, int64_t n, int64_t begin,
                     int64_t end, void* sums) {
  for (int64_t i = 0; i < segments.size(); ++i) {
    if (segments[i] < 0) continue;
    each(end - begin, [to = static_cast<T*>(sums) + segments[i] * n + begin,
                       row = static_cast<const T*>(from) + i * n + begin](int64_t k) {
      to[k] = plus(to[k], row[k]);
    });
  }
}

Kernel unsorted_segment_sum_prepare(const KernelSetup& s) {
  const DType dtype = s.dtype("T");
  const auto add =
      by_types(Summed(), s, dtype, []<class T>() { return add_to_segments<Added<T>>; });
  return [add, &m = mover_of(s, dtype)](KernelContext& c) {
    const Tensor &data = c.input(0), &ids = c.input(1);
    const int64_t num = scalar_input(c, 2, "num_segments");
    if (num < 0) c.fail(str_cat("num_segments must not be negative, got ", num));
    if (data.rank() < ids.rank() || !(data.shape().slice(0, ids.rank()) == ids.shape())) {
      c.fail(str_cat("data of shape ", data.shape(),
                     " does not begin with the extents of segment_ids, ", ids.shape()));
    }
    const Shape row_shape = data.shape().slice(ids.rank());
    const int64_t row = row_shape.num_elements();
    const IntReader segments(ids);
    for (int64_t i = 0; i < segments.size(); ++i) {
      if (segments[i] >= num)
        c.fail(str_cat("segment_ids[", i, "] is ", segments[i], ", outside [0, ", num, ")"));
    }
    Tensor& out = c.allocate(0, concat(Shape{num}, row_shape));
    fill_all(c, m, out, m.zero);
    // Split by columns: one thread computes each sum, in the order of the rows, so that the bits do
    // not depend on the number of threads.
    c.parallel_for(row, static_cast<double>(segments.size()) / 8, [&](int64_t begin, int64_t end) {
      add(data.raw_data(), segments, row, begin, end, out.raw_data());
    });
  };
}

// The rows of dy by segment; zeros for ids that were skipped.
Grads unsorted_segment_sum_gradient(const Operation& op, const Grads& dy) {
  const Output ids = op.input(1);
  const Output rows = gather(dy[0], maximum(ids, zeros_like(ids)));
  Output taken = greater_equal(ids, 0);
  for (int i = ids.shape().rank(); i < rows.shape().rank(); ++i) taken = expand_dims(taken, -1);
  taken = logical_and(taken, ones_like(rows, {.dtype = DType::kBool}));
  return {where(taken, rows, zeros_like(rows)), Output(), Output()};
}

constexpr OpDef kUnsortedSegmentSum = {
    .name = "UnsortedSegmentSum",
    .inputs = "data: T, segment_ids: Tindices, num_segments: Tnumsegments",
    .outputs = "output: T",
    .attrs = "T: numbertype, Tindices: {int32, int64}, Tnumsegments: {int32, int64} = DT_INT32",
    .shape = unsorted_segment_sum_shape,
    .prepare = unsorted_segment_sum_prepare,
    .gradient = unsorted_segment_sum_gradient};

// ---- DynamicStitch ------------------------------------------------------------------------------

// True if the extents of `data` are, or for unknown ones may be, those of `indices` followed by
// those of `row`.
bool stitches(const Shape& indices, const Shape& data, const Shape& row) {
  return concat(indices, row).is_compatible_with(data);
}

void dynamic_stitch_shape(ShapeContext& c) {
  const int n = c.num_inputs() / 2;
  Shape row = Shape::unknown();
  int64_t places = 0;
  for (int i = 0; i < n; ++i) {
    const Shape &indices = c.input(i), &data = c.input(n + i);
    c.require(
        stitches(indices, data, row) &&
            (!indices.has_rank() || data.rank() < 0 || data.rank() >= indices.rank()),
        str_cat("data[", i, "] of shape ", data, " does not go with indices of shape ", indices));
    if (indices.has_rank() && data.has_rank()) row = merge(row, data.slice(indices.rank()));
    const Tensor value = c.constant(i);
    if (!value.valid()) places = kUnknownDim;
    for (int64_t k = 0; places >= 0 && k < value.num_elements(); ++k) {
      places = std::max(places, IntReader(value)[k] + 1);
    }
  }
  c.set_output(concat(Shape{places}, row));
}

Kernel dynamic_stitch_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const int n = c.num_inputs() / 2;
    const Shape row_shape = c.input(n).shape().slice(c.input(0).rank());
    const int64_t row = row_shape.num_elements();
    int64_t places = 0;
    for (int i = 0; i < n; ++i) {
      const Shape &indices = c.input(i).shape(), &data = c.input(n + i).shape();
      if (!stitches(indices, data, row_shape)) {
        c.fail(str_cat("data[", i, "] of shape ", data, " does not go with indices of shape ",
                       indices));
      }
      const IntReader at(c.input(i));
      check_indices(c, at, INT32_MAX, "indices");
      for (int64_t k = 0; k < at.size(); ++k) places = std::max(places, at[k] + 1);
    }
    Tensor& out = c.allocate(0, concat(Shape{places}, row_shape));
    fill_all(c, m, out, m.zero);
    for (int i = 0; i < n; ++i) {
      const IntReader at(c.input(i));
      const Tensor& data = c.input(n + i);
      for (int64_t k = 0; k < at.size(); ++k)
        m.copy(m.at(out, at[k] * row), m.at(data, k * row), row);
    }
  };
}

// True if a slice may be overwritten by a later one: unless all indices are known and different.
bool may_overwrite(const Operation& op, int n) {
  std::unordered_set<int64_t> seen;
  for (int i = 0; i < n; ++i) {
    const Tensor indices = op.input(i).graph().static_value(op.input(i));
    if (!indices.valid()) return true;
    for (const int64_t place : indices.to_int64s()) {
      if (!seen.insert(place).second) return true;
    }
  }
  return false;
}

Grads dynamic_stitch_gradient(const Operation& op, const Grads& dy) {
  const int n = op.num_inputs() / 2;
  Grads grads(static_cast<size_t>(2 * n));
  if (!may_overwrite(op, n)) {
    for (int i = 0; i < n; ++i) grads[static_cast<size_t>(n + i)] = gather(dy[0], op.input(i));
    return grads;
  }
  // All slices are numbered; stitching the numbers shows which slice is left at each place.
  std::vector<Output> places, numbers;
  Output count = constant(dy[0].graph(), int32_t{0});
  for (int i = 0; i < n; ++i) {
    places.push_back(reshape(op.input(i), {-1}));
    const Output next = count + size(op.input(i));
    numbers.push_back(range(count, next, 1));
    count = next;
  }
  const Output left = dynamic_stitch(places, numbers);
  for (size_t i = 0; i < places.size(); ++i) {
    const Output rows = gather(dy[0], places[i]),
                 is_left = equal(gather(left, places[i]), numbers[i]);
    grads[static_cast<size_t>(n) + i] =
        reshape(where(is_left, rows, zeros_like(rows)), shape(op.input(n + static_cast<int>(i))));
  }
  return grads;
}

constexpr OpDef dynamic_stitch_op(std::string_view name) {
  return {.name = name,
          .inputs = "indices: N * int32, data: N * T",
          .outputs = "merged: T",
          .attrs = "N: int >= 1, T: type",
          .shape = dynamic_stitch_shape,
          .prepare = dynamic_stitch_prepare,
          .gradient = dynamic_stitch_gradient};
}
constexpr OpDef kDynamicStitch = dynamic_stitch_op("DynamicStitch");
constexpr OpDef kParallelDynamicStitch = dynamic_stitch_op("ParallelDynamicStitch");

// ---- DynamicPartition ---------------------------------------------------------------------------

void dynamic_partition_shape(ShapeContext& c) {
  const Shape &data = c.input(0), &partitions = c.input(1);
  if (!data.has_rank() || !partitions.has_rank()) return;
  c.require(data.rank() >= partitions.rank() &&
                data.slice(0, partitions.rank()).is_compatible_with(partitions),
            str_cat("data of shape ", data, " does not begin with the extents of partitions, ",
                    partitions));
  for (int i = 0; i < c.num_outputs(); ++i) {
    c.set_output(i, concat(Shape{kUnknownDim}, data.slice(partitions.rank())));
  }
}

Kernel dynamic_partition_prepare(const KernelSetup& s) {
  return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const Tensor &data = c.input(0), &partitions = c.input(1);
    if (data.rank() < partitions.rank() ||
        !(data.shape().slice(0, partitions.rank()) == partitions.shape())) {
      c.fail(str_cat("data of shape ", data.shape(),
                     " does not begin with the extents of partitions, ", partitions.shape()));
    }
    const Shape row_shape = data.shape().slice(partitions.rank());
    const int64_t row = row_shape.num_elements();
    const IntReader part(partitions);
    check_indices(c, part, c.num_outputs(), "partitions");
    for (int p = 0; p < c.num_outputs(); ++p) {
      int64_t count = 0;
      for (int64_t i = 0; i < part.size(); ++i) count += part[i] == p;
      Tensor& out = c.allocate(p, concat(Shape{count}, row_shape));
      for (int64_t i = 0, at = 0; i < part.size(); ++i) {
        if (part[i] == p) m.copy(m.at(out, at++ * row), m.at(data, i * row), row);
      }
    }
  };
}

// The numbers of the slices are partitioned in the same way; they give the place of each slice of
// dy.
Grads dynamic_partition_gradient(const Operation& op, const Grads& dy) {
  const Output data = op.input(0), partitions = op.input(1);
  const Output prefix = shape(partitions);
  const Output numbers = reshape(range(0, reduce_prod(prefix), 1), prefix);
  std::vector<Output> inputs = dynamic_partition(numbers, partitions, op.num_outputs());
  for (int i = 0; i < op.num_outputs(); ++i) {
    const Output& g = dy[static_cast<size_t>(i)];
    inputs.push_back(g ? g : zeros_like(op.output(i)));
  }
  const Output stitched =
      add_node(kParallelDynamicStitch, inputs, {{"N", int64_t{op.num_outputs()}}});
  return {reshape(stitched, shape(data)), Output()};
}

constexpr OpDef kDynamicPartition = {.name = "DynamicPartition",
                                     .inputs = "data: T, partitions: int32",
                                     .outputs = "outputs: num_partitions * T",
                                     .attrs = "num_partitions: int >= 1, T: type",
                                     .shape = dynamic_partition_shape,
                                     .prepare = dynamic_partition_prepare,
                                     .gradient = dynamic_partition_gradient};

}  // namespace

Output gather(const Operand& params, const Operand& indices, const GatherOptions& options) {
  const BuilderScope b(params, "GatherV2", options.name);
  const Output at = indices.in(b.graph(), DType::kInt32, "indices");
  return b.add(kGatherV2,
               {params.output(), at, Operand(options.axis).in(b.graph(), DType::kInt32, "axis")});
}
Output gather(const Operand& params, std::initializer_list<int64_t> indices,
              const GatherOptions& options) {
  return gather(params, Operand(IntList(indices).tensor(), params.at()), options);
}

Output gather_nd(const Operand& params, const Operand& indices, const NameOptions& options) {
  const BuilderScope b(params, "GatherNd", options.name);
  return b.add(kGatherNd, {params.output(), indices.in(b.graph(), DType::kInt32, "indices")});
}

Output scatter_nd(const Operand& indices, const Operand& updates, const IntList& shape,
                  const NameOptions& options) {
  const BuilderScope b(indices, "ScatterNd", options.name);
  const Output& at = indices.output();
  const Output rows = updates.in(b.graph(), DType::kFloat, "updates");
  return b.add(kScatterNd, {at, rows, shape.in(b, "shape", base_dtype(at.dtype()))});
}

Output unsorted_segment_sum(const Operand& data, const Operand& segment_ids,
                            const Operand& num_segments, const NameOptions& options) {
  const BuilderScope b(data, "UnsortedSegmentSum", options.name);
  return b.add(kUnsortedSegmentSum,
               {data.output(), segment_ids.in(b.graph(), DType::kInt32, "segment_ids"),
                num_segments.in(b.graph(), DType::kInt32, "num_segments")});
}

Output dynamic_stitch(const std::vector<Output>& indices, const std::vector<Output>& data,
                      const NameOptions& options, SourceLocation at) {
  if (indices.empty() || indices.size() != data.size()) {
    fail(Code::kInvalidArgument, "dynamic_stitch (", at.str(), "): ", indices.size(),
         " indices and ", data.size(), " data given");
  }
  std::vector<Output> inputs = indices;
  inputs.insert(inputs.end(), data.begin(), data.end());
  return add_node(kDynamicStitch, inputs, {{"N", static_cast<int64_t>(data.size())}}, options.name,
                  at);
}

std::vector<Output> dynamic_partition(const Operand& data, const Operand& partitions, int64_t num,
                                      const NameOptions& options) {
  const BuilderScope b(data, "DynamicPartition", options.name);
  return outputs_of(b.add_op(kDynamicPartition,
                             {data.output(), partitions.in(b.graph(), DType::kInt32, "partitions")},
                             {{"num_partitions", num}}));
}

std::span<const OpDef* const> gather_ops() {
  static constexpr const OpDef* kOps[] = {
      &kDynamicPartition, &kDynamicStitch,         &kGather,    &kGatherNd,
      &kGatherV2,         &kParallelDynamicStitch, &kScatterNd, &kUnsortedSegmentSum};
  return kOps;
}

}  // namespace cairn
