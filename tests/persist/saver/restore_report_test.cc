#include "persist/saver/restore_report.h"

#include <algorithm>

#include "ops/array/array.h"
#include "ops/math/math.h"
#include "ops/state/variables.h"
#include "persist/checkpoint/bundle.h"
#include "persist/saver/saver.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

using namespace cairn;
using Catch::Matchers::Contains;
using Strings = std::vector<std::string>;

namespace {

struct Disk : MemoryFileSystem {
  Disk() { create_dirs("/run"); }
};

using Values = std::vector<std::pair<std::string, Tensor>>;

void write(FileSystem& fs, const std::string& prefix, const Values& values) {
  BundleWriter writer(fs, prefix);
  for (const auto& [name, value] : values) writer.add(name, value);
  writer.finish();
}

// A graph with variables of these names that begin with these values, initialised.
struct Model {
  Model(FileSystem& fs, const Values& values, bool initialize = true)
      : session(graph, {.file_system = &fs}) {
    for (const auto& [name, value] : values) variable(graph, value, {.name = name});
    saver = Saver(graph);
    if (initialize) session.run(global_variables_initializer(graph));
  }
  Tensor operator[](const std::string& name) { return session.value(find_variable(graph, name)); }
  Graph graph;
  Session session;
  Saver saver;
};

Tensor filled(const Shape& shape, float value) {
  Tensor t = Tensor::uninitialized(DType::kFloat, shape);
  for (float& element : t.span<float>()) element = value;
  return t;
}

Strings variables(const std::vector<RestoreReport::Item>& items) {
  Strings names;
  for (const auto& item : items) names.push_back(item.variable);
  return names;
}

}  // namespace

// ---- what a restore says ------------------------------------------------------------------------

TEST_CASE("A restore reports what it restored, from where and of which step", "[restore]") {
  Disk disk;
  write(disk, "/run/m-1000",
        {{"W", filled({2}, 1)}, {"b", filled({}, 2)}, {"extra", filled({3}, 3)}});
  Model m(disk, {{"W", filled({2}, 0)}, {"b", filled({}, 0)}});
  const RestoreReport report = m.saver.restore(m.session, "/run/m-1000.index");
  CHECK(report.prefix == "/run/m-1000");
  CHECK(report.step == 1000);
  CHECK(variables(report.restored) == Strings{"W", "b"});
  CHECK(report.unused == Strings{"extra"});
  CHECK(report.uninitialized.empty());
  CHECK(report.summary() == "0 missing / 1 unused / 0 shape / 0 dtype");
  CHECK(bit_equal(m["W"], filled({2}, 1)));
}

TEST_CASE("The report reads as a table", "[restore]") {
  Disk disk;
  write(disk, "/run/m-7",
        {{"conv/W", filled({3, 8}, 1)},
         {"net/b", filled({8}, 2)},
         {"s", filled({2}, 3)},
         {"x", filled({}, 4)}});
  Model m(disk,
          {{"conv/W", filled({3, 8}, 0)},
           {"b", filled({8}, 0)},
           {"s", filled({3}, 0)},
           {"head/W", filled({2}, 0)}},
          /*initialize=*/false);
  const RestoreReport report = m.saver.restore(
      m.session, "/run/m-7",
      {.allow_missing = "^head/", .rename = {"s|^net/||", "s/none//"}, .ignore_shape = true});
  CHECK(report.str() ==
        "/run/m-7: step 7, 2 restored, 1 missing / 1 unused / 1 shape / 0 dtype\n"
        "  restored\n"
        "    b       float [8]  from net/b\n"
        "    conv/W  float [3,8]\n"
        "  missing in the checkpoint, left alone\n"
        "    head/W  float [2]\n"
        "  of another shape, left alone\n"
        "    s  graph float [3], checkpoint float [2]\n"
        "  in the checkpoint, not asked for\n"
        "    x\n"
        "  renaming rules that fit nothing\n"
        "    s/none//\n"
        "  without a value in the session\n"
        "    s\n"
        "    head/W\n");
  CHECK(bit_equal(m["b"], filled({8}, 2)));
}

