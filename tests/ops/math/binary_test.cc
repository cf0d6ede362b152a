#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "ops/math/math.h"
#include "tests/support/catch.h"
#include "tests/support/evaluate.h"
#include "tests/support/fixtures.h"

using namespace cairn;

namespace {

using Builder = Output (*)(const Operand&, const Operand&, const NameOptions&);

Tensor apply(Builder build, const Tensor& x, const Tensor& y, int threads = 1) {
  return evaluate([&](const auto& xs) { return build(xs[0], xs[1], {}); }, {x, y}, threads);
}

// The element of `t` that broadcasting puts at flat position `at` of a result of shape `shape`.
template <class T>
T stretched(const Tensor& t, const Shape& shape, int64_t at) {
  int64_t index = 0, stride = 1;
  for (int i = 1; i <= shape.rank(); ++i) {
    const int64_t place = at % shape.dim(-i);
    at /= shape.dim(-i);
    if (i <= t.rank() && t.dim(-i) != 1) index += place * stride;
    if (i <= t.rank()) stride *= t.dim(-i);
  }
  return t.data<T>()[index];
}

template <class T>
Tensor counting(const Shape& shape, int64_t first) {
  Tensor t = Tensor::uninitialized(dtype_of<T>, shape);
  for (int64_t i = 0; i < t.num_elements(); ++i) t.data<T>()[i] = static_cast<T>(first + i);
  return t;
}

}  // namespace

TEST_CASE("Operands of random shapes broadcast as a naive loop does", "[math][broadcast]") {
  std::mt19937 random(7);
  const auto up_to = [&](int n) {
    return static_cast<int>(random() % static_cast<unsigned>(n + 1));
  };
  for (int round = 0; round < 150; ++round) {
    const int rank = up_to(5);
    Shape x, y;
    const int skip_x = round % 3 == 0 ? up_to(rank) : 0, skip_y = round % 3 == 1 ? up_to(rank) : 0;
    for (int i = 0; i < rank; ++i) {
      const int64_t extent = up_to(20) == 0 ? 0 : 1 + up_to(4);
      const int which = up_to(3);
      if (i >= skip_x) x.append(which == 0 ? 1 : extent);
      if (i >= skip_y) y.append(which == 1 ? 1 : extent);
    }
    const Tensor a = counting<float>(x, 1), b = counting<float>(y, 100);
    const Tensor sum = apply(subtract, a, b, round % 2 + 1);
    INFO(x << " - " << y);
    REQUIRE(sum.shape() == broadcast(x, y));
    for (int64_t i = 0; i < sum.num_elements(); ++i)
      REQUIRE(sum.data<float>()[i] ==
              stretched<float>(a, sum.shape(), i) - stretched<float>(b, sum.shape(), i));
  }
}

TEST_CASE("Large operands give the same elements on several threads", "[math][broadcast]") {
  const Tensor x = counting<float>({300, 700}, 0), row = counting<float>({700}, 1),
               column = counting<float>({300, 1}, 2);
  for (const Tensor& y : {x, row, column, Tensor(3.0f)}) {
    CHECK(bit_equal(apply(multiply, x, y, 1), apply(multiply, x, y, 4)));
    CHECK(bit_equal(apply(multiply, x, y, 4), apply(multiply, y, x, 4)));
  }
}

