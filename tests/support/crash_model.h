// What a disk may hold after a loss of power.
//
//   RecordingFileSystem disk(memory);  ... a save ...
//   for (const CrashState& state : crash_states(before, disk.changes(), options)) {
//     ... MemoryFileSystem with it ...
//   }
//
// The model is that of POSIX without the favours that single file systems do. Bytes of a file are
// there for certain once the file was synced; before that they may be missing, zero, or cut at a
// multiple of 512 bytes. Names that were made, changed or removed in a directory are there, or
// gone, for certain once the directory was synced; before that each such change may have reached
// the disk or not, alone and in any order.
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
  std::map<std::string, double> modified;  // when each file was changed last
  double clock = 1;                        // of the next change, each of which takes a second
  bool acknowledged = false;  // CrashOptions::acknowledged_after operations or more were issued
  friend auto operator<=>(const CrashState&, const CrashState&) = default;
};

struct CrashOptions {
  // When the program was told that its save is done.
  size_t acknowledged_after = SIZE_MAX;
  // Of so many changes of names that are not synced all combinations are tried; of more, each
  // alone, all but each, all up to each, and some drawn by lot.
  size_t most_combined = 6;
  size_t draws = 16;
};

// Calls `check` once for every different state that a loss of power may leave after any of
// `changes`, which started from `before`. Returns how many there were.
size_t for_each_crash_state(const CrashState& before, const std::vector<FileOp>& changes,
                            const CrashOptions& options,
                            const std::function<void(const CrashState&)>& check);

}  // namespace cairn
