// Handwritten digits for the samples: MNIST from its four files, or drawn digits.
//
//   DigitData data = dir.empty() ? draw_digits() : load_mnist(dir);
//   Batches batches(data.train, 100, seed);
//   for (int64_t step = 0; step < 1000; ++step) {
//     const Digits& batch = batches.at(step);
//     session.run(train, {{x, batch.images}, {y_true, batch.labels}});
//   }
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "runtime/base/tensor.h"

namespace cairn {

struct Digits {
  Tensor images;  // float [count, 784], row-major 28×28, 0 is paper and 1 is ink
  Tensor labels;  // float [count, 10], one-hot

  int count() const { return static_cast<int>(images.dim(0)); }
};

struct DigitData {
  Digits train, test;
  std::string source;  // for output: "MNIST in DIR", "drawn digits, not MNIST"
};

// Reads train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
// t10k-labels-idx1-ubyte from `folder`, each plain or gzipped (.gz). Throws NotFound for a missing
// file, and DataLoss for a file that does not fit its name: the message has the file, the offset,
// the expected and the found value. Memory is bounded by the sizes of the files, not by their
// headers.
DigitData load_mnist(const std::filesystem::path& folder);

// 10,000 digits for training and 2,000 for testing, drawn from strokes with random shift, rotation,
// size, slant, thickness and noise. The same seed gives the same digits. A linear softmax
// classifier reaches an accuracy of about 0.93.
DigitData draw_digits(uint64_t seed = 0);

// The examples in the batch of a global step: a function of (count, batch, seed, step) alone, so a
// resumed run sees the same batches as an uninterrupted one. Each epoch has count / batch steps and
// its own order, and uses each example at most once.
class BatchOrder {
 public:
  // Throws InvalidArgument unless 1 ≤ batch ≤ count.
  BatchOrder(int count, int batch, uint64_t seed);

  // The `batch` indices of step 0, 1, ...; valid until the next call. Throws InvalidArgument for a
  // negative step.
  std::span<const int> at(int64_t step);

 private:
  void shuffle(int64_t epoch);

  int batch_;
  int64_t steps_per_epoch_;
  uint64_t seed_;
  int64_t epoch_ = -1;
  std::vector<int> order_;
};

// The batches, in the order of BatchOrder. Keeps a reference to `digits`.
class Batches {
 public:
  Batches(const Digits& digits, int batch, uint64_t seed);

  // Images [batch, 784] and labels [batch, 10]. The next call overwrites their memory.
  const Digits& at(int64_t step);

 private:
  const Digits& digits_;
  BatchOrder order_;
  Digits batch_;
};

}  // namespace cairn
