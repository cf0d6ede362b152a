// The machine's files as a command writes them: what it makes goes again if it fails or is ended by
// a signal.
//
//   CommandFiles& fs = command_files();
//   fs.create_dirs(directory_of(destination));
//   write_file_atomically(fs, destination, bytes);
//   fs.keep();                                       // complete: it stays, whatever comes
//
// Files and directories that were there before are never removed, nor written over: what another
// program puts under a name after the command looked stays, and the command fails. Only one that
// asks for it replaces files; one that took the place of another is never removed. What is made
// while a directory is locked is left to whoever has the lock: savers undo their own failures.
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

  // From now on a file that gets its name replaces one that has it: for savers, and for repairs.
  void let_replace();
  // The files made so far stay.
  void keep();
  // Removes what was made and not kept, the newest first, and directories that were made and are
  // empty. Errors are passed over.
  void undo();
  // The same, and ends the process, once no save has the lock of its directory: one that is under
  // way is let finish, so that all that says which checkpoints there are fits together.
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
  std::mutex mutex_;  // held while names change, so that none is missed
  std::condition_variable unlocked_;
  std::vector<std::string> files_, directories_;  // made here, in order
  int locks_ = 0;                                 // directories that are locked
  bool records_ = true;                           // false where locks cannot tell what is a saver's
  bool replaces_ = false;
};

// The one that all commands write through. Lives as long as the process.
CommandFiles& command_files();

// Throws AlreadyExists where something has the name `path` already, be it a link, also one to
// nothing; InvalidArgument for a directory and for what can only be one ("", "a/", "a/.."). For a
// command's destination, which it never writes over: it may be its own source.
void check_is_new_file(FileSystem& fs, const std::string& path);

// Makes a directory that is about to get a command's file, and removes from it what dead writers
// left.
void make_directory_for_files(FileSystem& fs, const std::string& directory);

}  // namespace cairn
