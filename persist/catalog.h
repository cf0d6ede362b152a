// All ops of this build: those that compute and those that touch files.
#pragma once

#include "ops/catalog.h"

namespace CAIRN_API cairn {

// What files are read with unless an OpSet is given. Add your own: all_ops() + my_ops().
const OpSet& all_ops();

}  // namespace cairn
