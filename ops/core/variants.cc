// Selects, among the instruction sets that some files are compiled for, the best one of this
// machine.
#include "ops/core/narrow.h"
#include "ops/core/packet_math.h"

namespace cairn {

#define CAIRN_DECLARE_VARIANT(name)    \
  namespace name {                     \
  extern const NarrowKernels kNarrow;  \
  extern const PacketMath kPacketMath; \
  }
CAIRN_DECLARE_VARIANT(plain)  // the instruction set of the rest of the library
#ifdef CAIRN_VARIANTS
CAIRN_DECLARE_VARIANT(avx2)
CAIRN_DECLARE_VARIANT(avx512)
#endif

namespace {

struct Variant {
  const NarrowKernels& narrow;
  const PacketMath& packet_math;
};

const Variant& variant() {
#ifdef CAIRN_VARIANTS
  static const Variant best = [] {
    if (__builtin_cpu_supports("fma")) {
      if (__builtin_cpu_supports("avx512f")) return Variant{avx512::kNarrow, avx512::kPacketMath};
      if (__builtin_cpu_supports("avx2")) return Variant{avx2::kNarrow, avx2::kPacketMath};
    }
    return Variant{plain::kNarrow, plain::kPacketMath};
  }();
#else
  static constexpr Variant best{plain::kNarrow, plain::kPacketMath};
#endif
  return best;
}

}  // namespace

const NarrowKernels& narrow_kernels() { return variant().narrow; }
const PacketMath& packet_math() { return variant().packet_math; }

}  // namespace cairn
