// Graphs cut down to what computing needs.
#include "persist/extras/freeze.h"

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/flow/cond.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/nn/softmax.h"
#include "persist/graph/convert.h"
#include "persist/graph/meta_graph_rep.h"
#include "persist/saver/saver.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"
#include "train/optimizers.h"

using namespace cairn;

namespace {

using Names = std::vector<std::string>;

Names node_names(const MetaGraph& meta) {
  Names names;
  for (const auto& node : meta.rep().def.graph_def().node()) names.push_back(node.name());
  return names;
}
const pb::NodeDef& node_of(const MetaGraph& meta, const std::string& name) {
  for (const auto& node : meta.rep().def.graph_def().node()) {
    if (node.name() == name) return node;
  }
  throw Error(Code::kNotFound, name);
}

// A small classifier with all that training adds.
struct Model {
  explicit Model(bool use_resource = false) {
    x = placeholder(graph, DType::kFloat, {-1, 2}, {.name = "x"});
    w = variable(constant(graph, Tensor::matrix<float>({{1, 2}, {3, 4}})),
                 {.name = "w", .use_resource = use_resource});
    b = variable(constant(graph, Tensor::vector<float>({0.5f, -0.5f})),
                 {.name = "b", .use_resource = use_resource});
    y = identity(matmul(x, w) + b, {.name = "y"});
    loss = reduce_mean(square(y));
    train = GradientDescentOptimizer(0.1).minimize(loss);
  }
  Graph graph;
  Output x, y, loss;
  Variable w, b;
  Operation train;
};

const Tensor kInput = Tensor::matrix<float>({{1, 0}, {-1, 2}});

}  // namespace

TEST_CASE("A frozen graph computes what the session does, with no variable and nothing of training",
          "[persist][freeze]") {
  for (const bool use_resource : {false, true}) {
    CAPTURE(use_resource);
    Model model(use_resource);
    Session session(model.graph);
    session.run(global_variables_initializer(model.graph));
    session.run(model.train, {{model.x, kInput}});
    const std::string before = as_graph_def(model.graph);
    const MetaGraph frozen = convert_variables_to_constants(session, {"y"});
    CHECK(as_graph_def(model.graph) == before);
    for (const auto& node : frozen.rep().def.graph_def().node()) {
      CAPTURE(node.name());
      CHECK((node.op() == "Placeholder" || node.op() == "Const" || node.op() == "Identity" ||
             node.op() == "MatMul" || node.op() == "Add"));
    }
    CHECK(node_of(frozen, "w").op() == "Const");
    Graph served;
    import_graph_def(served, frozen, {.name = ""});
    CHECK(bit_equal(Session(served).run("y:0", {{"x:0", kInput}}),
                    session.run(model.y, {{model.x, kInput}})));
  }
}

TEST_CASE("A frozen graph is one file, in bytes or in text", "[persist][freeze]") {
  Model model;
  Session session(model.graph);
  session.run(global_variables_initializer(model.graph));
  const MetaGraph frozen = convert_variables_to_constants(session, {model.y});
  MemoryFileSystem fs;
  for (const bool as_text : {false, true}) {
    const std::string path = as_text ? "serve/model.pbtxt" : "serve/model.pb";
    write_graph(frozen, path, {.as_text = as_text, .file_system = &fs});
    Graph served;
    import_graph_def(served, path, {.name = "net", .file_system = &fs});
    CHECK(bit_equal(Session(served).run("net/y:0", {{"net/x:0", kInput}}),
                    session.run(model.y, {{model.x, kInput}})));
  }
}

TEST_CASE("Variables are frozen by white and black list", "[persist][freeze]") {
  Model model;
  Session session(model.graph);
  session.run(model.w.initializer());
  const MetaGraph only_w =
      convert_variables_to_constants(session, {"y"}, {.variable_names_whitelist = {"w"}});
  CHECK(node_of(only_w, "w").op() == "Const");
  CHECK(node_of(only_w, "b").op() == "VariableV2");
  const MetaGraph without_b =
      convert_variables_to_constants(session, {"y"}, {.variable_names_blacklist = {"b"}});
  CHECK(node_of(without_b, "b").op() == "VariableV2");
  const Error error = error_of([&] {
    convert_variables_to_constants(session, {"y"}, {.variable_names_whitelist = {"ww"}});
  });
  CHECK(error.code() == Code::kNotFound);
  CHECK_THAT(error.what(), Catch::Contains("'ww'"));
}

TEST_CASE("Variables without a value are all named", "[persist][freeze]") {
  Model model;
  Session session(model.graph);
  const Error error = error_of([&] { convert_variables_to_constants(session, {"y"}); });
  CHECK(error.code() == Code::kFailedPrecondition);
  CHECK_THAT(error.what(), Catch::Contains("w and b"));
}

TEST_CASE("Outputs that are not there are all named, with what is near", "[persist][freeze]") {
  Model model;
  const Error error = error_of([&] {
    extract_sub_graph(model.graph, {"Mea", "nothing_like_it_at_all"});
  });
  CHECK(error.code() == Code::kNotFound);
  CHECK_THAT(error.what(),
             Catch::Contains("there is no node 'Mea' in the graph; did you mean Mean") &&
                 Catch::Contains(
                     "?\n  there is no node 'nothing_like_it_at_all' in the graph; there are "));
}

