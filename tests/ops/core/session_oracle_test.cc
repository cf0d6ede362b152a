// Random graphs of the library's own ops, forward and backward: what sessions make of them against
// the naive evaluator.
#include "ops/array/joining.h"
#include "ops/array/rearranging.h"
#include "ops/array/reshape.h"
#include "ops/array/slicing.h"
#include "ops/core/gradients.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/nn/nn.h"
#include "ops/nn/softmax.h"
#include "ops/state/variables.h"
#include "tests/support/catch.h"
#include "tests/support/naive_evaluator.h"
#include "train/optimizers.h"

using namespace cairn;

namespace {

using Maker = RandomGraph::Maker;
using Outputs = std::vector<Output>;

Outputs if_any(const Output& x) { return x ? Outputs{x} : Outputs{}; }

template <class F>
Maker of_one(F f) {
  return [=](RandomGraph& g) {
    const Output x = g.pick();
    return x ? if_any(f(x)) : Outputs{};
  };
}
template <class F>
Maker of_two(F f) {
  return [=](RandomGraph& g) {
    const Output x = g.pick();
    const Output y = g.pick([&](const Output& o) {
      return o.shape() == x.shape() || o.shape().is_scalar() ||
             (o.shape().rank() == 1 && o.shape() == x.shape().slice(-1));
    });
    return x && y ? if_any(g.chance(0.5) ? f(x, y) : f(y, x)) : Outputs{};
  };
}
template <class F>
Maker of_matrix(F f) {
  return [=](RandomGraph& g) {
    const Output x = g.pick(
        [](const Output& o) { return o.shape().rank() == 2 && o.shape().num_elements() > 0; });
    return x ? f(g, x) : Outputs{};
  };
}

// Sums of squares are what is differentiated, so that gradients are neither all one nor zero.
Outputs backward(RandomGraph& g) {
  const Output y = g.pick();
  if (!y) return {};
  Outputs found;
  for (const Output& dx : gradients(reduce_sum(square(y)), {g.outputs()[0], g.outputs()[1]})) {
    if (dx) found.push_back(dx);
  }
  return found;
}

const std::vector<Maker>& makers() {
  static const std::vector<Maker> kMakers = {
      [](RandomGraph& g) {
        return if_any(constant(g.graph(), g.tensor({4, 2})));
      },
      [](RandomGraph& g) { return if_any(constant(g.graph(), g.tensor({2}))); },
      [](RandomGraph& g) { return if_any(constant(g.graph(), g.tensor({}))); },
      [](RandomGraph& g) {
        return if_any(constant(g.graph(), g.tensor({33, 17})));
      },
      of_two([](Output x, Output y) { return add(x, y); }),
      of_two([](Output x, Output y) { return subtract(x, y); }),
      of_two([](Output x, Output y) { return multiply(x, y); }),
      of_two([](Output x, Output y) { return maximum(x, y); }),
      of_two([](Output x, Output y) { return squared_difference(x, y); }),
      of_two([](Output x, Output y) { return x / (square(y) + 1.0f); }),
      of_one([](Output x) { return negative(x); }),
      of_one([](Output x) { return tanh(x); }),
      of_one([](Output x) { return sigmoid(x); }),
      of_one([](Output x) { return relu(x); }),
      of_one([](Output x) { return log1p(square(x)); }),
      of_one([](Output x) { return identity(x); }),
      of_one([](Output x) {
        return add_n({x, x, x});
      }),
      of_one([](Output x) { return reduce_mean(x); }),
      of_one([](Output x) {
        return x.shape().is_scalar() ? Output() : reduce_sum(x, -1, {.keep_dims = true});
      }),
      of_one([](Output x) { return reshape(x, {-1}); }),
      of_matrix([](RandomGraph&, Output x) { return if_any(transpose(x)); }),
      of_matrix([](RandomGraph&, Output x) { return if_any(softmax(x)); }),
      of_matrix([](RandomGraph&, Output x) { return if_any(log_softmax(x)); }),
      of_matrix([](RandomGraph&, Output x) { return if_any(reduce_sum(x, 0)); }),
      of_matrix([](RandomGraph&, Output x) {
        return if_any(concat({x, x}, 0));
      }),
      of_matrix([](RandomGraph&, Output x) {
        return if_any(slice(x, {1, 0}, {-1, -1}));
      }),
      of_matrix([](RandomGraph&, Output x) { return x.shape()[0] % 2 ? Outputs{} : split(x, 2); }),
      of_matrix([](RandomGraph&, Output x) {
        return if_any(reshape(x, {x.shape()[1], x.shape()[0]}));
      }),
      of_matrix([](RandomGraph& g, Output x) {
        const bool ta = g.chance(0.5), tb = g.chance(0.5);
        const Output y = g.pick([&](const Output& o) {
          return o.shape().rank() == 2 && o.shape()[tb ? 1 : 0] == x.shape()[ta ? 0 : 1];
        });
        return y ? if_any(matmul(x, y, {.transpose_a = ta, .transpose_b = tb})) : Outputs{};
      }),
      of_matrix([](RandomGraph& g, Output x) {
        const Output b = g.pick([&](const Output& o) { return o.shape() == x.shape().slice(1); });
        return b ? if_any(bias_add(x, b)) : Outputs{};
      }),
      backward,
  };
  return kMakers;
}

}  // namespace

