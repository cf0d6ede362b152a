// What export and import do to a MetaGraphDef before it is written, or before it becomes a graph.
#pragma once

#include <google/protobuf/message.h>

#include <map>
#include <memory>
#include <string>

#include "cairn/meta_graph.pb.h"

namespace cairn {

// Says what old files leave out as newer ones do: GraphDef.version becomes versions.producer; VariableDef.trainable,
// which exists since TensorFlow 1.9, is whether the variable is in trainable_variables.
void modernize(pb::MetaGraphDef& meta);

void clear_devices(pb::GraphDef& graph);

// Puts `scope`/ before every name, unless it is empty: of nodes, in inputs and `_class`, and in the saver, signatures
// and collections (the messages in them too, where their kind is known). Inputs in `input_map` are replaced instead:
// "x:1" by input_map["x:1"], "x" and "x:0" by input_map["x:0"] or ["x"], "^x" by ["^x"]. Throws InvalidArgument, naming
// them, for inputs in the map that no node has, and for unbound inputs (see cut_scope) that the map does not replace.
void add_scope(pb::MetaGraphDef& meta, const std::string& scope, const std::map<std::string, std::string>& input_map);

// Keeps the nodes under `scope`/ and takes that off every name. Inputs from outside become "$unbound_inputs_NAME" and
// are listed in the collection unbound_inputs. Of collections what is inside is kept.
void cut_scope(pb::MetaGraphDef& meta, const std::string& scope);

// Drops the nodes of every saver but the one in saver_def, and makes that one the only item of the collection savers.
void drop_other_savers(pb::MetaGraphDef& meta);

// An empty message of the kind that a collection holds as bytes, where all its strings are names of nodes: variables,
// savers, queue runners, contexts of loops and conditions. Null for others.
std::unique_ptr<google::protobuf::Message> message_of_names(const std::string& key);
// The first string of such a message: the name of what it is about.
std::string subject(const google::protobuf::Message& message);

}  // namespace cairn
