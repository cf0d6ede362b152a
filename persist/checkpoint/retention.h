// Retention: which checkpoints a Saver keeps. These are the max_to_keep newest ones, and others
// that are kept by the hours rule, for a metric, by a pin or as the last one with finite values.
// Everything except the newest ones is recorded in DIR/.cairn, for this process and later ones.
//
// A save calls record() when its files are complete and before the checkpoint file names them, and
// remove_surplus() afterwards. record() decides what to delete and writes that down, so that the
// next save resumes the deletions of a process that died in between. A checkpoint is deleted only
// if .cairn or the caller says that a Saver wrote it.
//
// Thread-safe: pin() may be called during a save in the background.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <utility>

#include "persist/checkpoint/retention_state.h"

namespace cairn {

// When a checkpoint's index (for V1 its first file) was last modified, in seconds since 1970; 0 if
// there is none.
double written_at(const std::string& prefix, FileSystem& fs);

// The remaining files of checkpoints whose removal by a dead writer was incomplete: .cairn has no
// reason to keep them, and their index (for V1 one of several files) is gone already. Only files
// that are older than .cairn. Throws as read_retention_state().
std::vector<std::string> remains_of_removals(const std::string& directory, FileSystem& fs);

class Retention {
 public:
  using Warn = std::function<void(const std::string&)>;
  // The newest checkpoints, ordered from oldest to newest: prefix and time.
  using Newest = std::vector<std::pair<std::string, double>>;
  struct Saved {
    std::string path, prefix;  // "run/model", "run/model-100"
    double time = 0;
    std::optional<bool> finite;
    std::map<std::string, double> metrics;
    std::string latest_filename;
  };

  // `now` is the time at which the saver is created, from which the hours rule counts. `warn`
  // receives warnings; it may call const functions of this object.
  Retention(int max_to_keep, double keep_every_n_hours, double now, Warn warn);

  void warn(const std::string& message) const { warn_(message); }

  Newest newest() const;
  // Replaces the list of newest checkpoints by those of `prefixes` that exist, with the times of
  // their files.
  void recover(const std::vector<std::string>& prefixes, FileSystem& fs);
  // Replaces the list. Checkpoints that were in it are not deleted by this object any more.
  void set_newest(Newest newest);
  // This object does not delete these checkpoints, whatever .cairn says; a later Retention does.
  void protect(const std::vector<std::string>& prefixes);

  // Replaces the rule for `metric`; `count` 0 ends it. Takes effect with the next record().
  void keep_best(const std::string& metric, int count, bool higher_is_better);
  // Writes the pin to .cairn. Throws NotFound if `prefix` is not a checkpoint, and the file
  // system's errors; the pin is then unchanged.
  void set_pinned(const std::string& prefix, bool pinned, FileSystem& fs);
  // The prefix of the checkpoint of a step, in the directories known to this object. Throws
  // NotFound if there is none, InvalidArgument if there are several.
  std::string prefix_of_step(int64_t step) const;
  std::vector<KeptCheckpoint> kept() const;

  // Adds a checkpoint, decides which ones to delete and writes .cairn. Returns the prefixes that
  // the checkpoint file should list, oldest first. If .cairn cannot be read or written, warns, and
  // remove_surplus() deletes nothing.
  std::vector<std::string> record(const Saved& saved, FileSystem& fs);
  // Deletes the checkpoints that record() decided on. If a file cannot be deleted, warns, and the
  // next save tries again.
  void remove_surplus(const std::string& meta_graph_suffix, FileSystem& fs);

 private:
  struct DirectoryState {
    RetentionState state;
    bool unwritten = false;  // `state` could not be written to the file
    // Names of checkpoints to delete, and when the file that says so was written; 0: not yet.
    std::map<std::string, double> leaving;
  };
  bool read_directory(const std::string& directory, FileSystem& fs);
  void join_series(const Saved& saved, FileSystem& fs);
  void warn_of_unrecorded(const Saved& saved, FileSystem& fs);
  void take_over_leftovers(DirectoryState& dir, const std::string& directory, FileSystem& fs);
  void take_in(const Saved& saved, FileSystem& fs);
  std::set<std::pair<std::string, std::string>> rotate(FileSystem& fs);
  void sort_out(const std::string& directory, const std::string& series, FileSystem& fs);
  KeptRecord& record_of(const std::string& prefix, double time, FileSystem& fs);
  void write(const std::string& directory, FileSystem& fs);

  mutable std::recursive_mutex mutex_;  // recursive: warn_ may call kept()
  int max_to_keep_;
  // The interval of the hours rule, in seconds.
  double period_;
  double began_, preserved_;
  Warn warn_;
  Newest newest_;
  std::vector<BestRule> best_;
  std::map<std::string, DirectoryState> directories_;  // by directory
  // directories that record() was called for; nothing is deleted elsewhere
  std::set<std::string> saved_in_;
  std::set<std::string> joined_;  // paths that join_series() was called for
  std::set<std::string> let_go_;  // prefixes that set_newest() removed: not deleted by this object
  std::set<std::string> protected_;  // prefixes
};

}  // namespace cairn
