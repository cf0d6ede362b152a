// Saving in the background.
#include <condition_variable>
#include <limits>
#include <thread>

#include "persist/checkpoint/bundle.h"
#include "tests/support/catch.h"
#include "tests/support/hooked_fs.h"
#include "tests/support/program.h"
#include "tests/support/recording_fs.h"
#include "tests/support/small_model.h"

using namespace cairn;
using Catch::Matchers::Contains;

namespace {

// Holds every write back until it is let go, and can be made to fail.
class HeldDisk final : public HookedFileSystem {
 public:
  using HookedFileSystem::HookedFileSystem;
  void hold_back() { set(false); }
  void let_go() { set(true); }
  std::atomic<bool> broken = false;

 private:
  void set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  void hook(const FileOp& op, const Proceed& proceed) override {
    if (op.kind == FileOp::kAppend) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return open_; });
      if (broken) fail_with_errno(op.path, "writing", ENOSPC);
    }
    proceed(op.bytes);
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
};

float saved_a(FileSystem& disk, int step) {
  return BundleReader(disk, str_cat("/run/m-", step)).read("a").data<float>()[2];
}

}  // namespace

TEST_CASE("What is saved in the background are the values at the call", "[save_async]") {
  RunDisk memory;
  HeldDisk disk(memory);
  SmallModel m(disk);
  const Variable step = variable(m.graph, int64_t{1}, {.name = "step", .trainable = false});
  m.session.run(step.initializer());
  const Operation grow = assign_add(m.a, constant(m.graph, Tensor::vector<float>({1, 1, 1}))).op();
  m.session.run(grow);
  disk.hold_back();
  const PendingSave pending = m.saver.save_async(m.session, "/run/m", {.global_step = step});
  CHECK_FALSE(pending.done());
  for (int i = 0; i < 5; ++i) m.session.run(grow);
  m.set_a(100);
  m.session.set_value(step, int64_t{77});
  CHECK_FALSE(memory.exists("/run/m-1.index"));
  disk.let_go();
  CHECK(pending.wait() == "/run/m-1");
  CHECK(pending.done());
  CHECK(pending.wait() == "/run/m-1");
  CHECK(saved_a(memory, 1) == 2);
  CHECK(m.session.value(m.a).data<float>()[0] == 100);
  m.saver.restore(m.session, "/run/m-1");
  CHECK(m.session.value(m.a).data<float>()[0] == 2);
}

TEST_CASE("A save in the background makes the same calls in the same order as one in front",
          "[save_async]") {
  const auto ops = [](bool background) {
    RunDisk memory;
    RecordingFileSystem disk(memory);
    SmallModel m(disk, {.max_to_keep = 1, .clock = [] { return 1.0; }});
    m.save(1);
    const size_t before = disk.ops().size();
    if (background) {
      m.saver.save_async(m.session, "/run/m", {.global_step = 2}).wait();
    } else {
      m.save(2);
    }
    Strings calls;
    for (size_t i = before; i < disk.ops().size(); ++i) {
      std::string call = disk.ops()[i].str();
      // Temporary names differ.
      for (size_t at = 0; (at = call.find(".t-", at)) != std::string::npos; ++at)
        call.replace(at, 11, ".t");
      calls.push_back(call);
    }
    return calls;
  };
  CHECK(ops(true) == ops(false));
}

TEST_CASE("Sharded and V1 checkpoints are saved in the background too", "[save_async]") {
  for (const auto format : {CheckpointFormat::kV1, CheckpointFormat::kV2}) {
    RunDisk disk;
    Graph graph;
    Variable a = variable(graph, 1.0f, {.name = "a"}), b;
    {
      auto on = graph.device("/job:ps/task:1");
      b = variable(graph, 2.0f, {.name = "b", .use_resource = true});
    }
    Saver saver(graph, {.sharded = true, .write_version = format});
    Session session(graph, {.file_system = &disk});
    session.run(global_variables_initializer(graph));
    const PendingSave pending = saver.save_async(session, "/run/m");
    session.set_values({{a, 5.0f}, {b, 6.0f}});
    saver.restore(session, pending.wait());
    CHECK(session.value(a).scalar<float>() == 1);
    CHECK(session.value(b).scalar<float>() == 2);
  }
}

TEST_CASE("Training goes on in other threads while the model is saved again and again",
          "[save_async]") {
  RunDisk disk;
  SmallModel m(disk, {.max_to_keep = 2});
  const Operation grow = assign_add(m.a, constant(m.graph, Tensor::vector<float>({1, 1, 1}))).op();
  std::atomic<bool> stop = false;
  std::thread trainer([&] {
    while (!stop) m.session.run(grow);
  });
  bool whole = true;
  for (int step = 1; step <= 10; ++step) {
    m.saver.save_async(m.session, "/run/m", {.global_step = step}).wait();
    const Tensor a = BundleReader(disk, str_cat("/run/m-", step)).read("a");
    whole = whole && a.data<float>()[0] == a.data<float>()[2];
    variable(m.graph, 1.0f);  // the graph may grow meanwhile
  }
  stop = true;
  trainer.join();
  CHECK(whole);
  CHECK(disk.steps() == std::vector<int>{9, 10});
}

