#include "ops/array/array.h"
#include "ops/array/gather.h"
#include "ops/array/joining.h"
#include "ops/array/rearranging.h"
#include "ops/array/slicing.h"
#include "ops/array/where.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/lab.h"
#include "tests/support/numeric_gradient.h"

using namespace cairn;

namespace {
Tensor ints(const std::vector<int32_t>& values) { return Tensor::vector<int32_t>(values); }
const OpDef* older(std::span<const OpDef* const> ops, std::string_view name) {
  return *std::find_if(ops.begin(), ops.end(), [&](const OpDef* op) { return op->name == name; });
}
std::vector<std::string> names_from(const Graph& graph, int first) {
  std::vector<std::string> names;
  for (int i = first; i < graph.num_nodes(); ++i) {
    names.push_back(graph.node_at(i).type() + " " + graph.node_at(i).name());
  }
  return names;
}
}  // namespace

TEST_CASE("Gradients flow through changes of shape", "[array][gradient]") {
  check_gradient([](Output x) { return reshape(x, {3, -1}); }, {doubles({2, 6})});
  check_gradient([](Output x) { return expand_dims(x, 1); }, {doubles({2, 3})});
  check_gradient([](Output x) { return squeeze(x, {.axis = {0}}); }, {doubles({1, 3})});
  check_gradient([](Output x) { return identity_n({x, identity(x)})[1]; }, {doubles({3})});
}

TEST_CASE("Gradients flow to a filled value, a default and sparse values", "[array][gradient]") {
  check_gradient(
      [](Output x) {
        return fill(constant(x.graph(), ints({2, 3})), x);
      },
      {doubles({})});
  check_gradient([](Output x) { return placeholder_with_default(x, Shape::unknown()); },
                 {doubles({2})});
  check_gradient(
      [](Output values, Output rest) {
        const Output at = constant(values.graph(), Tensor::matrix<int32_t>({{0, 1}, {1, 0}}));
        return sparse_to_dense(at, {2, 2}, values, {.default_value = rest});
      },
      {doubles({2}), doubles({})});
}

TEST_CASE("Gradients stop where they are told to", "[array][gradient]") {
  Lab lab;
  const Output x = lab.fed(count_up({2}));
  CHECK_FALSE(gradients(stop_gradient(x), {x})[0]);
  const Output guarded = prevent_gradient(x, {.message = "there is no second derivative"});
  CHECK_THAT(error_of([&] { gradients(guarded, {x}); }).what(),
             Catch::Matchers::Contains("no second derivative"));
}

TEST_CASE("Gradients flow through joining and taking apart", "[joining][gradient]") {
  for (int axis : {0, 1, -1}) {
    const auto sizes = [&](int64_t n) {
      return doubles(axis == 0 ? Shape{n, 3} : Shape{3, n}, -1, 1, int(n));
    };
    check_gradient(
        [=](Output a, Output b, Output c) {
          return concat({a, b, c}, axis);
        },
        {sizes(1), sizes(2), sizes(4)});
    check_gradient(
        [=](Output a, Output b) {
          return stack({a, b}, {.axis = axis});
        },
        {sizes(2), sizes(2)});
    check_gradient([=](Output x) { return split(x, 2, {.axis = axis})[1]; }, {sizes(4)});
    check_gradient([=](Output x) { return split(x, {1, 3}, {.axis = axis})[1]; }, {sizes(4)});
    check_gradient([=](Output x) { return unstack(x, 2, {.axis = axis})[0]; }, {sizes(2)});
  }
  std::vector<Tensor> many;
  for (int i = 0; i < 18; ++i) many.push_back(doubles({2, 1 + i % 3}, -1, 1, i));
  check_gradient(
      [](const std::vector<Output>& xs) {
        return concat({xs.begin(), xs.end()}, 1);
      },
      many);
  check_gradient(
      [](Output a, Output b) {
        return add_node(*older(joining_ops(), "Concat"), {constant(a.graph(), int32_t{1}), a, b});
      },
      {doubles({2, 1}), doubles({2, 3})});
}

TEST_CASE("Gradients flow through slices", "[slicing][gradient]") {
  check_gradient([](Output x) { return slice(x, {1, 0}, {2, -1}); }, {doubles({4, 3})});
  check_gradient(
      [](Output x) {
        return strided_slice(x, {3, 0, 1}, {0, 0, 2}, {-2, 9, 1},
                             {.new_axis_mask = 2, .shrink_axis_mask = 4});
      },
      {doubles({4, 3})});
  check_gradient(
      [](Output dy) {
        const auto at = [&](int32_t i) { return constant(dy.graph(), ints({i})); };
        return strided_slice_grad(at(5), at(0), at(4), at(2), dy);
      },
      {doubles({2})});
}