TEST_CASE("Arithmetic on integers wraps around and divides as Python and C++ do", "[math]") {
  const int32_t low = std::numeric_limits<int32_t>::lowest(),
                high = std::numeric_limits<int32_t>::max();
  const Tensor x = Tensor::vector<int32_t>({7, -7, 7, -7, low, high}),
               y = Tensor::vector<int32_t>({2, 2, -2, -2, -1, 1});
  CHECK(bit_equal(apply(add, x, y), Tensor::vector<int32_t>({9, -5, 5, -9, high, low})));
  CHECK(bit_equal(apply(multiply, x, y), Tensor::vector<int32_t>({14, -14, -14, 14, low, high})));
  CHECK(bit_equal(apply(floor_div, x, y), Tensor::vector<int32_t>({3, -4, -4, 3, low, high})));
  CHECK(bit_equal(apply(floormod, x, y), Tensor::vector<int32_t>({1, 1, -1, -1, 0, 0})));
  CHECK(bit_equal(apply(truncatediv, x, y), Tensor::vector<int32_t>({3, -3, -3, 3, low, high})));
  CHECK(bit_equal(apply(truncatemod, x, y), Tensor::vector<int32_t>({1, -1, 1, -1, 0, 0})));
  CHECK(bit_equal(apply(maximum, x, y), Tensor::vector<int32_t>({7, 2, 7, -2, -1, high})));
  CHECK(bit_equal(apply(minimum, x, y), Tensor::vector<int32_t>({2, -7, -2, -7, low, 1})));
  CHECK(
      bit_equal(apply(squared_difference, x, y), Tensor::vector<int32_t>({25, 81, 81, 25, 1, 4})));
  CHECK(bit_equal(
      apply(pow, Tensor::vector<int32_t>({2, -3, 5}), Tensor::vector<int32_t>({10, 3, 0})),
      Tensor::vector<int32_t>({1024, -27, 1})));
}

TEST_CASE("Arithmetic on floats agrees with the C library", "[math]") {
  const Tensor x = Tensor::vector<float>({7.5f, -7.5f, 7.5f, 0}),
               y = Tensor::vector<float>({2, 2, -2, 4});
  CHECK(bit_equal(apply(realdiv, x, y), Tensor::vector<float>({3.75f, -3.75f, -3.75f, 0})));
  CHECK(bit_equal(apply(floordiv, x, y), Tensor::vector<float>({3, -4, -4, 0})));
  CHECK(bit_equal(apply(floormod, x, y), Tensor::vector<float>({1.5f, 0.5f, -0.5f, 0})));
  CHECK(bit_equal(apply(pow, x, y),
                  Tensor::vector<float>({56.25f, 56.25f, std::pow(7.5f, -2.0f), 0})));
  CHECK(bit_equal(apply(atan2, x, y),
                  Tensor::vector<float>({std::atan2(7.5f, 2.0f), std::atan2(-7.5f, 2.0f),
                                         std::atan2(7.5f, -2.0f), std::atan2(0.0f, 4.0f)})));
  const Tensor halves = Tensor::vector<Half>({Half(1.5f), Half(-2.0f)});
  CHECK(bit_equal(apply(add, halves, halves), Tensor::vector<Half>({Half(3.0f), Half(-4.0f)})));
  CHECK(bit_equal(apply(add, Tensor("a"), Tensor::vector<std::string>({"b", "c"})),
                  Tensor::vector<std::string>({"ab", "ac"})));
}

TEST_CASE("An integer division by zero is an error", "[math]") {
  for (const Builder build :
       {Builder(floor_div), Builder(floormod), Builder(truncatediv), Builder(truncatemod)}) {
    const Error error = error_of([&] { apply(build, Tensor(1), Tensor::vector<int32_t>({1, 0})); });
    CHECK(error.code() == Code::kInvalidArgument);
    CHECK(std::string(error.what()).find("division by zero") != std::string::npos);
  }
  CHECK(std::isinf(apply(realdiv, Tensor(1.0f), Tensor(0.0f)).scalar<float>()));
}

TEST_CASE("A divisor that other kernels compute is looked at when all of it is there", "[math]") {
  constexpr int64_t kCount = 300'000;
  Graph graph;
  const Output u = placeholder(graph, DType::kInt32, {kCount}),
               quotient = floor_div(constant(graph, 12), negative(u + 1));
  Session session(graph, {.threads = 2});
  const auto divided = [&](int32_t by, int32_t last) {
    Tensor value = Tensor::zeros(DType::kInt32, {kCount});
    std::fill_n(value.data<int32_t>(), kCount, by - 1);
    value.data<int32_t>()[kCount - 1] = last - 1;
    return session.run(quotient, {{u, value}});
  };
  for (int round = 0; round < 3; ++round) {
    const Tensor result = divided(3, 4);
    CHECK(std::count(result.data<int32_t>(), result.data<int32_t>() + kCount, -4) == kCount - 1);
    CHECK(result.data<int32_t>()[kCount - 1] == -3);
    CHECK_THAT(error_of([&] { divided(2, 0); }).what(),
               Catch::Matchers::Contains("division by zero"));
  }
}

