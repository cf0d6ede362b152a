// The nodes of savers, where no file of TensorFlow's is at hand to compare with: what
// TensorFlow 1.6 to 1.12 makes.
#include "persist/saver/saver_graph.h"

#include <regex>

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/flow/flow.h"
#include "persist/catalog.h"
#include "persist/checkpoint/bundle.h"
#include "persist/saver/saver_items.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/graph_text.h"
#include "tests/support/memory_fs.h"

using namespace cairn;
using Catch::Matchers::Contains;

namespace {

using Strings = std::vector<std::string>;

// The nodes that a saver adds, each with its device where it has one; the Consts of names and
// slices by their values.
Strings added(Graph& graph, const SaverOptions& options, const SaverEra& era = {}) {
  const int first = graph.num_nodes();
  add_saver_nodes(graph, options, era);
  Strings lines = node_lines(graph, first);
  for (size_t i = 0; i < lines.size(); ++i) {
    const Node& node = graph.node_at(first + static_cast<int>(i)).node();
    if (!node.device.empty()) lines[i] += " on " + node.device;
    const Tensor value =
        node.op->name == "Const" ? graph.static_value(graph.node_at(node.id).output()) : Tensor();
    if (value.valid())
      lines[i] =
          node.name + " = " + value.summary(-1) + (node.device.empty() ? "" : " on " + node.device);
    lines[i] = std::regex_replace(lines[i], std::regex("_temp_[0-9a-f]{32}"), "_temp_N");
  }
  return lines;
}

void on_two_tasks(Graph& graph) {
  {
    const Scope on = graph.device("/job:ps/task:0");
    variable(graph, 1.0f, {.name = "a"});
  }
  const Scope on = graph.device("/job:ps/task:1/device:GPU:0");
  variable(graph, 2.0f, {.name = "b"});
}

Variable slice_at(Graph& graph, const std::string& name, int64_t offset, int64_t length) {
  const Variable plain =
      variable(zeros(graph, {length}), {.name = name, .trainable = false, .collections = {}});
  VariableInfo info = plain.info();
  info.slice = SaveSliceInfo{"W", {6}, {offset}, {length}};
  return Variable(info);
}

}  // namespace

TEST_CASE("Ops that read or write checkpoints are stateful, as TensorFlow's are",
          "[saver][saver_graph]") {
  for (const char* name : {"MergeV2Checkpoints", "Restore", "RestoreSlice", "RestoreV2", "Save",
                           "SaveSlices", "SaveV2"}) {
    CAPTURE(name);
    CHECK(all_ops().find(name)->stateful);
  }
  CHECK_FALSE(all_ops().find("ShardedFilename")->stateful);
}

