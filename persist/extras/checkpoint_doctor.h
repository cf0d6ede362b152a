// What every file of a checkpoint directory is, what is wrong with the directory, and putting that
// right.
//
//   const DirectoryReport report = examine_directory("run");        // changes nothing
//   for (const DirectoryProblem& p : report.problems)
//     std::cout << p.what << "; " << p.remedy << "\n";
//   if (!report.healthy()) repair_directory("run");
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "persist/files/file.h"
#include "persist/graph/saver_def.h"

namespace CAIRN_API cairn {

enum class FileRole {
  kState,       // `checkpoint`: names the newest
  kKept,        // `.cairn`: why older ones stay
  kIndex,       // of a V2 checkpoint
  kData,        // of a V2 checkpoint
  kV1,          // a V1 checkpoint, or one file of it
  kMetaGraph,   // a graph
  kSavedModel,  // the graph of a SavedModel, whose values are in variables/
  kTemporary,   // a file that a writer had not finished
  kParts,       // a directory with parts of a sharded save that was not finished
  kJournal,     // says how to put back a checkpoint that was being overwritten
  kRecovery,    // a file of that checkpoint
  kEvents,      // of TensorBoard
  kDirectory,   // not looked into
  kLink,        // a symbolic link that cannot be followed: a loop, or to where one may not look
  kOther        // of someone else
};
// "index", "data", "V1 checkpoint", ...
std::string role_name(FileRole role);

struct DirectoryFile {
  std::string name;
  FileRole role = FileRole::kOther;
  uint64_t size = 0;
  std::string checkpoint;  // the name of the checkpoint it belongs to; "" for none
};

struct DirectoryCheckpoint {
  std::string prefix;  // with the directory
  CheckpointFormat format = CheckpointFormat::kV2;
  uint64_t size = 0;                  // of all its files
  std::vector<std::string> problems;  // none: it is complete, and every checksum is right
  bool whole() const { return problems.empty(); }
};

struct DirectoryProblem {
  std::string what, remedy;
  bool can_repair = false;  // by repair_directory()
};

struct DirectoryReport {
  std::string directory;
  std::vector<DirectoryFile> files;  // in order of name
  std::vector<DirectoryCheckpoint>
      checkpoints;  // in order of the number that ends the name, then of name
  std::vector<DirectoryProblem> problems;
  // What may be meant so and keeps nothing from being read: healthy() does not count it.
  std::vector<DirectoryProblem> notes;
  // What the checkpoint file names, if that is whole; else the one it ought to name; nothing where
  // none is whole.
  std::optional<std::string> newest;
  // A writer has the directory now: unfinished files are its own, and no problem.
  bool being_written = false;

  bool healthy() const { return problems.empty(); }
};

// Reads everything in `directory` but what is in directories below it; of a SavedModel, its
// variables/ too. Throws NotFound, FailedPrecondition for a file.
DirectoryReport examine_directory(const std::string& directory, FileSystem* fs = nullptr);

// Puts back what was being overwritten when its writer died, removes what dead writers left, with
// the rest of checkpoints that they were removing, and writes the checkpoint file anew where it is
// lost, damaged or stale: names what is not there or not whole, or not the newest of its series.
// Removes no other file of a checkpoint, whole or not, nor any of which neither its name nor .cairn
// says that Cairn made it. Returns what was done, and what could not be removed, a line each;
// what is still wrong afterwards, examine_directory() says. Throws FailedPrecondition while a
// writer has the directory.
std::vector<std::string> repair_directory(const std::string& directory, FileSystem* fs = nullptr);

}  // namespace cairn