TEST_CASE("The lowest integer divided by -1 wraps around, in every dtype that is divided",
          "[math]") {
  const auto check = [](auto lowest) {
    using T = decltype(lowest);
    const Tensor x(lowest), y(static_cast<T>(-1));
    for (const Builder build : {Builder(floor_div), Builder(truncatediv), Builder(div)})
      CHECK(bit_equal(apply(build, x, y), x));
    if (sizeof(T) < 4) return;  // there is no remainder of smaller ones
    for (const Builder build : {Builder(floormod), Builder(truncatemod)})
      CHECK(bit_equal(apply(build, x, y), Tensor(T(0))));
  };
  check(std::numeric_limits<int8_t>::lowest());
  check(std::numeric_limits<int16_t>::lowest());
  check(std::numeric_limits<int32_t>::lowest());
  check(std::numeric_limits<int64_t>::lowest());
}

TEST_CASE("An integer to a negative power is an error", "[math]") {
  const Error error = error_of([&] { apply(pow, Tensor(2), Tensor(-1)); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(std::string(error.what()).find("negative") != std::string::npos);
}

TEST_CASE("Operators name their nodes as Python's do", "[math][names]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2}, {.name = "x"}),
               i = placeholder(graph, DType::kInt32, {2});
  CHECK((x + x).name() == "add:0");
  CHECK((x - 1.0f).name() == "sub:0");
  CHECK(graph.contains("sub/y"));
  CHECK((2 * x).name() == "mul:0");
  CHECK(graph.find("mul/x:0").dtype() == DType::kFloat);
  CHECK((x / x).op().type() == "RealDiv");
  CHECK((x / 2).name() == "truediv_1:0");
  const Output quotient = i / 4;
  CHECK(quotient.name() == "truediv_2:0");
  CHECK(quotient.dtype() == DType::kDouble);
  CHECK(graph.contains("truediv_2/Cast"));
  CHECK(graph.contains("truediv_2/Cast_1"));
  CHECK(floordiv(i, i).name() == "floordiv:0");
  CHECK((i % 3).name() == "mod:0");
  CHECK(maximum(x, 1).name() == "Maximum:0");
  CHECK(graph.contains("Maximum/y"));
  CHECK(add(x, x).name() == "Add_1:0");  // names differ in more than case
  CHECK(div(x, x).op().type() == "RealDiv");
  CHECK(div(i, i).op().type() == "FloorDiv");
  CHECK(add_n({x, x, x}).name() == "AddN:0");
}

TEST_CASE("Clipping by value makes a minimum and a maximum in one scope", "[math][names]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {3});
  const Output y = clip_by_value(x, -1, 1);
  CHECK(y.name() == "clip_by_value:0");
  CHECK(y.op().type() == "Maximum");
  CHECK(graph.contains("clip_by_value/Minimum"));
  CHECK(graph.contains("clip_by_value/Minimum/y"));
  CHECK(graph.contains("clip_by_value/y"));
  Session session(graph);
  CHECK(bit_equal(session.run(y, {{x, Tensor::vector<float>({-5, 0.5f, 5})}}),
                  Tensor::vector<float>({-1, 0.5f, 1})));
}

TEST_CASE("Operands that take turns in more extents than the loops have are refused",
          "[math][broadcast]") {
  const auto alternating = [](int rank, int odd) {
    Shape shape = {};
    for (int i = 0; i < rank; ++i) shape.append(i % 2 == odd ? 2 : 1);
    return Tensor::zeros(DType::kFloat, shape);
  };
  CHECK(apply(add, alternating(16, 0), alternating(16, 1)).num_elements() == 1 << 16);
  CHECK(error_of([&] { apply(add, alternating(17, 0), alternating(17, 1)); }).code() ==
        Code::kUnimplemented);
}

TEST_CASE("Shapes that do not broadcast are refused when the node is made, and when it runs",
          "[math][broadcast]") {
  Graph graph;
  const Output a = placeholder(graph, DType::kFloat, {2, 3}),
               b = placeholder(graph, DType::kFloat, {4});
  const Error made = error_of([&] { a + b; });
  CHECK(made.code() == Code::kInvalidArgument);
  CHECK(std::string(made.what()).find("[2,3] and [4]") != std::string::npos);
  const Error ran = error_of([&] {
    apply(add, Tensor::zeros(DType::kFloat, {2, 3}), Tensor::zeros(DType::kFloat, {4}));
  });
  CHECK(ran.code() == Code::kInvalidArgument);
  CHECK(std::string(ran.what()).find("[2,3] and [4]") != std::string::npos);
}

TEST_CASE("AddN adds tensors of one shape and refuses others", "[math]") {
  const auto sum = [](const std::vector<Tensor>& tensors) {
    return evaluate([](const auto& xs) { return add_n(xs, {.name = "sum"}); }, tensors);
  };
  const Tensor x = Tensor::vector<float>({1, 2});
  CHECK(bit_equal(sum({x}), x));
  CHECK(bit_equal(sum({x, x}), Tensor::vector<float>({2, 4})));
  CHECK(bit_equal(sum({x, x, x, x, x}), Tensor::vector<float>({5, 10})));
  CHECK(error_of([&] { sum({x, Tensor(1.0f)}); }).code() == Code::kInvalidArgument);
}

TEST_CASE("Comparisons know order, equality and what is not a number", "[math]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::vector<float>({1, 2, 3, nan}), y = Tensor::vector<float>({2, 2, 2, nan});
  CHECK(bit_equal(apply(equal, x, y), Tensor::vector<bool>({false, true, false, false})));
  CHECK(bit_equal(apply(not_equal, x, y), Tensor::vector<bool>({true, false, true, true})));
  CHECK(bit_equal(apply(less, x, y), Tensor::vector<bool>({true, false, false, false})));
  CHECK(bit_equal(apply(less_equal, x, y), Tensor::vector<bool>({true, true, false, false})));
  CHECK(bit_equal(apply(greater, x, y), Tensor::vector<bool>({false, false, true, false})));
  CHECK(bit_equal(apply(greater_equal, x, y), Tensor::vector<bool>({false, true, true, false})));
  CHECK(bit_equal(apply(greater, Tensor::vector<int64_t>({1, 3}), Tensor(int64_t{2})),
                  Tensor::vector<bool>({false, true})));
  CHECK(bit_equal(apply(equal, Tensor("a"), Tensor::vector<std::string>({"a", "b"})),
                  Tensor::vector<bool>({true, false})));
  CHECK(evaluate([](const auto& v) { return approximate_equal(v[0], v[1], {.tolerance = 0.1f}); },
                 {Tensor(1.0f), Tensor(1.05f)})
            .scalar<bool>());
}

TEST_CASE("ApproximateEqual wants equal shapes, and a difference below its tolerance", "[math]") {
  const auto near = [](const Tensor& x, const Tensor& y) {
    return evaluate(
        [](const auto& v) { return approximate_equal(v[0], v[1], {.tolerance = 0.5f}); }, {x, y});
  };
  CHECK(bit_equal(
      near(Tensor::vector<float>({1, 1, 1, 2}), Tensor::vector<float>({1, 1.25f, 1.5f, 1.5f})),
      Tensor::vector<bool>({true, true, false, false})));
  CHECK(error_of([&] {
          near(Tensor::vector<float>({1, 2}), Tensor(1.0f));
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("Logic is that of truth tables", "[math]") {
  const Tensor x = Tensor::vector<bool>({false, false, true, true}),
               y = Tensor::vector<bool>({false, true, false, true});
  CHECK(bit_equal(apply(logical_and, x, y), Tensor::vector<bool>({false, false, false, true})));
  CHECK(bit_equal(apply(logical_or, x, y), Tensor::vector<bool>({false, true, true, true})));
  CHECK(bit_equal(evaluate([](const auto& v) { return logical_not(v[0]); }, {x}),
                  Tensor::vector<bool>({true, true, false, false})));
}

TEST_CASE("Select chooses by element, by row or whole", "[math]") {
  const Tensor t = Tensor::matrix<float>({{1, 2}, {3, 4}}),
               e = Tensor::matrix<float>({{10, 20}, {30, 40}});
  const auto select = [&](const Tensor& condition) {
    return evaluate([](const auto& v) { return where(v[0], v[1], v[2]); }, {condition, t, e});
  };
  CHECK(bit_equal(select(Tensor::matrix<bool>({{true, false}, {false, true}})),
                  Tensor::matrix<float>({{1, 20}, {30, 4}})));
  CHECK(bit_equal(select(Tensor::vector<bool>({false, true})),
                  Tensor::matrix<float>({{10, 20}, {3, 4}})));
  CHECK(bit_equal(select(Tensor(true)), t));
  CHECK(bit_equal(select(Tensor(false)), e));
  CHECK(error_of([&] {
          select(Tensor::vector<bool>({true, true, true}));
        }).code() == Code::kInvalidArgument);
  const Tensor words = Tensor::vector<std::string>({"a", "b"});
  CHECK(bit_equal(evaluate([](const auto& v) { return where(v[0], v[1], v[2]); },
                           {Tensor::vector<bool>({true, false}), words,
                            Tensor::vector<std::string>({"c", "d"})}),
                  Tensor::vector<std::string>({"a", "d"})));
}

TEST_CASE("Cast converts between any two dtypes", "[math][cast]") {
  const auto to = [](const Tensor& x, DType dtype, bool truncate = false) {
    return evaluate([&](const auto& v) { return cast(v[0], dtype, {.truncate = truncate}); }, {x});
  };
  const std::vector<DType> all = {
      DType::kFloat, DType::kDouble, DType::kInt32,  DType::kUInt8,     DType::kInt16,
      DType::kInt8,  DType::kInt64,  DType::kBool,   DType::kBFloat16,  DType::kUInt16,
      DType::kHalf,  DType::kUInt32, DType::kUInt64, DType::kComplex64, DType::kComplex128};
  const Tensor ints = Tensor::vector<int32_t>({0, 1, 100});
  for (DType from : all) {
    for (DType into : all) {
      INFO(from << " to " << into);
      const bool logic = from == DType::kBool || into == DType::kBool;
      CHECK(bit_equal(to(to(to(ints, from), into), DType::kInt32),
                      logic ? Tensor::vector<int32_t>({0, 1, 1}) : ints));
    }
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const int32_t low = std::numeric_limits<int32_t>::lowest();
  CHECK(bit_equal(to(Tensor::vector<float>({1.9f, -1.9f, 3e9f, nan}), DType::kInt32),
                  Tensor::vector<int32_t>({1, -1, low, low})));
  CHECK(bit_equal(to(Tensor::vector<int32_t>({300, -1}), DType::kUInt8),
                  Tensor::vector<uint8_t>({44, 255})));
  CHECK(bit_equal(to(Tensor::vector<double>({0, 0.25, nan}), DType::kBool),
                  Tensor::vector<bool>({false, true, true})));
  CHECK(to(Tensor(1.8e19), DType::kUInt64).scalar<uint64_t>() == 18000000000000000000u);
}

TEST_CASE("Cast rounds floats, or truncates where asked to", "[math][cast]") {
  const float between = 1 + 0.75f / 128;  // three quarters of the way between two bfloat16 numbers
  const auto narrowed = [&](bool truncate) {
    return static_cast<float>(
        evaluate(
            [&](const auto& v) { return cast(v[0], DType::kBFloat16, {.truncate = truncate}); },
            {Tensor(between)})
            .scalar<BFloat16>());
  };
  CHECK(narrowed(false) == 1 + 1.0f / 128);
  CHECK(narrowed(true) == 1);
}

TEST_CASE("A cast to the dtype a tensor has is the tensor", "[math][cast]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat);
  CHECK(cast(x, DType::kFloat) == x);
  CHECK(cast(x, DType::kInt32).name() == "Cast:0");
}
