#include "ops/nn/nn.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/array/array.h"
#include "ops/array/reshape.h"
#include "ops/core/building.h"
#include "ops/core/elementwise.h"
#include "ops/core/move.h"
#include "ops/core/packets.h"
#include "ops/core/sums.h"
#include "ops/math/math.h"
#include "ops/random/random.h"

namespace cairn {
namespace {

// ---- BiasAdd, BiasAddV1, BiasAddGrad ------------------------------------------------------------

bool channels_second(const AttrReader& attrs) {
  return attrs.find("data_format") && attrs.str("data_format") == "NCHW";
}
int channel_axis(bool second, int rank) { return second ? 1 : rank - 1; }

void bias_add_shape(ShapeContext& c) {
  const bool second = channels_second(c);
  Shape shape = c.with_rank_at_least(0, second ? 3 : 2, "value");
  const Shape bias = c.with_rank(1, 1, "bias");
  if (shape.has_rank()) {
    const int axis = channel_axis(second, shape.rank());
    shape.set_dim(axis, c.same(shape[axis], bias[0], "channels of value and bias"));
  }
  c.set_output(shape);
}

void bias_add_grad_shape(ShapeContext& c) {
  const bool second = channels_second(c);
  const Shape shape = c.with_rank_at_least(0, second ? 3 : 2, "out_backprop");
  c.set_output({shape.has_rank() ? shape[channel_axis(second, shape.rank())] : kUnknownDim});
}

// A tensor as [outer, channels, inner].
struct Channels {
  int64_t outer = 1, count = 1, inner = 1;
  Channels(KernelContext& c, const Shape& shape, bool second) {
    if (shape.rank() < (second ? 3 : 2))
      c.fail(str_cat("a tensor of shape ", shape, " has no channels"));
    const int axis = channel_axis(second, shape.rank());
    for (int i = 0; i < shape.rank(); ++i)
      (i < axis ? outer : i == axis ? count : inner) *= shape[i];
  }
};

template <class T>
void add_to_rows(const void* value, const void* bias, void* out, int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row) {
    each(n, [x = static_cast<const T*>(value) + row * n, b = static_cast<const T*>(bias),
             to = static_cast<T*>(out) + row * n](int64_t i) { to[i] = plus(x[i], b[i]); });
  }
}

Kernel bias_add_prepare(const KernelSetup& s) {
  const DType dtype = s.dtype("T");
  const auto add_rows =
      by_types(Numbers(), s, dtype, []<class T>() { return add_to_rows<Added<T>>; });
  return [second = channels_second(s), add_rows, &adder = adder_of(s, dtype),
          &m = mover_of(s, dtype)](KernelContext& c) {
    const Shape shape = c.input(0).shape();
    const Channels n(c, shape, second);
    if (c.input(1).rank() != 1 || c.input(1).dim(0) != n.count)
      c.fail(str_cat("expected a bias of shape [", n.count, "] for a value of shape ", shape,
                     ", got ", c.input(1).shape()));
    const void *value = c.input(0).raw_data(), *bias = c.input(1).raw_data();
    void* out = c.allocate_or_reuse(0, 0, shape).raw_data();
    if (shape.num_elements() == 0) return;
    if (n.inner == 1) {
      c.parallel_rows(n.outer, 0.2 * static_cast<double>(n.count) + 2,
                      [&](int64_t begin, int64_t end) {
                        add_rows(m.at(value, begin * n.count), bias, m.at(out, begin * n.count),
                                 end - begin, n.count);
                      });
    } else {
      c.parallel_for(n.outer * n.count, 0.2 * static_cast<double>(n.inner) + 2,
                     [&](int64_t begin, int64_t end) {
                       for (int64_t plane = begin; plane < end; ++plane)
                         adder.add(m.at(value, plane * n.inner), m.at(bias, plane % n.count), false,
                                   m.at(out, plane * n.inner), n.inner);
                     });
    }
  };
}

// Loops over T in memory, summed as Wide<T>.
struct ChannelSums {
  int64_t size, sum_size;  // bytes of T and of a sum
  DType sum;
  // sums[j] += x[i, j] for all rows i.
  void (*add_rows)(const void* x, int64_t rows, int64_t n, void* sums);
  void (*fold)(void* sums, const void* others, int64_t n);
  void (*store)(const void* sums, int64_t n, void* out);
  // The sum of `planes` of n elements, `step` elements from one to the next.
  void (*add_planes)(const void* x, int64_t planes, int64_t step, int64_t n, void* out);
};

template <class T>
ChannelSums channel_sums() {
  using W = Wide<T>;
  return {sizeof(T),
          sizeof(W),
          dtype_of<W>,
          [](const void* x, int64_t rows, int64_t n, void* sums) {
            W* const sum = static_cast<W*>(sums);
            for (int64_t row = 0; row < rows; ++row)
              each(n, [sum, from = static_cast<const T*>(x) + row * n](int64_t j) {
                sum[j] = plus<W>(sum[j], widen(from[j]));
              });
          },
          [](void* sums, const void* others, int64_t n) {
            each(n, [sum = static_cast<W*>(sums), from = static_cast<const W*>(others)](int64_t j) {
              sum[j] = plus<W>(sum[j], from[j]);
            });
          },
          [](const void* sums, int64_t n, void* out) {
            each(n, [sum = static_cast<const W*>(sums), to = static_cast<T*>(out)](int64_t j) {
              to[j] = T(sum[j]);
            });
          },
          [](const void* x, int64_t planes, int64_t step, int64_t n, void* out) {
            W sum{};
            for (int64_t i = 0; i < planes; ++i) {
              const T* plane = static_cast<const T*>(x) + i * step;
              sum = plus(sum, steady_sum<W>(n, [=](int64_t j) -> W { return widen(plane[j]); }));
            }
            *static_cast<T*>(out) = T(sum);
          }};
}

// out[j] = the sum of x[i, j] over all rows i: a row of sums per piece, then these in order.
void sum_rows(KernelContext& c, const ChannelSums& f, const char* x, int64_t rows, int64_t n,
              void* out) {
  const double cost = 0.2 * static_cast<double>(n) + 2;
  const int64_t pieces = std::max<int64_t>(1, piece_count(rows, cost));
  const int64_t piece = std::max<int64_t>(1, KernelContext::piece_size(rows, cost));
  Tensor memory = c.scratch(f.sum, {pieces, n});
  char* const sums = static_cast<char*>(memory.raw_data());
  std::memset(sums, 0, static_cast<size_t>(pieces * n * f.sum_size));
  c.parallel_for(rows, cost, [&](int64_t begin, int64_t end) {
    f.add_rows(x + begin * n * f.size, end - begin, n, sums + begin / piece * n * f.sum_size);
  });
  for (int64_t p = 1; p < pieces; ++p) f.fold(sums, sums + p * n * f.sum_size, n);
  f.store(sums, n, out);
}

Kernel bias_add_grad_prepare(const KernelSetup& s) {
  const ChannelSums sums =
      by_types(Numbers(), s, s.dtype("T"), []<class T>() { return channel_sums<Added<T>>(); });
  return [second = channels_second(s), f = sums](KernelContext& c) {
    const Channels n(c, c.input(0).shape(), second);
    const char* dy = static_cast<const char*>(c.input(0).raw_data());
    char* out = static_cast<char*>(c.allocate(0, {n.count}).raw_data());
    if (c.input(0).num_elements() == 0)
      return static_cast<void>(std::memset(out, 0, static_cast<size_t>(n.count * f.size)));
    if (n.inner == 1) return sum_rows(c, f, dy, n.outer, n.count, out);
    c.parallel_for(n.count, static_cast<double>(n.outer * n.inner),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t channel = begin; channel < end; ++channel)
                       f.add_planes(dy + channel * n.inner * f.size, n.outer, n.count * n.inner,
                                    n.inner, out + channel * f.size);
                   });
  };
}

