#include "persist/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <random>
#include <system_error>
#include <utility>

namespace cairn {
namespace {

// One read or write call moves at most this much; Linux itself stops a little below 2 GiB.
constexpr size_t kLargestTransfer = size_t{1} << 30;

constexpr std::string_view kTemporaryPrefix = ".t-";
constexpr size_t kTemporaryDigits = 8;

struct ErrnoMeaning {
  int number;
  Code code;
  std::string_view advice;
};

// Codes as TensorFlow's IOError gives them, but EIO (there Unknown) and EFBIG (there OutOfRange).
constexpr ErrnoMeaning kMeanings[] = {
    {ENOENT, Code::kNotFound, "check the path and that its directory exists"},
    {EEXIST, Code::kAlreadyExists, "choose another path or remove what is there"},
    {EACCES, Code::kPermissionDenied, "check the permissions of the file and of its directory"},
    {EPERM, Code::kPermissionDenied, "check the owner and the permissions of the file and of its directory"},
    {EROFS, Code::kPermissionDenied, "choose a path on a file system that can be written"},
    {ENOSPC, Code::kResourceExhausted, "free some space on this file system or choose another"},
    {EDQUOT, Code::kResourceExhausted, "free some space within your quota or choose another file system"},
    {EFBIG, Code::kResourceExhausted, "raise the limit on file sizes (ulimit -f) or choose another file system"},
    {EMFILE, Code::kResourceExhausted, "raise the limit on open files (ulimit -n)"},
    {ENFILE, Code::kResourceExhausted, "the whole system has too many files open"},
    {ENOMEM, Code::kResourceExhausted, "the system is out of memory"},
    {EMLINK, Code::kResourceExhausted, "the file has too many names"},
    {ENAMETOOLONG, Code::kInvalidArgument, "choose a shorter path"},
    {EINVAL, Code::kInvalidArgument, "the file system does not support this"},
    {ELOOP, Code::kInvalidArgument, "the path has a loop of symbolic links"},
    {EISDIR, Code::kFailedPrecondition, "name a file, not a directory"},
    {ENOTDIR, Code::kFailedPrecondition, "a part of the path is a file, not a directory"},
    {ENOTEMPTY, Code::kFailedPrecondition, "the directory is not empty"},
    {EBUSY, Code::kFailedPrecondition, "something else is using it"},
    {EXDEV, Code::kUnimplemented, "both paths must be on one file system"},
    {ENOTSUP, Code::kUnimplemented, "the file system does not support this"},
    {EIO, Code::kDataLoss, "the disk or the network behind it failed; look into the system's log"},
    {ESTALE, Code::kAborted, "the network file system lost the file; open it again"},
};

template <class Call>
auto retry_on_signal(Call call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

class FileDescriptor {
 public:
  FileDescriptor(const std::string& path, int flags, std::string_view operation)
      : fd_(retry_on_signal([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); })) {
    if (fd_ < 0) fail_with_errno(path, operation, errno);
  }
  ~FileDescriptor() { close(); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }
  // The descriptor is gone even when this is false (close must not be repeated on Linux).
  bool close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || ::close(fd) == 0 || errno == EINTR;
  }

 private:
  int fd_;
};

FileInfo info_of(const struct stat& s) {
  return {static_cast<uint64_t>(s.st_size),
          static_cast<double>(s.st_mtim.tv_sec) + static_cast<double>(s.st_mtim.tv_nsec) * 1e-9, S_ISDIR(s.st_mode)};
}

class PosixReadFile final : public RandomAccessFile {
 public:
  explicit PosixReadFile(const std::string& path) : path_(path), fd_(path, O_RDONLY, kOperation) {
    struct stat s;
    if (::fstat(fd_.get(), &s) != 0) fail_with_errno(path, kOperation, errno);
    if (S_ISDIR(s.st_mode)) fail_with_errno(path, kOperation, EISDIR);
    size_ = info_of(s).size;
  }
  const std::string& path() const override { return path_; }
  uint64_t size() const override { return size_; }

  void read(uint64_t offset, std::span<char> into) const override {
    size_t done = 0;
    while (done < into.size()) {
      const size_t wanted = std::min(into.size() - done, kLargestTransfer);
      const ssize_t got = retry_on_signal(
          [&] { return ::pread(fd_.get(), into.data() + done, wanted, static_cast<off_t>(offset + done)); });
      if (got < 0) fail_with_errno(path_, str_cat("reading ", into.size(), " bytes at offset ", offset), errno);
      if (got == 0) {
        fail(Code::kDataLoss, path_, ": reading ", into.size(), " bytes at offset ", offset, ": the file ends after ",
             done, " of them; it is cut short, use another copy");
      }
      done += static_cast<size_t>(got);
    }
  }

