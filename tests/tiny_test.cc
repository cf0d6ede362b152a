// The whole product in a hundred lines: build, train, save, forget, read back from the files alone,
// go on.
#include <cairn/cairn.h>

#include <cmath>

#include "tests/support/catch.h"
#include "tests/support/memory_fs.h"

using namespace cairn;

namespace {

// y = 3x₀ − 2x₁ + 1, on a grid of 64 points.
struct Points {
  Tensor x = Tensor::zeros(DType::kFloat, {64, 2}), y = Tensor::zeros(DType::kFloat, {64, 1});
  Points() {
    for (int i = 0; i < 64; ++i) {
      const float a = static_cast<float>(i % 8) / 4 - 1, b = static_cast<float>(i / 8) / 4 - 1;
      x.mat<float>()(i, 0) = a;
      x.mat<float>()(i, 1) = b;
      y.mat<float>()(i, 0) = 3 * a - 2 * b + 1;
    }
  }
};

void build(Graph& graph) {
  auto x = placeholder(graph, DType::kFloat, {-1, 2}, {.name = "x"});
  auto y_true = placeholder(graph, DType::kFloat, {-1, 1}, {.name = "y"});
  auto w = variable(zeros(graph, {2, 1}), {.name = "w"});
  auto b = variable(zeros(graph, {1}), {.name = "b"});
  auto loss = reduce_mean(square(matmul(x, w) + b - y_true), {}, {.name = "loss"});
  auto step = create_global_step(graph);
  MomentumOptimizer(0.1, 0.9).minimize(loss, {.global_step = step});
  for (const Output& t : {x, y_true, loss}) graph.add_to_collection("train_var", t);
}

}  // namespace

TEST_CASE(
    "A model trains, is saved, forgotten, read back without its code, and goes on with identical "
    "bits",
    "[tiny]") {
  MemoryFileSystem disk;
  disk.create_dirs("/run");
  const Points points;

  // One program trains twenty steps and saves after ten.
  Graph graph;
  build(graph);
  auto vars = graph.collection<Output>("train_var");
  auto train = graph.collection<Operation>("train_op").at(0);
  Saver saver(graph, {.max_to_keep = 3});
  Session session(graph, {.file_system = &disk});
  session.run(global_variables_initializer(graph));
  const auto run_steps = [&](Session& s, Operation op, const std::vector<Output>& feeds,
                             int count) {
    for (int i = 0; i < count; ++i) s.run(op, {{feeds[0], points.x}, {feeds[1], points.y}});
  };
  run_steps(session, train, vars, 10);
  const std::string prefix =
      saver.save(session, "/run/model", {.global_step = get_global_step(graph)});
  CHECK(prefix == "/run/model-10");
  run_steps(session, train, vars, 10);
  const float loss =
      session.run(vars[2], {{vars[0], points.x}, {vars[1], points.y}}).scalar<float>();
  std::vector<Tensor> values;
  for (const Variable& v : graph.variables()) values.push_back(session.value(v));

  // Another has none of the model's code, only the files.
  graph.reset();
  CHECK_THROWS_AS(session.run(train), Error);
  Saver restorer = import_meta_graph(
      graph, *latest_checkpoint("/run", "checkpoint", &disk) + ".meta", {.file_system = &disk});
  Session resumed(graph, {.file_system = &disk});
  CHECK(resumed.uninitialized_variables().size() == graph.variables().size());
  restorer.restore(resumed, "/run");
  vars = graph.collection<Output>("train_var");
  run_steps(resumed, graph.collection<Operation>("train_op").at(0), vars, 10);

  const auto variables = graph.variables();
  REQUIRE(variables.size() == values.size());
  for (size_t i = 0; i < values.size(); ++i)
    CHECK(bit_equal(resumed.value(variables[i]), values[i]));
  CHECK(resumed.value(get_global_step(graph)).scalar<int64_t>() == 20);
  CHECK(resumed.run(vars[2], {{vars[0], points.x}, {vars[1], points.y}}).scalar<float>() == loss);
  CHECK(std::isfinite(loss));

  // And a third uses the nodes by hand, as any tool could.
  Session by_hand(graph, {.file_system = &disk});
  by_hand.run("save/restore_all", {{"save/Const:0", prefix}});
  CHECK(by_hand.value(get_global_step(graph)).scalar<int64_t>() == 10);
}
