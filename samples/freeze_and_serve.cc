// Trains, freezes the part that serving needs into one file, and serves from that file: no
// checkpoint, no variables.
#include <cairn/cairn.h>

#include <filesystem>
#include <iostream>

using namespace cairn;

namespace {

// Two classes of points, on the two sides of x + y = 1.
void train(const std::string& path) {
  Graph graph;
  auto points = placeholder(graph, DType::kFloat, {-1, 2}, {.name = "points"});
  auto labels = placeholder(graph, DType::kInt64, {-1}, {.name = "labels"});
  auto w = variable(zeros(graph, {2, 2}), {.name = "w"});
  auto b = variable(zeros(graph, {2}), {.name = "b"});
  auto logits = matmul(points, w) + b;
  softmax(logits, {.name = "probabilities"});
  auto loss =
      reduce_mean(sparse_softmax_cross_entropy_with_logits({.labels = labels, .logits = logits}));
  auto step = GradientDescentOptimizer(1.0).minimize(loss);

  Session session(graph);
  session.run(global_variables_initializer(graph));
  const Feeds data = {{points, Tensor::matrix<float>({{0, 0}, {1, 1}, {0.2f, 0.3f}, {0.8f, 0.9f}})},
                      {labels, Tensor::vector<int64_t>({0, 1, 0, 1})}};
  for (int i = 0; i < 500; ++i) session.run(step, data);
  Saver(graph).save(session, path);
}

void freeze(const std::string& checkpoint, const std::string& path) {
  Graph graph;
  Saver saver = import_meta_graph(graph, checkpoint + ".meta", {.clear_devices = true});
  Session session(graph);
  saver.restore(session, checkpoint);
  const std::string output = "probabilities";
  auto frozen = remove_training_nodes(convert_variables_to_constants(session, {output}), {output});
  write_graph(frozen, path);
  std::cout << frozen.num_nodes() << " of " << graph.num_nodes() << " nodes are enough\n";
}

void serve(const std::string& path) {
  Graph graph;
  import_graph_def(graph, path, {.name = ""});
  Session session(graph);
  Call ask = session.prepare({"probabilities:0"}, {"points:0"});
  for (const auto& point :
       {Tensor::matrix<float>({{0.1f, 0.1f}}), Tensor::matrix<float>({{0.9f, 0.7f}})}) {
    const Tensor& p = ask({point})[0];
    std::cout << point.str() << " is of class " << (p.data<float>()[1] > 0.5f ? 1 : 0) << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const std::filesystem::path dir = argc > 1 ? argv[1] : ".";
  train(dir / "model");
  freeze(dir / "model", dir / "model.pb");
  serve(dir / "model.pb");
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
