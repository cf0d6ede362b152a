#include "ops/array/slicing.h"

#include <random>

#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/lab.h"

using namespace cairn;

namespace {

// The places Python's begin:end:stride takes of n, found by trying all.
std::vector<int64_t> places(int64_t n, std::optional<int64_t> begin, std::optional<int64_t> end,
                            int64_t stride) {
  const auto forward = [&](int64_t at) { return at < 0 ? at + n : at; };
  std::vector<int64_t> taken;
  const int64_t lowest = stride > 0 ? 0 : -1, highest = stride > 0 ? n : n - 1;
  const int64_t from = begin        ? std::clamp(forward(*begin), lowest, highest)
                       : stride > 0 ? 0
                                    : n - 1;
  const int64_t to = end ? std::clamp(forward(*end), lowest, highest) : stride > 0 ? n : -1;
  for (int64_t at = from; stride > 0 ? at < to : at > to; at += stride) taken.push_back(at);
  return taken;
}

struct RandomSlice {
  std::vector<int64_t> begin, end, strides, extents;
  StridedSliceOptions masks;
  std::vector<std::vector<int64_t>> taken;  // of each extent
  Shape result;
};

// A slice of a tensor of three extents with every mask somewhere.
RandomSlice random_slice(std::mt19937& random) {
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  RandomSlice s;
  for (int i = 0; i < 3; ++i) s.extents.push_back(pick(1, 5));
  const int told = pick(0, 3);
  const int ellipsis = pick(0, 3);  // before which of the extents told
  const auto add = [&](int64_t begin, int64_t end, int64_t stride) {
    s.begin.push_back(begin);
    s.end.push_back(end);
    s.strides.push_back(stride);
    return int64_t{1} << (s.begin.size() - 1);
  };
  const auto take_whole = [&](int count) {
    for (; count > 0; --count) {
      const int64_t n = s.extents[s.taken.size()];
      s.taken.push_back(places(n, {}, {}, 1));
      s.result.append(n);
    }
  };
  for (int i = 0; i < told; ++i) {
    if (i == ellipsis) {
      s.masks.ellipsis_mask = add(9, 9, 9);
      take_whole(3 - told);
    }
    if (pick(0, 3) == 0) {
      s.masks.new_axis_mask |= add(9, 9, 9);
      s.result.append(1);
    }
    const int64_t n = s.extents[s.taken.size()];
    if (pick(0, 3) == 0) {
      const int64_t at = pick(-static_cast<int>(n), static_cast<int>(n) - 1);
      s.masks.shrink_axis_mask |= add(at, at + 1, 1);
      s.taken.push_back({at < 0 ? at + n : at});
      continue;
    }
    const int64_t begin = pick(-7, 7), end = pick(-7, 7),
                  stride = pick(0, 1) ? pick(1, 3) : pick(-3, -1);
    const int64_t bit = add(begin, end, stride);
    const bool from_start = pick(0, 3) == 0, to_end = pick(0, 3) == 0;
    if (from_start) s.masks.begin_mask |= bit;
    if (to_end) s.masks.end_mask |= bit;
    s.taken.push_back(places(n, from_start ? std::optional<int64_t>() : begin,
                             to_end ? std::optional<int64_t>() : end, stride));
    s.result.append(static_cast<int64_t>(s.taken.back().size()));
  }
  take_whole(3 - static_cast<int>(s.taken.size()));
  return s;
}

}  // namespace

TEST_CASE("StridedSlice agrees with Python's slices under every mask", "[slicing]") {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const RandomSlice s = random_slice(random);
    const Tensor x = count_up<int32_t>(Shape(s.extents));
    std::vector<int32_t> expected;
    for (int64_t i : s.taken[0])
      for (int64_t j : s.taken[1])
        for (int64_t k : s.taken[2]) {
          expected.push_back(static_cast<int32_t>((i * s.extents[1] + j) * s.extents[2] + k));
        }
    Lab lab;
    const Output known = strided_slice(lab.known(x), s.begin, s.end, s.strides, s.masks);
    REQUIRE(known.shape() == s.result);
    REQUIRE(Lab::told(lab.graph.static_value(known)) ==
            Lab::told(Tensor::of<int32_t>(s.result, expected)));
    const auto feed = [&](const std::vector<int64_t>& v) {
      return lab.fed(Tensor::vector<int64_t>(v));
    };
    const Output fed =
        strided_slice(lab.fed(x), feed(s.begin), feed(s.end), feed(s.strides), s.masks);
    REQUIRE(bit_equal(lab.run(fed), Tensor::of<int32_t>(s.result, expected)));

    // Its gradient's op puts every element back where it came from.
    const Operation op = fed.op();
    const Output back = strided_slice_grad(lab.fed(IntList(s.extents).tensor(DType::kInt64)),
                                           op.input(1), op.input(2), op.input(3), fed, s.masks);
    std::vector<int32_t> restored(static_cast<size_t>(x.num_elements()), 0);
    for (int32_t v : expected) restored[static_cast<size_t>(v)] = v;
    REQUIRE(bit_equal(lab.run(back), Tensor::of<int32_t>(x.shape(), restored)));
  }
}

