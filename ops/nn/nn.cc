#include "ops/nn/nn.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/array/array.h"
#include "ops/array/gather.h"
#include "ops/array/joining.h"
#include "ops/array/reshape.h"
#include "ops/array/slicing.h"
#include "ops/core/building.h"
#include "ops/core/elementwise.h"
#include "ops/core/packets.h"
#include "ops/core/sums.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"
#include "ops/random/random.h"

namespace cairn {
namespace {

// ---- BiasAdd, BiasAddV1, BiasAddGrad ------------------------------------------------------------

using Numbers = TypeList<float, double, int32_t, int64_t, Half, BFloat16, uint8_t, int8_t, uint16_t,
                         int16_t, uint32_t, uint64_t, std::complex<float>, std::complex<double>>;

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
T add_elements(T a, T b) {
  return T(plus<Wide<T>>(widen(a), widen(b)));
}

Kernel bias_add_prepare(const KernelSetup& s) {
  return by_types(Numbers(), s, s.dtype("T"), [second = channels_second(s)]<class T>() -> Kernel {
    return [second](KernelContext& c) {
      const Shape shape = c.input(0).shape();
      const Channels n(c, shape, second);
      if (c.input(1).rank() != 1 || c.input(1).dim(0) != n.count)
        c.fail(str_cat("expected a bias of shape [", n.count, "] for a value of shape ", shape,
                       ", got ", c.input(1).shape()));
      const T *value = c.in<T>(0), *bias = c.in<T>(1);
      T* out = static_cast<T*>(c.allocate_or_reuse(0, 0, shape).raw_data());
      if (shape.num_elements() == 0) return;
      if (n.inner == 1) {
        c.parallel_rows(
            n.outer, 0.2 * static_cast<double>(n.count) + 2, [&](int64_t begin, int64_t end) {
              for (int64_t row = begin * n.count; row < end * n.count; row += n.count)
                each(n.count,
                     [=](int64_t i) { out[row + i] = add_elements(value[row + i], bias[i]); });
            });
      } else {
        c.parallel_for(n.outer * n.count, 0.2 * static_cast<double>(n.inner) + 2,
                       [&](int64_t begin, int64_t end) {
                         for (int64_t plane = begin; plane < end; ++plane)
                           each(n.inner,
                                [=, b = bias[plane % n.count], at = plane * n.inner](int64_t i) {
                                  out[at + i] = add_elements(value[at + i], b);
                                });
                       });
      }
    };
  });
}

Kernel bias_add_grad_prepare(const KernelSetup& s) {
  return by_types(Numbers(), s, s.dtype("T"), [second = channels_second(s)]<class T>() -> Kernel {
    return [second](KernelContext& c) {
      const Channels n(c, c.input(0).shape(), second);
      const T* dy = c.in<T>(0);
      T* out = static_cast<T*>(c.allocate(0, {n.count}).raw_data());
      if (c.input(0).num_elements() == 0) {
        std::fill_n(out, n.count, T{});
        return;
      }
      if (n.inner == 1) return sum_rows(c, dy, n.outer, n.count, out);
      c.parallel_for(n.count, static_cast<double>(n.outer * n.inner),
                     [&](int64_t begin, int64_t end) {
                       for (int64_t channel = begin; channel < end; ++channel) {
                         Wide<T> sum{};
                         for (int64_t i = 0; i < n.outer; ++i) {
                           const T* plane = dy + (i * n.count + channel) * n.inner;
                           sum = plus(sum, steady_sum<Wide<T>>(n.inner, [=](int64_t j) -> Wide<T> {
                                        return widen(plane[j]);
                                      }));
                         }
                         out[channel] = T(sum);
                       }
                     });
    };
  });
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

template <class F, class Types>
Kernel grad_prepare(const KernelSetup& s) {
  return by_types(Types(), s, s.dtype("T"), []<class T>() {
    BinaryLoop loop = binary_loop<F, T>();
    loop.same_shape = true;
    return binary_kernel(loop);
  });
}

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
    activation_grad("ReluGrad", kFeatures, kRealAttrs, grad_prepare<ReluGradOf, Reals>,
                    flat_grad_gradient<kReluGrad>);
constexpr OpDef kRelu6Grad =
    activation_grad("Relu6Grad", kFeatures, kRealAttrs, grad_prepare<Relu6GradOf, Reals>,
                    flat_grad_gradient<kRelu6Grad>);
constexpr OpDef kEluGrad = activation_grad("EluGrad", kOutputs, kFloatAttrs,
                                           grad_prepare<EluGradOf, Floats>, elu_grad_gradient);
constexpr OpDef kSeluGrad = activation_grad("SeluGrad", kOutputs, kFloatAttrs,
                                            grad_prepare<SeluGradOf, Floats>, selu_grad_gradient);
constexpr OpDef kSoftplusGrad =
    activation_grad("SoftplusGrad", kFeatures, kFloatAttrs, grad_prepare<SoftplusGradOf, Floats>,
                    softplus_grad_gradient);
constexpr OpDef kSoftsignGrad =
    activation_grad("SoftsignGrad", kFeatures, kFloatAttrs, grad_prepare<SoftsignGradOf, Floats>,
                    softsign_grad_gradient);

// ---- L2Loss -------------------------------------------------------------------------------------

Kernel l2_loss_prepare(const KernelSetup& s) {
  return by_types(Floats(), s, s.dtype("T"), []<class T>() -> Kernel {
    return [](KernelContext& c) {
      using W = Wide<T>;
      const T* x = c.in<T>(0);
      const W sum =
          sum_pieces<W>(c, c.input(0).num_elements(), 0.2, [x](int64_t begin, int64_t end) {
            return steady_sum<W>(
                end - begin, [x = x + begin](int64_t i) -> W { return widen(x[i]) * widen(x[i]); });
          });
      c.allocate(0, {});
      *c.out<T>(0) = T(sum / 2);
    };
  });
}

Grads l2_loss_gradient(const Operation& op, const Grads& dy) { return {op.input(0) * dy[0]}; }

constexpr OpDef kL2Loss = {.name = "L2Loss",
                           .inputs = "t: T",
                           .outputs = "output: T",
                           .attrs = kFloatAttrs,
                           .shape = scalar_shape,
                           .prepare = l2_loss_prepare,
                           .gradient = l2_loss_gradient};

// ---- InTopK, InTopKV2, TopKV2 -------------------------------------------------------------------

void in_top_k_shape(ShapeContext& c) {
  const Shape predictions = c.with_rank(0, 2, "predictions"),
              targets = c.with_rank(1, 1, "targets");
  if (c.num_inputs() > 2) c.with_rank(2, 0, "k");
  c.set_output({c.same(predictions[0], targets[0], "rows of predictions and targets")});
}

// True if `target` is among the k best of `row`.
bool is_in_top(const float* row, int64_t classes, int64_t target, int64_t k) {
  if (target < 0 || target >= classes || !std::isfinite(row[target])) return false;
  int64_t better = 0;
  for (int64_t i = 0; i < classes; ++i) {
    if (!std::isfinite(row[i])) return false;
    better += row[i] > row[target];
  }
  return better < k;
}

Kernel in_top_k_prepare(const KernelSetup& s) {
  const std::optional<int64_t> fixed_k =
      s.num_inputs() == 2 ? std::optional<int64_t>(s.integer("k")) : std::optional<int64_t>();
  return by_dtype<int32_t, int64_t>(s, s.dtype("T"), [=]<class T>() -> Kernel {
    return [=](KernelContext& c) {
      const Tensor &predictions = c.input(0), &targets = c.input(1);
      if (predictions.rank() != 2 || targets.rank() != 1 || predictions.dim(0) != targets.dim(0))
        c.fail(str_cat("expected predictions [batch, classes] and targets [batch], got ",
                       predictions.shape(), " and ", targets.shape()));
      const int64_t k = fixed_k ? *fixed_k : static_cast<int64_t>(c.input(2).scalar<T>());
      const int64_t rows = predictions.dim(0), classes = predictions.dim(1);
      const auto* p = c.in<float>(0);
      const T* target = c.in<T>(1);
      bool* out = c.allocate(0, {rows}).data<bool>();
      c.parallel_for(rows, static_cast<double>(classes), [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          out[i] = is_in_top(p + i * classes, classes, static_cast<int64_t>(target[i]), k);
      });
    };
  });
}

constexpr OpDef kInTopK = {.name = "InTopK",
                           .inputs = "predictions: float, targets: T",
                           .outputs = "precision: bool",
                           .attrs = "k: int, T: {int32, int64} = DT_INT32",
                           .shape = in_top_k_shape,
                           .prepare = in_top_k_prepare,
                           .gradient = not_differentiable};
constexpr OpDef kInTopKV2 = {.name = "InTopKV2",
                             .inputs = "predictions: float, targets: T, k: T",
                             .outputs = "precision: bool",
                             .attrs = "T: {int32, int64} = DT_INT32",
                             .shape = in_top_k_shape,
                             .prepare = in_top_k_prepare,
                             .gradient = not_differentiable};

void top_k_shape(ShapeContext& c) {
  Shape shape = c.with_rank_at_least(0, 1, "input");
  c.with_rank(1, 0, "k");
  if (shape.has_rank()) {
    const int64_t last = shape.dim(-1);
    const Tensor k = c.constant(1);
    const int64_t count = k.valid() ? k.to_int64s()[0] : kUnknownDim;
    c.require(!k.valid() || count >= 0, str_cat("k must not be negative, is ", count));
    c.require(last < 0 || count <= last,
              str_cat("k is ", count, ", but a row has ", last, " values"));
    shape.set_dim(shape.rank() - 1, count);
  }
  c.set_output(0, shape);
  c.set_output(1, shape);
}

Kernel top_k_prepare(const KernelSetup& s) {
  return by_types(Reals(), s, s.dtype("T"), []<class T>() -> Kernel {
    return [](KernelContext& c) {
      Shape shape = c.input(0).shape();
      if (shape.rank() < 1) c.fail("expected at least a vector, got a scalar");
      const int64_t k = c.input(1).scalar<int32_t>(), row = shape.dim(-1);
      if (k < 0 || k > row) c.fail(str_cat("k is ", k, ", but a row has ", row, " values"));
      shape.set_dim(shape.rank() - 1, k);
      T* values = static_cast<T*>(c.allocate(0, shape).raw_data());
      if (row - 1 > INT32_MAX)
        c.fail(str_cat("indices of rows of ", row, " values do not fit int32"));
      auto* indices = c.allocate(1, shape).data<int32_t>();
      const int64_t rows = k == 0 ? 0 : shape.num_elements() / k;
      if (rows == 0) return;
      Tensor order_tensor = c.scratch(DType::kInt32, {row});
      auto* order = order_tensor.data<int32_t>();
      for (int64_t r = 0; r < rows; ++r) {
        const T* x = c.in<T>(0) + r * row;
        std::iota(order, order + row, 0);
        std::partial_sort(order, order + k, order + row, [x](int32_t a, int32_t b) {
          return is_above(widen(x[a]), widen(x[b])) ||
                 (!is_above(widen(x[b]), widen(x[a])) && a < b);
        });
        for (int64_t i = 0; i < k; ++i) {
          indices[r * k + i] = order[i];
          values[r * k + i] = x[order[i]];
        }
      }
    };
  });
}

// The gradient of each value goes to its index in the flattened input.
Grads top_k_gradient(const Operation& op, const Grads& dy) {
  if (!dy[0]) return Grads(2);
  const Output x = op.input(0), extents = shape(x, {.out_type = DType::kInt64});
  const Output last = strided_slice(extents, {-1}, {0}, {1}, {.end_mask = 1});
  const Output outer = reduce_prod(strided_slice(extents, {0}, {-1}, {1}, {.begin_mask = 1}));
  const Output first = expand_dims(range(int64_t{0}, outer, int64_t{1}) * last, 1);  // of each row
  const Output k = cast(op.input(1), DType::kInt64);
  const Output in_row = reshape(cast(op.output(1), DType::kInt64), stack({outer, k}));
  const Output places = reshape(first + in_row, stack({outer * k, int64_t{1}}));
  const Output all = scatter_nd(places, reshape(dy[0], {-1}), reshape(reduce_prod(extents), {1}));
  return {reshape(all, extents), Output()};
}

constexpr OpDef kTopKV2 = {.name = "TopKV2",
                           .inputs = "input: T, k: int32",
                           .outputs = "values: T, indices: int32",
                           .attrs = "sorted: bool = true, T: realnumbertype",
                           .shape = top_k_shape,
                           .prepare = top_k_prepare,
                           .gradient = top_k_gradient};

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

Output in_top_k(const Operand& predictions, const Operand& targets, const Operand& k,
                const NameOptions& options) {
  const BuilderScope scope(predictions, "in_top_k", options.name);
  const BuilderScope b(scope, "InTopKV2", "");
  const Output& of = targets.output();
  return b.add(kInTopKV2, {predictions.output(), of, k.in(b.graph(), of.dtype(), "k")});
}

std::pair<Output, Output> top_k(const Operand& input, const Operand& k,
                                const TopKOptions& options) {
  const BuilderScope b(input, "TopKV2", options.name);
  const Operation op = b.add_op(kTopKV2, {input.output(), k.in(b.graph(), DType::kInt32, "k")},
                                {{"sorted", options.sorted}});
  return {op.output(0), op.output(1)};
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
  static constexpr const OpDef* kOps[] = {
      &kBiasAdd,  &kBiasAddGrad,  &kBiasAddV1, &kElu,          &kEluGrad,  &kInTopK, &kInTopKV2,
      &kL2Loss,   &kRelu,         &kRelu6,     &kRelu6Grad,    &kReluGrad, &kSelu,   &kSeluGrad,
      &kSoftplus, &kSoftplusGrad, &kSoftsign,  &kSoftsignGrad, &kTopKV2};
  return kOps;
}

}  // namespace cairn
