// Checks nodes against the signature of their op, and infers attributes and output dtypes.
#pragma once

#include <string>
#include <vector>

#include "runtime/graph/graph.h"
#include "runtime/graph/node.h"

namespace cairn::internal {

// The most inputs or outputs of a node; a damaged file may ask for more.
inline constexpr int64_t kMostOutputs = 1 << 16;

// Checks the inputs of a node against its op, sets the attributes that they determine (T, N) and
// sets output_dtypes. Strict: also checks every attribute against the op and stores the defaults of
// those left out. Throws InvalidArgument, naming the node, the expected and the found value.
void bind_signature(Node& node, bool strict);

// For nodes from files, before their kernels are made: throws InvalidArgument unless each attribute
// has a type and a value that the op allows. Kernels rely on it.
void check_attrs(const Node& node);

// The dtype of input i according to the node's attributes; kInvalid if they do not determine it.
DType expected_dtype(const Node& node, size_t i);

// The dtype in which `output` can be fed: its own or, if it is unknown (the op has no description),
// the one that its readers expect. kInvalid if no reader expects one, or if they differ.
DType dtype_to_feed(const Graph& graph, const Output& output);

// Sets output_dtypes from the attributes alone. Throws InvalidArgument if they do not determine
// them.
void bind_outputs(Node& node);

// The attributes that `known`, an op of this build, does not have and that may change the result.
// Without those that begin with '_', hints, and those whose value is the default in `told`, the
// file's description of the op (null: none): with the default, the op does what it did before it
// had the attribute.
std::vector<std::string> foreign_attrs(const Attrs& attrs, const Op& known, const Op* told);

// The reason why an imported node is carried although this build has its op; "" if this build does
// not have it.
std::string why_carried(const Graph& graph, const Node& node);

}  // namespace cairn::internal
