// Slices of tensors.
//
//   slice(x, {1, 0}, {2, -1})                  // rows 1 and 2
//   element(x, -1)                             // the last row: also x[-1]
//   tail(x, 1)                                 // all rows but the first
#pragma once

#include <span>
#include <string>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// The part of x that begins at `begin` and has the extents `size` (TensorFlow's Slice); a size of
// -1 reaches to the end. Any dtype. Throws InvalidArgument if it is not inside x, when built or
// run.
//
//   slice(x, {0, 2}, {1, 5})     // x [3,4]: begin 2 and size 5 do not fit extent 1 of [3,4]
Output slice(const Operand& x, const IntList& begin, const IntList& size,
             const NameOptions& options = {});

// Masks: bit i refers to begin[i], end[i] and strides[i].
struct StridedSliceOptions {
  // begin[i] or end[i] is ignored: from the first element, up to the last
  int64_t begin_mask = 0, end_mask = 0;
  // at most one bit: "...", all extents that are not listed
  int64_t ellipsis_mask = 0;
  int64_t new_axis_mask = 0;     // inserts an extent of 1 here
  int64_t shrink_axis_mask = 0;  // takes element begin[i] and removes the extent
  std::string name = "";
};
// Every strides[i]-th element of extent i from begin[i] up to but not including end[i]
// (TensorFlow's StridedSlice). Both may be negative (counted from the end) and are clamped as in
// Python's slices. Extents that are not listed are taken whole. Named strided_slice with constants
// stack, stack_1, stack_2 when all three are lists, as Python's x[…] is; else StridedSlice. Throws
// InvalidArgument for a stride of 0, an index of shrink_axis_mask outside x, and more numbers than
// extents.
//
//   strided_slice(x, {0, 1}, {0, 5}, {1, 2}, {.begin_mask = 1, .end_mask = 1})  // x[:, 1:5:2]
//   strided_slice(x, {0}, {9}, {0});           // the stride of extent 0 is 0
Output strided_slice(const Operand& x, const IntList& begin, const IntList& end,
                     const IntList& strides, const StridedSliceOptions& options = {});
// Row i of x, for a negative i counted from the end: a strided_slice that removes extent 0. Throws
// InvalidArgument if there is no row i ("index 3 is outside extent 0, which is 3").
Output element(const Operand& x, int64_t i, const NameOptions& options = {});
// The rows of x from i on: x[i:].
Output tail(const Operand& x, int64_t i, const NameOptions& options = {});

// For the gradient of strided_slice(): zeros of shape `shape`, with dy at the elements that the
// slice took (TensorFlow's StridedSliceGrad).
Output strided_slice_grad(const Output& shape, const Output& begin, const Output& end,
                          const Output& strides, const Output& dy,
                          const StridedSliceOptions& options = {},
                          SourceLocation at = SourceLocation::current());

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> slicing_ops();

}  // namespace cairn
