// Builders that throw leave the graph as it was, wherever they throw.
#include "tests/support/all_or_nothing.h"

#include "ops/array/array.h"
#include "ops/conv/conv.h"
#include "ops/core/gradients.h"
#include "ops/flow/cond.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/nn/nn.h"
#include "ops/nn/softmax.h"
#include "ops/random/random.h"
#include "ops/state/lookup.h"
#include "ops/state/partitioned_variable.h"
#include "runtime/exec/session.h"
#include "train/moving_averages.h"
#include "train/optimizers.h"

namespace cairn {
namespace {

// A small model: a reference and a resource variable, a step, a loss.
void model(Graph& graph) {
  const Output x = placeholder(graph, DType::kFloat, {4, 3}, {.name = "x"});
  placeholder(graph, DType::kBool, {}, {.name = "p"});
  const Variable w = variable(zeros(graph, {3, 2}), {.name = "w"});
  const Variable r = variable(ones(graph, {2}), {.name = "r", .use_resource = true});
  variable(graph, int64_t{0}, {.name = "step", .trainable = false});
  identity(reduce_mean(square(matmul(x, w) + r)), {.name = "loss"});
}
Output tensor(Graph& graph, const char* name) { return graph.find(std::string(name) + ":0"); }
Variable var(Graph& graph, const char* name) { return find_variable(graph, name); }

// A builder with state of its own is made anew for the undisturbed call.
struct Case {
  const char* name;
  std::function<std::function<void(Graph&)>()> make;
};
Case simple(const char* name, std::function<void(Graph&)> build) {
  return {name, [build] { return build; }};
}
template <class O>
Case trains(const char* name, O optimizer) {
  return {name, [optimizer]() -> std::function<void(Graph&)> {
            return [optimizer = std::make_shared<O>(optimizer)](Graph& g) {
              optimizer->minimize(tensor(g, "loss"), {.global_step = var(g, "step")});
            };
          }};
}

std::vector<Case> cases() {
  const auto two_norm = [](const Output& w) { return reduce_sum(square(w)) * 0.5f; };
  return {
      simple("variable", [](Graph& g) { variable(tensor(g, "loss"), {.name = "v"}); }),
      simple("variable of a value", [](Graph& g) { variable(g, 1.0f, {.name = "w"}); }),
      simple("resource variable",
             [](Graph& g) { variable(g, 1.0f, {.name = "v", .use_resource = true}); }),
      simple("get_variable",
             [=](Graph& g) {
               get_variable(g, "a/b", {3, 4}, {.regularizer = two_norm});
             }),
      simple("get_variable of a resource",
             [](Graph& g) {
               get_variable(g, "v", {3},
                            {.initializer = truncated_normal_initializer(), .use_resource = true});
             }),
      simple("partitioned variable",
             [=](Graph& g) {
               get_partitioned_variable(g, "parts", {6, 2}, fixed_size_partitioner(3),
                                        {.regularizer = two_norm});
             }),
      simple("global step", [](Graph& g) { get_or_create_global_step(g); }),
      simple("initializers", [](Graph& g) { global_variables_initializer(g); }),
      simple("a number added", [](Graph& g) { assign_add(var(g, "step"), 1); }),
      simple("gradients",
             [](Graph& g) {
               gradients({tensor(g, "loss")}, {var(g, "w"), var(g, "r"), tensor(g, "x")});
             }),
      trains("gradient descent", GradientDescentOptimizer(0.1)),
      trains("momentum", MomentumOptimizer(0.1, 0.9)),
      trains("Adagrad", AdagradOptimizer(0.1)),
      trains("Adadelta", AdadeltaOptimizer(0.1)),
      trains("Adam", AdamOptimizer(0.1)),
      trains("RMSProp", RMSPropOptimizer(0.1, {.centered = true})),
      trains("Ftrl", FtrlOptimizer(0.1)),
      {"moving averages",
       []() -> std::function<void(Graph&)> {
         return [average = std::make_shared<ExponentialMovingAverage>(0.9)](Graph& g) {
           average->apply(g);
         };
       }},
      simple("cond",
             [](Graph& g) {
               cond(
                   tensor(g, "p"),
                   [&] {
                     const Variable v = variable(g, 1.0f, {.name = "v"});
                     return cond(
                         tensor(g, "p"), [&] { return v * tensor(g, "loss"); },
                         [&] { return reduce_sum(exp(var(g, "r"))); });
                   },
                   [&] { return tensor(g, "loss"); });
             }),
      {"optimizer in a cond",
       []() -> std::function<void(Graph&)> {
         return [adam = std::make_shared<AdamOptimizer>(0.1)](Graph& g) {
           cond(
               tensor(g, "p"), [&] { return adam->minimize(tensor(g, "loss")); },
               [&] { return no_op(g); });
         };
       }},
      simple("tuple",
             [](Graph& g) {
               tuple({tensor(g, "loss"), tensor(g, "x")});
             }),
      simple("assertion", [](Graph& g) { assert_op(tensor(g, "p"), {tensor(g, "loss")}); }),
      simple("table",
             [](Graph& g) {
               hash_table(g, Tensor::vector<int64_t>({1, 2}), Tensor::vector<float>({3, 4}), 0.f);
             }),
      simple("clipping", [](Graph& g) { clip_by_value(tensor(g, "x"), -1.0f, 1.0f); }),
      simple("quotient", [](Graph& g) { divide(var(g, "step"), 3); }),
      simple("dropout", [](Graph& g) { dropout(tensor(g, "x"), 0.5f); }),
      simple("random",
             [](Graph& g) {
               random_uniform(g, {2, 3}, {.minval = -1.0, .maxval = 1.0});
             }),
      simple("a value read twice under dependencies",
             [](Graph& g) {
               const Graph::Transaction whole(g);  // stands for a builder of the user's
               const auto after = g.control_dependencies({tensor(g, "loss")});
               matmul(tensor(g, "x"), var(g, "w")) + var(g, "r");
             }),
      simple("sum of a resource variable under dependencies",
             [](Graph& g) {
               const auto after = g.control_dependencies({tensor(g, "loss")});
               add(var(g, "r"), var(g, "r"));
             }),
      simple("read of a resource variable", [](Graph& g) { var(g, "r").read_value(); }),
      simple("written resource variable",
             [](Graph& g) {
               assign_sub(var(g, "r"), Tensor::vector<float>({1, 2}));
             }),
  };
}
}  // namespace

TEST_CASE("A builder that throws leaves the graph as it was, wherever it throws", "[transaction]") {
  for (const Case& each : cases()) {
    INFO(each.name);
    CHECK(check_all_or_nothing(model, each.make(), each.make()) > 0);
  }
}

TEST_CASE("A builder that throws undoes its nodes under scopes of all kinds, which stay open",
          "[transaction]") {
  for (const Case& each : cases()) {
    INFO(each.name);
    std::vector<Scope> kept;
    const auto prepare = [&](Graph& graph) {
      model(graph);
      kept.push_back(graph.name_scope("outer"));
      kept.push_back(graph.variable_scope("vars"));
      kept.push_back(graph.device("/cpu:0"));
      kept.push_back(graph.control_dependencies({tensor(graph, "x")}));
      kept.push_back(graph.colocate_with(tensor(graph, "loss").op()));
      kept.push_back(graph.made_at({"here.cc", 7}));
    };
    check_all_or_nothing(prepare, each.make(), each.make());
  }
}

TEST_CASE("A condition forgets the nodes of a builder that threw inside it",
          "[transaction][cond]") {
  const auto build = [](Graph& graph, bool with_failure) {
    model(graph);
    cond(
        tensor(graph, "p"),
        [&] {
          for (int n = 0; with_failure && n < 4; ++n) {
            throw_at(graph, n);
            CHECK_THROWS(cond(
                tensor(graph, "p"), [&] { return tensor(graph, "loss") * var(graph, "w"); },
                [&] { return tensor(graph, "x"); }));
            graph.before_change(nullptr);
          }
          return tensor(graph, "loss") * 2.0f;
        },
        [&] { return tensor(graph, "loss"); });
  };
  Graph once, graph;
  build(once, false);
  build(graph, true);
  CHECK(difference(everything_of(once, names_of(once)), everything_of(graph, names_of(once))) ==
        "");
}

TEST_CASE("What a builder that threw has made cannot be used any more", "[transaction]") {
  Graph graph;
  model(graph);
  Output kept;
  Variable made;
  Scope scope;
  const Error error = error_of([&] {
    cond(
        tensor(graph, "p"),
        [&] {
          scope = graph.name_scope("left_open");
          made = variable(graph, 1.0f, {.name = "inside"});
          kept = tensor(graph, "loss") * 2.0f;
          return kept;
        },
        [&]() -> Output { fail(Code::kUnknown, "mine"); });
  });
  CHECK(error.code() == Code::kUnknown);
  CHECK(graph.current_scope().empty());
  CHECK_FALSE(graph.owns(kept));
  Session session(graph);
  for (const auto& use : std::vector<std::function<void()>>{
           [&] { (void)kept.name(); }, [&] { (void)kept.op(); }, [&] { (void)(kept + 1.0f); },
           [&] { session.run(kept); }, [&] { session.run(made.initializer()); },
           [&] { graph.add_to_collection("k", kept); },
           [&] { (void)graph.control_dependencies({made.initializer()}); }}) {
    const Error refused = error_of(use);
    CHECK(refused.code() == Code::kFailedPrecondition);
  }
  CHECK(variable(graph, 1.0f, {.name = "inside"}).name() == "inside");
}

TEST_CASE("An optimizer whose slots were taken back makes them anew", "[transaction][train]") {
  Graph graph;
  model(graph);
  AdamOptimizer adam(0.1);
  CHECK_THROWS(cond(
      tensor(graph, "p"), [&] { return adam.minimize(tensor(graph, "loss")); },
      [&]() -> Operation { fail(Code::kUnknown, "mine"); }));
  CHECK(error_of([&] { adam.slot(var(graph, "w"), "m"); }).code() == Code::kNotFound);
  adam.minimize(tensor(graph, "loss"));
  CHECK(adam.slot(var(graph, "w"), "m").name() == "w/Adam");
}

TEST_CASE("A builder's nodes are run when it has returned, not before", "[transaction]") {
  Graph graph;
  model(graph);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  Error too_early(Code::kOk, "");
  const Output y = cond(
      tensor(graph, "p"),
      [&] {
        CHECK(session.run("w:0").shape() == Shape{3, 2});  // what was there can be run
        const Output made = tensor(graph, "loss") * 2.0f;
        too_early = error_of([&] { session.run(made); });
        CHECK(graph.contains(made.op().name()));  // the builder itself sees it
        return made;
      },
      [&] { return tensor(graph, "loss"); });
  CHECK(too_early.code() == Code::kFailedPrecondition);
  CHECK(says(too_early, "has not returned"));
  CHECK(session.run(y, {{"p:0", Tensor(true)}, {"x:0", Tensor::zeros(DType::kFloat, {4, 3})}})
            .scalar<float>() == 2);
}

TEST_CASE("A graph that builders work on is neither reset nor moved", "[transaction]") {
  Graph graph;
  model(graph);
  const int nodes = graph.num_nodes();
  const auto while_building = [&](const std::function<void()>& act) {
    return error_of([&] {
             cond(
                 tensor(graph, "p"),
                 [&] {
                   act();
                   return tensor(graph, "x");
                 },
                 [&] { return tensor(graph, "x"); });
           })
        .code();
  };
  CHECK(while_building([&] { graph.reset(); }) == Code::kFailedPrecondition);
  CHECK(while_building([&] { Graph taken(std::move(graph)); }) == Code::kFailedPrecondition);
  CHECK(graph.num_nodes() == nodes);
}

}  // namespace cairn
