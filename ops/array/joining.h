// Joining tensors, and splitting one.
//
//   concat({a, b}, 1)                 // [2,3], [2,4] -> [2,7]
//   stack({a, c})                     // [2,3], [2,3] -> [2,2,3]
//   split(x, 2, {.axis = 1})          // [2,6] -> [2,3], [2,3]
//
// Calls that fail, with InvalidArgument:
//
//   concat({a, b}, 0);                // values differ outside of axis 0: [?,3] and [2,4]
//   split(x, 4, {.axis = 1});         // extent 1 of [2,6] does not split into 4 equal pieces
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct AxisOptions {
  int64_t axis = 0;  // negative: counted from the end
  std::string name = "";
};

// Tensors one after another along `axis`, a number or an int32 or int64 scalar of the graph
// (TensorFlow's ConcatV2). All other extents must be equal. At least one value is a tensor of the
// graph; numbers and plain tensors become constants of its dtype. A single value gives an Identity.
// Any dtype. Throws InvalidArgument for an empty list, scalars, an axis out of range and extents
// that differ.
Output concat(const std::vector<Operand>& values, const Operand& axis,
              const NameOptions& options = {});

// Tensors of one shape along a new extent at `axis` (TensorFlow's Pack). Numbers among the values
// become constants of the dtype of the others. Throws InvalidArgument for an empty list, and for
// shapes that differ ("values must be of one shape, got [2,3] and [2,4]").
//
//   stack({a, b})                 // [2,3], [2,3] -> [2,2,3]
//   stack({size(x), 1})           // a vector of two numbers
Output stack(const std::vector<Operand>& values, const AxisOptions& options = {},
             SourceLocation at = SourceLocation::current());

// The slices of x along `axis`, one tensor for each index, without that extent (TensorFlow's
// Unpack). Throws InvalidArgument if the extent is not known ("unstack (a.cc:7): extent 0 of x:0
// [?,3] is not known; say how many").
std::vector<Output> unstack(const Operand& x, const AxisOptions& options = {});
// The same for an extent that the graph does not know. A run in which it is not `num` throws
// InvalidArgument.
std::vector<Output> unstack(const Operand& x, int64_t num, const AxisOptions& options = {});

// x split along `axis` into `num` equal pieces (TensorFlow's Split), or into pieces of `sizes`, one
// of which may be -1 for the rest (SplitV). Throws InvalidArgument if the extent is not a multiple
// of num, or the sizes do not add up to it.
std::vector<Output> split(const Operand& x, int64_t num, const AxisOptions& options = {});
std::vector<Output> split(const Operand& x, const std::vector<int64_t>& sizes,
                          const AxisOptions& options = {});
// The same with sizes (a vector of `num` integers) and axis computed by the graph.
std::vector<Output> split_v(const Operand& x, const Output& sizes, const Operand& axis, int64_t num,
                            const NameOptions& options = {});

// For the gradient of concat(): the offset of each part in the result, given the shapes of the
// parts (TensorFlow's ConcatOffset). axis: an int32 scalar; shapes and results: int32 vectors.
std::vector<Output> concat_offset(const Output& axis, const std::vector<Output>& shapes,
                                  const NameOptions& options = {},
                                  SourceLocation at = SourceLocation::current());

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> joining_ops();

}  // namespace cairn
