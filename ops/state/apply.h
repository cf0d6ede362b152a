// The update ops of optimizers: each is one node that changes a variable and its slots in place.
// Programs use the optimizers of train/optimizers.h, which make these nodes.
#pragma once

#include <span>

#include "runtime/graph/op_def.h"

namespace CAIRN_API cairn {

// One update rule, in two ops: for reference variables and for resource variables. The inputs of
// both are the variable and its slots, then scalars and the gradient, all of the dtype of the
// variable; the order is that of TensorFlow's op. A run throws InvalidArgument for a scalar or
// gradient of another shape, FailedPrecondition for an uninitialized variable or slot; nothing is
// changed then.
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

// ApplyGradientDescent, ResourceApplyGradientDescent, ApplyMomentum, ...: for the catalog
// (ops/catalog.h).
std::span<const OpDef* const> apply_ops();

}  // namespace cairn
