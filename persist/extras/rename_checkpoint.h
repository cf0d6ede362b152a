// Giving the tensors of a checkpoint other names, for a program that calls them otherwise.
#pragma once

#include <string>
#include <vector>

#include "persist/files/file.h"
#include "persist/saver/name_rules.h"

namespace CAIRN_API cairn {

struct RenameCheckpointOptions {
  bool dry_run = false;               // only say what the names would be
  FileSystem* file_system = nullptr;  // null: the machine's
};

// Writes the checkpoint `source` (in any form that names one) again as the prefix `destination`,
// every name as `rules` say, everything else as it is: format, shards, slices, bytes. Returns every
// name, old and new; `dry_run` returns the same and writes nothing. The meta graph, whose saver
// asks for the old names, stays behind. Throws InvalidArgument for names that would be the same,
// all of them; NotFound for rules that fit no name, with the nearest; AlreadyExists when any file
// of the destination is there, the source's above all. Then nothing is written.
//   rename_checkpoint("run/model-1000", "renamed/model-1000", "s|^net/|model/|");
std::vector<std::pair<std::string, std::string>> rename_checkpoint(
    const std::string& source, const std::string& destination, const NameRules& rules,
    const RenameCheckpointOptions& options = {});

}  // namespace cairn
