#include "ops/state/partitioned_variable.h"

#include "ops/array/joining.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/graph_text.h"
#include "tests/support/lab.h"
#include "train/optimizers.h"

using namespace cairn;
using Catch::Matchers::Contains;

namespace {

using Cuts = std::vector<int64_t>;

std::vector<std::string> names_of(const PartitionedVariable& variable) {
  std::vector<std::string> names;
  for (const Variable& part : variable.parts())
    names.push_back(part.name() + " " + part.slice()->spec());
  return names;
}

Variable with_slice(const Variable& variable, const SaveSliceInfo& slice) {
  VariableInfo info = variable.info();
  info.slice = slice;
  return Variable(info);
}

}  // namespace

TEST_CASE("A partitioned variable has TensorFlow's nodes", "[partitioned variable]") {
  Graph graph;
  const PartitionedVariable w = get_partitioned_variable(graph, "W", {3}, fixed_size_partitioner(2),
                                                         {.initializer = ones_initializer()});
  w.as_tensor();
  CHECK(node_lines(graph) ==
        std::vector<std::string>{
            "W/part_0/Initializer/ones = Const() @W/part_0", "W/part_0 = VariableV2() @W/part_0",
            "W/part_0/Assign = Assign(W/part_0, W/part_0/Initializer/ones) @W/part_0",
            "W/part_0/read = Identity(W/part_0) @W/part_0",
            "W/part_1/Initializer/ones = Const() @W/part_1", "W/part_1 = VariableV2() @W/part_1",
            "W/part_1/Assign = Assign(W/part_1, W/part_1/Initializer/ones) @W/part_1",
            "W/part_1/read = Identity(W/part_1) @W/part_1",
            "W/ConcatPartitions/concat/axis = Const()",
            "W/ConcatPartitions/concat = ConcatV2(W/part_0/read, W/part_1/read, "
            "W/ConcatPartitions/concat/axis)",
            "W = Identity(W/ConcatPartitions/concat)"});
  w.as_tensor();
  CHECK(graph.contains("W/ConcatPartitions/concat_1"));
  CHECK(graph.contains("W_1"));
}

TEST_CASE("The first parts are longer where the cut is not even", "[partitioned variable]") {
  Graph graph;
  const auto scope = graph.variable_scope("layer");
  const PartitionedVariable w =
      get_partitioned_variable(graph, "W", {5, 2}, fixed_size_partitioner(3));
  CHECK(names_of(w) == std::vector<std::string>{"layer/W/part_0 5 2 0,2:0,2",
                                                "layer/W/part_1 5 2 2,2:0,2",
                                                "layer/W/part_2 5 2 4,1:0,2"});
  CHECK(w.name() == "layer/W");
  CHECK(w.shape() == Shape{5, 2});
  CHECK(graph.trainable_variables().size() == 3);
}

TEST_CASE("A partitioned variable of one part is its part", "[partitioned variable]") {
  Graph graph;
  const PartitionedVariable w = get_partitioned_variable(graph, "W", {3}, fixed_size_partitioner(1),
                                                         {.initializer = ones_initializer()});
  CHECK(node_line(w.as_tensor().op()) == "W = Identity(W/part_0/read)");
}

TEST_CASE("Columns may be cut instead of rows", "[partitioned variable]") {
  Graph graph;
  const Tensor values = Tensor::matrix<float>({{1, 2, 3}, {4, 5, 6}});
  const PartitionedVariable w =
      get_partitioned_variable(graph, "W", {2, 3}, fixed_size_partitioner(2, 1),
                               {.initializer = constant_initializer(values)});
  CHECK(w.axis() == 1);
  const Output whole = w.as_tensor();
  Session session(graph);
  session.run(global_variables_initializer(graph));
  CHECK(session.run(whole).str() == "[[1. 2. 3.]\n [4. 5. 6.]]");
  CHECK(session.value(w.parts()[1]).str() == "[[3.]\n [6.]]");
}

TEST_CASE("An initializer that scales by the shape sees that of the whole",
          "[partitioned variable]") {
  Graph graph;
  const PartitionedVariable w =
      get_partitioned_variable(graph, "W", {600, 1}, fixed_size_partitioner(300));
  const Tensor limit = graph.static_value(graph.find("W/part_0/Initializer/random_uniform/max:0"));
  CHECK(limit.scalar<float>() == Approx(std::sqrt(6.0 / 601)));
}

