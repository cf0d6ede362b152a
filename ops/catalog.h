// The list of all op families in ops/.
//
//   for (const OpDef* op : compute_ops().all()) std::cout << op->name << "\n";
#pragma once

#include "runtime/graph/op_def.h"

namespace CAIRN_API cairn {

// Every op in ops/, looked up by name when a graph is imported. Made at the first call and never
// destroyed. Ops for saving and restoring are added in persist/catalog.h, whose all_ops() has both.
const OpSet& compute_ops();

}  // namespace cairn
