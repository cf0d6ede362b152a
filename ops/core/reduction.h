// A reduction of a tensor along axes, reduced to loops for its kernel.
#pragma once

#include <array>
#include <span>

#include "runtime/exec/context.h"

namespace cairn {

// The axes in `values`, as one flag per extent of a tensor of `rank`; negative axes count from the
// end. Throws InvalidArgument for one out of range or named twice.
std::vector<bool> reduced_axes(std::span<const int64_t> values, int rank);
// The shape of the result.
Shape reduce_shape(const Shape& shape, const std::vector<bool>& reduced, bool keep_dims);

// The tensor as alternating kept and reduced extents (extents of 1 dropped, neighbours joined); the
// innermost is handled apart, the outer ones are stepped through by their strides.
struct Reduction {
  static constexpr int kMax = 16;
  // Throws like reduced_axes; Unimplemented beyond kMax alternations.
  Reduction(const Shape& shape, const Tensor& axes, bool keep_dims);

  struct Strides {
    int n = 0;
    int64_t count = 1;
    std::array<int64_t, kMax> extent, stride;
    int64_t offset(int64_t index) const {
      if (n <= 1) return n == 0 ? 0 : index * stride[0];
      int64_t at = 0;
      for (int i = n; i-- > 0; index /= extent[i]) at += index % extent[i] * stride[i];
      return at;
    }
  };

  Shape shape;                 // of the result
  int64_t inner = 1;           // adjacent elements
  bool inner_reduced = false;  // these are all reduced to one, or all kept
  Strides kept, reduced;       // the outer ones, slowest first
  // Elements per result.
  int64_t count() const { return reduced.count * (inner_reduced ? inner : 1); }
  int64_t results() const { return kept.count * (inner_reduced ? 1 : inner); }
};

}  // namespace cairn