extern const OpDef kBiasAddGrad;
Grads bias_add_gradient(const Operation& op, const Grads& dy) {
  return {dy[0], add_node(kBiasAddGrad, {dy[0]}, {{"data_format", op.attrs().str("data_format")}})};
}
Grads bias_add_v1_gradient(const Operation&, const Grads& dy) {
  return {dy[0], add_node(kBiasAddGrad, {dy[0]})};
}
// Every element was added to one channel's sum: its gradient is that of the channel.
Grads bias_add_grad_gradient(const Operation& op, const Grads& dy) {
  return {bias_add(zeros_like(op.input(0)), dy[0], {.data_format = op.attrs().str("data_format")})};
}

constexpr OpDef kBiasAdd = {.name = "BiasAdd",
                            .inputs = "value: T, bias: T",
                            .outputs = "output: T",
                            .attrs = "T: numbertype, data_format: {'NHWC', 'NCHW'} = 'NHWC'",
                            .by_rows = ByRows::kTakesFirst,
                            .shape = bias_add_shape,
                            .prepare = bias_add_prepare,
                            .gradient = bias_add_gradient};
constexpr OpDef kBiasAddV1 = {.name = "BiasAddV1",
                              .inputs = "value: T, bias: T",
                              .outputs = "output: T",
                              .attrs = "T: numbertype",
                              .by_rows = ByRows::kTakesFirst,
                              .shape = bias_add_shape,
                              .prepare = bias_add_prepare,
                              .gradient = bias_add_v1_gradient};
