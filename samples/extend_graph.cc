// Exports an inference graph; later imports it, adds a loss and an optimizer, and trains: the
// example of TensorFlow's guide to meta graphs.
#include <cairn/cairn.h>

#include <cmath>
#include <filesystem>
#include <iostream>

using namespace cairn;

namespace {

Output layer(const Output& x, int64_t inputs, int64_t units, const std::string& name,
             bool activated) {
  Graph& graph = x.graph();
  auto scope = graph.name_scope(name);
  auto weights =
      variable(truncated_normal(graph, {inputs, units}, {.stddev = 1 / std::sqrt(double(inputs))}),
               {.name = "weights"});
  auto biases = variable(zeros(graph, {units}), {.name = "biases"});
  auto y = matmul(x, weights) + biases;
  return activated ? relu(y) : y;
}

void export_inference_graph(const std::string& path) {
  Graph graph;
  graph.set_seed(7);
  auto images = fill(graph, {100, 28}, 1.2f);
  auto hidden1 = layer(images, 28, 128, "hidden1", true);
  auto hidden2 = layer(hidden1, 128, 32, "hidden2", true);
  auto logits = layer(hidden2, 32, 10, "softmax_linear", false);
  graph.add_to_collection("logits", logits);

  Session session(graph);
  session.run(global_variables_initializer(graph));
  session.run(logits);
  Saver saver(graph);
  saver.save(session, path);
  saver.export_meta_graph(path + ".meta");
}

void import_and_train(const std::string& path) {
  Graph graph;
  Session session(graph);
  Saver saver = import_meta_graph(graph, path + ".meta");
  saver.restore(session, path);

  auto labels = fill(graph, {100}, 0);
  auto batch_size = size(labels);
  auto indices = expand_dims(range(0, batch_size), 1);
  auto concated = concat({indices, expand_dims(labels, 1)}, 1);
  auto onehot_labels =
      sparse_to_dense(concated, stack({batch_size, 10}), 1.0f, {.default_value = 0.0f});
  auto logits = graph.collection<Output>("logits")[0];
  auto cross_entropy = softmax_cross_entropy_with_logits(
      {.labels = onehot_labels, .logits = logits, .name = "xentropy"});
  auto loss = reduce_mean(cross_entropy, {}, {.name = "xentropy_mean"});
  scalar_summary(loss.op().name(), loss);
  auto train_op = GradientDescentOptimizer(0.01).minimize(loss);

  std::cout << graph.variables().size() << " variables restored, loss " << session.run(loss).str()
            << "\n";
  for (int i = 0; i < 50; ++i) session.run(train_op);
  std::cout << "after 50 steps, loss " << session.run(loss).str() << "\n";
  // the graph with loss and train_op, for further training
  saver.save(session, path, {.global_step = 50});
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string path = std::filesystem::path(argc > 1 ? argv[1] : ".") / "my-model";
  export_inference_graph(path);
  import_and_train(path);
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
