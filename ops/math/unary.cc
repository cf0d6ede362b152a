// Ops of one operand, element by element, and the *Grad ops their gradients are made of.
#include <cmath>

#include "ops/core/elementwise.h"
#include "ops/core/packets.h"
#include "ops/math/math.h"
#include "ops/math/math_gradients.h"

namespace cairn {
namespace {

// ---- functors of an element ---------------------------------------------------------------------

template <double (*F)(double), float (*G)(float), int kNanoseconds>
struct Libm {
  static constexpr double kCost = kNanoseconds;
  float operator()(float x) const { return G(x); }
  double operator()(double x) const { return F(x); }
};

struct ExpParts {
  static auto of(const auto& functions) { return functions.exp; }
};
struct LogParts {
  static auto of(const auto& functions) { return functions.log; }
};
struct SinParts {
  static auto of(const auto& functions) { return functions.sin; }
};
struct CosParts {
  static auto of(const auto& functions) { return functions.cos; }
};
struct TanhParts {
  static auto of(const auto& functions) { return functions.tanh; }
};
struct SigmoidParts {
  static auto of(const auto& functions) { return functions.sigmoid; }
};
using Exp = Packets<ExpParts, 6>;
using Log = Packets<LogParts, 8>;
using Sin = Packets<SinParts, 10>;
using Cos = Packets<CosParts, 10>;
using Tanh = Packets<TanhParts, 8>;
using Sigmoid = Packets<SigmoidParts, 8>;
using Expm1 = Libm<std::expm1, std::expm1, 6>;
using Log1p = Libm<std::log1p, std::log1p, 6>;
using Tan = Libm<std::tan, std::tan, 10>;
using Asin = Libm<std::asin, std::asin, 8>;
using Acos = Libm<std::acos, std::acos, 8>;
using Atan = Libm<std::atan, std::atan, 8>;
using Sinh = Libm<std::sinh, std::sinh, 10>;
using Cosh = Libm<std::cosh, std::cosh, 10>;
using Erf = Libm<std::erf, std::erf, 8>;

struct Neg : Light {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(Wrapping<T>(0) - static_cast<Wrapping<T>>(x));
    return static_cast<T>(-x);
  }
};
struct Abs : Light {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::fabs(x);
    return x < 0 ? Neg()(x) : x;
  }
};
struct Square : Light {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<Wrapping<T>>(x) * static_cast<Wrapping<T>>(x));
    return static_cast<T>(x * x);
  }
};
struct Sqrt : Light {
  template <class T>
  T operator()(T x) const {
    return std::sqrt(x);
  }
};
struct Rsqrt : Light {
  template <class T>
  T operator()(T x) const {
    return T(1) / std::sqrt(x);
  }
};
struct Reciprocal : Light {
  template <class T>
  T operator()(T x) const {
    return T(1) / x;
  }
};
struct Sign : Light {
  template <class T>
  T operator()(T x) const {
    return static_cast<T>(static_cast<T>(x > T(0)) - static_cast<T>(x < T(0)));
  }
};
struct Floor : Light {
  template <class T>
  T operator()(T x) const {
    return std::floor(x);
  }
};
struct Ceil : Light {
  template <class T>
  T operator()(T x) const {
    return std::ceil(x);
  }
};
struct Rint : Light {  // halves to even: the rounding mode of the machine
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_integral_v<T>) return x;
    return static_cast<T>(std::rint(x));
  }
};
struct IsNan : Light {
  template <class T>
  bool operator()(T x) const {
    return x != x;
  }
};
struct IsInf : Light {
  template <class T>
  bool operator()(T x) const {
    return std::fabs(x) == std::numeric_limits<T>::infinity();
  }
};
struct IsFinite : Light {
  template <class T>
  bool operator()(T x) const {
    return std::fabs(x) < std::numeric_limits<T>::infinity();
  }
};

struct SigmoidGrad : Light {
  template <class T>
  T operator()(T y, T dy) const {
    return dy * y * (T(1) - y);
  }
};
struct TanhGrad : Light {
  template <class T>
  T operator()(T y, T dy) const {
    return dy * (T(1) - y * y);
  }
};
struct SqrtGrad : Light {
  template <class T>
  T operator()(T y, T dy) const {
    return T(0.5) * dy / y;
  }
};
struct RsqrtGrad : Light {
  template <class T>
  T operator()(T y, T dy) const {
    return T(-0.5) * (dy * y) * (y * y);
  }
};
struct ReciprocalGrad : Light {
  template <class T>
  T operator()(T y, T dy) const {
    return -dy * (y * y);
  }
};

// ---- the ops ------------------------------------------------------------------------------------

constexpr std::string_view kReal = "T: {bfloat16, half, float, double}";
constexpr std::string_view kNumber =
    "T: {bfloat16, half, float, double, int32, int64, complex64, complex128}";
constexpr std::string_view kComplex = "T: {bfloat16, half, float, double, complex64, complex128}";

