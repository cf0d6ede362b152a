// NaN, infinities, zeros of either sign and what lies at the ends of the dtypes.
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "ops/conv/conv.h"
#include "ops/core/gradients.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"
#include "ops/nn/nn.h"
#include "tests/support/catch.h"
#include "tests/support/evaluate.h"
#include "tests/support/fixtures.h"

namespace cairn {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(),
                 kInf = std::numeric_limits<double>::infinity();

// Values as a tensor of dtype T, and back.
template <class T>
Tensor values(const std::vector<double>& from) {
  std::vector<T> all;
  for (const double v : from) all.push_back(T(static_cast<float>(v)));
  return Tensor::vector<T>(all);
}
template <class T>
std::vector<double> numbers(const Tensor& t) {
  std::vector<double> all;
  for (const T& v : t.span<T>()) all.push_back(static_cast<double>(static_cast<float>(v)));
  return all;
}

Tensor of(Output (*f)(const Operand&, const Axes&, const ReduceOptions&), const Tensor& x,
          const Axes& axes = {}) {
  return evaluate([&](const auto& v) { return f(v[0], axes, {}); }, {x});
}

// ---- the order of NaN ---------------------------------------------------------------------------

template <class T>
void check_extremes_find_nan() {
  for (const int64_t n : {1, 2, 7, 31, 32, 33, 100, 5000}) {
    for (const int64_t at : {int64_t{0}, n / 2, n - 1}) {
      INFO(dtype_of<T> << ", NaN at " << at << " of " << n);
      std::vector<double> row(static_cast<size_t>(n), -1);
      row[static_cast<size_t>(at)] = kNan;
      const Tensor x = values<T>(row);
      for (const auto extreme : {reduce_max, reduce_min}) {
        CHECK(std::isnan(numbers<T>(of(extreme, x))[0]));
        CHECK(std::isnan(numbers<T>(of(extreme, x.reshaped({n, 1}), 0))[0]));
      }
      for (const auto place : {argmax, argmin}) {
        const auto found = evaluate([&](const auto& v) { return place(v[0], 0, {}); }, {x});
        CHECK(found.template scalar<int64_t>() == at);
      }
      const auto best = evaluate([](const auto& v) { return top_k(v[0], 1).second; }, {x});
      CHECK(best.template data<int32_t>()[0] == at);
    }
  }
}

}  // namespace

TEST_CASE("Maxima, minima, their positions and top k find NaN wherever it stands", "[special]") {
  check_extremes_find_nan<float>();
  check_extremes_find_nan<double>();
  check_extremes_find_nan<Half>();
  check_extremes_find_nan<BFloat16>();
}

TEST_CASE("A maximum over rows is NaN in the columns that have one", "[special]") {
  const Tensor x =
      Tensor::matrix<float>({{1, NAN, 3}, {4, 5, 6}, {7, 8, 9}, {0, 1, 2}, {3, 4, NAN}});
  const auto greatest = numbers<float>(of(reduce_max, x, 0)),
             least = numbers<float>(of(reduce_min, x, 0));
  CHECK((greatest[0] == 7 && std::isnan(greatest[1]) && std::isnan(greatest[2])));
  CHECK((least[0] == 0 && std::isnan(least[1]) && std::isnan(least[2])));
}

TEST_CASE("TopK gives the same values for any order of a row, NaN first", "[special]") {
  std::vector<float> row = {NAN, 1, 2, 3, -std::numeric_limits<float>::infinity(), NAN};
  for (size_t turn = 0; turn < row.size(); ++turn) {
    std::rotate(row.begin(), row.begin() + 1, row.end());
    const auto best = numbers<float>(
        evaluate([](const auto& v) { return top_k(v[0], 4).first; }, {Tensor::vector<float>(row)}));
    CHECK((std::isnan(best[0]) && std::isnan(best[1]) && best[2] == 3 && best[3] == 2));
  }
}

TEST_CASE("Maximum, minimum and clip_by_value give NaN where either operand is NaN", "[special]") {
  for (const auto choose : {maximum, minimum}) {
    const auto pair = [&](float x, float y) {
      return evaluate([&](const auto& v) { return choose(v[0], v[1], {}); }, {Tensor(x), Tensor(y)})
          .scalar<float>();
    };
    CHECK(std::isnan(pair(NAN, 1)));
    CHECK(std::isnan(pair(1, NAN)));
    CHECK(std::isnan(pair(NAN, NAN)));
    CHECK(pair(INFINITY, INFINITY) == INFINITY);
  }
  CHECK(std::isnan(evaluate([](const auto& v) { return clip_by_value(v[0], -1, 1); }, {Tensor(NAN)})
                       .scalar<float>()));
}

