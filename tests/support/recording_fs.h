// A file system that records all calls, with their bytes, in order.
#pragma once

#include "tests/support/hooked_fs.h"

namespace cairn {

class RecordingFileSystem final : public HookedFileSystem {
 public:
  using HookedFileSystem::HookedFileSystem;

  // The calls that succeeded; `changes` are those that change the disk, or sync it.
  const std::vector<FileOp>& ops() const { return ops_; }
  std::vector<FileOp> changes() const {
    std::vector<FileOp> some;
    for (const FileOp& op : ops_) {
      if (op.changes()) some.push_back(op);
    }
    return some;
  }

 protected:
  void hook(const FileOp& op, const Proceed& proceed) override {
    proceed(op.bytes);
    ops_.push_back(op);
  }

 private:
  std::vector<FileOp> ops_;
};

}  // namespace cairn
