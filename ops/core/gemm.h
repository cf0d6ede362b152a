// The matrix product: the one door through which every op multiplies matrices.
#pragma once

#include "runtime/exec/context.h"

namespace cairn {

// Of a product of matrices [m,k] and [k,n], as they are after transposition.
struct ProductExtents {
  int64_t m, n, k;
};
// Throws InvalidArgument in the name of `product`, the node that is to multiply them, unless a and
// b are such matrices.
ProductExtents product_extents(const Node& product, const Tensor& a, const Tensor& b, bool ta,
                               bool tb);

// Who is told of rows [begin, end) of a result, each of them once, by a thread that may be any: as
// soon as they are made where that can be. It may change them.
class RowsMade {
 public:
  RowsMade() = default;  // nobody
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

// out [m,n] = A · B, all row-major; A is a, or its transpose where `ta` (a is then [k,m]), B is b
// [k,n], or where `tb` the transpose of b [n,k]. Uses the context's threads and scratch memory;
// sums come out the same for any number of threads, and whoever is told of them. T: float, double,
// int32_t, int64_t (these wrap around), Half, BFloat16 (summed in float). ByRows::kMakes: `out` is
// the kernel's output 0 and nothing is done to it afterwards; other kernels may take on its rows.
template <class T>
void gemm(KernelContext& c, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a,
          const T* b, T* out, ByRows by_rows = ByRows::kNo, RowsMade made = {});

// `count` independent products of matrices that stand one after another, spread over the threads.
template <class T>
void batch_gemm(KernelContext& c, bool ta, bool tb, int64_t count, int64_t m, int64_t n, int64_t k,
                const T* a, const T* b, T* out);

}  // namespace cairn
