#include "ops/nn/nn.h"

#include <cmath>
#include <limits>

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/array/slicing.h"
#include "ops/core/gradients.h"
#include "ops/flow/cond.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"
#include "persist/graph/meta_graph.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/graph_text.h"
#include "tests/support/numeric_gradient.h"

using namespace cairn;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(),
                 kNan = std::numeric_limits<double>::quiet_NaN();

Tensor as(DType dtype, const Tensor& doubles) {
  Graph graph;
  Session session(graph);
  return session.run(cast(constant(graph, doubles), dtype));
}

// What `build` makes of `inputs`, computed in `dtype`, as doubles.
template <class Build>
Tensor computed(const Build& build, const std::vector<Tensor>& inputs,
                DType dtype = DType::kDouble) {
  Graph graph;
  std::vector<Output> xs;
  Feeds feeds;
  for (const Tensor& input : inputs) {
    const bool real = input.dtype() == DType::kDouble;
    xs.push_back(placeholder(graph, real ? dtype : input.dtype()));
    feeds.push_back({xs.back(), real ? as(dtype, input) : input});
  }
  Session session(graph);
  const Output y = build(xs);
  return session.run(
      y.dtype() == DType::kBool || is_integer(y.dtype()) ? y : cast(y, DType::kDouble), feeds);
}

double tolerance_of(DType dtype) {
  return dtype == DType::kDouble  ? 1e-12
         : dtype == DType::kFloat ? 2e-6
         : dtype == DType::kHalf  ? 4e-3
                                  : 3e-2;
}

void check_close(const Tensor& got, const Tensor& expected, double tolerance = 1e-12) {
  REQUIRE(got.shape() == expected.shape());
  for (int64_t i = 0; i < got.num_elements(); ++i) {
    const double a = got.data<double>()[i], b = expected.data<double>()[i];
    INFO("element " << i << ": " << a << ", expected " << b);
    CHECK((std::isnan(b) ? std::isnan(a)
                         : a == b || std::abs(a - b) <= tolerance * (1 + std::abs(b))));
  }
}

template <class F>
Tensor map(const Tensor& x, const F& f) {
  Tensor y = x.clone();
  for (double& v : y.span<double>()) v = f(v);
  return y;
}

constexpr DType kFloating[] = {DType::kDouble, DType::kFloat, DType::kHalf, DType::kBFloat16};

template <class F>
std::string message_of(const F& f) {
  return error_of(f).what();
}

// softmax of one row, in long double.
std::vector<long double> softmax_of(const double* x, int64_t n) {
  std::vector<long double> p(static_cast<size_t>(n));
  long double most = *std::max_element(x, x + n), sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += p[size_t(i)] = std::exp(x[i] - most);
  for (auto& v : p) v /= sum;
  return p;
}

// Rows of probabilities.
Tensor distributions(const Shape& shape) {
  Tensor t = doubles(shape, 0, 1);
  for (int64_t at = 0, cols = shape.dim(-1); at < t.num_elements(); at += cols) {
    double sum = 0;
    for (int64_t j = 0; j < cols; ++j) sum += t.data<double>()[at + j];
    for (int64_t j = 0; j < cols; ++j) t.data<double>()[at + j] /= sum;
  }
  return t;
}

std::vector<std::string> node_names(const Graph& graph, int from = 0) {
  std::vector<std::string> names;
  for (const Operation& op : graph.operations()) {
    if (op.node().id >= from) names.push_back(op.name() + " " + op.type());
  }
  return names;
}

}  // namespace

TEST_CASE("Activations are what they are defined as, in every floating dtype", "[nn]") {
  struct Case {
    const char* name;
    Output (*build)(const Operand&, const NameOptions&);
    double (*f)(double);
  };
  const Case cases[] = {
      {"relu", relu, [](double x) { return std::max(x, 0.0); }},
      {"relu6", relu6, [](double x) { return std::min(std::max(x, 0.0), 6.0); }},
      {"elu", elu, [](double x) { return x < 0 ? std::expm1(x) : x; }},
      {"selu", selu,
       [](double x) {
         return 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * std::expm1(x) : x);
       }},
      {"softplus", softplus,
       [](double x) { return std::log1p(std::exp(-std::abs(x))) + std::max(x, 0.0); }},
      {"softsign", softsign, [](double x) { return x / (1 + std::abs(x)); }}};
  for (const Case& c : cases) {
    for (DType dtype : kFloating) {
      INFO(c.name << " of " << dtype);
      Tensor x = doubles({23}, -9, 9);
      x = computed([](auto& xs) { return xs[0]; }, {x}, dtype);  // rounded
      check_close(computed([&](auto& xs) { return c.build(xs[0], {}); }, {x}, dtype), map(x, c.f),
                  tolerance_of(dtype));
    }
  }
}

TEST_CASE("Activations pass NaN on and take infinities to their limits", "[nn]") {
  const Tensor x = Tensor::vector<double>({kNan, kInf, -kInf, 0});
  const auto check = [&](auto build, std::vector<double> expected) {
    check_close(computed([&](auto& xs) { return build(xs[0], NameOptions{}); }, {x}),
                Tensor::vector(expected));
    check_close(computed([&](auto& xs) { return build(xs[0], NameOptions{}); }, {x}, DType::kFloat),
                Tensor::vector(expected), 1e-6);
  };
  check(relu, {kNan, kInf, 0, 0});
  check(relu6, {kNan, 6, 0, 0});
  check(elu, {kNan, kInf, -1, 0});
  check(softplus, {kNan, kInf, 0, std::log(2.0)});
}

