#include "persist/catalog.h"

#include "persist/saver/save_restore_ops.h"
#include "persist/summary/summary_ops.h"

namespace cairn {

const OpSet& all_ops() {
  // Never destroyed: objects of static storage may still run sessions.
  static const OpSet& kOps =
      *new OpSet(compute_ops() + OpSet(save_restore_ops()) + OpSet(summary_ops()));
  return kOps;
}

}  // namespace cairn
