#include "ops/core/elementwise.h"

namespace cairn {
namespace {

// The address of element i.
const char* at(const void* data, int64_t i, size_t size) {
  return static_cast<const char*>(data) + i * static_cast<int64_t>(size);
}
char* at(void* data, int64_t i, size_t size) {
  return static_cast<char*>(data) + i * static_cast<int64_t>(size);
}

void run_unary(KernelContext& c, const UnaryLoop& loop) {
  const void* x = c.input(0).raw_data();
  const Shape& shape = c.input(0).shape();
  void* out = (loop.in_place ? c.allocate_or_reuse(0, 0, shape) : c.allocate(0, shape)).raw_data();
  const int64_t n = c.output(0).num_elements();
  c.parallel_elements(n, loop.cost, [&](int64_t begin, int64_t end) {
    loop.run(at(x, begin, loop.x_size), at(out, begin, loop.out_size), end - begin);
  });
  if (c.is_small(n, loop.cost)) c.repeat([=, run = loop.run] { run(x, out, n); });
}

// Operands of one shape, the most common case, need no set-up.
void run_alike(KernelContext& c, const BinaryLoop& loop, int first, int second) {
  const void *x = c.input(first).raw_data(), *y = c.input(second).raw_data();
  const Shape& shape = c.input(first).shape();
  const int64_t n = shape.num_elements();
  // The check reads all of y, of which the kernel before may still compute rows.
  if (loop.refuses) c.await_rows();
  if (loop.refuses && loop.refuses(y, n)) c.fail(loop.refusal);
  void* out =
      (loop.in_place ? c.allocate_or_reuse(0, first, shape) : c.allocate(0, shape)).raw_data();
  c.parallel_elements(n, loop.cost, [&](int64_t begin, int64_t end) {
    loop.run(loop.parameter, at(x, begin, loop.size), true, at(y, begin, loop.size), true,
             at(out, begin, loop.out_size), end - begin);
  });
  if (!loop.refuses && c.is_small(n, loop.cost))
    c.repeat([=, run = loop.run, parameter = loop.parameter] {
      run(parameter, x, true, y, true, out, n);
    });
}

void run_binary(KernelContext& c, const BinaryLoop& loop) {
  const int first = loop.exchanged ? 1 : 0, second = 1 - first;
  const void *x = c.input(first).raw_data(), *y = c.input(second).raw_data();
  const Shape& shape = c.input(first).shape();
  if (shape == c.input(second).shape()) return run_alike(c, loop, first, second);
  const int64_t y_count = c.input(second).num_elements();
  if (loop.same_shape)
    c.fail(str_cat(loop.alike, " must be of one shape, got ", c.input(0).shape(), " and ",
                   c.input(1).shape()));
  const Broadcast b(shape, c.input(second).shape());
  if (loop.refuses || b.shape != c.input(c.taken()).shape()) c.await_rows();
  // All of y is checked before anything is written: the output may share memory with an input.
  if (loop.refuses && b.rows * b.inner > 0 && loop.refuses(y, y_count)) c.fail(loop.refusal);
  const int reused = b.shape == shape ? first : second;
  void* out =
      (loop.in_place ? c.allocate_or_reuse(0, reused, b.shape) : c.allocate(0, b.shape)).raw_data();
  if (b.rows * b.inner == 0) return;  // a file can claim any number of empty rows
  if (b.rows == 1) {
    c.parallel_elements(b.inner, loop.cost, [&](int64_t begin, int64_t end) {
      loop.run(loop.parameter, at(x, b.x_moves ? begin : 0, loop.size), b.x_moves,
               at(y, b.y_moves ? begin : 0, loop.size), b.y_moves, at(out, begin, loop.out_size),
               end - begin);
    });
    return;
  }
  c.parallel_rows(
      b.rows, loop.cost * static_cast<double>(b.inner) + 4, [&](int64_t begin, int64_t end) {
        b.for_rows(begin, end, [&](int64_t xi, int64_t yi, int64_t oi) {
          loop.run(loop.parameter, at(x, xi, loop.size), b.x_moves, at(y, yi, loop.size), b.y_moves,
                   at(out, oi, loop.out_size), b.inner);
        });
      });
}

}  // namespace

Kernel unary_kernel(const UnaryLoop& loop) {
  return [loop](KernelContext& c) { run_unary(c, loop); };
}
Kernel binary_kernel(const BinaryLoop& loop) {
  return [loop](KernelContext& c) { run_binary(c, loop); };
}

}  // namespace cairn
