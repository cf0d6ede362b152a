#include "persist/extras/freeze.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "persist/catalog.h"
#include "persist/extras/fix_tensors.h"
#include "persist/graph/convert.h"
#include "persist/graph/meta_graph_rep.h"
#include "persist/messages/message.h"
#include "runtime/base/text.h"

namespace cairn {
namespace {

using Names = std::unordered_set<std::string>;

// An empty graph with the versions, functions and op definitions of `meta`.
std::shared_ptr<MetaGraph::Rep> without_nodes(const pb::MetaGraphDef& meta) {
  auto rep = std::make_shared<MetaGraph::Rep>();
  if (meta.graph_def().has_versions())
    *rep->def.mutable_graph_def()->mutable_versions() = meta.graph_def().versions();
  if (meta.graph_def().has_library())
    *rep->def.mutable_graph_def()->mutable_library() = meta.graph_def().library();
  rep->def.mutable_graph_def();
  auto& info = *rep->def.mutable_meta_info_def();
  info.set_tensorflow_version(meta.meta_info_def().tensorflow_version());
  *info.mutable_stripped_op_list() = meta.meta_info_def().stripped_op_list();
  return rep;
}

// Reduces the op definitions to those of the remaining nodes. With functions all are kept, since
// functions may use any.
void finish(pb::MetaGraphDef& meta) {
  std::set<std::string> used;
  for (const auto& node : meta.graph_def().node()) used.insert(node.op());
  pb::OpList told;
  told.Swap(meta.mutable_meta_info_def()->mutable_stripped_op_list());
  for (const auto& op : told.op()) {
    if (used.erase(op.name()) || meta.graph_def().has_library()) {
      *meta.mutable_meta_info_def()->mutable_stripped_op_list()->add_op() = op;
    }
  }
  for (const std::string& name : used) {
    const OpDef* op = all_ops().find(name);
    if (op)
      *meta.mutable_meta_info_def()->mutable_stripped_op_list()->add_op() = to_proto(parse_op(*op));
  }
}

MetaGraph whole(const Graph& graph) {
  const MetaGraph all = export_meta_graph(graph, {.collection_list = std::vector<std::string>()});
  auto rep = without_nodes(all.rep().def);
  for (pb::NodeDef node : all.rep().def.graph_def().node()) {
    node.mutable_attr()->erase("_output_shapes");
    *rep->def.mutable_graph_def()->add_node() = std::move(node);
  }
  return MetaGraph(std::move(rep));
}

void check_there(const std::vector<std::string>& wanted, const std::vector<std::string>& there,
                 const char* what, const char* where = "in the graph") {
  const Names known(there.begin(), there.end());
  std::vector<std::string> missing;
  for (const std::string& name : wanted) {
    if (known.count(name)) continue;
    missing.push_back(str_cat("there is no ", what, " '", printable(name), "' ", where,
                              names_instead_of(name, there)));
  }
  if (!missing.empty()) fail(Code::kNotFound, join_lines(missing));
}

bool is_variable_op(const std::string& op) {
  return op == "Variable" || op == "VariableV2" || op == "VarHandleOp";
}

// The names of the variables that become constants.
std::vector<std::string> chosen_variables(const pb::GraphDef& graph, const FreezeOptions& options) {
  std::vector<std::string> all, chosen;
  for (const auto& node : graph.node()) {
    if (is_variable_op(node.op())) all.push_back(node.name());
  }
  check_there(options.variable_names_whitelist, all, "variable",
              "among those that the outputs need");
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const std::string& name : all) {
    const auto& only = options.variable_names_whitelist;
    if ((only.empty() || has(only, name)) && !has(options.variable_names_blacklist, name))
      chosen.push_back(name);
  }
  return chosen;
}

// Their values. Throws an error that lists all variables without one.
std::unordered_map<std::string, Tensor> values_of(Session& session,
                                                  const std::vector<std::string>& names) {
  std::unordered_map<std::string, Tensor> values;
  std::vector<std::string> without;
  for (const std::string& name : names) {
    const Output ref = session.graph().find(name + ":0");
    VariableInfo info;
    info.ref = ref;
    info.is_resource = ref.dtype() == DType::kResource;
    const Variable variable(std::move(info));
    if (session.is_initialized(variable)) {
      values[name] = session.value(variable);
    } else {
      without.push_back(name);
    }
  }
  if (!without.empty()) {
    fail(Code::kFailedPrecondition,
         "variables without a value cannot become constants: ", join_for_people(without),
         "; restore or initialise them first");
  }
  return values;
}

// Adds the tensors that can be fed and that determine `pred`, such as "train:0".
void add_deciders(const Graph& graph, const Output& pred, std::set<std::string>& deciders) {
  std::vector<Output> open = {pred};
  Names seen;
  while (!open.empty()) {
    const Output at = open.back();
    open.pop_back();
    if (!seen.insert(at.name()).second || graph.static_value(at).valid()) continue;
    const Operation op = at.op();
    const OpDef* def = op.node().op->def;
    if (op.num_inputs() == 0 || (def && def->must_run)) {
      deciders.insert(at.name());
    } else {
      for (const Output& input : op.inputs()) open.push_back(input);
    }
  }
}

// Throws if a node does anything with the reference or handle of a frozen variable but read it.
void check_only_read(const Graph& graph, const pb::GraphDef& nodes, const Names& frozen) {
  std::vector<std::string> wrong;
  std::set<std::string> deciders;
  for (const auto& proto : nodes.node()) {
    const Operation op = graph.find_op(proto.name());
    const OpDef* def = op.node().op->def;
    if (def && def->flow == Flow::kSwitch) add_deciders(graph, op.input(1), deciders);
    for (int i = 0; i < op.num_inputs(); ++i) {
      const Output input = op.input(i);
      const bool is_variable = frozen.count(input.op().name()) > 0;
      const bool is_handle = input.dtype() == DType::kResource;
      const auto& args = op.node().op->inputs;
      const bool takes_ref =
          static_cast<size_t>(i) < args.size() && args[static_cast<size_t>(i)].is_ref;
      if (is_variable && (is_handle ? op.type() != "ReadVariableOp" : takes_ref)) {
        wrong.push_back(str_cat(op.type(), " '", op.name(), "' of '", input.op().name(), "'"));
      }
    }
  }
  if (wrong.empty()) return;
  std::string cure = "; choose outputs that only read it";
  if (!deciders.empty()) {
    const std::string first = deciders.begin()->substr(0, deciders.begin()->find(':'));
    cure += str_cat("; where these nodes only run while training, make what decides that (",
                    join_for_people({deciders.begin(), deciders.end()}),
                    ") a constant with FreezeOptions::constants, ", "`cairn freeze --set ", first,
                    "=false`");
  }
  fail(Code::kInvalidArgument,
       "the outputs need nodes that require a variable, not a constant: ", join_for_people(wrong),
       cure,
       "; or leave it a variable with FreezeOptions::variable_names_blacklist, `cairn freeze "
       "--keep-variable NAME`");
}

// The whole graph with the constants of the options.
MetaGraph with_constants(const Graph& graph, const NodeNames& outputs,
                         const FreezeOptions& options) {
  const MetaGraph all = whole(graph);
  if (options.constants.empty()) return all;
  MetaGraph fixed = fix_tensors(graph, all, options.constants);
  Names left;
  for (const auto& node : fixed.rep().def.graph_def().node()) left.insert(node.name());
  std::vector<std::string> gone;
  for (const NodeName& output : outputs) {
    if (graph.contains(output.str()) && !left.count(output.str()))
      gone.push_back("'" + output.str() + "'");
  }
  if (!gone.empty()) {
    fail(Code::kInvalidArgument, "with these constants ", join_for_people(gone),
         gone.size() == 1 ? " has" : " have",
         " no value: ", gone.size() == 1 ? "it is" : "they are",
         " on a branch of a cond that is not taken");
  }
  return fixed;
}

pb::NodeDef constant_node(const pb::NodeDef& variable, const Tensor& value) {
  pb::NodeDef node;
  node.set_name(variable.name());
  node.set_op("Const");
  (*node.mutable_attr())["dtype"] = variable.attr().at("dtype");
  *(*node.mutable_attr())["value"].mutable_tensor() = to_proto(value);
  return node;
}

pb::NodeDef identity_node(const pb::NodeDef& read) {
  pb::NodeDef node;
  node.set_name(read.name());
  node.set_op("Identity");
  node.set_device(read.device());
  *node.mutable_input() = read.input();
  (*node.mutable_attr())["T"] = read.attr().at("dtype");
  if (const auto at = read.attr().find("_class"); at != read.attr().end())
    (*node.mutable_attr())["_class"] = at->second;
  return node;
}

// Follows `input` through the nodes in `spliced`, which are removed, to its source.
std::string source_of(std::string input,
                      const std::unordered_map<std::string, std::string>& spliced) {
  for (auto at = spliced.find(node_of(input)); at != spliced.end();
       at = spliced.find(node_of(input))) {
    input = at->second;
  }
  return input;
}

}  // namespace

