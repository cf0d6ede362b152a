// Importing into a graph that has nodes of the same names, and files that name nodes they do not
// have.
#include <chrono>

#include "ops/array/array.h"
#include "ops/flow/cond.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/state/variables.h"
#include "persist/saver/saver.h"
#include "tests/support/all_or_nothing.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "train/optimizers.h"

namespace cairn {
namespace {

MetaGraph parsed(const std::string& text) { return MetaGraph::parse(text, "text.pbtxt"); }

// A trained model with its initializer, saver and collections, saved as DIR/m.
void save_model(const std::string& prefix) {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {}, {.name = "x"});
  const Variable w = variable(graph, 3.0f, {.name = "w"});
  const Output y = multiply(x, w, {.name = "y"});
  graph.add_to_collection("train_var", x);
  graph.add_to_collection("train_var", y);
  graph.add_to_collection(GraphKeys::kInitOp, global_variables_initializer(graph));
  Saver saver(graph);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  session.set_value(w, Tensor(7.0f));
  saver.save(session, prefix);
}

double seconds_of(const std::function<void()>& action) {
  const auto begin = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

TEST_CASE("Initializers may be run before a graph is imported that has an init of its own",
          "[persist][import]") {
  const TempDir dir;
  save_model(dir / "m");
  Graph graph;
  Session session(graph);
  session.run(global_variables_initializer(graph));
  Saver saver = import_meta_graph(graph, dir / "m.meta");
  saver.restore(session, dir / "m");
  const auto vars = graph.collection<Output>("train_var");
  CHECK(session.run(vars[1], {{vars[0], Tensor(2.0f)}}).scalar<float>() == 14);
  // The file's own initializer goes by another name, and what names it means it.
  CHECK(graph.find_op("init").control_inputs().empty());
  const Operation init = graph.collection<Operation>(GraphKeys::kInitOp)[0];
  CHECK(init.name() == "init_2");  // the file has init and init_1
  CHECK(init.control_inputs().size() == 1);
  session.run(init);
  CHECK(session.run("w:0").scalar<float>() == 3);
}

TEST_CASE("A saver that is renamed on import restores through its own nodes", "[persist][import]") {
  const TempDir dir;
  save_model(dir / "m");
  Graph graph;
  const Variable other = variable(graph, 1.0f, {.name = "other"});
  Saver own(graph);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  own.save(session, dir / "own");
  Saver imported = import_meta_graph(graph, dir / "m.meta");
  CHECK(imported.as_saver_def().restore_op_name == "save/restore_all_1");
  imported.restore(session, dir / "m");
  own.restore(session, dir / "own");
  CHECK(session.run("w:0").scalar<float>() == 7);
  CHECK(session.value(other).scalar<float>() == 1);
  // What is written next has both, and reads back as it is.
  const std::string bytes = export_meta_graph(graph).bytes();
  Graph again;
  import_meta_graph_def(again, MetaGraph::parse(bytes, "both"));
  CHECK(export_meta_graph(again).bytes() == bytes);
}

TEST_CASE("All that a file says of a renamed node follows it", "[persist][import]") {
  const std::string text = R"(graph_def {
    node { name: "a" op: "NoOp" }
    node { name: "c" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } }
           attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { } float_val: 2 } } } }
    node { name: "b" op: "Exp" input: "c:0" input: "^a" attr { key: "T" value { type: DT_FLOAT } }
           attr { key: "_class" value { list { s: "loc:@c" } } } }
    node { name: "a_1" op: "NoOp" input: "^b" } }
    collection_def { key: "nodes" value { node_list { value: "c:0" value: "a" value: "nowhere" } } }
    signature_def { key: "s" value { outputs { key: "y" value { name: "c:0" } } } })";
  Graph graph;
  no_op(graph, {.name = "a"});
  no_op(graph, {.name = "c"});
  import_meta_graph_def(graph, parsed(text));
  CHECK(node_lines(graph, 2) == std::vector<std::string>{"a_2 = NoOp()", "c_1 = Const()",
                                                         "b = Exp(c_1, ^a_2) @c_1",
                                                         "a_1 = NoOp(^b)"});
  CHECK(std::get<Output>(graph.items("nodes")[0]).name() == "c_1:0");
  CHECK(std::get<Operation>(graph.items("nodes")[1]).name() == "a_2");
  CHECK(export_meta_graph(graph).text().find("name: \"c_1:0\"") != std::string::npos);
}

TEST_CASE("An input that a file lacks is not taken from the graph unless input_map says so",
          "[persist][import]") {
  const std::string text =
      "graph_def { node { name: 'y' op: 'Exp' input: 'x' input: '^g' "
      "attr { key: 'T' value { type: DT_FLOAT } } } }";
  Graph graph;
  const Output x = constant(graph, 0.0f, {.name = "x"}), g = constant(graph, 1.0f, {.name = "g"});
  const auto before = everything_of(graph, names_of(graph));
  const Error error = error_of([&] { import_meta_graph_def(graph, parsed(text)); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "Exp 'y': there is no node for its input 'x'"));
  CHECK(says(error, "control input '^g'"));
  CHECK(says(error, ".input_map"));
  CHECK(difference(before, everything_of(graph, names_of(graph))) == "");
  CHECK_THROWS_AS(import_graph_def(graph, parsed(text), {.name = ""}), Error);
  CHECK_THROWS_AS(import_graph_def(graph, parsed(text), {.name = "", .input_map = {{"x", x}}}),
                  Error);
  const auto made =
      import_graph_def(graph, parsed(text), {.name = "", .input_map = {{"x", x}, {"^g", g}}});
  CHECK(node_line(made[0]) == "y = Exp(x, ^g)");
  CHECK(Session(graph).run("y:0").scalar<float>() == 1);
}

