#include "ops/core/gradients.h"

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
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

// ---- nodes and names ----------------------------------------------------------------------------

TEST_CASE("Gradients begin with ones of y's shape and go back op by op", "[gradients]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2, 3}, {.name = "x"});
  const Output w = placeholder(graph, DType::kFloat, {3, 4}, {.name = "w"});
  const Output y = matmul(x, w, {.name = "y"});
  const auto grads = gradients(y, {x, w});
  CHECK(node_lines(graph, 3) == Lines{"gradients/Shape = Const()", "gradients/grad_ys_0 = Const()",
                                      "gradients/Fill = Fill(gradients/Shape, gradients/grad_ys_0)",
                                      "gradients/y_grad/MatMul = MatMul(gradients/Fill, w)",
                                      "gradients/y_grad/MatMul_1 = MatMul(x, gradients/Fill)"});
  CHECK(grads[0].name() == "gradients/y_grad/MatMul:0");
  CHECK(grads[1].name() == "gradients/y_grad/MatMul_1:0");
}

TEST_CASE("Gated gradients of one op wait for each other", "[gradients]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2, 3}, {.name = "x"});
  const Output w = placeholder(graph, DType::kFloat, {3, 4}, {.name = "w"});
  const auto grads = gradients(matmul(x, w, {.name = "y"}), {x, w}, {.gate_gradients = true});
  const std::string y = "gradients/y_grad/", deps = y + "tuple/group_deps";
  CHECK(node_lines(graph, 8) == Lines{deps + " = NoOp(^" + y + "MatMul, ^" + y + "MatMul_1)",
                                      y + "tuple/control_dependency = Identity(" + y + "MatMul, ^" +
                                          deps + ") @" + y + "MatMul",
                                      y + "tuple/control_dependency_1 = Identity(" + y +
                                          "MatMul_1, ^" + deps + ") @" + y + "MatMul_1"});
  CHECK(grads[1].name() == y + "tuple/control_dependency_1:0");
}

TEST_CASE("Gradients from several consumers are added beside the first", "[gradients]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2}, {.name = "x"});
  const Output y = multiply(negative(x, {.name = "a"}), negative(x, {.name = "b"}), {.name = "y"});
  const auto grads = gradients(y, {x});
  CHECK(node_line(grads[0].op()) ==
        "gradients/AddN = AddN(gradients/a_grad/Neg, gradients/b_grad/Neg) @gradients/a_grad/Neg");
  CHECK(Session(graph).run(grads[0], {{x, Tensor::vector<float>({3, -1})}}).str() == "[ 6. -2.]");
}

