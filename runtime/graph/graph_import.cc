// Graph::import_nodes: adds the nodes of a file, which may be in any order, and may be damaged.
#include <algorithm>
#include <queue>

#include "runtime/base/text.h"
#include "runtime/graph/graph.h"
#include "runtime/graph/name_table.h"
#include "runtime/graph/shape_context.h"
#include "runtime/graph/signature.h"

namespace cairn {

class GraphImporter {
 public:
  GraphImporter(Graph& graph, std::vector<ImportedNode> given, const OpSet& ops,
                std::vector<Op> carried)
      : graph_(graph),
        given_(std::move(given)),
        ops_(ops),
        outputs_left_((1 << 18) + 16 * static_cast<int64_t>(given_.size())) {
    for (Op& op : carried) {
      auto& described = described_[op.name];
      if (!described) described = std::make_unique<Op>(std::move(op));
    }
  }

  std::vector<Operation> run() {
    const Graph::Transaction whole(graph_);
    if (!given_.empty()) graph_.about_to_change(given_[0].op, given_[0].name);
    make_nodes();
    report();
    link();
    report();
    try {
      for (size_t i : order()) bind(i);
      check_indices();
      report();
    } catch (...) {
      forget_static_values();
      throw;
    }
    return land();
  }

  // See internal::why_carried.
  static std::string why_carried(const Graph& graph, const Node& node) {
    const Op* known = nullptr;
    {
      std::shared_lock lock(graph.mutex_);
      for (const auto& [def, op] : graph.data_.parsed) {
        if (op->name == node.op->name) known = op.get();
      }
    }
    if (!known) return "";
    std::vector<std::string> attrs;
    for (const std::string& name : internal::foreign_attrs(node.attrs, *known, node.op)) {
      attrs.push_back("'" + name + "' = " + node.attrs.find(name)->str());
    }
    if (lacks_value(node))
      return "with a value that was not read, as the graph was only to be looked at";
    if (!attrs.empty()) {
      return str_cat("with ", attrs.size() == 1 ? "an attribute" : "attributes",
                     " that this build's ", known->name,
                     " does not have: ", join_for_people(attrs));
    }
    Node as_known;
    as_known.name = node.name;
    as_known.op = known;
    as_known.inputs = node.inputs;
    as_known.attrs = node.attrs;
    try {
      internal::bind_signature(as_known, /*strict=*/false);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }

 private:
  void wrong(const ImportedNode& node, const std::string& message) {
    errors_.push_back(
        str_cat(printable(node.op), " '", printable(node.name), "': ", printable(message)));
  }

  void report() const {
    if (errors_.empty()) return;
    constexpr size_t kShown = 20;
    std::string text =
        str_cat("cannot import ", given_.size(), given_.size() == 1 ? " node" : " nodes",
                "; nothing was added to the graph:");
    for (size_t i = 0; i < errors_.size() && i < kShown; ++i) text += "\n  " + errors_[i];
    if (errors_.size() > kShown) text += str_cat("\n  and ", errors_.size() - kShown, " more");
    throw Error(Code::kInvalidArgument, text);
  }

  // Removes the static values that shape functions computed for nodes that are not added after all.
  void forget_static_values() {
    std::lock_guard lock(graph_.static_mutex_);
    for (const auto& node : nodes_) graph_.data_.static_values.erase(node.get());
  }

  void check_name(const ImportedNode& from, const Node& node) {
    const internal::NameTable::Hashed name(node.name);
    if (!is_valid_node_name(node.name)) wrong(from, "this is not a valid name for a node");
    if (names_.find(name)) return wrong(from, "two nodes have this name");
    if (graph_.data_.names->find(name)) {
      wrong(from, "the graph has a node of this name; reset the graph, or import under a scope");
    }
    names_.take(name, &node);
  }

  // An op without a description: nodes get as many outputs, of unknown dtype, as are used.
  const Op* undescribed(const std::string& name) {
    auto op = std::make_unique<Op>();
    op->name = name;
    return (described_[name] = std::move(op)).get();
  }

  void make_nodes() {
    file_shapes_.resize(given_.size());
    for (ImportedNode& from : given_) {
      auto node = std::make_unique<Node>();
      node->id = static_cast<int>(graph_.data_.nodes.size() + nodes_.size());
      node->name = from.name;
      check_name(from, *node);
      node->imported = true;
      node->device = std::move(from.device);
      node->unknown_fields = std::move(from.unknown_fields);
      node->attrs = std::move(from.attrs);
      if (const Attr* shapes = node->attrs.find("_output_shapes")) {
        if (const auto* list = shapes->get<std::vector<Shape>>())
          file_shapes_[nodes_.size()] = *list;
        node->attrs.erase("_output_shapes");
      }
      const OpDef* def = ops_.find(from.op);
      const auto told = described_.find(from.op);
      if (from.op.empty()) {
        wrong(from, "it names no op");
        node->op = undescribed("");
      } else if (def) {
        node->op = &graph_.parsed(*def);
      } else {
        node->op = told != described_.end() ? told->second.get() : undescribed(from.op);
      }
      nodes_.push_back(std::move(node));
    }
  }

  void link() {
    for (size_t i = 0; i < given_.size(); ++i) {
      const auto& outside = given_[i].outside;
      for (size_t k = 0; k < given_[i].inputs.size(); ++k) {
        const auto there = outside.find(k);
        there == outside.end() ? link_input(i, given_[i].inputs[k])
                               : link_outside(i, given_[i].inputs[k], there->second);
      }
    }
  }

  void link_outside(size_t i, const std::string& input, const Output& from) {
    graph_.check_owns(from,
                      str_cat("what input '", input, "' of '", given_[i].name, "' is to read"));
    if (input[0] == '^') return nodes_[i]->control_inputs.push_back(&from.node());
    if (is_data_after_control(i, input)) return;
    nodes_[i]->inputs.push_back(from.endpoint());
  }

  bool is_data_after_control(size_t i, const std::string& input) {
    if (nodes_[i]->control_inputs.empty()) return false;
    wrong(given_[i], str_cat("data input '", input, "' follows a control input"));
    return true;
  }

  // If the graph has a node of that name, the file may be truncated, or the program may have
  // forgotten to map the input to that node: the message says how.
  void missing(size_t i, const char* what, const std::string& input, std::string_view name) {
    const bool in_graph = graph_.data_.names->find(name) != nullptr;
    wrong(given_[i],
          str_cat(
              "there is no node for its ", what, " '", input, "'",
              in_graph
                  ? " among those imported; to have it read the graph's own node of that name, say "
                    "so (.input_map)"
                  : ""));
  }

  void link_input(size_t i, const std::string& input) {
    Node& node = *nodes_[i];
    if (!input.empty() && input[0] == '^') {
      const auto name = std::string_view(input).substr(1);
      const Node* from = names_.find(std::string_view(name));
      if (!from) return missing(i, "control input", input, name);
      node.control_inputs.push_back(from);
      return;
    }
    if (is_data_after_control(i, input)) return;
    const size_t colon = input.rfind(':');
    int index = 0;
    std::string name = input;
    if (colon != std::string::npos) {
      const std::string digits = input.substr(colon + 1);
      if (digits.empty() || digits.size() > 5 ||
          digits.find_first_not_of("0123456789") != std::string::npos) {
        return wrong(
            given_[i],
            str_cat("'", input, "' is not the name of an input, which is node or node:output"));
      }
      index = std::stoi(digits);
      name = input.substr(0, colon);
    }
    const Node* from = names_.find(std::string_view(name));
    if (!from) return missing(i, "input", input, name);
    if (index >= internal::kMostOutputs)
      return wrong(given_[i], str_cat("no node has an output '", input, "'"));
    node.inputs.push_back({from, index});
    used_outputs_[from] = std::max(used_outputs_[from], index + 1);
  }

  // The nodes in topological order. A cycle is an error, unless it contains an op that cannot be
  // run here anyway (NextIteration of TensorFlow's loops).
  std::vector<size_t> order() {
    const size_t n = nodes_.size();
    const size_t first = graph_.data_.nodes.size();
    std::vector<int> waiting(n, 0);
    std::vector<std::vector<size_t>> readers(n);
    const auto wait_for = [&](const Node* from, size_t i) {
      if (static_cast<size_t>(from->id) < first) return;
      readers[static_cast<size_t>(from->id) - first].push_back(i);
      ++waiting[i];
    };
    for (size_t i = 0; i < n; ++i) {
      for (const Endpoint& e : nodes_[i]->inputs) wait_for(e.node, i);
      for (const Node* c : nodes_[i]->control_inputs) wait_for(c, i);
    }
    std::vector<size_t> ordered;
    std::vector<bool> done(n, false);
    const auto take = [&](size_t i) {
      done[i] = true;
      ordered.push_back(i);
    };
    size_t next = 0, breaker = 0;
    for (size_t i = 0; i < n; ++i) {
      if (waiting[i] == 0) take(i);
    }
    while (ordered.size() < n || next < ordered.size()) {
      if (next == ordered.size()) {
        while (breaker < n &&
               (done[breaker] || (nodes_[breaker]->op->def && nodes_[breaker]->op->def->prepare)))
          ++breaker;
        if (breaker == n) break;
        take(breaker);
      }
      for (size_t reader : readers[ordered[next++]]) {
        if (--waiting[reader] == 0 && !done[reader]) take(reader);
      }
    }
    for (size_t i = 0; i < n; ++i) {
      if (!done[i]) wrong(given_[i], "it waits for itself: the graph has a cycle through it");
    }
    return ordered;
  }

  // True if the node has attributes that this build's op does not have and that may change its
  // result. Such a node is carried: its op is the file's description or, without one, a copy of
  // ours without a kernel (carried_op).
  bool says_too_much(size_t i) const {
    const Node& node = *nodes_[i];
    if (!node.op->def) return false;
    const auto told = described_.find(node.op->name);
    return !internal::foreign_attrs(node.attrs, *node.op,
                                    told == described_.end() ? nullptr : told->second.get())
                .empty();
  }
  const Op* carried_op(const Op& ours) {
    if (const auto told = described_.find(ours.name); told != described_.end())
      return told->second.get();
    auto& likeness = likenesses_[ours.name];
    if (!likeness) {
      likeness = std::make_unique<Op>(ours);
      likeness->def = nullptr;
    }
    return likeness.get();
  }

  // Outputs of a node whose op has no description: as many as are used, or as it has
  // _output_shapes.
  void bind_undescribed(size_t i) {
    Node& node = *nodes_[i];
    const size_t outputs =
        std::max(static_cast<size_t>(used_outputs_[&node]), file_shapes_[i].size());
    node.output_dtypes.assign(outputs, DType::kInvalid);
    node.output_shapes.assign(outputs, Shape::unknown());
  }

  // Bounds the memory for outputs, each of which has a dtype and a shape: a file can ask for 65536
  // outputs in a few bytes. Shapes of many extents count for more, as such nodes give each output
  // about the shape of an input.
  void take_outputs(const Node& node) {
    int longest = 0;
    for (const Endpoint& e : node.inputs) {
      if (e.index < e.node->num_outputs()) {
        longest = std::max(longest, e.node->output_shapes[static_cast<size_t>(e.index)].rank());
      }
    }
    outputs_left_ -= node.num_outputs() * (1 + longest / 8);
    if (outputs_left_ >= 0) return;
    throw Error(
        Code::kResourceExhausted,
        str_cat("cannot import ", given_.size(),
                " nodes: together they have more outputs than a graph of so ",
                "many nodes may have; ", printable(node.op->name), " '", printable(node.name),
                "' has ", node.num_outputs(), "; nothing was added to the graph"));
  }

  // True for a constant whose value was not read (ImportOptions::look_only): it can be shown but
  // not run.
  static bool lacks_value(const Node& node) {
    return std::any_of(node.op->attrs.begin(), node.op->attrs.end(), [&](const AttrDef& def) {
      const Attr* attr = def.type == "tensor" ? node.attrs.find(def.name) : nullptr;
      return attr && std::holds_alternative<std::monostate>(attr->value);
    });
  }

  void bind(size_t i) {
    Node& node = *nodes_[i];
    if (says_too_much(i) || (node.op->def && lacks_value(node))) node.op = carried_op(*node.op);
    const bool known = node.op->def != nullptr;
    const bool described = !node.op->wire.empty() || likenesses_.count(node.op->name) > 0;
    try {
      if (node.op->outputs.empty() && !known && !described) {
        bind_undescribed(i);
      } else if (!known) {
        internal::bind_outputs(node);
      } else if (inputs_are_bound(node)) {
        internal::bind_signature(node, /*strict=*/false);
      } else {
        internal::bind_outputs(node);
      }
    } catch (const Error& e) {
      const auto told = described_.find(node.op->name);
      const std::string outside = outside_of(i);
      if (known && told != described_.end() && outside.empty()) {
        node.op = told->second.get();
        return bind(i);
      }
      errors_.push_back(e.what() + outside);
      return;
    }
    take_outputs(node);
    if (node.op->def && inputs_are_bound(node)) infer_shapes(node);
    refine(i);
  }

  // For an error message: the inputs of the node that the program mapped to its own tensors, so
  // that the file is not blamed.
  std::string outside_of(size_t i) const {
    std::string text;
    for (const auto& [k, from] : given_[i].outside) {
      text += str_cat(text.empty() ? "; .input_map has it read " : ", ", from.name(), " for '",
                      printable(given_[i].inputs[k]), "'");
    }
    return text;
  }

  static bool inputs_are_bound(const Node& node) {
    return std::all_of(node.inputs.begin(), node.inputs.end(),
                       [](const Endpoint& e) { return e.index < e.node->num_outputs(); });
  }

  // An error of the shape function is not reported: the program that wrote the file accepted the
  // node. A run will report it.
  void infer_shapes(Node& node) {
    if (!node.op->def->shape) return;
    try {
      ShapeContext context(graph_, node);
      node.op->def->shape(context);
    } catch (const Error&) {
      node.output_shapes.assign(node.output_dtypes.size(), Shape::unknown());
    }
  }

  void refine(size_t i) {
    const std::vector<Shape>& told = file_shapes_[i];
    auto& shapes = nodes_[i]->output_shapes;
    for (size_t k = 0; k < shapes.size() && k < told.size(); ++k) {
      if (shapes[k].is_compatible_with(told[k])) shapes[k] = merge(shapes[k], told[k]);
    }
  }

  void check_indices() {
    if (!errors_.empty()) return;  // a node with an error has no outputs yet
    for (size_t i = 0; i < nodes_.size(); ++i) {
      for (const Endpoint& e : nodes_[i]->inputs) {
        if (e.index >= e.node->num_outputs()) {
          wrong(given_[i], str_cat("input '", e.node->name, ":", e.index, "': ", e.node->op->name,
                                   " has ", e.node->num_outputs(), " outputs"));
        }
      }
    }
  }

  std::vector<Operation> land() {
    std::vector<Operation> handles;
    for (auto& node : nodes_) handles.push_back(graph_.handle(*node));
    for (auto* ops : {&described_, &likenesses_}) {
      for (auto& [name, op] : *ops) graph_.data_.carried.push_back(std::move(op));
    }
    std::unique_lock lock(graph_.mutex_);
    for (auto& node : nodes_) {
      graph_.data_.nodes.push_back(std::move(node));
      take_names(*graph_.data_.nodes.back());
    }
    return handles;
  }

  // A node a/b/c also takes the names of the scopes a and a/b, so that later scopes get other
  // names. All hashes are computed in one pass, as a name may be long and consist of slashes.
  void take_names(const Node& node) {
    using Names = internal::NameTable;
    const std::string_view name = node.name;
    scopes_.clear();
    uint32_t hash = Names::kEmptyHash;
    for (size_t i = 0, from = 0; i < name.size(); ++i) {
      if (name[i] != '/') continue;
      hash = Names::hash_of(name.substr(from, i - from), hash);
      scopes_.push_back({name.substr(0, i), hash});
      from = i;
    }
    bool is_new = graph_.data_.names->take(name, &node);
    for (; is_new && !scopes_.empty(); scopes_.pop_back())
      is_new = graph_.data_.names->take(scopes_.back(), nullptr);
  }

  Graph& graph_;
  std::vector<ImportedNode> given_;
  const OpSet& ops_;
  std::unordered_map<std::string, std::unique_ptr<Op>> described_, likenesses_;
  internal::NameTable names_;                        // of nodes_
  std::vector<internal::NameTable::Hashed> scopes_;  // of the node whose names are taken
  std::vector<std::unique_ptr<Node>> nodes_;
  // Per node: its attribute _output_shapes, or empty.
  std::vector<std::vector<Shape>> file_shapes_;
  std::unordered_map<const Node*, int> used_outputs_;
  int64_t outputs_left_;  // see take_outputs()
  std::vector<std::string> errors_;
};

std::string internal::why_carried(const Graph& graph, const Node& node) {
  return GraphImporter::why_carried(graph, node);
}

std::vector<Operation> Graph::import_nodes(std::vector<ImportedNode> nodes, const OpSet& ops,
                                           std::vector<Op> carried) {
  return GraphImporter(*this, std::move(nodes), ops, std::move(carried)).run();
}

}  // namespace cairn
