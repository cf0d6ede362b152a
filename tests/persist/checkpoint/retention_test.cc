// What a Saver keeps and deletes, in one run of a program and over several.
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/retention_state.h"
#include "persist/files/crc.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/small_model.h"

using namespace cairn;
using Catch::Matchers::Contains;
using Ints = std::vector<int>;

namespace {

SaverOptions at_time(double& now, SaverOptions options) {
  options.clock = [&now] { return now; };
  return options;
}

// Refuses to remove what `refuses` says.
struct NoRemove final : HookedFileSystem {
  using HookedFileSystem::HookedFileSystem;
  void hook(const FileOp& op, const Proceed& proceed) override {
    if (op.kind == FileOp::kRemove && refuses && op.path.find("/m-") != std::string::npos)
      fail_with_errno(op.path, "removing", EACCES);
    proceed(op.bytes);
  }
  bool refuses = true;
};

}  // namespace

// ---- the newest ---------------------------------------------------------------------------------

TEST_CASE("The newest are counted over restarts, whatever max_to_keep was before", "[retention]") {
  RunDisk disk;
  SmallModel(disk, {.max_to_keep = 4}).save_all({1, 2, 3, 4, 5});
  CHECK(disk.steps() == Ints{2, 3, 4, 5});
  SmallModel(disk, {.max_to_keep = 2}).save_all({6});
  CHECK(disk.steps() == Ints{5, 6});
  SmallModel third(disk, {.max_to_keep = 3});
  third.save_all({7});
  CHECK(disk.steps() == Ints{5, 6, 7});
  CHECK(third.saver.last_checkpoints() == Strings{"/run/m-5", "/run/m-6", "/run/m-7"});
  SmallModel(disk, {.max_to_keep = 0}).save_all({8, 9, 10});
  CHECK(disk.steps() == Ints{5, 6, 7, 8, 9, 10});
  CHECK(get_checkpoint_state("/run", "checkpoint", &disk)->all_model_checkpoint_paths.size() == 6);
  SmallModel last(disk, {.max_to_keep = 1});
  last.save_all({11});
  CHECK(disk.steps() == Ints{11});
  CHECK(last.warnings.empty());
}

TEST_CASE("The checkpoint file is the bytes of a TensorFlow Saver whatever else is kept",
          "[retention]") {
  RunDisk disk;
  SmallModel m(disk, {.max_to_keep = 2});
  m.saver.keep_best("accuracy", 1);
  m.save(1, {.metrics = {{"accuracy", 0.9}}});
  m.save_all({2, 3});
  CHECK(disk.steps() == Ints{1, 2, 3});
  CHECK(read_file(disk, "/run/checkpoint") ==
        "model_checkpoint_path: \"m-3\"\nall_model_checkpoint_paths: "
        "\"m-2\"\nall_model_checkpoint_paths: \"m-3\"\n");
}

TEST_CASE("What .cairn does not name is not deleted, though the checkpoint file lists it",
          "[retention]") {
  RunDisk disk;
  SmallModel(disk).save_all({1, 2});
  disk.remove("/run/.cairn");  // as if TensorFlow had written them
  SmallModel m(disk, {.max_to_keep = 1});
  m.save_all({3, 4});
  CHECK(disk.steps() == Ints{1, 2, 4});
  REQUIRE(m.warnings.size() == 1);
  CHECK_THAT(m.warnings[0],
             Contains("/run/m-1 and /run/m-2") && Contains("recover_last_checkpoints"));
  m.saver.recover_last_checkpoints({"/run/m-1", "/run/m-2", "/run/m-4"}, &disk);
  m.save_all({5});
  CHECK(disk.steps() == Ints{5});
}

TEST_CASE("Files beside the checkpoints survive whatever is deleted", "[retention]") {
  RunDisk disk;
  for (const char* name :
       {"/run/m-1.txt", "/run/m-1-notes", "/run/m-10.index", "/run/events.out", "/run/n-1.index"})
    disk.set(name, "not Cairn's");
  const auto before = disk.contents();
  SmallModel(disk, {.max_to_keep = 1}).save_all({1, 2, 3});
  for (const auto& [name, bytes] : before) CHECK(disk.contents().at(name) == bytes);
}

