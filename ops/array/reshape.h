// The shape of a tensor: as a tensor itself, and changed without moving the elements.
//
//   reshape(images, {-1, 784});           // [100,28,28] -> [100,784]
//   expand_dims(x, -1);                   // [2,3] -> [2,3,1]
//   shape(x, {.out_type = DType::kInt64});
//
// Calls that fail, with InvalidArgument, when built if the shapes are known, else when run:
//
//   reshape(x, {4});                // a tensor of 6 elements cannot have the shape [4]
//   reshape(x, {-1, -1});           // only one extent may be -1, got [?,?]
//   squeeze(x, {.axis = {0}});      // extent 0 of shape [2,3] is not 1, and cannot be left out
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct ShapeOptions {
  DType out_type = DType::kInt32;  // or kInt64
  bool optimize = true;            // false: a node also where the shape is known
  std::string name = "";
};

// The shape of x as a vector, the number of elements, the number of extents (always int32). A
// constant where the graph knows it, else TensorFlow's Shape, Size, Rank. Throw InvalidArgument if
// a number does not fit out_type int32, when built if it is known, else when run.
Output shape(const Operand& x, const ShapeOptions& options = {});
Output size(const Operand& x, const ShapeOptions& options = {});
Output rank(const Operand& x, const NameOptions& options = {});
// The shapes of several tensors of one dtype (TensorFlow's ShapeN). Throws InvalidArgument for an
// empty list.
std::vector<Output> shape_n(const std::vector<Output>& xs, const ShapeOptions& options = {},
                            SourceLocation at = SourceLocation::current());

// The elements of x under another shape, sharing them (TensorFlow's Reshape). One extent may be -1:
// it is computed from the others. Throws InvalidArgument if the numbers of elements differ, and for
// a -1 that a tensor without elements does not determine ([0] as {0, -1}).
Output reshape(const Operand& x, const IntList& shape, const NameOptions& options = {});

// x with an extent of 1 inserted before `axis`, a number or an integer scalar; negative axes count
// from the end of the result (TensorFlow's ExpandDims). Throws InvalidArgument for an axis out of
// range.
Output expand_dims(const Operand& x, const Operand& axis, const NameOptions& options = {});

struct SqueezeOptions {
  std::vector<int64_t> axis = {};  // which extents; default: all that are 1
  std::string name = "";
};
// x without its extents of 1, or without those in `axis` (TensorFlow's Squeeze). Throws
// InvalidArgument if one of these is not 1.
Output squeeze(const Operand& x, const SqueezeOptions& options = {});

// For gradients of ops that broadcast operands of shapes s0 and s1: the axes of the result over
// which the gradient of each operand is summed (TensorFlow's BroadcastGradientArgs). s0, s1: int32
// or int64 vectors.
std::pair<Output, Output> broadcast_gradient_args(const Output& s0, const Output& s1,
                                                  const NameOptions& options = {},
                                                  SourceLocation at = SourceLocation::current());

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> reshape_ops();

}  // namespace cairn
