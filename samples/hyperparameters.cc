// Stores the settings of a run in its graph, in a collection of a message type of the program, and
// reads them from the newest checkpoint of a directory.
#include <cairn/cairn.h>

#include <filesystem>
#include <iostream>

#include "samples/hparams.pb.h"

using namespace cairn;

namespace {

struct HParams {
  double learning_rate = 0;
  int64_t hidden_units = 0;
  std::vector<std::string> notes = {};
};

hyperparameters::HParams to_proto(const HParams& h) {
  hyperparameters::HParams proto;
  proto.set_learning_rate(h.learning_rate);
  proto.set_hidden_units(h.hidden_units);
  for (const auto& note : h.notes) proto.add_notes(note);
  return proto;
}
HParams from_proto(const hyperparameters::HParams& proto) {
  return {
      proto.learning_rate(), proto.hidden_units(), {proto.notes().begin(), proto.notes().end()}};
}

const auto hparams = register_proto<HParams>("hparams", to_proto, from_proto);

void train(const std::filesystem::path& dir) {
  Graph graph;
  const HParams chosen{
      .learning_rate = 0.05, .hidden_units = 16, .notes = {"first try", "no dropout"}};
  hparams.add(graph, chosen);
  auto x = fill(graph, {4, 3}, 1.0f);
  auto hidden = relu(matmul(x, get_variable(graph, "hidden", {3, chosen.hidden_units})));
  auto loss = reduce_mean(
      square(matmul(hidden, get_variable(graph, "out", {chosen.hidden_units, 1})) - 1.0f));
  auto step = GradientDescentOptimizer(chosen.learning_rate).minimize(loss);
  Saver saver(graph);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  for (int i = 0; i < 10; ++i) session.run(step);
  saver.save(session, dir / "model", {.global_step = 10});
}

}  // namespace

int main(int argc, char** argv) try {
  const std::filesystem::path dir = argc > 1 ? argv[1] : ".";
  train(dir);

  Graph graph;  // as in another program
  import_meta_graph(graph, *latest_checkpoint(dir) + ".meta");
  for (const HParams& h : hparams.get(graph)) {
    std::cout << "learning rate " << h.learning_rate << ", " << h.hidden_units << " hidden units\n";
    for (const auto& note : h.notes) std::cout << "note: " << note << "\n";
  }
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
