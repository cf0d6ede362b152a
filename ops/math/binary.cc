// Arithmetic of two operands, element by element, with broadcasting.
#include <cmath>

#include "ops/core/building.h"
#include "ops/core/elementwise.h"
#include "ops/math/math.h"
#include "ops/math/math_gradients.h"

namespace cairn {
namespace {

// ---- functors of an element ---------------------------------------------------------------------

struct Add : Light {
  template <class T>
  T operator()(const T& x, const T& y) const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(Wrapping<T>(x) + Wrapping<T>(y));
    else
      return x + y;
  }
};
struct Sub : Light {
  template <class T>
  T operator()(T x, T y) const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(Wrapping<T>(x) - Wrapping<T>(y));
    else
      return x - y;
  }
};
struct Mul : Light {
  template <class T>
  T operator()(T x, T y) const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(Wrapping<T>(x) * Wrapping<T>(y));
    else
      return x * y;
  }
};
struct Maximum : Light {
  template <class T>
  T operator()(T x, T y) const {
    return is_above(y, x) ? y : x;
  }
};
struct Minimum : Light {
  template <class T>
  T operator()(T x, T y) const {
    return is_below(y, x) ? y : x;
  }
};
struct SquaredDifference : Light {
  template <class T>
  T operator()(T x, T y) const {
    const T d = Sub()(x, y);
    return Mul()(d, d);
  }
};

// Integer divisions refuse a zero divisor; the lowest integer divided by -1 wraps around.
struct Division {
  static constexpr double kCost = 1;
  static constexpr const char* kRefusal = "integer division by zero";
  template <class T>
  static bool refuses(T y) requires std::is_integral_v<T> {
    return y == 0;
  }
  template <class T>
  static bool wraps(T y) {
    if constexpr (std::is_signed_v<T>)
      return y == T(-1);
    else
      return false;
  }
};
struct Quotient : Division {
  template <class T>
  T operator()(T x, T y) const {
    if constexpr (std::is_integral_v<T>)
      return wraps(y) ? Sub()(T(0), x) : static_cast<T>(x / y);
    else
      return x / y;
  }
};
struct FloorDiv : Division {
  template <class T>
  T operator()(T x, T y) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::floor(x / y);
    } else {
      const T q = Quotient()(x, y);
      return wraps(y) || x % y == 0 || (x < 0) == (y < 0) ? q : static_cast<T>(q - 1);
    }
  }
};
struct TruncateMod : Division {
  template <class T>
  T operator()(T x, T y) const {
    if constexpr (std::is_floating_point_v<T>)
      return std::fmod(x, y);
    else
      return wraps(y) ? T(0) : static_cast<T>(x % y);
  }
};
struct FloorMod : Division {
  template <class T>
  T operator()(T x, T y) const {
    const T r = TruncateMod()(x, y);
    if constexpr (std::is_floating_point_v<T>)
      return (x < 0) == (y < 0) ? r : std::fmod(r + y, y);
    else
      return r != 0 && (r < 0) != (y < 0) ? static_cast<T>(r + y) : r;
  }
};
struct Pow {
  static constexpr double kCost = 10;
  static constexpr const char* kRefusal = "an integer cannot be raised to a negative integer power";
  template <class T>
  static bool refuses(T y) requires std::is_integral_v<T> {
    return y < 0;
  }
  template <class T>
  T operator()(T x, T y) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::pow(x, y);
    } else {
      T power = 1;
      for (; y > 0; y >>= 1, x = Mul()(x, x)) {
        if (y & 1) power = Mul()(power, x);
      }
      return power;
    }
  }
};
struct Atan2 {
  static constexpr double kCost = 15;
  template <class T>
  T operator()(T y, T x) const {
    return std::atan2(y, x);
  }
};

// ---- AddN ---------------------------------------------------------------------------------------

void add_n_shape(ShapeContext& c) {
  Shape shape = c.input(0);
  for (int i = 1; i < c.num_inputs(); ++i) shape = merge(shape, c.input(i));
  c.set_output(shape);
}

