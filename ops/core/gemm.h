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

// Is called for rows [begin, end) of a result, once for each row and on any thread, as soon as they
// are computed where that is possible. It may change them.
class RowsMade {
 public:
  RowsMade() = default;  // calls nothing
  template <class Body>
  explicit RowsMade(const Body& body)
      : call_([](const void* of, int64_t begin, int64_t end) {
          (*static_cast<const Body*>(of))(begin, end);
        }),
        of_(&body) {}
  explicit operator bool() const { return call_ != nullptr; }
  void operator()(int64_t begin, int64_t end) const {
    if (call_) call_(of_, begin, end);
  }

 private:
  void (*call_)(const void* of, int64_t begin, int64_t end) = nullptr;
  const void* of_ = nullptr;
};

// out [m,n] = A · B, all row-major. A is a [m,k] or, if `ta`, the transpose of a [k,m]; B is b
// [k,n] or, if `tb`, the transpose of b [n,k]. Uses the context's threads and scratch memory; sums
// are the same for every number of threads, with and without `made`. T: float, double, int32_t,
// int64_t (these wrap around), Half, BFloat16 (summed in float). ByRows::kMakes: `out` is output 0
// of the kernel and is not changed afterwards, so that following kernels may process its rows.
template <class T>
void gemm(KernelContext& c, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a,
          const T* b, T* out, ByRows by_rows = ByRows::kNo, RowsMade made = {});

// out [m,n] = A · B, or that is added to `out`, on the calling thread: for a part of larger work.
// T: float, double.
template <class T>
void gemm_block(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* out,
                bool adds);

// What else is left to Eigen, for `count` rows of whole registers: `width` elements, a multiple of
// kPacket (packet_math.h), from a multiple of 64 bytes on. T: float, double. Each row minus its
// greatest element; the sum of each row, in the order of the registers.
template <class T>
void subtract_greatest(T* rows, int64_t count, int64_t width, T* greatest);
template <class T>
void sum_each_row(const T* rows, int64_t count, int64_t width, T* sums);

// `count` independent products of matrices stored one after another, distributed over the threads.
template <class T>
void batch_gemm(KernelContext& c, bool ta, bool tb, int64_t count, int64_t m, int64_t n, int64_t k,
                const T* a, const T* b, T* out);

}  // namespace cairn
