// Optimizers: the nodes that change variables along their gradients.
//
//   Operation step = GradientDescentOptimizer(0.5).minimize(loss);
//   for (...) session.run(step, {{x, images}, {y, labels}});
//
// The state of an optimizer (slots, powers) is variables of the graph, named as TensorFlow names
// them, in the collection "variables": a Saver saves them, and training resumes where it stood. The
// operation that minimize() gives is put into the collection "train_op", where a program that
// imports the graph finds it.
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

// A setting of an optimizer: a number, or a scalar that the graph computes anew at each step (a
// decaying learning rate).
class Hyperparameter {
 public:
  Hyperparameter(double number) : value_(number) {}               // NOLINT: implicit on purpose
  Hyperparameter(const Output& output) : value_(output) {}        // NOLINT
  Hyperparameter(const Variable& variable) : value_(variable) {}  // NOLINT
  // Throws FailedPrecondition, naming `what` and the line, for an empty handle.
  void require(std::string_view what, SourceLocation at) const;
  // The number as a float constant called `name`, or the tensor.
  Output in(GraphAt graph, std::string_view name) const;
  // The number, where it is one.
  std::optional<double> number() const;
  // A variable that begins with it.
  Variable variable_from(GraphAt graph, const VariableOptions& options) const;

 private:
  std::variant<double, Output, Variable> value_;
};

struct GradientAndVariable {
  Output gradient;  // empty: the loss does not depend on the variable
  Variable variable;
};
using GradientsAndVariables = std::vector<GradientAndVariable>;

// Which gradients wait for which before variables change: those of one op for each other, all for
// all, or none.
enum class Gate { kNone, kOp, kGraph };

struct ComputeGradientsOptions {
  std::vector<Variable> var_list = {};  // empty: the collection "trainable_variables"
  Gate gate_gradients = Gate::kOp;
  bool colocate_gradients_with_ops = false;
  Output grad_loss = {};  // what flows into the loss, instead of ones
};
struct ApplyGradientsOptions {
  Variable global_step = {};  // grows by one when all is updated
  std::string name = "";      // by default the optimizer's
};
struct MinimizeOptions {
  Variable global_step = {};
  std::vector<Variable> var_list = {};
  Gate gate_gradients = Gate::kOp;
  bool colocate_gradients_with_ops = false;
  std::string name = "";
  Output grad_loss = {};
};

// How an optimizer updates each variable: one node of `op`, whose inputs are the variable and then
// what `inputs` names: first its slots, as many as there are, then settings, powers and "grad". An
// optimizer of one's own is such a rule.
struct UpdateRule {
  struct Setting {
    std::string name;
    Hyperparameter value;
  };
  // Where the slot is divided by, its initial value must be above 0 in the variable's dtype too.
  struct Slot {
    std::string key;  // what slot() asks for; in the graph it is named W/Adam, W/Adam_1 ...
    double initial_value = 0;
    bool divides = false;
  };
  // A variable shared by all that begins with a setting and is multiplied by it after each step.
  struct Power {
    std::string name, setting;
  };
  std::string name;
  ApplyOp op;
  std::vector<Setting> settings;
  std::vector<Slot> slots = {};
  std::vector<Power> powers = {};
  std::vector<std::string> inputs;
  Attrs attrs = {};  // of the node, besides use_locking
  bool use_locking = false;
  // What is wrong with the settings, if anything: minimize() and its halves throw it as
  // InvalidArgument.
  std::string refusal = "";
};

// Works on any graph; a graph's slots and powers are made when a variable is first updated there.
class Optimizer {
 public:
  explicit Optimizer(UpdateRule rule) : rule_(std::move(rule)) {}

  // Adds the gradients of `loss` and the nodes that apply them; running what is returned is one
  // step of training. Throws InvalidArgument when there is no variable to change, none that the
  // loss depends on, an op on the way has no gradient, or a setting given as a number is none that
  // the rule can work with: as the float that it becomes, or as a slot's initial value in the
  // variable's dtype, not finite or outside of the range that the optimizer's options tell; then
  // the graph and the optimizer are as before. Slots stand outside of conditions, so that
  // initializers reach them, also where minimize() is called within one (ops/flow/cond.h).
  Operation minimize(const Output& loss, const MinimizeOptions& options = {},
                     SourceLocation at = SourceLocation::current());

