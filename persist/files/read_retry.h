// Retries reading a checkpoint when a concurrent writer replaced or removed its files meanwhile.
//
//   for (ReadRetry attempt(fs, path);; attempt.again()) {
//     try {
//       return read(attempt.prefix());
//     } catch (const Error& e) {
//       if (!attempt.should_retry(e)) throw;
//     }
//   }
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "persist/files/file.h"

namespace cairn {

class ReadRetry {
 public:
  // `path` is resolved by checkpoint_prefix(), whose errors are thrown. `fs` must outlive this.
  ReadRetry(FileSystem& fs, std::string path);

  const std::string& prefix() const { return prefix_; }
  // True if the files of the prefix were replaced since the attempt began, or `path` now denotes
  // another prefix.
  bool has_changed() const;
  // True if that may have caused `error`, for at most 100 attempts.
  bool should_retry(const Error& error) const;
  // Begins the next attempt: resolves `path` again.
  void again();

 private:
  struct Seen {
    std::string path;
    uint64_t size;
    double modified;
    friend bool operator==(const Seen&, const Seen&) = default;
  };
  std::vector<Seen> look() const;
  std::string journal() const;

  FileSystem& fs_;
  std::string path_, prefix_;
  std::vector<Seen> seen_;
  std::string journal_;  // the bytes of the overwrite journal, which differ each time
  int times_ = 1;
};

}  // namespace cairn
