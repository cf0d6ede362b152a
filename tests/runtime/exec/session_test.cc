#include "runtime/exec/session.h"

#include <atomic>
#include <cstdlib>
#include <functional>
#include <optional>
#include <thread>

#include "ops/array/array.h"
#include "ops/catalog.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/state/variables.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ops.h"

using namespace cairn;

namespace {

// x of shape [?,2], y = -x, z = x + y.
struct Model {
  Graph graph;
  Output x = placeholder(graph, DType::kFloat, {-1, 2}, {.name = "x"});
  Output y = test::negate(x, "y");
  Output z = test::add(x, y, "z");
  Session session{graph};
  Tensor row = Tensor::matrix<float>({{1, 2}});
};

}  // namespace

// ---- forms --------------------------------------------------------------------------------------

TEST_CASE("One tensor is fetched by handle or by name", "[runtime][session]") {
  Model m;
  CHECK(m.session.run(m.y, {{m.x, m.row}}).str() == "[[-1. -2.]]");
  CHECK(m.session.run("y:0", {{"x:0", m.row}}).str() == "[[-1. -2.]]");
  CHECK(m.session.run(std::string("y:0"), {{"x:0", m.row}}).str() == "[[-1. -2.]]");
}

TEST_CASE("Several tensors are fetched in the order asked for, repeated or not",
          "[runtime][session]") {
  Model m;
  const auto values = m.session.run({m.z, m.y, m.z, m.x}, {{m.x, m.row}});
  REQUIRE(values.size() == 4);
  CHECK(values[0].str() == "[[0. 0.]]");
  CHECK(values[1].str() == "[[-1. -2.]]");
  CHECK(bit_equal(values[0], values[2]));
  CHECK_FALSE(values[0].shares_buffer_with(values[2]));
  CHECK(bit_equal(values[3], m.row));
  CHECK(m.session.run({"y:0", "z:0"}, {{m.x, m.row}}).size() == 2);
  CHECK(m.session.run(std::vector<Output>{m.y, m.z}, {{m.x, m.row}}).size() == 2);
  CHECK(m.session.run({}, {}, {}).empty());
}

TEST_CASE("An operation is run for its effect and gives no tensor", "[runtime][session]") {
  Graph graph;
  const Operation op = add_operation(graph, test::kCountRuns, {}, {}, "count");
  Session session(graph);
  const int before = test::runs;
  CHECK_FALSE(session.run(op).valid());
  CHECK_FALSE(session.run("count").valid());
  const auto values = session.run({"count:0"}, {}, {op});
  CHECK(values[0].scalar<int32_t>() == before + 3);  // run once, though asked for twice
  session.run({}, {}, {"count"});
  CHECK(test::runs == before + 4);
}

TEST_CASE("A variable is fetched and fed as itself", "[runtime][session]") {
  Graph graph;
  const Variable v = test::variable(graph, constant(graph, Tensor::vector<float>({1, 2})), "v");
  Session session(graph);
  session.run(v.initializer());
  CHECK(session.run(v).str() == "[1. 2.]");
  CHECK(session.run("v:0").str() == "[1. 2.]");
  CHECK(session.run({v, v.value()}).size() == 2);
  CHECK(session.run(test::negate(v), {{v, Tensor::vector<float>({5, 6})}}).str() == "[-5. -6.]");
  CHECK(session.run(v).str() == "[1. 2.]");
}

// ---- feeding ------------------------------------------------------------------------------------

TEST_CASE("Any tensor may be fed, and what leads to it does not run", "[runtime][session][feed]") {
  Model m;
  CHECK(m.session.run(m.z, {{m.x, m.row}, {m.y, Tensor::matrix<float>({{10, 10}})}}).str() ==
        "[[11. 12.]]");
  CHECK(m.session.run(test::negate(m.y), {{m.y, m.row}}).str() == "[[-1. -2.]]");
  const Output refused = add_node(test::kRefuseNegative, {constant(m.graph, -1.0f)});
  CHECK(m.session.run(test::negate(refused), {{refused, 2.0f}}).scalar<float>() == -2);
}

