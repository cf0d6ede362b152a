#include "persist/extras/fix_tensors.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "persist/graph/convert.h"
#include "persist/graph/meta_graph_rep.h"

namespace cairn {
namespace {

using Names = std::unordered_set<std::string>;

int index_of(const std::string& input) {
  const size_t colon = input.find(':');
  return colon == std::string::npos ? 0 : std::stoi(input.substr(colon + 1));
}
bool is_switch(const pb::NodeDef& node) {
  return node.op() == "Switch" || node.op() == "RefSwitch";
}
bool is_merge(const pb::NodeDef& node) { return node.op() == "Merge" || node.op() == "RefMerge"; }

void make_constant(pb::NodeDef& node, const std::string& name, const Tensor& value) {
  node.Clear();
  node.set_name(name);
  node.set_op("Const");
  (*node.mutable_attr())["dtype"].set_type(static_cast<pb::DataType>(value.dtype()));
  *(*node.mutable_attr())["value"].mutable_tensor() = to_proto(value);
}

// One round of folding: decides the Switches whose predicates are known. Predicates that become
// known by that are left to the next round.
class Folding {
 public:
  explicit Folding(pb::GraphDef& def) : def_(def) {
    for (const auto& node : def_.node()) by_name_[node.name()] = &node;
  }

  // False if no Switch has a predicate that is known from the graph alone.
  bool fold(const Graph& graph) {
    for (const auto& node : def_.node()) {
      if (!is_switch(node) || node.input_size() < 2) continue;
      const std::string& pred = node.input(1);
      const Tensor value =
          graph.static_value(graph.find(str_cat(node_of(pred), ":", index_of(pred))));
      if (value.valid() && value.dtype() == DType::kBool && value.num_elements() == 1) {
        taken_[node.name()] = value.scalar<bool>() ? 1 : 0;
      }
    }
    if (taken_.empty()) return false;
    find_live();
    rewrite();
    return true;
  }

 private:
  // Finds the live nodes. An output is live if its node is and it is not the output that a decided
  // Switch does not take. A node is live if all its inputs are; a Merge needs only one live input,
  // so that a loop is live if its entry is.
  void find_live() {
    struct Waiting {
      int for_controls = 0, for_inputs = 0;
    };
    std::unordered_map<const pb::NodeDef*, Waiting> waiting;
    std::unordered_map<std::string, std::vector<std::pair<const pb::NodeDef*, std::string>>>
        readers;
    std::vector<const pb::NodeDef*> open;
    for (const auto& node : def_.node()) {
      Waiting& wait = waiting[&node];
      for (const auto& input : node.input()) {
        readers[node_of(input)].emplace_back(&node, input);
        ++(is_control(input) ? wait.for_controls : wait.for_inputs);
      }
      if (is_merge(node)) wait.for_inputs = std::min(wait.for_inputs, 1);
      if (wait.for_controls == 0 && wait.for_inputs == 0) open.push_back(&node);
    }
    while (!open.empty()) {
      const pb::NodeDef& node = *open.back();
      open.pop_back();
      if (!live_.insert(node.name()).second) continue;
      for (const auto& [reader, input] : readers[node.name()]) {
        if (!is_control(input) && !is_live(input)) continue;
        Waiting& wait = waiting[reader];
        --(is_control(input) ? wait.for_controls : wait.for_inputs);
        if (wait.for_controls <= 0 && wait.for_inputs <= 0) open.push_back(reader);
      }
    }
  }

  bool is_live(const std::string& input) const {
    if (!live_.count(node_of(input))) return false;
    const auto decided = taken_.find(node_of(input));
    return is_control(input) || decided == taken_.end() || decided->second == index_of(input);
  }

  void rewrite() {
    pb::GraphDef folded = def_;
    folded.clear_node();
    for (const auto& node : def_.node()) {
      if (!live_.count(node.name())) continue;
      pb::NodeDef& left = *folded.add_node();
      left = node;
      left.clear_input();
      if (is_merge(node)) {
        merge_live_inputs(node, left, folded);
      } else if (taken_.count(node.name())) {
        pass_on(node, left, node.input(0));
      } else {
        for (const auto& input : node.input()) left.add_input(source_of(input));
      }
    }
    def_ = std::move(folded);
  }

  // The input to read from in place of `input`. A decided Switch becomes an Identity, whose single
  // output is read. A variable must be read from its own node, since ops that read or change it
  // expect it there.
  std::string source_of(std::string input) const {
    while (!is_control(input)) {
      if (!taken_.count(node_of(input))) break;
      const pb::NodeDef& node = *by_name_.at(node_of(input));
      if (!passes_variable(node)) return node.name();
      input = node.input(0);
    }
    return input;
  }

  static bool passes_variable(const pb::NodeDef& node) {
    const auto type = node.attr().find("T");
    return node.op() == "RefSwitch" ||
           (is_switch(node) && type != node.attr().end() && type->second.type() == pb::DT_RESOURCE);
  }

