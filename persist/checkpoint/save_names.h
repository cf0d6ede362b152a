// Checks of file names before a save: no two files of a save may have the same name, and none may
// have a name that Cairn reserves for its own records.
#pragma once

#include <string>

#include "persist/saver/saver.h"

namespace cairn {

// Throws InvalidArgument, naming both, if two of the files that a save to `path` writes would have
// the same name: the checkpoint's own, the meta graph and the checkpoint file. With `has_step` a
// number follows `path`, and the check holds for every number.
void check_save_names(const SaveOptions& options, const SaverDef& saver, const std::string& path,
                      bool has_step);

// Throws InvalidArgument for a prefix that cannot name a checkpoint of either format: readers would
// take it for another file ("m.index", "checkpoint"), or Cairn reserves it (".cairn").
void check_checkpoint_name(const std::string& prefix);

// Throws FailedPrecondition if a directory has the name of the checkpoint file. Checked before a
// save, because that file is written only after the values have been published.
void check_state_place(FileSystem& fs, const std::string& directory,
                       const std::string& latest_filename);

// The names in the prefix's directory that files of a checkpoint of this prefix would have, in
// either format. Symbolic links are included without being followed.
std::vector<std::string> files_of_prefix(FileSystem& fs, const std::string& prefix);

// The end of an error message about a prefix that is not a checkpoint: "; did you mean 'run/m-5'?",
// "; there is no directory 'rnu'", or the directory's checkpoints if no name is similar. "" if the
// directory cannot be read.
std::string about_missing_checkpoint(FileSystem& fs, const std::string& prefix);

}  // namespace cairn