TEST_CASE("A given grad_y enters through an Identity", "[gradients]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2}, {.name = "x"});
  const Output dy = placeholder(graph, DType::kFloat, {2}, {.name = "dy"});
  const Output y = negative(x);
  gradients(y, {x}, {.grad_ys = {dy}, .name = "back"});
  CHECK(node_lines(graph, 3) ==
        Lines{"back/grad_ys_0 = Identity(dy)", "back/Neg_grad/Neg = Neg(back/grad_ys_0)"});
  CHECK_THAT(error_of([&] {
               gradients(y, {x}, {.grad_ys = {constant(graph, Tensor::vector<float>({1, 2, 3}))}});
             }).what(),
             Contains("float [3]") && Contains("'Neg:0' is float [2]"));
  CHECK(error_of([&] {
          gradients(y, {x}, {.grad_ys = {dy, dy}});
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("An output that nothing used gets zeros, outside the op's scope", "[gradients]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {4}, {.name = "x"});
  const auto parts = split(x, 2);
  gradients(parts[0], {x});
  CHECK(graph.contains("gradients/zeros_like"));
  CHECK(graph.find_op("gradients/zeros_like").type() == "ZerosLike");
}

TEST_CASE("A second call has a scope of its own", "[gradients]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2}, {.name = "x"});
  const Output y = negative(x);
  gradients(y, {x});
  CHECK(gradients(y, {x})[0].name() == "gradients_1/Neg_grad/Neg:0");
}

TEST_CASE("Gradients are colocated with their ops on request", "[gradients]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2}, {.name = "x"});
  const auto grads = gradients(negative(x), {x}, {.colocate_gradients_with_ops = true});
  CHECK(node_line(grads[0].op()) == "gradients/Neg_grad/Neg = Neg(gradients/Fill) @Neg");
}

// ---- what flows where ---------------------------------------------------------------------------

TEST_CASE("No gradient flows to a tensor that y does not depend on, nor through integers",
          "[gradients]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2}, {.name = "x"});
  const Output other = placeholder(graph, DType::kFloat, {2}, {.name = "other"});
  const Output whole = cast(x, DType::kInt32), back = cast(whole, DType::kFloat);
  const auto grads = gradients(add(back, other), {x, other, whole});
  CHECK_FALSE(grads[0]);
  CHECK(grads[1]);
  CHECK_FALSE(grads[2]);
}

TEST_CASE("The gradient of a y that is also an x is ones", "[gradients]") {
  Lab lab;
  const Output x = lab.fed(Tensor::vector<float>({5, 6}), {2});
  CHECK(lab.told(gradients(x, {x})[0]) == "float [2] [1. 1.]");
}

TEST_CASE("An x between another x and y has its own gradient and passes it on", "[gradients]") {
  Lab lab;
  const Output x = lab.fed(Tensor::vector<float>({5, 6}), {2});
  const Output h = multiply(x, 2.0f), y = multiply(h, 3.0f);
  const auto grads = gradients(y, {x, h});
  CHECK(lab.told(grads[0]) == "float [2] [6. 6.]");
  CHECK(lab.told(grads[1]) == "float [2] [3. 3.]");
}

TEST_CASE("The gradients of several ys add up", "[gradients]") {
  Lab lab;
  const Output x = lab.fed(Tensor::vector<float>({5, 6}), {2});
  CHECK(lab.told(gradients({multiply(x, 2.0f), multiply(x, x)}, {x})[0]) == "float [2] [12. 14.]");
}

TEST_CASE("Tensors in stop_gradients are treated as constants", "[gradients]") {
  Lab lab;
  const Output x = lab.fed(Tensor::vector<float>({5, 6}), {2});
  const Output square = multiply(x, x);
  CHECK(lab.told(gradients(multiply(square, x), {x}, {.stop_gradients = {square}})[0]) ==
        "float [2] [25. 36.]");
}

TEST_CASE("A variable's gradient is the sum over all its reads", "[gradients]") {
  Graph graph;
  const Variable w = variable(graph, Tensor::vector<float>({2, 3}), {.name = "w"});
  const Output y = multiply(w, identity(w.ref()));
  Session session(graph);
  session.run(w.initializer());
  CHECK(session.run(gradients(y, {w})[0]).str() == "[4. 6.]");
  CHECK(session.run(gradients(y, {w.value()})[0]).str() == "[2. 3.]");
}

TEST_CASE("Second derivatives are gradients of gradients", "[gradients]") {
  Lab lab;
  const Output x = lab.fed(Tensor::vector<float>({2, -1}), {2});
  const Output cube = multiply(multiply(x, x), x);
  CHECK(lab.told(gradients(gradients(cube, {x})[0], {x})[0]) == "float [2] [12. -6.]");
}

TEST_CASE("The gradient of a matrix product agrees with differences", "[gradients]") {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      check_gradient(
          [=](Output a, Output b) { return matmul(a, b, {.transpose_a = ta, .transpose_b = tb}); },
          {doubles(ta ? Shape{3, 2} : Shape{2, 3}), doubles(tb ? Shape{4, 3} : Shape{3, 4})});
    }
  }
}

// ---- what is refused ----------------------------------------------------------------------------

void same_shape(ShapeContext& c) { unchanged_shape(c); }
constexpr OpDef kOpaque = {
    .name = "Opaque", .inputs = "x: T", .outputs = "y: T", .attrs = "T: type", .shape = same_shape};

TEST_CASE("Ops without a gradient are all named, with the path, and the graph is unchanged",
          "[gradients]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {2}, {.name = "x"});
  const Output a = add_node(kOpaque, {x}, {}, "a"), b = add_node(kOpaque, {x}, {}, "b");
  const Output aside = add_node(kOpaque, {constant(graph, 1.0f)}, {}, "aside");
  const Output y = add(multiply(a, aside, {.name = "m"}), b, {.name = "y"});
  const int nodes = graph.num_nodes();
  const Error error = error_of([&] { gradients(y, {x}); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Contains("Opaque 'a' (gradients_test.cc:") &&
                               Contains("on the path 'y' <- 'm' <- 'a' <- 'x'"));
  CHECK_THAT(error.what(),
             Contains("Opaque 'b'") && Contains("'y' <- 'b' <- 'x'") && !Contains("aside"));
  CHECK(graph.num_nodes() == nodes);
}

TEST_CASE("An op without a gradient does not matter where none flows", "[gradients]") {
  Lab lab;
  const Output x = lab.fed(Tensor::vector<float>({2, -1}), {2});
  const Output counted = cast(cast(add_node(kOpaque, {x}, {}, "a"), DType::kInt32), DType::kFloat);
  CHECK(gradients(multiply(x, counted), {x})[0]);
}

TEST_CASE("Gradients refuse handles of another graph and empty ones", "[gradients]") {
  Graph graph, other;
  const Output x = placeholder(graph, DType::kFloat, {2}),
               z = placeholder(other, DType::kFloat, {2});
  CHECK(error_of([&] { gradients(x, {z}); }).code() == Code::kFailedPrecondition);
  CHECK(error_of([&] { gradients(Output(), {x}); }).code() == Code::kFailedPrecondition);
  CHECK(error_of([&] { gradients(std::vector<Output>(), {x}); }).code() == Code::kInvalidArgument);
}

}  // namespace
}  // namespace cairn
