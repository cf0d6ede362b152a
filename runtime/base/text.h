// Text from files and users: UTF-8, and printing it safely on a terminal.
#pragma once

#include <string>
#include <string_view>

#include "runtime/base/api.h"

namespace CAIRN_API cairn {

// One UTF-8 character of a text.
struct Character {
  size_t bytes = 0;  // 0: the bytes are not UTF-8
  char32_t code = 0;

  // True if a terminal does not show it as a character in its place: control characters, characters
  // that change the direction of the text, have no width or end the line.
  bool hidden() const;
};
// The first character of `text`, which must not be empty; `bytes` is 0 if the text does not begin
// with a whole UTF-8 character.
Character first_character(std::string_view text);

// True if the bytes are UTF-8 as protobuf requires: no overlong forms, no surrogates, nothing above
// U+10FFFF.
bool is_utf8(std::string_view text);

// `text` for one line of a terminal or a message: hidden characters and bytes that are not UTF-8
// become \n, \r, \t, \x1b, \u202e or \xff. All else is unchanged: backslashes, and the hidden
// characters listed in `kept`. Printable text comes back unchanged, so a second call changes
// nothing.
//
//   printable("w\x1b[2J\n")             // "w\\x1b[2J\\n"
//   printable("a\n\tb\r", "\n\t")       // "a\n\tb\\r"
std::string printable(std::string_view text, std::string_view kept = "");

}  // namespace cairn
