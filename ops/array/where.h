// Tensors stretched to a shape, and elements chosen by a condition that may be stretched itself.
// Choosing among tensors of one shape is where() in ops/math/math.h.
#pragma once

#include <span>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// x repeated along extents of 1, and along new ones in front, until it is of `shape` (TensorFlow's
// BroadcastTo). Throws InvalidArgument where x cannot be stretched to that.
//   broadcast_to(row, {3, 4})           // [4] -> [3,4]
Output broadcast_to(const Operand& x, const IntList& shape, const NameOptions& options = {});

// Elements of x where `condition` holds, of y elsewhere, all three stretched to a common shape
// (TensorFlow's SelectV2; tf.where_v2). x and y are of one dtype; a number takes the other's.
Output where_v2(const Operand& condition, const Operand& x, const Operand& y,
                const NameOptions& options = {});

// Where `condition` is true, or not zero: an int64 tensor [n, rank] with a row of indices for each
// of the n places, in order (TensorFlow's Where; tf.where with one argument). How many there are
// shows when it runs.
Output where_indices(const Operand& condition, const NameOptions& options = {});

std::span<const OpDef* const> where_ops();

}  // namespace cairn
