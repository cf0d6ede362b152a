// Keeps several checkpoints of a run, finds the newest one, and continues from it after a restart.
#include <cairn/cairn.h>

#include <filesystem>
#include <iostream>

using namespace cairn;

namespace {

// One process of the run. `now` replaces the clock, so that hours pass quickly.
void train(const std::filesystem::path& dir, int steps, double& now) {
  Graph graph;
  auto global_step = create_global_step(graph);
  auto count = global_step.assign_add(constant(graph, int64_t{1}));
  // Keep the newest three, and one for every two hours.
  Saver saver(graph, {.max_to_keep = 3, .keep_checkpoint_every_n_hours = 2, .clock = [&now] {
                        return now;
                      }});
  Session session(graph);
  if (auto newest = latest_checkpoint(dir)) {
    saver.restore(session, *newest);
    std::cout << "going on from " << std::filesystem::path(*newest).filename().string() << "\n";
  } else {
    session.run(global_variables_initializer(graph));
  }
  for (int i = 0; i < steps; ++i) {
    session.run(count);
    now += 1800;
    saver.save(session, dir / "model", {.global_step = global_step});
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const std::filesystem::path dir = argc > 1 ? argv[1] : ".";
  double now = 1.5e9;
  train(dir, 6, now);
  train(dir, 4, now);  // as after a restart of the program

  const auto state = get_checkpoint_state(dir);
  if (!state) return 1;
  std::cout << "newest: " << std::filesystem::path(state->model_checkpoint_path).filename().string()
            << "\n";
  for (const auto& path : state->all_model_checkpoint_paths) {
    std::cout << "listed: " << std::filesystem::path(path).filename().string() << "\n";
  }
  for (int step = 1; step <= 10; ++step) {
    if (checkpoint_exists(dir / ("model-" + std::to_string(step))))
      std::cout << "there: model-" << step << "\n";
  }
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
