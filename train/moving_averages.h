// Exponential moving averages of variables: a second set of variables, the shadows, beside the
// trained ones.
//
//   ExponentialMovingAverage average(0.99, {.num_updates = global_step});
//   Operation step = optimizer.minimize(loss, {.global_step = global_step});
//   auto scope = graph.control_dependencies({step});
//   Operation train = average.apply(graph);
//   ...
//   Saver saver(graph, {.var_list = average.variables_to_restore(graph)});
//
// Calls that fail:
//
//   ExponentialMovingAverage(1.5).apply(graph);    // InvalidArgument: ExponentialMovingAverage
//                                                  // (a.cc:7): decay must be in [0, 1], is 1.5
//   average.average(other);                        // NotFound: there is no average of 'other'; see
//                                                  // apply()
#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/optimizers.h"

namespace CAIRN_API cairn {

struct MovingAverageOptions {
  // The number of steps taken. With it, averages follow faster at first: decay is at most (1 + n) /
  // (10 + n).
  std::optional<Operand> num_updates = {};
  std::string name = "ExponentialMovingAverage";
};

// shadow = decay * shadow + (1 - decay) * variable, at each step.
//
// The shadow of W is the variable W/ExponentialMovingAverage. Its initial value is the value of W
// at that time; it is saved, and is not trained. One object works on any number of graphs.
class ExponentialMovingAverage {
 public:
  explicit ExponentialMovingAverage(const Hyperparameter& decay,
                                    const MovingAverageOptions& options = {})
      : decay_(decay), options_(options) {}

  // The operation that updates the averages of `variables`, by default of all trainable ones. The
  // first call makes their shadows and puts the variables into the collection
  // "moving_average_variables". Throws InvalidArgument if there are no variables, one is not of a
  // floating dtype, or the decay is a number outside [0, 1]; the graph is then unchanged. Inside a
  // condition the shadows are made outside of it, as slots are.
  Operation apply(GraphAt graph, std::vector<Variable> variables = {});
  // The shadow of a variable. Throws NotFound unless apply() was called for it.
  Variable average(const Variable& variable) const;
  // The name of its shadow, also before apply().
  std::string average_name(const Variable& variable) const;
  // For a Saver that restores averages into the variables: each variable of the graph under the
  // name to look for in a checkpoint: that of its shadow if it is trainable or averaged, else its
  // own.
  std::map<std::string, Variable> variables_to_restore(const Graph& graph) const;

 private:
  // Null if there is none in the graph.
  const Variable* shadow_of(const Variable& variable) const;
  Variable make_shadow(GraphAt graph, const Variable& variable) const;

  Hyperparameter decay_;
  MovingAverageOptions options_;
  std::map<std::pair<uint64_t, std::string>, Variable> shadows_;
};

}  // namespace cairn
