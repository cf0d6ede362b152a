// Text from elsewhere, and what a terminal is shown of it.
#include "runtime/base/text.h"

#include "runtime/base/error.h"
#include "tests/support/catch.h"

using namespace cairn;

TEST_CASE("UTF-8 is what protobuf takes for it", "[text]") {
  for (const char* fine : {"", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                           "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"})
    CHECK(is_utf8(fine));
  for (const char* bad : {"\xe9", "\xc3", "a\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf",
                          "\xed\xa0\x80", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80",
                          "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "\xe2\x28\xa1"})
    CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("What a terminal would act upon is shown as escapes", "[text]") {
  CHECK(printable("w/kernel") == "w/kernel");
  CHECK(printable("\x1b[2J\r\n\t\x7f") == "\\x1b[2J\\r\\n\\t\\x7f");
  CHECK(printable(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(printable("C:\\run\\m") == "C:\\run\\m");
  CHECK(printable("caf\xe9 \xc3") == "caf\\xe9 \\xc3");
  CHECK(printable("\xc3\xa9t\xc3\xa9 \xe6\x97\xa5") == "\xc3\xa9t\xc3\xa9 \xe6\x97\xa5");
  CHECK(printable("a\xe2\x80\xae"
                  "b\xe2\x80\x8b"
                  "c\xc2\x9b"
                  "d\xef\xbb\xbf") == "a\\u202eb\\u200bc\\u009bd\\ufeff");
  CHECK(printable("\xf3\xa0\x80\x81") == "\\U000e0001");
  CHECK(printable("a\n\tb\r", "\n\t") == "a\n\tb\\r");
}

TEST_CASE("What was made printable stays as it is", "[text]") {
  const std::string once = printable("\x1b\xff\xe2\x80\xae\\n\n");
  CHECK(printable(once) == once);
}

TEST_CASE("An error's message has no control character but line ends, and lists names on one line",
          "[text][error]") {
  const Error error(Code::kNotFound, "no '\x1b[31m\r'\n  nearest: \xff");
  CHECK(std::string(error.what()) == "no '\\x1b[31m\\r'\n  nearest: \\xff");
  CHECK(join_for_people({"a\nb", "c"}) == "a\\nb and c");
}
