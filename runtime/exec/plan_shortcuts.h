// What a plan need not do.
#pragma once

#include "runtime/exec/plan.h"

namespace cairn::internal {

// Marks the steps of a plan laid out whole, but for who reads what last, whose work can be left
// out:
// - one that passes its input on (OpDef::passes_on): its readers read that themselves;
// - one whose only reader makes the value itself (OpDef::absorbs);
// - in runs whose shapes are those of the run before, one whose values follow from shapes alone.
// All values stay the same to the last bit, but where a reader sums in another order. Does nothing
// where the plan has a Switch, behind which any step may have no turn.
void take_shortcuts(Plan& plan);

}  // namespace cairn::internal
