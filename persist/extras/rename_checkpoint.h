// Renames the tensors of a checkpoint, for a program that uses other names.
//
//   rename_checkpoint("run/model-1000", "renamed/model-1000", "s|^net/|model/|");
//   rename_checkpoint("run/model-1000", "renamed/model-1000", "s|^nte/|model/|");
//   // NotFound: run/model-1000: nothing was written; no name fits s|^nte/|model/|
#pragma once

#include <string>
#include <vector>

#include "persist/files/file.h"
#include "persist/saver/name_rules.h"

namespace CAIRN_API cairn {

struct RenameCheckpointOptions {
  bool dry_run = false;               // only return the names; write nothing
  FileSystem* file_system = nullptr;  // null: posix_file_system()
};

// Copies the checkpoint `source`, given in any form that CheckpointReader accepts, to the prefix
// `destination` with the names that `rules` produce. Format, shards, slices and values are
// preserved. Returns all names, old and new; `dry_run` returns the same and writes nothing. The
// meta graph is not copied, since its saver asks for the old names.
//
// Throws InvalidArgument listing all names that would become equal; NotFound listing the rules that
// match no name, with the nearest names; AlreadyExists if any file of the destination exists, or it
// is the source. Nothing is written then.
std::vector<std::pair<std::string, std::string>> rename_checkpoint(
    const std::string& source, const std::string& destination, const NameRules& rules,
    const RenameCheckpointOptions& options = {});

}  // namespace cairn
