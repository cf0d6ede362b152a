// The states of a disk that are possible after a loss of power.
//
//   RecordingFileSystem disk(memory);  ... a save ...
//   for (const CrashState& state : crash_states(before, disk.changes(), options)) {
//     ... MemoryFileSystem with it ...
//   }
//
// The model is that of POSIX, without the further guarantees of some file systems. The bytes of a
// file are on the disk after the file was synced; before that they may be missing, zero, or cut at
// a multiple of 512 bytes. Changes of names in a directory are on the disk after the directory was
// synced; before that each change may have reached the disk or not, independently of the others.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/support/hooked_fs.h"

namespace cairn {

// A disk: files with their bytes, and directories.
struct CrashState {
  std::map<std::string, std::string> files;
  std::set<std::string> directories;
  std::map<std::string, double> modified;  // the time of the last change of each file
  double clock = 1;                        // of the next change; each change takes a second
  bool acknowledged = false;  // at least CrashOptions::acknowledged_after operations were issued
  friend auto operator<=>(const CrashState&, const CrashState&) = default;
};

struct CrashOptions {
  // The number of operations after which the program knew that its save was complete.
  size_t acknowledged_after = SIZE_MAX;
  // Up to this number of unsynced changes of names, all combinations are tried. For more changes:
  // each alone, all but one, all up to one, and some random combinations.
  size_t most_combined = 6;
  size_t draws = 16;
};

// Calls `check` once for each different state that a loss of power may leave after any of
// `changes`, beginning with `before`. Returns the number of states.
size_t for_each_crash_state(const CrashState& before, const std::vector<FileOp>& changes,
                            const CrashOptions& options,
                            const std::function<void(const CrashState&)>& check);

}  // namespace cairn
