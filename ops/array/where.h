// Broadcasting to a shape, and selection by a condition that is broadcast. Selection among tensors
// of one shape is where() in ops/math/math.h.
//
//   where_v2(greater(x, 0.0f), x, 0.0f)    // x [2,3]: relu, the number stretched to [2,3]
//   broadcast_to(row, {3, 5});             // InvalidArgument: a tensor of shape [4] cannot be
//                                          // stretched to [3,5]
#pragma once

#include <span>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// x repeated along its extents of 1, and along new extents in front, to have `shape` (TensorFlow's
// BroadcastTo). Any dtype, up to rank 16. Throws InvalidArgument if x does not broadcast to that
// shape.
//
//   broadcast_to(row, {3, 4})           // [4] -> [3,4]
Output broadcast_to(const Operand& x, const IntList& shape, const NameOptions& options = {});

// Elements of x where `condition` is true, of y elsewhere, all three broadcast to a common shape
// (TensorFlow's SelectV2; tf.where_v2). condition: bool. x and y have one dtype; a number takes
// that of the other. Throws InvalidArgument if the shapes do not broadcast.
Output where_v2(const Operand& condition, const Operand& x, const Operand& y,
                const NameOptions& options = {});

// The indices of the elements of `condition` that are true, or not zero: an int64 tensor [n, rank],
// one row for each, in row-major order (TensorFlow's Where; tf.where with one argument). n is known
// only at run time.
Output where_indices(const Operand& condition, const NameOptions& options = {});

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> where_ops();

}  // namespace cairn
