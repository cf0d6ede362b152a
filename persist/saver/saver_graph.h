// Builds and analyses the nodes of a Saver.
#pragma once

#include <string>
#include <vector>

#include "persist/saver/restore_fit.h"
#include "persist/saver/saver.h"

namespace cairn {

// How TensorFlow's savers differ between releases; the default is 1.6 to 1.12.
struct SaverEra {
  bool reads_each = false;  // up to 1.5: a RestoreV2 for each tensor
  // Up to 1.4: a shard's nodes are placed on its device instead of the CPU of the same host.
  bool shards_anywhere = false;
  // From 1.13 on: save/filename exists, and save/Const is a placeholder with a default.
  bool filename_placeholder = false;
};

// Adds the nodes that save and restore the variables of `options` and returns their names. For a
// graph without variables it adds none, and the names are empty.
SaverDef add_saver_nodes(Graph& graph, const SaverOptions& options, const SaverEra& era = {});

// The tensors that a restore reads, found by following the nodes of any saver, TensorFlow's
// included.
struct RestoreNodes {
  std::vector<RestoreItem> items;
  const Node* unknown = nullptr;  // a node whose names or slices are not constants
};
RestoreNodes find_restore_nodes(const Graph& graph, const Operation& restore_op);

}  // namespace cairn
