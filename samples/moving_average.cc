// Trains a line with a moving average of each variable; then evaluates with the averages, which are
// restored into the variables.
#include <cairn/cairn.h>

#include <filesystem>
#include <iostream>

using namespace cairn;

namespace {

struct Line {
  Output x, y, loss;
  Variable slope, height;
};

Line build(Graph& graph) {
  Line line;
  line.x = placeholder(graph, DType::kFloat, {-1}, {.name = "x"});
  line.y = placeholder(graph, DType::kFloat, {-1}, {.name = "y"});
  line.slope = variable(graph, 0.0f, {.name = "slope"});
  line.height = variable(graph, 0.0f, {.name = "height"});
  line.loss = reduce_mean(square(line.slope * line.x + line.height - line.y));
  return line;
}

Feeds feeds(const Line& line, int step) {
  const float noise = step % 2 == 0 ? 0.5f : -0.5f;  // so that averages are better than last values
  return {{line.x, Tensor::vector<float>({-1, 0, 1, 2})},
          {line.y, Tensor::vector<float>({-1 + noise, 1 + noise, 3 + noise, 5 + noise})}};
}

void train(const std::string& path) {
  Graph graph;
  const Line line = build(graph);
  auto global_step = create_global_step(graph);
  auto step = GradientDescentOptimizer(0.2).minimize(line.loss, {.global_step = global_step});
  ExponentialMovingAverage average(0.95, {.num_updates = global_step});
  Operation train_op;
  {
    auto after = graph.control_dependencies({step});  // for nodes made in this block
    train_op = average.apply(graph);
  }

  Saver saver(graph);  // saves variables and averages
  Session session(graph);
  session.run(global_variables_initializer(graph));
  for (int i = 0; i < 200; ++i) session.run(train_op, feeds(line, i));
  saver.save(session, path);
  std::cout << "trained: y = " << session.run(line.slope).str() << " x + "
            << session.run(line.height).str() << "\n";
}

void evaluate(const std::string& path) {
  Graph graph;
  const Line line = build(graph);
  ExponentialMovingAverage average(0.95);
  const auto names = average.variables_to_restore(graph);
  for (const auto& [key, variable] : names) std::cout << variable.name() << " <- " << key << "\n";
  Saver saver(graph, {.var_list = names});
  Session session(graph);
  saver.restore(session, path);
  std::cout << "averaged: y = " << session.run(line.slope).str() << " x + "
            << session.run(line.height).str() << "\n";
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string path = std::filesystem::path(argc > 1 ? argv[1] : ".") / "line";
  train(path);
  evaluate(path);
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
