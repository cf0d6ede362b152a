// Which checkpoint is the newest that is whole, in directories that something has happened to.
#include <filesystem>
#include <functional>
#include <map>
#include <utility>

#include "ops/state/variables.h"
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/generations.h"
#include "tests/support/hooked_fs.h"
#include "tests/support/memory_fs.h"

namespace cairn {
namespace {

using Catch::Matchers::Contains;
using Strings = std::vector<std::string>;
using Skipped = std::map<std::string, std::string>;

struct Disk : MemoryFileSystem {
  Disk() { create_dirs("/run"); }
  void save(int64_t generation, const SaveOptions& options = {}) {
    Generation(generation, Form::kV2, {.max_to_keep = 0}).save(*this, "/run/m", options);
  }
  void save_three() {
    for (int64_t i = 1; i <= 3; ++i) save(i, {.global_step = i});
  }
  void flip(const std::string& path) {
    std::string bytes = read_file(*this, path);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    set(path, bytes);
  }
};

std::optional<std::string> verified(FileSystem& fs, Skipped* skipped = nullptr,
                                    const std::string& directory = "/run") {
  return latest_checkpoint(directory, {.verify = true,
                                       .on_skip =
                                           [&](const std::string& prefix, const std::string& why) {
                                             if (skipped) (*skipped)[prefix] = why;
                                           },
                                       .file_system = &fs});
}

}  // namespace

TEST_CASE("The newest whole checkpoint is found, and for each that is not it is said why",
          "[persist][latest]") {
  Disk disk;
  disk.save_three();
  CHECK(verified(disk) == "/run/m-3");
  disk.flip("/run/m-3.data-00000-of-00001");
  write_file(disk, "/run/m-2.meta", "nonsense");
  Skipped skipped;
  CHECK(latest_checkpoint("/run", kCheckpointFileName, &disk) == "/run/m-3");
  CHECK(verified(disk, &skipped) == "/run/m-1");
  REQUIRE(skipped.size() == 2);
  CHECK_THAT(skipped["/run/m-3"], Contains("/run/m-3.data-00000-of-00001"));
  CHECK_THAT(skipped["/run/m-2"], Contains("/run/m-2.meta"));
}

TEST_CASE("A checkpoint without one of its files is passed over", "[persist][latest]") {
  for (const char* file : {"/run/m-3.index", "/run/m-3.data-00000-of-00001"}) {
    Disk disk;
    disk.save_three();
    disk.remove(file);
    Skipped skipped;
    CHECK(verified(disk, &skipped) == "/run/m-2");
    CHECK_THAT(skipped["/run/m-3"], Contains("m-3"));
  }
}

TEST_CASE("Where no checkpoint is whole there is none", "[persist][latest]") {
  Disk disk;
  disk.save(1);
  disk.flip("/run/m.index");
  Skipped skipped;
  CHECK_FALSE(verified(disk, &skipped));
  CHECK(skipped.size() == 1);
  CHECK_FALSE(verified(disk, nullptr, "/none"));
}

TEST_CASE(
    "Where the checkpoint file is lost or damaged, the directory is searched by step, not by time",
    "[persist][latest]") {
  for (const std::string text : {"", "nonsense", "model_checkpoint_path: \"gone\"\n"}) {
    Disk disk;
    disk.save(9, {.global_step = 10});
    disk.save(8, {.global_step = 9});
    disk.save(7);
    disk.set("/run/checkpoint", text);
    Skipped skipped;
    CHECK(verified(disk, &skipped) == "/run/m-10");
    CHECK(skipped.size() == 1);
    disk.remove("/run/checkpoint");
    CHECK(verified(disk) == "/run/m-10");
    disk.remove("/run/m-10.index");
    CHECK(verified(disk) == "/run/m-9");
    CHECK(find_checkpoints("/run", &disk) == Strings{"/run/m", "/run/m-9"});
  }
}

TEST_CASE("V1 checkpoints are found in a directory, and one that lacks a shard is not whole",
          "[persist][latest]") {
  Disk disk;
  Generation(1, Form::kV1).save(disk, "/run/old", {.global_step = 4});
  Generation(2, Form::kShardedV1).save(disk, "/run/m", {.global_step = 5});
  disk.remove("/run/checkpoint");
  CHECK(find_checkpoints("/run", &disk) == Strings{"/run/old-4", "/run/m-5-\?\?\?\?\?-of-00002"});
  CHECK(verified(disk) == "/run/m-5-\?\?\?\?\?-of-00002");
  disk.remove("/run/m-5-00001-of-00002");
  CHECK(verified(disk) == "/run/old-4");
}

TEST_CASE("What a writer left beside a checkpoint is no checkpoint", "[persist][latest]") {
  Disk disk;
  Generation(1, Form::kV1).save(disk, "/run/old", {.global_step = 4});
  for (const char* name : {".o-0123456789abcd", ".t-01234567"})
    disk.link("/run/old-4", std::string("/run/") + name);
  disk.create_dirs("/run/directory.index");
  CHECK(find_checkpoints("/run", &disk) == Strings{"/run/old-4"});
}

TEST_CASE("A directory of checkpoints can be copied, moved, renamed and linked to",
          "[persist][latest]") {
  namespace stdfs = std::filesystem;
  FileSystem& fs = posix_file_system();
  const TempDir dir;
  stdfs::create_directory(dir / "run");
  const Generation g(5, Form::kShardedV2);
  g.save(fs, dir / "run" / "m", {.global_step = 1});
  const std::string absolute = (dir / "run" / "m-1").string();
  const stdfs::path copied = dir / "with spaces", renamed = dir / "\u00fcber \u6a21\u578b",
                    linked = dir / "linked";
  stdfs::copy(dir / "run", copied, stdfs::copy_options::recursive);
  stdfs::rename(dir / "run", renamed);
  stdfs::create_directory_symlink(renamed, linked);
  for (const stdfs::path& at : {copied, renamed, linked}) {
    for (const bool was_absolute : {false, true}) {
      if (was_absolute)
        write_bytes(at / "checkpoint", "model_checkpoint_path: \"" + absolute + "\"\n");
      for (const bool verify : {false, true}) {
        const auto newest = latest_checkpoint(at, {.verify = verify});
        CHECK(newest == (at / "m-1").string());
        CHECK(generation_of_values(fs, *newest) == 5);
      }
    }
  }
  for (const stdfs::path& at : {copied, linked}) {
    g.save(fs, at / "m", {.global_step = 2});
    CHECK(latest_checkpoint(at, {.verify = true}) == (at / "m-2").string());
  }
}

// ---- readers beside a writer --------------------------------------------------------------------

namespace {

// Lets a writer do something at the moment a reader opens a file for the first time.
struct Interrupted final : HookedFileSystem {
  Interrupted(FileSystem& fs, std::string at, std::function<void()> writer)
      : HookedFileSystem(fs), path(std::move(at)), write(std::move(writer)) {}
  void hook(const FileOp& op, const Proceed& proceed) override {
    if (op.kind == FileOp::kOpen && op.path == path && write) std::exchange(write, nullptr)();
    proceed(op.bytes);
  }
  std::string path;
  std::function<void()> write;
};

int64_t restored(FileSystem& fs, const std::string& path) {
  const Generation g(0, Form::kV2);
  Session session(g.graph(), {.threads = 1, .file_system = &fs});
  Saver(g.graph()).restore(session, path);
  return session.value(find_variable(g.graph(), "b")).scalar<int64_t>();
}

}  // namespace

TEST_CASE("A checkpoint that goes between look and open is read as the one that came after it",
          "[persist][latest]") {
  for (const char* file : {"/run/m-1.index", "/run/m-1.data-00000-of-00001"}) {
    Disk memory;
    const Generation first(1, Form::kV2, {.max_to_keep = 1}),
        second(2, Form::kV2, {.max_to_keep = 1});
    first.save(memory, "/run/m", {.global_step = 1});
    Interrupted disk(memory, file, [&] { second.save(memory, "/run/m", {.global_step = 2}); });
    CHECK(restored(disk, "/run") == 2);
    CHECK_FALSE(memory.exists(file));
  }
}

TEST_CASE("A checkpoint that is overwritten while it is read is read again", "[persist][latest]") {
  for (const char* file : {"/run/m.index", "/run/m.data-00000-of-00001"}) {
    Disk memory;
    memory.save(1);
    Interrupted disk(memory, file, [&] { memory.save(2); });
    CHECK(restored(disk, "/run/m") == 2);
  }
}

TEST_CASE("A search that a writer overtakes reports nothing that is not so any more",
          "[persist][latest]") {
  Disk memory;
  const Generation first(1, Form::kV2, {.max_to_keep = 1}),
      second(2, Form::kV2, {.max_to_keep = 1});
  first.save(memory, "/run/m", {.global_step = 1});
  Interrupted disk(memory, "/run/m-1.data-00000-of-00001",
                   [&] { second.save(memory, "/run/m", {.global_step = 2}); });
  Skipped skipped;
  CHECK(verified(disk, &skipped) == "/run/m-2");
  CHECK(skipped.empty());
}

TEST_CASE("A directory given as a checkpoint is answered with what is in it", "[persist][latest]") {
  MemoryFileSystem fs;
  const auto write = [&](const char* prefix) {
    BundleWriter writer(fs, prefix);
    writer.add("x", Tensor(1.0f));
    writer.finish();
  };
  fs.create_dirs("run");
  const auto message = [&] {
    return std::string(error_of([&] { checkpoint_prefix("run", &fs); }).what());
  };
  CHECK(message() == "run: there is no checkpoint in this directory");
  write("run/m-1");
  CHECK(checkpoint_prefix("run", &fs) == "run/m-1");
  write("run/m-2");
  CHECK(message() ==
        "run: no file named checkpoint says which of several is meant; give one: run/m-1 and "
        "run/m-2");
  write_file_atomically(fs, "run/checkpoint", "model_checkpoint_path: 'm-3'\n");
  CHECK(message() ==
        "run: its checkpoint file names run/m-3, which is not there; give one that is: run/m-1 and "
        "run/m-2");
  write("run/m-3");
  CHECK(checkpoint_prefix("run", &fs) == "run/m-3");
}

TEST_CASE(
    "A checkpoint file that names what is not there is not overruled by the only other checkpoint",
    "[persist][latest]") {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "run/m-1");
  writer.add("x", Tensor(1.0f));
  writer.finish();
  write_file_atomically(fs, "run/checkpoint", "model_checkpoint_path: 'm-9'\n");
  const Error error = error_of([&] { checkpoint_prefix("run", &fs); });
  CHECK(error.code() == Code::kNotFound);
  CHECK(says(error, "names run/m-9, which is not there; give one that is: run/m-1"));
}

}  // namespace cairn
