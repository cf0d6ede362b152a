// A graph's collections as messages and back.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cairn/meta_graph.pb.h"
#include "runtime/graph/graph.h"

namespace cairn {

// True for the collections that hold VariableDef messages in files: "variables",
// "trainable_variables", ... In others a variable is written by its name.
bool holds_variable_defs(const std::string& key);

// The variables read from a file so far, by their message: the same message in two collections is
// one variable.
using VariablesRead = std::map<std::string, Variable>;

// Nothing is refused: names that the graph does not have become UnresolvedName, messages that do
// not parse or name such nodes stay bytes.
std::vector<CollectionItem> from_proto(const std::string& key, const pb::CollectionDef& proto,
                                       const Graph& graph, VariablesRead& variables);

// The kind is what the items are: bytes for VariableDef (under the keys above) and strings,
// node_list for tensors, ops and other variables, int64_list, float_list (also for integers among
// floats), any_list. Throws InvalidArgument for items that no one kind holds.
pb::CollectionDef to_proto(const std::string& key, const std::vector<CollectionItem>& items);

}  // namespace cairn
