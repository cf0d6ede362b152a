// Copies of checkpoints, with the same or with other tensor names.
#pragma once

#include <functional>
#include <string>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_v1.h"

namespace cairn {

// Copies the checkpoint `source` (a prefix) to `destination`. Shards, slices, order of the bytes
// and format are preserved: if the names are the same, so are the bytes. `name` returns the new
// name of a tensor; new names must differ from each other. Meta graphs are not copied. Nothing
// appears under `destination` before everything is complete, except for V1 checkpoints in several
// files, which appear one by one. Throws NotFound if files of the source are missing, DataLoss for
// damage.
void copy_checkpoint(FileSystem& fs, const std::string& source, const std::string& destination,
                     const std::function<std::string(const std::string&)>& name);

// Returns the prefix that `source` denotes and, with `make_folder`, creates the directory of
// `destination`. Throws InvalidArgument if `destination` is a directory or not a valid name for a
// checkpoint, AlreadyExists if it is the source or any file of this prefix exists, with or without
// an index.
std::string check_copy_paths(FileSystem& fs, const std::string& source,
                             const std::string& destination, bool make_folder = true);

// Throws InvalidArgument for a name that denotes one file of a V1 checkpoint in several files.
void check_is_whole(const std::string& destination);

// Adds the tensor or slice that `read` returns. BundleWriter reads it now, CheckpointV1Writer in
// finish().
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
