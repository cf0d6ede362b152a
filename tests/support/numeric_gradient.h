// The oracle for gradients: compares gradients() with central differences, in double.
//
//   TEST_CASE("The gradient of a matrix product agrees with differences", "[gradient]") {
//     check_gradient([](Output a, Output b) { return matmul(a, b); },
//                    {doubles({2, 3}), doubles({3, 4})});
//   }
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "ops/array/array.h"
#include "ops/core/gradients.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"

namespace cairn {

// Different doubles in [low, high], the same in each call: neither sorted nor on a grid. Another
// `salt` gives other numbers.
inline Tensor doubles(const Shape& shape, double low = -1, double high = 1, int salt = 0) {
  Tensor tensor = Tensor::uninitialized(DType::kDouble, shape);
  for (int64_t i = 0; i < tensor.num_elements(); ++i) {
    const double turn = 0.6180339887498949 * static_cast<double>(i + 1 + 37 * salt) + 0.1234;
    tensor.data<double>()[i] = low + (high - low) * (turn - std::floor(turn));
  }
  return tensor;
}

struct GradientCheck {
  double delta = 1e-5;      // inputs must be further than this from points without a derivative
  double tolerance = 1e-6;  // of |analytic - numeric| / (1 + |numeric|)
  // Check once with known shapes of the inputs, and once with known ranks only.
  bool unknown_shapes = true;
};

namespace internal {

// The gradient of sum(weights * y) at `inputs`, where weights differ from element to element.
struct GradientProbe {
  Graph graph;
  std::vector<Output> xs, grads;
  Output y, dy;
  std::vector<Tensor> values;

  template <class Build>
  GradientProbe(const Build& build, const std::vector<Tensor>& inputs, bool shapes_known)
      : values(inputs) {
    std::vector<GradientTarget> targets;
    for (const Tensor& input : inputs) {
      const Shape shape = shapes_known ? input.shape() : Shape::unknown(input.rank());
      xs.push_back(placeholder(graph, input.dtype(), shape));
      if (input.dtype() == DType::kDouble) targets.push_back(xs.back());
    }
    if constexpr (std::is_invocable_v<Build, Output>) {
      y = build(xs.at(0));
    } else if constexpr (std::is_invocable_v<Build, Output, Output>) {
      y = build(xs.at(0), xs.at(1));
    } else if constexpr (std::is_invocable_v<Build, Output, Output, Output>) {
      y = build(xs.at(0), xs.at(1), xs.at(2));
    } else {
      y = build(xs);
    }
    dy = placeholder(graph, y.dtype(), y.shape());
    const std::vector<Output> found = gradients(y, targets, {.grad_ys = {dy}});
    size_t next = 0;
    for (const Tensor& input : inputs)
      grads.push_back(input.dtype() == DType::kDouble ? found[next++] : Output());
  }

  Feeds feeds() const {
    Feeds feeds;
    for (size_t i = 0; i < xs.size(); ++i) feeds.push_back({xs[i], values[i]});
    return feeds;
  }
};

}  // namespace internal

// Checks d(build(inputs))/d(inputs) for all elements of the double inputs; inputs of other dtypes
// are fed unchanged. `build` returns a double tensor and takes one to three Outputs, or a vector of
// them.
template <class Build>
void check_gradient(const Build& build, const std::vector<Tensor>& inputs,
                    const GradientCheck& check = {}) {
  for (const bool shapes_known : {true, false}) {
    if (!shapes_known && !check.unknown_shapes) break;
    INFO((shapes_known ? "shapes known" : "only ranks known"));
    internal::GradientProbe probe(build, inputs, shapes_known);
    Session session(probe.graph);
    const Tensor weights = doubles(session.run(probe.y, probe.feeds()).shape(), 0.5, 1.5, 5);
    const auto weighted = [&] {
      const Tensor y = session.run(probe.y, probe.feeds());
      double sum = 0;
      for (int64_t k = 0; k < y.num_elements(); ++k)
        sum += weights.data<double>()[k] * y.data<double>()[k];
      return sum;
    };
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].dtype() != DType::kDouble) continue;
      INFO("input " << i << " of shape " << inputs[i].shape());
      Tensor analytic = Tensor::zeros(DType::kDouble, inputs[i].shape());
      if (probe.grads[i]) {
        Feeds feeds = probe.feeds();
        feeds.push_back({probe.dy, weights});
        analytic = session.run(probe.grads[i], feeds);
      }
      REQUIRE(analytic.shape() == inputs[i].shape());
      for (int64_t k = 0; k < inputs[i].num_elements(); ++k) {
        const double at = inputs[i].data<double>()[k];
        const auto with = [&](double x) {
          probe.values[i] = inputs[i].clone();
          probe.values[i].data<double>()[k] = x;
          return weighted();
        };
        const double numeric =
            (with(at + check.delta) - with(at - check.delta)) / (2 * check.delta);
        const double found = analytic.data<double>()[k];
        probe.values[i] = inputs[i];
        INFO("element " << k << ": gradients() says " << found << ", differences say " << numeric);
        REQUIRE(std::abs(found - numeric) <= check.tolerance * (1 + std::abs(numeric)));
      }
    }
  }
}

}  // namespace cairn
