// Runs programs of this build in other processes.
//
//   const Finished done = run_program(built_program("samples/mnist_softmax"), {"--steps", "10"});
//   CHECK(done.status == 0);
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/support/fixtures.h"

namespace cairn {

struct Finished {
  int status = 0;  // the exit status; if a signal ended the program, minus its number
  std::string out, err;

  std::vector<std::string> lines() const;  // of out
};

// A running program. The constructor throws Error if it cannot be started.
class Program {
 public:
  Program(const std::filesystem::path& program, const std::vector<std::string>& args,
          const std::filesystem::path& working_directory = ".");
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  bool running();
  void kill();  // SIGKILL; does nothing if it has ended
  Finished wait();

 private:
  TempDir output_;
  pid_t pid_ = 0;
  bool ended_ = false;
  int wait_status_ = 0;
};

Finished run_program(const std::filesystem::path& program, const std::vector<std::string>& args,
                     const std::filesystem::path& working_directory = ".");

}  // namespace cairn
