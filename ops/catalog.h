// All ops of this room: the only list of families.
#pragma once

#include "runtime/graph/op_def.h"

namespace CAIRN_API cairn {

// Every op in ops/. What persistence adds is in persist/catalog.h, whose all_ops() is the whole.
const OpSet& compute_ops();

}  // namespace cairn
