#include "ops/conv/conv.h"

#include <cstring>

#include "ops/array/array.h"
#include "ops/conv/windows.h"
#include "ops/core/elementwise.h"
#include "ops/core/gemm.h"

namespace cairn {
namespace {

// ---- Conv2D and its gradients -------------------------------------------------------------------
// A window of the input is laid out as a row, [rows, K], K = height · width · channels, so that all
// is matrix products: output = rows · filter, d filter = rowsᵀ · d output, d rows = d output ·
// filterᵀ.

struct Conv {
  Images images;
  int64_t k = 0, out_channels = 0;
  int64_t row_width() const { return images.width.out; }  // windows in one row of an output image
  int64_t out_size() const { return images.height.out * images.width.out * out_channels; }
};

Conv conv_of(const WindowAttrs& attrs, const Shape& input, const Shape& filter) {
  if (input.rank() != 4 || filter.rank() != 4)
    fail(Code::kInvalidArgument, "expected an input and a filter of rank 4, got ", input, " and ",
         filter);
  if (attrs.channels_of(input) != filter[2])
    fail(Code::kInvalidArgument, "the input ", input, " has ", attrs.channels_of(input),
         " channels, the filter ", filter, " takes ", filter[2]);
  return {attrs.images(input, filter[0], filter[1]), filter[0] * filter[1] * filter[2], filter[3]};
}

// Calls inside(offset in the image, offset in the window row, number of elements) for each line of
// window (oh, ow) inside the image, and outside(offset in the window row, number) for padding.
template <class Inside, class Outside>
void window_lines(const Images& m, int64_t oh, int64_t ow, const Inside& inside,
                  const Outside& outside) {
  const int64_t line = m.width.window * m.channels;
  const int64_t top = oh * m.height.stride - m.height.before,
                left = ow * m.width.stride - m.width.before;
  const int64_t w0 = m.width.begin(ow), w1 = m.width.end(ow);
  for (int64_t kh = 0; kh < m.height.window; ++kh) {
    const int64_t at = kh * line, h = top + kh;
    if (h < 0 || h >= m.height.in || w1 <= w0) {
      outside(at, line);
      continue;
    }
    const int64_t lead = (w0 - left) * m.channels, n = (w1 - w0) * m.channels;
    outside(at, lead);
    inside((h * m.width.in + w0) * m.channels, at + lead, n);
    outside(at + lead + n, line - lead - n);
  }
}

// The windows of row oh of one image, one per row: [row_width, k].
template <class T>
void lay_out(const Conv& conv, const void* from, int64_t oh, void* to) {
  const T* image = static_cast<const T*>(from);
  T* rows = static_cast<T*>(to);
  for (int64_t ow = 0; ow < conv.row_width(); ++ow, rows += conv.k) {
    window_lines(
        conv.images, oh, ow,
        [&](int64_t from, int64_t to, int64_t n) {
          std::memcpy(rows + to, image + from, size_t(n) * sizeof(T));
        },
        [&](int64_t to, int64_t n) { std::fill_n(rows + to, n, T(0)); });
  }
}

// Adds rows of windows back to their places in the image.
template <class T>
void add_back(const Conv& conv, const void* from, int64_t oh, void* to) {
  const T* rows = static_cast<const T*>(from);
  T* image = static_cast<T*>(to);
  for (int64_t ow = 0; ow < conv.row_width(); ++ow, rows += conv.k) {
    window_lines(
        conv.images, oh, ow,
        [&](int64_t to, int64_t from, int64_t n) {
          each(n, [&](int64_t i) { image[to + i] += rows[from + i]; });
        },
        [](int64_t, int64_t) {});
  }
}

// The sum of `parts` filters of n elements.
template <class T>
void add_parts(const void* from, int64_t parts, int64_t n, void* to) {
  const T* sums = static_cast<const T*>(from);
  T* out = static_cast<T*>(to);
  std::copy_n(sums, n, out);
  for (int64_t part = 1; part < parts; ++part)
    each(n, [out, sum = sums + part * n](int64_t i) { out[i] += sum[i]; });
}

template <class T>
void multiply(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void* a, const void* b,
              void* out, bool adds) {
  gemm_block(ta, tb, m, n, k, static_cast<const T*>(a), static_cast<const T*>(b),
             static_cast<T*>(out), adds);
}

// What is compiled for each dtype.
struct ConvLoops {
  int64_t size;  // bytes of an element
  DType dtype;
  void (*multiply)(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void* a, const void* b,
                   void* out, bool adds);
  void (*lay_out)(const Conv& conv, const void* image, int64_t oh, void* rows);
  void (*add_back)(const Conv& conv, const void* rows, int64_t oh, void* image);
  void (*add_parts)(const void* sums, int64_t parts, int64_t n, void* out);
};

// Calls body(part, begin, end) over [0, n) in at most `most` parts, whose number depends on sizes
// only: sums over parts are then the same for every number of threads.
template <class Body>
void in_parts(KernelContext& c, int64_t n, int64_t most, double cost, const Body& body) {
  const int64_t parts = std::max<int64_t>(1, std::min(n, most));
  c.parallel_for(parts, cost * static_cast<double>(n) / static_cast<double>(parts),
                 [&](int64_t first, int64_t last) {
                   for (int64_t part = first; part < last; ++part)
                     body(part, n * part / parts, n * (part + 1) / parts);
                 });
}
constexpr int64_t kParts = 32;

double product_cost(const Conv& conv) {
  return 0.1 * static_cast<double>(conv.row_width() * conv.k * conv.out_channels) + 20;
}

const char* bytes(const Tensor& t) { return static_cast<const char*>(t.raw_data()); }
char* bytes(Tensor& t) { return static_cast<char*>(t.raw_data()); }

void conv2d_kernel(KernelContext& c, const WindowAttrs& attrs, const ConvLoops& f) {
  const Conv conv = conv_of(attrs, c.input(0).shape(), c.input(1).shape());
  const Images& m = conv.images;
  Tensor& result = c.allocate(0, {m.count, m.height.out, m.width.out, conv.out_channels});
  const char *input = bytes(c.input(0)), *filter = bytes(c.input(1));
  char* out = bytes(result);
  if (result.num_elements() == 0 || conv.k == 0) {
    std::memset(out, 0, size_t(result.num_elements() * f.size));
    return;
  }
  const int64_t lines = m.count * m.height.out, width = conv.row_width();
  Tensor memory =
      c.scratch(f.dtype, {std::min(kParts, std::max<int64_t>(lines, 1)), width * conv.k});
  in_parts(c, lines, kParts, product_cost(conv), [&](int64_t part, int64_t begin, int64_t end) {
    char* const rows = bytes(memory) + part * width * conv.k * f.size;
    for (int64_t line = begin; line < end; ++line) {
      f.lay_out(conv, input + line / m.height.out * m.in_size() * f.size, line % m.height.out,
                rows);
      f.multiply(false, false, width, conv.out_channels, conv.k, rows, filter,
                 out + line * width * conv.out_channels * f.size, false);
    }
  });
}

void check_backprop(const KernelContext& c, const Conv& conv, const Shape& dy) {
  const Shape expected = {conv.images.count, conv.images.height.out, conv.images.width.out,
                          conv.out_channels};
  if (dy != expected) c.fail(str_cat("expected out_backprop of shape ", expected, ", got ", dy));
}

void conv2d_backprop_input_kernel(KernelContext& c, const WindowAttrs& attrs, const ConvLoops& f) {
  const Shape shape = sizes_input(c, 0);
  const Conv conv = conv_of(attrs, shape, c.input(1).shape());
  check_backprop(c, conv, c.input(2).shape());
  const Images& m = conv.images;
  char* dx = bytes(c.allocate(0, shape));
  std::memset(dx, 0, size_t(shape.num_elements() * f.size));
  if (shape.num_elements() == 0 || c.input(2).num_elements() == 0 || conv.k == 0) return;
  const char *filter = bytes(c.input(1)), *dy = bytes(c.input(2));
  const int64_t width = conv.row_width();
  Tensor memory =
      c.scratch(f.dtype, {std::min(kParts, std::max<int64_t>(m.count, 1)), width * conv.k});
  const double cost = product_cost(conv) * static_cast<double>(m.height.out);
  in_parts(c, m.count, kParts, cost, [&](int64_t part, int64_t begin, int64_t end) {
    char* const rows = bytes(memory) + part * width * conv.k * f.size;
    for (int64_t line = begin * m.height.out; line < end * m.height.out; ++line) {
      f.multiply(false, true, width, conv.k, conv.out_channels,
                 dy + line * width * conv.out_channels * f.size, filter, rows, false);
      f.add_back(conv, rows, line % m.height.out, dx + line / m.height.out * m.in_size() * f.size);
    }
  });
}

void conv2d_backprop_filter_kernel(KernelContext& c, const WindowAttrs& attrs, const ConvLoops& f) {
  const Shape shape = sizes_input(c, 1);
  const Conv conv = conv_of(attrs, c.input(0).shape(), shape);
  check_backprop(c, conv, c.input(2).shape());
  const Images& m = conv.images;
  const char *input = bytes(c.input(0)), *dy = bytes(c.input(2));
  char* out = bytes(c.allocate(0, shape));
  const int64_t filter_size = shape.num_elements();
  if (filter_size == 0 || c.input(0).num_elements() == 0 || c.input(2).num_elements() == 0) {
    std::memset(out, 0, size_t(filter_size * f.size));
    return;
  }
  const int64_t lines = m.count * m.height.out, width = conv.row_width();
  // Each part sums into a filter of its own; large filters get few parts.
  const int64_t parts = std::clamp<int64_t>((1 << 22) / filter_size, 1, kParts);
  Tensor sums = c.scratch(f.dtype, {parts, filter_size});
  Tensor memory = c.scratch(f.dtype, {parts, width * conv.k});
  std::memset(bytes(sums), 0, size_t(parts * filter_size * f.size));
  in_parts(c, lines, parts, product_cost(conv), [&](int64_t part, int64_t begin, int64_t end) {
    char* const rows = bytes(memory) + part * width * conv.k * f.size;
    for (int64_t line = begin; line < end; ++line) {
      f.lay_out(conv, input + line / m.height.out * m.in_size() * f.size, line % m.height.out,
                rows);
      f.multiply(true, false, conv.k, conv.out_channels, width, rows,
                 dy + line * width * conv.out_channels * f.size,
                 bytes(sums) + part * filter_size * f.size, true);
    }
  });
  f.add_parts(bytes(sums), parts, filter_size, out);
}

template <void kKernel(KernelContext&, const WindowAttrs&, const ConvLoops&)>
Kernel conv_prepare(const KernelSetup& s) {
  const WindowAttrs attrs = runnable_windows(s);
  const ConvLoops loops = by_types(TypeList<float, double>(), s, s.dtype("T"), []<class T>() {
    return ConvLoops{sizeof(T), dtype_of<T>, multiply<T>, lay_out<T>, add_back<T>, add_parts<T>};
  });
  return [attrs, loops](KernelContext& c) { kKernel(c, attrs, loops); };
}

void conv2d_shape(ShapeContext& c) {
  const WindowAttrs attrs(c);
  if (!attrs.unusual.empty()) return;
  const Shape input = c.with_rank(0, 4, "input"), filter = c.with_rank(1, 4, "filter");
  c.same(attrs.channels_of(input), filter[2], "channels of input and filter");
  const Images m = attrs.images(input, filter[0], filter[1]);
  c.set_output(attrs.shape(input[0], m.height.out, m.width.out, filter[3]));
}

Attrs conv_attrs(const Operation& op) {
  return copied(op, {"strides", "use_cudnn_on_gpu", "padding", "explicit_paddings", "data_format",
                     "dilations"});
}

extern const OpDef kConv2D, kBackpropInput, kBackpropFilter;

Grads conv2d_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), filter = op.input(1);
  const std::vector<Output> shapes = shape_n({x, filter});
  const Output dx = add_node(kBackpropInput, {shapes[0], filter, dy[0]}, conv_attrs(op));
  return {dx, add_node(kBackpropFilter, {x, shapes[1], dy[0]}, conv_attrs(op))};
}
// Both are linear in the filter (or the image) and in the incoming gradient.
Grads backprop_input_gradient(const Operation& op, const Grads& d) {
  const Output filter = op.input(1), dy = op.input(2);
  const Output d_filter = add_node(kBackpropFilter, {d[0], shape(filter), dy}, conv_attrs(op));
  return {Output(), d_filter, add_node(kConv2D, {d[0], filter}, conv_attrs(op))};
}
Grads backprop_filter_gradient(const Operation& op, const Grads& d) {
  const Output x = op.input(0), dy = op.input(2);
  const Output dx = add_node(kBackpropInput, {shape(x), d[0], dy}, conv_attrs(op));
  return {dx, Output(), add_node(kConv2D, {x, d[0]}, conv_attrs(op))};
}

