#include "persist/graph/meta_graph.h"

#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <set>

#include "persist/catalog.h"
#include "persist/graph/collections.h"
#include "persist/graph/convert.h"
#include "persist/graph/meta_graph_rep.h"
#include "persist/graph/rewrite.h"
#include "persist/messages/message.h"
#include "persist/messages/utf8_check.h"
#include "persist/version.h"
#include "runtime/base/text.h"
#include "runtime/graph/signature.h"

namespace cairn {
namespace {

// The TensorFlow release whose GraphDef.versions.producer and op definitions Cairn writes.
constexpr char kTensorFlowVersion[] = "1.12.0";

const FromFile* from_file(const Graph& graph) {
  return static_cast<const FromFile*>(graph.from_file.get());
}

// ---- export -------------------------------------------------------------------------------------

void drop_defaults(const Op& op, pb::NodeDef& node, const Attrs& attrs) {
  for (const AttrDef& def : op.attrs) {
    const Attr* attr = attrs.find(def.name);
    // Attr does not hold the function's own attributes.
    const bool is_function = attr && attr->get<FuncAttr>();
    if (attr && def.default_value && *attr == *def.default_value && !is_function)
      node.mutable_attr()->erase(def.name);
  }
}

void write_graph(const Graph& graph, bool with_shapes, bool strip_defaults, pb::GraphDef& def) {
  for (const Operation& op : graph.operations()) {
    require_utf8(op.node());
    pb::NodeDef& node = *def.add_node();
    node = to_proto(op.node(), with_shapes);
    if (strip_defaults) drop_defaults(*op.node().op, node, op.node().attrs);
  }
  if (graph.versions != GraphVersions{.producer = 0, .min_consumer = 0, .bad_consumers = {}}) {
    auto& versions = *def.mutable_versions();
    const std::string unknown = unknown_fields_of(versions);
    versions = to_proto(graph.versions);
    add_unknown_fields(versions, unknown);
  }
  if (!graph.library.empty() && !parse_bytes(graph.library, *def.mutable_library())) {
    fail(Code::kInvalidArgument, "Graph::library is not a serialized FunctionDefLibrary");
  }
}

void write_collections(const Graph& graph, const std::optional<std::vector<std::string>>& list,
                       pb::MetaGraphDef& meta) {
  const FromFile* carried = from_file(graph);
  std::set<std::string> keys;
  for (auto& key : graph.collection_keys()) keys.insert(std::move(key));
  if (carried) {
    for (const auto& [key, collection] : carried->collections) keys.insert(key);
  }
  if (list) {
    std::set<std::string> chosen(list->begin(), list->end());
    for (const auto& key : chosen) {
      if (keys.count(key)) continue;
      fail(Code::kNotFound, "collection_list: there is no collection '", printable(key),
           "' in the graph", names_instead_of(key, {keys.begin(), keys.end()}));
    }
    keys = std::move(chosen);
  }
  for (const auto& key : keys) {
    const auto& items = graph.items(key);
    const FromFile::Collection* kept = nullptr;
    if (carried && carried->collections.count(key)) kept = &carried->collections.at(key);
    if (kept && kept->items == items) {
      (*meta.mutable_collection_def())[key] = kept->as_read;
    } else if (!items.empty()) {
      (*meta.mutable_collection_def())[key] = to_proto(key, items);
    }
  }
}

// Writes the definitions, ordered by name, of the ops of all nodes, including those in functions
// that are used as ops. Ops without a known definition are omitted.
void write_op_list(const Graph& graph, pb::MetaGraphDef& meta) {
  std::map<std::string, const pb::FunctionDef*> functions;
  for (const auto& function : meta.graph_def().library().function())
    functions[function.signature().name()] = &function;
  std::set<std::string> used;
  std::vector<const pb::FunctionDef*> called;
  const auto use = [&](const std::string& op) {
    const auto function = functions.find(op);
    if (used.insert(op).second && function != functions.end()) called.push_back(function->second);
  };
  for (const auto& node : meta.graph_def().node()) use(node.op());
  while (!called.empty()) {
    const auto* function = called.back();
    called.pop_back();
    for (const auto& node : function->node_def()) use(node.op());
  }
  std::map<std::string, const Op*> in_graph;
  for (const Operation& op : graph.operations()) in_graph.emplace(op.type(), op.node().op);
  std::map<std::string, pb::OpDef> in_file;
  for (const auto& op : meta.meta_info_def().stripped_op_list().op())
    in_file.emplace(op.name(), op);

  auto& list = *meta.mutable_meta_info_def()->mutable_stripped_op_list();
  list.clear_op();
  for (const auto& name : used) {
    const auto op = in_graph.find(name);
    const bool described = op != in_graph.end() && (op->second->def || !op->second->wire.empty());
    if (functions.count(name)) continue;
    if (described) {
      *list.add_op() = to_proto(*op->second);
    } else if (const OpDef* def = all_ops().find(name)) {
      *list.add_op() = to_proto(parse_op(*def));
    } else if (const auto told = in_file.find(name); told != in_file.end()) {
      *list.add_op() = told->second;
    }
  }
}

// ---- import -------------------------------------------------------------------------------------

// Adds the functions of `more` to those of a graph. Throws AlreadyExists for two different
// functions of the same name.
std::string merge_libraries(const std::string& graph_library, const pb::FunctionDefLibrary& more) {
  pb::FunctionDefLibrary all;
  if (!parse_bytes(graph_library, all))
    fail(Code::kInvalidArgument, "Graph::library is no FunctionDefLibrary");
  std::map<std::string, std::string> there;
  for (const auto& function : all.function())
    there[function.signature().name()] = to_bytes(function);
  for (const auto& function : more.function()) {
    const auto same = there.find(function.signature().name());
    if (same == there.end()) {
      *all.add_function() = function;
    } else if (same->second != to_bytes(function)) {
      fail(Code::kAlreadyExists, "the graph has another function '", same->first, "'");
    }
  }
  for (const auto& gradient : more.gradient()) *all.add_gradient() = gradient;
  add_unknown_fields(all, unknown_fields_of(more));
  return to_bytes(all);
}

GraphVersions merge_versions(const Graph& graph, const pb::VersionDef& proto) {
  GraphVersions more = from_proto(proto);
  if (graph.num_nodes() == 0) return more;
  GraphVersions all = graph.versions;
  all.producer = std::min(all.producer, more.producer);
  all.min_consumer = std::max(all.min_consumer, more.min_consumer);
  for (const int bad : more.bad_consumers) {
    if (std::find(all.bad_consumers.begin(), all.bad_consumers.end(), bad) ==
        all.bad_consumers.end()) {
      all.bad_consumers.push_back(bad);
    }
  }
  return all;
}

// For ImportOptions::strict: throws for ops and attributes that this build does not have, with the
// number of nodes that need each.
void check_known(const pb::GraphDef& def, const OpSet& known,
                 const std::vector<ImportedNode>& nodes, const std::vector<Op>& described) {
  std::map<std::string, const Op*> told;
  for (const Op& op : described) told[op.name] = &op;
  std::map<const OpDef*, Op> parsed;
  std::map<std::string, int> missing;
  for (const ImportedNode& node : nodes) {
    const OpDef* op = known.find(node.op);
    if (!op || !op->prepare) {
      ++missing["op " + node.op];
      continue;
    }
    if (!parsed.count(op)) parsed[op] = parse_op(*op);
    for (const std::string& attr : internal::foreign_attrs(node.attrs, parsed[op], told[node.op])) {
      ++missing[str_cat("attribute ", attr, " of ", node.op)];
    }
  }
  if (missing.empty()) return;
  std::string list;
  for (const auto& [what, count] : missing)
    list += str_cat("\n  ", what, ": ", count, count == 1 ? " node" : " nodes");
  fail(Code::kUnimplemented, "the graph, of producer version ", def.versions().producer(),
       ", needs what this build does not have; nothing was imported (.strict):", list);
}

// The definitions that the file contains for the ops of its nodes.
std::vector<Op> described_ops(const pb::MetaGraphDef& meta, Allowance& allowance) {
  std::set<std::string> used;
  for (const auto& node : meta.graph_def().node()) used.insert(node.op());
  std::vector<Op> ops;
  for (const auto& op : meta.meta_info_def().stripped_op_list().op()) {
    if (used.erase(op.name())) ops.push_back(from_proto(op, allowance));
  }
  for (const auto& function : meta.graph_def().library().function()) {
    if (used.erase(function.signature().name()))
      ops.push_back(from_proto(function.signature(), allowance));
  }
  return ops;
}

void add_collections(Graph& graph, const pb::MetaGraphDef& meta, FromFile& carried) {
  std::vector<std::string> keys;
  for (const auto& [key, collection] : meta.collection_def()) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  VariablesRead variables;
  for (const auto& key : keys) {
    const pb::CollectionDef& collection = meta.collection_def().at(key);
    const bool is_new = graph.items(key).empty();
    const auto items = from_proto(key, collection, graph, variables);
    for (const auto& item : items) graph.add_to_collection(key, item);
    if (is_new && (items.empty() || !same_message(to_proto(key, items), collection))) {
      carried.collections[key] = {items, collection};
    }
  }
}

// Keeps the parts of the message that the graph has no place for.
void keep_rest(Graph& graph, pb::MetaGraphDef& meta, FromFile carried) {
  auto& graph_def = *meta.mutable_graph_def();
  graph_def.clear_node();
  if (graph_def.has_library()) graph_def.mutable_library()->Clear();
  if (graph_def.has_versions()) {
    pb::VersionDef unnamed;
    add_unknown_fields(unnamed, unknown_fields_of(graph_def.versions()));
    *graph_def.mutable_versions() = std::move(unnamed);
  }
  meta.clear_saver_def();
  meta.clear_collection_def();
  if (const FromFile* before = from_file(graph)) {
    carried.rest = before->rest;
    carried.collections.insert(before->collections.begin(), before->collections.end());
  }
  carried.rest.MergeFrom(meta);
  graph.from_file = std::make_shared<const FromFile>(std::move(carried));
}

std::string scope_for(Graph& graph, std::string wish) {
  while (!wish.empty() && wish.back() == '/') wish.pop_back();
  if (wish.empty()) return "";
  if (!is_valid_node_name(wish))
    fail(Code::kInvalidArgument, "'", wish, "' is not a valid name for a scope");
  return graph.unique_name(wish, false);
}

// Consumes `meta`.
ImportedMetaGraph import_message(Graph& graph, pb::MetaGraphDef& meta,
                                 const ImportOptions& options) {
  const Graph::Transaction whole(graph);
  ImportedMetaGraph imported;
  imported.tensorflow_version = meta.meta_info_def().tensorflow_version();
  imported.scope = scope_for(graph, options.import_scope);
  modernize(meta);
  if (options.clear_devices) clear_devices(*meta.mutable_graph_def());
  for (const auto& [input, tensor] : options.input_map)
    graph.check_owns(tensor, "input_map['" + input + "']");
  const auto mapped =
      rename_nodes(meta, names_in(graph, meta, imported.scope), imported.scope, options.input_map);

  Allowance allowance = options.look_only ? Allowance::to_look(meta.ByteSizeLong()) : Allowance();
  std::vector<ImportedNode> nodes;
  nodes.reserve(static_cast<size_t>(meta.graph_def().node_size()));
  for (const auto& node : meta.graph_def().node()) nodes.push_back(from_proto(node, allowance));
  for (const auto& [node, input, key] : mapped) {
    nodes[static_cast<size_t>(node)].outside.emplace(input, options.input_map.at(key));
  }
  std::vector<Op> ops = described_ops(meta, allowance);
  if (options.strict)
    check_known(meta.graph_def(), options.ops ? *options.ops : all_ops(), nodes, ops);
  std::string library = meta.graph_def().has_library() || !graph.library.empty()
                            ? merge_libraries(graph.library, meta.graph_def().library())
                            : "";
  // Shape functions may depend on the producer's version.
  GraphVersions versions =
      std::exchange(graph.versions, merge_versions(graph, meta.graph_def().versions()));
  try {
    imported.operations = graph.import_nodes(
        std::move(nodes), options.ops ? *options.ops : all_ops(), std::move(ops));
    FromFile carried;
    add_collections(graph, meta, carried);
    if (meta.has_saver_def()) imported.saver_def = from_proto(meta.saver_def());
    keep_rest(graph, meta, std::move(carried));
  } catch (...) {
    graph.versions = std::move(versions);
    throw;
  }
  graph.library = std::move(library);
  std::set<std::string> carried_ops;
  for (const Operation& op : imported.operations) {
    if (!op.node().op->def) carried_ops.insert(op.type());
  }
  imported.carried_ops.assign(carried_ops.begin(), carried_ops.end());
  return imported;
}

}  // namespace

MetaGraph export_meta_graph(const Graph& graph, const ExportOptions& options) {
  if (options.as_text && options.as_json)
    fail(Code::kInvalidArgument, "export_meta_graph: as_text or as_json, not both");
  auto rep = std::make_shared<MetaGraph::Rep>();
  rep->name = options.filename;
  pb::MetaGraphDef& meta = rep->def;
  if (const FromFile* carried = from_file(graph)) meta = carried->rest;
  if (options.graph_def.empty()) {
    write_graph(graph, true, options.strip_default_attrs, *meta.mutable_graph_def());
  } else if (!parse_bytes(options.graph_def, *meta.mutable_graph_def())) {
    fail(Code::kInvalidArgument, "export_meta_graph: .graph_def is not a serialized GraphDef");
  }
  write_collections(graph, options.collection_list, meta);
  if (options.saver_def) *meta.mutable_saver_def() = to_proto(*options.saver_def);
  cut_scope(meta, options.export_scope);
  if (options.clear_devices) clear_devices(*meta.mutable_graph_def());
  if (options.clear_extraneous_savers) drop_other_savers(meta);
  write_op_list(graph, meta);
  auto& info = *meta.mutable_meta_info_def();
  info.set_tensorflow_version(kTensorFlowVersion);
  info.set_tensorflow_git_version(str_cat("cairn-", kVersion));
  if (options.strip_default_attrs) info.set_stripped_default_attrs(true);
  require_utf8(meta, "cairn.pb.GraphDef.node");

  MetaGraph result(std::move(rep));
  if (!options.filename.empty()) {
    FileSystem& fs = or_posix(options.file_system);
    const std::string content = options.as_text   ? result.text()
                                : options.as_json ? result.json()
                                                  : result.bytes();
    fs.create_dirs(directory_of(options.filename));
    write_file_atomically(fs, options.filename, content);
  }
  return result;
}

std::string as_graph_def(const Graph& graph, bool add_shapes) {
  pb::GraphDef def;
  if (const FromFile* carried = from_file(graph)) def = carried->rest.graph_def();
  write_graph(graph, add_shapes, false, def);
  return to_bytes(def);
}

ImportedMetaGraph import_meta_graph_def(Graph& graph, const MetaGraph& meta,
                                        const ImportOptions& options) {
  try {
    if (options.strict && !meta.left_out().empty()) {
      fail(Code::kUnimplemented,
           "the text has what this build cannot carry; nothing was imported (.strict): ",
           join_for_people(meta.left_out()));
    }
    google::protobuf::Arena arena;  // an arena, since a graph consists of many small messages
    auto& copy = *google::protobuf::Arena::CreateMessage<pb::MetaGraphDef>(&arena);
    copy = meta.rep().def;
    return import_message(graph, copy, options);
  } catch (const Error& error) {
    const std::string& name = meta.rep().name;
    throw Error(error.code(), name.empty() ? error.what() : name + ": " + error.what(),
                error.node());
  }
}

ImportedMetaGraph import_meta_graph_def(Graph& graph, const std::string& file,
                                        const ImportOptions& options) {
  return import_meta_graph_def(
      graph, MetaGraph::read(file, {.tags = options.tags, .file_system = options.file_system}),
      options);
}

std::vector<Operation> import_graph_def(Graph& graph, const std::string& file,
                                        const ImportGraphDefOptions& options) {
  return import_graph_def(
      graph, MetaGraph::read(file, {.tags = {}, .file_system = options.file_system}), options);
}

std::vector<Operation> import_graph_def(Graph& graph, const MetaGraph& whole,
                                        const ImportGraphDefOptions& options) {
  auto alone = std::make_shared<MetaGraph::Rep>();
  alone->name = whole.rep().name;
  *alone->def.mutable_graph_def() = whole.rep().def.graph_def();
  *alone->def.mutable_meta_info_def()->mutable_stripped_op_list() =
      whole.rep().def.meta_info_def().stripped_op_list();
  return import_meta_graph_def(graph, MetaGraph(std::move(alone)),
                               {.import_scope = options.name,
                                .clear_devices = false,
                                .strict = false,
                                .input_map = options.input_map,
                                .tags = {},
                                .file_system = options.file_system,
                                .ops = options.ops})
      .operations;
}

}  // namespace cairn
