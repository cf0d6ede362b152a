#include "tools/command_files.h"

#include <unistd.h>

#include <algorithm>

#include "persist/files/publication.h"

namespace cairn {

class CommandLock final : public DirLock {
 public:
  CommandLock(CommandFiles& files, std::unique_ptr<DirLock> inner)
      : files_(files), inner_(std::move(inner)) {}
  ~CommandLock() override {
    inner_.reset();
    const std::lock_guard lock(files_.mutex_);
    --files_.locks_;
    files_.files_.clear();
    files_.unlocked_.notify_all();
  }

 private:
  CommandFiles& files_;
  std::unique_ptr<DirLock> inner_;
};

// A broken link is not free.
bool CommandFiles::is_free(const std::string& path) const {
  try {
    return !inner_.exists(path);
  } catch (const Error&) {
    return false;
  }
}

std::unique_ptr<WritableFile> CommandFiles::create(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const bool is_new = is_free(path);
  auto file = inner_.create(path);
  if (is_new && records_) files_.push_back(path);
  return file;
}

void CommandFiles::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const bool is_new = !replaces_ || is_free(to);
  replaces_ ? inner_.rename(from, to) : rename_to_new(inner_, from, to);
  const bool made_here = is_made_here(from);
  forget(from);
  if (made_here && is_new && records_) files_.push_back(to);
}

void CommandFiles::link(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  inner_.link(from, to);
  if (is_made_here(from) && records_) files_.push_back(to);
}

void CommandFiles::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  inner_.remove(path);
  forget(path);
}

void CommandFiles::create_dir(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const bool is_new = is_free(path);
  inner_.create_dir(path);
  if (is_new) directories_.push_back(path);
}

void CommandFiles::remove_dir(const std::string& path) {
  const std::lock_guard lock(mutex_);
  inner_.remove_dir(path);
  std::erase(directories_, path);
}

std::unique_ptr<DirLock> CommandFiles::lock_dir(const std::string& path) {
  const std::lock_guard lock(mutex_);
  auto inner = inner_.lock_dir(path);
  if (!inner) {
    records_ = false;
    files_.clear();
    return nullptr;
  }
  ++locks_;
  return std::make_unique<CommandLock>(*this, std::move(inner));
}

bool CommandFiles::is_made_here(const std::string& path) const {
  return std::find(files_.begin(), files_.end(), path) != files_.end();
}

void CommandFiles::forget(const std::string& path) { std::erase(files_, path); }

void CommandFiles::let_replace() {
  const std::lock_guard lock(mutex_);
  replaces_ = true;
}

void CommandFiles::keep() {
  const std::lock_guard lock(mutex_);
  files_.clear();
}

void CommandFiles::undo_locked() {
  const auto quietly = [](const auto& action) {
    try {
      action();
      // already removed, or a directory with other files or with files that were kept
    } catch (const Error&) {
    }
  };
  for (; !files_.empty(); files_.pop_back()) quietly([&] { inner_.remove(files_.back()); });
  for (; !directories_.empty(); directories_.pop_back())
    quietly([&] { inner_.remove_dir(directories_.back()); });
}

void CommandFiles::undo() {
  const std::lock_guard lock(mutex_);
  undo_locked();
}

void CommandFiles::undo_and_exit(int status) {
  std::unique_lock lock(mutex_);
  unlocked_.wait(lock, [&] { return locks_ == 0; });
  undo_locked();
  ::_exit(status);  // with the mutex held, so that no other thread changes a name
}

CommandFiles& command_files() {
  static auto* files = new CommandFiles(posix_file_system());
  return *files;
}

void check_is_new_file(FileSystem& fs, const std::string& path) {
  if (const std::string name = base_name(path); name.empty() || name == "." || name == "..")
    fail(Code::kInvalidArgument, "'", path, "' names a directory; give the name of a file");
  const auto there = fs.stat(path);
  if (there && there->is_directory)
    fail(Code::kInvalidArgument, path, " is a directory; give the name of a file in it");
  bool taken = there.has_value();
  if (const std::string directory = directory_of(path); !taken && fs.exists(directory)) {
    const auto names = fs.list_dir(directory);
    taken = std::find(names.begin(), names.end(), base_name(path)) != names.end();
  }
  if (!taken) return;
  fail(Code::kAlreadyExists, path,
       ": the file exists and is not overwritten; give another name, or ", "remove it first");
}

void make_directory_for_files(FileSystem& fs, const std::string& directory) {
  fs.create_dirs(directory);
  sweep_dead(fs, directory);
}

}  // namespace cairn
