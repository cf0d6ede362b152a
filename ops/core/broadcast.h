// Element-by-element pairing of two tensors of different shapes (NumPy broadcasting), reduced to
// loops.
#pragma once

#include <array>
#include <cstdint>

#include "runtime/base/shape.h"

namespace cairn {

// The result, seen as `rows` runs of `inner` elements each. Along a run an operand either advances
// by one or repeats its element; from run to run it moves by the strides of the outer extents.
// Extents of 1 are dropped, and extents that both operands step through alike are joined, so that
// equal shapes, a scalar, a row and a column all need one or two extents.
struct Broadcast {
  static constexpr int kMaxOuter = 15;

  // Throws InvalidArgument if the shapes do not broadcast, Unimplemented for more than kMaxOuter +
  // 1 extents.
  Broadcast(const Shape& x, const Shape& y);

  Shape shape;
  int64_t rows = 1, inner = 1;
  bool x_moves = false, y_moves = false;  // along a run
  int outer = 0;                          // extents outside the run, slowest first
  std::array<int64_t, kMaxOuter> extent, x_stride, y_stride;

  // Calls run(x, y, out) with the offsets of the first elements of rows [begin, end), in order.
  template <class Run>
  void for_rows(int64_t begin, int64_t end, const Run& run) const {
    std::array<int64_t, kMaxOuter> at;
    int64_t x = 0, y = 0, rest = begin;
    for (int i = outer; i-- > 0; rest /= extent[i]) {
      at[i] = rest % extent[i];
      x += at[i] * x_stride[i];
      y += at[i] * y_stride[i];
    }
    for (int64_t row = begin; row < end; ++row) {
      run(x, y, row * inner);
      for (int i = outer; i-- > 0;) {
        x += x_stride[i];
        y += y_stride[i];
        if (++at[i] < extent[i]) break;
        x -= extent[i] * x_stride[i];
        y -= extent[i] * y_stride[i];
        at[i] = 0;
      }
    }
  }
};

}  // namespace cairn
