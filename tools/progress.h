// A progress line on standard error, erased at the end; nothing if standard error is not a
// terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace cairn {

//   Progress progress("copying", names.size());
//   for (...) { ...; progress.step(); }
class Progress {
 public:
  Progress(std::string what, size_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void step();

 private:
  std::string what_;
  size_t total_, done_ = 0;
  bool shown_ = false;
  const bool terminal_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace cairn