TEST_CASE("A delete that fails is a warning, and tried again at the next save", "[retention]") {
  RunDisk memory;
  NoRemove disk(memory);
  SmallModel m(disk, {.max_to_keep = 1});
  m.save_all({1, 2});
  CHECK(memory.steps() == Ints{1, 2});
  REQUIRE(m.warnings.size() == 1);
  CHECK_THAT(m.warnings[0], Contains("could not be removed") && Contains("/run/m-1.meta"));
  disk.refuses = false;
  m.save_all({3});
  CHECK(memory.steps() == Ints{3});
}

TEST_CASE("A delete that failed is tried again by the next process", "[retention]") {
  RunDisk memory;
  NoRemove disk(memory);
  SmallModel(disk, {.max_to_keep = 1}).save_all({1, 2});
  disk.refuses = false;
  SmallModel(disk, {.max_to_keep = 1}).save_all({3});
  CHECK(memory.steps() == Ints{3});
}

TEST_CASE("A checkpoint put in the place of one that could not be deleted is left alone",
          "[retention]") {
  RunDisk memory;
  NoRemove disk(memory);
  SmallModel(disk, {.max_to_keep = 1}).save_all({1, 2});
  memory.set("/run/m-1.index", "of another program");
  disk.refuses = false;
  SmallModel(disk, {.max_to_keep = 1}).save_all({3});
  CHECK(memory.steps() == Ints{1, 3});
}

TEST_CASE("A removal that ended after the index is finished by the next save", "[retention]") {
  // By an error, and by the end of the process.
  for (const bool same_process : {true, false}) {
    CAPTURE(same_process);
    RunDisk memory;
    struct NoData final : HookedFileSystem {
      using HookedFileSystem::HookedFileSystem;
      void hook(const FileOp& op, const Proceed& proceed) override {
        if (op.kind == FileOp::kRemove && refuses && op.path.find("m-1.data") != std::string::npos)
          fail_with_errno(op.path, "removing", EACCES);
        proceed(op.bytes);
      }
      bool refuses = true;
    } disk(memory);
    SmallModel m(disk, {.max_to_keep = 1});
    m.save_all({1, 2});
    CHECK(memory.exists("/run/m-1.data-00000-of-00001"));
    CHECK_FALSE(memory.exists("/run/m-1.index"));
    CHECK(m.warnings.size() == 1);
    disk.refuses = false;
    same_process ? (void)m.save(3) : SmallModel(disk, {.max_to_keep = 1}).save_all({3});
    CHECK_FALSE(memory.exists("/run/m-1.data-00000-of-00001"));
    CHECK(memory.steps() == Ints{3});
    CHECK(m.warnings.size() == 1);
  }
}

TEST_CASE("Data without an index that came after .cairn said it goes is another writer's",
          "[retention]") {
  RunDisk disk;
  SmallModel(disk, {.max_to_keep = 1}).save_all({1, 2});
  const Strings others = {"/run/m-1.data-00000-of-00001", "/run/m-1.meta",
                          "/run/m-9.data-00000-of-00001"};
  for (const std::string& path : others) disk.set(path, "of another program");
  SmallModel m(disk, {.max_to_keep = 1});
  m.save_all({3, 4});
  for (const std::string& path : others) CHECK(disk.exists(path));
  CHECK(m.warnings.empty());
}

TEST_CASE("Two savers of one path count together", "[retention]") {
  RunDisk disk;
  SmallModel m(disk, {.max_to_keep = 2});
  Saver other(m.graph, {.max_to_keep = 2});
  m.save(1);
  other.save(m.session, "/run/m", {.global_step = 2});
  m.save(3);
  other.save(m.session, "/run/m", {.global_step = 4});
  CHECK(disk.steps() == Ints{3, 4});
  CHECK(other.last_checkpoints() == Strings{"/run/m-3", "/run/m-4"});
}

TEST_CASE("Paths of one directory count apart over restarts", "[retention]") {
  RunDisk disk;
  {
    SmallModel m(disk, {.max_to_keep = 1});
    m.saver.save(m.session, "/run/n", {.global_step = 1});
  }
  SmallModel(disk, {.max_to_keep = 1}).save_all({1, 2});
  CHECK(disk.steps() == Ints{2});
  CHECK(disk.exists("/run/n-1.index"));
}

TEST_CASE("Checkpoints that set_last_checkpoints_with_time leaves out are not deleted",
          "[retention]") {
  RunDisk disk;
  SmallModel m(disk, {.max_to_keep = 1});
  m.save_all({1});
  m.saver.set_last_checkpoints_with_time({});
  m.save_all({2, 3});
  CHECK(disk.steps() == Ints{1, 3});
}

