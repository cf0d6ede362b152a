#include "ops/internal/gemm.h"

#include <cstring>

#include "ops/internal/eigen.h"
#include "ops/internal/elementwise.h"
#include "ops/internal/onednn.h"

namespace cairn {
namespace {

// What gemm() computes, of which a piece is computed by one thread. Strides are those of the whole matrices.
template <class T>
struct Product {
  bool ta, tb;
  int64_t m, n, k;
  const T *a, *b;
  T* out;
  T alpha, beta;
  int64_t lda() const { return ta ? m : k; }
  int64_t ldb() const { return tb ? k : n; }
};

// Rows [i, i+rows) and columns [j, j+cols) of the result, by Eigen.
template <class T>
void eigen_block(const Product<T>& p, int64_t i, int64_t rows, int64_t j, int64_t cols) {
  using Stride = Eigen::OuterStride<>;
  using In = Eigen::Map<const EigenMatrix<T>, Eigen::Unaligned, Stride>;
  const In a(p.a + (p.ta ? i : i * p.lda()), p.ta ? p.k : rows, p.ta ? rows : p.k, Stride(p.lda()));
  const In b(p.b + (p.tb ? j * p.ldb() : j), p.tb ? cols : p.k, p.tb ? p.k : cols, Stride(p.ldb()));
  Eigen::Map<EigenMatrix<T>, Eigen::Unaligned, Stride> out(p.out + i * p.n + j, rows, cols, Stride(p.n));
  if (p.beta == T(0)) {
    out.setZero();
  } else if (p.beta != T(1)) {
    out *= p.beta;
  }
  if (p.ta && p.tb) {
    out.noalias() += p.alpha * a.transpose() * b.transpose();
  } else if (p.ta) {
    out.noalias() += p.alpha * a.transpose() * b;
  } else if (p.tb) {
    out.noalias() += p.alpha * a * b.transpose();
  } else {
    out.noalias() += p.alpha * a * b;
  }
}

// The same for integers, which nobody multiplies by the million.
template <class T>
void plain_block(const Product<T>& p, int64_t i0, int64_t rows, int64_t j0, int64_t cols) {
  using U = std::make_unsigned_t<T>;
  const int64_t b_row = p.tb ? 1 : p.n, b_col = p.tb ? p.k : 1;
  for (int64_t i = i0; i < i0 + rows; ++i) {
    T* out = p.out + i * p.n + j0;
    for (int64_t j = 0; j < cols; ++j) out[j] = p.beta == 0 ? T(0) : static_cast<T>(U(out[j]) * U(p.beta));
    for (int64_t q = 0; q < p.k; ++q) {
      const U x = U(p.alpha) * U(p.ta ? p.a[q * p.m + i] : p.a[i * p.k + q]);
      const T* b = p.b + q * b_row + j0 * b_col;
      each(cols, [=](int64_t j) { out[j] = static_cast<T>(U(out[j]) + x * U(b[j * b_col])); });
    }
  }
}

// From this many multiplications on oneDNN is worth asking, loading included. By shape alone: a run that is resumed
// takes the same way as one that is not.
constexpr double kForOneDnn = 4e6;

template <class T>
void block(const Product<T>& p, int64_t i, int64_t rows, int64_t j, int64_t cols) {
  if constexpr (std::is_integral_v<T>) {
    plain_block(p, i, rows, j, cols);
    return;
  } else if constexpr (std::is_same_v<T, float>) {
    if (static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k) >= kForOneDnn &&
        onednn_sgemm(p.ta, p.tb, rows, cols, p.k, p.alpha, p.a + (p.ta ? i : i * p.lda()), p.lda(),
                     p.b + (p.tb ? j * p.ldb() : j), p.ldb(), p.beta, p.out + i * p.n + j, p.n)) {
      return;
    }
  }
  if constexpr (!std::is_integral_v<T>) eigen_block(p, i, rows, j, cols);
}

// ---- few columns: a classifier's last layer -----------------------------------------------------------------------
// General products work in blocks of columns wider than this. Here a few rows of the result are kept in registers while
// k runs, each in as many registers as hold its n columns; what is computed beyond the n-th is not used.

constexpr int kMostColumns = 16;
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

template <class T>
using Lanes __attribute__((vector_size(kRegister))) = T;
// Registers from and to anywhere.
template <class T>
void load_lanes(Lanes<T>& lanes, const T* from) {
  std::memcpy(&lanes, from, sizeof lanes);
}
template <class T>
void store_lanes(T* to, const Lanes<T>& lanes) {
  std::memcpy(to, &lanes, sizeof lanes);
}

// B by rows of whole registers: the first `direct` rows stand where they are, the last ones, which would be read beyond
// the end, in a copy.
template <class T>
struct Right {
  const T* rows;
  int64_t stride, direct;
  const T* copy;
};

// Rows [i, i+R) of the result, each C registers wide and summed in kChains parts side by side: an addition waits for
// the one before it.
template <class T, int R, int C, int kChains>
class NarrowRows {
 public:
  NarrowRows(const Product<T>& p, int64_t i) : p_(p), i_(i) {}