TEST_CASE("Activations let NaN through", "[special]") {
  for (const auto activation : {relu, relu6, elu, selu, softplus, softsign, sigmoid, cairn::tanh}) {
    const Tensor y = evaluate([&](const auto& v) { return activation(v[0], {}); },
                              {Tensor::vector<float>({NAN, 0.5f})});
    CHECK((std::isnan(y.data<float>()[0]) && y.data<float>()[1] > 0));
  }
}

TEST_CASE("A window's maximum is NaN where one of its cells is, and its gradient goes there",
          "[special][gradient]") {
  for (int at = 0; at < 4; ++at) {
    Tensor x = Tensor::of<float>({1, 2, 2, 1}, {1, 2, 3, 4});
    x.data<float>()[at] = NAN;
    Graph graph;
    const Output cells = constant(graph, x),
                 pooled = max_pool(cells, {.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}});
    Session session(graph);
    CHECK(std::isnan(session.run(pooled).data<float>()[0]));
    std::vector<float> expected(4, 0);
    expected[static_cast<size_t>(at)] = 1;
    CHECK(bit_equal(session.run(gradients(pooled, {cells})[0]),
                    Tensor::of<float>({1, 2, 2, 1}, expected)));
  }
}

// ---- functions at their ends
// ------------------------------------------------------------------------------------------

namespace {

// How far y is from the true value, in steps of the dtype there.
template <class T>
double steps_off(T y, double truth) {
  const T nearest = static_cast<T>(truth);
  if (y == nearest || (std::isnan(y) && std::isnan(nearest))) return 0;
  if (!std::isfinite(y) || !std::isfinite(nearest)) return kInf;
  const T above = std::nextafter(std::abs(nearest), std::numeric_limits<T>::infinity());
  return std::abs(static_cast<double>(y) - truth) / static_cast<double>(above - std::abs(nearest));
}

template <class T>
void check_function(Output (*f)(const Operand&, const NameOptions&), double (*truth)(double)) {
  std::vector<T> xs = {
      T(0),     T(-0.0),   T(kInf),  T(-kInf),  T(kNan), std::numeric_limits<T>::denorm_min(),
      T(1e-38), T(-1e-38), T(1e-20), T(-1e-20), T(3e38), T(-3e38)};
  const double reach = sizeof(T) == 4 ? 110 : 760;
  for (double x = -reach; x <= reach; x += reach / 701) xs.push_back(T(x));
  for (double x = -104.5; x < -86; x += 0.11) xs.push_back(T(x));
  for (double x = 87; x < 90; x += 0.07) xs.push_back(T(x));
  const Tensor y = evaluate([&](const auto& v) { return f(v[0], {}); }, {Tensor::vector<T>(xs)});
  for (size_t i = 0; i < xs.size(); ++i) {
    INFO(dtype_of<T> << " of " << xs[i] << " is " << y.data<T>()[i] << ", not " << truth(xs[i]));
    REQUIRE(steps_off(y.data<T>()[i], truth(xs[i])) <= 6);
    // One by itself goes the way of many.
    if (i % 40 != 0) continue;
    const Tensor alone = evaluate([&](const auto& v) { return f(v[0], {}); }, {Tensor(xs[i])});
    REQUIRE(std::bit_cast<std::array<char, sizeof(T)>>(alone.scalar<T>()) ==
            std::bit_cast<std::array<char, sizeof(T)>>(y.data<T>()[i]));
  }
}

double true_sigmoid(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}
double true_softplus(double x) {
  return std::isnan(x) ? x : std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}
double true_elu(double x) { return x < 0 ? std::expm1(x) : x; }

}  // namespace

TEST_CASE("Functions are right to the last digits at the ends of their ranges", "[special]") {
  using Unary = Output (*)(const Operand&, const NameOptions&);
  const std::pair<Unary, double (*)(double)> functions[] = {
      {cairn::exp, std::exp},     {cairn::log, std::log},   {cairn::expm1, std::expm1},
      {cairn::log1p, std::log1p}, {cairn::tanh, std::tanh}, {sigmoid, true_sigmoid},
      {softplus, true_softplus},  {elu, true_elu},          {cairn::sqrt, std::sqrt},
      {cairn::erf, std::erf},     {cairn::atan, std::atan}};
  for (const auto& [f, truth] : functions) {
    Graph graph;
    INFO(f(placeholder(graph, DType::kFloat), {}).op().type());
    check_function<float>(f, truth);
    check_function<double>(f, truth);
  }
}