TEST_CASE("A second save waits for the one under way", "[save_async]") {
  RunDisk memory;
  HeldDisk disk(memory);
  SmallModel m(disk);
  disk.hold_back();
  const PendingSave first = m.saver.save_async(m.session, "/run/m", {.global_step = 1});
  std::thread opener([&] { disk.let_go(); });
  const PendingSave second = m.saver.save_async(m.session, "/run/m", {.global_step = 2});
  CHECK(first.done());
  CHECK(second.wait() == "/run/m-2");
  opener.join();
  m.save(3);
  CHECK(m.saver.last_checkpoints() == Strings{"/run/m-1", "/run/m-2", "/run/m-3"});
}

TEST_CASE("An error in the background is thrown by wait, and then by nobody else",
          "[save_async][faults]") {
  RunDisk memory;
  HeldDisk disk(memory);
  SmallModel m(disk);
  m.save(1);
  const auto before = memory.contents();
  disk.broken = true;
  const PendingSave pending = m.saver.save_async(m.session, "/run/m", {.global_step = 2});
  CHECK_THROWS_WITH(pending.wait(), Contains("No space left"));
  CHECK_THROWS_WITH(pending.wait(), Contains("No space left"));
  CHECK(memory.contents() == before);
  disk.broken = false;
  CHECK(m.save(3) == "/run/m-3");
}

TEST_CASE("An error that nobody waited for is thrown by the next save, which saves nothing",
          "[save_async][faults]") {
  RunDisk memory;
  HeldDisk disk(memory);
  SmallModel m(disk);
  disk.broken = true;
  m.saver.save_async(m.session, "/run/m", {.global_step = 1});
  std::string what;
  try {
    m.save(2);
  } catch (const Error& e) {
    CHECK(e.code() == Code::kResourceExhausted);
    what = e.what();
  }
  CHECK_THAT(what, Contains("'/run/m-1' in the background failed") && Contains("No space left"));
  disk.broken = false;
  CHECK(m.save(2) == "/run/m-2");
}

TEST_CASE("A saver that goes away finishes its save, and warns where that fails",
          "[save_async][faults]") {
  RunDisk memory;
  HeldDisk disk(memory);
  Strings warnings;
  const SaverOptions options{
      .on_warning = [&](const std::string& text) { warnings.push_back(text); }};
  {
    SmallModel m(disk, options);
    m.saver.save_async(m.session, "/run/m", {.global_step = 1});
  }
  CHECK(memory.exists("/run/m-1.index"));
  CHECK(*latest_checkpoint("/run", kCheckpointFileName, &memory) == "/run/m-1");
  CHECK(warnings.empty());
  disk.broken = true;
  PendingSave left;
  {
    SmallModel m(disk, options);
    left = m.saver.save_async(m.session, "/run/m", {.global_step = 2});
  }
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], Contains("'/run/m-2' in the background failed"));
  CHECK_THROWS_WITH(left.wait(), Contains("No space left"));
}

TEST_CASE("The session need not outlive a save in the background", "[save_async]") {
  RunDisk memory;
  HeldDisk disk(memory);
  SmallModel m(disk);
  auto session = std::make_unique<Session>(m.graph, SessionOptions{.file_system = &disk});
  session->run(global_variables_initializer(m.graph));
  disk.hold_back();
  const PendingSave pending = m.saver.save_async(*session, "/run/m", {.global_step = 1});
  session.reset();
  Saver moved = std::move(m.saver);
  disk.let_go();
  CHECK(pending.wait() == "/run/m-1");
  CHECK(moved.last_checkpoints() == Strings{"/run/m-1"});
}

TEST_CASE("A graph that goes while a save is under way in the background takes no process with it",
          "[save_async][gone]") {
  for (const bool destroyed : {true, false}) {
    RunDisk memory;
    HeldDisk disk(memory);
    std::vector<std::string> warnings;
    PendingSave pending;
    {
      const SaverOptions options = {
          .on_warning = [&](const std::string& warning) { warnings.push_back(warning); }};
      auto m = std::make_unique<SmallModel>(disk, options);
      disk.hold_back();
      pending = m->saver.save_async(m->session, "/run/m", {.global_step = 1});
      Saver saver = std::move(m->saver);
      if (destroyed) {
        std::thread goes([&] { m.reset(); });  // waits where the values are being read
        disk.let_go();
        goes.join();
      } else {
        std::thread resets([&] { m->graph.reset(); });
        disk.let_go();
        resets.join();
      }
    }
    // Which comes first is open: the values are all saved, or the save says why not.
    try {
      const std::string prefix = pending.wait();
      CHECK(prefix == "/run/m-1");
    } catch (const Error& e) {
      CHECK_THAT(e.what(), Contains(destroyed ? "is gone" : "was reset"));
    }
  }
}

