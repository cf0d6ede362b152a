// The FileSystem of POSIX.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "persist/files/file.h"
#include "persist/files/own_names.h"

namespace cairn {
namespace {

// The maximum size of one read or write call; Linux's own limit is a little below 2 GiB.
constexpr size_t kLargestTransfer = size_t{1} << 30;

template <class Call>
auto retry_on_signal(Call call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

// Returns a descriptor above 2. In a program that was started with the standard streams closed,
// output to std::cerr would otherwise be written into the file.
int away_from_standard_streams(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int moved =
      retry_on_signal([&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); });
  const int error_number = errno;
  ::close(fd);
  errno = error_number;
  return moved;
}

[[noreturn]] void fail_link(const std::string& path, std::string_view operation) {
  fail(Code::kFailedPrecondition, path, ": ", operation,
       ": it is a symbolic link, and Cairn makes no links of such a name and follows none; find "
       "out whose it is and "
       "remove it");
}

bool is_link_at(int directory, const char* name) {
  struct stat s;
  return ::fstatat(directory, name, &s, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(s.st_mode);
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(away_from_standard_streams(fd)) {}
  FileDescriptor(FileDescriptor&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~FileDescriptor() { close(); }

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  // The descriptor is closed even if this returns false; on Linux close must not be repeated.
  bool close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || ::close(fd) == 0 || errno == EINTR;
  }

 private:
  int fd_;
};

// A path in the form of the *at system calls. A directory of parts, whose name others can predict,
// is opened without following a link, and files in it are named relative to it.
class Place {
 public:
  Place(const std::string& path, std::string_view operation)
      : path_(path), name_(path), operation_(operation) {
    const std::string directory = directory_of(path);
    if (!is_parts_directory_name(base_name(directory))) return;
    directory_ = FileDescriptor(retry_on_signal(
        [&] { return ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }));
    name_ = base_name(path);
    at_ = directory_.get();
    if (at_ >= 0) return;
    error_number_ = errno;
    if (is_link_at(AT_FDCWD, directory.c_str())) fail_link(directory, operation);
  }

  // Returns the result of the system call `call(directory, name)`; -1 with errno set if the
  // directory does not exist.
  template <class Call>
  int at(Call call) const {
    if (at_ != -1) return call(at_, name_.c_str());
    errno = error_number_;
    return -1;
  }
  int open(int flags) const {
    flags |= O_CLOEXEC | O_NOCTTY | (is_own_name(base_name(path_)) ? O_NOFOLLOW : 0);
    return at([&](int in, const char* name) {
      return retry_on_signal([&] { return ::openat(in, name, flags, 0666); });
    });
  }
  FileDescriptor must_open(int flags) const {
    FileDescriptor fd(open(flags));
    if (fd.get() < 0) fail_here(errno);
    return fd;
  }
  [[noreturn]] void fail_here(int error_number) const {
    const bool link = is_own_name(base_name(path_)) && at(is_link_at) == 1;
    if (link && error_number != EEXIST) fail_link(path_, operation_);
    fail_with_errno(path_, operation_, error_number);
  }

 private:
  const std::string& path_;
  std::string name_;
  std::string_view operation_;
  FileDescriptor directory_;
  int at_ = AT_FDCWD, error_number_ = 0;
};

FileInfo info_of(const struct stat& s) {
  return {.size = static_cast<uint64_t>(s.st_size),
          .modified =
              static_cast<double>(s.st_mtim.tv_sec) + static_cast<double>(s.st_mtim.tv_nsec) * 1e-9,
          .is_directory = S_ISDIR(s.st_mode),
          .is_special = !S_ISDIR(s.st_mode) && !S_ISREG(s.st_mode),
          .is_link = S_ISLNK(s.st_mode),
          .owner = s.st_uid,
          .is_mine = s.st_uid == ::geteuid()};
}

// Throws for everything but files. Called before opening, since opening a device may have effects,
// and again afterwards.
void require_file(const std::string& path, std::string_view operation, const struct stat& s) {
  if (S_ISREG(s.st_mode)) return;
  if (S_ISDIR(s.st_mode)) fail_with_errno(path, operation, EISDIR);
  const char* kind = S_ISFIFO(s.st_mode)   ? "a named pipe"
                     : S_ISSOCK(s.st_mode) ? "a socket"
                                           : "a device";
  fail(Code::kFailedPrecondition, path, ": ", operation, ": it is ", kind,
       ", not a file; give a file");
}

FileDescriptor open_to_read(const std::string& path, std::string_view operation, struct stat& s) {
  const Place place(path, operation);
  if (place.at([&](int in, const char* name) { return ::fstatat(in, name, &s, 0); }) != 0)
    place.fail_here(errno);
  require_file(path, operation, s);
  FileDescriptor fd = place.must_open(O_RDONLY | O_NONBLOCK);
  if (::fstat(fd.get(), &s) != 0) fail_with_errno(path, operation, errno);
  require_file(path, operation, s);
  return fd;
}

class PosixReadFile final : public RandomAccessFile {
 public:
  explicit PosixReadFile(const std::string& path)
      : path_(path), fd_(open_to_read(path, "opening for reading", stat_)) {}
  const std::string& path() const override { return path_; }
  uint64_t size() const override { return static_cast<uint64_t>(stat_.st_size); }

  void read(uint64_t offset, std::span<char> into) const override {
    size_t done = 0;
    while (done < into.size()) {
      const size_t wanted = std::min(into.size() - done, kLargestTransfer);
      const ssize_t got = retry_on_signal([&] {
        return ::pread(fd_.get(), into.data() + done, wanted, static_cast<off_t>(offset + done));
      });
      if (got < 0)
        fail_with_errno(path_, str_cat("reading ", into.size(), " bytes at offset ", offset),
                        errno);
      if (got == 0) {
        fail(Code::kDataLoss, path_, ": reading ", into.size(), " bytes at offset ", offset,
             ": the file ends after ", done, " of them; it is cut short, use another copy");
      }
      done += static_cast<size_t>(got);
    }
  }

 private:
  std::string path_;
  struct stat stat_;
  FileDescriptor fd_;
};

// Prevents SIGXFSZ from ending the process when a write exceeds the limit on file sizes (ulimit
// -f): the write fails with EFBIG, and the pending signal is consumed here. Affects only this
// thread.
class WithoutSizeSignal {
 public:
  WithoutSizeSignal() {
    ::sigemptyset(&signal_);
    ::sigaddset(&signal_, SIGXFSZ);
    ::pthread_sigmask(SIG_BLOCK, &signal_, &before_);
    sigset_t pending;
    was_pending_ = ::sigismember(&before_, SIGXFSZ) == 1 && ::sigpending(&pending) == 0 &&
                   ::sigismember(&pending, SIGXFSZ) == 1;
  }
  ~WithoutSizeSignal() {
    const int error_number = errno;
    const timespec at_once{};
    if (error_number == EFBIG && !was_pending_) {
      retry_on_signal([&] { return ::sigtimedwait(&signal_, nullptr, &at_once); });
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error_number;
  }
  WithoutSizeSignal(const WithoutSizeSignal&) = delete;
  WithoutSizeSignal& operator=(const WithoutSizeSignal&) = delete;

 private:
  sigset_t signal_, before_;
  bool was_pending_;
};

class PosixWriteFile final : public WritableFile {
 public:
  explicit PosixWriteFile(const std::string& path)
      : path_(path),
        fd_(Place(path_, "opening for writing")
                .must_open(O_WRONLY | O_CREAT |
                           (is_own_name(base_name(path)) ? O_EXCL : O_TRUNC))) {
    // For is_being_written(). Without locks that returns true, and nothing is swept.
    ::flock(fd_.get(), LOCK_SH | LOCK_NB);
    // A sweep may have removed the file before it was locked.
    struct stat s;
    if (is_own_name(base_name(path)) && ::fstat(fd_.get(), &s) == 0 && s.st_nlink == 0)
      fail_with_errno(path, "opening for writing", EEXIST);
  }
  const std::string& path() const override { return path_; }

  void append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t put = write_some(bytes);
      if (put < 0) fail_with_errno(path_, str_cat("writing ", bytes.size(), " bytes"), errno);
      bytes.remove_prefix(static_cast<size_t>(put));
    }
  }
  void sync() override {
    if (retry_on_signal([&] { return ::fsync(fd_.get()); }) != 0)
      fail_with_errno(path_, "syncing to disk", errno);
  }
  void close() override {
    if (!fd_.close()) fail_with_errno(path_, "closing", errno);
  }

 private:
  ssize_t write_some(std::string_view bytes) {
    const WithoutSizeSignal guard;
    return retry_on_signal(
        [&] { return ::write(fd_.get(), bytes.data(), std::min(bytes.size(), kLargestTransfer)); });
  }

  std::string path_;
  FileDescriptor fd_;
};

class PosixDirLock final : public DirLock {
 public:
  explicit PosixDirLock(FileDescriptor fd) : fd_(std::move(fd)) {}
  // A process that was forked meanwhile shares the lock, which closing would not release.
  ~PosixDirLock() override { ::flock(fd_.get(), LOCK_UN); }

