#include "ops/core/gradients.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "ops/array/array.h"
#include "ops/core/building.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "runtime/exec/context.h"

namespace cairn {
namespace {

bool is_trainable(DType dtype) {
  const DType base = base_dtype(dtype);
  return base == DType::kHalf || base == DType::kFloat || base == DType::kDouble ||
         is_complex(base) || base == DType::kResource || base == DType::kVariant;
}
bool carries_gradients(DType dtype) {
  return is_trainable(dtype) || base_dtype(dtype) == DType::kBFloat16;
}

using NodeSet = std::unordered_set<const Node*>;

// The nodes between xs and ys: reachable from an x by tensors that carry gradients, and leading to
// a y. Gradients are added from the ys backwards: a node is visited once all its consumers are
// done, so that its incoming gradients are complete.
class Differentiator {
 public:
  Differentiator(Graph& graph, const std::vector<Output>& ys, const std::vector<GradientTarget>& xs,
                 const GradientsOptions& options, SourceLocation at);

  std::vector<Output> run();

 private:
  void find_reached();
  void count_pending();
  void find_stops();
  void refuse_ops_without_gradient() const;
  std::string path_through(const Node& node) const;
  void start();
  void visit(const Node& node);
  void aggregate(const Node& node);
  Grads differentiate(const Node& node);
  void add(Endpoint e, const Output& grad);