constexpr OpDef kBiasAddGrad = {.name = "BiasAddGrad",
                                .inputs = "out_backprop: T",
                                .outputs = "output: T",
                                .attrs = "T: numbertype, data_format: {'NHWC', 'NCHW'} = 'NHWC'",
                                .shape = bias_add_grad_shape,
                                .prepare = bias_add_grad_prepare,
                                .gradient = bias_add_grad_gradient};

// ---- activations --------------------------------------------------------------------------------

constexpr double kSeluScale = 1.0507009873554804934193349852946,
                 kSeluAlpha = 1.7580993408473768599402175208123;

struct EluParts {
  static auto of(const auto& functions) { return functions.expm1; }
  template <class T>
  static T finish(T x, T e) {
    return x < T(0) ? e : x;
  }
};
struct SeluParts : EluParts {
  template <class T>
  static T finish(T x, T e) {
    return x < T(0) ? T(kSeluAlpha) * e : T(kSeluScale) * x;
  }
};
struct SoftplusParts {
  static auto of(const auto& functions) { return functions.softplus; }
  template <class T>
  static T finish(T x, T e) {
    return x > T(0) ? x + e : e;
  }
};
using EluOf = Packets<EluParts, 10>;
using SeluOf = Packets<SeluParts, 10>;
using SoftplusOf = Packets<SoftplusParts, 15>;

// Comparisons are written so that NaN gives NaN.
struct ReluOf : Light {
  template <class T>
  T operator()(T x) const {
    return x < T(0) ? T(0) : x;
  }
};
struct Relu6Of : Light {
  template <class T>
  T operator()(T x) const {
    return x < T(0) ? T(0) : x > T(6) ? T(6) : x;
  }
};
struct SoftsignOf : Light {
  template <class T>
  T operator()(T x) const {
    return x / (T(1) + std::abs(x));
  }
};

