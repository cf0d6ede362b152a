// The content of DIR/.cairn, and its text form.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "persist/files/kept.h"

namespace cairn {

// One checkpoint of the directory. It is kept because of the flags below or of
// RetentionState::merits().
struct KeptRecord {
  std::string name;    // "model-100": the prefix without the directory
  std::string series;  // "model": the path given to save(), without the directory and the step
  double time = 0;
  // The modification time of its index: distinguishes it from another checkpoint of the same name.
  double written = 0;
  // one of the max_to_keep newest
  bool newest = false;
  bool hours = false;  // kept permanently by keep_checkpoint_every_n_hours
  bool pinned = false;
  // Not written by a Saver that keeps records: never deleted.
  bool foreign = false;
  std::optional<bool> finite = {};
  std::map<std::string, double> metrics = {};
};

// Keeps the `count` checkpoints of a series with the best values of `metric`.
struct BestRule {
  std::string metric;
  int count = 0;
  bool higher_is_better = true;
};

struct RetentionState {
  // By series: the time at which the hours rule last kept a checkpoint, or started.
  std::map<std::string, double> hours;
  std::map<std::string, std::vector<BestRule>> best;  // by series
  std::vector<KeptRecord> records;                    // oldest first

  KeptRecord* find(const std::string& name);
  // Reasons to keep checkpoints that follow from their values, by name.
  struct Merits {
    // the metrics in which the checkpoint is among the best
    std::multimap<std::string, std::string> best;
    // the newest of each series whose values were all finite
    std::set<std::string> good;
  };
  Merits merits() const;
  std::vector<KeptCheckpoint> kept(const std::string& directory) const;
};

// The series of a checkpoint's name: "model" for "model-100" and "model-100-?????-of-00002".
std::string series_of(const std::string& name);

std::string to_text(const RetentionState& state);
// Parses the text of the file `path`. Throws DataLoss naming path and line, Unimplemented for the
// format of a newer Cairn. In the result every name is a plain file name, occurs once and begins
// with its series.
RetentionState parse_retention_state(const std::string& path, const std::string& text);
// Reads the directory's .cairn; nullopt if there is none.
std::optional<RetentionState> read_retention_state(FileSystem& fs, const std::string& directory);

}  // namespace cairn
