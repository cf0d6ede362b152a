// Arithmetic, comparison and conversion, element by element.
//
// Two-operand builders broadcast as NumPy does: shapes are matched from the right and an extent of
// 1 stretches; [100,10] + [10] adds a row to every row. Either operand may be a number, which takes
// the other's dtype. All builders throw InvalidArgument when dtypes differ or are not the op's, or
// shapes do not broadcast.
//
//   Output y = sigmoid(matmul(x, w) + b) * 0.5f;
//   Output clipped = maximum(minimum(y, 1), 0);
#pragma once

#include <span>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// ---- operators, with the names that Python's give: add, sub, mul, truediv, Neg ------------------

Output operator+(const Operand& x, const Operand& y);
Output operator-(const Operand& x, const Operand& y);
Output operator*(const Operand& x, const Operand& y);
// The true quotient: integers are converted first (8 and 16 bits to float, wider to double), as
// Python 3's `/`.
Output operator/(const Operand& x, const Operand& y);
// The remainder with the sign of the divisor, as Python's `%`.
Output operator%(const Operand& x, const Operand& y);
Output operator-(const Operand& x);

// x becomes a new tensor; what `x` stood for stays as it is: total += loss is total = total + loss.
// To change a variable there is Variable::assign_add().
Output& operator+=(Output& x, const Operand& y);
Output& operator-=(Output& x, const Operand& y);
Output& operator*=(Output& x, const Operand& y);
Output& operator/=(Output& x, const Operand& y);

// ---- two operands -------------------------------------------------------------------------------
// Integers wrap around. An integer division by zero fails when it is run.

Output add(const Operand& x, const Operand& y, const NameOptions& options = {});
Output subtract(const Operand& x, const Operand& y, const NameOptions& options = {});
Output multiply(const Operand& x, const Operand& y, const NameOptions& options = {});
// x / y, the operator: tf.divide and tf.truediv.
Output divide(const Operand& x, const Operand& y, const NameOptions& options = {});
// tf.div: the quotient, of integers rounded down.
Output div(const Operand& x, const Operand& y, const NameOptions& options = {});
Output realdiv(const Operand& x, const Operand& y, const NameOptions& options = {});
// The quotient rounded towards minus infinity. floordiv is Python's `//` (named floordiv),
// floor_div the op by itself.
Output floordiv(const Operand& x, const Operand& y, const NameOptions& options = {});
Output floor_div(const Operand& x, const Operand& y, const NameOptions& options = {});
Output floormod(const Operand& x, const Operand& y, const NameOptions& options = {});
// The quotient rounded towards zero, and its remainder, as C++ divides integers.
Output truncatediv(const Operand& x, const Operand& y, const NameOptions& options = {});
Output truncatemod(const Operand& x, const Operand& y, const NameOptions& options = {});
// x to the power y. An integer to a negative power fails when it is run.
Output pow(const Operand& x, const Operand& y, const NameOptions& options = {});
// NaN where either operand is.
Output maximum(const Operand& x, const Operand& y, const NameOptions& options = {});
Output minimum(const Operand& x, const Operand& y, const NameOptions& options = {});
Output squared_difference(const Operand& x, const Operand& y, const NameOptions& options = {});
// The angle of the point (x, y).
Output atan2(const Operand& y, const Operand& x, const NameOptions& options = {});
// The sum of tensors of one shape (TensorFlow's AddN). One tensor alone is given back as it is.
// Throws InvalidArgument when there are none.
Output add_n(const std::vector<Output>& inputs, const NameOptions& options = {},
             SourceLocation at = SourceLocation::current());
// x held between `low` and `high`: maximum(minimum(x, high), low), in a scope named clip_by_value.
Output clip_by_value(const Operand& x, const Operand& low, const Operand& high,
                     const NameOptions& options = {});
// scalar · x, the number made a constant named `scalar` (tf.scalar_mul).
Output scalar_mul(double scalar, const Operand& x);

// ---- one operand --------------------------------------------------------------------------------