// Functors of dy and the value y of the activation.
struct ReluGradOf : Light {
  template <class T>
  T operator()(T dy, T y) const {
    return y > T(0) ? dy : T(0);
  }
};
struct Relu6GradOf : Light {
  template <class T>
  T operator()(T dy, T y) const {
    return y > T(0) && y < T(6) ? dy : T(0);
  }
};
struct EluGradOf : Light {
  template <class T>
  T operator()(T dy, T y) const {
    return y < T(0) ? dy * (y + T(1)) : dy;
  }
};
struct SeluGradOf : Light {
  template <class T>
  T operator()(T dy, T y) const {
    return dy * (y < T(0) ? y + T(kSeluAlpha) : T(kSeluScale));
  }
};
// Functors of dy and the operand x of the activation.
struct SoftplusGradOf {
  static constexpr double kCost = 8;
  template <class T>
  T operator()(T dy, T x) const {
    return dy / (std::exp(-x) + T(1));
  }
};
struct SoftsignGradOf : Light {
  template <class T>
  T operator()(T dy, T x) const {
    const T d = T(1) + std::abs(x);
    return dy / (d * d);
  }
};

void same_shape(ShapeContext& c) { c.set_output(merge(c.input(0), c.input(1))); }

extern const OpDef kReluGrad, kRelu6Grad, kEluGrad, kSeluGrad, kSoftplusGrad, kSoftsignGrad;

// Gradients with an op of their own, of dy and the output or the input.
template <const OpDef& kGrad>
Grads gradient_by_output(const Operation& op, const Grads& dy) {
  return {add_node(kGrad, {dy[0], op.output()})};
}
template <const OpDef& kGrad>
Grads gradient_by_input(const Operation& op, const Grads& dy) {
  return {add_node(kGrad, {dy[0], op.input(0)})};
}

// ReluGrad and Relu6Grad are linear in dy; their derivative by y is 0.
template <const OpDef& kGrad>
Grads flat_grad_gradient(const Operation& op, const Grads& dy) {
  return {add_node(kGrad, {dy[0], op.input(1)}), Output()};
}
Grads elu_grad_gradient(const Operation& op, const Grads& dy) {
  const Output y = op.input(1);
  const Output first = add_node(kEluGrad, {dy[0], y});
  return {first, where(less(y, 0), dy[0] * op.input(0), zeros_like(y))};
}
Grads selu_grad_gradient(const Operation& op, const Grads& dy) {
  const Output y = op.input(1);
  const Output first = add_node(kSeluGrad, {dy[0], y});
  return {first, where(less(y, 0), dy[0] * op.input(0), zeros_like(y))};
}
// dy / (1 + |x|)², by x: -2 · sign(x) · dy / (1 + |x|)³.
Grads softsign_grad_gradient(const Operation& op, const Grads& ddy) {
  const Output dy = op.input(0), x = op.input(1);
  const Output first = add_node(kSoftsignGrad, {ddy[0], x});
  return {first, -2.0 * sign(x) * first * dy / (1.0 + abs(x))};
}
Grads softplus_grad_gradient(const Operation& op, const Grads& ddy) {
  const Output dy = op.input(0), x = op.input(1);
  Scope wait = x.graph().control_dependencies({ddy[0].op()});
  const Output first = add_node(kSoftplusGrad, {ddy[0], x});
  return {first, ddy[0] * dy / (exp(-x) + 2.0 + exp(x))};
}

constexpr std::string_view kRealAttrs = "T: realnumbertype";

constexpr OpDef activation(std::string_view name, std::string_view attrs,
                           Kernel (*prepare)(const KernelSetup&),
                           Grads (*gradient)(const Operation&, const Grads&)) {
  return {.name = name,
          .inputs = "features: T",
          .outputs = "activations: T",
          .attrs = attrs,
          .by_rows = ByRows::kTakesFirst,
          .shape = unchanged_shape,
          .prepare = prepare,
          .gradient = gradient};
}
constexpr OpDef activation_grad(std::string_view name, std::string_view inputs,
                                std::string_view attrs, Kernel (*prepare)(const KernelSetup&),
                                Grads (*gradient)(const Operation&, const Grads&)) {
  return {.name = name,
          .inputs = inputs,
          .outputs = "backprops: T",
          .attrs = attrs,
          .by_rows = ByRows::kTakesAny,
          .shape = same_shape,
          .prepare = prepare,
          .gradient = gradient};
}
constexpr std::string_view kFeatures = "gradients: T, features: T",
                           kOutputs = "gradients: T, outputs: T";

