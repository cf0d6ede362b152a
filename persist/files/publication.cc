#include "persist/files/publication.h"

#include <algorithm>
#include <set>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/bundle_format.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/checkpoint/save_names.h"
#include "persist/files/overwrite_journal.h"

namespace cairn {
namespace {

// Runs a cleanup and ignores its errors: the original error matters more, and the next save removes
// what is left.
template <class Action>
void quietly(Action action) {
  try {
    action();
  } catch (const Error&) {
  }
}

// The data files that the index of `prefix` lists; none if it cannot be read.
std::vector<std::string> data_files_of(FileSystem& fs, const std::string& prefix) {
  std::vector<std::string> files;
  try {
    const int shards = read_bundle_header(TableReader(fs, bundle_index_path(prefix))).num_shards();
    const auto listed = fs.list_dir(directory_of(prefix));
    const std::set<std::string> there(listed.begin(), listed.end());
    if (static_cast<size_t>(shards) > there.size()) return {};
    for (int i = 0; i < shards; ++i) {
      if (const std::string path = bundle_data_path(prefix, i, shards);
          there.count(base_name(path))) {
        files.push_back(path);
      }
    }
  } catch (const Error& e) {
    if (e.code() != Code::kDataLoss && e.code() != Code::kInvalidArgument) throw;
  }
  return files;
}

}  // namespace

Publication::Publication(FileSystem& fs, std::string prefix)
    : fs_(fs), prefix_(std::move(prefix)), directory_(directory_of(prefix_)) {}

Publication::~Publication() {
  if (gathers_) {
    const std::lock_guard lock(fs_.publications_mutex_);
    fs_.publications_.erase(prefix_);
  }
  for (size_t i = renamed_; i < moves_.size(); ++i) {
    moves_[i].open.reset();
    if (moves_[i].temporary) quietly([&] { fs_.remove(moves_[i].from); });
  }
  for (Move& move : last_moves_) {
    move.open.reset();
    if (move.temporary) quietly([&] { fs_.remove(move.from); });
  }
}

void Publication::gather() {
  const std::lock_guard lock(fs_.publications_mutex_);
  gathers_ = fs_.publications_.emplace(prefix_, this).second;
  if (!gathers_) fail_locked(directory_);
}

void Publication::add(AtomicFile& file, Place place) {
  auto& moves = place == kLast ? last_moves_ : moves_;
  moves.reserve(moves.size() + 1);
  AtomicFile::Sealed sealed = file.release();
  moves.push_back({std::move(sealed.temporary), file.path(), true, std::move(sealed.open)});
}

void Publication::move(std::string from, std::string path, Place place) {
  (place == kLast ? last_moves_ : moves_)
      .push_back({std::move(from), std::move(path), false, nullptr});
}

std::vector<std::string> Publication::files_to_replace() const {
  std::vector<std::string> old;
  const auto take = [&](const std::string& path) {
    if (std::find(old.begin(), old.end(), path) == old.end() && is_file(fs_, path))
      old.push_back(path);
  };
  const std::string index = bundle_index_path(prefix_);
  const auto writes = [&](const std::string& path) {
    return std::any_of(moves_.begin(), moves_.end(),
                       [&](const Move& move) { return move.path == path; });
  };
  // The old checkpoint may be of the other format. Its files must go too: with an index left a
  // checkpoint is V2, whatever else exists.
  if (writes(index) || writes(prefix_)) {
    if (fs_.exists(index)) {
      take(index);
      for (const std::string& path : data_files_of(fs_, prefix_)) take(path);
    } else if (looks_like_table(fs_, prefix_)) {
      take(prefix_);
    }
  }
  for (const Move& move : moves_) take(move.path);
  return old;
}

void Publication::rename_until(size_t end) {
  for (; renamed_ < end; ++renamed_) {
    Move& move = moves_[renamed_];
    only_new_ ? rename_to_new(fs_, move.from, move.path) : fs_.rename(move.from, move.path);
    move.open.reset();
  }
}

void Publication::check_alone() const {
  std::vector<std::string> others = files_of_prefix(fs_, prefix_);
  for (const Move& move : moves_) std::erase(others, base_name(move.path));
  if (others.empty()) return;
  fail(Code::kAlreadyExists, prefix_,
       ": another program has written files of this prefix meanwhile (", join_for_people(others, 5),
       "), and nothing is written over or mixed with others; give another name");
}

void Publication::place_new() {
  try {
    // Renames may become durable in any order, but an index must not be there before the files it
    // names.
    rename_until(first_last_);
    if (gathers_ && renamed_ > 0) fs_.sync_dir(directory_);
    rename_until(moves_.size());
    if (only_new_) check_alone();
    fs_.sync_dir(directory_);
  } catch (const Error&) {
    // In reverse order, so that the index is removed first.
    for (size_t i = renamed_; i-- > 0;) {
      const Move& move = moves_[i];
      quietly([&] { move.temporary ? fs_.remove(move.path) : fs_.rename(move.path, move.from); });
    }
    throw;
  }
}

void Publication::overwrite(const std::vector<std::string>& old) {
  std::vector<OverwriteJournal::NewFile> new_files;
  for (const Move& move : moves_) new_files.push_back({base_name(move.path), move.from});
  OverwriteJournal journal(fs_, journal_path(prefix_));
  try {
    journal.begin(old, new_files);
    rename_until(moves_.size());
    for (const std::string& path : old) {
      const bool stays =
          std::any_of(moves_.begin(), moves_.end(), [&](const Move& m) { return m.path == path; });
      if (!stays) fs_.remove(path);
    }
    fs_.sync_dir(directory_);
    journal.end();
  } catch (const Error&) {
    quietly([&] { journal.undo(); });
    throw;
  }
  journal.tidy();
}

// Locks the directory if files must be replaced. First restores what a dead writer left half
// overwritten, since this writer's journal would replace the one needed for that.
std::unique_ptr<DirLock> Publication::lock_alone() {
  const std::string journal = journal_path(prefix_);
  const bool interrupted = fs_.exists(journal);
  if (!interrupted && files_to_replace().empty()) return nullptr;
  auto lock = fs_.lock_dir(directory_);
  if (interrupted) OverwriteJournal(fs_, journal).recover();
  return lock;
}

void Publication::commit() {
  first_last_ = moves_.size();
  std::move(last_moves_.begin(), last_moves_.end(), std::back_inserter(moves_));
  last_moves_.clear();
  if (moves_.empty()) return;
  const auto lock = gathers_ || only_new_ ? nullptr : lock_alone();
  const auto old = only_new_ ? std::vector<std::string>() : files_to_replace();
  old.empty() ? place_new() : overwrite(old);
  for (const auto& action : afterwards_) quietly(action);
}

void rename_to_new(FileSystem& fs, const std::string& from, const std::string& to) {
  const auto refuse = [&] {
    fail(Code::kAlreadyExists, to,
         ": another program has made this file meanwhile, and nothing is written over; ",
         "give another name, or remove it first");
  };
  try {
    fs.link(from, to);
  } catch (const Error& e) {
    if (e.code() == Code::kAlreadyExists || fs.exists(to)) refuse();
    return fs.rename(from, to);
  }
  try {
    fs.remove(from);
  } catch (const Error&) {
    quietly([&] { fs.remove(to); });
    throw;
  }
}

void publish(FileSystem& fs, const std::string& prefix,
             const std::function<void(Publication&)>& fill) {
  Publication* gathering = nullptr;
  {
    const std::lock_guard lock(fs.publications_mutex_);
    for (const std::string& key : {prefix, without_shard_ending(prefix)}) {
      const auto at = fs.publications_.find(key);
      if (!gathering && at != fs.publications_.end()) gathering = at->second;
    }
  }
  if (gathering) return fill(*gathering);
  Publication own(fs, prefix);
  fill(own);
  own.commit();
}

// ---- cleanup after dead writers -----------------------------------------------------------------

namespace {

void remove_unwritten(FileSystem& fs, const std::string& path) {
  const auto info = fs.stat(path);
  if (info && info->is_file() && !info->is_link && !fs.is_being_written(path)) fs.remove(path);
}

// Removes a directory of parts if it contains nothing else and no process is writing them.
void remove_parts_here(FileSystem& fs, const std::string& directory) {
  const auto names = fs.list_dir(directory);
  for (const std::string& name : names) {
    const std::string path = join_path(directory, name);
    const auto info = is_part_name(name) ? fs.stat(path) : std::nullopt;
    if (!info || !info->is_file() || info->is_link || fs.is_being_written(path)) return;
  }
  for (const std::string& name : names) fs.remove(join_path(directory, name));
  fs.remove_dir(directory);
}

}  // namespace

void remove_parts(FileSystem& fs, const std::string& directory) {
  quietly([&] { remove_parts_here(fs, directory); });
}

void remove_dead_temporaries(FileSystem& fs, const std::string& directory) {
  for (const std::string& name : fs.list_dir(directory)) {
    if (is_temporary_name(name)) quietly([&] { remove_unwritten(fs, join_path(directory, name)); });
  }
}

void sweep_dead(FileSystem& fs, const std::string& directory) {
  remove_dead_temporaries(fs, directory);
  auto names = fs.list_dir(directory);
  std::erase_if(names, [](const std::string& name) { return !is_parts_directory_name(name); });
  // Do not take the lock without need: a saver could be refused meanwhile.
  if (names.empty()) return;
  quietly([&] {
    const auto lock = fs.lock_dir(directory);
    if (!lock) return;
    for (const std::string& name : names) {
      const std::string path = join_path(directory, name);
      const auto info = fs.stat(path);
      if (info && info->is_directory && !info->is_link) remove_parts(fs, path);
    }
  });
}

std::vector<std::string> recover_directory(FileSystem& fs, const std::string& directory) {
  std::vector<std::string> warnings;
  for (const std::string& name : fs.list_dir(directory)) {
    if (!is_journal_name(name)) continue;
    OverwriteJournal journal(fs, join_path(directory, name));
    if (journal.recover() != OverwriteJournal::Standing::kForeign) continue;
    warnings.push_back(str_cat(join_path(directory, name),
                               ": it has the name of a journal and is not followed, for ",
                               journal.why(), "; find out whose it is and remove it"));
  }
  return warnings;
}

std::vector<std::string> sweep_directory(FileSystem& fs, const std::string& directory) {
  std::vector<std::string> warnings;
  bool synced = false;
  const auto names = fs.list_dir(directory);
  // A journal that could not be followed may name recovery files that are the only copy of a
  // checkpoint.
  const bool needed = std::any_of(names.begin(), names.end(), is_journal_name);
  for (const std::string& name : names) {
    if (!is_own_name(name)) continue;
    const std::string path = join_path(directory, name);
    try {
      const auto info = fs.stat(path);
      if (!info || info->is_link || info->is_special) continue;  // not made by Cairn
      if (is_parts_directory_name(name)) {
        if (info->is_directory) remove_parts_here(fs, path);
      } else if (info->is_directory) {
        continue;
      } else if (is_recovery_name(name)) {
        if (needed) continue;
        // The removal of the journal must be durable before that of the files it names.
        if (!synced) fs.sync_dir(directory);
        synced = true;
        fs.remove(path);
      } else if (is_temporary_name(name)) {
        remove_unwritten(fs, path);
      }
    } catch (const Error& e) {
      if (e.code() != Code::kNotFound)
        warnings.push_back(
            str_cat("a file that a dead writer left could not be removed: ", e.what()));
    }
  }
  return warnings;
}

}  // namespace cairn
