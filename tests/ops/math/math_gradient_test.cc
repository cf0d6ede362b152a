// Gradients of arithmetic, reductions and products: against differences, and node by node against
// TensorFlow's.
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/numeric_gradient.h"

using namespace cairn;

namespace {

using Unary = Output (*)(const Operand&, const NameOptions&);
using Binary = Output (*)(const Operand&, const Operand&, const NameOptions&);

// The nodes that gradients() added, "name Op input input", from the first of `scope` on.
std::vector<std::string> nodes_in(const Graph& graph, const std::string& scope) {
  std::vector<std::string> lines;
  for (const Operation& op : graph.operations()) {
    if (!op.name().starts_with(scope)) continue;
    std::string line = op.name().substr(scope.size()) + " " + op.type();
    for (const Output& input : op.inputs()) {
      const std::string name = endpoint_name(input.node(), input.index(), false);
      line += " " + (name.starts_with(scope) ? "/" + name.substr(scope.size()) : name);
    }
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

TEST_CASE("Gradients of functions agree with differences", "[math][gradient]") {
  for (const Unary f :
       {Unary(negative),     Unary(cairn::abs),  Unary(square),       Unary(cairn::sqrt),
        Unary(rsqrt),        Unary(cairn::exp),  Unary(cairn::expm1), Unary(cairn::log),
        Unary(cairn::log1p), Unary(reciprocal),  Unary(sign),         Unary(cairn::sin),
        Unary(cairn::cos),   Unary(cairn::tan),  Unary(cairn::asin),  Unary(cairn::acos),
        Unary(cairn::atan),  Unary(cairn::sinh), Unary(cairn::cosh),  Unary(sigmoid),
        Unary(cairn::tanh),  Unary(cairn::erf)}) {
    Graph graph;
    INFO(f(placeholder(graph, DType::kDouble), {}).op().type());
    check_gradient([&](Output x) { return f(x, {}); }, {doubles({2, 3}, 0.2, 0.8)});
  }
}

TEST_CASE("Gradients of gradients of functions agree with differences", "[math][gradient]") {
  for (const Binary grad : {Binary(sigmoid_grad), Binary(tanh_grad), Binary(sqrt_grad),
                            Binary(rsqrt_grad), Binary(reciprocal_grad)}) {
    check_gradient([&](Output y, Output dy) { return grad(y, dy, {}); },
                   {doubles({2, 3}, 0.2, 0.9), doubles({2, 3}, -1, 1, 1)});
  }
}

TEST_CASE("Gradients of two-operand ops agree with differences, broadcast or not",
          "[math][gradient]") {
  using Pair = std::pair<Shape, Shape>;
  for (const auto& [sx, sy] :
       {Pair{{2, 3}, {2, 3}}, Pair{{2, 3}, {3}}, Pair{{}, {2, 2}}, Pair{{2, 1}, {1, 3}}}) {
    INFO(sx << " and " << sy);
    for (const Binary build : {Binary(add), Binary(subtract), Binary(multiply), Binary(div),
                               Binary(realdiv), Binary(pow), Binary(maximum), Binary(minimum),
                               Binary(squared_difference), Binary(atan2)}) {
      check_gradient([&](Output x, Output y) { return build(x, y, {}); },
                     {doubles(sx, 0.5, 2), doubles(sy, 0.6, 2.1, 1)});
    }
  }
  check_gradient([](Output x, Output y) { return floormod(x, y); },
                 {doubles({3}, 5.1, 5.4), doubles({3}, 2.0, 2.2, 1)});
}

TEST_CASE("Gradients of AddN, Select and Cast agree with differences", "[math][gradient]") {
  check_gradient(
      [](const std::vector<Output>& v) {
        return add_n({v[0], v[1], v[0]});
      },
      {doubles({2, 2}), doubles({2, 2}, -1, 1, 1)});
  const Tensor condition = Tensor::vector<bool>({true, false});
  check_gradient([](const std::vector<Output>& v) { return where(v[0], v[1], v[2]); },
                 {condition, doubles({2, 3}), doubles({2, 3}, -1, 1, 1)});
  check_gradient([](Output x) { return cast(cast(x, DType::kFloat), DType::kDouble); },
                 {doubles({3})}, {.delta = 1e-2, .tolerance = 1e-4});
}

TEST_CASE("Gradients of reductions agree with differences", "[reduce][gradient]") {
  using Reduce = Output (*)(const Operand&, const Axes&, const ReduceOptions&);
  for (const Reduce reduce : {Reduce(reduce_sum), Reduce(reduce_mean), Reduce(reduce_prod),
                              Reduce(reduce_max), Reduce(reduce_min)}) {
    for (const Axes& axes : {Axes(), Axes(0), Axes(-1), Axes{0, 2}, Axes{1}}) {
      for (const bool keep_dims : {false, true})
        check_gradient([&](Output x) { return reduce(x, axes, {.keep_dims = keep_dims}); },
                       {doubles({2, 3, 2}, 0.5, 1.5)});
    }
  }
}

TEST_CASE("The gradient of a product knows zeros", "[reduce][gradient]") {
  check_gradient([](Output x) { return reduce_prod(x, 0); },
                 {Tensor::matrix<double>({{0, 2, 0}, {3, 4, 0}})});
}

TEST_CASE("Gradients of running sums and products agree with differences", "[reduce][gradient]") {
  for (const bool exclusive : {false, true}) {
    for (const bool reverse : {false, true}) {
      const CumulateOptions options{.exclusive = exclusive, .reverse = reverse};
      check_gradient([&](Output x) { return cumsum(x, 1, options); }, {doubles({2, 3}, 0.5, 1.5)});
      check_gradient([&](Output x) { return cumprod(x, 0, options); }, {doubles({3, 2}, 0.5, 1.5)});
    }
  }
}

TEST_CASE("Gradients of matrix products agree with differences", "[matmul][gradient]") {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const MatMulOptions options{.transpose_a = ta, .transpose_b = tb};
      const auto product = [&](Output a, Output b) { return matmul(a, b, options); };
      check_gradient(product, {doubles(ta ? Shape{3, 2} : Shape{2, 3}),
                               doubles(tb ? Shape{4, 3} : Shape{3, 4}, -1, 1, 1)});
      check_gradient(product, {doubles(ta ? Shape{2, 3, 2} : Shape{2, 2, 3}),
                               doubles(tb ? Shape{2, 4, 3} : Shape{2, 3, 4}, -1, 1, 1)});
    }
  }
}

// What tf.gradients made of tf.reduce_mean(-tf.reduce_sum(y * tf.log(x), 1)) in TensorFlow 1.12.
TEST_CASE("The gradient of a sum along an axis has TensorFlow's nodes",
          "[reduce][gradient][names]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 10}, {.name = "x"});
  const Output y = placeholder(graph, DType::kFloat, {-1, 10}, {.name = "y"});
  const Output loss = reduce_mean(-reduce_sum(y * log(x), {1}));
  gradients(loss, {x}, {.gate_gradients = true});
  CHECK(nodes_in(graph, "gradients/Mean_grad/") ==
        std::vector<std::string>{
            "Reshape/shape Const", "Reshape Reshape gradients/Fill /Reshape/shape",
            "Shape Shape Neg", "Tile Tile /Reshape /Shape", "Shape_1 Shape Neg", "Shape_2 Const",
            "Const Const", "Prod Prod /Shape_1 /Const", "Const_1 Const",
            "Prod_1 Prod /Shape_2 /Const_1", "Maximum/y Const",
            "Maximum Maximum /Prod_1 /Maximum/y", "floordiv FloorDiv /Prod /Maximum",
            "Cast Cast /floordiv", "truediv RealDiv /Tile /Cast"});
  CHECK(nodes_in(graph, "gradients/Sum_grad/") ==
        std::vector<std::string>{
            "Shape Shape mul", "Size Const", "add Add Sum/reduction_indices /Size",
            "mod FloorMod /add /Size", "Shape_1 Const", "range/start Const", "range/delta Const",
            "range Range /range/start /Size /range/delta", "Fill/value Const",
            "Fill Fill /Shape_1 /Fill/value",
            "DynamicStitch DynamicStitch /range /mod /Shape /Fill", "Maximum/y Const",
            "Maximum Maximum /DynamicStitch /Maximum/y", "floordiv FloorDiv /Shape /Maximum",
            "Reshape Reshape gradients/Neg_grad/Neg /DynamicStitch",
            "Tile Tile /Reshape /floordiv"});
  CHECK(nodes_in(graph, "gradients/mul_grad/") ==
        std::vector<std::string>{
            "Shape Shape y", "Shape_1 Shape Log",
            "BroadcastGradientArgs BroadcastGradientArgs /Shape /Shape_1",
            "Mul Mul gradients/Sum_grad/Tile Log", "Sum Sum /Mul /BroadcastGradientArgs",
            "Reshape Reshape /Sum /Shape", "Mul_1 Mul y gradients/Sum_grad/Tile",
            "Sum_1 Sum /Mul_1 /BroadcastGradientArgs:1", "Reshape_1 Reshape /Sum_1 /Shape_1",
            "tuple/group_deps NoOp", "tuple/control_dependency Identity /Reshape",
            "tuple/control_dependency_1 Identity /Reshape_1"});
  CHECK(nodes_in(graph, "gradients/Log_grad/") ==
        std::vector<std::string>{
            "Reciprocal Reciprocal x",
            "mul Mul gradients/mul_grad/tuple/control_dependency_1 /Reciprocal"});
  CHECK(graph.find_op("gradients/Sum_grad/Size").attrs().strings("_class") ==
        std::vector<std::string>{"loc:@gradients/Sum_grad/Shape"});
  CHECK(graph.find_op("gradients/Log_grad/Reciprocal").control_inputs().size() == 1);
}

TEST_CASE(
    "The gradient of a sum along all axes has TensorFlow's short form where they are in order",
    "[reduce][gradient][names]") {
  for (const bool in_order : {true, false}) {
    Graph graph;
    const Output x = placeholder(graph, DType::kFloat, {-1, 10}, {.name = "x"});
    gradients(reduce_sum(x, in_order ? std::vector<int>{0, 1} : std::vector<int>{1, 0}), {x});
    const auto nodes = nodes_in(graph, "gradients/Sum_grad/");
    const bool stitches = std::any_of(nodes.begin(), nodes.end(), [](const std::string& node) {
      return node.starts_with("DynamicStitch ");
    });
    CHECK(stitches == !in_order);
  }
}

TEST_CASE("Where shapes are known and equal, the gradient of a sum adds no nodes",
          "[math][gradient][names]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {3}, {.name = "x"}),
               y = placeholder(graph, DType::kFloat, {3});
  const Output z = x + y, seed = placeholder(graph, DType::kFloat, {3}, {.name = "seed"});
  CHECK(gradients(z, {x}, {.grad_ys = {seed}})[0].node().op->name == "Identity");
  CHECK_FALSE(graph.contains("gradients/add_grad/Shape"));
}
