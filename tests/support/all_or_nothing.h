// Tests that builders leave a graph unchanged if they throw at any of their changes.
#pragma once

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/graph_text.h"

namespace cairn {

// The state of a graph as text: nodes with all attributes, collections, open scopes, and the names
// that new nodes and scopes with one of `names` would get.
inline std::vector<std::string> everything_of(Graph& graph, const std::set<std::string>& names) {
  std::vector<std::string> lines;
  for (const Operation& op : graph.operations()) {
    std::string line =
        node_line(op) + " on '" + op.node().device + "' at " + op.node().made_at.str();
    for (const auto& [name, attr] : op.node().attrs) line += " " + name + "=" + attr.str();
    // Random names differ in each call: _temp_ and 32 digits.
    if (const size_t lot = line.find("_temp_"); lot != std::string::npos)
      line.replace(lot + 6, 32, "#");
    lines.push_back(line);
  }
  for (const std::string& key : graph.collection_keys()) {
    std::string line = key + ":";
    for (const CollectionItem& item : graph.items(key)) {
      if (const auto* variable = std::get_if<Variable>(&item)) line += " " + variable->name();
      if (const auto* tensor = std::get_if<Output>(&item)) line += " " + tensor->name();
      if (const auto* op = std::get_if<Operation>(&item)) line += " ^" + op->name();
      if (const auto* bytes = std::get_if<std::string>(&item)) line += " '" + *bytes + "'";
      line += ";";
    }
    lines.push_back(line);
  }
  lines.push_back(str_cat("scope '", graph.current_scope(), "' variables '",
                          graph.current_variable_scope(), "' reuse ", graph.reusing_variables(),
                          " waiting ", graph.has_control_dependencies(), " context ",
                          graph.control_flow() != nullptr, " at ", graph.current_location({}).str(),
                          " library '", graph.library, "' producer ", graph.versions.producer,
                          " carries ", graph.from_file != nullptr));
  for (const std::string& name : names)
    lines.push_back(name + " -> " + graph.unique_name(name, false));
  return lines;
}

// The lines that only one of two texts has; "" if they are equal.
inline std::string difference(const std::vector<std::string>& before,
                              const std::vector<std::string>& after) {
  std::string text;
  for (size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
    const std::string a = i < before.size() ? before[i] : "(nothing)",
                      b = i < after.size() ? after[i] : "(nothing)";
    if (a != b) text += "- " + a + "\n+ " + b + "\n";
  }
  return text;
}

// The names of all nodes and of their scopes.
inline std::set<std::string> names_of(const Graph& graph) {
  std::set<std::string> names;
  for (const Operation& op : graph.operations()) {
    names.insert(op.name());
    for (size_t slash = op.name().find('/'); slash != std::string::npos;
         slash = op.name().find('/', slash + 1))
      names.insert(op.name().substr(0, slash));
  }
  return names;
}

// Makes the n-th change throw, once.
inline void throw_at(Graph& graph, int n) {
  graph.before_change([n](std::string_view) mutable {
    if (n-- == 0) throw std::runtime_error("planted");
  });
}

// Calls `build` repeatedly on one graph made by `prepare`, and makes it throw at its first change,
// then at its second … until it returns. After each throw the graph must be as before the call; in
// the end as after a single call of `build`. Returns the number of throws.
inline int check_all_or_nothing(const std::function<void(Graph&)>& prepare,
                                const std::function<void(Graph&)>& build,
                                const std::function<void(Graph&)>& undisturbed) {
  Graph once, graph;
  prepare(once);
  undisturbed(once);
  const std::set<std::string> names = names_of(once);
  prepare(graph);
  const auto before = everything_of(graph, names);
  for (int n = 0;; ++n) {
    throw_at(graph, n);
    bool threw = false;
    try {
      build(graph);
    } catch (const std::exception& e) {
      threw = std::string(e.what()).find("planted") != std::string::npos;
      if (!threw) throw;
    }
    graph.before_change(nullptr);
    if (!threw) {
      CHECK(difference(everything_of(once, names), everything_of(graph, names)) == "");
      return n;
    }
    INFO("thrown at change " << n);
    const std::string left = difference(before, everything_of(graph, names));
    CHECK(left == "");
    if (!left.empty()) return n;
  }
}

}  // namespace cairn
