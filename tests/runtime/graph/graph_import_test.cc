#include "ops/array/array.h"
#include "ops/catalog.h"
#include "ops/flow/flow.h"
#include "runtime/exec/session.h"
#include "runtime/graph/graph.h"
#include "runtime/graph/signature.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ops.h"

using namespace cairn;

namespace {

const OpSet& known() {
  static const OpSet kOps = compute_ops() + test::ops();
  return kOps;
}
ImportedNode node(std::string name, std::string op, std::vector<std::string> inputs = {},
                  Attrs attrs = {}) {
  return {.name = std::move(name),
          .op = std::move(op),
          .inputs = std::move(inputs),
          .attrs = std::move(attrs),
          .device = "",
          .unknown_fields = ""};
}
ImportedNode constant_node(std::string name, const Tensor& value) {
  return node(std::move(name), "Const", {}, {{"value", value}, {"dtype", value.dtype()}});
}
const Attrs kFloat = {{"T", DType::kFloat}};

Error import_error(Graph& graph, std::vector<ImportedNode> nodes) {
  return error_of([&] { graph.import_nodes(std::move(nodes), known()); });
}

}  // namespace

TEST_CASE("Nodes are imported in their order, whatever order their inputs stand in",
          "[runtime][import]") {
  Graph graph;
  const auto ops = graph.import_nodes(
      {node("last", "TestNegate", {"middle"}), node("middle", "Identity", {"first:0"}, kFloat),
       constant_node("first", Tensor::vector<float>({1, 2}))},
      known());
  REQUIRE(ops.size() == 3);
  CHECK(ops[0].name() == "last");
  CHECK(graph.node_at(0) == ops[0]);
  CHECK(ops[0].output().shape() == Shape{2});
  CHECK(ops[0].output().dtype() == DType::kFloat);
  CHECK(Session(graph).run("last:0").str() == "[-1. -2.]");
}

TEST_CASE("Imported nodes keep the attributes they have, without the defaults of their ops",
          "[runtime][import]") {
  Graph graph;
  const auto ops = graph.import_nodes({constant_node("x", Tensor::zeros(DType::kFloat, {2, 2})),
                                       node("y", "MatMul", {"x", "x"}, kFloat)},
                                      known());
  CHECK(ops[1].node().attrs.find("T"));
  CHECK_FALSE(ops[1].node().attrs.find("transpose_a"));
  CHECK(Session(graph).run("y:0").shape() == Shape{2, 2});
}

TEST_CASE("Imported nodes take the inputs from nodes that are there which they are told to take",
          "[runtime][import]") {
  Graph graph;
  const Output x = constant(graph, 1.0f, {.name = "x"});
  ImportedNode y = node("y", "TestNegate", {"a:3", "^b"});
  y.outside = {{0, x}, {1, x}};
  const auto ops = graph.import_nodes({y}, known());
  CHECK(ops[0].input(0) == x);
  CHECK(ops[0].control_inputs() == std::vector<Operation>{x.op()});
  CHECK(Session(graph).run(ops[0].output()).scalar<float>() == -1);
}

TEST_CASE("A node of the graph is not taken for one that an import lacks", "[runtime][import]") {
  Graph graph;
  constant(graph, 1.0f, {.name = "x"});
  for (const char* input : {"x", "x:0", "^x"}) {
    const Error error = import_error(graph, {node("y", "TestNegate", {input})});
    CHECK(error.code() == Code::kInvalidArgument);
    CHECK(says(error, str_cat("input '", input, "' among those imported")));
    CHECK(says(error, ".input_map"));
  }
  CHECK_FALSE(says(import_error(graph, {node("y", "TestNegate", {"z"})}), ".input_map"));
  CHECK(graph.num_nodes() == 1);
}

TEST_CASE("Nodes made after an import get names and scopes of their own", "[runtime][import]") {
  Graph graph;
  graph.import_nodes({node("Save/deep/x", "NoOp")}, known());
  CHECK(no_op(graph, {.name = "save/deep/x"}).name() == "save/deep/x_1");
  CHECK(graph.name_scope("save").name() == "save_1/");
}

