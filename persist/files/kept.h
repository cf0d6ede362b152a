// Which checkpoints of a directory are kept, and why.
//
// The checkpoint file lists the newest checkpoints, as TensorFlow's does. Further reasons to keep
// one (a metric, a pin, the hours rule), and what a new process needs to continue the rotation, are
// in a small text beside it, DIR/.cairn, which TensorFlow ignores; docs/formats.md has its grammar.
// Without that file no checkpoint is lost: those that no .cairn lists are assumed to belong to
// another program and are never deleted.
//
//   for (const KeptCheckpoint& kept : kept_checkpoints("run"))
//     std::cout << kept.prefix << ": " << join_for_people(kept.reasons) << "\n";
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "persist/files/file.h"

namespace CAIRN_API cairn {

inline constexpr const char* kKeptFileName = ".cairn";

// A checkpoint that .cairn lists.
struct KeptCheckpoint {
  std::string prefix;
  double time = 0;  // seconds since 1970
  // Any of "newest", "hours", "best accuracy", "pinned", "last good". Empty if the next save
  // removes the checkpoint.
  std::vector<std::string> reasons;
  std::map<std::string, double> metrics;  // as given to save()
  // True if no float is NaN or infinite; nullopt if that was not checked.
  std::optional<bool> finite;
};

// Options of Saver::keep_best().
struct KeepBestOptions {
  bool higher_is_better = true;
};

// The checkpoints that `directory`'s .cairn lists, oldest first; none if there is no such file.
// `fs` null: posix_file_system(). Changes nothing. Throws DataLoss for a damaged .cairn
// ("run/.cairn: line 3: ..."), Unimplemented for one of a newer Cairn.
std::vector<KeptCheckpoint> kept_checkpoints(const std::string& directory,
                                             FileSystem* fs = nullptr);

}  // namespace cairn
