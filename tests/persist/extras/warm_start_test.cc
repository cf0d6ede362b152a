#include "persist/extras/warm_start.h"

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
  Disk() {
    create_dirs("/run");
    BundleWriter writer(*this, "/run/m-9");
    writer.add("old/W", Tensor::vector<float>({1, 2}));
    writer.add("old/b", Tensor(3.0f));
    writer.add("top", Tensor(4.0f));
    writer.add_slice("old/P", {2, 2}, TensorSlice::parse("0,1:-"), Tensor::matrix<float>({{1, 2}}));
    writer.add_slice("old/P", {2, 2}, TensorSlice::parse("1,1:-"), Tensor::matrix<float>({{3, 4}}));
    writer.finish();
  }
};

// new/W, new/b and other, initialised to zeros.
struct Model {
  explicit Model(FileSystem& fs) : session(graph, {.file_system = &fs}) {
    w = variable(zeros(graph, {2}), {.name = "new/W"});
    b = variable(graph, 0.0f, {.name = "new/b"});
    other = variable(graph, 0.0f, {.name = "other"});
  }
  std::string refusal(const Assignments& assignments) {
    const Error error = error_of([&] { init_from_checkpoint(session, "/run/m-9", assignments); });
    CHECK(session.uninitialized_variables().size() == 3);
    return error.what();
  }
  Graph graph;
  Variable w, b, other;
  Session session;
};

}  // namespace

// ---- initialize_rest ----------------------------------------------------------------------------

TEST_CASE("Only variables without a value are initialized by initialize_rest", "[warm_start]") {
  Graph graph;
  const Variable a = variable(graph, 1.0f, {.name = "a"}), b = variable(graph, 2.0f, {.name = "b"});
  const Variable local =
      variable(graph, 3.0f, {.name = "local", .collections = {GraphKeys::kLocalVariables}});
  Session session(graph);
  session.set_value(a, 9.0f);
  CHECK(initialize_rest(session) == Strings{"b", "local"});
  CHECK(session.value(a).scalar<float>() == 9.0f);
  CHECK(session.value(b).scalar<float>() == 2.0f);
  CHECK(session.value(local).scalar<float>() == 3.0f);
  CHECK(initialize_rest(session).empty());
}

TEST_CASE("An initial value made of another variable's finds that one initialised or restored",
          "[warm_start]") {
  Graph graph;
  const Variable a = variable(graph, 1.0f, {.name = "a"});
  const Variable b = variable(a.value() * 10.0f, {.name = "b"});
  const Variable c = variable(b.value() + 0.5f, {.name = "c"});
  Session fresh(graph);
  CHECK(initialize_rest(fresh) == Strings{"a", "b", "c"});
  CHECK(fresh.value(c).scalar<float>() == 10.5f);
  Session restored(graph);
  restored.set_value(a, 7.0f);
  initialize_rest(restored);
  CHECK(restored.value(c).scalar<float>() == 70.5f);
}

TEST_CASE(
    "A partial restore says what is left, a run names all of it, and initialize_rest completes it",
    "[warm_start][restore]") {
  Disk disk;
  Model m(disk);
  Saver saver(m.graph, {.var_list = {{"old/W", m.w}}});
  const RestoreReport report = saver.restore(m.session, "/run/m-9");
  CHECK(report.uninitialized == Strings{"new/b", "other"});
  CHECK_THROWS_WITH(m.session.run({m.w, m.b, m.other}),
                    Contains("uninitialized variables: 'new/b' and 'other'"));
  CHECK(initialize_rest(m.session) == report.uninitialized);
  CHECK(bit_equal(m.session.value(m.w), Tensor::vector<float>({1, 2})));
}

