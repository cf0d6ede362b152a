// cairn show.
#include <cairn/cairn.h>

#include "tests/support/catch.h"
#include "tests/tools/commands.h"

using namespace cairn;

TEST_CASE(
    "The command cairn show lists a graph, a fact to a line, in an order that depends on names "
    "only",
    "[tools][show]") {
  const TempDir dir;
  Graph graph;
  const Output c = constant(graph, Tensor::vector<float>({1, 2.5f}), {.name = "z"});
  const Output b = identity(c, {.name = "b"});
  graph.add_to_collection("outputs", b);
  export_meta_graph(graph, {.filename = (dir / "g.meta").string()});
  const Finished run = cairn_run({"show", (dir / "g.meta").string()});
  CHECK(run.status == 0);
  CHECK(contains(run.out, "\nnode b\n  op: Identity\n  input 0: z\n  attr T: DT_FLOAT\n"));
  CHECK(contains(run.out, "\nnode z\n  op: Const\n"));
  CHECK(contains(run.out, "  attr value: float [2] [1. 2.5]\n"));
  CHECK(contains(run.out, "\ncollection outputs\n  kind: node_list\n  item b:0\n"));
  CHECK(run.out.find("node b\n") < run.out.find("node z\n"));
  CHECK(contains(cairn_run({"show", (dir / "g.meta").string(), "--json"}).out,
                 R"("kind": "graph", "lines": [)"));
}

TEST_CASE(
    "The command cairn show prints an index without its data files, under any name that ends in "
    ".index",
    "[tools][show]") {
  const TempDir dir;
  const std::string prefix =
      write_tensors(dir / "m", {{"W", Tensor::vector<float>({1, 2})}, {"n", Tensor(int64_t{7})}});
  std::filesystem::create_directory(dir / "blob");
  std::filesystem::copy_file(prefix + ".index", dir / "blob/Xy_m.index");
  const Finished run = cairn_run({"show", (dir / "blob/Xy_m.index").string()});
  CHECK(run.status == 0);
  REQUIRE(run.lines().size() == 3);
  CHECK(run.lines()[0] == "V2, 1 shard");
  CHECK(contains(run.lines()[1], "W  float  [2]  8 bytes  crc32c "));
  CHECK(contains(run.lines()[2], "n  int64  []  8 bytes  crc32c "));
  const Finished data = cairn_run({"show", prefix + ".data-00000-of-00001"});
  CHECK(contains(data.out, "values of a V2 checkpoint, 16 bytes  crc32c "));
}

TEST_CASE(
    "The command cairn show prints a checkpoint file, and a V1 checkpoint with what its values sum "
    "to",
    "[tools][show]") {
  const TempDir dir;
  const std::string v2 = write_tensors(dir / "m", {{"W", Tensor::vector<float>({1, 2})}}),
                    v1 = (dir / "old").string();
  REQUIRE(cairn_run({"convert", v2, v1, "--format", "v1"}).status == 0);
  const std::string line = cairn_run({"show", v2 + ".index"}).lines().at(1);
  // the same bytes, hence the same checksum
  CHECK(cairn_run({"show", v1}).out == "V1\n" + line + "\n");
  update_checkpoint_state(dir.path().string(), v2);
  CHECK(cairn_run({"show", (dir / "checkpoint").string()}).out == read_bytes(dir / "checkpoint"));
}

TEST_CASE(
    "The command cairn show refuses what is no such file with status 1, and a directory as wrong "
    "usage",
    "[tools][show]") {
  const TempDir dir;
  CHECK(is_wrong_usage(cairn_run({"show"})));
  CHECK(is_wrong_usage(cairn_run({"show", dir.path().string()})));
  write_bytes(dir / "a.index", "no table");
  write_bytes(dir / "b.meta", "PK\x03\x04 a zip");
  write_bytes(dir / "checkpoint", "model_checkpoint_path: oops");
  for (const char* name : {"a.index", "b.meta", "checkpoint", "none.meta"}) {
    const Finished run = cairn_run({"show", (dir / name).string()});
    CAPTURE(name);
    CHECK(run.status == 1);
    CHECK(run.out.empty());
    CHECK(contains(run.err, name));
  }
}

TEST_CASE("With cairn show, git compares .meta files as text", "[tools][show]") {
  if (std::system("git --version > /dev/null 2>&1") != 0) return skip("no git");
  const TempDir dir;
  const auto git = [&](const std::string& args) {
    const std::string quiet =
        "git -c user.name=n -c user.email=e -c init.defaultBranch=main " + args;
    return run_program("/bin/sh", {"-c", "unset GIT_DIR GIT_INDEX_FILE; " + quiet}, dir.path());
  };
  const auto write = [&](float value) {
    Graph graph;
    constant(graph, value, {.name = "c"});
    export_meta_graph(graph, {.filename = (dir / "g.meta").string()});
  };
  REQUIRE(git("init -q .").status == 0);
  write_bytes(dir / ".gitattributes", "*.meta diff=cairn\n");
  REQUIRE(git("config diff.cairn.textconv '" + built_program("tools/cairn").string() + " show'")
              .status == 0);
  write(1);
  REQUIRE(git("add .").status == 0);
  write(2);
  const Finished diff = git("--no-pager diff");
  CHECK(contains(diff.out, "-  attr value: float [] 1.0\n+  attr value: float [] 2.0\n"));
}

TEST_CASE("The command cairn show names the files of a prefix, and the nearest name",
          "[tools][show]") {
  const TempDir dir;
  const std::string m = write_tensors(dir / "m-5", {{"w", Tensor(1.0f)}});
  const auto says = [](const std::string& given) {
    const Finished run = cairn_run({"show", given});
    CHECK(run.status == 1);
    CHECK(run.out.empty());
    return run.err;
  };
  CHECK(says(m) == "cairn show: " + m +
                       ": there is no such file; the prefix of a checkpoint is not one: give one "
                       "of " +
                       m + ".data-00000-of-00001 and " + m + ".index\n");
  CHECK(contains(says((dir / "m-5.indx").string()), "did you mean '" + m + ".index'?"));
  CHECK(contains(says((dir / "none/m-5.index").string()), "there is no directory '"));
}
