// Files: the one door through which Cairn touches a disk.
//
// Everything that reads or writes takes a FileSystem, so that tests can keep files in memory, make
// the i-th call fail, or record the order of calls. posix_file_system() is the real one.
//
// Every function throws cairn::Error whose message is "path: what was tried: what the system said;
// what to do" and whose code is TensorFlow's for that errno: NotFound, PermissionDenied,
// ResourceExhausted (disk full, quota), ... All may be called from several threads; one
// WritableFile belongs to one thread at a time.
//
// Links. A symbolic link to a file is read as that file, and a link to a directory is used as that
// directory, since people lay out their checkpoints so. But a name that Cairn makes for itself
// (persist/files/own_names.h: temporary and recovery files, journals, directories of parts) is
// never followed where it turns out to be a link, and create() never opens a file of such a name
// that was there already. Pipes, devices and sockets are not read.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/error.h"

namespace CAIRN_API cairn {

class Publication;

// How work is shared: calls body(i) for 0 <= i < n, some at once. Throws what one of them throws.
// Null: nobody shares.
using ParallelFor = std::function<void(int64_t n, const std::function<void(int64_t)>& body)>;

// An open file that is read by position. Stays readable after the path was renamed over or removed.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;
  virtual const std::string& path() const = 0;
  // The size when the file was opened.
  virtual uint64_t size() const = 0;
  // Fills `into` with the bytes from `offset` on, straight into the caller's memory. Throws
  // DataLoss when the file ends before `into` is full. Safe from several threads.
  virtual void read(uint64_t offset, std::span<char> into) const = 0;
};

// An open file that grows at its end. Unbuffered: each append is at least one system call, so
// gather small pieces. The destructor closes without syncing and reports nothing.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual const std::string& path() const = 0;
  // All of `bytes` or an error; after an error the file ends somewhere between.
  virtual void append(std::string_view bytes) = 0;
  // Returns when everything appended so far survives a loss of power (fsync).
  virtual void sync() = 0;
  virtual void close() = 0;
};

struct FileInfo {
  uint64_t size = 0;
  double modified = 0;  // seconds since 1970
  bool is_directory = false;
  bool is_special = false;  // neither file nor directory: a named pipe, a device, a socket
  bool is_link =
      false;  // the path itself is a symbolic link; everything else here is about what it leads to
  uint32_t owner = 0;   // the number of the user whose it is
  bool is_mine = true;  // that is the user of this process
  bool is_file() const { return !is_directory && !is_special; }
};

// A directory that belongs to one writer for as long as this is held.
class DirLock {
 public:
  virtual ~DirLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Throws FailedPrecondition for a directory, a named pipe, a device or a socket, without waiting
  // for any of them.
  virtual std::unique_ptr<RandomAccessFile> open(const std::string& path) = 0;
  // A new empty file with the permissions that the umask grants. One that was there is emptied,
  // unless it has a name that Cairn makes for itself: then throws AlreadyExists.
  virtual std::unique_ptr<WritableFile> create(const std::string& path) = 0;

