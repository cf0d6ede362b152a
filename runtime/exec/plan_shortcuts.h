// Passes that remove work from a plan.
#pragma once

#include "runtime/exec/plan.h"

namespace cairn::internal {

// Runs after the steps are ordered and before liveness (Step::releases) is computed:
// - gives kernels the inputs of the Reshapes before them (OpDef::sees_before_reshape);
// - bypasses steps that return their input (OpDef::passes_on): readers read the input;
// - fuses steps into their only reader (OpDef::absorbs);
// - marks shape-only steps, which run again only when an input shape changed;
// - orders steps that are fused by rows (OpDef::by_rows) one after the other.
// All values are the same to the last bit, except that a fused kernel may sum in another order. A
// plan with a Switch gets only the first pass, as any of its steps may be skipped.
void take_shortcuts(Plan& plan);

}  // namespace cairn::internal
