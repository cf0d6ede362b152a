// The gradients of the ops of ops/math/reduce.h, made op by op as TensorFlow's Python makes them.
#pragma once

#include "runtime/graph/node.h"

namespace cairn::internal {

Grads sum_gradient(const Operation& op, const Grads& dy);
Grads mean_gradient(const Operation& op, const Grads& dy);
Grads prod_gradient(const Operation& op, const Grads& dy);
Grads extremum_gradient(const Operation& op, const Grads& dy);  // Max, Min
Grads cumsum_gradient(const Operation& op, const Grads& dy);
Grads cumprod_gradient(const Operation& op, const Grads& dy);

}  // namespace cairn::internal