TEST_CASE("One output of a node may be fed while another is computed", "[runtime][session][feed]") {
  Graph graph;
  const Output x = constant(graph, Tensor::matrix<float>({{1}, {2}}));
  const Operation halves = add_operation(graph, test::kHalves, {x});
  const Output sum = test::add(halves.output(0), halves.output(1));
  CHECK(Session(graph).run(sum, {{halves.output(0), Tensor::matrix<float>({{10}})}}).str() ==
        "[[12.]]");
}

TEST_CASE("A fed constant is not overruled by what the graph says it is",
          "[runtime][session][feed]") {
  Graph graph;
  const Output x = constant(graph, Tensor::vector<float>({1, 2}));
  const Output two = constant(graph, 2.0f), minus_two = test::negate(two);
  const Output y = add_node(test::kScale, {x, minus_two});
  Session session(graph);
  CHECK(session.run(y).str() == "[-2. -4.]");
  CHECK(session.run(y, {{minus_two, 10.0f}}).str() == "[10. 20.]");
  CHECK(session.run(y, {{two, 3.0f}}).str() == "[-3. -6.]");
}

TEST_CASE("A value is fed in place, whatever the alignment of its memory",
          "[runtime][session][feed]") {
  Model m;
  std::vector<float> pixels = {0, 1, 2, 3};
  const Tensor view = Tensor::view(pixels.data() + 1, {1, 2});
  CHECK(m.session.run(m.x, {{m.x, view}}).raw_data() == pixels.data() + 1);
  CHECK(m.session.run(m.y, {{m.x, view}}).str() == "[[-1. -2.]]");
  const Tensor same = m.session.run(identity(m.x), {{m.x, view}});
  CHECK(same.raw_data() != pixels.data() + 1);  // computed, even if by nothing: the caller's own
  CHECK(pixels == std::vector<float>{0, 1, 2, 3});
}

TEST_CASE("A feed of another dtype is refused with both named", "[runtime][session][feed]") {
  Model m;
  const Error error = error_of([&] {
    m.session.run(m.y, {{m.x, Tensor::matrix<double>({{1, 2}})}});
  });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(error.node() == "x");
  CHECK(says(error, "feed for 'x:0'"));
  CHECK(says(error, "session_test.cc:"));
  CHECK(says(error, "expected float [?,2], got double [1,2]"));
}

TEST_CASE("A feed of another shape is refused with both named", "[runtime][session][feed]") {
  Model m;
  CHECK(says(error_of([&] {
               m.session.run(m.y, {{m.x, Tensor::zeros(DType::kFloat, {1, 3})}});
             }),
             "expected float [?,2], got float [1,3]"));
  CHECK(says(error_of([&] { m.session.run(m.y, {{m.x, Tensor()}}); }), "got no tensor"));
}

TEST_CASE("Placeholders that are not fed are all named, with their lines",
          "[runtime][session][feed]") {
  Graph graph;
  const Output a = placeholder(graph, DType::kFloat, {2}, {.name = "a"});
  const Output b = placeholder(graph, DType::kFloat, {2}, {.name = "b"});
  placeholder(graph, DType::kFloat, {2}, {.name = "unused"});
  const Output sum = test::add(a, b);
  Session session(graph);
  const Error error = error_of([&] { session.run(sum); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "'a:0' (float [2], made at session_test.cc:"));
  CHECK(says(error, "'b:0'"));
  CHECK_FALSE(says(error, "unused"));
}

TEST_CASE("A tensor fed twice is refused", "[runtime][session][feed]") {
  Model m;
  CHECK(says(error_of([&] {
               m.session.run(m.y, {{m.x, m.row}, {"x:0", m.row}});
             }),
             "'x:0' is fed twice"));
  CHECK(says(error_of([&] {
               (void)m.session.prepare({m.y}, {m.x, "x:0"});
             }),
             "'x:0' is fed twice"));
  CHECK(says(error_of([&] {
               m.session.run_or_undo({m.y}, {{m.x, m.row}, {"x:0", m.row}});
             }),
             "'x:0' is fed twice"));
}

TEST_CASE("An operation cannot be fed", "[runtime][session][feed]") {
  Model m;
  CHECK(says(error_of([&] { m.session.run(m.y, {{"x", m.row}}); }), "its first tensor is 'x:0'"));
}

