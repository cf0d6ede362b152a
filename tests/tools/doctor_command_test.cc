// cairn doctor.
#include <cairn/cairn.h>

#include "tests/support/catch.h"
#include "tests/tools/commands.h"

using namespace cairn;

namespace {

// A training of three saves: run/m-8, run/m-9 and run/m-10, with a checkpoint file.
struct Run {
  Run() {
    const Variable w = variable(zeros(graph, {2}), {.name = "w"});
    Saver saver(graph);
    Session session(graph);
    session.run(global_variables_initializer(graph));
    for (const int step : {8, 9, 10})
      saver.save(session, (folder() / "m").string(), {.global_step = step});
  }
  std::filesystem::path folder() const { return dir / "run"; }
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
      files[entry.path().filename()] = entry.is_directory() ? "" : read_bytes(entry.path());
    }
    return files;
  }
  Finished doctor(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = {"doctor", folder().string()};
    args.insert(args.end(), more.begin(), more.end());
    return cairn_run(args);
  }
  // What is wrong is told without being changed; --fix ends well and leaves nothing wrong.
  void check_fixed(const std::string& problem) const {
    const auto before = contents();
    const Finished found = doctor();
    CAPTURE(found.out, found.err, problem);
    CHECK(found.status == 1);
    CHECK(contains(found.out, problem));
    CHECK(contents() == before);
    const Finished fixed = doctor({"--fix"});
    CAPTURE(fixed.out, fixed.err);
    CHECK(fixed.status == 0);
    CHECK(contains(fixed.out, "done: "));
    CHECK(doctor().status == 0);
  }

  TempDir dir;
  Graph graph;
};

}  // namespace

