#include "ops/array/reshape.h"

#include "ops/array/gather.h"
#include "ops/array/joining.h"
#include "ops/array/rearranging.h"
#include "ops/array/slicing.h"
#include "ops/array/where.h"
#include "ops/core/gradients.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/lab.h"

using namespace cairn;

TEST_CASE("Shape, size and rank are constants where the graph knows them", "[reshape]") {
  Lab lab;
  const Output known = lab.known(Tensor::zeros(DType::kFloat, {2, 3}));
  const Output fed = lab.fed(Tensor::zeros(DType::kFloat, {2, 3}));
  const Output rows = lab.fed(Tensor::zeros(DType::kFloat, {2, 3}), {-1, 3});
  for (const Output& y : {shape(known), size(known), rank(known), rank(rows)})
    CHECK(y.op().type() == "Const");
  CHECK(shape(rows).op().type() == "Shape");
  CHECK(shape(rows).shape() == Shape{2});
  CHECK(size(rows).op().type() == "Size");
  CHECK(rank(fed).op().type() == "Rank");
  for (const Output& x : {known, fed, rows}) {
    CHECK(lab.told(shape(x)) == "int32 [2] [2 3]");
    CHECK(lab.told(shape(x, {.out_type = DType::kInt64})) == "int64 [2] [2 3]");
    CHECK(lab.told(size(x)) == "int32 [] 6");
    CHECK(lab.told(rank(x)) == "int32 [] 2");
  }
  CHECK(lab.told(shape_n({fed, known})[1]) == "int32 [2] [2 3]");
}

TEST_CASE("Shape arithmetic on known shapes is known to the graph", "[reshape]") {
  Lab lab;
  const Output x = lab.fed(Tensor::zeros(DType::kFloat, {4, 6}), {4, 6});
  // A Shape node, as files have it, of an operand whose shape is known.
  const Output dynamic = shape(lab.fed(Tensor::zeros(DType::kFloat, {1})));
  const Output told = add_node(*dynamic.op().node().op->def, {x});
  CHECK(Lab::told(lab.graph.static_value(told)) == "int32 [2] [4 6]");
  // [4, 6] -> [6, 2, 2], through elements, constants and a stack.
  const Output target = stack({element(told, 1), 2, 2});
  CHECK(Lab::told(lab.graph.static_value(target)) == "int32 [3] [6 2 2]");
  CHECK(reshape(x, target).shape() == Shape{6, 2, 2});
  CHECK(reshape(x, concat({tail(told, 1), lab.known(Tensor::vector<int32_t>({-1}))}, 0)).shape() ==
        Shape{6, 4});
}

TEST_CASE("Reshape computes the extent given as -1, in the graph and at run time", "[reshape]") {
  Lab lab;
  const Output fed = lab.fed(count_up({4, 3}));
  CHECK(lab.run(reshape(fed, {2, -1})).shape() == Shape{2, 6});
  CHECK(lab.run(reshape(fed, shape(lab.fed(Tensor::zeros(DType::kFloat, {3, 4}))))).shape() ==
        Shape{3, 4});
  const Output known = lab.known(count_up({4, 3}));
  CHECK(reshape(known, {-1}).shape() == Shape{12});
  CHECK(reshape(known, {2, -1, 3}).shape() == Shape{2, 2, 3});
  CHECK(reshape(fed, {2, -1}).shape() == Shape{2, -1});
  CHECK(reshape(lab.known(3.0f), {1, 1}).shape() == Shape{1, 1});
  CHECK(lab.run(reshape(lab.fed(Tensor::zeros(DType::kFloat, {0, 3})), {3, 0})).shape() ==
        Shape{3, 0});
}

TEST_CASE("Reshape refuses shapes with another number of elements", "[reshape]") {
  Lab lab;
  const Output known = lab.known(count_up({4, 3})), fed = lab.fed(count_up({4, 3}));
  for (const std::vector<int64_t>& dims : std::vector<std::vector<int64_t>>{
           {5}, {5, -1}, {-1, -1}, {0, -1}, {-2, 6}, {1 << 30, 1 << 30, 1 << 30}}) {
    CHECK(error_of([&] { reshape(known, dims); }).code() == Code::kInvalidArgument);
    CHECK(error_of([&] { lab.run(reshape(fed, lab.fed(IntList(dims).tensor()))); }).code() ==
          Code::kInvalidArgument);
  }
  CHECK_THAT(error_of([&] {
               lab.run(reshape(lab.fed(Tensor::zeros(DType::kFloat, {0, 3})), {0, -1}));
             }).what(),
             Catch::Matchers::Contains("cannot be told for a tensor without elements"));
}

TEST_CASE("ExpandDims counts a negative axis from the end of the result", "[reshape]") {
  Lab lab;
  for (const Output& x : {lab.fed(count_up({2, 3})), lab.known(count_up({2, 3}))}) {
    CHECK(lab.run(expand_dims(x, 0)).shape() == Shape{1, 2, 3});
    CHECK(lab.run(expand_dims(x, -1)).shape() == Shape{2, 3, 1});
    CHECK(lab.run(expand_dims(x, lab.fed(int32_t{1}))).shape() == Shape{2, 1, 3});
    CHECK(error_of([&] { lab.run(expand_dims(x, 3)); }).code() == Code::kInvalidArgument);
  }
  CHECK(expand_dims(lab.known(count_up({2, 3})), -2).shape() == Shape{2, 1, 3});
}

