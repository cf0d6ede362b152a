// What sessions do with variables: order, sharing, initialisation.
#include "runtime/graph/variable.h"

#include "ops/array/array.h"
#include "ops/flow/flow.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ops.h"

using namespace cairn;

namespace {

struct Counter {
  Graph graph;
  Output one = constant(graph, 1.0f, {.name = "one"});
  Variable v = test::variable(graph, constant(graph, Tensor::vector<float>({10, 20})), "v");
  Session session{graph};
  void initialize() { session.run(v.initializer()); }
};

}  // namespace

TEST_CASE("Sessions have values of their own", "[runtime][variable]") {
  Counter c;
  Session other(c.graph);
  c.initialize();
  CHECK(c.session.is_initialized(c.v));
  CHECK_FALSE(other.is_initialized(c.v));
  other.set_value(c.v, Tensor::vector<float>({5, 6}));
  CHECK(c.session.run(c.v).str() == "[10. 20.]");
  CHECK(other.run(c.v).str() == "[5. 6.]");
}

TEST_CASE("Reads and writes without an edge between them happen in the order of creation",
          "[runtime][variable]") {
  Counter c;
  const Output before = identity(c.v.ref());
  const Output first = test::assign_add(c.v.ref(), c.one);
  const Output between = identity(c.v.ref());
  const Output second = test::assign_add(c.v.ref(), c.one);
  const Output after = identity(c.v.ref());
  c.initialize();
  // Asked for in another order.
  const auto values = c.session.run({after, between, before}, {}, {second.op(), first.op()});
  CHECK(values[0].str() == "[12. 22.]");
  CHECK(values[1].str() == "[11. 21.]");
  CHECK(values[2].str() == "[10. 20.]");
}

TEST_CASE("A control edge comes before the order of creation", "[runtime][variable]") {
  Counter c;
  const Output update = test::assign_add(c.v.ref(), c.one);
  const Scope after = c.graph.control_dependencies({update.op()});
  const Output read = identity(c.v.ref());
  c.initialize();
  CHECK(c.session.run(read).str() == "[11. 21.]");
}

TEST_CASE("A fetched reference is read at its own node's turn", "[runtime][variable]") {
  Counter c;
  const Output first = test::assign_add(c.v.ref(), c.one),
               second = test::assign_add(c.v.ref(), c.one);
  c.initialize();
  const auto values = c.session.run({c.v, first, second});
  CHECK(values[0].str() == "[10. 20.]");
  CHECK(values[1].str() == "[11. 21.]");
  CHECK(values[2].str() == "[12. 22.]");
}

TEST_CASE("A value that was read stays as it was read", "[runtime][variable]") {
  Counter c;
  c.initialize();
  const Tensor fetched = c.session.run(c.v), read = c.session.run(c.v.value()),
               value = c.session.value(c.v);
  const Output update = test::assign_add(c.v.ref(), c.one);
  Call call = c.session.prepare({c.v.value(), update});
  const Tensor kept = call()[0];
  for (int i = 0; i < 5; ++i) call();
  CHECK(kept.str() == "[10. 20.]");
  CHECK(fetched.str() == "[10. 20.]");
  CHECK(read.str() == "[10. 20.]");
  CHECK(value.str() == "[10. 20.]");
  CHECK(c.session.run(c.v).str() == "[16. 26.]");
}

TEST_CASE("What was assigned is the variable's own", "[runtime][variable]") {
  Counter c;
  const Output x = placeholder(c.graph, DType::kFloat, {2});
  const Output given = test::assign(c.v.ref(), x), computed = test::negate(x);
  const Output taken = test::assign(c.v.ref(), computed);
  Tensor mine = Tensor::vector<float>({1, 2});
  c.session.run(given.op(), {{x, mine}});
  mine.data<float>()[0] = 99;
  CHECK(c.session.run(c.v).str() == "[1. 2.]");
  // Computed values are handed over without a copy, and are read by others all the same.
  const Output also = test::negate(computed);
  mine.data<float>()[0] = 1;
  CHECK(c.session.run({also, taken}, {{x, mine}})[0].str() == "[1. 2.]");
  c.session.run(test::assign_add(c.v.ref(), c.one).op());
  CHECK(c.session.run(c.v).str() == "[ 0. -1.]");
}

TEST_CASE("A variable assigned to itself, or to another, keeps values apart",
          "[runtime][variable]") {
  Counter c;
  const Variable w = test::variable(c.graph, c.v.value(), "w");
  c.initialize();
  c.session.run(test::assign(c.v.ref(), c.v.ref()).op());
  c.session.run(w.initializer());
  c.session.run(test::assign_add(w.ref(), c.one).op());
  CHECK(c.session.run(c.v).str() == "[10. 20.]");
  CHECK(c.session.run(w).str() == "[11. 21.]");
}

TEST_CASE("Uninitialised variables are reported all at once, and nothing has run",
          "[runtime][variable]") {
  Counter c;
  const Variable w = test::variable(c.graph, constant(c.graph, 1.0f), "w");
  const Output counted = add_operation(c.graph, test::kCountRuns).output();
  const Output sum = test::add(c.v, w);
  const int before = test::runs;
  const Error error = error_of([&] { c.session.run({counted, sum, c.v}); });
  CHECK(error.code() == Code::kFailedPrecondition);
  CHECK(says(error, "uninitialized variables: 'v' and 'w'"));
  CHECK(test::runs == before);
  CHECK(says(error_of([&] { c.session.run(test::assign_add(c.v.ref(), c.one).op()); }),
             "uninitialized variable: 'v'"));
  CHECK(says(error_of([&] { (void)c.session.value(c.v); }), "'v'"));
}