TEST_CASE("An input_map refers to the graph's node also where the file has one of the same name",
          "[persist][import]") {
  const std::string text =
      R"(graph_def { node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
    node { name: "y" op: "Exp" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
    node { name: "z" op: "Exp" input: "^x" input: "x" attr { key: "T" value { type: DT_FLOAT } } } })";
  Graph graph;
  const Output x = constant(graph, 0.0f, {.name = "x"});
  CHECK_THROWS_AS(import_graph_def(graph, parsed(text), {.name = "", .input_map = {{"x:0", x}}}),
                  Error);
  const std::string sound = std::string(text).replace(text.find("input: \"^x\" input: \"x\""), 23,
                                                      "input: \"x:0\" input: \"^x\"");
  const auto made = import_graph_def(graph, parsed(sound), {.name = "", .input_map = {{"x:0", x}}});
  CHECK(made[0].name() == "x_1");
  CHECK(node_line(made[1]) == "y = Exp(x)");
  CHECK(node_line(made[2]) == "z = Exp(x, ^x_1)");
}

TEST_CASE("An input_map with a tensor that the node cannot take is refused, and named",
          "[persist][import]") {
  Graph source, graph;
  exp(placeholder(source, DType::kFloat, {2}, {.name = "x"}), {.name = "y"});
  // it describes its ops, so that others could be carried
  const MetaGraph meta = export_meta_graph(source);
  const Output numbers = placeholder(graph, DType::kInt32, {2}, {.name = "numbers"});
  const auto before = everything_of(graph, names_of(graph));
  const Error error = error_of([&] {
    import_meta_graph_def(graph, meta, {.input_map = {{"x:0", numbers}}});
  });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "Exp 'y'"));
  CHECK(says(error, "; .input_map has it read numbers:0 for 'x"));
  CHECK(difference(before, everything_of(graph, names_of(graph))) == "");
}

TEST_CASE("Names that are long, or many, cost an import no more than their bytes",
          "[persist][import][bounds]") {
  std::string slashes = "a";
  while (slashes.size() < 400000) slashes += "/a";
  std::string unknown;
  for (int i = 0; i < 60000; ++i)
    unknown += str_cat("node { name: 'node_number_", i, "' op: 'UnknownOperation", i, "' }\n");
  std::string same_letters;
  for (int i = 0; i < 16384; ++i) {
    std::string name = "abcdefghijklmn";
    for (size_t b = 0; b < name.size(); ++b)
      name[b] = static_cast<char>(i >> b & 1 ? name[b] - 32 : name[b]);
    same_letters += "node { name: '" + name + "' op: 'NoOp' }\n";
  }
  for (const std::string& nodes :
       {"node { name: '" + slashes + "' op: 'NoOp' } node { name: '" + slashes + "/b' op: 'NoOp' }",
        unknown, same_letters}) {
    const MetaGraph meta = parsed("graph_def { " + nodes + " }");
    Graph graph;
    // for builds that check everything
    const double bound = 10 + 100e-6 * static_cast<double>(nodes.size());
    CHECK(seconds_of([&] { import_meta_graph_def(graph, meta); }) < bound);
    CHECK(seconds_of([&] { import_meta_graph_def(graph, meta, {.import_scope = "again"}); }) <
          bound);
    CHECK(seconds_of([&] { export_meta_graph(graph); }) < bound);
    CHECK(seconds_of([&] { no_op(graph, {.name = "a"}); }) < 1);
  }
}

TEST_CASE("A Saver or an import that throws leaves the graph as it was, wherever it throws",
          "[persist][transaction]") {
  const TempDir dir;
  save_model(dir / "m");
  const auto prepare = [](Graph& graph) {
    variable(zeros(graph, {2, 3}), {.name = "a"});
    const Scope on = graph.device("/job:ps/task:1");
    variable(zeros(graph, {2}), {.name = "b", .use_resource = true});
  };
  const auto sound = [&](const std::function<void(Graph&)>& build) {
    CHECK(check_all_or_nothing(prepare, build, build) > 0);
  };
  const std::string library = R"(graph_def { node { name: "n" op: "NoOp" } versions { producer: 20 }
    library { function { signature { name: "f" } } } }
    collection_def { key: "k" value { int64_list { value: 1 value: 2 } } })";
  sound([](Graph& graph) { Saver saver(graph); });
  sound([](Graph& graph) { Saver saver(graph, {.reshape = true, .sharded = true}); });
  sound([](Graph& graph) {
    Saver saver(graph, {.sharded = true, .write_version = CheckpointFormat::kV1});
  });
  sound([](Graph& graph) { Saver saver(graph, {.restore_sequentially = true}); });
  sound([&](Graph& graph) { import_meta_graph(graph, dir / "m.meta"); });
  sound([&](Graph& graph) { import_meta_graph_def(graph, parsed(library)); });
  sound([&](Graph& graph) { import_meta_graph(graph, dir / "m.meta", {.import_scope = "s"}); });
}

TEST_CASE("An import whose saver is not there takes nothing from the file",
          "[persist][transaction]") {
  const TempDir dir;
  write_bytes(dir / "m.meta", R"(graph_def { node { name: "n" op: "NoOp" } versions { producer: 20 }
    library { function { signature { name: "f" } } } }
    saver_def { filename_tensor_name: "gone:0" save_tensor_name: "gone:0" restore_op_name: "gone" })");
  Graph graph;
  no_op(graph, {.name = "mine"});
  const auto before = everything_of(graph, {"n", "mine"});
  CHECK_THROWS_AS(import_meta_graph(graph, dir / "m.meta"), Error);
  CHECK(difference(before, everything_of(graph, {"n", "mine"})) == "");
}

}  // namespace cairn