TEST_CASE("Relu takes integers", "[nn]") {
  Graph graph;
  Session session(graph);
  CHECK(bit_equal(session.run(relu(constant(graph, Tensor::vector<int32_t>({-2, 0, 3})))),
                  Tensor::vector<int32_t>({0, 0, 3})));
  CHECK(bit_equal(session.run(relu6(constant(graph, Tensor::vector<uint8_t>({0, 3, 200})))),
                  Tensor::vector<uint8_t>({0, 3, 6})));
}

TEST_CASE("Gradients of activations agree with differences", "[nn][gradient]") {
  for (auto build : {relu, relu6, elu, selu, softplus, softsign})
    check_gradient([&](Output x) { return build(x, {}); }, {doubles({3, 7}, -7.03, 8)});
}

TEST_CASE("Second gradients of activations agree with differences", "[nn][gradient]") {
  for (auto build : {relu, relu6, elu, softplus})
    check_gradient([&](Output x) { return gradients(square(build(x, {})), {x})[0]; },
                   {doubles({9}, -3.02, 8)}, {.tolerance = 1e-5});
}

TEST_CASE("Gradients of activations are refused where they have another shape than the activation",
          "[nn][gradient]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat), dy = placeholder(graph, DType::kFloat);
  Session session(graph);
  for (const auto activation : {relu, relu6, elu, selu, softplus, softsign, sigmoid, tanh}) {
    const Output dx = gradients(activation(x, {}), {x}, {.grad_ys = {dy}})[0];
    INFO(dx.name());
    const Tensor two = Tensor::vector<float>({1, 2});
    CHECK(session.run(dx, {{x, two}, {dy, two}}).shape() == Shape{2});
    CHECK(error_of([&] {
            session.run(dx, {{x, two}, {dy, Tensor(1.0f)}});
          }).code() == Code::kInvalidArgument);
  }
}

TEST_CASE("BiasAdd adds one number to each channel, last or second", "[nn]") {
  const Tensor x = doubles({2, 3, 4, 5}), last = doubles({5}), second = doubles({3});
  Tensor expected = x.clone(), expected_second = x.clone();
  for (int64_t i = 0; i < 120; ++i) {
    expected.data<double>()[i] += last.data<double>()[i % 5];
    expected_second.data<double>()[i] += second.data<double>()[i / 20 % 3];
  }
  check_close(computed([](auto& xs) { return bias_add(xs[0], xs[1]); }, {x, last}), expected);
  check_close(computed([](auto& xs) { return bias_add(xs[0], xs[1], {.data_format = "NCHW"}); },
                       {x, second}),
              expected_second);
}

TEST_CASE("BiasAdd takes integers and half", "[nn]") {
  Graph graph;
  Session session(graph);
  const Output x = constant(graph, Tensor::matrix<int32_t>({{1, 2}, {3, 2147483647}}));
  CHECK(bit_equal(session.run(bias_add(x, constant(graph, Tensor::vector<int32_t>({10, 1})))),
                  Tensor::matrix<int32_t>({{11, 3}, {13, -2147483647 - 1}})));
  check_close(
      computed([](auto& xs) { return bias_add(xs[0], xs[1]); },
               {Tensor::matrix<double>({{1, 2}}), Tensor::vector<double>({0.5, 4})}, DType::kHalf),
      Tensor::matrix<double>({{1.5, 6}}));
}

TEST_CASE("The gradient of bias_add agrees with differences, for both layouts", "[nn][gradient]") {
  check_gradient([](Output x, Output b) { return bias_add(x, b); },
                 {doubles({4, 3}), doubles({3})});
  check_gradient([](Output x, Output b) { return bias_add(x, b, {.data_format = "NCHW"}); },
                 {doubles({2, 3, 2, 2}), doubles({3})});
  check_gradient([](Output x, Output b) { return gradients(square(bias_add(x, b)), {b})[0]; },
                 {doubles({4, 3}), doubles({3})});
}

TEST_CASE("The gradient of a bias is the same for any number of threads", "[nn]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 10}),
               b = placeholder(graph, DType::kFloat, {10});
  const Output db = gradients(bias_add(x, b), {b}, {.grad_ys = {x}})[0];
  const Tensor rows = as(DType::kFloat, doubles({60000, 10})),
               bias = Tensor::zeros(DType::kFloat, {10});
  Session one(graph, {.threads = 1}), four(graph, {.threads = 4});
  const Tensor sums = one.run(db, {{x, rows}, {b, bias}});
  CHECK(bit_equal(sums, four.run(db, {{x, rows}, {b, bias}})));
  for (int64_t j = 0; j < 10; ++j) {
    double expected = 0;
    for (int64_t i = 0; i < 60000; ++i) expected += double(rows.data<float>()[i * 10 + j]);
    CHECK(sums.data<float>()[j] == Approx(expected).margin(0.02));
  }
}

