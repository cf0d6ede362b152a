#include "tests/support/hooked_fs.h"

namespace cairn {

std::string FileOp::str() const {
  static constexpr std::string_view kNames[] = {
      "open",     "read", "create",   "append",           "sync",       "close",
      "rename",   "link", "remove",   "create_dir",       "remove_dir", "list_dir",
      "sync_dir", "stat", "lock_dir", "is_being_written", "space",      "name_max",
      "can_write"};
  std::string text = str_cat(kNames[kind], " ", path);
  if (!to.empty()) text += str_cat(" ", to);
  if (kind == kAppend) text += str_cat(" ", bytes.size());
  return text;
}

class HookedReadFile final : public RandomAccessFile {
 public:
  HookedReadFile(HookedFileSystem& fs, std::unique_ptr<RandomAccessFile> inner)
      : fs_(fs), inner_(std::move(inner)) {}
  const std::string& path() const override { return inner_->path(); }
  uint64_t size() const override { return inner_->size(); }
  void read(uint64_t offset, std::span<char> into) const override {
    fs_.hook({FileOp::kRead, path()}, [&](std::string_view) { inner_->read(offset, into); });
  }

 private:
  HookedFileSystem& fs_;
  std::unique_ptr<RandomAccessFile> inner_;
};

class HookedWriteFile final : public WritableFile {
 public:
  HookedWriteFile(HookedFileSystem& fs, std::unique_ptr<WritableFile> inner)
      : fs_(fs), inner_(std::move(inner)) {}
  const std::string& path() const override { return inner_->path(); }
  void append(std::string_view bytes) override {
    fs_.hook({FileOp::kAppend, path(), "", std::string(bytes)},
             [&](std::string_view some) { inner_->append(some); });
  }
  void sync() override {
    fs_.hook({FileOp::kSync, path()}, [&](std::string_view) { inner_->sync(); });
  }
  void close() override {
    fs_.hook({FileOp::kClose, path()}, [&](std::string_view) { inner_->close(); });
  }

 private:
  HookedFileSystem& fs_;
  std::unique_ptr<WritableFile> inner_;
};

std::unique_ptr<RandomAccessFile> HookedFileSystem::open(const std::string& path) {
  std::unique_ptr<RandomAccessFile> file;
  hook({FileOp::kOpen, path}, [&](std::string_view) { file = inner_.open(path); });
  return std::make_unique<HookedReadFile>(*this, std::move(file));
}
std::unique_ptr<WritableFile> HookedFileSystem::create(const std::string& path) {
  std::unique_ptr<WritableFile> file;
  hook({FileOp::kCreate, path}, [&](std::string_view) { file = inner_.create(path); });
  return std::make_unique<HookedWriteFile>(*this, std::move(file));
}
void HookedFileSystem::rename(const std::string& from, const std::string& to) {
  hook({FileOp::kRename, from, to}, [&](std::string_view) { inner_.rename(from, to); });
}
void HookedFileSystem::link(const std::string& from, const std::string& to) {
  hook({FileOp::kLink, from, to}, [&](std::string_view) { inner_.link(from, to); });
}
void HookedFileSystem::remove(const std::string& path) {
  hook({FileOp::kRemove, path}, [&](std::string_view) { inner_.remove(path); });
}
void HookedFileSystem::create_dir(const std::string& path) {
  hook({FileOp::kCreateDir, path}, [&](std::string_view) { inner_.create_dir(path); });
}
void HookedFileSystem::remove_dir(const std::string& path) {
  hook({FileOp::kRemoveDir, path}, [&](std::string_view) { inner_.remove_dir(path); });
}
std::vector<std::string> HookedFileSystem::list_dir(const std::string& path) {
  std::vector<std::string> names;
  hook({FileOp::kListDir, path}, [&](std::string_view) { names = inner_.list_dir(path); });
  return names;
}
void HookedFileSystem::sync_dir(const std::string& path) {
  hook({FileOp::kSyncDir, path}, [&](std::string_view) { inner_.sync_dir(path); });
}
std::optional<FileInfo> HookedFileSystem::stat(const std::string& path) {
  std::optional<FileInfo> info;
  hook({FileOp::kStat, path}, [&](std::string_view) { info = inner_.stat(path); });
  return info;
}

std::unique_ptr<DirLock> HookedFileSystem::lock_dir(const std::string& path) {
  std::unique_ptr<DirLock> lock;
  hook({FileOp::kLockDir, path}, [&](std::string_view) { lock = inner_.lock_dir(path); });
  return lock;
}
bool HookedFileSystem::is_being_written(const std::string& path) {
  bool is = true;
  hook({FileOp::kIsBeingWritten, path},
       [&](std::string_view) { is = inner_.is_being_written(path); });
  return is;
}
uint64_t HookedFileSystem::space(const std::string& directory) {
  uint64_t bytes = 0;
  hook({FileOp::kSpace, directory}, [&](std::string_view) { bytes = inner_.space(directory); });
  return bytes;
}
size_t HookedFileSystem::name_max(const std::string& directory) {
  size_t bytes = 0;
  hook({FileOp::kNameMax, directory},
       [&](std::string_view) { bytes = inner_.name_max(directory); });
  return bytes;
}
bool HookedFileSystem::can_write(const std::string& directory) {
  bool can = false;
  hook({FileOp::kCanWrite, directory},
       [&](std::string_view) { can = inner_.can_write(directory); });
  return can;
}

}  // namespace cairn
