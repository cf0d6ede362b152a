#include "persist/internal/crc.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace cairn {

namespace {

// ISA-L counts in int or takes what is left in one go, and never writes though some of it takes a mutable pointer.
template <class Update>
uint32_t in_pieces(std::string_view bytes, uint32_t reg, Update update) {
  constexpr size_t kMost = size_t{1} << 30;
  while (!bytes.empty()) {
    const size_t n = std::min(bytes.size(), kMost);
    reg = update(const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data())), n, reg);
    bytes.remove_prefix(n);
  }
  return reg;
}

}  // namespace

uint32_t crc32c(std::string_view bytes, uint32_t crc) {
  // It wants the register rather than the checksum.
  return ~in_pieces(bytes, ~crc, [](unsigned char* data, size_t n, uint32_t reg) {
    return crc32_iscsi(data, static_cast<int>(n), reg);
  });
}

uint32_t crc32(std::string_view bytes, uint32_t crc) {
  return in_pieces(bytes, crc,
                   [](unsigned char* data, size_t n, uint32_t sum) { return crc32_gzip_refl(sum, data, n); });
}

}  // namespace cairn
