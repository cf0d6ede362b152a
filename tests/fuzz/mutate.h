// Bytes changed at random, the same every time.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace cairn::fuzz {

// One to four changes: bits, bytes, lengths and numbers that break things, pieces cut, doubled or
// taken from `other`.
inline std::string mutated(std::string bytes, const std::string& other, std::mt19937& random) {
  static constexpr unsigned char kBytes[] = {0,    1,    2,    7,    8,    0x0a,
                                             0x12, 0x1a, 0x22, 0x7f, 0x80, 0xff};
  const auto below = [&](size_t n) { return n == 0 ? 0 : static_cast<size_t>(random()) % n; };
  for (size_t changes = 1 + below(4); changes > 0; --changes) {
    const size_t at = below(bytes.size() + 1),
                 length = below(std::min<size_t>(bytes.size() - at, 16) + 1);
    switch (random() % 7) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(kBytes[below(std::size(kBytes))]);
        break;
      case 2:  // the largest number of a varint
        bytes.replace(at, std::min<size_t>(length, 1), std::string(4 + below(6), '\xff') + '\x01');
        break;
      case 3:
        bytes.erase(at, length);
        break;
      case 4:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 5:
        bytes.insert(at, other.substr(below(other.size()), 1 + below(32)));
        break;
      default:
        if (random() % 4 == 0) bytes.resize(at);
        break;
    }
  }
  return bytes;
}

}  // namespace cairn::fuzz
