// Files of one save never share a name, with each other or with what the directory keeps its own
// records in.
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/copying.h"
#include "persist/files/publication.h"
#include "tests/support/catch.h"
#include "tests/support/small_model.h"

using namespace cairn;
using Catch::Matchers::Contains;

namespace {

struct Names {
  CheckpointFormat format = CheckpointFormat::kV2;
  std::string path = "/run/m";
  SaveOptions options = {};
  bool sharded = false;
};

// Both the trial and the save refuse, with one code, and leave the directory as it is.
void check_refused(const Names& names, const std::string& why) {
  RunDisk disk;
  SmallModel m(disk, {.sharded = names.sharded, .write_version = names.format});
  m.saver.save(m.session, "/run/older", {.global_step = 1});
  const auto before = disk.contents();
  INFO(names.path << ", " << names.options.latest_filename << ", "
                  << names.options.meta_graph_suffix);
  for (const bool trial : {true, false}) {
    try {
      trial ? void(m.saver.preflight(m.session, names.path, names.options))
            : void(m.saver.save(m.session, names.path, names.options));
      FAIL_CHECK("not refused");
    } catch (const Error& e) {
      CHECK(e.code() == Code::kInvalidArgument);
      CHECK_THAT(e.what(), Contains(why));
    }
  }
  CHECK(disk.contents() == before);
}

}  // namespace

TEST_CASE("A meta graph that would have the name of the checkpoint's own files is refused",
          "[save_names]") {
  for (const char* suffix : {"index", "data-00000-of-00001", "data-00007-of-00009", "old.index"})
    check_refused({.options = {.meta_graph_suffix = suffix}}, "values of a checkpoint");
  check_refused({.options = {.global_step = 3, .meta_graph_suffix = "index"}},
                "values of a checkpoint");
  check_refused({.options = {.meta_graph_suffix = "a/b"}}, "must not contain path components");
  check_refused({.options = {.meta_graph_suffix = std::string("meta\0x", 6)}}, "zero byte");
}

TEST_CASE("A checkpoint file that would have the name of the checkpoint's own files is refused",
          "[save_names]") {
  for (const char* latest :
       {"m.index", "m.data-00000-of-00001", "other.index", "m-1.data-00000-of-00001"})
    check_refused({.options = {.latest_filename = latest}}, "values of a checkpoint");
  check_refused({.options = {.latest_filename = "m.meta"}}, "and so does 'latest_filename'");
  check_refused({.options = {.global_step = 3, .latest_filename = "m-3.meta"}},
                "and so does 'latest_filename'");
  check_refused({.options = {.global_step = 3,
                             .latest_filename = "m-12.graph",
                             .meta_graph_suffix = "graph"}},
                "and so does 'latest_filename'");
  check_refused({.options = {.latest_filename = "m"}}, "collides with 'save_path'");
  check_refused({.options = {.latest_filename = ".."}}, "a directory's");
  check_refused({.options = {.latest_filename = std::string("state\0x", 7)}}, "zero byte");
}

TEST_CASE("Names under which Cairn keeps its own records are refused", "[save_names]") {
  const std::string hex32(32, 'a');
  const std::string temporary = ".t-01234567", journal = base_name(journal_path("/run/m"));
  REQUIRE(is_temporary_name(temporary));
  REQUIRE(is_journal_name(journal));
  for (const std::string& name : {std::string(".cairn"), temporary, journal, "m_temp_" + hex32}) {
    check_refused({.options = {.latest_filename = name}}, "records of its own");
    check_refused({.format = CheckpointFormat::kV1, .path = "/run/" + name}, "records of its own");
  }
}

TEST_CASE("A V1 checkpoint, which is one file, has no name by which a reader takes it for another",
          "[save_names]") {
  const auto v1 = CheckpointFormat::kV1;
  for (const char* name : {"m.index", "m.meta", "m.data-00000-of-00001"})
    check_refused({.format = v1, .path = str_cat("/run/", name)}, "without its ending");
  check_refused({.format = v1, .path = "/run/checkpoint"}, "collides with 'save_path'");
  check_refused({.format = v1, .options = {.global_step = 3, .latest_filename = "m-3"}},
                "collides with 'save_path'");
  check_refused({.format = v1, .options = {.global_step = 3, .latest_filename = "m-1"}},
                "collides with 'save_path'");
  check_refused({.format = v1, .options = {.latest_filename = "m-00000-of-00001"}, .sharded = true},
                "collides with 'save_path'");
}

TEST_CASE("A path with a zero byte, at which the system would cut it off, is refused",
          "[save_names]") {
  check_refused({.path = std::string("/run/m\0x", 8)}, "zero byte");
}

TEST_CASE("Unusual names that clash with nothing are saved and read", "[save_names]") {
  const Names unusual[] = {
      {.path = "/run/m.index"},
      {.path = "/run/m.meta"},
      {.path = "/run/m.data-00000-of-00001"},
      {.path = "/run/checkpoint", .options = {.global_step = 2}},
      {.path = "/run/.cairn"},
      {.path = "/run/m", .options = {.latest_filename = "m.state", .meta_graph_suffix = "graph"}},
      {.path = "/run/m", .options = {.global_step = 2, .latest_filename = "m-x"}},
      {.format = CheckpointFormat::kV1, .path = "/run/m-2"},
      {.format = CheckpointFormat::kV1, .path = "/run/checkpoint", .options = {.global_step = 2}},
  };
  for (const Names& names : unusual) {
    RunDisk disk;
    SmallModel m(disk, {.write_version = names.format});
    INFO(names.path << ", " << names.options.latest_filename);
    m.set_a(7);
    const std::string prefix = m.saver.save(m.session, names.path, names.options);
    m.set_a(1);
    m.saver.restore(m.session, prefix);
    CHECK(m.session.value(m.a).data<float>()[0] == 7);
    CHECK(latest_checkpoint("/run", names.options.latest_filename, &disk) == prefix);
    Graph again;
    import_meta_graph(again, meta_graph_path(prefix, names.options.meta_graph_suffix),
                      {.file_system = &disk});
    CHECK(again.contains("a"));
  }
}

TEST_CASE("Copies are not given the name of a checkpoint's file or of the directory's records",
          "[save_names]") {
  RunDisk disk;
  SmallModel m(disk);
  m.save(1);
  const auto before = disk.contents();
  for (const char* to : {"/run/checkpoint", "/run/.cairn", "/run/c.index", "/run/c.meta",
                         "/run/c.data-00000-of-00001"})
    CHECK_THROWS_WITH(check_copy_paths(disk, "/run/m-1", to),
                      Contains("cannot be called") && Contains(to));
  CHECK(disk.contents() == before);
  CHECK(check_copy_paths(disk, "/run/m-1", "/run/c") == "/run/m-1");
}
