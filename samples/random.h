// Random numbers that are the same on every platform, unlike distributions of the standard library.
#pragma once

#include <cstdint>

namespace cairn {

// SplitMix64 (Steele, Lea and Flood, 2014).
struct SplitMix {
  uint64_t state;

  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // Uniform in [low, high).
  float uniform(float low, float high) {
    return low + (high - low) * static_cast<float>(next() >> 40) * 0x1p-24f;
  }
};

// The generator number `stream` of `seed`; streams do not overlap in practice.
inline SplitMix random_stream(uint64_t seed, uint64_t stream) {
  SplitMix mixed{SplitMix{seed}.next() ^ stream};
  return {mixed.next()};
}

}  // namespace cairn