TEST_CASE(
    "Sessions give what a naive evaluator gives, bit for bit, on random models and their gradients",
    "[ops][oracle]") {
  for (uint64_t seed = 1; seed <= 3000; ++seed) CHECK(difference_from_naive(makers(), seed) == "");
}

TEST_CASE("They do where tensors are large enough to be computed piece by piece", "[ops][oracle]") {
  for (uint64_t seed = 1; seed <= 25; ++seed)
    CHECK(difference_from_naive(makers(), seed, {700, 300}) == "");
}

TEST_CASE("Runs give what a naive evaluator gives as batches grow, shrink and stay from run to run",
          "[ops][oracle]") {
  Graph graph;
  RandomGraph random(graph, 7);
  const Output x = placeholder(graph, DType::kFloat, {-1, 6}),
               y = placeholder(graph, DType::kFloat, {-1, 3});
  const Output w = constant(graph, random.tensor({6, 3})), b = constant(graph, random.tensor({3}));
  const Output z = bias_add(matmul(x, w), b);
  const Output loss = reduce_mean(softmax_cross_entropy_with_logits({.labels = y, .logits = z})) +
                      reduce_sum(square(relu(z)) / 3.0f) +
                      reduce_sum(reduce_mean(tanh(identity(x)) * x, {0}));
  std::vector<Output> fetches = gradients(loss, {w, b, x});
  fetches.push_back(loss);
  fetches.push_back(shape(z));
  fetches.push_back(identity(x));
  Session session(graph, {.threads = 2});
  Call call = session.prepare({fetches.begin(), fetches.end()}, {x, y});
  for (const int64_t rows :
       {4, 4, 4, 4, 9, 9, 4, 1, 1, 1, 1, 40, 4, 4, 4, 300, 300, 300, 300, 0, 4}) {
    CAPTURE(rows);
    CHECK(difference_from_naive(graph, call, fetches, {x, y},
                                {random.tensor({rows, 6}), random.tensor({rows, 3})}) == "");
  }
}

TEST_CASE("A kernel that gives its input on in some runs alone does not see it overwritten",
          "[ops][oracle]") {
  Graph graph;
  RandomGraph random(graph, 11);
  const Output x = placeholder(graph, DType::kFloat, {-1}),
               borders = placeholder(graph, DType::kInt32, {1, 2});
  // the same tensor where there are no borders
  const Output doubled = x * 2.0f, padded = pad(doubled, borders);
  // may stand where `doubled` stood
  const Output after = x * 3.0f;
  const std::vector<Output> fetches = {reduce_sum(padded), reduce_sum(after)};
  Session session(graph, {.threads = 1});
  Call call = session.prepare({fetches.begin(), fetches.end()}, {x, borders});
  for (const int border : {1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1}) {
    CAPTURE(border);
    CHECK(difference_from_naive(graph, call, fetches, {x, borders},
                                {random.tensor({100}), Tensor::matrix<int32_t>({{border, 0}})}) ==
          "");
  }
}

TEST_CASE(
    "A session that trains on batches of changing size takes each step as a fresh session would",
    "[ops][oracle]") {
  for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{712, 712, 149, 149, 149, 712, 712},
                                            {256, 256, 256, 128, 128, 128, 256},
                                            {10, 10, 1, 1, 1, 10, 10}}) {
    CAPTURE(sizes);
    Graph graph;
    const Output x = placeholder(graph, DType::kFloat, {-1}),
                 y = placeholder(graph, DType::kFloat, {-1});
    const Variable slope = variable(zeros(graph, {})), height = variable(zeros(graph, {}));
    const Output loss = reduce_mean(square(slope * x + height - y));
    const Operation train = GradientDescentOptimizer(0.1).minimize(loss);
    RandomGraph random(graph, 1);
    std::vector<Feeds> batches;
    for (const int64_t rows : sizes)
      batches.push_back({{x, random.tensor({rows})}, {y, random.tensor({rows})}});
    // The fresh ones come first, so that in the used one nothing but its steps takes memory or
    // gives it back.
    std::vector<std::pair<Tensor, Tensor>> expected;
    SessionSnapshot values;
    for (const Feeds& batch : batches) {
      Session fresh(graph);
      expected.empty() ? void(fresh.run(global_variables_initializer(graph))) : fresh.load(values);
      fresh.run(train, batch);
      expected.emplace_back(fresh.value(slope), fresh.value(height));
      values = fresh.snapshot();
    }
    Session used(graph);
    used.run(global_variables_initializer(graph));
    for (size_t i = 0; i < batches.size(); ++i) {
      used.run(train, batches[i]);
      CAPTURE(i);
      CHECK(bit_equal(used.run(slope), expected[i].first));
      CHECK(bit_equal(used.run(height), expected[i].second));
    }
  }
}
