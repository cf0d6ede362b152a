// NaN, infinities, zeros of either sign and what lies at the ends of the dtypes.
#include <bit>
#include <cmath>
#include <limits>

#include "ops/conv.h"
#include "ops/gradients.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/evaluate.h"
#include "tests/support/fixtures.h"

namespace cairn {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

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

Tensor of(Output (*f)(const Operand&, const Axes&, const ReduceOptions&), const Tensor& x, const Axes& axes = {}) {
  return evaluate([&](const auto& v) { return f(v[0], axes, {}); }, {x});
}

// ---- the order of NaN -----------------------------------------------------------------------------------------------

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
  const Tensor x = Tensor::matrix<float>({{1, NAN, 3}, {4, 5, 6}, {7, 8, 9}, {0, 1, 2}, {3, 4, NAN}});
  const auto greatest = numbers<float>(of(reduce_max, x, 0)), least = numbers<float>(of(reduce_min, x, 0));
  CHECK((greatest[0] == 7 && std::isnan(greatest[1]) && std::isnan(greatest[2])));
  CHECK((least[0] == 0 && std::isnan(least[1]) && std::isnan(least[2])));
}

TEST_CASE("top k gives the same values in whatever order a row has them, NaN first", "[special]") {
  std::vector<float> row = {NAN, 1, 2, 3, -std::numeric_limits<float>::infinity(), NAN};
  for (size_t turn = 0; turn < row.size(); ++turn) {
    std::rotate(row.begin(), row.begin() + 1, row.end());
    const auto best = numbers<float>(evaluate([](const auto& v) { return top_k(v[0], 4).first; },
                                              {Tensor::vector<float>(row)}));
    CHECK((std::isnan(best[0]) && std::isnan(best[1]) && best[2] == 3 && best[3] == 2));
  }
}

TEST_CASE("maximum, minimum and clip_by_value give NaN where either operand is NaN", "[special]") {
  for (const auto choose : {maximum, minimum}) {
    const auto pair = [&](float x, float y) {
      return evaluate([&](const auto& v) { return choose(v[0], v[1], {}); }, {Tensor(x), Tensor(y)}).scalar<float>();
    };
    CHECK(std::isnan(pair(NAN, 1)));
    CHECK(std::isnan(pair(1, NAN)));
    CHECK(std::isnan(pair(NAN, NAN)));
    CHECK(pair(INFINITY, INFINITY) == INFINITY);
  }
  CHECK(std::isnan(evaluate([](const auto& v) { return clip_by_value(v[0], -1, 1); }, {Tensor(NAN)}).scalar<float>()));
}

TEST_CASE("Activations let NaN through", "[special]") {
  for (const auto activation : {relu, relu6, elu, selu, softplus, softsign, sigmoid, cairn::tanh}) {
    const Tensor y = evaluate([&](const auto& v) { return activation(v[0], {}); }, {Tensor::vector<float>({NAN, 0.5f})});
    CHECK((std::isnan(y.data<float>()[0]) && y.data<float>()[1] > 0));
  }
}

TEST_CASE("A window's maximum is NaN where one of its cells is, and its gradient goes there", "[special][gradient]") {
  for (int at = 0; at < 4; ++at) {
    Tensor x = Tensor::of<float>({1, 2, 2, 1}, {1, 2, 3, 4});
    x.data<float>()[at] = NAN;
    Graph graph;
    const Output cells = constant(graph, x), pooled = max_pool(cells, {.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}});
    Session session(graph);
    CHECK(std::isnan(session.run(pooled).data<float>()[0]));
    std::vector<float> expected(4, 0);
    expected[static_cast<size_t>(at)] = 1;
    CHECK(bit_equal(session.run(gradients(pooled, {cells})[0]), Tensor::of<float>({1, 2, 2, 1}, expected)));
  }
}

}  // namespace cairn
