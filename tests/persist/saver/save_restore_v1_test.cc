// The ops and the savers of the V1 format.
#include "ops/array/array.h"
#include "ops/flow/flow.h"
#include "ops/state/variables.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/saver/save_restore_ops.h"
#include "persist/saver/saver.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

namespace cairn {
namespace {

std::string inputs_of(const Graph& graph, const std::string& name) {
  const Node& node = graph.find_op(name).node();
  std::string text;
  for (const Endpoint& e : node.inputs) text += " " + endpoint_name(*e.node, e.index, false);
  for (const Node* control : node.control_inputs) text += " ^" + control->name;
  return std::string(node.op->name) + text;
}

}  // namespace

TEST_CASE("SaveSlices and RestoreSlice write and read tensors and parts",
          "[persist][save_restore_v1]") {
  MemoryFileSystem fs;
  Graph graph;
  const Output path = constant(graph, "m"),
               w = constant(graph, Tensor::vector<float>({1, 2, 3, 4})),
               half = constant(graph, Tensor::vector<int32_t>({5, 6}));
  const Operation save = save_v1(path, {"W", "P"}, {"", "4 2,2"}, {w, half});
  const Output whole = restore_v1(path, "W", "", DType::kFloat),
               part = restore_v1(path, "W", "4 1,2", DType::kFloat),
               same = restore_v1(path, "P", "4 2,2", DType::kInt32);
  CHECK(part.shape() == Shape{2});
  CHECK_FALSE(whole.shape().has_rank());
  Session session(graph, {.file_system = &fs});
  session.run(save);
  CHECK(session.run(whole).str() == "[1. 2. 3. 4.]");
  CHECK(session.run(part).str() == "[2. 3.]");
  CHECK(session.run(same).str() == "[5 6]");
  CHECK(CheckpointV1Reader(fs, "m").entry("P").shape == Shape{4});
}

TEST_CASE("Save writes whole tensors and Restore reads them", "[persist][save_restore_v1]") {
  MemoryFileSystem fs;
  Graph graph;
  const Output path = constant(graph, "m");
  const Operation save =
      save_v1(path, {"b", "a"}, {}, {constant(graph, 1.5f), constant(graph, "text")});
  CHECK(save.node().op->name == "Save");
  const Output a = add_node(*OpSet(save_restore_ops()).find("Restore"),
                            {path, constant(graph, "a")}, {{"dt", DType::kString}});
  Session session(graph, {.file_system = &fs});
  session.run(save);
  CHECK(session.run(a).scalar<std::string>() == "text");
}

TEST_CASE("V1 restores say what is missing and what is of another dtype",
          "[persist][save_restore_v1]") {
  MemoryFileSystem fs;
  CheckpointV1Writer writer(fs, "m");
  writer.add("W", Tensor(1.0));
  writer.finish();
  Graph graph;
  const Output path = constant(graph, "m");
  Session session(graph, {.file_system = &fs});
  const auto error = [&](const Output& y) { return error_of([&] { session.run(y); }); };
  const Error missing = error(restore_v1(path, "V", "", DType::kDouble));
  CHECK(missing.code() == Code::kNotFound);
  CHECK_THAT(missing.what(),
             Catch::Contains("Tensor name \"V\" not found in checkpoint files 'm'"));
  CHECK_THAT(
      error(restore_v1(path, "W", "", DType::kFloat)).what(),
      Catch::Contains(
          "Expected to restore a tensor of type float, got a tensor of type double instead"));
  CHECK(error(restore_v1(path, "W", "2 0,1", DType::kDouble)).code() == Code::kInvalidArgument);
  CHECK(error(restore_v1(constant(graph, "none"), "W", "", DType::kDouble)).code() ==
        Code::kNotFound);
}

TEST_CASE("RestoreV2 reads V1 files, and RestoreSlice V2 ones", "[persist][save_restore_v1]") {
  MemoryFileSystem fs;
  Graph graph;
  const Output w = constant(graph, Tensor::vector<float>({1, 2}));
  const Operation old = save_v1(constant(graph, "old"), {"W"}, {""}, {w});
  const Operation bundle = save_v2(constant(graph, "new"), {"W"}, {""}, {w});
  const Output from_old = restore_v2(constant(graph, "old"), {"W"}, {"2 1,1"}, {DType::kFloat})[0];
  const Output from_new = restore_v1(constant(graph, "new"), "W", "", DType::kFloat);
  Session session(graph, {.file_system = &fs});
  session.run(old);
  session.run(bundle);
  CHECK(session.run(from_old).str() == "[2.]");
  CHECK(session.run(from_new).str() == "[1. 2.]");
}

TEST_CASE("A preferred shard that holds the tensor is the only file that is read",
          "[persist][save_restore_v1]") {
  MemoryFileSystem fs;
  for (int shard = 0; shard < 2; ++shard) {
    CheckpointV1Writer writer(fs, str_cat("m-0000", shard, "-of-00002"));
    writer.add(str_cat("t", shard), Tensor(shard));
    writer.finish();
  }
  Graph graph;
  const Output path = constant(graph, "m-\?\?\?\?\?-of-00002");
  const Output t1 = restore_v1(path, "t1", "", DType::kInt32, {.preferred_shard = 1}),
               t0 = restore_v1(path, "t0", "", DType::kInt32, {.preferred_shard = 1});
  Session session(graph, {.file_system = &fs});
  CHECK(session.run(t0).scalar<int32_t>() == 0);
  fs.set("m-00000-of-00002", "damaged");
  CHECK(session.run(t1).scalar<int32_t>() == 1);
  CHECK(error_of([&] { session.run(t0); }).code() == Code::kDataLoss);
}

TEST_CASE("A V1 saver adds TensorFlow's nodes, saves, restores and keeps the newest",
          "[persist][saver][v1]") {
  MemoryFileSystem fs;
  Graph graph;
  const Variable a = variable(constant(graph, 1.0f), {.name = "a"}),
                 b = variable(constant(graph, 2), {.name = "b"});
  Saver saver(graph, {.max_to_keep = 2, .write_version = CheckpointFormat::kV1});
  CHECK(inputs_of(graph, "save/save") ==
        "SaveSlices save/Const save/save/tensor_names save/save/shapes_and_slices a b");
  CHECK(inputs_of(graph, "save/control_dependency") == "Identity save/Const ^save/save");
  CHECK(saver.as_saver_def().version == CheckpointFormat::kV1);
  Session session(graph, {.file_system = &fs});
  session.run(global_variables_initializer(graph));
  for (int step = 1; step <= 3; ++step)
    CHECK(saver.save(session, "m", {.global_step = step}) == str_cat("m-", step));
  std::vector<std::string> files;
  for (const auto& [path, bytes] : fs.contents()) files.push_back(path);
  CHECK(files ==
        std::vector<std::string>{".cairn", "checkpoint", "m-2", "m-2.meta", "m-3", "m-3.meta"});

  session.run(assign(a, 9.0f));
  saver.restore(session, "m-3");
  CHECK(session.run(a).scalar<float>() == 1.0f);
  Graph again;
  Saver imported = import_meta_graph(again, "m-3.meta", {.file_system = &fs});
  CHECK(imported.as_saver_def().version == CheckpointFormat::kV1);
  Session resumed(again, {.file_system = &fs});
  imported.restore(resumed, ".");
  CHECK(resumed.run("b:0").scalar<int32_t>() == 2);
}

TEST_CASE("A sharded V1 saver names its checkpoints by pattern", "[persist][saver][v1]") {
  MemoryFileSystem fs;
  Graph graph;
  Variable a, b;
  {
    Scope on = graph.device("/job:ps/task:0");
    a = variable(constant(graph, 1.0f), {.name = "a"});
  }
  {
    Scope on = graph.device("/job:ps/task:1");
    b = variable(constant(graph, 2), {.name = "b"});
  }
  Saver saver(graph, {.sharded = true, .max_to_keep = 1, .write_version = CheckpointFormat::kV1});
  CHECK(inputs_of(graph, "save/ShardedFilename_1") ==
        "ShardedFilename save/Const save/ShardedFilename_1/shard save/num_shards");
  CHECK(inputs_of(graph, "save/ShardedFilespec") ==
        "ShardedFilespec save/Const save/num_shards ^save/control_dependency "
        "^save/control_dependency_1");
  CHECK(saver.as_saver_def().save_tensor_name == "save/ShardedFilespec:0");
  Session session(graph, {.file_system = &fs});
  session.run(global_variables_initializer(graph));
  saver.save(session, "m", {.global_step = 1});
  CHECK(saver.save(session, "m", {.global_step = 2}) == "m-2-\?\?\?\?\?-of-00002");
  std::vector<std::string> files;
  for (const auto& [path, bytes] : fs.contents()) files.push_back(path);
  CHECK(files == std::vector<std::string>{".cairn", "checkpoint", "m-2-00000-of-00002",
                                          "m-2-00001-of-00002", "m-2.meta"});
  session.run(assign(b, 5));
  saver.restore(session, *latest_checkpoint(".", kCheckpointFileName, &fs));
  CHECK(session.run(b).scalar<int32_t>() == 2);
}

TEST_CASE("Restoring with RestoreSlice nodes reports what does not fit and changes nothing",
          "[persist][saver][v1]") {
  MemoryFileSystem fs;
  Graph graph;
  const Variable a = variable(constant(graph, 1.0f), {.name = "a"}),
                 w = variable(constant(graph, Tensor::vector<float>({1, 2})), {.name = "w"});
  // As savers before 0.12 did it: one node per variable.
  const Output path = constant(graph, "model", {.name = "save/Const"});
  const Operation save =
      save_v1(path, {"a", "w"}, {"", ""}, {a.ref(), w.ref()}, {.name = "save/save"});
  group({assign(a, restore_v1(path, "a", "", DType::kFloat)).op(),
         assign(w, restore_v1(path, "w", "", DType::kFloat)).op()},
        {.name = "save/restore_all"});
  const Output saved = with_dependencies({save}, path);
  Saver saver = Saver::from_proto(graph, {.filename_tensor_name = "save/Const:0",
                                          .save_tensor_name = saved.name(),
                                          .restore_op_name = "save/restore_all",
                                          .version = CheckpointFormat::kLegacy});
  Session session(graph, {.file_system = &fs});
  session.run(global_variables_initializer(graph));
  saver.save(session, "m");
  session.run(assign(a, 9.0f));
  saver.restore(session, "m");
  CHECK(session.run(a).scalar<float>() == 1.0f);

  CheckpointV1Writer other(fs, "other");
  other.add("a", Tensor(4.0f));
  other.add("w", Tensor::vector<float>({1, 2, 3}));
  other.finish();
  const Error error = error_of([&] { saver.restore(session, "other"); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Catch::Contains("variable 'w': graph float [2], checkpoint float [3]"));
  CHECK(session.run(a).scalar<float>() == 1.0f);
  CheckpointV1Writer without(fs, "without");
  without.add("a", Tensor(4.0f));
  without.finish();
  CHECK(error_of([&] { saver.restore(session, "without"); }).code() == Code::kNotFound);
  CHECK(session.run(a).scalar<float>() == 1.0f);
}

TEST_CASE("A saver of no known format is refused", "[persist][saver][v1]") {
  Graph graph;
  variable(constant(graph, 1.0f), {.name = "a"});
  const auto make = [&] { Saver(graph, {.write_version = CheckpointFormat::kLegacy}); };
  CHECK(error_of(make).code() == Code::kInvalidArgument);
}

}  // namespace cairn
