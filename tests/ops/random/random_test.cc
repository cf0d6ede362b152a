#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <thread>

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/random/philox.h"
#include "ops/random/random.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;

namespace {

template <class T>
std::vector<double> values(const Tensor& t) {
  std::vector<double> all;
  for (T x : t.span<T>())
    all.push_back(
        static_cast<double>(static_cast<std::conditional_t<sizeof(T) == 2, float, T>>(x)));
  return all;
}

void check_near(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() >= expected.size());
  for (size_t i = 0; i < expected.size(); ++i) CHECK(got[i] == Approx(expected[i]).epsilon(2e-6));
}

double mean(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / double(x.size());
}
double variance(const std::vector<double>& x) {
  const double middle = mean(x);
  double sum = 0;
  for (double v : x) sum += (v - middle) * (v - middle);
  return sum / double(x.size());
}

std::vector<std::string> node_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Operation& op : graph.operations()) names.push_back(op.name() + " " + op.type());
  return names;
}

template <class F>
std::string message_of(const F& f) {
  return error_of(f).what();
}

}  // namespace

TEST_CASE("Philox gives the words its authors publish", "[random]") {
  CHECK(Philox({0, 0, 0, 0}, {0, 0})() ==
        Philox::Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr uint32_t k1 = 0xffffffff;
  CHECK(Philox({k1, k1, k1, k1}, {k1, k1})() ==
        Philox::Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0})() ==
        Philox::Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("Skipping blocks of Philox is the same as drawing them, carries included", "[random]") {
  constexpr uint32_t k1 = 0xffffffff;
  for (const Philox::Block& start :
       {Philox::Block{0, 0, 0, 0}, Philox::Block{k1 - 1, 0, 5, 6}, Philox::Block{k1 - 1, k1, 5, 6},
        Philox::Block{k1 - 1, k1, k1, 6}}) {
    Philox drawn(start, {1, 2}), skipped(start, {1, 2});
    for (int i = 0; i < 3; ++i) drawn();
    skipped.skip(3);
    CHECK(drawn() == skipped());
  }
}

TEST_CASE("RandomUniform gives TensorFlow's values for TensorFlow's seeds, run after run",
          "[random]") {
  Graph graph;
  const Output x = random_uniform(graph, {5}, {.seed = 1});
  const Output y = random_uniform(graph, {2, 3}, {.minval = 5, .maxval = 10, .seed = 7});
  Session session(graph);
  check_near(values<float>(session.run(x)),
             {0.23903739, 0.92039955, 0.05051243, 0.49574447, 0.83552229});
  check_near(values<float>(session.run(x)),
             {0.93370306, 0.71884167, 0.85377777, 0.77928996, 0.52497303});
  check_near(values<float>(session.run(y)),
             {7.41970491, 7.5310154, 6.27571869, 5.62371159, 9.66505051, 8.32304668});
  Session second(graph);
  check_near(values<float>(second.run(x)), {0.23903739, 0.92039955});
}

TEST_CASE("A sequence moves on by the same distance however few values a run takes of it",
          "[random]") {
  Graph graph;
  const Output x = random_uniform(graph, {1}, {.seed = 1});
  Session session(graph);
  CHECK(session.run(x).span<float>()[0] == Approx(0.23903739f).epsilon(1e-6));
  CHECK(session.run(x).span<float>()[0] == Approx(0.22267115f).epsilon(1e-6));
}

TEST_CASE("RandomStandardNormal gives TensorFlow's values for TensorFlow's seeds", "[random]") {
  Graph graph;
  const Output x = random_normal(graph, {2, 3}, {.seed = 1});
  const Output y = random_normal(graph, {2, 3}, {.mean = 5.0, .stddev = 0.35, .seed = 1});
  Session session(graph);
  check_near(values<float>(session.run(x)),
             {-0.8113182, 1.4845988, 0.06532937, -2.4427042, 0.0992484, 0.5912243});
  check_near(values<float>(session.run(y)),
             {4.7160387, 5.51960945, 5.0228653, 4.14505386, 5.03473711, 5.20692873});
}

TEST_CASE("TruncatedNormal leaves out values beyond two deviations that a normal draw gives",
          "[random]") {
  Graph graph;
  const Output x = truncated_normal(graph, {3, 3}, {.seed = 1});
  Session session(graph);
  const auto got = values<float>(session.run(x));
  check_near(got, {-0.8113182, 1.4845988, 0.06532937, 0.0992484});
  // The next group begins where 256 words for each of the four values end.
  Philox next(87654321, 1);
  next.skip(256);
  const auto words = next();
  const double u = double(words[0] & 0x7fffff) / 0x800000,
               v = double(words[1] & 0x7fffff) / 0x800000;
  CHECK(got[4] == Approx(std::sin(2 * M_PI * v) * std::sqrt(-2 * std::log(u))).epsilon(1e-5));
}

TEST_CASE("Stateless ops give TensorFlow's values for TensorFlow's seeds, every time", "[random]") {
  Graph graph;
  const Output seed = placeholder(graph, DType::kInt64, {2});
  const Output x = stateless_random_normal(graph, {2, 3}, seed);
  Session session(graph);
  const Tensor one_two = Tensor::vector<int64_t>({1, 2});
  const Tensor first = session.run(x, {{seed, one_two}});
  check_near(values<float>(first),
             {0.5441101, 0.20738031, 0.07356433, 0.04643455, -1.30159, -0.95385665});
  CHECK(bit_equal(first, session.run(x, {{seed, one_two}})));
  CHECK_FALSE(bit_equal(first, session.run(x, {{seed, Tensor::vector<int64_t>({1, 3})}})));
}

TEST_CASE("A 32-bit seed of a stateless op means what the 64-bit one does", "[random]") {
  Graph graph;
  const Output narrow = stateless_random_uniform(
      graph, {7}, constant(graph, Tensor::vector<int32_t>({-5, 9})), {.dtype = DType::kDouble});
  const Output wide = stateless_random_uniform(
      graph, {7}, constant(graph, Tensor::vector<int64_t>({-5, 9})), {.dtype = DType::kDouble});
  Session session(graph);
  CHECK(bit_equal(session.run(narrow), session.run(wide)));
}

TEST_CASE("Values do not depend on the number of threads", "[random]") {
  Graph graph;
  const std::vector<Output> all = {
      random_uniform(graph, {300001}, {.seed = 3}), random_normal(graph, {100003}, {.seed = 3}),
      truncated_normal(graph, {100003}, {.seed = 3}),
      truncated_normal(graph, {50001}, {.dtype = DType::kDouble, .seed = 3}),
      random_uniform(graph, {100003}, {.maxval = 1000, .dtype = DType::kInt64, .seed = 3})};
  Session one(graph, {.threads = 1}), four(graph, {.threads = 4});
  for (int run = 0; run < 2; ++run) {
    const auto a = one.run(all), b = four.run(all);
    for (size_t i = 0; i < all.size(); ++i) CHECK(bit_equal(a[i], b[i]));
  }
}

TEST_CASE("Random values have the mean, variance and range of their distribution, in every dtype",
          "[random]") {
  Graph graph;
  graph.set_seed(17);
  Session session(graph);
  const auto check = [&](const std::vector<double>& x, double m, double v, double low,
                         double high) {
    CHECK(mean(x) == Approx(m).margin(0.04));
    CHECK(variance(x) == Approx(v).margin(0.04));
    CHECK(*std::min_element(x.begin(), x.end()) >= low);
    CHECK(*std::max_element(x.begin(), x.end()) <= high);
  };
  const auto check_all = [&]<class T>(T) {
    const DType dtype = dtype_of<T>;
    INFO(dtype);
    check(values<T>(session.run(random_uniform(graph, {20001}, {.dtype = dtype}))), 0.5, 1.0 / 12,
          0, 0.9999999);
    check(values<T>(session.run(random_normal(graph, {20001}, {.dtype = dtype}))), 0, 1, -6, 6);
    check(values<T>(session.run(truncated_normal(graph, {20001}, {.dtype = dtype}))), 0, 0.774, -2,
          2);
  };
  check_all(float());
  check_all(double());
  check_all(Half());
  check_all(BFloat16());
}

TEST_CASE("Random integers cover their range and nothing else", "[random]") {
  Graph graph;
  const Output x =
      random_uniform(graph, {5000}, {.minval = -3, .maxval = 4, .dtype = DType::kInt32, .seed = 2});
  const Output y =
      random_uniform(graph, {5000}, {.minval = -3, .maxval = 4, .dtype = DType::kInt64, .seed = 2});
  Session session(graph);
  const Tensor narrow = session.run(x), wide = session.run(y);
  const std::set<int64_t> a(narrow.span<int32_t>().begin(), narrow.span<int32_t>().end());
  const std::set<int64_t> b(wide.span<int64_t>().begin(), wide.span<int64_t>().end());
  CHECK(a == std::set<int64_t>{-3, -2, -1, 0, 1, 2, 3});
  CHECK(b == a);
}

TEST_CASE("Without a seed every session draws its own values, unless the session has one",
          "[random]") {
  Graph graph;
  const Output x = random_uniform(graph, {4});
  Session a(graph), b(graph);
  CHECK_FALSE(bit_equal(a.run(x), b.run(x)));
  Session c(graph, {.seed = 5}), d(graph, {.seed = 5});
  CHECK(bit_equal(c.run(x), d.run(x)));
}

TEST_CASE("RandomShuffle puts rows in TensorFlow's order for TensorFlow's seeds", "[random]") {
  Graph graph;
  const Output x = constant(graph, Tensor::matrix<int32_t>({{1, 2}, {3, 4}, {5, 6}}));
  const Output a = random_shuffle(x, {.seed = 11});
  graph.set_seed(42);
  const Output b = random_shuffle(x, {.seed = 42});
  Session session(graph);
  CHECK(bit_equal(session.run(a), Tensor::matrix<int32_t>({{5, 6}, {3, 4}, {1, 2}})));
  CHECK(bit_equal(session.run(b), Tensor::matrix<int32_t>({{1, 2}, {3, 4}, {5, 6}})));
}

TEST_CASE("RandomShuffle keeps every row once, for every dtype", "[random]") {
  Graph graph;
  std::vector<int64_t> numbers(100);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::vector<std::string> words;
  for (int64_t n : numbers) words.push_back(std::to_string(n));
  const Output x = random_shuffle(constant(graph, Tensor::vector(numbers)), {.seed = 4});
  const Output y = random_shuffle(constant(graph, Tensor::vector(words)), {.seed = 4});
  const Output z = random_shuffle(constant(graph, Tensor(3.5f)));
  Session session(graph);
  Tensor shuffled = session.run(x);
  const Tensor as_words = session.run(y);
  for (size_t i = 0; i < 100; ++i)
    CHECK(as_words.span<std::string>()[i] == std::to_string(shuffled.span<int64_t>()[i]));
  CHECK_FALSE(bit_equal(shuffled, session.run(x)));
  std::sort(shuffled.span<int64_t>().begin(), shuffled.span<int64_t>().end());
  CHECK(bit_equal(shuffled, Tensor::vector(numbers)));
  CHECK(session.run(z).scalar<float>() == 3.5f);
}

TEST_CASE("Concurrent runs take parts of a sequence that do not overlap", "[random]") {
  Graph graph;
  const Output x = random_uniform(graph, {2}, {.dtype = DType::kDouble, .seed = 8});
  Session session(graph), reference(graph);
  std::vector<std::vector<double>> drawn(4);
  std::vector<std::thread> threads;
  for (auto& mine : drawn)
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) mine.push_back(session.run(x).span<double>()[0]);
    });
  for (auto& thread : threads) thread.join();
  std::set<double> all, expected;
  for (const auto& mine : drawn) all.insert(mine.begin(), mine.end());
  for (int i = 0; i < 100; ++i) expected.insert(reference.run(x).span<double>()[0]);
  CHECK(all == expected);
}

