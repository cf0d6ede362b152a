#include "persist/files/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <set>

#include "tests/support/catch.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"
#include "tests/support/recording_fs.h"

namespace cairn {
namespace {

// What must hold of every file system, run on the real one and on its double in memory.
void check_file_system(FileSystem& fs, const std::string& root) {
  const std::string a = join_path(root, "a"), b = join_path(root, "b"),
                    deep = join_path(root, "x/y/z");
  write_file(fs, a, "hello");
  CHECK(fs.stat(a)->size == 5);
  CHECK(read_file(fs, a) == "hello");
  const auto open = fs.open(a);
  std::string middle(3, ' ');
  open->read(1, middle);
  CHECK(middle == "ell");
  CHECK(error_of([&] { open->read(3, middle); }).code() == Code::kDataLoss);

  fs.link(a, b);
  CHECK(error_of([&] { fs.link(a, b); }).code() == Code::kAlreadyExists);
  write_file_atomically(fs, a, "new");
  CHECK(read_file(fs, a) == "new");
  CHECK(read_file(fs, b) == "hello");
  open->read(0, middle);
  CHECK(middle == "hel");
  fs.rename(a, b);
  CHECK_FALSE(fs.exists(a));
  CHECK(read_file(fs, b) == "new");

  fs.create_dirs(deep);
  fs.create_dirs(deep);
  fs.create_dir(deep);
  CHECK(fs.stat(deep)->is_directory);
  CHECK(fs.list_dir(root) == std::vector<std::string>{"b", "x"});
  CHECK(error_of([&] { fs.remove_dir(join_path(root, "x")); }).code() == Code::kFailedPrecondition);
  fs.remove_dir(deep);
  fs.sync_dir(root);
  fs.remove(b);
  CHECK(fs.list_dir(root) == std::vector<std::string>{"x"});

  {
    const auto lock = fs.lock_dir(root);
    const Error second = error_of([&] { fs.lock_dir(root); });
    CHECK(second.code() == Code::kFailedPrecondition);
    CHECK(says(second, root + ": another writer is saving into this directory"));
    CHECK_NOTHROW(fs.lock_dir(join_path(root, "x")));
  }
  CHECK_NOTHROW(fs.lock_dir(root));
  {
    const auto file = fs.create(a);
    CHECK(fs.is_being_written(a));
    file->close();
    CHECK_FALSE(fs.is_being_written(a));
    fs.remove(a);
  }
  CHECK(fs.space(root) > 0);
  CHECK(fs.name_max(root) == 255);
  CHECK(fs.can_write(root));

  const auto not_found = [&](auto action) { return error_of(action).code() == Code::kNotFound; };
  CHECK(not_found([&] { fs.open(a); }));
  CHECK(not_found([&] { fs.remove(a); }));
  CHECK(not_found([&] { fs.rename(a, b); }));
  CHECK(not_found([&] { fs.list_dir(a); }));
  CHECK(not_found([&] { fs.lock_dir(a); }));
  CHECK(not_found([&] { fs.space(a); }));
  CHECK(not_found([&] { fs.can_write(a); }));
  CHECK(not_found([&] { fs.create(join_path(root, "no/a")); }));
  CHECK(not_found([&] { fs.create_dir(join_path(root, "no/a")); }));
  CHECK(error_of([&] { fs.open(root); }).code() == Code::kFailedPrecondition);
}

}  // namespace

TEST_CASE("The real file system keeps the contract of FileSystem", "[persist][file]") {
  const TempDir dir;
  check_file_system(posix_file_system(), dir.path());
}

TEST_CASE("The file system in memory keeps the same contract", "[persist][file]") {
  MemoryFileSystem fs;
  fs.create_dir("root");
  check_file_system(fs, "root");
}

TEST_CASE("An error about a file says path, operation, cause and remedy", "[persist][file]") {
  const Error error = error_of([] { posix_file_system().open("/no/such/file"); });
  CHECK(std::string(error.what()) ==
        "/no/such/file: opening for reading: No such file or directory; check the path and that "
        "its directory exists");
}

TEST_CASE("A full disk is ResourceExhausted", "[persist][file]") {
  const auto file = posix_file_system().create("/dev/full");
  const Error error = error_of([&] { file->append("x"); });
  CHECK(error.code() == Code::kResourceExhausted);
  CHECK_THAT(error.what(),
             Catch::Contains("writing 1 bytes: No space left on device; free some space"));
}

TEST_CASE("A write the system cuts short goes on until the reason for it is known",
          "[persist][file]") {
  const TempDir dir;
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const Error error =
      error_of([&] { write_file(posix_file_system(), dir / "big", std::string(5000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  // The signal that comes with it would end the process.
  CHECK(error.code() == Code::kResourceExhausted);
  CHECK_THAT(error.what(), Catch::Contains("ulimit -f"));
  CHECK(posix_file_system().stat(dir / "big")->size == 1000);
  sigset_t blocked, pending;
  REQUIRE(pthread_sigmask(SIG_SETMASK, nullptr, &blocked) == 0);
  CHECK(sigismember(&blocked, SIGXFSZ) == 0);
  REQUIRE(sigpending(&pending) == 0);
  CHECK(sigismember(&pending, SIGXFSZ) == 0);
}

TEST_CASE("A file limit's signal that the program waits for itself is left to it",
          "[persist][file]") {
  const TempDir dir;
  sigset_t signal, before, pending;
  sigemptyset(&signal);
  sigaddset(&signal, SIGXFSZ);
  REQUIRE(pthread_sigmask(SIG_BLOCK, &signal, &before) == 0);
  REQUIRE(raise(SIGXFSZ) == 0);
  write_file(posix_file_system(), dir / "small", "x");
  REQUIRE(sigpending(&pending) == 0);
  CHECK(sigismember(&pending, SIGXFSZ) == 1);
  const timespec at_once{};
  CHECK(sigtimedwait(&signal, nullptr, &at_once) == SIGXFSZ);
  REQUIRE(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
}

TEST_CASE("Files never get the descriptors of the standard streams", "[persist][file]") {
  const TempDir dir;
  const std::string path = dir / "f";
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int fd : {0, 1, 2}) close(fd);
    int unused = 0;
    try {
      FileSystem& fs = posix_file_system();
      const auto lock = fs.lock_dir(directory_of(path));
      const auto file = fs.create(path);
      file->append("all of it");
      const auto again = fs.open(path);
      fs.list_dir(directory_of(path));
      fs.sync_dir(directory_of(path));
      for (const int fd : {0, 1, 2})
        unused += fcntl(fd, F_GETFD) == -1 && write(fd, "noise", 5) == -1;
    } catch (const std::exception&) {
    }
    _exit(unused);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 3);
  CHECK(read_bytes(path) == "all of it");
}

TEST_CASE("Pipes, devices, sockets and directories are no files to read", "[persist][file]") {
  const TempDir dir;
  FileSystem& fs = posix_file_system();
  REQUIRE(mkfifo((dir / "pipe").c_str(), 0600) == 0);
  std::filesystem::create_symlink(dir / "pipe", dir / "link");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {dir / "pipe", "a named pipe"},
      {dir / "link", "a named pipe"},
      {"/dev/zero", "a device"},
      {dir.path(), "name a file, not a directory"}};
  for (const auto& each : cases) {
    const auto& path = each.first;
    const Error error = error_of([&] { read_file(fs, path); });
    CHECK(error.code() == Code::kFailedPrecondition);
    CHECK_THAT(error.what(), Catch::StartsWith(path) && Catch::Contains(each.second));
    CHECK_FALSE(fs.stat(path)->is_file());
  }
  CHECK(error_of([&] { fs.is_being_written(dir / "pipe"); }).code() == Code::kFailedPrecondition);
  CHECK(fs.stat(dir / "link")->is_link);
  CHECK_FALSE(fs.stat(dir / "pipe")->is_link);
}

TEST_CASE("A name that Cairn makes for itself is neither followed nor used again",
          "[persist][file]") {
  const TempDir dir;
  FileSystem& fs = posix_file_system();
  write_bytes(dir / "victim", "someone else's");
  std::filesystem::create_directory(dir / "elsewhere");
  const std::string parts = dir / ("m_temp_" + std::string(32, '0'));
  std::filesystem::create_directory_symlink(dir / "elsewhere", parts);
  const std::string names[] = {dir / ".t-01234567", dir / ".o-0123456789abcd",
                               dir / ".r-0123456789abcdef"};
  for (const std::string& name : names) {
    std::filesystem::create_symlink(dir / "victim", name);
    CHECK(error_of([&] { fs.create(name); }).code() == Code::kAlreadyExists);
    const Error error = error_of([&] { fs.open(name); });
    CHECK(error.code() == Code::kFailedPrecondition);
    CHECK(fs.stat(name)->is_special);
    std::filesystem::remove(name);
    write_bytes(name, "there already");
    CHECK(error_of([&] { fs.create(name); }).code() == Code::kAlreadyExists);
    CHECK(read_bytes(name) == "there already");
  }
  for (const auto& action : std::vector<std::function<void()>>{
           [&] { fs.create(parts + "/f"); }, [&] { fs.list_dir(parts); },
           [&] { fs.create_dir(parts); }, [&] { fs.rename(dir / "victim", parts + "/f"); },
           [&] { fs.link(dir / "victim", parts + "/f"); }, [&] { fs.sync_dir(parts); },
           [&] { NewDirectories(fs, parts); }, [&] { fs.stat(parts + "/f"); }}) {
    const Error error = error_of(action);
    CHECK(error.code() == Code::kFailedPrecondition);
    CHECK_THAT(error.what(), Catch::StartsWith(parts) && Catch::Contains("symbolic link"));
  }
  CHECK(read_bytes(dir / "victim") == "someone else's");
  CHECK(std::filesystem::is_empty(dir / "elsewhere"));
}

TEST_CASE("Temporary names cannot be foretold from the ones before", "[persist][file]") {
  MemoryFileSystem memory;
  RecordingFileSystem fs(memory);
  std::set<uint64_t> names, steps;
  uint64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    AtomicFile file(fs, "f");
    const uint64_t number = std::stoull(base_name(fs.changes().back().path).substr(3), nullptr, 16);
    names.insert(number);
    steps.insert((number - last) & 0xffffffff);
    last = number;
    file.publish();
  }
  CHECK(names.size() > 18);
  CHECK(steps.size() > 18);
}

TEST_CASE("Directories that were made for nothing are taken away again", "[persist][file]") {
  const TempDir dir;
  FileSystem& fs = posix_file_system();
  const std::string deep = dir / "a/b/c";
  { const NewDirectories made(fs, deep); }
  CHECK_FALSE(fs.exists(dir / "a"));
  { NewDirectories(fs, deep).keep(); }
  CHECK(fs.stat(deep)->is_directory);
  { const NewDirectories made(fs, deep); }
  CHECK(fs.stat(deep)->is_directory);
  {
    const NewDirectories made(fs, dir / "x/y");
    write_bytes(dir / "x/z", "someone else's");
  }
  CHECK_FALSE(fs.exists(dir / "x/y"));
  CHECK(fs.exists(dir / "x/z"));
  CHECK(error_of([&] { NewDirectories(fs, dir / "x/z/deep"); }).code() == Code::kAlreadyExists);
  CHECK(error_of([&] { NewDirectories(fs, dir / "q/r", NewDirectories::kLast); }).code() ==
        Code::kNotFound);
  CHECK_FALSE(fs.exists(dir / "q"));
}

TEST_CASE(
    "Temporary files of writers that died are removed, and those that are being written are not",
    "[persist][file]") {
  const TempDir dir;
  FileSystem& fs = posix_file_system();
  AtomicFile alive(fs, dir / "f");
  write_bytes(dir / ".t-01234567", "left");
  write_bytes(dir / ".t-user", "someone else's");
  REQUIRE(mkfifo((dir / ".t-01234568").c_str(), 0600) == 0);
  std::filesystem::create_symlink("f", dir / ".t-01234569");
  remove_dead_temporaries(fs, dir.path());
  CHECK_FALSE(fs.exists(dir / ".t-01234567"));
  CHECK(fs.list_dir(dir.path()).size() == 4);
  alive.append("x");
  alive.publish();
  CHECK(read_bytes(dir / "f") == "x");
}

TEST_CASE("New files get the permissions that the umask leaves", "[persist][file]") {
  const TempDir dir;
  const mode_t before = umask(027);
  write_file_atomically(posix_file_system(), dir / "f", "x");
  umask(before);
  struct stat s;
  REQUIRE(stat((dir / "f").c_str(), &s) == 0);
  CHECK((s.st_mode & 0777) == 0640);
}

TEST_CASE("A name too long is refused with its length", "[persist][file]") {
  const TempDir dir;
  const Error error = error_of([&] { posix_file_system().create(dir / std::string(300, 'n')); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Catch::Contains("(300 bytes in the last part)"));
}

TEST_CASE("A file of the longest name the system allows is replaced atomically",
          "[persist][file]") {
  const TempDir dir;
  const std::string path = dir / std::string(255, 'n');
  write_file_atomically(posix_file_system(), path, "x");
  CHECK(read_file(posix_file_system(), path) == "x");
}

TEST_CASE("An atomic write syncs the bytes, then renames, then syncs the directory",
          "[persist][file]") {
  MemoryFileSystem memory;
  memory.create_dir("d");
  RecordingFileSystem fs(memory);
  write_file_atomically(fs, "d/f", "bytes");
  std::vector<FileOp::Kind> kinds;
  for (const FileOp& op : fs.changes()) kinds.push_back(op.kind);
  CHECK(kinds == std::vector<FileOp::Kind>{FileOp::kCreate, FileOp::kAppend, FileOp::kSync,
                                           FileOp::kRename, FileOp::kSyncDir});
  CHECK(is_temporary_name(base_name(fs.changes()[0].path)));
  CHECK_FALSE(is_temporary_name("model.index"));
}

TEST_CASE("A written file is synced, and a new directory's name is synced in the one above",
          "[persist][file]") {
  MemoryFileSystem memory;
  RecordingFileSystem fs(memory);
  write_file(fs, "f", "bytes");
  fs.create_dirs("a/b");
  fs.create_dirs("a/b");
  NewDirectories(fs, "a/c").keep();
  std::vector<std::string> done;
  for (const FileOp& op : fs.changes()) done.push_back(op.str());
  CHECK(done == std::vector<std::string>{"create f", "append f 5", "sync f", "close f",
                                         "create_dir a", "sync_dir .", "create_dir a/b",
                                         "sync_dir a", "create_dir a/c", "sync_dir a"});
}

TEST_CASE(
    "Wherever an atomic write fails, the file is the old or the new one and nothing else is left",
    "[persist][file]") {
  for (size_t i = 0;; ++i) {
    MemoryFileSystem memory;
    memory.set("f", "old");
    FaultyFileSystem fs(memory, i, ENOSPC);
    const Error error = error_of([&] { write_file_atomically(fs, "f", "new"); });
    if (!fs.failed()) {
      CHECK(i == 5);
      break;
    }
    CAPTURE(i, error.what());
    CHECK(error.code() == Code::kResourceExhausted);
    const auto left = memory.contents();
    CHECK(left.size() == 1);
    CHECK((left.at("f") == "old" || left.at("f") == "new"));
  }
}

TEST_CASE("An error under the temporary name is reported under the name that was asked for",
          "[persist][file]") {
  MemoryFileSystem memory;
  FaultyFileSystem fs(memory, 1, ENOSPC);
  const Error error = error_of([&] { write_file_atomically(fs, "wanted", "new"); });
  CHECK_THAT(error.what(), Catch::StartsWith("wanted (as .t-"));
}

TEST_CASE("Paths are taken apart and joined as the system does", "[persist][file]") {
  CHECK(directory_of("a/b") == "a");
  CHECK(directory_of("b") == ".");
  CHECK(directory_of("/b") == "/");
  CHECK(directory_of("a//b") == "a");
  CHECK(base_name("a/b") == "b");
  CHECK(join_path("a", "b") == "a/b");
  CHECK(join_path("a/", "b") == "a/b");
  CHECK(join_path("", "b") == "b");
  CHECK(join_path("a", "/b") == "/b");
}

}  // namespace cairn
