// Checksums: CRC-32C (Castagnoli), which all formats of persist/ use, with the mask it is stored
// under; and CRC-32, which zip uses.
#pragma once

#include <cstdint>
#include <string_view>

namespace cairn {

// Extends `crc`, the checksum of the bytes before, over `bytes`: crc32c("123456789") is e3069283.
uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);
// The checksum of two adjacent ranges of bytes from the checksums of each; the second has `size`
// bytes.
uint32_t crc32c_joined(uint32_t before, uint32_t after, uint64_t size);
// As crc32c(), with the polynomial of zip archives: crc32("123456789") is cbf43926.
uint32_t crc32(std::string_view bytes, uint32_t crc = 0);

// Files store checksums masked: the CRC of bytes that contain their own CRC would be degenerate.
constexpr uint32_t kCrcMaskDelta = 0xa282ead8u;
constexpr uint32_t mask_crc(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + kCrcMaskDelta; }
constexpr uint32_t unmask_crc(uint32_t masked) {
  const uint32_t rotated = masked - kCrcMaskDelta;
  return (rotated >> 17) | (rotated << 15);
}

}  // namespace cairn
