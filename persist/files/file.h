// Files: the interface through which Cairn accesses the disk.
//
// Everything that reads or writes takes a FileSystem, so that tests can keep files in memory, make
// the i-th call fail, or record the order of calls. posix_file_system() is the real one.
//
//   FileSystem& fs = posix_file_system();
//   write_file_atomically(fs, "run/note", "text");
//   read_file(fs, "run/nothing");   // throws NotFound: "run/nothing: opening for reading: ..."
//
// Every function throws cairn::Error with the message "path: operation: the system's message;
// remedy" and TensorFlow's code for that errno: NotFound, PermissionDenied, ResourceExhausted (disk
// full, quota), ... All functions may be called from several threads; a WritableFile may be used by
// one thread at a time.
//
// Links. A symbolic link to a file is read as that file, and a link to a directory is used as that
// directory, since users lay out checkpoints that way. But if a name that Cairn makes for itself
// (persist/files/own_names.h: temporary and recovery files, journals, directories of parts) is a
// link, it is never followed, and create() never opens an existing file of such a name. Pipes,
// devices and sockets are not read.
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

// Distributes work over threads: calls body(i) for 0 <= i < n, some at the same time, and returns
// when all are done. Throws what a call throws. Null: the work is done in a loop.
using ParallelFor = std::function<void(int64_t n, const std::function<void(int64_t)>& body)>;

// An open file that is read at given offsets. Remains readable after its path was renamed over or
// removed.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;
  virtual const std::string& path() const = 0;
  // The size in bytes when the file was opened.
  virtual uint64_t size() const = 0;
  // Fills `into` with the bytes that begin at `offset`. Throws DataLoss if the file ends before
  // `into` is full. May be called from several threads.
  virtual void read(uint64_t offset, std::span<char> into) const = 0;
};

// An open file that is appended to. Unbuffered: each append is at least one system call, so collect
// small pieces. The destructor closes without syncing and reports no errors.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual const std::string& path() const = 0;
  // Appends all of `bytes`. After an error some of them may have been written.
  virtual void append(std::string_view bytes) = 0;
  // Returns when everything appended so far is durable (fsync).
  virtual void sync() = 0;
  virtual void close() = 0;
};

struct FileInfo {
  uint64_t size = 0;
  double modified = 0;  // seconds since 1970
  bool is_directory = false;
  bool is_special = false;  // a named pipe, a device or a socket
  // The path is a symbolic link; all other fields describe its target.
  bool is_link = false;
  uint32_t owner = 0;   // the owner's user id
  bool is_mine = true;  // the owner is the user of this process
  bool is_file() const { return !is_directory && !is_special; }
};

// The exclusive lock of a directory, held until this is destroyed.
class DirLock {
 public:
  virtual ~DirLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Opens a file for reading. Throws NotFound, and FailedPrecondition for a directory, a named
  // pipe, a device or a socket, without waiting for any of them.
  virtual std::unique_ptr<RandomAccessFile> open(const std::string& path) = 0;
  // Creates an empty file with the permissions that the umask grants. An existing file is
  // truncated; if it has a name that Cairn makes for itself, throws AlreadyExists instead.
  virtual std::unique_ptr<WritableFile> create(const std::string& path) = 0;

