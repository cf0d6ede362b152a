// Which value of a variable a node works on when the same run writes it.
#include <algorithm>
#include <random>
#include <set>

#include "ops/array/array.h"
#include "ops/flow/cond.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "persist/graph/meta_graph.h"
#include "runtime/exec/plan.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "train/moving_averages.h"
#include "train/optimizers.h"

namespace cairn {
namespace {

Variable scalar(Graph& graph, float value, const char* name, bool resource) {
  return variable(graph, value, {.name = name, .use_resource = resource});
}

// The graph written down and read into another, which has none of the program's handles.
void copy(const Graph& from, Graph& to) {
  import_meta_graph_def(to, MetaGraph::parse(export_meta_graph(from).bytes(), ""));
}

float number(Session& session, const std::string& name) {
  return session.run(name).scalar<float>();
}

}  // namespace

TEST_CASE("What is made under a training step's control dependency works on what it has written",
          "[reads]") {
  for (const bool resource : {false, true}) {
    for (const bool imported : {false, true}) {
      INFO("resource " << resource << ", imported " << imported);
      Graph built, copied;
      const Variable w = scalar(built, 1, "w", resource);
      const Operation step = GradientDescentOptimizer(0.25).minimize(square(w));
      std::string clip;
      {
        const Scope after = built.control_dependencies({step});
        clip = assign(w, clip_by_value(w, -0.8f, 0.8f)).op().name();
      }
      global_variables_initializer(built);
      if (imported) copy(built, copied);
      Session session(imported ? copied : built);
      session.run("init");
      for (const float expected : {0.5f, 0.25f, 0.125f, 0.0625f}) {
        session.run(clip);
        CHECK(number(session, "w" + std::string(resource ? "/Read/ReadVariableOp:0" : "/read:0")) ==
              expected);
      }
    }
  }
}

TEST_CASE("An average made under a step's control dependency takes the step's values", "[reads]") {
  for (const bool resource : {false, true}) {
    Graph graph;
    const Variable w = scalar(graph, 1, "W", resource);
    const Operation step = GradientDescentOptimizer(0.25).minimize(square(w));
    ExponentialMovingAverage average(0.5);
    Operation train;
    {
      const Scope after = graph.control_dependencies({step});
      train = average.apply(graph);
    }
    Session session(graph);
    session.run(global_variables_initializer(graph));
    session.run(train);
    CHECK(session.value(w).scalar<float>() == 0.5f);
    CHECK(session.value(average.average(w)).scalar<float>() == 0.75f);
  }
}

TEST_CASE("A variable that its own run gives a value needs none before", "[reads]") {
  for (const bool resource : {false, true}) {
    Graph graph;
    const Variable x = scalar(graph, 0, "x", resource);
    const Output write = assign(x, 100.0f);
    Output sum;
    {
      const Scope after = graph.control_dependencies({write});
      sum = x + 3.0f;
    }
    Session session(graph);
    CHECK(session.run(sum).scalar<float>() == 103);
  }
}

TEST_CASE("What was read before a write stays what it was", "[reads]") {
  for (const bool resource : {false, true}) {
    Graph graph;
    const Variable x = scalar(graph, 1, "x", resource);
    const Output before = identity(x, {.name = "before"});
    const Operation write = assign_add_op(x, 10.0f);
    const Output beside = x + 0.5f;  // nothing orders it behind the write
    Output change, read;
    {
      const Scope after = graph.control_dependencies({write});
      change = x - before;
      read = x.read_value();
    }
    Session session(graph);
    session.run(x.initializer());
    const auto values = session.run({change, beside, read, before});
    CHECK(values[0].scalar<float>() == 10);
    CHECK(values[1].scalar<float>() == 1.5f);
    CHECK(values[2].scalar<float>() == 11);
    CHECK(values[3].scalar<float>() == 1);
  }
}

TEST_CASE("A condition behind a write, and a write inside one, are seen by what comes after them",
          "[reads][cond]") {
  for (const bool resource : {false, true}) {
    for (const bool imported : {false, true}) {
      INFO("resource " << resource << ", imported " << imported);
      Graph built, copied;
      const Output p = placeholder(built, DType::kBool, {}, {.name = "p"});
      const Variable x = scalar(built, 1, "x", resource);
      const Operation write = assign_add_op(x, 10.0f);
      {
        const Scope after = built.control_dependencies({write});
        const Output behind = cond(
            p, [&] { return x * 2.0f; }, [&] { return x * 3.0f; });
        identity(behind, {.name = "behind"});
      }
      const Output inside = cond(
          p,
          [&] {
            const Scope after = built.control_dependencies({assign_add_op(x, 100.0f)});
            return x * 1.0f;
          },
          [&] { return x * 1.0f; });
      identity(inside, {.name = "inside"});
      global_variables_initializer(built);
      if (imported) copy(built, copied);
      Session session(imported ? copied : built);
      const auto run = [&](const char* what, bool side) {
        session.run("init");
        return session.run(what, {{"p:0", Tensor(side)}}).scalar<float>();
      };
      CHECK(run("behind:0", true) == 22);
      CHECK(run("behind:0", false) == 33);
      CHECK(run("inside:0", true) == 101);
      CHECK(run("inside:0", false) == 1);
    }
  }
}

TEST_CASE("The method read_value makes the nodes that TensorFlow makes", "[reads]") {
  Graph graph;
  const Variable w = scalar(graph, 1, "w", false), r = scalar(graph, 1, "r", true);
  CHECK(w.read_value().name() == "read:0");
  CHECK(r.read_value().name() == "Identity:0");
  CHECK(graph.find_op("Identity").input(0).op().type() == "ReadVariableOp");
  const Scope after = graph.control_dependencies({w.initializer()});
  const Output sum = r + 1.0f;
  CHECK(sum.op().input(0).name() == "add/ReadVariableOp:0");
  CHECK(sum.op().input(0).op().control_inputs() == std::vector<Operation>{w.initializer()});
}

TEST_CASE("An ordinary training step reads each variable once", "[reads][plan]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {4, 3});
  const Variable w = variable(ones(graph, {3, 2}), {.name = "w"}),
                 b = variable(zeros(graph, {2}), {.name = "b"});
  const Variable step = variable(graph, int64_t{0}, {.name = "step", .trainable = false});
  const Output loss = reduce_mean(square(matmul(x, w) + b));
  const Operation train = AdamOptimizer(0.1).minimize(loss, {.global_step = step});
  const auto plan = internal::make_plan(
      {.fetches = {loss.endpoint()}, .feeds = {x.endpoint()}, .targets = {&train.node()}}, &graph);
  std::set<const Node*> nodes;
  for (const auto& each : plan.steps) CHECK(nodes.insert(each.node).second);
}

// Random programs over three reference variables, against values worked out one node after the
// other: a node sees the writes that are before it by edges; of a variable that none of those wrote
// it sees what it began the run with, unless it takes the reference itself.
TEST_CASE("Random orders of reads and writes give each node the writes ordered before it",
          "[reads][oracle]") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
    Graph graph;
    std::vector<Variable> variables;
    std::vector<float> began, now;
    for (int v = 0; v < 3; ++v) {
      began.push_back(static_cast<float>(1 << v));
      variables.push_back(scalar(graph, began.back(), "v", false));
    }
    now = began;
    struct Made {
      Operation op;
      bool writes = false;
      size_t variable = 0;
      float value = 0;
      std::set<size_t> before;  // by edges
    };
    std::vector<Made> made;
    for (size_t i = 0; i < 14; ++i) {
      Made next;
      std::vector<Operation> waits;
      for (size_t k = 0; k < made.size(); ++k) {
        if (below(5) == 0) {
          waits.push_back(made[k].op);
          next.before.insert(k);
          next.before.insert(made[k].before.begin(), made[k].before.end());
        }
      }
      // What a node takes: a variable, or what an earlier node gives (a writer: the reference).
      next.writes = below(2) == 0;
      next.variable = below(3);
      std::vector<size_t> from;
      std::vector<Output> taken;
      for (int k = 0; k < (next.writes ? 1 : 2); ++k) {
        from.push_back(below(3 + made.size()));
        taken.push_back(from.back() < 3 ? Output(variables[from.back()])
                                        : made[from.back() - 3].op.output());
        if (from.back() < 3) continue;
        next.before.insert(from.back() - 3);
        next.before.insert(made[from.back() - 3].before.begin(),
                           made[from.back() - 3].before.end());
      }
      const auto value_of = [&](size_t source) {
        if (source >= 3)
          return made[source - 3].writes ? now[made[source - 3].variable] : made[source - 3].value;
        const bool sees = std::any_of(next.before.begin(), next.before.end(), [&](size_t k) {
          return made[k].writes && made[k].variable == source;
        });
        return sees ? now[source] : began[source];
      };
      const Scope after = waits.empty() ? Scope() : graph.control_dependencies(waits);
      if (next.writes) {
        now[next.variable] += value_of(from[0]);
        next.op = assign_add(variables[next.variable].ref(), taken[0]).op();
      } else {
        next.value = value_of(from[0]) + value_of(from[1]);
        next.op = add(taken[0], taken[1]).op();
      }
      made.push_back(next);
    }
    Session session(graph);
    session.run(global_variables_initializer(graph));
    std::vector<Target> fetches, targets;
    for (const Made& each : made) {
      if (!each.writes) fetches.push_back(each.op.output());
      targets.push_back(each.op);
    }
    const std::vector<Tensor> values = session.run_all(fetches, {}, targets);
    size_t at = 0;
    for (const Made& each : made) {
      if (!each.writes) CHECK(values[at++].scalar<float>() == each.value);
    }
    for (size_t v = 0; v < 3; ++v) CHECK(session.value(variables[v]).scalar<float>() == now[v]);
  }
}