TEST_CASE("Inside a scope that reuses, a partitioned variable is the one there is",
          "[partitioned variable]") {
  Graph graph;
  {
    const auto scope = graph.variable_scope("layer");
    get_partitioned_variable(graph, "W", {4}, fixed_size_partitioner(2));
  }
  const int nodes = graph.num_nodes();
  const auto scope = graph.variable_scope("layer", true);
  CHECK(get_partitioned_variable(graph, "W", {4}, fixed_size_partitioner(2)).parts()[1].name() ==
        "layer/W/part_1");
  CHECK(graph.num_nodes() == nodes);
  CHECK(find_partitioned_variable(graph, "layer/W").parts().size() == 2);
  CHECK_THROWS_WITH(get_partitioned_variable(graph, "W", {4}, fixed_size_partitioner(4)),
                    Contains("in 2 parts, not float of shape [4] in 4"));
}

TEST_CASE("A partitioned variable that is not there is told apart by name",
          "[partitioned variable]") {
  Graph graph;
  get_partitioned_variable(graph, "weights", {4}, fixed_size_partitioner(2));
  CHECK_THROWS_WITH(find_partitioned_variable(graph, "weight"),
                    "there is no partitioned variable 'weight' in the graph's collections; did you "
                    "mean weights?");
}

TEST_CASE("Training a partitioned variable moves its parts as it would the whole",
          "[partitioned variable]") {
  const auto trained = [](bool partitioned) {
    Graph graph;
    const Tensor start = Tensor::matrix<float>({{1, 2}, {3, 4}, {5, 6}});
    Output w;
    if (partitioned) {
      w = get_partitioned_variable(graph, "W", {3, 2}, fixed_size_partitioner(2),
                                   {.initializer = constant_initializer(start)})
              .as_tensor();
    } else {
      w = variable(graph, start, {.name = "W"});
    }
    const Output y = matmul(constant(graph, Tensor::matrix<float>({{1, -1, 2}})), w);
    const Operation step = AdamOptimizer(0.1).minimize(reduce_sum(square(y)));
    Session session(graph);
    session.run(global_variables_initializer(graph));
    for (int i = 0; i < 5; ++i) session.run(step);
    return session.run(w);
  };
  CHECK(bit_equal(trained(true), trained(false)));
}

TEST_CASE("Slots of a part are parts of the slot of the whole", "[partitioned variable]") {
  Graph graph;
  const PartitionedVariable w =
      get_partitioned_variable(graph, "W", {4}, fixed_size_partitioner(2));
  AdagradOptimizer(0.1).minimize(reduce_sum(w.as_tensor()));
  const PartitionedVariable slot = find_partitioned_variable(graph, "W/Adagrad");
  CHECK(names_of(slot) ==
        std::vector<std::string>{"W/part_0/Adagrad 4 0,2", "W/part_1/Adagrad 4 2,2"});
}

// ---- partitioners -------------------------------------------------------------------------------

TEST_CASE("A fixed-size partitioner makes no more parts than there are rows",
          "[partitioned variable]") {
  CHECK(fixed_size_partitioner(4)({10, 3}, DType::kFloat) == Cuts{4, 1});
  CHECK(fixed_size_partitioner(4, 1)({10, 3}, DType::kFloat) == Cuts{1, 3});
  CHECK_THROWS_WITH(fixed_size_partitioner(4, 2)({10, 3}, DType::kFloat),
                    Contains("no axis 2 in shape [10,3]"));
}

TEST_CASE("An axis-size partitioner keeps each part within max_shard_bytes",
          "[partitioned variable]") {
  CHECK(variable_axis_size_partitioner(80)({10, 4}, DType::kFloat) == Cuts{2, 1});
  CHECK(variable_axis_size_partitioner(79)({10, 4}, DType::kFloat) == Cuts{3, 1});
  CHECK(variable_axis_size_partitioner(1)({10, 4}, DType::kFloat) == Cuts{10, 1});
  CHECK(variable_axis_size_partitioner(1, {.max_shards = 6})({10, 4}, DType::kFloat) == Cuts{6, 1});
  CHECK(variable_axis_size_partitioner(64, {.axis = 1})({2, 4}, DType::kString) == Cuts{1, 2});
}

TEST_CASE("A min-max partitioner keeps each part above min_slice_size bytes",
          "[partitioned variable]") {
  CHECK(min_max_variable_partitioner({.max_partitions = 100, .min_slice_size = 40})(
            {10, 4}, DType::kFloat) == Cuts{4, 1});
  CHECK(min_max_variable_partitioner({.max_partitions = 3, .min_slice_size = 40})(
            {10, 4}, DType::kFloat) == Cuts{3, 1});
  CHECK(min_max_variable_partitioner({.max_partitions = 3})({10, 4}, DType::kFloat) == Cuts{1, 1});
}

TEST_CASE("A partitioner that cuts two axes is refused", "[partitioned variable]") {
  Graph graph;
  const Partitioner both = [](const Shape&, DType) { return Cuts{2, 2}; };
  CHECK_THROWS_WITH(
      get_partitioned_variable(graph, "W", {4, 4}, both),
      Contains("get_partitioned_variable (partitioned_variable_test.cc:") &&
          Contains("Can only slice a variable along one dimension: variable 'W' of shape [4,4]"));
  CHECK(graph.num_nodes() == 0);
}

