// Functions computed one register at a time (packet_math.h). Short runs are padded to whole
// registers, so that the same code computes every element and the result of a row does not depend
// on the rows beside it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/core/elementwise.h"
#include "ops/core/packet_math.h"

namespace cairn {

template <class W>
const PacketFunctions<W>& packet_functions() {
  if constexpr (std::is_same_v<W, float>) {
    return packet_math().of_float;
  } else {
    return packet_math().of_double;
  }
}

// out[i] = finish(x[i], function(x[i])), in blocks; out may be x.
template <class T, class Finish>
void by_packets(const T* x, T* out, int64_t n, PacketFunction<Wide<T>> function,
                const Finish& finish) {
  using W = Wide<T>;
  constexpr int64_t kBlock = 128;
  alignas(64) W from[kBlock], to[kBlock];
  for (int64_t i = 0; i < n; i += kBlock) {
    const int64_t m = std::min(kBlock, n - i), filled = (m + kPacket - 1) / kPacket * kPacket;
    std::fill(from + m, from + filled, W(1));
    each(m, [&](int64_t j) { from[j] = widen(x[i + j]); });
    function(from, to, filled);
    each(m, [&](int64_t j) { out[i + j] = T(finish(from[j], to[j])); });
  }
}

// A functor for elementwise.h: F::of picks one of the functions; F::finish, if F has it, combines
// an element with the value of the function. kTenths: tenths of a nanosecond per element.
template <class F, int kTenths>
struct Packets {
  static constexpr double kCost = kTenths * 0.1;
  template <class T>
  T operator()(T x) const;  // for its type only
  template <class T>
  static void run(const T* x, T* out, int64_t n) {
    by_packets(x, out, n, F::of(packet_functions<Wide<T>>()), [](auto from, auto y) {
      if constexpr (requires { F::finish(from, y); }) {
        return F::finish(from, y);
      } else {
        return y;
      }
    });
  }
};

}  // namespace cairn