  // The two halves of minimize(), for gradients that are changed in between:
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

  const std::string& name() const { return rule_.name; }
  std::vector<std::string> slot_names() const;
  // The slot `key` ("momentum", "m", ...) of a variable. Throws NotFound when this optimizer made
  // none.
  Variable slot(const Variable& variable, std::string_view key) const;

 private:
  // the graph's epoch, and "W/m" or a power's name
  using SlotKey = std::pair<uint64_t, std::string>;
  SlotKey key_of(const Graph& graph, const std::string& name) const;
  void check_settings(SourceLocation at) const;
  // What was made under this name; null: nothing that is still in the graph.
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

// w -= learning_rate * gradient.
struct GradientDescentOptions {
  bool use_locking = false;
  std::string name = "GradientDescent";
};
class GradientDescentOptimizer : public Optimizer {
 public:
  explicit GradientDescentOptimizer(const Hyperparameter& learning_rate,
                                    const GradientDescentOptions& options = {});
};

// accumulator = momentum * accumulator + gradient; w -= learning_rate * accumulator. Slot
// "momentum" (W/Momentum).
struct MomentumOptions {
  bool use_nesterov = false;
  bool use_locking = false;
  std::string name = "Momentum";
};
class MomentumOptimizer : public Optimizer {
 public:
  MomentumOptimizer(const Hyperparameter& learning_rate, const Hyperparameter& momentum,
                    const MomentumOptions& options = {});
};

// accumulator += gradient^2; w -= learning_rate * gradient / sqrt(accumulator). Slot "accumulator"
// (W/Adagrad). (Duchi, Hazan and Singer, 2011.)
struct AdagradOptions {
  double initial_accumulator_value = 0.1;  // above 0: it is divided by
  bool use_locking = false;
  std::string name = "Adagrad";
};
class AdagradOptimizer : public Optimizer {
 public:
  explicit AdagradOptimizer(const Hyperparameter& learning_rate,
                            const AdagradOptions& options = {});
};

// Slots "accum" and "accum_update" (W/Adadelta, W/Adadelta_1). (Zeiler, 2012.)
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

// Slots "m" and "v" (W/Adam, W/Adam_1), powers beta1_power and beta2_power. (Kingma and Ba, 2015.)
struct AdamOptions {
  // both betas in [0, 1), epsilon not below 0
  Hyperparameter beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  bool use_locking = false;
  std::string name = "Adam";
};
class AdamOptimizer : public Optimizer {
 public:
  explicit AdamOptimizer(const Hyperparameter& learning_rate = 0.001,
                         const AdamOptions& options = {});
};

// Slots "rms" and "momentum" (W/RMSProp, W/RMSProp_1), when centered "mg" between them. (Tieleman
// and Hinton, 2012.)
struct RMSPropOptions {
  // decay in [0, 1], the others not below 0
  Hyperparameter decay = 0.9, momentum = 0.0, epsilon = 1e-10;
  bool centered = false;
  bool use_locking = false;
  std::string name = "RMSProp";
};
class RMSPropOptimizer : public Optimizer {
 public:
  explicit RMSPropOptimizer(const Hyperparameter& learning_rate,
                            const RMSPropOptions& options = {});
};

// Slots "accum" and "linear" (W/Ftrl, W/Ftrl_1). (McMahan et al., 2013.) The learning rate is above
// 0, as it is divided by, its power not; nothing else is below 0.
struct FtrlOptions {
  double learning_rate_power = -0.5, initial_accumulator_value = 0.1;
  double l1_regularization_strength = 0, l2_regularization_strength = 0;
  double l2_shrinkage_regularization_strength = 0;
  bool use_locking = false;
  std::string name = "Ftrl";
};
class FtrlOptimizer : public Optimizer {
 public:
  explicit FtrlOptimizer(const Hyperparameter& learning_rate, const FtrlOptions& options = {});
};

}  // namespace cairn