TEST_CASE("A node that waits for a placeholder waits for its being fed",
          "[runtime][session][feed]") {
  Model m;
  const Scope scope = m.graph.control_dependencies({m.x.op()});
  const Output waiting = add_operation(m.graph, test::kCountRuns).output();
  CHECK(m.session.run(waiting, {{m.x, m.row}}).valid());
  CHECK_FALSE(m.session.run(m.x.op(), {{m.x, m.row}}).valid());
  CHECK(error_of([&] { m.session.run(waiting); }).code() == Code::kInvalidArgument);
}

// ---- plans and calls ----------------------------------------------------------------------------

TEST_CASE("What was asked before is not planned again", "[runtime][session][plan]") {
  Model m;
  CHECK(m.session.num_plans() == 0);
  for (int i = 0; i < 3; ++i) m.session.run(m.y, {{m.x, m.row}});
  CHECK(m.session.num_plans() == 1);
  m.session.run("y:0", {{"x:0", Tensor::zeros(DType::kFloat, {5, 2})}});
  CHECK(m.session.num_plans() == 1);
  m.session.run(m.z, {{m.x, m.row}});
  m.session.run({m.y, m.z}, {{m.x, m.row}});
  m.session.run({m.z, m.y}, {{m.x, m.row}});
  CHECK(m.session.num_plans() == 4);
  (void)m.session.prepare({m.y}, {m.x});
  CHECK(m.session.num_plans() == 4);
}

TEST_CASE("What cannot be planned leaves no plan", "[runtime][session][plan]") {
  Model m;
  CHECK(error_of([&] { m.session.run(m.y); }).code() == Code::kInvalidArgument);
  CHECK(m.session.num_plans() == 0);
}

TEST_CASE("A prepared call takes no memory from the system from its second run on",
          "[runtime][session][call]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 16});
  const Variable w =
      test::variable(graph, constant(graph, Tensor::zeros(DType::kFloat, {16, 16})), "w");
  const Output product = matmul(x, w);
  const Output deep = add_node(test::kUseScratch, {test::negate(test::add(product, product))});
  const Output update = test::assign_add(w.ref(), test::negate(w));
  Session session(graph);
  session.run(w.initializer());
  Call call = session.prepare({deep, product}, {x}, {update.op()});
  const Tensor images = Tensor::zeros(DType::kFloat, {32, 16});
  call({images});
  const int64_t after_one = call.allocations();
  CHECK(after_one > 0);
  for (int i = 0; i < 10; ++i) CHECK(call({images}).size() == 2);
  CHECK(call.allocations() == after_one);
}

TEST_CASE("A prepared call sees each time's values and keeps results until the next",
          "[runtime][session][call]") {
  Model m;
  Call call = m.session.prepare({m.y, m.z}, {m.x});
  const auto first = call({Tensor::matrix<float>({{1, 2}})});
  CHECK(first[0].str() == "[[-1. -2.]]");
  const Tensor kept = first[0];
  const auto second = call({Tensor::matrix<float>({{3, 4}, {5, 6}})});
  CHECK(second[0].str() == "[[-3. -4.]\n [-5. -6.]]");
  CHECK(kept.str() == "[[-1. -2.]]");  // who holds on to a result has it
}

TEST_CASE("A prepared call takes the results of the call before", "[runtime][session][call]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat), y = placeholder(graph, DType::kFloat);
  Session session(graph);
  Call step = session.prepare({test::add(x, x)}, {x});
  std::span<const Tensor> z = step({Tensor(1.0f)});
  for (float expected = 4; expected < 100; expected *= 2) {
    z = step(z);
    CHECK(z[0].scalar<float>() == expected);
  }
  // In another order, and as a feed that is a result too.
  Call swap = session.prepare({y, x, test::add(x, y)}, {x, y});
  std::span<const Tensor> both = swap({Tensor(1.0f), Tensor(2.0f)});
  for (int i = 0; i < 5; ++i) {
    both = swap(both.subspan(0, 2));
    CHECK(both[0].scalar<float>() == (i % 2 == 0 ? 1 : 2));
    CHECK(both[1].scalar<float>() == (i % 2 == 0 ? 2 : 1));
    CHECK(both[2].scalar<float>() == 3);
  }
  // Refused, they are as they were.
  CHECK(error_of([&] { step(z.subspan(0, 0)); }).code() == Code::kInvalidArgument);
  CHECK(z[0].scalar<float>() == 64);
}

