// What numbers, lists and vectors become where they are fed.
#include "runtime/exec/feed.h"

#include <cmath>
#include <limits>

#include "ops/array/array.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"

namespace cairn {
namespace {

// The value as the dtype, read as double; or why there is none.
std::vector<double> as(const FeedValue& value, DType dtype) {
  std::string why;
  const auto made = value.as(dtype, why);
  INFO(why);
  REQUIRE(made);
  CHECK(made->dtype() == dtype);
  std::vector<double> read;
  for_dtype<int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t, float, double,
            Half, BFloat16>(dtype, [&]<class T> {
    for (const T& v : made->span<T>()) {
      if constexpr (std::is_arithmetic_v<T>) {
        read.push_back(static_cast<double>(v));
      } else {
        read.push_back(static_cast<float>(v));
      }
    }
  });
  return read;
}
std::string refused(const FeedValue& value, DType dtype) {
  std::string why;
  CHECK_FALSE(value.as(dtype, why));
  return why;
}

using Numbers = std::vector<double>;

}  // namespace

TEST_CASE("A number that is fed becomes the dtype wanted where its value stays what it is",
          "[runtime][feed]") {
  CHECK(as(0.1, DType::kFloat) == Numbers{0.1f});
  CHECK(as(0.5f, DType::kDouble) == Numbers{0.5});
  CHECK(as(3, DType::kFloat) == Numbers{3});
  CHECK(as(3, DType::kInt64) == Numbers{3});
  CHECK(as(2.0, DType::kInt32) == Numbers{2});
  CHECK(as(1, DType::kHalf) == Numbers{1});
  CHECK(as(uint64_t{7}, DType::kInt8) == Numbers{7});
  CHECK(std::signbit(as(-0.0, DType::kFloat)[0]));
  CHECK(std::isnan(as(std::nan(""), DType::kFloat)[0]));
  CHECK(std::isinf(as(std::numeric_limits<double>::infinity(), DType::kHalf)[0]));
  CHECK(as(-9223372036854775808.0, DType::kInt64) == Numbers{-9223372036854775808.0});
  CHECK(as(std::vector<int>{1, 2}, DType::kFloat) == Numbers{1, 2});
  CHECK(as({0.5, 0.25}, DType::kFloat) == Numbers{0.5, 0.25});
}

TEST_CASE("A number that would become another is refused, and the message has it",
          "[runtime][feed]") {
  CHECK(refused(2.5, DType::kInt32) == "2.5 is not a value of dtype int32");
  CHECK(refused(300, DType::kUInt8) == "300 is not a value of dtype uint8");
  CHECK(refused(-1, DType::kUInt64) == "-1 is not a value of dtype uint64");
  CHECK(refused(16777217, DType::kFloat) == "16777217 is not a value of dtype float");
  CHECK(refused(1e300, DType::kFloat) == "1e+300 is not a value of dtype float");
  CHECK(refused(1e6, DType::kHalf).ends_with("is not a value of dtype half"));
  CHECK(refused(std::nan(""), DType::kInt32) == "nan is not a value of dtype int32");
  CHECK(refused(9223372036854775808.0, DType::kInt64).ends_with("is not a value of dtype int64"));
  CHECK(refused(std::numeric_limits<int64_t>::max(), DType::kDouble)
            .ends_with("is not a value of dtype double"));
  CHECK(refused(std::vector<double>{1, 2.5}, DType::kInt32) == "2.5 is not a value of dtype int32");
  CHECK(refused(true, DType::kInt32) == "numbers of dtype bool do not become int32");
  CHECK(refused(std::string("x"), DType::kFloat) == "numbers of dtype string do not become float");
}

TEST_CASE("Every integer goes into every number type and back, or is refused", "[runtime][feed]") {
  const int64_t edges[] = {0,
                           1,
                           -1,
                           127,
                           128,
                           -128,
                           -129,
                           255,
                           256,
                           32767,
                           32768,
                           65535,
                           65536,
                           2147483647,
                           2147483648,
                           -2147483648,
                           4294967295,
                           4294967296,
                           9007199254740993,
                           INT64_MAX,
                           INT64_MIN};
  for (const int64_t n : edges) {
    for (const DType dtype : {DType::kInt8, DType::kUInt8, DType::kInt16, DType::kUInt16,
                              DType::kInt32, DType::kUInt32, DType::kInt64, DType::kUInt64,
                              DType::kFloat, DType::kDouble, DType::kHalf, DType::kBFloat16}) {
      std::string why;
      const auto there = FeedValue(n).as(dtype, why);
      CHECK(there.has_value() == why.empty());
      if (!there) continue;
      CAPTURE(n, dtype_name(dtype));
      for_dtype<int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t, float,
                double, Half, BFloat16>(dtype, [&]<class T> {
        const auto back = FeedValue(there->scalar<T>()).as(DType::kInt64, why);
        REQUIRE(back);
        CHECK(back->scalar<int64_t>() == n);
      });
    }
  }
}

TEST_CASE("Feeds convert numbers, lists and vectors, and leave tensors as they are",
          "[runtime][feed]") {
  Graph graph;
  const Output rate = placeholder(graph, DType::kFloat, {}, {.name = "rate"});
  const Output rows = placeholder(graph, DType::kInt64, {-1}, {.name = "rows"});
  const Output text = placeholder(graph, DType::kString);
  Session session(graph);
  CHECK(session.run(rate, {{rate, 0.1}}).scalar<float>() == 0.1f);
  CHECK(session.run(rate, {{"rate:0", 2}}).scalar<float>() == 2.0f);
  CHECK(session.run(rows, {{rows, {1, 2, 3}}}).to_int64s() == std::vector<int64_t>{1, 2, 3});
  CHECK(session.run(rows, {{rows, std::vector<int>{4}}}).to_int64s() == std::vector<int64_t>{4});
  CHECK(session.run(text, {{text, "words"}}).scalar<std::string>() == "words");
  CHECK(session.run(text, {{text, std::vector<std::string>{"a", "b"}}}).num_elements() == 2);
  CHECK_THROWS_WITH(session.run(rows, {{rows, {1.5}}}),
                    Catch::Contains("feed for 'rows:0', Placeholder 'rows' (feed_test.cc:") &&
                        Catch::Contains("1.5 is not a value of dtype int64"));
  CHECK_THROWS_WITH(
      session.run(rate, {{rate, Tensor(0.1)}}),
      Catch::Contains("expected float [], got double []; 0.1 is a double, 0.1f a float"));
  CHECK_THROWS_WITH(session.run(rate, {{rate, {1, 2}}}),
                    Catch::Contains("expected float [], got float [2]"));
}

TEST_CASE("Nested lists feed rows, and are converted as numbers are", "[runtime][feed]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 4}, {.name = "x"}),
               any = placeholder(graph, DType::kInt64);
  Session session(graph);
  const Tensor one = session.run(x, {{x, {{1, 2, 3, 4}}}});
  CHECK(one.shape() == Shape{1, 4});
  CHECK(one.str() == "[[1. 2. 3. 4.]]");
  const Tensor two = session.run(x, {{x, {{0.5, 1.0, 1.5, 2.0}, {3.0, 4.0, 5.0, 6.0}}}});
  CHECK(two.shape() == Shape{2, 4});
  CHECK(two.data<float>()[4] == 3);
  CHECK(session.run(any, {{"Placeholder:0", {{1}, {2}, {3}}}}).shape() == Shape{3, 1});
  CHECK(session.run(any, {{any, {{7}}}}).shape() == Shape{1, 1});
  CHECK(session.run(any, {{any, {7}}}).shape() == Shape{1});
  CHECK(session.run(any, {{any, 7}}).shape().is_scalar());
  const auto both = session.run({x, any}, {{x, {{1, 2, 3, 4}}}, {any, {1, 2}}});
  CHECK(both[0].shape() == Shape{1, 4});
  CHECK(both[1].shape() == Shape{2});
  CHECK_THROWS_WITH(session.run(any, {{any, {{1.5, 2.0}}}}),
                    Catch::Contains("1.5 is not a value of dtype int64"));
  CHECK_THROWS_WITH(session.run(x, {{x, {{1, 2, 3, 4}, {5, 6}}}}),
                    Catch::Contains("rows of one length: 4 and 2"));
  CHECK_THROWS_WITH(session.run(x, {{x, {{1, 2}}}}),
                    Catch::Contains("expected float [?,4], got float [1,2]"));
}

}  // namespace cairn