TEST_CASE("Zeros keep their sign", "[special]") {
  for (const auto f :
       {cairn::expm1, cairn::log1p, cairn::tanh, cairn::sin, cairn::atan, cairn::sqrt, negative}) {
    const Tensor y = evaluate([&](const auto& v) { return f(v[0], {}); },
                              {Tensor::vector<float>({-0.0f, 0.0f})});
    CHECK(std::signbit(y.data<float>()[0]) != std::signbit(y.data<float>()[1]));
  }
}

namespace {

// Softmax in double, of one row.
std::vector<double> true_softmax(const std::vector<double>& x) {
  const double most = *std::max_element(x.begin(), x.end());
  std::vector<double> y;
  double sum = 0;
  for (const double v : x) sum += std::exp(v - most);
  for (const double v : x) y.push_back(std::exp(v - most) / sum);
  return y;
}

template <class T>
void check_softmax_of_row(const std::vector<double>& row) {
  const auto cols = static_cast<int64_t>(row.size());
  std::vector<T> twice;
  for (int copy = 0; copy < 2; ++copy) {
    for (const double v : row) twice.push_back(static_cast<T>(v));
  }
  const Tensor x = Tensor::of<T>({2, cols}, twice);
  const Tensor y = evaluate([](const auto& v) { return softmax(v[0]); }, {x});
  const Tensor logs = evaluate([](const auto& v) { return log_softmax(v[0]); }, {x});
  const std::vector<double> truth = true_softmax(row);
  for (size_t i = 0; i < twice.size(); ++i) {
    const double want = truth[i % row.size()];
    INFO(cols << " columns, element " << i << ": " << y.data<T>()[i] << ", not " << want);
    REQUIRE((want == 0 ? y.data<T>()[i] == 0 : steps_off(y.data<T>()[i], want) < 100));
    if (want > 1e-30)
      REQUIRE(std::abs(static_cast<double>(logs.data<T>()[i]) - std::log(want)) < 1e-4);
  }
}

}  // namespace

TEST_CASE("Softmax of rows of any length knows faint, huge and infinite logits",
          "[special][softmax]") {
  for (const size_t cols : {1, 2, 10, 15, 16, 17, 64, 65, 100, 1000}) {
    std::vector<double> far(cols, -200), masked(cols, -kInf), faint(cols, -95), high(cols, 1e30);
    far[cols / 2] = -190;
    masked[cols / 3] = -300;
    masked[cols - 1] = -301;
    faint[0] = 0;
    high[cols / 2] = 2e30;
    for (const auto& row : {far, masked, faint, high}) {
      check_softmax_of_row<float>(row);
      check_softmax_of_row<double>(row);
    }
  }
  const Tensor hidden = evaluate([](const auto& v) { return softmax(v[0]); },
                                 {Tensor::matrix<float>({{0, -INFINITY, 1}})});
  CHECK(hidden.data<float>()[1] == 0);
}

// ---- casts
// -------------------------------------------------------------------------------------------------

TEST_CASE(
    "A fraction beyond an integer dtype is cast as the header says, in every place of a tensor",
    "[special][cast]") {
  const auto check = [](DType dtype, double x, double expected) {
    // Long enough for whole registers, and a rest.
    const Tensor many = Tensor::vector<double>(std::vector<double>(37, x));
    for (const bool wide : {true, false}) {
      const Tensor from =
          wide ? many : evaluate([](const auto& v) { return cast(v[0], DType::kFloat); }, {many});
      Graph graph;
      const Output folded = cast(constant(graph, from), dtype);
      const Tensor known = graph.static_value(folded);
      const Tensor ran = evaluate([&](const auto& v) { return cast(v[0], dtype); }, {from});
      INFO(x << " as " << dtype << (wide ? " from double" : " from float"));
      CHECK(bit_equal(known, ran));
      const Tensor back = evaluate([](const auto& v) { return cast(v[0], DType::kDouble); }, {ran});
      for (const double v : back.span<double>()) REQUIRE(v == expected);
    }
  };
  for (const double x : {kNan, kInf, -kInf, 1e30, -1e30, 1e10}) {
    for (const DType small : {DType::kInt8, DType::kUInt8, DType::kInt16, DType::kUInt16})
      check(small, x, 0);
    check(DType::kInt32, x, -2147483648.0);
  }
  for (const double x : {kNan, kInf, -kInf, 1e30}) check(DType::kInt64, x, -9223372036854775808.0);
  check(DType::kUInt8, 300.75, 44);
  check(DType::kUInt8, -1.5, 255);
  check(DType::kInt8, 200.5, -56);
  check(DType::kInt8, -129, 127);
  check(DType::kInt16, 40000.5, -25536);
  check(DType::kUInt16, -2.5, 65534);
  check(DType::kUInt32, -1, 4294967295.0);
  check(DType::kUInt32, 4294967296.0 + 512, 512);
}

}  // namespace cairn
