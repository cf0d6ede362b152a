// Compiled once for each instruction set, in a namespace of its own (CAIRN_VARIANT), with Eigen
// under another name: of functions with external linkage the linker may take the copy that was
// compiled for another set.
#include "ops/core/packet_math.h"

#include <cstring>
#include <limits>

#include "ops/core/eigen_core.h"

#ifndef CAIRN_VARIANT
#define CAIRN_VARIANT plain
#endif

namespace cairn::CAIRN_VARIANT {
namespace {

template <class T>
constexpr T kInfinity = std::numeric_limits<T>::infinity();

template <class T, class F>
void each_packet(const T* x, T* out, int64_t n, const F& f) {
  using Array = Eigen::Array<T, Eigen::Dynamic, 1>;
  Eigen::Map<Array, Eigen::Aligned64>(out, n) = f(Eigen::Map<const Array, Eigen::Aligned64>(x, n));
}

// True if one of n elements is below `low` or above `high`. NaN is neither: pmin and pmax then keep
// their first operand.
template <class T>
bool reaches_beyond(const T* x, int64_t n, T low, T high) {
  using namespace Eigen::internal;
  using P = typename packet_traits<T>::type;
  P least = pset1<P>(low), most = pset1<P>(high);
  for (int64_t i = 0; i < n; i += packet_traits<T>::size) {
    const P v = pload<P>(x + i);
    least = pmin(least, v);
    if (high < kInfinity<T>) most = pmax(most, v);
  }
  return predux_min(least) < low || (high < kInfinity<T> && predux_max(most) > high);
}

// Computes f, which Eigen gets right within [low, high] only; outside, g computes single elements.
template <class T, class F, class G>
void each_packet(const T* x, T* out, int64_t n, const F& f, T low, T high, const G& g) {
  constexpr int64_t kBlock = 32 * kPacket;
  for (int64_t i = 0; i < n; i += kBlock, x += kBlock, out += kBlock) {
    const int64_t m = n - i < kBlock ? n - i : kBlock;
    if (!reaches_beyond(x, m, low, high)) {
      each_packet(x, out, m, f);
      continue;
    }
    T before[kBlock];  // x may be the same memory as out
    std::memcpy(before, x, static_cast<size_t>(m) * sizeof(T));
    each_packet(x, out, m, f);
    for (int64_t j = 0; j < m; ++j) {
      if (before[j] < low || before[j] > high) out[j] = g(before[j]);
    }
  }
}

// The functions of the C library, by names that are not inline functions of C++.
float c_exp(float x) { return __builtin_expf(x); }
double c_exp(double x) { return __builtin_exp(x); }
float c_log(float x) { return __builtin_logf(x); }
double c_log(double x) { return __builtin_log(x); }

// The arguments between which Eigen's exp is right: down to the smallest normal result, and up to
// kMostExp.
template <class T>
constexpr T kLeastExp = sizeof(T) == 4 ? T(-87.33) : T(-708.39);
#ifdef __AVX512F__
template <class T>
constexpr T kMostExp = sizeof(T) == 4 ? T(88.3) : kInfinity<T>;
#else
template <class T>
constexpr T kMostExp = kInfinity<T>;
#endif

template <class T>
constexpr PacketFunctions<T> functions() {
  return {
      .exp =
          [](const T* x, T* out, int64_t n) {
            each_packet(
                x, out, n, [](const auto& v) { return v.exp(); }, kLeastExp<T>, kMostExp<T>,
                [](T v) { return c_exp(v); });
          },
      .expm1 = [](const T* x, T* out,
                  int64_t n) { each_packet(x, out, n, [](const auto& v) { return v.expm1(); }); },
      // Eigen's log treats denormal numbers as the smallest normal one.
      .log =
          [](const T* x, T* out, int64_t n) {
            each_packet(
                x, out, n, [](const auto& v) { return v.log(); }, std::numeric_limits<T>::min(),
                kInfinity<T>, [](T v) { return c_log(v); });
          },
      .sin = [](const T* x, T* out,
                int64_t n) { each_packet(x, out, n, [](const auto& v) { return v.sin(); }); },
      .cos = [](const T* x, T* out,
                int64_t n) { each_packet(x, out, n, [](const auto& v) { return v.cos(); }); },
      .tanh = [](const T* x, T* out,
                 int64_t n) { each_packet(x, out, n, [](const auto& v) { return v.tanh(); }); },
      // Eigen's logistic() is off by 1e-4 of its value where that is small. Far below 0 it is e^x.
      .sigmoid =
          [](const T* x, T* out, int64_t n) {
            each_packet(
                x, out, n, [](const auto& v) { return (1 + (-v).exp()).inverse(); }, kLeastExp<T>,
                kInfinity<T>, [](T v) { return c_exp(v); });
          },
      // Far below 0 it is e^x too.
      .softplus =
          [](const T* x, T* out, int64_t n) {
            each_packet(
                x, out, n, [](const auto& v) { return (-v.abs()).exp().log1p(); }, kLeastExp<T>,
                kInfinity<T>, [](T v) { return c_exp(v); });
          },
  };
}

}  // namespace

extern const PacketMath kPacketMath;
const PacketMath kPacketMath = {functions<float>(), functions<double>()};

}  // namespace cairn::CAIRN_VARIANT
