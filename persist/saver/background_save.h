// Saves on their way: what one consists of, and those that go on in the background.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "persist/saver/saver.h"

namespace cairn::internal {

// Everything that a save needs besides the values, settled when it is begun.
struct SaveJob {
  std::string path, checkpoint;  // "run/model", "run/model-100"
  SaveOptions options;
  double time = 0;
  FileSystem* fs = nullptr;
  std::shared_ptr<const std::string> meta = nullptr;  // null: no meta graph
};

struct BackgroundSave {
  std::string checkpoint;
  std::shared_future<std::string> result;
  std::atomic<bool> told = false;  // its error, if any, was thrown at someone
};

// Of one saver and its copies. The session that runs the save nodes is of the same graph and has
// the values of the moment; it is kept, for its plan.
struct BackgroundSaves {
  explicit BackgroundSaves(std::function<void(const std::string&)> on_warning)
      : warn(std::move(on_warning)) {}
  ~BackgroundSaves();
  // Waits for the one under way. Throws its error unless someone was told; FailedPrecondition in
  // its own thread. The caller has `turn`.
  void settle();
  Session& session_for(Session& session);

  // Whose turn it is to save with this saver, from before settle() until the save is done or goes
  // on in the background. A callback of a save may save again.
  std::recursive_mutex turn;
  std::function<void(const std::string&)> warn;
  std::shared_ptr<BackgroundSave> running;
  std::thread thread;
  std::unique_ptr<Session> values;
  uint64_t epoch = 0;  // of the graph when `values` was made
};

}  // namespace cairn::internal
