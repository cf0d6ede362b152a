// What a graph is for, guessed from its nodes: where values go in, what comes out, what training
// makes smaller and does.
#pragma once

#include <string>
#include <vector>

#include "persist/graph/meta_graph.h"
#include "runtime/graph/graph.h"

namespace cairn {

struct OutlineItem {
  std::string name;  // of a tensor, "X:0"; of an op, "GradientDescent"
  DType dtype = DType::kInvalid;
  Shape shape;
  // "has a default", "in the collection losses", ...; "" where nothing is to be said
  std::string why;
};

// Each list begins with the best guess.
struct Outline {
  // Placeholders, and what queues, iterators and parsed files give, which may be fed in their
  // place.
  std::vector<OutlineItem> inputs;
  // What the graph computes from them and uses for nothing but training, summaries and saving:
  // predictions first.
  std::vector<OutlineItem> outputs;
  // What gradients begin at, the collection `losses`, and scalars that are called so.
  std::vector<OutlineItem> losses;
  // The collection train_op, and ops that wait for variables to be updated and that nothing waits
  // for.
  std::vector<OutlineItem> train_ops;
};

// `meta` is what `graph` was imported from: what its saver needs is none of these, what its
// signatures name comes first.
Outline outline_of(const Graph& graph, const MetaGraph& meta);

}  // namespace cairn
