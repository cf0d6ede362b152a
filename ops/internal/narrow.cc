#include "ops/internal/narrow.h"

namespace cairn {

// What narrow_rows.cc was compiled to: `plain` with the instructions that everything is compiled for.
namespace plain {
extern const NarrowKernels kKernels;
}
#ifdef CAIRN_NARROW_CHOICE
namespace avx2 {
extern const NarrowKernels kKernels;
}
namespace avx512 {
extern const NarrowKernels kKernels;
}
#endif

const NarrowKernels& narrow_kernels() {
#ifdef CAIRN_NARROW_CHOICE
  static const NarrowKernels& best = !__builtin_cpu_supports("fma")      ? plain::kKernels
                                     : __builtin_cpu_supports("avx512f") ? avx512::kKernels
                                     : __builtin_cpu_supports("avx2")    ? avx2::kKernels
                                                                         : plain::kKernels;
  return best;
#else
  return plain::kKernels;
#endif
}

}  // namespace cairn
