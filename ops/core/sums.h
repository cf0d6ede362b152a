// Sums whose order depends only on the number of terms: not on threads, not on alignment. The same
// numbers give the same bits everywhere.
#pragma once

#include <algorithm>

#include "ops/core/elementwise.h"
#include "runtime/exec/context.h"

namespace cairn {

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

}  // namespace cairn