TEST_CASE("A partitioner that wants more parts than there are rows is refused",
          "[partitioned variable]") {
  Graph graph;
  const Partitioner many = [](const Shape&, DType) { return Cuts{5, 1}; };
  CHECK_THROWS_WITH(get_partitioned_variable(graph, "W", {4, 4}, many),
                    Contains("get_partitioned_variable (partitioned_variable_test.cc:") &&
                        Contains("Cannot create 5 slices for size 4: variable 'W' of shape [4,4]"));
}

TEST_CASE("A scalar has no axis to cut", "[partitioned variable]") {
  Graph graph;
  CHECK_THROWS_WITH(get_partitioned_variable(graph, "W", {}, fixed_size_partitioner(1)),
                    Contains("'W' needs a fully known shape with an axis, got []"));
}

// ---- parts that do not make a whole -------------------------------------------------------------

TEST_CASE("Parts that overlap are refused", "[partitioned variable]") {
  Graph graph;
  const Variable a = variable(zeros(graph, {3}), {.name = "a"}),
                 b = variable(zeros(graph, {3}), {.name = "b"});
  CHECK_THROWS_WITH(PartitionedVariable(
                        {with_slice(a, {"W", {5}, {0}, {3}}), with_slice(b, {"W", {5}, {2}, {3}})}),
                    "partitioned variable 'W': 'a' and 'b' overlap: 5 0,3 and 5 2,3");
}

TEST_CASE("Parts that leave a hole are refused", "[partitioned variable]") {
  Graph graph;
  const Variable a = variable(zeros(graph, {3}), {.name = "a"}),
                 b = variable(zeros(graph, {3}), {.name = "b"});
  CHECK_THROWS_WITH(PartitionedVariable(
                        {with_slice(a, {"W", {7}, {0}, {3}}), with_slice(b, {"W", {7}, {4}, {3}})}),
                    "partitioned variable 'W': its 2 parts hold 6 of 7 elements");
}

TEST_CASE("A variable that is no slice is no part", "[partitioned variable]") {
  Graph graph;
  CHECK_THROWS_WITH(PartitionedVariable({variable(zeros(graph, {3}), {.name = "a"})}),
                    "Slices must all be slices: a");
}

TEST_CASE(
    "The whole stands outside of control dependencies; its parts, read there, are behind them",
    "[partitioned variable]") {
  for (const bool resource : {false, true}) {
    INFO("resource " << resource);
    Graph graph;
    const PartitionedVariable w =
        get_partitioned_variable(graph, "W", {4, 1}, fixed_size_partitioner(2),
                                 {.initializer = zeros_initializer(), .use_resource = resource});
    std::vector<Operation> writes;
    for (const Variable& part : w.parts())
      writes.push_back(assign_add_op(part, Tensor::of<float>({2, 1}, {1, 2})));
    Output before, after;
    {
      const Scope waiting = graph.control_dependencies(writes);
      before = w.as_tensor();
      std::vector<Operand> parts;
      for (const Variable& part : w.parts()) parts.push_back(part.read_value());
      after = concat(parts, w.axis());
    }
    CHECK(before.op().control_inputs().empty());
    Session session(graph);
    session.run(global_variables_initializer(graph));
    CHECK(session.run(after).str() == "[[1.]\n [2.]\n [1.]\n [2.]]");
    session.run(global_variables_initializer(graph));
    CHECK(session.run({before, after})[0].str() == "[[0.]\n [0.]\n [0.]\n [0.]]");
  }
}

TEST_CASE("What a partitioner refuses names it and the line that made it",
          "[partitioned variable]") {
  Graph graph;
  const auto refused = [&](const Error& error, const char* begin) {
    INFO(error.what());
    CHECK(error.code() == Code::kInvalidArgument);
    CHECK(std::string_view(error.what()).starts_with(begin));
    CHECK(says(error, " (partitioned_variable_test.cc:"));
  };
  const auto got = [&](const Partitioner& partitioner) {
    return error_of([&] { get_partitioned_variable(graph, "W", {4, 2}, partitioner); });
  };
  refused(got(fixed_size_partitioner(2, 2)), "fixed_size_partitioner");
  refused(got(variable_axis_size_partitioner(8, {.axis = 2})), "variable_axis_size_partitioner");
  refused(got(min_max_variable_partitioner({.max_partitions = 2, .axis = 2})),
          "min_max_variable_partitioner");
  refused(error_of([] { fixed_size_partitioner(0); }), "fixed_size_partitioner");
  refused(error_of([] { variable_axis_size_partitioner(0); }), "variable_axis_size_partitioner");
  refused(error_of([] { min_max_variable_partitioner({.min_slice_size = 0}); }),
          "min_max_variable_partitioner");
}
