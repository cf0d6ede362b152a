// CRC-32C (Castagnoli), the checksum of every format in this room, and the mask it is stored under;
// CRC-32, that of zip.
#pragma once

#include <cstdint>
#include <string_view>

namespace cairn {

// The checksum of what `crc` covered followed by `bytes`: crc32c("123456789") is e3069283.
uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);
// The checksum of some bytes and the `size` bytes after them, from the checksums of each.
uint32_t crc32c_joined(uint32_t before, uint32_t after, uint64_t size);
// As crc32c(), of zip archives: crc32("123456789") is cbf43926.
uint32_t crc32(std::string_view bytes, uint32_t crc = 0);

// Files store checksums masked, so that the checksum of bytes that hold a checksum is not
// degenerate.
constexpr uint32_t kCrcMaskDelta = 0xa282ead8u;
constexpr uint32_t mask_crc(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + kCrcMaskDelta; }
constexpr uint32_t unmask_crc(uint32_t masked) {
  const uint32_t rotated = masked - kCrcMaskDelta;
  return (rotated >> 17) | (rotated << 15);
}

}  // namespace cairn
