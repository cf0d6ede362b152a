// Handwritten digits for the samples: MNIST from its four files, or digits drawn here where there
// are none.
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
  std::string source;  // for people: "MNIST in DIR", "drawn digits, not MNIST"
};

// Reads train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
// t10k-labels-idx1-ubyte from `folder`, each as it is or gzipped with .gz at its end. Throws
// NotFound for a missing file, DataLoss for one that is not what its name says: the message has the
// file, the offset, what was expected there and what was found. No more memory is taken than the
// files' bytes justify, whatever their headers claim.
DigitData load_mnist(const std::filesystem::path& folder);

// 10,000 digits to train on and 2,000 others to test with, drawn from strokes with random shift,
// rotation, size, slant, thickness and noise. The same seed gives the same digits. A linear softmax
// classifier gets about 0.93 of them right.
DigitData draw_digits(uint64_t seed = 0);

// Which examples make up the batch of a global step. A function of (count, batch, seed, step)
// alone: a run that was stopped and resumed sees the batches it would have seen. Each epoch is
// count / batch steps and takes every example at most once, in an order of its own.
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

// The batches themselves, in BatchOrder's order. Keeps a reference to `digits`.
class Batches {
 public:
  Batches(const Digits& digits, int batch, uint64_t seed);

  // Images [batch, 784] and labels [batch, 10]. The next call fills the same memory again.
  const Digits& at(int64_t step);

 private:
  const Digits& digits_;
  BatchOrder order_;
  Digits batch_;
};

}  // namespace cairn
