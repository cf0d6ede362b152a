// Scopes whose handles are reassigned, kept in containers, and closed in any order.
#include <algorithm>
#include <optional>
#include <random>
#include <set>

#include "ops/array/array.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/state/variables.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/graph_text.h"

namespace cairn {
namespace {

struct Watching final : FlowContext {
  explicit Watching(std::string name) : name(std::move(name)) {}
  void amend(Graph&, NodeSpec& spec) override { spec.attrs.set("_context", name); }
  void added(const Operation&) override {}
  std::string name;
};

// A kind of scope: opens the i-th, and tells which ones a node made now stands in.
struct Kind {
  const char* name;
  std::function<Scope(Graph&, int)> open;
  std::function<std::string(Graph&)> told;
};

Operation node_now(Graph& graph) { return no_op(graph, {.name = "now"}); }
std::string text(const Operation& op, const char* attr) {
  const Attr* found = op.node().attrs.find(attr);
  return found ? found->str() : "";
}

std::vector<Kind> kinds() {
  const auto numbered = [](Graph& g, int i) { return g.find_op(str_cat("n", i)); };
  return {
      {"name", [](Graph& g, int i) { return g.name_scope(str_cat("s", i)); },
       [](Graph& g) { return g.current_scope(); }},
      {"variable", [](Graph& g, int i) { return g.variable_scope(str_cat("s", i), i == 1); },
       [](Graph& g) {
         return g.current_variable_scope() + " " + g.current_scope() +
                (g.reusing_variables() ? " reused" : "");
       }},
      {"control", [=](Graph& g, int i) { return g.control_dependencies({numbered(g, i)}); },
       [](Graph& g) {
         std::string all;
         for (const Operation& op : node_now(g).control_inputs()) all += op.name();
         return all;
       }},
      {"no control",
       [=](Graph& g, int i) {
         return i == 1 ? g.control_dependencies({}) : g.control_dependencies({numbered(g, i)});
       },
       [](Graph& g) {
         std::string all;
         for (const Operation& op : node_now(g).control_inputs()) all += op.name();
         return all;
       }},
      {"colocation",
       [=](Graph& g, int i) { return g.colocate_with(i == 1 ? Operation() : numbered(g, i)); },
       [](Graph& g) { return text(node_now(g), "_class"); }},
      {"device", [](Graph& g, int i) { return g.device(str_cat("/cpu:", i)); },
       [](Graph& g) { return node_now(g).node().device; }},
      {"place",
       [](Graph& g, int i) {
         return g.made_at({"x.cc", i + 1});
       },
       [](Graph& g) {
         return g.current_location({"none.cc", 1}).str();
       }},
      {"condition",
       [](Graph& g, int i) { return g.control_flow(std::make_shared<Watching>(str_cat("c", i))); },
       [](Graph& g) { return text(node_now(g), "_context"); }},
      {"once",
       [=](Graph& g, int i) {
         return i == 1 ? g.init_scope() : g.control_dependencies({numbered(g, i)});
       },
       [](Graph& g) {
         return str_cat(g.has_control_dependencies(), " ", node_now(g).control_inputs().size());
       }},
  };
}

struct Numbered {
  Graph graph;
  Numbered() {
    for (int i = 0; i < 6; ++i) no_op(graph, {.name = str_cat("n", i)});
  }
};

}  // namespace

TEST_CASE("Scopes closed in any order leave the graph as it was", "[runtime][scopes]") {
  std::mt19937 random(4);
  for (const Kind& kind : kinds()) {
    INFO(kind.name);
    for (int round = 0; round < 40; ++round) {
      Numbered n;
      const std::string before = kind.told(n.graph);
      std::vector<Scope> scopes;
      for (int i = 0; i < 5; ++i) {
        scopes.push_back(kind.open(n.graph, i));
        if (random() % 3 == 0)
          scopes.erase(scopes.begin() + static_cast<std::ptrdiff_t>(random() % scopes.size()));
      }
      std::shuffle(scopes.begin(), scopes.end(), random);
      for (Scope& scope : scopes) scope.close();
      CHECK(kind.told(n.graph) == before);
    }
  }
}

TEST_CASE("A container destroyed front to back leaves the graph as it was", "[runtime][scopes]") {
  for (const Kind& kind : kinds()) {
    INFO(kind.name);
    Numbered n;
    const std::string before = kind.told(n.graph);
    {
      std::vector<Scope> scopes;
      for (int i = 0; i < 4; ++i) scopes.push_back(kind.open(n.graph, i));
    }
    CHECK(kind.told(n.graph) == before);
  }
}

TEST_CASE("Of scopes of which some are closed those are in force that are left",
          "[runtime][scopes]") {
  // Which scopes are open decides, not in which order the others closed.
  for (const Kind& kind : kinds()) {
    INFO(kind.name);
    for (unsigned left = 0; left < 16; ++left) {
      std::set<std::string> told;
      for (const bool backwards : {false, true}) {
        Numbered n;
        std::vector<Scope> scopes;
        for (int i = 0; i < 4; ++i) scopes.push_back(kind.open(n.graph, i));
        for (int k = 0; k < 4; ++k) {
          const int i = backwards ? 3 - k : k;
          if (!(left >> i & 1)) scopes[static_cast<size_t>(i)].close();
        }
        told.insert(kind.told(n.graph));
      }
      CHECK(told.size() == 1);
    }
  }
}

TEST_CASE("A scope assigned over another is in force, and the other is not", "[runtime][scopes]") {
  Numbered n;
  Graph& g = n.graph;
  {
    Scope s = g.control_dependencies({g.find_op("n0")});
    s = g.control_dependencies({g.find_op("n1")});
    CHECK(node_line(no_op(g, {.name = "a"})) == "a = NoOp(^n1)");
    s = g.device("/gpu:0");
    CHECK(node_line(no_op(g, {.name = "b"})) == "b = NoOp()");
    CHECK(g.find_op("b").node().device == "/gpu:0");
  }
  Scope s = g.name_scope("layer1");
  s = g.name_scope("layer2");
  CHECK(s.name() == "layer1/layer2/");
  CHECK(no_op(g, {.name = "c"}).name() == "layer1/layer2/c");
  std::optional<Scope> maybe;
  maybe.emplace(g.name_scope("in"));
  maybe.emplace(g.name_scope("in"));
  CHECK(g.current_scope() == "layer1/layer2/in/in");
  maybe.reset();
  s.close();
  s.close();
  CHECK(g.current_scope().empty());
  Scope same = g.device("/cpu:0");
  Scope& itself = same;
  same = std::move(itself);
  CHECK(no_op(g).node().device == "/cpu:0");
}

TEST_CASE("Variable scopes assigned one over the other make a variable each", "[runtime][scopes]") {
  Graph g;
  Scope s;
  for (const char* layer : {"l0", "l1", "l2"}) {
    s = g.variable_scope(layer);
    get_variable(g, "w", {1});
  }
  s.close();
  CHECK(g.variables().size() == 3);
  s = g.variable_scope("shared", true);
  s = g.variable_scope("own");
  CHECK_FALSE(g.reusing_variables());  // the scope that said so is closed
}

TEST_CASE("Scopes of before a reset change nothing after it, nor those that outlive their graph",
          "[runtime][scopes]") {
  for (const Kind& kind : kinds()) {
    INFO(kind.name);
    std::vector<Scope> scopes;
    {
      Numbered n;
      for (int i = 0; i < 3; ++i) scopes.push_back(kind.open(n.graph, i));
      n.graph.reset();
      for (int i = 0; i < 6; ++i) no_op(n.graph, {.name = str_cat("n", i)});
      const std::string empty = kind.told(n.graph);
      const Scope later = kind.open(n.graph, 4);
      const std::string inside = kind.told(n.graph);
      scopes[1].close();
      scopes.erase(scopes.begin());
      CHECK(kind.told(n.graph) == inside);
      CHECK(empty != inside);
    }
    scopes.clear();
  }
}

TEST_CASE("Ten thousand open scopes close front to back in no time", "[runtime][scopes]") {
  Numbered n;
  std::vector<Scope> scopes;
  for (int i = 0; i < 10000; ++i) scopes.push_back(n.graph.device("/cpu:0"));
  for (Scope& scope : scopes) scope.close();
  CHECK(no_op(n.graph).node().device.empty());
}

// ---- moved graphs, finalized graphs, what is waited for -----------------------------------------

TEST_CASE("A graph is neither moved nor moved into while a builder is at work on it",
          "[runtime][graph][move]") {
  Graph graph, other;
  const Graph::Transaction whole(graph);
  CHECK(error_of([&] { Graph moved(std::move(graph)); }).code() == Code::kFailedPrecondition);
  CHECK(error_of([&] { other = std::move(graph); }).code() == Code::kFailedPrecondition);
  CHECK(error_of([&] { graph = std::move(other); }).code() == Code::kFailedPrecondition);
}

TEST_CASE("Handles, scopes and sessions follow a graph that is moved", "[runtime][graph][move]") {
  Graph first;
  const Variable w = variable(first, 2.0f, {.name = "w"});
  const Output y = w * 3.0f;
  Session session(first);
  session.run(w.initializer());
  Scope scope = first.name_scope("layer");
  Graph second(std::move(first));
  CHECK(&y.graph() == &second);
  CHECK(&session.graph() == &second);
  CHECK((y + 1.0f).name() == "layer/add:0");
  scope.close();
  CHECK(session.run(y + 1.0f).scalar<float>() == 7);
  CHECK(second.current_scope().empty());
  CHECK(first.num_nodes() == 0);  // NOLINT: what a moved-from graph is, is promised
  CHECK(constant(first, 1.0f, {.name = "w"}).name() == "w:0");
  CHECK_FALSE(first.owns(y));

  std::vector<Graph> graphs;
  graphs.push_back(std::move(second));
  for (int i = 0; i < 9; ++i) graphs.emplace_back();
  CHECK(&w.graph() == &graphs[0]);
  CHECK(session.run("w").valid() == false);
  CHECK(session.run("w:0").scalar<float>() == 2);

  Graph other;
  const Output forgotten = constant(other, 1.0f);
  other = std::move(graphs[0]);
  CHECK(&y.graph() == &other);
  CHECK(error_of([&] { (void)forgotten.name(); }).code() == Code::kFailedPrecondition);
  CHECK(session.run(y).scalar<float>() == 6);
}

TEST_CASE("A finalized graph refuses nodes and items by name until it is reset",
          "[runtime][graph]") {
  Graph graph;
  const Output x = constant(graph, 1.0f, {.name = "x"});
  graph.finalize();
  const Error node = error_of([&] { (void)(x + 1.0f); });
  CHECK(node.code() == Code::kFailedPrecondition);
  CHECK(says(node, "finalized"));
  CHECK(says(node, "'add/y'"));
  CHECK(says(error_of([&] { graph.add_to_collection("k", x); }), "'k'"));
  CHECK(error_of([&] {
          graph.import_nodes({{.name = "n",
                               .op = "NoOp",
                               .inputs = {},
                               .attrs = {},
                               .device = "",
                               .unknown_fields = ""}},
                             {});
        }).code() == Code::kFailedPrecondition);
  CHECK(graph.num_nodes() == 1);
  CHECK(Session(graph).run(x).scalar<float>() == 1);
  graph.reset();
  CHECK_FALSE(graph.finalized());
  CHECK(constant(graph, 1.0f).name() == "Const:0");
}

TEST_CASE("Tensors stand for their nodes among what is waited for and grouped",
          "[runtime][graph]") {
  Graph graph;
  const Output x = constant(graph, 1.0f, {.name = "x"});
  const Operation op = no_op(graph, {.name = "op"});
  {
    const Scope after = graph.control_dependencies({x, op});
    CHECK(node_line(no_op(graph, {.name = "a"})) == "a = NoOp(^op, ^x)");
  }
  {
    const Scope after = graph.control_dependencies(std::vector<Output>{x});
    CHECK(node_line(no_op(graph, {.name = "b"})) == "b = NoOp(^x)");
  }
  CHECK(node_line(group({x}, {.name = "c"})) == "c = NoOp(^x)");
  CHECK(node_line(group({x, op}, {.name = "d"})) == "d = NoOp(^op, ^x)");
  CHECK(node_line(group(std::vector<Output>{x}, {.name = "e"})) == "e = NoOp(^x)");
  CHECK(node_line(group({op}, {.name = "f"})) == "f = NoOp(^op)");
  CHECK(error_of([&] { (void)graph.control_dependencies({Output()}); }).code() ==
        Code::kFailedPrecondition);
}

TEST_CASE("A name that is none for a scope is shown on one line", "[runtime][graph][scopes]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {});
  for (const Error& error : {error_of([&] { (void)graph.name_scope("a\nb"); }),
                             error_of([&] { (void)graph.variable_scope("a\nb"); })}) {
    CHECK(says(error, "'a\\nb' is not a valid name for a scope"));
    CHECK(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  for (const Error& error : {error_of([&] { (void)graph.find_op("a\nb"); }),
                             error_of([&] { Session(graph).run("a\nb:0"); }), error_of([&] {
                               Session(graph).run(x, {{"a\nb:0", Tensor(1.0f)}});
                             })}) {
    INFO(error.what());
    CHECK(error.code() != Code::kOk);
    CHECK(std::string_view(error.what()).find("a\nb") == std::string_view::npos);
  }
}

}  // namespace cairn
