// Philox 4x32-10: random bits as a function of a key and a counter (Salmon et al., "Parallel random
// numbers: as easy as 1, 2, 3", 2011). Any position of a sequence is reached in constant time, so
// that threads fill parts of a tensor independently, with the same bits for every number of
// threads. The bits are TensorFlow's.
//
//   Philox a(seed, seed2), b = a;
//   b.skip(100);                       // b continues where a is after 100 blocks
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

namespace cairn {

class Philox {
 public:
  using Block = std::array<uint32_t, 4>;
  using Key = std::array<uint32_t, 2>;

  // TensorFlow's: `seed` is the key, `seed2` the upper half of the counter.
  Philox(uint64_t seed, uint64_t seed2)
      : Philox(Block{0, 0, low(seed2), high(seed2)}, Key{low(seed), high(seed)}) {}
  Philox(const Block& counter, const Key& key) : counter_(counter), key_(key) {}

  // Four random words; the counter advances by one.
  Block operator()() {
    Block c = counter_;
    Key k = key_;
    for (int round = 0; round < 10; ++round) {
      const uint64_t a = uint64_t{0xD2511F53} * c[0], b = uint64_t{0xCD9E8D57} * c[2];
      c = {high(b) ^ c[1] ^ k[0], low(b), high(a) ^ c[3] ^ k[1], low(a)};
      k[0] += 0x9E3779B9;
      k[1] += 0xBB67AE85;
    }
    skip(1);
    return c;
  }

  // Advances the 128-bit counter by `blocks`.
  void skip(uint64_t blocks) {
    uint64_t lower = counter_[0] | uint64_t{counter_[1]} << 32;
    lower += blocks;
    counter_[0] = low(lower);
    counter_[1] = high(lower);
    if (lower < blocks && ++counter_[2] == 0) ++counter_[3];
  }

 private:
  static uint32_t low(uint64_t x) { return static_cast<uint32_t>(x); }
  static uint32_t high(uint64_t x) { return static_cast<uint32_t>(x >> 32); }

  Block counter_;
  Key key_;
};

// The words of a Philox one at a time.
class PhiloxWords {
 public:
  explicit PhiloxWords(Philox blocks) : blocks_(blocks) {}
  uint32_t operator()() {
    if (used_ == 4) {
      block_ = blocks_();
      used_ = 0;
    }
    return block_[used_++];
  }

 private:
  Philox blocks_;
  Philox::Block block_{};
  size_t used_ = 4;
};

// A sequence of which several runs, on any threads, take consecutive parts.
class PhiloxSequence {
 public:
  explicit PhiloxSequence(Philox start) : next_(start) {}
  // The next `blocks` blocks, for the caller alone.
  Philox reserve(uint64_t blocks) {
    std::lock_guard lock(mutex_);
    const Philox mine = next_;
    next_.skip(blocks);
    return mine;
  }

 private:
  std::mutex mutex_;
  Philox next_;
};

}  // namespace cairn
