// Every node that a builder makes remembers the line of the program that called it, however many it
// makes.
#include <functional>
#include <string>
#include <vector>

#include "ops/array/array.h"
#include "ops/array/gather.h"
#include "ops/array/joining.h"
#include "ops/array/rearranging.h"
#include "ops/array/reshape.h"
#include "ops/array/slicing.h"
#include "ops/array/where.h"
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
#include "ops/state/state.h"
#include "persist/saver/save_restore_ops.h"
#include "persist/saver/saver.h"
#include "persist/summary/summary_ops.h"
#include "tests/support/catch.h"
#include "train/moving_averages.h"
#include "train/optimizers.h"

// A builder and its text.
#define BUILDER(...)                           \
  {                                            \
#__VA_ARGS__, [&] { (void)(__VA_ARGS__); } \
  }

namespace cairn {
namespace {

// Nodes that were not made at a line of this file.
std::vector<std::string> made_elsewhere(const Graph& graph) {
  std::vector<std::string> elsewhere;
  for (const Operation& op : graph.operations()) {
    const SourceLocation at = op.node().made_at;
    if (std::string_view(at.file) != __FILE__)
      elsewhere.push_back(op.name() + " (" + at.str() + ")");
  }
  return elsewhere;
}

}  // namespace

TEST_CASE("Nodes remember the line that called their builder", "[made_at]") {
  using Build = std::function<void()>;
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 4}),
               image = placeholder(graph, DType::kFloat, {-1, 8, 8, 2});
  const Output p = placeholder(graph, DType::kBool, {}),
               ids = placeholder(graph, DType::kInt32, {3});
  const Output any = placeholder(graph, DType::kFloat),
               text = placeholder(graph, DType::kString, {});
  const Variable w = variable(zeros(graph, {4, 4}), {.name = "w"});
  const Variable r = variable(graph, 1.0f, {.name = "r", .use_resource = true});
  const Variable step = variable(graph, int64_t{0}, {.name = "step", .trainable = false});
  const auto mse = [&] { return reduce_mean(square(matmul(x, w) - r)); };
  const Output loss = mse();
  const MinimizeOptions counted = {.global_step = step};
  ExponentialMovingAverage average(0.9, {.num_updates = step});
  const auto l2 = [](const Output& v) { return reduce_sum(square(v)) * 0.5f; };
  const std::vector<std::pair<const char*, Build>> builders = {
      BUILDER(placeholder_with_default(x, {-1, 4})),
      BUILDER(zeros(graph, {2}), ones(graph, {2}), zeros(shape(x)), ones(shape(x))),
      BUILDER(zeros_like(x), ones_like(any)),
      BUILDER(fill(graph, {3}, 1.0f), fill(shape(x), 2.0f)),
      BUILDER(one_hot(ids, 3, {.on_value = 2.0f})),
      BUILDER(range(0, size(any)), range(graph, 0, 3), linspace(0.0f, 1.0f, ids[0])),
      BUILDER(sparse_to_dense(ids, {5}, 1.0f)),
      BUILDER(cond(
          p, [&] { return x * 2.0f; }, [&] { return -x; })),
      BUILDER(cond(
          p, [&] { return GradientDescentOptimizer(0.1).minimize(mse()); },
          [&] { return no_op(graph); })),
      BUILDER(max_pool(conv2d(image, ones(graph, {3, 3, 2, 4})))),
      BUILDER(gradients({reduce_mean(avg_pool(relu(image)))}, {image})),
      BUILDER(no_op(graph), group({x.op(), any.op()}), tuple({x, any}),
              with_dependencies({any.op()}, w)),
      BUILDER(assert_op(p, {x}), print(x, {any}), check_numerics(x, "x")),
      BUILDER(switch_by(x, p), merge({x, any})),
      BUILDER(gather(w, {0, 1}), gather(r.read_value() + x, ids),
              gather_nd(x, expand_dims(ids, 1))),
      BUILDER(scatter_nd(expand_dims(ids, 1), ones(graph, {3}), {8})),
      BUILDER(unsorted_segment_sum(ones(graph, {3}), ids, 3),
              dynamic_stitch({ids}, {ones(graph, {3})})),
      BUILDER(dynamic_partition(ones(graph, {3}), ids, 2)),
      BUILDER(gradients({reduce_sum(gather(w, ids)), reduce_sum(tile(x, {1, 2})), reduce_max(x),
                         reduce_prod(x), loss},
                        {w, r, x})),
      BUILDER(concat({x, x}, 1), concat({x, 1.0f * x}, 0), stack({x, x}), unstack(x, {.axis = 1}),
              split(x, 2, {.axis = 1})),
      BUILDER(split(x, std::vector<int64_t>{1, 3}, {.axis = 1})),
      BUILDER(
          hash_table(graph, Tensor::vector<int64_t>({1, 2}), Tensor::vector<float>({3, 4}), 0.f)),
      BUILDER(tables_initializer(graph)),
      BUILDER(x + 1.0f, 1 - x, x * x, x / 2.0f, x % 2.0f, -x, scalar_mul(2, x), divide(step, 3),
              step / 2),
      BUILDER(add_n({x, x}), add_n({x}), clip_by_value(x, -1.0f, 1.0f), pow(x, 2.0f),
              squared_difference(x, r)),
      BUILDER(where(greater(x, 1.0f), x, -x), where_v2(p, x, 1.0f), where_indices(p),
              broadcast_to(x, {2, 2, 4})),
      BUILDER(cast(ids, DType::kFloat), approximate_equal(x, x), logical_or(p, logical_not(p))),
      BUILDER(matmul(x, w, {.transpose_b = true}), bias_add(x, zeros(graph, {4})), relu6(x),
              softplus(x), l2_loss(x)),
      BUILDER(top_k(x, 2), in_top_k(x, ids, 1), dropout(x, 0.5f), dropout(any, 0.5f)),
      BUILDER(random_uniform(graph, {2, 3}, {.minval = -1.0, .maxval = 1.0}),
              random_normal(graph, {2}, {.mean = 1, .stddev = 2})),
      BUILDER(truncated_normal(graph, {2}), random_shuffle(x),
              stateless_random_normal(graph, {2}, Tensor::vector<int64_t>({1, 2}))),
      BUILDER(random_uniform(graph, {2, 3}, {.minval = 0, .maxval = 9, .dtype = DType::kInt32})),
      BUILDER(transpose(x), transpose(any), transpose(x, {1, 0}), reverse(x, {0}),
              pad(x, {{0, 1}, {1, 0}})),
      BUILDER(reduce_sum(x), reduce_sum(any), reduce_mean(any, {0}), reduce_all(p), argmax(x, 1),
              cumsum(x, 1), list_diff(ids, ids)),
      BUILDER(shape(any), size(any), rank(any), reshape(x, {2, -1}), expand_dims(x, 0),
              squeeze(expand_dims(x, 0))),
      BUILDER(slice(x, {0, 0}, {1, 1}), strided_slice(x, {0}, {1}, {1}), x[0], x[-1], tail(x, 1)),
      BUILDER(softmax(image), log_softmax(image)),
      BUILDER(softmax_cross_entropy_with_logits({.labels = x, .logits = x})),
      BUILDER(softmax_cross_entropy_with_logits_v2({.labels = image, .logits = image})),
      BUILDER(sparse_softmax_cross_entropy_with_logits({.labels = ids, .logits = x})),
      BUILDER(sigmoid_cross_entropy_with_logits({.labels = any, .logits = x})),
      BUILDER(gradients({sigmoid_cross_entropy_with_logits({.labels = x, .logits = x}),
                         reduce_mean(softmax(image))},
                        {x, image})),
      BUILDER(assign(w, zeros(graph, {4, 4})), assign(r, 2.0f), w.assign(x), r.assign_add(1.0f),
              assign_add(step, 1)),
      BUILDER(assign_sub(w, ones(graph, {4, 4})), scatter_add(w, ids, x), scatter_update(w, ids, x),
              is_variable_initialized(r)),
      BUILDER(variable(graph, Tensor::vector<float>({1, 2})),
              variable(zeros(graph, {2000}) * 2.0f, {.use_resource = true})),
      BUILDER(get_variable(graph, "a/b", {3, 4},
                           {.initializer = glorot_uniform_initializer(), .regularizer = l2})),
      BUILDER(get_variable(graph, "a/c", {3},
                           {.initializer = truncated_normal_initializer(), .use_resource = true})),
      BUILDER(get_partitioned_variable(graph, "parts", {6, 2}, fixed_size_partitioner(3),
                                       {.regularizer = l2})
                  .as_tensor()),
      BUILDER(get_or_create_global_step(graph)),
      BUILDER(GradientDescentOptimizer(0.1).minimize(loss, counted)),
      BUILDER(MomentumOptimizer(0.1, 0.9).minimize(loss, counted)),
      BUILDER(AdagradOptimizer(0.1).minimize(loss, counted)),
      BUILDER(AdadeltaOptimizer(0.1).minimize(loss, counted)),
      BUILDER(AdamOptimizer(0.1).minimize(loss, counted)),
      BUILDER(RMSPropOptimizer(0.1, {.centered = true}).minimize(loss, counted)),
      BUILDER(FtrlOptimizer(0.1).minimize(loss, counted)),
      BUILDER(average.apply(graph)),
      BUILDER(global_variables_initializer(graph), local_variables_initializer(graph),
              variables_initializer(graph, {w, r})),
      BUILDER(scalar_summary("loss", loss), summary::scalar("mse", loss),
              summary::merge_all(graph)),
      BUILDER(save_v2(text, {"w"}, {""}, {w}), restore_v2(text, {"w"}, {""}, {DType::kFloat})),
      BUILDER(sharded_filename(text, 0, 2), sharded_filespec(text, 2),
              merge_v2_checkpoints(text, text), string_join({text, text})),
      BUILDER(save_v1(text, {"w"}, {""}, {w}), restore_v1(text, "w", "", DType::kFloat)),
      BUILDER(Saver(graph), Saver(graph, {.sharded = true}),
              Saver(graph, {.sharded = true, .write_version = CheckpointFormat::kV1})),
  };
  CHECK(made_elsewhere(graph) == std::vector<std::string>{});
  for (const auto& [text, build] : builders) {
    INFO(text);
    const size_t before = made_elsewhere(graph).size();
    build();
    const std::vector<std::string> elsewhere = made_elsewhere(graph);
    CHECK(std::vector<std::string>(elsewhere.begin() + static_cast<std::ptrdiff_t>(before),
                                   elsewhere.end()) == std::vector<std::string>{});
  }
}
}  // namespace cairn
