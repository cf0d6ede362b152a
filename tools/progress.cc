#include "tools/progress.h"

#include <unistd.h>

#include <iostream>
#include <utility>

namespace cairn {

// Short work shows nothing.
constexpr std::chrono::milliseconds kPause(200);

Progress::Progress(std::string what, size_t total)
    : what_(std::move(what)),
      total_(total),
      terminal_(::isatty(STDERR_FILENO) == 1),
      next_(std::chrono::steady_clock::now() + kPause) {}

Progress::~Progress() {
  if (shown_) std::cerr << "\r\x1b[K" << std::flush;
}

void Progress::step() {
  ++done_;
  if (!terminal_ || std::chrono::steady_clock::now() < next_) return;
  next_ = std::chrono::steady_clock::now() + kPause;
  shown_ = true;
  std::cerr << "\r\x1b[K" << what_ << ": " << done_ << " of " << total_ << std::flush;
}

}  // namespace cairn
