#include "runtime/exec/thread_pool.h"

#include <atomic>
#include <cstdlib>
#include <numeric>
#include <thread>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/exec/context.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;
using internal::run_in_parallel;

TEST_CASE("Every piece runs exactly once", "[runtime][threads]") {
  for (const int threads : {1, 2, 4, 9}) {
    for (const int64_t pieces : {0, 1, 2, 7, 64, 1000}) {
      std::vector<std::atomic<int>> times(static_cast<size_t>(pieces));
      run_in_parallel(pieces, threads, [&](int64_t i) { ++times[static_cast<size_t>(i)]; });
      for (const auto& t : times) CHECK(t == 1);
    }
  }
}

TEST_CASE("What the pieces wrote is seen when the call returns", "[runtime][threads]") {
  for (int round = 0; round < 2000; ++round) {
    int64_t written[8] = {};
    run_in_parallel(8, 4, [&](int64_t i) { written[i] = i + round; });
    CHECK(std::accumulate(std::begin(written), std::end(written), int64_t{0}) == 28 + 8 * round);
  }
}

TEST_CASE("Workers that went to sleep come back", "[runtime][threads]") {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> done{0};
    run_in_parallel(4, 4, [&](int64_t) { ++done; });
    CHECK(done == 4);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

TEST_CASE("The exception of the first piece that threw comes out, after all have ended",
          "[runtime][threads]") {
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> ran{0};
    const Error error = error_of([&] {
      run_in_parallel(16, 4, [&](int64_t i) {
        ++ran;
        if (i % 5 == 3) fail(Code::kOutOfRange, "piece ", i);
      });
    });
    CHECK(error.code() == Code::kOutOfRange);
    CHECK(std::string(error.what()) == "piece 3");
    CHECK(ran == 16);
  }
}

TEST_CASE("Pieces may themselves be split", "[runtime][threads]") {
  std::atomic<int> ran{0};
  run_in_parallel(4, 4, [&](int64_t) { run_in_parallel(4, 4, [&](int64_t) { ++ran; }); });
  CHECK(ran == 16);
}

TEST_CASE("Several callers may use the workers at a time", "[runtime][threads]") {
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int round = 0; round < 500; ++round) run_in_parallel(8, 3, [&](int64_t i) { sum += i; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(sum == 4 * 500 * 28);
}

TEST_CASE("The number of threads comes from CAIRN_THREADS where it is set", "[runtime][threads]") {
  const char* before = std::getenv("CAIRN_THREADS");
  const std::string kept = before ? before : "";
  setenv("CAIRN_THREADS", "3", 1);
  CHECK(internal::default_threads() == 3);
  setenv("CAIRN_THREADS", "nonsense", 1);
  CHECK(internal::default_threads() >= 1);
  setenv("CAIRN_THREADS", "-2", 1);
  CHECK(internal::default_threads() >= 1);
  before ? setenv("CAIRN_THREADS", kept.c_str(), 1) : unsetenv("CAIRN_THREADS");
}

TEST_CASE("Pieces cover the whole and depend on size and cost only", "[runtime][threads]") {
  for (const int64_t n : {0, 1, 15, 16, 17, 1000, 12345, 1 << 20}) {
    for (const double cost : {0.1, 1.0, 100.0, 1e7}) {
      const int64_t piece = KernelContext::piece_size(n, cost);
      CHECK(piece >= 1);
      CHECK((n + piece - 1) / piece <= 64);
    }
  }
  CHECK(KernelContext::piece_size(1000, 1) >= 1000);  // too little to share
  CHECK(KernelContext::piece_size(1 << 20, 10) < 1 << 20);
}
