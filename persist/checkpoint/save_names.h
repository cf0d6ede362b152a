// The names of files in a checkpoint's directory: no two files that a save writes may have one
// name, and none the name of what the directory keeps its own records in.
#pragma once

#include <string>

#include "persist/saver/saver.h"

namespace cairn {

// Throws InvalidArgument, naming the two, when files that saving to `path` writes would clash:
// path's own, the meta graph and the checkpoint file; whatever the number is that follows `path`
// where there is one (`has_step`).
void check_save_names(const SaveOptions& options, const SaverDef& saver, const std::string& path,
                      bool has_step);

// Throws InvalidArgument for a prefix, of either format, that is no name for a checkpoint: one that
// a reader would take for another file ("m.index", "checkpoint") or that is not the directory's
// user's (".cairn").
void check_checkpoint_name(const std::string& prefix);

// Throws FailedPrecondition where a directory has the name of the checkpoint file, which is written
// when the values are in place already.
void check_state_place(FileSystem& fs, const std::string& directory,
                       const std::string& latest_filename);

// The names in the prefix's directory that a checkpoint of this prefix would have, of either
// format; links count, whatever is behind them.
std::vector<std::string> files_of_prefix(FileSystem& fs, const std::string& prefix);

// What to say of a prefix that is no checkpoint's: "; did you mean 'run/m-5'?", "; there is no
// directory 'rnu'", the checkpoints of the directory where none is named alike; "" where the
// directory may not be looked into.
std::string about_missing_checkpoint(FileSystem& fs, const std::string& prefix);

}  // namespace cairn