TEST_CASE(
    "A prepared call fed with its own results takes no memory from the system in the long run",
    "[runtime][session][call]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {64});
  Session session(graph);
  Call step = session.prepare({test::negate(test::add(x, x))}, {x});
  std::span<const Tensor> z = step({Tensor::zeros(DType::kFloat, {64})});
  for (int i = 0; i < 8; ++i) z = step(z);
  const int64_t allocations = step.allocations();
  for (int i = 0; i < 20; ++i) z = step(z);
  CHECK(step.allocations() == allocations);
}

TEST_CASE("A prepared call checks the number, dtype and shape of what it is given",
          "[runtime][session][call]") {
  Model m;
  Call call = m.session.prepare({m.y}, {m.x});
  CHECK(says(error_of([&] { call(); }), "takes 1 values to feed, got 0"));
  CHECK(says(error_of([&] { call({m.row, m.row}); }), "got 2"));
  CHECK(error_of([&] { call({Tensor(1.0f)}); }).code() == Code::kInvalidArgument);
  CHECK(call({m.row})[0].str() == "[[-1. -2.]]");
  CHECK(error_of([] { Call()(); }).code() == Code::kFailedPrecondition);
}

TEST_CASE("What was fed is let go of after the run, and after a run that failed",
          "[runtime][session][feed]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {1});
  const Output y = add_node(test::kRefuseNegative, {x});
  const Variable v = test::variable(graph, constant(graph, 1.0f), "v");
  Session session(graph);
  Call call = session.prepare({y}, {x}), uninitialized = session.prepare({test::add(x, v)}, {x});
  float good = 1, bad = -1;
  int released = 0;
  const auto view = [&](float& value) { return Tensor::view(&value, {1}, [&] { ++released; }); };
  call({view(good)});
  CHECK(released == 1);
  CHECK(error_of([&] { call({view(bad)}); }).code() == Code::kOutOfRange);
  CHECK(released == 2);
  CHECK(error_of([&] { uninitialized({view(good)}); }).code() == Code::kFailedPrecondition);
  CHECK(released == 3);
  session.run(y, {{x, view(good)}});
  CHECK(released == 4);
}

// ---- memory -------------------------------------------------------------------------------------

