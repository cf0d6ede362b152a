#include "tools/batches.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

#include "tools/commands.h"

namespace cairn {

RowOrder::RowOrder(int64_t rows, std::optional<uint64_t> seed, int64_t taken)
    : rows_(rows), seed_(seed), taken_(taken) {
  shuffle_epoch();
}

void RowOrder::shuffle_epoch() {
  if (!seed_) return;
  order_.resize(static_cast<size_t>(rows_));
  std::iota(order_.begin(), order_.end(), int64_t{0});
  // std::uniform_int_distribution differs between libraries; generators do not.
  std::mt19937_64 random(*seed_ + 0x9e3779b97f4a7c15u * static_cast<uint64_t>(taken_ / rows_));
  for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random() % i]);
}

std::vector<int64_t> RowOrder::next(int64_t batch) {
  std::vector<int64_t> rows;
  for (; static_cast<int64_t>(rows.size()) < batch; ++taken_) {
    const int64_t at = taken_ % rows_;
    if (at == 0 && taken_ > 0) shuffle_epoch();
    rows.push_back(seed_ ? order_[static_cast<size_t>(at)] : at);
  }
  return rows;
}

namespace {

bool is_called(const Fed& feed, const std::string& name) {
  return feed.tensor.name() == name || feed.tensor.name() == name + ":0";
}

}  // namespace

Batches::Batches(std::vector<Fed> feeds, const BatchOptions& options)
    : feeds_(std::move(feeds)), options_(options) {
  for (const std::string& name : options_.whole) {
    const bool fed = std::any_of(feeds_.begin(), feeds_.end(),
                                 [&](const Fed& feed) { return is_called(feed, name); });
    if (!fed) throw UsageError(str_cat("--whole ", name, ": there is no --feed of this name"));
  }
  batched_.assign(feeds_.size(), false);
  std::vector<size_t> open, fixed;
  for (size_t i = 0; i < feeds_.size(); ++i) {
    if (!is_whole(feeds_[i])) (fits_as_it_is(feeds_[i]) ? fixed : open).push_back(i);
  }
  choose(open.empty() && !cuts() ? fixed : open);
  for (const size_t i : fixed) {
    batched_[i] = rows_ > 0 && feeds_[i].value.dim(0) == rows_ &&
                  (options_.batch == 0 || options_.batch == rows_);
  }
  batch_ = options_.batch > 0 ? options_.batch : rows_;
  start_at(0);
}

bool Batches::is_whole(const Fed& feed) const {
  for (const std::string& name : options_.whole) {
    if (is_called(feed, name)) return true;
  }
  return feed.value.rank() == 0;
}

// True if the placeholder has a fixed first extent that the value fits, so that no part of the
// value would.
bool Batches::fits_as_it_is(const Fed& feed) {
  const Shape shape = feed.tensor.shape();
  return shape.has_rank() && shape.rank() > 0 && shape[0] >= 0 && shape[0] == feed.value.dim(0);
}

void Batches::choose(const std::vector<size_t>& candidates) {
  std::map<int64_t, std::vector<size_t>> by_rows;
  for (const size_t i : candidates) by_rows[feeds_[i].value.dim(0)].push_back(i);
  if (by_rows.empty()) return;
  const auto most = std::max_element(
      by_rows.begin(), by_rows.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  const auto as_many = std::count_if(by_rows.begin(), by_rows.end(), [&](const auto& each) {
    return each.second.size() == most->second.size();
  });
  if (as_many > 1) {
    if (!cuts()) return;  // all are fed whole in each step
    std::vector<std::string> found;
    for (const size_t i : candidates)
      found.push_back(str_cat("'", feeds_[i].name, "' has ", feeds_[i].value.dim(0), " rows"));
    fail(Code::kInvalidArgument,
         "the feeds have different numbers of rows: ", join_for_people(found),
         "; give --whole NAME for those that are fed whole in each step, not cut into batches");
  }
  if (most->first == 0) {
    if (!cuts()) return;
    fail(Code::kInvalidArgument, "'", feeds_[most->second[0]].name,
         "' has no rows, so there are no batches");
  }
  rows_ = most->first;
  for (const size_t i : most->second) batched_[i] = true;
}

void Batches::start_at(int64_t taken) {
  taken_ = taken;
  if (rows_ > 0) order_.emplace(rows_, options_.shuffle, taken);
}

std::string Batches::about() const {
  if (rows_ == 0) return "";
  std::vector<std::string> batched, whole;
  for (size_t i = 0; i < feeds_.size(); ++i) {
    if (batched_[i]) {
      batched.push_back("'" + feeds_[i].name + "'");
    } else if (!is_whole(feeds_[i])) {
      whole.push_back(str_cat("'", feeds_[i].name, "' ", feeds_[i].value.shape()));
    }
  }
  if (whole.empty()) return "";
  return str_cat("each step takes ", batch_, " of the ", rows_, " rows of ",
                 join_for_people(batched), ", and all of ", join_for_people(whole));
}

void Batches::next(std::vector<Tensor>& values) {
  std::vector<int64_t> chosen;
  if (rows_ > 0) {
    chosen = order_->next(batch_);
    taken_ += batch_;
  }
  for (size_t i = 0; i < feeds_.size(); ++i) {
    values[i] = batched_[i] ? take_rows(feeds_[i].value, chosen) : feeds_[i].value;
  }
}

Tensor take_rows(const Tensor& tensor, const std::vector<int64_t>& rows) {
  const auto follow = [](int64_t a, int64_t b) { return b != a + 1; };
  if (std::adjacent_find(rows.begin(), rows.end(), follow) == rows.end()) {
    return tensor.rows(rows.front(), rows.back() + 1);
  }
  Shape shape = tensor.shape();
  shape.set_dim(0, static_cast<int64_t>(rows.size()));
  Tensor taken = Tensor::uninitialized(tensor.dtype(), shape);
  for (size_t i = 0; i < rows.size(); ++i) {
    taken.rows(static_cast<int64_t>(i), static_cast<int64_t>(i) + 1)
        .copy_from(tensor.rows(rows[i], rows[i] + 1));
  }
  return taken;
}

}  // namespace cairn