Output negative(const Operand& x, const NameOptions& options = {});
Output abs(const Operand& x, const NameOptions& options = {});
Output square(const Operand& x, const NameOptions& options = {});
Output sqrt(const Operand& x, const NameOptions& options = {});
Output rsqrt(const Operand& x, const NameOptions& options = {});  // 1 / sqrt(x)
Output exp(const Operand& x, const NameOptions& options = {});
Output expm1(const Operand& x, const NameOptions& options = {});  // exp(x) - 1, exact near 0
Output log(const Operand& x, const NameOptions& options = {});
Output log1p(const Operand& x, const NameOptions& options = {});  // log(1 + x), exact near 0
Output reciprocal(const Operand& x, const NameOptions& options = {});
Output sign(const Operand& x, const NameOptions& options = {});  // -1, 0 or 1
Output floor(const Operand& x, const NameOptions& options = {});
Output ceil(const Operand& x, const NameOptions& options = {});
Output round(const Operand& x, const NameOptions& options = {});  // halves to even
Output rint(const Operand& x, const NameOptions& options = {});   // halves to even
Output sin(const Operand& x, const NameOptions& options = {});
Output cos(const Operand& x, const NameOptions& options = {});
Output tan(const Operand& x, const NameOptions& options = {});
Output asin(const Operand& x, const NameOptions& options = {});
Output acos(const Operand& x, const NameOptions& options = {});
Output atan(const Operand& x, const NameOptions& options = {});
Output sinh(const Operand& x, const NameOptions& options = {});
Output cosh(const Operand& x, const NameOptions& options = {});
Output sigmoid(const Operand& x, const NameOptions& options = {});  // 1 / (1 + exp(-x))
Output tanh(const Operand& x, const NameOptions& options = {});
Output erf(const Operand& x, const NameOptions& options = {});
Output is_nan(const Operand& x, const NameOptions& options = {});
Output is_inf(const Operand& x, const NameOptions& options = {});
Output is_finite(const Operand& x, const NameOptions& options = {});

// What the gradients of sigmoid, tanh, sqrt, rsqrt and reciprocal are made of: dy times the slope,
// given y = f(x).
Output sigmoid_grad(const Operand& y, const Operand& dy, const NameOptions& options = {});
Output tanh_grad(const Operand& y, const Operand& dy, const NameOptions& options = {});
Output sqrt_grad(const Operand& y, const Operand& dy, const NameOptions& options = {});
Output rsqrt_grad(const Operand& y, const Operand& dy, const NameOptions& options = {});
Output reciprocal_grad(const Operand& y, const Operand& dy, const NameOptions& options = {});

// ---- comparison and choice: results are bool ----------------------------------------------------

Output equal(const Operand& x, const Operand& y, const NameOptions& options = {});
Output not_equal(const Operand& x, const Operand& y, const NameOptions& options = {});
Output less(const Operand& x, const Operand& y, const NameOptions& options = {});
Output less_equal(const Operand& x, const Operand& y, const NameOptions& options = {});
Output greater(const Operand& x, const Operand& y, const NameOptions& options = {});
Output greater_equal(const Operand& x, const Operand& y, const NameOptions& options = {});
Output logical_and(const Operand& x, const Operand& y, const NameOptions& options = {});
Output logical_or(const Operand& x, const Operand& y, const NameOptions& options = {});
Output logical_not(const Operand& x, const NameOptions& options = {});

struct ApproximateEqualOptions {
  float tolerance = 1e-5f;
  std::string name = "";
};
// |x - y| < tolerance, for two tensors of one shape.
Output approximate_equal(const Operand& x, const Operand& y,
                         const ApproximateEqualOptions& options = {});

// Elements of x where `condition` holds, of y elsewhere (TensorFlow's Select; tf.where with three
// arguments). x and y are of one shape; the condition is of that shape too, or a scalar, or a
// vector that chooses rows of x and y.
Output where(const Operand& condition, const Operand& x, const Operand& y,
             const NameOptions& options = {});

// ---- conversion ---------------------------------------------------------------------------------

struct CastOptions {
  // Drops the bits a narrower floating dtype has no room for, where otherwise it rounds to nearest.
  bool truncate = false;
  std::string name = "";
};
// x as `dtype`; x itself when it is that already. Integers wrap around, bool is 0 or 1, a number is
// true unless 0 (NaN is true), the real part is taken of a complex number. Fractions are cut off; a
// number too big for int32 or int64, and NaN, give the lowest value. To 8 and 16 bits a fraction
// goes by way of int32, to uint32 by way of int64, whose low bits remain: 300.7 is 44 as uint8,
// -1.5 is 255, 1e10 and NaN are 0. To uint64 what is negative wraps around, and NaN and what is too
// big are 0. All this as NumPy and TensorFlow do it on x86, on every machine.
//   auto accuracy = reduce_mean(cast(correct, DType::kFloat));
Output cast(const Operand& x, DType dtype, const CastOptions& options = {});

std::span<const OpDef* const> unary_ops();
std::span<const OpDef* const> binary_ops();
std::span<const OpDef* const> compare_ops();
std::span<const OpDef* const> cast_ops();

}  // namespace cairn