using Gradient = Grads(const Operation&, const Grads&);

template <class F, class Types = Floats>
constexpr OpDef unary(std::string_view name, std::string_view types, Gradient* gradient) {
  return {.name = name,
          .inputs = "x: T",
          .outputs = "y: T",
          .attrs = types,
          .by_rows = ByRows::kTakesFirst,
          .shape = unchanged_shape,
          .prepare = unary_prepare<F, Types>,
          .gradient = gradient};
}
template <class F>
constexpr OpDef predicate(std::string_view name) {
  return {.name = name,
          .inputs = "x: T",
          .outputs = "y: bool",
          .attrs = kReal,
          .shape = unchanged_shape,
          .prepare = unary_prepare<F, Floats>,
          .gradient = not_differentiable};
}

void grad_shape(ShapeContext& c) { c.set_output(merge(c.input(0), c.input(1))); }

template <class F>
constexpr OpDef grad(std::string_view name, Gradient* gradient) {
  return {.name = name,
          .inputs = "y: T, dy: T",
          .outputs = "z: T",
          .attrs = kComplex,
          .by_rows = ByRows::kTakesAny,
          .shape = grad_shape,
          .prepare = alike_prepare<F, Floats>,
          .gradient = gradient};
}

using namespace internal;  // the gradients
using AbsTypes = TypeList<float, double, int32_t, int64_t, Half, BFloat16, int8_t, int16_t>;

constexpr OpDef kNeg = unary<Neg, FloatsAndInts>("Neg", kNumber, negative_gradient);
constexpr OpDef kAbs = unary<Abs, AbsTypes>(
    "Abs", "T: {bfloat16, half, float, double, int8, int16, int32, int64}", abs_gradient);
constexpr OpDef kSquare = unary<Square, FloatsAndInts>("Square", kNumber, square_gradient);
constexpr OpDef kSqrt = unary<Sqrt>("Sqrt", kComplex, sqrt_gradient);
constexpr OpDef kRsqrt = unary<Rsqrt>("Rsqrt", kComplex, rsqrt_gradient);
constexpr OpDef kExp = unary<Exp>("Exp", kComplex, exp_gradient);
constexpr OpDef kExpm1 = unary<Expm1>("Expm1", kComplex, expm1_gradient);
constexpr OpDef kLog = unary<Log>("Log", kComplex, log_gradient);
constexpr OpDef kLog1p = unary<Log1p>("Log1p", kComplex, log1p_gradient);
constexpr OpDef kReciprocal = unary<Reciprocal>("Reciprocal", kNumber, reciprocal_gradient);
constexpr OpDef kInv = unary<Reciprocal>("Inv", kNumber, reciprocal_gradient);
constexpr OpDef kSign = unary<Sign, FloatsAndInts>("Sign", kNumber, sign_gradient);
constexpr OpDef kFloor = unary<Floor>("Floor", kReal, not_differentiable);
constexpr OpDef kCeil = unary<Ceil>("Ceil", kReal, not_differentiable);
constexpr OpDef kRint = unary<Rint>("Rint", kReal, not_differentiable);
constexpr OpDef kRound = unary<Rint, FloatsAndInts>("Round", kNumber, not_differentiable);
constexpr OpDef kSin = unary<Sin>("Sin", kComplex, sin_gradient);
constexpr OpDef kCos = unary<Cos>("Cos", kComplex, cos_gradient);
constexpr OpDef kTan = unary<Tan>("Tan", kNumber, tan_gradient);
constexpr OpDef kAsin = unary<Asin>("Asin", kNumber, asin_gradient);
constexpr OpDef kAcos = unary<Acos>("Acos", kNumber, acos_gradient);
constexpr OpDef kAtan = unary<Atan>("Atan", kNumber, atan_gradient);
constexpr OpDef kSinh = unary<Sinh>("Sinh", kComplex, sinh_gradient);
constexpr OpDef kCosh = unary<Cosh>("Cosh", kComplex, cosh_gradient);
constexpr OpDef kSigmoid = unary<Sigmoid>("Sigmoid", kComplex, sigmoid_gradient);
constexpr OpDef kTanh = unary<Tanh>("Tanh", kComplex, tanh_gradient);
constexpr OpDef kErf = unary<Erf>("Erf", kReal, erf_gradient);
constexpr OpDef kIsNan = predicate<IsNan>("IsNan");
constexpr OpDef kIsInf = predicate<IsInf>("IsInf");
constexpr OpDef kIsFinite = predicate<IsFinite>("IsFinite");
constexpr OpDef kSigmoidGrad = grad<SigmoidGrad>("SigmoidGrad", sigmoid_grad_gradient);
constexpr OpDef kTanhGrad = grad<TanhGrad>("TanhGrad", tanh_grad_gradient);
constexpr OpDef kSqrtGrad = grad<SqrtGrad>("SqrtGrad", sqrt_grad_gradient);
constexpr OpDef kRsqrtGrad = grad<RsqrtGrad>("RsqrtGrad", rsqrt_grad_gradient);
constexpr OpDef kReciprocalGrad = grad<ReciprocalGrad>("ReciprocalGrad", reciprocal_grad_gradient);
constexpr OpDef kInvGrad = grad<ReciprocalGrad>("InvGrad", reciprocal_grad_gradient);

}  // namespace

