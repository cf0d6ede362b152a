// Functions that Eigen computes a register at a time. packet_math.cc is compiled for several sets
// of instructions, so nothing here may need code that is shared by name.
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
  // Right to the last digits everywhere, denormal numbers and infinities included.
  PacketFunction<T> exp, expm1, log, sin, cos, tanh;
  PacketFunction<T> sigmoid;   // 1 / (1 + e^-x)
  PacketFunction<T> softplus;  // log(1 + e^-|x|), which is softplus where x <= 0, and what it is
                               // above x elsewhere
};
struct PacketMath {
  PacketFunctions<float> of_float;
  PacketFunctions<double> of_double;
};
// The best that this machine can run.
const PacketMath& packet_math();

}  // namespace cairn
