// What DIR/.cairn holds, and its text.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "persist/files/kept.h"

namespace cairn {

// One checkpoint of the directory. Its reasons to stay are the flags here and what best() and
// last_good() say.
struct KeptRecord {
  std::string name;    // "model-100": the prefix within the directory
  std::string series;  // "model": what was saved under, without the step
  double time = 0;
  // when its file of contents was changed last: tells it from another of its name
  double written = 0;
  bool newest = false;  // among the max_to_keep
  bool hours = false;   // kept for good by keep_checkpoint_every_n_hours
  bool pinned = false;
  bool foreign = false;  // not written by a Saver that keeps records: never deleted
  std::optional<bool> finite = {};
  std::map<std::string, double> metrics = {};
};

struct BestRule {
  std::string metric;
  int count = 0;
  bool higher_is_better = true;
};

struct RetentionState {
  // by series: when the hours rule kept one last, or began
  std::map<std::string, double> hours;
  std::map<std::string, std::vector<BestRule>> best;  // by series
  std::vector<KeptRecord> records;                    // oldest first

  KeptRecord* find(const std::string& name);
  // Why checkpoints stay, besides their flags, by name: the metrics they are among the best in, and
  // whether they are the newest of their series whose values were all finite.
  struct Merits {
    std::multimap<std::string, std::string> best;
    std::set<std::string> good;
  };
  Merits merits() const;
  std::vector<KeptCheckpoint> kept(const std::string& directory) const;
};

// "model" of "model-100" and "model-100-?????-of-00002".
std::string series_of(const std::string& name);

std::string to_text(const RetentionState& state);
// Throws DataLoss naming `path` and the line, Unimplemented for the text of a newer Cairn. What it
// returns has plain names only, each once and of the series it says, so that they can be used as
// names of files.
RetentionState parse_retention_state(const std::string& path, const std::string& text);
// Nothing when there is no such file.
std::optional<RetentionState> read_retention_state(FileSystem& fs, const std::string& directory);

}  // namespace cairn