TEST_CASE("BiasAdd refuses a bias that does not fit, when built and when run", "[nn]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 3}),
               b4 = placeholder(graph, DType::kFloat, {4});
  CHECK_THAT(
      message_of([&] { bias_add(x, b4); }),
      Catch::Matchers::Contains("channels of value and bias differ: 3 and 4 ('Placeholder' is [") &&
          Catch::Matchers::Contains("'Placeholder_1' is [4])"));
  const Output unknown = placeholder(graph, DType::kFloat);
  const Output y = bias_add(x, unknown);
  Session session(graph);
  CHECK(message_of([&] {
          session.run(y, {{x, Tensor::zeros(DType::kFloat, {2, 3})},
                          {unknown, Tensor::zeros(DType::kFloat, {4})}});
        }).find("[4]") != std::string::npos);
}

TEST_CASE("Softmax and LogSoftmax agree with the definition, for few and many classes", "[nn]") {
  for (const Shape& shape :
       {Shape{5, 10}, Shape{3, 1}, Shape{2, 5000}, Shape{7}, Shape{2, 3, 4}, Shape{130, 17}}) {
    for (DType dtype : kFloating) {
      INFO(shape << " of " << dtype);
      const Tensor x = computed([](auto& xs) { return xs[0]; }, {doubles(shape, -5, 5)}, dtype);
      Tensor p = x.clone(), log_p = x.clone();
      const int64_t cols = shape.dim(-1);
      for (int64_t at = 0; at < x.num_elements(); at += cols) {
        const auto row = softmax_of(x.data<double>() + at, cols);
        for (int64_t j = 0; j < cols; ++j) {
          p.data<double>()[at + j] = double(row[size_t(j)]);
          log_p.data<double>()[at + j] = double(std::log(row[size_t(j)]));
        }
      }
      check_close(computed([](auto& xs) { return softmax(xs[0]); }, {x}, dtype), p,
                  tolerance_of(dtype));
      check_close(computed([](auto& xs) { return log_softmax(xs[0]); }, {x}, dtype), log_p,
                  tolerance_of(dtype));
    }
  }
}

TEST_CASE("No logit is too big or too small for softmax", "[nn]") {
  const Tensor x = Tensor::matrix<double>({{1000, 1000, -1000}, {-5000, -5001, -kInf}});
  const double e = 1 / (1 + std::exp(-1.0));
  check_close(computed([](auto& xs) { return softmax(xs[0]); }, {x}, DType::kFloat),
              Tensor::matrix<double>({{0.5, 0.5, 0}, {e, 1 - e, 0}}), 1e-6);
  check_close(computed([](auto& xs) { return log_softmax(xs[0]); }, {x}, DType::kFloat),
              Tensor::matrix<double>({{-std::log(2), -std::log(2), -2000 - std::log(2)},
                                      {std::log(e), std::log(e) - 1, -kInf}}),
              1e-6);
}

TEST_CASE("What softmax makes of a row does not depend on the rows beside it", "[nn]") {
  const Tensor rows = as(DType::kFloat, doubles({33, 10}, -4, 4));
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 10});
  const Output y = softmax(x);
  Session session(graph);
  const Tensor all = session.run(y, {{x, rows}});
  for (int64_t i = 0; i < 33; ++i)
    CHECK(
        bit_equal(session.run(y, {{x, rows.rows(i, i + 1).clone()}}), all.rows(i, i + 1).clone()));
}

TEST_CASE("Softmax of an empty tensor is empty, and of a scalar an error", "[nn]") {
  Graph graph;
  Session session(graph);
  CHECK(session.run(softmax(constant(graph, Tensor::zeros(DType::kFloat, {0, 3})))).shape() ==
        Shape{0, 3});
  CHECK(session.run(softmax(constant(graph, Tensor::zeros(DType::kFloat, {3, 0})))).shape() ==
        Shape{3, 0});
  CHECK_THROWS_AS(softmax(constant(graph, Tensor(1.0f))), Error);
}

TEST_CASE("Gradients of softmax and log_softmax agree with differences", "[nn][gradient]") {
  check_gradient([](Output x) { return softmax(x); }, {doubles({3, 5}, -2, 2)});
  check_gradient([](Output x) { return log_softmax(x); }, {doubles({2, 2, 4}, -2, 2)});
}

TEST_CASE("Cross entropy agrees with -sum(labels * log(softmax))", "[nn]") {
  const Tensor x = doubles({6, 9}, -3, 3), y = doubles({6, 9}, 0, 1);
  Tensor expected = Tensor::zeros(DType::kDouble, {6});
  for (int64_t i = 0; i < 6; ++i) {
    const auto p = softmax_of(x.data<double>() + 9 * i, 9);
    for (int64_t j = 0; j < 9; ++j)
      expected.data<double>()[i] -= y.data<double>()[9 * i + j] * double(std::log(p[size_t(j)]));
  }
  const auto loss = [](auto& xs) {
    return softmax_cross_entropy_with_logits({.labels = xs[1], .logits = xs[0]});
  };
  for (DType dtype : {DType::kDouble, DType::kFloat})
    check_close(computed(loss, {x, y}, dtype), expected, tolerance_of(dtype));
  // Half is computed as float.
  const auto rounded = [](const Tensor& t) {
    return computed([](auto& xs) { return xs[0]; }, {t}, DType::kHalf);
  };
  check_close(computed(loss, {rounded(x), rounded(y)}, DType::kHalf),
              computed(loss, {rounded(x), rounded(y)}), 2e-3);
}