TEST_CASE("A protected checkpoint is listed by age, and deleted by the next saver", "[retention]") {
  RunDisk disk;
  SmallModel(disk, {.max_to_keep = 2}).save_all({1, 2});
  const auto listed = [&] {
    return get_checkpoint_state("/run", "checkpoint", &disk)->all_model_checkpoint_paths;
  };
  {
    SmallModel m(disk, {.max_to_keep = 2});
    m.saver.protect({"/run/m-1"});
    m.save_all({3});
    CHECK(listed() == Strings{"/run/m-2", "/run/m-3"});
    m.save_all({4, 5});
    CHECK(disk.steps() == Ints{1, 4, 5});
    CHECK(listed() == Strings{"/run/m-4", "/run/m-5"});
    CHECK(m.warnings.empty());
  }
  {
    SmallModel again(disk, {.max_to_keep = 2});
    again.saver.protect({"/run/m-1", "/run/m-5"});
    again.save_all({6});
    CHECK(disk.steps() == Ints{1, 5, 6});
    CHECK(listed() == Strings{"/run/m-5", "/run/m-6"});
  }
  SmallModel(disk, {.max_to_keep = 2}).save_all({7});
  CHECK(disk.steps() == Ints{6, 7});
}

TEST_CASE("A protected checkpoint of which .cairn knows nothing stays for good", "[retention]") {
  RunDisk disk;
  SmallModel(disk).save_all({1});
  disk.remove("/run/.cairn");  // as if TensorFlow had written it
  SmallModel m(disk, {.max_to_keep = 1});
  m.saver.protect({"/run/m-1"});
  m.save_all({2, 3});
  SmallModel(disk, {.max_to_keep = 1}).save_all({4});
  CHECK(disk.steps() == Ints{1, 4});
}

// ---- the hours rule -----------------------------------------------------------------------------

TEST_CASE("The hours rule goes on over restarts where it stopped", "[retention]") {
  const auto run = [](std::initializer_list<std::vector<int>> processes) {
    RunDisk disk;
    double now = 1;
    for (const std::vector<int>& steps : processes) {  // one checkpoint each twenty minutes
      SmallModel m(disk, at_time(now, {.max_to_keep = 2, .keep_checkpoint_every_n_hours = 1}));
      for (const int step : steps) {
        now = step * 1200 + 1;
        m.save(step);
      }
    }
    return disk.steps();
  };
  const Ints whole = run({{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}});
  CHECK(whole == Ints{4, 7, 10, 11});
  CHECK(run({{1, 2, 3}, {4, 5, 6, 7}, {8}, {9, 10, 11}}) == whole);
}

TEST_CASE("Hours in which nothing ran need no checkpoints of their own", "[retention]") {
  RunDisk disk;
  double now = 0;
  const SaverOptions options = at_time(now, {.max_to_keep = 1, .keep_checkpoint_every_n_hours = 1});
  SmallModel(disk, options).save_all({1});
  now = 100 * 3600;
  SmallModel later(disk, options);
  for (int step = 2; step <= 12; ++step) {
    now += 600;
    later.save(step);
  }
  CHECK(disk.steps() == Ints{2, 8, 12});
  CHECK(reasons(disk, 2) == Strings{"hours"});
}

// ---- the side file ------------------------------------------------------------------------------

TEST_CASE("The text of .cairn holds every kind of line and every character of a name",
          "[retention]") {
  RetentionState state;
  state.hours["m \"x\\n\n"] = 1700000000.125;
  state.best["m"] = {{"accuracy", 3, true}, {"loss", 1, false}};
  state.records.push_back(
      {.name = "m-1", .series = "m", .time = 1e9 + 0.1, .written = 3, .newest = true});
  state.records.push_back(
      {.name = "n \\\"ü", .series = "n", .hours = true, .pinned = true, .foreign = true});
  state.records.back().finite = false;
  state.records.back().metrics = {{"a b", -0.1}, {"inf", std::numeric_limits<double>::infinity()}};
  const std::string text = to_text(state);
  CHECK(to_text(parse_retention_state("x", text)) == text);
  CHECK(parse_retention_state("x", text).records[1].name == "n \\\"ü");
  CHECK(parse_retention_state("x", text).hours.begin()->first == "m \"x\\n\n");
}

