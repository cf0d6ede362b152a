// What the doctor does that needs a writer: one that died, one that is at work.
// tests/tools/doctor_command_test.cc has the rest.
#include "persist/extras/checkpoint_doctor.h"

#include <cerrno>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/files/overwrite_journal.h"
#include "persist/files/publication.h"
#include "persist/graph/meta_graph.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/hooked_fs.h"
#include "tests/support/memory_fs.h"

namespace cairn {
namespace {

void write_value(FileSystem& fs, const std::string& prefix, float value) {
  BundleWriter writer(fs, prefix);
  writer.add("w", Tensor(value));
  writer.finish();
}

// A directory with one checkpoint, run/m, and a checkpoint file that names it.
struct Directory {
  Directory() {
    fs.create_dir("run");
    write_value(fs, "run/m", 1);
    update_checkpoint_state("run", "run/m", {}, kCheckpointFileName, &fs);
  }
  // A writer that died when it had put one of two new files into place.
  void interrupt_overwriting() {
    fs.create_dir("new");
    write_value(fs, "new/m", 2);
    const std::string data = ".data-00000-of-00001";
    OverwriteJournal journal(fs, journal_path("run/m"));
    journal.begin({"run/m.index", "run/m" + data},
                  {{"m.index", "new/m.index"}, {"m" + data, "new/m" + data}});
    fs.rename("new/m" + data, "run/m" + data);
  }
  MemoryFileSystem fs;
};

}  // namespace

TEST_CASE("The doctor adds up the sizes of a checkpoint's files, graphs included", "[doctor]") {
  Directory d;
  const uint64_t values =
      d.fs.stat("run/m.index")->size + d.fs.stat("run/m.data-00000-of-00001")->size;
  DirectoryReport report = examine_directory("run", &d.fs);
  REQUIRE(report.checkpoints.size() == 1);
  CHECK(report.checkpoints[0].size == values);
  Graph graph;
  export_meta_graph(graph, {.filename = "run/m.meta", .file_system = &d.fs});
  report = examine_directory("run", &d.fs);
  CHECK(report.checkpoints[0].size == values + d.fs.stat("run/m.meta")->size);
}

TEST_CASE(
    "The doctor tells of an interrupted overwriting without ending it, and puts the older "
    "checkpoint back",
    "[doctor]") {
  Directory d;
  const auto at_first = d.fs.contents();
  d.interrupt_overwriting();
  const auto before = d.fs.contents();
  const DirectoryReport report = examine_directory("run", &d.fs);
  CHECK(d.fs.contents() == before);
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].what.starts_with("a writer died while it overwrote a checkpoint: .r-"));
  CHECK(report.problems[0].can_repair);
  const auto done = repair_directory("run", &d.fs);
  REQUIRE(!done.empty());
  CHECK(done[0] == "put back what was there before an overwriting that was interrupted");
  CHECK(examine_directory("run", &d.fs).healthy());
  auto after = d.fs.contents();
  after.erase("new/m.index");
  CHECK(after == at_first);
}

TEST_CASE("The doctor leaves a directory alone while a writer has it", "[doctor]") {
  Directory d;
  d.fs.set("run/.t-01234567", "half");
  const auto lock = d.fs.lock_dir("run");
  const DirectoryReport report = examine_directory("run", &d.fs);
  CHECK(report.being_written);
  CHECK(report.healthy());
  CHECK(error_of([&] { repair_directory("run", &d.fs); }).code() == Code::kFailedPrecondition);
  CHECK(d.fs.exists("run/.t-01234567"));
}

TEST_CASE("The doctor asks for a directory's lock only where something looks wrong", "[doctor]") {
  Directory d;
  const auto lock = d.fs.lock_dir("run");
  CHECK(!examine_directory("run", &d.fs).being_written);
}

TEST_CASE("The doctor follows a checkpoint file that names a checkpoint elsewhere", "[doctor]") {
  Directory d;
  d.fs.create_dir("/far");
  write_value(d.fs, "/far/n", 1);
  update_checkpoint_state("run", "/far/n", {}, kCheckpointFileName, &d.fs);
  const DirectoryReport report = examine_directory("run/", &d.fs);
  CHECK(report.healthy());
  CHECK(report.newest == "/far/n");
}

TEST_CASE(
    "The doctor does not take what may not be read for damaged, and names no other checkpoint for "
    "it",
    "[doctor]") {
  struct Forbidding final : HookedFileSystem {
    using HookedFileSystem::HookedFileSystem;
    void hook(const FileOp& op, const Proceed& proceed) override {
      if (op.kind == FileOp::kOpen && op.path == "run/m-2.index")
        fail_with_errno(op.path, "opening", EACCES);
      if (op.kind == FileOp::kStat && op.path == "run/away")
        fail_with_errno(op.path, "looking at", EACCES);
      proceed(op.bytes);
    }
  };
  Directory d;
  write_value(d.fs, "run/m-1", 1);
  write_value(d.fs, "run/m-2", 2);
  d.fs.set("run/away", "");
  update_checkpoint_state("run", "run/m-2", {}, kCheckpointFileName, &d.fs);
  Forbidding fs(d.fs);
  const DirectoryReport report = examine_directory("run", &fs);
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].what.starts_with("m-2: run/m-2.index: opening: Permission denied"));
  CHECK(report.problems[0].remedy ==
        "make it readable, or try again later: it is not known whether it is whole");
  CHECK(report.files[0].name == "away");
  CHECK(report.files[0].role == FileRole::kLink);
  const auto before = d.fs.contents();
  CHECK(repair_directory("run", &fs).empty());
  CHECK(d.fs.contents() == before);
}

}  // namespace cairn
