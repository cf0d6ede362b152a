#include "train/optimizers.h"

#include <algorithm>
#include <cmath>

#include "ops/array/array.h"
#include "ops/core/new_variable.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"

namespace cairn {

// ---- settings -----------------------------------------------------------------------------------

Output Hyperparameter::in(GraphAt graph, std::string_view name) const {
  if (const Output* output = std::get_if<Output>(&value_)) return *output;
  if (const Variable* variable = std::get_if<Variable>(&value_)) return *variable;
  return constant(graph, static_cast<float>(std::get<double>(value_)), {.name = std::string(name)});
}

void Hyperparameter::require(std::string_view what, SourceLocation at) const {
  if (const Output* output = std::get_if<Output>(&value_)) Operand(*output, at).require(what);
  if (const Variable* variable = std::get_if<Variable>(&value_))
    Operand(*variable, at).require(what);
}

std::optional<double> Hyperparameter::number() const {
  const double* number = std::get_if<double>(&value_);
  return number ? std::optional<double>(*number) : std::nullopt;
}

// An initial value must not depend on the current scopes (control dependencies, conditions).
// value() can be read by any initializer; a node that reads the variable now might not run.
Variable Hyperparameter::variable_from(GraphAt graph, const VariableOptions& options) const {
  if (const Output* output = std::get_if<Output>(&value_))
    return variable({*output, graph.at}, options);
  if (const Variable* other = std::get_if<Variable>(&value_))
    return variable({other->value(), graph.at}, options);
  return variable(graph, static_cast<float>(std::get<double>(value_)), options);
}

// ---- Optimizer ----------------------------------------------------------------------------------

void Optimizer::check_settings(SourceLocation at) const {
  if (!rule_.refusal.empty()) {
    fail(Code::kInvalidArgument, rule_.name, " (", at.str(), "): ", rule_.refusal);
  }
  for (const auto& setting : rule_.settings)
    setting.value.require(str_cat(rule_.name, ": ", setting.name), at);
}

Optimizer::SlotKey Optimizer::key_of(const Graph& graph, const std::string& name) const {
  return {graph.epoch(), name};
}

std::vector<std::string> Optimizer::slot_names() const {
  std::vector<std::string> names;
  for (const auto& slot : rule_.slots) names.push_back(slot.key);
  return names;
}

const Variable* Optimizer::made(const Graph& graph, const std::string& name) const {
  const auto at = made_.find(key_of(graph, name));
  return at != made_.end() && graph.owns(at->second.info().ref) ? &at->second : nullptr;
}

Variable Optimizer::slot(const Variable& variable, std::string_view key) const {
  if (const Variable* slot = made(variable.graph(), str_cat(variable.name(), "/", key)))
    return *slot;
  fail(Code::kNotFound, rule_.name, ": variable '", variable.name(), "' has no slot '", key,
       "' here; slots: ", rule_.slots.empty() ? "none" : join_for_people(slot_names()));
}

Operation Optimizer::minimize(const Output& loss, const MinimizeOptions& options,
                              SourceLocation at) {
  if (!loss)
    fail(Code::kFailedPrecondition, rule_.name, " (", at.str(),
         "): an empty Output handle as the loss");
  const Graph::Transaction whole(loss.graph(), at);
  const auto gradients =
      compute_gradients(loss,
                        {.var_list = options.var_list,
                         .gate_gradients = options.gate_gradients,
                         .colocate_gradients_with_ops = options.colocate_gradients_with_ops,
                         .grad_loss = options.grad_loss},
                        at);
  if (std::none_of(gradients.begin(), gradients.end(),
                   [](const auto& pair) { return bool(pair.gradient); })) {
    std::vector<std::string> names;
    for (const auto& [gradient, variable] : gradients) names.push_back("'" + variable.name() + "'");
    fail(Code::kInvalidArgument, rule_.name, " (", at.str(), "): the loss '", loss.name(),
         "' depends on none of the variables ", join_for_people(names),
         " by a path that carries gradients");
  }
  return apply_gradients(gradients, {.global_step = options.global_step, .name = options.name}, at);
}

GradientsAndVariables Optimizer::compute_gradients(const Output& loss,
                                                   const ComputeGradientsOptions& options,
                                                   SourceLocation at) {
  check_settings(at);
  if (!loss)
    fail(Code::kFailedPrecondition, rule_.name, " (", at.str(),
         "): an empty Output handle as the loss");
  if (!is_floating(base_dtype(loss.dtype()))) {
    fail(Code::kInvalidArgument, rule_.name, " (", at.str(), "): the loss '", loss.name(),
         "' is of dtype ", base_dtype(loss.dtype()), ", expected a floating one");
  }
  const auto variables =
      options.var_list.empty() ? loss.graph().trainable_variables() : options.var_list;
  if (variables.empty()) {
    fail(Code::kInvalidArgument, rule_.name, " (", at.str(),
         "): there are no variables to optimize: the collection '", GraphKeys::kTrainableVariables,
         "' is empty");
  }
  const Graph::Transaction whole(loss.graph(), at);
  auto found = gradients(
      {loss}, {variables.begin(), variables.end()},
      {.grad_ys = options.grad_loss ? std::vector{options.grad_loss} : std::vector<Output>(),
       .gate_gradients = options.gate_gradients == Gate::kOp,
       .colocate_gradients_with_ops = options.colocate_gradients_with_ops},
      at);
  const bool any = std::any_of(found.begin(), found.end(),
                               [](const Output& gradient) { return bool(gradient); });
  if (options.gate_gradients == Gate::kGraph && any) found = tuple(found, {}, at);
  GradientsAndVariables pairs;
  for (size_t i = 0; i < variables.size(); ++i) pairs.push_back({found[i], variables[i]});
  return pairs;
}

void Optimizer::make_powers(GraphAt graph, const std::vector<Variable>& variables) {
  const Variable& first = *std::min_element(
      variables.begin(), variables.end(),
      [](const auto& a, const auto& b) { return a.ref().name() < b.ref().name(); });
  for (const auto& power : rule_.powers) {
    if (made(*graph.graph, power.name)) continue;
    const auto setting =
        std::find_if(rule_.settings.begin(), rule_.settings.end(),
                     [&](const auto& setting) { return setting.name == power.setting; });
    if (setting == rule_.settings.end())
      fail(Code::kInternal, rule_.name, ": there is no setting ", power.setting);
    const Scope beside = graph->colocate_with(first.ref().op());
    made_[key_of(*graph.graph, power.name)] = setting->value.variable_from(
        graph, {.name = power.name, .trainable = false, .use_resource = first.is_resource()});
  }
}

namespace {

double as_held_in(DType dtype, double value) {
  double held = value;
  for_dtype<float, Half, BFloat16>(dtype, [&]<class T> {
    held = static_cast<double>(static_cast<float>(T(static_cast<float>(value))));
  });
  return held;
}

// A number that is fine in double may be 0 or infinite in the dtype of the variable.
void check_slot(const std::string& optimizer, const UpdateRule::Slot& slot,
                const Variable& variable, SourceLocation at) {
  const double held = as_held_in(variable.dtype(), slot.initial_value);
  if (std::isfinite(held) && (held > 0 || !slot.divides)) return;
  fail(Code::kInvalidArgument, optimizer, " (", at.str(), "): what the slot '", slot.key,
       "' of variable '", variable.name(), "' begins with must be ",
       slot.divides && held <= 0 ? "above 0" : "finite", ", is ", slot.initial_value, ", which as ",
       variable.dtype(), " is ", held);
}

Initializer slot_initializer(double value) {
  return value == 0   ? zeros_initializer()
         : value == 1 ? ones_initializer()
                      : constant_initializer(value);
}

}  // namespace

void Optimizer::make_slots(GraphAt graph, const Variable& variable) {
  for (const auto& slot : rule_.slots) {
    const std::string known_as = variable.name() + "/" + slot.key;
    if (made(*graph.graph, known_as)) continue;
    check_slot(rule_.name, slot, variable, graph.at);
    if (!variable.shape().is_fully_defined()) {
      fail(Code::kInvalidArgument, rule_.name, " (", graph.at.str(), "): variable '",
           variable.name(), "' is of shape ", variable.shape(),
           "; its slots need a fully known one");
    }
    const Scope beside = graph->colocate_with(variable.ref().op());
    const Scope root = graph->name_scope("");
    const std::string name = internal::slot_name(*graph.graph, variable, rule_.name);
    made_[key_of(*graph.graph, known_as)] =
        internal::make_variable(graph, {.name = name + "/",
                                        .initializer = slot_initializer(slot.initial_value),
                                        .shape = variable.shape(),
                                        .dtype = variable.dtype(),
                                        .trainable = false,
                                        .use_resource = variable.is_resource(),
                                        .slice = internal::slot_slice(variable, name)});
  }
}

Operation Optimizer::update(const GradientAndVariable& pair,
                            const std::map<std::string, Output>& settings, SourceLocation at) {
  const auto& [gradient, variable] = pair;
  Graph& graph = variable.graph();
  const Scope scope = graph.name_scope("update_" + variable.name());
  const Scope beside = graph.colocate_with(variable.ref().op());
  std::vector<Output> inputs = {variable.ref()};
  for (const std::string& name : rule_.inputs) {
    const bool is_slot = inputs.size() <= rule_.slots.size();
    inputs.push_back(is_slot          ? slot(variable, name).ref()
                     : name == "grad" ? gradient
                                      : cast({settings.at(name), at}, variable.dtype()));
  }
  Attrs attrs = rule_.attrs;
  attrs.set("use_locking", rule_.use_locking);
  const OpDef* op = variable.is_resource() ? rule_.op.resource : rule_.op.ref;
  return add_operation({graph, at}, *op, inputs, attrs);
}

std::vector<Operation> Optimizer::update_powers(GraphAt graph,
                                                const std::vector<Operation>& updates,
                                                const std::map<std::string, Output>& settings) {
  std::vector<Operation> made;
  if (rule_.powers.empty()) return made;
  const Scope after = graph->control_dependencies(updates);
  const Scope beside =
      graph->colocate_with(made_.at(key_of(*graph.graph, rule_.powers[0].name)).ref().op());
  for (const auto& power : rule_.powers) {
    const Variable& variable = made_.at(key_of(*graph.graph, power.name));
    const Output next = multiply(variable, settings.at(power.setting), {.name = "mul"});
    made.push_back(assign(variable, next, {.use_locking = rule_.use_locking}).op());
  }
  return made;
}

Operation Optimizer::apply_gradients(const GradientsAndVariables& gradients,
                                     const ApplyGradientsOptions& options, SourceLocation at) {
  check_settings(at);
  GradientsAndVariables pairs;
  std::vector<Variable> variables;
  for (const auto& pair : gradients) {
    if (!pair.gradient) continue;
    pairs.push_back(pair);
    variables.push_back(pair.variable);
  }
  if (pairs.empty())
    fail(Code::kInvalidArgument, rule_.name, " (", at.str(), "): there is no gradient to apply");
  Graph& owner = pairs[0].gradient.graph();
  for (const auto& [gradient, variable] : pairs) {
    owner.check_owns(gradient, "apply_gradients");
    owner.check_owns(variable.ref(), "apply_gradients");
  }
  if (options.global_step) owner.check_owns(options.global_step.ref(), "apply_gradients");
  const GraphAt graph(owner, at);
  const Graph::Transaction whole(owner, at);
  make_powers(graph, variables);
  for (const Variable& variable : variables) make_slots(graph, variable);

  const Scope scope = owner.name_scope(options.name.empty() ? rule_.name : options.name);
  std::map<std::string, Output> settings;
  for (const auto& setting : rule_.settings)
    settings[setting.name] = setting.value.in(graph, setting.name);
  for (const auto& power : rule_.powers)
    settings[power.name] = made_.at(key_of(owner, power.name)).as_tensor();
  std::vector<Operation> updates;
  for (const auto& pair : pairs) updates.push_back(update(pair, settings, at));
  const auto powers = update_powers(graph, updates, settings);
  updates.insert(updates.end(), powers.begin(), powers.end());

  Operation step;
  if (options.global_step) {
    const Scope after = owner.control_dependencies({group(updates, {.name = "update"}, at)});
    const Scope beside = owner.colocate_with(options.global_step.ref().op());
    step = assign_add_op(options.global_step, {1, at}, {.name = scope.name()});
  } else {
    step = group(updates, {.name = scope.name()}, at);
  }
  owner.add_to_collection(GraphKeys::kTrainOp, step);
  return step;
}

// ---- the optimizers -----------------------------------------------------------------------------

namespace {

// A setting and its range. Tensors that the graph computes are not checked.
struct Bound {
  enum Range { kFinite, kPositive, kNotNegative, kNotPositive, kUpToOne, kBelowOne };
  const char* name;
  Hyperparameter value;
  Range range = kFinite;
  // False for initial values of slots, which have the dtype of the variable: see check_slot().
  bool as_float = true;