TEST_CASE("A part of a tensor is not computed over in place", "[runtime][session][memory]") {
  Graph graph;
  const Output x = test::negate(placeholder(graph, DType::kFloat, {4, 2}, {.name = "x"}));
  const Operation halves = add_operation(graph, test::kHalves, {x});
  const Output upper = test::negate(halves.output(0)),
               lower = add_node(test::kCountUp, {halves.output(1)});
  Session session(graph);
  const Tensor ones = Tensor::of<float>({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(session.run({upper, lower}, {{"x:0", ones}})[1].str() == "[[-4. -4.]\n [-4. -4.]]");
  CHECK(session.run(lower, {{"x:0", ones}}).str() == "[[-4. -4.]\n [-4. -4.]]");
}

TEST_CASE("What a node reads twice is not computed over in place", "[runtime][session][memory]") {
  static constexpr OpDef kSumOfThree = {.name = "TestSumOfThree",
                                        .inputs = "x: float, y: float, z: float",
                                        .outputs = "sum: float",
                                        .attrs = "",
                                        .shape = unchanged_shape,
                                        .prepare = [](const KernelSetup&) -> Kernel {
                                          return [](KernelContext& c) {
                                            const float x = *c.in<float>(0);
                                            float& sum =
                                                *c.allocate_or_reuse(0, 0, {}).data<float>();
                                            sum = x;
                                            for (int i = 1; i < 3; ++i) sum += *c.in<float>(i);
                                          };
                                        }};
  Graph graph;
  const Output x = test::negate(placeholder(graph, DType::kFloat, {}, {.name = "x"}));
  CHECK(Session(graph).run(add_node(kSumOfThree, {x, x, x}), {{"x:0", -1.0f}}).scalar<float>() ==
        3);
}

TEST_CASE("Fetched tensors are the caller's to write to", "[runtime][session][memory]") {
  Graph graph;
  const Output c = constant(graph, Tensor::vector<float>({1, 2}), {.name = "c"});
  const Output s = constant(graph, Tensor::vector<std::string>({"a"}), {.name = "s"});
  const Variable v = test::variable(graph, c, "v");
  Session session(graph);
  session.run(v.initializer());
  for (int i = 0; i < 2; ++i) {
    auto values = session.run({c, identity(c), v, v.value(), s, test::negate(c)});
    for (Tensor& value : values) {
      if (value.dtype() == DType::kString) {
        CHECK(value.vec<std::string>()[0] == "a");
        value.data<std::string>()[0] = "changed";
      } else {
        CHECK(std::abs(value.vec<float>()[0]) == 1);
        value.data<float>()[0] = 99;
      }
    }
  }
  CHECK(session.value(v).str() == "[1. 2.]");
  CHECK(graph.static_value(c).str() == "[1. 2.]");
}

TEST_CASE("A Call is moved and never shared; what it was moved from is empty",
          "[runtime][session][prepare]") {
  static_assert(!std::is_copy_constructible_v<Call> && !std::is_copy_assignable_v<Call>);
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {1});
  Session session(graph);
  Call first = session.prepare({test::add(x, x)}, {x});
  first({Tensor::vector<float>({1})});
  Call second = std::move(first);
  CHECK(second({Tensor::vector<float>({2})})[0].data<float>()[0] == 4);
  const Error error = error_of(
      [&] { first({Tensor::vector<float>({1})}); });  // NOLINT: what happens then is the point
  CHECK(error.code() == Code::kFailedPrecondition);
  CHECK(says(error, "an empty Call"));
  CHECK(first.allocations() == 0);
  first = std::move(second);
  CHECK(first({Tensor::vector<float>({3})})[0].data<float>()[0] == 6);
}

// ---- growing, resetting, several ----------------------------------------------------------------

TEST_CASE("A graph may grow after its session was made", "[runtime][session]") {
  Model m;
  CHECK(m.session.run(m.y, {{m.x, m.row}}).valid());
  const Output w = test::negate(m.y, "w");
  CHECK(m.session.run(w, {{m.x, m.row}}).str() == "[[1. 2.]]");
  CHECK(m.session.run(m.y, {{m.x, m.row}}).str() == "[[-1. -2.]]");
}

TEST_CASE("A session on a graph that was reset is refused", "[runtime][session][reset]") {
  Model m;
  Call call = m.session.prepare({m.y}, {m.x});
  const Variable v = test::variable(m.graph, constant(m.graph, 1.0f), "v");
  m.graph.reset();
  const Error error = error_of([&] { m.session.run("y:0"); });
  CHECK(error.code() == Code::kFailedPrecondition);
  CHECK(says(error, "make a new Session"));
  CHECK(error_of([&] { call({m.row}); }).code() == Code::kFailedPrecondition);
  CHECK(error_of([&] { (void)m.session.value(v); }).code() == Code::kFailedPrecondition);
  CHECK(Session(m.graph).run(constant(m.graph, 2.0f)).scalar<float>() == 2);
}

TEST_CASE("Every use of a session whose graph was destroyed is refused, and it goes in any order",
          "[runtime][session][gone]") {
  std::optional<Session> session;
  Call call;
  Variable w;
  Output x;
  SessionSnapshot values;
  {
    Graph graph;
    session.emplace(graph);
    w = variable(graph, 1.0f, {.name = "w"});
    x = placeholder(graph, DType::kFloat, {}, {.name = "x"});
    const Output y = w * x;
    session->run(w.initializer());
    session->run(y, {{x, 2}});
    call = session->prepare({y}, {x});
    values = session->snapshot();
  }
  const auto refused = [&](const std::function<void()>& use) {
    const Error error = error_of(use);
    CAPTURE(error.what());
    CHECK(error.code() == Code::kFailedPrecondition);
    CHECK(says(error, "the graph of a "));
    CHECK(says(error, " is gone: the Graph was destroyed"));
  };
  const auto all_refused = [&] {
    refused([&] { session->run("y"); });
    refused([&] { session->run(x); });
    refused([&] { session->run({w, x}, {{x, 1}}); });
    refused([&] { session->run_or_undo({"w/Assign"}); });
    refused([&] { session->prepare({w}); });
    refused([&] { call({Tensor(1.0f)}); });
    refused([&] { session->value(w); });
    refused([&] { session->is_initialized(w); });
    refused([&] { session->set_value(w, Tensor(1.0f)); });
    refused([&] { session->snapshot(); });
    refused([&] { session->load(values); });
    refused([&] { session->uninitialized_variables(); });
    refused([&] { session->graph(); });
    CHECK(session->num_plans() == 2);
  };
  all_refused();
  Graph next;  // what was the first one's may be used again for this
  variable(next, 1.0f, {.name = "w"});
  all_refused();
  refused([&] { Session(next).run(x); });
  refused([&] { Session(next).value(w); });
}

TEST_CASE("A session follows a graph that is moved", "[runtime][session][gone]") {
  std::optional<Session> session;
  std::optional<Graph> kept;
  Output y;
  {
    Graph graph;
    y = constant(graph, 3.0f, {.name = "y"});
    session.emplace(graph);
    CHECK(session->run(y).scalar<float>() == 3);
    kept.emplace(std::move(graph));
  }
  CHECK(session->run(y).scalar<float>() == 3);
  CHECK(session->run("y:0").scalar<float>() == 3);
  CHECK(&session->graph() == &*kept);
  kept.reset();
  CHECK(says(error_of([&] { session->run(y); }), "the graph of a Session is gone"));
}

TEST_CASE("A call whose session was destroyed is refused, and says so",
          "[runtime][session][call][gone]") {
  Graph graph;
  const Variable w = variable(graph, 1.0f);
  Call call;
  {
    Session session(graph);
    session.run(w.initializer());
    call = session.prepare({w});
    CHECK(call()[0].scalar<float>() == 1);
  }
  const Error error = error_of([&] { call(); });
  CHECK(error.code() == Code::kFailedPrecondition);
  CHECK(says(error, "the session of a Call is gone"));
}

TEST_CASE("A graph that is destroyed waits for the runs of other threads, and refuses new ones",
          "[runtime][session][gone]") {
  for (int round = 0; round < 20; ++round) {
    std::optional<Graph> graph(std::in_place);
    const Output x = constant(*graph, Tensor::zeros(DType::kFloat, {100}), {.name = "x"});
    Output y = x;
    for (int i = 0; i < 20; ++i) y = y + x;
    Session session(*graph);
    Call call = session.prepare({y});
    std::atomic<int> runs = 0;
    std::string refused;
    std::thread other([&] {
      try {
        for (;; ++runs) call();
      } catch (const Error& e) {
        refused = e.what();
      }
    });
    while (runs < 3) std::this_thread::yield();
    graph.reset();
    other.join();
    CHECK(refused.starts_with("the graph of a Session is gone"));
  }
}

TEST_CASE("Handles of another graph, and empty ones, are refused by the session",
          "[runtime][session]") {
  Model m;
  Graph other;
  const Output theirs = constant(other, 1.0f, {.name = "theirs"});
  CHECK(says(error_of([&] { m.session.run(theirs); }), "'theirs:0' belongs to another graph"));
  CHECK(error_of([&] {
          m.session.run(m.y, {{theirs, 1.0f}});
        }).code() == Code::kFailedPrecondition);
  CHECK(error_of([&] { m.session.run(Output()); }).code() == Code::kFailedPrecondition);
  CHECK(error_of([&] { m.session.run(Operation()); }).code() == Code::kFailedPrecondition);
  CHECK(error_of([&] { m.session.run("nowhere:0"); }).code() == Code::kNotFound);
  CHECK(error_of([&] { m.session.run("nowhere"); }).code() == Code::kNotFound);
}

TEST_CASE("A number of threads below zero is refused", "[runtime][session]") {
  Graph graph;
  CHECK(error_of([&] { Session session(graph, {.threads = -1}); }).code() ==
        Code::kInvalidArgument);
}

// ---- errors -------------------------------------------------------------------------------------

TEST_CASE("A kernel's error carries its code, its node and the line that made it",
          "[runtime][session][errors]") {
  Graph graph;
  const Output y = add_node(test::kRefuseNegative, {constant(graph, -1.0f)}, {}, "checked");
  const Error error = error_of([&] { Session(graph).run(test::negate(y)); });
  CHECK(error.code() == Code::kOutOfRange);
  CHECK(error.node() == "checked");
  CHECK(std::string(error.what()) == str_cat("TestRefuseNegative 'checked' (session_test.cc:",
                                             __LINE__ - 5, "): x is negative"));
}

TEST_CASE("An error in the middle of a run leaves the session usable",
          "[runtime][session][errors]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1});
  const Output checked = add_node(test::kRefuseNegative, {test::negate(x)});
  const Output y = test::add(checked, add_node(test::kUseScratch, {checked}));
  Session session(graph);
  Call call = session.prepare({y}, {x});
  for (int i = 0; i < 3; ++i) {
    CHECK(error_of([&] {
            session.run(y, {{x, Tensor::vector<float>({1})}});
          }).code() == Code::kOutOfRange);
    CHECK(session.run(y, {{x, Tensor::vector<float>({-1})}}).str() == "[2.]");
    CHECK(error_of([&] { call({Tensor::vector<float>({1})}); }).code() == Code::kOutOfRange);
    CHECK(call({Tensor::vector<float>({-1})})[0].str() == "[2.]");
  }
}

TEST_CASE("A node whose op has no kernel is reported with all others of its kind",
          "[runtime][session][errors]") {
  static constexpr OpDef kNoKernel = {
      .name = "NoKernel", .inputs = "", .outputs = "y: float", .attrs = ""};
  Graph graph;
  const Output a = add_operation(graph, kNoKernel).output(),
               b = add_operation(graph, kNoKernel).output();
  const Error error = error_of([&] { Session(graph).run(test::add(a, b)); });
  CHECK(error.code() == Code::kUnimplemented);
  CHECK(says(error, "NoKernel (2 nodes, first 'NoKernel')"));
}

// ---- threads ------------------------------------------------------------------------------------

TEST_CASE("Several threads may run one session, each with its own values",
          "[runtime][session][threads]") {
  Model m;
  const Variable v =
      test::variable(m.graph, constant(m.graph, Tensor::zeros(DType::kFloat, {1, 2})), "v");
  const Output sum = test::add(m.x, v), grow = test::assign_add(v.ref(), constant(m.graph, 1.0f));
  m.session.run(v.initializer());
  std::atomic<int> wrong{0};
  constexpr int kThreads = 4, kRuns = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const Tensor mine = Tensor::matrix<float>({{static_cast<float>(t), 1}});
      Call call = m.session.prepare({m.y, sum}, {m.x});
      float seen = 0;
      for (int i = 0; i < kRuns; ++i) {
        const auto values =
            i % 2 ? m.session.run({m.y, sum}, {{m.x, mine}})
                  : std::vector<Tensor>{call({mine})[0].clone(), call({mine})[1].clone()};
        const float now = values[1].mat<float>()(0, 1) - 1;
        wrong += values[0].mat<float>()(0, 0) != -static_cast<float>(t);
        // both elements of one moment
        wrong += values[1].mat<float>()(0, 0) != static_cast<float>(t) + now;
        wrong += now < seen;
        seen = now;
        m.session.run(grow.op());
      }
    });
  }
  // Meanwhile the graph grows.
  for (int i = 0; i < 500; ++i) test::negate(m.y);
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(m.session.value(v).mat<float>()(0, 0) == kThreads * kRuns);
}

