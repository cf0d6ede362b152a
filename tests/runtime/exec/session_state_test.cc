#include <atomic>
#include <thread>

#include "runtime/exec/session.h"
#include "tests/support/catch.h"

using namespace cairn;

namespace {

std::atomic<int> numbers_made{0};

// Keeps a number and a text in the session; gives the number, one more each time, plus the text's
// length.
constexpr OpDef kStates = {.name = "TestStates",
                           .inputs = "",
                           .outputs = "y: float",
                           .attrs = "",
                           .stateful = true,
                           .shape = scalar_shape,
                           .prepare = [](const KernelSetup& s) -> Kernel {
                             const auto number = s.session_state<std::atomic<int>>([] {
                               ++numbers_made;
                               return std::make_shared<std::atomic<int>>(0);
                             });
                             const auto text = s.session_state<std::string>(
                                 [] { return std::make_shared<std::string>("abc"); });
                             return [number, text](KernelContext& c) {
                               const int sum = ++*number + static_cast<int>(text->size());
                               *c.allocate(0, {}).data<float>() = static_cast<float>(sum);
                             };
                           }};

// Counts, in what the run shares, how many of them have run.
constexpr OpDef kTurn = {.name = "TestTurn",
                         .inputs = "",
                         .outputs = "y: int32",
                         .attrs = "",
                         .stateful = true,
                         .shape = scalar_shape,
                         .prepare = [](const KernelSetup&) -> Kernel {
                           return [](KernelContext& c) {
                             *c.allocate(0, {}).data<int32_t>() = ++c.run_state().get<int32_t>();
                           };
                         }};

}  // namespace

TEST_CASE("A node keeps one state of each type in a session, made once for all of its plans",
          "[session]") {
  Graph graph;
  const Output y = add_operation(graph, kStates).output();
  Session session(graph);
  numbers_made = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back(
        [&, i] { session.run_all(std::vector<Target>(static_cast<size_t>(i) + 1, Target(y))); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(numbers_made == 1);
  CHECK(session.run(y).scalar<float>() == 8);
  Session another(graph);
  CHECK(another.run(y).scalar<float>() == 4);
}

TEST_CASE("Kernels share what belongs to the run, and the next run begins anew", "[session]") {
  Graph graph;
  const Output first = add_operation(graph, kTurn).output(),
               second = add_operation(graph, kTurn).output();
  Session session(graph);
  for (int run = 0; run < 2; ++run) {
    const auto turns = session.run({first, second});
    CHECK(turns[0].scalar<int32_t>() == 1);
    CHECK(turns[1].scalar<int32_t>() == 2);
  }
}
