// Products whose result has few columns, or one row: the last layer of a classifier, and any layer
// for a single example. General products work in blocks wider than this.
//
// Few columns: a few rows of the result are kept in registers while k runs, each in as many
// registers as hold its n columns; values computed beyond column n are ignored. One row: B is read
// once, some of its rows at a time.
//
// narrow_rows.cc is compiled for several instruction sets, so this header must not need inline
// functions: the linker could take the copy of the wrong set.
#pragma once

#include <cstdint>

namespace cairn {

inline constexpr int kMostColumns = 16;

// The product that gemm() computes; each thread computes a part of it.
template <class T>
struct Product {
  bool ta, tb;
  int64_t m, n, k;
  const T *a, *b;
  T* out;
  int64_t lda = ta ? m : k, ldb = tb ? k : n;  // from one stored row to the next
};

// B by rows of whole registers: the first `direct` rows are read in place, the last ones, of which
// a register would reach beyond the end of B, from a copy.
template <class T>
struct Right {
  const T* rows;
  int64_t stride, direct;
  const T* copy;
};

template <class T>
struct NarrowKernel {
  int64_t rows;   // of the result that are computed together
  int64_t width;  // of the copied rows of B; 0: no copy is needed
  // Rows [begin, end) of the result.
  void (*run)(const Product<T>&, const Right<T>&, int64_t begin, int64_t end);
};

// Columns [begin, end) of the product of one row with B, which is not transposed. The sum of a
// column does not depend on begin and end.
template <class T>
using SingleRow = void (*)(const Product<T>&, int64_t begin, int64_t end);

template <class T>
struct NarrowKernelsOf {
  NarrowKernel<T> (*narrow)(int64_t n, int64_t k);  // for 1 < n <= kMostColumns columns and k > 0
  SingleRow<T> single_row;  // null if Eigen is as fast with the same instructions
};
struct NarrowKernels {
  NarrowKernelsOf<float> of_float;
  NarrowKernelsOf<double> of_double;
};
// The kernels of the best instruction set of this machine.
const NarrowKernels& narrow_kernels();

}  // namespace cairn