TEST_CASE("Gradients of the cross entropies agree with differences", "[nn][gradient]") {
  const Tensor x = doubles({4, 5}, -2, 2), y = distributions({4, 5});
  check_gradient(
      [](Output a, Output b) {
        return softmax_cross_entropy_with_logits_v2({.labels = b, .logits = a});
      },
      {x, y});
  check_gradient(
      [&](Output a) {
        return softmax_cross_entropy_with_logits({.labels = constant(a.graph(), y), .logits = a});
      },
      {x});
  check_gradient(
      [](Output a, Output b) {
        return sigmoid_cross_entropy_with_logits({.labels = b, .logits = a});
      },
      {x, y});
  const Tensor classes = Tensor::vector<int32_t>({4, 0, 2, 2});
  check_gradient(
      [&](Output a) {
        return sparse_softmax_cross_entropy_with_logits(
            {.labels = constant(a.graph(), classes), .logits = a});
      },
      {x});
}

TEST_CASE(
    "The second gradient of cross entropy agrees with differences; that of the sparse one is "
    "refused",
    "[nn][gradient]") {
  const Tensor y = distributions({2, 3});
  check_gradient(
      [&](Output a) {
        const Output loss =
            softmax_cross_entropy_with_logits({.labels = constant(a.graph(), y), .logits = a});
        return gradients(square(loss), {a})[0];
      },
      {doubles({2, 3}, -2, 2)}, {.tolerance = 1e-5});
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2, 3});
  const Output labels = constant(graph, Tensor::vector<int32_t>({0, 1}));
  const Output first =
      gradients(sparse_softmax_cross_entropy_with_logits({.labels = labels, .logits = x}), {x})[0];
  CHECK(message_of([&] { gradients(first, {x}); }).find("second derivative") != std::string::npos);
}

TEST_CASE("Nothing flows into the labels of softmax_cross_entropy_with_logits", "[nn][gradient]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2, 3}),
               y = placeholder(graph, DType::kFloat, {2, 3});
  CHECK_FALSE(gradients(softmax_cross_entropy_with_logits({.labels = y, .logits = x}), {y})[0]);
}

TEST_CASE("Sparse and dense cross entropy say the same, for any rank", "[nn]") {
  const Tensor x = doubles({2, 3, 4}, -2, 2);
  for (const Tensor& labels : {Tensor::of<int32_t>({2, 3}, {0, 1, 2, 3, 3, 1}),
                               Tensor::of<int64_t>({2, 3}, {0, 1, 2, 3, 3, 1})}) {
    Graph graph;
    const Output logits = constant(graph, x), classes = constant(graph, labels);
    const Output sparse =
        sparse_softmax_cross_entropy_with_logits({.labels = classes, .logits = logits});
    const Output dense = softmax_cross_entropy_with_logits(
        {.labels = one_hot(classes, 4, {.dtype = DType::kDouble}), .logits = logits});
    CHECK(sparse.shape() == Shape{2, 3});
    CHECK(dense.shape() == Shape{2, 3});
    Session session(graph);
    check_close(session.run(sparse), session.run(dense));
  }
}

TEST_CASE("A label outside the classes is named, with its row and the range", "[nn]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 3}),
               labels = placeholder(graph, DType::kInt64, {-1});
  const Output loss = sparse_softmax_cross_entropy_with_logits({.labels = labels, .logits = x});
  Session session(graph);
  for (int64_t bad : {3, -1}) {
    const std::string message = message_of([&] {
      session.run(loss, {{x, Tensor::zeros(DType::kFloat, {2, 3})},
                         {labels, Tensor::vector<int64_t>({0, bad})}});
    });
    INFO(message);
    CHECK(message.find(str_cat("label ", bad, " at row 1 is outside the valid range [0, 3)")) !=
          std::string::npos);
  }
}

TEST_CASE("Labels and logits of different shapes are refused, when built and when run", "[nn]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 3}),
               y = placeholder(graph, DType::kFloat, {-1, 4});
  CHECK(message_of([&] {
          softmax_cross_entropy_with_logits({.labels = y, .logits = x});
        }).find("[?,4]") != std::string::npos);
  const Output rows = placeholder(graph, DType::kFloat, {-1, 3});
  const Output loss = softmax_cross_entropy_with_logits({.labels = rows, .logits = x});
  Session session(graph);
  CHECK_THROWS_AS(session.run(loss, {{x, Tensor::zeros(DType::kFloat, {2, 3})},
                                     {rows, Tensor::zeros(DType::kFloat, {5, 3})}}),
                  Error);
}

