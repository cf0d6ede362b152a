// What the ops and savers that touch files have in common.
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

// The checkpoints that one run has open (of its RunState): each is opened, and what is in it
// learned, once, however many nodes read it. What a node of the run writes is seen by those after
// it.
class OpenCheckpoints {
 public:
  // As CheckpointReader's constructor. Valid until clear().
  const CheckpointReader& open(const std::string& path, FileSystem& fs,
                               CheckpointReader::Files files = CheckpointReader::Files::kAll);
  const CheckpointReader* find(const std::string& path) const;
  void add(const std::string& path, std::shared_ptr<const CheckpointReader> reader) {
    readers_[path] = std::move(reader);
  }
  void clear() { readers_.clear(); }

 private:
  std::map<std::string, std::shared_ptr<const CheckpointReader>> readers_;
};

// Input i as one string for each of `count` tensors; `what` names it in messages.
std::span<const std::string> strings_at(KernelContext& c, int i, const char* what, size_t count);
// Input i as a path that is not empty.
const std::string& path_at(KernelContext& c, int i);

// Output i becomes tensor names[i] of the checkpoint, or the part of it that specs[i] names. Checks
// names and dtypes of all before anything is read.
void restore_tensors(KernelContext& c, const CheckpointReader& reader,
                     std::span<const std::string> names, std::span<const std::string> specs,
                     std::span<const DType> dtypes);

// The shapes of the parts that the constant strings at input i name.
void shape_of_parts(ShapeContext& c, int i);

}  // namespace cairn
