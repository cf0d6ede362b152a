// Gradients of two-operand ops, and of Select, AddN and Cast. The gradient of an operand that was
// broadcast is the sum over its copies.
#include "ops/array/array.h"
#include "ops/array/reshape.h"
#include "ops/core/building.h"
#include "ops/math/math.h"
#include "ops/math/math_gradients.h"
#include "ops/math/reduce.h"

namespace cairn::internal {
namespace {

// The shapes of x and y, and the axes over which the gradient of each is summed.
struct Stretched {
  Stretched(const Output& x, const Output& y)
      : sx(shape(x, {.out_type = extents_dtype({x, y})})),
        sy(shape(y, {.out_type = extents_dtype({x, y})})) {
    const auto [for_x, for_y] = broadcast_gradient_args(sx, sy);
    rx = for_x;
    ry = for_y;
  }
  Output to_x(const Output& g) const { return reshape(reduce_sum(g, rx), sx); }
  Output to_y(const Output& g) const { return reshape(reduce_sum(g, ry), sy); }
  Output sx, sy, rx, ry;
};

bool shapes_known_and_equal(const Output& x, const Output& y, const Output& dy) {
  return x.shape() == y.shape() && x.shape() == dy.shape() && x.shape().is_fully_defined();
}

}  // namespace

Grads add_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), y = op.input(1), g = dy[0];
  if (shapes_known_and_equal(x, y, g)) return {g, g};
  const Stretched s(x, y);
  return {s.to_x(g), s.to_y(g)};
}

Grads add_n_gradient(const Operation& op, const Grads& dy) {
  return Grads(static_cast<size_t>(op.num_inputs()), dy[0]);
}

Grads sub_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), y = op.input(1), g = dy[0];
  if (shapes_known_and_equal(x, y, g)) return {g, -g};
  const Stretched s(x, y);
  const Output dx = s.to_x(g);
  return {dx, reshape(-reduce_sum(g, s.ry), s.sy)};
}

Grads mul_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), y = op.input(1), g = dy[0];
  const DType dtype = base_dtype(g.dtype());
  if (shapes_known_and_equal(x, y, g) && (dtype == DType::kInt32 || dtype == DType::kFloat))
    return {multiply(g, y), multiply(g, x)};
  const Stretched s(x, y);
  const Output dx = s.to_x(multiply(g, y));
  return {dx, s.to_y(multiply(x, g))};
}

namespace {
// d(x/y): dy/y and dy · (-x/y)/y, with the division of the op itself.
Grads quotient_gradient(const Operation& op, const Output& g,
                        Output (*quotient)(const Operand&, const Operand&, const NameOptions&)) {
  const Output x = op.input(0), y = op.input(1);
  const Stretched s(x, y);
  const Output dx = s.to_x(quotient(g, y, {}));
  const Output slope = quotient(quotient(-x, y, {}), y, {});
  return {dx, s.to_y(g * slope)};
}
}  // namespace

Grads div_gradient(const Operation& op, const Grads& dy) {
  return quotient_gradient(op, dy[0], div);
}
Grads real_div_gradient(const Operation& op, const Grads& dy) {
  return quotient_gradient(op, dy[0], realdiv);
}

Grads floor_mod_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), y = op.input(1);
  const Stretched s(x, y);
  const Output quotient = floor_div(x, y), dx = s.to_x(dy[0]), minus = negative(quotient);
  return {dx, s.to_y(dy[0] * minus)};
}

namespace {
bool may_be_zero(const Output& y) {
  const Tensor value = y.graph().static_value(y);
  if (!value.valid()) return true;
  bool zero = false;
  for_dtype<float, double, int32_t, int64_t, Half, BFloat16>(value.dtype(), [&]<class T> {
    for (const T& element : value.span<T>())
      zero |= static_cast<double>(static_cast<float>(element)) == 0;
  });
  return zero;
}
}  // namespace

// y · x^(y-1) and z · log(x), with 0 for the logarithm where x <= 0.
Grads pow_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), y = op.input(1), z = op.output();
  const Stretched s(x, y);
  // 0^(0 - 1) is infinite, and 0 times it would be NaN instead of 0.
  const Output exponent = may_be_zero(y) ? where(equal(y, 0), zeros_like(y), y - 1) : y - 1;
  const Output scaled = dy[0] * y, power = pow(x, exponent);
  const Output dx = s.to_x(scaled * power);
  // Where x <= 0 it is the logarithm of 1: 0, and so are all its derivatives.
  const Output positive = greater(x, 0), log_x = log(where(positive, x, ones_like(x))),
               dz = dy[0] * z;
  return {dx, s.to_y(dz * log_x)};
}

namespace {
Grads choice_gradient(const Operation& op, const Output& g,
                      Output (*chooses_x)(const Operand&, const Operand&, const NameOptions&)) {
  const Output x = op.input(0), y = op.input(1);
  const ShapeOptions wide_enough = {.out_type = extents_dtype({x, y, g})};
  const Output sx = shape(x, wide_enough), sy = shape(y, wide_enough), sg = shape(g, wide_enough);
  const Output none = zeros(sg, base_dtype(g.dtype()));
  const Output mask = chooses_x(x, y, {});
  const auto [rx, ry] = broadcast_gradient_args(sx, sy);
  const Output to_x = where(mask, g, none), to_y = where(mask, none, g);
  return {reshape(reduce_sum(to_x, rx), sx), reshape(reduce_sum(to_y, ry), sy)};
}
}  // namespace

Grads maximum_gradient(const Operation& op, const Grads& dy) {
  return choice_gradient(op, dy[0], greater_equal);
}
Grads minimum_gradient(const Operation& op, const Grads& dy) {
  return choice_gradient(op, dy[0], less_equal);
}

Grads squared_difference_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), y = op.input(1);
  const Stretched s(x, y);
  Output g;
  {
    Scope scope = dy[0].graph().control_dependencies({dy[0].op()});
    const Output twice = scalar_mul(2, dy[0]), difference = x - y;
    g = twice * difference;
  }
  const Output dx = s.to_x(g);
  return {dx, -s.to_y(g)};
}

Grads atan2_gradient(const Operation& op, const Grads& dy) {
  const Output y = op.input(0), x = op.input(1);
  Scope scope = dy[0].graph().control_dependencies({dy[0].op()});
  const Output x2 = square(x), y2 = square(y), inverse = dy[0] / (x2 + y2);
  const Output to_y = x * inverse, minus = -y, to_x = minus * inverse;
  if (shapes_known_and_equal(y, x, dy[0])) return {to_y, to_x};
  // TensorFlow 1.x does not sum here, and fails if an operand was broadcast.
  const Stretched s(y, x);
  return {s.to_x(to_y), s.to_y(to_x)};
}

Grads select_gradient(const Operation& op, const Grads& dy) {
  const Output condition = op.input(0), none = zeros_like(op.input(1));
  const Output to_t = where(condition, dy[0], none);
  return {{}, to_t, where(condition, none, dy[0])};
}

Grads cast_gradient(const Operation& op, const Grads& dy) {
  const DType from = base_dtype(op.input(0).dtype()), to = base_dtype(dy[0].dtype());
  const auto flows = [](DType t) { return is_floating(t) || is_complex(t); };
  if (!flows(from) || !flows(to)) return {{}};
  return {cast(dy[0], from)};
}

}  // namespace cairn::internal
