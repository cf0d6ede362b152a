// The registry of all ops of this build: those that compute (ops/catalog.h), and those that read
// and write checkpoints and summaries.
//
//   const OpSet ops = all_ops() + my_ops();
//   import_meta_graph_def(graph, "run/model.meta", {.ops = &ops});
#pragma once

#include "ops/catalog.h"

namespace CAIRN_API cairn {

// The ops that nodes of files are looked up in unless an OpSet is given. Lives until the process
// ends; may be read from several threads.
const OpSet& all_ops();

}  // namespace cairn
