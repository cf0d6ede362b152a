// Compiled once for each instruction set, in a namespace of its own (CAIRN_VARIANT). Only functions
// in this file's unnamed namespace may be called: of a function with external linkage the linker
// may take the copy that was compiled for another set, which crashes on older machines.
#include <cstring>
#include <utility>

#include "ops/core/narrow.h"

#ifdef CAIRN_VARIANT
#define CAIRN_SINGLE_ROW(T) single<T>
#else
#define CAIRN_VARIANT plain
#define CAIRN_SINGLE_ROW(T) nullptr
#endif

namespace cairn::CAIRN_VARIANT {
namespace {

#if defined(__AVX512F__)
constexpr size_t kRegister = 64;
constexpr int kSums = 14;  // registers to sum in
#elif defined(__AVX__)
constexpr size_t kRegister = 32;
constexpr int kSums = 12;
#else
constexpr size_t kRegister = 16;
constexpr int kSums = 12;
#endif
template <class T>
constexpr int kLanes = kRegister / sizeof(T);

template <class T, int kCount>
using Vector __attribute__((vector_size(kCount * sizeof(T)))) = T;
template <class T>
using Lanes = Vector<T, kLanes<T>>;

// Rows [i, i+R) of the result, each C registers wide. Each sum is split into kChains independent
// ones, because an addition waits for the previous one.
template <class T, int R, int C, int kChains>
class NarrowRows {
 public:
  NarrowRows(const Product<T>& p, int64_t i) : p_(p), i_(i) {}

  void sum(const Right<T>& b) { p_.ta ? sum_up<true>(b) : sum_up<false>(b); }

  // Whole registers, then what is left in half, quarter ... registers: nothing beyond a row is
  // touched.
  void store() const {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) {
        const Lanes<T>& sum = sums_[0][r][c];
        const int64_t left = p_.n - c * kLanes<T>;
        if (left >= kLanes<T>) {
          std::memcpy(place(r, c), &sum, sizeof sum);
        } else if (left > 0) {
          T rest[kLanes<T>];
          std::memcpy(rest, &sum, sizeof rest);
          put_rest<kLanes<T> / 2>(place(r, c), rest, left);
        }
      }
    }
  }

 private:
  static constexpr int kWidth = C * kLanes<T>;
  using Sums = Lanes<T>[R][C];

  T* place(int r, int c) const { return p_.out + (i_ + r) * p_.n + c * kLanes<T>; }

  template <int kCount>
  static void put_rest(T* to, const T* from, int64_t left) {
    if (left & kCount) {
      std::memcpy(to, from, kCount * sizeof(T));
      to += kCount;
      from += kCount;
    }
    if constexpr (kCount > 1) put_rest<kCount / 2>(to, from, left);
  }

  // The elements of A for row q of B: adjacent if A is given transposed, else one in each row.
  template <bool kTransposed>
  struct Left {
    Left(const Product<T>& p, int64_t i) : stride(p.lda) {
      for (int r = 0; r < R; ++r) rows[r] = p.a + (kTransposed ? i : (i + r) * p.lda);
    }
    T at(int r, int64_t q) const { return kTransposed ? rows[0][q * stride + r] : rows[r][q]; }
    const T* rows[R];
    int64_t stride;
  };

  template <bool kTransposed>
  void sum_up(const Right<T>& b) {
    const Left<kTransposed> left(p_, i_);
    const int64_t k = p_.k, direct = b.direct, stride = b.stride;
    int64_t q = 0;
    for (const T* from = b.rows; q + kChains <= direct; q += kChains) {
#pragma GCC unroll 4
      for (int chain = 0; chain < kChains; ++chain, from += stride)
        add(sums_[chain], left, q + chain, from);
    }
    for (; q < direct; ++q) add(sums_[0], left, q, b.rows + q * stride);
    for (const T* from = b.copy; q < k; ++q, from += kWidth) add(sums_[0], left, q, from);
#pragma GCC unroll 4
    for (int chain = 1; chain < kChains; ++chain) {
      for (int r = 0; r < R; ++r) {
        for (int c = 0; c < C; ++c) sums_[0][r][c] += sums_[chain][r][c];
      }
    }
  }

  template <class L>
  static void add(Sums& to, const L& left, int64_t q, const T* from) {
    Lanes<T> right[C];
    for (int c = 0; c < C; ++c) std::memcpy(&right[c], from + c * kLanes<T>, sizeof right[c]);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) to[r][c] += left.at(r, q) * right[c];
    }
  }

  const Product<T>& p_;
  int64_t i_;
  Sums sums_[kChains] = {};
};

template <class T, int R, int C, int kChains>
void do_rows(const Product<T>& p, const Right<T>& b, int64_t i) {
  NarrowRows<T, R, C, kChains> rows(p, i);
  rows.sum(b);
  rows.store();
}

// k = 1, the update by a single example: rows are so short that their number of columns must be a
// compile-time constant.
template <class T, int N, int kAt = 0, int kCount = kLanes<T>>
void outer_row(T left, const T* right, T* out) {
  if constexpr (N - kAt >= kCount) {
    Vector<T, kCount> sum;
    std::memcpy(&sum, right + kAt, sizeof sum);
    sum *= left;
    std::memcpy(out + kAt, &sum, sizeof sum);
    outer_row<T, N, kAt + kCount, kCount>(left, right, out);
  } else if constexpr (N > kAt) {
    outer_row<T, N, kAt, kCount / 2>(left, right, out);
  }
}

