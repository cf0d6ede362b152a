// The op of docs/add_an_op.md, outside the tree: add_an_op.h and import.h are its code, taken out
// of the page.
#include <cairn/cairn.h>

#include <iostream>

using namespace cairn;

namespace {
#include "add_an_op.h"
}  // namespace

int main() try {
  {
    Graph graph;
    auto x = placeholder(graph, DType::kFloat, {-1}, {.name = "x"});
    auto y = cube(x, {.name = "y"});
    auto dy = gradients({y}, {x})[0];
    Session session(graph);
    const auto values = session.run({y, dy}, {{x, Tensor::vector<float>({1, -2})}});
    std::cout << values[0].data<float>()[1] << " " << values[1].data<float>()[1] << "\n";
    export_meta_graph(graph, {.filename = "model.meta"});
  }
  Graph graph;
#include "import.h"
  Session session(graph);
  std::cout << session.run("y:0", {{"x:0", Tensor::vector<float>({3})}}).data<float>()[0] << "\n";
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
