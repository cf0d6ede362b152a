#include "ops/core/reduction.h"

#include "ops/core/extents.h"

namespace cairn {

std::vector<bool> reduced_axes(std::span<const int64_t> values, int rank) {
  std::vector<bool> reduced(static_cast<size_t>(rank));
  for (int64_t axis : values) {
    const auto at = static_cast<size_t>(axis_of(axis, rank));
    if (reduced[at]) fail(Code::kInvalidArgument, "axis ", axis, " is named twice");
    reduced[at] = true;
  }
  return reduced;
}

Shape reduce_shape(const Shape& shape, const std::vector<bool>& reduced, bool keep_dims) {
  Shape left;
  for (int i = 0; i < shape.rank(); ++i) {
    if (!reduced[static_cast<size_t>(i)]) {
      left.append(shape[i]);
    } else if (keep_dims) {
      left.append(1);
    }
  }
  return left;
}

Reduction::Reduction(const Shape& from, const Tensor& axes, bool keep_dims) {
  const int rank = from.rank();
  uint64_t reduced_bits = 0;  // bits and not a vector: steps must not allocate
  if (rank > 64) fail(Code::kUnimplemented, "a reduction of a tensor of rank ", rank);
  const IntReader given(axes);
  for (int64_t i = 0; i < given.size(); ++i) {
    const uint64_t bit = uint64_t{1} << axis_of(given[i], rank);
    if (reduced_bits & bit) fail(Code::kInvalidArgument, "axis ", given[i], " is named twice");
    reduced_bits |= bit;
  }
  struct Extent {
    int64_t size;
    bool reduced;
  };
  std::array<Extent, kMax> extents;  // fastest first
  int n = 0;
  for (int i = 0; i < rank; ++i) {
    const bool reduced = reduced_bits >> i & 1;
    if (!reduced || keep_dims) shape.append(reduced ? 1 : from[i]);
  }
  for (int i = rank; i-- > 0;) {
    const bool reduced = reduced_bits >> i & 1;
    if (from[i] == 1) continue;
    if (n > 0 && extents[n - 1].reduced == reduced) {
      extents[n - 1].size *= from[i];
    } else if (n == kMax) {
      fail(Code::kUnimplemented, "a reduction with more than ", kMax,
           " alternations of kept and reduced axes");
    } else {
      extents[n++] = {from[i], reduced};
    }
  }
  if (n == 0) return;  // one element
  inner = extents[0].size;
  inner_reduced = extents[0].reduced;
  int64_t stride = inner;
  for (int i = 1; i < n; ++i) {
    Strides& walk = extents[i].reduced ? this->reduced : kept;
    walk.extent[walk.n] = extents[i].size;
    walk.stride[walk.n++] = stride;
    walk.count *= extents[i].size;
    stride *= extents[i].size;
  }
  // Collected from the fastest extent on, used from the slowest.
  for (Strides* walk : {&kept, &this->reduced}) {
    std::reverse(walk->extent.begin(), walk->extent.begin() + walk->n);
    std::reverse(walk->stride.begin(), walk->stride.begin() + walk->n);
  }
}

}  // namespace cairn
