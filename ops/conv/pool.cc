// MaxPool, AvgPool and their gradients.
#include <cstring>

#include "ops/array/array.h"
#include "ops/conv/conv.h"
#include "ops/conv/windows.h"
#include "ops/core/elementwise.h"

namespace cairn {
namespace {

Images pool_images(const WindowAttrs& attrs, const Shape& shape) {
  if (shape.rank() != 4) fail(Code::kInvalidArgument, "expected images of rank 4, got ", shape);
  return attrs.images(shape);
}
Shape pooled_shape(const Images& m) { return {m.count, m.height.out, m.width.out, m.channels}; }

// Calls body(oh, ow) for all windows of an image.
template <class Body>
void for_windows(const Images& m, const Body& body) {
  for (int64_t oh = 0; oh < m.height.out; ++oh) {
    for (int64_t ow = 0; ow < m.width.out; ++ow) body(oh, ow);
  }
}
// Calls body(offset of the first channel) for all pixels of a window inside its image.
template <class Body>
void for_cells(const Images& m, int64_t image, int64_t oh, int64_t ow, const Body& body) {
  for (int64_t h = m.height.begin(oh); h < m.height.end(oh); ++h) {
    for (int64_t w = m.width.begin(ow); w < m.width.end(ow); ++w)
      body(image * m.in_size() + (h * m.width.in + w) * m.channels);
  }
}
int64_t window_offset(const Images& m, int64_t image, int64_t oh, int64_t ow) {
  return ((image * m.height.out + oh) * m.width.out + ow) * m.channels;
}
int64_t cells_in(const Images& m, int64_t oh, int64_t ow) {
  return (m.height.end(oh) - m.height.begin(oh)) * (m.width.end(ow) - m.width.begin(ow));
}

// Output 0, of zeros.
void* zeros(KernelContext& c, const Shape& shape) {
  Tensor& out = c.allocate(0, shape);
  return std::memset(out.raw_data(), 0, out.num_elements() * dtype_size(out.dtype()));
}

// What is compiled for each dtype: the windows of one image. x and y are the input and the output
// of the pooling.
using PoolLoop = void (*)(const Images& m, int64_t image, const void* x, const void* y,
                          const void* d, void* out);

// Threads split the images, not the windows: windows overlap, and gradients add to the pixels they
// share.
void for_images(KernelContext& c, const Images& m, PoolLoop loop, const void* x, const void* y,
                const void* d, void* out) {
  if (pooled_shape(m).num_elements() == 0) return;  // a file can claim any number of empty images
  const double cost =
      0.5 * static_cast<double>(m.height.out * m.width.out * m.height.window * m.width.window) *
      static_cast<double>(m.channels);
  c.parallel_for(m.count, cost + 20, [&](int64_t begin, int64_t end) {
    for (int64_t image = begin; image < end; ++image) loop(m, image, x, y, d, out);
  });
}

template <class T>
void max_pool_image(const Images& m, int64_t image, const void* from, const void*, const void*,
                    void* to) {
  const T* x = static_cast<const T*>(from);
  for_windows(m, [&](int64_t oh, int64_t ow) {
    T* const out = static_cast<T*>(to) + window_offset(m, image, oh, ow);
    bool first = true;
    for_cells(m, image, oh, ow, [&](int64_t cell) {
      if (first) std::copy_n(x + cell, m.channels, out);
      each(m.channels, [out, in = x + cell](int64_t i) {
        out[i] = is_above(widen(in[i]), widen(out[i])) ? in[i] : out[i];
      });
      first = false;
    });
  });
}

void pool_kernel(KernelContext& c, const WindowAttrs& attrs, PoolLoop loop) {
  const Images m = pool_images(attrs, c.input(0).shape());
  const void* x = c.input(0).raw_data();
  for_images(c, m, loop, x, nullptr, nullptr, c.allocate(0, pooled_shape(m)).raw_data());
}

// The offset in x of the first maximum y of a window; of the first NaN if there is one. -1: none.
template <class T>
int64_t place_of_maximum(const Images& m, int64_t image, int64_t oh, int64_t ow, int64_t channel,
                         const T* x, T y) {
  const auto is_it = [y = widen(y)](auto v) { return !is_above(v, y) && !is_above(y, v); };
  int64_t first = -1;
  for_cells(m, image, oh, ow, [&](int64_t cell) {
    if (first < 0 && is_it(widen(x[cell + channel]))) first = cell + channel;
  });
  return first;
}

// Adds d, the gradients of windows, to the places of their maxima in out.
template <class T>
void max_pool_grad_image(const Images& m, int64_t image, const void* input, const void* output,
                         const void* grad, void* to) {
  const T *x = static_cast<const T*>(input), *y = static_cast<const T*>(output),
          *d = static_cast<const T*>(grad);
  T* out = static_cast<T*>(to);
  for_windows(m, [&](int64_t oh, int64_t ow) {
    const int64_t window = window_offset(m, image, oh, ow);
    for (int64_t channel = 0; channel < m.channels; ++channel) {
      const int64_t place = place_of_maximum(m, image, oh, ow, channel, x, y[window + channel]);
      if (place >= 0) out[place] = plus(out[place], d[window + channel]);
    }
  });
}

void max_pool_grad_kernel(KernelContext& c, const WindowAttrs& attrs, PoolLoop loop) {
  const Shape shape = c.input(0).shape();
  const Images m = pool_images(attrs, shape);
  if (c.input(1).shape() != pooled_shape(m) || c.input(2).shape() != pooled_shape(m))
    c.fail(str_cat("expected orig_output and grad of shape ", pooled_shape(m), ", got ",
                   c.input(1).shape(), " and ", c.input(2).shape()));
  const void *x = c.input(0).raw_data(), *y = c.input(1).raw_data(), *dy = c.input(2).raw_data();
  for_images(c, m, loop, x, y, dy, zeros(c, shape));
}

// The elements of d, of the shape of the input, at the maxima of the windows.
template <class T>
void max_pool_grad_grad_image(const Images& m, int64_t image, const void* input, const void* output,
                              const void* grad, void* to) {
  const T *x = static_cast<const T*>(input), *y = static_cast<const T*>(output),
          *d = static_cast<const T*>(grad);
  for_windows(m, [&](int64_t oh, int64_t ow) {
    const int64_t window = window_offset(m, image, oh, ow);
    for (int64_t channel = 0; channel < m.channels; ++channel) {
      const int64_t place = place_of_maximum(m, image, oh, ow, channel, x, y[window + channel]);
      static_cast<T*>(to)[window + channel] = place < 0 ? T(0) : d[place];
    }
  });
}

void max_pool_grad_grad_kernel(KernelContext& c, const WindowAttrs& attrs, PoolLoop loop) {
  const Shape shape = c.input(0).shape();
  const Images m = pool_images(attrs, shape);
  if (c.input(1).shape() != pooled_shape(m) || c.input(2).shape() != shape)
    c.fail(str_cat("expected orig_output of shape ", pooled_shape(m), " and grad of shape ", shape,
                   ", got ", c.input(1).shape(), " and ", c.input(2).shape()));
  const void *x = c.input(0).raw_data(), *y = c.input(1).raw_data(), *d = c.input(2).raw_data();
  for_images(c, m, loop, x, y, d, c.allocate(0, pooled_shape(m)).raw_data());
}

template <class T>
void avg_pool_image(const Images& m, int64_t image, const void* from, const void*, const void*,
                    void* to) {
  const T* x = static_cast<const T*>(from);
  for_windows(m, [&](int64_t oh, int64_t ow) {
    T* const out = static_cast<T*>(to) + window_offset(m, image, oh, ow);
    for (int64_t i = 0; i < m.channels; ++i) {
      Wide<T> sum = 0;
      for_cells(m, image, oh, ow, [&](int64_t cell) { sum += widen(x[cell + i]); });
      out[i] = T(sum / static_cast<Wide<T>>(cells_in(m, oh, ow)));
    }
  });
}

template <class T>
void avg_pool_grad_image(const Images& m, int64_t image, const void*, const void*, const void* dy,
                         void* dx) {
  for_windows(m, [&](int64_t oh, int64_t ow) {
    const T* const from = static_cast<const T*>(dy) + window_offset(m, image, oh, ow);
    const auto share = Wide<T>(1) / static_cast<Wide<T>>(cells_in(m, oh, ow));
    for_cells(m, image, oh, ow, [&](int64_t cell) {
      each(m.channels, [=, to = static_cast<T*>(dx) + cell](int64_t i) {
        to[i] = T(widen(to[i]) + widen(from[i]) * share);
      });
    });
  });
}

void avg_pool_grad_kernel(KernelContext& c, const WindowAttrs& attrs, PoolLoop loop) {
  const Shape shape = sizes_input(c, 0);
  const Images m = pool_images(attrs, shape);
  if (c.input(1).shape() != pooled_shape(m))
    c.fail(str_cat("expected grad of shape ", pooled_shape(m), ", got ", c.input(1).shape()));
  for_images(c, m, loop, nullptr, nullptr, c.input(1).raw_data(), zeros(c, shape));
}

Kernel pooling(const KernelSetup& s, PoolLoop loop,
               void kernel(KernelContext&, const WindowAttrs&, PoolLoop)) {
  return [attrs = runnable_windows(s), loop, kernel](KernelContext& c) { kernel(c, attrs, loop); };
}
Kernel max_pool_prepare(const KernelSetup& s) {
  return pooling(s, by_types(Reals(), s, s.dtype("T"), []<class T>() { return max_pool_image<T>; }),
                 pool_kernel);
}
// Maxima are found by their bits, sums wrap around: one loop serves integers with and without sign.
Kernel max_pool_grad_prepare(const KernelSetup& s) {
  return pooling(
      s,
      by_types(Reals(), s, s.dtype("T"), []<class T>() { return max_pool_grad_image<Added<T>>; }),
      max_pool_grad_kernel);
}
Kernel max_pool_grad_grad_prepare(const KernelSetup& s) {
  return pooling(s,
                 by_types(Reals(), s, s.dtype("T"),
                          []<class T>() { return max_pool_grad_grad_image<Added<T>>; }),
                 max_pool_grad_grad_kernel);
}
Kernel avg_pool_prepare(const KernelSetup& s) {
  return pooling(s,
                 by_types(Floats(), s, s.dtype("T"), []<class T>() { return avg_pool_image<T>; }),
                 pool_kernel);
}
Kernel avg_pool_grad_prepare(const KernelSetup& s) {
  return pooling(
      s, by_types(Floats(), s, s.dtype("T"), []<class T>() { return avg_pool_grad_image<T>; }),
      avg_pool_grad_kernel);
}

void pool_shape(ShapeContext& c) {
  const WindowAttrs attrs(c);
  if (!attrs.unusual.empty()) return;
  const Shape input = c.with_rank(0, 4, "input");
  const Images m = attrs.images(input);
  c.set_output(attrs.shape(input[0], m.height.out, m.width.out, m.channels));
}
void max_pool_grad_shape(ShapeContext& c) { c.set_output(merge(c.input(0), Shape::unknown(4))); }
void max_pool_grad_grad_shape(ShapeContext& c) {
  merge(c.input(0), c.input(2));
  c.set_output(merge(c.input(1), Shape::unknown(4)));
}

Attrs pool_attrs(const Operation& op) {
  return copied(op, {"ksize", "strides", "padding", "data_format"});
}

extern const OpDef kMaxPoolGrad, kMaxPoolGradGrad, kAvgPool, kAvgPoolGrad;
Grads max_pool_gradient(const Operation& op, const Grads& dy) {
  return {add_node(kMaxPoolGrad, {op.input(0), op.output(), dy[0]}, pool_attrs(op))};
}
// Both are linear in the incoming gradient, and have no gradient for the inputs that locate the
// maxima.
template <const OpDef& kOther>
Grads max_pool_grad_gradient(const Operation& op, const Grads& d) {
  return {Output(), Output(), add_node(kOther, {op.input(0), op.input(1), d[0]}, pool_attrs(op))};
}
Grads avg_pool_gradient(const Operation& op, const Grads& dy) {
  return {add_node(kAvgPoolGrad, {shape(op.input(0)), dy[0]}, pool_attrs(op))};
}
Grads avg_pool_grad_gradient(const Operation& op, const Grads& d) {
  return {Output(), add_node(kAvgPool, {d[0]}, pool_attrs(op))};
}

constexpr std::string_view kMaxPoolTypes =
    "T: {half, bfloat16, float, double, int32, int64, uint8, int16, int8, uint16, qint8} = "
    "DT_FLOAT, "
    "ksize: list(int) >= 4, strides: list(int) >= 4, padding: {'SAME', 'VALID'}, "
    "data_format: {'NHWC', 'NCHW', 'NCHW_VECT_C'} = 'NHWC'";
constexpr std::string_view kMaxPoolGradAttrs =
    "ksize: list(int) >= 4, strides: list(int) >= 4, padding: {'SAME', 'VALID'}, "
    "data_format: {'NHWC', 'NCHW'} = 'NHWC', T: realnumbertype = DT_FLOAT";
constexpr std::string_view kMaxPoolGradGradAttrs =
    "ksize: list(int) >= 4, strides: list(int) >= 4, padding: {'SAME', 'VALID'}, "
    "data_format: {'NHWC', 'NCHW'} = 'NHWC', T: realnumbertype";
constexpr std::string_view kAvgPoolAttrs =
    "ksize: list(int) >= 4, strides: list(int) >= 4, padding: {'SAME', 'VALID'}, "
    "data_format: {'NHWC', 'NCHW'} = 'NHWC', T: {half, bfloat16, float, double}";

constexpr OpDef kMaxPool = {.name = "MaxPool",
                            .inputs = "input: T",
                            .outputs = "output: T",
                            .attrs = kMaxPoolTypes,
                            .shape = pool_shape,
                            .prepare = max_pool_prepare,
                            .gradient = max_pool_gradient};
constexpr OpDef kMaxPoolGrad = {.name = "MaxPoolGrad",
                                .inputs = "orig_input: T, orig_output: T, grad: T",
                                .outputs = "output: T",
                                .attrs = kMaxPoolGradAttrs,
                                .shape = max_pool_grad_shape,
                                .prepare = max_pool_grad_prepare,
                                .gradient = max_pool_grad_gradient<kMaxPoolGradGrad>};
constexpr OpDef kMaxPoolGradGrad = {.name = "MaxPoolGradGrad",
                                    .inputs = "orig_input: T, orig_output: T, grad: T",
                                    .outputs = "output: T",
                                    .attrs = kMaxPoolGradGradAttrs,
                                    .shape = max_pool_grad_grad_shape,
                                    .prepare = max_pool_grad_grad_prepare,
                                    .gradient = max_pool_grad_gradient<kMaxPoolGrad>};
constexpr OpDef kAvgPool = {.name = "AvgPool",
                            .inputs = "value: T",
                            .outputs = "output: T",
                            .attrs = kAvgPoolAttrs,
                            .shape = pool_shape,
                            .prepare = avg_pool_prepare,
                            .gradient = avg_pool_gradient};
constexpr OpDef kAvgPoolGrad = {.name = "AvgPoolGrad",
                                .inputs = "orig_input_shape: int32, grad: T",
                                .outputs = "output: T",
                                .attrs = kAvgPoolAttrs,
                                .shape = shape_by_sizes<0>,
                                .prepare = avg_pool_grad_prepare,
                                .gradient = avg_pool_grad_gradient};

Output pool(const OpDef& op, const Operand& value, const PoolOptions& o) {
  const Graph::Transaction whole(value.graph());
  return add_node(op, {value.output()},
                  {{"ksize", o.ksize},
                   {"strides", o.strides},
                   {"padding", o.padding},
                   {"data_format", o.data_format}},
                  o.name, value.at());
}

}  // namespace

Output max_pool(const Operand& value, const PoolOptions& options) {
  return pool(kMaxPool, value, options);
}
Output avg_pool(const Operand& value, const PoolOptions& options) {
  return pool(kAvgPool, value, options);
}

std::span<const OpDef* const> pool_ops() {
  static constexpr const OpDef* kOps[] = {&kAvgPool, &kAvgPoolGrad, &kMaxPool, &kMaxPoolGrad,
                                          &kMaxPoolGradGrad};
  return kOps;
}

}  // namespace cairn
