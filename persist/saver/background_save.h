// The state of saves in progress, in the foreground and in the background.
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

// Everything that a save needs besides the values; determined when it begins.
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
  std::atomic<bool> told = false;  // its error, if any, was thrown to a caller
};

// The saves in the background of one saver and its copies. They run the save nodes in a session of
// their own, which shares the values of the moment and is kept for its plan.
struct BackgroundSaves {
  explicit BackgroundSaves(std::function<void(const std::string&)> on_warning)
      : warn(std::move(on_warning)) {}
  ~BackgroundSaves();
  // Waits for the running save. Throws its error unless a caller got it already; FailedPrecondition
  // if called in the save's own thread. The caller must hold `turn`.
  void settle();
  Session& session_for(Session& session);

  // Held from before settle() until the save is done or continues in the background. Recursive,
  // since a callback of a save may save again.
  std::recursive_mutex turn;
  std::function<void(const std::string&)> warn;
  std::shared_ptr<BackgroundSave> running;
  std::thread thread;
  std::unique_ptr<Session> values;
  uint64_t epoch = 0;  // the graph's epoch when `values` was made
};

}  // namespace cairn::internal
