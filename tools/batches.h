// What a training step is fed of files: of some the next rows, others whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/feeds.h"

namespace cairn {

struct BatchOptions {
  std::vector<std::string> whole;  // names of feeds that are no rows
  int64_t batch = 0;               // rows per step; 0: all
  std::optional<uint64_t>
      shuffle;  // each epoch in another order, the same for the same seed everywhere
};

// Which rows each step takes, one after another; at the end it goes on with the first.
class RowOrder {
 public:
  RowOrder(int64_t rows, std::optional<uint64_t> seed, int64_t taken);
  std::vector<int64_t> next(int64_t batch);

 private:
  void shuffle_epoch();
  const int64_t rows_;
  const std::optional<uint64_t> seed_;
  int64_t taken_;               // since the beginning of the first epoch
  std::vector<int64_t> order_;  // of this epoch; without a seed empty
};

// Of the feeds that are not to be whole, those with the same number of rows as most of them are
// batched. Whole is also a scalar, and what fits a placeholder of a fixed first extent, of which no
// part would.
class Batches {
 public:
  // Throws UsageError for a name in `whole` that is not fed, InvalidArgument where feeds have
  // different numbers of rows, as many the one as the other, and something hangs on it.
  Batches(std::vector<Fed> feeds, const BatchOptions& options);

  // Of what is batched; 0 for nothing.
  int64_t rows() const { return rows_; }
  // Which rows come next, counted from the first one of the first epoch.
  int64_t taken() const { return taken_; }
  void start_at(int64_t taken);
  // What is fed whole although it has rows, and what is batched; "" where that is no question.
  std::string about() const;

  const std::vector<Fed>& feeds() const { return feeds_; }
  // The values of a step, in the order of feeds(), into the first elements of `values`.
  void next(std::vector<Tensor>& values);

 private:
  bool is_whole(const Fed& feed) const;
  static bool fits_as_it_is(const Fed& feed);
  // Whether it makes a difference what is batched.
  bool cuts() const { return options_.batch > 0 || options_.shuffle; }
  void choose(const std::vector<size_t>& candidates);

  std::vector<Fed> feeds_;
  BatchOptions options_;
  std::vector<bool> batched_;  // per feed
  int64_t rows_ = 0, batch_ = 0, taken_ = 0;
  std::optional<RowOrder> order_;
};

// Those rows of the first extent, in that order; not copied where they follow one another.
Tensor take_rows(const Tensor& tensor, const std::vector<int64_t>& rows);

}  // namespace cairn
