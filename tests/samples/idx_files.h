// MNIST's files, small and made up.
#pragma once

#include <cstdint>
#include <string>

#include "tests/support/fixtures.h"

namespace cairn {

inline std::string big_endian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

inline std::string image_file(uint32_t count) {
  std::string bytes = big_endian(0x803) + big_endian(count) + big_endian(28) + big_endian(28);
  for (uint32_t i = 0; i < count * 784; ++i) bytes += static_cast<char>(i % 251);
  return bytes;
}

inline std::string label_file(uint32_t count) {
  std::string bytes = big_endian(0x801) + big_endian(count);
  for (uint32_t i = 0; i < count; ++i) bytes += static_cast<char>(i % 10);
  return bytes;
}

inline void write_digits(const std::filesystem::path& folder, uint32_t train, uint32_t test) {
  std::filesystem::create_directories(folder);
  write_bytes(folder / "train-images-idx3-ubyte", image_file(train));
  write_bytes(folder / "train-labels-idx1-ubyte", label_file(train));
  write_bytes(folder / "t10k-images-idx3-ubyte", image_file(test));
  write_bytes(folder / "t10k-labels-idx1-ubyte", label_file(test));
}

}  // namespace cairn
