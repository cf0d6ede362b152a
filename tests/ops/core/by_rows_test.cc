// Kernels that go on with each other's rows: a product, its bias, activation and loss are computed
// piece by piece.
#include "ops/array/array.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/nn/nn.h"
#include "ops/nn/softmax.h"
#include "ops/state/state.h"
#include "ops/state/variables.h"
#include "runtime/exec/plan.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/naive_evaluator.h"

using namespace cairn;

namespace {

// "MatMul>BiasAdd>Relu MatMul>Softmax": who takes on whose rows when these are fetched.
std::string chains(const std::vector<Output>& fetches, const std::vector<Output>& feeds) {
  internal::PlanKey key;
  for (const Output& fetch : fetches) key.fetches.push_back(fetch.endpoint());
  for (const Output& feed : feeds) key.feeds.push_back(feed.endpoint());
  std::string all, last;
  for (const internal::Step& step : internal::make_plan(key).steps) {
    if (step.fused_input >= 0) {
      const bool goes_on = all.ends_with(last);
      all += str_cat(goes_on && !all.empty() ? "" : (all.empty() ? "" : " ") + last, ">",
                     step.node->op->name);
    }
    last = step.node->op->name;
  }
  return all;
}

struct Layers {
  Layers() {
    x = placeholder(graph, DType::kFloat, {-1, 60}, {.name = "x"});
    labels = placeholder(graph, DType::kInt32, {-1}, {.name = "labels"});
    const Output wide = matmul(x, constant(graph, random.tensor({60, 40})));
    hidden = relu(bias_add(wide, constant(graph, random.tensor({40}))));
    product = matmul(hidden, constant(graph, random.tensor({40, 10})), {.name = "product"});
    logits = product + constant(graph, random.tensor({10}));
    loss = sparse_softmax_cross_entropy_with_logits(
        {.labels = labels, .logits = logits, .name = "loss"});
  }
  std::vector<Tensor> batch(int64_t rows) {
    Tensor y = Tensor::zeros(DType::kInt32, {rows});
    for (int64_t i = 0; i < rows; ++i) y.data<int32_t>()[i] = static_cast<int32_t>(i * 7 % 10);
    return {random.tensor({rows, 60}), y};
  }
  Graph graph;
  RandomGraph random{graph, 3};
  Output x, labels, hidden, product, logits, loss;
};

}  // namespace

TEST_CASE("A layer's bias, activation and loss take on the rows of its product", "[by_rows]") {
  Layers m;
  CHECK(chains({m.loss}, {m.x, m.labels}) ==
        "MatMul>BiasAdd>Relu MatMul>Add>SparseSoftmaxCrossEntropyWithLogits");
  CHECK(chains({m.product, m.loss}, {m.x, m.labels}) ==
        "MatMul>BiasAdd>Relu MatMul>Add>SparseSoftmaxCrossEntropyWithLogits");
  CHECK(chains({m.loss}, {m.product, m.labels}) == "Add>SparseSoftmaxCrossEntropyWithLogits");
}

TEST_CASE("A product waits for what is added to it where nothing in between cares", "[by_rows]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 6}, {.name = "x"});
  const Output product = matmul(x, constant(graph, Tensor::zeros(DType::kFloat, {6, 3})));
  const Output shifted =
      bias_add(product, reduce_sum(constant(graph, Tensor::zeros(DType::kFloat, {6, 3})), 0));
  CHECK(chains({shifted}, {x}) == "MatMul>BiasAdd");
  const Output sum = reduce_sum(product, 0);
  CHECK(chains({shifted, sum}, {x}) == "MatMul>BiasAdd");
  CHECK(chains({bias_add(product, sum)}, {x}) == "");  // the sum reads it first
}

TEST_CASE("A product stays before a change of a variable that it reads", "[by_rows]") {
  Graph graph;
  const Variable w = variable(graph, Tensor::matrix<float>({{1, 2}, {3, 4}}));
  const Output x = placeholder(graph, DType::kFloat, {-1, 2}, {.name = "x"});
  const Output product = matmul(x, w.ref());
  const Output changed = assign(w, zeros(graph, {2, 2}));
  const Output shifted = bias_add(product, reduce_sum(changed, 0));
  CHECK(chains({shifted}, {x}) == "");
  Session session(graph);
  session.run(w.initializer());
  CHECK(session.run(shifted, {{x, Tensor::matrix<float>({{1, 1}})}}).mat<float>()(0, 1) == 6);
}

TEST_CASE(
    "Layers computed row by row give what is computed node by node, bit for bit, for batches of "
    "every size",
    "[by_rows][oracle]") {
  for (const int threads : {1, 2, 3}) {
    Layers m;
    const Output by_hidden = 1.0f - sigmoid(0.5f * (m.hidden * m.hidden));
    const std::vector<Output> fetches = {m.loss, reduce_sum(by_hidden),
                                         reduce_sum(softmax(m.logits), 0), m.hidden};
    Session session(m.graph, {.threads = threads});
    Call call = session.prepare({fetches.begin(), fetches.end()}, {m.x, m.labels});
    for (const int64_t rows :
         {3000, 3000, 3000, 3000, 5, 5, 5, 5, 3001, 3001, 3001, 3001, 0, 1, 997, 997, 997}) {
      CAPTURE(threads, rows);
      CHECK(difference_from_naive(m.graph, call, fetches, {m.x, m.labels}, m.batch(rows)) == "");
    }
  }
}

TEST_CASE("What a product still reads is not overwritten by what goes on with its rows",
          "[by_rows][oracle]") {
  Graph graph;
  RandomGraph random(graph, 5);
  const Output x = placeholder(graph, DType::kFloat, {300, 300});
  const Output right = relu(x), left = tanh(x);
  const std::vector<Output> fetches = {
      reduce_sum(right + matmul(x, right), 0),
      reduce_sum(left - matmul(left, x, {.transpose_a = true}), 0)};
  for (const int threads : {1, 2}) {
    Session session(graph, {.threads = threads});
    Call call = session.prepare({fetches.begin(), fetches.end()}, {x});
    for (int run = 0; run < 5; ++run) {
      CAPTURE(threads, run);
      CHECK(difference_from_naive(graph, call, fetches, {x}, {random.tensor({300, 300})}) == "");
    }
  }
}

TEST_CASE("What goes on with rows in vain says so in its own name, and the next run is as any",
          "[by_rows]") {
  Layers m;
  Session session(m.graph);
  Call call = session.prepare({m.loss}, {m.x, m.labels});
  for (int i = 0; i < 4; ++i) call(m.batch(3000));
  std::vector<Tensor> wrong = m.batch(3000);
  wrong[1].data<int32_t>()[2999] = 10;
  const Error error = error_of([&] { call(wrong); });
  CHECK(says(error, "SparseSoftmaxCrossEntropyWithLogits 'loss/loss'"));
  CHECK(says(error, "label 10 at row 2999 is outside the valid range [0, 10)"));
  CHECK(difference_from_naive(m.graph, call, {m.loss}, {m.x, m.labels}, m.batch(3000)) == "");
}
