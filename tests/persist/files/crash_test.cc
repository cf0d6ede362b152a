// What is on the disk after a loss of power at any moment of a save is the checkpoint before it or
// the one it made.
#include <algorithm>
#include <cstdio>
#include <functional>

#include "persist/checkpoint/save_names.h"
#include "persist/files/publication.h"
#include "tests/support/catch.h"
#include "tests/support/crash_model.h"
#include "tests/support/fixtures.h"
#include "tests/support/generations.h"
#include "tests/support/memory_fs.h"
#include "tests/support/recording_fs.h"

namespace cairn {
namespace {

struct Scenario {
  std::string name;
  std::function<void(FileSystem&)> before, act;
  std::optional<int64_t> old;  // the generation before; none: there is no checkpoint
};

void load(const CrashState& state, MemoryFileSystem& fs) {
  for (const std::string& directory : state.directories) fs.create_dirs(directory);
  for (const auto& [path, bytes] : state.files) {
    fs.set(path, bytes);
    fs.set_modified(path, state.modified.at(path));
  }
  fs.set_clock(state.clock);
}

CrashState state_of(MemoryFileSystem& fs) {
  CrashState state{.files = fs.contents(), .directories = {"/run"}, .modified = {}};
  for (const auto& [path, bytes] : state.files) state.modified[path] = fs.stat(path)->modified;
  state.clock = fs.clock();
  return state;
}

struct Models {
  Generation old_v2{1, Form::kV2, {.max_to_keep = 1}}, new_v2{2, Form::kV2, {.max_to_keep = 1}};
  Generation old_sharded{1, Form::kShardedV2}, new_sharded{2, Form::kShardedV2, {.max_to_keep = 1}};
  Generation old_v1{1, Form::kV1}, new_v1{2, Form::kV1, {.max_to_keep = 1}};
  Generation old_shards_v1{1, Form::kShardedV1},
      new_shards_v1{2, Form::kShardedV1, {.max_to_keep = 1}};
  Generation later{3, Form::kV2};
  // the bytes that a generation's .meta may have
  std::map<int64_t, std::vector<std::string>> metas;

  Models() {
    for (const Generation* g : {&old_v2, &new_v2, &old_sharded, &new_sharded, &old_v1, &new_v1,
                                &old_shards_v1, &new_shards_v1, &later}) {
      metas[g->number()].push_back(g->meta_bytes());
    }
  }
  std::vector<Scenario> scenarios() const;
};

std::vector<Scenario> Models::scenarios() const {
  const auto saves = [](const Generation& g, SaveOptions options = {}) {
    return [&g, options](FileSystem& fs) { g.save(fs, "/run/m", options); };
  };
  const auto nothing = [](FileSystem&) {};
  const auto both = [=, this](FileSystem& fs) {
    saves(old_sharded, {.global_step = 1})(fs);
    saves(new_sharded, {.global_step = 2, .write_state = false})(fs);
  };
  const auto renew = [](FileSystem& fs) {
    update_checkpoint_state("/run", "/run/m-2", {"/run/m-1"}, kCheckpointFileName, &fs);
  };
  return {{"a first save", nothing, saves(new_v2), std::nullopt},
          {"a first sharded save", nothing, saves(new_sharded), std::nullopt},
          {"a second save, the first removed", saves(old_v2, {.global_step = 1}),
           saves(new_v2, {.global_step = 2}), 1},
          {"a second sharded save, the first removed", saves(old_sharded, {.global_step = 1}),
           saves(new_sharded, {.global_step = 2}), 1},
          {"a second save of V1, the first removed", saves(old_v1, {.global_step = 1}),
           saves(new_v1, {.global_step = 2}), 1},
          {"a second sharded save of V1, the first removed",
           saves(old_shards_v1, {.global_step = 1}), saves(new_shards_v1, {.global_step = 2}), 1},
          {"overwriting", saves(old_v2), saves(new_v2), 1},
          {"overwriting, sharded", saves(old_sharded), saves(new_sharded), 1},
          {"overwriting by another number of shards", saves(old_sharded), saves(new_v2), 1},
          {"overwriting by more shards", saves(old_v2), saves(new_sharded), 1},
          {"overwriting V1", saves(old_v1), saves(new_v1), 1},
          {"overwriting sharded V1", saves(old_shards_v1), saves(new_shards_v1), 1},
          {"overwriting V2 by V1", saves(old_v2), saves(new_v1), 1},
          {"overwriting V1 by V2", saves(old_v1), saves(new_v2), 1},
          {"renewing the checkpoint file", both, renew, 1}};
}

struct Outcome {
  size_t states = 0, bad = 0;
  std::string first_bad;
};

class Checker {
 public:
  explicit Checker(const Models& models) : models_(models) {}
  bool recovers = true;     // false: what recovery needs is taken away before the check
  bool syncs = true;        // false: syncing does nothing
  size_t nested_every = 0;  // crashes in the recovery itself, for every so many states; 0: none
  size_t save_every = 1;    // a further save, for every so many states
  CrashOptions options = {};

  Outcome run(const Scenario& scenario) {
    scenario_ = &scenario;
    outcome_ = {};
    MemoryFileSystem memory;
    memory.create_dirs("/run");
    scenario.before(memory);
    const CrashState before = state_of(memory);
    RecordingFileSystem disk(memory);
    scenario.act(disk);
    std::vector<FileOp> changes = disk.changes();
    if (!syncs) {
      std::erase_if(changes, [](const FileOp& op) {
        return op.kind == FileOp::kSync || op.kind == FileOp::kSyncDir;
      });
    }
    options.acknowledged_after = changes.size();
    outcome_.states += for_each_crash_state(before, changes, options,
                                            [&](const CrashState& state) { check(state); });
    return outcome_;
  }

