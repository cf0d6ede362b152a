// Bytes for tests: parsed from hex dumps of documents, and damaged on purpose.
#pragma once

#include <cctype>
#include <string>
#include <string_view>

namespace cairn {

// Parses hex digits, "00 5700 | 01", with blanks, line ends and bars anywhere.
inline std::string from_hex(std::string_view hex) {
  std::string digits, bytes;
  for (const char c : hex) {
    if (std::isxdigit(static_cast<unsigned char>(c))) digits += c;
  }
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

inline std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex += "0123456789abcdef"[static_cast<uint8_t>(c) >> 4];
    hex += "0123456789abcdef"[c & 15];
  }
  return hex;
}

inline std::string with_bit_flipped(std::string bytes, size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  return bytes;
}

}  // namespace cairn
