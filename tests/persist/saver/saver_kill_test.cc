// Writers that are killed: the last save that was acknowledged survives, whatever they were doing.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <random>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/generations.h"

namespace cairn {
namespace {

using Clock = std::chrono::steady_clock;

// Saves one generation after the other and writes the number of each that save() returned for to
// `acknowledge`.
[[noreturn]] void save_until_killed(Generation& g, const std::string& path, bool numbered,
                                    int64_t from, int acknowledge) {
  try {
    for (int64_t i = from;; ++i) {
      g.set_number(i);
      g.save(posix_file_system(), path, {.global_step = numbered ? StepNumber(i) : StepNumber()});
      if (write(acknowledge, &i, sizeof i) != static_cast<ssize_t>(sizeof i)) _exit(2);
    }
  } catch (const std::exception& e) {
    const std::string what = e.what();
    (void)!write(2, what.data(), what.size());
    _exit(1);
  }
}

int64_t last_of(int pipe, int64_t otherwise) {
  constexpr ssize_t kWhole = sizeof(int64_t);
  for (int64_t number = 0; read(pipe, &number, sizeof number) == kWhole;) otherwise = number;
  return otherwise;
}

// Returns how many writers were killed.
int kill_for(Clock::duration time, Form form, bool numbered) {
  const TempDir dir;
  const std::string path = dir / "m\u00f6del 1";
  Generation g(0, form, {.max_to_keep = 2});
  g.save(posix_file_system(), path, {.global_step = numbered ? StepNumber(0) : StepNumber()});
  std::mt19937 random(std::random_device{}());
  int64_t acknowledged = 0;
  int kills = 0;
  for (const auto end = Clock::now() + time; Clock::now() < end; ++kills) {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      close(pipe[0]);
      save_until_killed(g, path, numbered, acknowledged + 1, pipe[1]);
    }
    close(pipe[1]);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    acknowledged = last_of(pipe[0], acknowledged);
    close(pipe[0]);

    const auto newest = latest_checkpoint(dir.path(), kCheckpointFileName);
    REQUIRE(newest);
    const int64_t found = generation_of_values(posix_file_system(), *newest);
    CAPTURE(kills, acknowledged, found);
    // The save that was under way when the signal came may be there as well.
    REQUIRE((found == acknowledged || found == acknowledged + 1));
    CHECK(generation_of_meta(posix_file_system(), *newest) == 0);
    CHECK(latest_checkpoint(dir.path(), {.verify = true}) == newest);
    acknowledged = found;
  }
  g.set_number(acknowledged + 1);
  g.save(posix_file_system(), path);
  CHECK(leftovers(posix_file_system(), dir.path()) == std::vector<std::string>{});
  return kills;
}

}  // namespace

TEST_CASE("The last save that was acknowledged survives kills at any moment", "[persist][kill]") {
  using namespace std::chrono_literals;
  CHECK(kill_for(600ms, Form::kV2, true) > 0);
  CHECK(kill_for(600ms, Form::kV2, false) > 0);
  CHECK(kill_for(600ms, Form::kShardedV2, false) > 0);
  CHECK(kill_for(600ms, Form::kShardedV1, false) > 0);
}

TEST_CASE("It does for a minute", "[.][kill-long]") {
  using namespace std::chrono_literals;
  int kills = 0;
  for (const Form form : {Form::kV2, Form::kShardedV2, Form::kShardedV1}) {
    for (const bool numbered : {false, true}) kills += kill_for(10s, form, numbered);
  }
  std::printf("%d kills, nothing lost\n", kills);
}

}  // namespace cairn
