// Transformations of a MetaGraphDef before export and import.
#pragma once

#include <google/protobuf/message.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cairn/meta_graph.pb.h"
#include "runtime/graph/graph.h"

namespace cairn {

// Fills in fields that old files lack: GraphDef.version becomes versions.producer;
// VariableDef.trainable, new in TensorFlow 1.9, is set if the variable is in trainable_variables.
void modernize(pb::MetaGraphDef& meta);

void clear_devices(pb::GraphDef& graph);

// The names of nodes in a graph, by their names in a file.
using NewNames = std::map<std::string, std::string>;
// The names for the nodes of `meta`: under `scope`/, unless it is empty. A name that the graph has
// already is replaced by the next free one (init_1), as in TensorFlow's import. Throws
// AlreadyExists, listing the taken names, if one of them is a variable's or other stateful node's,
// since references to it (in a collection, as a key of a checkpoint) would be ambiguous; and if all
// are taken, which means that the graph was imported before.
NewNames names_in(const Graph& graph, const pb::MetaGraphDef& meta, const std::string& scope);

// An input that is replaced by a tensor of input_map: input number `input` of node number `node`.
struct MappedInput {
  int node, input;
  std::string key;  // in input_map
};
// Renames all nodes, also in inputs, `_class`, the saver, signatures and collections (inside
// messages whose type is known); other names get the prefix `scope`/. Returns the inputs that
// `input_map` contains, which are not renamed: "x:1" matches "x:1"; "x" and "x:0" match "x:0" and
// "x"; "^x" matches "^x". Throws InvalidArgument listing inputs in the map that no node has, and
// unbound inputs (see cut_scope()) that are not in the map.
std::vector<MappedInput> rename_nodes(pb::MetaGraphDef& meta, const NewNames& names,
                                      const std::string& scope,
                                      const std::map<std::string, Output>& input_map);

// Keeps only the nodes under `scope`/ and removes that from all names. Inputs from outside become
// "$unbound_inputs_NAME" and are listed in the collection unbound_inputs. Collections keep the
// items under the scope.
void cut_scope(pb::MetaGraphDef& meta, const std::string& scope);

// Removes the nodes of all savers except saver_def's, and makes that the only item of the
// collection savers.
void drop_other_savers(pb::MetaGraphDef& meta);

// An empty message of the type that the collection stores, if all strings of that type are names of
// nodes: variables, savers, queue runners, contexts of loops and conditions. Null for other
// collections.
std::unique_ptr<google::protobuf::Message> message_of_names(const std::string& key);
// The first string of such a message, which is the name of its subject.
std::string subject(const google::protobuf::Message& message);

}  // namespace cairn
