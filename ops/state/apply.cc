#include "ops/state/apply.h"

#include <array>
#include <cmath>

#include "ops/core/elements.h"
#include "ops/core/gemm.h"
#include "ops/core/move.h"

namespace cairn {
namespace {

// ---- the rules ----------------------------------------------------------------------------------
// Each takes the scalars in the order of its op's inputs, and one element of the variable and its
// slots, x, with the gradient g. kVariables counts the variable and its slots, kScalars the
// scalars, kGrad is the gradient's input; kFlag names the attribute that `flag` is.

struct RuleBase {
  static constexpr std::string_view kFlag = "";
  // What is wrong with the scalars, or "".
  std::string refusal() const { return {}; }
};

template <class T>
struct GradientDescent : RuleBase {
  static constexpr int kVariables = 1, kScalars = 1, kGrad = 2;
  T alpha;
  GradientDescent(const T* s, bool) : alpha(s[0]) {}
  void operator()(T* x, T g) const { x[0] -= g * alpha; }
};

template <class T>
struct Momentum : RuleBase {
  static constexpr int kVariables = 2, kScalars = 2, kGrad = 3;
  static constexpr std::string_view kFlag = "use_nesterov";
  T lr, momentum;
  bool nesterov;
  Momentum(const T* s, bool flag) : lr(s[0]), momentum(s[1]), nesterov(flag) {}
  void operator()(T* x, T g) const {
    x[1] = x[1] * momentum + g;
    x[0] -= nesterov ? g * lr + x[1] * momentum * lr : x[1] * lr;
  }
};

template <class T>
struct Adagrad : RuleBase {
  static constexpr int kVariables = 2, kScalars = 1, kGrad = 3;
  static constexpr std::string_view kFlag = "update_slots";
  T lr;
  bool update_slots;
  Adagrad(const T* s, bool flag) : lr(s[0]), update_slots(flag) {}
  void operator()(T* x, T g) const {
    if (update_slots) x[1] += g * g;
    x[0] -= g * lr / std::sqrt(x[1]);
  }
};

template <class T>
struct Adadelta : RuleBase {  // x: variable, accum, accum_update
  static constexpr int kVariables = 3, kScalars = 3, kGrad = 6;
  T lr, rho, epsilon;
  Adadelta(const T* s, bool) : lr(s[0]), rho(s[1]), epsilon(s[2]) {}
  void operator()(T* x, T g) const {
    x[1] = x[1] * rho + g * g * (1 - rho);
    const T update = std::sqrt(x[2] + epsilon) / std::sqrt(x[1] + epsilon) * g;
    x[2] = x[2] * rho + update * update * (1 - rho);
    x[0] -= update * lr;
  }
};

template <class T>
struct Adam : RuleBase {  // x: variable, m, v
  static constexpr int kVariables = 3, kScalars = 6, kGrad = 9;
  static constexpr std::string_view kFlag = "use_nesterov";
  T alpha, beta1, beta2, epsilon;
  bool nesterov;
  Adam(const T* s, bool flag)  // beta1_power, beta2_power, lr, beta1, beta2, epsilon
      : alpha(s[2] * std::sqrt(1 - s[1]) / (1 - s[0])),
        beta1(s[3]),
        beta2(s[4]),
        epsilon(s[5]),
        nesterov(flag) {}
  void operator()(T* x, T g) const {
    x[1] += (g - x[1]) * (1 - beta1);
    x[2] += (g * g - x[2]) * (1 - beta2);
    const T m = nesterov ? g * (1 - beta1) + beta1 * x[1] : x[1];
    x[0] -= m * alpha / (std::sqrt(x[2]) + epsilon);
  }
};

template <class T>
struct RmsProp : RuleBase {  // x: variable, ms, mom
  static constexpr int kVariables = 3, kScalars = 4, kGrad = 7;
  T lr, rho, momentum, epsilon;
  RmsProp(const T* s, bool) : lr(s[0]), rho(s[1]), momentum(s[2]), epsilon(s[3]) {}
  void operator()(T* x, T g) const {
    x[1] += (g * g - x[1]) * (1 - rho);
    x[2] = x[2] * momentum + g * lr / std::sqrt(x[1] + epsilon);
    x[0] -= x[2];
  }
};

template <class T>
struct CenteredRmsProp : RuleBase {  // x: variable, mg, ms, mom
  static constexpr int kVariables = 4, kScalars = 4, kGrad = 8;
  T lr, rho, momentum, epsilon;
  CenteredRmsProp(const T* s, bool) : lr(s[0]), rho(s[1]), momentum(s[2]), epsilon(s[3]) {}
  void operator()(T* x, T g) const {
    x[2] += (g * g - x[2]) * (1 - rho);
    x[1] += (g - x[1]) * (1 - rho);
    x[3] = x[3] * momentum + g * lr / std::sqrt(x[2] - x[1] * x[1] + epsilon);
    x[0] -= x[3];
  }
};

template <class T, bool kShrinks>
struct FtrlRule : RuleBase {  // x: variable, accum, linear
  static constexpr int kVariables = 3, kScalars = kShrinks ? 5 : 4, kGrad = 3;
  T lr, l1, l2, shrinkage, power;
  // TensorFlow's: the rate is divided by, and the square root of a sum is compared to l1.
  std::string refusal() const {
    if (!(lr > 0)) return str_cat("lr must be above 0, is ", lr);
    if (!(l1 >= 0)) return str_cat("l1 must be 0 or above, is ", l1);
    if (!(l2 >= 0)) return str_cat("l2 must be 0 or above, is ", l2);
    if (!(shrinkage >= 0)) return str_cat("l2_shrinkage must be 0 or above, is ", shrinkage);
    if (!(power >= 0)) return str_cat("lr_power must be 0 or below, is ", -power);
    return "";
  }
  FtrlRule(const T* s, bool)
      : lr(s[0]),
        l1(s[1]),
        l2(s[2]),
        shrinkage(kShrinks ? s[3] : T(0)),
        power(-s[kShrinks ? 4 : 3]) {}
  T raised(T accum) const { return power == T(0.5) ? std::sqrt(accum) : std::pow(accum, power); }
  void operator()(T* x, T g) const {
    if (kShrinks) g += 2 * shrinkage * x[0];
    const T accum = x[1] + g * g, raised_accum = raised(accum);
    x[2] += g - (raised_accum - raised(x[1])) / lr * x[0];
    const T sign = static_cast<T>((x[2] > 0) - (x[2] < 0));
    x[0] = std::abs(x[2]) > l1 ? (l1 * sign - x[2]) / (raised_accum / lr + 2 * l2) : T(0);
    x[1] = accum;
  }
};
template <class T>
using Ftrl = FtrlRule<T, false>;
template <class T>
using FtrlV2 = FtrlRule<T, true>;

// ---- the op -------------------------------------------------------------------------------------

// How an op's inputs lie: the variable and its slots, kVariables, the gradient, and scalars.
struct Layout {
  int variables, grad;
};
template <template <class> class Rule>
constexpr Layout layout_of = {Rule<float>::kVariables, Rule<float>::kGrad};

void check_shapes(ShapeContext& c, Layout in) {
  const bool resource = c.input_dtype(0) == DType::kResource;
  Shape shape = c.input(in.grad);
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (i < in.variables) {
      if (resource) continue;
      c.require(shape.is_compatible_with(c.input(i)),
                str_cat("variable '", c.node().inputs[static_cast<size_t>(i)].node->name,
                        "' is of shape ", c.input(i), ", the gradient of shape ", shape));
      shape = merge(shape, c.input(i));
    } else if (i != in.grad) {
      c.with_rank(i, 0, c.node().op->inputs[static_cast<size_t>(i)].name);
    }
  }
  if (!resource) c.set_output(shape);
}
template <template <class> class Rule>
void apply_shape(ShapeContext& c) {
  check_shapes(c, layout_of<Rule>);
}

// Elements [begin, end) of the variable and its slots, by one rule on T in memory, computed in W.
// A function of its own: wherever it is called from, the compiler has made the same operations of
// the rule, and multiplies and adds in one or apart.
template <template <class> class Rule, class T, class W>
[[gnu::noinline]] void update(const Rule<W>& rule,
                              const std::array<T*, Rule<W>::kVariables>& variables, const T* grad,
                              int64_t begin, int64_t end) {
  constexpr int kVariables = Rule<W>::kVariables;
  const Rule<W> own = rule;
  std::array<T*, kVariables> at = variables;
  for (int64_t i = begin; i < end; ++i) {
    W x[kVariables];
    for (int k = 0; k < kVariables; ++k) x[k] = static_cast<W>(at[static_cast<size_t>(k)][i]);
    own(x, static_cast<W>(grad[i]));
    for (int k = 0; k < kVariables; ++k) at[static_cast<size_t>(k)][i] = static_cast<T>(x[k]);
  }
}

// What is compiled for each rule and dtype. A rule is kept as its bytes.
using RuleMemory = std::array<double, 6>;
constexpr size_t kMostVariables = 4, kMostScalars = 6;
using Memory = std::array<void*, kMostVariables>;  // of the variable and its slots
struct RuleLoops {
  DType dtype;
  // Makes the rule of the scalars, in `rule`. What is wrong with them, or "".
  std::string (*make)(const std::array<const void*, kMostScalars>& scalars, bool flag, void* rule);
  void (*update)(const void* rule, const Memory& variables, const void* grad, int64_t begin,
                 int64_t end);
};

template <template <class> class Rule, class T>
RuleLoops loops_of() {
  using W = Wide<T>;
  using R = Rule<W>;
  static_assert(sizeof(R) <= sizeof(RuleMemory) && alignof(R) <= alignof(RuleMemory));
  return {
      dtype_of<T>,
      [](const std::array<const void*, kMostScalars>& scalars, bool flag, void* rule) {
        std::array<W, R::kScalars> values;
        for (size_t i = 0; i < values.size(); ++i)
          values[i] = static_cast<W>(*static_cast<const T*>(scalars[i]));
        return (new (rule) R(values.data(), flag))->refusal();
      },
      [](const void* rule, const Memory& variables, const void* grad, int64_t begin, int64_t end) {
        std::array<T*, R::kVariables> typed;
        for (size_t i = 0; i < typed.size(); ++i) typed[i] = static_cast<T*>(variables[i]);
        update<Rule, T, W>(*static_cast<const R*>(rule), typed, static_cast<const T*>(grad), begin,
                           end);
      }};
}

void apply(KernelContext& c, Layout in, const RuleLoops& f, bool flag) {
  std::array<const void*, kMostScalars> scalars{};
  for (int i = in.variables, k = 0; i < c.num_inputs(); ++i) {
    if (i == in.grad) continue;
    if (c.input(i).rank() != 0)
      c.fail(str_cat(c.node().op->inputs[static_cast<size_t>(i)].name, " is of shape ",
                     c.input(i).shape(), ", expected a scalar"));
    scalars[static_cast<size_t>(k++)] = c.input(i).raw_data();
  }
  RuleMemory rule;
  if (const std::string refusal = f.make(scalars, flag, &rule); !refusal.empty()) c.fail(refusal);
  for (int i = 0; i < in.variables; ++i) {
    const VariableState& variable = c.variable(i);
    if (variable.initialized() && variable.value.shape() != c.input(in.grad).shape()) {
      c.fail(str_cat("variable '", variable.name, "' is of shape ", variable.value.shape(),
                     ", the gradient of shape ", c.input(in.grad).shape()));
    }
  }
  Memory variables{};
  for (int i = 0; i < in.variables; ++i)
    variables[static_cast<size_t>(i)] = writable_value(c, i, f.dtype).raw_data();
  // Only now: the gradient may be the variable itself, which may just have moved.
  const void* grad = c.input(in.grad).raw_data();
  c.parallel_for(c.input(in.grad).num_elements(), 0.5 * in.variables,
                 [&](int64_t begin, int64_t end) { f.update(&rule, variables, grad, begin, end); });
}

Kernel applying(Layout in, const RuleLoops& loops, bool flag) {
  return [=](KernelContext& c) { apply(c, in, loops, flag); };
}

// ---- a product for a gradient: straight into the variable ---------------------------------------

bool absorbs_product(const Node& node, int i, const Node& producer) {
  const DType dtype = base_dtype(producer.output_dtypes[0]);
  return i == GradientDescent<float>::kGrad && producer.op->name == "MatMul" && node.op->def &&
         producer.op->def && (dtype == DType::kFloat || dtype == DType::kDouble);
}

// var -= alpha · (a · b); inputs: var, alpha, nothing, a, b. The product is made as MatMul makes it
// and taken off as the rule takes it off, rows at a time while they are in the cache, so every bit
// is that of the two nodes.
template <class T>
void descend_by_product(KernelContext& c, const Node& product, bool ta, bool tb) {
  if (c.input(1).rank() != 0)
    c.fail(str_cat("alpha is of shape ", c.input(1).shape(), ", expected a scalar"));
  const auto [m, n, k] = product_extents(product, c.input(3), c.input(4), ta, tb);
  VariableState& variable = c.variable(0);
  if (variable.initialized() && variable.value.shape() != Shape{m, n}) {
    c.fail(str_cat("variable '", variable.name, "' is of shape ", variable.value.shape(),
                   ", the gradient of shape ", Shape{m, n}));
  }
  const GradientDescent<T> rule(c.in<T>(1), false);
  const std::array<T*, 1> var = {variable.writable().data<T>()};
  T* const grad = c.scratch(dtype_of<T>, {m, n}).template data<T>();
  const auto descend = [&, columns = n](int64_t begin, int64_t end) {
    update<GradientDescent, T, T>(rule, var, grad, begin * columns, end * columns);
  };
  gemm<T>(c, ta, tb, m, n, k, c.in<T>(3), c.in<T>(4), grad, ByRows::kNo, RowsMade(descend));
}

Kernel descend_prepare(const KernelSetup& s) {
  const Node* product = s.absorbed();
  const AttrReader attrs(*product);
  const bool ta = attrs.flag("transpose_a"), tb = attrs.flag("transpose_b");
  const auto descend = by_types(TypeList<float, double>(), s, s.dtype("T"),
                                []<class T>() { return descend_by_product<T>; });
  return [=](KernelContext& c) { descend(c, *product, ta, tb); };
}

template <template <class> class Rule>
Kernel apply_prepare(const KernelSetup& s) {
  if (s.absorbed()) return descend_prepare(s);
  constexpr std::string_view name = Rule<float>::kFlag;
  const bool flag = !name.empty() && s.flag(name);
  return applying(
      layout_of<Rule>,
      by_types(Floats(), s, s.dtype("T"), []<class T>() { return loops_of<Rule, T>(); }), flag);
}

constexpr std::string_view kPlain = "T: numbertype, use_locking: bool = false";

template <template <class> class Rule>
constexpr OpDef ref_op(std::string_view name, std::string_view inputs,
                       std::string_view attrs = kPlain,
                       decltype(OpDef::absorbs) absorbs = nullptr) {
  return {.name = name,
          .inputs = inputs,
          .outputs = "out: Ref(T)",
          .attrs = attrs,
          .access = Access::kUpdate,
          .shape = apply_shape<Rule>,
          .prepare = apply_prepare<Rule>,
          .absorbs = absorbs};
}
template <template <class> class Rule>
constexpr OpDef resource_op(std::string_view name, std::string_view inputs,
                            std::string_view attrs = kPlain,
                            decltype(OpDef::absorbs) absorbs = nullptr) {
  return {.name = name,
          .inputs = inputs,
          .outputs = "",
          .attrs = attrs,
          .stateful = true,
          .access = Access::kUpdate,
          .shape = apply_shape<Rule>,
          .prepare = apply_prepare<Rule>,
          .absorbs = absorbs};
}

constexpr std::string_view kNesterov =
    "T: numbertype, use_locking: bool = false, use_nesterov: bool = false";
constexpr std::string_view kUpdateSlots =
    "T: numbertype, use_locking: bool = false, update_slots: bool = true";

constexpr OpDef kApplyGradientDescent = ref_op<GradientDescent>(
    "ApplyGradientDescent", "var: Ref(T), alpha: T, delta: T", kPlain, absorbs_product);
constexpr OpDef kResourceApplyGradientDescent = resource_op<GradientDescent>(
    "ResourceApplyGradientDescent", "var: resource, alpha: T, delta: T", kPlain, absorbs_product);

constexpr OpDef kApplyMomentum = ref_op<Momentum>(
    "ApplyMomentum", "var: Ref(T), accum: Ref(T), lr: T, grad: T, momentum: T", kNesterov);
constexpr OpDef kResourceApplyMomentum =
    resource_op<Momentum>("ResourceApplyMomentum",
                          "var: resource, accum: resource, lr: T, grad: T, momentum: T", kNesterov);

constexpr OpDef kApplyAdagrad =
    ref_op<Adagrad>("ApplyAdagrad", "var: Ref(T), accum: Ref(T), lr: T, grad: T", kUpdateSlots);
constexpr OpDef kResourceApplyAdagrad = resource_op<Adagrad>(
    "ResourceApplyAdagrad", "var: resource, accum: resource, lr: T, grad: T", kUpdateSlots);

constexpr OpDef kApplyAdadelta = ref_op<Adadelta>(
    "ApplyAdadelta",
    "var: Ref(T), accum: Ref(T), accum_update: Ref(T), lr: T, rho: T, epsilon: T, grad: T");
constexpr OpDef kResourceApplyAdadelta = resource_op<Adadelta>(
    "ResourceApplyAdadelta",
    "var: resource, accum: resource, accum_update: resource, lr: T, rho: T, epsilon: T, grad: T");

constexpr OpDef kApplyAdam =
    ref_op<Adam>("ApplyAdam",
                 "var: Ref(T), m: Ref(T), v: Ref(T), beta1_power: T, beta2_power: T, lr: T, "
                 "beta1: T, beta2: T, epsilon: T, grad: T",
                 kNesterov);
constexpr OpDef kResourceApplyAdam = resource_op<Adam>(
    "ResourceApplyAdam",
    "var: resource, m: resource, v: resource, beta1_power: T, beta2_power: T, lr: T, beta1: T, "
    "beta2: T, epsilon: T, grad: T",
    kNesterov);

constexpr OpDef kApplyRMSProp = ref_op<RmsProp>(
    "ApplyRMSProp",
    "var: Ref(T), ms: Ref(T), mom: Ref(T), lr: T, rho: T, momentum: T, epsilon: T, grad: T");
constexpr OpDef kResourceApplyRMSProp = resource_op<RmsProp>(
    "ResourceApplyRMSProp",
    "var: resource, ms: resource, mom: resource, lr: T, rho: T, momentum: T, epsilon: T, grad: T");

constexpr OpDef kApplyCenteredRMSProp =
    ref_op<CenteredRmsProp>("ApplyCenteredRMSProp",
                            "var: Ref(T), mg: Ref(T), ms: Ref(T), mom: Ref(T), lr: T, rho: T, "
                            "momentum: T, epsilon: T, grad: T");
constexpr OpDef kResourceApplyCenteredRMSProp =
    resource_op<CenteredRmsProp>("ResourceApplyCenteredRMSProp",
                                 "var: resource, mg: resource, ms: resource, mom: resource, lr: T, "
                                 "rho: T, momentum: T, epsilon: T, grad: T");

constexpr OpDef kApplyFtrl = ref_op<Ftrl>(
    "ApplyFtrl",
    "var: Ref(T), accum: Ref(T), linear: Ref(T), grad: T, lr: T, l1: T, l2: T, lr_power: T");
constexpr OpDef kResourceApplyFtrl = resource_op<Ftrl>(
    "ResourceApplyFtrl",
    "var: resource, accum: resource, linear: resource, grad: T, lr: T, l1: T, l2: T, lr_power: T");

constexpr OpDef kApplyFtrlV2 =
    ref_op<FtrlV2>("ApplyFtrlV2",
                   "var: Ref(T), accum: Ref(T), linear: Ref(T), grad: T, lr: T, l1: T, l2: T, "
                   "l2_shrinkage: T, lr_power: T");
constexpr OpDef kResourceApplyFtrlV2 =
    resource_op<FtrlV2>("ResourceApplyFtrlV2",
                        "var: resource, accum: resource, linear: resource, grad: T, lr: T, l1: T, "
                        "l2: T, l2_shrinkage: T, lr_power: T");

}  // namespace

