// Conversion between a graph's collections and messages.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cairn/meta_graph.pb.h"
#include "runtime/graph/graph.h"

namespace cairn {

// True for the keys of collections that files store as VariableDef messages: "variables",
// "trainable_variables", ... Other collections store variables by name.
bool holds_variable_defs(const std::string& key);

// The variables read from a file so far, by message: equal messages in two collections are one
// variable.
using VariablesRead = std::map<std::string, Variable>;

// Accepts any message: names that the graph does not have become UnresolvedName; messages that do
// not parse or contain such names remain bytes.
std::vector<CollectionItem> from_proto(const std::string& key, const pb::CollectionDef& proto,
                                       const Graph& graph, VariablesRead& variables);

// Chooses the kind of list by the items: bytes for VariableDef (under the keys above) and strings;
// node_list for tensors, ops and other variables; int64_list; float_list, also for a mixture of
// integers and floats; any_list. Throws InvalidArgument for items that no kind can hold.
pb::CollectionDef to_proto(const std::string& key, const std::vector<CollectionItem>& items);

}  // namespace cairn
