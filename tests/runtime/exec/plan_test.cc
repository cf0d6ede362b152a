#include "runtime/exec/plan.h"

#include "ops/array/array.h"
#include "ops/array/reshape.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/naive_evaluator.h"
#include "tests/support/test_ops.h"

using namespace cairn;
using internal::make_plan;
using internal::Plan;

namespace {

std::vector<std::string> order(const Plan& plan) {
  std::vector<std::string> names;
  for (const internal::Step& step : plan.steps) names.push_back(step.node->name);
  return names;
}

}  // namespace

TEST_CASE("A plan holds what is asked for and what that needs, nothing else", "[runtime][plan]") {
  Graph graph;
  const Output a = constant(graph, 1.0f, {.name = "a"}),
               unused = constant(graph, 1.0f, {.name = "unused"});
  const Operation waited = no_op(graph, {.name = "waited"});
  Output b;
  {
    const Scope after = graph.control_dependencies({waited});
    b = test::negate(a, "b");
  }
  const Output c = test::add(b, unused, "c");
  CHECK(order(make_plan({{b.endpoint()}, {}, {}})) == std::vector<std::string>{"a", "waited", "b"});
  CHECK(order(make_plan({{c.endpoint()}, {b.endpoint()}, {}})) ==
        std::vector<std::string>{"unused", "c"});
  CHECK(order(make_plan({{}, {}, {&waited.node()}})) == std::vector<std::string>{"waited"});
  CHECK(make_plan({{a.endpoint()}, {a.endpoint()}, {}}).steps.empty());
}

