#include "persist/files/read_retry.h"

#include <algorithm>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/files/own_names.h"

namespace cairn {

ReadRetry::ReadRetry(FileSystem& fs, std::string path)
    : fs_(fs),
      path_(std::move(path)),
      prefix_(checkpoint_prefix(path_, &fs)),
      seen_(look()),
      journal_(journal()) {}

std::string ReadRetry::journal() const {
  const std::string path = journal_path(prefix_);
  const auto info = fs_.stat(path);
  if (!info || !info->is_file()) return "";
  try {
    constexpr size_t kEnough = 4096;
    const auto file = fs_.open(path);
    std::string bytes(std::min<uint64_t>(kEnough, file->size()), '\0');
    file->read(0, bytes);
    return bytes;
  } catch (const Error& e) {
    if (e.code() != Code::kNotFound) throw;
    return "";  // just removed by a writer
  }
}

// Describes the files that a writer renames last.
std::vector<ReadRetry::Seen> ReadRetry::look() const {
  std::vector<Seen> seen;
  const auto take = [&](const std::string& path) {
    if (const auto info = fs_.stat(path)) seen.push_back({path, info->size, info->modified});
    return !seen.empty();
  };
  if (take(bundle_index_path(prefix_))) return seen;
  for (const std::string& path : checkpoint_v1_files(fs_, prefix_)) take(path);
  return seen;
}

bool ReadRetry::has_changed() const {
  try {
    return journal() != journal_ || look() != seen_ || checkpoint_prefix(path_, &fs_) != prefix_;
  } catch (const Error&) {
    return false;
  }
}

bool ReadRetry::should_retry(const Error& error) const {
  constexpr int kMostTimes = 100;
  const bool may_be = error.code() == Code::kNotFound || error.code() == Code::kDataLoss;
  return may_be && times_ < kMostTimes && has_changed();
}

void ReadRetry::again() {
  prefix_ = checkpoint_prefix(path_, &fs_);
  seen_ = look();
  journal_ = journal();
  ++times_;
}

}  // namespace cairn
