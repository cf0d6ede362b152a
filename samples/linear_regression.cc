// The smallest complete program: fits a line to points, saves it, and restores it in another
// session.
#include <cairn/cairn.h>

#include <iostream>

using namespace cairn;

int main() try {
  Graph graph;
  auto x = placeholder(graph, DType::kFloat, {-1}, {.name = "x"});
  auto y_true = placeholder(graph, DType::kFloat, {-1}, {.name = "y"});
  auto slope = variable(zeros(graph, {}), {.name = "slope"});
  auto height = variable(zeros(graph, {}), {.name = "height"});
  auto loss = reduce_mean(square(slope * x + height - y_true));
  auto step = GradientDescentOptimizer(0.1).minimize(loss);

  Saver saver(graph);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  auto xs = Tensor::vector<float>({-2, -1, 0, 1, 2}),
       ys = Tensor::vector<float>({-3.9, -1.1, 2.1, 5, 8.1});
  for (int i = 0; i < 100; ++i) session.run(step, {{x, xs}, {y_true, ys}});
  // line-100.index, .data-00000-of-00001, .meta
  auto prefix = saver.save(session, "line", {.global_step = 100});

  Session another(graph);
  saver.restore(another, prefix);
  std::cout << "y = " << another.run(slope).scalar<float>() << " x + "
            << another.run(height).scalar<float>() << "\n";
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