template <class T, int N>
void outer_product(const Product<T>& p, const Right<T>&, int64_t begin, int64_t end) {
  T right[N];
  std::memcpy(right, p.b, sizeof right);
  const T* const a = p.a;
  T* const out = p.out;
  for (int64_t i = begin; i < end; ++i) outer_row<T, N>(a[i], right, out + i * N);
}

template <class T, int N = kMostColumns>
NarrowKernel<T> outer_product_for(int64_t n) {
  if constexpr (N > 2) {
    if (n < N) return outer_product_for<T, N - 1>(n);
  }
  return {1, 0, outer_product<T, N>};
}

// kRegisters registers of kCount columns of a single row: out += the sum over kRows rows of B.
template <class T, int kRows, int kRegisters, int kCount>
void add_rows(const T* x, const T* b, int64_t stride, T* out) {
  Vector<T, kCount> sums[kRegisters];
  for (int i = 0; i < kRegisters; ++i) std::memcpy(&sums[i], out + i * kCount, sizeof sums[i]);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int i = 0; i < kRegisters; ++i) {
      Vector<T, kCount> row;
      std::memcpy(&row, b + r * stride + i * kCount, sizeof row);
      sums[i] += x[r] * row;
    }
  }
  for (int i = 0; i < kRegisters; ++i) std::memcpy(out + i * kCount, &sums[i], sizeof sums[i]);
}

template <class T, int kRows, int kRegisters = 2, int kCount = kLanes<T>>
void add_columns(const T* x, const T* b, int64_t stride, T* out, int64_t count) {
  constexpr int kStep = kRegisters * kCount;
  for (; count >= kStep; count -= kStep, b += kStep, out += kStep)
    add_rows<T, kRows, kRegisters, kCount>(x, b, stride, out);
  if constexpr (kRegisters > 1) {
    add_columns<T, kRows, 1, kCount>(x, b, stride, out, count);
  } else if constexpr (kCount > 1) {
    add_columns<T, kRows, 1, kCount / 2>(x, b, stride, out, count);
  }
}

template <class T>
void single(const Product<T>& p, int64_t begin, int64_t end) {
  constexpr int kAtOnce = 8;
  const int64_t count = end - begin;
  T* const out = p.out + begin;
  for (int64_t j = 0; j < count; ++j) out[j] = T(0);
  const T* b = p.b + begin;
  T x[kAtOnce];  // a copy, which nothing written to `out` can change
  int64_t q = 0;
  for (; q + kAtOnce <= p.k; q += kAtOnce, b += kAtOnce * p.ldb) {
    for (int r = 0; r < kAtOnce; ++r) x[r] = p.a[q + r];
    add_columns<T, kAtOnce>(x, b, p.ldb, out, count);
  }
  for (; q < p.k; ++q, b += p.ldb) {
    x[0] = p.a[q];
    add_columns<T, 1>(x, b, p.ldb, out, count);
  }
}

// Rows per step: as many as fit in registers. If they are few, their sums are split, to keep as
// many additions in flight.
template <int C>
constexpr int kMostRows = C < kSums ? kSums / C : 1;
template <int C, int R>
constexpr int kChainsOf = R == 1 || R* C <= kSums / 4 ? 4
                          : R* C <= kSums / 2         ? 2
                                                      : 1;

// In blocks of equal height, or nearly: a low block at the end would read all of B for a few rows.
template <class T, int C, int... kLess>
void run_blocks(const Product<T>& p, const Right<T>& b, int64_t begin, int64_t end,
                std::integer_sequence<int, kLess...>) {
  using Block = void (*)(const Product<T>&, const Right<T>&, int64_t);
  static constexpr Block kBlocks[] = {do_rows<T, kLess + 1, C, kChainsOf<C, kLess + 1>>...};
  const int64_t rows = end - begin, blocks = (rows + kMostRows<C> - 1) / kMostRows<C>;
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t first = rows * i / blocks, next = rows * (i + 1) / blocks;
    kBlocks[next - first - 1](p, b, begin + first);
  }
}

template <class T, int C>
void run(const Product<T>& p, const Right<T>& b, int64_t begin, int64_t end) {
  run_blocks<T, C>(p, b, begin, end, std::make_integer_sequence<int, kMostRows<C>>());
}

template <class T, int C = kMostColumns / kLanes<T>>
NarrowKernel<T> kernel_for(int64_t n, int64_t k) {
  if (k == 1) return outer_product_for<T>(n);
  if constexpr (C > 1) {
    if (n <= (C - 1) * kLanes<T>) return kernel_for<T, C - 1>(n, k);
  }
  return {kMostRows<C>, C * kLanes<T>, run<T, C>};
}

}  // namespace

extern const NarrowKernels kNarrow;
const NarrowKernels kNarrow = {{kernel_for<float>, CAIRN_SINGLE_ROW(float)},
                               {kernel_for<double>, CAIRN_SINGLE_ROW(double)}};

}  // namespace cairn::CAIRN_VARIANT
