// What export and import do to a MetaGraphDef before it is written, or before it becomes a graph.
#pragma once

#include <google/protobuf/message.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cairn/meta_graph.pb.h"
#include "runtime/graph/graph.h"

namespace cairn {

// Says what old files leave out as newer ones do: GraphDef.version becomes versions.producer;
// VariableDef.trainable, which exists since TensorFlow 1.9, is whether the variable is in
// trainable_variables.
void modernize(pb::MetaGraphDef& meta);

void clear_devices(pb::GraphDef& graph);

// How nodes are called in a graph: by the names they have in a file.
using NewNames = std::map<std::string, std::string>;
// Of the nodes of `meta`: under `scope`/, unless it is empty. One whose name the graph has given to
// a node already gets the next that is free (init_1), as TensorFlow's import does it. Throws
// AlreadyExists listing all names that are taken where a variable's or another holder's of state is
// among them, for which of the two then is meant (by a collection, a key of a checkpoint) nobody
// could tell any more; and where all are: the graph has been imported before.
NewNames names_in(const Graph& graph, const pb::MetaGraphDef& meta, const std::string& scope);

// An input that is not to be linked by its name: input number `input` of node number `node`.
struct MappedInput {
  int node, input;
  std::string key;  // of the map
};
// Gives every node its new name, also in inputs and `_class`, and in the saver, signatures and
// collections (the messages in them too, where their kind is known); other names get `scope`/
// before them. Returns the inputs that `input_map` has, which stay as they are: "x:1" as "x:1", "x"
// and "x:0" as "x:0" or "x", "^x" as "^x". Throws InvalidArgument, naming them, for inputs in the
// map that no node has, and for unbound inputs (see cut_scope) that it has not.
std::vector<MappedInput> rename_nodes(pb::MetaGraphDef& meta, const NewNames& names,
                                      const std::string& scope,
                                      const std::map<std::string, Output>& input_map);

// Keeps the nodes under `scope`/ and takes that off every name. Inputs from outside become
// "$unbound_inputs_NAME" and are listed in the collection unbound_inputs. Of collections what is
// inside is kept.
void cut_scope(pb::MetaGraphDef& meta, const std::string& scope);

// Drops the nodes of every saver but the one in saver_def, and makes that one the only item of the
// collection savers.
void drop_other_savers(pb::MetaGraphDef& meta);

// An empty message of the kind that a collection holds as bytes, where all its strings are names of
// nodes: variables, savers, queue runners, contexts of loops and conditions. Null for others.
std::unique_ptr<google::protobuf::Message> message_of_names(const std::string& key);
// The first string of such a message: the name of what it is about.
std::string subject(const google::protobuf::Message& message);

}  // namespace cairn