TEST_CASE("Gradients flow through what rearranges", "[rearranging][gradient]") {
  check_gradient([](Output x) { return transpose(x, {2, 0, 1}); }, {doubles({2, 3, 4})});
  check_gradient([](Output x) { return reverse(x, {1}); }, {doubles({2, 3})});
  check_gradient(
      [](Output x) {
        const Output flags = constant(x.graph(), Tensor::vector<bool>({true, false}));
        return add_node(*older(rearranging_ops(), "Reverse"), {x, flags});
      },
      {doubles({2, 3})});
  check_gradient([](Output x) { return tile(x, {2, 3}); }, {doubles({2, 3})});
  check_gradient([](Output x) { return pad(x, {{1, 0}, {2, 1}}); }, {doubles({2, 3})});
  check_gradient(
      [](Output x) {
        return pad(x, constant(x.graph(), Tensor::matrix<int32_t>({{1, 2}})), 4);
      },
      {doubles({3})});
}

TEST_CASE("Gradients flow through what is picked by index", "[gather][gradient]") {
  const Tensor at = Tensor::matrix<int32_t>({{1, 1}, {0, 2}});
  check_gradient([](Output x, Output i) { return gather(x, i); }, {doubles({3, 2}), at});
  check_gradient([](Output x, Output i) { return gather(x, i, {.axis = 1}); },
                 {doubles({2, 3, 2}), at});
  check_gradient([](Output x, Output i) { return gather(x, i, {.axis = -1}); },
                 {doubles({2, 3}), at});
  check_gradient(
      [](Output x, Output i) {
        return add_node(*older(gather_ops(), "Gather"), {x, i});
      },
      {doubles({3, 2}), at});
  check_gradient([](Output x, Output i) { return gather_nd(x, i); },
                 {doubles({2, 3}), Tensor::matrix<int32_t>({{1, 1}, {0, 2}, {1, 1}})});
  check_gradient([](Output x, Output i) { return gather_nd(x, i); },
                 {doubles({2, 3}), Tensor::matrix<int64_t>({{1}, {0}, {1}})});
  check_gradient(
      [](Output u, Output i) {
        return scatter_nd(i, u, {4, 2});
      },
      {doubles({2, 2}), Tensor::matrix<int32_t>({{3}, {3}})});
  check_gradient([](Output x, Output i) { return unsorted_segment_sum(x, i, 3); },
                 {doubles({4, 2}), ints({2, 0, -1, 2})});
  check_gradient([](Output x, Output i) { return dynamic_partition(x, i, 3)[2]; },
                 {doubles({4, 2}), ints({2, 0, 1, 2})});
  check_gradient(
      [](const std::vector<Output>& xs) {
        return dynamic_stitch({xs[2], xs[3]}, {xs[0], xs[1]});
      },
      {doubles({2, 2}), doubles({2}, -1, 1, 3), ints({0, 2}), Tensor(int32_t{1})});
}

TEST_CASE("Gradients of joins and slices have TensorFlow's nodes", "[array][gradient]") {
  Lab lab;
  const Output a = placeholder(lab.graph, DType::kFloat, {2, 3}, {.name = "a"});
  const Output b = placeholder(lab.graph, DType::kFloat, {-1, 3}, {.name = "b"});
  const Output joined = concat({a, b}, 0);
  const int first = lab.graph.num_nodes();
  gradients(joined, {a, b}, {.grad_ys = {joined}});
  const std::string scope = "gradients/concat_grad/";
  const std::vector<std::string> expected = {
      "Const " + scope + "Rank",    "FloorMod " + scope + "mod",
      "Const " + scope + "Shape",   "Shape " + scope + "Shape_1",
      "ShapeN " + scope + "ShapeN", "ConcatOffset " + scope + "ConcatOffset",
      "Slice " + scope + "Slice",   "Slice " + scope + "Slice_1"};
  auto made = names_from(lab.graph, first);
  made.erase(std::remove_if(made.begin(), made.end(),
                            [&](const std::string& n) { return n.find(scope) == n.npos; }),
             made.end());
  made.resize(std::min(made.size(), expected.size()));
  CHECK(made == expected);
}

TEST_CASE("Gradients of what is told places and extents as int64 agree with differences",
          "[array][gradient]") {
  const Tensor x = doubles({3, 2});
  const auto told = [](const Output& v, const std::vector<int64_t>& values) {
    return constant(v.graph(), Tensor::vector<int64_t>(values));
  };
  check_gradient([&](Output v) { return slice(v, told(v, {1, 0}), told(v, {2, 1})); }, {x});
  check_gradient(
      [&](Output v) {
        return strided_slice(v, told(v, {2, 0}), told(v, {0, 2}), told(v, {-1, 1}));
      },
      {x});
  check_gradient([&](Output v) { return tile(v, told(v, {2, 3})); }, {x});
  check_gradient([&](Output v) { return broadcast_to(v, told(v, {2, 3, 2})); }, {x});
  check_gradient(
      [&](Output v) {
        return pad(v, constant(v.graph(), Tensor::matrix<int64_t>({{1, 0}, {2, 1}})));
      },
      {x});
  check_gradient([&](Output v) { return reshape(v, told(v, {2, 3})); }, {x});
}
