// Boxes cut out of tensors.
#pragma once

#include <span>
#include <string>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// The box of x that begins at `begin` and has `size` (TensorFlow's Slice); a size of -1 reaches to
// the end. Throws InvalidArgument when the box is not inside x.
//   slice(x, {1, 0}, {2, -1})                  // rows 1 and 2
Output slice(const Operand& x, const IntList& begin, const IntList& size,
             const NameOptions& options = {});

// Bit i speaks of begin[i], end[i], strides[i].
struct StridedSliceOptions {
  // from the very beginning, to the very end: begin[i], end[i] do not count
  int64_t begin_mask = 0, end_mask = 0;
  // one bit at most: stands for all extents not told otherwise, "..."
  int64_t ellipsis_mask = 0;
  int64_t new_axis_mask = 0;     // puts in an extent of 1 here
  int64_t shrink_axis_mask = 0;  // takes the one place begin[i] and leaves the extent out
  std::string name = "";
};
// Every strides[i]-th place of extent i from begin[i] up to but not including end[i], which may be
// negative (counted from the end) and are clamped as Python's slices are (TensorFlow's
// StridedSlice). Extents beyond those told are taken whole. Named strided_slice with constants
// stack, stack_1, stack_2 when all three are lists, as Python's x[…] is; else StridedSlice. Throws
// InvalidArgument for a stride of 0, a shrunk place outside x, more places than extents.
//   strided_slice(x, {0, 1}, {0, 5}, {1, 2}, {.begin_mask = 1, .end_mask = 1})  // x[:, 1:5:2]
Output strided_slice(const Operand& x, const IntList& begin, const IntList& end,
                     const IntList& strides, const StridedSliceOptions& options = {});
// x[i], for negative i from the end: a strided_slice that leaves out extent 0.
Output element(const Operand& x, int64_t i, const NameOptions& options = {});
// x[i:]
Output tail(const Operand& x, int64_t i, const NameOptions& options = {});

// For the gradient of strided_slice: zeros of shape `shape`, with dy where the slice was
// (TensorFlow's StridedSliceGrad).
Output strided_slice_grad(const Output& shape, const Output& begin, const Output& end,
                          const Output& strides, const Output& dy,
                          const StridedSliceOptions& options = {},
                          SourceLocation at = SourceLocation::current());

std::span<const OpDef* const> slicing_ops();

}  // namespace cairn
