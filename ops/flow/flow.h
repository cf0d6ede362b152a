// Order, checks and choices: nodes that are run for what they wait for, what they refuse, or which
// way they send a value.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// ---- order --------------------------------------------------------------------------------------

// A node that does nothing but wait for its control inputs (TensorFlow's NoOp).
Operation no_op(GraphAt graph, const NameOptions& options = {});

// One node that runs all of `ops` (TensorFlow's group: a NoOp named group_deps). Where they stand
// on several devices each device gets a NoOp of its own in between. Throws InvalidArgument when
// there are none: use no_op(graph).
//   Operation both = group({update_w, update_b});
//   Operation all = group({train_op, average.output()});      // a tensor stands for its node
Operation group(const std::vector<Operation>& ops, const NameOptions& options = {},
                SourceLocation at = SourceLocation::current());
Operation group(const std::vector<Output>& tensors, const NameOptions& options = {},
                SourceLocation at = SourceLocation::current());
Operation group(std::initializer_list<Dependency> all, const NameOptions& options = {},
                SourceLocation at = SourceLocation::current());

// The same tensors, each available only when all have been computed: `name/group_deps` and one
// Identity each (TensorFlow's tuple). Empty handles stay empty. Throws InvalidArgument when all
// are.
std::vector<Output> tuple(const std::vector<Output>& tensors, const NameOptions& options = {},
                          SourceLocation at = SourceLocation::current());

// x, available only when `ops` have run: an Identity named control_dependency, beside x
// (TensorFlow's with_dependencies).
Output with_dependencies(const std::vector<Operation>& ops, const Operand& x,
                         const NameOptions& options = {});

// ---- checks -------------------------------------------------------------------------------------

struct AssertOptions {
  int summarize = 3;  // how many elements of each of `data` the message shows
  std::string name = "Assert";
};
// Fails the run with InvalidArgument unless `condition`, a bool scalar, is true (TensorFlow's
// Assert); the message shows `data`. Runs when it is run, or when something that depends on it is.
//   auto check = assert_op(reduce_all(greater(x, 0.0f)), {x});
//   auto scope = graph.control_dependencies({check});
Operation assert_op(const Operand& condition, const std::vector<Output>& data,
                    const AssertOptions& options = {});

struct PrintOptions {
  std::string message = "";
  int first_n = -1;   // print only so many times in a session; -1: always
  int summarize = 3;  // how many elements of each tensor
  std::string name = "";
};
// x, writing `data` to standard error each time it is computed (TensorFlow's Print).
Output print(const Operand& x, const std::vector<Output>& data, const PrintOptions& options = {});

// x; fails the run with InvalidArgument when it has a NaN or an infinity (TensorFlow's
// CheckNumerics; float dtypes). The message begins with `message`.
Output check_numerics(const Operand& x, std::string_view message, const NameOptions& options = {});

// ---- choices ------------------------------------------------------------------------------------

// Programs seldom need these: cond() in ops/flow/cond.h puts them where they belong. Gradients go
// back through both.

struct SwitchOptions {
  bool colocate = true;  // beside x
  std::string name = "";
};
// x on the side that `pred`, a bool scalar, picks: {when false, when true}. What needs the other
// side does not run (TensorFlow's Switch, or RefSwitch for a reference).
std::pair<Output, Output> switch_by(const Operand& x, const Operand& pred,
                                    const SwitchOptions& options = {});

struct Merged {
  Output value;
  Output index;  // int32 scalar: which input arrived
};
// The one of `inputs` that a Switch let through (TensorFlow's Merge).
Merged merge(const std::vector<Output>& inputs, const NameOptions& options = {},
             SourceLocation at = SourceLocation::current());

std::span<const OpDef* const> flow_ops();

}  // namespace cairn
