// Partitioned variables through checkpoints: in slices, whole, and in other slices.
#include <algorithm>

#include "ops/array/array.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/saver/saver.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"
#include "train/optimizers.h"

using namespace cairn;
using Catch::Matchers::Contains;

namespace {

Tensor counted(const Shape& shape) {
  Tensor values = Tensor::zeros(DType::kFloat, shape);
  for (int64_t i = 0; i < values.num_elements(); ++i)
    values.data<float>()[i] = static_cast<float>(i) + 0.5f;
  return values;
}

// W [7,3] in `parts` parts along `axis`, or whole for 0, and b; initialised with numbers or, to be
// restored, zeros.
struct Model {
  Model(FileSystem& fs, int parts, int axis, SaverOptions options = {}, bool resource = false,
        bool zero = false)
      : session(graph, {.file_system = &fs}) {
    const Initializer initial = zero ? zeros_initializer() : constant_initializer(counted({7, 3}));
    const GetVariableOptions how = {.initializer = initial, .use_resource = resource};
    whole = parts == 0 ? get_variable(graph, "W", {7, 3}, how).value()
                       : get_partitioned_variable(graph, "W", {7, 3},
                                                  fixed_size_partitioner(parts, axis), how)
                             .as_tensor();
    variable(graph, 2.0f, {.name = "b"});
    saver = Saver(graph, options);
    session.run(global_variables_initializer(graph));
  }
  Graph graph;
  Session session;
  Output whole;
  Saver saver;
};

}  // namespace

TEST_CASE(
    "A partitioned variable is restored whole, in as many parts and in other parts, and the other "
    "way round",
    "[saver][partitioned]") {
  const bool v1 = GENERATE(false, true), resource = GENERATE(false, true);
  const int from = GENERATE(0, 1, 2, 3, 7), to = GENERATE(0, 1, 3, 4), to_axis = GENERATE(0, 1);
  CAPTURE(v1, resource, from, to, to_axis);
  const SaverOptions options = {.write_version =
                                    v1 ? CheckpointFormat::kV1 : CheckpointFormat::kV2};
  MemoryFileSystem fs;
  Model saved(fs, from, 0, options, resource);
  saved.saver.save(saved.session, "m");
  const CheckpointReader reader("m", &fs);
  CHECK(reader.names() == std::vector<std::string>{"W", "b"});
  CHECK(reader.find("W")->slices.size() == (from > 1 ? static_cast<size_t>(from) : 0));
  CHECK(bit_equal(reader.get_tensor("W"), counted({7, 3})));
  Model restored(fs, to, to_axis, options, resource, true);
  restored.saver.restore(restored.session, "m");
  CHECK(bit_equal(restored.session.run(restored.whole), counted({7, 3})));
}

TEST_CASE(
    "The parts of a sharded save lie in the files of their devices and are read with any number of "
    "shards",
    "[saver][partitioned]") {
  MemoryFileSystem fs;
  const CheckpointFormat version = GENERATE(CheckpointFormat::kV1, CheckpointFormat::kV2);
  CAPTURE(version == CheckpointFormat::kV1);
  Graph graph;
  std::vector<Variable> parts;
  const Tensor all = counted({6, 2});
  for (int i = 0; i < 3; ++i) {
    const Scope on = graph.device("/job:ps/task:" + std::to_string(i));
    Tensor rows = Tensor::zeros(DType::kFloat, {2, 2});
    std::copy_n(all.data<float>() + 4 * i, 4, rows.data<float>());
    VariableInfo info = variable(graph, rows, {.name = "p" + std::to_string(i)}).info();
    info.slice = SaveSliceInfo{"W", {6, 2}, {2 * i, 0}, {2, 2}};
    parts.push_back(Variable(info));
  }
  Saver saver(graph, {.var_list = parts, .sharded = true, .write_version = version});
  Session session(graph, {.file_system = &fs});
  session.run(global_variables_initializer(graph));
  const std::string prefix = saver.save(session, "m");
  CHECK(prefix == (version == CheckpointFormat::kV1 ? "m-\?\?\?\?\?-of-00003" : "m"));
  CHECK(CheckpointReader(prefix, &fs).num_shards() == 3);
  Graph one;
  const Variable w = variable(zeros(one, {6, 2}), {.name = "W"});
  Session whole(one, {.file_system = &fs});
  Saver(one, {.sharded = GENERATE(true, false)}).restore(whole, prefix);
  CHECK(bit_equal(whole.value(w), all));
  Session again(graph, {.file_system = &fs});
  saver.restore(again, prefix);
  CHECK(bit_equal(again.value(parts[2]), session.value(parts[2])));
}

