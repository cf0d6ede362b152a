#include "ops/core/extents.h"

namespace cairn {

IntReader vector_input(const KernelContext& c, int i, const char* what) {
  if (c.input(i).rank() != 1)
    c.fail(str_cat(what, " must be a vector, got shape ", c.input(i).shape()));
  return IntReader(c.input(i));
}

int64_t scalar_input(const KernelContext& c, int i, const char* what) {
  if (c.input(i).num_elements() != 1) c.fail(str_cat(what, " must be a scalar"));
  return IntReader(c.input(i))[0];
}

Shape shape_of_vector(const Tensor& dims, const char* what) {
  if (dims.rank() > 1)
    fail(Code::kInvalidArgument, what, " must be a vector, got shape ", dims.shape());
  const IntReader values(dims);
  Shape shape;
  for (int64_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0)
      fail(Code::kInvalidArgument, what, "[", i, "] is ", values[i],
           ": an extent must not be negative");
    shape.append(values[i]);
  }
  return shape;
}

void put_integers(const KernelContext& c, Tensor& out, std::span<const int64_t> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (out.dtype() == DType::kInt64) {
      static_cast<int64_t*>(out.raw_data())[i] = values[i];
    } else if (values[i] <= INT32_MAX) {
      static_cast<int32_t*>(out.raw_data())[i] = static_cast<int32_t>(values[i]);
    } else {
      c.fail(str_cat(values[i], " does not fit out_type int32; ask for int64"));
    }
  }
}

int axis_of(int64_t axis, int rank, const char* what) {
  if (axis < -rank || axis >= rank) {
    fail(Code::kInvalidArgument, what, " ", axis, " is not in [", -rank, ", ", rank,
         "), the axes of a tensor of rank ", rank);
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

int64_t times_extent(int64_t a, int64_t b) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product))
    fail(Code::kInvalidArgument, "an extent of ", a, " times ", b, " is out of range");
  return product;
}
int64_t plus_extent(int64_t a, int64_t b) {
  int64_t sum;
  if (__builtin_add_overflow(a, b, &sum))
    fail(Code::kInvalidArgument, "an extent of ", a, " plus ", b, " is out of range");
  return sum;
}

namespace {
int64_t product_of(const Shape& shape, int begin, int end) {
  int64_t product = 1;
  for (int i = begin; i < end; ++i) product *= shape[i];
  return product;
}
}  // namespace

int64_t extents_before(const Shape& shape, int axis) { return product_of(shape, 0, axis); }
int64_t extents_after(const Shape& shape, int axis) {
  return product_of(shape, axis + 1, shape.rank());
}

}  // namespace cairn