TEST_CASE("Freezing refuses outputs that change a variable, naming the nodes",
          "[persist][freeze]") {
  for (const bool use_resource : {false, true}) {
    Model model(use_resource);
    Session session(model.graph);
    session.run(global_variables_initializer(model.graph));
    const Error error = error_of([&] { convert_variables_to_constants(session, {model.train}); });
    CHECK(error.code() == Code::kInvalidArgument);
    CHECK_THAT(error.what(),
               Catch::Contains("GradientDescent/update_w/") && Catch::Contains("of 'w'"));
  }
}

namespace {

// Batch normalisation as training programs write it: in training the batch's mean is used and the
// average moves.
struct Normalised {
  explicit Normalised(bool use_resource = false) {
    x = placeholder(graph, DType::kFloat, {-1, 2}, {.name = "x"});
    train = placeholder_with_default(constant(graph, Tensor(false)), {}, {.name = "train"});
    mean = variable(constant(graph, Tensor::vector<float>({1, 2})),
                    {.name = "moving_mean", .trainable = false, .use_resource = use_resource});
    const Output batch = reduce_mean(x, 0);
    const Output is_training = logical_not(logical_not(train));
    const Output used = cond(
        is_training,
        [&] {
          const Output update = assign_sub(mean, (mean - batch) * 0.1f);
          const Scope scope = graph.control_dependencies({update.op()});
          return cond(
              train, [&] { return identity(batch); }, [&] { return batch * 2.0f; });
        },
        [&] { return mean * 1.0f; });
    out = subtract(x, used, {.name = "out"});
    session.run(mean.initializer());
  }
  Graph graph;
  Output x, train, out;
  Variable mean;
  Session session{graph};
};

}  // namespace

TEST_CASE(
    "A model whose batch normalization hangs on a training flag is frozen with the flag as a "
    "constant",
    "[persist][freeze]") {
  for (const bool use_resource : {false, true}) {
    CAPTURE(use_resource);
    Normalised model(use_resource);
    const Error error = error_of([&] { convert_variables_to_constants(model.session, {"out"}); });
    CHECK(error.code() == Code::kInvalidArgument);
    CHECK_THAT(error.what(), Catch::Contains("(train:0)") &&
                                 Catch::Contains("FreezeOptions::constants") &&
                                 Catch::Contains("--set train=false") &&
                                 Catch::Contains("variable_names_blacklist") &&
                                 Catch::Contains("--keep-variable"));
    const MetaGraph frozen =
        convert_variables_to_constants(model.session, {"out"}, {.constants = {{"train:0", false}}});
    for (const auto& node : frozen.rep().def.graph_def().node()) {
      CAPTURE(node.name(), node.op());
      CHECK(node.op().find("Switch") == std::string::npos);
      CHECK(node.op() != "Merge");
      CHECK(node.op().find("Assign") == std::string::npos);
      CHECK(node.op().find("Var") == std::string::npos);
    }
    Graph served;
    import_graph_def(served, frozen, {.name = ""});
    CHECK(bit_equal(Session(served).run("out:0", {{"x:0", kInput}}),
                    model.session.run(model.out, {{model.x, kInput}, {model.train, false}})));
  }
}

TEST_CASE("Freezing for the side of a cond that changes a variable is still refused",
          "[persist][freeze]") {
  Normalised model;
  const Error error = error_of([&] {
    convert_variables_to_constants(model.session, {"out"}, {.constants = {{"train", true}}});
  });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Catch::Contains("AssignSub") && Catch::Contains("of 'moving_mean'"));
}

TEST_CASE("Which side a folded Merge took can still be asked for, and conds on other flags stay",
          "[persist][freeze]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {}, {.name = "x"});
  const Output a = placeholder(graph, DType::kBool, {}, {.name = "a"}),
               b = placeholder(graph, DType::kBool, {}, {.name = "b"});
  const auto [when_false, when_true] = switch_by(x, a);
  const auto merged = merge({when_false * 2.0f, when_true * 3.0f}, {.name = "merged"});
  const Output other = cond(
      b, [&] { return merged.value + 1.0f; }, [&] { return merged.value - 1.0f; });
  const Output y = add(other, cast(merged.index, DType::kFloat), {.name = "y"});
  Session session(graph);
  for (const bool side : {false, true}) {
    const MetaGraph frozen =
        convert_variables_to_constants(session, {y}, {.constants = {{"a", side}}});
    Graph served;
    import_graph_def(served, frozen, {.name = ""});
    CHECK(!served.contains("a"));
    for (const bool rest : {false, true}) {
      CHECK(Session(served).run("y:0", {{"x:0", 5.0f}, {"b:0", rest}}).scalar<float>() ==
            session.run(y, {{x, 5.0f}, {a, side}, {b, rest}}).scalar<float>());
    }
  }
}

