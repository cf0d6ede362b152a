#include "ops/core/gemm.h"

#include "ops/core/eigen_core.h"
#include "ops/core/elementwise.h"
#include "ops/core/narrow.h"
#include "ops/core/onednn.h"

namespace cairn {
namespace {

template <class T>
using EigenMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// What becomes of what is in the result: kSets and kZeroes differ in the sign of zeros.
enum class Into { kSets, kZeroes, kAdds };

template <class Out, class A, class B>
void eigen_product(Out& out, const A& a, const B& b, Into into) {
  // Here Eigen has another way, which makes no zeros first. Else the zeros are made here: it
  // would make them row by row.
  const bool small = b.rows() + out.rows() + out.cols() < 20;
  if (into == Into::kSets && small) {
    out.noalias() = a * b;
  } else {
    if (into != Into::kAdds && out.cols() == out.outerStride())
      std::fill_n(out.data(), out.size(), 0);
    else if (into != Into::kAdds)
      out.setZero();
    out.noalias() += a * b;
  }
}

// Rows [i, i+rows) and columns [j, j+cols) of the result, by Eigen.
template <class T>
void eigen_block(const Product<T>& p, int64_t i, int64_t rows, int64_t j, int64_t cols, Into into) {
  using Stride = Eigen::OuterStride<>;
  using In = Eigen::Map<const EigenMatrix<T>, Eigen::Unaligned, Stride>;
  const In a(p.a + (p.ta ? i : i * p.lda), p.ta ? p.k : rows, p.ta ? rows : p.k, Stride(p.lda));
  const In b(p.b + (p.tb ? j * p.ldb : j), p.tb ? cols : p.k, p.tb ? p.k : cols, Stride(p.ldb));
  Eigen::Map<EigenMatrix<T>, Eigen::Unaligned, Stride> out(p.out + i * p.n + j, rows, cols,
                                                           Stride(p.n));
  if (p.ta && p.tb) {
    eigen_product(out, a.transpose(), b.transpose(), into);
  } else if (p.ta) {
    eigen_product(out, a.transpose(), b, into);
  } else if (p.tb) {
    eigen_product(out, a, b.transpose(), into);
  } else {
    eigen_product(out, a, b, into);
  }
}

// The same for integers, which nobody multiplies by the million.
template <class T>
void plain_block(const Product<T>& p, int64_t i0, int64_t rows, int64_t j0, int64_t cols) {
  using U = std::make_unsigned_t<T>;
  const int64_t b_row = p.tb ? 1 : p.ldb, b_col = p.tb ? p.ldb : 1;
  for (int64_t i = i0; i < i0 + rows; ++i) {
    T* out = p.out + i * p.n + j0;
    std::fill_n(out, cols, T(0));
    for (int64_t q = 0; q < p.k; ++q) {
      const U x = U(p.ta ? p.a[q * p.lda + i] : p.a[i * p.lda + q]);
      const T* b = p.b + q * b_row + j0 * b_col;
      each(cols, [=](int64_t j) { out[j] = static_cast<T>(U(out[j]) + x * U(b[j * b_col])); });
    }
  }
}

template <class T>
double multiplications(const Product<T>& p) {
  return static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
}

// From this many multiplications on oneDNN is worth asking: some thousand of such products pay for
// its loading. By shape alone: a run that is resumed takes the same way as one that is not.
template <class T>
bool for_onednn(const Product<T>& p) {
  return std::is_same_v<T, float> && p.m > 1 && p.n > 1 && multiplications(p) >= 2.5e5;
}

template <class T>
void block(const Product<T>& p, int64_t i, int64_t rows, int64_t j, int64_t cols,
           bool adds = false) {
  if constexpr (std::is_integral_v<T>) {
    plain_block(p, i, rows, j, cols);
    return;
  } else if constexpr (std::is_same_v<T, float>) {
    if (for_onednn(p) &&
        onednn_sgemm(p.ta, p.tb, rows, cols, p.k, 1, p.a + (p.ta ? i : i * p.lda), p.lda,
                     p.b + (p.tb ? j * p.ldb : j), p.ldb, adds ? 1 : 0, p.out + i * p.n + j, p.n)) {
      return;
    }
  }
  if constexpr (!std::is_integral_v<T>)
    eigen_block(p, i, rows, j, cols, adds ? Into::kAdds : Into::kZeroes);
}

// ---- few columns, one row -----------------------------------------------------------------------

template <class T>
Right<T> narrow_right(KernelContext& c, const Product<T>& p, int64_t width) {
  const int64_t direct = p.tb ? 0 : std::max<int64_t>(0, p.k - (width + p.n - 1) / p.n);
  Tensor memory = c.scratch(dtype_of<T>, {p.k - direct, width});
  T* copy = memory.data<T>();
  for (int64_t q = direct; q < p.k; ++q, copy += width) {
    for (int64_t j = 0; j < width; ++j)
      copy[j] = j < p.n ? (p.tb ? p.b[j * p.ldb + q] : p.b[q * p.ldb + j]) : T(0);
  }
  return {p.b, p.ldb, direct, memory.data<T>()};
}

template <class T>
const NarrowKernelsOf<T>& narrow_kernels_of() {
  if constexpr (std::is_same_v<T, float>) {
    return narrow_kernels().of_float;
  } else {
    return narrow_kernels().of_double;
  }
}

template <class T>
void single_row(KernelContext& c, const Product<T>& p, RowsMade made) {
  constexpr int64_t kBlock = 256;  // columns: narrower ones are read with gaps
  const auto run = narrow_kernels_of<T>().single_row;
  c.parallel_for(
      (p.n + kBlock - 1) / kBlock, 0.1 * kBlock * static_cast<double>(p.k),
      [&](int64_t begin, int64_t end) { run(p, begin * kBlock, std::min(p.n, end * kBlock)); });
  made(0, 1);
}

// body(begin, end) for pieces of so many rows of the result.
template <class Body>
void over_rows(KernelContext& c, int64_t rows, int64_t piece, ByRows by_rows, const Body& body) {
  if (piece >= rows) return body(0, rows);
  if (by_rows == ByRows::kMakes) return c.in_row_pieces(rows, piece, body);
  c.parallel_for((rows + piece - 1) / piece, 1e6, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i * piece, std::min(rows, (i + 1) * piece));
  });
}

