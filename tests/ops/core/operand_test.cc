// What is written shortly: rows, compound assignment, numbers for variables, lists as constants;
// and what is said where an operand is missing.
#include "ops/core/operand.h"

#include <cmath>
#include <sstream>

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/array/rearranging.h"
#include "ops/array/reshape.h"
#include "ops/array/slicing.h"
#include "ops/core/gradients.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/nn/nn.h"
#include "ops/nn/softmax.h"
#include "ops/random/random.h"
#include "ops/state/initializers.h"
#include "ops/state/lookup.h"
#include "ops/state/state.h"
#include "ops/state/variables.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "train/moving_averages.h"

namespace cairn {
namespace {

template <class T>
std::string printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("Indexing gives row i, from the end for a negative i, made at the line of the expression",
          "[ops][operand]") {
  Graph graph;
  const Output x = constant(graph, {{1, 2}, {3, 4}, {5, 6}});
  const Variable w = variable(constant(graph, {7.0f, 8.0f}), {.name = "w"});
  Session session(graph);
  session.run(global_variables_initializer(graph));
  const Output row = x[1];
  CHECK(row.node().made_at.line == __LINE__ - 1);
  CHECK(session.run(row).to_int64s() == std::vector<int64_t>{3, 4});
  CHECK(session.run(x[-1][0]).scalar<int32_t>() == 5);
  CHECK(session.run(w[1]).scalar<float>() == 8);
  CHECK_THROWS_WITH(x[3], Catch::Contains("operand_test.cc:"));
}

TEST_CASE("The operators += to /= make a new tensor and leave the old one unchanged",
          "[ops][operand]") {
  Graph graph;
  const Output one = constant(graph, {1.0f, 2.0f});
  Output x = one;
  x += one;
  x *= 3.0f;
  x -= constant(graph, 1.0f);
  x /= 2.0f;
  CHECK(x.node().made_at.line == __LINE__ - 1);
  Session session(graph);
  CHECK(session.run(x == one ? one : x).span<float>()[1] == 5.5f);
  CHECK(session.run(one).span<float>()[1] == 2);
}

TEST_CASE("Variables are assigned numbers and tensors as well as outputs", "[ops][operand]") {
  Graph graph;
  const Variable w = variable(zeros(graph, {}), {.name = "w"});
  const Variable r = variable(zeros(graph, {2}), {.name = "r", .use_resource = true});
  Session session(graph);
  session.run(global_variables_initializer(graph));
  CHECK(session.run(w.assign(5.0f)).scalar<float>() == 5);
  CHECK(session.run(w.assign_add(2)).scalar<float>() == 7);
  CHECK(session.run(w.assign_sub(w * 0.5f)).scalar<float>() == 3.5f);
  CHECK(session.run(r.assign(Tensor::vector<float>({1, 2}))).span<float>()[1] == 2);
  CHECK(message_of([&] {
          w.assign(Tensor::vector<float>({1, 2}));
        }).find("operand_test.cc:") != std::string::npos);
}

TEST_CASE("Lists, rows and vectors are constants", "[ops][operand]") {
  Graph graph;
  Session session(graph);
  CHECK(constant(graph, {1.0f, 2.0f}).shape() == Shape{2});
  CHECK(constant(graph, {1.0f}).shape() == Shape{1});
  CHECK(constant(graph, 1.0f).shape() == Shape{});
  const Output rows = constant(graph, {{1, 2, 3}, {4, 5, 6}}, {.name = "rows"});
  CHECK(rows.name() == "rows:0");
  CHECK(rows.shape() == Shape{2, 3});
  CHECK(session.run(constant(graph, std::vector<int64_t>{7, 8})).to_int64s() ==
        std::vector<int64_t>{7, 8});
}

TEST_CASE("Handles print as what they stand for", "[ops][operand]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 3}, {.name = "x"});
  const Variable w = variable(zeros(graph, {2}), {.name = "w"});
  CHECK(printed(x) == "x:0, float [?,3]");
  CHECK(printed(w) == "w, float [2]");
  CHECK(printed(x.op()).starts_with("Placeholder 'x' (operand_test.cc:"));
  CHECK(printed(Output()) + ", " + printed(Operation()) + ", " + printed(Variable()) ==
        "no tensor, no operation, no variable");
}

TEST_CASE("An empty handle is refused with the op, where it has one name, and the line",
          "[ops][operand]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2, 3}, {.name = "x"}), none;
  const Variable no_variable;
  const auto says = [&](auto build, const std::string& begin) {
    const int nodes = graph.num_nodes();
    const std::string message = message_of(build);
    CAPTURE(message);
    CHECK(message.starts_with(begin));
    CHECK(message.find("operand_test.cc:") != std::string::npos);
    CHECK(message.find("an empty handle") != std::string::npos);
    CHECK(graph.num_nodes() == nodes);
  };
  says([&] { none * 2.0f; }, "Mul (");
  says([&] { x + none; }, "Add (");
  says([&] { no_variable* x; }, "Mul (");
  says([&] { square(none); }, "Square (");
  says([&] { matmul(none, x); }, "MatMul (");
  says([&] { reduce_mean(none); }, "Mean (");
  says([&] { variable(none); }, "operand_test.cc:");
  says([&] { softmax_cross_entropy_with_logits({.logits = x}); },
       "softmax_cross_entropy_with_logits: labels (");
  says([&] { sparse_softmax_cross_entropy_with_logits({.labels = x}); },
       "sparse_softmax_cross_entropy_with_logits: logits (");
  says([&] { reduce_sum(x, none); }, "Sum (");
  says([&] { reduce_all(x, none); }, "All (");
  says([&] { group({none}); }, "group (");
  says([&] { group({x.op(), Operation()}); }, "group (");
  says([&] { group(std::vector<Output>{x, none}); }, "group (");
  says([&] { with_dependencies({Operation()}, x); }, "with_dependencies (");
  says([&] { with_dependencies({x.op()}, none); }, "with_dependencies (");
  says([&] { assert_op(none, {x}); }, "Assert (");
  says([&] { print(none, {x}); }, "Print (");
  says([&] { check_numerics(none, "x"); }, "CheckNumerics (");
  says([&] { switch_by(none, x); }, "Switch (");
  says([&] { identity_n({none}); }, "IdentityN (");
  says([&] { identity_n({x, none}); }, "IdentityN (");
  says([&] { shape_n({none}); }, "ShapeN (");
  says([&] { shape(none); }, "Shape (");
  says([&] { size(none); }, "Size (");
  says([&] { rank(none); }, "Rank (");
  says([&] { squeeze(none); }, "Squeeze (");
  says([&] { reshape(none, {2}); }, "Reshape (");
  says([&] { unstack(none); }, "unstack (");
  says([&] { gradients(none, {x}); }, "gradients (");
  says([&] { gradients(x, {none}); }, "gradients (");
  says([&] { gradients(x, {x}, {.stop_gradients = {none}}); }, "gradients (");
  says([&] { gradients(std::vector<Output>{x, none}, {x}); }, "gradients (");
  says([&] { HashTable().lookup(x); }, "hash_table_Lookup (");
  says([&] { HashTable().size(); }, "hash_table_Size (");
  says([&] { broadcast_gradient_args(none, none); }, "BroadcastGradientArgs (");
  says([&] { concat({none, x}, 0); }, "concat (");
  says([&] { concat({x, none}, 0); }, "concat (");
  says([&] { stack({none, x}); }, "stack (");
  says([&] { add_n({none}); }, "AddN (");
  says([&] { add_n({x, none}); }, "AddN (");
}

TEST_CASE("Integers told by an empty handle are refused with the op and the line",
          "[ops][operand]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2, 3}, {.name = "x"}), none;
  const auto says = [&](auto build, const std::string& begin) {
    const int nodes = graph.num_nodes();
    const Error error = error_of(build);
    CAPTURE(error.what());
    CHECK(error.code() == Code::kFailedPrecondition);
    CHECK(std::string_view(error.what()).starts_with(begin));
    CHECK(std::string_view(error.what()).find("operand_test.cc:") != std::string_view::npos);
    CHECK(graph.num_nodes() == nodes);
  };
  says([&] { reshape(x, none); }, "Reshape");
  says([&] { slice(x, none, {1, 1}); }, "Slice");
  says([&] { slice(x, {0, 0}, none); }, "Slice");
  says([&] { strided_slice(x, {0}, none, {1}); }, "StridedSlice");
  says([&] { transpose(x, none); }, "transpose/perm (");
  says([&] { tile(x, none); }, "Tile");
  says([&] { reverse(x, none); }, "Reverse");
  says([&] { fill(none, 1.0f); }, "Fill");
  says([&] { random_uniform(graph, IntList(none)); }, "random_uniform/shape (");
  says([&] { dropout(x, 0.5f, {.noise_shape = IntList(none)}); }, "dropout/random_uniform/shape (");
  says([&] { pad(x, none); }, "Pad");
  says([&] { argmax(x, none); }, "ArgMax");
  says([&] { cumsum(x, none); }, "Cumsum");
}

TEST_CASE("What initializers and settings refuse names the program's line, not the library's",
          "[ops][operand]") {
  Graph graph;
  const Variable w = variable(graph, 1.0f, {.name = "w"});
  const Output loss = square(w);
  const auto says = [&](Code code, auto build, const std::vector<const char*>& parts) {
    const int nodes = graph.num_nodes();
    const Error error = error_of(build);
    CAPTURE(error.what());
    CHECK(error.code() == code);
    CHECK(std::string_view(error.what()).find("operand_test.cc:") != std::string_view::npos);
    CHECK(std::string_view(error.what()).find("initializers.cc") == std::string_view::npos);
    for (const char* part : parts)
      CHECK(std::string_view(error.what()).find(part) != std::string_view::npos);
    CHECK(graph.num_nodes() == nodes);
  };
  const auto refused = Code::kInvalidArgument, missing = Code::kFailedPrecondition;
  const auto got = [&](const Initializer& initializer, DType dtype) {
    return [&graph, initializer, dtype] {
      get_variable(graph, "v", {2, 2}, {.dtype = dtype, .initializer = initializer});
    };
  };
  says(refused, got(glorot_uniform_initializer(), DType::kInt32), {"int32"});
  says(refused, got(glorot_normal_initializer(), DType::kInt32), {"int32"});
  says(refused, got(random_uniform_initializer({.minval = 0.5, .maxval = 2.5}), DType::kInt32),
       {"int32"});
  says(refused, got(truncated_normal_initializer(), DType::kInt32), {"int32"});
  says(refused, got(constant_initializer(0.5), DType::kInt32),
       {"constant_initializer", "0.5", "int32"});
  says(refused, got(constant_initializer(Tensor::vector<float>({1, 2, 3})), DType::kFloat),
       {"constant_initializer", "[3]", "[2,2]"});
  says(refused, got(constant_initializer(Tensor(1.0f)), DType::kDouble),
       {"constant_initializer", "float", "double"});
  says(refused, [] { variance_scaling_initializer({.scale = 0}); },
       {"variance_scaling_initializer", "is 0"});
  says(missing, [&] { ExponentialMovingAverage(Output()).apply(graph, {w}); },
       {"ExponentialMovingAverage", "decay"});
  says(missing, [&] { ExponentialMovingAverage(Variable()).apply(graph, {w}); },
       {"ExponentialMovingAverage", "decay"});
  says(missing, [&] { ExponentialMovingAverage(0.9, {.num_updates = Output()}).apply(graph, {w}); },
       {"num_updates"});
  says(missing, [&] { GradientDescentOptimizer(Output()).minimize(loss); },
       {"GradientDescent", "learning_rate"});
}

TEST_CASE("Rows of paddings that are no pairs are refused with the op and the line",
          "[ops][operand]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2, 3}, {.name = "x"});
  const std::string message = message_of([&] { pad(x, {{1, 1}, {1}}); });
  CAPTURE(message);
  CHECK(message.starts_with("Pad (operand_test.cc:"));
  CHECK(message.find("paddings[1]") != std::string::npos);
}

TEST_CASE("What a builder refuses is told as what it is", "[ops][operand]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2, 3}, {.name = "x"}),
               any = placeholder(graph, DType::kFloat);
  const Variable count = variable(graph, 0, {.name = "count"});
  const auto says = [](auto build, const char* what, const char* not_what) {
    const std::string message = message_of(build);
    CAPTURE(message);
    CHECK(message.find(what) != std::string::npos);
    CHECK(message.find(not_what) == std::string::npos);
    CHECK(message.find("operand_test.cc:") != std::string::npos);
  };
  says([&] { unstack(x, {.axis = 9}); }, "there is no axis 9 in shape [2,3]", "say how many");
  says([&] { unstack(x, {.axis = -3}); }, "there is no axis -3 in shape [2,3]", "say how many");
  says([&] { unstack(x, {.axis = int64_t{1} << 32}); }, "there is no axis 4294967296",
       "say how many");
  says([&] { unstack(any, {.axis = 9}); }, "say how many", "there is no axis");
  says([&] { count.assign(1.5); }, "1.5 is not a value of dtype int32", "_ref");
  says([&] { range(graph, 0, 1.5, std::nan("")); }, "delta must be a number", "zero");
  says([&] { range(graph, 0, 1.5, 0); }, "delta must not be zero", "a number");
}

TEST_CASE("What a builder refuses begins with op and line, and says what helps", "[ops][operand]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2, 3}, {.name = "x"}),
               n = placeholder(graph, DType::kInt32, {2}, {.name = "n"}),
               text = placeholder(graph, DType::kString, {2}, {.name = "text"});
  const auto says = [&](auto build, const std::string& begin, const char* cure) {
    const int nodes = graph.num_nodes();
    const std::string message = message_of(build);
    CAPTURE(message);
    CHECK(message.starts_with(begin + " (operand_test.cc:"));
    CHECK(message.find(cure) != std::string::npos);
    CHECK(graph.num_nodes() == nodes);
  };
  says([&] { n + 0.5; }, "add/y", "0.5 is not a value of dtype int32");
  says([&] { n + 0.5; }, "add/y", "cast that tensor to a floating dtype, as in cast(x, DType::kF");
  says([&] { 0.5 * n; }, "mul/x", "or give a whole number");
  says([&] { equal(text, 1); }, "Equal/y", "a number cannot stand for a tensor of dtype string");
  says([&] { dropout(n, 0.5); }, "dropout", "cast(x, DType::kFloat) makes one");
  says([&] { dropout(x, 2); }, "dropout", "keep_prob must be in (0, 1], is 2");
  says([&] { add_n({}); }, "AddN", "at least one tensor");
  says([&] { random_uniform(graph, {2}, {.dtype = DType::kInt32}); }, "random_uniform",
       "needs .maxval");
}

TEST_CASE("What a shape function refuses names node and line, however it says so",
          "[ops][operand]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2, 3}, {.name = "x"});
  const std::string message = message_of([&] { slice(x, {0}, {5, 5}); });
  CHECK(message.starts_with("Slice 'Slice' (operand_test.cc:"));
}

}  // namespace cairn