constexpr OpDef kRelu =
    activation("Relu", kRealAttrs, unary_prepare<ReluOf, Reals>, gradient_by_output<kReluGrad>);
constexpr OpDef kRelu6 =
    activation("Relu6", kRealAttrs, unary_prepare<Relu6Of, Reals>, gradient_by_output<kRelu6Grad>);
constexpr OpDef kElu =
    activation("Elu", kFloatAttrs, unary_prepare<EluOf, Floats>, gradient_by_output<kEluGrad>);
constexpr OpDef kSelu =
    activation("Selu", kFloatAttrs, unary_prepare<SeluOf, Floats>, gradient_by_output<kSeluGrad>);
constexpr OpDef kSoftplus = activation("Softplus", kFloatAttrs, unary_prepare<SoftplusOf, Floats>,
                                       gradient_by_input<kSoftplusGrad>);
constexpr OpDef kSoftsign = activation("Softsign", kFloatAttrs, unary_prepare<SoftsignOf, Floats>,
                                       gradient_by_input<kSoftsignGrad>);

constexpr OpDef kReluGrad =
    activation_grad("ReluGrad", kFeatures, kRealAttrs, alike_prepare<ReluGradOf, Reals>,
                    flat_grad_gradient<kReluGrad>);
constexpr OpDef kRelu6Grad =
    activation_grad("Relu6Grad", kFeatures, kRealAttrs, alike_prepare<Relu6GradOf, Reals>,
                    flat_grad_gradient<kRelu6Grad>);
constexpr OpDef kEluGrad = activation_grad("EluGrad", kOutputs, kFloatAttrs,
                                           alike_prepare<EluGradOf, Floats>, elu_grad_gradient);
constexpr OpDef kSeluGrad = activation_grad("SeluGrad", kOutputs, kFloatAttrs,
                                            alike_prepare<SeluGradOf, Floats>, selu_grad_gradient);
constexpr OpDef kSoftplusGrad =
    activation_grad("SoftplusGrad", kFeatures, kFloatAttrs, alike_prepare<SoftplusGradOf, Floats>,
                    softplus_grad_gradient);
constexpr OpDef kSoftsignGrad =
    activation_grad("SoftsignGrad", kFeatures, kFloatAttrs, alike_prepare<SoftsignGradOf, Floats>,
                    softsign_grad_gradient);

// ---- L2Loss -------------------------------------------------------------------------------------

// Half the sum of squares: sums of pieces, then these in order.
struct SquareSums {
  int64_t size, sum_size;
  DType sum;
  void (*add)(const void* x, int64_t n, void* sum);
  void (*finish)(const void* sums, int64_t pieces, void* out);
};

template <class T>
SquareSums square_sums() {
  using W = Wide<T>;
  return {sizeof(T), sizeof(W), dtype_of<W>,
          [](const void* from, int64_t n, void* sum) {
            *static_cast<W*>(sum) =
                steady_sum<W>(n, [x = static_cast<const T*>(from)](int64_t i) -> W {
                  return widen(x[i]) * widen(x[i]);
                });
          },
          [](const void* sums, int64_t pieces, void* out) {
            const W sum = steady_sum<W>(
                pieces, [x = static_cast<const W*>(sums)](int64_t i) { return x[i]; });
            *static_cast<T*>(out) = T(sum / 2);
          }};
}