 private:
  FileDescriptor fd_;
};

class PosixFileSystem final : public FileSystem {
 public:
  std::unique_ptr<RandomAccessFile> open(const std::string& path) override {
    return std::make_unique<PosixReadFile>(path);
  }
  std::unique_ptr<WritableFile> create(const std::string& path) override {
    return std::make_unique<PosixWriteFile>(path);
  }
  void rename(const std::string& from, const std::string& to) override {
    const std::string operation = str_cat("renaming to ", to);
    const Place old(from, operation), now(to, operation);
    const int done = old.at([&](int in, const char* name) {
      return now.at(
          [&](int to_in, const char* to_name) { return ::renameat(in, name, to_in, to_name); });
    });
    if (done != 0) fail_with_errno(from, operation, errno);
  }
  // Follows a symbolic link, so that the new name remains valid when the link is removed.
  void link(const std::string& from, const std::string& to) override {
    const std::string operation = str_cat("linking to ", to);
    const Place old(from, operation), now(to, operation);
    const int flags = is_own_name(base_name(from)) ? 0 : AT_SYMLINK_FOLLOW;
    const int done = old.at([&](int in, const char* name) {
      return now.at([&](int to_in, const char* to_name) {
        return ::linkat(in, name, to_in, to_name, flags);
      });
    });
    if (done != 0) fail_with_errno(from, operation, errno);
  }
  void remove(const std::string& path) override {
    const Place place(path, "removing");
    if (place.at([](int in, const char* name) { return ::unlinkat(in, name, 0); }) != 0)
      fail_with_errno(path, "removing", errno);
  }
  void create_dir(const std::string& path) override {
    constexpr std::string_view kMaking = "making the directory";
    const Place place(path, kMaking);
    if (place.at([](int in, const char* name) { return ::mkdirat(in, name, 0777); }) == 0) return;
    const int error_number = errno;
    const auto there = error_number == EEXIST ? stat(path) : std::nullopt;
    if (there && there->is_link && is_own_name(base_name(path))) fail_link(path, kMaking);
    if (!there || !there->is_directory) fail_with_errno(path, kMaking, error_number);
  }
  void remove_dir(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0) fail_with_errno(path, "removing the directory", errno);
  }
  std::vector<std::string> list_dir(const std::string& path) override {
    FileDescriptor fd = open_dir(path, kListing);
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd.get()), ::closedir);
    if (!dir) fail_with_errno(path, kListing, errno);
    fd.release();
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(dir.get());
      if (!entry) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) fail_with_errno(path, kListing, errno);
    std::sort(names.begin(), names.end());
    return names;
  }
  void sync_dir(const std::string& path) override {
    const FileDescriptor fd = open_dir(path, kSyncingDirectory);
    // Some file systems cannot sync a directory and return EINVAL. Their renames are durable by
    // other means, or not at all.
    if (retry_on_signal([&] { return ::fsync(fd.get()); }) != 0 && errno != EINVAL) {
      fail_with_errno(path, kSyncingDirectory, errno);
    }
  }
  std::optional<FileInfo> stat(const std::string& path) override {
    constexpr std::string_view kLookingAt = "looking at";
    const Place place(path, kLookingAt);
    struct stat s;
    const auto look = [&](int flags) {
      return place.at([&](int in, const char* name) { return ::fstatat(in, name, &s, flags); }) ==
             0;
    };
    if (look(AT_SYMLINK_NOFOLLOW)) {
      if (!S_ISLNK(s.st_mode) || is_own_name(base_name(path))) return info_of(s);
      if (look(0)) {
        FileInfo info = info_of(s);
        info.is_link = true;
        return info;
      }
    }
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    fail_with_errno(path, kLookingAt, errno);
  }

  std::unique_ptr<DirLock> lock_dir(const std::string& path) override {
    FileDescriptor fd = open_dir(path, "locking the directory");
    if (retry_on_signal([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) == 0) {
      return std::make_unique<PosixDirLock>(std::move(fd));
    }
    if (errno == EWOULDBLOCK) fail_locked(path);
    return nullptr;
  }
  bool is_being_written(const std::string& path) override {
    struct stat s;
    const FileDescriptor fd = open_to_read(path, "asking who writes it", s);
    return retry_on_signal([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0;
  }

  uint64_t space(const std::string& directory) override {
    struct statvfs s = look_at(directory);
    return static_cast<uint64_t>(s.f_bavail) * s.f_frsize;
  }
  size_t name_max(const std::string& directory) override { return look_at(directory).f_namemax; }
  bool can_write(const std::string& directory) override {
    if (::access(directory.c_str(), W_OK | X_OK) == 0) return true;
    if (errno == EACCES || errno == EPERM || errno == EROFS) return false;
    fail_with_errno(directory, kLooking, errno);
  }

 private:
  static constexpr std::string_view kLooking = "looking at the directory";
  static struct statvfs look_at(const std::string& directory) {
    struct statvfs s;
    if (retry_on_signal([&] { return ::statvfs(directory.c_str(), &s); }) != 0) {
      fail_with_errno(directory, kLooking, errno);
    }
    return s;
  }
  static FileDescriptor open_dir(const std::string& path, std::string_view operation) {
    return Place(path, operation).must_open(O_RDONLY | O_DIRECTORY);
  }
  static constexpr std::string_view kListing = "listing the directory";
  static constexpr std::string_view kSyncingDirectory = "syncing the directory";
};

}  // namespace

FileSystem& posix_file_system() {
  // never destroyed: objects of static storage may still save
  static PosixFileSystem& fs = *new PosixFileSystem;
  return fs;
}

}  // namespace cairn
