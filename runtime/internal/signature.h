// Fits a node to its op's signature.
#pragma once

#include "runtime/node.h"

namespace cairn::internal {

// More inputs or outputs than this has no node; a number in a damaged file may say so.
inline constexpr int64_t kMostOutputs = 1 << 16;

// Checks the node's inputs against its op, sets the attributes that they decide (T, N), and sets output_dtypes.
// Strict: also checks every attribute against what the op allows and stores defaults for those left out; else
// attributes that have a default stay left out. Throws InvalidArgument naming the node, what was expected and what was
// found.
void bind_signature(Node& node, bool strict);

// For nodes from files, whose attributes were taken as they stood: throws InvalidArgument unless each is of the kind, and
// among the values, that the op allows. Kernels count on it.
void check_attrs(const Node& node);

// The dtype that the node's attributes say for input i; kInvalid where they do not.
DType expected_dtype(const Node& node, size_t i);

// Sets output_dtypes from the attributes alone. Throws InvalidArgument when they do not say.
void bind_outputs(Node& node);

}  // namespace cairn::internal
