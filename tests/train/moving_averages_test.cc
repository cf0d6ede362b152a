#include "train/moving_averages.h"

#include <cmath>

#include "ops/array/array.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/graph_text.h"

namespace cairn {
namespace {

using Lines = std::vector<std::string>;

TEST_CASE("A moving average is a shadow variable and the nodes that move it", "[moving average]") {
  Graph graph;
  const Variable w = variable(graph, 1.0f, {.name = "W"});
  const int first = graph.num_nodes();
  ExponentialMovingAverage average(0.9);
  CHECK(average.average_name(w) == "W/ExponentialMovingAverage");
  average.apply(graph);
  const std::string shadow = "W/ExponentialMovingAverage", scope = "ExponentialMovingAverage",
                    move = scope + "/AssignMovingAvg";
  CHECK(node_lines(graph, first) ==
        Lines{shadow + " = VariableV2() @W", shadow + "/Assign = Assign(" + shadow + ", W/read) @W",
              shadow + "/read = Identity(" + shadow + ") @W", scope + "/decay = Const()",
              move + "/sub/x = Const() @W",
              move + "/sub = Sub(" + move + "/sub/x, " + scope + "/decay) @W",
              move + "/sub_1 = Sub(" + shadow + "/read, W/read) @W",
              move + "/mul = Mul(" + move + "/sub_1, " + move + "/sub) @W",
              move + " = AssignSub(" + shadow + ", " + move + "/mul) @W",
              scope + " = NoOp(^" + move + ")"});
  CHECK(graph.collection<Variable>(GraphKeys::kMovingAverageVariables) == std::vector{w});
  CHECK(graph.trainable_variables() == std::vector{w});
  CHECK(average.average(w).name() == shadow);
}

TEST_CASE("A moving average begins with the value and follows it, faster while steps are few",
          "[moving average]") {
  Graph graph;
  const Variable w = variable(graph, 1.0f, {.name = "W"});
  const Variable steps = variable(graph, 0, {.name = "steps", .trainable = false});
  ExponentialMovingAverage slow(0.9), quick(0.9, {.num_updates = steps, .name = "Quick"});
  const Operation move = slow.apply(graph), move_quickly = quick.apply(graph);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  CHECK(session.run(slow.average(w)).scalar<float>() == 1);
  session.run(assign(w, 2.0f));
  session.run(move);
  CHECK(session.run(slow.average(w)).scalar<float>() == Approx(1.1));
  session.run(move_quickly);  // decay (1 + 0) / (10 + 0)
  CHECK(session.run(quick.average(w)).scalar<float>() == Approx(0.1 * 1 + 0.9 * 2));
}

TEST_CASE("Each variable with an average is restored from it by variables_to_restore",
          "[moving average]") {
  Graph graph;
  const Variable w = variable(graph, 1.0f, {.name = "W"});
  const Variable step = get_or_create_global_step(graph);
  ExponentialMovingAverage average(0.9);
  average.apply(graph);
  const auto restored = average.variables_to_restore(graph);
  CHECK(restored.size() == 2);
  CHECK(restored.at("W/ExponentialMovingAverage") == w);
  CHECK(restored.at("global_step") == step);
}

TEST_CASE("A moving average needs variables of a floating dtype", "[moving average]") {
  Graph graph;
  ExponentialMovingAverage average(0.9);
  CHECK(error_of([&] { average.apply(graph); }).code() == Code::kInvalidArgument);
  const Variable n = variable(graph, 1, {.name = "n"});
  CHECK(error_of([&] { average.apply(graph); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { average.average(n); }).code() == Code::kNotFound);
}

}  // namespace

TEST_CASE("A decay outside [0, 1] is refused with the line, and leaves the graph as it was",
          "[moving average]") {
  for (const double decay : {std::nan(""), -1.0, -1e-60, 1 + 1e-12, 2.0, 1e300, double(INFINITY)}) {
    Graph graph;
    const Variable w = variable(graph, 1.0f, {.name = "W"});
    const int nodes = graph.num_nodes();
    ExponentialMovingAverage average(decay);
    const Error error = error_of([&] { average.apply(graph, {w}); });
    INFO(error.what());
    CHECK(error.code() == Code::kInvalidArgument);
    CHECK(says(error, "ExponentialMovingAverage (moving_averages_test.cc:"));
    CHECK(says(error, "decay must be in [0, 1], is "));
    CHECK(graph.num_nodes() == nodes);
    CHECK(graph.items(GraphKeys::kMovingAverageVariables).empty());
  }
  for (const double decay : {0.0, 1.0, 0.5}) {
    Graph graph;
    variable(graph, 1.0f, {.name = "W"});
    CHECK_NOTHROW(ExponentialMovingAverage(decay).apply(graph));
  }
}

}  // namespace cairn