TEST_CASE("Where other variables have values, a run that lacks some says how to keep those",
          "[warm_start]") {
  Disk disk;
  Model m(disk);
  const std::string keep =
      "initialize_rest(session) gives those without one their initial values "
      "(global_variables_initializer would reset all)";
  CHECK_THROWS_WITH(m.session.run(m.b),
                    Contains("run the initializer (global_variables_initializer)") &&
                        !Contains("initialize_rest"));
  Saver(m.graph, {.var_list = {{"old/W", m.w}}}).restore(m.session, "/run/m-9");
  CHECK_THROWS_WITH(m.session.run(m.b),
                    Contains("uninitialized variable: 'new/b'; other") && Contains(keep));
  CHECK_THROWS_WITH(m.session.value(m.b), Contains(keep));
  CHECK_THROWS_WITH(m.session.run(m.other.assign(m.b)), Contains(keep));
  initialize_rest(m.session);
  CHECK(m.session.run(m.b).scalar<float>() == 0);
  CHECK(bit_equal(m.session.value(m.w), Tensor::vector<float>({1, 2})));
}

TEST_CASE("A missing key says how to leave its variable alone", "[warm_start][restore]") {
  Disk disk;
  Model m(disk);
  const Saver saver(m.graph, {.var_list = {{"old/W", m.w}, {"later", m.b}}});
  const Error error = error_of([&] { saver.restore(m.session, "/run/m-9"); });
  CHECK(error.code() == Code::kNotFound);
  CHECK_THAT(error.what(), Contains("Key later not found in checkpoint: graph float []") &&
                               Contains("\n  .allow_missing = true (or a pattern) leaves such "
                                        "variables alone; then initialize_rest(session) "
                                        "initializes them"));
  const Saver whole(m.graph, {.var_list = {{"old/W", m.b}}});  // of another shape, nothing missing
  CHECK_THAT(error_of([&] { whole.restore(m.session, "/run/m-9"); }).what(),
             !Contains("allow_missing"));
}

// ---- init_from_checkpoint -----------------------------------------------------------------------

TEST_CASE("A scope is set from a scope", "[warm_start]") {
  Disk disk;
  Model m(disk);
  const RestoreReport report = init_from_checkpoint(m.session, "/run/m-9", {{"old/", "new/"}});
  CHECK(report.step == 9);
  CHECK(report.restored.size() == 2);
  CHECK(report.unused == Strings{"old/P", "top"});
  CHECK(report.uninitialized == Strings{"other"});
  CHECK(bit_equal(m.session.value(m.w), Tensor::vector<float>({1, 2})));
  CHECK(m.session.value(m.b).scalar<float>() == 3.0f);
}

TEST_CASE("A slash stands for everything, on either side", "[warm_start]") {
  Disk disk;
  {
    Graph graph;
    const Variable top = variable(graph, 0.0f, {.name = "new/top"});
    Session session(graph, {.file_system = &disk});
    init_from_checkpoint(session, "/run/m-9", {{"/", "new/"}});
    CHECK(session.value(top).scalar<float>() == 4.0f);
  }
  Graph graph;
  const Variable b = variable(graph, 0.0f, {.name = "b"});
  Session session(graph, {.file_system = &disk});
  init_from_checkpoint(session, "/run/m-9", {{"old/", "/"}});
  CHECK(session.value(b).scalar<float>() == 3.0f);
}

TEST_CASE("A variable is set by its name or its handle, and one tensor may go to several",
          "[warm_start]") {
  Disk disk;
  Model m(disk);
  const RestoreReport report = init_from_checkpoint(
      m.session, "/run/m-9", {{"top", "new/b"}, {"top", m.other}}, {.rename = {{"gone", "here"}}});
  CHECK(report.unmatched_rules == Strings{"gone=here"});
  CHECK(m.session.value(m.b).scalar<float>() == 4.0f);
  CHECK(m.session.value(m.other).scalar<float>() == 4.0f);
  CHECK_FALSE(m.session.is_initialized(m.w));
}