MetaGraph extract_sub_graph(const MetaGraph& graph, const NodeNames& outputs) {
  const pb::GraphDef& def = graph.rep().def.graph_def();
  std::unordered_map<std::string, const pb::NodeDef*> by_name;
  std::vector<std::string> open, all;
  for (const auto& node : def.node()) {
    by_name[node.name()] = &node;
    all.push_back(node.name());
  }
  for (const NodeName& output : outputs) open.push_back(output.str());
  check_there(open, all, "node");
  Names needed(open.begin(), open.end());
  while (!open.empty()) {
    const auto node = by_name.find(open.back());
    open.pop_back();
    if (node == by_name.end()) continue;  // an unbound input: see ExportOptions::export_scope
    for (const auto& input : node->second->input()) {
      if (needed.insert(node_of(input)).second) open.push_back(node_of(input));
    }
  }
  auto rep = without_nodes(graph.rep().def);
  for (const auto& node : def.node()) {
    if (needed.count(node.name())) *rep->def.mutable_graph_def()->add_node() = node;
  }
  finish(rep->def);
  return MetaGraph(std::move(rep));
}
MetaGraph extract_sub_graph(const Graph& graph, const NodeNames& outputs) {
  return extract_sub_graph(whole(graph), outputs);
}

MetaGraph convert_variables_to_constants(Session& session, const NodeNames& outputs,
                                         const FreezeOptions& options) {
  const MetaGraph all = with_constants(session.graph(), outputs, options);
  const MetaGraph needed = extract_sub_graph(all, outputs);
  const pb::MetaGraphDef& meta = needed.rep().def;
  const std::vector<std::string> names = chosen_variables(meta.graph_def(), options);
  Graph fixed;
  if (!options.constants.empty()) import_graph_def(fixed, needed, {.name = ""});
  check_only_read(options.constants.empty() ? session.graph() : fixed, meta.graph_def(),
                  Names(names.begin(), names.end()));
  const auto values = values_of(session, names);
  auto rep = without_nodes(meta);
  for (const auto& node : meta.graph_def().node()) {
    const bool reads = node.op() == "ReadVariableOp" && values.count(node_of(node.input(0)));
    const auto value = values.find(node.name());
    *rep->def.mutable_graph_def()->add_node() = value != values.end()
                                                    ? constant_node(node, value->second)
                                                : reads ? identity_node(node)
                                                        : node;
  }
  finish(rep->def);
  return MetaGraph(std::move(rep));
}

