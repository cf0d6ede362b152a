// A file system whose i-th call fails.
//
//   for (size_t i = 0;; ++i) {                        // every call of an operation fails once
//     MemoryFileSystem memory;
//     FaultyFileSystem fs(memory, i, ENOSPC);
//     ... run the operation, check what it left behind ...
//     if (!fs.failed()) break;  // it makes fewer than i + 1 calls: all were tried
//   }
#pragma once

#include "tests/support/hooked_fs.h"

namespace cairn {

class FaultyFileSystem final : public HookedFileSystem {
 public:
  enum Span { kOnce, kForever };
  // Call number `at` (from 0; with kForever also all later ones) fails like a system call with
  // `error_number`. A failing append writes half of its bytes.
  FaultyFileSystem(FileSystem& inner, size_t at, int error_number, Span span = kOnce)
      : HookedFileSystem(inner), at_(at), error_number_(error_number), span_(span) {}

  bool failed() const { return failed_; }
  // The first call that failed.
  const std::optional<FileOp>& failed_op() const { return failed_op_; }
  size_t calls() const { return calls_; }

 protected:
  void hook(const FileOp& op, const Proceed& proceed) override {
    const size_t i = calls_++;
    if (i < at_ || (i > at_ && span_ == kOnce)) return proceed(op.bytes);
    failed_ = true;
    if (!failed_op_) failed_op_ = op;
    if (op.kind == FileOp::kAppend)
      proceed(std::string_view(op.bytes).substr(0, op.bytes.size() / 2));
    fail_with_errno(op.path, str_cat("(made to fail) ", op.str()), error_number_);
  }

 private:
  size_t at_;
  int error_number_;
  Span span_;
  size_t calls_ = 0;
  bool failed_ = false;
  std::optional<FileOp> failed_op_;
};

}  // namespace cairn
