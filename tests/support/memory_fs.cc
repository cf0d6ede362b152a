#include "tests/support/memory_fs.h"

#include <algorithm>
#include <cerrno>

#include "persist/files/own_names.h"

namespace cairn {

using Lock = std::lock_guard<std::mutex>;

class MemoryFile final : public RandomAccessFile {
 public:
  MemoryFile(MemoryFileSystem& fs, std::string path, std::shared_ptr<MemoryFileSystem::Node> node)
      : fs_(fs), path_(std::move(path)), node_(std::move(node)), size_(node_->bytes.size()) {}
  const std::string& path() const override { return path_; }
  uint64_t size() const override { return size_; }
  void read(uint64_t offset, std::span<char> into) const override {
    const Lock lock(fs_.mutex_);
    const std::string& bytes = node_->bytes;
    if (offset > bytes.size() || into.size() > bytes.size() - offset) {
      fail(Code::kDataLoss, path_, ": reading ", into.size(), " bytes at offset ", offset,
           ": the file ends");
    }
    std::copy_n(bytes.data() + offset, into.size(), into.data());
  }

 private:
  MemoryFileSystem& fs_;
  std::string path_;
  std::shared_ptr<MemoryFileSystem::Node> node_;
  uint64_t size_;
};

class MemoryWritableFile final : public WritableFile {
 public:
  MemoryWritableFile(MemoryFileSystem& fs, std::string path,
                     std::shared_ptr<MemoryFileSystem::Node> node)
      : fs_(fs), path_(std::move(path)), node_(std::move(node)) {
    ++node_->writers;
  }
  ~MemoryWritableFile() override {
    const Lock lock(fs_.mutex_);
    if (open_) --node_->writers;
  }
  const std::string& path() const override { return path_; }
  void append(std::string_view bytes) override {
    const Lock lock(fs_.mutex_);
    const uint64_t room =
        fs_.capacity_ ? *fs_.capacity_ - std::min(*fs_.capacity_, fs_.used()) : bytes.size();
    node_->bytes += bytes.substr(0, room);
    node_->modified = fs_.clock_++;
    if (bytes.size() > room)
      fail_with_errno(path_, str_cat("writing ", bytes.size(), " bytes"), ENOSPC);
  }
  void sync() override {}
  void close() override {
    const Lock lock(fs_.mutex_);
    if (open_) --node_->writers;
    open_ = false;
  }

