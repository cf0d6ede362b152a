#include "ops/core/broadcast.h"

#include <algorithm>

#include "runtime/base/error.h"

namespace cairn {

Broadcast::Broadcast(const Shape& x, const Shape& y) : shape(x == y ? x : broadcast(x, y)) {
  if (x == y) {
    inner = shape.num_elements();
    x_moves = y_moves = true;
    return;
  }
  struct Extent {
    int64_t size;
    bool x_moves, y_moves;
  };
  std::array<Extent, kMaxOuter + 1> extents;  // fastest first, joined
  int n = 0;
  // Neighbouring extents along which each operand moves, or does not, are one extent.
  for (int i = 1; i <= shape.rank(); ++i) {
    const int64_t size = shape[shape.rank() - i];
    if (size == 1) continue;
    const bool xm = i <= x.rank() && x[x.rank() - i] != 1,
               ym = i <= y.rank() && y[y.rank() - i] != 1;
    if (n > 0 && extents[n - 1].x_moves == xm && extents[n - 1].y_moves == ym) {
      extents[n - 1].size *= size;
      continue;
    }
    if (n > kMaxOuter)
      fail(Code::kUnimplemented, "shapes ", x, " and ", y, " broadcast along too many extents");
    extents[n++] = {size, xm, ym};
  }
  if (n == 0) {  // one element
    x_moves = y_moves = true;
    return;
  }
  inner = extents[0].size;
  x_moves = extents[0].x_moves;
  y_moves = extents[0].y_moves;
  // x_size, y_size: elements of each operand in the extents so far, the stride of the next one.
  int64_t x_size = x_moves ? inner : 1, y_size = y_moves ? inner : 1;
  outer = n - 1;
  for (int i = 1; i < n; ++i) {
    const Extent& e = extents[i];
    extent[outer - i] = e.size;
    x_stride[outer - i] = e.x_moves ? x_size : 0;
    y_stride[outer - i] = e.y_moves ? y_size : 0;
    rows *= e.size;
    if (e.x_moves) x_size *= e.size;
    if (e.y_moves) y_size *= e.size;
  }
}

}  // namespace cairn
