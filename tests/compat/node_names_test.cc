// Graphs built here, beside the graphs that TensorFlow built from the same program.
#include "cairn/control_flow.pb.h"
#include "ops/array/array.h"
#include "ops/flow/cond.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/nn/nn.h"
#include "ops/nn/softmax.h"
#include "persist/graph/meta_graph.h"
#include "persist/messages/message.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/graph_text.h"
#include "train/optimizers.h"

using namespace cairn;

namespace {

// A node with its attributes: one line.
std::vector<std::string> full_lines(const Graph& graph, const std::vector<std::string>& without) {
  std::vector<std::string> lines;
  for (const Operation& op : graph.operations()) {
    const auto begins = [&](const std::string& part) {
      return op.name().find(part) != std::string::npos;
    };
    if (std::any_of(without.begin(), without.end(), begins)) continue;
    std::string line = node_line(op);
    for (const auto& [name, attr] : op.node().attrs) {
      // seed2 counts the nodes made before, and theirs had regularizers in between.
      if (name != "_class" && name != "seed2") line += "; " + name + " = " + attr.str();
    }
    lines.push_back(line);
  }
  return lines;
}

Output dense(Graph& graph, const Output& x, int64_t units, const std::string& name,
             bool activated) {
  Variable kernel, bias;
  {
    const Scope scope = graph.variable_scope(name);
    kernel = get_variable(graph, "kernel", {x.shape().dim(1), units});
    bias = get_variable(graph, "bias", {units}, {.initializer = zeros_initializer()});
  }
  const Scope scope = graph.name_scope("dnn/" + name + "/");
  const Output y = bias_add(matmul(x, kernel), bias);
  return activated ? relu(y) : y;
}

}  // namespace

TEST_CASE(
    "A perceptron and its training with momentum are node for node what TensorFlow 1.13 made of "
    "them",
    "[compat]") {
  const auto dir = fixture("mlp-momentum-tf113");
  if (!dir) return;
  Graph theirs;
  import_meta_graph_def(theirs, (*dir / "my_model_final.ckpt.meta").string());

  Graph graph;
  graph.set_seed(42);
  const Output x = placeholder(graph, DType::kFloat, {-1, 784}, {.name = "X"});
  const Output labels = placeholder(graph, DType::kInt32, Shape::unknown(), {.name = "y"});
  const Output hidden1 = dense(graph, x, 300, "hidden1", true),
               hidden2 = dense(graph, hidden1, 50, "hidden2", true);
  const Output logits = dense(graph, hidden2, 10, "outputs", false);
  Output loss;
  {
    const Scope scope = graph.name_scope("loss");
    loss =
        reduce_mean(sparse_softmax_cross_entropy_with_logits({.labels = labels, .logits = logits}),
                    {}, {.name = "loss"});
  }
  {
    const Scope scope = graph.name_scope("train");
    MomentumOptimizer(0.01, 0.9).minimize(loss);
  }
  const auto ours = full_lines(graph, {}),
             expected = full_lines(theirs, {"Regularizer", "eval/", "save/", "init"});
  REQUIRE(ours.size() == expected.size());
  for (size_t i = 0; i < ours.size(); ++i) CHECK(ours[i] == expected[i]);
}

TEST_CASE("A condition and its context are what TensorFlow 1.14 made of them", "[compat]") {
  const auto dir = fixture("linear-ftrl-res-2shard-tf114");
  if (!dir) return;
  Graph theirs, graph;
  import_meta_graph_def(theirs, (*dir / "model.ckpt-5000.meta").string());
  create_global_step(graph);
  const Variable step = get_global_step(graph);
  {
    const Scope scope = graph.name_scope("global_step/");
    const Output initialized = is_variable_initialized(step);
    cond(
        initialized, [&] { return identity(step.ref(), {.name = "read"}); },
        [&] { return step.initial_value(); });
  }
  for (const Operation& op : graph.operations()) {
    if (op.name().rfind("global_step/cond", 0) != 0) continue;
    CAPTURE(op.name());
    CHECK(node_line(op) == node_line(theirs.find_op(op.name())));
  }
  const auto ours = graph.collection<std::string>(GraphKeys::kCondContext),
             expected = theirs.collection<std::string>(GraphKeys::kCondContext);
  REQUIRE(ours.size() == 2);
  for (size_t i = 0; i < 2; ++i) {
    pb::CondContextDef our_context, their_context;
    REQUIRE(parse_bytes(ours[i], our_context));
    REQUIRE(parse_bytes(expected.at(i), their_context));
    CHECK(to_text(our_context) == to_text(their_context));
  }
}
