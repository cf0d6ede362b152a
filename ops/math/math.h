// Arithmetic, comparison and conversion, element by element.
//
// Builders of two operands broadcast as NumPy does: shapes are matched from the right and an extent
// of 1 stretches; [100,10] + [10] adds a row to every row. Either operand may be a number, which
// takes the dtype of the other. The result has the dtype of the operands, bool for comparisons. All
// builders throw InvalidArgument if dtypes differ or are not among those of the op, or shapes do
// not broadcast; for shapes known only when the graph runs, the run does.
//
//   Output y = sigmoid(matmul(x, w) + b) * 0.5f;
//   Output clipped = maximum(minimum(y, 1), 0);
//
// Calls that fail, with InvalidArgument, for float a [2,3] and b [4], and integers n:
//
//   a + b;              // Add 'add' (a.cc:7): shapes [2,3] and [4] cannot be broadcast together
//   n + 0.5f;           // a.cc:8: 0.5 is not a value of dtype int32
//   session.run(floordiv(n, 0));       // integer division by zero
#pragma once

#include <span>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// ---- operators, with the names that Python's give: add, sub, mul, truediv, Neg ------------------

Output operator+(const Operand& x, const Operand& y);
Output operator-(const Operand& x, const Operand& y);
Output operator*(const Operand& x, const Operand& y);
// The true quotient: integers are first converted (8 and 16 bits to float, wider to double), as in
// Python 3's `/`.
Output operator/(const Operand& x, const Operand& y);
// The remainder with the sign of the divisor, as Python's `%`.
Output operator%(const Operand& x, const Operand& y);
Output operator-(const Operand& x);

// x is assigned a new tensor; the old one is unchanged: total += loss is total = total + loss. A
// variable is changed by Variable::assign_add() instead.
Output& operator+=(Output& x, const Operand& y);
Output& operator-=(Output& x, const Operand& y);
Output& operator*=(Output& x, const Operand& y);
Output& operator/=(Output& x, const Operand& y);

// ---- two operands -------------------------------------------------------------------------------
// Integers wrap around. An integer division by zero fails the run with InvalidArgument.

Output add(const Operand& x, const Operand& y, const NameOptions& options = {});
Output subtract(const Operand& x, const Operand& y, const NameOptions& options = {});
Output multiply(const Operand& x, const Operand& y, const NameOptions& options = {});
// x / y as the operator computes it: tf.divide and tf.truediv.
Output divide(const Operand& x, const Operand& y, const NameOptions& options = {});
// tf.div: the quotient; of integers rounded down.
Output div(const Operand& x, const Operand& y, const NameOptions& options = {});
// The quotient of floating dtypes without conversion (TensorFlow's RealDiv).
Output realdiv(const Operand& x, const Operand& y, const NameOptions& options = {});
// The quotient rounded towards minus infinity. floordiv is Python's `//` (named floordiv),
// floor_div the op alone.
Output floordiv(const Operand& x, const Operand& y, const NameOptions& options = {});
Output floor_div(const Operand& x, const Operand& y, const NameOptions& options = {});
// x - floor(x / y) * y: the sign is that of y. The operator % is this.
Output floormod(const Operand& x, const Operand& y, const NameOptions& options = {});
// The quotient rounded towards zero, and its remainder, as in C++ for integers.
Output truncatediv(const Operand& x, const Operand& y, const NameOptions& options = {});
Output truncatemod(const Operand& x, const Operand& y, const NameOptions& options = {});
// x to the power y. An integer to a negative power fails the run with InvalidArgument.
Output pow(const Operand& x, const Operand& y, const NameOptions& options = {});
// NaN if either operand is NaN.
Output maximum(const Operand& x, const Operand& y, const NameOptions& options = {});
Output minimum(const Operand& x, const Operand& y, const NameOptions& options = {});
// (x - y)².
Output squared_difference(const Operand& x, const Operand& y, const NameOptions& options = {});
// The angle of the point (x, y), in [-pi, pi].
Output atan2(const Operand& y, const Operand& x, const NameOptions& options = {});
// The sum of tensors of one shape and dtype, without broadcasting (TensorFlow's AddN). A single
// tensor is returned unchanged. Throws InvalidArgument for an empty list.
Output add_n(const std::vector<Output>& inputs, const NameOptions& options = {},
             SourceLocation at = SourceLocation::current());
// x limited to [low, high]: maximum(minimum(x, high), low), in a scope named clip_by_value. Throws
// InvalidArgument for bounds that would broadcast x to another shape.
Output clip_by_value(const Operand& x, const Operand& low, const Operand& high,
                     const NameOptions& options = {});
// scalar · x, with the number as a constant named `scalar` (tf.scalar_mul).
Output scalar_mul(double scalar, const Operand& x);

// ---- one operand --------------------------------------------------------------------------------
// Dtypes: half, bfloat16, float and double. negative, abs, square, sign and round also take int32
// and int64, abs also int8 and int16. The result has the shape of x.

