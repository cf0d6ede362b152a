#include "ops/internal/narrow.h"

namespace cairn {

#define CAIRN_NARROW_KERNELS(instructions)                  \
  namespace instructions {                                  \
  NarrowKernel<float> narrow_float(int64_t n, int64_t k);   \
  NarrowKernel<double> narrow_double(int64_t n, int64_t k); \
  }
CAIRN_NARROW_KERNELS(plain)  // those that everything is compiled for
#ifdef CAIRN_NARROW_CHOICE
CAIRN_NARROW_KERNELS(avx2)
CAIRN_NARROW_KERNELS(avx512)
#endif

namespace {

struct Kernels {
  NarrowKernel<float> (*of_float)(int64_t, int64_t) = plain::narrow_float;
  NarrowKernel<double> (*of_double)(int64_t, int64_t) = plain::narrow_double;
  Kernels() {
#ifdef CAIRN_NARROW_CHOICE
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma")) {
      *this = {avx512::narrow_float, avx512::narrow_double};
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      *this = {avx2::narrow_float, avx2::narrow_double};
    }
#endif
  }
  Kernels(NarrowKernel<float> (*f)(int64_t, int64_t), NarrowKernel<double> (*d)(int64_t, int64_t))
      : of_float(f), of_double(d) {}
};

const Kernels& kernels() {
  static const Kernels best;
  return best;
}

}  // namespace

template <>
NarrowKernel<float> narrow_kernel(int64_t n, int64_t k) {
  return kernels().of_float(n, k);
}
template <>
NarrowKernel<double> narrow_kernel(int64_t n, int64_t k) {
  return kernels().of_double(n, k);
}

}  // namespace cairn
