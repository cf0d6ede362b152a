// Shared by the ops and savers that access files.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/files/file.h"
#include "runtime/exec/context.h"
#include "runtime/exec/session.h"

namespace cairn {

// The ops of save_restore_v1_ops.cc.
extern const OpDef kSaveOp, kSaveSlicesOp, kRestoreOp, kRestoreSliceOp;

inline FileSystem& files_of(const KernelContext& c) {
  return c.file_system() ? *c.file_system() : posix_file_system();
}
inline FileSystem& files_of(const Session& s) {
  return s.file_system() ? *s.file_system() : posix_file_system();
}

// The checkpoints that one run has open (in its RunState). Each is opened and its index read once,
// however many nodes read it. Nodes that write checkpoints clear the list, so that later nodes see
// the new files.
class OpenCheckpoints {
 public:
  // Opens a checkpoint, as CheckpointReader's constructor, or returns the open one. Valid until
  // clear().
  const CheckpointReader& open(const std::string& path, FileSystem& fs,
                               CheckpointReader::Files files = CheckpointReader::Files::kAll);
  // The open checkpoint, or null.
  const CheckpointReader* find(const std::string& path) const;
  void add(const std::string& path, std::shared_ptr<const CheckpointReader> reader) {
    readers_[path] = std::move(reader);
  }
  void clear() { readers_.clear(); }

 private:
  std::map<std::string, std::shared_ptr<const CheckpointReader>> readers_;
};

// Input i as `count` strings, one for each tensor; `what` names the input in messages.
std::span<const std::string> strings_at(KernelContext& c, int i, const char* what, size_t count);
// Input i as a path; fails if it is empty.
const std::string& path_at(KernelContext& c, int i);

// Reads tensor names[i] of the checkpoint, or the part of it that specs[i] names, into output i.
// Checks all names and dtypes before reading any value.
void restore_tensors(KernelContext& c, const CheckpointReader& reader,
                     std::span<const std::string> names, std::span<const std::string> specs,
                     std::span<const DType> dtypes);

// Sets the output shapes to those of the parts in the constant strings of input i.
void shape_of_parts(ShapeContext& c, int i);

}  // namespace cairn