TEST_CASE("A variable may be initialised and read in one run", "[runtime][variable]") {
  Counter c;
  const Scope after = c.graph.control_dependencies({c.v.initializer()});
  const Output read = identity(c.v.ref());
  CHECK(c.session.run(read).str() == "[10. 20.]");
}

TEST_CASE("Variables in the collections without a value are listed", "[runtime][variable]") {
  Counter c;
  const Variable w = test::variable(c.graph, c.one, "w");
  c.graph.add_to_collection(GraphKeys::kGlobalVariables, c.v);
  c.graph.add_to_collection(GraphKeys::kLocalVariables, w);
  CHECK(c.session.uninitialized_variables() == std::vector<std::string>{"v", "w"});
  c.initialize();
  CHECK(c.session.uninitialized_variables() == std::vector<std::string>{"w"});
}

TEST_CASE("Values are set without a node, all or none", "[runtime][variable]") {
  Counter c;
  const Variable w = test::variable(c.graph, c.one, "w");
  Tensor values = Tensor::vector<float>({1, 2});
  c.session.set_values({{c.v, values}, {w, 7.0f}});
  values.data<float>()[0] = 99;
  CHECK(c.session.run(c.v).str() == "[1. 2.]");
  const Error error = error_of([&] {
    c.session.set_values({{w, 8.0f}, {c.v, Tensor::vector<float>({1})}, {c.v, Tensor("x")}});
  });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "'v' is float [2], the value float [1]"));
  CHECK(says(error, "the value string []"));
  CHECK(c.session.run(w).scalar<float>() == 7);
}

TEST_CASE("A snapshot holds the values of its moment, whatever sessions do afterwards",
          "[runtime][variable][snapshot]") {
  Counter c;
  const Variable w = test::variable(c.graph, c.one, "w");
  c.session.set_values({{c.v, Tensor::vector<float>({1, 2})}});
  const SessionSnapshot then = c.session.snapshot();
  Session other(c.graph);
  other.set_value(w, 5.0f);
  other.load(then);
  CHECK(other.value(c.v).str() == "[1. 2.]");
  CHECK_FALSE(other.is_initialized(w));
  c.session.run(test::assign_add(c.v.ref(), c.one).op());
  CHECK(c.session.value(c.v).str() == "[2. 3.]");
  CHECK(other.value(c.v).str() == "[1. 2.]");
  other.run(test::assign_add(c.v.ref(), c.one).op());
  other.run(test::assign_add(c.v.ref(), c.one).op());
  CHECK(other.value(c.v).str() == "[3. 4.]");
  CHECK(c.session.value(c.v).str() == "[2. 3.]");
  c.session.load(then);
  CHECK(c.session.value(c.v).str() == "[1. 2.]");
  c.session.load({});
  CHECK_FALSE(c.session.is_initialized(c.v));
}

TEST_CASE("Variables written before a node fails keep what was written", "[runtime][variable]") {
  Counter c;
  const Output update = test::assign_add(c.v.ref(), c.one);
  Output refused;
  {
    const Scope after = c.graph.control_dependencies({update.op()});
    refused = add_node(test::kRefuseNegative, {constant(c.graph, -1.0f)});
  }
  const Output later = test::assign_add(c.v.ref(), refused);
  c.initialize();
  CHECK(error_of([&] { c.session.run(later.op()); }).code() == Code::kOutOfRange);
  CHECK(c.session.run(c.v).str() == "[11. 21.]");
}

TEST_CASE("Where a tensor is fed in a variable's place it cannot be written",
          "[runtime][variable]") {
  Counter c;
  const Output update = test::assign_add(c.v.ref(), c.one);
  c.initialize();
  const Error error = error_of([&] {
    c.session.run(update, {{"v:0", Tensor::vector<float>({1, 2})}});
  });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "'v:0', must be a variable, not a fed tensor"));
}

TEST_CASE("Nodes of one shared name are one variable", "[runtime][variable]") {
  Graph graph;
  const auto make = [&](const char* name, const char* shared) {
    return add_operation(graph, test::kVariable, {},
                         {{"shape", Shape{}}, {"dtype", DType::kFloat}, {"shared_name", shared}},
                         name)
        .output();
  };
  const Output a = make("a", "s"), b = make("b", "s"), other = make("c", "");
  Session session(graph);
  session.run(test::assign(a, constant(graph, 3.0f)).op());
  CHECK(session.run(b).scalar<float>() == 3);
  CHECK(error_of([&] { session.run(other); }).code() == Code::kFailedPrecondition);
}

TEST_CASE("String variables are shared and replaced as others are", "[runtime][variable]") {
  Graph graph;
  const Variable v =
      test::variable(graph, constant(graph, Tensor::vector<std::string>({"a", "b"})), "v");
  const Output set =
      test::assign(v.ref(), constant(graph, Tensor::vector<std::string>({"c", "d"})));
  Session session(graph);
  session.run(v.initializer());
  const Tensor before = session.run(v);
  session.run(set.op());
  CHECK(before.str() == "[b'a' b'b']");
  CHECK(session.run(v).str() == "[b'c' b'd']");
}
