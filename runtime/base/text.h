// Text that comes from elsewhere: names in files, and what a terminal does with them.
#pragma once

#include <string>
#include <string_view>

#include "runtime/base/api.h"

namespace CAIRN_API cairn {

// A character in UTF-8.
struct Character {
  size_t bytes = 0;  // 0: there is none
  char32_t code = 0;

  // Whether a terminal does something else with it than showing it in its place: control
  // characters, characters that change the direction of the text, take no room or end the line.
  bool hidden() const;
};
// The one that `text`, which is not empty, begins with.
Character first_character(std::string_view text);

// Whether the bytes are UTF-8 as protobuf has it: no overlong forms, no surrogates, nothing past
// U+10FFFF.
bool is_utf8(std::string_view text);

// `text` as a terminal may show it on one line: hidden characters and bytes that are not UTF-8
// become \n, \r, \t, \x1b, \u202e or \xff. Everything else stays as it is, `kept` characters and
// backslashes included.
//   printable("w\x1b[2J\n")   // "w\x1b[2J\n" in these letters, on one line
std::string printable(std::string_view text, std::string_view kept = "");

}  // namespace cairn