 private:
  MemoryFileSystem& fs_;
  std::string path_;
  std::shared_ptr<MemoryFileSystem::Node> node_;
  bool open_ = true;
};

struct MemoryFileSystem::Locked final : DirLock {
  Locked(MemoryFileSystem& in, std::string directory) : fs(in), path(std::move(directory)) {}
  ~Locked() override {
    const Lock lock(fs.mutex_);
    fs.locked_.erase(path);
  }
  MemoryFileSystem& fs;
  std::string path;
};

void MemoryFileSystem::check_parent(const std::string& path, std::string_view operation) const {
  if (!is_dir(directory_of(path))) fail_with_errno(path, operation, ENOENT);
}

std::shared_ptr<MemoryFileSystem::Node> MemoryFileSystem::find(const std::string& path,
                                                               std::string_view operation) const {
  const auto at = files_.find(path);
  if (at == files_.end()) fail_with_errno(path, operation, is_dir(path) ? EISDIR : ENOENT);
  return at->second;
}

std::unique_ptr<RandomAccessFile> MemoryFileSystem::open(const std::string& path) {
  const Lock lock(mutex_);
  return std::make_unique<MemoryFile>(*this, path, find(path, "opening for reading"));
}

std::unique_ptr<WritableFile> MemoryFileSystem::create(const std::string& path) {
  const Lock lock(mutex_);
  check_parent(path, "opening for writing");
  if (is_dir(path)) fail_with_errno(path, "opening for writing", EISDIR);
  if (is_own_name(base_name(path)) && files_.count(path))
    fail_with_errno(path, "opening for writing", EEXIST);
  auto& node = files_[path];
  if (!node) node = std::make_shared<Node>();
  node->bytes.clear();
  node->modified = clock_++;
  return std::make_unique<MemoryWritableFile>(*this, path, node);
}

void MemoryFileSystem::rename(const std::string& from, const std::string& to) {
  const Lock lock(mutex_);
  const auto node = find(from, "renaming");
  check_parent(to, "renaming");
  if (is_dir(to)) fail_with_errno(to, "renaming", EISDIR);
  // as in POSIX
  if (const auto there = files_.find(to); there != files_.end() && there->second == node) return;
  files_.erase(from);
  files_[to] = node;
}

void MemoryFileSystem::link(const std::string& from, const std::string& to) {
  const Lock lock(mutex_);
  const auto node = find(from, "linking");
  check_parent(to, "linking");
  if (is_dir(to) || !files_.emplace(to, node).second) fail_with_errno(to, "linking", EEXIST);
}

void MemoryFileSystem::remove(const std::string& path) {
  const Lock lock(mutex_);
  find(path, "removing");
  files_.erase(path);
}

void MemoryFileSystem::create_dir(const std::string& path) {
  const Lock lock(mutex_);
  check_parent(path, "making the directory");
  if (files_.count(path)) fail_with_errno(path, "making the directory", EEXIST);
  if (!is_dir(path)) dirs_.insert(path);
}

void MemoryFileSystem::remove_dir(const std::string& path) {
  if (!list_dir(path).empty()) fail_with_errno(path, "removing the directory", ENOTEMPTY);
  const Lock lock(mutex_);
  dirs_.erase(path);
}

std::vector<std::string> MemoryFileSystem::list_dir(const std::string& path) {
  const Lock lock(mutex_);
  if (!is_dir(path))
    fail_with_errno(path, "listing the directory", files_.count(path) ? ENOTDIR : ENOENT);
  std::vector<std::string> names;
  const auto take = [&](const std::string& entry) {
    if (entry != path && directory_of(entry) == path) names.push_back(base_name(entry));
  };
  for (const auto& [name, node] : files_) take(name);
  for (const auto& name : dirs_) take(name);
  std::sort(names.begin(), names.end());
  return names;
}

void MemoryFileSystem::sync_dir(const std::string& path) {
  const Lock lock(mutex_);
  if (!is_dir(path)) fail_with_errno(path, "syncing the directory", ENOENT);
}

std::optional<FileInfo> MemoryFileSystem::stat(const std::string& path) {
  const Lock lock(mutex_);
  if (is_dir(path)) return FileInfo{.is_directory = true};
  const auto at = files_.find(path);
  if (at == files_.end()) return std::nullopt;
  return FileInfo{.size = at->second->bytes.size(), .modified = at->second->modified};
}

std::unique_ptr<DirLock> MemoryFileSystem::lock_dir(const std::string& path) {
  const Lock lock(mutex_);
  if (!is_dir(path)) fail_with_errno(path, "locking the directory", ENOENT);
  if (!locked_.insert(path).second) fail_locked(path);
  return std::make_unique<Locked>(*this, path);
}

bool MemoryFileSystem::is_being_written(const std::string& path) {
  const Lock lock(mutex_);
  return find(path, "asking who writes it")->writers > 0;
}

uint64_t MemoryFileSystem::used() const {
  std::set<const Node*> nodes;
  uint64_t bytes = 0;
  for (const auto& [path, node] : files_) {
    if (nodes.insert(node.get()).second) bytes += node->bytes.size();
  }
  return bytes;
}

uint64_t MemoryFileSystem::space(const std::string& directory) {
  const Lock lock(mutex_);
  if (!is_dir(directory)) fail_with_errno(directory, "looking at the directory", ENOENT);
  return capacity_ ? *capacity_ - std::min(*capacity_, used()) : uint64_t{1} << 40;
}

bool MemoryFileSystem::can_write(const std::string& directory) {
  const Lock lock(mutex_);
  if (!is_dir(directory)) fail_with_errno(directory, "looking at the directory", ENOENT);
  return true;
}

void MemoryFileSystem::set_capacity(uint64_t bytes) {
  const Lock lock(mutex_);
  capacity_ = bytes;
}

std::map<std::string, std::string> MemoryFileSystem::contents() const {
  const Lock lock(mutex_);
  std::map<std::string, std::string> all;
  for (const auto& [path, node] : files_) all[path] = node->bytes;
  return all;
}

double MemoryFileSystem::clock() const {
  const Lock lock(mutex_);
  return clock_;
}

void MemoryFileSystem::set_clock(double now) {
  const Lock lock(mutex_);
  clock_ = now;
}

void MemoryFileSystem::set_modified(const std::string& path, double time) {
  const Lock lock(mutex_);
  find(path, "setting the time of")->modified = time;
}

void MemoryFileSystem::set(const std::string& path, std::string bytes) {
  if (is_own_name(base_name(path)) && exists(path)) remove(path);
  create(path)->append(bytes);
}

}  // namespace cairn
