// The nodes of a Saver.
#pragma once

#include <string>
#include <vector>

#include "persist/internal/restore_fit.h"
#include "persist/saver.h"

namespace cairn {

// Adds the nodes that save and restore what `options` names, and says what they are called.
SaverDef add_saver_nodes(Graph& graph, const SaverOptions& options);

// What a restore reads from a checkpoint, found by following the nodes of any saver, TensorFlow's too.
struct RestoreNodes {
  std::vector<RestoreItem> items;
  const Node* unknown = nullptr;  // a node that reads what the graph alone does not tell
};
RestoreNodes find_restore_nodes(const Graph& graph, const Operation& restore_op);

}  // namespace cairn
