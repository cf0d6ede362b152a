#include "ops/flow/cond.h"

#include "ops/array/array.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/state/variables.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/graph_text.h"
#include "tests/support/lab.h"
#include "tests/support/numeric_gradient.h"
#include "train/moving_averages.h"
#include "train/optimizers.h"

namespace cairn {
namespace {

using Catch::Contains;
using Lines = std::vector<std::string>;

TEST_CASE("A cond makes the nodes that TensorFlow makes", "[cond]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {}, {.name = "x"});
  const Output pred = placeholder(graph, DType::kBool, {}, {.name = "pred"});
  const int first = graph.num_nodes();
  cond(
      pred, [&] { return add(x, 1.0f); }, [&] { return x; });
  CHECK(node_lines(graph, first) ==
        Lines{"cond/Switch = Switch(pred, pred)", "cond/switch_t = Identity(cond/Switch:1)",
              "cond/switch_f = Identity(cond/Switch)", "cond/pred_id = Identity(pred)",
              "cond/Add/y = Const(^cond/switch_t)", "cond/Add/Switch = Switch(x, cond/pred_id) @x",
              "cond/Add = Add(cond/Add/Switch:1, cond/Add/y)",
              "cond/Switch_1 = Switch(x, cond/pred_id) @x",
              "cond/Merge = Merge(cond/Switch_1, cond/Add)"});
  CHECK(graph.collection<std::string>(GraphKeys::kCondContext).size() == 2);
}

TEST_CASE("A cond computes the side that is taken, and runs nothing of the other", "[cond]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {});
  const Variable runs = variable(graph, 0, {.name = "runs", .trainable = false});
  const Output y = cond(
      less(x, 0.0f),
      [&] { return with_dependencies({runs.assign_add(constant(graph, 1)).op()}, -x); },
      [&] { return with_dependencies({assert_op(greater_equal(x, 0.0f), {x})}, x * 2.0f); });
  Session session(graph);
  session.run(global_variables_initializer(graph));
  CHECK(session.run(y, {{x, -3.0f}}).scalar<float>() == 3);
  CHECK(session.run(runs).scalar<int32_t>() == 1);
  CHECK(session.run(y, {{x, 3.0f}}).scalar<float>() == 6);
  CHECK(session.run(runs).scalar<int32_t>() == 1);
}

TEST_CASE("A cond gives several tensors, each of the shape of the side taken", "[cond]") {
  Graph graph;
  const Output pred = placeholder(graph, DType::kBool, {});
  const std::vector<Output> both = cond(
      pred,
      [&] {
        return std::vector<Output>{constant(graph, 1.0f),
                                   constant(graph, Tensor::vector<int32_t>({1, 2}))};
      },
      [&] {
        return std::vector<Output>{constant(graph, 2.0f),
                                   constant(graph, Tensor::vector<int32_t>({3}))};
      });
  CHECK(both.at(1).shape() == Shape{-1});
  Session session(graph);
  const auto taken = session.run({both[0], both[1]}, {{pred, false}});
  CHECK(taken[0].scalar<float>() == 2);
  CHECK(taken[1].str() == "[3]");
}

TEST_CASE("A cond runs operations for their effect", "[cond]") {
  Graph graph;
  const Variable v = variable(graph, 1.0f, {.name = "v"});
  const Output pred = placeholder(graph, DType::kBool, {});
  const Output done = cond(
      pred, [&] { return assign(v, 5.0f).op(); }, [&] { return no_op(graph); });
  Session session(graph);
  session.run(v.initializer());
  session.run(done, {{pred, false}});
  CHECK(session.run(v).scalar<float>() == 1);
  session.run(done, {{pred, true}});
  CHECK(session.run(v).scalar<float>() == 5);
}

TEST_CASE("Nested conditions pass outer tensors through a Switch at each level", "[cond]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {}, {.name = "x"});
  const Output y = cond(
      less(x, 0.0f), [&] { return constant(graph, -1.0f); },
      [&] {
        return cond(
            less(x, 10.0f), [&] { return x + 1.0f; }, [&] { return constant(graph, 10.0f); });
      });
  Session session(graph);
  for (const auto& [given, expected] : {std::pair{-5.0f, -1.0f}, {5.0f, 6.0f}, {50.0f, 10.0f}}) {
    CHECK(session.run(y, {{x, given}}).scalar<float>() == expected);
  }
  // the inner ones are in the outer
  CHECK(graph.collection<std::string>(GraphKeys::kCondContext).size() == 2);
  CHECK(graph.find_op("cond/cond/add/Switch").input(0).name() == "cond/Less/Switch:0");
}

TEST_CASE("Gradients flow back through the side taken, and are zero on the other", "[cond]") {
  for (const double sign : {-1.0, 1.0}) {
    check_gradient(
        [&](Output x, Output y) {
          const Output pred = less(constant(x.graph(), sign), 0.0);
          return cond(
              pred, [&] { return square(x) * y; }, [&] { return x; });
        },
        {doubles({2}), doubles({2}, -1, 1, 5)});
  }
}

TEST_CASE("Gradients flow through nested conditions", "[cond]") {
  for (const double sign : {-2.0, 0.5, 2.0}) {
    check_gradient(
        [&](Output x, Output y) {
          const Output s = constant(x.graph(), sign);
          const auto inner = [&] {
            return cond(
                less(s, 1.0), [&] { return x * y; }, [&] { return exp(x); });
          };
          return cond(
                     less(s, 0.0), [&] { return y; }, inner) +
                 x;
        },
        {doubles({2}), doubles({2}, -1, 1, 5)});
  }
}

TEST_CASE("Variables of both kinds are trained through a condition", "[cond]") {
  for (const bool use_resource : {false, true}) {
    CAPTURE(use_resource);
    Graph graph;
    const Variable v = variable(graph, 3.0f, {.name = "v", .use_resource = use_resource});
    const Output pred = placeholder(graph, DType::kBool, {});
    const auto read = [&] { return use_resource ? read_variable(v.ref()) : v.value(); };
    const Output y = cond(
        pred, [&] { return square(read()); }, [&] { return constant(graph, 7.0f); });
    const Output dv = gradients(y, {v})[0];
    Session session(graph);
    session.run(v.initializer());
    CHECK(session.run(dv, {{pred, true}}).scalar<float>() == 6);
    CHECK(session.run(dv, {{pred, false}}).scalar<float>() == 0);
  }
}

TEST_CASE("A cond refuses sides that do not match, and a predicate that is no bool scalar",
          "[cond]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {}),
               pred = placeholder(graph, DType::kBool, {});
  const Error dtypes = error_of([&] {
    cond(
        pred, [&] { return x; }, [&] { return cast(x, DType::kInt32, {.name = "whole"}); });
  });
  CHECK(dtypes.code() == Code::kInvalidArgument);
  CHECK_THAT(dtypes.what(),
             Contains("of dtype float") && Contains("'cond/whole:0' of dtype int32"));
  const Error counts = error_of([&] {
    cond(
        pred, [&] { return std::vector<Output>{x}; },
        [&] {
          return std::vector<Output>{x, x};
        });
  });
  CHECK_THAT(counts.what(), Contains("true_fn gives 1 tensors, false_fn 2"));
  CHECK(error_of([&] {
          cond(
              x, [&] { return x; }, [&] { return x; });
        }).code() == Code::kInvalidArgument);
  const Output many = placeholder(graph, DType::kBool, {3});
  CHECK(error_of([&] {
          cond(
              many, [&] { return x; }, [&] { return x; });
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("The gradient of a Merge that no single Switch decides is refused", "[cond]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {});
  const Error error = error_of([&] { gradients(merge({x, x}).value, {x}); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Contains("no one Switch decides"));
  const auto [when_false, when_true] = switch_by(x, placeholder(graph, DType::kBool, {}));
  for (const auto& inputs :
       {std::vector<Output>{when_true}, std::vector<Output>{when_false, when_true, when_true}}) {
    CHECK_THAT(error_of([&] { gradients(merge(inputs).value, {x}); }).what(),
               Contains("no one Switch decides"));
  }
}

TEST_CASE(
    "A variable that one side alone assigns has a value for later readers only where that side ran",
    "[cond]") {
  for (const bool use_resource : {false, true}) {
    CAPTURE(use_resource);
    Graph graph;
    const Output on_true = placeholder(graph, DType::kBool, {});
    const Variable v = variable(constant(graph, 1.0f), {.name = "v", .use_resource = use_resource});
    const Output done = cond(
        on_true, [&] { return assign(v, 2.0f).op(); }, [&] { return no_op(graph); });
    const auto after = graph.control_dependencies({done.op()});
    const Output read = (use_resource ? read_variable(v.ref()) : identity(v.ref())) * 10.0f;
    for (const bool by_call : {false, true}) {
      CAPTURE(by_call);
      const auto ask = [&](Session& session, bool pred) {
        return by_call ? session.prepare({read}, {on_true})({pred})[0].clone()
                       : session.run(read, {{on_true, pred}});
      };
      Session session(graph);
      const Error error = error_of([&] { ask(session, false); });
      CHECK(error.code() == Code::kFailedPrecondition);
      CHECK(says(error, "uninitialized variables: 'v'"));
      CHECK_FALSE(session.is_initialized(v));
      CHECK(ask(session, true).scalar<float>() == 20);
      CHECK(ask(session, false).scalar<float>() == 20);  // from the run before
    }
  }
}

TEST_CASE("A variable that one side assigns is uninitialized where the other side reads it",
          "[cond]") {
  Graph graph;
  const Output on_true = placeholder(graph, DType::kBool, {});
  const Variable v = variable(constant(graph, 1.0f), {.name = "v"});
  const Output y = cond(
      on_true, [&] { return assign(v, 2.0f) * 1.0f; }, [&] { return identity(v.ref()) * 10.0f; });
  Session session(graph);
  const Error error = error_of([&] { session.run(y, {{on_true, false}}); });
  CHECK(error.code() == Code::kFailedPrecondition);
  CHECK(says(error, "'v'"));
  CHECK(session.run(y, {{on_true, true}}).scalar<float>() == 2);
  CHECK(session.run(y, {{on_true, false}}).scalar<float>() == 20);
}

TEST_CASE("A fetched variable that the side not taken assigns is uninitialized", "[cond]") {
  Graph graph;
  const Output on_true = placeholder(graph, DType::kBool, {});
  const Variable v = variable(constant(graph, 1.0f), {.name = "v"});
  const Output done = cond(
      on_true, [&] { return assign(v, 2.0f).op(); }, [&] { return no_op(graph); });
  Session session(graph);
  CHECK(says(error_of([&] { session.run({done, v}, {{on_true, false}}); }), "'v'"));
  session.run(done, {{on_true, true}});
  CHECK(session.run(v).scalar<float>() == 2);
}

// ---- what is made once, inside a condition ------------------------------------------------------

TEST_CASE(
    "Variables, slots and shadows made inside a condition are initialised whichever side is taken",
    "[cond]") {
  for (const bool resource : {false, true}) {
    for (int what = 0; what < 5; ++what) {
      INFO("resource " << resource << ", case " << what);
      Graph graph;
      const Output fed = placeholder(graph, DType::kBool, {}, {.name = "p"});
      const Variable held = variable(graph, Tensor(true), {.name = "held", .trainable = false});
      const Variable w = variable(graph, 1.0f, {.name = "w", .use_resource = resource});
      const Output pred = what == 1 ? Output(held) : fed;
      const Output loss = square(w);
      AdamOptimizer adam(0.1);
      ExponentialMovingAverage average(0.9);
      const Output run = cond(
          pred,
          [&]() -> Operation {
            if (what == 2) return average.apply(graph, {w});
            if (what == 3)
              return assign_add_op(get_variable(graph, "v", {}, {.use_resource = resource}), 1.0f);
            if (what == 4)
              return assign_add_op(variable(graph, 1.0f, {.name = "v", .use_resource = resource}),
                                   1.0f);
            return adam.minimize(loss);
          },
          [&] { return no_op(graph); });
      Session session(graph);
      session.run(global_variables_initializer(graph));
      CHECK(session.uninitialized_variables().empty());
      const Feeds no = what == 1 ? Feeds{} : Feeds{{fed, Tensor(false)}};
      const Feeds yes = what == 1 ? Feeds{} : Feeds{{fed, Tensor(true)}};
      if (what != 1) {
        session.run(run, no);
        CHECK(session.value(w).scalar<float>() == 1);
      }
      session.run(run, yes);
      CHECK(session.value(w).scalar<float>() == Approx(what < 2 ? 0.9f : 1.0f));
    }
  }
}

TEST_CASE(
    "A variable inside nested conditions stands outside of both, under the name scope it was made "
    "in",
    "[cond]") {
  Graph graph;
  const Output p = placeholder(graph, DType::kBool, {}, {.name = "p"});
  const Variable before = variable(graph, 2.0f, {.name = "before"});
  Variable v, got;
  const Output y = cond(
      p,
      [&] {
        return cond(
            p,
            [&] {
              v = variable(before.value(), {.name = "v"});
              got = get_variable(graph, "got", {}, {.initializer = ones_initializer()});
              return v + got;
            },
            [&] { return before * 1.0f; });
      },
      [&] { return before * 1.0f; });
  CHECK(v.name() == "cond/cond/v");
  CHECK(got.name() == "got");
  for (const char* node : {"cond/cond/v", "cond/cond/v/Assign", "cond/cond/v/read", "got/Assign"})
    CHECK(graph.find_op(node).control_inputs().empty());
  Session session(graph);
  session.run(global_variables_initializer(graph));
  CHECK(session.run(y, {{p, Tensor(true)}}).scalar<float>() == 3);
}

TEST_CASE("An initial value made inside a condition is refused by name", "[cond]") {
  Graph graph;
  const Output p = placeholder(graph, DType::kBool, {}, {.name = "p"});
  const Output x = constant(graph, 1.0f, {.name = "x"});
  const int nodes = graph.num_nodes();
  const Error error = error_of([&] {
    cond(
        p, [&] { return Output(variable(x + 1.0f, {.name = "v"})); }, [&] { return x; });
  });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "variable 'v' (cond_test.cc:"));
  CHECK(says(error, "'cond/add'"));
  CHECK(says(error, "get_variable()"));
  CHECK(graph.num_nodes() == nodes);
  CHECK(cond(
            p, [&] { return Output(variable(x, {.name = "v"})); }, [&] { return x; })
            .name() == "cond/Merge:0");
}

}  // namespace
}  // namespace cairn
