#include "runtime/base/shape.h"

#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;

TEST_CASE("A shape prints as people write it", "[runtime][shape]") {
  CHECK(Shape{}.str() == "[]");
  CHECK(Shape{2, 3}.str() == "[2,3]");
  CHECK(Shape{-1, 784}.str() == "[?,784]");
  CHECK(Shape::unknown().str() == "<unknown>");
  CHECK(Shape::unknown(2).str() == "[?,?]");
}

TEST_CASE("A shape knows its rank, extents and elements as far as they are known",
          "[runtime][shape]") {
  CHECK(Shape{}.is_scalar());
  CHECK(Shape{}.num_elements() == 1);
  CHECK(Shape{2, 3}.num_elements() == 6);
  CHECK(Shape{2, 0}.num_elements() == 0);
  CHECK(Shape{-1, 0}.num_elements() == -1);
  CHECK(Shape{2, 3}.dim(-1) == 3);
  CHECK_FALSE(Shape{-1}.is_fully_defined());
  CHECK_FALSE(Shape::unknown().is_fully_defined());
  CHECK(Shape::unknown().rank() == -1);
  CHECK(Shape::unknown().num_elements() == -1);
}

TEST_CASE("Extents beyond the six stored in place behave as the others", "[runtime][shape]") {
  Shape shape{1, 2, 3, 4, 5, 6};
  shape.append(7);
  CHECK(shape == Shape{1, 2, 3, 4, 5, 6, 7});
  CHECK(shape.dim(6) == 7);
  CHECK(shape.num_elements() == 5040);
  shape.set_dim(6, 1);
  CHECK(shape.str() == "[1,2,3,4,5,6,1]");
  CHECK(shape.slice(5) == Shape{6, 1});
  CHECK(Shape::unknown(8).rank() == 8);
}

TEST_CASE("Asking a shape for an extent it does not have is out of range", "[runtime][shape]") {
  CHECK(error_of([] { (void)Shape{2, 3}.dim(2); }).code() == Code::kOutOfRange);
  CHECK(error_of([] { (void)Shape{2, 3}.dim(-3); }).code() == Code::kOutOfRange);
  CHECK(error_of([] { (void)Shape::unknown().dim(0); }).code() == Code::kOutOfRange);
}

TEST_CASE("An extent below -1 is refused and leaves the shape as it was", "[runtime][shape]") {
  CHECK(error_of([] { Shape{2, -2}; }).code() == Code::kInvalidArgument);
  Shape shape{2, 3};
  CHECK(error_of([&] { shape.set_dim(0, -7); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { shape.append(-7); }).code() == Code::kInvalidArgument);
  CHECK(shape == Shape{2, 3});
  Shape long_one{1, 1, 1, 1, 1, 1, 1};
  CHECK(error_of([&] { long_one.append(-7); }).code() == Code::kInvalidArgument);
  CHECK(long_one == Shape{1, 1, 1, 1, 1, 1, 1});
}

TEST_CASE("An extent cannot follow a shape of unknown rank", "[runtime][shape]") {
  Shape shape = Shape::unknown();
  CHECK_THROWS_WITH(shape.append(3), "extent 3 cannot follow a shape of unknown rank");
  CHECK(shape == Shape::unknown());
}

TEST_CASE("More elements than 63 bits count are refused, unknown and zero extents aside",
          "[runtime][shape]") {
  constexpr int64_t kBig = int64_t{1} << 32;
  CHECK(error_of([] { Shape{kBig, kBig}; }).code() == Code::kInvalidArgument);
  CHECK(error_of([] { Shape{kBig, -1, kBig}; }).code() == Code::kInvalidArgument);
  CHECK(error_of([] { Shape{0, kBig, kBig}; }).code() == Code::kInvalidArgument);
  CHECK(Shape{kBig, kBig >> 2}.num_elements() == int64_t{1} << 62);
  CHECK(error_of([] {
          (void)merge(Shape{kBig, -1}, Shape{-1, kBig});
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("A slice of a shape counts from either end and is clamped", "[runtime][shape]") {
  const Shape shape{2, 3, 4};
  CHECK(shape.slice(1) == Shape{3, 4});
  CHECK(shape.slice(0, -1) == Shape{2, 3});
  CHECK(shape.slice(-2, -1) == Shape{3});
  CHECK(shape.slice(2, 1) == Shape{});
  CHECK(shape.slice(-9, 9) == shape);
  CHECK_FALSE(Shape::unknown().slice(1).has_rank());
  CHECK(concat(Shape{1}, shape) == Shape{1, 2, 3, 4});
  CHECK_FALSE(concat(Shape{1}, Shape::unknown()).has_rank());
}

TEST_CASE("Merging keeps what either shape knows", "[runtime][shape]") {
  CHECK(merge({-1, 3}, {2, -1}) == Shape{2, 3});
  CHECK(merge(Shape::unknown(), {2, -1}) == Shape{2, -1});
  CHECK(merge({2}, Shape::unknown()) == Shape{2});
  CHECK(merge(Shape{}, Shape{}) == Shape{});
}

TEST_CASE("Merging shapes that contradict each other names both", "[runtime][shape]") {
  const Error error = error_of([] { (void)merge({2, 3}, {2, 4}); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "[2,3]"));
  CHECK(says(error, "[2,4]"));
  CHECK(error_of([] { (void)merge({2}, {2, 1}); }).code() == Code::kInvalidArgument);
}

TEST_CASE("Compatible shapes fit some known shape both", "[runtime][shape]") {
  CHECK(Shape({-1, 3}).is_compatible_with({2, 3}));
  CHECK(Shape::unknown().is_compatible_with({2, 3}));
  CHECK_FALSE(Shape({2}).is_compatible_with({2, 1}));
  CHECK_FALSE(Shape({2, -1}).is_compatible_with({3, -1}));
  CHECK_FALSE(Shape{-1, 3} == Shape{2, 3});
}

TEST_CASE("Broadcasting stretches extents of one from the right", "[runtime][shape]") {
  CHECK(broadcast({2, 3}, {3}) == Shape{2, 3});
  CHECK(broadcast({2, 1}, {1, 3}) == Shape{2, 3});
  CHECK(broadcast({}, {4}) == Shape{4});
  CHECK(broadcast({0}, {1}) == Shape{0});
  CHECK(broadcast({1, 1, 2}, {5, 1}) == Shape{1, 5, 2});
}

TEST_CASE("Broadcasting unknown extents gives what the other side decides", "[runtime][shape]") {
  CHECK(broadcast({-1}, {3}) == Shape{3});
  CHECK(broadcast({-1}, {1}) == Shape{-1});
  CHECK(broadcast({-1}, {-1}) == Shape{-1});
  CHECK(broadcast({-1, 3}, {3}) == Shape{-1, 3});
  CHECK_FALSE(broadcast(Shape::unknown(), {3}).has_rank());
}

TEST_CASE("Shapes that do not broadcast are refused with both named", "[runtime][shape]") {
  const Error error = error_of([] { (void)broadcast({2, 3}, {4}); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "[2,3] and [4]"));
}