TEST_CASE("What save refuses at once, save_async refuses at once", "[save_async]") {
  RunDisk disk;
  SmallModel m(disk);
  CHECK_THROWS_WITH(m.saver.save_async(m.session, "/run/checkpoint"), Contains("collides"));
  CHECK_THROWS_WITH(m.saver.save_async(m.session, "/no/where/m"), Contains("doesn't exist"));
  Graph other;
  Session foreign(other);
  CHECK_THROWS_WITH(m.saver.save_async(foreign, "/run/m"), Contains("another graph"));
  CHECK_THROWS_WITH(PendingSave().wait(), Contains("is empty"));
  m.session.load({});
  CHECK_THROWS_WITH(m.saver.save_async(m.session, "/run/m").wait(),
                    Contains("uninitialized variables: 'a' and 'b'"));
}

TEST_CASE("Values that are refused in the background leave the old checkpoint",
          "[save_async][nonfinite]") {
  RunDisk disk;
  SmallModel m(disk);
  m.save(1);
  const auto before = disk.contents();
  m.set_a(std::numeric_limits<float>::quiet_NaN());
  const PendingSave pending = m.saver.save_async(
      m.session, "/run/m", {.global_step = 1, .on_nonfinite = OnNonfinite::kRefuse});
  m.set_a(1);
  CHECK_THROWS_WITH(pending.wait(), Contains("'a' (float [3]): 3 NaN"));
  CHECK(disk.contents() == before);
}

TEST_CASE("Savers' warnings that throw in the destructor are printed, and the program goes on",
          "[save_async]") {
  RunDisk memory;
  HeldDisk disk(memory);
  SmallModel m(disk);
  for (const bool is_exception : {true, false}) {
    Saver saver(m.graph, {.on_warning = [&](const std::string& text) {
                  if (is_exception) throw std::runtime_error(text);
                  throw 5;
                }});
    disk.broken = true;
    saver.save_async(m.session, "/run/m");
  }
  disk.broken = false;
  CHECK(m.save(1) == "/run/m-1");
}

TEST_CASE("Calls of save and save_async in two threads save one after the other", "[save_async]") {
  RunDisk disk;
  disk.create_dirs("/run/a");
  disk.create_dirs("/run/b");
  SmallModel m(disk, {.max_to_keep = 0});
  constexpr int kSaves = 60;
  const auto each = [&](const std::function<void(int)>& save) {
    return std::thread([save] {
      for (int step = 1; step <= kSaves; ++step) save(step);
    });
  };
  std::atomic<int> failed = 0;
  const auto counted = [&](const std::function<void(int)>& save) {
    return [&failed, save](int step) {
      try {
        save(step);
      } catch (const Error&) {
        ++failed;
      }
    };
  };
  std::thread behind = each(
      counted([&](int step) { m.saver.save_async(m.session, "/run/a/m", {.global_step = step}); }));
  std::thread before =
      each(counted([&](int step) { m.saver.save(m.session, "/run/b/m", {.global_step = step}); }));
  behind.join();
  before.join();
  m.saver.save(m.session, "/run/last");
  CHECK(failed == 0);
  for (int step = 1; step <= kSaves; ++step) {
    CHECK(BundleReader(disk, str_cat("/run/a/m-", step)).has("a"));
    CHECK(BundleReader(disk, str_cat("/run/b/m-", step)).has("a"));
  }
}

TEST_CASE("A warning's receiver may ask what is kept, and its saver for another save",
          "[save_async]") {
  RunDisk disk;
  Saver* asked = nullptr;
  Session* running = nullptr;
  int warnings = 0;
  SmallModel m(disk, {.on_warning = [&](const std::string&) {
                 if (++warnings > 1 || !asked) return;
                 CHECK(asked->last_checkpoints().size() <= 1);
                 asked->kept();
                 // this save has the directory
                 CHECK_THROWS_AS(asked->save(*running, "/run/other"), Error);
               }});
  asked = &m.saver;
  running = &m.session;
  m.set_a(std::numeric_limits<float>::quiet_NaN());
  CHECK(m.save(1) == "/run/m-1");
  CHECK(warnings >= 1);
}

TEST_CASE("A saver of static storage finishes its save after main() has returned", "[save_async]") {
  const TempDir dir;
  const Finished run = run_program(built_program("tests/static_saver"), {(dir / "m").string()});
  CHECK(run.err.empty());
  REQUIRE(run.status == 0);
  const BundleReader reader(posix_file_system(), (dir / "m-1").string());
  CHECK(reader.read("w").data<float>()[(1 << 20) - 1] == 1.5f);
  CHECK(latest_checkpoint(dir.path().string()) == (dir / "m-1").string());
}
