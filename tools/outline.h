// The purpose of a graph, guessed from its nodes: inputs, outputs, losses and train ops.
#pragma once

#include <string>
#include <vector>

#include "persist/graph/meta_graph.h"
#include "runtime/graph/graph.h"

namespace cairn {

struct OutlineItem {
  std::string name;  // a tensor, "X:0", or an op, "GradientDescent"
  DType dtype = DType::kInvalid;
  Shape shape;
  // The reason: "has a default", "in the collection losses", ...; may be ""
  std::string why;
};

// The best guess is the first item of each list.
struct Outline {
  // Placeholders, and outputs of queues, iterators and parsers of files, which can be fed too.
  std::vector<OutlineItem> inputs;
  // Values that depend on inputs and that only training, summaries and savers use, predictions
  // first.
  std::vector<OutlineItem> outputs;
  // Tensors whose gradients are computed, the collection `losses`, and scalars with names of
  // losses.
  std::vector<OutlineItem> losses;
  // The collection train_op, and ops that run after updates of variables and before no other op.
  std::vector<OutlineItem> train_ops;
};

// `meta`: the file from which `graph` was imported. Nodes of its saver are left out, tensors in its
// signatures come first.
Outline outline_of(const Graph& graph, const MetaGraph& meta);

}  // namespace cairn
