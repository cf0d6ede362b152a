// A file system in memory: fast, empty at first, and gone at the end of the test.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "persist/files/file.h"

namespace cairn {

// Behaves as a POSIX file system does: open files outlive their names, rename replaces, link shares
// the bytes. A write beyond the capacity writes what fits and fails. Directories must exist before
// files are made in them; "." and
// "/" always do.
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

  // How much all files together may hold; without one, space() says 1 TiB.
  void set_capacity(uint64_t bytes);

  // Every file and its bytes: what a test compares before and after.
  std::map<std::string, std::string> contents() const;
  void set(const std::string& path, std::string bytes);  // makes no directories
  // When the next change will be; and for the state of another disk, when a file was changed last.
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
  double clock_ = 1.0;  // every change is a second later than the one before
};

}  // namespace cairn
