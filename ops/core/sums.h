// Sums whose order depends only on the number of terms: not on threads, not on alignment. The same
// numbers give the same bits everywhere.
#pragma once

#include <algorithm>

#include "ops/core/elementwise.h"
#include "runtime/exec/context.h"

namespace cairn {

// a + b; integers wrap around.
template <class W>
W plus(W a, W b) {
  if constexpr (std::is_integral_v<W>) {
    return static_cast<W>(static_cast<Wrapping<W>>(a) + static_cast<Wrapping<W>>(b));
  } else {
    return a + b;
  }
}

// term(0) + ... + term(n - 1) as kLanes sums side by side.
template <class W, int kLanes, class Term>
W lanes_sum(int64_t n, const Term& term) {
  W lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] = plus<W>(lanes[lane], term(i + lane));
  }
  for (int lane = 0; i < n; ++i, ++lane) lanes[lane] = plus<W>(lanes[lane], term(i));
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) lanes[lane] = plus(lanes[lane], lanes[lane + half]);
  }
  return lanes[0];
}

// term(0) + ... + term(n - 1).
template <class W, class Term>
W steady_sum(int64_t n, const Term& term) {
  return n < 64 ? lanes_sum<W, 4>(n, term) : lanes_sum<W, 16>(n, term);
}

// The number of pieces into which parallel_for splits n items.
inline int64_t piece_count(int64_t n, double cost) {
  const int64_t piece = KernelContext::piece_size(n, cost);
  return n == 0 ? 0 : (n + piece - 1) / piece;
}

// The same for many terms: partial(begin, end) gives the sum of a piece.
template <class W, class Partial>
W sum_pieces(KernelContext& c, int64_t n, double cost, const Partial& partial) {
  const int64_t pieces = piece_count(n, cost);
  if (pieces <= 1) return n == 0 ? W{} : partial(int64_t{0}, n);
  Tensor sums = c.scratch(dtype_of<W>, {pieces});
  W* const sum = sums.data<W>();
  const int64_t piece = KernelContext::piece_size(n, cost);
  c.parallel_for(n, cost,
                 [&](int64_t begin, int64_t end) { sum[begin / piece] = partial(begin, end); });
  return steady_sum<W>(pieces, [=](int64_t i) { return sum[i]; });
}

// out[j] = the sum of x[i, j] over all rows i.
template <class T>
void sum_rows(KernelContext& c, const T* x, int64_t rows, int64_t cols, T* out) {
  using W = Wide<T>;
  const double cost = 0.2 * static_cast<double>(cols) + 2;
  const int64_t pieces = std::max<int64_t>(1, piece_count(rows, cost));
  const int64_t piece = std::max<int64_t>(1, KernelContext::piece_size(rows, cost));
  Tensor sums = c.scratch(dtype_of<W>, {pieces, cols});
  W* const sum = sums.data<W>();
  std::fill_n(sum, pieces * cols, W{});
  c.parallel_for(rows, cost, [&](int64_t begin, int64_t end) {
    W* const mine = sum + begin / piece * cols;
    for (int64_t row = begin; row < end; ++row)
      each(cols, [mine, from = x + row * cols](int64_t j) {
        mine[j] = plus<W>(mine[j], widen(from[j]));
      });
  });
  for (int64_t p = 1; p < pieces; ++p)
    each(cols, [sum, from = sum + p * cols](int64_t j) { sum[j] = plus<W>(sum[j], from[j]); });
  each(cols, [=](int64_t j) { out[j] = T(sum[j]); });
}

}  // namespace cairn
