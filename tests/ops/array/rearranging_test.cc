#include "ops/array/rearranging.h"

#include <random>

#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/lab.h"

using namespace cairn;

namespace {

// The tensor of `shape` whose element at each place is x's at source(place).
template <class Source>
Tensor naive(const Shape& shape, const Tensor& x, Source source) {
  Tensor out = Tensor::zeros(DType::kFloat, shape);
  std::vector<int64_t> at(static_cast<size_t>(shape.rank()), 0);
  for (int64_t i = 0; i < out.num_elements(); ++i) {
    int64_t rest = i;
    for (int d = shape.rank() - 1; d >= 0; --d) {
      at[static_cast<size_t>(d)] = rest % shape[d];
      rest /= shape[d];
    }
    const std::vector<int64_t> from = source(at);
    int64_t offset = 0;
    for (int d = 0; d < x.rank(); ++d) offset = offset * x.dim(d) + from[static_cast<size_t>(d)];
    out.data<float>()[i] = x.data<float>()[offset];
  }
  return out;
}

}  // namespace

TEST_CASE("Transpose moves every element to the place that the permutation gives",
          "[rearranging]") {
  std::mt19937 random(3);
  for (const Shape& shape :
       {Shape{5}, {3, 4}, {70, 45}, {2, 3, 4}, {9, 1, 40, 11}, {2, 3, 2, 3, 2}, {3, 0, 2}}) {
    for (int round = 0; round < 6; ++round) {
      std::vector<int64_t> perm;
      for (int i = 0; i < shape.rank(); ++i) perm.push_back(i);
      std::shuffle(perm.begin(), perm.end(), random);
      Shape result = shape;
      for (int i = 0; i < shape.rank(); ++i)
        result.set_dim(i, shape[static_cast<int>(perm[static_cast<size_t>(i)])]);
      const Tensor x = count_up(shape);
      const Tensor expected = naive(result, x, [&](const std::vector<int64_t>& at) {
        std::vector<int64_t> from(at.size());
        for (size_t i = 0; i < at.size(); ++i) from[static_cast<size_t>(perm[i])] = at[i];
        return from;
      });
      Lab lab;
      CHECK(transpose(lab.known(x), perm).shape() == result);
      CHECK(bit_equal(lab.run(transpose(lab.fed(x), perm)), expected));
      const Output back = invert_permutation(lab.fed(IntList(perm).tensor()));
      CHECK(bit_equal(lab.run(transpose(lab.fed(expected), back)), x));
    }
  }
}

TEST_CASE("Transpose without a permutation reverses the extents", "[rearranging]") {
  Lab lab;
  const Output y = transpose(lab.fed(count_up({2, 3}), {-1, 3}));
  CHECK(y.op().input(1).name() == "transpose/perm:0");
  CHECK(y.shape() == Shape{3, -1});
  CHECK(lab.told(y) == "float [3,2] [[0. 3.]\n [1. 4.]\n [2. 5.]]");
  CHECK(lab.told(transpose(lab.fed(count_up({2, 3})))) ==
        "float [3,2] [[0. 3.]\n [1. 4.]\n [2. 5.]]");
  const Tensor words = Tensor::matrix<std::string>({{"a", "b"}, {"c", "d"}});
  CHECK(lab.told(transpose(lab.fed(words, {2, 2}))) == "string [2,2] [[b'a' b'c']\n [b'b' b'd']]");
}

TEST_CASE("A permutation that is none is refused", "[rearranging]") {
  Lab lab;
  using Ints = std::vector<int64_t>;
  for (const Output& x : {lab.known(count_up({2, 3})), lab.fed(count_up({2, 3}))}) {
    for (const Ints& perm : std::vector<Ints>{{0}, {0, 0}, {0, 2}, {-1, 0}}) {
      CHECK(error_of([&] { lab.run(transpose(x, perm)); }).code() == Code::kInvalidArgument);
    }
  }
  for (const Ints& perm : std::vector<Ints>{{1, 1}, {0, 2}, {-1, 0}}) {
    CHECK(error_of([&] { lab.run(invert_permutation(lab.fed(IntList(perm).tensor()))); }).code() ==
          Code::kInvalidArgument);
  }
}

