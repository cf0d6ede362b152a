#include <charconv>
#include <cstdlib>
#include <sstream>

#include "tests/runtime/base/numpy_text_table.h"
#include "tests/support/catch.h"

namespace cairn {
namespace {

// The table's numbers as a tensor.
Tensor tensor_of(const PrintedArray& array) {
  Tensor tensor = Tensor::uninitialized(array.dtype, array.shape);
  std::istringstream words(array.elements);
  const auto real = [&] {
    std::string word;
    words >> word;
    return std::strtod(word.c_str(), nullptr);
  };
  const auto fill = [&]<class T> {
    for (T& element : tensor.span<T>()) {
      if constexpr (requires(T v) { v.imag(); }) {
        const double first = real();
        element = T(static_cast<typename T::value_type>(first),
                    static_cast<typename T::value_type>(real()));
      } else if constexpr (std::is_same_v<T, Half>) {
        element = Half(static_cast<float>(real()));
      } else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
        element = static_cast<T>(real());
      } else {
        std::string word;
        words >> word;
        element = static_cast<T>(word == "True" ? 1 : std::strtoll(word.c_str(), nullptr, 10));
      }
    }
  };
  for_dtype<float, double, Half, int8_t, int32_t, int64_t, bool, std::complex<float>,
            std::complex<double>>(array.dtype, fill);
  return tensor;
}

// Numbers 0, 1, ..., each modulo `period`.
template <class T>
Tensor counting(const Shape& shape, int64_t period) {
  Tensor tensor = Tensor::uninitialized(dtype_of<T>, shape);
  int64_t i = 0;
  for (T& element : tensor.span<T>()) element = static_cast<T>(i++ % period);
  return tensor;
}

TEST_CASE("Tensors print as NumPy prints arrays", "[runtime][tensor]") {
  for (const PrintedArray& array : kPrintedArrays) {
    CAPTURE(array.elements);
    CHECK(tensor_of(array).str() == array.text);
  }
}

TEST_CASE("Strings print as Python shows bytes", "[runtime][tensor]") {
  CHECK(Tensor("a").str() == "b'a'");
  CHECK(Tensor::vector<std::string>({"ab", "it's", "\n\x01\x1b[2J", "\xc3\xbc\\"}).str() ==
        "[b'ab' b\"it's\" b'\\n\\x01\\x1b[2J' b'\\xc3\\xbc\\\\']");
  CHECK(Tensor("'\"").str() == "b'\\'\"'");
}

TEST_CASE("A bfloat16 prints the digits that tell it from its neighbours", "[runtime][tensor]") {
  CHECK(Tensor(BFloat16(0.1f)).str() == "0.1");
  CHECK(Tensor::vector<BFloat16>({BFloat16(3.140625f), BFloat16(2.0f)}).str() == "[3.14 2.  ]");
}

TEST_CASE("Quantized numbers print as the integers they are", "[runtime][tensor]") {
  CHECK(Tensor::zeros(DType::kQInt8, {2}).str() == "[0 0]");
}

TEST_CASE("Of more than a thousand elements the ends of each axis are printed",
          "[runtime][tensor]") {
  CHECK(Tensor::zeros(DType::kFloat, {1001}).str() == "[0. 0. 0. ... 0. 0. 0.]");
  CHECK(counting<int32_t>({7, 500}, 1000).str() ==
        "[[  0   1   2 ... 497 498 499]\n [500 501 502 ... 997 998 999]\n [  0   1   2 ... 497 498 "
        "499]\n ...\n"
        " [  0   1   2 ... 497 498 499]\n [500 501 502 ... 997 998 999]\n [  0   1   2 ... 497 498 "
        "499]]");
  CHECK(counting<int32_t>({6, 400}, 1000).str() ==
        "[[  0   1   2 ... 397 398 399]\n [400 401 402 ... 797 798 799]\n [800 801 802 ... 197 198 "
        "199]\n"
        " [200 201 202 ... 597 598 599]\n [600 601 602 ... 997 998 999]\n [  0   1   2 ... 397 398 "
        "399]]");
  CHECK(counting<int64_t>({7, 2, 100}, 10).str() ==
        "[[[0 1 2 ... 7 8 9]\n  [0 1 2 ... 7 8 9]]\n\n [[0 1 2 ... 7 8 9]\n  [0 1 2 ... 7 8 9]]\n\n"
        " [[0 1 2 ... 7 8 9]\n  [0 1 2 ... 7 8 9]]\n\n ...\n\n [[0 1 2 ... 7 8 9]\n  [0 1 2 ... 7 "
        "8 9]]\n\n"
        " [[0 1 2 ... 7 8 9]\n  [0 1 2 ... 7 8 9]]\n\n [[0 1 2 ... 7 8 9]\n  [0 1 2 ... 7 8 9]]]");
  // Columns are as wide as what is shown needs.
  Tensor hidden = counting<int32_t>({2000}, 10);
  hidden.data<int32_t>()[1000] = 123456;
  CHECK(hidden.str() == "[0 1 2 ... 7 8 9]");
}

TEST_CASE("What to show is the caller's choice", "[runtime][tensor]") {
  CHECK(counting<int32_t>({7}, 10).str(6) == "[0 1 2 ... 4 5 6]");
  CHECK(counting<int32_t>({7}, 10).str(7) == "[0 1 2 3 4 5 6]");
  CHECK(counting<int32_t>({6}, 10).str(0) == "[0 1 2 3 4 5]");
  const std::string all = Tensor::zeros(DType::kFloat, {1001}).str(-1);
  CHECK(std::count(all.begin(), all.end(), '0') == 1001);
  std::ostringstream out;
  out << counting<int32_t>({40}, 40);
  CHECK(out.str() ==
        "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n"
        " 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39]");
}

TEST_CASE("A tensor without elements prints at once, whatever its extents", "[runtime][tensor]") {
  const Tensor empty = Tensor::zeros(DType::kInt32, {int64_t{1} << 40, 4, 0, 2});
  CHECK(empty.str() == "[]");
  CHECK(empty.summary() == "[]");
  CHECK(Tensor().str() == "<no tensor>");
  CHECK(Tensor().summary() == "<no tensor>");
}

TEST_CASE("A summary is one line with the first elements", "[runtime][tensor]") {
  CHECK(Tensor::matrix<float>({{1, 0.1f}, {1.0f / 3, 4}}).summary() ==
        "[[1 0.1] [0.333333343...]]");
  CHECK(Tensor::matrix<float>({{1, 2}, {3, 4}}).summary(2) == "[[1 2]...]");
  CHECK(Tensor::matrix<float>({{1, 2}, {3, 4}}).summary(4) == "[[1 2] [3 4]]");
  CHECK(counting<int32_t>({5}, 10).summary() == "[0 1 2...]");
  CHECK(counting<int32_t>({5}, 10).summary(0) == "[...]");
  CHECK(counting<int32_t>({5}, 10).summary(-1) == "[0 1 2 3 4]");
  CHECK(Tensor(1.0 / 3).summary() == "0.33333333333333331");
  CHECK(Tensor::vector<double>({NAN, -INFINITY, 1e20}).summary() == "[nan -inf 1e+20]");
  CHECK(Tensor::vector<bool>({true, false}).summary() == "[True False]");
  CHECK(Tensor(Half(0.5f)).summary() == "0.5");
  CHECK(Tensor(std::complex<float>(1, -2)).summary() == "(1,-2)");
  CHECK(Tensor::vector<std::string>({"\x1b[2J", "\xc3\xbc"}).summary() ==
        "['\\x1b[2J' '\xc3\xbc']");
  CHECK(Tensor(7).summary(0) == "...");
}

}  // namespace
}  // namespace cairn