TEST_CASE("A sharded saver's nodes stand on the processors beside the variables",
          "[saver][saver_graph]") {
  Graph graph;
  on_two_tasks(graph);
  const std::string ps0 = " on /job:ps/task:0/device:CPU:0",
                    ps1 = " on /job:ps/task:1/device:CPU:0";
  CHECK(added(graph, {.sharded = true}) ==
        Strings{
            "save/Const = 'model'",
            "save/StringJoin/inputs_1 = '_temp_N/part'",
            "save/StringJoin = StringJoin(save/Const, save/StringJoin/inputs_1)",
            "save/num_shards = 2",
            "save/ShardedFilename/shard = 0" + ps0,
            "save/ShardedFilename = ShardedFilename(save/StringJoin, save/ShardedFilename/shard, "
            "save/num_shards)" +
                ps0,
            "save/SaveV2/tensor_names = ['a']" + ps0,
            "save/SaveV2/shape_and_slices = ['']" + ps0,
            "save/SaveV2 = SaveV2(save/ShardedFilename, save/SaveV2/tensor_names, "
            "save/SaveV2/shape_and_slices, a)" +
                ps0,
            "save/control_dependency = Identity(save/ShardedFilename, ^save/SaveV2) "
            "@save/ShardedFilename" +
                ps0,
            "save/ShardedFilename_1/shard = 1" + ps1,
            "save/ShardedFilename_1 = ShardedFilename(save/StringJoin, "
            "save/ShardedFilename_1/shard, save/num_shards)" +
                ps1,
            "save/SaveV2_1/tensor_names = ['b']" + ps1,
            "save/SaveV2_1/shape_and_slices = ['']" + ps1,
            "save/SaveV2_1 = SaveV2(save/ShardedFilename_1, save/SaveV2_1/tensor_names, "
            "save/SaveV2_1/shape_and_slices, "
            "b)" +
                ps1,
            "save/control_dependency_1 = Identity(save/ShardedFilename_1, ^save/SaveV2_1) "
            "@save/ShardedFilename_1" +
                ps1,
            "save/MergeV2Checkpoints/checkpoint_prefixes = Pack(save/ShardedFilename, "
            "save/ShardedFilename_1, "
            "^save/control_dependency, ^save/control_dependency_1)" +
                ps1,
            "save/MergeV2Checkpoints = "
            "MergeV2Checkpoints(save/MergeV2Checkpoints/checkpoint_prefixes, save/Const)" +
                ps1,
            "save/Identity = Identity(save/Const, ^save/MergeV2Checkpoints, "
            "^save/control_dependency, "
            "^save/control_dependency_1)" +
                ps1,
            "save/RestoreV2/tensor_names = ['a']" + ps0,
            "save/RestoreV2/shape_and_slices = ['']" + ps0,
            "save/RestoreV2 = RestoreV2(save/Const, save/RestoreV2/tensor_names, "
            "save/RestoreV2/shape_and_slices)" +
                ps0,
            "save/Assign = Assign(a, save/RestoreV2) @a on /job:ps/task:0",
            "save/restore_shard = NoOp(^save/Assign) on /job:ps/task:0",
            "save/RestoreV2_1/tensor_names = ['b']" + ps1,
            "save/RestoreV2_1/shape_and_slices = ['']" + ps1,
            "save/RestoreV2_1 = RestoreV2(save/Const, save/RestoreV2_1/tensor_names, "
            "save/RestoreV2_1/shape_and_slices)" +
                ps1,
            "save/Assign_1 = Assign(b, save/RestoreV2_1) @b on /job:ps/task:1/device:GPU:0",
            "save/restore_shard_1 = NoOp(^save/Assign_1) on /job:ps/task:1/device:GPU:0",
            "save/restore_all/NoOp = NoOp(^save/restore_shard) on /job:ps/task:0",
            "save/restore_all/NoOp_1 = NoOp(^save/restore_shard_1) on /job:ps/task:1/device:GPU:0",
            "save/restore_all = NoOp(^save/restore_all/NoOp, ^save/restore_all/NoOp_1)",
        });
}

TEST_CASE("A saver of the V1 format writes with SaveSlices and reads with RestoreV2",
          "[saver][saver_graph]") {
  Graph graph;
  variable(graph, 1.0f, {.name = "a"});
  CHECK(added(graph, {.write_version = CheckpointFormat::kV1}) ==
        Strings{"save/Const = 'model'", "save/save/tensor_names = ['a']",
                "save/save/shapes_and_slices = ['']",
                "save/save = SaveSlices(save/Const, save/save/tensor_names, "
                "save/save/shapes_and_slices, a)",
                "save/control_dependency = Identity(save/Const, ^save/save) @save/Const",
                "save/RestoreV2/tensor_names = ['a'] on /device:CPU:0",
                "save/RestoreV2/shape_and_slices = [''] on /device:CPU:0",
                "save/RestoreV2 = RestoreV2(save/Const, save/RestoreV2/tensor_names, "
                "save/RestoreV2/shape_and_slices) on /device:CPU:0",
                "save/Assign = Assign(a, save/RestoreV2) @a",
                "save/restore_all = NoOp(^save/Assign)"});
}

