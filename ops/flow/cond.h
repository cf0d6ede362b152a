// Conditional execution: one of two subgraphs, chosen when the graph runs.
#pragma once

#include <functional>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// The results of true_fn if `pred`, a bool scalar, is true, else those of false_fn (TensorFlow's
// tf.cond, node for node):
//
//   Output y = cond(less(x, 0.0f), [&] { return -x; }, [&] { return sqrt(x); });
//
// Both functions are called once, while the graph is built; a run executes only the nodes made by
// the function that is taken. A tensor from outside is computed in either case and enters through a
// Switch (cond/Neg/Switch): make a node with a side effect (an assignment, a file read) inside the
// function. Conditions can be nested. Gradients flow through the side taken and are zero on the
// other. A variable made inside a function, also by optimizers and averages, is made outside of the
// condition, with its initializer. If anything throws, the graph is unchanged.
//
// Both functions give the same number of tensors of the same dtypes; shapes may differ. With
// functions that return an Operation, the result is the value of `pred`, available once the
// operation of the side taken has run. Throws InvalidArgument for a pred that is not a bool scalar
// and for results that do not match:
//
//   cond(p, [&] { return -x; }, [&] { return cast(x, DType::kInt32); });
//   // cond (a.cc:7): true_fn gives 'cond/Neg:0' of dtype float,
//   //                false_fn 'cond/Cast:0' of dtype int32
//
// The CondContextDef of each side is added to the collection "cond_context", as in TensorFlow.
Output cond(const Operand& pred, const std::function<Output()>& true_fn,
            const std::function<Output()>& false_fn, const NameOptions& options = {});
std::vector<Output> cond(const Operand& pred, const std::function<std::vector<Output>()>& true_fn,
                         const std::function<std::vector<Output>()>& false_fn,
                         const NameOptions& options = {});
Output cond(const Operand& pred, const std::function<Operation()>& true_fn,
            const std::function<Operation()>& false_fn, const NameOptions& options = {});

}  // namespace cairn