  Graph& graph_;
  const std::vector<Output>& ys_;
  const std::vector<GradientTarget>& xs_;
  const GradientsOptions& options_;
  SourceLocation at_;
  NodeSet reached_, between_, stops_;
  std::unordered_map<const Node*, int> pending_;
  // The gradients that arrived at each output of a node; once it was visited at most one for each.
  std::unordered_map<const Node*, std::vector<std::vector<Output>>> grads_;
};

Differentiator::Differentiator(Graph& graph, const std::vector<Output>& ys,
                               const std::vector<GradientTarget>& xs,
                               const GradientsOptions& options, SourceLocation at)
    : graph_(graph), ys_(ys), xs_(xs), options_(options), at_(at) {
  const auto check = [&](const Output& given) {
    Operand(given, at).require("gradients");
    graph.check_owns(given, "gradients");
  };
  for (const Output& y : ys) check(y);
  for (const GradientTarget& x : xs) check(x.output());
  for (const Output& stop : options.stop_gradients) check(stop);
  if (!options.grad_ys.empty() && options.grad_ys.size() != ys.size())
    fail(Code::kInvalidArgument, "gradients (", at.str(), "): ", ys.size(), " ys, but ",
         options.grad_ys.size(), " grad_ys");
  for (size_t i = 0; i < options.grad_ys.size(); ++i) {
    const Output &dy = options.grad_ys[i], &y = ys[i];
    if (!dy) continue;
    graph.check_owns(dy, "gradients");
    if (base_dtype(dy.dtype()) != base_dtype(y.dtype()) ||
        !dy.shape().is_compatible_with(y.shape())) {
      fail(Code::kInvalidArgument, "gradients (", at.str(), "): '", dy.name(), "' is ",
           base_dtype(dy.dtype()), " ", dy.shape(), ", but the gradient of '", y.name(), "' is ",
           base_dtype(y.dtype()), " ", y.shape());
    }
  }
}

// The nodes that an x reaches: first the consumers of all nodes that the ys depend on, then the way
// from the xs along them. The rest of the graph costs nothing. A queue instead of recursion, here
// and below: a graph may be as deep as it is large.
void Differentiator::find_reached() {
  std::unordered_map<const Node*, std::vector<const Node*>> consumers;
  NodeSet seen;
  std::vector<const Node*> queue;
  for (const Output& y : ys_) queue.push_back(&y.node());
  while (!queue.empty()) {
    const Node* node = queue.back();
    queue.pop_back();
    if (!seen.insert(node).second) continue;
    for (const Endpoint& e : node->inputs) {
      queue.push_back(e.node);
      if (carries_gradients(e.node->output_dtypes[static_cast<size_t>(e.index)]))
        consumers[e.node].push_back(node);
    }
  }
  for (const GradientTarget& x : xs_) queue.push_back(&x.output().node());
  while (!queue.empty()) {
    const Node* node = queue.back();
    queue.pop_back();
    if (!reached_.insert(node).second) continue;
    const auto at = consumers.find(node);
    if (at != consumers.end()) queue.insert(queue.end(), at->second.begin(), at->second.end());
  }
}

// For each node the number of edges by which gradients will arrive: one for each use, as an op may
// take a tensor twice.
void Differentiator::count_pending() {
  std::vector<const Node*> queue;
  for (const Output& y : ys_) queue.push_back(&y.node());
  while (!queue.empty()) {
    const Node* node = queue.back();
    queue.pop_back();
    if (reached_.count(node) == 0 || !between_.insert(node).second) continue;
    for (const Endpoint& e : node->inputs) queue.push_back(e.node);
  }
  for (const Node* node : between_) {
    for (const Endpoint& e : node->inputs) {
      if (between_.count(e.node) > 0) ++pending_[e.node];
    }
  }
}

// Propagation stops at an x unless the gradient of another x needs it to continue.
void Differentiator::find_stops() {
  for (const GradientTarget& x : xs_) {
    const Node& node = x.output().node();
    const bool goes_on = std::any_of(node.inputs.begin(), node.inputs.end(),
                                     [&](const Endpoint& e) { return pending_.count(e.node) > 0; });
    if (!goes_on) stops_.insert(&node);
  }
  for (const Output& stop : options_.stop_gradients) stops_.insert(&stop.node());
}

bool has_gradient(const Node& node) { return node.op->def && node.op->def->gradient; }

// Runs before any node is added, and names all faulty ops in one error. Inputs of an op that is
// declared not_differentiable are not searched: no gradient passes it.
void Differentiator::refuse_ops_without_gradient() const {
  std::vector<const Node*> refused, queue;
  NodeSet seen;
  for (const Output& y : ys_) queue.push_back(&y.node());
  while (!queue.empty()) {
    const Node* node = queue.back();
    queue.pop_back();
    if (between_.count(node) == 0 || stops_.count(node) > 0 || !seen.insert(node).second) continue;
    if (!has_gradient(*node)) {
      refused.push_back(node);
    } else if (node->op->def->gradient == not_differentiable) {
      continue;
    }
    for (const Endpoint& e : node->inputs) {
      if (carries_gradients(e.node->output_dtypes[static_cast<size_t>(e.index)]))
        queue.push_back(e.node);
    }
  }
  if (refused.empty()) return;
  std::sort(refused.begin(), refused.end(),
            [](const Node* a, const Node* b) { return a->id < b->id; });
  std::string message = "gradients";
  if (at_.known()) message += " (" + at_.str() + ")";
  message += refused.size() == 1 ? ": an op has no gradient:" : ": ops have no gradient:";
  for (const Node* node : refused)
    message += "\n  " + node->str() + ", on the path " + path_through(*node);
  throw Error(Code::kInvalidArgument, message, refused[0]->name);
}

// The shortest path from `node` to one of `ends`, within `inside`, by `next`, found breadth first:
// its nodes without `node` itself.
template <class Next>
std::vector<const Node*> shortest_way(const Node& node, const NodeSet& ends, const NodeSet& inside,
                                      const Next& next) {
  std::unordered_map<const Node*, const Node*> from = {{&node, nullptr}};
  std::deque<const Node*> queue = {&node};
  while (!queue.empty()) {
    const Node* at = queue.front();
    queue.pop_front();
    if (ends.count(at) > 0) {
      std::vector<const Node*> way;
      for (; at != &node; at = from.at(at)) way.push_back(at);
      std::reverse(way.begin(), way.end());
      return way;
    }
    for (const Node* neighbour : next(*at)) {
      if (inside.count(neighbour) > 0 && from.emplace(neighbour, at).second)
        queue.push_back(neighbour);
    }
  }
  return {};
}

std::string Differentiator::path_through(const Node& node) const {
  NodeSet xs, ys;
  for (const GradientTarget& x : xs_) xs.insert(&x.output().node());
  for (const Output& y : ys_) ys.insert(&y.node());
  std::unordered_map<const Node*, std::vector<const Node*>> consumers;
  for (const Node* n : between_) {
    for (const Endpoint& e : n->inputs) consumers[e.node].push_back(n);
  }
  const auto inputs_of = [](const Node& n) {
    std::vector<const Node*> inputs;
    for (const Endpoint& e : n.inputs) inputs.push_back(e.node);
    return inputs;
  };
  auto up = shortest_way(node, ys, between_, [&](const Node& n) { return consumers[&n]; });
  const auto down = shortest_way(node, xs, between_, inputs_of);
  std::reverse(up.begin(), up.end());
  up.push_back(&node);
  up.insert(up.end(), down.begin(), down.end());
  // Of a longer path the first and the last six nodes are printed.
  constexpr size_t kMost = 12;
  std::string path;
  for (size_t i = 0; i < up.size(); ++i) {
    if (up.size() > kMost && i == kMost / 2) {
      path += " <- ...";
      i = up.size() - kMost / 2;
    }
    path += (i == 0 ? "'" : " <- '") + up[i]->name + "'";
  }
  return path;
}

void Differentiator::start() {
  for (size_t i = 0; i < ys_.size(); ++i) {
    const Output& y = ys_[i];
    const Scope beside =
        options_.colocate_gradients_with_ops ? graph_.colocate_with(y.op()) : Scope();
    const std::string name = str_cat("grad_ys_", i);
    if (i < options_.grad_ys.size() && options_.grad_ys[i]) {
      add(y.endpoint(), identity({options_.grad_ys[i], at_}, {.name = name}));
    } else {
      const Output extents = extents_of({y, at_});
      add(y.endpoint(), fill(extents, Operand(1, at_).in(graph_, y.dtype(), name)));
    }
  }
}

void Differentiator::add(Endpoint e, const Output& grad) {
  auto& outputs = grads_[e.node];
  outputs.resize(static_cast<size_t>(e.node->num_outputs()));
  outputs[static_cast<size_t>(e.index)].push_back(grad);
}

// Several gradients of one output: replaces them by their sum, colocated with the first.
void Differentiator::aggregate(const Node& node) {
  auto& outputs = grads_[&node];
  outputs.resize(static_cast<size_t>(node.num_outputs()));
  for (std::vector<Output>& arrived : outputs) {
    if (arrived.size() < 2) continue;
    const Scope nowhere = graph_.colocate_with({});
    const Scope beside = graph_.colocate_with(arrived[0].op());
    arrived = {add_n(arrived, {}, at_)};
  }
}

Grads Differentiator::differentiate(const Node& node) {
  const Operation op = graph_.handle(node);
  Grads dy;
  bool any = false;
  auto& arrived = grads_[&node];
  for (auto& grads : arrived) any = any || !grads.empty();
  if (!any || stops_.count(&node) > 0) return {};
  for (size_t i = 0; i < arrived.size(); ++i) {
    const bool has_zeros = is_trainable(node.output_dtypes[i]) &&
                           base_dtype(node.output_dtypes[i]) != DType::kResource;
    // An output that nothing used: zeros for the gradient function, made outside of the op's scope
    // and always as a node, as in TensorFlow.
    if (arrived[i].empty() && has_zeros) {
      arrived[i] = {zeros_like({op.output(static_cast<int>(i)), at_}, {.optimize = false})};
    }
    dy.push_back(arrived[i].empty() ? Output() : arrived[i][0]);
  }
  const Scope scope = graph_.name_scope(node.name + "_grad");
  Grads grads = node.op->def->gradient(op, dy);
  if (grads.size() != node.inputs.size()) {
    fail_at(node, Code::kInternal,
            str_cat("its gradient gave ", grads.size(), " tensors for ", node.inputs.size(),
                    node.inputs.size() == 1 ? " input" : " inputs"));
  }
  const auto flows =
      std::count_if(grads.begin(), grads.end(), [](const Output& grad) { return bool(grad); });
  if (options_.gate_gradients && flows > 1) {
    const Scope nowhere = graph_.colocate_with({});
    const Scope anywhere = graph_.device("");
    grads = tuple(grads, {}, at_);
  }
  return grads;
}

void Differentiator::visit(const Node& node) {
  const Scope beside =
      options_.colocate_gradients_with_ops ? graph_.colocate_with(graph_.handle(node)) : Scope();
  aggregate(node);
  const Grads grads = differentiate(node);
  for (size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i]) continue;
    const Endpoint& e = node.inputs[i];
    const Shape& shape = e.node->output_shapes[static_cast<size_t>(e.index)];
    if (base_dtype(e.node->output_dtypes[static_cast<size_t>(e.index)]) != DType::kResource &&
        !grads[i].shape().is_compatible_with(shape)) {
      // The shapes in a file may not be those of its nodes.
      fail_at(node, Code::kInvalidArgument,
              str_cat("its gradient for input ", i, " is of shape ", grads[i].shape(),
                      ", the input of shape ", shape));
    }
    add(e, grads[i]);
  }
}

