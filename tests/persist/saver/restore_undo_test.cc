// A restore that fails changes nothing, wherever it fails.
#include "ops/array/array.h"
#include "ops/math/math.h"
#include "ops/state/variables.h"
#include "persist/checkpoint/bundle.h"
#include "persist/saver/save_restore.h"
#include "persist/saver/save_restore_ops.h"
#include "persist/saver/saver.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"
#include "tests/support/recording_fs.h"

using namespace cairn;
using Catch::Matchers::Contains;

namespace {

// Three variables on three devices, so that a saver restores them by three nodes that read and
// assign in turn.
struct Sharded {
  explicit Sharded(CheckpointFormat format = CheckpointFormat::kV2) {
    for (int i = 0; i < 3; ++i) {
      const Scope on = graph.device(str_cat("/job:ps/task:", i));
      variables.push_back(
          variable(graph, Tensor::vector<float>({1.0f + i, 2}), {.name = str_cat("v", i)}));
    }
    saver = Saver(graph, {.sharded = true, .write_version = format});
  }
  std::vector<Tensor> values(Session& session) const {
    std::vector<Tensor> all;
    for (const Variable& v : variables) all.push_back(session.value(v));
    return all;
  }
  Graph graph;
  std::vector<Variable> variables;
  Saver saver;
};

void check_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) CHECK(bit_equal(a[i], b[i]));
}

void save(const Sharded& m, MemoryFileSystem& memory) {
  memory.create_dirs("/run");
  Session session(const_cast<Graph&>(m.graph), {.file_system = &memory});
  session.run(global_variables_initializer(session.graph()));
  Saver(m.saver).save(session, "/run/m");
}

void set_others(const Sharded& m, Session& session) {
  for (const Variable& v : m.variables) session.set_value(v, Tensor::vector<float>({-0.0f, 7}));
}

size_t reads_of(const RecordingFileSystem& fs, const std::string& path) {
  size_t count = 0;
  for (const FileOp& op : fs.ops()) count += op.kind == FileOp::kOpen && op.path == path;
  return count;
}

}  // namespace

TEST_CASE("Whichever read fails, a failed restore leaves every variable bit-identical",
          "[restore][faults]") {
  for (const CheckpointFormat format : {CheckpointFormat::kV2, CheckpointFormat::kV1}) {
    const Sharded m(format);
    MemoryFileSystem memory;
    save(m, memory);
    const std::string prefix = "/run/m";
    const std::vector<std::function<void(Session&)>> ways = {
        [&](Session& s) { m.saver.restore(s, prefix); },
        [&](Session& s) { m.saver.restore(s, prefix, {.rename = "s/nothing//"}); },
        [&](Session& s) {
          m.saver.restore(s, prefix, {.rename = {{"v0", "v1"}, {"v1", "v0"}}});
        },
        [&](Session& s) {
          s.run(m.saver.as_saver_def().restore_op_name, {{"save/Const:0", prefix.c_str()}});
        }};
    for (size_t way = 0; way < ways.size(); ++way) {
      for (const bool initialized : {true, false}) {
        for (size_t i = 0;; ++i) {
          FaultyFileSystem fs(memory, i, EIO);
          Session session(const_cast<Graph&>(m.graph), {.file_system = &fs});
          if (initialized) set_others(m, session);
          const auto before = initialized ? m.values(session) : std::vector<Tensor>();
          const Error error = error_of([&] { ways[way](session); });
          CAPTURE(way, initialized, i, error.what());
          if (!fs.failed()) {
            CHECK(error.code() == Code::kOk);
            break;
          }
          if (error.code() == Code::kOk) continue;  // what failed was not needed after all
          if (initialized) {
            check_same(m.values(session), before);
          } else {
            CHECK(session.uninitialized_variables().size() == 3);
          }
        }
      }
    }
  }
}

