// Arithmetic on single elements, of every numeric type: integers wrap around, 16-bit floats are
// computed in float.
#pragma once

#include <type_traits>

#include "ops/core/dispatch.h"

namespace cairn {

template <class T>
inline constexpr bool is_half = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
// The type in which arithmetic on T is done.
template <class T>
using Wide = std::conditional_t<is_half<T>, float, T>;

template <class T>
const Wide<T>& widen(const T& x) requires(!is_half<T>) {
  return x;
}
template <class T>
float widen(T x) requires is_half<T> {
  return static_cast<float>(x);
}

// An unsigned type in which sums and products of T wrap around without undefined behaviour.
template <class T>
using Wrapping = std::common_type_t<unsigned, std::make_unsigned_t<T>>;

template <class T>
T plus(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  } else {
    return T(widen(a) + widen(b));
  }
}

template <class T>
T minus(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
  } else {
    return T(widen(a) - widen(b));
  }
}

// The type whose plus() and minus() give the same bits: signed integers wrap around as unsigned
// ones do, so that one loop serves both.
template <class T>
using Added = typename std::conditional_t<std::is_integral_v<T> && !std::is_same_v<T, bool>,
                                          std::make_unsigned<T>, std::type_identity<T>>::type;

// Calls body(i) for 0 <= i < n. Iterations are independent, also in kernels that work in place, so
// the compiler may vectorize them.
template <class Body>
void each(int64_t n, const Body& body) {
#if defined(__clang__)
#pragma clang loop vectorize(assume_safety)
#else
#pragma GCC ivdep
#endif
  for (int64_t i = 0; i < n; ++i) body(i);
}

// Loops over plus() and minus(): out[i] = x[i] + y[i] for i < n, where out may be x; a y that does
// not move repeats its first element.
struct Adder {
  void (*add)(const void* x, const void* y, bool y_moves, void* out, int64_t n);
  void (*subtract)(const void* x, const void* y, bool y_moves, void* out, int64_t n);
};
// For elements of `dtype`, one of Numbers.
const Adder& adder_of(const KernelSetup& s, DType dtype);

}  // namespace cairn
