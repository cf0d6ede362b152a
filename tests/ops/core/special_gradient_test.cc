// Gradients at zeros, at ties, where something is empty, and gradients of gradients.
#include <cmath>

#include "ops/array/gather.h"
#include "ops/array/joining.h"
#include "ops/array/rearranging.h"
#include "ops/conv/conv.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"
#include "ops/nn/nn.h"
#include "ops/nn/softmax.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/numeric_gradient.h"

namespace cairn {
namespace {

// The gradient of sum(weights * build(x)) as something to be differentiated again.
template <class Build>
auto gradient_of(const Build& build) {
  return [build](Output x) {
    const Output y = build(x);
    return gradients(reduce_sum(y * y), {x})[0];
  };
}

const std::vector<Tensor> kZeros = {
    Tensor::vector<double>({2, 0, 3}), Tensor::vector<double>({0, 2, 3}),
    Tensor::vector<double>({2, 3, 0}), Tensor::vector<double>({0, 2, 0, 3}),
    Tensor::vector<double>({0, 0, 0}), Tensor::vector<double>({1, 2, 3})};

}  // namespace

TEST_CASE("The gradient of a running product agrees with differences whatever elements are zero",
          "[special][gradient]") {
  for (const bool exclusive : {false, true}) {
    for (const bool reverse : {false, true}) {
      for (const Tensor& x : kZeros)
        check_gradient(
            [&](Output v) { return cumprod(v, 0, {.exclusive = exclusive, .reverse = reverse}); },
            {x});
      const auto along_rows = [&](Output v) {
        return cumprod(v, 1, {.exclusive = exclusive, .reverse = reverse});
      };
      check_gradient(along_rows, {Tensor::matrix<double>({{2, 0, 3}, {0, 0, 5}, {1, 2, 4}})});
    }
  }
}

TEST_CASE("The gradient of x to the power 0 is 0 at x = 0, whether the power is fed or constant",
          "[special][gradient]") {
  Graph graph;
  const Tensor base = Tensor::vector<float>({0, 2, 0}), power = Tensor::vector<float>({0, 0, 1});
  const Output x = placeholder(graph, DType::kFloat, {3}),
               y = placeholder(graph, DType::kFloat, {3});
  Session session(graph);
  const Tensor expected = Tensor::vector<float>({0, 0, 1});
  CHECK(bit_equal(session.run(gradients(pow(x, y), {x})[0], {{x, base}, {y, power}}), expected));
  CHECK(bit_equal(session.run(gradients(pow(x, constant(graph, power)), {x})[0], {{x, base}}),
                  expected));
}

TEST_CASE("Second derivatives of products agree with differences where there are zeros",
          "[special][gradient]") {
  for (const Tensor& x : kZeros) {
    check_gradient([](Output v) { return gradients(reduce_prod(v), {v})[0]; }, {x});
    check_gradient(gradient_of([](Output v) { return reduce_prod(v); }), {x}, {.tolerance = 1e-5});
  }
  check_gradient([](Output v) { return gradients(cumprod(v), {v})[0]; },
                 {Tensor::vector<double>({2, 0, 3})});
}

TEST_CASE("What a later slice of a stitch wrote over has no gradient", "[special][gradient]") {
  const Tensor first = Tensor::vector<int32_t>({0, 2, 0}),
               second = Tensor::matrix<int32_t>({{1, 2}});
  const auto stitch = [](const std::vector<Output>& v) {
    return dynamic_stitch({v[0], v[1]}, {v[2], v[3]});
  };
  check_gradient(stitch, {first, second, doubles({3, 2}), doubles({1, 2, 2}, -1, 1, 1)});
  check_gradient(stitch,
                 {Tensor(int32_t{0}), Tensor(int32_t{0}), doubles({2}), doubles({2}, -1, 1, 1)});
  Graph graph;  // as constants, whose places are known
  const Output place = constant(graph, Tensor::vector<int32_t>({0}));
  const Output a = constant(graph, Tensor::of<float>({1, 1}, {5})),
               b = constant(graph, Tensor::of<float>({1, 1}, {6}));
  const std::vector<Output> grads = gradients(dynamic_stitch({place, place}, {a, b}), {a, b});
  Session session(graph);
  CHECK(session.run(grads[0]).data<float>()[0] == 0);
  CHECK(session.run(grads[1]).data<float>()[0] == 1);
}

TEST_CASE("The gradient of SparseToDense goes to the values that stand in it",
          "[special][gradient]") {
  const auto dense = [](bool validate) {
    return [=](const std::vector<Output>& v) {
      return sparse_to_dense(v[0], {2, 3}, v[1],
                             {.default_value = v[2], .validate_indices = validate});
    };
  };
  const Tensor pairs = Tensor::matrix<int32_t>({{0, 1}, {1, 2}}),
               twice = Tensor::matrix<int32_t>({{0, 1}, {0, 1}});
  check_gradient(dense(true), {pairs, doubles({2}), Tensor(0.5)});
  check_gradient(dense(true), {pairs, Tensor(0.25), Tensor(0.5)});
  check_gradient(dense(false), {twice, doubles({2}), Tensor(0.5)});
  const auto flat = [](const std::vector<Output>& v) {
    return sparse_to_dense(v[0], {4}, v[1], {.default_value = v[2]});
  };
  check_gradient(flat, {Tensor::vector<int32_t>({1, 3}), doubles({2}), Tensor(0.5)});
  check_gradient(flat, {Tensor(int32_t{2}), Tensor(0.25), Tensor(0.5)});
}

TEST_CASE("The gradient of top k goes to where the values stood", "[special][gradient]") {
  for (const int k : {0, 1, 2, 4}) {
    for (const Shape& shape : {Shape{4}, Shape{3, 4}, Shape{2, 2, 5}, Shape{0, 4}})
      check_gradient([k](Output x) { return top_k(x, k).first; }, {doubles(shape)});
  }
  check_gradient([](Output x) { return gradients(square(top_k(x, 2).first), {x})[0]; },
                 {doubles({3, 4})});
}

TEST_CASE("Gradients of gradients of activations and of pooling agree with differences",
          "[special][gradient]") {
  using Unary = Output (*)(const Operand&, const NameOptions&);
  for (const Unary f : {Unary(relu), Unary(relu6), Unary(elu), Unary(selu), Unary(softplus),
                        Unary(softsign), Unary(sigmoid), Unary(cairn::tanh)}) {
    Graph graph;
    INFO(f(placeholder(graph, DType::kDouble), {}).op().type());
    check_gradient(gradient_of([&](Output x) { return f(x, {}); }), {doubles({2, 3}, -2, 2)},
                   {.tolerance = 1e-5});
  }
  for (const char* padding : {"VALID", "SAME"}) {
    const PoolOptions options = {
        .ksize = {1, 2, 2, 1}, .strides = {1, 1, 1, 1}, .padding = padding};
    const auto pooled = [&](Output x) { return max_pool(x, options); };
    check_gradient(gradient_of(pooled), {doubles({2, 3, 3, 2})});
    check_gradient(gradient_of(gradient_of(pooled)), {doubles({1, 3, 3, 1})});
    check_gradient(gradient_of([&](Output x) { return avg_pool(x, options); }),
                   {doubles({2, 3, 3, 2})});
  }
}

TEST_CASE("Powers have gradients at zero, and of gradients too", "[special][gradient]") {
  const auto at = [](std::vector<double> x, std::vector<double> y) {
    Graph graph;
    const Output a = constant(graph, Tensor::vector<double>(x)),
                 b = constant(graph, Tensor::vector<double>(y));
    const std::vector<Output> first = gradients(pow(a, b), {a, b});
    const std::vector<Output> second = gradients(first[0], {a});
    Session session(graph);
    return std::vector<Tensor>{session.run(first[0]), session.run(first[1]),
                               session.run(second[0])};
  };
  const auto found = at({0, 0, 0, 0, 3}, {0, 1, 2, 3, 0});
  CHECK(bit_equal(found[0], Tensor::vector<double>({0, 1, 0, 0, 0})));
  CHECK(bit_equal(found[2], Tensor::vector<double>({0, 0, 2, 0, 0})));
  for (int64_t i = 0; i < 4; ++i) CHECK(found[1].data<double>()[i] == 0);
}

TEST_CASE("Gradients are zeros of the right shape where something is empty",
          "[special][gradient]") {
  using Reduce = Output (*)(const Operand&, const Axes&, const ReduceOptions&);
  for (const Reduce f : {Reduce(reduce_sum), Reduce(reduce_mean), Reduce(reduce_prod),
                         Reduce(reduce_max), Reduce(reduce_min)}) {
    for (const int axis : {0, 1})
      check_gradient([&](Output x) { return f(x, axis, {}); }, {doubles({2, 0, 3})});
  }
  check_gradient([](Output x) { return tile(x, {0, 2}); }, {doubles({2, 3})});
  check_gradient([](Output x) { return cumprod(x, 1); }, {doubles({2, 0, 3})});
  check_gradient(
      [](Output x, Output y) {
        return concat({x, y}, 0);
      },
      {doubles({0, 3}), doubles({2, 3})});
  check_gradient([](const std::vector<Output>& v) { return gather(v[1], v[0]); },
                 {Tensor::zeros(DType::kInt32, {0}), doubles({3, 2})});
}

TEST_CASE("Ties share the gradient of a maximum, and repeated places add theirs up",
          "[special][gradient]") {
  Graph graph;
  Session session(graph);
  const Output tied = constant(graph, Tensor::vector<float>({2, 5, 5, 1}));
  CHECK(bit_equal(session.run(gradients(reduce_max(tied), {tied})[0]),
                  Tensor::vector<float>({0, 0.5f, 0.5f, 0})));
  const Output low = constant(graph, Tensor::vector<float>({1, 5, 1, 1}));
  CHECK(session.run(gradients(reduce_min(low), {low})[0]).data<float>()[3] == 1.0f / 3);
  const Tensor ids = Tensor::vector<int32_t>({1, -1, 1, 0});
  check_gradient([](const std::vector<Output>& v) { return unsorted_segment_sum(v[1], v[0], 3); },
                 {ids, doubles({4, 2})});
  check_gradient(
      [](const std::vector<Output>& v) {
        return scatter_nd(v[0], v[1], {3, 2});
      },
      {Tensor::matrix<int32_t>({{1}, {1}, {0}}), doubles({3, 2})});
  check_gradient([](const std::vector<Output>& v) { return gather(v[1], v[0], {.axis = 1}); },
                 {Tensor::vector<int32_t>({1, 1, 0}), doubles({2, 3})});
}

TEST_CASE("The derivative of a loss by logits and labels, one after the other",
          "[special][gradient]") {
  const Tensor labels = Tensor::matrix<double>({{0.2, 0.3, 0.5}, {0, 1, 0}});
  const auto mixed = [](Output logits, Output of) {
    const Output loss = softmax_cross_entropy_with_logits_v2({.labels = of, .logits = logits});
    return gradients(loss, {logits})[0];
  };
  check_gradient(mixed, {doubles({2, 3}), labels});
}

TEST_CASE(
    "Second derivatives of running products agree with differences however many elements are zero",
    "[special][gradient]") {
  std::vector<Tensor> points = kZeros;
  points.push_back(Tensor::vector<double>({0, 0, 3}));
  points.push_back(Tensor::vector<double>({0, 2, 0, 3, 0, 5}));
  points.push_back(Tensor::vector<double>({4, 0, 0, 0}));
  for (const bool exclusive : {false, true}) {
    for (const bool reverse : {false, true}) {
      for (const Tensor& x : points) {
        INFO(x.str() << ", exclusive " << exclusive << ", reverse " << reverse);
        const auto product = [&](Output v) {
          return cumprod(v, 0, {.exclusive = exclusive, .reverse = reverse});
        };
        check_gradient([&](Output v) { return gradients(product(v), {v})[0]; }, {x});
        check_gradient(gradient_of(product), {x}, {.tolerance = 1e-5});
      }
      const auto rows = [&](Output v) {
        return cumprod(v, 1, {.exclusive = exclusive, .reverse = reverse});
      };
      check_gradient(gradient_of(rows), {Tensor::matrix<double>({{0, 0, 3}, {0, 0, 0}, {1, 0, 4}})},
                     {.tolerance = 1e-5});
    }
  }
}

TEST_CASE("Third derivatives of running products are right where at most two elements are zero",
          "[special][gradient]") {
  for (const Tensor& x :
       {Tensor::vector<double>({0, 2, 0, 3}), Tensor::vector<double>({2, 0, 3, 4})}) {
    check_gradient(
        [](Output v) {
          const Output first = gradients(cumprod(v), {v})[0];
          return gradients(reduce_sum(first * first), {v})[0];
        },
        {x}, {.tolerance = 1e-5});
  }
}

}  // namespace cairn
