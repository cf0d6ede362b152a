// Names in files from elsewhere: no command lets them speak to the terminal, forge lines or leave a
// folder.
#include <algorithm>

#include "ops/array/array.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/graph/meta_graph.h"
#include "runtime/base/text.h"
#include "tests/support/catch.h"
#include "tests/tools/commands.h"

using namespace cairn;

namespace {

const std::string kForged = "everything is fine";
// A colour, a carriage return, another line, a change of direction, what is no UTF-8.
const std::vector<std::string> kEvil = {"w\x1b[31m", "w\rx", "w\n" + kForged + "\nx",
                                        "w\xe2\x80\xaex", "w\xff"};

void check_tame(const Finished& run, const std::vector<std::string>& args) {
  INFO(join_for_people(args));
  CHECK((run.status == 0 || run.status == 1));
  for (const std::string& text : {run.out, run.err}) {
    CHECK(printable(text, "\n\t") == text);
    CHECK(("\n" + text).find("\n" + kForged) == std::string::npos);
  }
}

void check_all_tame(const std::vector<std::vector<std::string>>& commands) {
  for (std::vector<std::string> args : commands) {
    check_tame(cairn_run(args), args);
    args.push_back("--json");
    check_tame(cairn_run(args), args);
  }
}

std::string write_evil(const std::filesystem::path& prefix, float value) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const std::string& name : kEvil) tensors.emplace_back(name, Tensor(value));
  std::sort(tensors.begin(), tensors.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return write_tensors(prefix, tensors);
}

}  // namespace

TEST_CASE("Names of tensors are shown without what a terminal acts upon", "[tools][names]") {
  const TempDir dir;
  const std::string a = write_evil(dir / "a", 1), b = write_evil(dir / "b", 2);
  const auto path = [&](const char* name) { return (dir / name).string(); };
  check_all_tame({{"inspect", a},
                  {"inspect", a, "--values", "--stats", "--verify"},
                  {"inspect", a, "--tensor", kEvil[2] + "y"},
                  {"diff", a, b},
                  {"rename", a, path("renamed"), "--re", "s/w/v/", "--dry-run"},
                  {"rename", a, path("renamed"), "--re", "s/^w.*/same/", "--dry-run"}});
  check_tame(cairn_run({"show", a + ".index"}), {"show"});
  const Finished shown = cairn_run({"inspect", a});
  CHECK(contains(shown.out, "w\\x1b[31m "));
  CHECK(contains(shown.out, "w\\n" + kForged + "\\nx  float"));
  CHECK(contains(shown.out, "w\\xff "));
  const Finished mean = cairn_run({"average", a, b, path("mean")});
  check_tame(mean, {"average"});
  CHECK(mean.status == 0);
}

TEST_CASE("Damage is reported without what a terminal acts upon", "[tools][names]") {
  const TempDir dir;
  const std::string a = write_evil(dir / "a", 1);
  const std::string data = bundle_data_path(a, 0, 1);
  write_bytes(data, std::string(read_bytes(data).size(), 'x'));
  update_checkpoint_state(dir.path().string(), a);
  check_all_tame({{"inspect", a, "--verify"}, {"doctor", dir.path().string()}});
  const auto evil = dir / ("m" + kEvil[2]);
  write_bytes(evil, "a file");
  write_bytes(dir / "m\x1b[31m.index", "no index");
  check_all_tame({{"doctor", dir.path().string()}});
}

TEST_CASE("Names in a graph are shown without what a terminal acts upon", "[tools][names]") {
  const TempDir dir;
  Graph graph;
  constant(graph, 1.0f, {.name = "c"});
  for (const std::string& name : {kEvil[0], kEvil[2], kEvil[3]}) {
    graph.add_to_collection(name, UnresolvedName{name});
    graph.add_to_collection(name + "a", AnyItem{"type.googleapis.com/" + name, "x"});
  }
  const std::string a = (dir / "a.meta").string(), b = (dir / "b.meta").string();
  export_meta_graph(graph, {.filename = a});
  graph.add_to_collection(kEvil[2] + "b", UnresolvedName{kEvil[0]});
  export_meta_graph(graph, {.filename = b});
  check_all_tame({{"meta", a}, {"meta", a, "--collections"}, {"diff", a, b}, {"show", a}});
  const Finished text = cairn_run({"meta", a, "--text"});
  check_tame(text, {"meta", "--text"});
}

TEST_CASE(
    "Names that an archive would be unpacked elsewhere by are refused, and nothing is written",
    "[tools][names]") {
  for (const char* name : {"/x", "../x", "a/../../x", "..", "\\x", "..\\x", "C:\\x", "a\nb"}) {
    const TempDir dir;
    const std::string a = write_tensors(dir / "a", {{"W:0", Tensor(1.0f)}, {name, Tensor(2.0f)}});
    const std::string to = (dir / "a.npz").string();
    const Finished run = cairn_run({"export", a, to});
    INFO(name);
    CHECK(run.status == 1);
    CHECK(contains(run.err, "'" + printable(name) + "'"));
    CHECK(!std::filesystem::exists(to));
    CHECK(cairn_run({"export", a, to, "--tensor", "W:0"}).status == 0);
  }
}

TEST_CASE("Names that a safetensors file cannot have are refused", "[tools][names]") {
  for (const char* name : {"__metadata__", "w\xff"}) {
    const TempDir dir;
    const std::string a = write_tensors(dir / "a", {{"W", Tensor(1.0f)}, {name, Tensor(2.0f)}});
    const std::string to = (dir / "a.safetensors").string();
    const Finished run = cairn_run({"export", a, to});
    CHECK(run.status == 1);
    CHECK(contains(run.err, "'" + printable(name) + "'"));
    CHECK(!std::filesystem::exists(to));
  }
}