TEST_CASE("Every cut and every changed byte of .cairn is refused", "[retention][corruption]") {
  RunDisk disk;
  SmallModel m(disk);
  m.save(1, {.metrics = {{"accuracy", 0.5}}});
  const std::string text = read_file(disk, "/run/.cairn");
  const auto code_of = [&](const std::string& bytes) {
    disk.set("/run/.cairn", bytes);
    try {
      kept_checkpoints("/run", &disk);
    } catch (const Error& e) {
      return e.code();
    }
    return Code::kOk;
  };
  CHECK(code_of(text) == Code::kOk);
  for (size_t i = 0; i < text.size(); ++i) {
    CHECK(code_of(text.substr(0, i)) == Code::kDataLoss);
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK(code_of(changed) == Code::kDataLoss);
  }
}

TEST_CASE("With a damaged .cairn nothing of earlier runs is deleted", "[retention][corruption]") {
  RunDisk disk;
  SmallModel(disk).save_all({1, 2, 3});
  disk.set("/run/.cairn", "cairn 1\nmodel");
  SmallModel m(disk, {.max_to_keep = 1});
  m.save_all({4, 5, 6});
  CHECK(disk.steps() == Ints{1, 2, 3, 6});
  REQUIRE(m.warnings.size() == 2);
  CHECK_THAT(m.warnings[0], Contains("/run/.cairn: line 1") && Contains("checksum"));
}

TEST_CASE("A .cairn damaged while the process runs is replaced by what it knows",
          "[retention][corruption]") {
  RunDisk disk;
  SmallModel m(disk, {.max_to_keep = 1});
  m.save(1);
  m.saver.pin("/run/m-1", &disk);
  m.save_all({2});
  disk.set("/run/.cairn", "");
  m.save_all({3});
  CHECK(disk.steps() == Ints{1, 3});
  CHECK(reasons(disk, 1) == Strings{"pinned"});
}

TEST_CASE("A .cairn of a newer version is left as it is and nothing is deleted", "[retention]") {
  RunDisk disk;
  const std::string news = "cairn 2\nnews\n";
  char end[32];
  std::snprintf(end, sizeof end, "end %08x\n", crc32c(news));
  SmallModel m(disk, {.max_to_keep = 1});
  m.save(1);
  disk.set("/run/.cairn", news + end);
  m.save_all({2, 3});
  CHECK(disk.steps() == Ints{1, 2, 3});
  CHECK(read_file(disk, "/run/.cairn") == news + end);
  CHECK_THAT(m.warnings.at(0), Contains("a newer Cairn wrote it"));
}

TEST_CASE(
    "Where .cairn cannot be written the checkpoint stands and nothing is deleted until it can",
    "[retention]") {
  RunDisk memory;
  struct Full final : HookedFileSystem {
    using HookedFileSystem::HookedFileSystem;
    void hook(const FileOp& op, const Proceed& proceed) override {
      if (full && op.kind == FileOp::kRename && op.to == "/run/.cairn")
        fail_with_errno(op.to, "renaming", ENOSPC);
      proceed(op.bytes);
    }
    bool full = false;
  } disk(memory);
  SmallModel m(disk, {.max_to_keep = 1});
  m.save(1);
  disk.full = true;
  m.save_all({2, 3});
  CHECK(memory.steps() == Ints{1, 2, 3});
  CHECK(*latest_checkpoint("/run", kCheckpointFileName, &memory) == "/run/m-3");
  CHECK(m.warnings.size() == 2);
  disk.full = false;
  m.save(4);
  CHECK(memory.steps() == Ints{4});
}

TEST_CASE("Whichever file operation fails, what must stay is there in the next process",
          "[retention][faults]") {
  for (size_t i = 0;; ++i) {
    RunDisk memory;
    {
      SmallModel m(memory, {.max_to_keep = 1});
      m.saver.keep_best("accuracy", 1);
      m.save(1, {.metrics = {{"accuracy", 0.9}}});
      m.save(2);
      m.saver.pin("/run/m-2", &memory);
      m.save(3);
    }
    FaultyFileSystem disk(memory, i, EIO);
    {
      SmallModel m(disk, {.max_to_keep = 1});
      try {
        m.save(4);
      } catch (const Error&) {
      }
    }
    SmallModel m(memory, {.max_to_keep = 1});
    m.save(5);
    INFO("call " << i);
    CHECK(memory.exists("/run/m-1.index"));
    CHECK(memory.exists("/run/m-2.index"));
    CHECK(memory.exists("/run/m-5.index"));
    if (!disk.failed()) break;
  }
}