Output negative(const Operand& x, const NameOptions& o) { return unary_op(kNeg, x, o); }
Output operator-(const Operand& x) { return unary_op(kNeg, x, {}); }
Output abs(const Operand& x, const NameOptions& o) { return unary_op(kAbs, x, o); }
Output square(const Operand& x, const NameOptions& o) { return unary_op(kSquare, x, o); }
Output sqrt(const Operand& x, const NameOptions& o) { return unary_op(kSqrt, x, o); }
Output rsqrt(const Operand& x, const NameOptions& o) { return unary_op(kRsqrt, x, o); }
Output exp(const Operand& x, const NameOptions& o) { return unary_op(kExp, x, o); }
Output expm1(const Operand& x, const NameOptions& o) { return unary_op(kExpm1, x, o); }
Output log(const Operand& x, const NameOptions& o) { return unary_op(kLog, x, o); }
Output log1p(const Operand& x, const NameOptions& o) { return unary_op(kLog1p, x, o); }
Output reciprocal(const Operand& x, const NameOptions& o) { return unary_op(kReciprocal, x, o); }
Output sign(const Operand& x, const NameOptions& o) { return unary_op(kSign, x, o); }
Output floor(const Operand& x, const NameOptions& o) { return unary_op(kFloor, x, o); }
Output ceil(const Operand& x, const NameOptions& o) { return unary_op(kCeil, x, o); }
Output round(const Operand& x, const NameOptions& o) { return unary_op(kRound, x, o); }
Output rint(const Operand& x, const NameOptions& o) { return unary_op(kRint, x, o); }
Output sin(const Operand& x, const NameOptions& o) { return unary_op(kSin, x, o); }
Output cos(const Operand& x, const NameOptions& o) { return unary_op(kCos, x, o); }
Output tan(const Operand& x, const NameOptions& o) { return unary_op(kTan, x, o); }
Output asin(const Operand& x, const NameOptions& o) { return unary_op(kAsin, x, o); }
Output acos(const Operand& x, const NameOptions& o) { return unary_op(kAcos, x, o); }
Output atan(const Operand& x, const NameOptions& o) { return unary_op(kAtan, x, o); }
Output sinh(const Operand& x, const NameOptions& o) { return unary_op(kSinh, x, o); }
Output cosh(const Operand& x, const NameOptions& o) { return unary_op(kCosh, x, o); }
Output sigmoid(const Operand& x, const NameOptions& o) { return unary_op(kSigmoid, x, o); }
Output tanh(const Operand& x, const NameOptions& o) { return unary_op(kTanh, x, o); }
Output erf(const Operand& x, const NameOptions& o) { return unary_op(kErf, x, o); }
Output is_nan(const Operand& x, const NameOptions& o) { return unary_op(kIsNan, x, o); }
Output is_inf(const Operand& x, const NameOptions& o) { return unary_op(kIsInf, x, o); }
Output is_finite(const Operand& x, const NameOptions& o) { return unary_op(kIsFinite, x, o); }

Output sigmoid_grad(const Operand& y, const Operand& dy, const NameOptions& o) {
  return binary_op(kSigmoidGrad, "", y, dy, o);
}
Output tanh_grad(const Operand& y, const Operand& dy, const NameOptions& o) {
  return binary_op(kTanhGrad, "", y, dy, o);
}
Output sqrt_grad(const Operand& y, const Operand& dy, const NameOptions& o) {
  return binary_op(kSqrtGrad, "", y, dy, o);
}
Output rsqrt_grad(const Operand& y, const Operand& dy, const NameOptions& o) {
  return binary_op(kRsqrtGrad, "", y, dy, o);
}
Output reciprocal_grad(const Operand& y, const Operand& dy, const NameOptions& o) {
  return binary_op(kReciprocalGrad, "", y, dy, o);
}

std::span<const OpDef* const> unary_ops() {
  static constexpr const OpDef* kOps[] = {
      &kAbs,     &kAcos,  &kAsin,  &kAtan,      &kCeil,    &kCos,         &kCosh,
      &kErf,     &kExp,   &kExpm1, &kFloor,     &kInv,     &kInvGrad,     &kIsFinite,
      &kIsInf,   &kIsNan, &kLog,   &kLog1p,     &kNeg,     &kReciprocal,  &kReciprocalGrad,
      &kRint,    &kRound, &kRsqrt, &kRsqrtGrad, &kSigmoid, &kSigmoidGrad, &kSign,
      &kSin,     &kSinh,  &kSqrt,  &kSqrtGrad,  &kSquare,  &kTan,         &kTanh,
      &kTanhGrad};
  return kOps;
}

}  // namespace cairn
