#include "train/optimizers.h"

#include <cmath>

#include "ops/array/array.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/graph_text.h"

namespace cairn {
namespace {

using Catch::Matchers::Contains;
using Lines = std::vector<std::string>;

// ---- rates --------------------------------------------------------------------------------------

TEST_CASE("A rate that decays with the global step is made of builders, as the guide writes it",
          "[train]") {
  Graph graph;
  const Variable w = variable(graph, 1.0f, {.name = "w"});
  const Variable step = create_global_step(graph);
  const Output progress = cast(step, DType::kFloat) / 50.0f;
  const Output rate = 0.5f * pow(constant(graph, 0.9f), progress);
  const Output by_stairs = 0.5f * pow(constant(graph, 0.9f), floor(progress));
  const Output inverse = 0.5f / (1.0f + 0.9f * progress);
  const Output piecewise =
      where(less(step, int64_t{2}), constant(graph, 0.1f), constant(graph, 0.01f));
  const Operation train = GradientDescentOptimizer(rate).minimize(w * 1.0f, {.global_step = step});
  Session session(graph);
  session.run(global_variables_initializer(graph));
  double expected = 1;
  for (int i = 0; i < 4; ++i) {
    const auto rates = session.run({rate, by_stairs, inverse, piecewise});
    CHECK(rates[0].scalar<float>() == Approx(0.5 * std::pow(0.9, i / 50.0)));
    CHECK(rates[1].scalar<float>() == 0.5f);
    CHECK(rates[2].scalar<float>() == Approx(0.5 / (1 + 0.9 * i / 50)));
    CHECK(rates[3].scalar<float>() == (i < 2 ? 0.1f : 0.01f));
    session.run(train);
    expected -= 0.5 * std::pow(0.9, i / 50.0);
    CHECK(session.value(w).scalar<float>() == Approx(expected));
  }
}

// ---- nodes and names ----------------------------------------------------------------------------

// y = x · w, with w [3,1] and its gradient one product away.
struct Line {
  Graph graph;
  Variable w;
  Output x, y;
  int first = 0;
  Line() : w(variable(graph, Tensor::of<float>({3, 1}, {1, 2, 3}), {.name = "W"})) {
    x = placeholder(graph, DType::kFloat, {2, 3}, {.name = "x"});
    y = matmul(x, w, {.name = "y"});
    first = graph.num_nodes();
  }
  // What was made from `name` on.
  Lines from(const std::string& name) const {
    return node_lines(graph, graph.find_op(name).node().id);
  }
};

TEST_CASE(
    "Gradient descent adds a rate, an update per variable and a NoOp in the collection train_op",
    "[train]") {
  Line line;
  const Operation step = GradientDescentOptimizer(0.5).minimize(line.y);
  CHECK(line.from("GradientDescent/learning_rate") ==
        Lines{"GradientDescent/learning_rate = Const()",
              "GradientDescent/update_W/ApplyGradientDescent = ApplyGradientDescent(W, "
              "GradientDescent/learning_rate, "
              "gradients/y_grad/tuple/control_dependency_1) @W",
              "GradientDescent = NoOp(^GradientDescent/update_W/ApplyGradientDescent)"});
  CHECK(line.graph.collection<Operation>(GraphKeys::kTrainOp) == std::vector{step});
  CHECK_FALSE(
      line.graph.find_op("GradientDescent/update_W/ApplyGradientDescent").flag("use_locking"));
}

TEST_CASE("With a global step the last node is its AssignAdd, and its value waits for the updates",
          "[train]") {
  Line line;
  const Variable global_step = get_or_create_global_step(line.graph);
  const Operation step =
      GradientDescentOptimizer(0.5).minimize(line.y, {.global_step = global_step});
  CHECK(line.from("GradientDescent/update") ==
        Lines{"GradientDescent/update = NoOp(^GradientDescent/update_W/ApplyGradientDescent)",
              "GradientDescent/value = Const(^GradientDescent/update) @global_step",
              "GradientDescent = AssignAdd(global_step, GradientDescent/value) @global_step"});
  Session session(line.graph);
  session.run(global_variables_initializer(line.graph));
  for (int i = 0; i < 3; ++i) session.run(step, {{line.x, Tensor::zeros(DType::kFloat, {2, 3})}});
  CHECK(session.run(global_step).scalar<int64_t>() == 3);
}

TEST_CASE("Momentum keeps one slot beside each variable", "[train]") {
  Line line;
  MomentumOptimizer optimizer(0.1, 0.9);
  optimizer.minimize(line.y);
  CHECK(
      line.from("W/Momentum/Initializer/zeros") ==
      Lines{
          "W/Momentum/Initializer/zeros = Const() @W", "W/Momentum = VariableV2() @W",
          "W/Momentum/Assign = Assign(W/Momentum, W/Momentum/Initializer/zeros) @W",
          "W/Momentum/read = Identity(W/Momentum) @W", "Momentum/learning_rate = Const()",
          "Momentum/momentum = Const()",
          "Momentum/update_W/ApplyMomentum = ApplyMomentum(W, W/Momentum, Momentum/learning_rate, "
          "gradients/y_grad/tuple/control_dependency_1, Momentum/momentum) @W",
          "Momentum = NoOp(^Momentum/update_W/ApplyMomentum)"});
  CHECK(optimizer.slot(line.w, "momentum").name() == "W/Momentum");
  CHECK(line.graph.trainable_variables() == std::vector{line.w});
  CHECK(line.graph.variables().size() == 2);
  CHECK_THAT(error_of([&] { optimizer.slot(line.w, "m"); }).what(),
             Contains("no slot 'm'") && Contains("slots: momentum"));
}

TEST_CASE("Adam keeps two slots and two powers, which it multiplies after the updates", "[train]") {
  Line line;
  AdamOptimizer(0.1).minimize(line.y);
  const Lines lines = line.from("beta1_power/initial_value");
  CHECK(Lines(lines.begin(), lines.begin() + 8) ==
        Lines{"beta1_power/initial_value = Const() @W", "beta1_power = VariableV2() @W",
              "beta1_power/Assign = Assign(beta1_power, beta1_power/initial_value) @W",
              "beta1_power/read = Identity(beta1_power) @W",
              "beta2_power/initial_value = Const() @W", "beta2_power = VariableV2() @W",
              "beta2_power/Assign = Assign(beta2_power, beta2_power/initial_value) @W",
              "beta2_power/read = Identity(beta2_power) @W"});
  CHECK(line.from("Adam/learning_rate") ==
        Lines{"Adam/learning_rate = Const()", "Adam/beta1 = Const()", "Adam/beta2 = Const()",
              "Adam/epsilon = Const()",
              "Adam/update_W/ApplyAdam = ApplyAdam(W, W/Adam, W/Adam_1, beta1_power/read, "
              "beta2_power/read, "
              "Adam/learning_rate, Adam/beta1, Adam/beta2, Adam/epsilon, "
              "gradients/y_grad/tuple/control_dependency_1) @W",
              "Adam/mul = Mul(beta1_power/read, Adam/beta1, ^Adam/update_W/ApplyAdam) @W",
              "Adam/Assign = Assign(beta1_power, Adam/mul) @W",
              "Adam/mul_1 = Mul(beta2_power/read, Adam/beta2, ^Adam/update_W/ApplyAdam) @W",
              "Adam/Assign_1 = Assign(beta2_power, Adam/mul_1) @W",
              "Adam = NoOp(^Adam/Assign, ^Adam/Assign_1, ^Adam/update_W/ApplyAdam)"});
}

TEST_CASE("Slots of a second optimizer take the next free names", "[train]") {
  Line line;
  AdamOptimizer(0.1).minimize(line.y);
  AdamOptimizer second(0.1);
  CHECK(second.minimize(line.y).name() == "Adam_1");
  CHECK(second.slot(line.w, "m").name() == "W/Adam_2");
  CHECK(second.slot(line.w, "v").name() == "W/Adam_3");
  CHECK(line.graph.contains("beta1_power_1"));
}

TEST_CASE("An optimizer makes its slots once", "[train]") {
  Line line;
  MomentumOptimizer optimizer(0.1, 0.9);
  optimizer.minimize(line.y);
  optimizer.minimize(line.y);
  CHECK(line.graph.variables().size() == 2);
  CHECK(line.graph.contains("Momentum_1/update_W/ApplyMomentum"));
}

TEST_CASE("Slots are outside of name scopes and inside variable scopes", "[train]") {
  Line line;
  {
    const Scope scope = line.graph.name_scope("train");
    RMSPropOptimizer optimizer(0.1);
    CHECK(optimizer.minimize(line.y).name() == "train/RMSProp");
    CHECK(optimizer.slot(line.w, "rms").name() == "W/RMSProp");
    CHECK(optimizer.slot(line.w, "momentum").name() == "W/RMSProp_1");
  }
  const Scope scope = line.graph.variable_scope("inner");
  RMSPropOptimizer optimizer(0.1, {.centered = true});
  optimizer.minimize(line.y);
  CHECK(optimizer.slot(line.w, "rms").name() == "inner/W/RMSProp");
  CHECK(optimizer.slot(line.w, "mg").name() == "inner/W/RMSProp_1");
  CHECK(optimizer.slot(line.w, "momentum").name() == "inner/W/RMSProp_2");
}

TEST_CASE("A rate may be a tensor, and is cast where the variable is double", "[train]") {
  Graph graph;
  const Variable w = variable(graph, 1.0, {.name = "W"});
  const Output rate = placeholder(graph, DType::kFloat, {}, {.name = "rate"});
  const Operation step = GradientDescentOptimizer(rate).minimize(multiply(w, w));
  CHECK_FALSE(graph.contains("GradientDescent/learning_rate"));
  CHECK(node_line(graph.find_op("GradientDescent/update_W/Cast")) ==
        "GradientDescent/update_W/Cast = Cast(rate) @W");
  Session session(graph);
  session.run(w.initializer());
  session.run(step, {{rate, 0.25f}});
  CHECK(session.run(w).scalar<double>() == 0.5);
}

TEST_CASE("Gradients can be changed between the two halves of minimize", "[train]") {
  Graph graph;
  const Variable a = variable(graph, 1.0f, {.name = "a"}), b = variable(graph, 1.0f, {.name = "b"});
  GradientDescentOptimizer optimizer(1);
  auto pairs = optimizer.compute_gradients(multiply(a, 3.0f));
  REQUIRE(pairs.size() == 2);
  CHECK(pairs[1].variable == b);
  CHECK_FALSE(pairs[1].gradient);
  pairs[0].gradient = multiply(pairs[0].gradient, 0.5f);
  const Operation step = optimizer.apply_gradients(pairs);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  session.run(step);
  CHECK(session.run(a).scalar<float>() == -0.5f);
  CHECK(session.run(b).scalar<float>() == 1);
}

TEST_CASE("Calling minimize without a variable to change fails with the reason", "[train]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {});
  GradientDescentOptimizer optimizer(1);
  CHECK_THAT(error_of([&] { optimizer.minimize(x); }).what(),
             Contains("'trainable_variables' is empty"));
  variable(graph, 1.0f, {.name = "w"});
  CHECK_THAT(error_of([&] { optimizer.minimize(x); }).what(),
             Contains("depends on none of the variables 'w'"));
  CHECK_THAT(error_of([&] { optimizer.minimize(cast(x, DType::kInt32)); }).what(),
             Contains("is of dtype int32"));
  CHECK(error_of([&] { optimizer.apply_gradients({}); }).code() == Code::kInvalidArgument);
  CHECK(graph.collection<Operation>(GraphKeys::kTrainOp).empty());
}

// ---- numbers ------------------------------------------------------------------------------------

// Two steps of an optimizer on a variable of two elements, [1, -2], with the gradients [0.5, -0.25]
// and [0.1, 0.2].
const double kStart[] = {1, -2}, kGrads[2][2] = {{0.5, -0.25}, {0.1, 0.2}};

template <class T>
Tensor trained(Optimizer optimizer, bool resource) {
  Graph graph;
  const auto pair = [](const double* v) {
    return Tensor::vector<T>({T(static_cast<float>(v[0])), T(static_cast<float>(v[1]))});
  };
  const Variable w = variable(graph, pair(kStart), {.name = "W", .use_resource = resource});
  const Output grad = placeholder(graph, dtype_of<T>, {2});
  const Operation step = optimizer.apply_gradients({{grad, w}});
  Session session(graph);
  session.run(global_variables_initializer(graph));
  for (const auto& g : kGrads) session.run(step, {{grad, pair(g)}});
  return session.run(w);
}

// The same in plain arithmetic: `rule(w, g, state)` for each element, `state` kept from step to
// step.
template <class Rule>
void check_trains(const Optimizer& optimizer, std::array<double, 4> state, const Rule& rule) {
  INFO(optimizer.name());
  for (int i = 0; i < 2; ++i) {
    double w = kStart[i];
    auto kept = state;
    for (const auto& g : kGrads) rule(w, g[i], kept);
    for (const bool resource : {false, true}) {
      INFO("element " << i << (resource ? ", resource" : ""));
      CHECK(trained<float>(optimizer, resource).data<float>()[i] == Approx(w).epsilon(1e-5));
      CHECK(trained<double>(optimizer, resource).data<double>()[i] == Approx(w).epsilon(1e-6));
      CHECK(float(trained<Half>(optimizer, resource).data<Half>()[i]) == Approx(w).epsilon(5e-3));
    }
  }
}

using State = std::array<double, 4>;

TEST_CASE("Each optimizer updates by its rule, for reference and resource variables", "[train]") {
  check_trains(GradientDescentOptimizer(0.1), {},
               [](double& w, double g, State&) { w -= 0.1 * g; });
  check_trains(MomentumOptimizer(0.1, 0.9), {0}, [](double& w, double g, State& s) {
    s[0] = 0.9 * s[0] + g;
    w -= 0.1 * s[0];
  });
  check_trains(MomentumOptimizer(0.1, 0.9, {.use_nesterov = true}), {0},
               [](double& w, double g, State& s) {
                 s[0] = 0.9 * s[0] + g;
                 w -= 0.1 * g + 0.1 * 0.9 * s[0];
               });
  check_trains(AdagradOptimizer(0.1), {0.1}, [](double& w, double g, State& s) {
    s[0] += g * g;
    w -= 0.1 * g / std::sqrt(s[0]);
  });
  check_trains(AdadeltaOptimizer(1, {.rho = 0.9, .epsilon = 1e-2}), {0, 0},
               [](double& w, double g, State& s) {
                 s[0] = 0.9 * s[0] + 0.1 * g * g;
                 const double update = std::sqrt(s[1] + 1e-2) / std::sqrt(s[0] + 1e-2) * g;
                 s[1] = 0.9 * s[1] + 0.1 * update * update;
                 w -= update;
               });
  check_trains(AdamOptimizer(0.1, {.epsilon = 1e-3}), {0, 0, 0.9, 0.999},
               [](double& w, double g, State& s) {
                 s[0] = 0.9 * s[0] + 0.1 * g;
                 s[1] = 0.999 * s[1] + 0.001 * g * g;
                 w -= 0.1 * std::sqrt(1 - s[3]) / (1 - s[2]) * s[0] / (std::sqrt(s[1]) + 1e-3);
                 s[2] *= 0.9;
                 s[3] *= 0.999;
               });
  check_trains(RMSPropOptimizer(0.1, {.momentum = 0.5}), {1, 0}, [](double& w, double g, State& s) {
    s[0] = 0.9 * s[0] + 0.1 * g * g;
    s[1] = 0.5 * s[1] + 0.1 * g / std::sqrt(s[0] + 1e-10);
    w -= s[1];
  });
  check_trains(RMSPropOptimizer(0.1, {.momentum = 0.5, .centered = true}), {1, 0, 0},
               [](double& w, double g, State& s) {
                 s[0] = 0.9 * s[0] + 0.1 * g * g;
                 s[2] = 0.9 * s[2] + 0.1 * g;
                 s[1] = 0.5 * s[1] + 0.1 * g / std::sqrt(s[0] - s[2] * s[2] + 1e-10);
                 w -= s[1];
               });
}

// w of follow-the-regularized-leader, from its closed form.
double ftrl(double z, double accum, double power, double l1, double l2) {
  if (std::abs(z) <= l1) return 0;
  return ((z > 0 ? l1 : -l1) - z) / (std::pow(accum, -power) / 0.1 + 2 * l2);
}

TEST_CASE("Ftrl follows the regularized leader, with and without shrinkage", "[train]") {
  for (const double power : {-0.5, -0.7}) {
    for (const double shrinkage : {0.0, 0.05}) {
      const FtrlOptimizer optimizer(0.1, {.learning_rate_power = power,
                                          .l1_regularization_strength = 0.01,
                                          .l2_regularization_strength = 0.02,
                                          .l2_shrinkage_regularization_strength = shrinkage});
      check_trains(optimizer, {0.1, 0}, [=](double& w, double g, State& s) {
        g += 2 * shrinkage * w;
        const double accum = s[0] + g * g;
        s[1] += g - (std::pow(accum, -power) - std::pow(s[0], -power)) / 0.1 * w;
        s[0] = accum;
        w = ftrl(s[1], accum, power, 0.01, 0.02);
      });
    }
  }
}

// TensorFlow's: the gradient counts as in the step to come, the mean as it has become.
TEST_CASE("Adam with use_nesterov follows its formula, for reference and resource variables",
          "[train]") {
  const double start[] = {1, 0.5, 0.25}, lr = 0.1, beta1 = 0.8, beta2 = 0.9, epsilon = 0.01,
               g = 0.7;
  const double power1 = beta1 * beta1, power2 = beta2 * beta2;
  const double m = beta1 * start[1] + (1 - beta1) * g, v = beta2 * start[2] + (1 - beta2) * g * g;
  for (const bool nesterov : {true, false}) {
    const double taken = nesterov ? beta1 * m + (1 - beta1) * g : m;
    const double w =
        start[0] - lr * std::sqrt(1 - power2) / (1 - power1) * taken / (std::sqrt(v) + epsilon);
    for (const bool resource : {true, false}) {
      for (const bool locked : {true, false}) {
        Graph graph;
        std::vector<Variable> variables;
        std::vector<Output> inputs;
        for (const double value : start) {
          variables.push_back(
              variable(graph, Tensor(value), {.name = "x", .use_resource = resource}));
          inputs.push_back(variables.back().ref());
        }
        for (const double scalar : {power1, power2, lr, beta1, beta2, epsilon, g})
          inputs.push_back(constant(graph, Tensor(scalar)));
        const OpDef* op = resource ? apply_adam().resource : apply_adam().ref;
        const Operation step = add_operation(graph, *op, inputs,
                                             {{"use_nesterov", nesterov}, {"use_locking", locked}});
        Session session(graph);
        session.run(global_variables_initializer(graph));
        session.run(step);
        CHECK(session.run(variables[0]).scalar<double>() == Approx(w).epsilon(1e-12));
        CHECK(session.run(variables[1]).scalar<double>() == Approx(m).epsilon(1e-12));
        CHECK(session.run(variables[2]).scalar<double>() == Approx(v).epsilon(1e-12));
      }
    }
  }
}

namespace {

// What minimize() says of an optimizer with such settings, "" for nothing.
std::string refusal_of(Optimizer optimizer) {
  Graph graph;
  const Variable w = variable(graph, 1.0f, {.name = "w"});
  try {
    optimizer.minimize(square(w));
  } catch (const Error& e) {
    CHECK(e.code() == Code::kInvalidArgument);
    CHECK_FALSE(graph.contains("gradients/Shape"));
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("Settings that an optimizer cannot work with are refused by name", "[train]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::pair<Optimizer, const char*> refused[] = {
      {GradientDescentOptimizer(nan), "learning_rate must be finite"},
      {GradientDescentOptimizer(INFINITY), "learning_rate must be finite"},
      {MomentumOptimizer(0.1, -0.5), "momentum must be 0 or above, is -0.5"},
      {AdagradOptimizer(0.1, {.initial_accumulator_value = 0}),
       "initial_accumulator_value must be above 0, is 0"},
      {AdagradOptimizer(0.1, {.initial_accumulator_value = -5}),
       "initial_accumulator_value must be above 0, is -5"},
      {AdadeltaOptimizer(0.1, {.rho = 1.5}), "rho must be in [0, 1]"},
      {AdadeltaOptimizer(0.1, {.epsilon = 0.0}), "epsilon must be above 0"},
      {AdamOptimizer(0.1, {.beta1 = 1.0}), "beta1 must be in [0, 1)"},
      {AdamOptimizer(0.1, {.beta2 = -0.1}), "beta2 must be in [0, 1)"},
      {AdamOptimizer(0.1, {.epsilon = -1e-8}), "epsilon must be 0 or above"},
      {RMSPropOptimizer(0.1, {.decay = 1.1}), "decay must be in [0, 1]"},
      {RMSPropOptimizer(0.1, {.momentum = -1.0}), "momentum must be 0 or above"},
      {RMSPropOptimizer(0.1, {.epsilon = -1.0, .centered = true}), "epsilon must be 0 or above"},
      {FtrlOptimizer(0.0), "learning_rate must be above 0"},
      {FtrlOptimizer(0.1, {.learning_rate_power = 0.5}), "learning_rate_power must be 0 or below"},
      {FtrlOptimizer(0.1, {.initial_accumulator_value = -5}),
       "initial_accumulator_value must be 0 or above"},
      {FtrlOptimizer(0.1, {.l1_regularization_strength = -1}),
       "l1_regularization_strength must be 0 or above"},
      {FtrlOptimizer(0.1, {.l2_regularization_strength = -1}),
       "l2_regularization_strength must be 0 or above"},
      {FtrlOptimizer(0.1, {.l2_shrinkage_regularization_strength = -1}),
       "l2_shrinkage_regularization_strength must"}};
  for (const auto& [optimizer, what] : refused)
    CHECK_THAT(refusal_of(optimizer), Contains(optimizer.name()) && Contains(what));
  CHECK_THAT(refusal_of(FtrlOptimizer(0.1, {.l1_regularization_strength = INFINITY})),
             Contains("l1_regularization_strength must be finite, is inf"));
  CHECK(refusal_of(GradientDescentOptimizer(-0.1)) == "");  // uphill
  CHECK(refusal_of(AdamOptimizer(0.0, {.beta1 = 0.0, .epsilon = 0.0})) == "");
  CHECK(refusal_of(
            FtrlOptimizer(0.1, {.learning_rate_power = 0, .initial_accumulator_value = 0})) == "");
}

TEST_CASE("A step of Ftrl refuses fed settings that it cannot work with, and changes nothing",
          "[train]") {
  Graph graph;
  const Variable w = variable(graph, 1.0f, {.name = "w"});
  const Output rate = placeholder(graph, DType::kFloat, {});
  const Operation step = FtrlOptimizer(rate).minimize(square(w));
  Session session(graph);
  session.run(global_variables_initializer(graph));
  for (const float bad : {0.0f, -1.0f, NAN}) {
    const Error error = error_of([&] { session.run(step, {{rate, bad}}); });
    CHECK(error.code() == Code::kInvalidArgument);
    CHECK_THAT(error.what(), Contains("lr must be above 0") && Contains("ApplyFtrl"));
  }
  CHECK(session.run(w).scalar<float>() == 1);
  session.run(step, {{rate, 0.1f}});
  CHECK(session.run(w).scalar<float>() < 1);
}

TEST_CASE("Adagrad can leave its slots as they are", "[train]") {
  Graph graph;
  const Variable w = variable(graph, 1.0f, {.name = "w"}),
                 accum = variable(graph, 4.0f, {.name = "accum"});
  const Output one = constant(graph, 1.0f);
  const Operation step = add_operation(graph, *apply_adagrad().ref,
                                       {w.ref(), accum.ref(), one, one}, {{"update_slots", false}});
  Session session(graph);
  session.run(global_variables_initializer(graph));
  CHECK(session.run(step.output()).scalar<float>() == 0.5f);
  CHECK(session.run(accum).scalar<float>() == 4);
}

TEST_CASE("A variable can be its own gradient", "[train]") {
  Graph graph;
  const Variable w = variable(graph, Tensor::vector<float>({1, 2}), {.name = "w"});
  const Output rate = constant(graph, 0.5f);
  const OpDef& op = *apply_gradient_descent().ref;
  const Output by_read = add_node(op, {w.ref(), rate, w.value()}),
               by_ref = add_node(op, {w.ref(), rate, w.ref()});
  Session session(graph);
  session.run(w.initializer());
  const Tensor before = session.run(w);
  CHECK(bit_equal(session.run(by_read), Tensor::vector<float>({0.5, 1})));
  CHECK(bit_equal(session.run(by_ref), Tensor::vector<float>({0.25, 0.5})));
  CHECK(bit_equal(before, Tensor::vector<float>({1, 2})));
}

TEST_CASE("A step with a gradient or a rate of another shape changes nothing", "[train]") {
  Graph graph;
  const Variable w = variable(graph, Tensor::vector<float>({1, 2}), {.name = "w"});
  const Output grad = placeholder(graph, DType::kFloat), rate = placeholder(graph, DType::kFloat);
  const OpDef& op = *apply_gradient_descent().ref;
  CHECK_THAT(error_of([&] {
               add_node(op, {w.ref(), constant(graph, 1.0f), constant(graph, 1.0f)});
             }).what(),
             Contains("'w' is of shape [2], the gradient of shape []"));
  const Output step = add_node(op, {w.ref(), rate, grad});
  Session session(graph);
  session.run(w.initializer());
  const auto message = [&](const Tensor& with_rate, const Tensor& with_grad) {
    return std::string(error_of([&] {
                         session.run(step, {{rate, with_rate}, {grad, with_grad}});
                       }).what());
  };
  CHECK_THAT(message(1.0f, Tensor::vector<float>({1, 2, 3})),
             Contains("'w' is of shape [2], the gradient of shape [3]"));
  CHECK_THAT(message(Tensor::vector<float>({1, 2}), Tensor::vector<float>({1, 2})),
             Contains("alpha is of shape [2], expected a scalar"));
  CHECK(bit_equal(session.run(w), Tensor::vector<float>({1, 2})));
}

TEST_CASE("Two halves of a training run end where one run ends", "[train]") {
  const auto train = [](int steps, const std::vector<Tensor>& from) {
    Line line;
    AdamOptimizer optimizer(0.1);
    const Operation step = optimizer.minimize(reduce_mean(multiply(line.y, line.y)));
    Session session(line.graph);
    session.run(global_variables_initializer(line.graph));
    const auto variables = line.graph.variables();
    for (size_t i = 0; i < from.size(); ++i) session.set_value(variables[i], from[i]);
    const Tensor x = Tensor::matrix<float>({{1, 2, 3}, {-1, 0.5, 0.25}});
    for (int i = 0; i < steps; ++i) session.run(step, {{line.x, x}});
    std::vector<Tensor> values;
    for (const Variable& variable : variables) values.push_back(session.value(variable).clone());
    return values;
  };
  const auto whole = train(10, {}), halves = train(5, train(5, {}));
  REQUIRE(whole.size() == 5);
  for (size_t i = 0; i < whole.size(); ++i) CHECK(bit_equal(whole[i], halves[i]));
}

}  // namespace

TEST_CASE("Settings are checked as the floats that kernels take", "[train]") {
  const std::pair<Optimizer, const char*> refused[] = {
      {GradientDescentOptimizer(1e39),
       "learning_rate must be finite, is 1e+39, which as float is inf"},
      {MomentumOptimizer(0.1, 1e39), "momentum must be finite, is 1e+39, which as float is inf"},
      {AdadeltaOptimizer(0.1, {.epsilon = 1e-60}),
       "epsilon must be above 0, is 1e-60, which as float is 0"},
      {AdamOptimizer(0.1, {.beta1 = 1 - 1e-12}),
       "beta1 must be in [0, 1), is 1, which as float is 1"},
      {AdamOptimizer(0.1, {.beta2 = 1 - 1e-12}), "beta2 must be in [0, 1)"},
      {AdagradOptimizer(0.1, {.initial_accumulator_value = 1e-60}),
       "'accumulator' of variable 'w' begins with must be above 0, is 1e-60, which as float is 0"},
      {AdagradOptimizer(0.1, {.initial_accumulator_value = 1e39}), "begins with must be finite"},
      {RMSPropOptimizer(0.1, {.momentum = 1e39}), "momentum must be finite"},
      {FtrlOptimizer(1e-60), "learning_rate must be above 0"},
      {FtrlOptimizer(0.1, {.initial_accumulator_value = 1e39}), "begins with must be finite"}};
  for (const auto& [optimizer, what] : refused)
    CHECK_THAT(refusal_of(optimizer),
               Contains(optimizer.name()) && Contains(what) && Contains("optimizers_test.cc:"));
  CHECK(refusal_of(AdamOptimizer(1e-60, {.epsilon = 1e-60})) == "");  // 0 is allowed
  CHECK(refusal_of(FtrlOptimizer(0.1, {.initial_accumulator_value = 1e-60})) == "");
}

TEST_CASE("A slot's initial value is checked in the variable's dtype", "[train]") {
  const auto refused = [](DType dtype, double value) {
    Graph graph;
    const Variable w =
        get_variable(graph, "w", {2}, {.dtype = dtype, .initializer = ones_initializer()});
    const int nodes = graph.num_nodes();
    const Error error = error_of([&] {
      AdagradOptimizer(0.1, {.initial_accumulator_value = value})
          .apply_gradients({{identity(w), w}});
    });
    if (error.code() == Code::kInvalidArgument) CHECK(graph.num_nodes() == nodes + 1);
    return error.code() == Code::kOk ? std::string() : error.what();
  };
  CHECK(refused(DType::kDouble, 1e-60) == "");
  CHECK(refused(DType::kDouble, 1e39) == "");
  CHECK(refused(DType::kFloat, 1e-30) == "");
  CHECK_THAT(refused(DType::kFloat, 1e-60),
             Contains("variable 'w'") && Contains("which as float is 0"));
  CHECK_THAT(refused(DType::kHalf, 1e-10),
             Contains("variable 'w'") && Contains("which as half is 0"));
  CHECK_THAT(refused(DType::kHalf, 1e6),
             Contains("variable 'w'") && Contains("which as half is inf"));
}

}  // namespace cairn
