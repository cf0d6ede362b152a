// Whether a save will work, asked before the first step.
#include "tests/support/catch.h"
#include "tests/support/hooked_fs.h"
#include "tests/support/small_model.h"

using namespace cairn;
using Catch::Matchers::Contains;

namespace {

// Fails every call of one kind.
struct Broken final : HookedFileSystem {
  Broken(FileSystem& inner, FileOp::Kind what, int error_number)
      : HookedFileSystem(inner), kind(what), number(error_number) {}
  void hook(const FileOp& op, const Proceed& proceed) override {
    if (op.kind == kind) fail_with_errno(op.path, "(made to fail)", number);
    proceed(op.bytes);
  }
  FileOp::Kind kind;
  int number;
};

Code code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.code();
  }
  return Code::kOk;
}

}  // namespace

TEST_CASE(
    "A directory in which saving works passes, before variables have values, and is left as it was",
    "[preflight]") {
  RunDisk disk;
  SmallModel m(disk);
  m.session.load({});
  const Preflight found = m.saver.preflight(m.session, "/run/m", {.global_step = 1});
  CHECK(found.checkpoint_bytes >= 7 * sizeof(float));
  CHECK(found.free_bytes > found.checkpoint_bytes);
  CHECK(found.warnings.empty());
  m.saver.preflight(m.session, "/run/new/m");
  CHECK(disk.contents().empty());
  CHECK_FALSE(disk.exists("/run/new"));
}

TEST_CASE("Too little space for one checkpoint is a problem, for max_to_keep of them a warning",
          "[preflight]") {
  RunDisk disk;
  SmallModel m(disk);
  const uint64_t one = m.saver.preflight(m.session, "/run/m").checkpoint_bytes;
  disk.set_capacity(3 * one);
  CHECK_THAT(m.saver.preflight(m.session, "/run/m").warnings.at(0),
             Contains("the 6 checkpoints still to come with max_to_keep = 5"));
  CHECK(m.warnings.size() == 1);
  disk.set_capacity(one - 1);
  CHECK_THROWS_WITH(m.saver.preflight(m.session, "/run/m"), Contains("one checkpoint takes"));
  CHECK(code_of([&] { m.saver.preflight(m.session, "/run/m"); }) == Code::kResourceExhausted);
}

TEST_CASE("A directory that nobody may write in is told", "[preflight]") {
  RunDisk memory;
  Broken disk(memory, FileOp::kCreate, EACCES);
  SmallModel m(disk);
  CHECK(code_of([&] { m.saver.preflight(m.session, "/run/m"); }) == Code::kPermissionDenied);
  CHECK_THROWS_WITH(m.saver.preflight(m.session, "/run/new/m"),
                    Contains("saving to '/run/new/m' would fail"));
  CHECK_FALSE(memory.exists("/run/new"));
}

TEST_CASE("Files that cannot be renamed are a problem, that cannot be linked a warning",
          "[preflight]") {
  RunDisk memory;
  {
    Broken disk(memory, FileOp::kRename, EPERM);
    SmallModel m(disk);
    CHECK_THROWS_WITH(m.saver.preflight(m.session, "/run/m"), Contains("made to fail"));
  }
  Broken disk(memory, FileOp::kLink, EPERM);
  SmallModel m(disk);
  CHECK_THAT(m.saver.preflight(m.session, "/run/m").warnings.at(0), Contains("cannot be linked"));
  CHECK(memory.contents().empty());
}

TEST_CASE("A name that the step will make too long is told with by how much", "[preflight]") {
  RunDisk disk;
  SmallModel m(disk);
  const size_t most = disk.name_max("/run"), ending = std::string(".data-00000-of-00001").size();
  const std::string longest = "/run/" + std::string(most - ending, 'x');
  m.saver.preflight(m.session, longest);
  m.saver.save(m.session, longest);
  CHECK_THROWS_WITH(m.saver.preflight(m.session, longest + "yz"), Contains("by 2"));
  CHECK_THROWS_WITH(m.saver.preflight(m.session, longest, {.global_step = 1}), Contains("by 11"));
}

TEST_CASE("All problems are told at once", "[preflight]") {
  RunDisk memory;
  Broken disk(memory, FileOp::kCreate, EROFS);
  SmallModel m(disk);
  memory.set_capacity(10);
  const std::string path = "/run/" + std::string(300, 'x');
  CHECK_THROWS_WITH(m.saver.preflight(m.session, path, {.latest_filename = "a/b"}),
                    Contains("latest_filename") && Contains("made to fail") &&
                        Contains("file names would have") && Contains("10 bytes are free"));
}

TEST_CASE("A directory two levels away from any, and a file in its place, are told",
          "[preflight]") {
  RunDisk disk;
  disk.set("/run/file", "text");
  SmallModel m(disk);
  CHECK(code_of([&] { m.saver.preflight(m.session, "/no/where/m"); }) == Code::kNotFound);
  CHECK_THROWS_WITH(m.saver.preflight(m.session, "/run/file/m"), Contains("not a directory"));
}

TEST_CASE("A directory that another writer has is told", "[preflight]") {
  RunDisk disk;
  SmallModel m(disk);
  const auto other = disk.lock_dir("/run");
  CHECK(code_of([&] { m.saver.preflight(m.session, "/run/m"); }) == Code::kFailedPrecondition);
}

TEST_CASE("A file where the directory should be is told as one", "[preflight]") {
  RunDisk disk;
  disk.set("/run/file", "text");
  SmallModel m(disk);
  CHECK_THROWS_WITH(m.saver.preflight(m.session, "/run/file/m"),
                    Contains("/run/file: it is a file, not a directory"));
}

TEST_CASE("Two sizes in one message are in one unit", "[preflight]") {
  RunDisk disk;
  SmallModel m(disk);
  const Variable large = variable(zeros(m.graph, {5'000'000}), {.name = "large"});
  Saver saver(m.graph);
  disk.set_capacity(123'456);
  CHECK_THROWS_WITH(
      saver.preflight(m.session, "/run/m"),
      Contains("0.123 MB are free, one checkpoint takes 20.0 MB") && !Contains("bytes"));
  disk.set_capacity(25'000'000);
  CHECK(m.saver.preflight(m.session, "/run/m").warnings.empty());  // of the small ones alone
  Saver quiet(m.graph, {.on_warning = [](const std::string&) {}});
  CHECK_THAT(quiet.preflight(m.session, "/run/m").warnings.at(0),
             Contains("25.0 MB are free") && Contains("take 120.1 MB"));
}
