#include "ops/array/gather.h"

#include "ops/array/joining.h"
#include "ops/array/rearranging.h"
#include "ops/array/reshape.h"
#include "ops/catalog.h"
#include "ops/math/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/lab.h"

using namespace cairn;

namespace {

std::vector<Output> outputs_of(Graph& graph, const char* op, const std::vector<Output>& inputs,
                               const Attrs& attrs) {
  return {add_operation(graph, *compute_ops().find(op), inputs, attrs).output(0)};
}
Tensor ints(const std::vector<int32_t>& values) { return Tensor::vector<int32_t>(values); }
}  // namespace

TEST_CASE("Gather picks places along any axis", "[gather]") {
  Lab lab;
  for (const Output& x : {lab.known(count_up({3, 2, 2})), lab.fed(count_up({3, 2, 2}))}) {
    CHECK(lab.told(gather(x, {2, 0})) ==
          "float [2,2,2] [[[ 8.  9.]\n  [10. 11.]]\n\n [[ 0.  1.]\n  [ 2.  3.]]]");
    CHECK(lab.told(gather(x, lab.fed(int64_t{1}), {.axis = -1})) ==
          "float [3,2] [[ 1.  3.]\n [ 5.  7.]\n [ 9. 11.]]");
    const Output square = lab.fed(Tensor::matrix<int32_t>({{1, 1}, {0, 1}}));
    CHECK(lab.run(gather(x, square, {.axis = 1})).shape() == Shape{3, 2, 2, 2});
  }
  CHECK(gather(lab.known(count_up({3, 2})), {0, 0, 0, 0}, {.axis = 1}).shape() == Shape{3, 4});
  CHECK(lab.told(gather(lab.fed(Tensor::vector<std::string>({"a", "b"})), {1, 1})) ==
        "string [2] [b'b' b'b']");
  CHECK(lab.told(gather(lab.fed(count_up({0, 2})), lab.fed(ints({})))) == "float [0,2] []");
}

TEST_CASE("An index that is out of range is named with its bound", "[gather]") {
  Lab lab;
  const auto message = [&](std::vector<int32_t> at) {
    return std::string(error_of([&] {
                         lab.run(gather(lab.fed(count_up({3, 2})), lab.fed(ints(at))));
                       }).what());
  };
  CHECK_THAT(message({0, 3}), Catch::Matchers::Contains("indices[1] is 3, outside [0, 3)"));
  CHECK_THAT(message({-1}), Catch::Matchers::Contains("indices[0] is -1, outside [0, 3)"));
}

