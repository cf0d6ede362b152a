// Writes a graph to a file, as bytes, text and JSON. Its collections name the tensors that another
// program feeds and fetches.
#include <cairn/cairn.h>

#include <filesystem>
#include <iostream>

using namespace cairn;
namespace fs = std::filesystem;

namespace {

void export_model(const fs::path& dir) {
  Graph graph;
  auto x = placeholder(graph, DType::kFloat, {-1, 2}, {.name = "x"});
  auto w = variable(constant(graph, Tensor::matrix<float>({{2}, {3}})), {.name = "w"});
  auto y = matmul(x, w, {.name = "y"});
  graph.add_to_collection("inputs", x);
  graph.add_to_collection("outputs", y);
  graph.add_to_collection("scratch", identity(y));  // not for other programs

  Session session(graph);
  session.run(global_variables_initializer(graph));
  Saver saver(graph);
  saver.save(session, dir / "model");  // writes model.meta with every collection

  saver.export_meta_graph(dir / "chosen.meta", {.collection_list = {{"inputs", "outputs"}}});
  saver.export_meta_graph(dir / "chosen.pbtxt",
                          {.as_text = true, .collection_list = {{"inputs", "outputs"}}});
  saver.export_meta_graph(dir / "chosen.json",
                          {.as_json = true, .collection_list = {{"inputs", "outputs"}}});
}

// Uses only the names of the collections. Reads all three formats, which are recognized by the
// content of the file.
void use_model(const fs::path& graph_file, const fs::path& checkpoint) {
  Graph graph;
  Saver saver = import_meta_graph(graph, graph_file);
  Session session(graph);
  saver.restore(session, checkpoint);
  auto x = graph.collection<Output>("inputs")[0];
  auto y = graph.collection<Output>("outputs")[0];
  auto result = session.run(y, {{x, Tensor::matrix<float>({{1, 1}, {10, 1}})}});
  std::cout << graph_file.filename().string() << ":";
  for (const auto& key : graph.collection_keys()) std::cout << " " << key;
  std::cout << "; y = " << result.reshaped({2}).str() << "\n";
}

// Imports the file twice into one graph: each copy has its own scope and saver.
void use_model_twice(const fs::path& dir) {
  Graph graph;
  Saver left = import_meta_graph(graph, dir / "model.meta", {.import_scope = "left"});
  Saver right = import_meta_graph(graph, dir / "model.meta", {.import_scope = "right"});
  Session session(graph);
  left.restore(session, dir / "model");
  right.restore(session, dir / "model");
  auto sum = graph.find("left/y:0") + graph.find("right/y:0");
  const Tensor one = Tensor::matrix<float>({{1, 1}});
  std::cout << sum.name() << " = "
            << session.run(sum, {{"left/x:0", one}, {"right/x:0", one}}).str() << "\n";
}

}  // namespace

int main(int argc, char** argv) try {
  const fs::path dir = argc > 1 ? argv[1] : ".";
  export_model(dir);
  for (const char* file : {"model.meta", "chosen.meta", "chosen.pbtxt", "chosen.json"}) {
    use_model(dir / file, dir / "model");
  }
  use_model_twice(dir);
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
