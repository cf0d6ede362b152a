// What several threads do at once, small enough to run under a race detector (`./dev test --tsan`):
// no test here can show by itself that there are no races.
#include <atomic>
#include <fstream>
#include <functional>
#include <thread>

#include "ops/array/array.h"
#include "ops/flow/cond.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/state/state.h"
#include "ops/state/variables.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/saver/saver.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "train/optimizers.h"

namespace cairn {
namespace {

// Runs `body(0)` … `body(count - 1)`, a thread each, and gives what they threw. Catch's macros
// belong to one thread.
std::vector<std::string> in_threads(int count, const std::function<void(int)>& body) {
  std::vector<std::string> errors(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      try {
        body(i);
      } catch (const std::exception& e) {
        errors[static_cast<size_t>(i)] = e.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<std::string> thrown;
  for (std::string& error : errors) {
    if (!error.empty()) thrown.push_back(std::move(error));
  }
  return thrown;
}

void expect(bool condition, const std::string& what) {
  if (!condition) throw std::logic_error(what);
}

using None = std::vector<std::string>;

// Two variables that are always equal after a step, and how many steps there were.
struct Model {
  explicit Model(Graph& graph)
      : a(variable(zeros(graph, {64, 8}), {.name = "a"})),
        b(variable(zeros(graph, {64, 8}), {.name = "b"})),
        init(global_variables_initializer(graph)) {
    const Output one = constant(graph, Tensor::zeros(DType::kFloat, {64, 8})) + 1.0f;
    step = group({assign_add(a, one).op(), assign_add(b, one).op()});
  }
  Variable a, b;
  Operation init, step;
};

bool all_equal(const Tensor& t) {
  const auto elements = t.span<float>();
  return std::all_of(elements.begin(), elements.end(), [&](float v) { return v == elements[0]; });
}

TEST_CASE("Sessions find all of a builder's nodes or none, while some are made and some taken back",
          "[concurrency]") {
  Graph graph;
  const Output p = placeholder(graph, DType::kBool, {}, {.name = "p"});
  const Variable w = variable(graph, 3.0f, {.name = "w"});
  Session session(graph);
  session.run(w.initializer());
  const auto build = [&](bool fails) {
    return cond(
        p, [&] { return w * 2.0f; },
        [&] {
          if (fails) fail(Code::kUnknown, "planted");
          return w + 1.0f;
        });
  };
  const int first = graph.num_nodes();
  build(false);
  const int each = graph.num_nodes() - first;
  std::atomic<bool> built = false;
  CHECK(in_threads(3, [&](int thread) {
          for (int n = 1; thread == 0 && n <= 40; ++n) {
            try {
              build(n % 2 == 1);
            } catch (const Error&) {
              expect(n % 2 == 1, "what should have been built threw");
            }
          }
          if (thread == 0) built = true;
          while (!built) {
            const std::vector<Operation> all = graph.operations();
            expect((static_cast<int>(all.size()) - first) % each == 0, "half a builder was seen");
            const Operation merge = all.back();
            expect(merge.type() == "Merge", "the last node of a builder is its Merge");
            const Tensor value = session.run(merge.name() + ":0", {{p, Tensor(thread == 1)}});
            expect(value.scalar<float>() == (thread == 1 ? 6 : 4), "another value");
            const std::string next =
                str_cat("cond_", (static_cast<int>(all.size()) - first) / each, "/Merge:0");
            try {
              expect(session.run(next, {{p, Tensor(true)}}).scalar<float>() == 6, "another value");
            } catch (const Error& e) {
              expect(e.code() == Code::kNotFound, e.what());
            }
          }
        }) == None{});
  CHECK(graph.num_nodes() == first + 21 * each);
}

}  // namespace

TEST_CASE("Eight readers of a directory find whole checkpoints while one writer saves",
          "[concurrency]") {
  const TempDir dir;
  const std::string prefix = (dir / "model").string();
  std::atomic<bool> done{false};
  std::atomic<int> read{0};
  const auto write = [&] {
    Graph graph;
    const Model model(graph);
    Saver saver(graph, {.max_to_keep = 3});
    Session session(graph, {.threads = 2});
    session.run(model.init);
    // The readers must have read something, however slow they are.
    for (int i = 0; i < 20 || (read < 16 && i < 2000); ++i) {
      session.run(model.step);
      saver.save(session, prefix, {.global_step = i});
    }
    done = true;
  };
  const auto look = [&] {
    while (!done) {
      const auto latest = latest_checkpoint(dir.path().string());
      if (!latest) continue;
      try {
        const CheckpointReader reader(*latest);
        const Tensor a = reader.get_tensor("a"), b = reader.get_tensor("b");
        expect(bit_equal(a, b) && all_equal(a), "a checkpoint mixes two steps");
        ++read;
      } catch (const Error& e) {
        // Three newer ones were saved between the look and the read.
        expect(e.code() == Code::kNotFound, e.what());
      }
    }
  };
  const auto errors = in_threads(9, [&](int i) {
    try {
      i == 0 ? write() : look();
    } catch (...) {
      done = true;
      throw;
    }
  });
  CHECK(errors == None{});
  CHECK(read >= 16);
}

TEST_CASE("Of two writers into one directory each save is whole or refused, and says so",
          "[concurrency]") {
  const TempDir dir;
  std::atomic<int> saved{0}, refused{0};
  CHECK(in_threads(2, [&](int i) {
          Graph graph;
          const Model model(graph);
          Saver saver(graph, {.max_to_keep = 2});
          Session session(graph, {.threads = 1});
          session.run(model.init);
          for (int k = 0; k < 15; ++k) {
            try {
              saver.save(session, (dir / str_cat("writer", i)).string(), {.global_step = k});
              ++saved;
            } catch (const Error& e) {
              expect(e.code() == Code::kFailedPrecondition && *e.what(), e.what());
              ++refused;
            }
          }
        }) == None{});
  CHECK(saved > 0);
  CHECK(saved + refused == 30);
  const auto latest = latest_checkpoint(dir.path().string());
  REQUIRE(latest);
  CheckpointReader(*latest).verify();
}

TEST_CASE("Large tensors are restored by all threads, or none where one is damaged, which is named",
          "[concurrency]") {
  const TempDir dir;
  Graph graph;
  std::vector<Variable> variables;
  for (int i = 0; i < 5; ++i) {
    variables.push_back(variable(fill(graph, {1100, 1000}, 0.5f + static_cast<float>(i)),
                                 {.name = str_cat("v", i)}));
  }
  // so large that all read parts of it
  variables.push_back(variable(fill(graph, {4200, 4000}, 5.5f), {.name = "v5"}));
  Saver saver(graph);
  Session session(graph, {.threads = 4});
  session.run(global_variables_initializer(graph));
  const std::string prefix = saver.save(session, (dir / "m").string());
  const auto first_elements = [&] {
    std::vector<float> all;
    for (const Variable& v : variables) all.push_back(session.value(v).data<float>()[0]);
    return all;
  };
  const auto set_to_zero = [&] {
    for (const Variable& v : variables)
      session.set_value(v, Tensor::zeros(DType::kFloat, v.shape()));
  };
  set_to_zero();
  saver.restore(session, prefix);
  CHECK(first_elements() == std::vector{0.5f, 1.5f, 2.5f, 3.5f, 4.5f, 5.5f});

  std::fstream file(prefix + ".data-00000-of-00001",
                    std::ios::in | std::ios::out | std::ios::binary);
  for (const int damaged : {1, 3}) file.seekp(int64_t{damaged} * 4'400'000 + 4'000'000) << '\1';
  file.close();
  set_to_zero();
  const Error error = error_of([&] { saver.restore(session, prefix); });
  CHECK(error.code() == Code::kDataLoss);
  CHECK_THAT(error.what(), Catch::Matchers::Contains("'v1'"));
  CHECK(first_elements() == std::vector(6, 0.0f));
}

TEST_CASE("Training goes on while a checkpoint is written, which holds the values of its step",
          "[concurrency]") {
  const TempDir dir;
  Graph graph;
  const Model model(graph);
  Saver saver(graph, {.max_to_keep = 0});
  Session session(graph, {.threads = 2});
  session.run(model.init);
  for (int i = 1; i <= 10; ++i) {
    session.run(model.step);
    PendingSave pending = saver.save_async(session, (dir / "m").string(), {.global_step = i});
    for (int k = 0; k < 3; ++k) session.run(model.step);
    const CheckpointReader reader(pending.wait());
    const Tensor a = reader.get_tensor("a");
    CHECK(all_equal(a));
    CHECK(bit_equal(a, reader.get_tensor("b")));
    CHECK(a.span<float>()[0] == static_cast<float>(4 * i - 3));
  }
}

TEST_CASE("Threads that run a session for the first time at once share its plans",
          "[concurrency]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 8}, {.name = "x"});
  const Output w = constant(graph, Tensor::zeros(DType::kFloat, {8, 8}));
  const Output y = reduce_sum(matmul(x, w) + x), z = reduce_sum(x * 2.0f);
  for (int round = 0; round < 10; ++round) {
    Session session(graph, {.threads = 2});
    CHECK(in_threads(6, [&](int i) {
            for (int k = 0; k < 5; ++k) {
              Tensor fed = Tensor::zeros(DType::kFloat, {4, 8});
              fed.data<float>()[0] = static_cast<float>(i);
              const Tensor got = session.run(i % 2 ? y : z, {{x, fed}});
              expect(got.scalar<float>() == static_cast<float>(i % 2 ? i : 2 * i),
                     "a run saw another's feed");
            }
          }) == None{});
    CHECK(session.num_plans() == 2);
  }
}

TEST_CASE("A graph may grow while sessions run it", "[concurrency]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {}, {.name = "x"});
  const Output y = x + 1.0f;
  Session session(graph, {.threads = 2});
  CHECK(in_threads(4, [&](int i) {
          for (int k = 0; k < 50; ++k) {
            if (i == 0) {
              constant(graph, static_cast<float>(k));
            } else {
              expect(session.run(y, {{x, Tensor(1.0f)}}).scalar<float>() == 2, "a run went wrong");
            }
          }
        }) == None{});
}

TEST_CASE("Who reads while another trains or restores sees one state of every variable",
          "[concurrency]") {
  const TempDir dir;
  Graph graph;
  const Model model(graph);
  const Output same_a = identity(model.a);
  Saver saver(graph);
  Session session(graph, {.threads = 2});
  session.run(model.init);
  const std::string saved = saver.save(session, (dir / "m").string());
  CHECK(in_threads(4, [&](int i) {
          for (int k = 0; k < 20; ++k) {
            if (i == 0) {
              session.run(model.step);
            } else if (i == 1) {
              saver.restore(session, saved);
            } else {
              expect(all_equal(session.run(same_a)), "a variable was read in the middle of a step");
              expect(all_equal(session.value(model.b)),
                     "a variable was read in the middle of a step");
            }
          }
        }) == None{});
}

TEST_CASE("Sessions of one graph keep their own values", "[concurrency]") {
  Graph graph;
  const Model model(graph);
  CHECK(in_threads(4, [&](int i) {
          Session session(graph, {.threads = 2});
          session.run(model.init);
          for (int k = 0; k <= i; ++k) session.run(model.step);
          expect(session.value(model.a).span<float>()[0] == static_cast<float>(i + 1),
                 "a session saw another's value");
        }) == None{});
}

TEST_CASE("One reader of a checkpoint serves many threads", "[concurrency]") {
  const TempDir dir;
  Graph graph;
  const Model model(graph);
  Saver saver(graph);
  Session session(graph, {.threads = 1});
  session.run(model.init);
  const CheckpointReader reader(saver.save(session, (dir / "m").string()));
  CHECK(in_threads(8, [&](int i) {
          for (int k = 0; k < 10; ++k) {
            expect(reader.get_tensor(i % 2 ? "a" : "b").num_elements() == 512,
                   "a tensor was read in part");
          }
        }) == None{});
}

TEST_CASE(
    "A graph is reset while others run it: what runs is waited for, what begins then is refused",
    "[concurrency]") {
  for (int round = 0; round < 5; ++round) {
    Graph graph;
    std::optional<Model> model(graph);
    const Output sum = reduce_sum(model->a.value());
    Session session(graph, {.threads = 2});
    session.run(model->init);
    std::atomic<int> ran{0};
    const auto errors = in_threads(5, [&](int i) {
      if (i == 0) {
        while (ran < 8) std::this_thread::yield();
        graph.reset();
        constant(graph, 1.0f);  // the graph is as new at once
        return;
      }
      const Error refused = error_of([&] {
        Call call = i == 1 ? session.prepare({sum}) : Call();
        while (true) {
          if (i == 1) call();
          if (i == 2) session.run(model->step);
          if (i == 3) (void)session.value(model->b);
          if (i == 4) session.run({sum, model->a}, {}, {model->step});
          ++ran;
        }
      });
      expect(refused.code() == Code::kFailedPrecondition && says(refused, "reset"), refused.what());
    });
    CHECK(errors == None{});
    CHECK(graph.num_nodes() == 1);
  }
}

}  // namespace cairn