 private:
  void check(const CrashState& state) {
    ++checked_;
    try {
      for (const bool verify : {false, true}) {
        MemoryFileSystem fs;
        load(state, fs);
        take_recovery_away(fs);
        const auto before = fs.contents();
        check_newest(fs, state, verify);
        require(fs.contents() == before, "reading changed something");
        const bool removes = scenario_->name.ends_with("the first removed");
        if (verify || (!removes && checked_ % save_every != 0)) continue;
        models_.later.save(fs, "/run/m");
        require(generation(fs, *latest_checkpoint("/run", kCheckpointFileName, &fs)) == 3,
                "the next save is not there");
        require(leftovers(fs, "/run").empty(), "the next save leaves what the dead writer left");
        const auto removed = files_of_prefix(fs, "/run/m-1");
        require(removed.empty() || checkpoint_exists("/run/m-1", &fs),
                str_cat("the next save leaves of what the dead writer removed: ",
                        join_for_people(removed)));
      }
      if (nested_every > 0 && checked_ % nested_every == 0) check_recovery(state);
    } catch (const Error& e) {
      if (outcome_.bad++ == 0) outcome_.first_bad = describe(state) + e.what();
    }
  }

  void check_newest(FileSystem& fs, const CrashState& state, bool verify) const {
    const auto newest = latest_checkpoint("/run", {.verify = verify, .file_system = &fs});
    if (!newest) {
      return require(!scenario_->old && !state.acknowledged,
                     verify ? "no whole checkpoint" : "no checkpoint");
    }
    const int64_t got = generation(fs, *newest);
    require(got == 2 || (got == scenario_->old && !state.acknowledged),
            str_cat("it is generation ", got));
  }

  int64_t generation(FileSystem& fs, const std::string& prefix) const {
    const int64_t values = generation_of_values(fs, prefix);
    const auto& metas = models_.metas.at(values);
    const std::string meta =
        MetaGraph::read(meta_graph_path(prefix), {.tags = {}, .file_system = &fs}).bytes();
    require(std::find(metas.begin(), metas.end(), meta) != metas.end(),
            "values and meta graph do not belong together");
    return values;
  }

  // The power goes again while the next writer puts the older checkpoint back.
  void check_recovery(const CrashState& state) const {
    MemoryFileSystem memory;
    load(state, memory);
    RecordingFileSystem disk(memory);
    recover_directory(disk, "/run");
    const auto changes = disk.changes();
    if (changes.empty()) return;
    for_each_crash_state(state, changes, {}, [&](const CrashState& again) {
      MemoryFileSystem fs;
      load(again, fs);
      check_newest(fs, state, false);
    });
  }

  void take_recovery_away(MemoryFileSystem& fs) const {
    if (recovers) return;
    for (const std::string& name : leftovers(fs, "/run")) {
      if (name.starts_with(".r-")) fs.remove("/run/" + name);
    }
  }

  static void require(bool holds, const std::string& what) {
    if (!holds) fail(Code::kInternal, what);
  }

  std::string describe(const CrashState& state) const {
    std::string text = scenario_->name + (state.acknowledged ? ", acknowledged:" : ":");
    for (const auto& [path, bytes] : state.files) text += str_cat("\n  ", path, " ", bytes.size());
    return text + "\n  ";
  }

  const Models& models_;
  const Scenario* scenario_ = nullptr;
  Outcome outcome_;
  size_t checked_ = 0;
};

void check_all(const std::function<void(Checker&)>& set_up) {
  const Models models;
  Checker checker(models);
  set_up(checker);
  Outcome all;
  for (const Scenario& scenario : models.scenarios()) {
    const Outcome outcome = checker.run(scenario);
    INFO(scenario.name << ": " << outcome.first_bad);
    CHECK(outcome.states > 5);
    CHECK(outcome.bad == 0);
    all.states += outcome.states;
    all.bad += outcome.bad;
  }
  std::printf("%zu crash states, %zu bad\n", all.states, all.bad);
}

size_t bad_of(const std::function<void(Checker&)>& set_up, const std::string& scenario_name) {
  const Models models;
  Checker checker(models);
  set_up(checker);
  for (const Scenario& scenario : models.scenarios()) {
    if (scenario.name == scenario_name) return checker.run(scenario).bad;
  }
  return 0;
}

}  // namespace

TEST_CASE(
    "After a loss of power at any moment of a save there is the old checkpoint or the new one, bit "
    "for bit",
    "[persist][crash]") {
  check_all([](Checker& checker) {
    checker.options.most_combined = 4;
    checker.options.draws = 4;
    checker.save_every = 7;
    checker.nested_every = 23;
  });
}

TEST_CASE("The same for many more states, and for losses of power during recovery",
          "[.][crash-large]") {
  check_all([](Checker& checker) {
    checker.options.most_combined = 10;
    checker.options.draws = 400;
    checker.save_every = 3;
    checker.nested_every = 5;
  });
}

TEST_CASE("A disk that only says it synced is found to lose checkpoints", "[persist][crash]") {
  const auto lie = [](Checker& checker) { checker.syncs = false; };
  CHECK(bad_of(lie, "a second save, the first removed") > 0);
  CHECK(bad_of(lie, "overwriting") > 0);
}

TEST_CASE("Overwriting without its journal is found to lose checkpoints", "[persist][crash]") {
  const auto forget = [](Checker& checker) { checker.recovers = false; };
  CHECK(bad_of(forget, "overwriting") > 0);
  CHECK(bad_of(forget, "overwriting V2 by V1") > 0);
}

}  // namespace cairn