 private:
  static constexpr std::string_view kOperation = "opening for reading";
  std::string path_;
  FileDescriptor fd_;
  uint64_t size_ = 0;
};

class PosixWriteFile final : public WritableFile {
 public:
  explicit PosixWriteFile(const std::string& path)
      : path_(path), fd_(path, O_WRONLY | O_CREAT | O_TRUNC, "opening for writing") {
    // For is_being_written(). Without locks nobody can tell, and nobody will sweep.
    ::flock(fd_.get(), LOCK_SH | LOCK_NB);
  }
  const std::string& path() const override { return path_; }

  void append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t put =
          retry_on_signal([&] { return ::write(fd_.get(), bytes.data(), std::min(bytes.size(), kLargestTransfer)); });
      if (put < 0) fail_with_errno(path_, str_cat("writing ", bytes.size(), " bytes"), errno);
      bytes.remove_prefix(static_cast<size_t>(put));
    }
  }
  void sync() override {
    if (retry_on_signal([&] { return ::fsync(fd_.get()); }) != 0) fail_with_errno(path_, "syncing to disk", errno);
  }
  void close() override {
    if (!fd_.close()) fail_with_errno(path_, "closing", errno);
  }

 private:
  std::string path_;
  FileDescriptor fd_;
};

class PosixDirLock final : public DirLock {
 public:
  explicit PosixDirLock(std::unique_ptr<FileDescriptor> fd) : fd_(std::move(fd)) {}
  // Closing alone would leave the lock with a process that was forked meanwhile.
  ~PosixDirLock() override { ::flock(fd_->get(), LOCK_UN); }

 private:
  std::unique_ptr<FileDescriptor> fd_;
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
    if (::rename(from.c_str(), to.c_str()) != 0) fail_with_errno(from, str_cat("renaming to ", to), errno);
  }
  void link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) != 0) fail_with_errno(from, str_cat("linking to ", to), errno);
  }
  void remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) fail_with_errno(path, "removing", errno);
  }
  void create_dir(const std::string& path) override {
    if (::mkdir(path.c_str(), 0777) == 0) return;
    const int error_number = errno;
    const auto there = error_number == EEXIST ? stat(path) : std::nullopt;
    if (!there || !there->is_directory) fail_with_errno(path, "making the directory", error_number);
  }
  void remove_dir(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0) fail_with_errno(path, "removing the directory", errno);
  }
  std::vector<std::string> list_dir(const std::string& path) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
    if (!dir) fail_with_errno(path, kListing, errno);
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
    const FileDescriptor fd(path, O_RDONLY | O_DIRECTORY, kSyncingDirectory);
    // Some file systems cannot sync a directory and say EINVAL; their renames are durable by other means or not at all.
    if (retry_on_signal([&] { return ::fsync(fd.get()); }) != 0 && errno != EINVAL) {
      fail_with_errno(path, kSyncingDirectory, errno);
    }
  }
  std::optional<FileInfo> stat(const std::string& path) override {
    struct stat s;
    if (::stat(path.c_str(), &s) == 0) return info_of(s);
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    fail_with_errno(path, "looking at", errno);
  }

  std::unique_ptr<DirLock> lock_dir(const std::string& path) override {
    auto fd = std::make_unique<FileDescriptor>(path, O_RDONLY | O_DIRECTORY, "locking the directory");
    if (retry_on_signal([&] { return ::flock(fd->get(), LOCK_EX | LOCK_NB); }) == 0) {
      return std::make_unique<PosixDirLock>(std::move(fd));
    }
    if (errno == EWOULDBLOCK) fail_locked(path);
    return nullptr;
  }
  bool is_being_written(const std::string& path) override {
    const FileDescriptor fd(path, O_RDONLY, "asking who writes it");
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
  static constexpr std::string_view kListing = "listing the directory";
  static constexpr std::string_view kSyncingDirectory = "syncing the directory";
};

std::string temporary_path_beside(const std::string& path) {
  // An odd step visits every number once: no two files of a process share a name, and processes start at random.
  static std::atomic<uint32_t> next{std::random_device{}()};
  const uint32_t number = next.fetch_add(0x9e3779b9u);
  std::string name(kTemporaryPrefix);
  for (size_t i = 0; i < kTemporaryDigits; ++i) name += "0123456789abcdef"[(number >> (28 - 4 * i)) & 15];
  return join_path(directory_of(path), name);
}