void add_n(KernelContext& c, const BinaryLoop& loop) {
  const Shape shape = c.input(0).shape();
  for (int i = 1; i < c.num_inputs(); ++i) {
    if (c.input(i).shape() != shape)
      c.fail(str_cat("input 0 is ", shape, ", input ", i, " is ", c.input(i).shape(),
                     "; all must be of one shape"));
  }
  if (c.num_inputs() == 1) return c.forward(0, 0);
  const char* first = static_cast<const char*>(c.input(0).raw_data());
  char* out = static_cast<char*>(c.allocate_or_reuse(0, 0, shape).raw_data());
  c.parallel_for(shape.num_elements(), 0.2 * c.num_inputs(), [&](int64_t begin, int64_t end) {
    const int64_t at = begin * static_cast<int64_t>(loop.size);
    for (int i = 1; i < c.num_inputs(); ++i) {
      const char* next = static_cast<const char*>(c.input(i).raw_data());
      loop.run(0, (i == 1 ? first : out) + at, true, next + at, true, out + at, end - begin);
    }
  });
}
Kernel add_n_prepare(const KernelSetup& s) {
  const BinaryLoop loop =
      by_types(Reals(), s, s.dtype("T"), []<class T>() { return binary_loop<Add, T>(); });
  return [loop](KernelContext& c) { add_n(c, loop); };
}

// ---- Mul of two tensors that must be alike ------------------------------------------------------

Kernel mul_prepare(const KernelSetup& s) {
  BinaryLoop loop =
      by_types(Reals(), s, s.input_dtype(0), []<class T>() { return binary_loop<Mul, T>(); });
  const Attr* alike = s.find(kSameShape);
  if (const auto* what = alike ? alike->get<std::string>() : nullptr) {
    loop.same_shape = true;
    loop.alike = what->c_str();
  }
  return binary_kernel(loop);
}

// ---- the ops ------------------------------------------------------------------------------------

constexpr std::string_view kAddTypes =
    "T: {bfloat16, half, float, double, uint8, int8, int16, int32, int64, complex64, complex128, "
    "string}";
constexpr std::string_view kAddV2Types =
    "T: {bfloat16, half, float, double, uint8, int8, int16, int32, int64, complex64, complex128}";
constexpr std::string_view kMore =
    "T: {bfloat16, half, float, double, uint8, int8, uint16, int16, int32, int64, complex64, "
    "complex128}";
constexpr std::string_view kFewer =
    "T: {bfloat16, half, float, double, int32, int64, complex64, complex128}";
constexpr std::string_view kOrdered = "T: {bfloat16, half, float, double, int32, int64}";
constexpr std::string_view kModTypes = "T: {int32, int64, bfloat16, half, float, double}";

template <class F, class Types>
constexpr OpDef binary(std::string_view name, std::string_view types,
                       Grads (*gradient)(const Operation&, const Grads&), bool commutative = false,
                       bool aggregate = false) {
  return {.name = name,
          .inputs = "x: T, y: T",
          .outputs = "z: T",
          .attrs = types,
          .commutative = commutative,
          .aggregate = aggregate,
          .by_rows = ByRows::kTakesAny,
          .shape = broadcast_shape,
          .prepare = binary_prepare<F, Types>,
          .gradient = gradient};
}

using namespace internal;  // the gradients
using WithStrings = TypeList<float, double, int32_t, int64_t, Half, BFloat16, uint8_t, int8_t,
                             int16_t, std::string>;
constexpr bool kCommutative = true, kAggregate = true;

constexpr OpDef kAdd = binary<Add, WithStrings>("Add", kAddTypes, add_gradient);
constexpr OpDef kAddV2 =
    binary<Add, Reals>("AddV2", kAddV2Types, add_gradient, kCommutative, kAggregate);
