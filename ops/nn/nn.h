// Layers' parts: biases, activations, top-k, dropout. Softmax and what is trained against it are in
// ops/nn/softmax.h, which this brings.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "ops/core/operand.h"
#include "ops/nn/softmax.h"

namespace CAIRN_API cairn {

struct BiasAddOptions {
  // Where the channels are: "NHWC", the last extent; "NCHW", the second.
  std::string data_format = "NHWC";
  std::string name = "";
};
// value [..., channels] + bias [channels] (TensorFlow's BiasAdd). Any numeric dtype. Throws
// InvalidArgument unless the bias is a vector with one element for each channel.
//   auto logits = bias_add(matmul(x, w), b);
Output bias_add(const Operand& value, const Operand& bias, const BiasAddOptions& options = {});

// Activations, element by element. NaN stays NaN.
Output relu(const Operand& x, const NameOptions& options = {});   // max(x, 0)
Output relu6(const Operand& x, const NameOptions& options = {});  // min(max(x, 0), 6)
Output elu(const Operand& x, const NameOptions& options = {});    // exp(x) - 1 below 0, x above
Output selu(const Operand& x,
            const NameOptions& options = {});  // elu, scaled to keep mean 0 and variance 1
Output softplus(const Operand& x, const NameOptions& options = {});  // log(exp(x) + 1)
Output softsign(const Operand& x, const NameOptions& options = {});  // x / (|x| + 1)

// Half the sum of the squares of all elements, a scalar (TensorFlow's L2Loss).
Output l2_loss(const Operand& t, const NameOptions& options = {});

// For each row of predictions [batch, classes], a float: is the class that targets [batch] (int32,
// int64) names among the k of highest value (TensorFlow's InTopKV2)? Ties count in the target's
// favour; a target that is no class, or a row with a value that is not finite, is false.
//   auto right = reduce_mean(cast(in_top_k(logits, labels, 1), DType::kFloat));
Output in_top_k(const Operand& predictions, const Operand& targets, const Operand& k,
                const NameOptions& options = {});

struct TopKOptions {
  bool sorted = true;  // carried; rows are sorted in any case
  std::string name = "";
};
// The k greatest values of each row (last extent), greatest first, and where in the row they stand,
// int32; of equal values the first comes first, and NaN comes before all numbers (TensorFlow's
// TopKV2). The gradient of the values goes to where they stood. Throws InvalidArgument when a row
// has fewer than k.
std::pair<Output, Output> top_k(const Operand& input, const Operand& k = 1,
                                const TopKOptions& options = {});

struct DropoutOptions {
  // Which elements share their fate, as a shape that broadcasts to x's; by default each has its
  // own.
  std::optional<IntList> noise_shape = {};
  std::optional<int64_t> seed = {};
  // An integer tensor [2]: what is dropped is a function of it alone (stateless_random_uniform), so
  // that with the global step inside it a restored program drops what an unbroken run would have
  // dropped. Without it, the sequence belongs to the session and begins anew after a restore.
  Output stateless_seed = {};
  std::string name = "";
};
// Keeps each element of x with probability keep_prob, divided by it, and makes the others 0.
// keep_prob is a scalar tensor or a number in (0, 1]; for the number 1 x itself is given back.
// Throws InvalidArgument for another number, or an x that is not floating.
//   auto hidden = dropout(relu(layer), 0.5, {.stateless_seed = stack({constant(graph, int64_t{7}), global_step})});
Output dropout(const Operand& x, const Operand& keep_prob, const DropoutOptions& options = {});

std::span<const OpDef* const> nn_ops();

}  // namespace cairn