MetaGraph remove_training_nodes(const MetaGraph& graph, const NodeNames& protected_nodes) {
  Names kept, removed, control;  // control: nodes with control edges, incoming or outgoing
  for (const NodeName& name : protected_nodes) kept.insert(name.str());
  std::unordered_map<std::string, std::string> spliced;
  const auto& nodes = graph.rep().def.graph_def().node();
  for (const auto& node : nodes) {
    if (node.op() == "CheckNumerics" && !kept.count(node.name())) removed.insert(node.name());
  }
  for (const auto& node : nodes) {
    if (removed.count(node.name())) continue;
    for (const auto& input : node.input()) {
      if (!is_control(input) || removed.count(node_of(input))) continue;
      control.insert(node.name());
      control.insert(node_of(input));
    }
  }
  for (const auto& node : nodes) {
    const bool passes_on =
        node.op() == "Identity" && !kept.count(node.name()) && !control.count(node.name());
    if ((passes_on || removed.count(node.name())) && node.input_size() > 0)
      spliced[node.name()] = node.input(0);
  }
  auto rep = without_nodes(graph.rep().def);
  for (const auto& node : nodes) {
    if (spliced.count(node.name())) continue;
    pb::NodeDef& left = *rep->def.mutable_graph_def()->add_node();
    left = node;
    left.clear_input();
    for (const auto& input : node.input()) {
      if (is_control(input) && removed.count(node_of(input))) continue;
      left.add_input(is_control(input) ? input : source_of(input, spliced));
    }
  }
  finish(rep->def);
  return MetaGraph(std::move(rep));
}
MetaGraph remove_training_nodes(const Graph& graph, const NodeNames& protected_nodes) {
  return remove_training_nodes(whole(graph), protected_nodes);
}

void write_graph(const MetaGraph& graph, const std::string& path,
                 const WriteGraphOptions& options) {
  FileSystem& fs = or_posix(options.file_system);
  fs.create_dirs(directory_of(path));
  write_file_atomically(fs, path, options.as_text ? graph.graph_def_text() : graph.graph_def());
}
void write_graph(const Graph& graph, const std::string& path, const WriteGraphOptions& options) {
  write_graph(MetaGraph::parse(as_graph_def(graph), "graph"), path, options);
}

}  // namespace cairn
