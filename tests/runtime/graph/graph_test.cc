#include "runtime/graph/graph.h"

#include <functional>
#include <optional>
#include <set>
#include <sstream>

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/array/reshape.h"
#include "ops/core/gradients.h"
#include "ops/flow/cond.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/nn/nn.h"
#include "ops/state/lookup.h"
#include "ops/state/partitioned_variable.h"
#include "ops/state/state.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/test_ops.h"
#include "train/moving_averages.h"
#include "train/optimizers.h"

using namespace cairn;

namespace {

std::vector<std::string> names(const std::vector<Operation>& ops) {
  std::vector<std::string> all;
  for (const Operation& op : ops) all.push_back(op.name());
  return all;
}
using Names = std::vector<std::string>;

std::string made(Graph& graph, const std::string& name) {
  return no_op(graph, {.name = name}).name();
}

}  // namespace

// ---- names --------------------------------------------------------------------------------------

TEST_CASE("Names are made unique as TensorFlow does it", "[runtime][graph][names]") {
  Graph graph;
  CHECK(made(graph, "a") == "a");
  CHECK(made(graph, "a") == "a_1");
  CHECK(made(graph, "a") == "a_2");
  CHECK(made(graph, "A") == "A_3");  // case does not distinguish names
  CHECK(made(graph, "a_1") == "a_1_1");
  CHECK(made(graph, "") == "NoOp");
  CHECK(made(graph, "") == "NoOp_1");
}

TEST_CASE("A number somebody chose is stepped over", "[runtime][graph][names]") {
  Graph graph;
  CHECK(made(graph, "a_1") == "a_1");
  CHECK(made(graph, "a") == "a");
  CHECK(made(graph, "a") == "a_2");
  CHECK(made(graph, "a") == "a_3");
}

TEST_CASE("Scopes nest, become unique, and can be entered again", "[runtime][graph][names]") {
  Graph graph;
  std::string first;
  {
    const Scope scope = graph.name_scope("x");
    first = scope.name();
    CHECK(first == "x/");
    CHECK(made(graph, "a") == "x/a");
    const Scope inner = graph.name_scope("y");
    CHECK(inner.name() == "x/y/");
    CHECK(made(graph, "a") == "x/y/a");
    CHECK(graph.current_scope() == "x/y");
  }
  CHECK(graph.current_scope().empty());
  {
    const Scope again = graph.name_scope("x");
    CHECK(again.name() == "x_1/");
  }
  {
    const Scope entered = graph.name_scope(first);
    CHECK(entered.name() == "x/");
    CHECK(made(graph, "a") == "x/a_1");
    const Scope root = graph.name_scope("");
    CHECK(root.name().empty());
    CHECK(made(graph, "r") == "r");
  }
  CHECK(made(graph, "x") == "x_2");  // scopes and nodes share names
}

TEST_CASE("A node takes the name of the scope it is given with a slash",
          "[runtime][graph][names]") {
  Graph graph;
  const Scope scope = graph.name_scope("add");
  CHECK(made(graph, scope.name()) == "add");
  CHECK(says(error_of([&] { made(graph, scope.name()); }), "a node of this name exists"));
}

TEST_CASE("A name is taken by unique_name only on request", "[runtime][graph][names]") {
  Graph graph;
  CHECK(graph.unique_name("a", false) == "a");
  CHECK(graph.unique_name("a") == "a");
  CHECK(graph.unique_name("a", false) == "a_1");
  CHECK(graph.unique_name("a") == "a_1");
}

