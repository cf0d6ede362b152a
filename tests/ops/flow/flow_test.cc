#include "ops/flow/flow.h"

#include <limits>

#include "ops/array/array.h"
#include "ops/math/math.h"
#include "ops/state/variables.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/graph_text.h"
#include "tests/support/lab.h"
#include "tests/support/numeric_gradient.h"

namespace cairn {
namespace {

using Catch::Matchers::Contains;
using Lines = std::vector<std::string>;

// ---- order --------------------------------------------------------------------------------------

TEST_CASE("Group makes one NoOp behind all, in order of name", "[flow]") {
  Graph graph;
  const Operation b = no_op(graph, {.name = "b"}), a = no_op(graph, {.name = "a"});
  CHECK(node_line(group({b, a})) == "group_deps = NoOp(^a, ^b)");
  CHECK(node_line(group({b, a}, {.name = "both"})) == "both = NoOp(^a, ^b)");
  CHECK(error_of([&] { group({}); }).code() == Code::kInvalidArgument);
}

TEST_CASE("Group puts a NoOp on each of several devices", "[flow]") {
  Graph graph;
  const auto on = [&](const char* device, const char* name) {
    const Scope scope = graph.device(device);
    return no_op(graph, {.name = name});
  };
  const Operation a = on("/cpu:0", "a"), b = on("/cpu:1", "b"), c = on("/cpu:0", "c");
  const int first = graph.num_nodes();
  group({a, b, c});
  CHECK(node_lines(graph, first) ==
        Lines{"group_deps/NoOp = NoOp(^a, ^c)", "group_deps/NoOp_1 = NoOp(^b)",
              "group_deps = NoOp(^group_deps/NoOp, ^group_deps/NoOp_1)"});
  CHECK(graph.find_op("group_deps/NoOp").node().device == "/cpu:0");
  CHECK(graph.find_op("group_deps/NoOp_1").node().device == "/cpu:1");
  CHECK(graph.find_op("group_deps").node().device.empty());
}

TEST_CASE("Tuple gives each tensor when all are computed", "[flow]") {
  Graph graph;
  const Output x = constant(graph, 1.0f, {.name = "x"}), y = constant(graph, 2.0f, {.name = "y"});
  const auto gated = tuple({x, Output(), y});
  CHECK(node_lines(graph, 2) ==
        Lines{"tuple/group_deps = NoOp(^x, ^y)",
              "tuple/control_dependency = Identity(x, ^tuple/group_deps) @x",
              "tuple/control_dependency_1 = Identity(y, ^tuple/group_deps) @y"});
  REQUIRE(gated.size() == 3);
  CHECK_FALSE(gated[1]);
  CHECK(Session(graph).run(gated[2]).scalar<float>() == 2);
  CHECK(error_of([&] { tuple({Output()}); }).code() == Code::kInvalidArgument);
}

TEST_CASE("An Identity of with_dependencies runs the operations it waits for", "[flow]") {
  Graph graph;
  const Variable v = variable(graph, 1.0f, {.name = "v"});
  const Output x = constant(graph, 3.0f);
  const Output y = with_dependencies({v.assign(x).op()}, x);
  Session session(graph);
  session.run(v.initializer());
  CHECK(session.run(y).scalar<float>() == 3);
  CHECK(session.run(v).scalar<float>() == 3);
}

// ---- checks -------------------------------------------------------------------------------------

TEST_CASE("An assertion that does not hold fails the run and shows its data", "[flow]") {
  Graph graph;
  const Output ok = placeholder(graph, DType::kBool, {});
  const Operation check =
      assert_op(ok, {constant(graph, Tensor::vector<int32_t>({1, 2, 3, 4}))}, {.summarize = 2});
  CHECK(check.name() == "Assert/Assert");
  Session session(graph);
  session.run(check, {{ok, true}});
  const Error error = error_of([&] { session.run(check, {{ok, false}}); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Contains("assertion failed: [1 2"));
  CHECK_THAT(error.what(), !Contains("4"));
  CHECK(error.node() == "Assert/Assert");
  CHECK_THAT(
      error_of([&] { assert_op(constant(graph, Tensor::vector<bool>({true})), {ok}); }).what(),
      Contains("condition"));
}

TEST_CASE("Print passes its input on, and its gradient", "[flow]") {
  Lab lab;
  const Output x = lab.fed(Tensor::vector<float>({1, 2}), {2});
  CHECK(lab.told(print(x, {x}, {.message = "x: ", .first_n = 0})) == "float [2] [1. 2.]");
  check_gradient([](Output x, Output y) { return print(x, {y}, {.first_n = 0}); },
                 {doubles({2}), doubles({3})});
}

TEST_CASE("CheckNumerics names what it found", "[flow]") {
  const float inf = std::numeric_limits<float>::infinity(),
              nan = std::numeric_limits<float>::quiet_NaN();
  const auto said = [](const std::vector<float>& values) {
    Lab lab;
    const Output y = check_numerics(lab.fed(Tensor::vector<float>(values)), "weights");
    return std::string(error_of([&] { lab.run(y); }).what());
  };
  CHECK_THAT(said({1, nan}), Contains("weights : Tensor had NaN values"));
  CHECK_THAT(said({-inf, 1}), Contains("weights : Tensor had Inf values"));
  CHECK_THAT(said({inf, nan}), Contains("weights : Tensor had Inf and NaN values"));
  Lab lab;
  CHECK(lab.told(check_numerics(lab.fed(Tensor::vector<float>({1, -2})), "")) ==
        "float [2] [ 1. -2.]");
  CHECK(
      lab.told(check_numerics(lab.fed(Tensor::vector<Half>({Half(1.0f)})), "")).find("half [1]") ==
      0);
  check_gradient([](Output x) { return check_numerics(x, "x"); }, {doubles({2})});
}

TEST_CASE("CheckNumerics fails also where it is only waited for", "[flow]") {
  Lab lab;
  const Output x = lab.fed(Tensor::vector<float>({1, std::numeric_limits<float>::quiet_NaN()}));
  const Output checked = check_numerics(x, "x");
  const Scope after = x.graph().control_dependencies({checked.op()});
  CHECK_THAT(error_of([&] { lab.run(constant(x.graph(), 1.0f)); }).what(),
             Contains("Tensor had NaN values"));
}

// ---- choices ------------------------------------------------------------------------------------

TEST_CASE("Only the side that a Switch takes runs, and Merge gives its index", "[flow]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {}),
               pred = placeholder(graph, DType::kBool, {});
  const auto [when_false, when_true] = switch_by(x, pred);
  const Operation refused = assert_op(less(when_true, 0.0f), {when_true});
  const Output negative_one = with_dependencies({refused}, negative(when_true));
  const Merged merged = merge({identity(when_false), negative_one});
  Session session(graph);
  const auto run = [&](float value, bool side) {
    return session.run({merged.value, merged.index}, {{x, value}, {pred, side}});
  };
  CHECK(run(5, false)[0].scalar<float>() == 5);
  CHECK(run(5, false)[1].scalar<int32_t>() == 0);
  CHECK(run(-5, true)[0].scalar<float>() == 5);
  CHECK(run(-5, true)[1].scalar<int32_t>() == 1);
  CHECK(error_of([&] { run(5, true); }).code() == Code::kInvalidArgument);
}

TEST_CASE("A reference goes through a Switch as a reference", "[flow]") {
  Graph graph;
  const Variable v = variable(graph, 2.0f, {.name = "v"});
  const Output pred = placeholder(graph, DType::kBool, {});
  const auto [when_false, when_true] = switch_by(v.ref(), pred);
  CHECK(when_true.op().type() == "RefSwitch");
  CHECK(is_ref(when_true.dtype()));
  const Output zero = switch_by(constant(graph, 0.0f), pred).first;
  const Merged merged = merge({zero, identity(when_true)});
  Session session(graph);
  session.run(v.initializer());
  CHECK(session.run(merged.value, {{pred, true}}).scalar<float>() == 2);
  CHECK(session.run(merged.value, {{pred, false}}).scalar<float>() == 0);
}

TEST_CASE("Merge knows of a shape what its inputs agree on", "[flow]") {
  Graph graph;
  const Output a = placeholder(graph, DType::kFloat, {2, 3}),
               b = placeholder(graph, DType::kFloat, {2, 4});
  CHECK(merge({a, b}).value.shape() == Shape{2, -1});
  CHECK(merge({a, placeholder(graph, DType::kFloat, {2})}).value.shape() == Shape::unknown());
  CHECK(merge({a}).index.shape() == Shape{});
}

}  // namespace
}  // namespace cairn
