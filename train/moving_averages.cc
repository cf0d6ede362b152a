#include "train/moving_averages.h"

#include <set>

#include "ops/core/new_variable.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"

namespace cairn {
namespace {

std::pair<uint64_t, std::string> key_of(const Variable& variable) {
  return {variable.graph().epoch(), variable.name()};
}

void check_decay(const Hyperparameter& decay, const std::string& name, SourceLocation at) {
  decay.require(name + ": decay", at);
  const std::optional<double> number = decay.number();
  if (number && !(*number >= 0 && *number <= 1))
    fail(Code::kInvalidArgument, name, " (", at.str(), "): decay must be in [0, 1], is ", *number);
}

// The nodes that update one shadow, named as tf.assign_moving_average names them.
Operation move(const Variable& shadow, const Variable& variable, const Output& decay) {
  Graph& graph = variable.graph();
  const Scope scope = graph.name_scope("AssignMovingAvg");
  const Scope beside = graph.colocate_with(shadow.ref().op());
  const Output share = cast(subtract(1.0, decay, {.name = "sub"}), shadow.dtype());
  const Output gap = subtract(shadow, variable, {.name = "sub"});
  return assign_sub(shadow, multiply(gap, share, {.name = "mul"}), {.name = scope.name()}).op();
}

}  // namespace

Variable ExponentialMovingAverage::make_shadow(GraphAt graph, const Variable& variable) const {
  if (!is_floating(variable.dtype())) {
    fail(Code::kInvalidArgument, options_.name, " (", graph.at.str(), "): variable '",
         variable.name(), "' is of dtype ", variable.dtype(), ", expected a floating one");
  }
  const Scope beside = graph->colocate_with(variable.ref().op());
  const Scope root = graph->name_scope("");
  graph->add_to_collection(GraphKeys::kMovingAverageVariables, variable);
  // Initializers run in the order in which they were made, so the variable has its first value
  // before the shadow reads it.
  const std::string name = internal::slot_name(*graph.graph, variable, options_.name);
  return internal::make_variable(graph, {.name = name + "/",
                                         .tensor = variable.value(),
                                         .trainable = false,
                                         .use_resource = variable.is_resource(),
                                         .slice = internal::slot_slice(variable, name)});
}

Operation ExponentialMovingAverage::apply(GraphAt graph, std::vector<Variable> variables) {
  check_decay(decay_, options_.name, graph.at);
  const Graph::Transaction whole(*graph.graph, graph.at);
  if (variables.empty()) variables = graph->trainable_variables();
  if (variables.empty())
    fail(Code::kInvalidArgument, options_.name, " (", graph.at.str(),
         "): there are no variables to average");
  for (const Variable& variable : variables) {
    graph->check_owns(variable.ref(), options_.name);
    if (!shadow_of(variable)) shadows_[key_of(variable)] = make_shadow(graph, variable);
  }
  const Scope scope = graph->name_scope(options_.name);
  Output decay = decay_.in(graph, "decay");
  if (options_.num_updates) {
    // A copy: an operand is read once, and apply() may be called again.
    const Operand count = *options_.num_updates;
    const Output n =
        cast(count.in(graph, DType::kFloat, "num_updates"), DType::kFloat, {.name = "num_updates"});
    const Output grown = add(1.0, n, {.name = "add"}), more = add(10.0, n, {.name = "add"});
    decay = minimum(decay, divide(grown, more));
  }
  std::vector<Operation> moves;
  for (const Variable& variable : variables)
    moves.push_back(move(average(variable), variable, decay));
  return group(moves, {.name = scope.name()}, graph.at);
}

const Variable* ExponentialMovingAverage::shadow_of(const Variable& variable) const {
  const auto at = shadows_.find(key_of(variable));
  return at != shadows_.end() && variable.graph().owns(at->second.info().ref) ? &at->second
                                                                              : nullptr;
}

Variable ExponentialMovingAverage::average(const Variable& variable) const {
  if (const Variable* shadow = shadow_of(variable)) return *shadow;
  fail(Code::kNotFound, options_.name, ": there is no average of '", variable.name(),
       "'; see apply()");
}

std::string ExponentialMovingAverage::average_name(const Variable& variable) const {
  const Variable* shadow = shadow_of(variable);
  return shadow ? shadow->name() : variable.name() + "/" + options_.name;
}

std::map<std::string, Variable> ExponentialMovingAverage::variables_to_restore(
    const Graph& graph) const {
  std::map<std::string, Variable> by_name;
  std::set<std::string> averaged;
  for (const char* key : {GraphKeys::kTrainableVariables, GraphKeys::kMovingAverageVariables}) {
    for (const Variable& variable : graph.collection<Variable>(key)) {
      by_name.emplace(average_name(variable), variable);
      averaged.insert(variable.name());
    }
  }
  for (const Variable& variable : graph.variables()) {
    if (averaged.count(variable.name()) == 0) by_name.emplace(variable.name(), variable);
  }
  return by_name;
}

}  // namespace cairn
