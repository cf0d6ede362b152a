// Optimizers: nodes that change variables along their gradients.
//
//   Operation step = GradientDescentOptimizer(0.5).minimize(loss);
//   for (...) session.run(step, {{x, images}, {y, labels}});
//
// The state of an optimizer (slots, powers) consists of variables of the graph, named as TensorFlow
// names them, in the collection "variables": a Saver saves them, and training resumes with them.
// The operation that minimize() returns is put into the collection "train_op", where a program that
// imports the graph finds it.
//
// Calls that fail, with InvalidArgument; the graph and the optimizer are then unchanged:
//
//   AdamOptimizer(0.001, {.beta1 = 1.0}).minimize(loss);
//   // Adam (a.cc:7): beta1 must be in [0, 1), is 1
//   AdagradOptimizer(0.1).minimize(x);      // x: a placeholder
//   // Adagrad (a.cc:9): the loss 'x:0' depends on none of the variables 'W' by a path that carries
//   // gradients
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ops/core/gradients.h"
#include "ops/state/apply.h"
#include "ops/state/variables.h"

namespace CAIRN_API cairn {

// A setting of an optimizer: a number, or a scalar tensor or variable, of which each step uses the
// current value (a decaying learning rate). minimize() checks numbers; tensors are checked by the
// update ops, if at all.
class Hyperparameter {
 public:
  Hyperparameter(double number) : value_(number) {}               // NOLINT: implicit on purpose
  Hyperparameter(const Output& output) : value_(output) {}        // NOLINT
  Hyperparameter(const Variable& variable) : value_(variable) {}  // NOLINT
  // Throws FailedPrecondition, with `what` and the line, for an empty handle.
  void require(std::string_view what, SourceLocation at) const;
  // The number as a float constant named `name`, or the tensor.
  Output in(GraphAt graph, std::string_view name) const;
  // The number, if it is one.
  std::optional<double> number() const;
  // A variable with this initial value.
  Variable variable_from(GraphAt graph, const VariableOptions& options) const;

 private:
  std::variant<double, Output, Variable> value_;
};

// The pairs that go from compute_gradients() to apply_gradients().
struct GradientAndVariable {
  Output gradient;  // empty: the loss does not depend on the variable
  Variable variable;
};
using GradientsAndVariables = std::vector<GradientAndVariable>;

// Which gradients must be computed before variables change: those of all inputs of one op (kOp),
// all gradients (kGraph), or none.
enum class Gate { kNone, kOp, kGraph };

struct ComputeGradientsOptions {
  std::vector<Variable> var_list = {};  // empty: the collection "trainable_variables"
  Gate gate_gradients = Gate::kOp;
  bool colocate_gradients_with_ops = false;  // put each gradient on the device of its op
  Output grad_loss = {};                     // the gradient of the loss; default: ones
};
struct ApplyGradientsOptions {
  Variable global_step = {};  // is incremented after all updates
  std::string name = "";      // default: the optimizer's
};
// The options of both halves.
struct MinimizeOptions {
  Variable global_step = {};            // is incremented after all updates
  std::vector<Variable> var_list = {};  // empty: the collection "trainable_variables"
  Gate gate_gradients = Gate::kOp;
  bool colocate_gradients_with_ops = false;
  std::string name = "";  // default: the optimizer's
  Output grad_loss = {};  // the gradient of the loss; default: ones
};

// How an optimizer updates each variable: by one node of `op`, whose inputs are the variable and
// then those listed in `inputs`: first the slots, as many as there are, then settings, powers and
// "grad". Optimizers of your own are such rules:
//
//   Optimizer descent({.name = "Descent", .op = apply_gradient_descent(),
//                      .settings = {{"rate", 0.1}}, .inputs = {"rate", "grad"}});
struct UpdateRule {
  struct Setting {
    std::string name;
    Hyperparameter value;
  };
  // A variable of the shape and dtype of the trained one. `divides`: the update divides by it, so
  // its initial value must be above 0, also in the dtype of the variable.
  struct Slot {
    std::string key;  // for slot(); the variable is named W/Adam, W/Adam_1 ...
    double initial_value = 0;
    bool divides = false;
  };
  // A scalar variable shared by all trained ones: begins with a setting and is multiplied by it
  // after each step.
  struct Power {
    std::string name, setting;
  };
  std::string name;                 // of the scope of the updates, of slots and in errors
  ApplyOp op;                       // for reference and for resource variables
  std::vector<Setting> settings;    // cast to the dtype of each variable
  std::vector<Slot> slots = {};     // in the order of the inputs of `op`
  std::vector<Power> powers = {};   // updated after all variables
  std::vector<std::string> inputs;  // after the variable
  Attrs attrs = {};                 // of the node, besides use_locking
  bool use_locking = false;
  // The fault of the settings, or "": minimize() and its halves throw it as InvalidArgument.
  std::string refusal = "";
};

// One object works on any number of graphs. The slots and powers of a graph are made when a
// variable of it is first updated.
class Optimizer {
 public:
  explicit Optimizer(UpdateRule rule) : rule_(std::move(rule)) {}

