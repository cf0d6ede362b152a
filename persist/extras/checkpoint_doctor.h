// Examines a checkpoint directory: identifies every file, reports what is wrong, and repairs it.
//
//   const DirectoryReport report = examine_directory("run");        // changes nothing
//   for (const DirectoryProblem& p : report.problems)
//     std::cout << p.what << "; " << p.remedy << "\n";
//   if (!report.healthy()) repair_directory("run");
//
// Calls that fail:
//
//   examine_directory("nowhere");        // NotFound: nowhere: there is no such directory
//   examine_directory("run/m.index");    // FailedPrecondition: this is a file
//   repair_directory("run");             // while a writer saves there: FailedPrecondition
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "persist/files/file.h"
#include "persist/graph/saver_def.h"

namespace CAIRN_API cairn {

// The role of a file, by its name and, for V1 checkpoints, its end.
enum class FileRole {
  kState,       // `checkpoint`: names the newest checkpoint
  kKept,        // `.cairn`: why older checkpoints are kept
  kIndex,       // of a V2 checkpoint
  kData,        // of a V2 checkpoint
  kV1,          // a V1 checkpoint, or one file of it
  kMetaGraph,   // a graph
  kSavedModel,  // the graph of a SavedModel, whose values are in variables/
  kTemporary,   // an unfinished file of a writer
  kParts,       // a directory with parts of an unfinished sharded save
  kJournal,     // the journal of a checkpoint that was being overwritten
  kRecovery,    // a file of that checkpoint
  kEvents,      // events for TensorBoard
  kDirectory,   // its contents are not examined
  kLink,        // a symbolic link that cannot be followed: a loop, or no permission
  kOther        // not related to checkpoints
};
// "index", "data", "V1 checkpoint", ...
std::string role_name(FileRole role);

// A file of the directory.
struct DirectoryFile {
  std::string name;
  FileRole role = FileRole::kOther;
  uint64_t size = 0;
  std::string checkpoint;  // the name of the checkpoint it belongs to; "" for none
};

// A checkpoint of the directory, complete or not.
struct DirectoryCheckpoint {
  std::string prefix;  // including the directory
  CheckpointFormat format = CheckpointFormat::kV2;
  uint64_t size = 0;                  // of all its files, in bytes
  std::vector<std::string> problems;  // empty: complete, with correct checksums
  bool whole() const { return problems.empty(); }
};

// A fault, and what the user can do about it.
struct DirectoryProblem {
  std::string what, remedy;
  bool can_repair = false;  // repair_directory() can do it
};

// The result of examine_directory().
struct DirectoryReport {
  std::string directory;
  std::vector<DirectoryFile> files;  // ordered by name
  // Ordered by the number that ends the name, then by name.
  std::vector<DirectoryCheckpoint> checkpoints;
  std::vector<DirectoryProblem> problems;
  // Findings that may be intended and do not keep anything from being read. They do not affect
  // healthy().
  std::vector<DirectoryProblem> notes;
  // The prefix that the checkpoint file names, if that checkpoint is complete; otherwise the one it
  // should name; nullopt if none is complete.
  std::optional<std::string> newest;
  // A writer holds the directory's lock: unfinished files belong to it and are not reported.
  bool being_written = false;

  bool healthy() const { return problems.empty(); }
};

// Examines a directory; changes nothing. Reads and verifies all files in it, but not its
// subdirectories, except the variables/ of a SavedModel. `fs` null: posix_file_system(). Throws
// NotFound if the directory does not exist, FailedPrecondition if it is a file. Faults of the files
// are in the report, not thrown.
DirectoryReport examine_directory(const std::string& directory, FileSystem* fs = nullptr);

// Repairs a directory: restores a checkpoint whose overwriting was interrupted; removes the files
// of dead writers and the rest of checkpoints that they were removing; and rewrites the checkpoint
// file if it is missing, damaged or stale, that is, names a checkpoint that is missing, incomplete
// or not the newest of its series. Removes no other files of checkpoints, complete or not, and no
// file unless its name or .cairn says that Cairn made it.
//
// Returns one line for each action and for each file that could not be removed; call
// examine_directory() for the problems that remain. Holds the directory's lock meanwhile. Throws
// FailedPrecondition if a writer holds it, and nothing is changed then.
std::vector<std::string> repair_directory(const std::string& directory, FileSystem* fs = nullptr);

}  // namespace cairn
