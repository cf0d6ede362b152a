// The shape of a tensor: asked for, and changed without touching the elements.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct ShapeOptions {
  DType out_type = DType::kInt32;  // or kInt64
  bool optimize = true;            // false: a node even where the graph knows
  std::string name = "";
};

// The shape of x as a vector, the number of its elements, the number of its extents (int32). A
// constant where the graph knows it, else TensorFlow's Shape, Size, Rank.
Output shape(const Operand& x, const ShapeOptions& options = {});
Output size(const Operand& x, const ShapeOptions& options = {});
Output rank(const Operand& x, const NameOptions& options = {});
// The shapes of several tensors of one dtype (TensorFlow's ShapeN). Throws InvalidArgument for
// none.
std::vector<Output> shape_n(const std::vector<Output>& xs, const ShapeOptions& options = {},
                            SourceLocation at = SourceLocation::current());

// The elements of x under another shape (TensorFlow's Reshape). One extent may be -1: what is left.
// Throws InvalidArgument when the counts of elements differ.
//   reshape(images, {-1, 784});
Output reshape(const Operand& x, const IntList& shape, const NameOptions& options = {});

// x with an extent of 1 put in before `axis`; negative axes count from the end of the result
// (TensorFlow's ExpandDims).
Output expand_dims(const Operand& x, const Operand& axis, const NameOptions& options = {});

struct SqueezeOptions {
  std::vector<int64_t> axis = {};  // which extents; by default all that are 1
  std::string name = "";
};
// x without extents of 1 (TensorFlow's Squeeze). Throws InvalidArgument when a named one is not 1.
Output squeeze(const Operand& x, const SqueezeOptions& options = {});

// For gradients of ops that broadcast operands of shapes s0 and s1: over which extents of the
// result each operand's gradient is to be summed (TensorFlow's BroadcastGradientArgs).
std::pair<Output, Output> broadcast_gradient_args(const Output& s0, const Output& s1,
                                                  const NameOptions& options = {},
                                                  SourceLocation at = SourceLocation::current());

std::span<const OpDef* const> reshape_ops();

}  // namespace cairn
