// What a Saver keeps: the max_to_keep newest checkpoints, and beside them those that the hours
// rule, a metric, a pin or the last good values hold on to. All but the newest ones are remembered
// in DIR/.cairn, for this process and the next.
//
// A save calls record() when its files are whole and before the checkpoint file names them, and
// remove_surplus() after that. What goes is decided and written down in the first, so that a
// process that dies between them leaves it to the next save. Nothing is deleted that no .cairn and
// no caller says a Saver wrote.
//
// Thread-safe: a save in the background and pin() may come together.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <utility>

#include "persist/checkpoint/retention_state.h"

namespace cairn {

// When a checkpoint's table of contents was changed last; 0 when there is none.
double written_at(const std::string& prefix, FileSystem& fs);

// Files that are left of checkpoints that .cairn says are to go, of which the index (of V1 one of
// several files) is gone already: what a dead writer was removing. Only those that were there when
// .cairn came to say so. Throws as read_retention_state().
std::vector<std::string> remains_of_removals(const std::string& directory, FileSystem& fs);

class Retention {
 public:
  using Warn = std::function<void(const std::string&)>;
  // The newest ones, oldest first: prefix and time.
  using Newest = std::vector<std::pair<std::string, double>>;
  struct Saved {
    std::string path, prefix;  // "run/model", "run/model-100"
    double time = 0;
    std::optional<bool> finite;
    std::map<std::string, double> metrics;
    std::string latest_filename;
  };

  // `now` is when the saver is made: the hours rule counts from then.
  Retention(int max_to_keep, double keep_every_n_hours, double now, Warn warn);

  void warn(const std::string& message) const { warn_(message); }

  Newest newest() const;
  void recover(const std::vector<std::string>& prefixes, FileSystem& fs);
  void set_newest(Newest newest);
  // These are not deleted here, whatever .cairn comes to say of them; a later Retention does it.
  void protect(const std::vector<std::string>& prefixes);

  void keep_best(const std::string& metric, int count, bool higher_is_better);
  // Throws NotFound for what is no checkpoint; and what the file system throws, with the pin as it
  // was.
  void set_pinned(const std::string& prefix, bool pinned, FileSystem& fs);
  // The prefix of a step, among what is remembered of the directories that were saved in.
  std::string prefix_of_step(int64_t step) const;
  std::vector<KeptCheckpoint> kept() const;

  // Takes the checkpoint in. Returns the prefixes that the checkpoint file should list, oldest
  // first.
  std::vector<std::string> record(const Saved& saved, FileSystem& fs);
  // Deletes what has no reason to stay. A file that cannot be deleted is a warning, and tried again
  // after the next save.
  void remove_surplus(const std::string& meta_graph_suffix, FileSystem& fs);

 private:
  struct DirectoryState {  // a directory
    RetentionState state;
    bool unwritten = false;  // the state is newer than the file, which could not be written
    // Names that are to be deleted, and when the file came to say so: 0 for not yet.
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

  mutable std::recursive_mutex mutex_;  // a warning's receiver may ask what is kept
  int max_to_keep_;
  double period_;  // seconds
  double began_, preserved_;
  Warn warn_;
  Newest newest_;
  std::vector<BestRule> best_;
  std::map<std::string, DirectoryState> directories_;  // by directory
  std::set<std::string>
      saved_in_;  // directories that record() was called for: nothing is deleted elsewhere
  std::set<std::string> joined_;     // paths
  std::set<std::string> let_go_;     // prefixes that set_newest() took out of our hands
  std::set<std::string> protected_;  // prefixes
};

}  // namespace cairn
