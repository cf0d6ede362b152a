// Parts of layers: biases, activations, top-k, dropout. Softmax and the losses of classifiers are
// in ops/nn/softmax.h, which this header includes.
//
//   auto hidden = relu(bias_add(matmul(x, w), b));
//   auto logits = matmul(dropout(hidden, 0.5), v);
//   auto right = reduce_mean(cast(in_top_k(logits, labels, 1), DType::kFloat));
//
// Calls that fail, with InvalidArgument:
//
//   dropout(hidden, 0.0);                // keep_prob must be in (0, 1], is 0
//   top_k(logits, 11);                   // k is 11, but a row has 10 values
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "ops/core/operand.h"
#include "ops/nn/softmax.h"

namespace CAIRN_API cairn {

struct BiasAddOptions {
  // The extent of the channels: the last for "NHWC", the second for "NCHW".
  std::string data_format = "NHWC";
  std::string name = "";
};
// value [..., channels] + bias [channels], with data_format "NCHW" value [batch, channels, ...]
// (TensorFlow's BiasAdd). Any numeric dtype. Throws InvalidArgument unless the bias is a vector
// with one element for each channel.
//
//   auto logits = bias_add(matmul(x, w), b);
Output bias_add(const Operand& value, const Operand& bias, const BiasAddOptions& options = {});

// Activations, element by element, of floating dtypes; relu and relu6 also of integers. NaN gives
// NaN.
Output relu(const Operand& x, const NameOptions& options = {});   // max(x, 0)
Output relu6(const Operand& x, const NameOptions& options = {});  // min(max(x, 0), 6)
Output elu(const Operand& x, const NameOptions& options = {});    // exp(x) - 1 below 0, x above
// elu, scaled to keep mean 0 and variance 1
Output selu(const Operand& x, const NameOptions& options = {});
Output softplus(const Operand& x, const NameOptions& options = {});  // log(exp(x) + 1)
Output softsign(const Operand& x, const NameOptions& options = {});  // x / (|x| + 1)

// Half the sum of the squares of all elements: a scalar (TensorFlow's L2Loss).
Output l2_loss(const Operand& t, const NameOptions& options = {});

// For each row of predictions [batch, classes], a float: true if the class targets[i] (targets
// [batch]: int32, int64) is among the k of highest value (TensorFlow's InTopKV2). Ties count in
// favour of the target. False for a target that is no class, and for a row with a value that is not
// finite. Throws InvalidArgument for other shapes.
Output in_top_k(const Operand& predictions, const Operand& targets, const Operand& k,
                const NameOptions& options = {});

struct TopKOptions {
  bool sorted = true;  // kept for the file; results are always sorted
  std::string name = "";
};
// The k greatest values of each row (last extent), in descending order, and their indices in the
// row, int32 (TensorFlow's TopKV2): both of the shape of input with k as the last extent. Of equal
// values the first comes first, and NaN comes before all numbers. The gradient of a value goes to
// its place in the row. Throws InvalidArgument if k is negative or greater than a row.
std::pair<Output, Output> top_k(const Operand& input, const Operand& k = 1,
                                const TopKOptions& options = {});

struct DropoutOptions {
  // Elements that are kept or dropped together: a shape that broadcasts to that of x. By default
  // each element is drawn by itself.
  std::optional<IntList> noise_shape = {};
  std::optional<int64_t> seed = {};
  // An integer tensor [2]: the dropped elements are a function of it alone
  // (stateless_random_uniform). With the global step inside it, a restored program drops the same
  // elements as an uninterrupted run. Without it, the random sequence belongs to the session and
  // restarts after a restore.
  Output stateless_seed = {};
  std::string name = "";
};
// Keeps each element of x with probability keep_prob, divided by keep_prob, and sets the others to
// 0. keep_prob is a scalar tensor or a number in (0, 1]; for the number 1 it returns x itself.
// Throws InvalidArgument for another number, and for an x that is not floating.
//
//   auto seed = stack({constant(graph, int64_t{7}), global_step});
//   auto hidden = dropout(relu(layer), 0.5, {.stateless_seed = seed});
Output dropout(const Operand& x, const Operand& keep_prob, const DropoutOptions& options = {});

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> nn_ops();
std::span<const OpDef* const> top_k_ops();

}  // namespace cairn
