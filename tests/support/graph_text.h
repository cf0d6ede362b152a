// Graphs as lines of text, for tests of the nodes that a builder makes.
#pragma once

#include <string>
#include <vector>

#include "runtime/graph/graph.h"

namespace cairn {

// "W/read = Identity(W) @W": inputs, control inputs as ^name, colocation after @.
inline std::string node_line(const Operation& op) {
  std::string line = op.name() + " = " + op.type() + "(", comma;
  for (const Endpoint& e : op.node().inputs) {
    line += comma + endpoint_name(*e.node, e.index, false);
    comma = ", ";
  }
  for (const Node* control : op.node().control_inputs) {
    line += comma + "^" + control->name;
    comma = ", ";
  }
  line += ")";
  if (const Attr* groups = op.node().attrs.find("_class")) {
    for (const std::string& group : *groups->get<std::vector<std::string>>())
      line += " @" + group.substr(5);
  }
  return line;
}

// The nodes of a graph from node `first` on, in order of creation.
inline std::vector<std::string> node_lines(const Graph& graph, int first = 0) {
  std::vector<std::string> lines;
  for (int id = first; id < graph.num_nodes(); ++id) lines.push_back(node_line(graph.node_at(id)));
  return lines;
}

}  // namespace cairn
