// Runs nodes of a builder on fed tensors, so that shapes are known only when kernels run.
#pragma once

#include <vector>

#include "ops/array/array.h"
#include "runtime/exec/session.h"

namespace cairn {

// evaluate([](auto x) { return x[0] + x[1]; }, {a, b}): calls `build` with one placeholder of
// unknown shape per tensor.
template <class Build>
Tensor evaluate(const Build& build, const std::vector<Tensor>& inputs, int threads = 1) {
  Graph graph;
  std::vector<Output> xs;
  Feeds feeds;
  for (const Tensor& input : inputs) {
    xs.push_back(placeholder(graph, input.dtype()));
    feeds.push_back({xs.back(), input});
  }
  const Output y = build(xs);
  Session session(graph, {.threads = threads});
  return session.run(y, feeds);
}

}  // namespace cairn