TEST_CASE("A strict restore that does not fit tells everything in one error and changes nothing",
          "[restore]") {
  Disk disk;
  write(disk, "/run/m",
        {{"fine", filled({}, 9)},
         {"net/l1/W", filled({2}, 1)},
         {"net/l2/W", filled({2}, 1)},
         {"softmax/W", filled({784, 20}, 1)},
         {"step", Tensor(int32_t{1})}});
  const Values initial = {{"fine", filled({}, 0)},
                          {"model/l1/W", filled({2}, 0)},
                          {"model/l2/W", filled({2}, 0)},
                          {"softmax/W", filled({784, 10}, 0)},
                          {"step", Tensor(int64_t{0})}};
  Model m(disk, initial);
  const Error error = error_of([&] { m.saver.restore(m.session, "/run/m"); });
  CHECK(error.code() == Code::kNotFound);
  CHECK(std::string(error.what()) ==
        "cannot restore from '/run/m'; no variable was changed: 2 missing / 2 unused / 1 shape / 1 "
        "dtype\n"
        "  Key model/l1/W not found in checkpoint: graph float [2]; nearest: 'net/l1/W'\n"
        "  Key model/l2/W not found in checkpoint: graph float [2]; nearest: 'net/l2/W'\n"
        "  variable 'softmax/W': graph float [784,10], checkpoint float [784,20]\n"
        "  variable 'step': graph int64 [], checkpoint int32 []\n"
        "  .convert_dtypes = true converts values that the other dtype holds exactly; "
        ".ignore_dtype = true leaves "
        "variables of another dtype alone\n"
        "  in the checkpoint and not asked for: 'net/l1/W' and 'net/l2/W'\n"
        "  all 2 missing keys are found with .rename = \"s|^net/|model/|\"\n"
        "  .allow_missing = true (or a pattern) leaves such variables alone; then "
        "initialize_rest(session) initializes them");
  for (const auto& [name, value] : initial) CHECK(bit_equal(m[name], value));
}

TEST_CASE("The rename that an error suggests restores what it said", "[restore]") {
  Disk disk;
  write(disk, "/run/m", {{"net/l1/W", filled({2}, 1)}, {"net/l2/W", filled({2}, 2)}});
  Model m(disk, {{"l1/W", filled({2}, 0)}, {"l2/W", filled({2}, 0)}});
  const RestoreReport report = m.saver.restore(m.session, "/run/m", {.allow_missing = true});
  CHECK(report.restored.empty());
  const auto rename = report.suggested_rename();
  REQUIRE(rename);
  CHECK(rename->finds == 2);
  m.saver.restore(m.session, "/run/m", {.rename = rename->rule});
  CHECK(bit_equal(m["l2/W"], filled({2}, 2)));
}

TEST_CASE("A missing data file is told apart from a missing key", "[restore]") {
  Disk disk;
  write(disk, "/run/m", {{"W", filled({2}, 1)}});
  disk.remove("/run/m.data-00000-of-00001");
  Model m(disk, {{"W", filled({2}, 0)}});
  const Error error = error_of([&] { m.saver.restore(m.session, "/run/m"); });
  CHECK(error.code() == Code::kNotFound);
  CHECK_THAT(error.what(),
             Contains("/run/m.data-00000-of-00001: this data file of the checkpoint is missing"));
  CHECK(bit_equal(m["W"], filled({2}, 0)));
}

TEST_CASE("A shape that differs, with nothing missing, is InvalidArgument", "[restore]") {
  Disk disk;
  write(disk, "/run/m", {{"W", filled({2}, 1)}});
  Model m(disk, {{"W", filled({3}, 0)}});
  CHECK(error_of([&] { m.saver.restore(m.session, "/run/m"); }).code() == Code::kInvalidArgument);
}