TEST_CASE("A hole among the slices is refused, and says what is there", "[saver][partitioned]") {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "m");
  writer.add_slice("W", {7, 3}, TensorSlice::parse("0,3:0,3"), counted({3, 3}));
  writer.add_slice("W", {7, 3}, TensorSlice::parse("4,3:0,3"), counted({3, 3}));
  writer.add("b", Tensor(1.0f));
  writer.finish();
  Model model(fs, 2, 0);
  const Error error = error_of([&] { model.saver.restore(model.session, "m"); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Contains("Does not have sufficient slices for partitioned tensor W to "
                                    "restore in slice_spec: 0,4:0,3 (9 of "
                                    "12 elements are there)"));
  CHECK(bit_equal(model.session.run(model.whole), counted({7, 3})));
}

TEST_CASE("Slices of a tensor of another shape are refused", "[saver][partitioned]") {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "m");
  writer.add("W", counted({8, 3}));
  writer.add("b", Tensor(1.0f));
  writer.finish();
  Model model(fs, 2, 0);
  CHECK_THAT(error_of([&] { model.saver.restore(model.session, "m"); }).what(),
             Contains("variable 'W/part_0' (key 'W'): graph float [7,3], checkpoint float [8,3]"));
}

TEST_CASE(
    "A map saves a partitioned variable under another name, and a part of it as a tensor of its "
    "own",
    "[saver][partitioned]") {
  MemoryFileSystem fs;
  Graph graph;
  const PartitionedVariable w =
      get_partitioned_variable(graph, "W", {7, 3}, fixed_size_partitioner(2),
                               {.initializer = constant_initializer(counted({7, 3}))});
  Session session(graph, {.file_system = &fs});
  session.run(global_variables_initializer(graph));
  Saver(graph, {.var_list = {{"weights", w}}}).save(session, "m");
  CHECK(bit_equal(BundleReader(fs, "m").read("weights"), counted({7, 3})));
  CHECK(BundleReader(fs, "m").entry("weights").slices.size() == 2);
  Saver(graph, {.var_list = {{"second", w.parts()[1]}}}).save(session, "n");
  CHECK(BundleReader(fs, "n").entry("second").shape == Shape{3, 3});
}

TEST_CASE("A partitioned variable and its slots go through a meta graph and train on",
          "[saver][partitioned]") {
  MemoryFileSystem fs;
  std::vector<Tensor> expected;
  {
    Graph graph;
    const PartitionedVariable w =
        get_partitioned_variable(graph, "W", {7, 3}, fixed_size_partitioner(3),
                                 {.initializer = constant_initializer(counted({7, 3}))});
    const Output loss = reduce_sum(square(w.as_tensor()));
    graph.add_to_collection("train_op", AdamOptimizer(0.1).minimize(loss));
    Saver saver(graph);
    Session session(graph, {.file_system = &fs});
    session.run(global_variables_initializer(graph));
    const Operation step = graph.collection<Operation>("train_op")[0];
    session.run(step);
    saver.save(session, "m");
    session.run(step);
    for (const Variable& v : graph.variables()) expected.push_back(session.value(v));
  }
  CHECK(BundleReader(fs, "m").names() ==
        std::vector<std::string>{"W", "W/Adam", "W/Adam_1", "beta1_power", "beta2_power"});
  Graph graph;
  Saver saver = import_meta_graph(graph, "m.meta", {.file_system = &fs});
  Session session(graph, {.file_system = &fs});
  saver.restore(session, "m");
  const PartitionedVariable w = find_partitioned_variable(graph, "W");
  CHECK(w.parts().size() == 3);
  CHECK(*w.parts()[1].slice() == SaveSliceInfo{"W", {7, 3}, {3, 0}, {2, 3}});
  session.run(graph.collection<Operation>("train_op")[0]);
  const auto variables = graph.variables();
  REQUIRE(variables.size() == expected.size());
  for (size_t i = 0; i < variables.size(); ++i)
    CHECK(bit_equal(session.value(variables[i]), expected[i]));
}
