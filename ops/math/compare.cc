// Comparisons, logic, and choosing between two tensors.
#include <cmath>
#include <complex>

#include "ops/core/elementwise.h"
#include "ops/core/move.h"
#include "ops/math/math.h"
#include "ops/math/math_gradients.h"

namespace cairn {
namespace {

// ---- functors of an element ---------------------------------------------------------------------

// Three functors serve six ops: NotEqual is Equal negated, Greater is Less with exchanged operands.
struct Equal : Light {
  double parameter = 0;  // 1: negated
  template <class T>
  bool operator()(const T& x, const T& y) const {
    return (x == y) != (parameter != 0);
  }
};
struct Less : Light {
  template <class T>
  bool operator()(T x, T y) const {
    return x < y;
  }
};
struct LessEqual : Light {
  template <class T>
  bool operator()(T x, T y) const {
    return x <= y;
  }
};
struct LogicalAnd : Light {
  bool operator()(bool x, bool y) const { return x & y; }
};
struct LogicalOr : Light {
  bool operator()(bool x, bool y) const { return x | y; }
};
struct LogicalNot : Light {
  bool operator()(bool x) const { return !x; }
};

// ---- ApproximateEqual ---------------------------------------------------------------------------

struct ApproximateEqual : Light {
  double parameter = 0;  // the tolerance
  template <class T>
  bool operator()(T x, T y) const {
    return std::abs(x - y) < static_cast<T>(parameter);
  }
};

void same_shape(ShapeContext& c) { c.set_output(merge(c.input(0), c.input(1))); }

Kernel approximate_equal_prepare(const KernelSetup& s) {
  BinaryLoop loop = by_types(Floats(), s, s.dtype("T"),
                             []<class T>() { return binary_loop<ApproximateEqual, T, true>(); });
  loop.parameter = s.real("tolerance");
  return binary_kernel(loop);
}

// ---- Select -------------------------------------------------------------------------------------

void select_shape(ShapeContext& c) {
  Shape data = merge(c.input(1), c.input(2));
  const Shape& condition = c.input(0);
  if (condition.has_rank() && data.has_rank() && condition.rank() > 0) {
    if (condition.rank() == 1 && data.rank() > 1) {
      c.same(condition[0], data[0], "the condition's length and the rows of t and e");
    } else {
      data = merge(data, condition);
    }
  }
  c.set_output(data);
}

// out[i] = condition[i] ? t[i] : e[i] for i < n; out may be t.
template <class T>
void select_run(const bool* condition, const void* if_true, const void* if_false, void* to,
                int64_t n) {
  const T *t = static_cast<const T*>(if_true), *e = static_cast<const T*>(if_false);
  each(n, [=, out = static_cast<T*>(to)](int64_t i) { out[i] = condition[i] ? t[i] : e[i]; });
}

void select(KernelContext& c, const Mover& m, decltype(&select_run<std::string>) run) {
  const Shape chosen = c.input(0).shape(), shape = c.input(1).shape();
  if (shape != c.input(2).shape())
    c.fail(str_cat("t and e must be of one shape, got ", shape, " and ", c.input(2).shape()));
  const bool* condition = c.in<bool>(0);
  if (chosen.is_scalar()) return c.forward(*condition ? 1 : 2, 0);
  const void *t = c.input(1).raw_data(), *e = c.input(2).raw_data();
  if (chosen == shape) {
    void* out = c.allocate_or_reuse(0, 1, shape).raw_data();
    c.parallel_for(shape.num_elements(), 0.4, [&](int64_t begin, int64_t end) {
      run(condition + begin, m.at(t, begin), m.at(e, begin), m.at(out, begin), end - begin);
    });
    return;
  }
  if (chosen.rank() != 1 || shape.rank() < 1 || chosen[0] != shape[0])
    c.fail(str_cat("the condition must be a scalar, of t's shape ", shape,
                   ", or a vector as long as t has rows; got ", chosen));
  const int64_t row = shape[0] == 0 ? 0 : shape.num_elements() / shape[0];
  void* out = c.allocate_or_reuse(0, 1, shape).raw_data();
  c.parallel_for(shape[0], 0.3 * static_cast<double>(row) + 2, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const void* from = m.at(condition[i] ? t : e, i * row);
      if (from != m.at(out, i * row)) m.copy(m.at(out, i * row), from, row);
    }
  });
}

Kernel select_prepare(const KernelSetup& s) {
  const DType dtype = s.dtype("T");
  const auto run = by_width(s, dtype, []<class T>() { return select_run<T>; });
  return [run, &m = mover_of(s, dtype)](KernelContext& c) { select(c, m, run); };
}

// ---- the ops ------------------------------------------------------------------------------------

using Ordered = TypeList<float, double, int32_t, int64_t, Half, BFloat16, uint8_t, int8_t, uint16_t,
                         int16_t, uint32_t, uint64_t>;
using Equatable = TypeList<float, double, int32_t, int64_t, Half, BFloat16, uint8_t, int8_t,
                           int16_t, bool, std::string, std::complex<float>, std::complex<double>>;

constexpr std::string_view kOrderedTypes =
    "T: {float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64}";
constexpr std::string_view kEquatableTypes =
    "T: {bfloat16, half, float, double, uint8, int8, int16, int32, int64, complex64, quint8, "
    "qint8, qint32, string, "
    "bool, complex128}";