Kernel l2_loss_prepare(const KernelSetup& s) {
  const SquareSums sums =
      by_types(Floats(), s, s.dtype("T"), []<class T>() { return square_sums<T>(); });
  return [f = sums](KernelContext& c) {
    constexpr double kCost = 0.2;
    const int64_t n = c.input(0).num_elements(), pieces = piece_count(n, kCost);
    const int64_t piece = KernelContext::piece_size(n, kCost);
    const char* x = static_cast<const char*>(c.input(0).raw_data());
    alignas(double) char single[sizeof(double)];
    char* const sum =
        pieces <= 1 ? single : static_cast<char*>(c.scratch(f.sum, {pieces}).raw_data());
    c.parallel_for(n, kCost, [&](int64_t begin, int64_t end) {
      f.add(x + begin * f.size, end - begin, sum + begin / piece * f.sum_size);
    });
    f.finish(sum, pieces, c.allocate(0, {}).raw_data());
  };
}

Grads l2_loss_gradient(const Operation& op, const Grads& dy) { return {op.input(0) * dy[0]}; }

constexpr OpDef kL2Loss = {.name = "L2Loss",
                           .inputs = "t: T",
                           .outputs = "output: T",
                           .attrs = kFloatAttrs,
                           .shape = scalar_shape,
                           .prepare = l2_loss_prepare,
                           .gradient = l2_loss_gradient};

}  // namespace

// ---- builders -----------------------------------------------------------------------------------

Output bias_add(const Operand& value, const Operand& bias, const BiasAddOptions& options) {
  const BuilderScope b(value, "BiasAdd", options.name);
  return b.add(kBiasAdd, {value.output(), bias.in(b.graph(), value.output().dtype(), "bias")},
               {{"data_format", options.data_format}});
}

Output relu(const Operand& x, const NameOptions& options) { return unary_op(kRelu, x, options); }
Output relu6(const Operand& x, const NameOptions& options) { return unary_op(kRelu6, x, options); }
Output elu(const Operand& x, const NameOptions& options) { return unary_op(kElu, x, options); }
Output selu(const Operand& x, const NameOptions& options) { return unary_op(kSelu, x, options); }
Output softplus(const Operand& x, const NameOptions& options) {
  return unary_op(kSoftplus, x, options);
}
Output softsign(const Operand& x, const NameOptions& options) {
  return unary_op(kSoftsign, x, options);
}
Output l2_loss(const Operand& t, const NameOptions& options) {
  return unary_op(kL2Loss, t, options);
}

Output dropout(const Operand& operand, const Operand& keep_prob, const DropoutOptions& options) {
  const Output x = operand.output();
  const DType dtype = base_dtype(x.dtype());
  if (!is_floating(dtype))
    fail(Code::kInvalidArgument, "dropout (", operand.at().str(),
         "): a floating dtype is needed, got ", x.dtype(), "; cast(x, DType::kFloat) makes one");
  if (const std::optional<double> number = keep_prob.number()) {
    if (!(*number > 0 && *number <= 1))
      fail(Code::kInvalidArgument, "dropout (", operand.at().str(),
           "): keep_prob must be in (0, 1], is ", *number);
    if (*number == 1) return x;
  }
  const BuilderScope b(operand, "dropout", options.name);
  const Output keep = keep_prob.in(b.graph(), dtype, "keep_prob");
  const IntList extents = options.noise_shape ? *options.noise_shape : IntList(extents_of(x));
  const Output noise =
      options.stateless_seed
          ? stateless_random_uniform(b, extents, options.stateless_seed, {.dtype = dtype})
          : random_uniform(b, extents, {.dtype = dtype, .seed = options.seed});
  // Uniform in [keep, 1 + keep), so 1 with probability keep once rounded down.
  const Output kept = floor(keep + noise);
  return div(x, keep) * kept;
}

std::span<const OpDef* const> nn_ops() {
  static constexpr const OpDef* kOps[] = {&kBiasAdd,   &kBiasAddGrad,  &kBiasAddV1, &kElu,
                                          &kEluGrad,   &kL2Loss,       &kRelu,      &kRelu6,
                                          &kRelu6Grad, &kReluGrad,     &kSelu,      &kSeluGrad,
                                          &kSoftplus,  &kSoftplusGrad, &kSoftsign,  &kSoftsignGrad};
  return kOps;
}

}  // namespace cairn
