// Arithmetic on single elements, of every numeric type: integers wrap around, 16-bit floats are
// computed in float.
#pragma once

#include <type_traits>

#include "runtime/exec/context.h"

namespace cairn {

template <class T>
inline constexpr bool is_small_float = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

template <class T>
T plus(T a, T b) {
  if constexpr (is_small_float<T>) {
    return T(float(a) + float(b));
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  } else {
    return a + b;
  }
}

template <class T>
T minus(T a, T b) {
  if constexpr (is_small_float<T>) {
    return T(float(a) - float(b));
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
  } else {
    return a - b;
  }
}

// by_dtype over all types that plus() adds.
template <class Make>
Kernel by_number_type(const KernelSetup& s, DType dtype, Make&& make) {
  return by_dtype<float, double, int32_t, int64_t, Half, BFloat16, int8_t, int16_t, uint8_t,
                  uint16_t, uint32_t, uint64_t, std::complex<float>, std::complex<double>>(
      s, dtype, std::forward<Make>(make));
}

}  // namespace cairn