TEST_CASE("The builders random_normal and random_uniform make the nodes TensorFlow's Python makes",
          "[random]") {
  Graph graph;
  random_normal(graph, {784, 10});
  random_uniform(graph, {3}, {.name = "init"});
  CHECK(node_names(graph) ==
        std::vector<std::string>{
            "random_normal/shape Const", "random_normal/mean Const", "random_normal/stddev Const",
            "random_normal/RandomStandardNormal RandomStandardNormal", "random_normal/mul Mul",
            "random_normal Add", "init/shape Const", "init/min Const", "init/max Const",
            "init/RandomUniform RandomUniform", "init/sub Sub", "init/mul Mul", "init Add"});
}

TEST_CASE("The shape of random values may be computed by the graph", "[random]") {
  Graph graph;
  const Output like = placeholder(graph, DType::kFloat, {-1, 2});
  const Output x = random_uniform(graph, shape(like));
  CHECK(x.shape().rank() == 2);
  Session session(graph);
  CHECK(session.run(x, {{like, Tensor::zeros(DType::kFloat, {3, 2})}}).shape() == Shape{3, 2});
  CHECK(session.run(x, {{like, Tensor::zeros(DType::kFloat, {0, 2})}}).shape() == Shape{0, 2});
}

TEST_CASE("Random builders refuse shapes, seeds and ranges that make no sense", "[random]") {
  Graph graph;
  CHECK(message_of([&] { random_uniform(graph, {-1, 2}); }).find("-1") != std::string::npos);
  CHECK(message_of([&] { random_uniform(graph, {2}, {.dtype = DType::kInt32}); }).find("maxval") !=
        std::string::npos);
  CHECK_THROWS_AS(random_normal(graph, {2}, {.dtype = DType::kInt32}), Error);
  const Output three = constant(graph, Tensor::vector<int64_t>({1, 2, 3}));
  CHECK(message_of([&] { stateless_random_uniform(graph, {2}, three); }).find("seed") !=
        std::string::npos);
  const Output two = constant(graph, Tensor::vector<int64_t>({1, 2}));
  CHECK_THROWS_AS(stateless_random_uniform(graph, {2}, two, {.seed = 1}), Error);
}

TEST_CASE("An empty range of random integers fails when it runs, naming its ends", "[random]") {
  Graph graph;
  const Output x = random_uniform(graph, {2}, {.minval = 4, .maxval = 4, .dtype = DType::kInt32});
  Session session(graph);
  CHECK(message_of([&] { session.run(x); }).find("4 and 4") != std::string::npos);
}

TEST_CASE("A negative extent in a shape fed to a random op fails when it runs", "[random]") {
  Graph graph;
  const Output extents = placeholder(graph, DType::kInt32, {1});
  const Output x = random_uniform(graph, extents);
  Session session(graph);
  CHECK(message_of([&] {
          session.run(x, {{extents, Tensor::vector<int32_t>({-2})}});
        }).find("-2") != std::string::npos);
}