TEST_CASE("Any tensor can be made a constant before freezing, in its dtype and shape",
          "[persist][freeze]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {4}, {.name = "x"});
  const std::vector<Output> parts = split(x, 2, {.axis = 0, .name = "parts"});
  const Output y = add(parts[0], parts[1], {.name = "y"});
  Session session(graph);
  const auto freeze = [&](const std::map<std::string, Tensor>& constants) {
    return convert_variables_to_constants(session, {y}, {.constants = constants});
  };
  Graph served;
  import_graph_def(served, freeze({{"parts:1", Tensor::vector<float>({10, 20})}}), {.name = ""});
  CHECK(Session(served).run("y:0", {{"x:0", Tensor::vector<float>({1, 2, 3, 4})}}).str() ==
        "[11. 22.]");
  for (const std::map<std::string, Tensor>& wrong :
       {std::map<std::string, Tensor>{{"x", 1}}, {{"x:0", 1.0f}}, {{"parts:1", 1.0f}}}) {
    const Error error = error_of([&] { freeze(wrong); });
    CHECK(error.code() == Code::kInvalidArgument);
    CHECK_THAT(error.what(), Catch::Contains("is to be float ["));
  }
  CHECK(error_of([&] { freeze({{"nothing", 1.0f}}); }).code() == Code::kNotFound);
  Graph one_sided;
  const Output flag = placeholder(one_sided, DType::kBool, {}, {.name = "flag"});
  const Output taken =
      identity(switch_by(constant(one_sided, 1.0f), flag).second, {.name = "taken"});
  Session other(one_sided);
  const Error error = error_of([&] {
    convert_variables_to_constants(other, {taken}, {.constants = {{"flag", false}}});
  });
  CHECK_THAT(error.what(), Catch::Contains("'taken' has no value") && Catch::Contains("not taken"));
}

TEST_CASE("A part of a graph has what its outputs need, by control edges too",
          "[persist][freeze]") {
  Graph graph;
  const Output a = constant(graph, 1.0f, {.name = "a"}), b = constant(graph, 2.0f, {.name = "b"});
  constant(graph, 3.0f, {.name = "unused"});
  const Scope after = graph.control_dependencies({b.op()});
  identity(a, {.name = "y"});
  graph.add_to_collection("k", a);
  const MetaGraph part = extract_sub_graph(graph, {"y:0"});
  CHECK(node_names(part) == Names{"a", "b", "y"});
  CHECK(part.rep().def.collection_def().empty());
  CHECK(part.rep().def.graph_def().versions().producer() == graph.versions.producer);
  CHECK(part.rep().def.meta_info_def().stripped_op_list().op_size() == 2);
}

TEST_CASE("Nodes that only training needs are spliced out, unless an edge orders them",
          "[persist][freeze]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {}, {.name = "x"});
  const Output checked = check_numerics(identity(identity(x, {.name = "i"}), {.name = "ii"}), "m",
                                        {.name = "checked"});
  const Output waited = identity(checked, {.name = "waited"});
  const Scope after = graph.control_dependencies({waited.op(), checked.op()});
  const Output y = identity(negative(identity(checked, {.name = "ordered"})), {.name = "y"});
  const MetaGraph left = remove_training_nodes(graph, {y});
  CHECK(node_names(left) == Names{"x", "waited", "ordered", "Neg", "y"});
  CHECK(node_of(left, "ordered").input(0) == "x");
  CHECK(node_of(left, "ordered").input_size() == 2);  // ^waited stays, ^checked goes
  Graph again;
  import_graph_def(again, left, {.name = ""});
  CHECK(Session(again).run("y:0", {{"x:0", 2.0f}}).scalar<float>() == -2);
  CHECK(node_names(remove_training_nodes(graph, {"i", "ii", "checked", "y"})).size() ==
        static_cast<size_t>(graph.num_nodes()));
}

TEST_CASE("What TensorFlow 1.8 froze is what is frozen here", "[persist][freeze][compat]") {
  const auto dir = fixture("softmax-v1-tf18");
  if (!dir) return;
  const MetaGraph theirs = MetaGraph::read(*dir / "frozen_model.pb");
  Graph graph;
  const Saver saver = import_meta_graph(graph, *dir / "model.ckpt.meta");
  Session session(graph);
  saver.restore(session, *dir / "model.ckpt");
  const auto& nodes = theirs.rep().def.graph_def().node();
  const MetaGraph ours = convert_variables_to_constants(session, {nodes[nodes.size() - 1].name()});
  REQUIRE(ours.num_nodes() == theirs.num_nodes());
  for (const auto& expected : nodes) {
    CAPTURE(expected.name());
    const pb::NodeDef& node = node_of(ours, expected.name());
    CHECK(node.op() == expected.op());
    CHECK(std::equal(node.input().begin(), node.input().end(), expected.input().begin(),
                     expected.input().end()));
    if (node.op() != "Const") continue;
    Allowance allowance;
    CHECK(bit_equal(from_proto(node.attr().at("value").tensor(), allowance),
                    from_proto(expected.attr().at("value").tensor(), allowance)));
  }
}
