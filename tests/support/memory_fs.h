// A file system in memory, empty at first.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "persist/files/file.h"

namespace cairn {

// Behaves like a POSIX file system: open files outlive their names, rename replaces, link shares
// the bytes. A write beyond the capacity writes the bytes that fit and fails. Directories must
// exist before files are made in them; "." and "/" always exist.
class MemoryFileSystem : public FileSystem {
 public:
  std::unique_ptr<RandomAccessFile> open(const std::string& path) override;
  std::unique_ptr<WritableFile> create(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void link(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void create_dir(const std::string& path) override;
  void remove_dir(const std::string& path) override;
  std::vector<std::string> list_dir(const std::string& path) override;
  void sync_dir(const std::string& path) override;
  std::optional<FileInfo> stat(const std::string& path) override;
  std::unique_ptr<DirLock> lock_dir(const std::string& path) override;
  bool is_being_written(const std::string& path) override;
  uint64_t space(const std::string& directory) override;
  size_t name_max(const std::string&) override { return 255; }
  bool can_write(const std::string& directory) override;

  // The capacity for all files together; without one, space() returns 1 TiB.
  void set_capacity(uint64_t bytes);

  // All files and their bytes, which tests compare before and after.
  std::map<std::string, std::string> contents() const;
  void set(const std::string& path, std::string bytes);  // does not make directories
  // The time of the next change; and, to copy the state of another disk, the time of the last
  // change of a file.
  double clock() const;
  void set_clock(double now);
  void set_modified(const std::string& path, double time);

 private:
  struct Node {
    std::string bytes;
    double modified = 0;
    int writers = 0;
  };
  struct Locked;
  uint64_t used() const;
  bool is_dir(const std::string& path) const {
    return path == "." || path == "/" || dirs_.count(path) > 0;
  }
  void check_parent(const std::string& path, std::string_view operation) const;
  std::shared_ptr<Node> find(const std::string& path, std::string_view operation) const;

  friend class MemoryFile;
  friend class MemoryWritableFile;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Node>> files_;
  std::set<std::string> dirs_, locked_;
  std::optional<uint64_t> capacity_;
  double clock_ = 1.0;  // each change is a second later than the one before
};

}  // namespace cairn
