// The elements of a tensor permuted, reversed, repeated or padded. All dtypes, up to rank 16
// (Unimplemented beyond).
//
//   transpose(images, {0, 3, 1, 2})            // NHWC -> NCHW
//   pad(x, {{1, 1}, {0, 2}})                   // [2,3] -> [4,5]
//
// Calls that fail, with InvalidArgument:
//
//   transpose(x, {0, 0});                      // perm names 0 twice
//   reverse(x, {1, -1});                       // axis 1 is named twice
//   pad(x, {{1, -1}, {0, 2}});                 // paddings[0] is [1,-1]
#pragma once

#include <span>
#include <string>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// Extent i of the result is extent perm[i] of x (TensorFlow's Transpose); without perm the order of
// the extents is reversed, which transposes a matrix. Throws InvalidArgument unless perm contains
// every extent once.
Output transpose(const Operand& x, const IntList& perm, const NameOptions& options = {});
Output transpose(const Operand& x, const NameOptions& options = {});

// The inverse of `perm`, an int32 or int64 vector (TensorFlow's InvertPermutation). A run throws
// InvalidArgument if perm is not a permutation of 0 ... n-1.
Output invert_permutation(const Operand& perm, const NameOptions& options = {});

// x with the order of its elements reversed along the given axes; negative axes count from the end
// (TensorFlow's ReverseV2). Throws InvalidArgument for an axis out of range or named twice.
//
//   reverse(x, {-1})                           // every row backwards
Output reverse(const Operand& x, const IntList& axis, const NameOptions& options = {});

// x repeated multiples[i] times along extent i (TensorFlow's Tile). Throws InvalidArgument unless
// there is one number for each extent, none negative.
//
//   tile(row, {3, 1})                          // [1,4] -> [3,4]
Output tile(const Operand& x, const IntList& multiples, const NameOptions& options = {});

// x with a border of zeros (TensorFlow's Pad), or of `value`, a scalar (PadV2). paddings: an int32
// or int64 tensor [rank,2], or a list; row i is how many elements are added before and after extent
// i. Throws InvalidArgument for a negative number or another shape of paddings.
Output pad(const Operand& x, const Output& paddings, const NameOptions& options = {});
Output pad(const Operand& x, const Output& paddings, const Operand& value,
           const NameOptions& options = {});
Output pad(const Operand& x, std::initializer_list<std::initializer_list<int64_t>> paddings,
           const NameOptions& options = {});

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> rearranging_ops();

}  // namespace cairn
