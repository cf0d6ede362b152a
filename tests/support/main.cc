// The main function of every test program. With every version of Catch2 its last line of output is
// `N passed, M failed, K skipped`, in test cases; `./dev test` adds them up.
#define CATCH_CONFIG_RUNNER
#include "tests/support/catch.h"

#include <cstdio>

#include "tests/support/fixtures.h"

namespace {

#if CATCH_VERSION_MAJOR >= 3
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

struct Counts {
  unsigned passed = 0, failed = 0, skipped = 0;
} counts;
std::string running, skip_reason;

struct Counter : Listener {
  using Listener::Listener;

  void testCaseStarting(const Catch::TestCaseInfo& test) override {
    Listener::testCaseStarting(test);
    running = test.name;
    skip_reason.clear();
  }
  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    Listener::testCaseEnded(stats);
    if (stats.totals.testCases.failed > 0) {
      ++counts.failed;
    } else if (!skip_reason.empty()) {
      ++counts.skipped;
      std::printf("skipped: %s: %s\n", running.c_str(), skip_reason.c_str());
    } else {
      ++counts.passed;
    }
  }
};
CATCH_REGISTER_LISTENER(Counter)

}  // namespace

namespace cairn {
void skip(const std::string& reason) { skip_reason = reason; }
}  // namespace cairn

int main(int argc, char** argv) {
  Catch::Session session;
#if CATCH_VERSION_MAJOR >= 3
  session.configData().allowZeroTests = true;
#endif
  const int result = session.run(argc, argv);
  std::printf("%u passed, %u failed, %u skipped\n", counts.passed, counts.failed, counts.skipped);
  return result;
}