TEST_CASE("The builder softmax_cross_entropy_with_logits makes the nodes TensorFlow's Python makes",
          "[nn]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 3}),
               y = placeholder(graph, DType::kFloat, {-1, 3});
  const int from = graph.num_nodes();
  softmax_cross_entropy_with_logits({.labels = y, .logits = x, .name = "ce"});
  const std::vector<std::string> expected = {"ce/labels_stop_gradient StopGradient",
                                             "ce/Rank Const",
                                             "ce/Shape Shape",
                                             "ce/Rank_1 Const",
                                             "ce/Shape_1 Shape",
                                             "ce/Sub/y Const",
                                             "ce/Sub Sub",
                                             "ce/Slice/begin Pack",
                                             "ce/Slice/size Const",
                                             "ce/Slice Slice",
                                             "ce/concat/values_0 Const",
                                             "ce/concat/axis Const",
                                             "ce/concat ConcatV2",
                                             "ce/Reshape Reshape",
                                             "ce/Rank_2 Const",
                                             "ce/Shape_2 Shape",
                                             "ce/Sub_1/y Const",
                                             "ce/Sub_1 Sub",
                                             "ce/Slice_1/begin Pack",
                                             "ce/Slice_1/size Const",
                                             "ce/Slice_1 Slice",
                                             "ce/concat_1/values_0 Const",
                                             "ce/concat_1/axis Const",
                                             "ce/concat_1 ConcatV2",
                                             "ce/Reshape_1 Reshape",
                                             "ce SoftmaxCrossEntropyWithLogits",
                                             "ce/Sub_2/y Const",
                                             "ce/Sub_2 Sub",
                                             "ce/Slice_2/begin Const",
                                             "ce/Slice_2/size Pack",
                                             "ce/Slice_2 Slice",
                                             "ce/Reshape_2 Reshape"};
  CHECK(node_names(graph, from) == expected);
}

TEST_CASE("The gradients of the cross entropies are the nodes TensorFlow's Python makes",
          "[nn][gradient]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 3}),
               labels = placeholder(graph, DType::kInt64, {-1});
  const Output loss = sparse_softmax_cross_entropy_with_logits({.labels = labels, .logits = x});
  const std::string scope =
      "SparseSoftmaxCrossEntropyWithLogits/SparseSoftmaxCrossEntropyWithLogits";
  CHECK(loss.op().name() == scope);
  const int from = graph.num_nodes();
  gradients(loss, {x});
  const auto names = node_names(graph, from);
  const std::string in = "gradients/" + scope + "_grad/";
  const std::vector<std::string> last = {
      "gradients/zeros_like ZerosLike", in + "PreventGradient PreventGradient",
      in + "ExpandDims/dim Const", in + "ExpandDims ExpandDims", in + "mul Mul"};
  REQUIRE(names.size() > last.size());
  CHECK(std::vector<std::string>(names.end() - long(last.size()), names.end()) == last);
}

TEST_CASE("L2Loss is half the sum of squares", "[nn]") {
  const Tensor x = doubles({7, 11});
  double expected = 0;
  for (double v : x.span<double>()) expected += v * v / 2;
  for (DType dtype : kFloating)
    check_close(computed([](auto& xs) { return l2_loss(xs[0]); }, {x}, dtype), Tensor(expected),
                tolerance_of(dtype));
  check_close(
      computed([](auto& xs) { return l2_loss(xs[0]); }, {Tensor::zeros(DType::kDouble, {0})}),
      Tensor(0.0));
  check_gradient([](Output t) { return l2_loss(t); }, {doubles({3, 2})});
}

TEST_CASE("InTopK counts the classes that are better than the target", "[nn]") {
  const float inf = std::numeric_limits<float>::infinity();
  Graph graph;
  const Output p = constant(
      graph,
      Tensor::matrix<float>(
          {{0.1f, 0.3f, 0.2f, 0.4f}, {0.5f, 0.5f, 0.1f, 0.5f}, {1, 2, 3, inf}, {1, 2, 3, 4}}));
  const Output targets = constant(graph, Tensor::vector<int32_t>({1, 0, 0, 4}));
  Session session(graph);
  CHECK(bit_equal(session.run(in_top_k(p, targets, 1)),
                  Tensor::vector<bool>({false, true, false, false})));
  CHECK(bit_equal(session.run(in_top_k(p, targets, 2)),
                  Tensor::vector<bool>({true, true, false, false})));
  CHECK(bit_equal(session.run(in_top_k(p, targets, 4)),
                  Tensor::vector<bool>({true, true, false, false})));
  CHECK(graph.contains("in_top_k/InTopKV2/k"));
}

TEST_CASE("TopK gives the greatest values in order, the first of equals first", "[nn]") {
  Graph graph;
  const auto [values, indices] =
      top_k(constant(graph, Tensor::matrix<int32_t>({{3, 9, 9, 1}, {4, 4, 4, 5}})), 3);
  Session session(graph);
  CHECK(values.shape() == Shape{2, 3});
  CHECK(bit_equal(session.run(values), Tensor::matrix<int32_t>({{9, 9, 3}, {5, 4, 4}})));
  CHECK(bit_equal(session.run(indices), Tensor::matrix<int32_t>({{1, 2, 0}, {3, 0, 1}})));
  CHECK(message_of([&] {
          top_k(constant(graph, Tensor::vector<float>({1, 2})), 3);
        }).find("k is 3") != std::string::npos);
}

TEST_CASE(
    "Dropout keeps about keep_prob of the elements, scaled, and passes gradients to those kept",
    "[nn]") {
  Graph graph;
  const Output x = constant(graph, Tensor::of<float>({10000}, std::vector<float>(10000, 3)));
  const Output y = dropout(x, 0.25, {.seed = 6});
  const Output dx = gradients(y, {x})[0];
  Session session(graph);
  const auto both = session.run({y, dx});
  int kept = 0;
  for (size_t i = 0; i < 10000; ++i) {
    const float v = both[0].span<float>()[i];
    CHECK((v == 0 || v == 12));
    CHECK(both[1].span<float>()[i] == v / 3);
    kept += v != 0;
  }
  CHECK(kept == Approx(2500).margin(200));
  CHECK_FALSE(bit_equal(both[0], session.run(y)));
}

