// Ops along one axis: indices of extremes, running sums and products.
#include <limits>
#include <unordered_set>

#include "ops/core/elementwise.h"
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

int checked_axis(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank)
    fail(Code::kInvalidArgument, "axis ", axis, " is not in [", -rank, ", ", rank,
         "), the axes of a tensor of rank ", rank);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Along along(const Shape& shape, const Tensor& axis) {
  const int64_t value =
      axis.dtype() == DType::kInt32 ? axis.scalar<int32_t>() : axis.scalar<int64_t>();
  Along a;
  a.axis = checked_axis(value, shape.rank());
  a.n = shape[a.axis];
  for (int i = 0; i < a.axis; ++i) a.outer *= shape[i];
  for (int i = a.axis + 1; i < shape.rank(); ++i) a.inner *= shape[i];
  return a;
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
  reduced[static_cast<size_t>(checked_axis(axis.to_int64s()[0], input.rank()))] = true;
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

template <class F, class T, class I>
void arg_kernel(KernelContext& c) {
  const Shape shape = c.input(0).shape();
  const Along a = along(shape, c.input(1));
  Shape left = concat(shape.slice(0, a.axis), shape.slice(a.axis + 1));
  I* out = static_cast<I*>(c.allocate(0, left).raw_data());
  if (a.outer * a.inner == 0) return;
  if (a.n == 0)
    c.fail(str_cat("axis ", a.axis, " of shape ", shape, " is empty: it has no extreme"));
  if (a.n - 1 > std::numeric_limits<I>::max())
    c.fail(str_cat("places along axis ", a.axis, " of shape ", shape,
                   " do not fit output_type int32; ask for int64"));
  const T* x = c.in<T>(0);
  c.parallel_for(a.outer * a.inner, static_cast<double>(a.n), [=](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      const T* from = x + at / a.inner * a.n * a.inner + at % a.inner;
      int64_t best = 0;
      auto value = widen(*from);
      for (int64_t i = 1; i < a.n; ++i) {
        const auto other = widen(from[i * a.inner]);
        if (F::better(other, value)) {
          best = i;
          value = other;
        }
      }
      out[at] = static_cast<I>(best);
    }
  });
}

template <class F>
Kernel arg_prepare(const KernelSetup& s) {
  const bool wide = s.dtype("output_type") == DType::kInt64;
  return by_types(Reals(), s, s.dtype("T"), [=]<class T>() -> Kernel {
    return wide ? arg_kernel<F, T, int64_t> : arg_kernel<F, T, int32_t>;
  });
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
  if (axis.valid() && c.input(0).has_rank()) checked_axis(axis.to_int64s()[0], c.input(0).rank());
  c.set_output(c.input(0));
}

struct Plus {
  static constexpr int kIdentity = 0;
  template <class A>
  static A combine(A x, A y) {
    if constexpr (std::is_integral_v<A>)
      return static_cast<A>(Wrapping<A>(x) + Wrapping<A>(y));
    else
      return x + y;
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

template <class F, class T>
void cumulate_kernel(KernelContext& c, bool exclusive, bool reverse) {
  using A = Wide<T>;
  const Shape shape = c.input(0).shape();
  const Along a = along(shape, c.input(1));
  const T* x = c.in<T>(0);
  T* out = static_cast<T*>(c.allocate(0, shape).raw_data());
  if (shape.num_elements() == 0) return;
  c.parallel_for(a.outer * a.inner, static_cast<double>(a.n), [=](int64_t begin, int64_t end) {
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
  });
}

template <class F>
Kernel cumulate_prepare(const KernelSetup& s) {
  const bool exclusive = s.flag("exclusive"), reverse = s.flag("reverse");
  return by_types(Reals(), s, s.dtype("T"), [=]<class T>() -> Kernel {
    return [=](KernelContext& c) { cumulate_kernel<F, T>(c, exclusive, reverse); };
  });
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
Kernel list_diff_prepare(const KernelSetup& s) {
  const bool wide = s.dtype("out_idx") == DType::kInt64;
  return by_types(Listed(), s, s.dtype("T"), [=]<class T>() -> Kernel {
    return [=](KernelContext& c) {
      if (c.input(0).rank() != 1 || c.input(1).rank() != 1)
        c.fail(str_cat("x and y must be vectors, got shapes ", c.input(0).shape(), " and ",
                       c.input(1).shape()));
      const auto x = c.input(0).template span<T>(), y = c.input(1).template span<T>();
      if (!wide && c.input(0).num_elements() - 1 > INT32_MAX)
        c.fail(str_cat("places in x, of shape ", c.input(0).shape(),
                       ", do not fit out_idx int32; ask for int64"));
      const std::unordered_set<T> listed(y.begin(), y.end());
      const auto is_left = [&](const T& v) { return listed.count(v) == 0; };
      const int64_t count = std::count_if(x.begin(), x.end(), is_left);
      T* out = static_cast<T*>(c.allocate(0, {count}).raw_data());
      void* where = c.allocate(1, {count}).raw_data();
      for (int64_t i = 0, n = 0; i < static_cast<int64_t>(x.size()); ++i) {
        if (!is_left(x[static_cast<size_t>(i)])) continue;
        out[n] = x[static_cast<size_t>(i)];
        if (wide)
          static_cast<int64_t*>(where)[n] = i;
        else
          static_cast<int32_t*>(where)[n] = static_cast<int32_t>(i);
        ++n;
      }
    };
  });
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