TEST_CASE("Reverse reverses the named extents", "[rearranging]") {
  Lab lab;
  const Tensor x = count_up({3, 4, 2});
  for (const std::vector<int64_t>& axes :
       std::vector<std::vector<int64_t>>{{}, {0}, {-1}, {2, 0}, {0, 1, 2}}) {
    const Tensor expected = naive(x.shape(), x, [&](std::vector<int64_t> at) {
      for (int64_t a : axes) {
        const auto d = static_cast<size_t>(a < 0 ? a + 3 : a);
        at[d] = x.dim(static_cast<int>(d)) - 1 - at[d];
      }
      return at;
    });
    for (const Output& y : {lab.known(x), lab.fed(x)})
      CHECK(bit_equal(lab.run(reverse(y, axes)), expected));
  }
  CHECK(error_of([&] { reverse(lab.known(x), {0, -3}); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { lab.run(reverse(lab.fed(x), {3})); }).code() == Code::kInvalidArgument);
}

TEST_CASE("The older Reverse takes a flag for each extent", "[rearranging]") {
  Lab lab;
  const auto ops = rearranging_ops();
  const OpDef* old =
      *std::find_if(ops.begin(), ops.end(), [](const OpDef* op) { return op->name == "Reverse"; });
  const Output flags = lab.fed(Tensor::vector<bool>({false, true}));
  CHECK(lab.told(add_node(*old, {lab.fed(count_up({2, 2})), flags})) ==
        "float [2,2] [[1. 0.]\n [3. 2.]]");
  CHECK(error_of([&] {
          lab.run(add_node(*old, {lab.fed(count_up({2})), flags}));
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("Tile repeats along every extent", "[rearranging]") {
  Lab lab;
  const Tensor x = count_up({2, 3, 2});
  for (const std::vector<int64_t>& times :
       std::vector<std::vector<int64_t>>{{1, 1, 1}, {3, 1, 1}, {1, 2, 3}, {2, 0, 2}}) {
    const Shape shape{2 * times[0], 3 * times[1], 2 * times[2]};
    const Tensor expected = naive(shape, x, [&](std::vector<int64_t> at) {
      for (size_t d = 0; d < 3; ++d) at[d] %= x.dim(static_cast<int>(d));
      return at;
    });
    CHECK(tile(lab.known(x), times).shape() == shape);
    for (const Output& y : {lab.known(x), lab.fed(x)})
      CHECK(bit_equal(lab.run(tile(y, times)), expected));
  }
  CHECK(lab.told(tile(lab.fed(Tensor::vector<std::string>({"a", "b"})), {2})) ==
        "string [4] [b'a' b'b' b'a' b'b']");
  CHECK(error_of([&] { tile(lab.known(x), {1, -1, 1}); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { lab.run(tile(lab.fed(x), {1, 1})); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] {
          lab.run(tile(lab.fed(x), {int64_t{1} << 62, 4, 1}));
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("Pad surrounds a tensor with zeros or a value", "[rearranging]") {
  Lab lab;
  for (const Output& x : {lab.known(count_up({1, 2})), lab.fed(count_up({1, 2}))}) {
    CHECK(lab.told(pad(x, {{1, 0}, {1, 2}})) ==
          "float [2,5] [[0. 0. 0. 0. 0.]\n [0. 0. 1. 0. 0.]]");
    const Output sides = lab.fed(Tensor::matrix<int64_t>({{0, 1}, {0, 0}}));
    CHECK(lab.told(pad(x, sides, 7)) == "float [2,2] [[0. 1.]\n [7. 7.]]");
    CHECK(error_of([&] { lab.run(pad(x, {{1, 0}, {-1, 2}})); }).code() == Code::kInvalidArgument);
    CHECK(error_of([&] { lab.run(pad(x, {{1, 0}})); }).code() == Code::kInvalidArgument);
  }
  CHECK(pad(lab.known(count_up({1, 2})), {{1, 0}, {1, 2}}).shape() == Shape{2, 5});
  CHECK(lab.told(pad(lab.fed(count_up({0})), {{1, 1}})) == "float [2] [0. 0.]");
  CHECK(lab.told(pad(lab.fed(Tensor::vector<std::string>({"a"})), {{1, 0}})) ==
        "string [2] [b'' b'a']");
}