  void pass_on(const pb::NodeDef& node, pb::NodeDef& left, const std::string& input) const {
    const bool only_waits = passes_variable(node);
    left.set_op(only_waits ? "NoOp" : "Identity");
    if (only_waits) left.mutable_attr()->clear();
    left.mutable_attr()->erase("N");
    if (!only_waits) left.add_input(source_of(input));
    for (const auto& each : node.input()) {
      if (is_control(each)) left.add_input(each);
    }
  }

  void merge_live_inputs(const pb::NodeDef& node, pb::NodeDef& left, pb::GraphDef& folded) {
    std::vector<std::string> alive;
    int first = -1, count = 0;
    for (const auto& input : node.input()) {
      if (is_control(input)) continue;
      if (is_live(input)) {
        if (first < 0) first = count;
        alive.push_back(input);
      }
      ++count;
    }
    const bool undecided = alive.size() > 1 || count == 1;
    if (!undecided) {
      pass_on(node, left, alive.front());
    } else {
      for (const std::string& input : alive) left.add_input(source_of(input));
      for (const auto& input : node.input()) {
        if (is_control(input)) left.add_input(input);
      }
      (*left.mutable_attr())["N"].set_i(static_cast<int64_t>(alive.size()));
    }
    if (undecided && static_cast<int>(alive.size()) == count) return;
    // The second output of a Merge is the index of the input that it passed on.
    const std::string index = node.name() + ":1";
    for (const auto& reader : def_.node()) {
      if (!live_.count(reader.name()) ||
          std::count(reader.input().begin(), reader.input().end(), index) == 0)
        continue;
      if (undecided)
        fail(Code::kUnimplemented, "'", reader.name(), "' reads '", index,
             "' of a Merge of more than two");
      replace_index_.emplace(index, str_cat(node.name(), "/value_index"));
    }
    const auto named = replace_index_.find(index);
    if (named == replace_index_.end()) return;
    while (by_name_.count(named->second)) named->second += "_";
    make_constant(*folded.add_node(), named->second, Tensor(static_cast<int32_t>(first)));
  }

 public:
  // Makes readers of a folded Merge's index read a constant. Done after the fold, since readers may
  // precede the Merge.
  void redirect() {
    for (auto& node : *def_.mutable_node()) {
      for (auto& input : *node.mutable_input()) {
        if (const auto at = replace_index_.find(input); at != replace_index_.end())
          input = at->second;
      }
    }
  }

 private:
  pb::GraphDef& def_;
  std::unordered_map<std::string, const pb::NodeDef*> by_name_;
  // for each decided Switch, the index of the output that has the value
  std::unordered_map<std::string, int> taken_;
  Names live_;
  std::unordered_map<std::string, std::string> replace_index_;
};

void fix(const Graph& graph, pb::GraphDef& def, const std::string& name, const Tensor& value) {
  const Output fixed =
      name.find(':') == std::string::npos ? graph.find_op(name).output() : graph.find(name);
  const DType dtype = base_dtype(fixed.dtype());
  if ((dtype != DType::kInvalid && value.dtype() != dtype) ||
      !fixed.shape().is_compatible_with(value.shape())) {
    fail(Code::kInvalidArgument, "the value of '", fixed.name(), "' is to be ", dtype, " ",
         fixed.shape(), ", got ",
         value.valid() ? str_cat(value.dtype(), " ", value.shape()) : std::string("no tensor"));
  }
  const std::string node_name = fixed.op().name();
  if (fixed.op().num_outputs() == 1) {
    for (auto& node : *def.mutable_node()) {
      if (node.name() == node_name) make_constant(node, node_name, value);
    }
    return;
  }
  std::string constant = str_cat(node_name, "/output_", fixed.index());
  while (graph.contains(constant)) constant += "_";
  for (auto& node : *def.mutable_node()) {
    for (auto& input : *node.mutable_input()) {
      if (!is_control(input) && node_of(input) == node_name && index_of(input) == fixed.index())
        input = constant;
    }
  }
  make_constant(*def.add_node(), constant, value);
}

}  // namespace

MetaGraph fix_tensors(const Graph& graph, const MetaGraph& meta,
                      const std::map<std::string, Tensor>& values) {
  auto rep = std::make_shared<MetaGraph::Rep>();
  rep->name = meta.rep().name;
  rep->def = meta.rep().def;
  pb::GraphDef& def = *rep->def.mutable_graph_def();
  for (const auto& [name, value] : values) fix(graph, def, name, value);
  MetaGraph fixed(rep);
  for (;;) {
    Graph decided;
    import_graph_def(decided, fixed, {.name = ""});
    Folding folding(def);
    if (!folding.fold(decided)) return fixed;
    folding.redirect();
  }
}

}  // namespace cairn
