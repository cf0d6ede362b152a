// Exponential moving averages of variables, as a second set of variables beside the trained ones.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/optimizers.h"

namespace CAIRN_API cairn {

struct MovingAverageOptions {
  // With the number of steps taken, averages move faster at first: decay is at most (1 + n) / (10 +
  // n).
  std::optional<Operand> num_updates = {};
  std::string name = "ExponentialMovingAverage";
};

// shadow = decay * shadow + (1 - decay) * variable, at each step.
//
//   ExponentialMovingAverage average(0.99, {.num_updates = global_step});
//   Operation step = optimizer.minimize(loss, {.global_step = global_step});
//   auto scope = graph.control_dependencies({step});
//   Operation train = average.apply(graph);
//
// The shadow of W is the variable W/ExponentialMovingAverage. It begins with W's value, is saved,
// and is not trained.
class ExponentialMovingAverage {
 public:
  explicit ExponentialMovingAverage(const Hyperparameter& decay,
                                    const MovingAverageOptions& options = {})
      : decay_(decay), options_(options) {}

  // The operation that moves the averages of `variables`, by default all trainable ones, which
  // makes their shadows and puts the variables into the collection "moving_average_variables".
  // Throws InvalidArgument when there are none, one is not of a floating dtype, or the decay is
  // given as a number outside [0, 1]; then the graph is as before. Shadows stand outside of
  // conditions, as slots do.
  Operation apply(GraphAt graph, std::vector<Variable> variables = {});
  // The shadow. Throws NotFound unless apply() was called for the variable.
  Variable average(const Variable& variable) const;
  // Its name, also before apply() is called.
  std::string average_name(const Variable& variable) const;
  // What to restore to evaluate with averages instead of values: the name to look for in a
  // checkpoint for each variable of the graph.
  std::map<std::string, Variable> variables_to_restore(const Graph& graph) const;

 private:
  // Null: none is in the graph.
  const Variable* shadow_of(const Variable& variable) const;
  Variable make_shadow(GraphAt graph, const Variable& variable) const;

  Hyperparameter decay_;
  MovingAverageOptions options_;
  std::map<std::pair<uint64_t, std::string>, Variable> shadows_;
};

}  // namespace cairn