TEST_CASE("Names of a file that differ in case alone count as one where names are chosen",
          "[runtime][import]") {
  Graph graph;
  const auto ops = graph.import_nodes({node("a", "NoOp"), node("A", "NoOp")}, known());
  for (int i = 1; i <= 200; ++i) {
    CHECK(no_op(graph, {.name = i % 2 ? "A" : "a"}).name() ==
          (i % 2 ? "A_" : "a_") + std::to_string(i));
  }
  CHECK(graph.find_op("a") == ops[0]);
  CHECK(graph.find_op("A") == ops[1]);
  CHECK_FALSE(graph.contains("a_1"));
}

TEST_CASE("Everything wrong with the names and inputs is reported at once, and nothing is added",
          "[runtime][import]") {
  Graph graph;
  no_op(graph, {.name = "taken"});
  const Error names =
      import_error(graph, {node("taken", "NoOp"), node("a b", "NoOp"), node("twice", "NoOp"),
                           node("twice", "NoOp"), node("nothing", "")});
  CHECK(names.code() == Code::kInvalidArgument);
  for (const char* part :
       {"'taken': the graph has a node of this name", "'a b': this is not a valid name",
        "'twice': two nodes have this name", "'nothing': it names no op", "nothing was added"}) {
    CAPTURE(part);
    CHECK(says(names, part));
  }
  const Error inputs =
      import_error(graph, {node("a", "TestNegate", {"b"}), node("c", "NoOp", {"^d"}),
                           node("e", "TestNegate", {"a:x"}), node("f", "TestNegate", {"^a", "a"}),
                           node("g", "Mystery", {"a:65536"}), node("h", "Mystery", {"a:"}),
                           node("i", "Mystery", {"a:99999999999999999999"})});
  for (const char* part :
       {"no node for its input 'b'", "no node for its control input '^d'", "'a:x' is not the name",
        "'a:' is not the name", "'a:99999999999999999999' is not the name",
        "data input 'a' follows a control input", "no node has an output 'a:65536'"}) {
    CAPTURE(part);
    CHECK(says(inputs, part));
  }
  CHECK(graph.num_nodes() == 1);
  CHECK(no_op(graph, {.name = "a"}).name() == "a");
}

TEST_CASE("Outputs that a node does not have are all reported", "[runtime][import]") {
  Graph graph;
  const Error error =
      import_error(graph, {constant_node("x", Tensor(1.0f)), node("a", "Unread", {"x:1"}),
                           node("b", "Unread", {"x:2"})});
  CHECK(says(error, "'x:1': Const has 1 output"));
  CHECK(says(error, "'x:2': Const has 1 output"));
}

TEST_CASE("A cycle through nodes that could run is reported", "[runtime][import]") {
  Graph graph;
  const Error error =
      import_error(graph, {node("a", "TestNegate", {"b"}), node("b", "TestNegate", {"a"})});
  CHECK(says(error, "TestNegate 'a': it waits for itself"));
  CHECK(says(error, "TestNegate 'b': it waits for itself"));
  CHECK(import_error(graph, {node("self", "NoOp", {"^self"})}).code() == Code::kInvalidArgument);
}

TEST_CASE("A loop closed by an op that cannot run here is carried", "[runtime][import]") {
  Graph graph;
  const auto ops = graph.import_nodes(
      {node("enter", "TestCountRuns"),
       node("merge", "Merge", {"start", "next"}, {{"T", DType::kFloat}, {"N", 2}}),
       node("next", "NextIteration", {"merge"}, kFloat), constant_node("start", Tensor(1.0f)),
       node("exit", "Exit", {"merge"}, kFloat)},
      known());
  CHECK(ops.size() == 5);
  Session session(graph);
  CHECK(session.run("enter:0").valid());
  CHECK(says(error_of([&] { session.run("exit"); }), "NextIteration (1 node, 'next')"));
}

