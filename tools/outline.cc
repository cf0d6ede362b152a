#include "tools/outline.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_set>

namespace cairn {
namespace {

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::vector<std::string> components(const std::string& name) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    parts.push_back(name.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// "logits_1" -> "logits".
std::string without_number(const std::string& name) {
  const size_t end = name.find_last_not_of("0123456789");
  return end != std::string::npos && end + 1 < name.size() && name[end] == '_' ? name.substr(0, end)
                                                                               : name;
}

std::string in_small_letters(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

// Nodes are identified by Node::id.
class Outliner {
 public:
  Outliner(const Graph& graph, const MetaGraph& meta) : graph_(graph), ops_(graph.operations()) {
    nodes_.resize(ops_.size());
    for (const auto& [name, signature] : meta.signatures()) {
      if (name.starts_with("__")) continue;  // for loaders only
      for (const auto& [key, info] : signature.inputs) signed_inputs_.emplace(info.name, name);
      for (const auto& [key, info] : signature.outputs) signed_outputs_.emplace(info.name, name);
    }
    for (size_t i = 0; i < ops_.size(); ++i) {
      Node& node = nodes_[i];
      for (const Output& input : ops_[i].inputs()) node.inputs.push_back(id(input.op()));
      for (const Operation& control : ops_[i].control_inputs())
        node.controls.push_back(id(control));
      node.role = role_of(ops_[i]);
    }
    find_savers(meta.saver_def());
    for (size_t i = 0; i < nodes_.size(); ++i) {
      for (const size_t input : nodes_[i].inputs) nodes_[input].consumers.push_back(i);
    }
    find_inputs();
    spread();
    find_gradient_roots();
  }

  Outline run() {
    Outline outline;
    outline.losses = losses();
    outline.train_ops = train_ops();
    outline.outputs = outputs(outline.losses);
    outline.inputs = inputs();
    return outline;
  }

 private:
  enum class Role { kForward, kGradient, kUpdate, kSummary, kSaver, kCheck };

  struct Node {
    std::vector<size_t> inputs, controls, consumers;
    Role role = Role::kForward;
    // a bit for each input of the graph that it depends on; the 64th and later inputs share one
    uint64_t fed = 0;
    bool has_state = false;  // depends on a variable
    bool is_input = false;
  };

  static size_t id(const Operation& op) { return static_cast<size_t>(op.node().id); }

  static Role role_of(const Operation& op) {
    const std::string& type = op.type();
    if (has(type, "Apply")) return Role::kUpdate;
    if (type.starts_with("Assign") || type.starts_with("Scatter") || has(type, "ScatterUpdate") ||
        has(type, "AssignVariable") || has(type, "AssignAdd") || has(type, "AssignSub") ||
        has(type, "Enqueue")) {
      return Role::kUpdate;
    }
    if (has(type, "Summary")) return Role::kSummary;
    if (type.starts_with("Save") || type.starts_with("Restore") || type == "MergeV2Checkpoints" ||
        type == "ShardedFilename") {
      return Role::kSaver;
    }
    if (is_one_of(type,
                  {"Assert", "IsVariableInitialized", "VarIsInitializedOp", "Print", "PrintV2"})) {
      return type.starts_with("Print") && op.num_outputs() > 0 ? Role::kForward : Role::kCheck;
    }
    for (const std::string& part : components(op.name())) {
      if (without_number(part) == "gradients" || part == "report_uninitialized_variables")
        return Role::kGradient;
    }
    return Role::kForward;
  }

  static bool is_variable(std::string_view type) {
    return is_one_of(
        type, {"Variable", "VariableV2", "VarHandleOp", "TemporaryVariable", "AutoReloadVariable"});
  }
  // Ops that read a queue, an iterator or a record.
  static bool is_source(std::string_view type) {
    return has(type, "Dequeue") || type.starts_with("IteratorGetNext") ||
           type == "OneShotIteratorGetNext" || type.starts_with("ParseExample") ||
           type.starts_with("ParseSingleExample") || type.starts_with("DecodeCSV");
  }
  static bool is_optional(std::string_view type) { return type == "PlaceholderWithDefault"; }
  static bool is_placeholder(std::string_view type) {
    return is_one_of(type, {"Placeholder", "PlaceholderV2"}) || is_optional(type);
  }

  // Finds the nodes of savers: they are in scopes save, save_1, ..., and the file names the first
  // and last nodes of the last saver.
  void find_savers(const std::optional<SaverDef>& saver) {
    std::set<std::string, std::less<>> scopes, ends;
    for (size_t i = 0; i < ops_.size(); ++i) {
      if (nodes_[i].role == Role::kSaver)
        scopes.insert(ops_[i].name().substr(0, ops_[i].name().rfind('/') + 1));
    }
    if (saver) {
      for (const std::string& name :
           {saver->filename_tensor_name, saver->save_tensor_name, saver->restore_op_name}) {
        ends.insert(name.substr(0, name.find(':')));
      }
    }
    for (size_t i = 0; i < ops_.size(); ++i) {
      const std::string& name = ops_[i].name();
      bool inside = ends.count(name) > 0;
      size_t begin = 0;
      for (int depth = 0; !inside && depth < 16; ++depth) {
        const size_t slash = name.find('/', begin);
        if (slash == std::string::npos) break;
        inside = without_number(name.substr(begin, slash - begin)) == "save" &&
                 scopes.count(std::string_view(name).substr(0, slash + 1)) > 0;
        begin = slash + 1;
      }
      if (inside) nodes_[i].role = Role::kSaver;
    }
  }

  // True for a placeholder that only fills a queue: the model reads the queue.
  bool only_fills_queue(size_t node) const {
    const auto& consumers = nodes_[node].consumers;
    return !consumers.empty() && std::all_of(consumers.begin(), consumers.end(), [&](size_t c) {
      return has(ops_[c].type(), "Enqueue");
    });
  }

  // True for a source whose values another source reads.
  bool feeds_source(size_t source) const {
    constexpr size_t kMostVisits = 1000;
    std::vector<size_t> open = {source};
    std::unordered_set<size_t> seen;
    while (!open.empty() && seen.size() < kMostVisits) {
      const size_t at = open.back();
      open.pop_back();
      for (const size_t next : nodes_[at].consumers) {
        if (has(ops_[next].type(), "Enqueue") || is_source(ops_[next].type())) return true;
        if (seen.insert(next).second) open.push_back(next);
      }
    }
    return false;
  }

  void find_inputs() {
    for (size_t i = 0; i < ops_.size(); ++i) {
      const std::string& type = ops_[i].type();
      if ((!is_placeholder(type) && !is_source(type)) || !forward(i)) continue;
      nodes_[i].is_input = true;
      nodes_[i].fed |= uint64_t{1} << std::min<size_t>(inputs_.size(), 63);
      inputs_.push_back(i);
    }
  }

  // Finds the inputs and variables that the value of each node depends on. Values do not pass
  // through updates, checks and ops that read shapes only.
  void spread() {
    std::deque<size_t> open;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].has_state = is_variable(ops_[i].type());
      if (nodes_[i].fed != 0 || nodes_[i].has_state) open.push_back(i);
    }
    while (!open.empty()) {
      const size_t at = open.front();
      open.pop_front();
      if (nodes_[at].role == Role::kUpdate || nodes_[at].role == Role::kCheck) continue;
      if (is_one_of(ops_[at].type(), {"Shape", "ShapeN", "Size", "Rank"})) continue;
      for (const size_t next : nodes_[at].consumers) {
        Node& node = nodes_[next];
        const uint64_t fed = node.fed | nodes_[at].fed;
        const bool state = node.has_state || nodes_[at].has_state;
        if (fed == node.fed && state == node.has_state) continue;
        node.fed = fed;
        node.has_state = state;
        open.push_back(next);
      }
    }
  }

  bool forward(size_t node) const {
    return nodes_[node].role == Role::kForward && ops_[node].num_outputs() > 0;
  }
  bool has_values(size_t node) const {
    return base_dtype(ops_[node].output(0).dtype()) != DType::kResource &&
           base_dtype(ops_[node].output(0).dtype()) != DType::kVariant;
  }
  bool forward_consumed(size_t node) const {
    return std::any_of(nodes_[node].consumers.begin(), nodes_[node].consumers.end(), [&](size_t c) {
      return nodes_[c].role != Role::kGradient && nodes_[c].role != Role::kSummary;
    });
  }

  OutlineItem item(const Output& tensor, std::string why = "") const {
    return {tensor.name(), base_dtype(tensor.dtype()), tensor.shape(), std::move(why)};
  }

  // ---- losses

  // Finds the tensors y whose gradients are computed. Gradients of y begin with a node
  // "gradients/Fill" in the shape of y. y is the input of the node that computes this shape, or the
  // op after which the first gradient is named.
  void find_gradient_roots() {
    for (size_t i = 0; i < ops_.size(); ++i) {
      const std::string& name = ops_[i].name();
      const size_t slash = name.rfind('/');
      if (slash == std::string::npos || nodes_[i].role != Role::kGradient) continue;
      const std::vector<std::string> parts = components(name);
      const bool begins =
          without_number(parts[parts.size() - 2]) == "gradients" &&
          is_one_of(without_number(parts.back()), {"Fill", "grad_ys", "ones_like", "OnesLike"});
      if (!begins) continue;
      const std::string scope = name.substr(0, slash + 1);
      for (const size_t shape : nodes_[i].inputs) {
        const bool asks =
            is_one_of(ops_[shape].type(), {"Shape", "OnesLike"}) && !nodes_[shape].inputs.empty();
        if (asks) add_root(nodes_[shape].inputs[0]);
      }
      if (ops_[i].type() == "OnesLike") add_root(nodes_[i].inputs[0]);
      std::set<size_t> first;
      for (const size_t consumer : nodes_[i].consumers) {
        const std::string& grad = ops_[consumer].name();
        if (!grad.starts_with(scope)) continue;
        const size_t end = grad.rfind("_grad/");
        const std::string of =
            end == std::string::npos ? "" : grad.substr(scope.size(), end - scope.size());
        if (graph_.contains(of)) first.insert(id(graph_.find_op(of)));
      }
      if (first.size() == 1) add_root(*first.begin());
      if (first.size() < 2) continue;
      for (const size_t sum : nodes_[*first.begin()].consumers) {  // several ops of one sum
        if (forward(sum) && ops_[sum].type().starts_with("Add")) add_root(sum);
      }
    }
  }

  void add_root(size_t node) {
    if (forward(node) && known_roots_.insert(node).second) roots_.push_back(node);
  }

  std::vector<OutlineItem> losses() const {
    std::vector<OutlineItem> found;
    std::set<std::string> names;
    const auto add = [&](const Output& tensor, const char* why) {
      if (names.insert(tensor.name()).second) found.push_back(item(tensor, why));
    };
    for (const size_t root : roots_) add(ops_[root].output(0), "gradients begin here");
    for (const CollectionItem& one : graph_.items(GraphKeys::kLosses)) {
      if (const auto* tensor = std::get_if<Output>(&one)) add(*tensor, "in the collection losses");
    }
    for (size_t i = 0; i < ops_.size(); ++i) {
      if (!forward(i) || (!nodes_[i].has_state && nodes_[i].fed == 0) ||
          !is_floating(ops_[i].output(0).dtype()))
        continue;
      if (ops_[i].output(0).shape().has_rank() && ops_[i].output(0).shape().rank() > 0) continue;
      if (is_variable(ops_[i].type()) || nodes_[i].is_input || plain_read(i) || !called_loss(i))
        continue;
      add(ops_[i].output(0), "by its name");
    }
    return found;
  }

  // True if the node has the name of a loss, or is the last node in a scope with such a name.
  bool called_loss(size_t node) const {
    const auto called = [](const std::string& part) {
      const std::string word = in_small_letters(without_number(part));
      return is_one_of(word, {"loss", "losses", "cost", "objective", "cross_entropy",
                              "crossentropy", "error", "mse"}) ||
             word.ends_with("_loss") || word.starts_with("loss_") || word.ends_with("_cost");
    };
    const std::vector<std::string> parts = components(ops_[node].name());
    if (called(parts.back())) return true;
    if (parts.size() < 2 || !called(parts[parts.size() - 2])) return false;
    const std::string scope = ops_[node].name().substr(0, ops_[node].name().rfind('/') + 1);
    const auto& consumers = nodes_[node].consumers;
    return std::none_of(consumers.begin(), consumers.end(),
                        [&](size_t c) { return ops_[c].name().starts_with(scope) && forward(c); });
  }

  // ---- training

  std::vector<OutlineItem> train_ops() const {
    std::vector<OutlineItem> found;
    std::set<std::string> names;
    const auto add = [&](const Operation& op, const char* why) {
      if (names.insert(op.name()).second) found.push_back({op.name(), DType::kInvalid, {}, why});
    };
    for (const CollectionItem& one : graph_.items(GraphKeys::kTrainOp)) {
      if (const auto* op = std::get_if<Operation>(&one)) add(*op, "in the collection train_op");
      if (const auto* tensor = std::get_if<Output>(&one))
        add(tensor->op(), "in the collection train_op");
    }
    std::vector<bool> updating(nodes_.size()), waited_for(nodes_.size());
    for (size_t i = 0; i < nodes_.size(); ++i) {
      updating[i] = has(ops_[i].type(), "Apply");
      for (const auto* before : {&nodes_[i].inputs, &nodes_[i].controls}) {
        for (const size_t b : *before) {
          if (!updating[b]) continue;
          updating[i] = true;
          waited_for[b] = true;
        }
      }
    }
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (updating[i] && !waited_for[i]) add(ops_[i], "updates variables");
    }
    return found;
  }

