// The nodes of a Saver.
#pragma once

#include <string>
#include <vector>

#include "persist/saver/restore_fit.h"
#include "persist/saver/saver.h"

namespace cairn {

// How TensorFlow's savers differ from release to release; those of 1.6 to 1.12 unless told.
struct SaverEra {
  bool reads_each = false;  // up to 1.5: a RestoreV2 for each tensor
  bool shards_anywhere =
      false;  // up to 1.4: a shard's nodes on its device, not on the processor beside it
  bool filename_placeholder =
      false;  // from 1.13: save/filename, and save/Const is a placeholder with a default
};

// Adds the nodes that save and restore what `options` names, and says what they are called. Adds
// none where there is nothing to save; then the names are empty.
SaverDef add_saver_nodes(Graph& graph, const SaverOptions& options, const SaverEra& era = {});

// What a restore reads from a checkpoint, found by following the nodes of any saver, TensorFlow's
// too.
struct RestoreNodes {
  std::vector<RestoreItem> items;
  const Node* unknown = nullptr;  // a node that reads what the graph alone does not tell
};
RestoreNodes find_restore_nodes(const Graph& graph, const Operation& restore_op);

}  // namespace cairn