  void sum(const Right<T>& b) { p_.ta ? sum_up<true>(b) : sum_up<false>(b); }

  // Rows but the last are stored as whole registers: what goes beyond such a row is the next one's as it stood there,
  // or about to be overwritten.
  void store() const {
    const bool whole = 2 * p_.n >= kWidth;
    if (whole && p_.beta == T(0)) {
      for (int r = 0; r + 1 < R; ++r) {
        for (int c = 0; c < C; ++c) store_lanes<T>(place(r, c), p_.alpha * sums_[0][r][c]);
      }
      store_single(R - 1);
    } else if (whole && p_.beta == T(1)) {
      add_whole();
      store_single(R - 1);
    } else {
      for (int r = 0; r < R; ++r) store_single(r);
    }
  }

 private:
  static constexpr int kWidth = C * kLanes<T>;
  using Sums = Lanes<T>[R][C];

  T* place(int r, int c) const { return p_.out + (i_ + r) * p_.n + c * kLanes<T>; }

  // All rows but the last. A row is read before the one above it is stored, which reaches into it: a load of what was
  // just stored, in part, has to wait for that.
  void add_whole() const {
    Lanes<T> column[C], before[2][C];
    for (int c = 0; c < C; ++c) {
      for (int l = 0; l < kLanes<T>; ++l) column[c][l] = static_cast<T>(c * kLanes<T> + l);
      if (R > 1) load_lanes<T>(before[0][c], place(0, c));
    }
    const Lanes<T> n = static_cast<T>(p_.n) - Lanes<T>{};
#pragma GCC unroll 16
    for (int r = 0; r + 1 < R; ++r) {
      for (int c = 0; r + 2 < R && c < C; ++c) load_lanes<T>(before[(r + 1) % 2][c], place(r + 1, c));
      for (int c = 0; c < C; ++c) {
        const Lanes<T>& old = before[r % 2][c];
        store_lanes<T>(place(r, c), column[c] < n ? old + p_.alpha * sums_[0][r][c] : old);
      }
    }
  }

  void store_single(int r) const {
    T* out = p_.out + (i_ + r) * p_.n;
    for (int64_t j = 0; j < p_.n; ++j) {
      const T sum = p_.alpha * sums_[0][r][j / kLanes<T>][j % kLanes<T>];
      out[j] = p_.beta == T(0) ? sum : sum + p_.beta * out[j];
    }
  }

  // The elements of A that meet row q of B: beside each other where A is given transposed, else each in its own row.
  template <bool kTransposed>
  struct Left {
    Left(const Product<T>& p, int64_t i) : stride(p.m) {
      for (int r = 0; r < R; ++r) rows[r] = p.a + (kTransposed ? i : (i + r) * p.k);
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
      for (int chain = 0; chain < kChains; ++chain, from += stride) add(sums_[chain], left, q + chain, from);
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
    for (int c = 0; c < C; ++c) load_lanes<T>(right[c], from + c * kLanes<T>);
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
void narrow_rows(const Product<T>& p, const Right<T>& b, int64_t i) {
  NarrowRows<T, R, C, kChains> rows(p, i);
  rows.sum(b);
  rows.store();
}

template <class T, int C>
Right<T> narrow_right(KernelContext& c, const Product<T>& p) {
  constexpr int64_t kWidth = C * kLanes<T>;
  const int64_t direct = p.tb ? 0 : std::max<int64_t>(0, p.k - (kWidth + p.n - 1) / p.n);
  Tensor memory = c.scratch(dtype_of<T>, {p.k - direct, kWidth});
  T* copy = memory.data<T>();
  for (int64_t q = direct; q < p.k; ++q, copy += kWidth) {
    for (int64_t j = 0; j < kWidth; ++j) copy[j] = j < p.n ? (p.tb ? p.b[j * p.k + q] : p.b[q * p.n + j]) : T(0);
  }
  return {p.b, p.n, direct, memory.data<T>()};
}

template <class T, int C>
void narrow(KernelContext& c, const Product<T>& p) {
  if constexpr (C > 1) {
    if (p.n <= (C - 1) * kLanes<T>) return narrow<T, C - 1>(c, p);
  }
  constexpr int kRows = std::max(1, kSums / C);
  const Right<T> b = narrow_right<T, C>(c, p);
  c.parallel_for((p.m + kRows - 1) / kRows, 0.2 * kRows * static_cast<double>(p.k), [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      int64_t i = piece * kRows;
      if (i + kRows <= p.m) {
        narrow_rows<T, kRows, C, 1>(p, b, i);
      } else {
        for (; i < p.m; ++i) narrow_rows<T, 1, C, 4>(p, b, i);
      }
    }
  });
}

// ---- pieces ---------------------------------------------------------------------------------------------------------

// Pieces are cut from the longer side, wide enough that packing the other operand anew for each costs little.
template <class T>
void in_pieces(KernelContext& c, const Product<T>& p) {
  constexpr int64_t kNarrowestPiece = 256, kMostPieces = 16;
  constexpr double kWorthwhile = 1e6;  // multiplications
  const bool by_rows = p.m >= p.n;
  const int64_t side = by_rows ? p.m : p.n;
  int64_t step = side;
  if (static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k) > kWorthwhile) {
    step = std::max(kNarrowestPiece, (side + kMostPieces - 1) / kMostPieces);
    step = (step + 15) / 16 * 16;
  }
  const int64_t pieces = (side + step - 1) / step;
  c.parallel_for(pieces, 1e6, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t at = piece * step, size = std::min(step, side - at);
      if (by_rows)
        block(p, at, size, 0, p.n);
      else
        block(p, 0, p.m, at, size);
    }
  });
}