TEST_CASE("A sharded saver of the V1 format names the shards' pattern", "[saver][saver_graph]") {
  Graph graph;
  on_two_tasks(graph);
  const Strings lines = added(graph, {.sharded = true, .write_version = CheckpointFormat::kV1});
  CHECK(lines[1] == "save/num_shards = 2");
  CHECK(lines[3] ==
        "save/ShardedFilename = ShardedFilename(save/Const, save/ShardedFilename/shard, "
        "save/num_shards) on "
        "/job:ps/task:0");
  CHECK(std::find(lines.begin(), lines.end(),
                  "save/ShardedFilespec = ShardedFilespec(save/Const, save/num_shards, "
                  "^save/control_dependency, "
                  "^save/control_dependency_1)") != lines.end());
}

TEST_CASE("A saver of a map sorts by key", "[saver][saver_graph]") {
  Graph graph;
  const Variable a = variable(graph, 1.0f, {.name = "a"}), b = variable(graph, 1.0f, {.name = "b"});
  const Strings lines = added(graph, {.var_list = {{"z", a}, {"k", b}}});
  CHECK(lines[1] == "save/SaveV2/tensor_names = ['k' 'z']");
  CHECK_THAT(lines[3], Contains(", b, a)"));
}

TEST_CASE("A second saver has its own scope, a third the next", "[saver][saver_graph]") {
  Graph graph;
  variable(graph, 1.0f, {.name = "a"});
  const Saver first(graph), second(graph), third(graph), named(graph, {.name = "mine"});
  CHECK(second.as_saver_def().filename_tensor_name == "save_1/Const:0");
  CHECK(third.as_saver_def().save_tensor_name == "save_2/control_dependency:0");
  CHECK(named.as_saver_def().restore_op_name == "mine/restore_all");
}

TEST_CASE("Slices of a partitioned variable are saved by their values under the name of the whole",
          "[saver][saver_graph]") {
  Graph graph;
  get_partitioned_variable(graph, "W", {5, 2}, fixed_size_partitioner(2),
                           {.initializer = zeros_initializer()});
  const Strings lines = added(graph, {});
  CHECK(lines[1] == "save/SaveV2/tensor_names = ['W' 'W']");
  CHECK(lines[2] == "save/SaveV2/shape_and_slices = ['5 2 0,3:0,2' '5 2 3,2:0,2']");
  CHECK(lines[3] ==
        "save/SaveV2 = SaveV2(save/Const, save/SaveV2/tensor_names, save/SaveV2/shape_and_slices, "
        "W/part_0/read, "
        "W/part_1/read)");
  CHECK(lines[8] == "save/Assign = Assign(W/part_0, save/RestoreV2) @W/part_0");
}

TEST_CASE("Slices of a partitioned resource variable are read anew to be saved",
          "[saver][saver_graph]") {
  Graph graph;
  get_partitioned_variable(graph, "W", {4}, fixed_size_partitioner(2),
                           {.initializer = zeros_initializer(), .use_resource = true});
  const Strings lines = added(graph, {});
  CHECK(Strings(lines.begin() + 1, lines.begin() + 4) ==
        Strings{"save/Read/ReadVariableOp = ReadVariableOp(W/part_0)",
                "save/Identity = Identity(save/Read/ReadVariableOp)",
                "save/Identity_1 = Identity(save/Identity) on "
                "/device:CPU:0"});
  CHECK_THAT(lines[9], Contains("shape_and_slices, save/Identity_1, save/Identity_3)"));
}

