// Functions that Eigen computes one register at a time. packet_math.cc is compiled for several
// instruction sets, so this header must not need inline functions: the linker could take the copy
// of the wrong set.
#pragma once

#include <cstdint>

namespace cairn {

// Elements of the widest register.
inline constexpr int64_t kPacket = 16;

// out[i] = f(x[i]) for n elements, n a multiple of kPacket, both on 64 bytes; out may be x.
template <class T>
using PacketFunction = void (*)(const T* x, T* out, int64_t n);

template <class T>
struct PacketFunctions {
  // Correct to the last digits everywhere, for denormal numbers and infinities too.
  PacketFunction<T> exp, expm1, log, sin, cos, tanh;
  PacketFunction<T> sigmoid;  // 1 / (1 + e^-x)
  // log(1 + e^-|x|): softplus(x) for x <= 0, softplus(x) - x for x > 0.
  PacketFunction<T> softplus;
};
struct PacketMath {
  PacketFunctions<float> of_float;
  PacketFunctions<double> of_double;
};
// The functions of the best instruction set of this machine.
const PacketMath& packet_math();

}  // namespace cairn
