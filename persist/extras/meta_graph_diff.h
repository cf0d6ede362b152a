// Compares two graphs as files hold them, and lists such a graph as lines of text.
//
//   const MetaGraph a = MetaGraph::read("a.meta"), b = MetaGraph::read("b.meta");
//   for (const MetaGraphDifference& d : diff_meta_graphs(a, b)) {
//     std::cout << d.str() << "\n";                  // node W: attr dtype: DT_FLOAT -> DT_DOUBLE
//   }
//
// Attributes that Cairn cannot interpret are compared as bytes. MetaGraph::read throws DataLoss for
// a file that is not a graph; a message inside it that would take far more memory than its bytes is
// DataLoss here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "persist/graph/meta_graph.h"

namespace CAIRN_API cairn {

struct MetaGraphDifference {
  // The part of the file: "meta_info", "versions", "saver", "node", "function", "gradient",
  // "collection", "signature", "asset", "op" (a definition that the file contains) or "other".
  std::string part;
  std::string name;  // of the node, collection, ...; "" if there is only one
  // The property that differs: "op", "device", "input 0", "control input ^x", "attr dtype", "item
  // loss:0", "order", ...; "" if one side lacks the whole part.
  std::string what;
  // The value on each side, on one line; nullopt if that side has none. Long tensors are
  // abbreviated and identified by a checksum.
  std::optional<std::string> a, b;

  // One printable line for the user.
  std::string str() const;
};

// All differences, with nodes and collections ordered by name; empty for equal graphs. Ignored: the
// order of nodes, of control inputs and of attributes; "x" versus "x:0" for an input; the encoding
// of a tensor. Tensors are compared bit by bit; fields that this version does not know, byte by
// byte.
std::vector<MetaGraphDifference> diff_meta_graphs(const MetaGraph& a, const MetaGraph& b);

// Lists a graph, one property per line, in an order that depends only on names, for line-based
// tools such as git diff. Equal graphs have equal lists.
std::string meta_graph_listing(const MetaGraph& meta);

}  // namespace cairn