  // Adds the gradients of `loss` and the nodes that apply them; running the returned operation is
  // one training step. Throws InvalidArgument if there is no variable to change, or none that the
  // loss depends on, if an op on the way has no gradient, or if a number given as a setting is not
  // finite or out of the range stated with the options: as the float that it becomes or, for the
  // initial value of a slot, in the dtype of the variable. FailedPrecondition for an empty handle.
  // The graph and the optimizer are then unchanged. Inside a condition (ops/flow/cond.h) slots are
  // made outside of it, so that initializers reach them.
  Operation minimize(const Output& loss, const MinimizeOptions& options = {},
                     SourceLocation at = SourceLocation::current());

  // The two halves of minimize(), for gradients that are changed in between. compute_gradients()
  // gives one pair for each variable, with an empty gradient if the loss does not depend on it;
  // apply_gradients() skips those, and throws InvalidArgument if no gradient is left.
  //
  //   auto grads = optimizer.compute_gradients(loss);
  //   for (auto& [gradient, variable] : grads) {
  //     if (gradient) gradient = clip_by_value(gradient, -5.0f, 5.0f);
  //   }
  //   Operation step = optimizer.apply_gradients(grads);
  GradientsAndVariables compute_gradients(const Output& loss,
                                          const ComputeGradientsOptions& options = {},
                                          SourceLocation at = SourceLocation::current());
  Operation apply_gradients(const GradientsAndVariables& gradients,
                            const ApplyGradientsOptions& options = {},
                            SourceLocation at = SourceLocation::current());

  // The name in the options of the optimizer: "Adam".
  const std::string& name() const { return rule_.name; }
  // The keys of the slots: {"m", "v"} for Adam.
  std::vector<std::string> slot_names() const;
  // The slot `key` ("momentum", "m", ...) of a variable. Throws NotFound if this optimizer made
  // none ("Adam: variable 'W' has no slot 'x' here; slots: m and v").
  Variable slot(const Variable& variable, std::string_view key) const;

 private:
  // The graph's epoch, and "W/m" or the name of a power.
  using SlotKey = std::pair<uint64_t, std::string>;
  SlotKey key_of(const Graph& graph, const std::string& name) const;
  void check_settings(SourceLocation at) const;
  // The variable made under this name; null if there is none in the graph.
  const Variable* made(const Graph& graph, const std::string& name) const;
  void make_powers(GraphAt graph, const std::vector<Variable>& variables);
  void make_slots(GraphAt graph, const Variable& variable);
  Operation update(const GradientAndVariable& pair, const std::map<std::string, Output>& settings,
                   SourceLocation at);
  std::vector<Operation> update_powers(GraphAt graph, const std::vector<Operation>& updates,
                                       const std::map<std::string, Output>& settings);