TEST_CASE("A row of a variable is a row of what a node made there takes for it", "[reads]") {
  for (const bool resource : {false, true}) {
    INFO("resource " << resource);
    Graph graph;
    const Variable w =
        variable(graph, Tensor::vector<float>({1, 2}), {.name = "w", .use_resource = resource});
    const Output p = placeholder(graph, DType::kBool, {}),
                 written = placeholder(graph, DType::kFloat, {2});
    Output behind;
    {
      const Scope after = graph.control_dependencies({assign(w, written).op()});
      behind = w[1];
      CHECK(behind.node().made_at.line == __LINE__ - 1);
    }
    const Output inside = cond(
        p,
        [&] {
          const Scope after = graph.control_dependencies({assign(w, written).op()});
          return identity(w[1]);
        },
        [&] { return identity(w[0]); });
    Session session(graph);
    const Tensor value = Tensor::vector<float>({10, 20});
    const auto run = [&](const Output& what, bool side) {
      session.run(w.initializer());
      return session.run(what, {{p, Tensor(side)}, {written, value}}).scalar<float>();
    };
    CHECK(run(behind, true) == 20);
    CHECK(run(inside, true) == 20);
    CHECK(run(inside, false) == 1);
  }
}

TEST_CASE("A variable behind with_dependencies is read after the operations it waits for",
          "[reads][flow]") {
  for (const bool resource : {false, true}) {
    INFO("resource " << resource);
    Graph graph;
    const Variable w = scalar(graph, 1, "w", resource);
    const Operation write = assign_add_op(w, 10.0f);
    const Output value = with_dependencies({write}, w);
    CHECK(value.op().node().attrs.find("_class")->str() ==
          w.value().op().node().attrs.find("_class")->str());
    Session session(graph);
    session.run(w.initializer());
    CHECK(session.run(value).scalar<float>() == 11);
  }
}

TEST_CASE("A count of steps that is a variable is read anew at each apply() of an average",
          "[reads][moving average]") {
  Graph graph;
  const Variable w = scalar(graph, 1, "w", false), step = scalar(graph, 0, "step", true);
  ExponentialMovingAverage average(0.9, {.num_updates = step});
  average.apply(graph, {w});
  const Operation write = assign_add_op(step, 5.0f);
  const Scope after = graph.control_dependencies({write});
  average.apply(graph, {w});
  const Output count = graph.find_op("ExponentialMovingAverage_1/add").input(1);
  CHECK(count.op().type() == "ReadVariableOp");
  CHECK(count.op().control_inputs() == std::vector<Operation>{write});
}

}  // namespace cairn