TEST_CASE("A dtype that differs is an error whatever else may be left alone", "[restore]") {
  Disk disk;
  write(disk, "/run/m", {{"W", filled({2}, 1)}});
  Model m(disk, {{"W", Tensor::vector<double>({0, 0})}});
  const Error error = error_of(
      [&] { m.saver.restore(m.session, "/run/m", {.allow_missing = true, .ignore_shape = true}); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Contains("variable 'W': graph double [2], checkpoint float [2]"));
}

// ---- what may be left alone, or is called otherwise ---------------------------------------------

TEST_CASE("A missing slot, an extra slot and a new head restore as far as the options allow",
          "[restore]") {
  struct Case {
    const char* what;
    Values stored, graph;
    bool strict_fits;
    Strings missing, unused;
  };
  const Tensor one = filled({2}, 1), zero = filled({2}, 0);
  const std::vector<Case> cases = {
      {"missing slot",
       {{"W", one}},
       {{"W", zero}, {"W/Momentum", zero}},
       false,
       {"W/Momentum"},
       {}},
      {"extra slot", {{"W", one}, {"W/Adam", one}}, {{"W", zero}}, true, {}, {"W/Adam"}},
      {"new head",
       {{"W", one}, {"logits/W", one}},
       {{"W", zero}, {"head/W", zero}},
       false,
       {"head/W"},
       {"logits/W"}},
  };
  for (const Case& c : cases) {
    for (const bool initialized : {false, true}) {
      CAPTURE(c.what, initialized);
      Disk disk;
      write(disk, "/run/m", c.stored);
      Model strict(disk, c.graph, initialized);
      const Error error = error_of([&] { strict.saver.restore(strict.session, "/run/m"); });
      CHECK((error.code() == Code::kOk) == c.strict_fits);
      if (!c.strict_fits && initialized) CHECK(bit_equal(strict["W"], zero));
      if (!c.strict_fits && !initialized)
        CHECK(strict.session.uninitialized_variables().size() == c.graph.size());

      Model lenient(disk, c.graph, initialized);
      const RestoreReport report =
          lenient.saver.restore(lenient.session, "/run/m", {.allow_missing = true});
      CHECK(variables(report.restored) == Strings{"W"});
      CHECK(variables(report.missing) == c.missing);
      CHECK(report.unused == c.unused);
      CHECK(report.uninitialized == (initialized ? Strings{} : c.missing));
      CHECK(bit_equal(lenient["W"], one));
      if (initialized) {
        for (const std::string& name : c.missing) CHECK(bit_equal(lenient[name], zero));
      }
    }
  }
}

TEST_CASE("Only what the pattern finds may be missing", "[restore]") {
  Disk disk;
  write(disk, "/run/m", {{"W", filled({2}, 1)}});
  Model m(disk, {{"W", filled({2}, 0)}, {"head/W", filled({2}, 0)}, {"b", filled({2}, 0)}});
  const Error error =
      error_of([&] { m.saver.restore(m.session, "/run/m", {.allow_missing = "^head/"}); });
  CHECK_THAT(error.what(), Contains("Key b not found") && !Contains("Key head/W"));
  CHECK(bit_equal(m["W"], filled({2}, 0)));
  CHECK(variables(m.saver.restore(m.session, "/run/m", {.allow_missing = "^head/|^b$"}).missing) ==
        Strings{"b", "head/W"});
}

TEST_CASE("Variables of another shape are left alone when that is asked for", "[restore]") {
  Disk disk;
  write(disk, "/run/m", {{"W", filled({2}, 1)}, {"head", filled({10}, 1)}});
  Model m(disk, {{"W", filled({2}, 0)}, {"head", filled({20}, 0)}});
  const RestoreReport report = m.saver.restore(m.session, "/run/m", {.ignore_shape = true});
  CHECK(variables(report.shape_mismatches) == Strings{"head"});
  CHECK(bit_equal(m["W"], filled({2}, 1)));
  CHECK(bit_equal(m["head"], filled({20}, 0)));
}

TEST_CASE("Names are changed by rules or by a list before they are looked for", "[restore]") {
  Disk disk;
  write(disk, "/run/m", {{"a", filled({2}, 1)}, {"net/b", filled({2}, 2)}});
  Model m(disk, {{"x", filled({2}, 0)}, {"b", filled({2}, 0)}});
  NameRules rules({{"a", "x"}});
  rules.add("s|^net/||");
  CHECK(m.saver.restore(m.session, "/run/m", {.rename = rules}).unused.empty());
  CHECK(bit_equal(m["x"], filled({2}, 1)));
  CHECK(bit_equal(m["b"], filled({2}, 2)));
}

TEST_CASE("A renaming that gives two tensors the name of one variable is refused", "[restore]") {
  Disk disk;
  write(disk, "/run/m", {{"a/W", filled({2}, 1)}, {"b/W", filled({2}, 2)}});
  Model m(disk, {{"W", filled({2}, 0)}});
  CHECK_THROWS_WITH(m.saver.restore(m.session, "/run/m", {.rename = "s|^[ab]/||"}),
                    Contains("the renaming is ambiguous\n  'a/W' and 'b/W' would be 'W'"));
  CHECK(bit_equal(m["W"], filled({2}, 0)));
}

TEST_CASE("Resource variables, other shapes and slices are restored under other names too",
          "[restore]") {
  Disk disk;
  write(disk, "/run/m", {{"old/r", filled({2}, 1)}, {"old/v", filled({4}, 2)}});
  Graph graph;
  const Variable r = variable(graph, filled({2}, 0), {.name = "r", .use_resource = true});
  const Variable v = variable(graph, filled({2, 2}, 0), {.name = "v"});
  variable(graph, filled({1}, 0), {.name = "extra"});
  Saver saver(graph, {.reshape = true});
  Session session(graph, {.file_system = &disk});
  const auto report =
      saver.restore(session, "/run/m", {.allow_missing = "extra", .rename = "s/^old.//"});
  CHECK(report.uninitialized == Strings{"extra"});
  CHECK(bit_equal(session.value(r), filled({2}, 1)));
  CHECK(bit_equal(session.value(v), filled({2, 2}, 2)));
}

TEST_CASE("Savers of V1 checkpoints restore a part and under other names", "[restore]") {
  Disk disk;
  {
    Graph graph;
    variable(graph, filled({2}, 5), {.name = "old"});
    Saver saver(graph, {.write_version = CheckpointFormat::kV1});
    Session session(graph, {.file_system = &disk});
    session.run(global_variables_initializer(graph));
    saver.save(session, "/run/v1");
  }
  Model m(disk, {{"new", filled({2}, 0)}, {"extra", filled({2}, 0)}});
  m.saver.restore(m.session, "/run/v1", {.allow_missing = "extra", .rename = {{"old", "new"}}});
  CHECK(bit_equal(m["new"], filled({2}, 5)));
}

TEST_CASE("A saver that restores one variable after the other leaves alone what it may",
          "[restore]") {
  Disk disk;
  write(disk, "/run/m", {{"a", filled({2}, 1)}, {"c", filled({2}, 3)}});
  Graph graph;
  for (const char* name : {"a", "b", "c"}) variable(graph, filled({2}, 0), {.name = name});
  Saver saver(graph, {.restore_sequentially = true});
  Session session(graph, {.file_system = &disk});
  CHECK(saver.restore(session, "/run/m", {.allow_missing = true}).uninitialized == Strings{"b"});
  CHECK(bit_equal(session.value(find_variable(graph, "c")), filled({2}, 3)));
}

// ---- many ---------------------------------------------------------------------------------------

TEST_CASE("Ten thousand variables are restored, missed and renamed", "[restore]") {
  Disk disk;
  constexpr int kMany = 10000;
  Values values;
  Graph graph;
  for (int i = 0; i < kMany; ++i) {
    values.emplace_back(str_cat("net/layer_", i, "/W"), filled({}, static_cast<float>(i)));
    variable(graph, filled({}, 0), {.name = str_cat("layer_", i, "/W")});
  }
  write(disk, "/run/m", values);
  Saver saver(graph);
  Session session(graph, {.file_system = &disk});
  const Error error = error_of([&] { saver.restore(session, "/run/m"); });
  CHECK_THAT(error.what(),
             Contains("10000 missing / 10000 unused") && Contains("and 9980 more keys not found") &&
                 Contains("all 10000 missing keys are found with .rename = \"s|^net/||\""));
  CHECK(session.uninitialized_variables().size() == kMany);
  const RestoreReport report = saver.restore(session, "/run/m", {.rename = "s|^net/||"});
  CHECK(report.restored.size() == kMany);
  CHECK(session.value(graph.variables()[777]).scalar<float>() == 777.0f);
  CHECK_THAT(report.str(), Contains("and 9980 more"));
}

TEST_CASE("The step of a report is the number that ends the prefix, and nothing else",
          "[restore_report]") {
  Disk disk;
  const Values values = {{"a", Tensor(1.0f)}};
  Model m(disk, values);
  const auto step_of = [&](const std::string& prefix) {
    write(disk, prefix, values);
    return m.saver.restore(m.session, prefix).step;
  };
  CHECK(step_of("/run/m-1000") == 1000);
  CHECK(step_of("/run/m-00000007") == 7);
  CHECK(step_of("/run/a-b-3") == 3);
  for (const char* none :
       {"/run/m", "/run/m-", "/run/m-1x", "/run/m-x1", "/run/m--1x", "/run/m-99999999999999999999"})
    CHECK_FALSE(step_of(none).has_value());
}

TEST_CASE("A rule that fits no name of the checkpoint is told with what is missing",
          "[restore_report]") {
  Disk disk;
  write(disk, "/run/m", {{"a", Tensor(1.0f)}});
  Model m(disk, {{"b", Tensor(1.0f)}});
  CHECK_THROWS_WITH(m.saver.restore(m.session, "/run/m", {.rename = "s/^net/model/"}),
                    Contains("Key b not found") &&
                        Contains("the rule 's/^net/model/' fits no name in the checkpoint"));
}
