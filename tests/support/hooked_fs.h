// A file system that passes each call to a hook and then to another file system: the base of the
// faulty and the recording one.
#pragma once

#include <functional>

#include "persist/files/file.h"

namespace cairn {

// One call: operation, path and arguments.
struct FileOp {
  enum Kind {
    kOpen,
    kRead,
    kCreate,
    kAppend,
    kSync,
    kClose,
    kRename,
    kLink,
    kRemove,
    kCreateDir,
    kRemoveDir,
    kListDir,
    kSyncDir,
    kStat,
    kLockDir,
    kIsBeingWritten,
    kSpace,
    kNameMax,
    kCanWrite
  };
  Kind kind;
  std::string path;
  std::string to = "";     // rename and link
  std::string bytes = "";  // append
  bool changes() const {
    return kind != kOpen && kind != kRead && kind != kListDir && kind < kStat;
  }
  std::string str() const;  // "rename a b", "append a 12"
};

class HookedFileSystem : public FileSystem {
 public:
  explicit HookedFileSystem(FileSystem& inner) : inner_(inner) {}

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
  size_t name_max(const std::string& directory) override;
  bool can_write(const std::string& directory) override;

 protected:
  // Makes the call; for an append, with the given number of its bytes.
  using Proceed = std::function<void(std::string_view bytes)>;
  virtual void hook(const FileOp& op, const Proceed& proceed) = 0;

 private:
  friend class HookedReadFile;
  friend class HookedWriteFile;
  FileSystem& inner_;
};

}  // namespace cairn
