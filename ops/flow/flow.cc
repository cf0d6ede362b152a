#include "ops/flow/flow.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "ops/array/array.h"
#include "ops/state/state.h"
#include "runtime/exec/context.h"

namespace cairn {
namespace {

// ---- NoOp, ControlTrigger -----------------------------------------------------------------------

constexpr OpDef kNoOp = {.name = "NoOp",
                         .inputs = "",
                         .outputs = "",
                         .attrs = "",
                         .prepare = do_nothing,
                         .gradient = not_differentiable};
constexpr OpDef kControlTrigger = {.name = "ControlTrigger",
                                   .inputs = "",
                                   .outputs = "",
                                   .attrs = "",
                                   .prepare = do_nothing,
                                   .gradient = not_differentiable};

// ---- Assert, Print ------------------------------------------------------------------------------

// "[1 2 3...]" for each input from `first` on.
std::string summaries(const KernelContext& c, int first, int64_t limit) {
  std::string text;
  for (int i = first; i < c.num_inputs(); ++i) {
    const std::string one = c.input(i).summary(limit);
    text += c.input(i).rank() == 0 ? "[" + one + "]" : one;
  }
  return text;
}

// As in TensorFlow, a negative count shows everything.
int64_t summary_limit(const KernelSetup& s) {
  const int64_t limit = s.integer("summarize");
  return limit < 0 ? -1 : limit;
}

void assert_shape(ShapeContext& c) { c.with_rank(0, 0, "condition"); }
Kernel assert_prepare(const KernelSetup& s) {
  return [limit = summary_limit(s)](KernelContext& c) {
    if (!c.input(0).scalar<bool>()) c.fail("assertion failed: " + summaries(c, 1, limit));
  };
}
constexpr OpDef kAssert = {.name = "Assert",
                           .inputs = "condition: bool, data: T",
                           .outputs = "",
                           .attrs = "T: list(type) >= 1, summarize: int = 3",
                           .stateful = true,
                           .shape = assert_shape,
                           .prepare = assert_prepare,
                           .gradient = not_differentiable};

Kernel print_prepare(const KernelSetup& s) {
  auto count = s.session_state<std::atomic<int64_t>>(
      [] { return std::make_shared<std::atomic<int64_t>>(0); });
  const int64_t first_n = s.integer("first_n");
  return [count, first_n, limit = summary_limit(s), message = s.str("message")](KernelContext& c) {
    c.forward(0, 0);
    if (first_n >= 0 && count->fetch_add(1) >= first_n) return;
    const std::string line = message + summaries(c, 1, limit) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
  };
}
Grads first_input_gradient(const Operation& op, const Grads& dy) {
  Grads grads(static_cast<size_t>(op.num_inputs()));
  grads[0] = dy[0];
  return grads;
}
constexpr OpDef kPrint = {
    .name = "Print",
    .inputs = "input: T, data: U",
    .outputs = "output: T",
    .attrs =
        "T: type, U: list(type) >= 0, message: string = '', first_n: int = -1, "
        "summarize: int = 3",
    .stateful = true,
    .shape = unchanged_shape,
    .prepare = print_prepare,
    .gradient = first_input_gradient};

// ---- CheckNumerics ------------------------------------------------------------------------------

Kernel check_numerics_prepare(const KernelSetup& s) {
  return by_dtype<float, double, Half, BFloat16>(s, s.dtype("T"), [&]<class T>() -> Kernel {
    return [message = s.str("message")](KernelContext& c) {
      using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;
      const T* x = c.in<T>(0);
      bool nan = false, infinite = false;
      for (int64_t i = 0, n = c.input(0).num_elements(); i < n; ++i) {
        const Wide v = static_cast<Wide>(x[i]);
        nan |= std::isnan(v);
        infinite |= std::isinf(v);
      }
      if (nan || infinite) {
        c.fail(str_cat(message, " : Tensor had ", infinite ? "Inf" : "",
                       nan && infinite ? " and " : "", nan ? "NaN" : "", " values"));
      }
      c.forward(0, 0);
    };
  });
}
Grads check_numerics_gradient(const Operation& op, const Grads& dy) {
  return {
      check_numerics(dy[0], "Not a number (NaN) or infinity (Inf) values detected in gradient. " +
                                op.attrs().str("message"))};
}
constexpr OpDef kCheckNumerics = {.name = "CheckNumerics",
                                  .inputs = "tensor: T",
                                  .outputs = "output: T",
                                  .attrs = "T: {bfloat16, half, float, double}, message: string",
                                  // it must run to fail, even if nobody reads the output
                                  .must_run = true,
                                  .shape = unchanged_shape,
                                  .prepare = check_numerics_prepare,
                                  .gradient = check_numerics_gradient};

// ---- Switch, RefSwitch, Merge -------------------------------------------------------------------

void switch_shape(ShapeContext& c) {
  c.with_rank(1, 0, "pred");
  unchanged_shape(c);
}
Kernel switch_prepare(const KernelSetup&) {
  return [](KernelContext& c) {
    const int taken = c.input(1).scalar<bool>() ? 1 : 0;
    c.forward(0, taken);
    c.set_dead(1 - taken);
  };
}
// The plan knows the variable behind a reference: the kernel only marks the dead side.
Kernel ref_switch_prepare(const KernelSetup&) {
  return [](KernelContext& c) { c.set_dead(c.input(1).scalar<bool>() ? 0 : 1); };
}
// The gradient of an output that nothing used: zeros that exist if that side is taken.
Output zeros_of_side(const Output& side) {
  const bool is_handle = base_dtype(side.dtype()) == DType::kResource;
  return zeros_like(is_handle ? read_variable(side) : side, {.optimize = false});
}
Grads switch_gradient(const Operation& op, const Grads& dy) {
  if (!dy[0] && !dy[1]) return {Output(), Output()};
  const Output when_false = dy[0] ? dy[0] : zeros_of_side(op.output(0));
  const Output when_true = dy[1] ? dy[1] : zeros_of_side(op.output(1));
  return {merge({when_false, when_true}, {.name = "cond_grad"}).value, Output()};
}
constexpr OpDef kSwitch = {.name = "Switch",
                           .inputs = "data: T, pred: bool",
                           .outputs = "output_false: T, output_true: T",
                           .attrs = "T: type",
                           .flow = Flow::kSwitch,
                           .shape = switch_shape,
                           .prepare = switch_prepare,
                           .gradient = switch_gradient};
constexpr OpDef kRefSwitch = {.name = "RefSwitch",
                              .inputs = "data: Ref(T), pred: bool",
                              .outputs = "output_false: Ref(T), output_true: Ref(T)",
                              .attrs = "T: type",
                              .allows_uninitialized_input = true,
                              .access = Access::kQuery,
                              .flow = Flow::kSwitch,
                              .shape = switch_shape,
                              .prepare = ref_switch_prepare,
                              .gradient = switch_gradient};

void merge_shape(ShapeContext& c) {
  Shape common = c.input(0);
  for (int i = 1; i < c.num_inputs(); ++i) {
    const Shape& other = c.input(i);
    if (common.rank() != other.rank()) {
      common = Shape::unknown();
      break;
    }
    for (int d = 0; d < common.rank(); ++d) {
      if (common[d] != other[d]) common.set_dim(d, kUnknownDim);
    }
  }
  c.set_output(0, common);
  c.set_output(1, {});
}
Kernel merge_prepare(const KernelSetup&) {
  return [](KernelContext& c) {
    int arrived = 0;
    while (arrived < c.num_inputs() && c.is_dead(arrived)) ++arrived;
    if (arrived == c.num_inputs()) c.fail("no input arrived");
    c.forward(arrived, 0);
    *c.allocate(1, {}).data<int32_t>() = arrived;
  };
}

// The Switch outputs that a node depends on, identified by their predicates.
struct Side {
  int side;
  Output pred;
};
using Sides = std::map<std::pair<int, int>, Side>;

// The identity of a predicate: its source, through the Identity nodes (cond/pred_id) that pass it
// on.
std::pair<int, int> origin(Output pred) {
  while (pred.op().type() == "Identity") pred = pred.op().input(0);
  return {pred.node().id, pred.index()};
}

// Finds the sides of tensors; visits each node before them once.
class SideFinder {
 public:
  Sides of(const Output& tensor) {
    // true: its inputs are done
    std::vector<std::pair<Operation, bool>> open = {{tensor.op(), false}};
    while (!open.empty()) {
      const auto [op, ready] = open.back();
      open.pop_back();
      if (ready) {
        of_node_[&op.node()] = through(op);
      } else if (seen_.insert(&op.node()).second) {
        open.emplace_back(op, true);
        for (const Output& input : op.inputs()) open.emplace_back(input.op(), false);
        for (const Operation& control : op.control_inputs()) open.emplace_back(control, false);
      }
    }
    return known(tensor);
  }

