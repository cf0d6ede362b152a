// Ops along one axis: indices of extremes, running sums and products.
#include <string_view>
#include <unordered_set>

#include "ops/core/elementwise.h"
#include "ops/core/move.h"
#include "ops/core/reduction.h"
#include "ops/math/reduce.h"
#include "ops/math/reduce_gradients.h"

namespace cairn {
namespace {

// A tensor seen along one axis: x[o, i, j] with i along it.
struct Along {
  int64_t outer = 1, n = 1, inner = 1;
  int axis = 0;
};

// By the axis at input 1.
Along along(const KernelContext& c) {
  const Shape& shape = c.input(0).shape();
  const int axis = axis_of(scalar_input(c, 1, "axis"), shape.rank());
  return {extents_before(shape, axis), shape[axis], extents_after(shape, axis), axis};
}

// ---- ArgMax, ArgMin -----------------------------------------------------------------------------

void arg_shape(ShapeContext& c) {
  c.with_rank(1, 0, "dimension");
  const Shape& input = c.input(0);
  if (!input.has_rank()) return;
  c.require(input.rank() > 0, "a scalar has no axis to go along");
  const Tensor axis = c.constant(1);
  if (!axis.valid()) return c.set_output(Shape::unknown(input.rank() - 1));
  std::vector<bool> reduced(static_cast<size_t>(input.rank()));
  reduced[static_cast<size_t>(axis_of(IntReader(axis)[0], input.rank()))] = true;
  c.set_output(reduce_shape(input, reduced, false));
}

struct Greater {
  template <class T>
  static bool better(T x, T than) {
    return is_above(x, than);
  }
};
struct Smaller {
  template <class T>
  static bool better(T x, T than) {
    return is_below(x, than);
  }
};

// The places of the extremes of lines [begin, end), as int64 or int32.
template <class F, class T>
void find_extremes(const void* from, const Along& a, int64_t begin, int64_t end, bool wide,
                   void* out) {
  for (int64_t at = begin; at < end; ++at) {
    const T* line = static_cast<const T*>(from) + at / a.inner * a.n * a.inner + at % a.inner;
    int64_t best = 0;
    auto value = widen(*line);
    for (int64_t i = 1; i < a.n; ++i) {
      const auto other = widen(line[i * a.inner]);
      if (F::better(other, value)) {
        best = i;
        value = other;
      }
    }
    if (wide)
      static_cast<int64_t*>(out)[at] = best;
    else
      static_cast<int32_t*>(out)[at] = static_cast<int32_t>(best);
  }
}

void arg_kernel(KernelContext& c, bool wide, decltype(&find_extremes<Greater, float>) find) {
  const Shape shape = c.input(0).shape();
  const Along a = along(c);
  void* out = c.allocate(0, concat(shape.slice(0, a.axis), shape.slice(a.axis + 1))).raw_data();
  if (a.outer * a.inner == 0) return;
  if (a.n == 0)
    c.fail(str_cat("axis ", a.axis, " of shape ", shape, " is empty: it has no extreme"));
  if (!wide && a.n - 1 > INT32_MAX)
    c.fail(str_cat("places along axis ", a.axis, " of shape ", shape,
                   " do not fit output_type int32; ask for int64"));
  const void* x = c.input(0).raw_data();
  c.parallel_for(a.outer * a.inner, static_cast<double>(a.n),
                 [&](int64_t begin, int64_t end) { find(x, a, begin, end, wide, out); });
}

template <class F>
Kernel arg_prepare(const KernelSetup& s) {
  const bool wide = s.dtype("output_type") == DType::kInt64;
  const auto find =
      by_types(Reals(), s, s.dtype("T"), []<class T>() { return find_extremes<F, T>; });
  return [wide, find](KernelContext& c) { arg_kernel(c, wide, find); };
}

template <class F>
constexpr OpDef arg(std::string_view name) {
  return {
      .name = name,
      .inputs = "input: T, dimension: Tidx",
      .outputs = "output: output_type",
      .attrs =
          "T: numbertype, Tidx: {int32, int64} = DT_INT32, output_type: {int32, int64} = DT_INT64",
      .shape = arg_shape,
      .prepare = arg_prepare<F>,
      .gradient = not_differentiable};
}

// ---- Cumsum, Cumprod ----------------------------------------------------------------------------

void cumulate_shape(ShapeContext& c) {
  c.with_rank(1, 0, "axis");
  const Tensor axis = c.constant(1);
  if (axis.valid() && c.input(0).has_rank()) axis_of(IntReader(axis)[0], c.input(0).rank());
  c.set_output(c.input(0));
}

struct Plus {
  static constexpr int kIdentity = 0;
  template <class A>
  static A combine(A x, A y) {
    return plus(x, y);
  }
};
struct Times {
  static constexpr int kIdentity = 1;
  template <class A>
  static A combine(A x, A y) {
    if constexpr (std::is_integral_v<A>)
      return static_cast<A>(Wrapping<A>(x) * Wrapping<A>(y));
    else
      return x * y;
  }
};

// Lines [begin, end).
template <class F, class T>
void cumulate_run(const void* from, const Along& along, int64_t begin, int64_t end, bool exclusive,
                  bool reverse, void* to) {
  using A = Wide<T>;
  const Along a = along;
  const T* x = static_cast<const T*>(from);
  T* out = static_cast<T*>(to);
  for (int64_t line = begin; line < end; ++line) {
    const int64_t first = line / a.inner * a.n * a.inner + line % a.inner;
    A value = A(F::kIdentity);
    for (int64_t i = 0; i < a.n; ++i) {
      const int64_t at = first + (reverse ? a.n - 1 - i : i) * a.inner;
      const A next = F::combine(value, widen(x[at]));
      out[at] = T(exclusive ? value : next);
      value = next;
    }
  }
}

template <class F>
Kernel cumulate_prepare(const KernelSetup& s) {
  const auto run =
      by_types(Reals(), s, s.dtype("T"), []<class T>() { return cumulate_run<F, Added<T>>; });
  return [run, exclusive = s.flag("exclusive"), reverse = s.flag("reverse")](KernelContext& c) {
    const Along a = along(c);
    const void* x = c.input(0).raw_data();
    void* out = c.allocate(0, c.input(0).shape()).raw_data();
    if (c.input(0).num_elements() == 0) return;
    c.parallel_for(a.outer * a.inner, static_cast<double>(a.n), [&](int64_t begin, int64_t end) {
      run(x, a, begin, end, exclusive, reverse, out);
    });
  };
}

template <class F>
constexpr OpDef cumulate(std::string_view name, Grads (*gradient)(const Operation&, const Grads&)) {
  return {.name = name,
          .inputs = "x: T, axis: Tidx",
          .outputs = "out: T",
          .attrs =
              "exclusive: bool = false, reverse: bool = false, T: numbertype, Tidx: {int32, int64} "
              "= DT_INT32",
          .shape = cumulate_shape,
          .prepare = cumulate_prepare<F>,
          .gradient = gradient};
}

// ---- ListDiff -----------------------------------------------------------------------------------

void list_diff_shape(ShapeContext& c) {
  c.with_rank(0, 1, "x");
  c.with_rank(1, 1, "y");
  c.set_output(0, Shape::unknown(1));
  c.set_output(1, Shape::unknown(1));
}

using Listed = TypeList<float, double, int32_t, int64_t, std::string>;
// Where T is looked up: numbers as the widest of their kind.
template <class T>
using Key =
    std::conditional_t<std::is_floating_point_v<T>, double,
                       std::conditional_t<std::is_integral_v<T>, int64_t, std::string_view>>;

// The places in x of what is not in y.
template <class T>
std::vector<int64_t> places_left(const Tensor& x, const Tensor& y) {
  std::unordered_set<Key<T>> listed;
  listed.reserve(static_cast<size_t>(y.num_elements()));
  for (const T& v : y.span<T>()) listed.insert(Key<T>(v));
  std::vector<int64_t> places;
  for (const T& v : x.span<T>()) {
    if (listed.count(Key<T>(v)) == 0) places.push_back(&v - x.data<T>());
  }
  return places;
}

Kernel list_diff_prepare(const KernelSetup& s) {
  const auto left = by_types(Listed(), s, s.dtype("T"), []<class T>() { return places_left<T>; });
  return [left, &m = mover_of(s, s.dtype("T"))](KernelContext& c) {
    const Tensor &x = c.input(0), &y = c.input(1);
    if (x.rank() != 1 || y.rank() != 1)
      c.fail(str_cat("x and y must be vectors, got shapes ", x.shape(), " and ", y.shape()));
    const std::vector<int64_t> places = left(x, y);
    const auto count = static_cast<int64_t>(places.size());
    Tensor& out = c.allocate(0, {count});
    for (int64_t i = 0; i < count; ++i)
      m.copy(m.at(out, i), m.at(x, places[static_cast<size_t>(i)]), 1);
    Tensor& where = c.allocate(1, {count});
    if (where.dtype() == DType::kInt32 && x.num_elements() - 1 > INT32_MAX)
      c.fail(str_cat("places in x, of shape ", x.shape(),
                     ", do not fit out_idx int32; ask for int64"));
    put_integers(c, where, places);
  };
}

constexpr OpDef kListDiff = {.name = "ListDiff",
                             .inputs = "x: T, y: T",
                             .outputs = "out: T, idx: out_idx",
                             .attrs = "T: type, out_idx: {int32, int64} = DT_INT32",
                             .shape = list_diff_shape,
                             .prepare = list_diff_prepare,
                             .gradient = not_differentiable};

constexpr OpDef kArgMax = arg<Greater>("ArgMax");
constexpr OpDef kArgMin = arg<Smaller>("ArgMin");
constexpr OpDef kCumsum = cumulate<Plus>("Cumsum", internal::cumsum_gradient);
constexpr OpDef kCumprod = cumulate<Times>("Cumprod", internal::cumprod_gradient);

// A node of x and an axis, which as a number becomes the constant `<name>/<axis_name>`.
Output with_axis(const OpDef& op, const Operand& x, const Operand& axis, std::string_view axis_name,
                 const Attrs& attrs, std::string_view name) {
  const std::string_view own = name.empty() ? op.name : name;
  x.require(op.name);
  axis.require(op.name);
  Graph& graph = x.graph();
  const Graph::Transaction whole(graph);
  if (axis.is_output()) return add_node(op, {x.output(), axis.output()}, attrs, own, x.at());
  Scope scope = graph.name_scope(own);
  return add_node(op, {x.output(), axis.in(graph, DType::kInt32, axis_name)}, attrs, scope.name(),
                  x.at());
}

}  // namespace

Output argmax(const Operand& x, const Operand& axis, const ArgOptions& o) {
  return with_axis(kArgMax, x, axis, "dimension", {{"output_type", o.output_type}}, o.name);
}
Output argmin(const Operand& x, const Operand& axis, const ArgOptions& o) {
  return with_axis(kArgMin, x, axis, "dimension", {{"output_type", o.output_type}}, o.name);
}
Output cumsum(const Operand& x, const Operand& axis, const CumulateOptions& o) {
  return with_axis(kCumsum, x, axis, "axis", {{"exclusive", o.exclusive}, {"reverse", o.reverse}},
                   o.name);
}
Output cumprod(const Operand& x, const Operand& axis, const CumulateOptions& o) {
  return with_axis(kCumprod, x, axis, "axis", {{"exclusive", o.exclusive}, {"reverse", o.reverse}},
                   o.name);
}

std::pair<Output, Output> list_diff(const Operand& x, const Operand& y, const NameOptions& o) {
  const Graph::Transaction whole(x.graph());
  const Operation op = add_node(kListDiff, {x.output(), y.output()}, {}, o.name, x.at()).op();
  return {op.output(0), op.output(1)};
}

std::span<const OpDef* const> arg_ops() {
  static constexpr const OpDef* kOps[] = {&kArgMax, &kArgMin, &kCumprod, &kCumsum, &kListDiff};
  return kOps;
}

}  // namespace cairn