template <class T>
void narrow(KernelContext& c, const Product<T>& p, ByRows by_rows, RowsMade made) {
  constexpr int64_t kMany = 16;  // pieces, so that a few rows more in each leave the work even
  const NarrowKernel<T> kernel = narrow_kernels_of<T>().narrow(p.n, p.k);
  const Right<T> b = kernel.width > 0 ? narrow_right(c, p, kernel.width) : Right<T>();
  const double cost = 0.4 * static_cast<double>(p.k);
  int64_t piece = KernelContext::is_small(p.m, cost) ? p.m : KernelContext::piece_size(p.m, cost);
  if (p.m > kMany * piece) piece = (piece + kernel.rows - 1) / kernel.rows * kernel.rows;
  over_rows(c, p.m, piece, by_rows, [&](int64_t begin, int64_t end) {
    kernel.run(p, b, begin, end);
    made(begin, end);
  });
}

// ---- pieces -------------------------------------------------------------------------------------

// Pieces are cut from the longer side, an even number of them and of one size, wide enough that
// packing the other operand anew for each costs little.
template <class T>
void in_pieces(KernelContext& c, const Product<T>& p, ByRows by_rows, RowsMade made,
               bool adds = false) {
  constexpr int64_t kShortest = 64, kPair = 512, kMostPairs = 8;
  // multiplications; a single row waits for memory
  const double worthwhile = p.m == 1 ? 1.5e5 : 4e5;
  const bool wide = p.m < p.n;
  const int64_t side = wide ? p.n : p.m;
  int64_t step = side;
  if (side >= kShortest && multiplications(p) > worthwhile) {
    const int64_t wanted = 2 * std::clamp<int64_t>(side / kPair, 1, kMostPairs);
    step = ((side + wanted - 1) / wanted + 15) / 16 * 16;
  }
  if (wide) {
    over_rows(c, p.n, step, ByRows::kNo,
              [&](int64_t begin, int64_t end) { block(p, 0, p.m, begin, end - begin, adds); });
    if (made) c.parallel_for(p.m, 0.5 * static_cast<double>(p.n), made);
  } else {
    over_rows(c, p.m, step, by_rows, [&](int64_t begin, int64_t end) {
      block(p, begin, end - begin, 0, p.n, adds);
      made(begin, end);
    });
  }
}