TEST_CASE("Dropout with a stateless seed is a function of the seed", "[nn]") {
  Graph graph;
  const Output x = constant(graph, Tensor::of<float>({50}, std::vector<float>(50, 1)));
  const Output step = placeholder(graph, DType::kInt64, {});
  const Output y = dropout(x, 0.5, {.stateless_seed = stack({constant(graph, int64_t{7}), step})});
  Session first(graph), second(graph);
  const Tensor at_1 = first.run(y, {{step, int64_t{1}}}), at_2 = first.run(y, {{step, int64_t{2}}});
  CHECK_FALSE(bit_equal(at_1, at_2));
  CHECK(bit_equal(at_2, second.run(y, {{step, int64_t{2}}})));
}

TEST_CASE("Dropout makes the nodes TensorFlow's Python makes, none when all is kept", "[nn]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 3});
  const int from = graph.num_nodes();
  CHECK(dropout(x, 1.0) == x);
  CHECK(graph.num_nodes() == from);
  dropout(x, 0.5);
  const std::vector<std::string> expected = {"dropout/keep_prob Const",
                                             "dropout/Shape Shape",
                                             "dropout/random_uniform/min Const",
                                             "dropout/random_uniform/max Const",
                                             "dropout/random_uniform/RandomUniform RandomUniform",
                                             "dropout/random_uniform/sub Sub",
                                             "dropout/random_uniform/mul Mul",
                                             "dropout/random_uniform Add",
                                             "dropout/add Add",
                                             "dropout/Floor Floor",
                                             "dropout/div RealDiv",
                                             "dropout/mul Mul"};
  CHECK(node_names(graph, from) == expected);
}

TEST_CASE("Dropout refuses a keep_prob outside (0, 1] and integers", "[nn]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {3});
  CHECK(message_of([&] { dropout(x, 0.0); }).find("keep_prob") != std::string::npos);
  CHECK(message_of([&] { dropout(x, 1.5); }).find("keep_prob") != std::string::npos);
  CHECK(message_of([&] {
          dropout(placeholder(graph, DType::kInt32, {3}), 0.5);
        }).find("floating") != std::string::npos);
}

TEST_CASE("Labels of another shape than the logits are refused, also where it shows only in a step",
          "[nn][softmax]") {
  using Loss = Output (*)(const CrossEntropyOptions&);
  const auto attempt = [](Loss loss, const Shape& declared, const Shape& labels,
                          const Shape& logits, DType dtype) {
    Graph graph;
    const Output l = placeholder(graph, dtype, declared),
                 z = placeholder(graph, DType::kFloat, declared);
    Session session(graph);
    return message_of([&] {
      session.run(loss({.labels = l, .logits = z}),
                  {{l, Tensor::zeros(dtype, labels)}, {z, Tensor::zeros(DType::kFloat, logits)}});
    });
  };
  const auto names_both = [](const std::string& told) {
    return told.find("labels") != std::string::npos && told.find("logits") != std::string::npos;
  };
  const auto names = [&](const std::string& told, const char* labels, const char* logits) {
    INFO(told);
    return names_both(told) && told.find(labels) != std::string::npos &&
           told.find(logits) != std::string::npos;
  };
  for (const Loss loss :
       {softmax_cross_entropy_with_logits, softmax_cross_entropy_with_logits_v2}) {
    CHECK(names(attempt(loss, {-1, 10}, {1, 10}, {50, 10}, DType::kFloat), "[1,10]", "[50,10]"));
    CHECK(names(attempt(loss, {-1, 10}, {50, 10}, {1, 10}, DType::kFloat), "[50,10]", "[1,10]"));
    CHECK(names(attempt(loss, Shape::unknown(), {50}, {50, 50}, DType::kFloat), "[50]", "[50,50]"));
    CHECK(names(attempt(loss, Shape::unknown(), {50, 1}, {50, 10}, DType::kFloat), "[50,1]",
                "[50,10]"));
    CHECK(attempt(loss, {-1, 10}, {3, 10}, {3, 10}, DType::kFloat) == "nothing was thrown");
  }
  for (const auto& [labels, logits] : {std::pair{Shape{1, 3}, Shape{5, 3}},
                                       {Shape{5, 3}, Shape{1, 3}},
                                       {Shape{}, Shape{5, 3}},
                                       {Shape{5, 1}, Shape{5, 3}}}) {
    for (const Shape& declared : {Shape::unknown(), Shape{-1, -1}}) {
      if (declared.has_rank() && labels.rank() != 2) continue;
      const std::string told =
          attempt(sigmoid_cross_entropy_with_logits, declared, labels, logits, DType::kFloat);
      CHECK(names(told, labels.str().c_str(), logits.str().c_str()));
    }
  }
  CHECK(attempt(sigmoid_cross_entropy_with_logits, Shape::unknown(), {2, 3}, {2, 3},
                DType::kFloat) == "nothing was thrown");
  const auto sparse = sparse_softmax_cross_entropy_with_logits;
  Graph graph;
  const Output l = placeholder(graph, DType::kInt64, {-1}),
               z = placeholder(graph, DType::kFloat, {-1, 10});
  const Output loss = sparse({.labels = l, .logits = z});
  Session session(graph);
  const auto fed = [&](const Shape& labels) {
    return message_of([&] {
      session.run(loss, {{l, Tensor::zeros(DType::kInt64, labels)},
                         {z, Tensor::zeros(DType::kFloat, {50, 10})}});
    });
  };
  CHECK(names(fed({1}), "[1]", "[50,10]"));
  CHECK(names(fed({51}), "[51]", "[50,10]"));
  CHECK(fed({50}) == "nothing was thrown");
}

