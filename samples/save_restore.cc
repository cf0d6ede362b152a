// Saves two variables and restores them in another graph: the first example of TensorFlow's guide
// to saving.
#include <cairn/cairn.h>

#include <filesystem>
#include <iostream>

using namespace cairn;

namespace {

void save(const std::string& path) {
  Graph graph;
  auto v1 = get_variable(graph, "v1", {3}, {.initializer = zeros_initializer()});
  auto v2 = get_variable(graph, "v2", {5}, {.initializer = zeros_initializer()});
  auto inc_v1 = v1.assign(v1 + 1.0f);
  auto dec_v2 = v2.assign(v2 - 1.0f);

  Saver saver(graph);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  session.run(inc_v1);
  session.run(dec_v2);
  std::cout << "Model saved in path: " << saver.save(session, path) << "\n";
}

void restore(const std::string& path) {
  Graph graph;
  auto v1 = get_variable(graph, "v1", {3});
  auto v2 = get_variable(graph, "v2", {5});

  Saver saver(graph);
  Session session(graph);  // restored variables need no initializer
  saver.restore(session, path);
  std::cout << "Model restored.\n";
  std::cout << "v1 : " << session.run(v1).str() << "\n";
  std::cout << "v2 : " << session.run(v2).str() << "\n";
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string path = std::filesystem::path(argc > 1 ? argv[1] : ".") / "model.ckpt";
  save(path);
  restore(path);
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