// Where oneDNN reads matrices as they stand, rows that lie a multiple of 2 KiB apart share their
// places in the cache and take a third of the speed, or more. They are copied, with a gap after
// each, so many at a time that the copies are small beside the matrices and stay in the cache.
void with_gaps(KernelContext& c, const Product<float>& p, ByRows by_rows, RowsMade made) {
  constexpr int64_t kBad = 512, kGap = 16, kRows = 256, kUses = 32;
  const bool copy_a = p.ta && p.lda % kBad == 0 && p.n >= kUses,
             copy_b = !p.tb && p.ldb % kBad == 0 && p.m >= kUses;
  if ((!copy_a && !copy_b) || !for_onednn(p) || !onednn_reads_in_place())
    return in_pieces(c, p, by_rows, made);
  const int64_t blocks = (p.k + kRows - 1) / kRows, rows = (p.k + blocks - 1) / blocks;
  const auto memory = [&](int64_t columns) {
    return c.scratch(DType::kFloat, {rows, columns + kGap}).data<float>();
  };
  float *const a = copy_a ? memory(p.lda) : nullptr, *const b = copy_b ? memory(p.ldb) : nullptr;
  for (int64_t q = 0; q < p.k; q += rows) {
    Product<float> part = p;
    part.k = std::min(rows, p.k - q);
    part.a += p.ta ? q * p.lda : q;
    part.b += p.tb ? q : q * p.ldb;
    const auto copy = [&](const float*& from, int64_t& stride, float* to) {
      c.parallel_for(part.k, 0.1 * static_cast<double>(stride), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          std::copy_n(from + i * stride, stride, to + i * (stride + kGap));
      });
      from = to;
      stride += kGap;
    };
    if (copy_a) copy(part.a, part.lda, a);
    if (copy_b) copy(part.b, part.ldb, b);
    const bool last = q + rows >= p.k;
    in_pieces(c, part, last ? by_rows : ByRows::kNo, last ? made : RowsMade(), q > 0);
  }
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

ProductExtents product_extents(const Node& product, const Tensor& a, const Tensor& b, bool ta,
                               bool tb) {
  const auto refuse = [&](const std::string& what) {
    fail_at(product, Code::kInvalidArgument, what);
  };
  if (a.rank() != 2 || b.rank() != 2)
    refuse(str_cat("a and b must be matrices, got shapes ", a.shape(), " and ", b.shape()));
  const int64_t k = a.dim(ta ? 0 : 1);
  if (b.dim(tb ? 1 : 0) != k)
    refuse(str_cat("inner dimensions differ: a is ", a.shape(), ", b is ", b.shape()));
  return {a.dim(ta ? 1 : 0), b.dim(tb ? 0 : 1), k};
}

template <class T>
void gemm(KernelContext& c, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a,
          const T* b, T* out, ByRows by_rows, RowsMade made) {
  if (m == 0 || n == 0) return;
  if constexpr (is_half<T>) {
    float* wide = c.scratch(DType::kFloat, {m, n}).template data<float>();
    gemm<float>(c, ta, tb, m, n, k, widened(c, a, m * k), widened(c, b, k * n), wide);
    each(m * n, [=](int64_t i) { out[i] = T(wide[i]); });
    made(0, m);
  } else {
    const Product<T> p{ta, tb, m, n, k, a, b, out};
    if constexpr (std::is_floating_point_v<T>) {
      if (n > 1 && n <= kMostColumns && k > 0) return narrow(c, p, by_rows, made);
      if (m == 1 && n > kMostColumns && !tb && narrow_kernels_of<T>().single_row)
        return single_row(c, p, made);
    }
    if constexpr (std::is_same_v<T, float>) return with_gaps(c, p, by_rows, made);
    in_pieces(c, p, by_rows, made);
  }
}