TEST_CASE("Names outside TensorFlow's rule are refused", "[runtime][graph][names]") {
  for (const char* good : {"a", "A9", ".a", "a/b-c_d", "a\\b>c", "0"})
    CHECK(is_valid_node_name(good));
  for (const char* bad : {"", "_a", "/a", "-a", "a b", "a:0", "^a", "ä", ">a"})
    CHECK_FALSE(is_valid_node_name(bad));
  Graph graph;
  const Error error = error_of([&] { made(graph, "a b"); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "NoOp 'a b' (graph_test.cc:"));
  CHECK(error_of([&] { (void)graph.name_scope("a b"); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { (void)graph.name_scope("_a"); }).code() == Code::kInvalidArgument);
  const Scope scope = graph.name_scope("s");
  CHECK(graph.name_scope("_inner").name() == "s/_inner/");
}

TEST_CASE("A node that is refused leaves the graph as it was, its name free", "[runtime][graph]") {
  Graph graph;
  const Output x = constant(graph, 1.0f, {.name = "m"});
  CHECK(error_of([&] { matmul(x, x, {.name = "m"}); }).code() == Code::kInvalidArgument);
  CHECK(graph.num_nodes() == 1);
  CHECK(made(graph, "m") == "m_1");
}

// ---- finding ------------------------------------------------------------------------------------

TEST_CASE("Nodes and tensors are found by name", "[runtime][graph]") {
  Graph graph;
  const Output x = constant(graph, 1.0f, {.name = "x"});
  CHECK(graph.find("x:0") == x);
  CHECK(graph.find_op("x") == x.op());
  CHECK(graph.contains("x"));
  CHECK_FALSE(graph.contains("x:0"));
  CHECK(graph.node_at(0) == x.op());
  CHECK(names(graph.operations()) == Names{"x"});
  CHECK(x.name() == "x:0");
  CHECK(x.index() == 0);
}

TEST_CASE("A name that is not there suggests those that are", "[runtime][graph]") {
  Graph graph;
  constant(graph, 1.0f, {.name = "weights"});
  const Error error = error_of([&] { graph.find("weight:0"); });
  CHECK(error.code() == Code::kNotFound);
  CHECK(says(error, "did you mean weights?"));
  CHECK(error_of([&] { graph.find_op("zzzzzzzz"); }).code() == Code::kNotFound);
}

TEST_CASE("A name that is near no other says which names there are", "[runtime][graph]") {
  Graph graph;
  CHECK(error_of([&] { graph.find_op("loss"); }).what() ==
        std::string("there is no node 'loss' in the graph; there are none"));
  constant(graph, 1.0f, {.name = "weights"});
  CHECK(error_of([&] { graph.find_op("qqq"); }).what() ==
        std::string("there is no node 'qqq' in the graph; there is weights"));
  for (int i = 0; i < 20; ++i) no_op(graph);
  CHECK(says(error_of([&] { graph.find("qqq:0"); }),
             "there is no node 'qqq' in the graph; there are weights, NoOp, NoOp_1, NoOp_2, "
             "NoOp_3, NoOp_4, NoOp_5, NoOp_6 and 13 more"));
}

TEST_CASE("An output that a node does not have is not found", "[runtime][graph]") {
  Graph graph;
  const Output x = constant(graph, 1.0f, {.name = "x"});
  CHECK(says(error_of([&] { graph.find("x:1"); }), "has 1 output"));
  CHECK(error_of([&] { x.op().output(1); }).code() == Code::kOutOfRange);
  CHECK(error_of([&] { x.op().input(0); }).code() == Code::kOutOfRange);
  CHECK(error_of([&] { graph.node_at(1); }).code() == Code::kOutOfRange);
}

TEST_CASE("A malformed tensor name is told from one that is not there", "[runtime][graph]") {
  Graph graph;
  for (const char* name : {"x", "x:", "x:a", "x:-1", "x:99999999999", ""}) {
    CHECK(error_of([&] { graph.find(name); }).code() == Code::kInvalidArgument);
  }
}

// ---- handles ------------------------------------------------------------------------------------

TEST_CASE("Handles into a graph that was reset are refused", "[runtime][graph][reset]") {
  Graph graph;
  const Output x = constant(graph, 1.0f, {.name = "x"});
  const Operation op = x.op();
  graph.add_to_collection("c", x);
  graph.reset();
  CHECK(graph.num_nodes() == 0);
  CHECK(graph.collection_keys().empty());
  const Error error = error_of([&] { (void)x.name(); });
  CHECK(error.code() == Code::kFailedPrecondition);
  CHECK(says(error, "reset"));
  CHECK(error_of([&] { (void)op.name(); }).code() == Code::kFailedPrecondition);
  CHECK(error_of([&] { identity(x); }).code() == Code::kFailedPrecondition);
  CHECK(error_of([&] { graph.add_to_collection("c", op); }).code() == Code::kFailedPrecondition);
  const Output again = constant(graph, 1.0f, {.name = "x"});
  CHECK(again.name() == "x:0");
  CHECK_FALSE(again == x);
  CHECK(error_of([&] { matmul(again, x); }).code() == Code::kFailedPrecondition);
}

TEST_CASE("Handles of another graph are refused by name", "[runtime][graph]") {
  Graph one, other;
  const Output x = constant(one, Tensor::zeros(DType::kFloat, {1, 1}), {.name = "mine"});
  const Output y = constant(other, Tensor::zeros(DType::kFloat, {1, 1}), {.name = "theirs"});
  const Error error = error_of([&] { matmul(x, y); });
  CHECK(error.code() == Code::kFailedPrecondition);
  CHECK(says(error, "MatMul 'MatMul'"));
  CHECK(says(error, "'theirs:0' belongs to another graph"));
  CHECK(error_of([&] { (void)one.control_dependencies({y.op()}); }).code() ==
        Code::kFailedPrecondition);
  CHECK(error_of([&] { one.static_value(y); }).code() == Code::kFailedPrecondition);
  CHECK(one.num_nodes() == 1);
}

TEST_CASE("Empty handles say that they are empty", "[runtime][graph]") {
  Graph graph;
  CHECK(says(error_of([] { (void)Output().name(); }), "empty handle"));
  CHECK(says(error_of([] { identity(Output()); }), "Identity (graph_test.cc:"));
  CHECK(says(error_of([] { (void)Variable().name(); }), "empty Variable handle"));
  CHECK(
      says(error_of([&] { graph.add_to_collection("c", Operation()); }), "empty Operation handle"));
}

TEST_CASE("Scopes that outlive a reset bring nothing back", "[runtime][graph][reset]") {
  Graph graph;
  {
    const Scope name = graph.name_scope("outer");
    const Scope device = graph.device("/cpu:1");
    const Scope wait = graph.control_dependencies({no_op(graph)});
    {
      const Scope inner_name = graph.name_scope("inner");
      const Scope inner_device = graph.device("/cpu:2");
      const Scope inner_wait = graph.control_dependencies({no_op(graph)});
      graph.reset();
    }
    const Operation op = no_op(graph);
    CHECK(op.name() == "NoOp");
    CHECK(op.node().device.empty());
    CHECK(op.control_inputs().empty());
  }
  CHECK(no_op(graph).name() == "NoOp_1");
}

// ---- graphs that are gone -----------------------------------------------------------------------

namespace {

// What a program may still hold of a graph.
struct Held {
  explicit Held(Graph& graph)
      : x(constant(graph, {1.0f, 2.0f}, {.name = "x"})),
        op(no_op(graph)),
        w(variable(graph, Tensor::vector<float>({1, 2}), {.name = "w"})),
        r(variable(graph, Tensor::vector<float>({1, 2}), {.name = "r", .use_resource = true})),
        parts(get_partitioned_variable(graph, "p", {4}, fixed_size_partitioner(2))),
        table(hash_table(graph, Tensor::vector<int64_t>({1}), Tensor::vector<int64_t>({2}),
                         Tensor(int64_t{0}))),
        average(0.9) {
    average.apply(graph, {w});
    momentum.minimize(reduce_sum(w * x), {.var_list = {w}});
  }
  // Every use of what it holds.
  std::vector<std::pair<const char*, std::function<void()>>> uses() {
    return {
        {"Output::graph", [&] { (void)x.graph(); }},
        {"Output::op", [&] { (void)x.op(); }},
        {"Output::name", [&] { (void)x.name(); }},
        {"Output::dtype", [&] { (void)x.dtype(); }},
        {"Output::shape", [&] { (void)x.shape(); }},
        {"Output::node", [&] { (void)x.node(); }},
        {"Output::endpoint", [&] { (void)x.endpoint(); }},
        {"Output <<", [&] { std::ostringstream() << x; }},
        {"Operation::graph", [&] { (void)op.graph(); }},
        {"Operation::name", [&] { (void)op.name(); }},
        {"Operation::inputs", [&] { (void)op.inputs(); }},
        {"Operation::output", [&] { (void)op.output(); }},
        {"Operation::attrs", [&] { (void)op.attrs(); }},
        {"Operation::control_inputs", [&] { (void)op.control_inputs(); }},
        {"Operation <<", [&] { std::ostringstream() << op; }},
        {"Variable::name", [&] { (void)w.name(); }},
        {"Variable::graph", [&] { (void)w.graph(); }},
        {"Variable::shape", [&] { (void)w.shape(); }},
        {"Variable::dtype", [&] { (void)r.dtype(); }},
        {"Variable::assign", [&] { w.assign(1.0f); }},
        {"Variable::assign_add", [&] { r.assign_add(1.0f); }},
        {"Variable::read_value", [&] { w.read_value(); }},
        {"Variable::as_tensor", [&] { r.as_tensor(); }},
        {"Variable <<", [&] { std::ostringstream() << w; }},
        {"x + 1", [&] { x + 1.0f; }},
        {"1 - w", [&] { 1.0f - w; }},
        {"-x", [&] { -x; }},
        {"x[0]", [&] { x[0]; }},
        {"matmul", [&] { matmul(x, w); }},
        {"identity", [&] { identity(x); }},
        {"reshape",
         [&] {
           reshape(x, {2, 1});
         }},
        {"concat",
         [&] {
           concat({x, w}, 0);
         }},
        {"add_n",
         [&] {
           add_n({x, x});
         }},
        {"group", [&] { group({op}); }},
        {"tuple", [&] { tuple({x}); }},
        {"cond",
         [&] {
           cond(
               x, [&] { return x; }, [&] { return x; });
         }},
        {"gradients", [&] { gradients({x}, {w}); }},
        {"dropout", [&] { dropout(x, 0.5); }},
        {"minimize", [&] { GradientDescentOptimizer(0.1).minimize(x); }},
        {"apply_gradients",
         [&] {
           GradientDescentOptimizer(0.1).apply_gradients({{x, w}});
         }},
        {"slot", [&] { (void)momentum.slot(w, "momentum"); }},
        {"minimize again", [&] { momentum.minimize(x, {.var_list = {w}}); }},
        {"average", [&] { (void)average.average(w); }},
        {"partitioned", [&] { parts.as_tensor(); }},
        {"table", [&] { table.lookup(x); }},
        {"table size", [&] { table.size(); }},
    };
  }
  Output x;
  Operation op;
  Variable w, r;
  PartitionedVariable parts;
  HashTable table;
  ExponentialMovingAverage average;
  MomentumOptimizer momentum{0.1, 0.9};
};

// All of them are refused, and say that the graph is gone.
void check_gone(Held& held) {
  for (const auto& [name, use] : held.uses()) {
    CAPTURE(name);
    const Error error = error_of(use);
    CAPTURE(error.what());
    CHECK(error.code() == Code::kFailedPrecondition);
    CHECK(says(error, "the graph of a handle is gone: the Graph was destroyed"));
  }
}

}  // namespace

TEST_CASE("Every use of a handle whose graph was destroyed is refused, and says so",
          "[runtime][graph][gone]") {
  std::optional<Held> held;
  {
    Graph graph;
    held.emplace(graph);
  }
  check_gone(*held);
  CHECK(says(error_of([&] { held->x + 1.0f; }), "Add (graph_test.cc:"));
}

TEST_CASE("Graphs made after one that was destroyed do not take its handles for theirs",
          "[runtime][graph][gone]") {
  std::optional<Held> held;
  {
    Graph graph;
    held.emplace(graph);
  }
  Graph next, after_next;  // what was the first one's may be used again for these
  for (Graph* graph : {&next, &after_next}) {
    const Output own = constant(*graph, 1.0f, {.name = "x"});
    check_gone(*held);
    CHECK_FALSE(graph->owns(held->x));
    CHECK(says(error_of([&] { own + held->x; }), "the graph of a handle is gone"));
    CHECK(says(error_of([&] { graph->add_to_collection("c", held->op); }), "is gone"));
    CHECK(says(error_of([&] { graph->add_to_collection("c", held->w); }), "is gone"));
    CHECK(says(error_of([&] { (void)graph->control_dependencies({held->op}); }), "is gone"));
    CHECK(says(error_of([&] { (void)graph->colocate_with(held->op); }), "is gone"));
    CHECK(says(error_of([&] { (void)graph->static_value(held->x); }), "is gone"));
    CHECK(graph->num_nodes() == 1);
  }
  CHECK_FALSE(held->x == constant(next, 1.0f));
}

TEST_CASE("Handles follow a graph that is moved, and are refused when the last one is destroyed",
          "[runtime][graph][gone]") {
  std::optional<Held> held;
  std::optional<Graph> last;
  {
    Graph first;
    held.emplace(first);
    Graph second = std::move(first);
    last.emplace(std::move(second));
    constant(first, 1.0f);  // a new graph, which goes here
  }
  CHECK(held->x.name() == "x:0");
  CHECK(&held->w.graph() == &*last);
  CHECK((held->x + held->w).name() == "add:0");
  last.reset();
  check_gone(*held);
}

TEST_CASE("What a graph held that another was moved into was reset, and is gone with that one",
          "[runtime][graph][gone]") {
  Output old, kept;
  {
    Graph from;
    kept = constant(from, 1.0f, {.name = "kept"});
    {
      Graph into;
      old = constant(into, 1.0f);
      into = std::move(from);
      CHECK(&kept.graph() == &into);
      CHECK(says(error_of([&] { old.graph(); }), "was reset"));
    }
    CHECK(says(error_of([&] { kept.graph(); }), "is gone"));
    CHECK(says(error_of([&] { old.graph(); }), "was reset"));  // `from` has what was reset
    CHECK(from.num_nodes() == 0);
  }
  CHECK(says(error_of([&] { old.graph(); }), "is gone"));
}

TEST_CASE("Graphs that come and go take no more anchors than there are at a time",
          "[runtime][graph][gone]") {
  std::set<const internal::GraphAnchor*> anchors;
  for (int i = 0; i < 100; ++i) {
    const Graph a, b;
    anchors.insert({a.anchor(), b.anchor()});
  }
  CHECK(anchors.size() <= 3);
}

// ---- control dependencies -----------------------------------------------------------------------

TEST_CASE("Nodes made in a control dependency scope wait, in order of name",
          "[runtime][graph][control]") {
  Graph graph;
  const Operation b = no_op(graph, {.name = "b"}), a = no_op(graph, {.name = "a"});
  Operation inside;
  {
    const Scope scope = graph.control_dependencies({b, a, b});
    inside = no_op(graph);
  }
  CHECK(names(inside.control_inputs()) == Names{"a", "b"});
  CHECK(no_op(graph).control_inputs().empty());
}

TEST_CASE("Scopes of control dependencies add up, and an empty one clears them",
          "[runtime][graph][control]") {
  Graph graph;
  const Operation a = no_op(graph, {.name = "a"}), b = no_op(graph, {.name = "b"});
  const Scope outer = graph.control_dependencies({a});
  {
    const Scope inner = graph.control_dependencies({b, a});
    CHECK(names(no_op(graph).control_inputs()) == Names{"a", "b"});
    {
      const Scope none = graph.control_dependencies({});
      CHECK(no_op(graph).control_inputs().empty());
      const Scope some = graph.control_dependencies({b});
      CHECK(names(no_op(graph).control_inputs()) == Names{"b"});
    }
    CHECK(names(no_op(graph).control_inputs()) == Names{"a", "b"});
  }
  CHECK(names(no_op(graph).control_inputs()) == Names{"a"});
}

TEST_CASE("A node fed by one made inside the scope waits already", "[runtime][graph][control]") {
  Graph graph;
  const Operation a = no_op(graph, {.name = "a"});
  const Output before = constant(graph, 1.0f);
  const Scope scope = graph.control_dependencies({a});
  const Output inside = identity(before);
  CHECK(names(inside.op().control_inputs()) == Names{"a"});
  CHECK(identity(inside).op().control_inputs().empty());
  CHECK(names(identity(before).op().control_inputs()) == Names{"a"});
}

TEST_CASE("What was made in an inner scope was made in the outer one too",
          "[runtime][graph][control]") {
  Graph graph;
  const Operation a = no_op(graph, {.name = "a"}), b = no_op(graph, {.name = "b"});
  const Output before = constant(graph, 1.0f);
  const Scope outer = graph.control_dependencies({a});
  Output inside;
  {
    const Scope inner = graph.control_dependencies({b});
    inside = identity(before);
    CHECK(names(inside.op().control_inputs()) == Names{"a", "b"});
    CHECK(identity(inside).op().control_inputs().empty());
  }
  CHECK(identity(inside).op().control_inputs().empty());
  const Scope later = graph.control_dependencies({b});
  CHECK(names(identity(inside).op().control_inputs()) == Names{"b"});
}

TEST_CASE("A node does not wait for what it takes as input anyway", "[runtime][graph][control]") {
  Graph graph;
  const Output x = constant(graph, 1.0f);
  const Operation a = no_op(graph, {.name = "a"});
  const Scope scope = graph.control_dependencies({x.op(), a});
  CHECK(names(identity(x).op().control_inputs()) == Names{"a"});
}

// ---- colocation, devices, places ----------------------------------------------------------------

namespace {

Names classes(const Operation& op) {
  const Attr* attr = op.attrs().find("_class");
  return attr ? *attr->get<Names>() : Names{};
}

}  // namespace

TEST_CASE("A graph owns its nodes from the first on, and none of another graph",
          "[runtime][graph]") {
  Graph graph, other;
  const Output first = constant(graph, 1.0f), second = constant(graph, 2.0f);
  CHECK(graph.owns(first));
  CHECK(graph.owns(second));
  CHECK_FALSE(other.owns(first));
  CHECK_FALSE(graph.owns(Output()));
}

TEST_CASE("Nodes stand beside what they are colocated with, or with what that stands beside",
          "[runtime][graph]") {
  Graph graph;
  const Operation a = no_op(graph, {.name = "a"});
  Operation b;
  {
    const Scope beside = graph.colocate_with(a);
    b = no_op(graph, {.name = "b"});
    const Scope none = graph.colocate_with({});
    CHECK(classes(no_op(graph)).empty());
  }
  CHECK(classes(b) == Names{"loc:@a"});
  const Scope beside = graph.colocate_with(b);
  CHECK(classes(no_op(graph)) == Names{"loc:@a"});
}

TEST_CASE("A node that takes a reference stands beside its variable", "[runtime][graph]") {
  Graph graph;
  const Variable v = test::variable(graph, constant(graph, 1.0f), "v");
  CHECK(classes(v.initializer()) == Names{"loc:@v"});
  CHECK(classes(v.value().op()).empty());  // Identity takes a value
  const Scope beside = graph.colocate_with(v.ref().op());
  CHECK(classes(test::assign(v.ref(), constant(graph, 2.0f)).op()) ==
        Names{"loc:@v"});  // once, for both reasons
}

TEST_CASE("Colocation with a node still to be made yields to what is in force",
          "[runtime][graph]") {
  Graph graph;
  {
    const Scope future = graph.colocate_with_future("w");
    CHECK(classes(no_op(graph)) == Names{"loc:@w"});
  }
  CHECK(classes(no_op(graph)).empty());
  const Scope beside = graph.colocate_with(no_op(graph, {.name = "a"}));
  const Scope future = graph.colocate_with_future("w");
  CHECK(classes(no_op(graph)) == Names{"loc:@a"});
}

TEST_CASE("Nodes carry the device in force", "[runtime][graph]") {
  Graph graph;
  {
    const Scope outer = graph.device("/cpu:0");
    CHECK(no_op(graph).node().device == "/cpu:0");
    const Scope inner = graph.device("");
    CHECK(no_op(graph).node().device.empty());
  }
  CHECK(no_op(graph).node().device.empty());
}

TEST_CASE("A node remembers the line that made it, or the outermost builder's",
          "[runtime][graph]") {
  Graph graph;
  const Operation here = no_op(graph);
  CHECK(here.node().made_at.str() == str_cat("graph_test.cc:", __LINE__ - 1));
  const Scope outer = graph.made_at({"/home/me/model.cc", 12});
  const Scope inner = graph.made_at({"/lib/builder.cc", 99});
  CHECK(no_op(graph).node().str() == "NoOp 'NoOp_1' (model.cc:12)");
}

// ---- variable scopes, seeds ---------------------------------------------------------------------

TEST_CASE("Variable scopes name variables and open a name scope", "[runtime][graph]") {
  Graph graph;
  {
    const Scope outer = graph.variable_scope("model");
    const Scope inner = graph.variable_scope("layer", true);
    CHECK(graph.current_variable_scope() == "model/layer");
    CHECK(graph.current_scope() == "model/layer");
    CHECK(graph.reusing_variables());
    const Scope innermost = graph.variable_scope("x");
    CHECK(graph.reusing_variables());
  }
  CHECK(graph.current_variable_scope().empty());
  CHECK_FALSE(graph.reusing_variables());
  const Scope again = graph.variable_scope("model");
  CHECK(graph.current_variable_scope() == "model");
  CHECK(graph.current_scope() == "model_1");
}

TEST_CASE("Seeds follow TensorFlow's table", "[runtime][graph][seeds]") {
  using Seeds = std::pair<int64_t, int64_t>;
  Graph graph;
  for (int i = 0; i < 3; ++i) no_op(graph);
  CHECK(graph.random_seeds(std::nullopt) == Seeds{0, 0});
  CHECK(graph.random_seeds(7) == Seeds{87654321, 7});
  CHECK(graph.random_seeds(0) == Seeds{87654321, 0});
  graph.set_seed(5);
  CHECK(graph.random_seeds(std::nullopt) == Seeds{5, 3});  // the number of nodes there are
  CHECK(graph.random_seeds(7) == Seeds{5, 7});
  CHECK(graph.random_seeds(int64_t{1} << 31) == Seeds{5, 1});
  CHECK(graph.random_seeds(-1) == Seeds{5, 2147483646});
  graph.set_seed(0);
  // (0, 0) would mean: another sequence each time
  CHECK(graph.random_seeds(0) == Seeds{0, 2147483647});
  graph.set_seed(std::nullopt);
  CHECK(graph.random_seeds(std::nullopt) == Seeds{0, 0});
}

// ---- static values ------------------------------------------------------------------------------

TEST_CASE("What follows from constants is known while the graph is built",
          "[runtime][graph][static]") {
  Graph graph;
  const Output a = constant(graph, Tensor::vector<float>({1, 2}));
  const Output b = test::negate(test::add(a, a));
  CHECK(graph.static_value(b).str() == "[-2. -4.]");
  CHECK_FALSE(graph.static_value(test::add(a, placeholder(graph, DType::kFloat, {2}))).valid());
  const Output counted = add_operation(graph, test::kCountRuns).output();
  CHECK_FALSE(graph.static_value(counted).valid());
  const Variable v = test::variable(graph, a, "v");
  CHECK_FALSE(graph.static_value(v.value()).valid());
}

TEST_CASE("A chain of a hundred thousand constants' followers has a static value",
          "[runtime][graph][static]") {
  Graph graph;
  Output x = constant(graph, 1.0f);
  for (int i = 0; i < 100000; ++i) x = test::negate(x);
  CHECK(graph.static_value(x).scalar<float>() == 1.0f);
  for (int i = 0; i < 100; ++i) x = test::add(x, x);  // each twice: 2^100 paths
  CHECK(graph.static_value(x).scalar<float>() == 0x1p100f);
}

TEST_CASE("A kernel may ask for static values while one is computed", "[runtime][graph][static]") {
  Graph graph;
  const Output x = constant(graph, Tensor::vector<float>({1, 2}));
  const Output two = test::add(constant(graph, 1.0f), constant(graph, 1.0f));
  const Output y = add_node(test::kScale, {x, two});
  CHECK(graph.static_value(y).str() == "[2. 4.]");
}

TEST_CASE("A node whose kernel fails has no static value", "[runtime][graph][static]") {
  Graph graph;
  const Output y = add_node(test::kRefuseNegative, {constant(graph, -1.0f)});
  CHECK_FALSE(graph.static_value(y).valid());
  CHECK_FALSE(graph.static_value(test::negate(y)).valid());
}

TEST_CASE("Large tensors are not computed while the graph is built", "[runtime][graph][static]") {
  Graph graph;
  const Output big = constant(graph, Tensor::zeros(DType::kFloat, {1025}));
  CHECK(graph.static_value(big).valid());
  CHECK_FALSE(graph.static_value(test::negate(big)).valid());
}
