// What a step of training costs besides its arithmetic, and on what its results depend.
#include <atomic>
#include <cstdlib>
#include <new>

#include "ops/array/array.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/nn/nn.h"
#include "ops/nn/softmax.h"
#include "ops/random/random.h"
#include "ops/state/variables.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/sanitized.h"
#include "train/optimizers.h"

namespace {

std::atomic<int64_t> news{0};

}  // namespace

// Counts what this program takes from the heap; tensors' memory is counted by Call::allocations.
// Sanitizers have their own operators, which must not be mixed with these.
#if !defined(CAIRN_SANITIZED)
void* operator new(size_t size) {
  ++news;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
#endif

using namespace cairn;

namespace {

// A perceptron of one hidden layer, a training step of which takes the loss along.
struct Perceptron {
  Perceptron(int threads, int64_t inputs, int64_t hidden, bool adam = false)
      : session(graph, {.threads = threads}) {
    x = placeholder(graph, DType::kFloat, {-1, inputs});
    y = placeholder(graph, DType::kFloat, {-1, 10});
    graph.set_seed(7);
    const Variable w1 = get_variable(graph, "w1", {inputs, hidden}),
                   b1 = get_variable(graph, "b1", {hidden}, {.initializer = zeros_initializer()});
    const Variable w2 = get_variable(graph, "w2", {hidden, 10}),
                   b2 = get_variable(graph, "b2", {10}, {.initializer = zeros_initializer()});
    const Output logits = matmul(relu(matmul(x, w1) + b1), w2) + b2;
    loss = reduce_mean(softmax_cross_entropy_with_logits({.labels = y, .logits = logits})) +
           1e-4f * l2_loss(w1);
    const Variable step = create_global_step(graph);
    train = adam ? AdamOptimizer(0.01).minimize(loss, {.global_step = step})
                 : GradientDescentOptimizer(0.1).minimize(loss, {.global_step = step});
    session.run(global_variables_initializer(graph));
    call = session.prepare({loss}, {x, y}, {train});
  }

  static std::vector<Tensor> batch(int64_t rows, int64_t inputs) {
    Tensor images = Tensor::zeros(DType::kFloat, {rows, inputs}),
           labels = Tensor::zeros(DType::kFloat, {rows, 10});
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < inputs; ++j)
        images.mat<float>()(i, j) = static_cast<float>((i * 31 + j * 17) % 23) / 23;
      labels.mat<float>()(i, i % 10) = 1;
    }
    return {images, labels};
  }

  Graph graph;
  Session session;
  Output x, y, loss;
  Operation train;
  Call call;
};

}  // namespace

TEST_CASE("A training step takes no memory from the system once it has run", "[train][memory]") {
  for (const bool adam : {false, true}) {
    CAPTURE(adam);
    Perceptron model(1, 20, 16, adam);
    const std::vector<Tensor> feeds = Perceptron::batch(8, 20);
    for (int i = 0; i < 3; ++i) model.call(feeds);
    const int64_t blocks = model.call.allocations(), before = news;
    for (int i = 0; i < 5; ++i) model.call(feeds);
    CHECK(news - before == 0);
    CHECK(model.call.allocations() == blocks);
  }
}

// Updates come last, so that a run that fails has changed no variable: until then each hidden layer
// keeps its output and the derivative by it. One gradient at a time is made and taken off.
TEST_CASE(
    "A training step takes a tenth more memory than variables, feeds, layers, their "
    "derivatives and the largest gradient",
    "[train][memory]") {
  constexpr int64_t kRows = 500, kInputs = 784, kHidden = 300;
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, kInputs}),
               y = placeholder(graph, DType::kInt32, {-1});
  Output value = x;
  int64_t weights = 0;
  for (const int64_t outputs : {kHidden, kHidden, kHidden, int64_t{10}}) {
    const int64_t inputs = value.shape()[1];
    weights += (inputs + 1) * outputs;
    value =
        bias_add(matmul(value, variable(truncated_normal(graph, {inputs, outputs}, {.seed = 1}))),
                 variable(zeros(graph, {outputs})));
    if (outputs == kHidden) value = relu(value);
  }
  const Output loss =
      reduce_mean(sparse_softmax_cross_entropy_with_logits({.labels = y, .logits = value}));
  const Operation train = GradientDescentOptimizer(0.1f).minimize(loss);
  Session session(graph, {.threads = 1});
  session.run(global_variables_initializer(graph));
  Call call = session.prepare({loss}, {x, y}, {train});
  const Tensor images = Tensor::zeros(DType::kFloat, {kRows, kInputs}),
               labels = Tensor::zeros(DType::kInt32, {kRows});
  for (int i = 0; i < 3; ++i) call({images, labels});
  const int64_t given = 4 * (weights + kRows * (kInputs + 1)),
                kept = 4 * kRows * 2 * (3 * kHidden + 10), gradient = 4 * kInputs * kHidden;
  CHECK(call.allocated_bytes() + given <= (given + kept + gradient) * 11 / 10);
  CHECK(call.allocated_bytes() >= kept - 4 * kRows * kHidden);
}

TEST_CASE("A graph and its plan take memory in proportion to its nodes", "[train][memory]") {
  const auto taken = [](int nodes) {
    const int64_t before = news;
    Graph graph;
    const Output x = placeholder(graph, DType::kFloat, {2});
    Output y = x;
    for (int i = 0; i < nodes; ++i) y = i % 2 ? relu(y) : y + x;
    const int64_t built = news;
    Session session(graph);
    session.prepare({y}, {x});
    return std::pair(built - before, news - built);
  };
  const auto [built, planned] = taken(10'000);
  const auto [built_more, planned_more] = taken(100'000);
  CHECK(built_more <= 11 * built);
  CHECK(planned_more <= 11 * planned);
}

TEST_CASE("Training gives the same bits on any number of threads", "[train][threads]") {
  const std::vector<Tensor> feeds = Perceptron::batch(300, 200);
  Perceptron one(1, 200, 128), two(2, 200, 128), four(4, 200, 128);
  for (int i = 0; i < 10; ++i) {
    const float loss = one.call(feeds)[0].scalar<float>();
    CHECK(two.call(feeds)[0].scalar<float>() == loss);
    CHECK(four.call(feeds)[0].scalar<float>() == loss);
  }
  for (const Variable& v : one.graph.variables()) {
    const Tensor value = one.session.value(v);
    CHECK(bit_equal(two.session.value(find_variable(two.graph, v.name())), value));
    CHECK(bit_equal(four.session.value(find_variable(four.graph, v.name())), value));
  }
}