TEST_CASE("What is waited for but read by nobody is not computed, unless it has an effect",
          "[runtime][plan]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2});
  const Output a = test::negate(x, "a"), b = test::negate(a, "b");
  const Output random = add_operation(graph, test::kCountRuns, {}, {}, "random").output();
  Operation waiting;
  {
    const Scope after = graph.control_dependencies({b.op(), random.op()});
    waiting = no_op(graph, {.name = "waiting"});
  }
  const auto computed = [&](const internal::PlanKey& key) {
    std::vector<std::string> names;
    for (const internal::Step& step : make_plan(key).steps) {
      if (!step.idle) names.push_back(step.node->name);
    }
    return names;
  };
  CHECK(computed({{}, {x.endpoint()}, {&waiting.node()}}) == std::vector<std::string>{"random"});
  CHECK(computed({{b.endpoint()}, {x.endpoint()}, {&waiting.node()}}) ==
        std::vector<std::string>{"a", "b", "random"});
  CHECK(computed({{}, {x.endpoint()}, {&b.op().node()}}) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("Imported nodes that stand before their inputs run after them", "[runtime][plan]") {
  Graph graph;
  const auto node = [](std::string name, std::vector<std::string> inputs) {
    return ImportedNode{.name = name,
                        .op = inputs.empty() ? "TestCountRuns" : "NoOp",
                        .inputs = inputs,
                        .attrs = {},
                        .device = "",
                        .unknown_fields = ""};
  };
  static const OpSet kOps = test::ops() + OpSet(flow_ops());
  graph.import_nodes(
      {node("d", {"^b", "^c"}), node("c", {"^a"}), node("b", {"^a", "^a"}), node("a", {})}, kOps);
  // Where edges leave it open, the order of creation: c stands before b in the file.
  CHECK(order(make_plan({{}, {}, {&graph.find_op("d").node()}})) ==
        std::vector<std::string>{"a", "c", "b", "d"});
}

TEST_CASE("Every slot that is not kept is released exactly once, after its last reader",
          "[runtime][plan]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2});
  const Output a = test::negate(x), b = test::add(a, a), c = test::add(b, a),
               lone = test::negate(c);
  const Plan plan = make_plan({{c.endpoint()}, {x.endpoint()}, {&lone.op().node()}});
  std::map<int, int> released;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    for (int slot : plan.steps[i].releases) {
      CHECK(released.emplace(slot, i).second);
      for (size_t later = i + 1; later < plan.steps.size(); ++later) {
        for (int input : plan.steps[later].inputs) CHECK(input != slot);
      }
    }
  }
  CHECK(released.size() + plan.kept_slots.size() == static_cast<size_t>(plan.num_slots));
  for (int slot : plan.kept_slots) CHECK(released.count(slot) == 0);
}

TEST_CASE("A node that reads thousands of tensors is planned", "[runtime][plan]") {
  Graph graph;
  std::vector<Output> many;
  for (int i = 0; i < 20000; ++i) many.push_back(constant(graph, static_cast<float>(i)));
  const Merged merged = merge(many);
  Session session(graph);
  CHECK(session.run({merged.value, merged.index})[0].scalar<float>() == 0);
}

TEST_CASE("A chain of a hundred thousand nodes runs", "[runtime][plan]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {});
  Output y = x;
  for (int i = 0; i < 100000; ++i) y = test::negate(y);
  CHECK(y.name() == "TestNegate_99999:0");
  Session session(graph);
  Call call = session.prepare({y}, {x});
  CHECK(call({3.0f})[0].scalar<float>() == 3);
  CHECK(call.allocations() <= 4);  // computed in place
}

// ---- the oracle ---------------------------------------------------------------------------------

namespace {

using Maker = RandomGraph::Maker;

Output on_any(RandomGraph& g, const OpDef& op) {
  const Output x = g.pick();
  return x ? add_node(op, {x}) : Output();
}
bool is_matrix(const Output& x) { return x.shape().rank() == 2; }

std::vector<Output> some(const Output& x) {
  return x ? std::vector<Output>{x} : std::vector<Output>{};
}

// What random graphs are made of. Those of the library's own ops are in
// tests/ops/core/session_oracle_test.cc.
const std::vector<Maker>& makers() {
  static const std::vector<Maker> kMakers = {
      [](RandomGraph& g) {
        return some(constant(g.graph(), g.tensor({2, 4})));
      },
      [](RandomGraph& g) { return some(constant(g.graph(), g.tensor({}))); },
      [](RandomGraph& g) { return some(on_any(g, test::kNegate)); },
      [](RandomGraph& g) { return some(on_any(g, test::kCountUp)); },
      [](RandomGraph& g) { return some(on_any(g, test::kUseScratch)); },
      [](RandomGraph& g) {
        const Output x = g.pick();
        return some(x ? identity(x) : x);
      },
      [](RandomGraph& g) {
        const Output x = g.pick();
        const Output y = g.pick(
            [&](const Output& o) { return o.shape() == x.shape() || o.shape().is_scalar(); });
        return some(x && y ? test::add(x, y) : Output());
      },
      [](RandomGraph& g) {
        const Output x = g.pick(),
                     factor = g.pick([](const Output&o) { return o.shape().is_scalar(); });
        return some(x && factor ? add_node(test::kScale, {x, factor}) : Output());
      },
      [](RandomGraph& g) {
        const Output a = g.pick(is_matrix), b = g.pick(is_matrix);
        if (!a || !b) return some({});
        const bool ta = g.chance(0.5), tb = g.chance(0.5);
        if (a.shape()[ta ? 0 : 1] != b.shape()[tb ? 1 : 0]) return some({});
        return some(matmul(a, b, {.transpose_a = ta, .transpose_b = tb}));
      },
      [](RandomGraph& g) -> std::vector<Output> {
        const Output x =
            g.pick([](const Output& o) { return o.shape().rank() > 0 && o.shape()[0] >= 2; });
        if (!x) return {};
        const Operation halves = add_operation(g.graph(), test::kHalves, {x});
        return {halves.output(0), halves.output(1)};
      },
  };
  return kMakers;
}

}  // namespace

TEST_CASE("Sessions give what a naive evaluator gives, bit for bit, on random graphs",
          "[runtime][plan][oracle]") {
  for (uint64_t seed = 1; seed <= 1000; ++seed) CHECK(difference_from_naive(makers(), seed) == "");
}

// ---- Switch and Merge ---------------------------------------------------------------------------

namespace {

// pred ? -x : x + x, as TensorFlow's cond lays it out.
struct Choice {
  Graph graph;
  Output x = placeholder(graph, DType::kFloat, {}, {.name = "x"});
  Output pred = placeholder(graph, DType::kBool, {}, {.name = "pred"});
  std::pair<Output, Output> sides = switch_by(x, pred);
  Output when_false = test::add(sides.first, sides.first);
  Output when_true = test::negate(sides.second);
  Merged result = merge({when_false, when_true});
  Session session{graph};
};

}  // namespace

TEST_CASE("Merge gives the side of a Switch that was taken", "[runtime][plan][switch]") {
  Choice c;
  for (int i = 0; i < 2; ++i) {
    const auto yes = c.session.run({c.result.value, c.result.index}, {{c.x, 3.0f}, {c.pred, true}});
    CHECK(yes[0].scalar<float>() == -3);
    CHECK(yes[1].scalar<int32_t>() == 1);
    const auto no = c.session.run({c.result.value, c.result.index}, {{c.x, 3.0f}, {c.pred, false}});
    CHECK(no[0].scalar<float>() == 6);
    CHECK(no[1].scalar<int32_t>() == 0);
  }
}

TEST_CASE("What stands behind the side not taken does not run", "[runtime][plan][switch]") {
  Choice c;
  Output counted;
  {
    const Scope after = c.graph.control_dependencies({c.when_true.op()});
    counted = add_operation(c.graph, test::kCountRuns).output();
  }
  const Operation both = group({counted.op(), c.result.value.op()});
  const int before = test::runs;
  c.session.run(both, {{c.x, 3.0f}, {c.pred, false}});
  CHECK(test::runs == before);
  c.session.run(both, {{c.x, 3.0f}, {c.pred, true}});
  CHECK(test::runs == before + 1);
}

TEST_CASE("A dead tensor cannot be fetched", "[runtime][plan][switch]") {
  Choice c;
  Call call = c.session.prepare({c.when_true}, {c.x, c.pred});
  const Error error = error_of([&] { call({3.0f, false}); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "side of a Switch that was not taken"));
  CHECK(call({3.0f, true})[0].scalar<float>() == -3);
}

TEST_CASE("A dead variable reference cannot be fetched, and is not written",
          "[runtime][plan][switch]") {
  Choice c;
  const Variable v = test::variable(c.graph, constant(c.graph, 1.0f), "v");
  const auto [no, yes] = switch_by(v.ref(), c.pred);
  const Output set_no = test::assign(no, constant(c.graph, 10.0f)),
               set_yes = test::assign(yes, constant(c.graph, 20.0f));
  const Operation both = group({set_no.op(), set_yes.op()});
  c.session.run(v.initializer());
  c.session.run(both, {{c.pred, true}});
  CHECK(c.session.run(v).scalar<float>() == 20);
  c.session.run(both, {{c.pred, false}});
  CHECK(c.session.run(v).scalar<float>() == 10);
  CHECK(c.session.run(yes, {{c.pred, true}}).scalar<float>() == 10);
  CHECK(error_of([&, taken = yes] {
          c.session.run(taken, {{c.pred, false}});
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("A variable read only behind the side not taken need not hold a value",
          "[runtime][plan][switch]") {
  Choice c;
  const Variable v = test::variable(c.graph, constant(c.graph, 1.0f), "v");
  const auto [no, yes] = switch_by(v.ref(), c.pred);
  const Output read = merge({identity(yes), test::negate(switch_by(c.x, c.pred).first)}).value;
  CHECK(c.session.run(read, {{c.x, 3.0f}, {c.pred, false}}).scalar<float>() == -3);
  const Error error = error_of([&] { c.session.run(read, {{c.x, 3.0f}, {c.pred, true}}); });
  CHECK(error.code() == Code::kFailedPrecondition);
  CHECK(says(error, "'v'"));
}

TEST_CASE("A fed tensor is alive whatever the Switch behind it decides",
          "[runtime][plan][switch]") {
  Choice c;
  const auto values =
      c.session.run({c.result.value}, {{c.x, 3.0f}, {c.pred, false}, {c.when_false, 7.0f}});
  CHECK(values[0].scalar<float>() == 7);
}

TEST_CASE("What passes its input on has no turn, and its readers and fetches take the input itself",
          "[runtime][plan]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2});
  const Output a = test::negate(x, "a"), i = identity(identity(a), {.name = "i"}),
               b = test::negate(i, "b");
  const Plan plan = make_plan({{b.endpoint(), i.endpoint()}, {x.endpoint()}, {}});
  REQUIRE(order(plan) == std::vector<std::string>{"a", "Identity", "i", "b"});
  CHECK(plan.steps[1].idle);
  CHECK(plan.steps[2].idle);
  CHECK(plan.steps[3].inputs == std::vector<int>{plan.steps[0].first_output});
  CHECK(plan.fetches[1].slot == plan.steps[0].first_output);
}

TEST_CASE("What follows from shapes alone is computed again only when a shape is another",
          "[runtime][plan]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, Shape::unknown());
  const Output counted = add_node(test::kCounted, {add_node(test::kCounted, {shape(x)})});
  const Output y = add(counted, 1);
  Session session(graph);
  Call call = session.prepare({y}, {x});
  const auto sizes = [&](const Shape& fed) {
    return call({Tensor::zeros(DType::kFloat, fed)})[0].to_int64s();
  };
  test::runs = 0;
  for (int i = 0; i < 4; ++i) CHECK(sizes({3, 2}) == std::vector<int64_t>{4, 3});
  CHECK(test::runs == 2);
  for (int i = 0; i < 4; ++i) CHECK(sizes({5}) == std::vector<int64_t>{6});
  CHECK(test::runs == 4);
  CHECK(sizes({3, 2}) == std::vector<int64_t>{4, 3});
}

TEST_CASE("What follows from shapes alone is computed again after a run that failed",
          "[runtime][plan]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1});
  const Output counted = add_node(test::kCounted, {shape(x)});
  Session session(graph);
  Call call = session.prepare({add(counted, 1), add_node(test::kRefuseNegative, {x})}, {x});
  test::runs = 0;
  call({Tensor::vector<float>({1, 2})});
  CHECK_THROWS(call({Tensor::vector<float>({-1, 2})}));
  CHECK(call({Tensor::vector<float>({1, 2})})[0].to_int64s() == std::vector<int64_t>{3});
  CHECK(test::runs == 2);
}
