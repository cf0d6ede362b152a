#include "runtime/base/text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace cairn {
namespace {

void put_hex(std::string& out, uint32_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
    out += "0123456789abcdef"[(value >> shift) & 15];
}

void put_escaped(std::string& out, char32_t code) {
  switch (code) {
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += code < 0x80 ? "\\x" : code < 0x10000 ? "\\u" : "\\U";
      put_hex(out, code, code < 0x80 ? 2 : code < 0x10000 ? 4 : 8);
  }
}

bool is_plain(char c) { return c >= 0x20 && c < 0x7f; }

}  // namespace

Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {1, byte(0)};
  const size_t bytes = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < bytes) return {};
  char32_t code = byte(0) & (0xffu >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return code < kLeast[bytes] || surrogate || code > 0x10ffff ? Character{}
                                                              : Character{bytes, code};
}

// C1 controls; characters of no width; marks, embeddings, overrides and isolates of direction; line
// separators; tags.
bool Character::hidden() const {
  constexpr struct {
    char32_t first, last;
  } kHidden[] = {{0x7f, 0x9f},     {0xad, 0xad},      {0x61c, 0x61c},   {0x180e, 0x180e},
                 {0x200b, 0x200f}, {0x2028, 0x202e},  {0x2060, 0x206f}, {0xfeff, 0xfeff},
                 {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};
  return code < 0x20 || std::any_of(std::begin(kHidden), std::end(kHidden), [&](const auto& range) {
           return code >= range.first && code <= range.last;
         });
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t bytes = first_character(text).bytes;
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string printable(std::string_view text, std::string_view kept) {
  if (std::all_of(text.begin(), text.end(), is_plain)) return std::string(text);
  std::string out;
  out.reserve(text.size() + 16);
  while (!text.empty()) {
    const Character c = first_character(text);
    if (c.bytes == 0) {
      out += "\\x";
      put_hex(out, static_cast<unsigned char>(text[0]), 2);
    } else if (c.hidden() && (c.code >= 0x80 || kept.find(text[0]) == std::string_view::npos)) {
      put_escaped(out, c.code);
    } else {
      out += text.substr(0, c.bytes);
    }
    text.remove_prefix(std::max<size_t>(c.bytes, 1));
  }
  return out;
}

}  // namespace cairn
