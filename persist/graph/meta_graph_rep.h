// What stands behind a MetaGraph, and what a Graph keeps of the file it was read from.
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
  google::protobuf::Arena arena;  // a graph is many small messages
  pb::MetaGraphDef& def = *google::protobuf::Arena::CreateMessage<pb::MetaGraphDef>(&arena);
};

// Graph::from_file: what of a MetaGraphDef has no other place in a Graph.
struct FromFile {
  // Without nodes, functions, versions, saver and collections; stripped_op_list is the file's.
  pb::MetaGraphDef rest;
  // Collections that would be written otherwise than they were: without items, of no kind, with
  // unknown fields. As long as the graph has the same items they are written as they were.
  struct Collection {
    std::vector<CollectionItem> items;
    pb::CollectionDef as_read;
  };
  std::map<std::string, Collection> collections;
};

}  // namespace cairn
