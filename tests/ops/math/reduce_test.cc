#include "ops/math/reduce.h"

#include <cmath>
#include <limits>
#include <random>

#include "ops/core/gradients.h"
#include "ops/math/math.h"
#include "tests/support/catch.h"
#include "tests/support/evaluate.h"
#include "tests/support/fixtures.h"

using namespace cairn;

namespace {

using Reduce = Output (*)(const Operand&, const Axes&, const ReduceOptions&);

template <class T>
Tensor random_tensor(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  Tensor t = Tensor::uninitialized(dtype_of<T>, shape);
  for (int64_t i = 0; i < t.num_elements(); ++i)
    t.data<T>()[i] = T(static_cast<int>(random() % 7) - 3);
  return t;
}

// The sum (and the largest element) of what falls on each result, one element at a time.
struct Naive {
  Shape shape;
  std::vector<double> sum, max, product;
  int64_t count = 0;
};
template <class T>
Naive naive(const Tensor& x, const std::vector<int>& axes, bool keep_dims) {
  Naive r;
  std::vector<bool> reduced(static_cast<size_t>(x.rank()));
  for (int a : axes) reduced[static_cast<size_t>(a < 0 ? a + x.rank() : a)] = true;
  for (int i = 0; i < x.rank(); ++i) {
    if (!reduced[static_cast<size_t>(i)])
      r.shape.append(x.dim(i));
    else if (keep_dims)
      r.shape.append(1);
  }
  const auto results = static_cast<size_t>(r.shape.num_elements());
  r.sum.assign(results, 0);
  r.product.assign(results, 1);
  r.max.assign(results, -std::numeric_limits<double>::infinity());
  r.count = results == 0 ? 0 : x.num_elements() / static_cast<int64_t>(results);
  for (int64_t at = 0; at < x.num_elements(); ++at) {
    int64_t rest = at, index = 0, stride = 1;
    for (int i = x.rank(); i-- > 0; rest /= x.dim(i)) {
      if (reduced[static_cast<size_t>(i)]) continue;
      index += rest % x.dim(i) * stride;
      stride *= x.dim(i);
    }
    const double value = static_cast<double>(static_cast<float>(x.data<T>()[at]));
    const auto k = static_cast<size_t>(index);
    r.sum[k] += value;
    r.product[k] *= value;
    r.max[k] = std::max(r.max[k], value);
  }
  return r;
}

Tensor apply(Reduce reduce, const Tensor& x, const Axes& axes, bool keep_dims = false,
             int threads = 1) {
  return evaluate([&](const auto& v) { return reduce(v[0], axes, {.keep_dims = keep_dims}); }, {x},
                  threads);
}

template <class T>
void check_against_naive() {
  const std::vector<std::vector<int>> choices = {{},     {0},    {1},       {2},    {-1},  {0, 1},
                                                 {1, 2}, {0, 2}, {2, 0, 1}, {0, 3}, {1, 3}};
  for (const Shape& shape :
       {Shape{2, 3, 4}, Shape{5, 1, 70}, Shape{3, 2, 3, 2}, Shape{2, 0, 3}, Shape{40, 33, 2}}) {
    const Tensor x = random_tensor<T>(shape, 3);
    for (const std::vector<int>& axes : choices) {
      if (std::any_of(axes.begin(), axes.end(), [&](int a) { return a >= shape.rank(); })) continue;
      for (const bool keep_dims : {false, true}) {
        const Naive want = naive<T>(x, axes, keep_dims);
        const Tensor sum = apply(reduce_sum, x, axes, keep_dims),
                     max = apply(reduce_max, x, axes, keep_dims);
        INFO(shape << " to " << want.shape);
        REQUIRE(sum.shape() == want.shape);
        REQUIRE(max.shape() == want.shape);
        for (size_t i = 0; i < want.sum.size(); ++i) {
          REQUIRE(static_cast<double>(static_cast<float>(sum.data<T>()[i])) == want.sum[i]);
          if (want.count > 0)
            REQUIRE(static_cast<double>(static_cast<float>(max.data<T>()[i])) == want.max[i]);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("Sums and maxima along any axes agree with a naive loop", "[reduce]") {
  check_against_naive<float>();
  check_against_naive<double>();
  check_against_naive<int32_t>();
  check_against_naive<int64_t>();
  check_against_naive<Half>();
}

TEST_CASE("Means, products and minima agree with hand-computed ones", "[reduce]") {
  const Tensor x = Tensor::matrix<float>({{1, 2, 3}, {-4, 5, 6}});
  CHECK(bit_equal(apply(reduce_mean, x, {}), Tensor(13.0f / 6)));
  CHECK(bit_equal(apply(reduce_mean, x, 0), Tensor::vector<float>({-1.5f, 3.5f, 4.5f})));
  CHECK(bit_equal(apply(reduce_prod, x, 1), Tensor::vector<float>({6, -120})));
  CHECK(bit_equal(apply(reduce_min, x, {-1}, true), Tensor::matrix<float>({{1}, {-4}})));
  CHECK(bit_equal(apply(reduce_mean, Tensor::vector<int32_t>({1, 2, 4}), {}), Tensor(2)));
  const Tensor b = Tensor::matrix<bool>({{true, true}, {false, true}});
  CHECK(bit_equal(apply(reduce_all, b, 1), Tensor::vector<bool>({true, false})));
  CHECK(bit_equal(apply(reduce_any, b, 0), Tensor::vector<bool>({true, true})));
  CHECK(bit_equal(apply(reduce_all, b, {}), Tensor(false)));
}

namespace {

// The mean of `count` elements, all of them `value`, along the axis that is reduced: of a vector,
// of rows, of columns.
template <class T>
void check_mean_of_equals(int64_t count, T value) {
  INFO(dtype_of<T> << ", " << count << " times " << +value);
  const Tensor all =
      Tensor::of<T>({count, 2}, std::vector<T>(static_cast<size_t>(2 * count), value));
  CHECK(bit_equal(apply(reduce_mean, all, {}), Tensor(value)));
  CHECK(bit_equal(apply(reduce_mean, all, 0), Tensor::vector<T>({value, value})));
  CHECK(bit_equal(apply(reduce_mean, all.reshaped({2, count}), 1),
                  Tensor::vector<T>({value, value})));
  CHECK(bit_equal(apply(reduce_mean, all.reshaped({1, count, 2}), {0, 1}, true),
                  Tensor::of<T>({1, 1, 2}, {value, value})));
}

}  // namespace

TEST_CASE("The mean of integers is right where neither their sum nor their count fits the dtype",
          "[reduce]") {
  for (const int64_t count : {127, 128, 255, 256, 257, 512}) {
    check_mean_of_equals<uint8_t>(count, 2);
    check_mean_of_equals<uint8_t>(count, 255);
    check_mean_of_equals<int8_t>(count, -128);
    check_mean_of_equals<int8_t>(count, 100);
  }
  for (const int64_t count : {32768, 65535, 65536}) {
    check_mean_of_equals<int16_t>(count, -3);
    check_mean_of_equals<uint16_t>(count, 60000);
  }
  check_mean_of_equals<int32_t>(3, std::numeric_limits<int32_t>::max());
  check_mean_of_equals<int32_t>(5, std::numeric_limits<int32_t>::lowest());
  CHECK(bit_equal(apply(reduce_mean, Tensor::vector<int8_t>({-3, 2}), {}), Tensor(int8_t{0})));
  CHECK(error_of([] {
          apply(reduce_mean, Tensor::zeros(DType::kInt8, {0, 3}), 0);
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("A mean of small integers folds while a graph is built", "[reduce]") {
  Graph graph;
  const Output bytes = fill(graph, {256}, Tensor(uint8_t{2}));
  CHECK(zeros(cast(reduce_mean(bytes, {0}, {.keep_dims = true}), DType::kInt32), DType::kFloat)
            .shape() == Shape{2});
}

TEST_CASE("Gradients of 16-bit floats divide by counts that those do not reach",
          "[reduce][gradient]") {
  constexpr int64_t kMany = 70000;
  const auto gradient_of = [](Reduce reduce, bool shape_known) {
    Graph graph;
    const Output x =
        placeholder(graph, DType::kHalf, shape_known ? Shape{kMany} : Shape::unknown());
    const Output dx = gradients(reduce(x, 0, {}), {x})[0];
    Session session(graph);
    const Tensor all = session.run(dx, {{x, Tensor::zeros(DType::kHalf, {kMany})}});
    return static_cast<float>(all.data<Half>()[kMany - 1]);
  };
  for (const Reduce reduce : {Reduce(reduce_mean), Reduce(reduce_max), Reduce(reduce_min)}) {
    for (const bool shape_known : {true, false})
      CHECK(gradient_of(reduce, shape_known) == static_cast<float>(Half(1.0f / kMany)));
  }
}

TEST_CASE("A reduction of no elements is what it begins with", "[reduce]") {
  const Tensor none = Tensor::zeros(DType::kFloat, {0, 2});
  CHECK(bit_equal(apply(reduce_sum, none, 0), Tensor::vector<float>({0, 0})));
  CHECK(bit_equal(apply(reduce_prod, none, 0), Tensor::vector<float>({1, 1})));
  CHECK(apply(reduce_max, none, {}).scalar<float>() == -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(apply(reduce_mean, none, {}).scalar<float>()));
  CHECK(apply(reduce_sum, none, 1).shape() == Shape{0});
  const Error error = error_of([] { apply(reduce_mean, Tensor::zeros(DType::kInt32, {0}), {}); });
  CHECK(error.code() == Code::kInvalidArgument);
}

TEST_CASE("Reductions of empty extents between others begin with what they begin with",
          "[reduce]") {
  const Tensor none = Tensor::zeros(DType::kFloat, {2, 0, 3, 4});
  const auto all = [](float v) { return Tensor::of<float>({2, 3}, std::vector<float>(6, v)); };
  for (int turn = 0; turn < 3; ++turn) {  // whatever stood in the memory before
    CHECK(bit_equal(apply(reduce_prod, none, {1, 3}), all(1)));
    CHECK(bit_equal(apply(reduce_sum, none, {1, 3}), all(0)));
    CHECK(bit_equal(apply(reduce_max, none, {1, 3}), all(-std::numeric_limits<float>::infinity())));
    CHECK(bit_equal(apply(reduce_min, none, {1, 3}), all(std::numeric_limits<float>::infinity())));
  }
  CHECK(std::isnan(apply(reduce_mean, none, {1, 3}).data<float>()[5]));
  CHECK(bit_equal(apply(reduce_sum, none, {0, 1, 2}), Tensor::vector<float>({0, 0, 0, 0})));
  CHECK(bit_equal(apply(reduce_prod, Tensor::zeros(DType::kInt32, {3, 0}), 1),
                  Tensor::vector<int32_t>({1, 1, 1})));
  const Tensor logic = Tensor::zeros(DType::kBool, {2, 0, 2});
  CHECK(bit_equal(apply(reduce_all, logic, 1), Tensor::of<bool>({2, 2}, {true, true, true, true})));
  CHECK(bit_equal(apply(reduce_any, logic, {0, 1}), Tensor::vector<bool>({false, false})));
}

TEST_CASE("A large sum is exact to float precision and the same on any number of threads",
          "[reduce]") {
  Tensor x = Tensor::uninitialized(DType::kFloat, {1000, 1003});
  std::mt19937 random(1);
  double total = 0;
  for (float& v : x.span<float>()) {
    v = static_cast<float>(random() % 1000003) * 1e-6f;
    total += v;
  }
  const Tensor sum = apply(reduce_sum, x, {});
  CHECK(std::abs(sum.scalar<float>() - total) <= 1e-6 * total);
  for (const Axes& axes : {Axes(), Axes(0), Axes(1)}) {
    const Tensor one = apply(reduce_sum, x, axes, false, 1);
    CHECK(bit_equal(one, apply(reduce_sum, x, axes, false, 3)));
    CHECK(bit_equal(one, apply(reduce_sum, x, axes, false, 8)));
  }
}

TEST_CASE("A sum of small integers and of halves is kept in their dtype", "[reduce]") {
  CHECK(bit_equal(apply(reduce_sum, Tensor::vector<uint8_t>({200, 100}), {}), Tensor(uint8_t{44})));
  std::vector<Half> ones(4000, Half(1.0f));
  // added up in float
  CHECK(bit_equal(apply(reduce_sum, Tensor::vector<Half>(ones), {}), Tensor(Half(4000.0f))));
}

TEST_CASE(
    "An axis that is not there or is named twice is refused, as the node is made and as it runs",
    "[reduce]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2, 3});
  CHECK(std::string(error_of([&] { reduce_sum(x, 2); }).what()).find("axis 2") !=
        std::string::npos);
  CHECK(std::string(error_of([&] {
                      reduce_sum(x, {1, -1});
                    }).what())
            .find("twice") != std::string::npos);
  const Tensor m = Tensor::zeros(DType::kFloat, {2, 3});
  CHECK(std::string(error_of([&] { apply(reduce_sum, m, 2); }).what()).find("axis 2") !=
        std::string::npos);
  CHECK(std::string(error_of([&] {
                      apply(reduce_sum, m, {0, 0});
                    }).what())
            .find("twice") != std::string::npos);
}

TEST_CASE("Reductions make their axes as Python does", "[reduce][names]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 3}, {.name = "x"});
  const Output mean = reduce_mean(x);
  CHECK(mean.name() == "Mean:0");
  CHECK(mean.op().input(1).name() == "Const:0");
  CHECK(bit_equal(graph.static_value(mean.op().input(1)), Tensor::vector<int32_t>({0, 1})));
  const Output sum = reduce_sum(x, 1);
  CHECK(sum.op().input(1).name() == "Sum/reduction_indices:0");
  CHECK(sum.op().input(1).shape() == Shape{});
  CHECK(sum.shape() == Shape{-1});
  CHECK(reduce_sum(x, {1}).op().input(1).shape() == Shape{1});
  CHECK(reduce_max(x, {0}, {.keep_dims = true}).shape() == Shape{1, 3});
  const Output all = reduce_sum(placeholder(graph, DType::kFloat));
  CHECK(all.op().input(1).op().type() == "Range");
  CHECK(reduce_sum(x, std::vector<int>{}).shape() == Shape{-1, 3});
}

TEST_CASE("ArgMax and ArgMin find the first of equals along any axis", "[reduce]") {
  const Tensor x = Tensor::matrix<float>({{1, 5, 5}, {7, 0, 5}});
  const auto run = [&](const Tensor& t, int axis, bool max, DType type) {
    return evaluate(
        [&](const auto& v) { return (max ? argmax : argmin)(v[0], axis, {.output_type = type}); },
        {t});
  };
  CHECK(bit_equal(run(x, 1, true, DType::kInt64), Tensor::vector<int64_t>({1, 0})));
  CHECK(bit_equal(run(x, 0, true, DType::kInt32), Tensor::vector<int32_t>({1, 0, 0})));
  CHECK(bit_equal(run(x, -1, false, DType::kInt64), Tensor::vector<int64_t>({0, 1})));
  CHECK(bit_equal(run(Tensor::vector<int32_t>({3, 9, 2}), 0, true, DType::kInt64),
                  Tensor(int64_t{1})));
  Tensor deep = Tensor::zeros(DType::kInt32, {5, 3, 7});
  Tensor places = Tensor::zeros(DType::kInt64, {5, 7});
  for (int64_t i = 0; i < 5; ++i) {
    for (int64_t k = 0; k < 7; ++k) {
      const int64_t place = (i + 2 * k) % 3;
      for (int64_t j = 0; j < 3; ++j) deep.data<int32_t>()[(i * 3 + j) * 7 + k] = j == place;
      places.data<int64_t>()[i * 7 + k] = place;
    }
  }
  CHECK(bit_equal(run(deep, 1, true, DType::kInt64), places));
  CHECK(error_of([&] { run(x, 2, true, DType::kInt64); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] {
          run(Tensor::zeros(DType::kFloat, {2, 0}), 1, true, DType::kInt64);
        }).code() == Code::kInvalidArgument);
  Graph graph;
  const Output scalar = placeholder(graph, DType::kFloat, {}),
               axis = placeholder(graph, DType::kInt32, {});
  CHECK_THAT(error_of([&] { argmax(scalar, axis); }).what(),
             Catch::Matchers::Contains("a scalar has no axis to go along"));
  const Output y = argmax(placeholder(graph, DType::kFloat, {-1, 10}), 1);
  CHECK(y.op().input(1).name() == "ArgMax/dimension:0");
  CHECK(y.dtype() == DType::kInt64);
  CHECK(y.shape() == Shape{-1});
}

TEST_CASE("Running sums and products go both ways, with the element or without", "[reduce]") {
  const Tensor x = Tensor::vector<int32_t>({2, 3, 4});
  const auto run = [&](auto build, bool exclusive, bool reverse) {
    return evaluate(
        [&](const auto& v) { return build(v[0], 0, {.exclusive = exclusive, .reverse = reverse}); },
        {x});
  };
  CHECK(bit_equal(run(cumsum, false, false), Tensor::vector<int32_t>({2, 5, 9})));
  CHECK(bit_equal(run(cumsum, true, false), Tensor::vector<int32_t>({0, 2, 5})));
  CHECK(bit_equal(run(cumsum, false, true), Tensor::vector<int32_t>({9, 7, 4})));
  CHECK(bit_equal(run(cumprod, true, true), Tensor::vector<int32_t>({12, 4, 1})));
  const Tensor m = Tensor::matrix<float>({{1, 2}, {3, 4}});
  CHECK(bit_equal(evaluate([](const auto& v) { return cumsum(v[0], -1); }, {m}),
                  Tensor::matrix<float>({{1, 3}, {3, 7}})));
}

TEST_CASE("Axes that are a matrix are refused when a reduction is built", "[reduce]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2, 3}),
               axes = placeholder(graph, DType::kInt32, {1, 1});
  CHECK_THAT(error_of([&] { reduce_sum(x, axes); }).what(),
             Catch::Matchers::Contains("got shape [1,1]"));
}

TEST_CASE("ListDiff gives what is in one vector and not in the other", "[reduce]") {
  Graph graph;
  const auto [left, where] = list_diff(constant(graph, Tensor::vector<int32_t>({5, 1, 4, 1})),
                                       constant(graph, Tensor::vector<int32_t>({1, 9})));
  Session session(graph);
  CHECK(bit_equal(session.run(left), Tensor::vector<int32_t>({5, 4})));
  CHECK(bit_equal(session.run(where), Tensor::vector<int32_t>({0, 2})));
  const Output x = placeholder(graph, DType::kInt32), y = placeholder(graph, DType::kInt32);
  const Tensor list = Tensor::vector<int32_t>({1}), matrix = Tensor::matrix<int32_t>({{1}});
  const auto refused = [&](const Tensor& a, const Tensor& b) {
    return error_of([&] { session.run(list_diff(x, y).first, {{x, a}, {y, b}}); }).code();
  };
  CHECK(refused(list, matrix) == Code::kInvalidArgument);
  CHECK(refused(matrix, list) == Code::kInvalidArgument);
}
