// Integers that say how an op is done: axes, extents, shapes. Shape functions and kernels check
// them alike.
#pragma once

#include <span>
#include <string>

#include "runtime/exec/context.h"

namespace cairn {

// The elements of an int32, int64 or uint8 tensor of any shape, read as int64.
class IntReader {
 public:
  explicit IntReader(const Tensor& t)
      : data_(t.raw_data()),
        size_(t.num_elements()),
        width_(static_cast<int>(dtype_size(t.dtype()))) {}
  int64_t size() const { return size_; }
  int64_t operator[](int64_t i) const {
    if (width_ == 4) return static_cast<const int32_t*>(data_)[i];
    return width_ == 8 ? static_cast<const int64_t*>(data_)[i]
                       : static_cast<const uint8_t*>(data_)[i];
  }

 private:
  const void* data_;
  int64_t size_;
  int width_;
};

// All functions below throw InvalidArgument.

// The integers at input i, which must be a vector; shape functions check that only if ranks are
// known.
IntReader vector_input(const KernelContext& c, int i, const char* what);
// The integer at input i, which must be the only one there.
int64_t scalar_input(const KernelContext& c, int i, const char* what);
// The shape given by an integer vector, without negative extents.
Shape shape_of_vector(const Tensor& dims, const char* what);

// The elements of `out`, an int32 or int64 tensor, become these integers, which must fit.
void put_integers(const KernelContext& c, Tensor& out, std::span<const int64_t> values);

// `axis` counted from the front, for a tensor of `rank` (for an axis to be inserted: its rank + 1).
int axis_of(int64_t axis, int rank, const char* what = "axis");

// a * b and a + b of extents, none negative. Throw if the result does not fit in 63 bits.
int64_t times_extent(int64_t a, int64_t b);
int64_t plus_extent(int64_t a, int64_t b);

// The products of the extents before and after `axis`: a tensor as [before, shape[axis], after].
int64_t extents_before(const Shape& shape, int axis);
int64_t extents_after(const Shape& shape, int axis);

}  // namespace cairn
