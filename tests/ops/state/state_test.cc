#include "ops/state/state.h"

#include <algorithm>

#include "ops/state/partitioned_variable.h"

#include "ops/array/array.h"
#include "ops/math/math.h"
#include "ops/state/variables.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/graph_text.h"

namespace cairn {
namespace {

using Catch::Matchers::Contains;
using Lines = std::vector<std::string>;

// ---- nodes and names ----------------------------------------------------------------------------

TEST_CASE("A variable with a plain value is five nodes under TensorFlow's names", "[variables]") {
  Graph graph;
  const Variable a = variable(graph, 0.5f, {.name = "a"});
  CHECK(node_lines(graph) == Lines{"a/initial_value = Const()", "a = VariableV2()",
                                   "a/Assign = Assign(a, a/initial_value) @a",
                                   "a/read = Identity(a) @a"});
  CHECK(a.name() == "a");
  CHECK(a.ref().name() == "a:0");
  CHECK(a.value().name() == "a/read:0");
  CHECK(a.initial_value().name() == "a/initial_value:0");
  CHECK(a.initializer().flag("use_locking"));
  CHECK(a.initializer().flag("validate_shape"));
  CHECK(a.ref().op().attrs().str("shared_name").empty());
}

TEST_CASE("A variable with a tensor of the graph for its initial value adds no constant",
          "[variables]") {
  Graph graph;
  const Output value = constant(graph, Tensor::vector<float>({1, 2}), {.name = "given"});
  variable(value);
  variable(value);
  CHECK(node_lines(graph, 1) ==
        Lines{"Variable = VariableV2()", "Variable/Assign = Assign(Variable, given) @Variable",
              "Variable/read = Identity(Variable) @Variable", "Variable_1 = VariableV2()",
              "Variable_1/Assign = Assign(Variable_1, given) @Variable_1",
              "Variable_1/read = Identity(Variable_1) @Variable_1"});
}

TEST_CASE("The initial value of get_variable is in the variable's scope, colocated with it",
          "[variables]") {
  Graph graph;
  {
    const Scope scope = graph.variable_scope("hidden1");
    get_variable(graph, "kernel", {784, 300});
  }
  const std::string at = " @hidden1/kernel", in = "hidden1/kernel/Initializer/random_uniform";
  CHECK(node_lines(graph) ==
        Lines{in + "/shape = Const()" + at, in + "/min = Const()" + at, in + "/max = Const()" + at,
              in + "/RandomUniform = RandomUniform(" + in + "/shape)" + at,
              in + "/sub = Sub(" + in + "/max, " + in + "/min)" + at,
              in + "/mul = Mul(" + in + "/RandomUniform, " + in + "/sub)" + at,
              in + " = Add(" + in + "/mul, " + in + "/min)" + at,
              "hidden1/kernel = VariableV2()" + at,
              "hidden1/kernel/Assign = Assign(hidden1/kernel, " + in + ")" + at,
              "hidden1/kernel/read = Identity(hidden1/kernel)" + at});
}

TEST_CASE("Zeros of fewer than 1000 elements begin as a constant, more as a Fill", "[variables]") {
  Graph graph;
  get_variable(graph, "b", {10}, {.initializer = zeros_initializer()});
  get_variable(graph, "W", {100, 10}, {.initializer = zeros_initializer()});
  CHECK(node_lines(graph)[0] == "b/Initializer/zeros = Const() @b");
  CHECK(node_lines(graph, 4) ==
        Lines{"W/Initializer/zeros/shape_as_tensor = Const() @W",
              "W/Initializer/zeros/Const = Const() @W",
              "W/Initializer/zeros = Fill(W/Initializer/zeros/shape_as_tensor, "
              "W/Initializer/zeros/Const) @W",
              "W = VariableV2() @W", "W/Assign = Assign(W, W/Initializer/zeros) @W",
              "W/read = Identity(W) @W"});
}

TEST_CASE("A resource variable is a handle, a query, an assignment and a read", "[variables]") {
  Graph graph;
  const Variable w =
      get_variable(graph, "W", {2}, {.initializer = ones_initializer(), .use_resource = true});
  CHECK(node_lines(graph) == Lines{"W/Initializer/ones = Const() @W", "W = VarHandleOp() @W",
                                   "W/IsInitialized/VarIsInitializedOp = VarIsInitializedOp(W) @W",
                                   "W/Assign = AssignVariableOp(W, W/Initializer/ones) @W",
                                   "W/Read/ReadVariableOp = ReadVariableOp(W) @W"});
  CHECK(w.is_resource());
  CHECK(w.dtype() == DType::kFloat);
  CHECK(w.shape() == Shape{2});
  CHECK(w.ref().op().attrs().str("shared_name") == "W");
}

TEST_CASE("Trainable variables are in two collections, others in one", "[variables]") {
  Graph graph;
  const Variable w = variable(graph, 1.0f, {.name = "w"});
  const Variable n = variable(graph, 1, {.name = "n", .trainable = false});
  variable(graph, 1,
           {.name = "l", .trainable = false, .collections = {GraphKeys::kLocalVariables}});
  CHECK(graph.variables() == std::vector{w, n});
  CHECK(graph.trainable_variables() == std::vector{w});
  CHECK(node_line(local_variables_initializer(graph)) == "init = NoOp(^l/Assign)");
}

TEST_CASE("Variables are made outside of control dependencies", "[variables]") {
  Graph graph;
  const Output c = constant(graph, 1.0f);
  const Scope after = graph.control_dependencies({c.op()});
  variable(graph, 1.0f, {.name = "w"});
  CHECK(node_lines(graph, 1)[0] == "w/initial_value = Const()");
}

TEST_CASE("The initializer of all variables waits for each, in order of name", "[variables]") {
  Graph graph;
  variable(graph, 1.0f, {.name = "b"});
  variable(graph, 1.0f, {.name = "a"});
  CHECK(node_line(global_variables_initializer(graph)) == "init = NoOp(^a/Assign, ^b/Assign)");
  Graph empty;
  CHECK(node_line(global_variables_initializer(empty)) == "init = NoOp()");
}

TEST_CASE("The global step is an int64 scalar that is not trained", "[variables]") {
  Graph graph;
  const Variable step = get_or_create_global_step(graph);
  CHECK(
      node_lines(graph) ==
      Lines{"global_step/Initializer/zeros = Const() @global_step",
            "global_step = VariableV2() @global_step",
            "global_step/Assign = Assign(global_step, global_step/Initializer/zeros) @global_step",
            "global_step/read = Identity(global_step) @global_step"});
  CHECK(step.dtype() == DType::kInt64);
  CHECK(graph.variables() == std::vector{step});
  CHECK(graph.trainable_variables().empty());
  CHECK(graph.collection<Variable>(GraphKeys::kGlobalStep) == std::vector{step});
  CHECK(get_or_create_global_step(graph) == step);
  CHECK(error_of([&] { create_global_step(graph); }).code() == Code::kAlreadyExists);
  Graph other;
  CHECK(error_of([&] { get_global_step(other); }).code() == Code::kNotFound);
}

TEST_CASE("The regularizer's loss is in the variable's scope and in its collection",
          "[variables]") {
  Graph graph;
  get_variable(graph, "W", {2},
               {.initializer = ones_initializer(), .regularizer = [](const Output& w) {
                  return multiply(w, w, {.name = "squares"});
                }});
  const auto losses = graph.collection<Output>(GraphKeys::kRegularizationLosses);
  REQUIRE(losses.size() == 1);
  CHECK(node_line(losses[0].op()) == "W/Regularizer/squares = Mul(W/read, W/read) @W");
}

// ---- sharing by name ----------------------------------------------------------------------------

TEST_CASE("A variable scope that reuses gives the existing variable", "[variables]") {
  Graph graph;
  const auto kernel = [&](bool reuse, const Shape& shape = {2, 3}, DType dtype = DType::kFloat) {
    const Scope scope = graph.variable_scope("layer", reuse);
    return get_variable(graph, "kernel", shape, {.dtype = dtype});
  };
  CHECK(error_of([&] { kernel(true); }).code() == Code::kNotFound);
  const Variable made = kernel(false);
  CHECK(made.name() == "layer/kernel");
  CHECK(kernel(true) == made);
  const Error exists = error_of([&] { kernel(false); });
  CHECK(exists.code() == Code::kAlreadyExists);
  CHECK_THAT(exists.what(), Contains("'layer/kernel' exists already, made at state_test.cc:"));
  CHECK_THAT(error_of([&] {
               kernel(true, {3, 2});
             }).what(),
             Contains("is of shape [2,3], not [3,2]"));
  CHECK_THAT(error_of([&] {
               kernel(true, {2, 3}, DType::kInt32);
             }).what(),
             Contains("is of dtype float, not int32"));
}

TEST_CASE("Name scopes have no effect on get_variable", "[variables]") {
  Graph graph;
  const Scope scope = graph.name_scope("model");
  CHECK(get_variable(graph, "W", {2}).name() == "W");
}

TEST_CASE("Without a known shape or, for strings, an initializer, get_variable fails",
          "[variables]") {
  Graph graph;
  CHECK_THAT(error_of([&] {
               get_variable(graph, "W", {-1, 2});
             }).what(),
             Contains("fully known shape, got [?,2]"));
  CHECK_THAT(error_of([&] { get_variable(graph, "s", {2}, {.dtype = DType::kString}); }).what(),
             Contains("'s' of dtype string needs an initializer"));
  CHECK(graph.num_nodes() == 0);
}

TEST_CASE("A variable needs an initial value of known shape", "[variables]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 3});
  CHECK_THAT(error_of([&] { variable(x); }).what(), Contains("is [?,3]"));
  CHECK(variable(x, {.name = "any", .validate_shape = false}).shape() == Shape::unknown());
}

// ---- initial values -----------------------------------------------------------------------------

TEST_CASE("A constant initializer fills a shape with one value, or with as many as it has elements",
          "[variables]") {
  Graph graph;
  const Variable a = get_variable(graph, "a", {2, 2}, {.initializer = constant_initializer(0.25)});
  const Variable b =
      get_variable(graph, "b", {2, 2},
                   {.initializer = constant_initializer(Tensor::vector<float>({1, 2, 3, 4}))});
  const Variable c = get_variable(graph, "c", {2},
                                  {.dtype = DType::kInt32, .initializer = constant_initializer(7)});
  Session session(graph);
  session.run(global_variables_initializer(graph));
  CHECK(bit_equal(session.run(a), Tensor::of<float>({2, 2}, {0.25, 0.25, 0.25, 0.25})));
  CHECK(bit_equal(session.run(b), Tensor::of<float>({2, 2}, {1, 2, 3, 4})));
  CHECK(bit_equal(session.run(c), Tensor::vector<int32_t>({7, 7})));
  CHECK(a.initial_value().name() == "a/Initializer/Const:0");
  const auto with = [&](const Initializer& initializer, DType dtype) {
    return error_of(
        [&] { get_variable(graph, "d", {3}, {.dtype = dtype, .initializer = initializer}); });
  };
  CHECK(with(constant_initializer(0.5), DType::kInt32).code() == Code::kInvalidArgument);
  CHECK(with(constant_initializer(300), DType::kInt8).code() == Code::kInvalidArgument);
  CHECK(with(constant_initializer(Tensor::vector<float>({1, 2})), DType::kFloat).code() ==
        Code::kInvalidArgument);
  CHECK(with(constant_initializer(Tensor(1.0f)), DType::kDouble).code() == Code::kInvalidArgument);
}

TEST_CASE("Glorot values stay within the limit of their fans and are reproducible by seed",
          "[variables]") {
  Graph graph;
  const Variable a =
      get_variable(graph, "a", {300, 100}, {.initializer = glorot_uniform_initializer(3)});
  const Variable b =
      get_variable(graph, "b", {300, 100}, {.initializer = glorot_uniform_initializer(3)});
  Session session(graph);
  session.run(global_variables_initializer(graph));
  const Tensor values = session.run(a);
  CHECK(bit_equal(values, session.run(b)));
  const float limit = std::sqrt(3.0f / 200);
  float lowest = 1, highest = -1;
  for (float v : values.span<float>()) {
    lowest = std::min(lowest, v);
    highest = std::max(highest, v);
  }
  CHECK(lowest >= -limit);
  CHECK(highest < limit);
  CHECK(highest - lowest > 1.9f * limit);
}

TEST_CASE("A variable may begin with the initial value of another", "[variables]") {
  Graph graph;
  const Variable a = variable(graph, 2.0f, {.name = "a"});
  const Variable b = variable(multiply(a, 3.0f), {.name = "b"});
  Session session(graph);
  session.run(global_variables_initializer(graph));
  CHECK(session.run(b).scalar<float>() == 6);
}

// ---- writing ------------------------------------------------------------------------------------

struct Counter {
  Graph graph;
  Variable v;
  std::optional<Session> session;
  explicit Counter(bool resource, const Tensor& initial = Tensor::vector<float>({1, 2}))
      : v(variable(graph, initial, {.name = "v", .use_resource = resource})) {
    session.emplace(graph);
    session->run(v.initializer());
  }
  Tensor value() { return session->run(v); }
};

TEST_CASE("Assignments give the new value and change what is read later", "[state]") {
  for (const bool resource : {false, true}) {
    Counter c(resource);
    const Output five = constant(c.graph, Tensor::vector<float>({5, 5}));
    CHECK(bit_equal(c.session->run(c.v.assign_add(five)), Tensor::vector<float>({6, 7})));
    CHECK(bit_equal(c.value(), Tensor::vector<float>({6, 7})));
    CHECK(bit_equal(c.session->run(c.v.assign_sub(c.v.value())), Tensor::vector<float>({0, 0})));
    CHECK(bit_equal(c.session->run(c.v.assign(add(five, five))), Tensor::vector<float>({10, 10})));
    CHECK(bit_equal(c.value(), Tensor::vector<float>({10, 10})));
  }
}

TEST_CASE("A value that was read does not change when the variable does", "[state]") {
  Counter c(false);
  const Tensor before = c.value();
  c.session->run(c.v.assign_add(c.v.value()));
  CHECK(bit_equal(before, Tensor::vector<float>({1, 2})));
  CHECK(bit_equal(c.value(), Tensor::vector<float>({2, 4})));
}

TEST_CASE("A number that is assigned becomes a constant of the variable's dtype", "[state]") {
  Graph graph;
  const Variable n = variable(graph, int64_t{1}, {.name = "n"});
  const int first = graph.num_nodes();
  const Output more = assign_add(n, 1);
  assign(n, 7);
  CHECK(node_lines(graph, first) ==
        Lines{"AssignAdd/value = Const()", "AssignAdd = AssignAdd(n, AssignAdd/value) @n",
              "Assign/value = Const()", "Assign = Assign(n, Assign/value) @n"});
  Session session(graph);
  session.run(n.initializer());
  CHECK(session.run(more).scalar<int64_t>() == 2);
}

TEST_CASE("A method's Assign does not ask for the lock, tf.assign's does", "[state]") {
  Counter c(false);
  CHECK_FALSE(c.v.assign(c.v.value()).op().flag("use_locking"));
  CHECK(assign(c.v, c.v.value()).op().flag("use_locking"));
}

TEST_CASE(
    "A value of another shape is refused when the node is made, or by the run where it is known "
    "only then",
    "[state]") {
  Counter c(false);
  CHECK_THAT(error_of([&] {
               c.v.assign(constant(c.graph, Tensor::vector<float>({1, 2, 3})));
             }).what(),
             Contains("the variable is of shape [2], the value of shape [3]"));
  const Output x = placeholder(c.graph, DType::kFloat);
  for (const Output& write : {c.v.assign(x), c.v.assign_add(x)}) {
    CHECK_THAT(error_of([&] {
                 c.session->run(write, {{x, Tensor::vector<float>({1, 2, 3})}});
               }).what(),
               Contains("'v' is of shape [2], the value of shape [3]"));
  }
  CHECK(bit_equal(c.value(), Tensor::vector<float>({1, 2})));
}

TEST_CASE("Without validate_shape a variable takes the value's shape", "[state]") {
  Graph graph;
  const Variable v =
      variable(graph, Tensor::vector<float>({1}), {.name = "v", .validate_shape = false});
  const Output x = placeholder(graph, DType::kFloat);
  const Output write = assign(v, x, {.validate_shape = false});
  Session session(graph);
  session.run(v.initializer());
  CHECK(bit_equal(session.run(write, {{x, Tensor::vector<float>({4, 5})}}),
                  Tensor::vector<float>({4, 5})));
}

TEST_CASE("A value of another dtype is refused", "[state]") {
  Counter c(false);
  CHECK(error_of([&] {
          c.v.assign(constant(c.graph, Tensor::vector<int32_t>({1, 2})));
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("AssignAdd and AssignSub take every dtype of numbers, and integers wrap around",
          "[state]") {
  const auto sum = [](const Tensor& a, const Tensor& b, bool plus) {
    Graph graph;
    const Variable v = variable(graph, a, {.name = "v"});
    const Output x = constant(graph, b);
    Session session(graph);
    session.run(v.initializer());
    return session.run(plus ? v.assign_add(x) : v.assign_sub(x));
  };
  CHECK(bit_equal(sum(int8_t{127}, int8_t{1}, true), int8_t{-128}));
  CHECK(bit_equal(sum(uint16_t{0}, uint16_t{1}, false), uint16_t{65535}));
  CHECK(bit_equal(sum(std::numeric_limits<int64_t>::max(), int64_t{1}, true),
                  std::numeric_limits<int64_t>::min()));
  CHECK(bit_equal(sum(Half(1.5f), Half(0.25f), false), Half(1.25f)));
  CHECK(bit_equal(sum(BFloat16(1.5f), BFloat16(0.5f), true), BFloat16(2.0f)));
  CHECK(bit_equal(sum(std::complex<float>(1, 2), std::complex<float>(3, 4), true),
                  std::complex<float>(4, 6)));
  CHECK(bit_equal(sum(2.5, 0.5, false), 2.0));
}

TEST_CASE("A variable can be asked whether it has a value", "[state]") {
  for (const bool resource : {false, true}) {
    Graph graph;
    const Variable v = variable(graph, 1.0f, {.name = "v", .use_resource = resource});
    const Output known = is_variable_initialized(v);
    Session session(graph);
    CHECK_FALSE(session.run(known).scalar<bool>());
    session.run(v.initializer());
    CHECK(session.run(known).scalar<bool>());
  }
}

TEST_CASE("Reading a variable without a value is refused by name", "[state]") {
  for (const bool resource : {false, true}) {
    Graph graph;
    const Variable v = variable(graph, 1.0f, {.name = "v", .use_resource = resource});
    Session session(graph);
    const Error error = error_of([&] { session.run(v); });
    CHECK(error.code() == Code::kFailedPrecondition);
    CHECK_THAT(error.what(), Contains("v"));
  }
}

TEST_CASE("An old Variable with a scalar's shape is of unknown shape", "[state]") {
  Graph graph;
  const OpSet ops = OpSet(state_ops());
  const Operation old = add_operation(graph, *ops.find("Variable"), {},
                                      {{"shape", Shape{}}, {"dtype", DType::kFloat}});
  CHECK(old.output().shape() == Shape::unknown());
  CHECK(variable_v2(graph, {}, DType::kFloat, "new").shape() == Shape{});
}

// ---- scattering ---------------------------------------------------------------------------------

TEST_CASE("Scatters write, add to and subtract from rows, once for each repeated index",
          "[state]") {
  const Tensor rows = Tensor::matrix<float>({{1, 2}, {3, 4}, {5, 6}});
  const auto run = [&](auto scatter, const Tensor& indices) {
    Counter c(false, rows);
    return c.session->run(scatter(c.v, constant(c.graph, indices),
                                  constant(c.graph, Tensor::matrix<float>({{10, 20}, {30, 40}})),
                                  {}));
  };
  CHECK(bit_equal(run(scatter_update, Tensor::vector<int32_t>({2, 0})),
                  Tensor::matrix<float>({{30, 40}, {3, 4}, {10, 20}})));
  CHECK(bit_equal(run(scatter_add, Tensor::vector<int64_t>({1, 1})),
                  Tensor::matrix<float>({{1, 2}, {43, 64}, {5, 6}})));
  CHECK(bit_equal(run(scatter_sub, Tensor::vector<int32_t>({0, 1})),
                  Tensor::matrix<float>({{-9, -18}, {-27, -36}, {5, 6}})));
}

TEST_CASE("A scatter with an index out of bounds changes nothing", "[state]") {
  Counter c(false, Tensor::matrix<float>({{1, 2}, {3, 4}}));
  const Output indices = constant(c.graph, Tensor::vector<int32_t>({0, 2}));
  const Output write = scatter_add(c.v, indices, 1.0f);
  CHECK_THAT(error_of([&] { c.session->run(write); }).what(),
             Contains("indices[1] = 2 is not in [0, 2)"));
  CHECK(bit_equal(c.value(), Tensor::matrix<float>({{1, 2}, {3, 4}})));
  CHECK_THAT(error_of([&] {
               scatter_add(c.v, indices, constant(c.graph, Tensor::vector<float>({1, 2, 3})));
             }).what(),
             Contains("updates are of shape [3], expected [2,2]"));
}

}  // namespace
TEST_CASE("An initializer that gives another shape or dtype is refused by name", "[ops][state]") {
  Graph graph;
  const auto gives = [&](const Tensor& value, bool validate = true, bool resource = false) {
    return error_of([&] {
      get_variable(
          graph, "layer/w", {2},
          {.initializer = [value](GraphAt at, const Shape&, DType) { return constant(at, value); },
           .validate_shape = validate,
           .use_resource = resource});
    });
  };
  for (const bool resource : {false, true}) {
    const Error error = gives(Tensor(1.0), true, resource);
    CHECK(error.code() == Code::kInvalidArgument);
    for (const char* text :
         {"variable 'layer/w' (state_test.cc:", "float [2]", "double []", "Const"})
      CHECK(says(error, text));
    CHECK(gives(Tensor::vector<float>({1, 2, 3}), true, resource).code() == Code::kInvalidArgument);
    CHECK(gives(Tensor::vector<int32_t>({1, 2}), true, resource).code() == Code::kInvalidArgument);
  }
  // the dtype is checked in any case
  CHECK(gives(Tensor(1.0), false).code() == Code::kInvalidArgument);
  CHECK(graph.num_nodes() == 0);
  CHECK(gives(Tensor::vector<float>({1, 2, 3}), false).code() == Code::kOk);
  const Error none = error_of([&] {
    get_variable(graph, "v", {2},
                 {.initializer = [](GraphAt, const Shape&, DType) { return Output(); }});
  });
  CHECK(none.code() == Code::kFailedPrecondition);
  CHECK(says(none, "the initializer of variable 'v'"));
  const Error part = error_of([&] {
    get_partitioned_variable(
        graph, "p", {4}, fixed_size_partitioner(2),
        {.initializer = [](GraphAt at, const Shape&, DType) { return constant(at, 1.0f); }});
  });
  CHECK(says(part, "variable 'p/part_0'"));
}

TEST_CASE(
    "Extents of a resource variable that do not fit the requested dtype are refused, not truncated",
    "[variables]") {
  constexpr int64_t kBig = (int64_t{1} << 32) + 3;
  Graph graph;
  const Variable w =
      variable(graph, Tensor::zeros(DType::kFloat, {kBig, 0}), {.name = "w", .use_resource = true});
  const auto ops = state_ops();
  const OpDef& def = **std::find_if(ops.begin(), ops.end(),
                                    [](const OpDef* op) { return op->name == "VariableShape"; });
  const Output narrow = add_node(def, {w.ref()}),
               wide = add_node(def, {w.ref()}, {{"out_type", DType::kInt64}});
  Session session(graph);
  session.run(w.initializer());
  CHECK(session.run(wide).to_int64s() == std::vector<int64_t>{kBig, 0});
  const Error error = error_of([&] { session.run(narrow); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Contains("VariableShape 'VariableShape' (state_test.cc:") &&
                               Contains("4294967299") && Contains("ask for int64"));
}

}  // namespace cairn