std::vector<Output> Differentiator::run() {
  find_reached();
  count_pending();
  find_stops();
  refuse_ops_without_gradient();
  const Scope scope = graph_.name_scope(options_.name);
  start();
  // Nodes are visited in the order of TensorFlow's Python: the names of the new nodes depend on it.
  std::deque<const Node*> ready;
  NodeSet queued;
  for (const Output& y : ys_) {
    const Node* node = &y.node();
    if (pending_.count(node) == 0 && between_.count(node) > 0 && queued.insert(node).second)
      ready.push_back(node);
  }
  while (!ready.empty()) {
    const Node* node = ready.front();
    ready.pop_front();
    visit(*node);
    for (const Endpoint& e : node->inputs) {
      const auto left = pending_.find(e.node);
      if (left != pending_.end() && --left->second == 0) ready.push_back(e.node);
    }
  }
  std::vector<Output> found;
  for (const GradientTarget& x : xs_) {
    const auto grads = grads_.find(&x.output().node());
    const bool flows = between_.count(&x.output().node()) > 0 && grads != grads_.end() &&
                       !grads->second[static_cast<size_t>(x.output().index())].empty();
    found.push_back(flows ? grads->second[static_cast<size_t>(x.output().index())][0] : Output());
  }
  return found;
}

}  // namespace

std::vector<Output> gradients(const std::vector<Output>& ys, const std::vector<GradientTarget>& xs,
                              const GradientsOptions& options, SourceLocation at) {
  if (ys.empty()) fail(Code::kInvalidArgument, "gradients (", at.str(), "): there is no y");
  Operand(ys[0], at).require("gradients");
  const Graph::Transaction whole(ys[0].graph(), at);
  return Differentiator(ys[0].graph(), ys, xs, options, at).run();
}

}  // namespace cairn
