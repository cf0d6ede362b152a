// Commands that a signal ends: what they read is whole, and of what they write there is all or
// nothing.
#include <cairn/cairn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <set>

#include "persist/extras/checkpoint_doctor.h"
#include "tests/support/catch.h"
#include "tests/tools/commands.h"
#include "tests/tools/line_model.h"

using namespace cairn;
namespace fs = std::filesystem;

namespace {

using Args = std::vector<std::string>;
using Tree = std::map<std::string, std::string>;

Tree tree(const fs::path& directory) {
  Tree names;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    names[fs::relative(entry.path(), directory).string()] =
        entry.is_directory() ? "" : read_bytes(entry.path());
  }
  return names;
}

// `cairn` with its system calls counted: a moment that is the same in each run, whatever the
// machine has to do. Runs to the call of number `calls` and goes on from there with `signal`.
struct Ended {
  int status = 0;  // what a shell would say
  int64_t calls = 0;
};
Ended run_until(const Args& args, int64_t calls, int signal) {
  const std::string path = built_program("tools/cairn").string();
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) fail(Code::kResourceExhausted, "cannot start ", path);
  if (pid == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, 1);
    dup2(nowhere, 2);
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(126);
    execv(path.c_str(), argv.data());
    _exit(127);
  }
  int state = 0;
  Ended ended;
  for (waitpid(pid, &state, 0); WIFSTOPPED(state); waitpid(pid, &state, 0)) {
    if (++ended.calls == calls) {
      ptrace(PTRACE_DETACH, pid, nullptr, reinterpret_cast<void*>(static_cast<intptr_t>(signal)));
      if (signal == SIGKILL) kill(pid, signal);
    } else {
      const int came = WSTOPSIG(state) == SIGTRAP ? 0 : WSTOPSIG(state);
      ptrace(PTRACE_SYSCALL, pid, nullptr, reinterpret_cast<void*>(static_cast<intptr_t>(came)));
    }
  }
  ended.status = WIFSIGNALED(state) ? 128 + WTERMSIG(state) : WEXITSTATUS(state);
  return ended;
}

struct Command {
  Args args;             // {}: where the destination stands
  bool trains = false;   // writes checkpoints one after another, each of them a whole
  std::string out = "";  // what the destination ends in
};

std::vector<Command> commands(const Trained& t) {
  return {{{"copy", t.prefix, "{}"}},
          {{"convert", t.prefix, "{}", "--format", "v1"}},
          {{"average", t.prefix, t.prefix, "{}"}},
          {{"rename", t.prefix, "{}", "--map", "w=v"}},
          {{"export", t.prefix, "{}"}, false, ".npz"},
          {{"export", t.prefix, "{}"}, false, ".safetensors"},
          {{"freeze", t.prefix, t.prefix, "{}", "--output", "add"}},
          {{"run", t.prefix, "--checkpoint", t.prefix, "--fetch", "w", "--fetch", "b", "--output",
            "{}"}},
          {t.train_args("{}") + Args{"--steps", "3", "--save-every", "1"}, true}};
}

Args with_destination(const Command& command, const fs::path& destination) {
  Args args = command.args;
  for (std::string& arg : args) {
    if (arg == "{}") arg = destination.string() + command.out;
  }
  return args;
}

// Everything that has its final name is as a whole run leaves it; an index has all that belongs to
// it.
void check_is_old_or_new(const Tree& now, const Tree& whole) {
  for (const auto& [name, bytes] : whole) {
    CAPTURE(name);
    if (now.count(name)) CHECK(now.at(name) == bytes);
    const bool is_index = name.ends_with(".index");
    for (const auto& [other, none] : whole) {
      if (is_index && now.count(name)) CHECK(now.count(other) == 1);
    }
  }
}

bool is_left_by_training(const std::string& name) {
  const std::string base = fs::path(name).filename().string();
  return base.empty() || base[0] != '.' || base == ".cairn";
}

void end_at_many_moments(const Command& command, const Trained& t, int signal, int64_t total,
                         const Tree& whole, int moments) {
  const Tree source = tree(t.dir.path());
  for (int i = 1; i <= moments; ++i) {
    const TempDir to;
    const Ended ended =
        run_until(with_destination(command, to / "new/out"), total * i / moments, signal);
    const Tree now = tree(to.path());
    CAPTURE(command.args[0], signal, ended.calls, total, ended.status, now.size());
    CHECK((ended.status == 128 + signal || ended.status == 0));
    CHECK(tree(t.dir.path()) == source);
    if (!command.trains) {
      check_is_old_or_new(now, whole);
      if (signal != SIGKILL) CHECK((now.empty() || now == whole));
    } else if (now.count("new/out")) {
      const DirectoryReport report = examine_directory(to / "new/out");
      for (const auto& prefix : find_checkpoints(to / "new/out"))
        CHECK_NOTHROW(CheckpointReader(prefix).verify());
      if (signal == SIGKILL) continue;
      CHECK(report.healthy());
      CHECK(now.size() > 2);  // no empty directory
      for (const auto& [name, bytes] : now) CHECK(is_left_by_training(name));
    }
  }
}

}  // namespace

TEST_CASE(
    "Commands ended by a signal at any moment leave their sources whole, and all of a destination "
    "or nothing",
    "[tools]") {
  const Trained t;
  {
    const TempDir to;
    if (run_until({"--version"}, 0, 0).status != 0) return skip("programs cannot be traced here");
  }
  for (const Command& command : commands(t)) {
    const TempDir to;
    const Ended run = run_until(with_destination(command, to / "new/out"), 0, 0);
    const Tree whole = tree(to.path());
    CAPTURE(command.args[0]);
    REQUIRE(whole.size() >= 2);
    for (const int signal : {SIGINT, SIGTERM, SIGKILL})
      end_at_many_moments(command, t, signal, run.calls, whole, 16);
  }
}

TEST_CASE("A command whose reader goes away ends quietly", "[tools]") {
  const TempDir dir;
  const std::string prefix =
      write_tensors(dir / "m", {{"w", Tensor::zeros(DType::kFloat, {200000})}});
  const std::string cairn = built_program("tools/cairn").string();
  const Finished run =
      run_program("/bin/sh", {"-c", "{ " + cairn + " inspect " + prefix + " --values; echo $? >" +
                                        (dir / "status").string() + "; } | head -n 1"});
  CHECK(run.err.empty());
  CHECK(run.lines().size() == 1);
  CHECK(read_bytes(dir / "status") == "141\n");
}

TEST_CASE("What a command wrote stays when the reader of its report goes away", "[tools]") {
  const Trained t;
  const TempDir to;
  const std::string cairn = built_program("tools/cairn").string(), out = (to / "out.npz").string();
  const Finished run = run_program("/bin/sh", {"-c", "(sleep 0.01; exec " + cairn + " export " +
                                                         t.prefix + " " + out + ") | true"});
  CHECK(run.err.empty());
  CHECK(fs::exists(out));
}
