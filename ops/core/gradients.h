// Differentiation: gradients() adds nodes to the graph that compute derivatives of the nodes in it.
//
//   auto grads = gradients(loss, {w, b});
//   auto second = gradients(gradients(y, {x})[0], {x});
//
// A call that fails, with InvalidArgument; the graph is unchanged then:
//
//   gradients(loss, {x});    // gradients (a.cc:7): an op has no gradient:
//                            //   Opaque 'a' (a.cc:5), on the path ...
#pragma once

#include <string>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// The tensor or variable to differentiate with respect to. For a variable: all its reads.
class GradientTarget {
 public:
  GradientTarget(const Output& tensor) : output_(tensor) {}  // NOLINT: implicit on purpose
  // An empty variable gives an empty target, which gradients() refuses.
  GradientTarget(const Variable& variable)
      : output_(variable ? variable.ref() : Output()) {}  // NOLINT
  const Output& output() const { return output_; }

 private:
  Output output_;
};

struct GradientsOptions {
  // The gradient of each of `ys`, of its dtype and shape. An empty handle, and an empty list, mean
  // ones.
  std::vector<Output> grad_ys = {};
  // Treated as constants: no gradient flows through them.
  std::vector<Output> stop_gradients = {};
  // No gradient of an input of an op is available before the gradients of all its inputs are
  // computed, so that variables can be updated in place. Optimizers set it.
  bool gate_gradients = false;
  // Colocate the nodes of each gradient with the op that it differentiates.
  bool colocate_gradients_with_ops = false;
  std::string name = "gradients";
};

// The derivatives of the sum of all elements of `ys` with respect to each of `xs`: one output for
// each x, of its shape and dtype (TensorFlow's tf.gradients, node for node). An empty Output means
// that no y depends on that x by a path that carries gradients; integers, bool and strings carry
// none. An x that lies between another x and a y has its own gradient and does not stop that of the
// other.
//
// Works on imported graphs, too: gradients belong to op types. Throws InvalidArgument that names
// every op without a gradient on a path from xs to ys, and the path; also for a grad_y of another
// dtype or shape than its y, and for an empty list of ys. FailedPrecondition for an empty handle
// among ys or xs. If it throws, the graph is unchanged.
std::vector<Output> gradients(const std::vector<Output>& ys, const std::vector<GradientTarget>& xs,
                              const GradientsOptions& options = {},
                              SourceLocation at = SourceLocation::current());
inline std::vector<Output> gradients(const Output& y, const std::vector<GradientTarget>& xs,
                                     const GradientsOptions& options = {},
                                     SourceLocation at = SourceLocation::current()) {
  return gradients(std::vector<Output>{y}, xs, options, at);
}

}  // namespace cairn
