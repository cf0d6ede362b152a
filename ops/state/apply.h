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

// Above each rule: the inputs of its ops, by the names of TensorFlow.
//
// var, alpha, delta
ApplyOp apply_gradient_descent();
// var, accum, lr, grad, momentum
ApplyOp apply_momentum();
// var, accum, lr, grad
ApplyOp apply_adagrad();
// var, accum, accum_update, lr, rho, epsilon, grad
ApplyOp apply_adadelta();
// var, m, v, beta1_power, beta2_power, lr, beta1, beta2, epsilon, grad
ApplyOp apply_adam();
// var, ms, mom, lr, rho, momentum, epsilon, grad
ApplyOp apply_rms_prop();
// var, mg, ms, mom, lr, rho, momentum, epsilon, grad
ApplyOp apply_centered_rms_prop();
// var, accum, linear, grad, lr, l1, l2, lr_power
ApplyOp apply_ftrl();
// var, accum, linear, grad, lr, l1, l2, l2_shrinkage, lr_power
ApplyOp apply_ftrl_v2();

// ApplyGradientDescent, ResourceApplyGradientDescent, ApplyMomentum, ...: for the catalog
// (ops/catalog.h).
std::span<const OpDef* const> apply_ops();

}  // namespace cairn
