#include "persist/checkpoint/tensor_slice.h"

#include <numeric>
#include <random>

#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

namespace cairn {

namespace {

bool refused(std::string_view spec) {
  return error_of([&] { parse_shape_and_slice(spec); }).code() == Code::kInvalidArgument;
}

Tensor counted(const Shape& shape) {
  Tensor tensor = Tensor::uninitialized(DType::kInt64, shape);
  const auto elements = tensor.span<int64_t>();
  std::iota(elements.begin(), elements.end(), 0);
  return tensor;
}

}  // namespace

TEST_CASE("A shape_and_slice string names the full shape and the part", "[persist][slice]") {
  const auto parsed = parse_shape_and_slice("4 10 0,2:-");
  REQUIRE(parsed);
  CHECK(parsed->full == Shape{4, 10});
  CHECK(parsed->slice.extents() == std::vector<Extent>{{0, 2}, {}});
  CHECK(parsed->slice.str() == "0,2:-");
  CHECK(parsed->slice.within(parsed->full).str() == "0,2:0,10");
  CHECK(parsed->slice.shape_in(parsed->full) == Shape{2, 10});
  CHECK_FALSE(parsed->slice.covers(parsed->full));
  CHECK(parse_shape_and_slice("4 10 0,4:-")->slice.covers({4, 10}));
}

TEST_CASE("The empty shape_and_slice string is the whole tensor", "[persist][slice]") {
  CHECK_FALSE(parse_shape_and_slice(""));
}

TEST_CASE("A shape_and_slice string that is none, or does not fit, is refused",
          "[persist][slice]") {
  for (const char* spec : {"4", "4 ", "x 0,2", "4 0", "4 0,", "4 0,2:-", "4 -1,2", "4 0,-1",
                           "4 3,2", "4 10 0,2", "-1 -", "4  0,2", "4 0,99999999999999999999",
                           "4 9223372036854775807,9223372036854775807", "4 0,2 "}) {
    CAPTURE(spec);
    CHECK(refused(spec));
  }
}

TEST_CASE("Slice keys are TensorFlow's ordered code", "[persist][slice]") {
  const auto key = [](std::string_view name, std::vector<Extent> extents) {
    return to_hex(slice_key(name, TensorSlice(std::move(extents))));
  };
  CHECK(key("W", {{0, 2}, {0, 2}}) == "00570001010280828082");
  CHECK(key("W", {{2, 2}, {0, 2}}) == "00570001010282828082");
  CHECK(key("W", {{}}) ==
        "00570001"
        "0101"
        "807f");
  CHECK(key("", {}) ==
        "00"
        "0001"
        "00");
  CHECK(key(std::string("a\0\xff", 3), {}) ==
        "00"
        "6100ffff00"
        "0001"
        "00");
  CHECK(key("W", {{63, 64}, {784, 8192}}) ==
        "00570001"
        "0102"
        "bfc040"
        "c310e02000");
  CHECK(key("W", {{int64_t{1} << 40, int64_t{1} << 62}}) ==
        "00570001"
        "0101"
        "fd0000000000"
        "ffc04000000000000000");
}

TEST_CASE("Slice keys sort as their numbers do", "[persist][slice]") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 1000; ++i) {
    const auto some = [&] { return static_cast<int64_t>(random() >> (1 + random() % 63)); };
    const int64_t a = some(), b = some();
    const std::string x = slice_key("W", TensorSlice({{0, a}})),
                      y = slice_key("W", TensorSlice({{0, b}}));
    CHECK((x < y) == (a < b));
  }
}

TEST_CASE("A slice copied out of a tensor and back is the same elements", "[persist][slice]") {
  const Shape full{3, 4, 5};
  const Tensor all = counted(full);
  const TensorSlice whole = TensorSlice::whole(3).within(full),
                    part = TensorSlice::parse("1,2:0,3:2,2");
  Tensor piece = Tensor::zeros(DType::kInt64, {2, 3, 2});
  copy_common(all, whole, piece, part);
  CHECK(piece.data<int64_t>()[0] == 1 * 20 + 0 * 5 + 2);
  CHECK(piece.data<int64_t>()[11] == 2 * 20 + 2 * 5 + 3);
  Tensor back = Tensor::zeros(DType::kInt64, full);
  copy_common(piece, part, back, whole);
  int64_t copied = 0;
  for (int64_t i = 0; i < 60; ++i) {
    const int64_t element = back.data<int64_t>()[i];
    CHECK((element == 0 || element == i));
    copied += element != 0;
  }
  CHECK(copied == 12);
}

TEST_CASE("Slices of strings and of scalars are copied too", "[persist][slice]") {
  const Tensor words = Tensor::vector<std::string>({"a", "b", "c"});
  Tensor part = Tensor::zeros(DType::kString, {2});
  copy_common(words, TensorSlice::parse("0,3"), part, TensorSlice::parse("1,2"));
  CHECK(bit_equal(part, Tensor::vector<std::string>({"b", "c"})));
  Tensor scalar = Tensor::zeros(DType::kFloat, {});
  copy_common(Tensor(2.5f), TensorSlice(), scalar, TensorSlice());
  CHECK(scalar.scalar<float>() == 2.5f);
}

TEST_CASE("Slices that do not meet have nothing in common", "[persist][slice]") {
  CHECK_FALSE(intersection(TensorSlice::parse("0,2"), TensorSlice::parse("2,2")));
  CHECK(intersection(TensorSlice::parse("0,3:1,2"), TensorSlice::parse("2,2:0,9")) ==
        TensorSlice::parse("2,1:1,2"));
}

}  // namespace cairn