Output negative(const Operand& x, const NameOptions& options = {});    // -x
Output abs(const Operand& x, const NameOptions& options = {});         // |x|
Output square(const Operand& x, const NameOptions& options = {});      // x * x
Output sqrt(const Operand& x, const NameOptions& options = {});        // NaN below 0
Output rsqrt(const Operand& x, const NameOptions& options = {});       // 1 / sqrt(x)
Output exp(const Operand& x, const NameOptions& options = {});         // e to the power x
Output expm1(const Operand& x, const NameOptions& options = {});       // exp(x) - 1, exact near 0
Output log(const Operand& x, const NameOptions& options = {});         // natural; NaN below 0
Output log1p(const Operand& x, const NameOptions& options = {});       // log(1 + x), exact near 0
Output reciprocal(const Operand& x, const NameOptions& options = {});  // 1 / x
Output sign(const Operand& x, const NameOptions& options = {});        // -1, 0 or 1
Output floor(const Operand& x, const NameOptions& options = {});       // rounds down
Output ceil(const Operand& x, const NameOptions& options = {});        // rounds up
Output round(const Operand& x, const NameOptions& options = {});       // halves to even
Output rint(const Operand& x, const NameOptions& options = {});        // halves to even
Output sin(const Operand& x, const NameOptions& options = {});         // radians
Output cos(const Operand& x, const NameOptions& options = {});         // radians
Output tan(const Operand& x, const NameOptions& options = {});         // radians
Output asin(const Operand& x, const NameOptions& options = {});        // in [-pi/2, pi/2]
Output acos(const Operand& x, const NameOptions& options = {});        // in [0, pi]
Output atan(const Operand& x, const NameOptions& options = {});        // in [-pi/2, pi/2]
Output sinh(const Operand& x, const NameOptions& options = {});
Output cosh(const Operand& x, const NameOptions& options = {});
Output sigmoid(const Operand& x, const NameOptions& options = {});  // 1 / (1 + exp(-x))
Output tanh(const Operand& x, const NameOptions& options = {});
Output erf(const Operand& x, const NameOptions& options = {});        // the error function
Output is_nan(const Operand& x, const NameOptions& options = {});     // bool
Output is_inf(const Operand& x, const NameOptions& options = {});     // bool: of either sign
Output is_finite(const Operand& x, const NameOptions& options = {});  // bool

// For the gradients of sigmoid, tanh, sqrt, rsqrt and reciprocal: dy times the derivative, given y
// = f(x).
Output sigmoid_grad(const Operand& y, const Operand& dy, const NameOptions& options = {});
Output tanh_grad(const Operand& y, const Operand& dy, const NameOptions& options = {});
Output sqrt_grad(const Operand& y, const Operand& dy, const NameOptions& options = {});
Output rsqrt_grad(const Operand& y, const Operand& dy, const NameOptions& options = {});
Output reciprocal_grad(const Operand& y, const Operand& dy, const NameOptions& options = {});

// ---- comparison and choice: results are bool ----------------------------------------------------
// Comparisons broadcast, of real numbers; equal and not_equal also of complex numbers, bool and
// strings. A comparison with NaN is false, but not_equal is true.

Output equal(const Operand& x, const Operand& y, const NameOptions& options = {});
Output not_equal(const Operand& x, const Operand& y, const NameOptions& options = {});
Output less(const Operand& x, const Operand& y, const NameOptions& options = {});
Output less_equal(const Operand& x, const Operand& y, const NameOptions& options = {});
Output greater(const Operand& x, const Operand& y, const NameOptions& options = {});
Output greater_equal(const Operand& x, const Operand& y, const NameOptions& options = {});
// Operands are bool.
Output logical_and(const Operand& x, const Operand& y, const NameOptions& options = {});
Output logical_or(const Operand& x, const Operand& y, const NameOptions& options = {});
Output logical_not(const Operand& x, const NameOptions& options = {});

struct ApproximateEqualOptions {
  float tolerance = 1e-5f;
  std::string name = "";
};
// |x - y| < tolerance, for two tensors of one shape; no broadcasting.
Output approximate_equal(const Operand& x, const Operand& y,
                         const ApproximateEqualOptions& options = {});

// Elements of x where `condition` is true, of y elsewhere (TensorFlow's Select; tf.where with three
// arguments). x and y have one shape; condition (bool) has that shape, or is a scalar, or a vector
// that selects rows of x and y. With broadcasting: where_v2() in ops/array/where.h.
//
//   where(greater(x, 0.0f), x, zeros_like(x))
Output where(const Operand& condition, const Operand& x, const Operand& y,
             const NameOptions& options = {});

// ---- conversion ---------------------------------------------------------------------------------

struct CastOptions {
  // Clears the bits that a narrower floating dtype cannot hold; by default it rounds to nearest.
  bool truncate = false;
  std::string name = "";
};
// x converted to `dtype`; x itself if it has that dtype already. Integers wrap around; bool is 0 or
// 1; a number is true unless it is 0 (NaN is true); of a complex number the real part is taken. Of
// a floating number the fraction is cut off; to int32 or int64, a number out of range and NaN give
// the lowest value. To 8 and 16 bits a floating number is converted by way of int32, to uint32 by
// way of int64, and the low bits remain: 300.7 is 44 as uint8, -1.5 is 255, 1e10 and NaN are 0. To
// uint64 a negative number wraps around, NaN and a number out of range are 0. NumPy and TensorFlow
// do the same on x86; here it holds on every machine.
//
//   auto accuracy = reduce_mean(cast(correct, DType::kFloat));
Output cast(const Operand& x, DType dtype, const CastOptions& options = {});

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> unary_ops();
std::span<const OpDef* const> binary_ops();
std::span<const OpDef* const> compare_ops();
std::span<const OpDef* const> cast_ops();

}  // namespace cairn
