// Differentiation: nodes that compute gradients, added to the graph behind the nodes they
// differentiate.
#pragma once

#include <string>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// What a gradient is taken with respect to: a tensor, or a variable (wherever it is read).
class GradientTarget {
 public:
  GradientTarget(const Output& tensor) : output_(tensor) {}  // NOLINT: implicit on purpose
  // Of an empty handle an empty one, which gradients() refuses.
  GradientTarget(const Variable& variable)
      : output_(variable ? variable.ref() : Output()) {}  // NOLINT
  const Output& output() const { return output_; }

 private:
  Output output_;
};

struct GradientsOptions {
  // What flows into each of `ys`, of its dtype and shape; empty handles, and all when there are
  // none, are ones.
  std::vector<Output> grad_ys = {};
  // Taken as constants: nothing flows through them.
  std::vector<Output> stop_gradients = {};
  // No gradient of an op's inputs is to be used before all of them are computed, so that variables
  // can be updated in place: optimizers ask for it.
  bool gate_gradients = false;
  // Each gradient stands beside the op it differentiates.
  bool colocate_gradients_with_ops = false;
  std::string name = "gradients";
};

// The derivatives of the sum of all elements of `ys` with respect to each of `xs`: as many outputs,
// each of its x's shape and dtype (TensorFlow's tf.gradients, node for node). An empty Output means
// that no y depends on that x by a path that carries gradients; integers carry none.
//
//   auto grads = gradients(loss, {w, b});
//   auto second = gradients(gradients(y, {x})[0], {x});
//
// Works on imported graphs: what counts is the op, not who made the node. Throws InvalidArgument
// naming every op on a path from xs to ys that has no gradient, with the path; then the graph is as
// before. Also for a grad_y of another dtype or shape than its y.
std::vector<Output> gradients(const std::vector<Output>& ys, const std::vector<GradientTarget>& xs,
                              const GradientsOptions& options = {},
                              SourceLocation at = SourceLocation::current());
inline std::vector<Output> gradients(const Output& y, const std::vector<GradientTarget>& xs,
                                     const GradientsOptions& options = {},
                                     SourceLocation at = SourceLocation::current()) {
  return gradients(std::vector<Output>{y}, xs, options, at);
}

}  // namespace cairn
