// Gradients of one-operand ops. `after(dy)` is the control dependency under which most of them make
// their nodes, as in TensorFlow: they do not run before the incoming gradient is computed.
#include <cmath>

#include "ops/array/array.h"
#include "ops/array/reshape.h"
#include "ops/core/building.h"
#include "ops/math/math.h"
#include "ops/math/math_gradients.h"

namespace cairn::internal {
namespace {

Scope after(const Output& dy) { return dy.graph().control_dependencies({dy.op()}); }

Output one(const Output& like) { return Operand(1).in(like.graph(), like.dtype(), "Const"); }

}  // namespace

Grads negative_gradient(const Operation&, const Grads& dy) { return {-dy[0]}; }

Grads abs_gradient(const Operation& op, const Grads& dy) { return {dy[0] * sign(op.input(0))}; }

Grads square_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  const Output x = op.input(0), two = Operand(2).in(x.graph(), x.dtype(), "Const");
  const Output twice = multiply(x, two);
  return {multiply(dy[0], twice)};
}

Grads sqrt_gradient(const Operation& op, const Grads& dy) {
  return {sqrt_grad(op.output(), dy[0])};
}

Grads rsqrt_gradient(const Operation& op, const Grads& dy) {
  return {rsqrt_grad(op.output(), dy[0])};
}

Grads exp_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  return {dy[0] * op.output()};
}

Grads expm1_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  return {dy[0] * exp(op.input(0))};
}

Grads log_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  return {dy[0] * reciprocal(op.input(0))};
}

Grads log1p_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  return {dy[0] * reciprocal(1 + op.input(0))};
}

Grads reciprocal_gradient(const Operation& op, const Grads& dy) {
  return {reciprocal_grad(op.output(), dy[0])};
}

Grads sign_gradient(const Operation& op, const Grads&) {
  const Output x = op.input(0);
  return {zeros(extents_of(x), base_dtype(x.dtype()))};
}

Grads sin_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  return {dy[0] * cos(op.input(0))};
}

Grads cos_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  const Output minus = -dy[0];
  return {minus * sin(op.input(0))};
}

Grads tan_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  const Output secant = reciprocal(cos(op.input(0)));
  return {dy[0] * square(secant)};
}

namespace {
// 1 / sqrt(1 - x²)
Output arc_slope(const Output& x, const Output& dy) {
  const Output x2 = square(x), unit = one(dy);
  return reciprocal(sqrt(subtract(unit, x2)));
}
}  // namespace

Grads asin_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  return {dy[0] * arc_slope(op.input(0), dy[0])};
}

Grads acos_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  const Output slope = arc_slope(op.input(0), dy[0]), minus = -dy[0];
  return {minus * slope};
}

Grads atan_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  const Output x2 = square(op.input(0)), unit = one(dy[0]);
  return {dy[0] * reciprocal(add(unit, x2))};
}

Grads sinh_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  return {dy[0] * cosh(op.input(0))};
}

Grads cosh_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  return {dy[0] * sinh(op.input(0))};
}

Grads sigmoid_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  return {sigmoid_grad(op.output(), dy[0])};
}

Grads tanh_gradient(const Operation& op, const Grads& dy) {
  Scope scope = after(dy[0]);
  return {tanh_grad(op.output(), dy[0])};
}

// 2/sqrt(pi) · exp(-x²)
Grads erf_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0),
               factor =
                   Operand(2 / std::sqrt(std::acos(-1.0))).in(x.graph(), dy[0].dtype(), "Const");
  Scope scope = after(dy[0]);
  const Output scaled = dy[0] * factor;
  return {scaled * exp(-square(x))};
}

// ---- gradients of gradients: z = f(a, b), a the output of the forward op, b the gradient that cam

Grads sigmoid_grad_gradient(const Operation& op, const Grads& dy) {
  const Output a = op.input(0), b = op.input(1);
  Scope scope = after(dy[0]);
  const Output gb = dy[0] * b, twice = 2.0 * gb, product = twice * a;
  return {gb - product, sigmoid_grad(a, dy[0])};
}

namespace {
// -2 · dy · b · a
Output minus_twice(const Output& a, const Output& b, const Output& dy) {
  const Output scaled = dy * -2.0, with_b = scaled * b;
  return with_b * a;
}
}  // namespace

Grads tanh_grad_gradient(const Operation& op, const Grads& dy) {
  const Output a = op.input(0), b = op.input(1);
  Scope scope = after(dy[0]);
  return {minus_twice(a, b, dy[0]), tanh_grad(a, dy[0])};
}

Grads sqrt_grad_gradient(const Operation& op, const Grads& dy) {
  const Output a = op.input(0), y = op.output();
  Scope scope = after(dy[0]);
  const Output ga = dy[0] / a, minus = -ga;
  return {minus * y, 0.5 * ga};
}

Grads rsqrt_grad_gradient(const Operation& op, const Grads& dy) {
  const Output a = op.input(0), b = op.input(1);
  Scope scope = after(dy[0]);
  const Output scaled = -1.5 * dy[0], with_b = scaled * b;
  return {with_b * square(a), rsqrt_grad(a, dy[0])};
}

Grads reciprocal_grad_gradient(const Operation& op, const Grads& dy) {
  const Output a = op.input(0), b = op.input(1);
  Scope scope = after(dy[0]);
  return {minus_twice(a, b, dy[0]), reciprocal_grad(a, dy[0])};
}

}  // namespace cairn::internal