  UpdateRule rule_;
  std::map<SlotKey, Variable> made_;
};

// Gradient descent. No slots.
//
//   w -= learning_rate * gradient
struct GradientDescentOptions {
  bool use_locking = false;
  std::string name = "GradientDescent";
};
//   GradientDescentOptimizer(0.5).minimize(loss)
class GradientDescentOptimizer : public Optimizer {
 public:
  explicit GradientDescentOptimizer(const Hyperparameter& learning_rate,
                                    const GradientDescentOptions& options = {});
};

// Gradient descent with momentum. Slot "momentum" (W/Momentum). momentum is not below 0.
//
//   accumulator = momentum * accumulator + gradient
//   w -= learning_rate * accumulator
//
// With use_nesterov:
//
//   w -= learning_rate * (gradient + momentum * accumulator)
struct MomentumOptions {
  bool use_nesterov = false;
  bool use_locking = false;
  std::string name = "Momentum";
};
//   MomentumOptimizer(0.1, 0.9, {.use_nesterov = true}).minimize(loss)
class MomentumOptimizer : public Optimizer {
 public:
  MomentumOptimizer(const Hyperparameter& learning_rate, const Hyperparameter& momentum,
                    const MomentumOptions& options = {});
};

// Duchi, Hazan and Singer, 2011. Slot "accumulator" (W/Adagrad).
//
//   accumulator += gradient²
//   w -= learning_rate * gradient / sqrt(accumulator)
struct AdagradOptions {
  double initial_accumulator_value = 0.1;  // above 0
  bool use_locking = false;
  std::string name = "Adagrad";
};
class AdagradOptimizer : public Optimizer {
 public:
  explicit AdagradOptimizer(const Hyperparameter& learning_rate,
                            const AdagradOptions& options = {});
};

// Zeiler, 2012. Slots "accum" and "accum_update" (W/Adadelta, W/Adadelta_1).
//
//   accum = rho * accum + (1 - rho) * gradient²
//   update = gradient * sqrt(accum_update + epsilon) / sqrt(accum + epsilon)
//   accum_update = rho * accum_update + (1 - rho) * update²
//   w -= learning_rate * update
struct AdadeltaOptions {
  Hyperparameter rho = 0.95, epsilon = 1e-8;  // rho in [0, 1], epsilon above 0
  bool use_locking = false;
  std::string name = "Adadelta";
};
class AdadeltaOptimizer : public Optimizer {
 public:
  explicit AdadeltaOptimizer(const Hyperparameter& learning_rate = 0.001,
                             const AdadeltaOptions& options = {});
};

// Kingma and Ba, 2015. Slots "m" and "v" (W/Adam, W/Adam_1), powers beta1_power and beta2_power. At
// step t, counted from 1:
//
//   m = beta1 * m + (1 - beta1) * gradient
//   v = beta2 * v + (1 - beta2) * gradient²
//   w -= learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)
struct AdamOptions {
  // Both betas in [0, 1), epsilon not below 0.
  Hyperparameter beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  bool use_locking = false;
  std::string name = "Adam";
};
class AdamOptimizer : public Optimizer {
 public:
  explicit AdamOptimizer(const Hyperparameter& learning_rate = 0.001,
                         const AdamOptions& options = {});
};

// Tieleman and Hinton, 2012. Slots "rms" and "momentum" (W/RMSProp, W/RMSProp_1), if centered "mg"
// between them. rms begins with 1, the others with 0.
//
//   rms = decay * rms + (1 - decay) * gradient²
//   mom = momentum * mom + learning_rate * gradient / sqrt(rms + epsilon)
//   w -= mom
//
// With `centered`, rms - mg² replaces rms in the root:
//
//   mg = decay * mg + (1 - decay) * gradient
struct RMSPropOptions {
  // decay in [0, 1], the others not below 0.
  Hyperparameter decay = 0.9, momentum = 0.0, epsilon = 1e-10;
  bool centered = false;
  bool use_locking = false;
  std::string name = "RMSProp";
};
//   RMSPropOptimizer(0.001, {.momentum = 0.9, .centered = true}).minimize(loss)
class RMSPropOptimizer : public Optimizer {
 public:
  explicit RMSPropOptimizer(const Hyperparameter& learning_rate,
                            const RMSPropOptions& options = {});
};

// Follow the regularized leader. Slots "accum" and "linear" (W/Ftrl, W/Ftrl_1). (McMahan et al.,
// 2013.) The learning rate is above 0, learning_rate_power not above 0, all others not below 0.
struct FtrlOptions {
  double learning_rate_power = -0.5, initial_accumulator_value = 0.1;
  double l1_regularization_strength = 0, l2_regularization_strength = 0;
  double l2_shrinkage_regularization_strength = 0;
  bool use_locking = false;
  std::string name = "Ftrl";
};
//   FtrlOptimizer(0.1, {.l1_regularization_strength = 0.01}).minimize(loss)
class FtrlOptimizer : public Optimizer {
 public:
  explicit FtrlOptimizer(const Hyperparameter& learning_rate, const FtrlOptions& options = {});
};

}  // namespace cairn
