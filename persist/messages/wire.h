// Encodings of numbers in files: little-endian fixed width, and base-128 varints.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace cairn {

static_assert(std::endian::native == std::endian::little,
              "tensors' bytes go to files as they lie in memory");

template <std::unsigned_integral T>
void put_fixed(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Decodes the number at the beginning of `bytes`, which must be long enough.
template <std::unsigned_integral T>
T get_fixed(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

inline void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

inline size_t varint_size(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

// Decodes a varint and removes it from `bytes`; nullopt if it is truncated or does not fit T.
template <std::unsigned_integral T = uint64_t>
std::optional<T> take_varint(std::string_view& bytes) {
  T value = 0;
  constexpr int kBits = sizeof(T) * 8;
  for (int shift = 0; shift < kBits && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    const T part = byte & 0x7f;
    if (shift + 7 > kBits && (part >> (kBits - shift)) != 0) return std::nullopt;
    value |= static_cast<T>(part << shift);
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

}  // namespace cairn
