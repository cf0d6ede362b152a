#include "persist/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "tests/support/catch.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"
#include "tests/support/recording_fs.h"

namespace cairn {
namespace {

// What must hold of every file system, run on the real one and on its double in memory.
void check_file_system(FileSystem& fs, const std::string& root) {
  const std::string a = join_path(root, "a"), b = join_path(root, "b"), deep = join_path(root, "x/y/z");
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
        "/no/such/file: opening for reading: No such file or directory; check the path and that its directory exists");
}

TEST_CASE("A full disk is ResourceExhausted", "[persist][file]") {
  const auto file = posix_file_system().create("/dev/full");
  const Error error = error_of([&] { file->append("x"); });
  CHECK(error.code() == Code::kResourceExhausted);
  CHECK_THAT(error.what(), Catch::Contains("writing 1 bytes: No space left on device; free some space"));
}

TEST_CASE("A write the system cuts short goes on until the reason for it is known", "[persist][file]") {
  const TempDir dir;
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const Error error = error_of([&] { write_file(posix_file_system(), dir / "big", std::string(5000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  CHECK(error.code() == Code::kResourceExhausted);
  CHECK(posix_file_system().stat(dir / "big")->size == 1000);
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

TEST_CASE("A file of the longest name the system allows is replaced atomically", "[persist][file]") {
  const TempDir dir;
  const std::string path = dir / std::string(255, 'n');
  write_file_atomically(posix_file_system(), path, "x");
  CHECK(read_file(posix_file_system(), path) == "x");
}

TEST_CASE("An atomic write syncs the bytes, then renames, then syncs the directory", "[persist][file]") {
  MemoryFileSystem memory;
  memory.create_dir("d");
  RecordingFileSystem fs(memory);
  write_file_atomically(fs, "d/f", "bytes");
  std::vector<FileOp::Kind> kinds;
  for (const FileOp& op : fs.changes()) kinds.push_back(op.kind);
  CHECK(kinds ==
        std::vector<FileOp::Kind>{FileOp::kCreate, FileOp::kAppend, FileOp::kSync, FileOp::kRename, FileOp::kSyncDir});
  CHECK(is_temporary_name(base_name(fs.changes()[0].path)));
  CHECK_FALSE(is_temporary_name("model.index"));
}

TEST_CASE("Wherever an atomic write fails, the file is the old or the new one and nothing else is left",
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

TEST_CASE("An error under the temporary name is reported under the name that was asked for", "[persist][file]") {
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