// A 16-bit matrix as float, in scratch memory.
template <class T>
float* widened(KernelContext& c, const T* x, int64_t n) {
  Tensor memory = c.scratch(DType::kFloat, {n});
  float* wide = memory.data<float>();
  each(n, [=](int64_t i) { wide[i] = widen(x[i]); });
  return wide;
}

}  // namespace

ProductExtents product_extents(const Node& product, const Tensor& a, const Tensor& b, bool ta, bool tb) {
  const auto refuse = [&](const std::string& what) { fail_at(product, Code::kInvalidArgument, what); };
  if (a.rank() != 2 || b.rank() != 2)
    refuse(str_cat("a and b must be matrices, got shapes ", a.shape(), " and ", b.shape()));
  const int64_t k = a.dim(ta ? 0 : 1);
  if (b.dim(tb ? 1 : 0) != k) refuse(str_cat("inner dimensions differ: a is ", a.shape(), ", b is ", b.shape()));
  return {a.dim(ta ? 1 : 0), b.dim(tb ? 0 : 1), k};
}

template <class T>
void gemm(KernelContext& c, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* out, T alpha,
          T beta) {
  if (m == 0 || n == 0) return;
  if constexpr (is_half<T>) {
    float* wide = widen(beta) == 0 ? c.scratch(DType::kFloat, {m, n}).template data<float>() : widened(c, out, m * n);
    gemm<float>(c, ta, tb, m, n, k, widened(c, a, m * k), widened(c, b, k * n), wide, widen(alpha), widen(beta));
    each(m * n, [=](int64_t i) { out[i] = T(wide[i]); });
  } else {
    const Product<T> p{ta, tb, m, n, k, a, b, out, alpha, beta};
    if constexpr (std::is_floating_point_v<T>) {
      if (n > 1 && n <= kMostColumns && k > 0) return narrow<T, kMostColumns / kLanes<T>>(c, p);
    }
    in_pieces(c, p);
  }
}

template <class T>
void batch_gemm(KernelContext& c, bool ta, bool tb, int64_t count, int64_t m, int64_t n, int64_t k, const T* a,
                const T* b, T* out) {
  if (count == 1) return gemm(c, ta, tb, m, n, k, a, b, out);
  if (m == 0 || n == 0) return;
  if constexpr (is_half<T>) {
    Tensor memory = c.scratch(DType::kFloat, {count, m, n});
    float* wide = memory.data<float>();
    batch_gemm<float>(c, ta, tb, count, m, n, k, widened(c, a, count * m * k), widened(c, b, count * k * n), wide);
    each(count * m * n, [=](int64_t i) { out[i] = T(wide[i]); });
  } else {
    const double cost = 0.05 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) + 20;
    c.parallel_for(count, cost, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Product<T> p{ta, tb, m, n, k, a + i * m * k, b + i * k * n, out + i * m * n, T(1), T(0)};
        block(p, 0, m, 0, n);
      }
    });
  }
}

template void gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, const float*, const float*, float*, float,
                   float);
template void gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, const double*, const double*, double*, double,
                   double);
template void gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, const int32_t*, const int32_t*, int32_t*,
                   int32_t, int32_t);
template void gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, const int64_t*, const int64_t*, int64_t*,
                   int64_t, int64_t);
template void gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, const Half*, const Half*, Half*, Half, Half);
template void gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, const BFloat16*, const BFloat16*, BFloat16*,
                   BFloat16, BFloat16);
template void batch_gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, int64_t, const float*, const float*,
                         float*);
template void batch_gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, int64_t, const double*, const double*,
                         double*);
template void batch_gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, int64_t, const int32_t*, const int32_t*,
                         int32_t*);
template void batch_gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, int64_t, const int64_t*, const int64_t*,
                         int64_t*);
template void batch_gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, int64_t, const Half*, const Half*,
                         Half*);
template void batch_gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, int64_t, const BFloat16*,
                         const BFloat16*, BFloat16*);

}  // namespace cairn