constexpr OpDef kSub = binary<Sub, Reals>("Sub", kMore, sub_gradient);
constexpr OpDef kMul = [] {
  OpDef def = binary<Mul, Reals>("Mul", kMore, mul_gradient, kCommutative);
  def.prepare = mul_prepare;
  return def;
}();
constexpr OpDef kDiv = binary<Quotient, Reals>("Div", kMore, div_gradient);
constexpr OpDef kRealDiv = binary<Quotient, Floats>("RealDiv", kMore, real_div_gradient);
constexpr OpDef kFloorDiv = binary<FloorDiv, Reals>("FloorDiv", kMore, not_differentiable);
constexpr OpDef kTruncateDiv =
    binary<Quotient, TypeList<int32_t, int64_t, uint8_t, int8_t, uint16_t, int16_t>>(
        "TruncateDiv", kMore, not_differentiable);
constexpr OpDef kFloorMod =
    binary<FloorMod, FloatsAndInts>("FloorMod", kModTypes, floor_mod_gradient);
constexpr OpDef kTruncateMod =
    binary<TruncateMod, FloatsAndInts>("TruncateMod", kModTypes, nullptr);
constexpr OpDef kMod = binary<TruncateMod, FloatsAndInts>(
    "Mod", "T: {int32, int64, half, half, bfloat16, float, double}", nullptr);
constexpr OpDef kPow = binary<Pow, FloatsAndInts>(
    "Pow", "T: {bfloat16, float, half, double, int32, int64, complex64, complex128}", pow_gradient);
constexpr OpDef kMaximum =
    binary<Maximum, FloatsAndInts>("Maximum", kOrdered, maximum_gradient, kCommutative);
constexpr OpDef kMinimum =
    binary<Minimum, FloatsAndInts>("Minimum", kOrdered, minimum_gradient, kCommutative);
constexpr OpDef kSquaredDifference = binary<SquaredDifference, FloatsAndInts>(
    "SquaredDifference", kFewer, squared_difference_gradient, kCommutative);
constexpr OpDef kAtan2 = [] {
  OpDef def = binary<Atan2, Floats>("Atan2", "T: {bfloat16, half, float, double}", atan2_gradient);
  def.inputs = "y: T, x: T";
  return def;
}();
constexpr OpDef kAddN = {
    .name = "AddN",
    .inputs = "inputs: N * T",
    .outputs = "sum: T",
    .attrs =
        "N: int >= 1, T: {float, double, int32, uint8, int16, int8, complex64, int64, qint8, "
        "quint8, qint32, bfloat16, uint16, complex128, half, uint32, uint64, variant}",
    .commutative = true,
    .aggregate = true,
    .shape = add_n_shape,
    .prepare = add_n_prepare,
    .gradient = add_n_gradient};

// The dtype in which Python's `/` divides integers; kInvalid for dtypes that it does not convert.
DType quotient_dtype(DType dtype) {
  switch (base_dtype(dtype)) {
    case DType::kInt8:
    case DType::kUInt8:
    case DType::kInt16:
    case DType::kUInt16:
      return DType::kFloat;
    case DType::kInt32:
    case DType::kUInt32:
    case DType::kInt64:
    case DType::kUInt64:
      return DType::kDouble;
    default:
      return DType::kInvalid;
  }
}

DType known_dtype(const Operand& x, const Operand& y) {
  return (x.is_output() ? x : y).output().dtype();
}

}  // namespace

Output operator+(const Operand& x, const Operand& y) { return binary_op(kAdd, "add", x, y, {}); }
Output operator-(const Operand& x, const Operand& y) { return binary_op(kSub, "sub", x, y, {}); }
Output operator*(const Operand& x, const Operand& y) { return binary_op(kMul, "mul", x, y, {}); }
Output operator/(const Operand& x, const Operand& y) { return divide(x, y); }
Output operator%(const Operand& x, const Operand& y) {
  return binary_op(kFloorMod, "mod", x, y, {});
}
Output& operator+=(Output& x, const Operand& y) { return x = Operand(x, y.at()) + y; }
Output& operator-=(Output& x, const Operand& y) { return x = Operand(x, y.at()) - y; }
Output& operator*=(Output& x, const Operand& y) { return x = Operand(x, y.at()) * y; }
Output& operator/=(Output& x, const Operand& y) { return x = Operand(x, y.at()) / y; }

