// The file system of the commands: it removes the files that a command made if the command fails or
// a signal ends it.
//
//   CommandFiles& fs = command_files();
//   fs.create_dirs(directory_of(destination));
//   write_file_atomically(fs, destination, bytes);
//   fs.keep();                                       // complete: not removed any more
//
// Existing files and directories are never removed or overwritten; if another program makes a file
// under the same name meanwhile, the file is kept and the command fails. Commands that call
// let_replace() replace files; a file that replaced another is never removed. Files made while a
// directory is locked are not removed here: savers undo their own failures.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "persist/files/file.h"

namespace cairn {

class CommandFiles final : public FileSystem {
 public:
  explicit CommandFiles(FileSystem& inner) : inner_(inner) {}

  // From now on files may replace existing ones: for savers and repairs.
  void let_replace();
  // The files made so far are complete: undo() does not remove them.
  void keep();
  // Removes the files that were made and not kept, the newest first, and directories that were made
  // and are empty. Ignores errors.
  void undo();
  // The same, then ends the process. Waits first for a save that holds the lock of its directory,
  // so that the checkpoint and the files that list it agree.
  [[noreturn]] void undo_and_exit(int status);

  std::unique_ptr<RandomAccessFile> open(const std::string& path) override {
    return inner_.open(path);
  }
  std::unique_ptr<WritableFile> create(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void link(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void create_dir(const std::string& path) override;
  void remove_dir(const std::string& path) override;
  std::vector<std::string> list_dir(const std::string& path) override {
    return inner_.list_dir(path);
  }
  void sync_dir(const std::string& path) override { inner_.sync_dir(path); }
  std::optional<FileInfo> stat(const std::string& path) override { return inner_.stat(path); }
  std::unique_ptr<DirLock> lock_dir(const std::string& path) override;
  bool is_being_written(const std::string& path) override { return inner_.is_being_written(path); }
  uint64_t space(const std::string& directory) override { return inner_.space(directory); }
  size_t name_max(const std::string& directory) override { return inner_.name_max(directory); }
  bool can_write(const std::string& directory) override { return inner_.can_write(directory); }

 private:
  friend class CommandLock;
  bool is_free(const std::string& path) const;
  bool is_made_here(const std::string& path) const;
  void forget(const std::string& path);
  void undo_locked();

  FileSystem& inner_;
  std::mutex mutex_;  // held while names change
  std::condition_variable unlocked_;
  std::vector<std::string> files_, directories_;  // made here, in order
  int locks_ = 0;                                 // number of locked directories
  bool records_ = true;                           // false without locks, which tell files of savers
  bool replaces_ = false;
};

// The instance that all commands use. Never destroyed.
CommandFiles& command_files();

// For the destination of a command, which must not exist as it may be the source. Throws
// AlreadyExists for an existing file or link, also a broken link; InvalidArgument for a directory
// and for a path that can only be one ("", "a/", "a/..").
void check_is_new_file(FileSystem& fs, const std::string& path);

// Makes the directory for a command's file, and removes temporary files of dead writers from it.
void make_directory_for_files(FileSystem& fs, const std::string& directory);

}  // namespace cairn