TEST_CASE("A saver that restores sequentially reads each tensor when the one before it is in place",
          "[saver][saver_graph]") {
  Graph graph;
  variable(graph, 1.0f, {.name = "a"});
  variable(graph, 2.0f, {.name = "b"});
  const Strings lines = added(graph, {.restore_sequentially = true});
  CHECK(Strings(lines.begin() + 5, lines.end()) ==
        Strings{"save/RestoreV2/tensor_names = ['a']", "save/RestoreV2/shape_and_slices = ['']",
                "save/RestoreV2 = RestoreV2(save/Const, save/RestoreV2/tensor_names, "
                "save/RestoreV2/shape_and_slices)",
                "save/Assign = Assign(a, save/RestoreV2) @a",
                "save/RestoreV2_1/tensor_names = ['b']", "save/RestoreV2_1/shape_and_slices = ['']",
                "save/RestoreV2_1 = RestoreV2(save/Const, save/RestoreV2_1/tensor_names, "
                "save/RestoreV2_1/shape_and_slices)",
                "save/Assign_1 = Assign(b, save/RestoreV2_1) @b",
                "save/restore_all = NoOp(^save/Assign, ^save/Assign_1)"});
  CHECK(graph.find_op("save/RestoreV2_1/tensor_names").control_inputs() ==
        std::vector<Operation>{graph.find_op("save/Assign")});
  MemoryFileSystem fs;
  Session session(graph, {.file_system = &fs});
  session.run(global_variables_initializer(graph));
  Saver saver(graph, {.restore_sequentially = true});
  saver.save(session, "m");
  Session resumed(graph, {.file_system = &fs});
  saver.restore(resumed, "m");
  CHECK(resumed.value(find_variable(graph, "b")).scalar<float>() == 2.0f);
}

TEST_CASE("With reshape the shape is a constant, or asked for where it is not known",
          "[saver][saver_graph]") {
  Graph graph;
  variable(zeros(graph, {2, 3}), {.name = "a"});
  variable(zeros(graph, {2}), {.name = "b", .validate_shape = false});
  const Strings lines = added(graph, {.reshape = true});
  CHECK(Strings(lines.begin() + 8, lines.begin() + 14) ==
        Strings{"save/Reshape/shape = [2 3]",
                "save/Reshape = Reshape(save/RestoreV2, save/Reshape/shape)",
                "save/Assign = Assign(a, save/Reshape) @a", "save/Shape = Shape(b)",
                "save/Reshape_1 = Reshape(save/RestoreV2:1, save/Shape)",
                "save/Assign_1 = Assign(b, save/Reshape_1) @b"});
  CHECK_FALSE(graph.find_op("save/Assign").flag("validate_shape"));
}

TEST_CASE("Devices are one however they are written", "[saver][saver_graph]") {
  CHECK(canonical_device("/gpu:1") == "/device:GPU:1");
  CHECK(canonical_device("/device:gpu:1") == "/device:GPU:1");
  CHECK(canonical_device("/task:2/job:ps/cpu:0") == "/job:ps/task:2/device:CPU:0");
  CHECK(canonical_device("") == "");
  CHECK(cpu_of("/job:ps/task:2/gpu:3") == "/job:ps/task:2/device:CPU:0");
  CHECK(cpu_of("") == "/device:CPU:0");
}

// ---- what is saved ------------------------------------------------------------------------------

TEST_CASE("A Saveable saves and restores what its functions say", "[saver][saveable]") {
  Graph graph;
  const Variable a = variable(graph, Tensor::vector<float>({1, 2, 3}), {.name = "a"});
  const Variable b = variable(graph, Tensor::vector<float>({4, 5}), {.name = "b"});
  const Variable c = variable(graph, 6.0f, {.name = "c"});
  const Saveable pair = {.name = "pair",
                         .specs = {{concat({a, b}, 0), "both"}},
                         .restore = [=](const std::vector<Output>& restored) {
                           const auto parts = split(restored[0], std::vector<int64_t>{3, 2});
                           return group({a.assign(parts[0]).op(), b.assign(parts[1]).op()});
                         }};
  Saver saver(graph, {.var_list = {pair, c}});
  MemoryFileSystem fs;
  Session session(graph, {.file_system = &fs});
  session.run(global_variables_initializer(graph));
  saver.save(session, "m");
  CHECK(BundleReader(fs, "m").read("both").str() == "[1. 2. 3. 4. 5.]");
  CHECK(BundleReader(fs, "m").names() == Strings{"both", "c"});
  Session resumed(graph, {.file_system = &fs});
  saver.restore(resumed, "m");
  CHECK(resumed.value(b).str() == "[4. 5.]");
  CHECK(resumed.value(c).scalar<float>() == 6.0f);
}

