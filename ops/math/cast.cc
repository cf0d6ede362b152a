// Conversion between dtypes.
#include <bit>
#include <cmath>
#include <complex>
#include <limits>

#include "ops/core/elementwise.h"
#include "ops/math/math.h"
#include "ops/math/math_gradients.h"

namespace cairn {
namespace {

template <class T>
inline constexpr bool is_complex_type =
    std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;

// A floating number as an integer: the fraction is cut off. Numbers out of range and NaN give the
// lowest value, as on x86; in C++ alone the conversion would be undefined.
template <class D, class S>
D to_integer(S x) {
  if constexpr (sizeof(D) < 4) {
    return static_cast<D>(to_integer<int32_t>(x));
  } else if constexpr (std::is_same_v<D, uint32_t>) {
    return static_cast<D>(to_integer<int64_t>(x));
  } else if constexpr (std::is_same_v<D, uint64_t>) {
    constexpr S kHalfRange = 9223372036854775808.0;
    return x < kHalfRange
               ? static_cast<D>(to_integer<int64_t>(x))
               : static_cast<D>(to_integer<int64_t>(x - kHalfRange)) + (uint64_t{1} << 63);
  } else {
    constexpr S kLow = static_cast<S>(std::numeric_limits<D>::lowest());
    return x >= kLow && x < -kLow ? static_cast<D>(x) : std::numeric_limits<D>::lowest();
  }
}

template <class D, class S>
D convert(S x) {
  if constexpr (is_half<S>) {
    return convert<D>(static_cast<float>(x));
  } else if constexpr (is_half<D>) {
    return D(convert<float>(x));
  } else if constexpr (is_complex_type<D>) {
    using Part = typename D::value_type;
    if constexpr (is_complex_type<S>)
      return D(static_cast<Part>(x.real()), static_cast<Part>(x.imag()));
    else
      return D(static_cast<Part>(x));
  } else if constexpr (is_complex_type<S>) {
    return convert<D>(x.real());
  } else if constexpr (std::is_same_v<D, bool>) {
    return x != S(0);
  } else if constexpr (std::is_integral_v<D> && std::is_floating_point_v<S>) {
    return to_integer<D>(x);
  } else {
    return static_cast<D>(x);
  }
}

// The stored fraction bits of the floating dtypes.
template <class T>
inline constexpr int kFractionBits = -1;
template <>
inline constexpr int kFractionBits<double> = 52;
template <>
inline constexpr int kFractionBits<float> = 23;
template <>
inline constexpr int kFractionBits<Half> = 10;
template <>
inline constexpr int kFractionBits<BFloat16> = 7;

// The attribute Truncate: clears the bits that D cannot hold, so that the conversion has nothing to
// round.
template <class D, class S>
S drop_fraction_bits(S x) {
  using Bits = std::conditional_t<sizeof(S) == 8, uint64_t,
                                  std::conditional_t<sizeof(S) == 4, uint32_t, uint16_t>>;
  if (std::isnan(widen(x))) return x;
  constexpr int kDropped = kFractionBits<S> - kFractionBits<D>;
  return std::bit_cast<S>(static_cast<Bits>(std::bit_cast<Bits>(x) >> kDropped << kDropped));
}

template <class S, class D, bool kTruncate>
void cast_run(const void* from, void* to, int64_t n) {
  const S* x = static_cast<const S*>(from);
  D* out = static_cast<D*>(to);
  each(n, [=](int64_t i) {
    if constexpr (kTruncate)
      out[i] = convert<D>(drop_fraction_bits<D>(x[i]));
    else
      out[i] = convert<D>(x[i]);
  });
}

// Integers become signed ones with the bits of unsigned ones, and small ones are cut from int32.
template <class S, class D>
using CastTo = typename std::conditional_t<std::is_integral_v<D> && !std::is_same_v<D, bool> &&
                                               (std::is_integral_v<S> || sizeof(D) < 4),
                                           std::make_signed<D>, std::type_identity<D>>::type;

using AllTypes =
    TypeList<float, double, int32_t, int64_t, bool, uint8_t, int8_t, uint16_t, int16_t, uint32_t,
             uint64_t, Half, BFloat16, std::complex<float>, std::complex<double>>;

Kernel cast_prepare(const KernelSetup& s) {
  const DType from = s.dtype("SrcT"), to = s.dtype("DstT");
  if (from == to) {
    return [](KernelContext& c) { c.forward(0, 0); };
  }
  const bool truncate = s.flag("Truncate");
  return unary_kernel(by_types(AllTypes(), s, from, [&]<class S>() {
    return by_types(AllTypes(), s, to, [&]<class D>() {
      UnaryLoop loop = {cast_run<S, CastTo<S, D>, false>, 0.5, sizeof(S), sizeof(D), false};
      if constexpr (kFractionBits<D> >= 0 && kFractionBits < S >> kFractionBits<D>) {
        if (truncate) loop.run = cast_run<S, D, true>;
      }
      return loop;
    });
  }));
}

constexpr OpDef kCast = {.name = "Cast",
                         .inputs = "x: SrcT",
                         .outputs = "y: DstT",
                         .attrs = "SrcT: type, DstT: type, Truncate: bool = false",
                         .shape = unchanged_shape,
                         .prepare = cast_prepare,
                         .gradient = internal::cast_gradient};

}  // namespace

Output cast(const Operand& x, DType dtype, const CastOptions& options) {
  const Graph::Transaction whole(x.graph());
  if (base_dtype(x.output().dtype()) == base_dtype(dtype)) return x.output();
  return add_node(kCast, {x.output()},
                  {{"DstT", base_dtype(dtype)}, {"Truncate", options.truncate}}, options.name,
                  x.at());
}

std::span<const OpDef* const> cast_ops() {
  static constexpr const OpDef* kOps[] = {&kCast};
  return kOps;
}

}  // namespace cairn
