// Softmax, and the losses of classifiers. `labels` and `logits` are told by name, as in TensorFlow,
// where it is mandatory: they are easily mixed up.
//
//   auto loss = reduce_mean(softmax_cross_entropy_with_logits({.labels = y_true, .logits = logits}));
//
// Softmax is computed from differences to the row's greatest value, so that no logit is too big.
#pragma once

#include <span>
#include <string>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// Each row (last extent) made positive with sum 1: exp(x) / sum(exp(x)), and its logarithm
// (TensorFlow's Softmax and LogSoftmax). Throw InvalidArgument for a scalar.
Output softmax(const Operand& logits, const NameOptions& options = {});
Output log_softmax(const Operand& logits, const NameOptions& options = {});

struct CrossEntropyOptions {
  Operand labels = Output();
  Operand logits = Output();
  std::string name = "";
};

// The cross entropy of each row of logits [..., classes] with a row of probabilities, labels of the
// same shape: [...]. Nothing flows back into the labels. (TensorFlow's function of this name,
// since 1.5; its nodes stand in a scope softmax_cross_entropy_with_logits_sg.) Throws
// InvalidArgument where shapes differ, also, when it is run, where they were not known before, and
// for scalars.
Output softmax_cross_entropy_with_logits(const CrossEntropyOptions& options);

// The same where gradients flow into the labels too (softmax_cross_entropy_with_logits_v2).
Output softmax_cross_entropy_with_logits_v2(const CrossEntropyOptions& options);

// The cross entropy of each row of logits [..., classes] with the one class that labels [...],
// int32 or int64, name. Shapes that do not fit each other are refused as above. A label outside [0,
// classes) fails when it is run. (SparseSoftmaxCrossEntropyWithLogits.)
Output sparse_softmax_cross_entropy_with_logits(const CrossEntropyOptions& options);

// The cross entropy, element by element, of independent yes-or-no questions: logits and labels of
// one shape, labels being probabilities. max(x, 0) - x * z + log(1 + exp(-|x|)).
Output sigmoid_cross_entropy_with_logits(const CrossEntropyOptions& options);

std::span<const OpDef* const> softmax_ops();

}  // namespace cairn