TEST_CASE("A Saveable without specs or a restore function is refused", "[saver][saveable]") {
  Graph graph;
  const Variable a = variable(graph, 1.0f, {.name = "a"});
  CHECK_THROWS_WITH(Saver(graph, {.var_list = {Saveable{.name = "x", .specs = {}, .restore = {}}}}),
                    "Saveable 'x' needs specs and a restore function");
}

TEST_CASE("A Saveable's key that another has is refused", "[saver][saveable]") {
  Graph graph;
  const Variable a = variable(graph, 1.0f, {.name = "a"}), b = variable(graph, 1.0f, {.name = "b"});
  const Saveable x = {
      .name = "x", .specs = {{b.ref(), "a"}}, .restore = [](const auto& v) { return v[0].op(); }};
  CHECK_THROWS_WITH(Saver(graph, {.var_list = {a, x}}),
                    "At least two variables have the same name: a");
}

TEST_CASE("A Saveable on two devices is refused", "[saver][saveable]") {
  Graph graph;
  on_two_tasks(graph);
  const Variable a = find_variable(graph, "a"), b = find_variable(graph, "b");
  const Saveable x = {.name = "x",
                      .specs = {{a.ref(), "a"}, {b.ref(), "b"}},
                      .restore = [](const auto& v) { return v[0].op(); }};
  CHECK_THROWS_WITH(Saver(graph, {.var_list = {x}}),
                    "All tensors of a saveable object must be on the same device: x");
}

TEST_CASE("Slices that overlap are refused before anything is saved", "[saver][partitioned]") {
  Graph graph;
  const std::vector<Variable> parts = {slice_at(graph, "p", 0, 4), slice_at(graph, "q", 3, 3)};
  CHECK_THROWS_WITH(Saver(graph, {.var_list = parts}), "slices 0,4 and 3,3 of 'W' overlap");
  CHECK_FALSE(graph.contains("save/Const"));
}

TEST_CASE("Slices and a whole variable under one name are refused", "[saver][partitioned]") {
  Graph graph;
  const Variable w = variable(zeros(graph, {6}), {.name = "W"}), part = slice_at(graph, "p", 0, 4);
  CHECK_THROWS_WITH(Saver(graph, {.var_list = {w, part}}),
                    "Mixing slices and non-slices with the same name: W");
}

TEST_CASE("A list of slices of two tensors is refused", "[saver][partitioned]") {
  Graph graph;
  VariableInfo other = slice_at(graph, "q", 3, 3).info();
  other.slice->full_name = "V";
  const std::vector<Variable> parts = {slice_at(graph, "p", 0, 3), Variable(other)};
  CHECK_THROWS_WITH(Saver(graph, {.var_list = {{"x", parts}}}),
                    "Slices must all be from the same tensor: W != V");
}

TEST_CASE("A list of slices with a whole variable in it is refused", "[saver][partitioned]") {
  Graph graph;
  const std::vector<Variable> parts = {slice_at(graph, "p", 0, 3),
                                       variable(zeros(graph, {3}), {.name = "v"})};
  CHECK_THROWS_WITH(Saver(graph, {.var_list = {{"x", parts}}}), "Slices must all be slices: v");
}

// ---- the saver around them ----------------------------------------------------------------------

