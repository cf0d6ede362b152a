#include "persist/checkpoint/retention.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/bundle_format.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/files/overwrite_journal.h"
#include "persist/files/own_names.h"
#include "persist/files/settled_view.h"
#include "persist/graph/meta_graph.h"

namespace cairn {
namespace {

constexpr const char* kMetaEnding = "meta";  // the default suffix of meta graphs

bool all_digits(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// The names of checkpoints that exist in a directory, which is listed only once.
class Present {
 public:
  Present(const std::string& directory, FileSystem& fs) {
    if (!fs.exists(directory)) return;
    const auto view = SettledView::of_directory(fs, directory);
    for (const std::string& name : view->list_dir(directory)) {
      constexpr std::string_view kIndex = ".index";
      if (name.ends_with(kIndex)) names_.insert(name.substr(0, name.size() - kIndex.size()));
      names_.insert(shard_pattern(name));
      names_.insert(name);
    }
  }
  bool has(const std::string& checkpoint) const { return names_.count(checkpoint) > 0; }

 private:
  std::unordered_set<std::string> names_;
};

// True if the prefix has the files of a checkpoint, and not other files of the same name.
bool is_checkpoint(const std::string& prefix, FileSystem& fs) {
  if (!is_plain_name(base_name(prefix))) return false;
  if (const std::string index = bundle_index_path(prefix); fs.exists(index))
    return looks_like_table(fs, index);
  const auto files = checkpoint_v1_files(fs, prefix);
  return !files.empty() && std::all_of(files.begin(), files.end(), [&](const std::string& file) {
    return looks_like_table(fs, file);
  });
}

// A normalized absolute path, so that "./run" and "run" compare equal.
std::string plain_directory(const std::string& directory) {
  std::error_code error;
  const auto path = std::filesystem::absolute(directory, error);
  return (error ? std::filesystem::path(directory) : path).lexically_normal().string();
}

// True if some files of a V1 checkpoint in several files are missing.
bool is_incomplete_v1(const std::string& prefix, FileSystem& fs) {
  const std::string name = base_name(prefix);
  if (without_shard_ending(name) == name) return false;
  const size_t there = checkpoint_v1_files(fs, prefix).size();
  return there > 0 && there < std::strtoull(name.c_str() + name.rfind('-') + 1, nullptr, 10);
}

bool is_graph(const std::string& path, FileSystem& fs) {
  try {
    MetaGraph::read(path, {.tags = {}, .file_system = &fs});
    return true;
  } catch (const Error&) {
    return false;
  }
}

// The files of a checkpoint whose removal was interrupted: its index, or one of several V1 files,
// is gone. Files that were modified after `until` belong to another writer and are left out.
std::vector<std::string> remains_of(const std::string& prefix, const std::string& meta_graph_suffix,
                                    double until, FileSystem& fs) {
  const std::string name = base_name(prefix), directory = directory_of(prefix),
                    stem = without_shard_ending(prefix);
  if (!is_plain_name(name) || fs.exists(bundle_index_path(prefix)) || fs.exists(prefix) ||
      fs.exists(journal_path(prefix)))
    return {};
  std::vector<std::string> files;
  bool has_graph = true;  // false if another checkpoint uses the same meta graph
  if (stem != prefix) {
    files = checkpoint_v1_files(fs, prefix);
    if (!files.empty() && !is_incomplete_v1(prefix, fs)) return {};
    has_graph = !fs.exists(bundle_index_path(stem)) && !fs.exists(stem);
  } else {
    for (const std::string& there : fs.list_dir(directory)) {
      if (prefix_of_data_file(there) == name) files.push_back(join_path(directory, there));
      if (without_shard_ending(there) == name && there != name) has_graph = false;
    }
  }
  const std::string meta = meta_graph_path(prefix, meta_graph_suffix);
  if (has_graph) files.push_back(meta);
  std::erase_if(files, [&](const std::string& file) {
    const auto info = fs.stat(file);
    if (!info || !info->is_file() || info->is_link || info->modified > until) return true;
    if (prefix_of_data_file(base_name(file))) return false;  // a data file has no header to check
    return stem != prefix && file != meta ? !looks_like_table(fs, file) : !is_graph(file, fs);
  });
  return files;
}

double changed_at(const std::string& path, FileSystem& fs) {
  const auto info = fs.stat(path);
  return info ? info->modified : 0;
}

bool has_flag(const KeptRecord& r) { return r.newest || r.hours || r.pinned || r.foreign; }

}  // namespace

std::vector<std::string> remains_of_removals(const std::string& directory, FileSystem& fs) {
  std::vector<std::string> files;
  const auto state = read_retention_state(fs, directory);
  if (!state) return files;
  const double since = changed_at(join_path(directory, kKeptFileName), fs);
  const RetentionState::Merits merits = state->merits();
  for (const KeptRecord& record : state->records) {
    const std::string& name = record.name;
    if (has_flag(record) || merits.best.count(name) || merits.good.count(name)) continue;
    const auto remains = remains_of(join_path(directory, name), kMetaEnding, since, fs);
    files.insert(files.end(), remains.begin(), remains.end());
  }
  return files;
}

double written_at(const std::string& prefix, FileSystem& fs) {
  auto info = fs.stat(bundle_index_path(prefix));
  if (!info) {
    const auto files = checkpoint_v1_files(fs, prefix);
    if (!files.empty()) info = fs.stat(files[0]);
  }
  return info ? info->modified : 0;
}

Retention::Retention(int max_to_keep, double keep_every_n_hours, double now, Warn warn)
    : max_to_keep_(max_to_keep),
      period_(keep_every_n_hours * 3600),
      began_(now),
      preserved_(now),
      warn_(std::move(warn)) {}

// ---- settings -----------------------------------------------------------------------------------

Retention::Newest Retention::newest() const {
  std::lock_guard lock(mutex_);
  return newest_;
}

void Retention::recover(const std::vector<std::string>& prefixes, FileSystem& fs) {
  Newest found;
  for (const std::string& prefix : prefixes) {
    if (const double time = written_at(prefix, fs); time > 0) found.emplace_back(prefix, time);
  }
  set_newest(std::move(found));
}

void Retention::set_newest(Newest newest) {
  std::lock_guard lock(mutex_);
  for (const auto& [prefix, time] : newest_) let_go_.insert(prefix);
  for (const auto& [prefix, time] : newest) let_go_.erase(prefix);
  newest_ = std::move(newest);
}

void Retention::protect(const std::vector<std::string>& prefixes) {
  std::lock_guard lock(mutex_);
  protected_.insert(prefixes.begin(), prefixes.end());
}

void Retention::keep_best(const std::string& metric, int count, bool higher_is_better) {
  std::lock_guard lock(mutex_);
  std::erase_if(best_, [&](const BestRule& rule) { return rule.metric == metric; });
  best_.push_back({metric, count, higher_is_better});
}

void Retention::set_pinned(const std::string& prefix, bool pinned, FileSystem& fs) {
  std::lock_guard lock(mutex_);
  const std::string directory = directory_of(prefix), name = base_name(prefix);
  const auto state = read_retention_state(fs, directory);
  DirectoryState& dir = directories_[directory];
  if (state && !dir.unwritten) dir.state = *state;
  const RetentionState before = dir.state;
  KeptRecord* record = dir.state.find(name);
  if (!record && !checkpoint_exists(prefix, &fs))
    fail(Code::kNotFound, pinned ? "pin" : "unpin", ": there is no checkpoint ", prefix);
  if (!record) {
    dir.state.records.push_back({.name = name, .series = series_of(name), .foreign = true});
    record = &dir.state.records.back();
  }
  record->pinned = pinned;
  if (record->foreign && !pinned)
    std::erase_if(dir.state.records, [&](const auto& r) { return r.name == name; });
  try {
    write_file_atomically(fs, join_path(directory, kKeptFileName), to_text(dir.state));
  } catch (...) {
    dir.state = before;
    throw;
  }
  if (pinned) dir.leaving.erase(name);
}

std::string Retention::prefix_of_step(int64_t step) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> found;
  for (const auto& [directory, dir] : directories_) {
    for (const KeptRecord& record : dir.state.records) {
      const std::string name = without_shard_ending(record.name);
      const size_t dash = name.rfind('-');
      const std::string digits = dash == std::string::npos ? "" : name.substr(dash + 1);
      if (all_digits(digits) && digits.size() < 19 && std::stoll(digits) == step)
        found.push_back(join_path(directory, record.name));
    }
  }
  if (found.empty())
    fail(Code::kNotFound, "no checkpoint of step ", step,
         " is known; give its prefix, as in \"run/model-", step, "\"");
  if (found.size() > 1)
    fail(Code::kInvalidArgument, "several checkpoints are of step ", step, ": ",
         join_for_people(found), "; give a prefix");
  return found[0];
}

std::vector<KeptCheckpoint> Retention::kept() const {
  std::lock_guard lock(mutex_);
  std::vector<KeptCheckpoint> all;
  for (const auto& [directory, dir] : directories_) {
    for (KeptCheckpoint& kept : dir.state.kept(directory)) all.push_back(std::move(kept));
  }
  return all;
}

// ---- recording a checkpoint ---------------------------------------------------------------------

// Reads the directory's .cairn, which another Saver may have changed. False if it cannot be read;
// then nothing may be deleted.
bool Retention::read_directory(const std::string& directory, FileSystem& fs) {
  const bool known = directories_.count(directory) > 0;
  DirectoryState& dir = directories_[directory];
  if (dir.unwritten) return true;
  std::optional<RetentionState> read;
  try {
    read = read_retention_state(fs, directory);
  } catch (const Error& e) {
    const bool damaged = e.code() == Code::kDataLoss;
    if (damaged || e.code() == Code::kUnimplemented) {
      warn_(str_cat(e.what(), damaged && !known ? "; earlier checkpoints are never removed" : ""));
    } else {
      warn_(str_cat(
          "no old checkpoint is removed, since the reasons to keep them could not be read: ",
          e.what()));
    }
    // A file that was damaged since is replaced by the state that this process has.
    return damaged;
  }
  if (!read) return true;
  RetentionState& state = *read;
  std::set<std::string> newest;
  for (const KeptRecord& record : state.records) {
    if (record.newest) newest.insert(record.name);
  }
  for (const KeptRecord& record : dir.state.records) {
    // Another Saver no longer counts it among the newest.
    if (record.newest && !newest.count(record.name))
      std::erase_if(newest_,
                    [&](const auto& n) { return n.first == join_path(directory, record.name); });
  }
  // The caller removed it from the list of newest checkpoints; it must not be deleted for that.
  for (KeptRecord& record : state.records) {
    if (!let_go_.count(join_path(directory, record.name))) continue;
    record.newest = false;
    record.foreign = true;
  }
  dir.state = std::move(state);
  take_over_leftovers(dir, directory, fs);
  return true;
}

// Resumes the deletions that an earlier process decided on and did not complete. The name alone
// does not prove that the files are still those of that checkpoint.
void Retention::take_over_leftovers(DirectoryState& dir, const std::string& directory,
                                    FileSystem& fs) {
  RetentionState& state = dir.state;
  if (std::all_of(state.records.begin(), state.records.end(), has_flag)) return;
  const RetentionState::Merits merits = state.merits();
  const Present present(directory, fs);
  const double since = changed_at(join_path(directory, kKeptFileName), fs);
  std::set<std::string> strangers;
  for (const KeptRecord& record : state.records) {
    const std::string &name = record.name, prefix = join_path(directory, name);
    if (has_flag(record) || merits.best.count(name) || merits.good.count(name) ||
        dir.leaving.count(name))
      continue;
    const double written = present.has(name) ? written_at(prefix, fs) : 0;
    if ((written > 0 && written == record.written) ||
        !remains_of(prefix, kMetaEnding, since, fs).empty()) {
      dir.leaving.emplace(name, since);
    } else {
      strangers.insert(name);
    }
  }
  std::erase_if(state.records, [&](const KeptRecord& r) { return strangers.count(r.name) > 0; });
}

// Adds the newest checkpoints of the series that other processes and Savers wrote to newest_.
void Retention::join_series(const Saved& saved, FileSystem& fs) {
  const std::string directory = directory_of(saved.prefix), series = base_name(saved.path);
  RetentionState& state = directories_[directory].state;
  const bool first = joined_.empty();
  if (joined_.insert(saved.path).second) {
    if (const auto since = state.hours.find(series); since != state.hours.end() && first)
      preserved_ = since->second;
    warn_of_unrecorded(saved, fs);
  }
  const Present present(directory, fs);
  std::set<std::string> known, gone;
  Newest joining;
  for (const auto& [prefix, time] : newest_) known.insert(prefix);
  for (KeptRecord& record : state.records) {
    const std::string prefix = join_path(directory, record.name);
    if (record.series != series || !record.newest || known.count(prefix) || prefix == saved.prefix)
      continue;
    if (let_go_.count(prefix)) {
      record.newest = false;
      record.foreign = true;
    } else if (present.has(record.name)) {
      joining.emplace_back(prefix, record.time);
    } else {
      gone.insert(record.name);
    }
  }
  std::erase_if(state.records, [&](const KeptRecord& r) { return gone.count(r.name) > 0; });
  std::stable_sort(joining.begin(), joining.end(),
                   [](const auto& a, const auto& b) { return a.second < b.second; });
  Newest all;
  auto next = joining.begin();
  for (auto& each : newest_) {
    for (; next != joining.end() && next->second < each.second; ++next)
      all.push_back(std::move(*next));
    all.push_back(std::move(each));
  }
  std::move(next, joining.end(), std::back_inserter(all));
  newest_ = std::move(all);
}

void Retention::warn_of_unrecorded(const Saved& saved, FileSystem& fs) {
  const std::string directory = directory_of(saved.prefix);
  std::unordered_set<std::string> ours = {saved.prefix};
  for (const auto& [prefix, time] : newest_) ours.insert(prefix);
  for (const KeptRecord& record : directories_[directory].state.records)
    ours.insert(join_path(directory, record.name));
  std::vector<std::string> strangers;
  try {
    const auto state = get_checkpoint_state(directory, saved.latest_filename, &fs);
    if (!state) return;
    const Present present(directory, fs);
    for (const std::string& prefix : state->all_model_checkpoint_paths) {
      const bool of_series = directory_of(prefix) == directory &&
                             series_of(base_name(prefix)) == base_name(saved.path);
      if (of_series && present.has(base_name(prefix)) && ours.insert(prefix).second)
        strangers.push_back(prefix);
    }
  } catch (const Error&) {
    return;  // the checkpoint file is about to be replaced
  }
  if (strangers.empty()) return;
  warn_(str_cat("earlier checkpoints are not removed, since ", join_path(directory, kKeptFileName),
                " does not list them as written by Cairn: ", join_for_people(strangers),
                "; recover_last_checkpoints() adds them to the rotation"));
}

KeptRecord& Retention::record_of(const std::string& prefix, double time, FileSystem& fs) {
  RetentionState& state = directories_[directory_of(prefix)].state;
  const std::string name = base_name(prefix);
  if (KeptRecord* record = state.find(name)) return *record;
  state.records.push_back(
      {.name = name, .series = series_of(name), .time = time, .written = written_at(prefix, fs)});
  return state.records.back();
}

// Removes the checkpoints beyond max_to_keep from newest_. Returns the directories and series that
// changed.
std::set<std::pair<std::string, std::string>> Retention::rotate(FileSystem& fs) {
  std::set<std::pair<std::string, std::string>> changed;
  const size_t most = max_to_keep_ > 0 ? static_cast<size_t>(max_to_keep_) : newest_.size();
  const Newest leaving(newest_.begin(),
                       newest_.end() - static_cast<std::ptrdiff_t>(std::min(most, newest_.size())));
  newest_.erase(newest_.begin(), newest_.begin() + static_cast<std::ptrdiff_t>(leaving.size()));
  std::unordered_map<std::string, size_t> places;  // indices of records, by prefix
  for (const auto& [directory, dir] : directories_) {
    const auto& records = dir.state.records;
    for (size_t i = 0; i < records.size(); ++i) places[join_path(directory, records[i].name)] = i;
  }
  for (const auto& [prefix, time] : leaving) {
    const std::string directory = directory_of(prefix);
    if (!saved_in_.count(plain_directory(directory))) {
      warn_(str_cat(
          prefix,
          " is not removed, since this Saver saves into other directories; remove it by hand"));
      continue;
    }
    if (!directories_.count(directory) && !read_directory(directory, fs)) continue;
    auto& records = directories_[directory].state.records;
    const auto place = places.find(prefix);
    const bool known = place != places.end() && place->second < records.size() &&
                       records[place->second].name == base_name(prefix);
    KeptRecord& record = known ? records[place->second] : record_of(prefix, time, fs);
    record.newest = record.foreign = false;
    changed.emplace(directory, record.series);
    // No checkpoint is kept for hours in which no process ran.
    if (time >= began_ && period_ > 0 && preserved_ + 2 * period_ <= began_)
      preserved_ += std::floor((began_ - preserved_ - period_) / period_) * period_;
    if (time > preserved_ + period_) {
      record.hours = true;
      preserved_ += period_;
    }
  }
  return changed;
}

// Recomputes which checkpoints are kept for a metric or as the last finite one; others may have to
// be deleted for that.
void Retention::sort_out(const std::string& directory, const std::string& series, FileSystem& fs) {
  DirectoryState& dir = directories_[directory];
  RetentionState& state = dir.state;
  const Present present(directory, fs);
  std::erase_if(state.records, [&](const KeptRecord& r) {
    return r.series == series && !r.newest && !dir.leaving.count(r.name) && !present.has(r.name);
  });
  const RetentionState::Merits merits = state.merits();
  for (const KeptRecord& record : state.records) {
    if (record.series != series) continue;
    if (has_flag(record) || merits.best.count(record.name) || merits.good.count(record.name)) {
      dir.leaving.erase(record.name);
    } else {
      dir.leaving.emplace(record.name, 0);
    }
  }
}

std::vector<std::string> Retention::record(const Saved& saved, FileSystem& fs) {
  std::lock_guard lock(mutex_);
  const std::string directory = directory_of(saved.prefix), series = base_name(saved.path);
  saved_in_.insert(plain_directory(directory));
  const bool usable = read_directory(directory, fs);
  if (usable) join_series(saved, fs);
  std::erase_if(newest_, [&](const auto& n) { return n.first == saved.prefix; });
  newest_.emplace_back(saved.prefix, saved.time);
  let_go_.erase(saved.prefix);
  if (usable) {
    take_in(saved, fs);
    auto changed = rotate(fs);
    changed.emplace(directory, series);
    RetentionState& state = directories_[directory].state;
    state.hours[series] = preserved_;
    for (const BestRule& rule : best_) {
      auto& rules = state.best[series];
      std::erase_if(rules, [&](const BestRule& r) { return r.metric == rule.metric; });
      if (rule.count > 0) rules.push_back(rule);
    }
    std::set<std::string> directories;
    for (const auto& [each, its_series] : changed) {
      sort_out(each, its_series, fs);
      directories.insert(each);
    }
    for (const std::string& each : directories) write(each, fs);
  }
  const size_t most = max_to_keep_ > 0 ? static_cast<size_t>(max_to_keep_) : newest_.size();
  std::vector<std::string> names;
  for (size_t i = newest_.size() - std::min(most, newest_.size()); i < newest_.size(); ++i) {
    names.push_back(newest_[i].first);
  }
  return names;
}

void Retention::take_in(const Saved& saved, FileSystem& fs) {
  const std::string directory = directory_of(saved.prefix), name = base_name(saved.prefix);
  DirectoryState& dir = directories_[directory];
  const KeptRecord* before = dir.state.find(name);
  const bool pinned = before && before->pinned;
  std::erase_if(dir.state.records, [&](const KeptRecord& r) { return r.name == name; });
  std::map<std::string, double> missing;
  for (const auto& [prefix, time] : newest_) {
    if (directory_of(prefix) == directory && prefix != saved.prefix)
      missing[base_name(prefix)] = time;
  }
  for (KeptRecord& record : dir.state.records) {
    if (missing.erase(record.name) > 0) record.newest = true;
  }
  for (const auto& [other, time] : missing) {
    if (const std::string prefix = join_path(directory, other); written_at(prefix, fs) > 0)
      record_of(prefix, time, fs).newest = true;
  }
  KeptRecord& record = record_of(saved.prefix, saved.time, fs);
  record.series = base_name(saved.path);
  record.newest = true;
  record.pinned = pinned;
  record.finite = saved.finite;
  record.metrics = saved.metrics;
}

// Does not sync the directory: the checkpoint file, which is replaced next, does, and deletions
// follow that.
void Retention::write(const std::string& directory, FileSystem& fs) {
  DirectoryState& dir = directories_[directory];
  try {
    AtomicFile file(fs, join_path(directory, kKeptFileName));
    file.append(to_text(dir.state));
    file.publish();
    dir.unwritten = false;
    const bool decided = std::any_of(dir.leaving.begin(), dir.leaving.end(),
                                     [](const auto& entry) { return entry.second == 0; });
    const double since = decided ? changed_at(file.path(), fs) : 0;
    for (auto& [name, when] : dir.leaving) when = when == 0 ? since : when;
  } catch (const Error& e) {
    dir.unwritten = true;
    warn_(str_cat(
        "no old checkpoint is removed, since the reasons to keep the others could not be written: ",
        e.what()));
  }
}

void Retention::remove_surplus(const std::string& meta_graph_suffix, FileSystem& fs) {
  std::lock_guard lock(mutex_);
  for (auto& [directory, dir] : directories_) {
    if (dir.unwritten) continue;
    std::set<std::string> gone;
    for (const auto& [name, since] : dir.leaving) {
      const std::string prefix = join_path(directory, name);
      if (protected_.count(prefix)) continue;
      try {
        const auto remains = remains_of(prefix, meta_graph_suffix, since, fs);
        for (const std::string& file : remains) fs.remove(file);
        // A record alone is not a reason to delete files: they must be those of a checkpoint.
        if (is_checkpoint(prefix, fs) && !is_incomplete_v1(prefix, fs)) {
          remove_checkpoint(prefix, meta_graph_suffix, &fs);
        } else if (fs.exists(bundle_index_path(prefix)) || fs.exists(prefix)) {
          warn_(str_cat(prefix, " is not removed, since its files are not a checkpoint"));
        }
        gone.insert(name);
      } catch (const Error& e) {
        warn_(str_cat("an old checkpoint could not be removed; the next save tries again: ",
                      e.what()));
      }
    }
    std::erase_if(dir.state.records, [&](const KeptRecord& r) { return gone.count(r.name) > 0; });
    for (const std::string& name : gone) dir.leaving.erase(name);
  }
}

}  // namespace cairn
