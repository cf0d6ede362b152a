// One of two computations, chosen when the graph runs.
#pragma once

#include <functional>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// What true_fn makes when `pred`, a bool scalar, is true, else what false_fn makes (TensorFlow's
// tf.cond, node for node):
//
//   Output y = cond(less(x, 0.0f), [&] { return -x; }, [&] { return sqrt(x); });
//
// Both functions are called at once, and the nodes they make run only when their side is taken.
// What they use from outside is computed in any case and comes in through a Switch
// (cond/Neg/Switch); so where something is to happen only on one side (an assignment, a read of a
// file), make its node inside. Conditions may stand in each other. Gradients flow through the side
// taken and are zero on the other. A variable made by either function (also by optimizers and
// averages called there) stands outside, with its initializer, and is there for good. If anything
// throws, what the functions made is taken back.
//
// Both give as many tensors, of the same dtypes; their shapes may differ. Operations are run for
// their effect, and what comes back then is the bool that says the side has run. Throws
// InvalidArgument for a pred that is no bool scalar and for sides that do not fit. A CondContextDef
// for each side is put into the collection "cond_context", as TensorFlow keeps them.
Output cond(const Operand& pred, const std::function<Output()>& true_fn,
            const std::function<Output()>& false_fn, const NameOptions& options = {});
std::vector<Output> cond(const Operand& pred, const std::function<std::vector<Output>()>& true_fn,
                         const std::function<std::vector<Output>()>& false_fn,
                         const NameOptions& options = {});
Output cond(const Operand& pred, const std::function<Operation()>& true_fn,
            const std::function<Operation()>& false_fn, const NameOptions& options = {});

}  // namespace cairn
