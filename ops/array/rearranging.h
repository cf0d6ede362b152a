// The elements of a tensor in another order, repeated, or with a border.
#pragma once

#include <span>
#include <string>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// Extent i of the result is extent perm[i] of x (TensorFlow's Transpose); without perm the extents
// are reversed, which turns a matrix over. Throws InvalidArgument unless perm names every extent
// once.
//   transpose(x, {0, 3, 1, 2})                 // NHWC -> NCHW
Output transpose(const Operand& x, const IntList& perm, const NameOptions& options = {});
Output transpose(const Operand& x, const NameOptions& options = {});

// The permutation that undoes `perm` (TensorFlow's InvertPermutation).
Output invert_permutation(const Operand& perm, const NameOptions& options = {});

// x with the order of its places reversed along the named extents, negative ones from the end
// (TensorFlow's ReverseV2).
//   reverse(x, {-1})
Output reverse(const Operand& x, const IntList& axis, const NameOptions& options = {});

// x repeated multiples[i] times along extent i (TensorFlow's Tile). Throws InvalidArgument unless
// there is a number, not negative, for each extent.
Output tile(const Operand& x, const IntList& multiples, const NameOptions& options = {});

// x with a border of zeros (TensorFlow's Pad), or of `value`, a scalar (PadV2). paddings: a
// [rank,2] int32 or int64 tensor of how many places go before and after each extent.
//   pad(x, {{1, 1}, {0, 2}})
Output pad(const Operand& x, const Output& paddings, const NameOptions& options = {});
Output pad(const Operand& x, const Output& paddings, const Operand& value,
           const NameOptions& options = {});
Output pad(const Operand& x, std::initializer_list<std::initializer_list<int64_t>> paddings,
           const NameOptions& options = {});

std::span<const OpDef* const> rearranging_ops();

}  // namespace cairn
