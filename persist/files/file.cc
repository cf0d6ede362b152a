#include "persist/files/file.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "persist/files/own_names.h"

namespace cairn {
namespace {

struct ErrnoMeaning {
  int number;
  Code code;
  std::string_view advice;
};

// TensorFlow's codes (its IOError), except for EIO, which is Unknown there, and EFBIG, which is
// OutOfRange there.
constexpr ErrnoMeaning kMeanings[] = {
    {ENOENT, Code::kNotFound, "check the path and that its directory exists"},
    {EEXIST, Code::kAlreadyExists, "choose another path or remove what is there"},
    {EACCES, Code::kPermissionDenied, "check the permissions of the file and of its directory"},
    {EPERM, Code::kPermissionDenied,
     "check the owner and the permissions of the file and of its directory"},
    {EROFS, Code::kPermissionDenied, "choose a path on a file system that can be written"},
    {ENOSPC, Code::kResourceExhausted, "free some space on this file system or choose another"},
    {EDQUOT, Code::kResourceExhausted,
     "free some space within your quota or choose another file system"},
    {EFBIG, Code::kResourceExhausted,
     "raise the limit on file sizes (ulimit -f) or choose another file system"},
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

// Runs `call` on a temporary file and rethrows its errors with the path that the caller knows.
template <class Call>
void naming(const std::string& temporary, const std::string& path, Call call) {
  try {
    call();
  } catch (const Error& e) {
    const std::string_view what = e.what();
    if (!what.starts_with(temporary)) throw;
    throw Error(e.code(),
                str_cat(path, " (as ", base_name(temporary), ")", what.substr(temporary.size())));
  }
}

}  // namespace

void fail_with_errno(const std::string& path, std::string_view operation, int error_number) {
  const auto* meaning =
      std::find_if(std::begin(kMeanings), std::end(kMeanings),
                   [&](const ErrnoMeaning& m) { return m.number == error_number; });
  const bool known = meaning != std::end(kMeanings);
  std::string message =
      str_cat(path, ": ", operation, ": ", std::generic_category().message(error_number));
  if (error_number == ENAMETOOLONG)
    message += str_cat(" (", base_name(path).size(), " bytes in the last part)");
  if (known) message += str_cat("; ", meaning->advice);
  throw Error(known ? meaning->code : Code::kUnknown, message);
}

void fail_locked(const std::string& directory) {
  fail(Code::kFailedPrecondition, directory,
       ": another writer is saving into this directory; wait until it is done, or give each "
       "program that saves a "
       "directory of its own");
}

void FileSystem::create_dirs(const std::string& path) { NewDirectories(*this, path).keep(); }

NewDirectories::NewDirectories(FileSystem& fs, const std::string& path, Levels levels) : fs_(fs) {
  try {
    make(path, levels);
  } catch (...) {
    remove_made();
    throw;
  }
}

NewDirectories::~NewDirectories() { remove_made(); }

void NewDirectories::make(const std::string& path, Levels levels) {
  if (const auto there = fs_.stat(path); there && there->is_directory) return;
  const std::string parent = directory_of(path);
  if (levels == kAll && parent != path && parent != ".") make(parent, levels);
  fs_.create_dir(path);
  made_.push_back(path);
  fs_.sync_dir(parent);
}

void NewDirectories::remove_made() {
  for (; !made_.empty(); made_.pop_back()) {
    try {
      fs_.remove_dir(made_.back());
    } catch (const Error&) {  // no longer empty
      return;
    }
  }
}

FileSystem& or_posix(FileSystem* fs) { return fs ? *fs : posix_file_system(); }

bool is_file(FileSystem& fs, const std::string& path) {
  const auto info = fs.stat(path);
  return info && info->is_file();
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

AtomicFile::AtomicFile(FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {
  constexpr size_t kDigits = 8;
  constexpr int kMostTimes = 100;
  for (int times = 1; !file_; ++times) {
    temporary_ = join_path(directory_of(path_), ".t-" + random_digits(kDigits));
    try {
      naming(temporary_, path_, [&] { file_ = fs_.create(temporary_); });
    } catch (const Error& e) {
      // the random name is taken: draw another one
      if (e.code() != Code::kAlreadyExists || times == kMostTimes) throw;
    }
  }
}

AtomicFile::~AtomicFile() {
  if (gone_) return;
  file_.reset();
  try {
    fs_.remove(temporary_);
    // the original error matters more; the next save removes the file
  } catch (const Error&) {
  }
}

void AtomicFile::append(std::string_view bytes) {
  if (!file_ || sealed_)
    fail(Code::kFailedPrecondition, path_, ": appending: the file is complete already");
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

}  // namespace cairn