TEST_CASE("An op that nobody describes has the outputs that others use", "[runtime][import]") {
  Graph graph;
  const auto ops =
      graph.import_nodes({node("m", "Mystery", {}, {{"k", 3}}),
                          node("a", "Identity", {"m:2"}, kFloat), node("lone", "Mystery")},
                         known());
  CHECK(ops[0].type() == "Mystery");
  CHECK(ops[0].num_outputs() == 3);
  CHECK(ops[0].output(2).dtype() == DType::kInvalid);
  CHECK(ops[0].integer("k") == 3);
  CHECK(ops[2].num_outputs() == 0);
  CHECK(ops[1].output().dtype() == DType::kFloat);
  const Error error = error_of([&] { Session(graph).run("a:0"); });
  CHECK(error.code() == Code::kUnimplemented);
  CHECK(says(error, "Mystery (1 node, 'm')"));
}

TEST_CASE("What depends on an unknown op can run when that op's tensor is fed",
          "[runtime][import]") {
  Graph graph;
  graph.import_nodes({node("m", "Mystery"), node("a", "TestNegate", {"m"})}, known());
  CHECK(Session(graph).run("a:0", {{"m:0", 2.0f}}).scalar<float>() == -2);
}

TEST_CASE("The readers of an op that nobody describes tell in which dtype its tensors are fed",
          "[runtime][import]") {
  Graph graph;
  const Attrs ints = {{"T", DType::kInt32}};
  const auto ops = graph.import_nodes(
      {node("m", "Mystery"), node("a", "TestNegate", {"m"}), node("b", "Identity", {"m"}, kFloat),
       node("c", "Identity", {"m:1"}, ints), node("d", "Identity", {"m:2"}, ints),
       node("e", "TestNegate", {"m:2"}), node("f", "Mystery", {"m:3"}),
       node("g", "Identity", {"a"}, kFloat), node("n", "Neg", {"m"}, kFloat)},
      known());
  const auto dtype = [&](const char* name) {
    return internal::dtype_to_feed(graph, graph.find(name));
  };
  CHECK(dtype("m:0") == DType::kFloat);
  CHECK(dtype("m:1") == DType::kInt32);
  CHECK(dtype("m:2") == DType::kInvalid);  // two readers, two dtypes
  CHECK(dtype("m:3") == DType::kInvalid);  // its reader tells nothing
  CHECK(dtype("a:0") == DType::kFloat);
  Session session(graph);
  CHECK(session.run("d:0", {{"m:2", int32_t{4}}}).scalar<int32_t>() == 4);
  CHECK(session.run("n:0", {{"m:0", 4.0f}}).scalar<float>() == -4);  // a kernel chosen by its input
  CHECK(session.run("e:0", {{"m:2", 4.0f}}).scalar<float>() == -4);
  CHECK(says(error_of([&] {
               session.run("e:0", {{"m:2", int32_t{4}}});
             }),
             "expects float, got int32"));
}

TEST_CASE("An op that the file describes has the outputs it says", "[runtime][import]") {
  static constexpr OpDef kDef = {
      .name = "Mystery", .inputs = "x: T", .outputs = "y: T, z: int64", .attrs = "T: type"};
  Op described = parse_op(kDef);
  described.def = nullptr;
  Graph graph;
  const auto ops =
      graph.import_nodes({constant_node("x", Tensor(1.0f)), node("m", "Mystery", {"x"}, kFloat)},
                         known(), {described});
  CHECK(ops[1].num_outputs() == 2);
  CHECK(ops[1].output(0).dtype() == DType::kFloat);
  CHECK(ops[1].output(1).dtype() == DType::kInt64);
  CHECK(ops[1].node().op->inputs.size() == 1);
}

TEST_CASE("A node that does not fit its op as it is known here is carried as the file describes it",
          "[runtime][import]") {
  static constexpr OpDef kNewer = {.name = "TestNegate",
                                   .inputs = "x: float, scale: float",
                                   .outputs = "y: float, z: float",
                                   .attrs = ""};
  Op described = parse_op(kNewer);
  described.def = nullptr;
  Graph graph;
  const auto ops =
      graph.import_nodes({constant_node("x", Tensor(1.0f)), node("n", "TestNegate", {"x", "x"})},
                         known(), {described});
  CHECK(ops[1].num_outputs() == 2);
  CHECK(error_of([&] { Session(graph).run("n:0"); }).code() == Code::kUnimplemented);
}

