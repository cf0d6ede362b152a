// Products whose result has few columns, or one row: a classifier's last layer, and any layer of a
// single example. General products work in blocks wider than this.
//
// Few columns: a few rows of the result are kept in registers while k runs, each in as many
// registers as hold its n columns; what is computed beyond the n-th is not used. One row: B is read
// once, some of its rows at a time.
//
// narrow_rows.cc is compiled for several sets of instructions, so nothing here may need code that
// is shared by name.
#pragma once

#include <cstdint>

namespace cairn {

inline constexpr int kMostColumns = 16;

// What gemm() computes, of which a piece is computed by one thread.
template <class T>
struct Product {
  bool ta, tb;
  int64_t m, n, k;
  const T *a, *b;
  T* out;
  int64_t lda = ta ? m : k, ldb = tb ? k : n;  // from one row of what is stored to the next
};

// B by rows of whole registers: the first `direct` rows stand where they are, the last ones, which
// would be read beyond the end, in a copy.
template <class T>
struct Right {
  const T* rows;
  int64_t stride, direct;
  const T* copy;
};

template <class T>
struct NarrowKernel {
  int64_t rows;   // of the result, done at a time where there are as many
  int64_t width;  // of the copied rows of B; 0: it reads none
  // Rows [begin, end) of the result.
  void (*run)(const Product<T>&, const Right<T>&, int64_t begin, int64_t end);
};

// Columns [begin, end) of the result of a product of one row with B, which is not transposed. Each
// column's sum is the same wherever the columns are cut.
template <class T>
using SingleRow = void (*)(const Product<T>&, int64_t begin, int64_t end);

template <class T>
struct NarrowKernelsOf {
  NarrowKernel<T> (*narrow)(int64_t n, int64_t k);  // for 1 < n <= kMostColumns columns and k > 0
  SingleRow<T> single_row;  // null where Eigen, compiled for the same instructions, does as well
};
struct NarrowKernels {
  NarrowKernelsOf<float> of_float;
  NarrowKernelsOf<double> of_double;
};
// The best that this machine can run.
const NarrowKernels& narrow_kernels();

}  // namespace cairn
