// The `checkpoint` file of a directory, which says what the newest checkpoint is, and checkpoints
// as sets of files.
//
//   if (auto newest = latest_checkpoint("run")) saver.restore(session, *newest);
//
// The file is protobuf text (TensorFlow's CheckpointState); docs/formats.md shows one. Every
// function takes the file system last; null is the machine's.
//
// A writer that died while it overwrote a checkpoint in place left the older one under hidden
// names, and so does one at work. Whoever reads finds the older one under its own name all the
// same: no function here but update_checkpoint_state() and remove_checkpoint() changes a file or
// waits for a writer.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "persist/files/file.h"

namespace CAIRN_API cairn {

inline constexpr const char* kCheckpointFileName = "checkpoint";

struct CheckpointState {
  std::string model_checkpoint_path;                    // the newest
  std::vector<std::string> all_model_checkpoint_paths;  // oldest first, the newest included
  std::vector<double>
      all_model_checkpoint_timestamps;  // seconds since 1970; empty in files a Saver wrote
  double last_preserved_timestamp = 0;
};

// What `directory`'s checkpoint file says, its paths joined to the directory; nothing when there is
// none. A path that was absolute and is not there any more is taken to be in `directory`, under the
// name it had (the directory was moved); one that names a file of a checkpoint (.index, .meta,
// .data-00000-of-00001) stands for its prefix. Throws DataLoss, naming file and line, for one that
// cannot be read. (tf.train.get_checkpoint_state)
std::optional<CheckpointState> get_checkpoint_state(
    const std::string& directory, const std::string& latest_filename = kCheckpointFileName,
    FileSystem* fs = nullptr);

// Replaces the checkpoint file, in one step. Paths inside `directory` are written relative to it,
// so that it can be moved; `path` is put last in `all` if it is not there. Throws InvalidArgument
// when `path` is the checkpoint file itself. (tf.train.update_checkpoint_state) Without
// relative_paths, absolute paths stay so.
void update_checkpoint_state(const std::string& directory, const std::string& path,
                             std::vector<std::string> all = {},
                             const std::string& latest_filename = kCheckpointFileName,
                             FileSystem* fs = nullptr, bool relative_paths = true);

// The prefix of the newest checkpoint that the checkpoint file names and whose files are there;
// nothing when the directory has no checkpoint file or no such checkpoint.
// (tf.train.latest_checkpoint)
std::optional<std::string> latest_checkpoint(
    const std::string& directory, const std::string& latest_filename = kCheckpointFileName,
    FileSystem* fs = nullptr);

struct LatestOptions {
  std::string latest_filename = kCheckpointFileName;
  // Read the checkpoint whole before it is believed: index, sizes, checksums, the meta graph if
  // there is one. Where the newest is not complete, the next older one is taken that the checkpoint
  // file names; where none of them is, or that file is lost or damaged, the newest that is found in
  // the directory, by the number at the end of its name.
  bool verify = false;
  // Told of each checkpoint (or checkpoint file) that was passed over, and why.
  std::function<void(const std::string& prefix, const std::string& why)> on_skip = nullptr;
  FileSystem* file_system = nullptr;
};

// The same, for a directory that something may have happened to.
//   latest_checkpoint("run", {.verify = true, .on_skip = [](auto& prefix, auto& why) {
//                       std::cerr << why << "\n";
//                     }});
std::optional<std::string> latest_checkpoint(const std::string& directory,
                                             const LatestOptions& options);

// The prefixes of all checkpoints in a directory, whether a checkpoint file names them or not:
// those with an index, and V1 files. By the number at the end of the name, those without first; of
// one number, by name.
std::vector<std::string> find_checkpoints(const std::string& directory, FileSystem* fs = nullptr);

// True when `prefix` names a checkpoint: its index is there, or V1 files (checkpoint_v1_files()).
// (tf.train.checkpoint_exists)
bool checkpoint_exists(const std::string& prefix, FileSystem* fs = nullptr);

// Where a writer died while it overwrote the checkpoint `prefix`, or something stands there that
// looks so and is not believed: one sentence that says it, for people. Nothing otherwise, and while
// a writer has the directory.
std::optional<std::string> interrupted_overwriting(const std::string& prefix,
                                                   FileSystem* fs = nullptr);

// The prefix that `path` means: a prefix itself, one of its files (.index, .meta,
// .data-00000-of-00001), a directory or its checkpoint file (the newest one there). Of V1 the
// prefix is the file, or the name of several without what differs or with question marks for it.
// Throws NotFound when nothing of the kind is there.
std::string checkpoint_prefix(const std::string& path, FileSystem* fs = nullptr);

// Where the meta graph of a checkpoint is: "run/m.meta" for "run/m" and for V1's
// "run/m-?????-of-00002".
std::string meta_graph_path(const std::string& prefix,
                            const std::string& meta_graph_suffix = "meta");

// Removes the checkpoint's files: the meta graph, the index, then the data; of V1 the file, or all
// that a name with question marks stands for. Files that are not there are fine. Nothing is matched
// by pattern otherwise: a path with * or [ in it is just that path. (tf.train.remove_checkpoint)
void remove_checkpoint(const std::string& prefix, const std::string& meta_graph_suffix = "meta",
                       FileSystem* fs = nullptr);

}  // namespace cairn