  // ---- outputs

  // Weights: not scalars, depend on variables (in a frozen graph on large constants), not on
  // inputs.
  bool weights(size_t node) const {
    if (!forward(node) || nodes_[node].fed != 0) return false;
    const Shape& shape = ops_[node].output(0).shape();
    if (shape.has_rank() && shape.rank() == 0) return false;
    return nodes_[node].has_state;
  }

  // The last layers: nodes that combine values of inputs with weights, and that no such node
  // follows.
  std::vector<size_t> last_layers() const {
    std::vector<bool> layer(nodes_.size()), before(nodes_.size());
    std::deque<size_t> open;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!forward(i) || !has_values(i) || nodes_[i].fed == 0) continue;
      const Shape& shape = ops_[i].output(0).shape();
      if (shape.has_rank() && shape.rank() == 0) continue;
      const auto& inputs = nodes_[i].inputs;
      layer[i] =
          std::any_of(inputs.begin(), inputs.end(), [&](size_t n) { return weights(n); }) &&
          std::any_of(inputs.begin(), inputs.end(), [&](size_t n) { return nodes_[n].fed != 0; });
      if (layer[i]) open.push_back(i);
    }
    while (!open.empty()) {
      const size_t at = open.front();
      open.pop_front();
      for (const size_t input : nodes_[at].inputs) {
        if (before[input]) continue;
        before[input] = true;
        open.push_back(input);
      }
    }
    std::vector<size_t> last;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (layer[i] && !before[i]) last.push_back(i);
    }
    return last;
  }

  static bool called_output(const std::string& name) {
    const std::vector<std::string> parts = components(name);
    for (size_t back = 1; back <= std::min<size_t>(2, parts.size()); ++back) {
      const std::string word = in_small_letters(without_number(parts[parts.size() - back]));
      for (const char* telling : {"logit", "predict", "prob", "softmax", "output", "score",
                                  "classes", "final_result", "y_pred", "y_hat", "y_conv", "pred"}) {
        if (word.starts_with(telling)) return true;
      }
    }
    return false;
  }

  // True if the node only reads a variable.
  bool plain_read(size_t node) const {
    const std::string& type = ops_[node].type();
    return type == "ReadVariableOp" ||
           (type == "Identity" && is_variable(ops_[nodes_[node].inputs[0]].type()));
  }

  // True for nodes whose value is not a result of a model.
  bool is_bookkeeping(size_t node) const {
    const std::string &type = ops_[node].type(), &name = ops_[node].name();
    for (const char* end : {"/switch_t", "/switch_f", "/pred_id"}) {
      if (name.ends_with(end)) return true;
    }
    return has(name, "/AssertGuard/") || has(name, "/Assert/") || is_variable(type) ||
           is_one_of(type, {"Shape", "ShapeN", "Size", "Rank", "Switch", "RefSwitch", "Merge",
                            "LoopCond", "Enter", "Exit", "NextIteration", "NoOp", "Const",
                            "StopGradient", "RefEnter", "BroadcastGradientArgs"});
  }

  // A score for each node: how likely a user wants to fetch it; 0: not at all.
  std::vector<int> scores() const {
    constexpr int kSink = 2, kNamed = 2, kLayer = 4, kActivation = 6, kSigned = 20;
    std::vector<int> score(nodes_.size());
    for (const size_t layer : last_layers()) score[layer] = kLayer;
    for (const size_t activation : activations(last_layers())) score[activation] = kActivation;
    const bool any_state =
        std::any_of(nodes_.begin(), nodes_.end(), [](const Node& n) { return n.has_state; });
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!forward(i) || !has_values(i) || is_bookkeeping(i) || nodes_[i].is_input || plain_read(i))
        continue;
      const bool depends =
          !inputs_.empty() ? nodes_[i].fed != 0 : nodes_[i].has_state || !any_state;
      if (!depends) continue;
      if (!forward_consumed(i)) score[i] += kSink;
      if (score[i] > 0 && called_output(ops_[i].name())) score[i] += kNamed;
    }
    for (const auto& [name, signature] : signed_outputs_) {
      const std::string node = name.substr(0, name.find(':'));
      if (graph_.contains(node)) score[id(graph_.find_op(node))] = kSigned;
    }
    return score;
  }

  // Activations (Softmax and others) after the last layers that depend on no further input.
  std::vector<size_t> activations(const std::vector<size_t>& layers) const {
    constexpr size_t kMostVisits = 100000;  // a bound on the time for huge graphs
    std::vector<size_t> found;
    size_t visits = 0;
    for (const size_t layer : layers) {
      std::vector<size_t> open = {layer};
      std::unordered_set<size_t> seen;
      while (!open.empty() && ++visits < kMostVisits) {
        const size_t at = open.back();
        open.pop_back();
        for (const size_t next : nodes_[at].consumers) {
          if (!forward(next) || nodes_[next].fed != nodes_[layer].fed || !seen.insert(next).second)
            continue;
          open.push_back(next);
          const bool tells = is_one_of(ops_[next].type(),
                                       {"Softmax", "Sigmoid", "ArgMax", "TopK", "TopKV2", "Tanh"});
          if (tells) found.push_back(next);
        }
      }
    }
    return found;
  }

  std::vector<OutlineItem> outputs(const std::vector<OutlineItem>& losses) const {
    const std::vector<int> score = scores();
    std::set<std::string> taken;
    for (const OutlineItem& loss : losses) taken.insert(loss.name);
    std::vector<size_t> order;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (score[i] > 0 && !taken.count(ops_[i].output(0).name())) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return score[a] > score[b]; });
    std::vector<OutlineItem> found;
    for (const size_t i : order) {
      const int outputs = ops_[i].type().starts_with("FusedBatchNorm") ? 1 : ops_[i].num_outputs();
      for (int out = 0; out < outputs; ++out) {
        const auto by = signed_outputs_.find(ops_[i].output(out).name());
        found.push_back(item(ops_[i].output(out),
                             by == signed_outputs_.end() ? "" : "in the signature " + by->second));
      }
    }
    return found;
  }

  // ---- inputs

  std::vector<OutlineItem> inputs() const {
    std::vector<std::pair<int, OutlineItem>> ranked;
    for (const size_t i : inputs_) {
      const std::string& type = ops_[i].type();
      const Shape& shape = ops_[i].output(0).shape();
      const bool scalar = shape.has_rank() && shape.rank() == 0;
      const bool used = !nodes_[i].consumers.empty();
      const bool filling = only_fills_queue(i);
      const int rank = filling             ? 5
                       : is_source(type)   ? 3 + feeds_source(i)
                       : is_optional(type) ? 2
                       : !used             ? 6
                                           : scalar;
      const char* why = filling             ? "fills a queue"
                        : is_source(type)   ? "read by the graph; may be fed"
                        : is_optional(type) ? "has a default"
                        : !used             ? "nothing reads it"
                                            : "";
      for (int out = 0; out < ops_[i].num_outputs(); ++out)
        ranked.emplace_back(rank, item(ops_[i].output(out), why));
    }
    for (const auto& [name, signature] : signed_inputs_) add_signed(name, signature, ranked);
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<OutlineItem> found;
    for (auto& [rank, one] : ranked) found.push_back(std::move(one));
    return found;
  }

  // Inputs of signatures come first; they need not be placeholders.
  void add_signed(const std::string& name, const std::string& signature,
                  std::vector<std::pair<int, OutlineItem>>& ranked) const {
    const std::string why = "in the signature " + signature;
    const auto listed = std::find_if(ranked.begin(), ranked.end(),
                                     [&](const auto& one) { return one.second.name == name; });
    if (listed != ranked.end()) {
      listed->first = -1;
      listed->second.why = why;
      return;
    }
    const size_t colon = name.rfind(':');
    if (colon == std::string::npos || !graph_.contains(name.substr(0, colon))) return;
    const Operation op = graph_.find_op(name.substr(0, colon));
    for (int out = 0; out < op.num_outputs(); ++out) {
      if (op.output(out).name() == name) ranked.emplace_back(-1, item(op.output(out), why));
    }
  }

  const Graph& graph_;
  const std::vector<Operation> ops_;
  std::vector<Node> nodes_;
  std::vector<size_t> inputs_, roots_;
  std::unordered_set<size_t> known_roots_;
  // a tensor and a signature that names it
  std::map<std::string, std::string> signed_inputs_, signed_outputs_;
};

}  // namespace

Outline outline_of(const Graph& graph, const MetaGraph& meta) {
  return Outliner(graph, meta).run();
}

}  // namespace cairn