  double held(double x) const { return as_float ? double{static_cast<float>(x)} : x; }
  bool holds(double given) const {
    const double x = held(given);
    switch (range) {
      case kPositive:
        return x > 0;
      case kNotNegative:
        return x >= 0;
      case kNotPositive:
        return x <= 0;
      case kUpToOne:
        return x >= 0 && x <= 1;
      case kBelowOne:
        return x >= 0 && x < 1;
      case kFinite:
        break;
    }
    return true;
  }
};

// "1e-60, which as float is 0".
std::string told(double given, double held) {
  return given == held || std::isnan(given) ? str_cat(given)
                                            : str_cat(given, ", which as float is ", held);
}

// The first fault, or "".
std::string refusal_of(std::initializer_list<Bound> bounds) {
  static constexpr const char* kWanted[] = {"finite",     "above 0",   "0 or above",
                                            "0 or below", "in [0, 1]", "in [0, 1)"};
  for (const Bound& bound : bounds) {
    const std::optional<double> number = bound.value.number();
    if (!number) continue;
    const double held = bound.held(*number);
    const bool in_range = bound.holds(*number);
    if (in_range && std::isfinite(held)) continue;
    return str_cat(bound.name, " must be ", kWanted[in_range ? Bound::kFinite : bound.range],
                   ", is ", told(*number, held));
  }
  return "";
}

}  // namespace

GradientDescentOptimizer::GradientDescentOptimizer(const Hyperparameter& learning_rate,
                                                   const GradientDescentOptions& o)
    : Optimizer({.name = o.name,
                 .op = apply_gradient_descent(),
                 .settings = {{"learning_rate", learning_rate}},
                 .inputs = {"learning_rate", "grad"},
                 .use_locking = o.use_locking,
                 .refusal = refusal_of({{"learning_rate", learning_rate}})}) {}

MomentumOptimizer::MomentumOptimizer(const Hyperparameter& learning_rate,
                                     const Hyperparameter& momentum, const MomentumOptions& o)
    : Optimizer({.name = o.name,
                 .op = apply_momentum(),
                 .settings = {{"learning_rate", learning_rate}, {"momentum", momentum}},
                 .slots = {{"momentum"}},
                 .inputs = {"momentum", "learning_rate", "grad", "momentum"},
                 .attrs = {{"use_nesterov", o.use_nesterov}},
                 .use_locking = o.use_locking,
                 .refusal = refusal_of({{"learning_rate", learning_rate},
                                        {"momentum", momentum, Bound::kNotNegative}})}) {}

AdagradOptimizer::AdagradOptimizer(const Hyperparameter& learning_rate, const AdagradOptions& o)
    : Optimizer({.name = o.name,
                 .op = apply_adagrad(),
                 .settings = {{"learning_rate", learning_rate}},
                 .slots = {{"accumulator", o.initial_accumulator_value, /*divides=*/true}},
                 .inputs = {"accumulator", "learning_rate", "grad"},
                 .use_locking = o.use_locking,
                 .refusal = refusal_of({{"learning_rate", learning_rate},
                                        {"initial_accumulator_value", o.initial_accumulator_value,
                                         Bound::kPositive, false}})}) {}

AdadeltaOptimizer::AdadeltaOptimizer(const Hyperparameter& learning_rate, const AdadeltaOptions& o)
    : Optimizer({.name = o.name,
                 .op = apply_adadelta(),
                 .settings = {{"lr", learning_rate}, {"rho", o.rho}, {"epsilon", o.epsilon}},
                 .slots = {{"accum"}, {"accum_update"}},
                 .inputs = {"accum", "accum_update", "lr", "rho", "epsilon", "grad"},
                 .use_locking = o.use_locking,
                 .refusal = refusal_of({{"learning_rate", learning_rate},
                                        {"rho", o.rho, Bound::kUpToOne},
                                        {"epsilon", o.epsilon, Bound::kPositive}})}) {}

AdamOptimizer::AdamOptimizer(const Hyperparameter& learning_rate, const AdamOptions& o)
    : Optimizer({.name = o.name,
                 .op = apply_adam(),
                 .settings = {{"learning_rate", learning_rate},
                              {"beta1", o.beta1},
                              {"beta2", o.beta2},
                              {"epsilon", o.epsilon}},
                 .slots = {{"m"}, {"v"}},
                 .powers = {{"beta1_power", "beta1"}, {"beta2_power", "beta2"}},
                 .inputs = {"m", "v", "beta1_power", "beta2_power", "learning_rate", "beta1",
                            "beta2", "epsilon", "grad"},
                 .use_locking = o.use_locking,
                 .refusal = refusal_of({{"learning_rate", learning_rate},
                                        {"beta1", o.beta1, Bound::kBelowOne},
                                        {"beta2", o.beta2, Bound::kBelowOne},
                                        {"epsilon", o.epsilon, Bound::kNotNegative}})}) {}

namespace {

std::vector<std::string> ftrl_inputs(bool shrinks) {
  std::vector<std::string> inputs = {"accum",
                                     "linear",
                                     "grad",
                                     "learning_rate",
                                     "l1_regularization_strength",
                                     "l2_regularization_strength"};
  if (shrinks) inputs.push_back("l2_shrinkage_regularization_strength");
  inputs.push_back("learning_rate_power");
  return inputs;
}

}  // namespace

RMSPropOptimizer::RMSPropOptimizer(const Hyperparameter& learning_rate, const RMSPropOptions& o)
    : Optimizer(
          {.name = o.name,
           .op = o.centered ? apply_centered_rms_prop() : apply_rms_prop(),
           .settings = {{"learning_rate", learning_rate},
                        {"decay", o.decay},
                        {"momentum", o.momentum},
                        {"epsilon", o.epsilon}},
           .slots = o.centered ? std::vector<UpdateRule::Slot>{{"rms", 1}, {"mg"}, {"momentum"}}
                               : std::vector<UpdateRule::Slot>{{"rms", 1}, {"momentum"}},
           .inputs = o.centered ? std::vector<std::string>{"mg", "rms", "momentum", "learning_rate",
                                                           "decay", "momentum", "epsilon", "grad"}
                                : std::vector<std::string>{"rms", "momentum", "learning_rate",
                                                           "decay", "momentum", "epsilon", "grad"},
           .use_locking = o.use_locking,
           .refusal = refusal_of({{"learning_rate", learning_rate},
                                  {"decay", o.decay, Bound::kUpToOne},
                                  {"momentum", o.momentum, Bound::kNotNegative},
                                  {"epsilon", o.epsilon, Bound::kNotNegative}})}) {}

FtrlOptimizer::FtrlOptimizer(const Hyperparameter& learning_rate, const FtrlOptions& o)
    : Optimizer(
          {.name = o.name,
           .op = o.l2_shrinkage_regularization_strength > 0 ? apply_ftrl_v2() : apply_ftrl(),
           .settings = {{"learning_rate", learning_rate},
                        {"l1_regularization_strength", o.l1_regularization_strength},
                        {"l2_regularization_strength", o.l2_regularization_strength},
                        {"l2_shrinkage_regularization_strength",
                         o.l2_shrinkage_regularization_strength},
                        {"learning_rate_power", o.learning_rate_power}},
           .slots = {{"accum", o.initial_accumulator_value}, {"linear"}},
           .inputs = ftrl_inputs(o.l2_shrinkage_regularization_strength > 0),
           .use_locking = o.use_locking,
           .refusal = refusal_of(
               {{"learning_rate", learning_rate, Bound::kPositive},
                {"learning_rate_power", o.learning_rate_power, Bound::kNotPositive},
                {"initial_accumulator_value", o.initial_accumulator_value, Bound::kNotNegative,
                 false},
                {"l1_regularization_strength", o.l1_regularization_strength, Bound::kNotNegative},
                {"l2_regularization_strength", o.l2_regularization_strength, Bound::kNotNegative},
                {"l2_shrinkage_regularization_strength", o.l2_shrinkage_regularization_strength,
                 Bound::kNotNegative}})}) {}

}  // namespace cairn