template <bool kNegated>
Kernel equal_prepare(const KernelSetup& s) {
  BinaryLoop loop =
      by_types(Equatable(), s, s.dtype("T"), []<class T>() { return binary_loop<Equal, T>(); });
  loop.parameter = kNegated;
  return binary_kernel(loop);
}
template <class F, bool kExchanged>
Kernel ordered_prepare(const KernelSetup& s) {
  BinaryLoop loop =
      by_types(Ordered(), s, s.dtype("T"), []<class T>() { return binary_loop<F, T>(); });
  loop.exchanged = kExchanged;
  return binary_kernel(loop);
}

constexpr OpDef comparison(std::string_view name, std::string_view types,
                           Kernel (*prepare)(const KernelSetup&), bool commutative) {
  return {.name = name,
          .inputs = "x: T, y: T",
          .outputs = "z: bool",
          .attrs = types,
          .commutative = commutative,
          .shape = broadcast_shape,
          .prepare = prepare,
          .gradient = not_differentiable};
}
template <class F>
constexpr OpDef logical(std::string_view name) {
  return {.name = name,
          .inputs = "x: bool, y: bool",
          .outputs = "z: bool",
          .attrs = "",
          .commutative = true,
          .shape = broadcast_shape,
          .prepare = binary_prepare<F, TypeList<bool>>,
          .gradient = not_differentiable};
}

constexpr OpDef kEqual = comparison("Equal", kEquatableTypes, equal_prepare<false>, true);
constexpr OpDef kNotEqual = comparison("NotEqual", kEquatableTypes, equal_prepare<true>, true);
constexpr OpDef kLess = comparison("Less", kOrderedTypes, ordered_prepare<Less, false>, false);
constexpr OpDef kLessEqual =
    comparison("LessEqual", kOrderedTypes, ordered_prepare<LessEqual, false>, false);
constexpr OpDef kGreater = comparison("Greater", kOrderedTypes, ordered_prepare<Less, true>, false);
constexpr OpDef kGreaterEqual =
    comparison("GreaterEqual", kOrderedTypes, ordered_prepare<LessEqual, true>, false);
constexpr OpDef kLogicalAnd = logical<LogicalAnd>("LogicalAnd");
constexpr OpDef kLogicalOr = logical<LogicalOr>("LogicalOr");
constexpr OpDef kLogicalNot = {.name = "LogicalNot",
                               .inputs = "x: bool",
                               .outputs = "y: bool",
                               .attrs = "",
                               .shape = unchanged_shape,
                               .prepare = unary_prepare<LogicalNot, TypeList<bool>>,
                               .gradient = not_differentiable};
constexpr OpDef kApproximateEqual = {.name = "ApproximateEqual",
                                     .inputs = "x: T, y: T",
                                     .outputs = "z: bool",
                                     .attrs = "T: numbertype, tolerance: float = 1e-05",
                                     .commutative = true,
                                     .shape = same_shape,
                                     .prepare = approximate_equal_prepare,
                                     .gradient = not_differentiable};
constexpr OpDef kSelect = {.name = "Select",
                           .inputs = "condition: bool, t: T, e: T",
                           .outputs = "output: T",
                           .attrs = "T: type",
                           .shape = select_shape,
                           .prepare = select_prepare,
                           .gradient = internal::select_gradient};

}  // namespace

Output equal(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kEqual, "", x, y, o);
}
Output not_equal(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kNotEqual, "", x, y, o);
}
Output less(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kLess, "", x, y, o);
}
Output less_equal(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kLessEqual, "", x, y, o);
}
Output greater(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kGreater, "", x, y, o);
}
Output greater_equal(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kGreaterEqual, "", x, y, o);
}
Output logical_and(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kLogicalAnd, "", x, y, o);
}
Output logical_or(const Operand& x, const Operand& y, const NameOptions& o) {
  return binary_op(kLogicalOr, "", x, y, o);
}
Output logical_not(const Operand& x, const NameOptions& o) { return unary_op(kLogicalNot, x, o); }

Output approximate_equal(const Operand& x, const Operand& y, const ApproximateEqualOptions& o) {
  const Graph::Transaction whole(x.graph());
  return add_node(kApproximateEqual, {x.output(), y.output()}, {{"tolerance", o.tolerance}}, o.name,
                  x.at());
}

Output where(const Operand& condition, const Operand& x, const Operand& y, const NameOptions& o) {
  const std::string_view name = o.name.empty() ? kSelect.name : std::string_view(o.name);
  Graph& graph = condition.graph();
  const Graph::Transaction whole(graph);
  if (x.is_output() && y.is_output())
    return add_node(kSelect, {condition.output(), x.output(), y.output()}, {}, name,
                    condition.at());
  const DType dtype = (x.is_output() ? x : y).output().dtype();
  Scope scope = graph.name_scope(name);
  const std::vector<Output> inputs = {condition.output(), x.in(graph, dtype, "t"),
                                      y.in(graph, dtype, "e")};
  return add_node(kSelect, inputs, {}, scope.name(), condition.at());
}

std::span<const OpDef* const> compare_ops() {
  static constexpr const OpDef* kOps[] = {
      &kApproximateEqual, &kEqual,      &kGreater,   &kGreaterEqual, &kLess,  &kLessEqual,
      &kLogicalAnd,       &kLogicalNot, &kLogicalOr, &kNotEqual,     &kSelect};
  return kOps;
}

}  // namespace cairn