TEST_CASE(
    "Labels whose rows are as many as those of the logits, but stand in another shape, are refused "
    "in a step",
    "[nn][softmax]") {
  using Loss = Output (*)(const CrossEntropyOptions&);
  const auto attempt = [](Loss loss, const Shape& declared_labels, const Shape& declared_logits,
                          const Shape& labels, const Shape& logits, DType dtype) {
    Graph graph;
    const Output l = placeholder(graph, dtype, declared_labels),
                 z = placeholder(graph, DType::kFloat, declared_logits);
    const Output y = loss({.labels = l, .logits = z});
    Session session(graph);
    std::string told;
    for (int step = 0; step < 3; ++step) {  // steps after the first know where everything stands
      session.run(y, {{l, Tensor::zeros(dtype, logits.slice(0, labels.rank()))},
                      {z, Tensor::zeros(DType::kFloat, logits)}});
      const Error error = error_of([&] {
        session.run(y,
                    {{l, Tensor::zeros(dtype, labels)}, {z, Tensor::zeros(DType::kFloat, logits)}});
      });
      CHECK(error.code() == Code::kInvalidArgument);
      told = error.what();
    }
    return told;
  };
  const auto names = [](const std::string& told, const char* op, const char* labels,
                        const char* logits) {
    INFO(told);
    for (const char* part :
         {op, "labels are of shape ", labels, "logits of shape ", logits, "nn_test.cc:"})
      CHECK(told.find(part) != std::string::npos);
  };
  const Shape any = Shape::unknown(), rank3 = Shape::unknown(3);
  for (const Loss loss :
       {softmax_cross_entropy_with_logits, softmax_cross_entropy_with_logits_v2}) {
    for (const Shape& labels : {any, rank3, Shape{-1, -1, 3}}) {
      for (const Shape& logits : {any, rank3, Shape{-1, 3, 3}, Shape{2, 3, 3}}) {
        INFO(labels << " and " << logits);
        names(attempt(loss, labels, logits, {3, 2, 3}, {2, 3, 3}, DType::kFloat),
              "SoftmaxCrossEntropyWithLogits '", "[3,2,3]", "[2,3,3]");
      }
    }
  }
  const auto sparse = sparse_softmax_cross_entropy_with_logits;
  for (const Shape& labels : {any, Shape::unknown(2)}) {
    for (const Shape& logits : {any, rank3, Shape{-1, 3, 3}}) {
      INFO(labels << " and " << logits);
      names(attempt(sparse, labels, logits, {3, 2}, {2, 3, 3}, DType::kInt32),
            "SparseSoftmaxCrossEntropyWithLogits '", "[3,2]", "[2,3,3]");
    }
  }
}

TEST_CASE(
    "Cross entropies whose shapes do not fit name function, line and both shapes, and the "
    "function that takes them",
    "[nn][softmax]") {
  Graph graph;
  const Output rows = placeholder(graph, DType::kFloat, {-1, 3}),
               numbers = placeholder(graph, DType::kInt32, {-1}),
               wide = placeholder(graph, DType::kFloat, {-1, 4});
  using Loss = Output (*)(const CrossEntropyOptions&);
  const auto told = [&](Loss loss, const Output& labels, const Output& logits) {
    const int nodes = graph.num_nodes();
    const Error error = error_of([&] { loss({.labels = labels, .logits = logits}); });
    CHECK(error.code() == Code::kInvalidArgument);
    CHECK(graph.num_nodes() == nodes);
    std::string text = error.what();
    const size_t line = text.find("nn_test.cc:") + 11;
    REQUIRE(line < text.size());
    return text.replace(line, text.find(')', line) - line, "#");
  };
  const std::string sent = "class numbers go to sparse_softmax_cross_entropy_with_logits";
  CHECK(
      told(softmax_cross_entropy_with_logits, numbers, rows) ==
      "softmax_cross_entropy_with_logits (nn_test.cc:#): labels are of shape [?], logits of shape "
      "[?,3]: expected labels of shape [?,3]; " +
          sent);
  CHECK(told(softmax_cross_entropy_with_logits_v2, numbers, rows) ==
        "softmax_cross_entropy_with_logits_v2 (nn_test.cc:#): labels are of shape [?], logits of "
        "shape [?,3]: expected labels of shape [?,3]; " +
            sent);
  CHECK(told(softmax_cross_entropy_with_logits, wide, rows) ==
        "softmax_cross_entropy_with_logits (nn_test.cc:#): labels are of shape [?,4], logits of "
        "shape [?,3]: expected labels of shape [?,3]");
  CHECK(
      told(sparse_softmax_cross_entropy_with_logits, rows, rows) ==
      "sparse_softmax_cross_entropy_with_logits (nn_test.cc:#): labels are of shape [?,3], logits "
      "of shape [?,3]: expected labels of shape [?]; rows of probabilities go to "
      "softmax_cross_entropy_with_logits");
  CHECK(told(sigmoid_cross_entropy_with_logits, wide, rows) ==
        "sigmoid_cross_entropy_with_logits (nn_test.cc:#): labels are of shape [?,4], logits of "
        "shape [?,3]: expected labels of shape [?,3]");
  CHECK(told(sparse_softmax_cross_entropy_with_logits, numbers, constant(graph, 1.0f)) ==
        "sparse_softmax_cross_entropy_with_logits (nn_test.cc:#): logits must not be a scalar; "
        "expected [..., classes]");
}