TEST_CASE("Reading what an operation gave says which tensor to fetch instead",
          "[runtime][session]") {
  Graph graph;
  const Output logits = test::negate(constant(graph, 2.0f), "logits");
  const Operation group = no_op(graph, {.name = "group"});
  Session session(graph);
  const Tensor none = session.run(logits.op().name());
  CHECK(!none.valid());
  for (const Error& error :
       {error_of([&] { none.scalar<float>(); }), error_of([&] { none.data<float>(); }),
        error_of([&] { none.vec<float>(); }), error_of([&] { none.to_int64s(); }),
        error_of([&] { none.reshaped({1}); }), error_of([&] { none.rows(0, 1); }),
        error_of([&] { session.prepare({logits.op()})()[0].scalar<float>(); }), error_of([&] {
          session.run({"logits", "logits:0"})[0].scalar<float>();
        })}) {
    CAPTURE(error.what());
    CHECK(error.code() == Code::kInvalidArgument);
    CHECK(says(error, "'logits' names an operation"));
    CHECK(says(error, "fetched as 'logits:0'"));
  }
  const Error error = error_of([&] { session.run(group).scalar<float>(); });
  CHECK(says(error, "'group' names an operation (NoOp)"));
  CHECK(says(error, "it has no outputs"));
  CHECK(says(error_of([&] { Tensor().scalar<float>(); }), "no tensor here"));
}
