// Reading a checkpoint while a writer may be at work in its directory: what goes wrong because the
// files were replaced or removed between one look and the next is tried again.
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
  // `path` as checkpoint_prefix() takes it, and throws for it.
  ReadRetry(FileSystem& fs, std::string path);

  const std::string& prefix() const { return prefix_; }
  // True when other files are under the prefix now, or the path stands for another prefix.
  bool has_changed() const;
  // True when that may be the reason for `error`, and it is not the hundredth time.
  bool should_retry(const Error& error) const;
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
  std::string journal_;  // of an overwriting, its bytes: different ones for each
  int times_ = 1;
};

}  // namespace cairn
