// The forms that commands print in: JSON and columns.
#include <limits>
#include <sstream>

#include "runtime/base/text.h"
#include "tests/support/catch.h"
#include "tools/columns.h"
#include "tools/json.h"

namespace cairn {
namespace {

std::string json(const Tensor& tensor) { return Json().value(tensor).text(); }

TEST_CASE("JSON text has quotes, controls and what is not UTF-8 escaped, and the rest as it is",
          "[tools][json]") {
  CHECK(Json::quoted("a\"b\\c\nd\x01\x7f") == "\"a\\\"b\\\\c\\nd\\u0001\\u007f\"");
  CHECK(Json::quoted("\xc3\xbc") == "\"\xc3\xbc\"");
  CHECK(Json::quoted("\xc3") == "\"\\u00c3\"");
  CHECK(Json::quoted("") == "\"\"");
}

TEST_CASE(
    "UTF-8 is what its standard says: no halves, no detours, no surrogates, nothing beyond the "
    "last plane",
    "[tools][json]") {
  for (const char* good : {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    CAPTURE(good);
    CHECK(is_utf8(good));
  }
  for (const char* bad : {"\x80", "\xc1\xbf", "\xc2",
                          "\xc2"
                          "a",
                          "\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                          "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_utf8(bad));
  }
}

TEST_CASE("JSON numbers are the shortest that read back, and what is no number is text",
          "[tools][json]") {
  CHECK(Json().value(0.1f).text() == "0.1");
  CHECK(Json().value(0.1).text() == "0.1");
  CHECK(Json().value(-0.0).text() == "-0");
  CHECK(Json().value(1e300).text() == "1e+300");
  CHECK(Json().value(std::numeric_limits<int64_t>::min()).text() == "-9223372036854775808");
  CHECK(Json().value(std::numeric_limits<uint64_t>::max()).text() == "18446744073709551615");
  CHECK(Json().value(true).text() == "true");
  CHECK(json(Tensor::vector<float>({NAN, INFINITY, -INFINITY})) == R"(["nan", "inf", "-inf"])");
}

TEST_CASE("JSON arrays are nested as the shape is", "[tools][json]") {
  CHECK(json(Tensor(3)) == "3");
  CHECK(json(Tensor::matrix<int32_t>({{1, 2}, {3, 4}})) == "[[1, 2], [3, 4]]");
  CHECK(json(Tensor::zeros(DType::kFloat, {2, 0})) == "[]");
  CHECK(json(Tensor::zeros(DType::kFloat, {0})) == "[]");
  CHECK(json(Tensor(std::complex<float>(1, -2))) == "[1, -2]");
  CHECK(json(Tensor::vector<std::string>({"a", "\xff"})) == R"(["a", "\u00ff"])");
  CHECK(json(Tensor::vector<bool>({true, false})) == "[true, false]");
  CHECK(json(Tensor::vector<Half>({Half(0.5f)})) == "[0.5]");
}

TEST_CASE(
    "Columns are as wide as their widest cell, a long one pushes its line alone, and no line ends "
    "in blanks",
    "[tools][columns]") {
  Columns table({Columns::kLeft, Columns::kRight, Columns::kLeft, Columns::kLeft});
  table.add({"a", "10", "", "x"});
  table.add({"\xc3\xbc\xc3\xbc", "5", "", ""});
  std::ostringstream out;
  table.print(out, "  ");
  CHECK(out.str() == "  a   10  x\n  \xc3\xbc\xc3\xbc   5\n");
  Columns wide({Columns::kLeft, Columns::kLeft});
  wide.add({std::string(100, 'n'), "1"});
  wide.add({"n", "2"});
  CHECK(wide.line(0) == std::string(100, 'n') + "  1");
  CHECK(wide.line(1) == "n" + std::string(59, ' ') + "  2");
}

}  // namespace
}  // namespace cairn
