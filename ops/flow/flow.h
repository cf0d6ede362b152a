// Control dependencies, runtime checks, and Switch and Merge.
//
//   Operation train = group({step, average});
//   auto check = assert_op(reduce_all(greater(x, 0.0f)), {x});
//   const auto after = graph.control_dependencies({check});   // nodes made below wait for it
//   Output safe = log(x);
//
// A check that fails ends the run with InvalidArgument:
//
//   session.run(safe, {{x, -1.0f}});    // Assert 'Assert/Assert' (a.cc:7): assertion failed: [-1]
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// ---- order --------------------------------------------------------------------------------------

// A node without effect; it runs after its control inputs (TensorFlow's NoOp).
Operation no_op(GraphAt graph, const NameOptions& options = {});

// One node that runs all of `ops` (TensorFlow's group: a NoOp named group_deps). If they are on
// several devices, each device gets a NoOp of its own in between. Throws InvalidArgument for an
// empty list (use no_op(graph)), FailedPrecondition for an empty handle.
//
//   Operation both = group({update_w, update_b});
//   Operation all = group({train_op, average.output()});      // a tensor: its node
Operation group(const std::vector<Operation>& ops, const NameOptions& options = {},
                SourceLocation at = SourceLocation::current());
Operation group(const std::vector<Output>& tensors, const NameOptions& options = {},
                SourceLocation at = SourceLocation::current());
Operation group(std::initializer_list<Dependency> all, const NameOptions& options = {},
                SourceLocation at = SourceLocation::current());

// The same tensors, each available once all are computed: `name/group_deps` and one Identity each
// (TensorFlow's tuple). Empty handles stay empty. Throws InvalidArgument if all are empty.
std::vector<Output> tuple(const std::vector<Output>& tensors, const NameOptions& options = {},
                          SourceLocation at = SourceLocation::current());

// x, available once `ops` have run: an Identity named control_dependency, colocated with x
// (TensorFlow's with_dependencies). A variable is read after `ops`.
Output with_dependencies(const std::vector<Operation>& ops, const Operand& x,
                         const NameOptions& options = {});

// ---- checks -------------------------------------------------------------------------------------

struct AssertOptions {
  int summarize = 3;  // elements of each tensor of `data` in the message; negative: all
  std::string name = "Assert";
};
// Fails the run with InvalidArgument if `condition`, a bool scalar, is false (TensorFlow's Assert);
// the message contains `data`. Runs only when it is fetched or something that depends on it is, as
// in the example above. Throws InvalidArgument if the condition is not a scalar.
Operation assert_op(const Operand& condition, const std::vector<Output>& data,
                    const AssertOptions& options = {});

struct PrintOptions {
  std::string message = "";
  int first_n = -1;   // print only the first n times in a session; -1: always
  int summarize = 3;  // elements of each tensor; negative: all
  std::string name = "";
};
// x; writes `message` and `data` to standard error each time it is computed (TensorFlow's Print).
Output print(const Operand& x, const std::vector<Output>& data, const PrintOptions& options = {});

// x; fails the run with InvalidArgument if it has a NaN or an infinity (TensorFlow's CheckNumerics;
// half, bfloat16, float, double): "<message> : Tensor had NaN values". Its gradient is checked,
// too.
Output check_numerics(const Operand& x, std::string_view message, const NameOptions& options = {});

// ---- choices ------------------------------------------------------------------------------------

// The nodes that cond() in ops/flow/cond.h is made of; programs seldom need them. Both have
// gradients.

struct SwitchOptions {
  bool colocate = true;  // with x
  std::string name = "";
};
// x on the output that `pred`, a bool scalar, selects: {if false, if true}. Nodes that need the
// other output are dead: they do not run (TensorFlow's Switch, or RefSwitch for a reference).
std::pair<Output, Output> switch_by(const Operand& x, const Operand& pred,
                                    const SwitchOptions& options = {});

struct Merged {
  Output value;
  Output index;  // int32 scalar: the number of that input
};
// The one of `inputs` that is not dead (TensorFlow's Merge). An extent is known if it is the same
// in all inputs.
Merged merge(const std::vector<Output>& inputs, const NameOptions& options = {},
             SourceLocation at = SourceLocation::current());

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> flow_ops();

}  // namespace cairn
