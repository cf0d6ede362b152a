#include "ops/array/array.h"

#include <cmath>

#include "ops/catalog.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/lab.h"

using namespace cairn;

namespace {
const Tensor kTwoThree = Tensor::matrix<float>({{1, 2, 3}, {4, 5, 6}});
}

TEST_CASE("Ops that pass a value on leave every bit of it", "[array]") {
  Lab lab;
  const Tensor value = kTwoThree.clone();
  const Output x = lab.fed(value);
  for (const Output& y : {identity(x), stop_gradient(x), prevent_gradient(x)})
    CHECK(bit_equal(lab.run(y), value));
  const auto both = identity_n({x, lab.known(int32_t{7})});
  CHECK(bit_equal(lab.run(both[0]), value));
  CHECK(lab.run(both[1]).scalar<int32_t>() == 7);
}

TEST_CASE("A placeholder without a feed says what to feed", "[array]") {
  Lab lab;
  const Output x = placeholder(lab.graph, DType::kFloat, {-1, 784}, {.name = "X"});
  const Error error = error_of([&] { lab.run(identity(x)); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(),
             Catch::Matchers::Contains("'X:0'") && Catch::Matchers::Contains("[?,784]"));
}

TEST_CASE("PlaceholderWithDefault takes its default unless it is fed", "[array]") {
  Lab lab;
  const Output x = placeholder_with_default(lab.known(Tensor::vector<float>({1, 2})), {-1});
  CHECK(lab.told(identity(x)) == "float [2] [1. 2.]");
  CHECK(Session(lab.graph).run(identity(x), {{x, Tensor::vector<float>({5})}}).scalar<float>() ==
        5);
  CHECK_FALSE(lab.graph.static_value(x).valid());
  CHECK(error_of([&] { placeholder_with_default(lab.known(kTwoThree), {-1}); }).code() ==
        Code::kInvalidArgument);
}

TEST_CASE("Small zeros and ones are constants, large ones are filled", "[array]") {
  Lab lab;
  const Output small = zeros(lab.graph, {3, 2});
  CHECK(small.op().type() == "Const");
  CHECK(small.op().name() == "zeros");
  CHECK(lab.told(ones(lab.graph, {2}, DType::kInt64)) == "int64 [2] [1 1]");
  CHECK(lab.told(zeros(lab.graph, {2}, DType::kString)) == "string [2] [b'' b'']");
  CHECK(lab.told(ones(lab.graph, {2}, DType::kBool)) == "bool [2] [ True  True]");
  const Output large = zeros(lab.graph, {40, 25}, DType::kDouble, {.name = "big"});
  CHECK(large.op().name() == "big");
  CHECK(large.op().type() == "Fill");
  CHECK(large.op().input(0).name() == "big/shape_as_tensor:0");
  CHECK(large.op().input(1).name() == "big/Const:0");
  CHECK(large.shape() == Shape{40, 25});
  CHECK(bit_equal(lab.run(large), Tensor::zeros(DType::kDouble, {40, 25})));
  CHECK(error_of([&] { ones(lab.graph, {2}, DType::kString); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { zeros(lab.graph, {-1}); }).code() == Code::kInvalidArgument);
}

TEST_CASE("Zeros and ones like a tensor follow a shape that is known only at run time", "[array]") {
  Lab lab;
  const Output x = lab.fed(kTwoThree);
  CHECK(zeros_like(x).op().type() == "ZerosLike");
  CHECK(zeros_like(lab.known(kTwoThree)).op().type() == "Const");
  CHECK(lab.told(zeros_like(x)) == "float [2,3] [[0. 0. 0.]\n [0. 0. 0.]]");
  CHECK(lab.told(ones_like(x, {.dtype = DType::kInt32})) == "int32 [2,3] [[1 1 1]\n [1 1 1]]");
  const OpDef& op = *compute_ops().find("OnesLike");  // as files have it
  const Output alike = add_node(op, {lab.fed(Tensor::vector<bool>({true, false}))});
  CHECK(lab.told(alike) == "bool [2] [ True  True]");
  CHECK(lab.told(identity(add_node(op, {x}))) == "float [2,3] [[1. 1. 1.]\n [1. 1. 1.]]");
  CHECK(lab.told(zeros_like(lab.fed(Tensor::vector<std::string>({"a", "b"})))) ==
        "string [2] [b'' b'']");
  CHECK(lab.told(add_node(*x.graph().find_op("zeros_like").node().op->def,
                          {lab.fed(Tensor(true))})) == "bool [] False");
}

TEST_CASE("Fill takes dims from the graph and refuses negative ones", "[array]") {
  Lab lab;
  CHECK(lab.told(fill(lab.fed(Tensor::vector<int64_t>({2, 1})), 3)) == "int32 [2,1] [[3]\n [3]]");
  CHECK(lab.told(fill(lab.graph, {2}, "x")) == "string [2] [b'x' b'x']");
  CHECK(fill(lab.known(Tensor::vector<int32_t>({4, 5})), 1).shape() == Shape{4, 5});
  const Error error = error_of([&] { lab.run(fill(lab.fed(Tensor::vector<int32_t>({-1})), 1)); });
  CHECK_THAT(error.what(), Catch::Matchers::Contains("dims[0] is -1"));
}

TEST_CASE("OneHot puts the new extent at the given axis", "[array]") {
  Lab lab;
  const Output labels = lab.fed(Tensor::vector<int64_t>({1, 0, 5}), {3});
  CHECK(lab.told(one_hot(labels, 2)) == "float [3,2] [[0. 1.]\n [1. 0.]\n [0. 0.]]");
  CHECK(lab.told(one_hot(labels, 2,
                         {.on_value = 7, .off_value = -1, .axis = 0, .dtype = DType::kInt32})) ==
        "int32 [2,3] [[-1  7 -1]\n [ 7 -1 -1]]");
  CHECK(one_hot(labels, 10).shape() == Shape{3, 10});
  CHECK(one_hot(labels, 2, {.name = "hot"}).op().input(1).name() == "hot/depth:0");
  CHECK(lab.told(one_hot(lab.fed(Tensor::matrix<uint8_t>({{1}, {0}})), 2, {.axis = 1})) ==
        "float [2,2,1] [[[0.]\n  [1.]]\n\n [[1.]\n  [0.]]]");
  CHECK(error_of([&] { one_hot(labels, 2, {.axis = 3}); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { lab.run(one_hot(labels, lab.fed(int32_t{-3}))); }).code() ==
        Code::kInvalidArgument);
}

TEST_CASE("Range counts up, down and in fractions", "[array]") {
  Lab lab;
  CHECK(lab.told(range(lab.graph, 3, 18, 3)) == "int32 [5] [ 3  6  9 12 15]");
  CHECK(lab.told(range(0, lab.fed(int64_t{3}), 1)) == "int64 [3] [0 1 2]");
  CHECK(lab.told(range(lab.graph, 3, 0, -2)) == "int32 [2] [3 1]");
  CHECK(lab.told(range(lab.graph, 0, 1, 0.25)) == "float [4] [0.   0.25 0.5  0.75]");
  CHECK(lab.told(range(lab.graph, 2, 2)) == "int32 [0] []");
  CHECK(range(lab.graph, 0, 7, 2).shape() == Shape{4});
  CHECK(range(lab.fed(int64_t{INT64_MIN}), lab.known(int64_t{INT64_MAX}), int64_t{INT64_MAX})
            .shape() == Shape{-1});
  CHECK(
      lab.run(range(lab.fed(int64_t{INT64_MIN}), lab.known(INT64_MAX), INT64_MAX)).num_elements() ==
      3);
}

TEST_CASE("Range refuses a delta of zero or of the wrong sign", "[array]") {
  Lab lab;
  CHECK(error_of([&] { range(lab.graph, 0, 3, 0); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { range(lab.graph, 0, 3, -1); }).code() == Code::kInvalidArgument);
  CHECK_THAT(error_of([&] {
               range(lab.known(int64_t{INT64_MIN}), lab.known(int64_t{INT64_MAX}), int64_t{1});
             }).what(),
             Catch::Matchers::Contains("these are more values than 63 bits count (start "));
  CHECK(error_of([&] { lab.run(range(0.0, lab.fed(std::nanf("")), 1.0)); }).code() ==
        Code::kInvalidArgument);
  CHECK(error_of([&] { lab.run(range(0.0, lab.fed(INFINITY), 1.0)); }).code() ==
        Code::kInvalidArgument);
}

TEST_CASE("LinSpace ends exactly at stop", "[array]") {
  Lab lab;
  CHECK(lab.told(linspace(lab.known(10.0f), 12, 3)) == "float [3] [10. 11. 12.]");
  CHECK(lab.run(linspace(lab.known(0.1), 0.7, 7)).span<double>()[6] == 0.7);
  CHECK(lab.told(linspace(lab.fed(5.0), 9, 1)) == "double [1] [5.]");
  CHECK(error_of([&] { linspace(lab.known(1.0f), 2, 0); }).code() == Code::kInvalidArgument);
}

TEST_CASE("SparseToDense takes scalar, vector and tuple indices", "[array]") {
  Lab lab;
  const auto ints = [](std::initializer_list<int32_t> v) { return Tensor::vector<int32_t>(v); };
  CHECK(lab.told(sparse_to_dense(lab.fed(int32_t{1}), {3}, 5.0)) == "float [3] [0. 5. 0.]");
  CHECK(lab.told(sparse_to_dense(lab.fed(ints({0, 2})), {4}, lab.known(ints({7, 8})),
                                 {.default_value = -1})) == "int32 [4] [ 7 -1  8 -1]");
  const Output pairs = lab.fed(Tensor::matrix<int64_t>({{0, 1}, {1, 0}}));
  const Output words = lab.known(Tensor::vector<std::string>({"a", "b"}));
  CHECK(lab.told(sparse_to_dense(pairs, {2, 2}, words, {.default_value = Tensor("-")})) ==
        "string [2,2] [[b'-' b'a']\n [b'b' b'-']]");
}

TEST_CASE("SparseToDense refuses operands of too many dimensions, when built and when run",
          "[array]") {
  Graph graph;
  const auto message = [&](const Shape& indices, const Shape& values) {
    const Output at = placeholder(graph, DType::kInt32, indices);
    return std::string(error_of([&] {
                         sparse_to_dense(at, {3}, placeholder(graph, DType::kFloat, values));
                       }).what());
  };
  CHECK_THAT(message({1, 1, 1}, {1}),
             Catch::Matchers::Contains("sparse_indices must be of rank 0, 1 or 2"));
  CHECK_THAT(message({1}, {1, 1}),
             Catch::Matchers::Contains("sparse_values must be a scalar or vector"));
  CHECK_THAT(message({1, 1}, {1}), Catch::Matchers::Contains("nothing was thrown"));
  const Output rest = placeholder(graph, DType::kFloat);
  const Output dense =
      sparse_to_dense(constant(graph, 1), {3}, constant(graph, 1.0f), {.default_value = rest});
  const Error error = error_of([&] {
    Session(graph).run(dense, {{rest, Tensor::vector<float>({1, 2})}});
  });
  CHECK_THAT(error.what(), Catch::Matchers::Contains("default_value must be a scalar, got [2]"));
}

TEST_CASE("SparseToDense names the index that is out of range, repeated or out of order",
          "[array]") {
  Lab lab;
  const auto message = [&](std::vector<int32_t> at, bool validate) {
    const Output indices = lab.fed(Tensor::vector<int32_t>(at));
    return std::string(error_of([&] {
                         lab.run(sparse_to_dense(indices, {3}, 1, {.validate_indices = validate}));
                       }).what());
  };
  CHECK_THAT(message({0, 3}, false),
             Catch::Matchers::Contains("sparse_indices[1,0] is 3, outside [0, 3)"));
  CHECK_THAT(message({1, 1}, true), Catch::Matchers::Contains("sparse_indices[1] is repeated"));
  CHECK_THAT(message({2, 1}, true), Catch::Matchers::Contains("sparse_indices[1] is out of order"));
  CHECK_THAT(message({2, 1}, false), Catch::Matchers::Contains("nothing was thrown"));
}
