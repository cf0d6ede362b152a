// A small model for tests of savers, with files in memory.
#pragma once

#include "ops/array/array.h"
#include "ops/math/math.h"
#include "ops/state/variables.h"
#include "persist/saver/saver.h"
#include "tests/support/memory_fs.h"

namespace cairn {

using Strings = std::vector<std::string>;

// A file system with one directory, /run.
struct RunDisk : MemoryFileSystem {
  RunDisk() { create_dirs("/run"); }
  // The numbers of the checkpoints /run/m-1, /run/m-2 ... that exist.
  std::vector<int> steps() {
    std::vector<int> found;
    for (int step = 1; step <= 100; ++step) {
      if (exists(str_cat("/run/m-", step, ".index"))) found.push_back(step);
    }
    return found;
  }
};

// The variables a (ones [3]) and b (twos [2,2]), in a session with its files on `disk`: one run of
// a program.
struct SmallModel {
  explicit SmallModel(FileSystem& disk, SaverOptions options = {})
      : session(graph, {.file_system = &disk}) {
    a = variable(ones(graph, {3}), {.name = "a"});
    b = variable(ones(graph, {2, 2}) * 2.0f, {.name = "b"});
    if (!options.on_warning)
      options.on_warning = [this](const std::string& text) { warnings.push_back(text); };
    saver = Saver(graph, options);
    session.run(global_variables_initializer(graph));
  }
  void set_a(float value) { session.set_value(a, Tensor::vector<float>({value, value, value})); }
  std::string save(int step, SaveOptions options = {}) {
    options.global_step = step;
    return saver.save(session, "/run/m", options);
  }
  void save_all(std::initializer_list<int> steps) {
    for (const int step : steps) save(step);
  }

  Strings warnings;
  Graph graph;
  Variable a, b;
  Session session;
  Saver saver;
};

// The reason why the checkpoint of a step is kept.
inline Strings reasons(FileSystem& disk, int step) {
  for (const KeptCheckpoint& kept : kept_checkpoints("/run", &disk)) {
    if (kept.prefix == str_cat("/run/m-", step)) return kept.reasons;
  }
  return {};
}

}  // namespace cairn