TEST_CASE("The command cairn doctor explains every file of a directory in which nothing is wrong",
          "[tools][doctor]") {
  const Run run;
  write_bytes(run.folder() / "notes.txt", "mine");
  write_bytes(run.folder() / "events.out.tfevents.1.host", "");
  const Finished text = run.doctor();
  CHECK(text.err.empty());
  CHECK(text.status == 0);
  CHECK(contains(text.out, "  checkpoint state  "));
  CHECK(contains(text.out, "m-10.index"));
  CHECK(contains(text.out, "  index of m-10  "));
  CHECK(contains(text.out, "  data of m-10  "));
  CHECK(contains(text.out, "  graph of m-10  "));
  CHECK(contains(text.out, "notes.txt"));
  CHECK(contains(text.out, "  other  4 bytes\n"));
  CHECK(contains(text.out, "  events  "));
  CHECK(contains(text.out, "the newest checkpoint is " + (run.folder() / "m-10").string() +
                               ", nothing is wrong\n"));
  const Finished json = run.doctor({"--json"});
  CHECK(contains(json.out, R"("healthy": true, "newest": ")" + (run.folder() / "m-10").string()));
  CHECK(contains(json.out, R"({"name": "m-9.index", "role": "index", "bytes": )"));
  CHECK(contains(json.out, R"("problems": [], "done": []})"));
}

TEST_CASE("The command cairn doctor --fix changes nothing where nothing is wrong",
          "[tools][doctor]") {
  const Run run;
  const auto before = run.contents();
  CHECK(run.doctor({"--fix"}).status == 0);
  CHECK(run.contents() == before);
}

TEST_CASE(
    "The command cairn doctor --fix writes a lost checkpoint file anew, with all of the series",
    "[tools][doctor]") {
  const Run run;
  const auto before = run.contents();
  std::filesystem::remove(run.folder() / "checkpoint");
  run.check_fixed("there is no checkpoint file");
  CHECK(run.contents() == before);
}

TEST_CASE("The command cairn doctor --fix writes a damaged checkpoint file anew",
          "[tools][doctor]") {
  const Run run;
  const auto before = run.contents();
  write_bytes(run.folder() / "checkpoint", "model_checkpoint_path: oops");
  run.check_fixed("checkpoint: line 1");
  CHECK(run.contents() == before);
}

TEST_CASE(
    "The command cairn doctor --fix names the newest whole checkpoint where the named one is gone",
    "[tools][doctor]") {
  const Run run;
  remove_checkpoint((run.folder() / "m-10").string());
  run.check_fixed("the checkpoint file names m-10, which is not there");
  const auto state = get_checkpoint_state(run.folder().string());
  CHECK(state->model_checkpoint_path == (run.folder() / "m-9").string());
  CHECK(state->all_model_checkpoint_paths.size() == 2);
}

TEST_CASE(
    "The command cairn doctor --fix takes in a save that died before it wrote the checkpoint file",
    "[tools][doctor]") {
  const Run run;
  const auto before = run.contents();
  const std::string folder = run.folder().string();
  update_checkpoint_state(folder, folder + "/m-9", {folder + "/m-8"});
  run.check_fixed("the checkpoint file names m-9, and m-10 is newer");
  CHECK(run.contents() == before);
}

TEST_CASE("The command cairn doctor --fix lists no checkpoints that are not there",
          "[tools][doctor]") {
  const Run run;
  remove_checkpoint((run.folder() / "m-8").string());
  run.check_fixed("the checkpoint file lists m-8, which is not there");
  CHECK(get_checkpoint_state(run.folder().string())->all_model_checkpoint_paths.size() == 2);
}

TEST_CASE(
    "The command cairn doctor finds damage and missing files, points elsewhere, and removes no "
    "checkpoint",
    "[tools][doctor]") {
  const Run run;
  const auto data = run.folder() / "m-10.data-00000-of-00001";
  std::string bytes = read_bytes(data);
  bytes[0] ^= 1;
  write_bytes(data, bytes);
  std::filesystem::remove(run.folder() / "m-8.data-00000-of-00001");
  std::filesystem::remove(run.folder() / "m-9.meta");
  const Finished found = run.doctor({"--json"});
  CHECK(found.status == 1);
  CHECK(contains(found.out, R"("what": "m-8: missing: m-8.data-00000-of-00001")"));
  CHECK(contains(found.out, R"("what": "m-10: )"));
  CHECK(contains(found.out, "the checkpoint file names m-10, which is not whole"));
  const auto before = run.contents();
  const Finished fixed = run.doctor({"--fix"});
  CHECK(fixed.status == 1);  // what is damaged stays so
  auto after = run.contents();
  CHECK(latest_checkpoint(run.folder().string()) == (run.folder() / "m-9").string());
  after["checkpoint"] = before.at("checkpoint");
  CHECK(after == before);
}

TEST_CASE("The command cairn doctor tells data files that no index speaks of, and leaves them",
          "[tools][doctor]") {
  const Run run;
  std::filesystem::remove(run.folder() / "m-8.index");
  write_bytes(run.folder() / "m-9.data-00001-of-00002", "old");
  const Finished fixed = run.doctor({"--fix"});
  CHECK(fixed.status == 1);
  CHECK(contains(fixed.out, "m-8 has no index, so that m-8.data-00000-of-00001 is of no use"));
  CHECK(contains(fixed.out, "m-9 has 1 data file, so that m-9.data-00001-of-00002 is of no use"));
  CHECK(contains(fixed.out,
                 "remove by hand what is of no use: --fix does not, for .cairn does "
                 "not say that Cairn was removing it"));
  CHECK(std::filesystem::exists(run.folder() / "m-9.data-00001-of-00002"));
}

TEST_CASE(
    "The command cairn doctor --fix ends the removal of an old checkpoint that a dead writer began",
    "[tools][doctor]") {
  Run run;
  const auto data = run.folder() / "m-8.data-00000-of-00001";
  std::filesystem::copy_file(data, run.dir / "data");
  Session session(run.graph);
  session.run(global_variables_initializer(run.graph));
  Saver(run.graph, {.max_to_keep = 3})
      .save(session, (run.folder() / "m").string(), {.global_step = 11});
  const auto before = run.contents();
  REQUIRE(before.count("m-8.index") == 0);
  std::filesystem::copy_file(run.dir / "data", data);
  // Newer than .cairn: as far as can be told, somebody put it there.
  CHECK(contains(run.doctor({"--fix"}).out, ".cairn does not say that Cairn was removing it"));
  CHECK(std::filesystem::exists(data));
  std::filesystem::last_write_time(
      data, std::filesystem::last_write_time(run.folder() / ".cairn") - std::chrono::hours(1));
  run.check_fixed(
      "left by a writer that died while it removed an old checkpoint: m-8.data-00000-of-00001");
  CHECK(run.contents() == before);
}

TEST_CASE("The command cairn doctor notes that no checkpoint file is there, where no saver saved",
          "[tools][doctor]") {
  const Run run;
  const std::string to = (run.dir / "to").string();
  REQUIRE(cairn_run({"copy", run.folder().string(), to + "/m"}).status == 0);
  const Finished found = cairn_run({"doctor", to});
  CHECK(found.status == 0);
  CHECK(contains(found.out,
                 "note: there is no checkpoint file, which names the newest one\n"
                 "  --fix will write it anew, naming m\n"));
  CHECK(contains(found.out, "nothing is wrong"));
  const Finished json = cairn_run({"doctor", to, "--json"});
  CHECK(contains(json.out, R"("healthy": true)"));
  CHECK(contains(json.out, R"("notes": [{"what": "there is no checkpoint file)"));
  CHECK(contains(json.out, R"("problems": [])"));
  CHECK(cairn_run({"doctor", to, "--fix"}).status == 0);
  CHECK(latest_checkpoint(to) == to + "/m");
  CHECK(!contains(cairn_run({"doctor", to}).out, "note: "));
}

TEST_CASE("The command cairn doctor --fix removes what dead writers left, and nothing else",
          "[tools][doctor]") {
  const Run run;
  write_bytes(run.folder() / "mine.tmp", "mine");
  const auto before = run.contents();
  write_bytes(run.folder() / ".t-0123abcd", "half");
  write_bytes(run.folder() / ".t-mine", "mine");
  run.check_fixed("left by a writer that died: .t-0123abcd\n");
  auto after = run.contents();
  CHECK(after.erase(".t-mine") == 1);
  CHECK(after == before);
}

TEST_CASE("The command cairn doctor knows V1 checkpoints, of one file and of several",
          "[tools][doctor]") {
  const TempDir dir;
  const std::string v2 = write_tensors(dir / "v2", {{"w", Tensor(1.0f)}});
  std::filesystem::create_directory(dir / "run");
  REQUIRE(cairn_run({"convert", v2, (dir / "run/old-1").string(), "--format", "v1"}).status == 0);
  CheckpointV1Writer shard(posix_file_system(), (dir / "run/s-2-00000-of-00002").string());
  shard.add("w", Tensor(1.0f));
  shard.finish();
  update_checkpoint_state((dir / "run").string(), (dir / "run/old-1").string());
  const Finished run = cairn_run({"doctor", (dir / "run").string()});
  CHECK(run.status == 1);
  CHECK(contains(run.out, "old-1: V1, "));
  CHECK(contains(run.out, "V1 checkpoint of s-2-\?\?\?\?\?-of-00002"));
  CHECK(contains(run.out, "problem: s-2-\?\?\?\?\?-of-00002: 1 of its files are missing"));
}

TEST_CASE("The command cairn doctor takes a directory and nothing else", "[tools][doctor]") {
  const TempDir dir;
  CHECK(is_wrong_usage(cairn_run({"doctor"})));
  const Finished none = cairn_run({"doctor", (dir / "none").string()});
  CHECK(none.status == 1);
  CHECK(contains(none.err, "there is no such directory"));
  write_bytes(dir / "file", "");
  CHECK(contains(cairn_run({"doctor", (dir / "file").string()}).err, "this is a file"));
  const Finished empty = cairn_run({"doctor", dir.path().string() + "/"});
  CHECK(empty.status == 0);
}

TEST_CASE("The command cairn doctor lists a link that cannot be followed, and goes on",
          "[tools][doctor]") {
  const Run run;
  std::filesystem::create_symlink("loop", run.folder() / "loop");
  const Finished text = run.doctor();
  CAPTURE(text.err);
  CHECK(text.status == 0);
  CHECK(contains(text.out, "  link that cannot be followed  0 bytes\n"));
  CHECK(contains(text.out, "nothing is wrong"));
  CHECK(contains(run.doctor({"--json"}).out,
                 R"({"name": "loop", "role": "link that cannot be followed", "bytes": 0})"));
  // In place of files that are read.
  for (const std::string name : {"m-9.index", "m-8.meta", "m-10.data-00000-of-00001", "checkpoint",
                                 ".cairn", "saved_model.pb", "variables", "old.meta"}) {
    std::filesystem::remove(run.folder() / name);
    std::filesystem::create_symlink(name, run.folder() / name);
    CAPTURE(name);
    const Finished found = run.doctor({"--fix"});
    CAPTURE(found.err);
    CHECK(found.err.empty());
    CHECK(contains(found.out, name));
  }
}

TEST_CASE(
    "The command cairn doctor promises no repair of parts in which there is somebody's own file",
    "[tools][doctor]") {
  const Run run;
  const auto parts = run.folder() / "m_temp_0123456789abcdef0123456789abcdef";
  std::filesystem::create_directory(parts);
  write_bytes(parts / "part-00000-of-00001.index", "");
  write_bytes(parts / "notes.txt", "mine");
  for (const std::vector<std::string>& how : {std::vector<std::string>(), {"--fix"}}) {
    const Finished found = run.doctor(how);
    CHECK(found.status == 1);
    CHECK(contains(found.out, "is kept for files in it that no save makes: notes.txt"));
    CHECK(contains(found.out, "put that elsewhere, and --fix will remove the rest"));
    CHECK(!contains(found.out, "  --fix will"));
  }
  CHECK(std::filesystem::exists(parts / "notes.txt"));
  std::filesystem::remove(parts / "notes.txt");
  run.check_fixed("left by a writer that died: m_temp_");
}

TEST_CASE(
    "A directory where the checkpoint file belongs is told by doctor, and refused by saves before "
    "they begin",
    "[tools][doctor]") {
  Run run;
  std::filesystem::remove(run.folder() / "checkpoint");
  std::filesystem::create_directory(run.folder() / "checkpoint");
  for (const std::vector<std::string>& how : {std::vector<std::string>(), {"--fix"}}) {
    const Finished found = run.doctor(how);
    CAPTURE(found.err);
    CHECK(found.err.empty());
    CHECK(contains(
        found.out,
        "checkpoint is a directory, where the file belongs that names the newest checkpoint"));
    CHECK(!contains(found.out, "--fix will"));
  }
  const auto before = run.contents();
  Session session(run.graph);
  session.run(global_variables_initializer(run.graph));
  Saver saver(run.graph);
  try {
    saver.save(session, (run.folder() / "m").string(), {.global_step = 11});
    FAIL("saved");
  } catch (const Error& e) {
    CHECK(e.code() == Code::kFailedPrecondition);
    CHECK(contains(e.what(), "nothing was saved: give it another name"));
  }
  CHECK(run.contents() == before);
}

TEST_CASE("The command cairn doctor has nothing to say of a file whose name is an ending alone",
          "[tools][doctor]") {
  const Run run;
  for (const std::string name : {".meta", ".index"}) write_bytes(run.folder() / name, "mine");
  CHECK(run.doctor().status == 0);
}
