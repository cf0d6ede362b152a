// Journals, books and checkpoint files that name what they have no business with, and what it costs
// to read them.
#include <time.h>

#include "ops/state/variables.h"
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/retention_state.h"
#include "persist/extras/checkpoint_doctor.h"
#include "persist/files/publication.h"
#include "tests/persist/files/hostile.h"
#include "tests/support/sanitized.h"

namespace cairn {
namespace {

namespace stdfs = std::filesystem;
using namespace hostile;
using Catch::Matchers::Contains;
using Strings = std::vector<std::string>;

}  // namespace

// ---- journals -----------------------------------------------------------------------------------

TEST_CASE(
    "A journal is not followed where it speaks of other files than its prefix's, and the doctor "
    "says so",
    "[persist][hostile]") {
  const std::string mine = "a user's", theirs = "planted", link = ".o-0123456789abcd";
  struct Case {
    std::vector<JournalFile> old, replaced;
  };
  const std::vector<Case> cases = {
      // replaced by a recovery file
      {{{"thesis.txt", link, theirs}}, {{"thesis.txt", "", mine}}},
      // removed as a new file
      {{{"m-2.index", link, theirs}}, {{"thesis.txt", "", mine}}},
      {{{"../outside/victim", link, theirs}}, {}},                              // a path
      {{{"m-2.a", link, theirs}, {"m-2.b", ".o-0123456789abce", theirs}}, {}},  // two meta graphs
      {{{"m-2.index", "thesis.txt", mine}}, {}},                                // no recovery name
      {{{"m-2.index", link, theirs}, {"m-2.meta", link, theirs}}, {}},  // one recovery file for two
      {{{"m-2.index", link, theirs}, {"m-2.index", ".o-0123456789abce", theirs}}, {}},
      {{{"m-2.index", link, "not there"}}, {}},
      {{{"", link, theirs}}, {}},
      {{{std::string("m-2.\0index", 10), link, theirs}}, {}},
      {{}, {{"m-2.index", "", theirs}}}};
  for (size_t i = 0; i < cases.size(); ++i) {
    CAPTURE(i);
    const Place place;
    write_bytes(place.run() / link, theirs);
    write_bytes(place.run() / ".o-0123456789abce", theirs);
    const std::string path = journal_path(place.run() / "m-2");
    std::vector<JournalFile> replaced = cases[i].replaced;
    if (i == 7) replaced.push_back({"m-2.index", "", read_bytes(place.run() / "m-2.index")});
    write_bytes(path, journal(cases[i].old, replaced));
    const auto before = tree(place.dir.path());
    run_readers(place.run(), place.fs);
    CHECK(generation_of_values(place.fs, place.run() / "m-2") == 1);
    const DirectoryReport report = examine_directory(place.run(), &place.fs);
    REQUIRE(report.problems.size() == 1);
    CHECK_THAT(report.problems[0].what, Contains(base_name(path)) && Contains("not followed"));
    CHECK_FALSE(report.problems[0].can_repair);
    repair_directory(place.run(), &place.fs);
    CHECK((tree(place.dir.path()) == before));
    models().v2.save(place.fs, place.run() / "other");
    CHECK(read_bytes(place.run() / "thesis.txt") == mine);
    CHECK(generation_of_values(place.fs, place.run() / "m-2") == 1);
  }
}

TEST_CASE("A journal of another user than the checkpoint's files is followed by nobody",
          "[persist][hostile]") {
  if (geteuid() != 0) return skip("only root can make files of other users");
  constexpr uid_t kOther = 12345, kThird = 12346;
  for (const auto& [of_journal, of_files, followed] :
       {std::tuple(kOther, uid_t{0}, false), std::tuple(kOther, kThird, false),
        std::tuple(kOther, kOther, true), std::tuple(uid_t{0}, kOther, true)}) {
    CAPTURE(of_journal, of_files);
    const Place place;
    const std::string m = place.run() / "m-2", link = place.run() / ".o-0123456789abcd";
    const std::string index = read_bytes(m + ".index"),
                      planted = read_bytes(place.run() / "m-1.index");
    write_bytes(link, index);
    write_bytes(m + ".index", "half of a new one");
    write_bytes(journal_path(m), journal({{"m-2.index", base_name(link), index}},
                                         {{"m-2.index", "", "half of a new one"}}));
    REQUIRE(chown(journal_path(m).c_str(), of_journal, 0) == 0);
    for (const std::string& file : {link, m + ".index"})
      REQUIRE(chown(file.c_str(), of_files, 0) == 0);
    const auto before = tree(place.dir.path());
    run_readers(place.run(), place.fs);
    CHECK((error_of([&] { BundleReader(place.fs, m).verify(); }).code() == Code::kOk) == followed);
    CHECK((tree(place.dir.path()) == before));
    repair_directory(place.run(), &place.fs);
    CHECK((read_bytes(m + ".index") == index) == followed);
    CHECK(stdfs::exists(journal_path(m)) != followed);
  }
}

// ---- books and states ---------------------------------------------------------------------------

TEST_CASE(
    "A .cairn whose names are no names of this directory is not believed, and the doctor says so",
    "[persist][hostile]") {
  const std::string longest(255, 'm'), control = "model \"m\x1b-1\" \"m\" 1 1";
  const Place at_first;
  const std::string victim = at_first.outside() / "victim";
  const Strings lines = {"model \"" + victim + "\" \"m\" 1 1 newest",
                         "model \"../outside/m-1\" \"m\" 1 1 newest",
                         "model \"sub/x\" \"m\" 1 1",
                         "model \"..\" \"..\" 1 1",
                         "model \".\" \".\" 1 1",
                         "model \"\" \"\" 1 1",
                         "model \"m-1\" \"\" 1 1",
                         "model \"other-1\" \"m\" 1 1 newest",
                         "model \"" + longest + "m\" \"m\" 1 1",
                         std::string("model \"m\0-1\" \"m\" 1 1", 21),
                         control,
                         "model \"m\\x0\" \"m\" 1 1",
                         "model \"m\\",
                         "model \"m-1\" \"m\" nan 1",
                         "model \"m-1\" \"m\" 1 inf",
                         "model \"m-1\" \"m\" 1 1 metric \"a\" 1 metric \"a\" 2",
                         "model \"m-1\" \"m\" 1 1\nmodel \"m-1\" \"m\" 1 1",
                         "model",
                         "model \"m-1\" \"m\" 1",
                         "hours \"../m\" 1",
                         "hours \"m\" 1\nhours \"m\" 2",
                         "best \"m\" \"a\" 1e300 higher",
                         "best \"m\" \"a\" 0.5 higher",
                         "best \"m\" \"a\" -1 higher",
                         "best \"m\" \"a\" 99999999999999999999 higher",
                         "best \"m\" \"a\" 1 sideways",
                         "best \"m\" \"a\" 1 lower\nbest \"m\" \"a\" 2 lower",
                         "best \"a/b\" \"a\" 1 lower"};
  for (const std::string& line : lines) {
    CAPTURE(line);
    const Place place;
    write_bytes(place.run() / ".cairn", retention_text({line}));
    CHECK(error_of([&] { kept_checkpoints(place.run(), &place.fs); }).code() == Code::kDataLoss);
    const DirectoryReport report = examine_directory(place.run(), &place.fs);
    REQUIRE(report.problems.size() == 1);
    CHECK_THAT(report.problems[0].what, Contains(".cairn: line"));
    const auto outside = tree(place.outside());
    for (const int step : {3, 4})
      models().v2.save(place.fs, place.run() / "m", {.global_step = step});
    CHECK((tree(place.outside()) == outside));
    CHECK(stdfs::exists(place.run() / "m-1.index"));
    CHECK_FALSE(stdfs::exists(place.run() / "m-3.index"));
  }
}

TEST_CASE("Names with any character a file can have are remembered in .cairn",
          "[persist][hostile]") {
  const Place place;
  const std::string odd = "m\x01\t\x7f\"\\x41 \n\xc3\xbc";
  models().v2.save(place.fs, place.run() / odd, {.global_step = 1});
  const std::string text = read_bytes(place.run() / ".cairn");
  CHECK(text.find('\x01') == std::string::npos);
  models().v2.save(place.fs, place.run() / odd, {.global_step = 2});
  CHECK_FALSE(stdfs::exists(place.run() / (odd + "-1.index")));
  CHECK(kept_checkpoints(place.run(), &place.fs).back().prefix == place.run() / (odd + "-2"));
}

TEST_CASE("What a .cairn calls a checkpoint is deleted only if it is one", "[persist][hostile]") {
  const Place place;
  write_bytes(place.run() / "thesis.meta", "a user's");
  write_bytes(place.run() / "notes.index", "a user's");
  Strings lines;
  for (const std::string name : {"thesis.txt", "thesis", "notes"}) {
    const std::string file = name == "notes" ? "notes.index" : "thesis.txt";
    const double written = place.fs.stat(place.run() / file)->modified;
    char number[64];
    std::snprintf(number, sizeof number, "%.17g", written);
    lines.push_back("model \"" + name + "\" \"" + name + "\" 1 " + number);
    lines.push_back("model \"m" + std::to_string(lines.size()) + "\" \"m\" 1 1 newest");
  }
  write_bytes(place.run() / ".cairn", retention_text(lines));
  for (const int step : {3, 4, 5})
    models().v2.save(place.fs, place.run() / "m", {.global_step = step});
  for (const char* name : {"thesis.txt", "thesis.meta", "notes.index"})
    CHECK(read_bytes(place.run() / name) == "a user's");
}

TEST_CASE(
    "What a checkpoint file lists in other directories, and what is no checkpoint, is never "
    "deleted",
    "[persist][hostile]") {
  const Place place;
  std::string text = "model_checkpoint_path: \"m-2\"\n";
  for (const std::string& path :
       {(place.outside() / "m-1").string(), std::string("../outside/m-2"),
        std::string("thesis.txt"), std::string("m-1"), std::string("..")}) {
    text += "all_model_checkpoint_paths: \"" + path + "\"\n";
  }
  write_bytes(place.run() / "checkpoint", text);
  const auto outside = tree(place.outside());
  Session session(models().v2.graph(), {.threads = 1, .file_system = &place.fs});
  session.run(global_variables_initializer(models().v2.graph()));
  Strings warnings;
  Saver saver(models().v2.graph(), {.max_to_keep = 1, .on_warning = [&](const std::string& w) {
                                      warnings.push_back(w);
                                    }});
  const auto state = get_checkpoint_state(place.run(), kCheckpointFileName, &place.fs);
  saver.recover_last_checkpoints(state->all_model_checkpoint_paths, &place.fs);
  for (const int step : {3, 4}) saver.save(session, place.run() / "m", {.global_step = step});
  CHECK((tree(place.outside()) == outside));
  CHECK(read_bytes(place.run() / "thesis.txt") == "a user's");
  CHECK_FALSE(stdfs::exists(place.run() / "m-1.index"));
  CHECK(warnings.size() >= 3);
}

// ---- what it costs ------------------------------------------------------------------------------

namespace {

// Seconds of this process's work; waiting for others does not count.
double work_of(const std::function<void()>& action) {
  const auto now = [] {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  };
  const double before = now();
  action();
  return now() - before;
}

void check_cost(const Place& place, const stdfs::path& file) {
#ifdef CAIRN_SANITIZED
  constexpr double kSlower = 10;
#else
  constexpr double kSlower = 1;
#endif
  const double limit = kSlower * (1 + 5e-6 * static_cast<double>(stdfs::file_size(file)));
  const std::string run = place.run();
  const std::vector<std::pair<const char*, std::function<void()>>> looks = {
      {"latest", [&] { latest_checkpoint(run, kCheckpointFileName, &place.fs); }},
      {"verified", [&] { latest_checkpoint(run, {.verify = true, .file_system = &place.fs}); }},
      {"kept", [&] { kept_checkpoints(run, &place.fs); }},
      {"read", [&] { CheckpointReader(run + "/m-2", &place.fs); }},
      {"examined", [&] { examine_directory(run, &place.fs); }},
      {"saved", [&] { models().v2.save(place.fs, run + "/m", {.global_step = 3}); }}};
  for (const auto& look : looks) {
    CAPTURE(look.first, file.string());
    CHECK(work_of([&] { let(look.second); }) < limit);
  }
}

}  // namespace

TEST_CASE("What it costs to look at a directory is bounded by the sizes of its files",
          "[persist][hostile]") {
  constexpr int kLines = 20'000;
  const auto numbered = [](const std::string& before, const std::string& after) {
    std::string text;
    for (int i = 0; i < kLines; ++i) text += before + std::to_string(i) + after;
    return text;
  };
  // One of each checkpoint, of each series, of each metric, and all of them newest.
  for (const auto& [before, after] :
       {std::pair("model \"m-", "\" \"m\" 1 1 newest\n"), std::pair("model \"m-", "\" \"m\" 1 1\n"),
        std::pair("hours \"m", "\" 1\n"), std::pair("best \"m\" \"", "\" 9 lower\n")}) {
    const Place place;
    std::string text = numbered(before, after);
    text.pop_back();
    write_bytes(place.run() / ".cairn", retention_text({text}));
    check_cost(place, place.run() / ".cairn");
  }
  {
    const Place place;
    std::string text;
    for (int i = 0; i < kLines; ++i)
      text += str_cat("model \"s", i, "\" \"s", i, "\" 1 1 finite metric \"a\" ", i, "\n");
    text.pop_back();
    write_bytes(place.run() / ".cairn", retention_text({text}));
    check_cost(place, place.run() / ".cairn");
  }
  for (const std::string before : {"m-", "/usr/lib/m-", "../outside/m-", "a\\\\m-"}) {
    const Place place;
    write_bytes(place.run() / "checkpoint",
                "model_checkpoint_path: \"m-2\"\n" +
                    numbered("all_model_checkpoint_paths: \"" + before, "\"\n"));
    check_cost(place, place.run() / "checkpoint");
  }
  {
    const Place place;
    std::vector<JournalFile> old;
    for (int i = 0; i < kLines; ++i)
      old.push_back({"m-2.index", str_cat(".o-", hex_digits(static_cast<uint64_t>(i), 14)), "x"});
    write_bytes(journal_path(place.run() / "m-2"), journal(old, {}));
    check_cost(place, journal_path(place.run() / "m-2"));
  }
}

}  // namespace cairn