TEST_CASE("Damage met by the last of several reading nodes undoes what the first ones set",
          "[restore][corruption]") {
  const Sharded m;
  MemoryFileSystem memory;
  save(m, memory);
  std::string bytes = read_file(memory, "/run/m.data-00002-of-00003");
  bytes[0] = static_cast<char>(bytes[0] ^ 1);
  memory.set("/run/m.data-00002-of-00003", bytes);
  Session session(const_cast<Graph&>(m.graph), {.file_system = &memory});
  set_others(m, session);
  const auto before = m.values(session);
  CHECK(error_of([&] { m.saver.restore(session, "/run/m"); }).code() == Code::kDataLoss);
  check_same(m.values(session), before);
  CHECK(error_of([&] {
          session.run("save/restore_all", {{"save/Const:0", "/run/m"}});
        }).code() == Code::kDataLoss);
  check_same(m.values(session), before);
}

TEST_CASE("A restore opens each file of a checkpoint once, however many nodes read it",
          "[restore]") {
  for (const CheckpointFormat format : {CheckpointFormat::kV2, CheckpointFormat::kV1}) {
    const Sharded m(format);
    MemoryFileSystem memory;
    save(m, memory);
    RecordingFileSystem fs(memory);
    Session session(const_cast<Graph&>(m.graph), {.file_system = &fs});
    const bool v2 = format == CheckpointFormat::kV2;
    m.saver.restore(session, "/run/m");
    if (v2) {
      CHECK(reads_of(fs, "/run/m.index") == 1);
      CHECK(reads_of(fs, "/run/m.data-00001-of-00003") == 1);
    } else {
      CHECK(reads_of(fs, "/run/m-00001-of-00003") == 1);
    }
  }
}

TEST_CASE("What a run saves is what a later node of the same run restores", "[restore]") {
  MemoryFileSystem memory;
  memory.create_dirs("/run");
  Graph graph;
  const Output prefix = constant(graph, "/run/m");
  const Output first = constant(graph, 1.0f), second = constant(graph, 2.0f);
  const Operation save_first = save_v2(prefix, {"x"}, {""}, {first});
  Output read_first, read_second;
  Operation save_second;
  {
    const Scope after = graph.control_dependencies({save_first});
    read_first = restore_v2(prefix, {"x"}, {""}, {DType::kFloat})[0];
  }
  {
    const Scope after = graph.control_dependencies({read_first.op()});
    save_second = save_v2(prefix, {"x"}, {""}, {second});
  }
  {
    const Scope after = graph.control_dependencies({save_second});
    read_second = restore_v2(prefix, {"x"}, {""}, {DType::kFloat})[0];
  }
  Session session(graph, {.file_system = &memory});
  const auto values = session.run({read_first, read_second});
  CHECK(values[0].scalar<float>() == 1.0f);
  CHECK(values[1].scalar<float>() == 2.0f);
}

TEST_CASE(
    "A failed run_or_undo restores all values that it wrote, uninitialised variables included",
    "[restore]") {
  Graph graph;
  const Variable a = variable(graph, 1.0f, {.name = "a"}), b = variable(graph, 1.0f, {.name = "b"});
  const Variable c = variable(zeros(graph, {2}), {.name = "c"});
  const Output fed = placeholder(graph, DType::kFloat, Shape::unknown());
  const Output set_a = a.assign(constant(graph, 5.0f)), set_b = b.assign_add(constant(graph, 5.0f));
  const Output set_c = c.assign(fed);
  Session session(graph);
  session.run(b.initializer());
  CHECK_THROWS_WITH(
      session.run_or_undo({set_a, set_b, set_c}, {{fed, Tensor::vector<float>({1, 2, 3})}}),
      Contains("variable 'c'"));
  CHECK(session.uninitialized_variables() == std::vector<std::string>{"a", "c"});
  CHECK(session.value(b).scalar<float>() == 1.0f);
  session.run_or_undo({set_a, set_b, set_c}, {{fed, Tensor::vector<float>({1, 2})}});
  CHECK(session.value(a).scalar<float>() == 5.0f);
  CHECK(session.value(b).scalar<float>() == 6.0f);
  CHECK(bit_equal(session.value(c), Tensor::vector<float>({1, 2})));
}