TEST_CASE("Slices of a variable are set from the whole and from other slices", "[warm_start]") {
  Disk disk;
  Graph graph;
  std::vector<Variable> parts;
  for (int64_t i = 0; i < 2; ++i) {
    VariableInfo info =
        variable(zeros(graph, {2, 1}), {.name = str_cat("P/part_", i), .collections = {}}).info();
    info.slice = SaveSliceInfo{"P", {2, 2}, {0, i}, {2, 1}};
    parts.emplace_back(info);
    graph.add_to_collection(GraphKeys::kGlobalVariables, parts.back());
  }
  for (const Assignments& way :
       {Assignments{{"old/P", "P"}}, Assignments{{"old/P", parts}}, Assignments{{"old/", "/"}}}) {
    Session session(graph, {.file_system = &disk});
    init_from_checkpoint(session, "/run/m-9", way);
    CHECK(bit_equal(session.value(parts[0]), Tensor::matrix<float>({{1}, {3}})));
    CHECK(bit_equal(session.value(parts[1]), Tensor::matrix<float>({{2}, {4}})));
  }
}

TEST_CASE("What an assignment map says wrongly is told, all at once, and nothing is set",
          "[warm_start]") {
  Disk disk;
  Model m(disk);
  CHECK_THAT(m.refusal({{"top", "oter"}, {"old/", "none/"}}),
             Contains("'oter' is no variable of the graph, and no scope, which would end in a "
                      "slash; did you mean other?") &&
                 Contains("the graph has no variables in the scope 'none/'"));
  CHECK_THAT(
      m.refusal({{"old", "new/"}}),
      Contains(
          "the scope 'new/' cannot be set from the one tensor 'old'; from a scope it is 'old/'"));
  CHECK_THAT(m.refusal({{"old/", "other"}}),
             Contains("the variable 'other' cannot be set from the scope 'old/'"));
  CHECK_THAT(m.refusal({{"top", "other"}, {"old/b", m.other}}),
             Contains("the variable 'other' would be set from 'top' and from 'old/b'"));
}

TEST_CASE(
    "Tensors that are missing or do not fit are told as a restore tells them, and nothing is set",
    "[warm_start]") {
  Disk disk;
  Model m(disk);
  CHECK_THAT(m.refusal({{"/", "new/"}}),
             Contains("Key W not found in checkpoint") && Contains("nearest: 'old/W'") &&
                 Contains("all 2 missing keys are found with .rename = \"s|^old/||\""));
  CHECK_THAT(m.refusal({{"old/W", "other"}}),
             Contains("variable 'other' (key 'old/W'): graph float [], checkpoint float [2]"));
  init_from_checkpoint(m.session, "/run/m-9", {{"/", "new/"}, {"top", "other"}},
                       {.allow_missing = true});
  CHECK(m.session.uninitialized_variables() == Strings{"new/W", "new/b"});
}

TEST_CASE("An assignment without a tensor's name is told", "[warm_start]") {
  Disk disk;
  Model m(disk);
  CHECK_THAT(m.refusal({{"", "other"}}),
             Contains("an assignment names no tensor of the checkpoint"));
}

TEST_CASE("Variables that begin as others' values are initialised after these", "[warm_start]") {
  Disk disk;
  Graph graph;
  const Variable a = variable(graph, 2.0f, {.name = "a"});
  const Variable b = variable(a.value() + 1.0f, {.name = "b"});
  const Variable c = variable(a.value() * b.value(), {.name = "c"});
  Session session(graph, {.file_system = &disk});
  CHECK(initialize_rest(session) == Strings{"a", "b", "c"});
  CHECK(session.value(c).scalar<float>() == 6.0f);
  CHECK(initialize_rest(session).empty());
  Session some(graph, {.file_system = &disk});
  some.set_value(b, Tensor(5.0f));
  CHECK(initialize_rest(some) == Strings{"a", "c"});
  CHECK(some.value(c).scalar<float>() == 10.0f);
}
