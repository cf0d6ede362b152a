#include "ops/math/matmul.h"

#include <cmath>
#include <random>

#include "tests/support/catch.h"
#include "tests/support/evaluate.h"
#include "tests/support/fixtures.h"

using namespace cairn;

namespace {

template <class T>
Tensor random_tensor(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  Tensor t = Tensor::uninitialized(dtype_of<T>, shape);
  for (int64_t i = 0; i < t.num_elements(); ++i)
    t.data<T>()[i] = T(static_cast<int>(random() % 9) - 4);
  return t;
}

template <class T>
double number(T x) {
  return static_cast<double>(static_cast<float>(x));
}

// Small whole numbers: products and sums are exact in every dtype, so every order gives the same
// bits.
template <class T>
void check_product(bool ta, bool tb, int64_t count, int64_t m, int64_t n, int64_t k) {
  Shape sa{count, ta ? k : m, ta ? m : k}, sb{count, tb ? n : k, tb ? k : n};
  if (count == 1) sa = sa.slice(1), sb = sb.slice(1);
  const Tensor a = random_tensor<T>(sa, 1), b = random_tensor<T>(sb, 2);
  const auto run = [&](int threads) {
    Graph graph;
    const Output x = placeholder(graph, a.dtype(), Shape::unknown(sa.rank()));
    const Output y = placeholder(graph, b.dtype(), Shape::unknown(sb.rank()));
    Session session(graph, {.threads = threads});
    return session.run(matmul(x, y, {.transpose_a = ta, .transpose_b = tb}), {{x, a}, {y, b}});
  };
  const Tensor c = run(1);
  INFO(sa << (ta ? "' · " : " · ") << sb << (tb ? "'" : ""));
  REQUIRE(c.shape() == concat(sa.slice(0, -2), {m, n}));
  for (int64_t s = 0; s < count; ++s) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double want = 0;
        for (int64_t q = 0; q < k; ++q)
          want += number(a.data<T>()[s * m * k + (ta ? q * m + i : i * k + q)]) *
                  number(b.data<T>()[s * k * n + (tb ? j * k + q : q * n + j)]);
        if (number(c.data<T>()[(s * m + i) * n + j]) != number(T(static_cast<float>(want)))) {
          INFO("row " << i << ", column " << j);
          REQUIRE(number(c.data<T>()[(s * m + i) * n + j]) == want);
        }
      }
    }
  }
  REQUIRE(bit_equal(c, run(3)));
}

template <class T>
void check_products() {
  struct Size {
    int64_t count, m, n, k;
  };
  for (const Size& s : {Size{1, 1, 1, 1}, Size{1, 2, 3, 4}, Size{1, 1, 20, 30}, Size{1, 30, 1, 20},
                        Size{1, 100, 10, 50}, Size{1, 13, 16, 9}, Size{1, 20, 10, 1},
                        Size{1, 9, 2, 1}, Size{1, 5, 16, 1}, Size{1, 40, 17, 33}, Size{1, 3, 4, 0},
                        Size{1, 9, 4, 0}, Size{1, 0, 4, 3}, Size{4, 2, 3, 5}, Size{2, 9, 10, 3},
                        Size{3, 2, 2, 0}, Size{0, 2, 3, 4}}) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) check_product<T>(ta, tb, s.count, s.m, s.n, s.k);
    }
  }
}

}  // namespace

TEST_CASE("Products of float matrices agree with a naive loop, transposed or not", "[matmul]") {
  check_products<float>();
  check_product<float>(false, false, 1, 300, 520, 40);
  check_product<float>(false, true, 1, 100, 600, 50);
  check_product<float>(true, false, 1, 784, 10, 100);
}
TEST_CASE("Large products agree with a naive loop, whichever library multiplies", "[matmul]") {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      check_product<float>(ta, tb, 1, 170, 280, 100);
      check_product<float>(ta, tb, 1, 512, 512, 300);  // rows a multiple of 2 KiB apart
    }
  }
}
TEST_CASE("Products of double matrices agree with a naive loop", "[matmul]") {
  check_products<double>();
}
TEST_CASE("Products of integer matrices agree with a naive loop", "[matmul]") {
  check_products<int32_t>();
  check_products<int64_t>();
}
TEST_CASE("Products of 16-bit matrices are summed in float", "[matmul]") {
  check_products<Half>();
  check_products<BFloat16>();
}

TEST_CASE("A product of matrices that do not fit is refused when it is made, and when it runs",
          "[matmul]") {
  Graph graph;
  const Output a = placeholder(graph, DType::kFloat, {-1, 784}),
               b = placeholder(graph, DType::kFloat, {128, 10});
  const Error made = error_of([&] { matmul(a, b); });
  CHECK(made.code() == Code::kInvalidArgument);
  CHECK(std::string(made.what()).find("784") != std::string::npos);
  const Output c = placeholder(graph, DType::kFloat, Shape::unknown(2)),
               d = placeholder(graph, DType::kFloat, {2, 2});
  Session session(graph);
  const Error ran = error_of([&] {
    session.run(matmul(c, d), {{c, Tensor::zeros(DType::kFloat, {2, 3})},
                               {d, Tensor::zeros(DType::kFloat, {2, 2})}});
  });
  CHECK(ran.code() == Code::kInvalidArgument);
  CHECK(std::string(ran.what()).find("[2,3]") != std::string::npos);
}

TEST_CASE("Stacks of matrices are multiplied by BatchMatMul under MatMul's name",
          "[matmul][names]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 2, 3}),
               y = placeholder(graph, DType::kFloat, {5, 3, 4});
  const Output z = matmul(x, y);
  CHECK(z.op().type() == "BatchMatMul");
  CHECK(z.name() == "MatMul:0");
  CHECK(z.shape() == Shape{5, 2, 4});
}

TEST_CASE("A stack that is not as high as the other is refused", "[matmul]") {
  const Error error = error_of([] {
    evaluate([](const auto& v) { return batch_matmul(v[0], v[1]); },
             {Tensor::zeros(DType::kFloat, {2, 2, 2}), Tensor::zeros(DType::kFloat, {3, 2, 2})});
  });
  CHECK(error.code() == Code::kInvalidArgument);
}