constexpr std::string_view kConvAttrs =
    "T: {half, bfloat16, float, double}, strides: list(int), use_cudnn_on_gpu: bool = true, "
    "padding: {'SAME', 'VALID', 'EXPLICIT'}, explicit_paddings: list(int) = [], "
    "data_format: {'NHWC', 'NCHW'} = 'NHWC', dilations: list(int) = [1, 1, 1, 1]";
constexpr OpDef kConv2D = {.name = "Conv2D",
                           .inputs = "input: T, filter: T",
                           .outputs = "output: T",
                           .attrs = kConvAttrs,
                           .shape = conv2d_shape,
                           .prepare = conv_prepare<conv2d_kernel>,
                           .gradient = conv2d_gradient};
constexpr OpDef kBackpropInput = {.name = "Conv2DBackpropInput",
                                  .inputs = "input_sizes: int32, filter: T, out_backprop: T",
                                  .outputs = "output: T",
                                  .attrs = kConvAttrs,
                                  .shape = shape_by_sizes<0>,
                                  .prepare = conv_prepare<conv2d_backprop_input_kernel>,
                                  .gradient = backprop_input_gradient};
constexpr OpDef kBackpropFilter = {.name = "Conv2DBackpropFilter",
                                   .inputs = "input: T, filter_sizes: int32, out_backprop: T",
                                   .outputs = "output: T",
                                   .attrs = kConvAttrs,
                                   .shape = shape_by_sizes<1>,
                                   .prepare = conv_prepare<conv2d_backprop_filter_kernel>,
                                   .gradient = backprop_filter_gradient};

}  // namespace

Output conv2d(const Operand& input, const Operand& filter, const Conv2DOptions& o) {
  const Graph::Transaction whole(input.graph());
  return add_node(kConv2D, {input.output(), filter.output()},
                  {{"strides", o.strides}, {"padding", o.padding}, {"data_format", o.data_format}},
                  o.name, input.at());
}

std::span<const OpDef* const> conv_ops() {
  static constexpr const OpDef* kOps[] = {&kConv2D, &kBackpropFilter, &kBackpropInput};
  return kOps;
}

}  // namespace cairn
