// Products that are made where they are wanted: a gradient goes straight into its variable.
#include <algorithm>

#include "ops/array/array.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/nn/softmax.h"
#include "ops/state/state.h"
#include "ops/state/variables.h"
#include "runtime/exec/plan.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "train/optimizers.h"

namespace cairn {
namespace {

Tensor pattern(const Shape& shape, int seed, DType dtype = DType::kFloat) {
  Tensor t = Tensor::uninitialized(dtype, shape);
  for (int64_t i = 0; i < t.num_elements(); ++i) {
    const double value = static_cast<double>((i * 7 + seed * 13) % 19) / 19 - 0.4;
    if (dtype == DType::kHalf) {
      t.data<Half>()[i] = Half(static_cast<float>(value));
    } else {
      dtype == DType::kFloat ? t.data<float>()[i] = static_cast<float>(value)
                             : t.data<double>()[i] = value;
    }
  }
  return t;
}

// w -= 0.5 · a · b, a and b being fed.
struct Descent {
  Descent(const Tensor& start, bool ta, bool tb, bool resource = false) : session(graph) {
    w = variable(graph, start, {.name = "w", .use_resource = resource});
    a = placeholder(graph, start.dtype(), {-1, -1}, {.name = "a"});
    b = placeholder(graph, start.dtype(), {-1, -1}, {.name = "b"});
    g = matmul(a, b, {.transpose_a = ta, .transpose_b = tb, .name = "g"});
    step = GradientDescentOptimizer(0.5).apply_gradients({{g, w}});
    session.run(w.initializer());
  }
  bool absorbs(const std::vector<Output>& fetches) const {
    internal::PlanKey key{
        .fetches = {}, .feeds = {a.endpoint(), b.endpoint()}, .targets = {&step.node()}};
    for (const Output& fetch : fetches) key.fetches.push_back(fetch.endpoint());
    const internal::Plan plan = internal::make_plan(key);
    return std::any_of(plan.steps.begin(), plan.steps.end(),
                       [](const internal::Step& s) { return s.absorbed; });
  }
  Graph graph;
  Session session;
  Variable w;
  Output a, b, g;
  Operation step;
};

double element(const Tensor& t, int64_t i) {
  return t.dtype() == DType::kFloat ? t.data<float>()[i] : t.data<double>()[i];
}

TEST_CASE("A gradient that is a product descends as if it had been computed apart, for every shape",
          "[absorb]") {
  for (const DType dtype : {DType::kFloat, DType::kDouble}) {
    for (const int64_t m : {1, 2, 6, 7, 13, 40}) {
      for (const int64_t n : {1, 2, 7, 8, 10, 16, 17}) {
        for (const int64_t k : {0, 1, 5, 33}) {
          for (const int transposes : {0, 1, 2, 3}) {
            const bool ta = transposes & 1, tb = transposes & 2;
            CAPTURE(m, n, k, ta, tb, dtype);
            const Tensor start = pattern({m, n}, 1, dtype);
            const Tensor a = pattern(ta ? Shape{k, m} : Shape{m, k}, 2, dtype);
            const Tensor b = pattern(tb ? Shape{n, k} : Shape{k, n}, 3, dtype);
            Descent descent(start, ta, tb, /*resource=*/transposes == 1);
            descent.session.run(descent.step, {{descent.a, a}, {descent.b, b}});
            const Tensor after = descent.session.value(descent.w);
            double worst = 0;
            for (int64_t i = 0; i < m; ++i) {
              for (int64_t j = 0; j < n; ++j) {
                double product = 0;
                for (int64_t q = 0; q < k; ++q) {
                  product += element(a, ta ? q * m + i : i * k + q) *
                             element(b, tb ? j * k + q : q * n + j);
                }
                worst = std::max(worst, std::abs(element(after, i * n + j) -
                                                 element(start, i * n + j) + 0.5 * product));
              }
            }
            CHECK(worst < (dtype == DType::kFloat ? 1e-5 : 1e-13));
          }
        }
      }
    }
  }
}

TEST_CASE("A product is absorbed where nobody else wants it, and given where it is fetched",
          "[absorb]") {
  Descent descent(pattern({2, 3}, 1), false, false);
  CHECK(descent.absorbs({}));
  CHECK(!descent.absorbs({descent.g}));
  CHECK(!descent.absorbs({reduce_sum(descent.g)}));
  const Feeds feeds = {{descent.a, pattern({2, 4}, 2)}, {descent.b, pattern({4, 3}, 3)}};
  const Tensor product = descent.session.run(descent.g, feeds);
  CHECK(bit_equal(descent.session.run_all({descent.g, descent.step}, feeds)[0], product));
}

// A softmax regression after some steps, its gradients fetched at each of them or not.
Tensor trained(Optimizer optimizer, DType dtype, int64_t batch, int64_t in, int64_t out,
               bool transposed, int threads, bool fetches) {
  Graph graph;
  const Variable w =
      variable(graph, pattern(transposed ? Shape{out, in} : Shape{in, out}, 1, dtype));
  const Output x = placeholder(graph, dtype, {-1, in}), y = placeholder(graph, dtype, {-1, out});
  const Output logits = matmul(x, w, {.transpose_b = transposed});
  const Output loss =
      reduce_mean(softmax_cross_entropy_with_logits({.labels = y, .logits = logits}));
  const GradientsAndVariables grads = optimizer.compute_gradients(loss);
  const Operation step = optimizer.apply_gradients(grads);
  Session session(graph, {.threads = threads});
  session.run(global_variables_initializer(graph));
  for (int i = 0; i < 4; ++i) {
    const Feeds feeds = {{x, pattern({batch, in}, i, dtype)},
                         {y, pattern({batch, out}, i + 5, dtype)}};
    fetches ? (void)session.run({grads[0].gradient}, feeds, {step})
            : (void)session.run(step, feeds);
  }
  return session.value(w);
}

TEST_CASE("Fetching the gradient changes no bit of training, whatever the sizes", "[absorb]") {
  const GradientDescentOptimizer descent(0.3);
  for (const DType dtype : {DType::kFloat, DType::kDouble, DType::kHalf}) {
    for (const int64_t batch : {1, 2, 3, 7, 16, 17}) {
      for (const int64_t in : {1, 2, 5, 17, 64, 200}) {
        for (const int64_t out : {1, 2, 3, 8, 10, 16, 17, 64}) {
          const bool transposed = (in + out + batch) % 2 == 0;
          CAPTURE(dtype, batch, in, out, transposed);
          CHECK(bit_equal(trained(descent, dtype, batch, in, out, transposed, 1, false),
                          trained(descent, dtype, batch, in, out, transposed, 1, true)));
        }
      }
    }
  }
}

TEST_CASE("Fetching the gradient changes no bit of training, on any number of threads",
          "[absorb]") {
  struct Sizes {
    int64_t batch, in, out;
  };
  // The last: products in several parts, one after the other, and cut by columns.
  for (const Sizes& s :
       {Sizes{1, 784, 10}, {1, 30, 3}, {4, 1500, 16}, {300, 700, 40}, {600, 40, 512}}) {
    for (const bool transposed : {false, true}) {
      const GradientDescentOptimizer descent(0.3);
      const auto weights = [&](int threads, bool fetches) {
        return trained(descent, DType::kFloat, s.batch, s.in, s.out, transposed, threads, fetches);
      };
      const Tensor alone = weights(1, false);
      for (const int threads : {1, 2, 4}) {
        CAPTURE(s.batch, s.in, s.out, transposed, threads);
        CHECK(bit_equal(alone, weights(threads, true)));
        CHECK(bit_equal(alone, weights(threads, false)));
      }
    }
  }
}

TEST_CASE("Fetching the gradient changes no bit of any optimizer's training", "[absorb]") {
  const std::vector<Optimizer> optimizers = {GradientDescentOptimizer(0.3),
                                             MomentumOptimizer(0.1, 0.9),
                                             AdagradOptimizer(0.1),
                                             AdadeltaOptimizer(0.1),
                                             AdamOptimizer(0.1),
                                             RMSPropOptimizer(0.1),
                                             RMSPropOptimizer(0.1, {.centered = true}),
                                             FtrlOptimizer(0.1)};
  for (const Optimizer& optimizer : optimizers) {
    for (const int64_t batch : {1, 2}) {
      CAPTURE(optimizer.name(), batch);
      CHECK(bit_equal(trained(optimizer, DType::kFloat, batch, 30, 10, false, 1, false),
                      trained(optimizer, DType::kFloat, batch, 30, 10, false, 1, true)));
    }
  }
}

TEST_CASE("A product of integers or halves, or one that is fed, is not absorbed", "[absorb]") {
  Descent half(Tensor::zeros(DType::kHalf, {2, 3}), false, false);
  CHECK(!half.absorbs({}));
  Descent descent(pattern({1, 1}, 1), false, false);
  descent.session.run(descent.step, {{descent.g, Tensor::matrix<float>({{2}})}});
  CHECK(descent.session.value(descent.w).data<float>()[0] ==
        Approx(element(pattern({1, 1}, 1), 0) - 1));
}

TEST_CASE("A variable that descends by a product with itself takes its old value for that",
          "[absorb]") {
  Graph graph;
  const Variable w = variable(graph, Tensor::matrix<float>({{1, 2}, {3, 4}}), {.name = "w"});
  const Operation step = GradientDescentOptimizer(1).apply_gradients({{matmul(w, w), w}});
  Session session(graph);
  session.run(w.initializer());
  session.run(step);
  const Tensor after = session.value(w);
  CHECK(std::vector<float>(after.data<float>(), after.data<float>() + 4) ==
        std::vector<float>{-6, -8, -12, -18});
}

TEST_CASE("What is wrong with an absorbed product is said in its name, and the variable stays",
          "[absorb]") {
  const Tensor start = pattern({2, 3}, 1);
  Descent descent(start, false, false);
  const auto run = [&](const Shape& a, const Shape& b) {
    return error_of([&] {
      descent.session.run(descent.step, {{descent.a, pattern(a, 1)}, {descent.b, pattern(b, 1)}});
    });
  };
  CHECK(says(run({2, 4}, {5, 3}), "MatMul 'g'"));
  CHECK(says(run({2, 4}, {5, 3}), "inner dimensions differ: a is [2,4], b is [5,3]"));
  CHECK(says(run({3, 4}, {4, 3}), "variable 'w' is of shape [2,3], the gradient of shape [3,3]"));
  const Output rate = placeholder(descent.graph, DType::kFloat);
  const Output step = add_node(*apply_gradient_descent().ref, {descent.w.ref(), rate, descent.g});
  const Error error = error_of([&] {
    descent.session.run(step.op(), {{descent.a, pattern({2, 4}, 1)},
                                    {descent.b, pattern({4, 3}, 1)},
                                    {rate, Tensor::vector<float>({1, 2})}});
  });
  CHECK(says(error, "alpha is of shape [2], expected a scalar"));
  CHECK(bit_equal(descent.session.value(descent.w), start));
}

}  // namespace
}  // namespace cairn