TEST_CASE("GatherNd takes whole rows or single elements, and ScatterNd adds them back",
          "[gather]") {
  Lab lab;
  const Output x = lab.fed(count_up({2, 3}));
  const Output pairs = lab.fed(Tensor::matrix<int32_t>({{1, 2}, {0, 1}})),
               rows = lab.fed(Tensor::matrix<int64_t>({{1}}));
  CHECK(lab.told(gather_nd(x, pairs)) == "float [2] [5. 1.]");
  CHECK(lab.told(gather_nd(x, rows)) == "float [1,3] [[3. 4. 5.]]");
  CHECK(gather_nd(lab.known(count_up({2, 3})), lab.known(Tensor::zeros(DType::kInt32, {4, 1})))
            .shape() == Shape{4, 3});
  CHECK(lab.told(scatter_nd(pairs, lab.fed(Tensor::vector<float>({7, 8})), {2, 3})) ==
        "float [2,3] [[0. 8. 0.]\n [0. 0. 7.]]");
  const Output twice = lab.fed(Tensor::matrix<int32_t>({{1}, {1}}));
  CHECK(lab.told(scatter_nd(twice, lab.fed(ints({3, 4})), {3})) == "int32 [3] [0 7 0]");
  const Output outside = lab.fed(Tensor::matrix<int32_t>({{1, 3}}));
  CHECK_THAT(error_of([&] { lab.run(gather_nd(x, outside)); }).what(),
             Catch::Matchers::Contains("indices[0,1] is 3, outside [0, 3)"));
  CHECK(error_of([&] { lab.run(scatter_nd(twice, lab.fed(ints({3})), {3})); }).code() ==
        Code::kInvalidArgument);
  CHECK(error_of([&] {
          lab.run(scatter_nd(twice, lab.fed(ints({3, 4})), {1}));
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("UnsortedSegmentSum sums rows by id and leaves out negative ids", "[gather]") {
  Lab lab;
  const Output data = lab.fed(count_up({4, 2}));
  CHECK(lab.told(unsorted_segment_sum(data, lab.fed(ints({1, -1, 1, 0})), 3)) ==
        "float [3,2] [[6. 7.]\n [4. 6.]\n [0. 0.]]");
  const Output square = lab.fed(Tensor::matrix<int64_t>({{0, 1}, {1, 1}}));
  CHECK(lab.told(unsorted_segment_sum(lab.fed(count_up<int32_t>({2, 2})), square, 2)) ==
        "int32 [2] [0 6]");
  CHECK_THAT(error_of([&] {
               lab.run(unsorted_segment_sum(data, lab.fed(ints({0, 1, 2, 3})), 3));
             }).what(),
             Catch::Matchers::Contains("segment_ids[3] is 3, outside [0, 3)"));
  CHECK(error_of([&] { lab.run(unsorted_segment_sum(data, lab.fed(ints({0})), 3)); }).code() ==
        Code::kInvalidArgument);
}

TEST_CASE("DynamicStitch puts slices at their indices; the later one wins", "[gather]") {
  Lab lab;
  const Tensor six = Tensor::matrix<float>({{61, 62}}).reshaped({2});
  const Output merged = dynamic_stitch({lab.known(int32_t{2}), lab.known(ints({0, 2}))},
                                       {lab.fed(six, {2}), lab.fed(count_up({2, 2}), {2, 2})});
  CHECK(merged.shape() == Shape{3, 2});
  CHECK(lab.told(merged) == "float [3,2] [[0. 1.]\n [0. 0.]\n [2. 3.]]");
  CHECK(lab.told(dynamic_stitch({lab.fed(ints({1, 0}))},
                                {lab.fed(Tensor::vector<std::string>({"b", "a"}))})) ==
        "string [2] [b'a' b'b']");
  CHECK(error_of([&] {
          lab.run(dynamic_stitch({lab.fed(ints({-1}))}, {lab.fed(count_up({1}))}));
        }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] {
          lab.run(dynamic_stitch({lab.fed(ints({0, 1}))}, {lab.fed(count_up({1}))}));
        }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { dynamic_stitch({lab.fed(ints({0}))}, {}); }).code() ==
        Code::kInvalidArgument);
}

TEST_CASE("DynamicPartition sorts slices by part, and DynamicStitch undoes it", "[gather]") {
  Lab lab;
  const Output x = lab.fed(count_up({4, 2})), part = lab.fed(ints({1, 0, 1, 1}));
  const auto parts = dynamic_partition(x, part, 3);
  CHECK(lab.told(parts[0]) == "float [1,2] [[2. 3.]]");
  CHECK(lab.told(parts[1]) == "float [3,2] [[0. 1.]\n [4. 5.]\n [6. 7.]]");
  CHECK(lab.run(parts[2]).shape() == Shape{0, 2});
  const auto numbers = dynamic_partition(lab.fed(ints({0, 1, 2, 3})), part, 3);
  CHECK(bit_equal(lab.run(dynamic_stitch(numbers, parts)), count_up({4, 2})));
  CHECK(error_of([&] { lab.run(dynamic_partition(x, part, 1)[0]); }).code() ==
        Code::kInvalidArgument);
}

// What is told of a shape whose axis is fed holds whatever is fed.
TEST_CASE("The static shape of an op whose axis is fed is that of what it gives, for every axis",
          "[gather][axis]") {
  const auto check = [](const char* what, int lowest, int highest, const auto& build) {
    Graph graph;
    const Output x = placeholder(graph, DType::kFloat, {2, 2, 2}),
                 axis = placeholder(graph, DType::kInt32, {});
    const std::vector<Output> made = build(x, axis);
    Session session(graph);
    for (int k = lowest; k <= highest; ++k) {
      const Tensor value = session.run(made[0], {{x, count_up({2, 2, 2})}, {axis, k}});
      INFO(what << " along " << k << ": told " << made[0].shape() << ", is " << value.shape());
      CHECK(made[0].shape().is_compatible_with(value.shape()));
    }
    INFO(what);
    CHECK(made[0].shape().has_rank());
  };
  for (const Shape& places : {Shape{}, Shape{3}, Shape{1, 2}}) {
    check("GatherV2", -3, 2, [&](const Output& x, const Output& axis) {
      const Output indices = constant(x.graph(), Tensor::zeros(DType::kInt32, places));
      return std::vector<Output>{
          add_operation(x.graph(), *compute_ops().find("GatherV2"), {x, indices, axis}, {})
              .output()};
    });
  }
  using One = std::vector<Output>;
  check("ConcatV2", -3, 2, [](const Output& x, const Output& axis) {
    return One{concat({x, x}, axis)};
  });
  check("Split", -3, 2, [](const Output& x, const Output& axis) {
    return outputs_of(x.graph(), "Split", {axis, x}, {{"num_split", int64_t{2}}});
  });
  check("SplitV", -3, 2, [](const Output& x, const Output& axis) {
    const Output sizes = constant(x.graph(), Tensor::vector<int32_t>({0, 2}));
    return outputs_of(x.graph(), "SplitV", {x, sizes, axis}, {{"num_split", int64_t{2}}});
  });
  check("ExpandDims", -4, 3,
        [](const Output& x, const Output& axis) { return One{expand_dims(x, axis)}; });
  check("ArgMax", -3, 2, [](const Output& x, const Output& axis) { return One{argmax(x, axis)}; });
  check("ArgMin", -3, 2, [](const Output& x, const Output& axis) { return One{argmin(x, axis)}; });
  check("Cumsum", -3, 2, [](const Output& x, const Output& axis) { return One{cumsum(x, axis)}; });
  check("Cumprod", -3, 2,
        [](const Output& x, const Output& axis) { return One{cumprod(x, axis)}; });
  check("ReverseV2", -3, 2,
        [](const Output& x, const Output& axis) { return One{reverse(x, reshape(axis, {1}))}; });
  for (const auto f : {reduce_sum, reduce_mean, reduce_prod, reduce_max, reduce_min}) {
    check("a reduction", -3, 2, [&](const Output& x, const Output& axis) {
      return One{f(x, Axes(axis), {.keep_dims = true})};
    });
  }
}

// Shape functions can ask for it only where ranks are known.
TEST_CASE("What must be a vector or a table is refused in another shape when it is fed", "[axis]") {
  const auto refused = [](const char* op, const std::vector<Tensor>& inputs, const Attrs& attrs,
                          const char* what) {
    Graph graph;
    std::vector<Output> xs;
    Feeds feeds;
    for (const Tensor& input : inputs) {
      xs.push_back(placeholder(graph, input.dtype()));
      feeds.push_back({xs.back(), input});
    }
    const Output y = outputs_of(graph, op, xs, attrs)[0];
    Session session(graph);
    const Error error = error_of([&] { session.run(y, feeds); });
    INFO(op << ": " << error.what());
    CHECK(error.code() == Code::kInvalidArgument);
    CHECK(std::string(error.what()).find(what) != std::string::npos);
    CHECK(std::string(error.what()).find(op) != std::string::npos);
  };
  const Tensor x = count_up({2, 3}), row = Tensor::matrix<int32_t>({{1, 0}}),
               table = row.reshaped({2, 1});
  refused("Slice", {x, row, row}, {}, "begin must be a vector");
  refused("StridedSlice", {x, row, row, row}, {}, "begin must be a vector");
  refused("Transpose", {x, row}, {}, "perm must be a vector");
  refused("Tile", {x, table}, {}, "multiples must be a vector");
  refused("ReverseV2", {x, row}, {}, "axis must be a vector");
  refused("SplitV", {x, row, Tensor(0)}, {{"num_split", int64_t{2}}},
          "size_splits must be a vector");
  refused("BroadcastGradientArgs", {row, row}, {}, "s0 must be a vector");
  refused("Sum", {x, row}, {}, "reduction_indices must be");
  refused("Pad", {count_up({2, 2, 2}), Tensor::zeros(DType::kInt32, {2, 3})}, {},
          "paddings must be of shape [3,2]");
  refused("Concat", {row, x, x}, {{"N", int64_t{2}}}, "axis must be a scalar");
}