TEST_CASE("Labels of a rank that nobody told are compared with matrices too", "[nn][softmax]") {
  Graph graph;
  const Output labels = placeholder(graph, DType::kFloat),
               logits = placeholder(graph, DType::kFloat, {-1, 3});
  const Output loss = softmax_cross_entropy_with_logits({.labels = labels, .logits = logits});
  Session session(graph);
  const Error error = error_of([&] {
    session.run(loss, {{labels, Tensor::zeros(DType::kFloat, {2, 1, 3})},
                       {logits, Tensor::zeros(DType::kFloat, {2, 3})}});
  });
  CHECK(says(error, "labels are of shape [2,1,3], logits of shape [2,3]"));
}

TEST_CASE("Where the rows of labels are fed, they are compared with the rows of logits",
          "[nn][softmax]") {
  Graph graph;
  const Output labels = placeholder(graph, DType::kFloat),
               logits = placeholder(graph, DType::kFloat);
  const Output loss =
      softmax_cross_entropy_with_logits({.labels = labels, .logits = logits, .name = "loss"});
  Session session(graph);
  const Tensor z = Tensor::zeros(DType::kFloat, {2, 3, 3});
  const Feeds feeds = {{"loss/Reshape_1:0", Tensor::zeros(DType::kFloat, {6, 3})}, {logits, z}};
  CHECK(session.run(loss, feeds).shape() == Shape{2, 3});
  const Error error = error_of([&] {
    session.run(loss, {{"loss/Reshape_1:0", Tensor::zeros(DType::kFloat, {5, 3})}, {logits, z}});
  });
  CHECK(says(error, "labels are of shape [5,3], logits of shape [6,3]"));
}

TEST_CASE(
    "Cross entropies whose shapes are known carry no mark, and those of unknown shapes "
    "TensorFlow's nodes",
    "[nn][softmax]") {
  const auto lines = [](const Shape& shape) {
    Graph graph;
    const Output x = placeholder(graph, DType::kFloat, shape),
                 y = placeholder(graph, DType::kFloat, shape);
    softmax_cross_entropy_with_logits({.labels = y, .logits = x, .name = "ce"});
    return std::pair{node_lines(graph), graph.find_op("ce").attrs().find("_same_shape") != nullptr};
  };
  CHECK_FALSE(lines({2, 3, 4}).second);
  CHECK_FALSE(lines({2, 3, -1}).second);
  CHECK_FALSE(lines({-1, 4}).second);
  CHECK_FALSE(lines({-1}).second);
  CHECK(lines({-1, 3, 4}).second);
  CHECK(lines(Shape::unknown()).second);
  CHECK(lines({-1, 3, 4}).first.size() == lines({2, 3, -1}).first.size());
}

TEST_CASE("The cross entropy of scalars is refused by that name", "[nn][softmax]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {}), any = placeholder(graph, DType::kFloat);
  for (const auto loss :
       {softmax_cross_entropy_with_logits, softmax_cross_entropy_with_logits_v2}) {
    for (const auto& given : {std::pair{x, x}, {any, x}, {x, any}}) {
      const Error error = error_of([&] { loss({.labels = given.first, .logits = given.second}); });
      INFO(error.what());
      CHECK(error.code() == Code::kInvalidArgument);
      CHECK(says(error, "softmax_cross_entropy_with_logits"));
      CHECK(says(error, "must not be a scalar"));
      CHECK(says(error, "nn_test.cc:"));
    }
  }
}

TEST_CASE("Labels and logits are compared behind a condition and in an imported graph too",
          "[nn][softmax]") {
  Graph built, copied;
  const Output l = placeholder(built, DType::kFloat, Shape::unknown(), {.name = "l"});
  const Output z = placeholder(built, DType::kFloat, Shape::unknown(), {.name = "z"});
  const Output p = placeholder(built, DType::kBool, {}, {.name = "p"});
  const auto loss = [&] { return softmax_cross_entropy_with_logits({.labels = l, .logits = z}); };
  identity(cond(p, loss, [&] { return reduce_sum(z, -1); }), {.name = "y"});
  import_meta_graph_def(copied, MetaGraph::parse(export_meta_graph(built).bytes(), ""));
  for (Graph* graph : {&built, &copied}) {
    Session session(*graph);
    const auto run = [&](bool side, const Shape& labels) {
      return session.run("y:0", {{"p:0", Tensor(side)},
                                 {"l:0", Tensor::zeros(DType::kFloat, labels)},
                                 {"z:0", Tensor::zeros(DType::kFloat, {2, 3, 3})}});
    };
    CHECK(run(true, {2, 3, 3}).shape() == Shape{2, 3});
    CHECK(run(false, {3, 2, 3}).shape() == Shape{2, 3});
    CHECK(says(error_of([&] {
                 run(true, {3, 2, 3});
               }),
               "labels are of shape [3,2,3], logits of shape [2,3,3]"));
  }
}
