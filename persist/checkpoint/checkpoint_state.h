// The `checkpoint` file, which names a directory's newest checkpoint, and functions on checkpoints
// as sets of files.
//
//   if (auto newest = latest_checkpoint("run")) saver.restore(session, *newest);
//
// The file is protobuf text (TensorFlow's CheckpointState); docs/formats.md shows one. Every
// function takes the file system as its last argument or option; null: posix_file_system(). All may
// be called from several threads.
//
// While a writer overwrites a checkpoint in place, and after it died doing so, the older checkpoint
// exists under hidden names. Readers find it under its own name all the same. Only
// update_checkpoint_state() and remove_checkpoint() change files; no function waits for a writer.
//
// Calls that fail:
//
//   get_checkpoint_state("run");   // DataLoss: "run/checkpoint: line 1, column 7: ..."
//   checkpoint_prefix("run/m");    // NotFound: "... (there is no run/m.index); did you mean ...?"
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "persist/files/file.h"

namespace CAIRN_API cairn {

inline constexpr const char* kCheckpointFileName = "checkpoint";

struct CheckpointState {
  // the prefix of the newest checkpoint
  std::string model_checkpoint_path;
  // prefixes, oldest first, including the newest
  std::vector<std::string> all_model_checkpoint_paths;
  // Seconds since 1970, one for each path; empty in files that a Saver wrote.
  std::vector<double> all_model_checkpoint_timestamps;
  double last_preserved_timestamp = 0;
};

// Reads `directory`'s checkpoint file; nullopt if there is none. Relative paths are joined to
// `directory`. An absolute path that no longer exists is replaced by the same name in `directory`
// (the directory was moved); the path of a checkpoint's file (.index, .meta, .data-00000-of-00001)
// is replaced by its prefix. Throws DataLoss, naming file and line, for a file that cannot be
// parsed. (tf.train.get_checkpoint_state)
std::optional<CheckpointState> get_checkpoint_state(
    const std::string& directory, const std::string& latest_filename = kCheckpointFileName,
    FileSystem* fs = nullptr);

// Replaces the checkpoint file atomically; on an error the old one is unchanged. `path` becomes the
// newest checkpoint, and the last of `all`. Paths inside `directory` are written relative to it, so
// that the directory can be moved; without `relative_paths` absolute ones stay absolute. Throws
// InvalidArgument if `path` is the checkpoint file itself. (tf.train.update_checkpoint_state)
void update_checkpoint_state(const std::string& directory, const std::string& path,
                             std::vector<std::string> all = {},
                             const std::string& latest_filename = kCheckpointFileName,
                             FileSystem* fs = nullptr, bool relative_paths = true);

// The prefix of the newest checkpoint according to the checkpoint file; nullopt if there is no such
// file or the checkpoint it names does not exist. Throws as get_checkpoint_state().
// (tf.train.latest_checkpoint)
std::optional<std::string> latest_checkpoint(
    const std::string& directory, const std::string& latest_filename = kCheckpointFileName,
    FileSystem* fs = nullptr);

struct LatestOptions {
  std::string latest_filename = kCheckpointFileName;
  // Verify a checkpoint before returning it: index, sizes, checksums, and its meta graph if there
  // is one. If the newest is not complete, older ones that the checkpoint file names are tried,
  // newest first; after them, or if that file is missing or damaged, all checkpoints of the
  // directory, by the number at the end of their names.
  bool verify = false;
  // Called for each checkpoint (or checkpoint file) that was skipped, with the reason.
  std::function<void(const std::string& prefix, const std::string& why)> on_skip = nullptr;
  FileSystem* file_system = nullptr;
};

// The same with options, for directories that may be damaged.
//
//   latest_checkpoint("run", {.verify = true, .on_skip = [](auto& prefix, auto& why) {
//                       std::cerr << why << "\n";
//                     }});
std::optional<std::string> latest_checkpoint(const std::string& directory,
                                             const LatestOptions& options);

// The prefixes of all checkpoints in a directory, whether the checkpoint file names them or not:
// those with an index, and V1 files. Ordered by the number at the end of the name, names without
// one first; then by name.
std::vector<std::string> find_checkpoints(const std::string& directory, FileSystem* fs = nullptr);

// True if `prefix` names a checkpoint: it has an index, or V1 files (checkpoint_v1_files()). Does
// not look into the files. (tf.train.checkpoint_exists)
bool checkpoint_exists(const std::string& prefix, FileSystem* fs = nullptr);

// One sentence for the user if a writer died while it overwrote the checkpoint `prefix`, or if a
// file has the name of its journal but is not a valid one. nullopt otherwise, and while another
// writer holds the directory's lock.
std::optional<std::string> interrupted_overwriting(const std::string& prefix,
                                                   FileSystem* fs = nullptr);

// The prefix that `path` denotes: a prefix itself, one of its files (.index, .meta,
// .data-00000-of-00001), or a directory or its checkpoint file, which stand for the newest
// checkpoint. For V1 it is the file; for a V1 checkpoint in several files, the common part of their
// names, or that with question marks in place of the number. Throws NotFound if there is no such
// checkpoint.
std::string checkpoint_prefix(const std::string& path, FileSystem* fs = nullptr);

// The path of a checkpoint's meta graph: "run/m.meta" for "run/m" and for V1's
// "run/m-?????-of-00002".
std::string meta_graph_path(const std::string& prefix,
                            const std::string& meta_graph_suffix = "meta");

// Removes a checkpoint's files: the meta graph, the index, then the data files; for V1 the file, or
// all files that a name with question marks stands for. Missing files are ignored. No other
// patterns are expanded: * and [ in a path are literal. Throws the file system's errors; files
// removed before that remain removed. (tf.train.remove_checkpoint)
void remove_checkpoint(const std::string& prefix, const std::string& meta_graph_suffix = "meta",
                       FileSystem* fs = nullptr);

}  // namespace cairn
