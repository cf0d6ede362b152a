// A program outside the tree, as a user's first one is: trains two numbers towards 3 and 2, saves,
// forgets, restores.
#include <cairn/cairn.h>

#include <iostream>

int main() try {
  cairn::Graph graph;
  auto w = variable(zeros(graph, {2}), {.name = "w"});
  auto loss = reduce_mean(square(w - cairn::Tensor::vector<float>({3, 2})));
  auto step = cairn::GradientDescentOptimizer(1).minimize(loss);
  cairn::Saver saver(graph);
  cairn::Session session(graph);
  session.run(global_variables_initializer(graph));
  for (int i = 0; i < 10; ++i) session.run(step);
  const std::string prefix = saver.save(session, "model", {.global_step = 10});

  graph.reset();
  cairn::Saver restorer = cairn::import_meta_graph(graph, prefix + ".meta");
  cairn::Session restored(graph);
  restorer.restore(restored, prefix);
  std::cout << "w: " << restored.run("w:0").str() << "\n";
} catch (const cairn::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
