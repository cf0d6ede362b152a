// Fits a node to its op's signature.
#pragma once

#include <string>
#include <vector>

#include "runtime/graph/graph.h"
#include "runtime/graph/node.h"

namespace cairn::internal {

// More inputs or outputs than this has no node; a number in a damaged file may say so.
inline constexpr int64_t kMostOutputs = 1 << 16;

// Checks the node's inputs against its op, sets the attributes that they decide (T, N), and sets
// output_dtypes. Strict: also checks every attribute against what the op allows and stores defaults
// for those left out; else attributes that have a default stay left out. Throws InvalidArgument
// naming the node, what was expected and what was found.
void bind_signature(Node& node, bool strict);

// For nodes from files, whose attributes were taken as they stood: throws InvalidArgument unless
// each is of the kind, and among the values, that the op allows. Kernels count on it.
void check_attrs(const Node& node);

// The dtype that the node's attributes say for input i; kInvalid where they do not.
DType expected_dtype(const Node& node, size_t i);

// The dtype in which `output` can be fed: its own or, where its op does not tell (one that nobody
// describes), what its readers say. kInvalid where none says, or where they differ.
DType dtype_to_feed(const Graph& graph, const Output& output);

// Sets output_dtypes from the attributes alone. Throws InvalidArgument when they do not say.
void bind_outputs(Node& node);

// The attributes that `known`, an op of this build, does not have and that a node may not be run
// without heeding: not those that begin with '_' or are mere hints, nor those with the value that
// the file's own description of the op
// (`told`; null: none) gives as their default, which is what older builds of it did anyway.
std::vector<std::string> foreign_attrs(const Attrs& attrs, const Op& known, const Op* told);

// Why a node that was imported is carried though this build has its op; "" where it does not have
// it.
std::string why_carried(const Graph& graph, const Node& node);

}  // namespace cairn::internal
