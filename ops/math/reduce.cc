#include "ops/math/reduce.h"

#include <limits>

#include "ops/array/array.h"
#include "ops/core/elementwise.h"
#include "ops/core/reduction.h"
#include "ops/math/reduce_gradients.h"

namespace cairn {
namespace {

// ---- functors that combine two elements ---------------------------------------------------------

struct Sum {
  template <class A>
  static constexpr A identity = A(0);
  template <class A>
  static A combine(A x, A y) {
    return plus(x, y);
  }
};
struct Mean : Sum {};
struct Prod {
  template <class A>
  static constexpr A identity = A(1);
  template <class A>
  static A combine(A x, A y) {
    if constexpr (std::is_integral_v<A>)
      return static_cast<A>(Wrapping<A>(x) * Wrapping<A>(y));
    else
      return x * y;
  }
};
struct Max {
  template <class A>
  static constexpr A identity = std::numeric_limits<A>::has_infinity
                                    ? -std::numeric_limits<A>::infinity()
                                    : std::numeric_limits<A>::lowest();
  template <class A>
  static A combine(A x, A y) {
    return is_above(y, x) ? y : x;
  }
};
struct Min {
  template <class A>
  static constexpr A identity = std::numeric_limits<A>::has_infinity
                                    ? std::numeric_limits<A>::infinity()
                                    : std::numeric_limits<A>::max();
  template <class A>
  static A combine(A x, A y) {
    return is_below(y, x) ? y : x;
  }
};
struct All {
  template <class A>
  static constexpr A identity = true;
  static bool combine(bool x, bool y) { return x & y; }
};
struct Any {
  template <class A>
  static constexpr A identity = false;
  static bool combine(bool x, bool y) { return x | y; }
};

// ---- loops --------------------------------------------------------------------------------------
// As in ops/core/elementwise.h: only loops are compiled for each op and dtype; the kernel around
// them is compiled once. T is the dtype, A the type of the accumulator.

// A mean of integers is summed in 64 bits: the sum and the count may not fit in their dtype.
template <class F, class T>
using Accumulator =
    std::conditional_t<std::is_same_v<F, Mean> && std::is_integral_v<T>, int64_t, Wide<T>>;

// n adjacent elements, in an order that depends on n alone: lanes within blocks, blocks in pairs.
template <class F, class T>
Accumulator<F, T> reduce_run(const T* x, int64_t n) {
  using A = Accumulator<F, T>;
  constexpr int kLanes = 32;
  constexpr int64_t kBlock = 128 * kLanes;
  // Halves are whole blocks, so that the order of additions depends on n and on nothing else.
  if (n > kBlock) {
    const int64_t half = (n / kBlock + 1) / 2 * kBlock;
    return F::combine(reduce_run<F>(x, half), reduce_run<F>(x + half, n - half));
  }
  A result = F::template identity<A>;
  int64_t i = 0;
  if (n >= kLanes) {
    A lane[kLanes];
    for (int l = 0; l < kLanes; ++l) lane[l] = A(widen(x[l]));
    for (i = kLanes; i + kLanes <= n; i += kLanes) {
      for (int l = 0; l < kLanes; ++l) lane[l] = F::combine(lane[l], A(widen(x[i + l])));
    }
    for (int width = kLanes / 2; width > 0; width /= 2) {
      for (int l = 0; l < width; ++l) lane[l] = F::combine(lane[l], lane[l + width]);
    }
    result = lane[0];
  }
  for (; i < n; ++i) result = F::combine(result, A(widen(x[i])));
  return result;
}

template <class F, class T>
void run(const void* x, int64_t n, void* to) {
  *static_cast<Accumulator<F, T>*>(to) = reduce_run<F>(static_cast<const T*>(x), n);
}

// to[j] = rows [begin, end) of x combined, j < r.inner.
template <class F, class T>
void rows(const Reduction& r, const void* from, int64_t begin, int64_t end, void* result) {
  using A = Accumulator<F, T>;
  const T* x = static_cast<const T*>(from);
  A* to = static_cast<A*>(result);
  std::fill(to, to + r.inner, F::template identity<A>);
  int64_t row = begin;
  // Four rows per pass: `to` is read and written a quarter as often.
  for (; row + 4 <= end; row += 4) {
    const T *a = x + r.reduced.offset(row), *b = x + r.reduced.offset(row + 1),
            *c = x + r.reduced.offset(row + 2), *d = x + r.reduced.offset(row + 3);
    each(r.inner, [=](int64_t j) {
      const A ab = F::combine(A(widen(a[j])), A(widen(b[j]))),
              cd = F::combine(A(widen(c[j])), A(widen(d[j])));
      to[j] = F::combine(to[j], F::combine(ab, cd));
    });
  }
  for (; row < end; ++row) {
    const T* a = x + r.reduced.offset(row);
    each(r.inner, [=](int64_t j) { to[j] = F::combine(to[j], A(widen(a[j]))); });
  }
}

// to[j] combined with from[j].
template <class F, class A>
void fold(void* to, const void* from, int64_t n) {
  each(n, [a = static_cast<A*>(to), b = static_cast<const A*>(from)](int64_t j) {
    a[j] = F::combine(a[j], b[j]);
  });
}

// The results as stored: for a mean the quotient.
template <class F, class T>
void finish(const void* from, void* to, int64_t n, int64_t count) {
  using A = Accumulator<F, T>;
  const A* value = static_cast<const A*>(from);
  T* out = static_cast<T*>(to);
  if constexpr (std::is_same_v<F, Mean>) {
    each(n, [=](int64_t j) { out[j] = T(value[j] / static_cast<A>(count)); });
  } else {
    each(n, [=](int64_t j) { out[j] = T(value[j]); });
  }
}

struct Loops {
  void (*run)(const void* x, int64_t n, void* to);        // of T
  void (*run_parts)(const void* x, int64_t n, void* to);  // of A
  void (*rows)(const Reduction& r, const void* x, int64_t begin, int64_t end, void* to);
  void (*fold)(void* to, const void* from, int64_t n);
  void (*finish)(const void* from, void* to, int64_t n, int64_t count);
  int64_t size, part_size;  // bytes of T and A
  DType part;
  bool needs_elements;  // a mean of no integers is an error
};
template <class F, class T>
Loops loops_of() {
  using A = Accumulator<F, T>;
  constexpr bool kMean = std::is_same_v<F, Mean>, kIntMean = kMean && std::is_integral_v<T>;
  // Means of floats are sums until they are finished, and only means are finished by themselves.
  using Combine = std::conditional_t<kMean && !kIntMean, Sum, F>;
  using Finish = std::conditional_t<kMean, Mean, Sum>;
  return {run<Combine, T>, run<Combine, A>, rows<Combine, T>, fold<Combine, A>, finish<Finish, T>,
          sizeof(T),       sizeof(A),       dtype_of<A>,      kIntMean};
}
// Sums and products of signed integers have the bits of unsigned ones.
template <class F, class T>
using Combined = std::conditional_t<std::is_same_v<F, Sum> || std::is_same_v<F, Prod>, Added<T>, T>;

// ---- the kernel ---------------------------------------------------------------------------------

constexpr double kCost = 0.25;  // nanoseconds per element
// Elements per piece of a large reduction to few results.
constexpr int64_t kPiece = int64_t{1} << 15;

// All elements to one result: a partial result per piece, then these are combined in order. Pieces
// depend on n only, so the bits are the same for every number of threads.
void reduce_whole(KernelContext& c, const Loops& f, const char* x, int64_t n, char* sum) {
  const int64_t pieces = (n + kPiece - 1) / kPiece;
  if (pieces <= 1) return f.run(x, n, sum);
  Tensor parts = c.scratch(f.part, {pieces});
  char* part = static_cast<char*>(parts.raw_data());
  c.parallel_for(pieces, kCost * kPiece, [&, part](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      f.run(x + p * kPiece * f.size, std::min(kPiece, n - p * kPiece), part + p * f.part_size);
  });
  f.run_parts(part, pieces, sum);
}

// Rows to one row: a partial row per piece, then these are combined in order.
void reduce_to_row(KernelContext& c, const Loops& f, const Reduction& r, const char* x,
                   char* sums) {
  // A piece needs a row of accumulators: their number is bounded, and depends on sizes only.
  constexpr int64_t kMostPieces = 64;
  const int64_t count = r.reduced.count, n = r.inner;
  const int64_t step = std::max({kPiece / n, (count + kMostPieces - 1) / kMostPieces, int64_t{1}});
  const int64_t pieces = (count + step - 1) / step;
  if (pieces <= 1) return f.rows(r, x, 0, count, sums);
  Tensor parts = c.scratch(f.part, {pieces, n});
  char* part = static_cast<char*>(parts.raw_data());
  const int64_t part_row = n * f.part_size;
  c.parallel_for(pieces, kCost * static_cast<double>(step * n),
                 [&, part](int64_t begin, int64_t end) {
                   for (int64_t p = begin; p < end; ++p)
                     f.rows(r, x, p * step, std::min(count, (p + 1) * step), part + p * part_row);
                 });
  for (int64_t p = 1; p < pieces; ++p) f.fold(part, part + p * part_row, n);
  std::memcpy(sums, part, static_cast<size_t>(part_row));
}

// Results [begin, end), each computed from runs or rows of its own.
void reduce_each(const Loops& f, const Reduction& r, const char* x, int64_t begin, int64_t end,
                 char* sums) {
  for (int64_t k = begin; k < end; ++k) {
    const char* from = x + r.kept.offset(k) * f.size;
    if (!r.inner_reduced) {
      f.rows(r, from, 0, r.reduced.count, sums + k * r.inner * f.part_size);
      continue;
    }
    char* sum = sums + k * f.part_size;
    f.run(from, r.reduced.count == 0 ? 0 : r.inner, sum);
    alignas(8) char next[8];
    for (int64_t i = 1; i < r.reduced.count; ++i) {
      f.run(from + r.reduced.offset(i) * f.size, r.inner, next);
      f.fold(sum, next, 1);
    }
  }
}

void reduce_kernel(KernelContext& c, const Loops& f, bool keep_dims) {
  if (c.input(1).rank() > 1)
    c.fail(
        str_cat("reduction_indices must be a scalar or a vector, got shape ", c.input(1).shape()));
  const Reduction r(c.input(0).shape(), c.input(1), keep_dims);
  const char* x = static_cast<const char*>(c.input(0).raw_data());
  char* out = static_cast<char*>(c.allocate(0, r.shape).raw_data());
  const int64_t results = r.results(), count = r.count();
  if (results == 0) return;
  if (f.needs_elements && count == 0) c.fail("the mean of no integers is not defined");
  Tensor memory = c.scratch(f.part, {results});
  char* sums = static_cast<char*>(memory.raw_data());
  if (count == 0) {  // no loop over the rows: a file can claim any number of empty ones
    for (int64_t k = 0; k < results; ++k) f.run(x, 0, sums + k * f.part_size);
  } else if (r.kept.count > 1) {
    c.parallel_for(r.kept.count, kCost * static_cast<double>(r.reduced.count * r.inner) + 4,
                   [&](int64_t begin, int64_t end) { reduce_each(f, r, x, begin, end, sums); });
  } else if (r.inner_reduced) {
    reduce_whole(c, f, x, r.inner, sums);
  } else {
    reduce_to_row(c, f, r, x, sums);
  }
  f.finish(sums, out, results, count);
}

template <class F, class Types>
Kernel reduce_prepare(const KernelSetup& s) {
  const bool keep_dims = s.flag("keep_dims");
  const Loops loops = by_types(Types(), s, s.input_dtype(0),
                               []<class T>() { return loops_of<F, Combined<F, T>>(); });
  return [loops, keep_dims](KernelContext& c) { reduce_kernel(c, loops, keep_dims); };
}

// ---- the ops ------------------------------------------------------------------------------------

void reduction_shape(ShapeContext& c) {
  const Shape& input = c.input(0);
  const Shape& axes_shape = c.input(1);
  c.require(!axes_shape.has_rank() || axes_shape.rank() <= 1,
            str_cat("reduction_indices must be a scalar or a vector, got shape ", axes_shape));
  if (!input.has_rank()) return;
  const bool keep_dims = c.flag("keep_dims");
  const Tensor axes = c.constant(1);
  if (axes.valid()) {
    c.set_output(reduce_shape(input, reduced_axes(axes.to_int64s(), input.rank()), keep_dims));
  } else if (keep_dims) {
    c.set_output(Shape::unknown(input.rank()));
  }
}

template <class F>
constexpr OpDef reduction(std::string_view name,
                          Grads (*gradient)(const Operation&, const Grads&)) {
  return {.name = name,
          .inputs = "input: T, reduction_indices: Tidx",
          .outputs = "output: T",
          .attrs = "keep_dims: bool = false, T: numbertype, Tidx: {int32, int64} = DT_INT32",
          .shape = reduction_shape,
          .prepare = reduce_prepare<F, Reals>,
          .gradient = gradient};
}
template <class F>
constexpr OpDef logical_reduction(std::string_view name) {
  return {.name = name,
          .inputs = "input: bool, reduction_indices: Tidx",
          .outputs = "output: bool",
          .attrs = "keep_dims: bool = false, Tidx: {int32, int64} = DT_INT32",
          .shape = reduction_shape,
          .prepare = reduce_prepare<F, TypeList<bool>>,
          .gradient = not_differentiable};
}

constexpr OpDef kSum = reduction<Sum>("Sum", internal::sum_gradient);
constexpr OpDef kMean = reduction<Mean>("Mean", internal::mean_gradient);
constexpr OpDef kProd = reduction<Prod>("Prod", internal::prod_gradient);
constexpr OpDef kMax = reduction<Max>("Max", internal::extremum_gradient);
constexpr OpDef kMin = reduction<Min>("Min", internal::extremum_gradient);
constexpr OpDef kAll = logical_reduction<All>("All");
constexpr OpDef kAny = logical_reduction<Any>("Any");

Output reduce(const OpDef& op, const Operand& x, const Axes& axes, const ReduceOptions& options) {
  x.require(op.name);
  axes.require(op.name);
  Graph& graph = x.graph();
  const Graph::Transaction whole(graph, x.at());
  Output indices = axes.tensor_or_all(x.output());
  const Attrs attrs = {{"keep_dims", options.keep_dims}};
  const std::string_view name = options.name.empty() ? op.name : std::string_view(options.name);
  if (indices) return add_node(op, {x.output(), indices}, attrs, name, x.at());
  Scope scope = graph.name_scope(name);
  indices = axes.given(graph, "reduction_indices");
  return add_node(op, {x.output(), indices}, attrs, scope.name(), x.at());
}

}  // namespace

Output Axes::tensor_or_all(const Output& x) const {
  if (tensor_) return tensor_->output();
  if (!all_) return {};
  if (!x.shape().has_rank()) {
    const Output count = rank(x);
    return range(Operand(0), count);
  }
  std::vector<int32_t> every;
  for (int i = 0; i < x.shape().rank(); ++i) every.push_back(i);
  return constant(x.graph(), Tensor::vector<int32_t>(every));
}

Output Axes::given(Graph& graph, std::string_view name) const {
  return constant(graph, scalar_ ? Tensor(list_[0]) : Tensor::vector<int32_t>(list_),
                  {.name = std::string(name)});
}

Output reduce_sum(const Operand& x, const Axes& axes, const ReduceOptions& o) {
  return reduce(kSum, x, axes, o);
}
Output reduce_mean(const Operand& x, const Axes& axes, const ReduceOptions& o) {
  return reduce(kMean, x, axes, o);
}
Output reduce_prod(const Operand& x, const Axes& axes, const ReduceOptions& o) {
  return reduce(kProd, x, axes, o);
}
Output reduce_max(const Operand& x, const Axes& axes, const ReduceOptions& o) {
  return reduce(kMax, x, axes, o);
}
Output reduce_min(const Operand& x, const Axes& axes, const ReduceOptions& o) {
  return reduce(kMin, x, axes, o);
}
Output reduce_all(const Operand& x, const Axes& axes, const ReduceOptions& o) {
  return reduce(kAll, x, axes, o);
}
Output reduce_any(const Operand& x, const Axes& axes, const ReduceOptions& o) {
  return reduce(kAny, x, axes, o);
}

std::span<const OpDef* const> reduce_ops() {
  static constexpr const OpDef* kOps[] = {&kAll, &kAny, &kMax, &kMean, &kMin, &kProd, &kSum};
  return kOps;
}

}  // namespace cairn