  // Replaces `to` in one step: a reader finds the old file or the new one, never neither.
  virtual void rename(const std::string& from, const std::string& to) = 0;
  // A second name for the same file. Throws AlreadyExists when `to` is there.
  virtual void link(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;

  // Makes the last component of `path`; a directory that is there already is fine.
  virtual void create_dir(const std::string& path) = 0;
  // Removes an empty directory.
  virtual void remove_dir(const std::string& path) = 0;
  // The names in a directory, sorted, without "." and "..".
  virtual std::vector<std::string> list_dir(const std::string& path) = 0;
  // Makes the directory's names (files created, renamed, removed in it) survive a loss of power.
  virtual void sync_dir(const std::string& path) = 0;

  // What is at `path`, or nothing when there is nothing: also for a link that leads nowhere.
  virtual std::optional<FileInfo> stat(const std::string& path) = 0;

  // Takes the directory for one writer, of this process or another. Advisory: it keeps out only
  // those who ask for it, makes no file, and is gone with the process that held it. Null where the
  // file system has no locks. Throws FailedPrecondition, naming the directory, when another writer
  // has it; NotFound.
  virtual std::unique_ptr<DirLock> lock_dir(const std::string& path) = 0;
  // True while a WritableFile of this path is open in any process, and where that cannot be told.
  virtual bool is_being_written(const std::string& path) = 0;

  // How many bytes may still be written into this directory.
  virtual uint64_t space(const std::string& directory) = 0;
  // The longest name that a file in this directory can have, in bytes.
  virtual size_t name_max(const std::string& directory) = 0;
  // Whether files can be made in this directory, as far as permissions say.
  virtual bool can_write(const std::string& directory) = 0;

  bool exists(const std::string& path) { return stat(path).has_value(); }
  // Makes `path` and every missing directory above it, so that they survive a loss of power.
  void create_dirs(const std::string& path);

 private:
  friend class Publication;
  friend void publish(FileSystem&, const std::string&, const std::function<void(Publication&)>&);
  std::mutex publications_mutex_;
  // saves under way, which gather what kernels write; by prefix
  std::map<std::string, Publication*> publications_;
};

FileSystem& posix_file_system();
// The file system, or the machine's where there is none.
FileSystem& or_posix(FileSystem* fs);

// Whether the path leads to a file: not to a directory, a pipe or a device.
bool is_file(FileSystem& fs, const std::string& path);

// The parts of a path: directory_of("a/b") is "a", directory_of("b") is ".", directory_of("/b") is
// "/".
std::string directory_of(const std::string& path);
std::string base_name(const std::string& path);
// join_path("a", "b") is "a/b"; an absolute `name` stands for itself, and so does a `name` in "" or
// ".".
std::string join_path(const std::string& directory, const std::string& name);

std::string read_file(FileSystem& fs, const std::string& path);
// Not atomic: for files that nobody reads yet. Synced before it returns.
void write_file(FileSystem& fs, const std::string& path, std::string_view bytes);
// Readers of `path` find the old bytes or the new ones, also after a crash; on an error the old
// file is untouched.
//   write_file_atomically(fs, "run/checkpoint", text);
void write_file_atomically(FileSystem& fs, const std::string& path, std::string_view bytes);

// A directory that is about to get a file, with the missing ones above it. Those that were not
// there before are removed again at the end of the scope, unless keep() was called or something is
// in them by then.
//
//   NewDirectories made(fs, "run/deep");
//   ... write into it ...  // throws: "run" and "run/deep" are gone again if they were made here
//   made.keep();
class NewDirectories {
 public:
  enum Levels { kAll, kLast };
  // Makes what is missing, so that it survives a loss of power; with kLast the last component of
  // `path` only. Throws what the file system does, and leaves nothing then.
  NewDirectories(FileSystem& fs, const std::string& path, Levels levels = kAll);
  ~NewDirectories();
  NewDirectories(const NewDirectories&) = delete;
  NewDirectories& operator=(const NewDirectories&) = delete;
  void keep() { made_.clear(); }

 private:
  void make(const std::string& path, Levels levels);
  void remove_made();
  FileSystem& fs_;
  std::vector<std::string> made_;  // outermost first
};

// A file on its way to `path`: written under a short temporary name (".t-" and eight hex digits
// drawn by lot; short, so that no path becomes too long) in the same directory, and seen under its
// own name only when it is complete.
//
//   AtomicFile data(fs, "run/m.data"), index(fs, "run/m.index");
//   data.append(...);   index.append(...);
//   data.seal();        index.seal();       // both are on the disk
//   data.publish();     index.publish();    // both have their names
//   fs.sync_dir("run");                     // and keep them
//
// Destroyed before publish(), it removes the temporary file and leaves `path` as it was. Errors
// name `path`.
class AtomicFile final : public WritableFile {
 public:
  AtomicFile(FileSystem& fs, std::string path);
  ~AtomicFile() override;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::string& path() const override { return path_; }
  void append(std::string_view bytes) override;
  void sync() override;
  void close() override;

  // Syncs. Nothing can be appended afterwards. The file stays open until it has its name, for
  // is_being_written().
  void seal();
  // Renames to path(); seals first if that was not done. The caller syncs the directory.
  void publish();
  // Seals, and leaves the temporary file to the caller, who renames or removes it.
  struct Sealed {
    std::string temporary;
    std::unique_ptr<WritableFile> open;
  };
  Sealed release();

 private:
  FileSystem& fs_;
  std::string path_, temporary_;
  std::unique_ptr<WritableFile> file_;  // null once closed
  bool sealed_ = false, gone_ = false;  // gone: it has its name, or another owner
};

// True for a base name that AtomicFile makes: such a file left by a process that died can be
// removed.
bool is_temporary_name(std::string_view base_name);
// Removes the temporary files in a directory that nobody is writing. What cannot be removed stays.
void remove_dead_temporaries(FileSystem& fs, const std::string& directory);

// The error for a failed system call; test doubles report through it too. `operation` reads like
// "opening for reading".
[[noreturn]] void fail_with_errno(const std::string& path, std::string_view operation,
                                  int error_number);
// The error for a directory that another writer has locked.
[[noreturn]] void fail_locked(const std::string& directory);

}  // namespace cairn
