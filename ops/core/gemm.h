// The matrix product: every op that multiplies matrices calls it.
#pragma once

#include "runtime/exec/context.h"

namespace cairn {

// The extents of a product of matrices [m,k] and [k,n], after transposition.
struct ProductExtents {
  int64_t m, n, k;
};
// Throws InvalidArgument, as an error of the node `product`, unless a and b are such matrices.
ProductExtents product_extents(const Node& product, const Tensor& a, const Tensor& b, bool ta,
                               bool tb);

// out [m,n] = alpha · A · B + beta · out, all row-major. A is a [m,k] or, if `ta`, the transpose of
// a [k,m]; B is b [k,n] or, if `tb`, the transpose of b [n,k]. With beta 0 `out` may be
// uninitialized. Uses the context's threads and scratch memory; sums are the same for every number
// of threads. T: float, double, int32_t, int64_t (these wrap around), Half, BFloat16 (summed in
// float). ByRows::kMakes: `out` is output 0 of the kernel and is not changed afterwards, so that
// following kernels may process its rows.
template <class T>
void gemm(KernelContext& c, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a,
          const T* b, T* out, T alpha = T(1), T beta = T(0), ByRows by_rows = ByRows::kNo);

// `count` independent products of matrices stored one after another, distributed over the threads.
template <class T>
void batch_gemm(KernelContext& c, bool ta, bool tb, int64_t count, int64_t m, int64_t n, int64_t k,
                const T* a, const T* b, T* out);

}  // namespace cairn
