#include "ops/array/array.h"
#include "runtime/graph/graph.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ops.h"

using namespace cairn;

TEST_CASE("Collections hold every kind of item, in order, repeated or not",
          "[runtime][collections]") {
  Graph graph;
  const Output x = constant(graph, 1.0f, {.name = "x"});
  const Variable v = test::variable(graph, x, "v");
  for (int i = 0; i < 2; ++i) graph.add_to_collection("tensors", x);
  graph.add_to_collection("ops", x.op());
  graph.add_to_collection("variables", v);
  graph.add_to_collection("bytes", std::string("\0\1", 2));
  graph.add_to_collection("ints", int64_t{7});
  graph.add_to_collection("floats", 0.5f);
  graph.add_to_collection("anys", AnyItem{"type.googleapis.com/x", "value"});
  CHECK(graph.collection<Output>("tensors") == std::vector<Output>{x, x});
  CHECK(graph.collection<Operation>("ops") == std::vector<Operation>{x.op()});
  CHECK(graph.variables() == std::vector<Variable>{v});
  CHECK(graph.collection<std::string>("bytes")[0].size() == 2);
  CHECK(graph.collection<int64_t>("ints") == std::vector<int64_t>{7});
  CHECK(graph.collection<float>("floats") == std::vector<float>{0.5f});
  CHECK(graph.collection<AnyItem>("anys")[0].value == "value");
  CHECK(graph.collection_keys() ==
        std::vector<std::string>{"anys", "bytes", "floats", "ints", "ops", "tensors", "variables"});
  CHECK(graph.collection<Output>("absent").empty());
  CHECK(graph.items("absent").empty());
}

TEST_CASE("A variable is also its value, a tensor also its operation", "[runtime][collections]") {
  Graph graph;
  const Variable v = test::variable(graph, constant(graph, 1.0f), "v");
  graph.add_to_collection("c", v);
  CHECK(graph.collection<Output>("c") == std::vector<Output>{v.value()});
  graph.add_to_collection("d", v.value());
  CHECK(graph.collection<Operation>("d") == std::vector<Operation>{v.value().op()});
}

TEST_CASE("A scope picks the items whose names begin with it", "[runtime][collections]") {
  Graph graph;
  const Output a = constant(graph, 1.0f, {.name = "one/a"}),
               b = constant(graph, 1.0f, {.name = "two/b"});
  graph.add_to_collection("c", a);
  graph.add_to_collection("c", b);
  CHECK(graph.collection<Output>("c", "two/") == std::vector<Output>{b});
  CHECK(graph.collection<Output>("c", "three").empty());
  graph.add_to_collection("n", int64_t{1});  // has no name: in every scope
  CHECK(graph.collection<int64_t>("n", "two/").size() == 1);
}

TEST_CASE("An item of another kind is refused, with both kinds named", "[runtime][collections]") {
  Graph graph;
  graph.add_to_collection("c", constant(graph, 1.0f, {.name = "x"}));
  const Error error = error_of([&] { (void)graph.collection<Variable>("c"); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "collection 'c' holds a tensor, 'x:0', where a variable was asked for"));
  CHECK(error_of([&] { (void)graph.collection<int64_t>("c"); }).code() == Code::kInvalidArgument);
  graph.add_to_collection("u", UnresolvedName{"gone"});
  CHECK(says(error_of([&] { (void)graph.collection<Operation>("u"); }), "'gone'"));
}

TEST_CASE("Items of another graph are refused", "[runtime][collections]") {
  Graph graph, other;
  const Variable v = test::variable(other, constant(other, 1.0f), "v");
  CHECK(error_of([&] { graph.add_to_collection("c", v); }).code() == Code::kFailedPrecondition);
  CHECK(error_of([&] { graph.add_to_collection("c", v.value()); }).code() ==
        Code::kFailedPrecondition);
  CHECK(graph.collection_keys().empty());
}

TEST_CASE("A cleared collection is gone", "[runtime][collections]") {
  Graph graph;
  graph.add_to_collection("c", int64_t{1});
  graph.clear_collection("c");
  graph.clear_collection("c");
  CHECK(graph.collection_keys().empty());
}

TEST_CASE("A builder that throws leaves collections as they were, those it cleared too",
          "[runtime][collections]") {
  Graph graph;
  graph.add_to_collection("cleared", int64_t{1});
  graph.add_to_collection("kept", int64_t{2});
  CHECK_THROWS_AS(
      [&] {
        const Graph::Transaction whole(graph);
        graph.add_to_collection("cleared", int64_t{3});
        graph.clear_collection("cleared");
        graph.add_to_collection("cleared", int64_t{4});
        graph.add_to_collection("kept", int64_t{5});
        graph.add_to_collection("new", int64_t{6});
        graph.clear_collection("new");
        throw Error(Code::kInternal, "thrown by the test");
      }(),
      Error);
  CHECK(graph.collection_keys() == std::vector<std::string>{"cleared", "kept"});
  CHECK(graph.items("cleared").size() == 1);
  CHECK(std::get<int64_t>(graph.items("cleared")[0]) == 1);
  CHECK(graph.items("kept").size() == 1);
}

TEST_CASE("An item of a collection that nobody has is refused, with its key and those like it",
          "[runtime][collections]") {
  Graph graph;
  const Output x = constant(graph, 1.0f, {.name = "x"});
  graph.add_to_collection("train_op", x.op());
  graph.add_to_collection("losses", x);
  const Error error = error_of([&] { (void)graph.collection<Operation>("trainop")[0]; });
  CHECK(error.code() == Code::kNotFound);
  CHECK(says(error, "there is no collection 'trainop' in the graph; did you mean train_op?"));
  CHECK(says(error_of([&] { (void)graph.variables()[0]; }),
             "there is no collection 'variables' in the graph; there are losses and train_op"));
  CHECK(says(error_of([&] { (void)graph.collection<Output>("losses", "scope/").front(); }),
             "no item of collection 'losses' has a name that begins with 'scope/'"));
  const auto ops = graph.collection<Operation>("train_op");
  const Error behind = error_of([&] { (void)ops[1]; });
  CHECK(behind.code() == Code::kNotFound);
  CHECK(says(behind, "item 1 was asked for: collection 'train_op' has 1 item"));
  CHECK(error_of([&] { (void)ops.at(7); }).code() == Code::kNotFound);
  CHECK(error_of([&] { (void)graph.collection<float>("none").back(); }).code() == Code::kNotFound);
}

TEST_CASE("What a collection holds is read as a vector is, and becomes one",
          "[runtime][collections]") {
  Graph graph;
  for (const int64_t value : {3, 4, 5}) graph.add_to_collection("c", value);
  const auto items = graph.collection<int64_t>("c");
  graph.add_to_collection("c", int64_t{6});
  CHECK(items.size() == 3);
  CHECK_FALSE(items.empty());
  CHECK(items.front() == 3);
  CHECK(items[1] == 4);
  CHECK(items.back() == 5);
  CHECK(std::vector<int64_t>(items.begin(), items.end()) == std::vector<int64_t>{3, 4, 5});
  CHECK(std::span<const int64_t>(items).size() == 3);
  const std::vector<int64_t> copied = items, moved = graph.collection<int64_t>("c");
  CHECK(items == copied);
  CHECK(moved == std::vector<int64_t>{3, 4, 5, 6});
  int64_t sum = 0;
  for (const int64_t value : items) sum += value;
  CHECK(sum == 12);
}
