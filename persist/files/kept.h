// Why a checkpoint stays: what savers remember about a directory beyond its checkpoint file.
//
// The checkpoint file lists the newest ones, as TensorFlow's does. What else must not be rotated
// out, and what a new process needs to go on as the one before, is in a small text beside it,
// DIR/.cairn, which TensorFlow ignores; docs/formats.md has its grammar. Without it nothing is lost
// but that knowledge: checkpoints that no .cairn names are taken to be someone else's and never
// deleted.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "persist/files/file.h"

namespace CAIRN_API cairn {

inline constexpr const char* kKeptFileName = ".cairn";

struct KeptCheckpoint {
  std::string prefix;
  double time = 0;  // seconds since 1970
  // "newest", "hours", "best accuracy", "pinned", "last good"; none for one that is to go at the
  // next save.
  std::vector<std::string> reasons;
  std::map<std::string, double> metrics;  // as given to save()
  std::optional<bool>
      finite;  // no NaN and no infinity in any float; nothing where that was not checked
};

struct KeepBestOptions {
  bool higher_is_better = true;
};

// What `directory`'s .cairn says, oldest first; nothing when there is none. Throws DataLoss for a
// damaged one, Unimplemented for one of a newer Cairn.
std::vector<KeptCheckpoint> kept_checkpoints(const std::string& directory,
                                             FileSystem* fs = nullptr);

}  // namespace cairn
