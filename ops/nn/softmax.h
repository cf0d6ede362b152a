// Softmax, and the losses of classifiers. `labels` and `logits` are passed by name, as TensorFlow
// requires: they are easily swapped.
//
//   auto each = softmax_cross_entropy_with_logits({.labels = y_true, .logits = logits});
//   auto loss = reduce_mean(each);                      // [batch,10] -> [batch] -> scalar
//
//   sparse_softmax_cross_entropy_with_logits({.labels = digits, .logits = logits});
//   // a run with a digit of 12 fails: label 12 at row 0 is outside the valid range [0, 10)
//
// Softmax is computed from differences to the greatest value of the row, so that no logit
// overflows. Floating dtypes.
#pragma once

#include <span>
#include <string>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// exp(x) / sum(exp(x)) of each row (last extent), and its logarithm (TensorFlow's Softmax and
// LogSoftmax), in the shape of logits. Throw InvalidArgument for a scalar.
Output softmax(const Operand& logits, const NameOptions& options = {});
Output log_softmax(const Operand& logits, const NameOptions& options = {});

struct CrossEntropyOptions {
  Operand labels = Output();
  Operand logits = Output();
  std::string name = "";
};

// The cross entropy [...] of each row of logits [..., classes] with a row of probabilities, labels
// of the same shape. No gradient flows into the labels. (TensorFlow's function of this name, since
// 1.5; its nodes are in a scope softmax_cross_entropy_with_logits_sg.) Throws InvalidArgument for
// scalars and for shapes that differ; a run does so for shapes that were not known before.
Output softmax_cross_entropy_with_logits(const CrossEntropyOptions& options);

// The same, with a gradient for the labels too (softmax_cross_entropy_with_logits_v2).
Output softmax_cross_entropy_with_logits_v2(const CrossEntropyOptions& options);

// The cross entropy [...] of each row of logits [..., classes] with the class in labels [...],
// int32 or int64 (SparseSoftmaxCrossEntropyWithLogits). Throws InvalidArgument for shapes that do
// not match; a run does so for a label outside [0, classes).
Output sparse_softmax_cross_entropy_with_logits(const CrossEntropyOptions& options);

// The cross entropy, element by element, of independent binary questions: logits x and labels z
// have one shape, labels are probabilities. max(x, 0) - x * z + log(1 + exp(-|x|)).
Output sigmoid_cross_entropy_with_logits(const CrossEntropyOptions& options);

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> softmax_ops();

}  // namespace cairn