// Runs `call` on a temporary file so that its errors begin with the path the caller knows.
template <class Call>
void naming(const std::string& temporary, const std::string& path, Call call) {
  try {
    call();
  } catch (const Error& e) {
    const std::string_view what = e.what();
    if (!what.starts_with(temporary)) throw;
    throw Error(e.code(), str_cat(path, " (as ", base_name(temporary), ")", what.substr(temporary.size())));
  }
}

}  // namespace

void fail_with_errno(const std::string& path, std::string_view operation, int error_number) {
  const auto* meaning = std::find_if(std::begin(kMeanings), std::end(kMeanings),
                                     [&](const ErrnoMeaning& m) { return m.number == error_number; });
  const bool known = meaning != std::end(kMeanings);
  std::string message = str_cat(path, ": ", operation, ": ", std::generic_category().message(error_number));
  if (error_number == ENAMETOOLONG) message += str_cat(" (", base_name(path).size(), " bytes in the last part)");
  if (known) message += str_cat("; ", meaning->advice);
  throw Error(known ? meaning->code : Code::kUnknown, message);
}

void fail_locked(const std::string& directory) {
  fail(Code::kFailedPrecondition, directory,
       ": another writer is saving into this directory; wait until it is done, or give each program that saves a "
       "directory of its own");
}

FileSystem& posix_file_system() {
  static PosixFileSystem& fs = *new PosixFileSystem;  // never destroyed: objects of static storage may still save
  return fs;
}

void FileSystem::create_dirs(const std::string& path) {
  const auto there = stat(path);
  if (there && there->is_directory) return;
  const std::string parent = directory_of(path);
  if (parent != path && parent != ".") create_dirs(parent);
  create_dir(path);
  sync_dir(parent);
}

std::string directory_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  const size_t end = path.find_last_not_of('/', slash);
  return end == std::string::npos ? "/" : path.substr(0, end + 1);
}

std::string base_name(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string join_path(const std::string& directory, const std::string& name) {
  if (directory.empty() || directory == "." || name.starts_with('/')) return name;
  return directory.ends_with('/') ? directory + name : str_cat(directory, "/", name);
}

std::string read_file(FileSystem& fs, const std::string& path) {
  const auto file = fs.open(path);
  std::string bytes(file->size(), '\0');
  file->read(0, bytes);
  return bytes;
}

void write_file(FileSystem& fs, const std::string& path, std::string_view bytes) {
  const auto file = fs.create(path);
  file->append(bytes);
  file->sync();
  file->close();
}

void write_file_atomically(FileSystem& fs, const std::string& path, std::string_view bytes) {
  AtomicFile file(fs, path);
  file.append(bytes);
  file.publish();
  fs.sync_dir(directory_of(path));
}

AtomicFile::AtomicFile(FileSystem& fs, std::string path)
    : fs_(fs), path_(std::move(path)), temporary_(temporary_path_beside(path_)) {
  naming(temporary_, path_, [&] { file_ = fs_.create(temporary_); });
}

AtomicFile::~AtomicFile() {
  if (gone_) return;
  file_.reset();
  try {
    fs_.remove(temporary_);
  } catch (const Error&) {  // the error that brought us here matters more; the next save finds the leftover
  }
}

void AtomicFile::append(std::string_view bytes) {
  if (!file_ || sealed_) fail(Code::kFailedPrecondition, path_, ": appending: the file is complete already");
  naming(temporary_, path_, [&] { file_->append(bytes); });
}

void AtomicFile::sync() {
  if (file_) naming(temporary_, path_, [&] { file_->sync(); });
}

void AtomicFile::close() {
  if (file_) naming(temporary_, path_, [&] { file_->close(); });
  file_.reset();
}

void AtomicFile::seal() {
  if (!sealed_) sync();
  sealed_ = true;
}

void AtomicFile::publish() {
  seal();
  naming(temporary_, path_, [&] { fs_.rename(temporary_, path_); });
  gone_ = true;
  file_.reset();
}

AtomicFile::Sealed AtomicFile::release() {
  seal();
  gone_ = true;
  return {temporary_, std::move(file_)};
}

bool is_temporary_name(std::string_view base_name) {
  return base_name.size() == kTemporaryPrefix.size() + kTemporaryDigits && base_name.starts_with(kTemporaryPrefix) &&
         base_name.find_first_not_of("0123456789abcdef", kTemporaryPrefix.size()) == std::string_view::npos;
}

}  // namespace cairn
