#include "ops/array/where.h"

#include "ops/array/array.h"
#include "ops/math/math.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/lab.h"
#include "tests/support/numeric_gradient.h"

namespace cairn {
namespace {

TEST_CASE("BroadcastTo repeats a tensor along extents of one and new ones", "[where]") {
  Lab lab;
  const Output row = lab.fed(Tensor::vector<int32_t>({1, 2}), {2});
  CHECK(broadcast_to(row, {2, 2}).shape() == Shape{2, 2});
  CHECK(lab.told(broadcast_to(row, {2, 2})) == "int32 [2,2] [[1 2]\n [1 2]]");
  const Output column = lab.fed(Tensor::matrix<float>({{1}, {2}}));
  CHECK(lab.told(broadcast_to(column, {2, 3})) == "float [2,3] [[1. 1. 1.]\n [2. 2. 2.]]");
  CHECK(lab.told(broadcast_to(lab.fed(Tensor(7.0f)), lab.fed(Tensor::vector<int32_t>({2})))) ==
        "float [2] [7. 7.]");
  CHECK(lab.run(broadcast_to(row, {0, 2})).shape() == Shape{0, 2});
}

TEST_CASE("BroadcastTo refuses what cannot be stretched, at once or when it runs", "[where]") {
  Lab lab;
  const Output row = lab.fed(Tensor::vector<float>({1, 2}), {2});
  CHECK(error_of([&] { broadcast_to(row, {2, 3}); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] {
          broadcast_to(lab.fed(Tensor::zeros(DType::kFloat, {2, 2}), {2, 2}), {2});
        }).code() == Code::kInvalidArgument);
  const Output hidden = lab.fed(Tensor::vector<float>({1, 2}));
  CHECK_THAT(error_of([&] {
               lab.run(broadcast_to(hidden, {2, 3}));
             }).what(),
             Catch::Contains("[2] cannot be stretched to [2,3]"));
}

TEST_CASE("SelectV2 stretches condition and both sides to a common shape", "[where]") {
  Lab lab;
  const Output condition = lab.fed(Tensor::matrix<bool>({{true}, {false}}), {2, 1});
  const Output x = lab.fed(Tensor::vector<float>({1, 2, 3}), {3});
  CHECK(where_v2(condition, x, 0.0f).shape() == Shape{2, 3});
  CHECK(lab.told(where_v2(condition, x, 0.0f)) == "float [2,3] [[1. 2. 3.]\n [0. 0. 0.]]");
  CHECK(lab.told(where_v2(lab.fed(Tensor(true)), lab.fed(Tensor(std::string("a"))),
                          lab.fed(Tensor(std::string("b"))))) ==
        lab.told(lab.fed(Tensor(std::string("a")))));
  CHECK(error_of([&] {
          where_v2(condition, x, lab.fed(Tensor::vector<float>({1, 2}), {2}));
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("Where lists the places that hold, in order", "[where]") {
  Lab lab;
  const Output t =
      where_indices(lab.fed(Tensor::matrix<bool>({{true, false}, {false, true}}), {2, 2}));
  CHECK(t.shape() == Shape{-1, 2});
  CHECK(lab.told(t) == "int64 [2,2] [[0 0]\n [1 1]]");
  CHECK(lab.told(where_indices(lab.fed(Tensor::vector<float>({0, -1, 2})))) ==
        "int64 [2,1] [[1]\n [2]]");
  CHECK(lab.run(where_indices(lab.fed(Tensor::vector<bool>({false})))).shape() == Shape{0, 1});
  CHECK(lab.run(where_indices(lab.fed(Tensor(true)))).shape() == Shape{1, 0});
}

TEST_CASE("The gradients of BroadcastTo and SelectV2 agree with differences", "[where][gradient]") {
  check_gradient([](Output x) { return broadcast_to(x, {2, 3, 4}); }, {doubles({3, 1})});
  check_gradient(
      [](Output x, Output y) {
        const Output condition =
            constant(x.graph(), Tensor::matrix<bool>({{true, false, true}, {false, false, true}}));
        return where_v2(condition, x, y);
      },
      {doubles({2, 1}), doubles({3}, -1, 1, 3)});
}

}  // namespace
}  // namespace cairn
