// The representation of a MetaGraph, and the parts of a file that a Graph carries.
#pragma once

#include <google/protobuf/arena.h>

#include <map>
#include <string>
#include <vector>

#include "cairn/meta_graph.pb.h"
#include "persist/graph/meta_graph.h"

namespace cairn {

struct MetaGraph::Rep {
  std::string name;  // the file, for messages
  std::vector<std::vector<std::string>> all_tags;
  std::vector<std::string> left_out;
  google::protobuf::Arena arena;  // a graph consists of many small messages
  pb::MetaGraphDef& def = *google::protobuf::Arena::CreateMessage<pb::MetaGraphDef>(&arena);
};

// The type of Graph::from_file: the parts of a MetaGraphDef that a Graph has no other place for.
struct FromFile {
  // Without nodes, functions, versions, saver and collections. stripped_op_list is that of the
  // file.
  pb::MetaGraphDef rest;
  // Collections that to_proto() would write differently: empty ones, ones without a kind or with
  // unknown fields. They are written back unchanged as long as the graph has the same items.
  struct Collection {
    std::vector<CollectionItem> items;
    pb::CollectionDef as_read;
  };
  std::map<std::string, Collection> collections;
};

}  // namespace cairn