TEST_CASE("A saver of an empty graph adds no nodes and writes only the meta graph", "[saver]") {
  Graph graph;
  constant(graph, 1.0f, {.name = "c"});
  Saver saver(graph, {.allow_empty = true});
  CHECK(saver);
  CHECK(graph.num_nodes() == 1);
  CHECK(saver.as_saver_def().restore_op_name == "");
  MemoryFileSystem fs;
  Session session(graph, {.file_system = &fs});
  CHECK(saver.save(session, "m", {.global_step = 3}) == "");
  CHECK(fs.contents().size() == 1);
  CHECK(fs.exists("m-3.meta"));
  CHECK_NOTHROW(saver.restore(session, "m-3"));
  Graph again;
  CHECK_FALSE(import_meta_graph(again, "m-3.meta", {.file_system = &fs}));
}

TEST_CASE("A saver made of a SaverDef keeps the options that the SaverDef does not tell",
          "[saver]") {
  Graph graph;
  variable(graph, 1.0f, {.name = "a"});
  MemoryFileSystem fs;
  Session session(graph, {.file_system = &fs});
  session.run(global_variables_initializer(graph));
  Saver(graph).save(session, "m");
  Graph again;
  double now = 1e9;
  Saver saver = import_meta_graph(again, "m.meta", {.file_system = &fs},
                                  {.pad_step_number = true, .clock = [&] { return now; }});
  Session resumed(again, {.file_system = &fs});
  saver.restore(resumed, "m");
  CHECK(saver.save(resumed, "m", {.global_step = 7}) == "m-00000007");
}

TEST_CASE("A SaverDef that names what the graph has not is refused", "[saver]") {
  Graph graph;
  variable(graph, 1.0f, {.name = "a"});
  SaverDef def = Saver(graph).as_saver_def();
  def.restore_op_name = "save/restore_al";
  CHECK(error_of([&] { Saver::from_proto(graph, def); }).code() == Code::kNotFound);
  def.restore_op_name = "";
  CHECK(error_of([&] { Saver::from_proto(graph, def); }).code() == Code::kInvalidArgument);
}

TEST_CASE("Saving again and again adds no nodes, whatever the step is made of", "[saver]") {
  Graph graph;
  const Variable step = variable(graph, int64_t{0}, {.name = "step"});
  const Output next = step.assign_add(constant(graph, int64_t{1}));
  MemoryFileSystem fs;
  Session session(graph, {.file_system = &fs});
  session.run(global_variables_initializer(graph));
  Saver saver(graph, {.max_to_keep = 2});
  const int nodes = graph.num_nodes();
  size_t meta_bytes = 0;
  for (int i = 1; i <= 300; ++i) {
    session.run(next);
    const std::string prefix = saver.save(session, "m", {.global_step = step});
    saver.restore(session, prefix);
    if (i == 100) meta_bytes = fs.contents().at(prefix + ".meta").size();
    if (i == 300) CHECK(fs.contents().at(prefix + ".meta").size() == meta_bytes);
  }
  CHECK(graph.num_nodes() == nodes);
  CHECK(fs.contents().size() == 8);  // two sets of three, `checkpoint` and `.cairn`
}

TEST_CASE("The checkpoint file has relative paths unless absolute ones are asked for", "[saver]") {
  Graph graph;
  variable(graph, 1.0f, {.name = "a"});
  MemoryFileSystem fs;
  fs.create_dirs("/run");
  Session session(graph, {.file_system = &fs});
  session.run(global_variables_initializer(graph));
  Saver(graph).save(session, "/run/m");
  CHECK_THAT(fs.contents().at("/run/checkpoint"), Contains("model_checkpoint_path: \"m\""));
  Saver(graph, {.save_relative_paths = false}).save(session, "/run/m");
  CHECK_THAT(fs.contents().at("/run/checkpoint"), Contains("model_checkpoint_path: \"/run/m\""));
  CHECK(*latest_checkpoint("/run", kCheckpointFileName, &fs) == "/run/m");
}
