// Batches: the values that each training step feeds from files. Some feeds are cut into batches of
// rows, others are fed whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/feeds.h"

namespace cairn {

struct BatchOptions {
  std::vector<std::string> whole;  // names of feeds that are fed whole
  int64_t batch = 0;               // rows per step; 0: all
  std::optional<uint64_t>
      shuffle;  // each epoch in another order, the same for the same seed everywhere
};

// The rows of each step: in order, or shuffled in each epoch; after the last row the next epoch
// begins.
class RowOrder {
 public:
  RowOrder(int64_t rows, std::optional<uint64_t> seed, int64_t taken);
  std::vector<int64_t> next(int64_t batch);

 private:
  void shuffle_epoch();
  const int64_t rows_;
  const std::optional<uint64_t> seed_;
  int64_t taken_;               // rows, since the beginning of the first epoch
  std::vector<int64_t> order_;  // of this epoch; empty without a seed
};

// Feeds that are not listed in BatchOptions::whole are batched if they have the number of rows that
// most of them have. Scalars are fed whole, and so are values that fit a placeholder with a fixed
// first extent, which no part of them would.
class Batches {
 public:
  // Throws UsageError for a name in `whole` that is not fed, and InvalidArgument if two numbers of
  // rows are equally frequent and batches or shuffling are wanted.
  Batches(std::vector<Fed> feeds, const BatchOptions& options);

  // Of the batched feeds; 0 if there are none.
  int64_t rows() const { return rows_; }
  // The number of rows used so far, since the beginning of the first epoch.
  int64_t taken() const { return taken_; }
  void start_at(int64_t taken);
  // A sentence that says which feeds with rows are fed whole, and which are batched; "" if all
  // feeds with rows are batched.
  std::string about() const;

  const std::vector<Fed>& feeds() const { return feeds_; }
  // Sets the first elements of `values` to the values of the next step, in the order of feeds().
  void next(std::vector<Tensor>& values);

 private:
  bool is_whole(const Fed& feed) const;
  static bool fits_as_it_is(const Fed& feed);
  // True if batched and whole feeds differ: batches or shuffling are wanted.
  bool cuts() const { return options_.batch > 0 || options_.shuffle; }
  void choose(const std::vector<size_t>& candidates);

  std::vector<Fed> feeds_;
  BatchOptions options_;
  std::vector<bool> batched_;  // per feed
  int64_t rows_ = 0, batch_ = 0, taken_ = 0;
  std::optional<RowOrder> order_;
};

// These rows (indices along the first extent), in this order; not copied if they are contiguous.
Tensor take_rows(const Tensor& tensor, const std::vector<int64_t>& rows);

}  // namespace cairn
