// Products whose result has few columns: a classifier's last layer. General products work in blocks of columns wider
// than this. Here a few rows of the result are kept in registers while k runs, each in as many registers as hold its n
// columns; what is computed beyond the n-th is not used.
//
// narrow_rows.cc is compiled for several sets of instructions, so nothing here may need code that is shared by name.
#pragma once

#include <cstdint>

namespace cairn {

inline constexpr int kMostColumns = 16;

// What gemm() computes, of which a piece is computed by one thread. Strides are those of the whole matrices.
template <class T>
struct Product {
  bool ta, tb;
  int64_t m, n, k;
  const T *a, *b;
  T* out;
  T alpha, beta;
};

// B by rows of whole registers: the first `direct` rows stand where they are, the last ones, which would be read beyond
// the end, in a copy.
template <class T>
struct Right {
  const T* rows;
  int64_t stride, direct;
  const T* copy;
};

template <class T>
struct NarrowKernel {
  int rows;       // of the result, done at a time
  int64_t width;  // of the copied rows of B; 0: it reads none
  // Rows [begin * rows, end * rows) of the result, as far as there are any.
  void (*run)(const Product<T>&, const Right<T>&, int64_t begin, int64_t end);
};

// The best that this machine can run for 1 < n <= kMostColumns columns and k > 0.
template <class T>
NarrowKernel<T> narrow_kernel(int64_t n, int64_t k);

}  // namespace cairn