TEST_CASE("Squeeze removes extents of 1, all or the named ones", "[reshape]") {
  Lab lab;
  for (const Output& x : {lab.fed(count_up({1, 2, 1, 3})), lab.known(count_up({1, 2, 1, 3}))}) {
    CHECK(lab.run(squeeze(x)).shape() == Shape{2, 3});
    CHECK(lab.run(squeeze(x, {.axis = {-2}})).shape() == Shape{1, 2, 3});
    CHECK(error_of([&] { lab.run(squeeze(x, {.axis = {1}})); }).code() == Code::kInvalidArgument);
    CHECK(error_of([&] { lab.run(squeeze(x, {.axis = {4}})); }).code() == Code::kInvalidArgument);
  }
  CHECK(squeeze(lab.fed(count_up({1, 2}), {-1, 2})).shape() == Shape::unknown());
  CHECK(squeeze(lab.fed(count_up({1, 2}), {-1, 2}), {.axis = {0}}).shape() == Shape{2});
}

TEST_CASE("BroadcastGradientArgs names the extents each operand was stretched along", "[reshape]") {
  Lab lab;
  const auto told = [&](const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
    const auto [r0, r1] =
        broadcast_gradient_args(lab.fed(IntList(a).tensor()), lab.fed(IntList(b).tensor()));
    return lab.run(r0).str() + lab.run(r1).str();
  };
  CHECK(told({2, 3}, {2, 3}) == "[][]");
  CHECK(told({2, 3}, {3}) == "[][0]");
  CHECK(told({2, 1, 4}, {5, 1, 3, 4}) == "[0 2][1]");
  CHECK(told({}, {2, 2}) == "[0 1][]");
  CHECK(error_of([&] { told({2}, {3}); }).code() == Code::kInvalidArgument);
}

TEST_CASE("Shapes that do not fit int32 are refused where int32 is asked for, and never told wrong",
          "[reshape]") {
  constexpr int64_t kBig = (int64_t{1} << 32) + 3;
  Graph graph;
  const Output wide = placeholder(graph, DType::kUInt8, {kBig, 0}),
               square = placeholder(graph, DType::kFloat, {65536, 65536});
  const auto refused = [&](const Error& error, const char* op, const char* number) {
    INFO(error.what());
    CHECK(error.code() == Code::kInvalidArgument);
    for (const char* part : {op, number, "int64", "reshape_test.cc:"}) CHECK(says(error, part));
  };
  refused(error_of([&] { shape(wide); }), "Shape", "4294967299");
  refused(error_of([&] { size(square); }), "Size", "4294967296");
  CHECK(graph.num_nodes() == 2);
  Session session(graph);
  CHECK(session.run(shape(wide, {.out_type = DType::kInt64})).to_int64s() ==
        std::vector<int64_t>{kBig, 0});
  CHECK(session.run(size(square, {.out_type = DType::kInt64})).scalar<int64_t>() == int64_t{1}
                                                                                        << 32);
  CHECK(session.run(shape(square)).to_int64s() == std::vector<int64_t>{65536, 65536});

  const Output as_shape = shape(wide, {.optimize = false}),
               as_size = size(square, {.optimize = false});
  CHECK_FALSE(graph.static_value(as_shape).valid());
  CHECK_FALSE(graph.static_value(as_size).valid());
  CHECK(
      graph.static_value(shape(wide, {.out_type = DType::kInt64, .optimize = false})).to_int64s() ==
      std::vector<int64_t>{kBig, 0});
  refused(error_of([&] {
            session.run(as_shape, {{wide, Tensor::zeros(DType::kUInt8, {kBig, 0})}});
          }),
          "Shape", "4294967299");
}

TEST_CASE("Lists of integers that do not fit the dtype asked for are refused, not cut",
          "[reshape]") {
  const IntList list = {1, (int64_t{1} << 32) + 3};
  CHECK(list.tensor().dtype() == DType::kInt64);
  const Error error = error_of([&] { (void)list.tensor(DType::kInt32); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "4294967299 does not fit int32; ask for int64"));
}

TEST_CASE("Gradients of tensors whose extents do not fit int32 take their shapes as int64",
          "[reshape][gradient]") {
  constexpr int64_t kBig = (int64_t{1} << 32) + 3;
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {kBig, 0}),
               y = placeholder(graph, DType::kFloat, {1, 0});
  const Output one = placeholder(graph, DType::kFloat, {});
  Session session(graph);
  const Feeds feeds = {{x, Tensor::zeros(DType::kFloat, {kBig, 0})},
                       {y, Tensor::zeros(DType::kFloat, {1, 0})},
                       {one, Tensor(1.0f)}};
  const auto check = [&](const char* what, const Output& loss) {
    INFO(what);
    const Output dx = gradients(loss, {x})[0];
    CHECK(dx.shape().is_compatible_with({kBig, 0}));
    CHECK(session.run(dx, feeds).shape() == Shape{kBig, 0});
  };
  check("itself", identity(x));
  check("sum", reduce_sum(x));
  check("sum of rows", reduce_sum(x, 0));
  check("mean", reduce_mean(x));
  check("mean of rows", reduce_mean(x, 0));
  check("maximum", reduce_max(x, 0));
  check("sum of two", x + y);
  check("difference", x - y);
  check("product", x * y);
  check("quotient", x / y);
  check("power", pow(x, one));
  check("reshape", reshape(x, {0, kBig}));
  check("expand_dims", expand_dims(x, 0));
  check("tile", tile(x, {1, 2}));
  check("zeros", sign(x));
  check("maximum", maximum(x, y));
  check("choice", where_v2(less(x, y), x, y));
  check("slice", slice(x, {0, 0}, {kBig, 0}));
  check("strided slice", strided_slice(x, {0, 0}, {1, 0}, {1, 1}));
  check("pad", pad(x, {{0, 0}, {0, 0}}));
  check("rows", gather(x, {2, 1}));
}
