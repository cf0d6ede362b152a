// The gradients of the ops of ops/math/math.h. Each is made of the ops that TensorFlow's Python
// makes, in that order, so that nodes get the same names. Given the op and the gradient dy[0] of
// its output, each returns one gradient per input.
#pragma once

#include "runtime/graph/node.h"

namespace cairn::internal {

// ops/math/unary_gradients.cc
Grads negative_gradient(const Operation& op, const Grads& dy);
Grads abs_gradient(const Operation& op, const Grads& dy);
Grads square_gradient(const Operation& op, const Grads& dy);
Grads sqrt_gradient(const Operation& op, const Grads& dy);
Grads rsqrt_gradient(const Operation& op, const Grads& dy);
Grads exp_gradient(const Operation& op, const Grads& dy);
Grads expm1_gradient(const Operation& op, const Grads& dy);
Grads log_gradient(const Operation& op, const Grads& dy);
Grads log1p_gradient(const Operation& op, const Grads& dy);
Grads reciprocal_gradient(const Operation& op, const Grads& dy);
Grads sign_gradient(const Operation& op, const Grads& dy);
Grads sin_gradient(const Operation& op, const Grads& dy);
Grads cos_gradient(const Operation& op, const Grads& dy);
Grads tan_gradient(const Operation& op, const Grads& dy);
Grads asin_gradient(const Operation& op, const Grads& dy);
Grads acos_gradient(const Operation& op, const Grads& dy);
Grads atan_gradient(const Operation& op, const Grads& dy);
Grads sinh_gradient(const Operation& op, const Grads& dy);
Grads cosh_gradient(const Operation& op, const Grads& dy);
Grads sigmoid_gradient(const Operation& op, const Grads& dy);
Grads tanh_gradient(const Operation& op, const Grads& dy);
Grads erf_gradient(const Operation& op, const Grads& dy);
Grads sigmoid_grad_gradient(const Operation& op, const Grads& dy);
Grads tanh_grad_gradient(const Operation& op, const Grads& dy);
Grads sqrt_grad_gradient(const Operation& op, const Grads& dy);
Grads rsqrt_grad_gradient(const Operation& op, const Grads& dy);
Grads reciprocal_grad_gradient(const Operation& op, const Grads& dy);

// ops/math/binary_gradients.cc
Grads add_gradient(const Operation& op, const Grads& dy);
Grads add_n_gradient(const Operation& op, const Grads& dy);
Grads sub_gradient(const Operation& op, const Grads& dy);
Grads mul_gradient(const Operation& op, const Grads& dy);
Grads div_gradient(const Operation& op, const Grads& dy);
Grads real_div_gradient(const Operation& op, const Grads& dy);
Grads floor_mod_gradient(const Operation& op, const Grads& dy);
Grads pow_gradient(const Operation& op, const Grads& dy);
Grads maximum_gradient(const Operation& op, const Grads& dy);
Grads minimum_gradient(const Operation& op, const Grads& dy);
Grads squared_difference_gradient(const Operation& op, const Grads& dy);
Grads atan2_gradient(const Operation& op, const Grads& dy);
Grads select_gradient(const Operation& op, const Grads& dy);
Grads cast_gradient(const Operation& op, const Grads& dy);

}  // namespace cairn::internal
