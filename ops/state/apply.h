// The steps of optimizers, each one node that changes a variable and its slots in place. Programs
// use the optimizers of train/optimizers.h, which make these.
#pragma once

#include <span>

#include "runtime/graph/op_def.h"

namespace CAIRN_API cairn {

// One way to update a variable: the op for reference variables, and the one for resource variables.
// Both take the variable and its slots, then scalars and the gradient, all of the variable's dtype.
struct ApplyOp {
  const OpDef* ref = nullptr;
  const OpDef* resource = nullptr;
};

ApplyOp apply_gradient_descent();
ApplyOp apply_momentum();
ApplyOp apply_adagrad();
ApplyOp apply_adadelta();
ApplyOp apply_adam();
ApplyOp apply_rms_prop();
ApplyOp apply_centered_rms_prop();
ApplyOp apply_ftrl();
ApplyOp apply_ftrl_v2();

// ApplyGradientDescent, ResourceApplyGradientDescent, ApplyMomentum, ...
std::span<const OpDef* const> apply_ops();

}  // namespace cairn