 private:
  // After a Merge the sides that all inputs have in common, after any other node those of any
  // input.
  Sides through(const Operation& op) {
    Sides sides;
    const bool merges = op.node().op->def && op.node().op->def->flow == Flow::kMerge;
    for (int i = 0; i < op.num_inputs(); ++i) {
      Sides more = known(op.input(i));
      if (!merges || i == 0) {
        sides.merge(more);
        continue;
      }
      std::erase_if(sides, [&](const auto& s) {
        const auto same = more.find(s.first);
        return same == more.end() || same->second.side != s.second.side;
      });
    }
    for (const Operation& control : op.control_inputs())
      sides.merge(Sides(of_node_[&control.node()]));
    return sides;
  }
  Sides known(const Output& tensor) {
    const Operation op = tensor.op();
    Sides sides = of_node_[&op.node()];
    if (op.node().op->def && op.node().op->def->flow == Flow::kSwitch) {
      sides.insert_or_assign(origin(op.input(1)), Side{tensor.index(), op.input(1)});
    }
    return sides;
  }

  std::unordered_set<const Node*> seen_;
  std::unordered_map<const Node*, Sides> of_node_;
};

// The gradient goes back to the side that the value came from.
Grads merge_gradient(const Operation& op, const Grads& dy) {
  if (!dy[0]) return Grads(static_cast<size_t>(op.num_inputs()));
  SideFinder finder;
  if (op.num_inputs() == 2) {
    const Sides first = finder.of(op.input(0)), second = finder.of(op.input(1));
    for (const auto& [key, side] : first) {
      const auto other = second.find(key);
      if (other == second.end() || other->second.side == side.side) continue;
      const auto [when_false, when_true] = switch_by(dy[0], side.pred, {.name = "cond_grad"});
      return side.side == 0 ? Grads{when_false, when_true} : Grads{when_true, when_false};
    }
  }
  fail(Code::kInvalidArgument, op.node().str(),
       ": there is no gradient, as no one Switch decides which input arrives");
}
constexpr OpDef kMerge = {.name = "Merge",
                          .inputs = "inputs: N * T",
                          .outputs = "output: T, value_index: int32",
                          .attrs = "T: type, N: int >= 1",
                          .flow = Flow::kMerge,
                          .shape = merge_shape,
                          .prepare = merge_prepare,
                          .gradient = merge_gradient};

// A NoOp behind `ops`, named exactly `name` (which ends in '/').
Operation wait_for(Graph& graph, const std::vector<Operation>& ops, std::string_view name,
                   SourceLocation at) {
  const Scope after = graph.control_dependencies(ops);
  return no_op({graph, at}, {.name = std::string(name)});
}

void require_all(const std::vector<Operation>& ops, std::string_view builder, SourceLocation at) {
  for (const Operation& op : ops) {
    if (!op)
      fail(Code::kFailedPrecondition, builder, " (", at.str(),
           "): an empty handle, which stands for no operation");
  }
}

}  // namespace

Operation no_op(GraphAt graph, const NameOptions& options) {
  return add_operation(graph, kNoOp, {}, {}, options.name);
}

Operation group(const std::vector<Operation>& ops, const NameOptions& options, SourceLocation at) {
  if (ops.empty())
    fail(Code::kInvalidArgument, "group (", at.str(),
         "): there is nothing to group; use no_op(graph)");
  require_all(ops, "group", at);
  Graph& graph = ops[0].graph();
  for (const Operation& op : ops) graph.check_owns(op, "group");
  const Graph::Transaction whole(graph);
  const Scope scope = graph.name_scope(options.name.empty() ? "group_deps" : options.name);
  std::map<std::string, std::vector<Operation>> by_device;
  for (const Operation& op : ops) by_device[op.node().device].push_back(op);
  if (by_device.size() == 1) {
    const Scope device = graph.device(by_device.begin()->first);
    return wait_for(graph, ops, scope.name(), at);
  }
  std::vector<Operation> one_each;
  for (const auto& [device, there] : by_device) {
    const Scope on = graph.device(device);
    one_each.push_back(wait_for(graph, there, "NoOp", at));
  }
  return wait_for(graph, one_each, scope.name(), at);
}

Operation group(const std::vector<Output>& tensors, const NameOptions& options, SourceLocation at) {
  std::vector<Operation> ops;
  for (const Output& tensor : tensors) ops.push_back(tensor ? tensor.op() : Operation());
  return group(ops, options, at);
}
Operation group(std::initializer_list<Dependency> all, const NameOptions& options,
                SourceLocation at) {
  return group(std::vector<Operation>(all.begin(), all.end()), options, at);
}

Output with_dependencies(const std::vector<Operation>& ops, const Operand& x,
                         const NameOptions& options) {
  require_all(ops, "with_dependencies", x.at());
  x.require("with_dependencies");
  Graph& graph = x.graph();
  const Graph::Transaction whole(graph);
  const Scope scope = graph.name_scope(options.name.empty() ? "control_dependency" : options.name);
  // A variable is read below, after `ops`, and not here; the Identity is colocated with the node
  // that holds it.
  const Scope beside =
      graph.colocate_with(x.variable() ? x.variable()->ref().op() : x.output().op());
  const Scope after = ops.empty() ? Scope() : graph.control_dependencies(ops);
  return identity({x.output(), x.at()}, {.name = scope.name()});
}

std::vector<Output> tuple(const std::vector<Output>& tensors, const NameOptions& options,
                          SourceLocation at) {
  std::vector<Operation> gates;
  for (const Output& tensor : tensors) {
    if (tensor && std::find(gates.begin(), gates.end(), tensor.op()) == gates.end())
      gates.push_back(tensor.op());
  }
  if (gates.empty()) fail(Code::kInvalidArgument, "tuple (", at.str(), "): there is no tensor");
  const Graph::Transaction whole(gates[0].graph());
  const Scope scope = gates[0].graph().name_scope(options.name.empty() ? "tuple" : options.name);
  const Operation gate = group(gates, {}, at);
  std::vector<Output> gated;
  for (const Output& tensor : tensors)
    gated.push_back(tensor ? with_dependencies({gate}, {tensor, at}) : Output());
  return gated;
}

Operation assert_op(const Operand& condition, const std::vector<Output>& data,
                    const AssertOptions& options) {
  condition.require("Assert");
  Graph& graph = condition.graph();
  const Graph::Transaction whole(graph);
  const Scope scope = graph.name_scope(options.name);
  std::vector<Output> inputs = {condition.output()};
  inputs.insert(inputs.end(), data.begin(), data.end());
  return add_operation({graph, condition.at()}, kAssert, inputs, {{"summarize", options.summarize}},
                       "Assert");
}

Output print(const Operand& x, const std::vector<Output>& data, const PrintOptions& options) {
  x.require("Print");
  const Graph::Transaction whole(x.graph());
  std::vector<Output> inputs = {x.output()};
  inputs.insert(inputs.end(), data.begin(), data.end());
  return add_node(kPrint, inputs,
                  {{"message", options.message},
                   {"first_n", options.first_n},
                   {"summarize", options.summarize}},
                  options.name, x.at());
}

Output check_numerics(const Operand& x, std::string_view message, const NameOptions& options) {
  x.require("CheckNumerics");
  const Graph::Transaction whole(x.graph());
  return add_node(kCheckNumerics, {x.output()}, {{"message", message}}, options.name, x.at());
}

std::pair<Output, Output> switch_by(const Operand& x, const Operand& pred,
                                    const SwitchOptions& options) {
  x.require("Switch");
  pred.require("Switch");
  Graph& graph = x.graph();
  const Graph::Transaction whole(graph);
  const Scope none = graph.colocate_with({});
  const Scope beside = options.colocate ? graph.colocate_with(x.output().op()) : Scope();
  const OpDef& op = is_ref(x.output().dtype()) ? kRefSwitch : kSwitch;
  const Operation made =
      add_operation({graph, x.at()}, op, {x.output(), pred.output()}, {}, options.name);
  return {made.output(0), made.output(1)};
}

Merged merge(const std::vector<Output>& inputs, const NameOptions& options, SourceLocation at) {
  const Operation made = add_node(kMerge, inputs, {}, options.name, at).op();
  return {made.output(0), made.output(1)};
}

std::span<const OpDef* const> flow_ops() {
  static constexpr const OpDef* kOps[] = {&kNoOp,          &kControlTrigger, &kAssert,    &kPrint,
                                          &kCheckNumerics, &kSwitch,         &kRefSwitch, &kMerge};
  return kOps;
}

}  // namespace cairn
