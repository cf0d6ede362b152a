// Lists the tensors of a checkpoint, without a graph: of the one given on the command line, or of a
// small one made here.
#include <cairn/cairn.h>

#include <iostream>

using namespace cairn;

namespace {

std::string small_checkpoint() {
  Graph graph;
  variable(ones(graph, {3}), {.name = "v1"});
  variable(-ones(graph, {5}), {.name = "v2"});
  Saver saver(graph);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  return saver.save(session, "model.ckpt");
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string path = argc > 1 ? argv[1] : small_checkpoint();
  std::cout << "# names, dtypes and shapes\n";
  print_tensors_in_checkpoint_file(path, "");

  std::cout << "# every tensor\n";
  print_tensors_in_checkpoint_file(path, "", true);

  const CheckpointReader reader(path);
  if (reader.names().empty()) return 0;
  const std::string first = reader.names().front();
  std::cout << "# only " << first << "\n";
  print_tensors_in_checkpoint_file(path, first);

  std::cout << "# as values\n";
  for (const auto& [name, shape] : reader.variable_to_shape_map()) {
    const Tensor value = reader.get_tensor(name);
    std::cout << name << ": " << value.num_elements() << " elements of "
              << dtype_name(value.dtype()) << ", " << shape << "\n";
  }
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
