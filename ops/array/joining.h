// Joining tensors into one, and taking one apart.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct AxisOptions {
  int64_t axis = 0;  // negative: from the end
  std::string name = "";
};

// Tensors one after another along `axis`, a number or a scalar of the graph (TensorFlow's
// ConcatV2). All extents but that one must be equal; numbers and tensors among the values become
// constants of the others' dtype. One value alone gives an Identity. Throws InvalidArgument for
// none.
//   concat({a, b}, 1)                 // [2,3], [2,4] -> [2,7]
Output concat(const std::vector<Operand>& values, const Operand& axis,
              const NameOptions& options = {});

// Tensors of one shape along a new extent (TensorFlow's Pack).
//   stack({a, b})  // [2,3], [2,3] -> [2,2,3];   stack({size(x), 1}) is a vector of two
Output stack(const std::vector<Operand>& values, const AxisOptions& options = {},
             SourceLocation at = SourceLocation::current());

// x taken apart along `axis` into one tensor for each place, without that extent (TensorFlow's
// Unpack). Throws InvalidArgument when the extent is not known.
std::vector<Output> unstack(const Operand& x, const AxisOptions& options = {});
// The same for an extent that only the caller knows. Runs throw InvalidArgument when it is not
// `num`.
std::vector<Output> unstack(const Operand& x, int64_t num, const AxisOptions& options = {});

// x cut along `axis` into `num` equal pieces (TensorFlow's Split), or into pieces of `sizes`, one
// of which may be -1 for what is left (SplitV). Throws InvalidArgument when that does not come out
// even.
std::vector<Output> split(const Operand& x, int64_t num, const AxisOptions& options = {});
std::vector<Output> split(const Operand& x, const std::vector<int64_t>& sizes,
                          const AxisOptions& options = {});
// The same with sizes (a vector of `num`) and axis computed by the graph.
std::vector<Output> split_v(const Operand& x, const Output& sizes, const Operand& axis, int64_t num,
                            const NameOptions& options = {});

// For the gradient of concatenation: where in the result each part, given by its shape, begins
// (TensorFlow's ConcatOffset).
std::vector<Output> concat_offset(const Output& axis, const std::vector<Output>& shapes,
                                  const NameOptions& options = {},
                                  SourceLocation at = SourceLocation::current());

std::span<const OpDef* const> joining_ops();

}  // namespace cairn
