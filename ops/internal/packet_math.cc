// Compiled once for each set of instructions that is chosen from, in a namespace of its own (CAIRN_VARIANT), with Eigen
// under another name: a function shared by name could be linked in from the wrong set.
#include "ops/internal/packet_math.h"

#include "ops/internal/eigen_core.h"

#ifndef CAIRN_VARIANT
#define CAIRN_VARIANT plain
#endif

namespace cairn::CAIRN_VARIANT {
namespace {

template <class T, class F>
void each_packet(const T* x, T* out, int64_t n, const F& f) {
  using Array = Eigen::Array<T, Eigen::Dynamic, 1>;
  Eigen::Map<Array, Eigen::Aligned64>(out, n) = f(Eigen::Map<const Array, Eigen::Aligned64>(x, n));
}

template <class T>
constexpr PacketFunctions<T> functions() {
  return {
      .exp = [](const T* x, T* out, int64_t n) { each_packet(x, out, n, [](const auto& v) { return v.exp(); }); },
      .expm1 = [](const T* x, T* out, int64_t n) { each_packet(x, out, n, [](const auto& v) { return v.expm1(); }); },
      .log = [](const T* x, T* out, int64_t n) { each_packet(x, out, n, [](const auto& v) { return v.log(); }); },
      .sin = [](const T* x, T* out, int64_t n) { each_packet(x, out, n, [](const auto& v) { return v.sin(); }); },
      .cos = [](const T* x, T* out, int64_t n) { each_packet(x, out, n, [](const auto& v) { return v.cos(); }); },
      .tanh = [](const T* x, T* out, int64_t n) { each_packet(x, out, n, [](const auto& v) { return v.tanh(); }); },
      // Eigen's logistic() is off by 1e-4 of its value where that is small.
      .sigmoid = [](const T* x, T* out,
                    int64_t n) { each_packet(x, out, n, [](const auto& v) { return (1 + (-v).exp()).inverse(); }); },
      .softplus = [](const T* x, T* out,
                     int64_t n) { each_packet(x, out, n, [](const auto& v) { return (-v.abs()).exp().log1p(); }); },
  };
}

}  // namespace

extern const PacketMath kPacketMath;
const PacketMath kPacketMath = {functions<float>(), functions<double>()};

}  // namespace cairn::CAIRN_VARIANT