ApplyOp apply_gradient_descent() {
  return {&kApplyGradientDescent, &kResourceApplyGradientDescent};
}
ApplyOp apply_momentum() { return {&kApplyMomentum, &kResourceApplyMomentum}; }
ApplyOp apply_adagrad() { return {&kApplyAdagrad, &kResourceApplyAdagrad}; }
ApplyOp apply_adadelta() { return {&kApplyAdadelta, &kResourceApplyAdadelta}; }
ApplyOp apply_adam() { return {&kApplyAdam, &kResourceApplyAdam}; }
ApplyOp apply_rms_prop() { return {&kApplyRMSProp, &kResourceApplyRMSProp}; }
ApplyOp apply_centered_rms_prop() {
  return {&kApplyCenteredRMSProp, &kResourceApplyCenteredRMSProp};
}
ApplyOp apply_ftrl() { return {&kApplyFtrl, &kResourceApplyFtrl}; }
ApplyOp apply_ftrl_v2() { return {&kApplyFtrlV2, &kResourceApplyFtrlV2}; }

std::span<const OpDef* const> apply_ops() {
  static constexpr const OpDef* kOps[] = {&kApplyGradientDescent,
                                          &kResourceApplyGradientDescent,
                                          &kApplyMomentum,
                                          &kResourceApplyMomentum,
                                          &kApplyAdagrad,
                                          &kResourceApplyAdagrad,
                                          &kApplyAdadelta,
                                          &kResourceApplyAdadelta,
                                          &kApplyAdam,
                                          &kResourceApplyAdam,
                                          &kApplyRMSProp,
                                          &kResourceApplyRMSProp,
                                          &kApplyCenteredRMSProp,
                                          &kResourceApplyCenteredRMSProp,
                                          &kApplyFtrl,
                                          &kResourceApplyFtrl,
                                          &kApplyFtrlV2,
                                          &kResourceApplyFtrlV2};
  return kOps;
}

}  // namespace cairn