TEST_CASE("A node that does not fit its op, and is not described, is reported",
          "[runtime][import]") {
  Graph graph;
  const Error error =
      import_error(graph, {constant_node("x", Tensor(1.0f)), constant_node("i", Tensor(1)),
                           node("two", "TestNegate", {"x", "x"}), node("type", "TestNegate", {"i"}),
                           node("n", "Merge", {"x"}, {{"T", DType::kFloat}, {"N", -1}}),
                           node("untyped", "Placeholder")});
  CHECK(says(error, "TestNegate 'two': expected 1 inputs, got 2"));
  CHECK(says(error, "TestNegate 'type': input 0 ('x') is 'i:0' of dtype int32; expected float"));
  CHECK(says(error, "Merge 'n': attribute 'N' is -1; it counts inputs or outputs, of which"));
  CHECK(says(error, "Placeholder 'untyped': attribute 'dtype' is missing"));
  CHECK(graph.num_nodes() == 0);
}

TEST_CASE("Shapes in _output_shapes refine inferred shapes and are removed from the node",
          "[runtime][import]") {
  Graph graph;
  const Attr shapes{std::vector<Shape>{{3, -1}}};
  const auto ops = graph.import_nodes(
      {node("p", "Placeholder", {},
            {{"dtype", DType::kFloat}, {"shape", Shape{-1, 2}}, {"_output_shapes", shapes}}),
       node("m", "Mystery", {}, {{"_output_shapes", shapes}}), node("n", "TestNegate", {"p"}),
       node("wrong", "Placeholder", {},
            {{"dtype", DType::kFloat}, {"shape", Shape{7}}, {"_output_shapes", shapes}})},
      known());
  CHECK(ops[0].output().shape() == Shape{3, 2});
  CHECK(ops[0].attrs().find("_output_shapes") == nullptr);
  CHECK(ops[1].num_outputs() == 1);
  CHECK(ops[1].output().shape() == Shape{3, -1});
  CHECK(ops[2].output().shape() == Shape{3, 2});
  CHECK(ops[3].output().shape() == Shape{7});
}

TEST_CASE("A shape that does not fit is left to the run", "[runtime][import]") {
  Graph graph;
  const auto ops = graph.import_nodes({constant_node("a", Tensor::zeros(DType::kFloat, {2, 3})),
                                       node("m", "MatMul", {"a", "a"}, kFloat)},
                                      known());
  CHECK_FALSE(ops[1].output().shape().has_rank());
  CHECK(says(error_of([&] { Session(graph).run("m:0"); }), "MatMul 'm': inner dimensions differ"));
}

TEST_CASE("An import that fails leaves no values of its nodes behind", "[runtime][import]") {
  Graph graph;
  for (int i = 0; i < 50; ++i) {
    const float value = static_cast<float>(i);
    // The shape of `r` is computed from the constants before the import fails.
    const Error error = import_error(
        graph, {constant_node("one", Tensor(int32_t{i})), constant_node("x", Tensor(value)),
                node("n", "TestNegate", {"x"}), node("r", "Fill", {"dims", "n"}, kFloat),
                node("dims", "Pack", {"one"}, {{"T", DType::kInt32}, {"N", 1}, {"axis", 0}}),
                node("bad", "TestNegate", {"x", "x"})});
    CHECK(error.code() == Code::kInvalidArgument);
    const Output x = constant(graph, value);
    CHECK(graph.static_value(test::negate(x)).scalar<float>() == -value);
  }
}

TEST_CASE("Placeholders of old files are of unknown shape where they say scalar",
          "[runtime][import]") {
  const Attrs attrs = {{"dtype", DType::kFloat}, {"shape", Shape{}}};
  Graph old;
  old.versions.producer = 21;
  CHECK_FALSE(old.import_nodes({node("p", "Placeholder", {}, attrs)}, known())[0]
                  .output()
                  .shape()
                  .has_rank());
  Graph recent;
  CHECK(recent.import_nodes({node("p", "Placeholder", {}, attrs)}, known())[0].output().shape() ==
        Shape{});
}
