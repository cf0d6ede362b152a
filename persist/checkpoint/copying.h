// Checkpoints written again, as they are or under other names.
#pragma once

#include <functional>
#include <string>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_v1.h"

namespace cairn {

// Writes the checkpoint `source` (a prefix) again as `destination`: its shards, its slices, the
// order of the bytes and its format stay, so that one whose names stay too gets the same bytes.
// `name` gives the new names, which must differ. Meta graphs are not its business. Nothing is seen
// under `destination` before all is complete, but for V1 of several files, which come one by one.
// Throws NotFound when files of the source are missing, DataLoss for damage.
void copy_checkpoint(FileSystem& fs, const std::string& source, const std::string& destination,
                     const std::function<std::string(const std::string&)>& name);

// The prefix that `source` means. Throws where `destination` is not free to be written: a
// directory, or a prefix of which any file is there already, with or without an index, the source's
// above all; or no name for a checkpoint. Then makes the folder it is in.
std::string check_copy_paths(FileSystem& fs, const std::string& source,
                             const std::string& destination, bool make_folder = true);

// Throws InvalidArgument for a name that would make what is written under it one file of several V1
// ones.
void check_is_whole(const std::string& destination);

// Adds a tensor or slice that `read` gives: at once, or in finish() where the writer takes it then.
inline void add_when_needed(BundleWriter& writer, const std::string& name, const Shape& full,
                            const TensorSlice& slice, DType, const std::function<Tensor()>& read) {
  writer.add_slice(name, full, slice, read());
}
inline void add_when_needed(CheckpointV1Writer& writer, const std::string& name, const Shape& full,
                            const TensorSlice& slice, DType dtype,
                            const std::function<Tensor()>& read) {
  writer.add_slice(name, full, slice, dtype, read);
}

}  // namespace cairn
