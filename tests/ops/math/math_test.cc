#include "ops/math/math.h"

#include <cmath>
#include <limits>

#include "tests/support/catch.h"
#include "tests/support/evaluate.h"
#include "tests/support/fixtures.h"

using namespace cairn;

namespace {

using Builder = Output (*)(const Operand&, const NameOptions&);
struct Function {
  const char* name;
  Builder build;
  double (*oracle)(double);
  double low, high;  // where it is tested
};

double reciprocal_of(double x) { return 1 / x; }
double sign_of(double x) { return (x > 0) - (x < 0); }
double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

const std::vector<Function> kFunctions = {
    {"negative", negative, [](double x) { return -x; }, -3, 3},
    {"abs", cairn::abs, [](double x) { return std::abs(x); }, -3, 3},
    {"square", square, [](double x) { return x * x; }, -3, 3},
    {"sqrt", cairn::sqrt, [](double x) { return std::sqrt(x); }, 0.1, 9},
    {"rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, 0.1, 9},
    {"exp", cairn::exp, [](double x) { return std::exp(x); }, -20, 20},
    {"expm1", cairn::expm1, [](double x) { return std::expm1(x); }, -2, 2},
    {"log", cairn::log, [](double x) { return std::log(x); }, 1e-3, 1e3},
    {"log1p", cairn::log1p, [](double x) { return std::log1p(x); }, -0.5, 2},
    {"reciprocal", reciprocal, reciprocal_of, 0.1, 5},
    {"sign", sign, sign_of, -3, 3},
    {"floor", cairn::floor, [](double x) { return std::floor(x); }, -3.2, 3},
    {"ceil", cairn::ceil, [](double x) { return std::ceil(x); }, -3.2, 3},
    {"rint", cairn::rint, [](double x) { return std::rint(x); }, -3.2, 3},
    {"sin", cairn::sin, [](double x) { return std::sin(x); }, -6, 6},
    {"cos", cairn::cos, [](double x) { return std::cos(x); }, -6, 6},
    {"tan", cairn::tan, [](double x) { return std::tan(x); }, -1, 1},
    {"asin", cairn::asin, [](double x) { return std::asin(x); }, -0.9, 0.9},
    {"acos", cairn::acos, [](double x) { return std::acos(x); }, -0.9, 0.9},
    {"atan", cairn::atan, [](double x) { return std::atan(x); }, -3, 3},
    {"sinh", cairn::sinh, [](double x) { return std::sinh(x); }, -3, 3},
    {"cosh", cairn::cosh, [](double x) { return std::cosh(x); }, -3, 3},
    {"sigmoid", sigmoid, sigmoid_of, -15, 15},
    {"tanh", cairn::tanh, [](double x) { return std::tanh(x); }, -12, 12},
    {"erf", cairn::erf, [](double x) { return std::erf(x); }, -3, 3},
};

// Doubles of `shape` spread over [low, high], neither sorted nor on a grid.
Tensor doubles(const Shape& shape, double low, double high) {
  Tensor tensor = Tensor::uninitialized(DType::kDouble, shape);
  for (int64_t i = 0; i < tensor.num_elements(); ++i) {
    const double turn = 0.6180339887498949 * static_cast<double>(i + 1) + 0.1234;
    tensor.data<double>()[i] = low + (high - low) * (turn - std::floor(turn));
  }
  return tensor;
}

template <class T>
Tensor as(const Tensor& doubles) {
  Tensor t = Tensor::uninitialized(dtype_of<T>, doubles.shape());
  for (int64_t i = 0; i < t.num_elements(); ++i)
    t.data<T>()[i] = T(static_cast<float>(doubles.data<double>()[i]));
  return t;
}

template <class T>
void check_functions(double tolerance) {
  for (const Function& f : kFunctions) {
    for (int64_t n : {0, 1, 7, 200}) {
      const Tensor x = as<T>(doubles({n}, f.low, f.high));
      const Tensor y = evaluate([&](const auto& xs) { return f.build(xs[0], {}); }, {x});
      REQUIRE(y.shape() == x.shape());
      for (int64_t i = 0; i < n; ++i) {
        const double in = static_cast<double>(static_cast<float>(x.data<T>()[i]));
        const double got = static_cast<double>(static_cast<float>(y.data<T>()[i])),
                     want = f.oracle(in);
        const double nearest = static_cast<double>(static_cast<float>(T(static_cast<float>(want))));
        if (std::isinf(nearest)) {
          CHECK(got == nearest);  // beyond what the dtype holds
          continue;
        }
        INFO(f.name << "(" << in << ") is " << got << ", not " << want);
        REQUIRE(std::abs(got - want) <= tolerance * (1e-3 + std::abs(want)));
      }
    }
  }
}

}  // namespace

TEST_CASE("Functions of float elements agree with the C library", "[math]") {
  check_functions<float>(2e-6);
}
TEST_CASE("Functions of half elements agree with the C library to their precision", "[math]") {
  check_functions<Half>(1.5e-3);
}
TEST_CASE("Functions of bfloat16 elements agree with the C library to their precision", "[math]") {
  check_functions<BFloat16>(8e-3);
}
TEST_CASE("Functions of double elements agree with the C library", "[math]") {
  for (const Function& f : kFunctions) {
    const Tensor x = doubles({131}, f.low, f.high);
    const Tensor y = evaluate([&](const auto& xs) { return f.build(xs[0], {}); }, {x});
    for (int64_t i = 0; i < 131; ++i) {
      const double want = f.oracle(x.data<double>()[i]);
      INFO(f.name << "(" << x.data<double>()[i] << ")");
      REQUIRE(std::abs(y.data<double>()[i] - want) <= 1e-13 * (1e-3 + std::abs(want)));
    }
  }
}

TEST_CASE("What is not a number stays so, and infinities go where they should", "[math]") {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              inf = std::numeric_limits<float>::infinity();
  for (const Function& f : kFunctions) {
    if (f.oracle == sign_of) continue;
    const Tensor y = evaluate([&](const auto& xs) { return f.build(xs[0], {}); },
                              {Tensor::vector<float>({nan, 1})});
    INFO(f.name);
    CHECK(std::isnan(y.data<float>()[0]));
  }
  const Tensor ends = Tensor::vector<float>({-inf, inf, 0});
  const auto at_ends = [&](Builder build) {
    const Tensor y = evaluate([&](const auto& xs) { return build(xs[0], {}); }, {ends});
    return std::vector<float>(y.span<float>().begin(), y.span<float>().end());
  };
  CHECK(at_ends(cairn::exp) == std::vector<float>{0, inf, 1});
  CHECK(at_ends(sigmoid) == std::vector<float>{0, 1, 0.5f});
  CHECK(at_ends(cairn::tanh) == std::vector<float>{-1, 1, 0});
  CHECK(at_ends(cairn::log)[2] == -inf);
  CHECK(at_ends(cairn::log)[1] == inf);
  CHECK(std::isnan(at_ends(cairn::log)[0]));
}

TEST_CASE("The value of an element does not depend on its place", "[math]") {
  for (const Builder build :
       {Builder(cairn::exp), Builder(sigmoid), Builder(cairn::tanh), Builder(cairn::log)}) {
    const Tensor x = as<float>(doubles({100}, 0.1, 4));
    const auto run = [&](const Tensor& t) {
      return evaluate([&](const auto& xs) { return build(xs[0], {}); }, {t});
    };
    const Tensor all = run(x);
    for (int64_t i : {0, 5, 50, 99}) {
      CHECK(run(Tensor::vector<float>({x.data<float>()[i]})).data<float>()[0] ==
            all.data<float>()[i]);
    }
  }
}

TEST_CASE("Round takes halves to the even side", "[math]") {
  const Tensor y = evaluate([](const auto& x) { return cairn::round(x[0]); },
                            {Tensor::vector<float>({0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 2.4f})});
  CHECK(bit_equal(y, Tensor::vector<float>({0, 2, 2, -0.0f, -2, 2})));
}

TEST_CASE("Integers have signs, squares and absolute values that wrap around", "[math]") {
  const int32_t low = std::numeric_limits<int32_t>::lowest();
  const Tensor x = Tensor::vector<int32_t>({-3, 0, 5, low});
  const auto run = [&](Builder build) {
    return evaluate([&](const auto& xs) { return build(xs[0], {}); }, {x});
  };
  CHECK(bit_equal(run(negative), Tensor::vector<int32_t>({3, 0, -5, low})));
  CHECK(bit_equal(run(cairn::abs), Tensor::vector<int32_t>({3, 0, 5, low})));
  CHECK(bit_equal(run(square), Tensor::vector<int32_t>({9, 0, 25, 0})));
  CHECK(bit_equal(run(sign), Tensor::vector<int32_t>({-1, 0, 1, -1})));
}

TEST_CASE("IsNan, IsInf and IsFinite tell numbers apart", "[math]") {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              inf = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::vector<float>({1, nan, inf, -inf});
  const auto run = [&](Builder build) {
    return evaluate([&](const auto& xs) { return build(xs[0], {}); }, {x});
  };
  CHECK(bit_equal(run(is_nan), Tensor::vector<bool>({false, true, false, false})));
  CHECK(bit_equal(run(is_inf), Tensor::vector<bool>({false, false, true, true})));
  CHECK(bit_equal(run(is_finite), Tensor::vector<bool>({true, false, false, false})));
}

TEST_CASE("An op of one operand keeps what is known of its shape and takes the op's name",
          "[math]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 3});
  CHECK(sigmoid(x).shape() == Shape{-1, 3});
  CHECK((-x).name() == "Neg:0");
  CHECK(is_nan(x).dtype() == DType::kBool);
  CHECK(square(x, {.name = "mine"}).name() == "mine:0");
}

TEST_CASE("A function of integers that has none is refused by name", "[math]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kInt32);
  const Error error = error_of([&] { cairn::exp(x); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(std::string(error.what()).find("Exp") != std::string::npos);
}

TEST_CASE("Grad ops refuse operands of different shapes", "[math]") {
  const Error error = error_of([] {
    evaluate([](const auto& x) { return sigmoid_grad(x[0], x[1]); },
             {Tensor::vector<float>({1, 2}), Tensor::vector<float>({1})});
  });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(std::string(error.what()).find("one shape") != std::string::npos);
}