template <class T>
void batch_gemm(KernelContext& c, bool ta, bool tb, int64_t count, int64_t m, int64_t n, int64_t k,
                const T* a, const T* b, T* out) {
  if (count == 1) return gemm(c, ta, tb, m, n, k, a, b, out);
  if (m == 0 || n == 0) return;
  if constexpr (is_half<T>) {
    Tensor memory = c.scratch(DType::kFloat, {count, m, n});
    float* wide = memory.data<float>();
    batch_gemm<float>(c, ta, tb, count, m, n, k, widened(c, a, count * m * k),
                      widened(c, b, count * k * n), wide);
    each(count * m * n, [=](int64_t i) { out[i] = T(wide[i]); });
  } else {
    const double cost =
        0.05 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) + 20;
    c.parallel_for(count, cost, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Product<T> p{ta, tb, m, n, k, a + i * m * k, b + i * k * n, out + i * m * n};
        block(p, 0, m, 0, n);
      }
    });
  }
}

template <class T>
void gemm_block(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* out,
                bool adds) {
  eigen_block(Product<T>{ta, tb, m, n, k, a, b, out}, 0, m, 0, n, adds ? Into::kAdds : Into::kSets);
}

template <class T>
void subtract_greatest(T* rows, int64_t count, int64_t width, T* greatest) {
  for (int64_t i = 0; i < count; ++i) {
    Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>, Eigen::Aligned64> row(rows + i * width, width);
    greatest[i] = row.maxCoeff();
    row -= greatest[i];
  }
}
template <class T>
void sum_each_row(const T* rows, int64_t count, int64_t width, T* sums) {
  using Row = Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>, Eigen::Aligned64>;
  for (int64_t i = 0; i < count; ++i) sums[i] = Row(rows + i * width, width).sum();
}

template void subtract_greatest(float*, int64_t, int64_t, float*);
template void subtract_greatest(double*, int64_t, int64_t, double*);
template void sum_each_row(const float*, int64_t, int64_t, float*);
template void sum_each_row(const double*, int64_t, int64_t, double*);
template void gemm_block(bool, bool, int64_t, int64_t, int64_t, const float*, const float*, float*,
                         bool);
template void gemm_block(bool, bool, int64_t, int64_t, int64_t, const double*, const double*,
                         double*, bool);
template void gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, const float*,
                   const float*, float*, ByRows, RowsMade);
template void gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, const double*,
                   const double*, double*, ByRows, RowsMade);
template void gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, const int32_t*,
                   const int32_t*, int32_t*, ByRows, RowsMade);
template void gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, const int64_t*,
                   const int64_t*, int64_t*, ByRows, RowsMade);
template void gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, const Half*, const Half*,
                   Half*, ByRows, RowsMade);
template void gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, const BFloat16*,
                   const BFloat16*, BFloat16*, ByRows, RowsMade);
template void batch_gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, int64_t,
                         const float*, const float*, float*);
template void batch_gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, int64_t,
                         const double*, const double*, double*);
template void batch_gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, int64_t,
                         const int32_t*, const int32_t*, int32_t*);
template void batch_gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, int64_t,
                         const int64_t*, const int64_t*, int64_t*);
template void batch_gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, int64_t,
                         const Half*, const Half*, Half*);
template void batch_gemm(KernelContext&, bool, bool, int64_t, int64_t, int64_t, int64_t,
                         const BFloat16*, const BFloat16*, BFloat16*);

}  // namespace cairn