  // Renames a file, replacing `to` atomically: a reader finds either the old file or the new one.
  virtual void rename(const std::string& from, const std::string& to) = 0;
  // Gives a file a second name (a hard link). Throws AlreadyExists if `to` exists.
  virtual void link(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;

  // Creates the directory `path`, whose parent must exist. Does nothing if it exists already.
  virtual void create_dir(const std::string& path) = 0;
  // Removes an empty directory.
  virtual void remove_dir(const std::string& path) = 0;
  // The names in a directory, sorted, without "." and "..".
  virtual std::vector<std::string> list_dir(const std::string& path) = 0;
  // Makes creations, renamings and removals in the directory durable.
  virtual void sync_dir(const std::string& path) = 0;

  // Describes `path`; nullopt if it does not exist, or is a link to something that does not exist.
  virtual std::optional<FileInfo> stat(const std::string& path) = 0;

  // Locks the directory for one writer, of this process or another. The lock is advisory: it
  // excludes only those who ask for it, creates no file, and ends with its process. Null if the
  // file system has no locks. Throws FailedPrecondition, naming the directory, if another writer
  // holds the lock; NotFound.
  virtual std::unique_ptr<DirLock> lock_dir(const std::string& path) = 0;
  // True while a WritableFile of this path is open in any process, and if that cannot be
  // determined.
  virtual bool is_being_written(const std::string& path) = 0;

  // The number of bytes that can still be written into this directory.
  virtual uint64_t space(const std::string& directory) = 0;
  // The maximum length of a file's name in this directory, in bytes.
  virtual size_t name_max(const std::string& directory) = 0;
  // True if the permissions allow this process to create files in this directory.
  virtual bool can_write(const std::string& directory) = 0;

  bool exists(const std::string& path) { return stat(path).has_value(); }
  // Creates `path` and every missing directory above it, durably.
  void create_dirs(const std::string& path);

 private:
  friend class Publication;
  friend void publish(FileSystem&, const std::string&, const std::function<void(Publication&)>&);
  std::mutex publications_mutex_;
  // the saves in progress, by prefix; they collect the files that kernels write
  std::map<std::string, Publication*> publications_;
};

FileSystem& posix_file_system();
// `fs`, or posix_file_system() if it is null.
FileSystem& or_posix(FileSystem* fs);

// True if the path, or the target of the link, is a file: not a directory, a pipe or a device.
bool is_file(FileSystem& fs, const std::string& path);

// The parts of a path: directory_of("a/b") is "a", directory_of("b") is ".", directory_of("/b") is
// "/"; base_name("a/b") is "b".
std::string directory_of(const std::string& path);
std::string base_name(const std::string& path);
// join_path("a", "b") is "a/b". `name` is returned unchanged if it is absolute, or if `directory`
// is "" or ".".
std::string join_path(const std::string& directory, const std::string& name);

// The bytes of a file.
std::string read_file(FileSystem& fs, const std::string& path);
// Writes and syncs a file. Not atomic: only for files that nobody reads yet.
void write_file(FileSystem& fs, const std::string& path, std::string_view bytes);
// Replaces a file: readers find either the old bytes or the new ones, also after a crash. On an
// error the old file is unchanged.
//
//   write_file_atomically(fs, "run/checkpoint", text);
void write_file_atomically(FileSystem& fs, const std::string& path, std::string_view bytes);

// Creates a directory and the missing ones above it. The destructor removes those that it created,
// unless keep() was called or they are not empty.
//
//   NewDirectories made(fs, "run/deep");
//   ... write into it ...  // throws: "run" and "run/deep" are removed if they were created here
//   made.keep();
class NewDirectories {
 public:
  enum Levels { kAll, kLast };
  // Creates the missing directories, durably; with kLast only the last component of `path`. Throws
  // the file system's errors and then leaves none behind.
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

// A file that appears under its name only when it is complete. It is written in the same directory
// under a temporary name: ".t-" and eight random hex digits, short so that no path becomes too
// long.
//
//   AtomicFile data(fs, "run/m.data"), index(fs, "run/m.index");
//   data.append(...);   index.append(...);
//   data.seal();        index.seal();       // both are durable
//   data.publish();     index.publish();    // both have their names
//   fs.sync_dir("run");                     // the names are durable
//
// If it is destroyed before publish(), the temporary file is removed and `path` is unchanged.
// Errors name `path`.
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

  // Syncs the file. Nothing can be appended afterwards. The file remains open until publish(), for
  // is_being_written().
  void seal();
  // Renames the temporary file to path(), after seal() if that was not called. Syncing the
  // directory is up to the caller.
  void publish();
  // Seals the file and transfers the temporary file to the caller, who renames or removes it.
  struct Sealed {
    std::string temporary;
    std::unique_ptr<WritableFile> open;
  };
  Sealed release();

 private:
  FileSystem& fs_;
  std::string path_, temporary_;
  std::unique_ptr<WritableFile> file_;  // null after close()
  bool sealed_ = false, gone_ = false;  // gone_: published or released
};

// True for a base name that AtomicFile makes. Such a file of a process that died can be removed.
bool is_temporary_name(std::string_view base_name);
// Removes the temporary files in a directory that no process is writing. Errors are ignored.
void remove_dead_temporaries(FileSystem& fs, const std::string& directory);

// Throws the error for a failed system call; test doubles use it too. `operation` reads like
// "opening for reading".
[[noreturn]] void fail_with_errno(const std::string& path, std::string_view operation,
                                  int error_number);
// Throws the error for a directory that another writer has locked.
[[noreturn]] void fail_locked(const std::string& directory);

}  // namespace cairn
