#include "persist/files/crc.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace cairn {

namespace {

// Feeds the bytes to a function of ISA-L in pieces: crc32_iscsi takes their number as an int. The
// cast is for its mutable pointer, through which it only reads.
template <class Update>
uint32_t in_pieces(std::string_view bytes, uint32_t reg, Update update) {
  constexpr size_t kMost = size_t{1} << 30;
  while (!bytes.empty()) {
    const size_t n = std::min(bytes.size(), kMost);
    reg = update(const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data())),
                 n, reg);
    bytes.remove_prefix(n);
  }
  return reg;
}

// Multiplies two checksums as polynomials over GF(2) modulo Castagnoli's; the highest bit is the
// coefficient of x^0.
uint32_t times(uint32_t a, uint32_t b) {
  constexpr uint32_t kCastagnoli = 0x82f63b78;
  uint32_t product = 0;
  for (uint32_t bit = uint32_t{1} << 31; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = b & 1 ? (b >> 1) ^ kCastagnoli : b >> 1;
  }
  return product;
}

}  // namespace

uint32_t crc32c(std::string_view bytes, uint32_t crc) {
  // ISA-L takes the inverted checksum (the register).
  return ~in_pieces(bytes, ~crc, [](unsigned char* data, size_t n, uint32_t reg) {
    return crc32_iscsi(data, static_cast<int>(n), reg);
  });
}

// Appending a byte multiplies the first checksum by x^8.
uint32_t crc32c_joined(uint32_t before, uint32_t after, uint64_t size) {
  uint32_t power = uint32_t{1} << (31 - 8);
  for (; size != 0; size >>= 1) {
    if (size & 1) before = times(power, before);
    power = times(power, power);
  }
  return before ^ after;
}

uint32_t crc32(std::string_view bytes, uint32_t crc) {
  return in_pieces(bytes, crc, [](unsigned char* data, size_t n, uint32_t sum) {
    return crc32_gzip_refl(sum, data, n);
  });
}

}  // namespace cairn
