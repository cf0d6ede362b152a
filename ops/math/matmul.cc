#include "ops/math/matmul.h"

#include "ops/core/gemm.h"

namespace cairn {
namespace {

// ---- MatMul -------------------------------------------------------------------------------------

void matmul_shape(ShapeContext& c) {
  const auto [m, k] = c.matrix(0, "a", c.flag("transpose_a"));
  const auto [l, n] = c.matrix(1, "b", c.flag("transpose_b"));
  c.same(k, l, "inner dimensions");
  c.set_output({m, n});
}

Kernel matmul_prepare(const KernelSetup& s) {
  const bool ta = s.flag("transpose_a"), tb = s.flag("transpose_b");
  return by_dtype<float, double, int32_t, int64_t, Half, BFloat16>(
      s, s.dtype("T"), [=]<class T>() -> Kernel {
        return [=](KernelContext& c) {
          const auto [m, n, k] = product_extents(c.node(), c.input(0), c.input(1), ta, tb);
          c.allocate(0, {m, n});
          gemm<T>(c, ta, tb, m, n, k, c.in<T>(0), c.in<T>(1), c.out<T>(0), ByRows::kMakes);
        };
      });
}

// Shapes after transposition: a [m,k], b [k,n], dy [m,n].
Grads matmul_gradient(const Operation& op, const Grads& dy) {
  const Output a = op.input(0), b = op.input(1), g = dy[0];
  const bool ta = op.flag("transpose_a"), tb = op.flag("transpose_b");
  if (!ta && !tb) return {matmul(g, b, {.transpose_b = true}), matmul(a, g, {.transpose_a = true})};
  if (!ta && tb) return {matmul(g, b), matmul(g, a, {.transpose_a = true})};
  if (ta && !tb) return {matmul(b, g, {.transpose_b = true}), matmul(a, g)};
  return {matmul(b, g, {.transpose_a = true, .transpose_b = true}),
          matmul(g, a, {.transpose_a = true, .transpose_b = true})};
}

constexpr OpDef kMatMul = {
    .name = "MatMul",
    .inputs = "a: T, b: T",
    .outputs = "product: T",
    .attrs =
        "transpose_a: bool = false, transpose_b: bool = false, "
        "T: {bfloat16, half, float, double, int32, int64, complex64, complex128}",
    .by_rows = ByRows::kMakes,
    .shape = matmul_shape,
    .prepare = matmul_prepare,
    .gradient = matmul_gradient};

// ---- BatchMatMul --------------------------------------------------------------------------------

// The extents of the last two axes, exchanged if `adjoint`; unknown if the rank is.
std::pair<int64_t, int64_t> last_two(const Shape& shape, bool adjoint) {
  if (!shape.has_rank()) return {kUnknownDim, kUnknownDim};
  const int64_t rows = shape.dim(-2), cols = shape.dim(-1);
  return adjoint ? std::pair(cols, rows) : std::pair(rows, cols);
}

void batch_matmul_shape(ShapeContext& c) {
  const Shape x = c.with_rank_at_least(0, 2, "x"), y = c.with_rank_at_least(1, 2, "y");
  const auto [m, k] = last_two(x, c.flag("adj_x"));
  const auto [l, n] = last_two(y, c.flag("adj_y"));
  c.same(k, l, "inner dimensions");
  c.set_output(concat(merge(x.slice(0, -2), y.slice(0, -2)), {m, n}));
}

Kernel batch_matmul_prepare(const KernelSetup& s) {
  const bool adj_x = s.flag("adj_x"), adj_y = s.flag("adj_y");
  return by_dtype<float, double, int32_t, int64_t, Half, BFloat16>(
      s, s.dtype("T"), [=]<class T>() -> Kernel {
        return [=](KernelContext& c) {
          const Shape x = c.input(0).shape(), y = c.input(1).shape();
          if (x.rank() < 2 || x.rank() != y.rank() || x.slice(0, -2) != y.slice(0, -2))
            c.fail(
                str_cat("x and y must be stacks of as many matrices, got shapes ", x, " and ", y));
          const auto [m, k] = last_two(x, adj_x);
          const auto [l, n] = last_two(y, adj_y);
          if (k != l) c.fail(str_cat("inner dimensions differ: x is ", x, ", y is ", y));
          const Shape stack = x.slice(0, -2);
          c.allocate(0, concat(stack, {m, n}));
          batch_gemm<T>(c, adj_x, adj_y, stack.num_elements(), m, n, k, c.in<T>(0), c.in<T>(1),
                        c.out<T>(0));
        };
      });
}

// Shapes after transposition: x […,m,k], y […,k,n], dy [,…,m,n].
Grads batch_matmul_gradient(const Operation& op, const Grads& dy) {
  const Output x = op.input(0), y = op.input(1), g = dy[0];
  const bool adj_x = op.flag("adj_x"), adj_y = op.flag("adj_y");
  if (!adj_x && !adj_y)
    return {matmul(g, y, {.transpose_b = true}), matmul(x, g, {.transpose_a = true})};
  if (!adj_x && adj_y) return {matmul(g, y), matmul(g, x, {.transpose_a = true})};
  if (adj_x && !adj_y) return {matmul(y, g, {.transpose_b = true}), matmul(x, g)};
  return {matmul(y, g, {.transpose_a = true, .transpose_b = true}),
          matmul(g, x, {.transpose_a = true, .transpose_b = true})};
}

constexpr OpDef kBatchMatMul = {
    .name = "BatchMatMul",
    .inputs = "x: T, y: T",
    .outputs = "output: T",
    .attrs =
        "T: {bfloat16, half, float, double, int32, int64, complex64, complex128}, "
        "adj_x: bool = false, adj_y: bool = false",
    .shape = batch_matmul_shape,
    .prepare = batch_matmul_prepare,
    .gradient = batch_matmul_gradient};

}  // namespace

Output matmul(const Operand& a, const Operand& b, const MatMulOptions& options) {
  a.require("MatMul");
  b.require("MatMul");
  const auto is_stack = [](const Output& x) {
    return !x.shape().has_rank() || x.shape().rank() > 2;
  };
  if (is_stack(a.output()) && is_stack(b.output()))
    return batch_matmul(a, b,
                        {.adj_x = options.transpose_a,
                         .adj_y = options.transpose_b,
                         .name = options.name.empty() ? "MatMul" : options.name});
  const Graph::Transaction whole(a.graph());
  return add_node(kMatMul, {a.output(), b.output()},
                  {{"transpose_a", options.transpose_a}, {"transpose_b", options.transpose_b}},
                  options.name, a.at());
}

Output batch_matmul(const Operand& x, const Operand& y, const BatchMatMulOptions& options) {
  const Graph::Transaction whole(x.graph());
  return add_node(kBatchMatMul, {x.output(), y.output()},
                  {{"adj_x", options.adj_x}, {"adj_y", options.adj_y}}, options.name, x.at());
}

std::span<const OpDef* const> matmul_ops() {
  static constexpr const OpDef* kOps[] = {&kBatchMatMul, &kMatMul};
  return kOps;
}

}  // namespace cairn
