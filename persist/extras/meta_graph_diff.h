// What differs between two graphs as files hold them, and one such graph as lines of text.
//
//   const MetaGraph a = MetaGraph::read("a.meta"), b = MetaGraph::read("b.meta");
//   for (const MetaGraphDifference& d : diff_meta_graphs(a, b)) {
//     std::cout << d.str() << "\n";                  // node W: attr dtype: DT_FLOAT -> DT_DOUBLE
//   }
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "persist/graph/meta_graph.h"

namespace CAIRN_API cairn {

struct MetaGraphDifference {
  // Which part of the file: "meta_info", "versions", "saver", "node", "function", "gradient",
  // "collection", "signature", "asset", "op" (a definition that the file brings along) or "other".
  std::string part;
  std::string name;  // of the node, collection, ...; "" where there is one only
  // "op", "device", "input 0", "control input ^x", "attr dtype", "item loss:0", "order", ...; ""
  // for the whole of it.
  std::string what;
  // What each side has, in a line; nothing where it has none. Long tensors are cut and told by a
  // checksum.
  std::optional<std::string> a, b;

  std::string str() const;
};

// Every difference, nodes and collections in order of name; none for graphs that are equal. Not a
// difference: the order of nodes, of control inputs and of attributes, "x" or "x:0" for an input,
// and in which of its ways a tensor is written. Tensors compare bit by bit; fields that this
// version does not know, byte by byte.
std::vector<MetaGraphDifference> diff_meta_graphs(const MetaGraph& a, const MetaGraph& b);

// What a graph's file says, a fact to a line, in an order that depends on names only: for a
// line-by-line comparison, such as git's. Graphs without differences have the same lines.
std::string meta_graph_listing(const MetaGraph& meta);

}  // namespace cairn