Output multiply_alike(const Output& x, const Output& y, std::string_view what, SourceLocation at) {
  Attrs attrs;
  if (!x.shape().is_fully_defined() || x.shape() != y.shape())
    attrs.set(kSameShape, std::string(what));
  return add_node(kMul, {x, y}, std::move(attrs), "mul", at);
}

Output add(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kAdd, "", x, y, o);
}
Output subtract(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kSub, "", x, y, o);
}
Output multiply(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kMul, "", x, y, o);
}
Output realdiv(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kRealDiv, "", x, y, o);
}
Output floordiv(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kFloorDiv, "floordiv", x, y, o);
}
Output floor_div(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kFloorDiv, "", x, y, o);
}
Output floormod(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kFloorMod, "", x, y, o);
}
Output truncatediv(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kTruncateDiv, "", x, y, o);
}
Output truncatemod(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kTruncateMod, "", x, y, o);
}
Output pow(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kPow, "", x, y, o);
}
Output maximum(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kMaximum, "", x, y, o);
}
Output minimum(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kMinimum, "", x, y, o);
}
Output squared_difference(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kSquaredDifference, "", x, y, o);
}
Output atan2(const Operand& y, const Operand& x, const NameOptions& o) {
  return binary_op(kAtan2, "", y, x, o);
}

Output div(const Operand& x, const Operand& y, const NameOptions& o) {
  const bool whole = is_integer(base_dtype(known_dtype(x, y)));
  return binary_op(whole ? kFloorDiv : kRealDiv, "div", x, y, o);
}

Output divide(const Operand& x, const Operand& y, const NameOptions& o) {
  const DType wide = quotient_dtype(known_dtype(x, y));
  if (wide == DType::kInvalid) return binary_op(kRealDiv, "truediv", x, y, o);
  Graph& graph = (x.is_output() ? x : y).graph();
  const Graph::Transaction whole(graph, x.at());
  const DType narrow = known_dtype(x, y);
  Scope scope = graph.name_scope(o.name.empty() ? "truediv" : o.name);
  const Output a = x.in(graph, narrow, "x"), b = y.in(graph, narrow, "y");
  const Output wide_a = cast(Operand(a, x.at()), wide), wide_b = cast(Operand(b, x.at()), wide);
  return add_node(kRealDiv, {wide_a, wide_b}, {}, scope.name(), x.at());
}

Output add_n(const std::vector<Output>& inputs, const NameOptions& options, SourceLocation at) {
  if (inputs.empty())
    fail(Code::kInvalidArgument, "AddN (", at.str(), "): at least one tensor is needed, got none");
  graph_of(inputs, "AddN", at);
  if (inputs.size() == 1 && options.name.empty()) return inputs[0];
  return add_node(kAddN, inputs, {}, options.name, at);
}

Output clip_by_value(const Operand& x, const Operand& low, const Operand& high,
                     const NameOptions& options) {
  const Graph::Transaction whole(x.graph(), x.at());
  Scope scope = x.graph().name_scope(options.name.empty() ? "clip_by_value" : options.name);
  const Output below = minimum(x, high);
  const Output clipped = maximum(Operand(below, x.at()), low, {.name = scope.name()});
  merge(x.output().shape(), clipped.shape());  // throws if the bounds would broadcast x
  return clipped;
}

Output scalar_mul(double scalar, const Operand& x) {
  const Graph::Transaction whole(x.graph(), x.at());
  const Output factor = Operand(scalar).in(x.graph(), x.output().dtype(), "scalar");
  return Operand(factor, x.at()) * x;
}

std::span<const OpDef* const> binary_ops() {
  static constexpr const OpDef* kOps[] = {
      &kAdd,     &kAddN,        &kAddV2,      &kAtan2, &kDiv, &kFloorDiv, &kFloorMod,
      &kMaximum, &kMinimum,     &kMod,        &kMul,   &kPow, &kRealDiv,  &kSquaredDifference,
      &kSub,     &kTruncateDiv, &kTruncateMod};
  return kOps;
}

}  // namespace cairn
