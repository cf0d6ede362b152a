#include "tests/support/program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

namespace cairn {

std::vector<std::string> Finished::lines() const {
  std::vector<std::string> lines;
  std::istringstream in(out);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

Program::Program(const std::filesystem::path& program, const std::vector<std::string>& args,
                 const std::filesystem::path& working_directory) {
  // Between fork and exec only functions that are safe in a signal handler may be called, so memory
  // is allocated before.
  const std::string path = program.string(), folder = working_directory.string(),
                    out = (output_ / "out").string(), err = (output_ / "err").string();
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  // exists even if the program is killed at once
  for (const std::string& file : {out, err}) write_bytes(file, "");
  pid_ = fork();
  if (pid_ < 0) fail(Code::kResourceExhausted, "cannot start ", path);
  if (pid_ > 0) return;
  const auto redirect = [](const char* file, int fd) {
    const int opened = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    return opened >= 0 && dup2(opened, fd) >= 0;
  };
  if (redirect(out.c_str(), 1) && redirect(err.c_str(), 2) && chdir(folder.c_str()) == 0)
    execv(path.c_str(), argv.data());
  _exit(127);
}

Program::~Program() {
  kill();
  if (!ended_) waitpid(pid_, nullptr, 0);
}

bool Program::running() {
  if (!ended_) ended_ = waitpid(pid_, &wait_status_, WNOHANG) == pid_;
  return !ended_;
}

void Program::kill() {
  if (!ended_) ::kill(pid_, SIGKILL);
}

Finished Program::wait() {
  if (!ended_) ended_ = waitpid(pid_, &wait_status_, 0) == pid_;
  const int status =
      WIFSIGNALED(wait_status_) ? -WTERMSIG(wait_status_) : WEXITSTATUS(wait_status_);
  if (status == 127) fail(Code::kNotFound, "a program could not be started");
  return {status, read_bytes(output_ / "out"), read_bytes(output_ / "err")};
}

Finished run_program(const std::filesystem::path& program, const std::vector<std::string>& args,
                     const std::filesystem::path& working_directory) {
  return Program(program, args, working_directory).wait();
}

}  // namespace cairn