TEST_CASE("A slice by lists has the names of Python's brackets", "[slicing]") {
  Lab lab;
  const Output x = lab.fed(count_up({4, 3}), {-1, 3});
  const Output row = element(x, -1);
  CHECK(row.op().name() == "strided_slice");
  CHECK(row.op().input(1).name() == "strided_slice/stack:0");
  CHECK(row.op().input(3).name() == "strided_slice/stack_2:0");
  CHECK(lab.graph.static_value(element(x, 2).op().input(2)).span<int32_t>()[0] == 3);  // x[2:3]
  CHECK(row.shape() == Shape{3});
  CHECK(lab.told(row) == "float [3] [ 9. 10. 11.]");
  CHECK(lab.told(tail(shape(x), 1)) == "int32 [1] [3]");
  CHECK(lab.told(element(lab.fed(Tensor::vector<std::string>({"a", "b"})), 1)) == "string [] b'b'");
}

TEST_CASE("The shape of a slice is told as far as the graph knows it", "[slicing]") {
  Lab lab;
  const Output x = lab.fed(count_up({4, 3, 2}), {-1, 3, 2});
  CHECK(strided_slice(x, {0, 1}, {0, 3}, {1, 1}, {.begin_mask = 1, .end_mask = 1}).shape() ==
        Shape{-1, 2, 2});
  const Output at = lab.fed(Tensor::vector<int32_t>({1}));
  CHECK(strided_slice(x, at, at, {1}, {.shrink_axis_mask = 1}).shape() == Shape{3, 2});
  CHECK(strided_slice(lab.known(count_up({4})), at, at, {2}, {.begin_mask = 1, .end_mask = 1})
            .shape() == Shape{2});
  CHECK(strided_slice(lab.known(count_up({4})), at, at, {2}).shape() == Shape{-1});
  CHECK(slice(x, {1, 0, 0}, {-1, 2, -1}).shape() == Shape{-1, 2, 2});
  CHECK(slice(lab.known(count_up({4, 3})), {1, 0}, {-1, 2}).shape() == Shape{3, 2});
  CHECK(slice(x, at, at).op().type() == "Slice");
}

TEST_CASE("StridedSlice refuses strides of 0, places outside, too many places and two ellipses",
          "[slicing]") {
  Lab lab;
  const auto message = [&](const Output& x, std::vector<int64_t> begin,
                           std::vector<int64_t> strides, StridedSliceOptions masks) {
    return std::string(
        error_of([&] { lab.run(strided_slice(x, begin, begin, strides, masks)); }).what());
  };
  for (const Output& x : {lab.known(count_up({4, 3})), lab.fed(count_up({4, 3}))}) {
    CHECK_THAT(message(x, {0, 0}, {1, 0}, {}),
               Catch::Matchers::Contains("the stride of extent 1 is 0"));
    CHECK_THAT(message(x, {4}, {1}, {.shrink_axis_mask = 1}),
               Catch::Matchers::Contains("index 4 is outside extent 0"));
    CHECK_THAT(message(x, {-5}, {1}, {.shrink_axis_mask = 1}),
               Catch::Matchers::Contains("index -5 is outside"));
    CHECK_THAT(message(x, {0}, {-1}, {.shrink_axis_mask = 1}),
               Catch::Matchers::Contains("negative"));
    CHECK_THAT(message(x, {0, 0, 0}, {1, 1, 1}, {}),
               Catch::Matchers::Contains("3 extents are told"));
    CHECK_THAT(message(x, {0, 0}, {1, 1}, {.ellipsis_mask = 3}),
               Catch::Matchers::Contains("one ellipsis only"));
    CHECK_THAT(message(x, {0, 0}, {1}, {}), Catch::Matchers::Contains("of one length"));
  }
}

TEST_CASE("Slice copies a box of numbers or of strings", "[slicing]") {
  Lab lab;
  for (const Output& x : {lab.known(count_up({3, 4})), lab.fed(count_up({3, 4}))}) {
    CHECK(lab.told(slice(x, {1, 1}, {2, -1})) == "float [2,3] [[ 5.  6.  7.]\n [ 9. 10. 11.]]");
    CHECK(lab.told(slice(x, {3, 0}, {0, 2})) == "float [0,2] []");
    CHECK(bit_equal(lab.run(slice(x, {0, 0}, {-1, -1})), count_up({3, 4})));
  }
  CHECK(lab.told(slice(lab.fed(Tensor::vector<std::string>({"a", "b", "c"})), {1}, {1})) ==
        "string [1] [b'b']");
}

TEST_CASE("Slice refuses boxes that are not inside", "[slicing]") {
  Lab lab;
  using Ints = std::vector<int64_t>;
  for (const Output& x : {lab.known(count_up({3, 4})), lab.fed(count_up({3, 4}))}) {
    for (const auto& [begin, size] : std::vector<std::pair<Ints, Ints>>{{{0, 3}, {1, 2}},
                                                                        {{-1, 0}, {1, 1}},
                                                                        {{0, 0}, {-2, 1}},
                                                                        {{4, 0}, {-1, 1}},
                                                                        {{0}, {1}}}) {
      CHECK(error_of([&, at = begin, extent = size] { lab.run(slice(x, at, extent)); }).code() ==
            Code::kInvalidArgument);
    }
    CHECK(error_of([&] {
            lab.run(slice(x, lab.fed(Tensor::vector<int64_t>({INT64_MAX, 0})), {1, 1}));
          }).code() == Code::kInvalidArgument);
  }
}

TEST_CASE("StridedSliceGrad refuses a gradient of another shape than the slice", "[slicing]") {
  Lab lab;
  const auto ints = [&](std::vector<int32_t> v) { return lab.known(Tensor::vector<int32_t>(v)); };
  const Output bad =
      strided_slice_grad(ints({4}), ints({0}), ints({2}), ints({1}), lab.fed(count_up({3})));
  CHECK_THAT(error_of([&] { lab.run(bad); }).what(),
             Catch::Matchers::Contains("dy is of shape [3]"));
}
