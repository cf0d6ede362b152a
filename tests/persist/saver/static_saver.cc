// A program whose saver, session and graph are one object of static storage: it returns from main()
// with a save in the background. Its path is the argument.
#include <memory>

#include "ops/array/array.h"
#include "ops/state/variables.h"
#include "persist/saver/saver.h"

namespace {

struct Trainer {
  cairn::Graph graph;
  cairn::Variable weights;
  std::unique_ptr<cairn::Saver> saver;
  std::unique_ptr<cairn::Session> session;

  void start() {
    weights = cairn::variable(cairn::fill(graph, {1 << 20}, 1.5f), {.name = "w"});
    saver = std::make_unique<cairn::Saver>(graph);
    session = std::make_unique<cairn::Session>(graph);
    session->run(weights.initializer());
  }
};
Trainer trainer;

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  trainer.start();
  trainer.saver->save_async(*trainer.session, argv[1], {.global_step = 1});
  return 0;
}
