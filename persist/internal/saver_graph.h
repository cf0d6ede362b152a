// The nodes of a Saver.
#pragma once

#include <string>
#include <vector>

#include "persist/saver.h"

namespace cairn {

// How TensorFlow's savers differ from release to release; those of 1.6 to 1.12 unless told.
struct SaverEra {
  bool reads_each = false;            // up to 1.5: a RestoreV2 for each tensor
  bool shards_anywhere = false;       // up to 1.4: a shard's nodes on its device, not on the processor beside it
  bool filename_placeholder = false;  // from 1.13: save/filename, and save/Const is a placeholder with a default
};

// Adds the nodes that save and restore what `options` names, and says what they are called. Adds none where there is
// nothing to save; then the names are empty.
SaverDef add_saver_nodes(Graph& graph, const SaverOptions& options, const SaverEra& era = {});

// One tensor that a restore reads from a checkpoint, found by following the nodes of any saver, TensorFlow's too.
struct RestoreItem {
  std::string key, spec;  // as RestoreV2 (RestoreSlice, Restore) asks for it
  DType dtype = DType::kInvalid;
  const Node* variable = nullptr;  // what it is assigned to; null where that cannot be told
  Shape shape = Shape::unknown();  // of the variable
  bool reshapes = false;           // only the number of elements counts
};

struct RestoreNodes {
  std::vector<RestoreItem> items;
  int reads = 0;         // nodes that read files
  bool complete = true;  // every key could be told from the graph
};
RestoreNodes find_restore_nodes(const Graph& graph, const Operation& restore_op);

}  // namespace cairn
