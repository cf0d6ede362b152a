#include "persist/graph/rewrite.h"

#include <algorithm>
#include <functional>
#include <set>

#include "cairn/control_flow.pb.h"
#include "persist/catalog.h"
#include "persist/graph/collections.h"
#include "persist/messages/message.h"
#include "persist/messages/schema.h"

namespace cairn {

using google::protobuf::Message;

std::unique_ptr<Message> message_of_names(const std::string& key) {
  const auto empty = [](const auto& message) { return new_message(descriptor_of(message)); };
  if (holds_variable_defs(key)) return empty(pb::VariableDef());
  if (key == GraphKeys::kSavers) return empty(pb::SaverDef());
  if (key == GraphKeys::kQueueRunners) return empty(pb::QueueRunnerDef());
  if (key == GraphKeys::kCondContext) return empty(pb::CondContextDef());
  if (key == GraphKeys::kWhileContext) return empty(pb::WhileContextDef());
  return nullptr;
}

std::string subject(const Message& message) {
  return message.GetReflection()->GetString(message, message.GetDescriptor()->field(0));
}

namespace {

using google::protobuf::FieldDescriptor;

constexpr char kUnboundPrefix[] = "$unbound_inputs_";
constexpr char kUnboundKey[] = "unbound_inputs";

// Returns the new name of a node; "" if it has none.
using Rename = std::function<std::string(const std::string&)>;

// Renames a reference to a node: "x:1", "^x", "loc:@x".
std::string renamed(const std::string& reference, const Rename& rename) {
  size_t mark = 0;
  for (const std::string_view prefix : {"^", "loc:@"}) {
    if (reference.compare(0, prefix.size(), prefix) == 0) mark = prefix.size();
  }
  size_t end = reference.find(':', mark);
  if (end == std::string::npos) end = reference.size();
  const std::string name = rename(reference.substr(mark, end - mark));
  return name.empty() ? "" : reference.substr(0, mark) + name + reference.substr(end);
}

// Renames every string in `message`, whose strings must all be names of nodes. A string without a
// new name is unchanged.
void rename_strings(Message& message, const Rename& rename) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  const auto pick = [&](const std::string& old) {
    const std::string name = old.empty() ? "" : renamed(old, rename);
    return name.empty() ? old : name;
  };
  for (const FieldDescriptor* field : fields) {
    const bool is_string = field->type() == FieldDescriptor::TYPE_STRING;
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    const int size = field->is_repeated() ? reflection->FieldSize(message, field) : 0;
    if (is_string && !field->is_repeated()) {
      reflection->SetString(&message, field, pick(reflection->GetString(message, field)));
    } else if (is_message && !field->is_repeated()) {
      rename_strings(*reflection->MutableMessage(&message, field), rename);
    }
    for (int i = 0; i < size; ++i) {
      if (is_string) {
        reflection->SetRepeatedString(&message, field, i,
                                      pick(reflection->GetRepeatedString(message, field, i)));
      }
      if (is_message)
        rename_strings(*reflection->MutableRepeatedMessage(&message, field, i), rename);
    }
  }
}

// Renames the items of a collection and removes those whose nodes have no new name.
void rename_items(const std::string& key, pb::CollectionDef& collection, const Rename& rename) {
  if (collection.has_node_list()) {
    auto& names = *collection.mutable_node_list()->mutable_value();
    for (auto& name : names) name = renamed(name, rename);
    names.erase(std::remove(names.begin(), names.end(), ""), names.end());
  }
  const auto message = message_of_names(key);
  if (!message || !collection.has_bytes_list()) return;
  pb::CollectionDef::BytesList kept;
  for (const auto& bytes : collection.bytes_list().value()) {
    if (!parse_bytes(bytes, *message)) {
      kept.add_value(bytes);
    } else if (!renamed(subject(*message), rename).empty()) {
      rename_strings(*message, rename);
      kept.add_value(to_bytes(*message));
    }
  }
  *collection.mutable_bytes_list() = std::move(kept);
}

void rename_strings(google::protobuf::MessageLite& message, const Rename& rename) {
  const auto copy = reflected(message);
  rename_strings(*copy, rename);
  if (!parse_bytes(to_bytes(*copy), message))
    fail(Code::kInvalidArgument, "a new name is not UTF-8");
}

void rename_tensor(pb::TensorInfo& info, const Rename& rename) {
  const auto set = [&](const std::string& old, std::string* to) {
    if (const std::string name = renamed(old, rename); !name.empty()) *to = name;
  };
  if (info.encoding_case() == pb::TensorInfo::kName)
    set(std::string(info.name()), info.mutable_name());
  if (info.has_coo_sparse()) rename_strings(*info.mutable_coo_sparse(), rename);
  if (info.has_composite_tensor()) {
    for (auto& part : *info.mutable_composite_tensor()->mutable_components())
      rename_tensor(part, rename);
  }
}

void rename_class(pb::NodeDef& node, const Rename& rename) {
  const auto attr = node.mutable_attr()->find("_class");
  if (attr == node.mutable_attr()->end()) return;
  auto& groups = *attr->second.mutable_list()->mutable_s();
  for (auto& group : groups) {
    if (group.compare(0, 5, "loc:@") == 0) group = renamed(group, rename);
  }
  groups.erase(std::remove(groups.begin(), groups.end(), ""), groups.end());
  if (groups.empty()) node.mutable_attr()->erase(attr);
}

// Renames everything except the names and inputs of nodes.
void rename_rest(pb::MetaGraphDef& meta, const Rename& rename) {
  for (auto& node : *meta.mutable_graph_def()->mutable_node()) rename_class(node, rename);
  if (meta.has_saver_def()) rename_strings(*meta.mutable_saver_def(), rename);
  for (auto& [key, collection] : *meta.mutable_collection_def())
    rename_items(key, collection, rename);
  for (auto& [key, signature] : *meta.mutable_signature_def()) {
    for (auto& [name, info] : *signature.mutable_inputs()) rename_tensor(info, rename);
    for (auto& [name, info] : *signature.mutable_outputs()) rename_tensor(info, rename);
  }
  for (auto& asset : *meta.mutable_asset_file_def())
    rename_tensor(*asset.mutable_tensor_info(), rename);
}

// A canonical form, since "x:0" and "x" denote the same input.
std::string input_key(const std::string& input) {
  return input.empty() || input[0] == '^' || input.find(':') != std::string::npos ? input
                                                                                  : input + ":0";
}

// {1, 12} for "1.12.0"; {0, 0} for text that is not a version.
std::pair<int, int> version_of(const std::string& text) {
  std::pair<int, int> version{0, 0};
  std::sscanf(text.c_str(), "%4d.%4d", &version.first, &version.second);
  return version;
}

std::string scope_of(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash + 1);
}

}  // namespace

void modernize(pb::MetaGraphDef& meta) {
  auto& graph = *meta.mutable_graph_def();
  if (graph.version() != 0 && !graph.has_versions())
    graph.mutable_versions()->set_producer(graph.version());
  graph.clear_version();
  if (version_of(meta.meta_info_def().tensorflow_version()) >= std::pair(1, 9)) return;

  auto& collections = *meta.mutable_collection_def();
  std::set<std::string> trainable;
  pb::VariableDef def;
  if (const auto at = collections.find(GraphKeys::kTrainableVariables); at != collections.end()) {
    for (const auto& bytes : at->second.bytes_list().value()) {
      if (parse_bytes(bytes, def)) trainable.insert(def.variable_name());
    }
  }
  for (auto& [key, collection] : collections) {
    if (!holds_variable_defs(key) || !collection.has_bytes_list()) continue;
    for (auto& bytes : *collection.mutable_bytes_list()->mutable_value()) {
      if (!parse_bytes(bytes, def) || def.trainable() || !trainable.count(def.variable_name()))
        continue;
      def.set_trainable(true);
      bytes = to_bytes(def);
    }
  }
}

void clear_devices(pb::GraphDef& graph) {
  for (auto& node : *graph.mutable_node()) node.clear_device();
}

namespace {

// True for stateful nodes (variables, tables, ...): they have no inputs, and a reference or
// resource as output.
bool holds_state(const pb::NodeDef& node) {
  const OpDef* op = all_ops().find(node.op());
  return op && op->inputs.empty() &&
         (op->outputs.find("Ref(") != std::string_view::npos ||
          op->outputs.find(": resource") != std::string_view::npos);
}

[[noreturn]] void refuse_taken_names(const Graph& graph, const pb::GraphDef& def,
                                     const std::string& prefix) {
  std::vector<std::string> taken;
  for (const auto& node : def.node()) {
    if (graph.contains(prefix + node.name())) taken.push_back(prefix + node.name());
  }
  fail(Code::kAlreadyExists, taken.size(), " of its ", def.node_size(),
       " nodes have names that the graph has already: ", join_for_people(taken),
       "; reset the graph first, or import under a scope (.import_scope)");
}

}  // namespace

NewNames names_in(const Graph& graph, const pb::MetaGraphDef& meta, const std::string& scope) {
  const std::string prefix = scope.empty() ? "" : scope + "/";
  NewNames names;
  std::vector<std::string> taken;
  for (const auto& node : meta.graph_def().node()) {
    std::string name = prefix + node.name();
    if (graph.contains(name)) {
      if (holds_state(node)) refuse_taken_names(graph, meta.graph_def(), prefix);
      taken.push_back(node.name());
    }
    names.emplace(node.name(), std::move(name));
  }
  if (taken.empty()) return names;
  if (taken.size() == names.size()) refuse_taken_names(graph, meta.graph_def(), prefix);
  std::set<std::string> given;
  for (const auto& [from, to] : names) given.insert(to);
  for (const std::string& from : taken) {
    std::string free;
    for (int i = 1; free.empty() || graph.contains(free) || given.count(free) > 0; ++i)
      free = str_cat(prefix, from, "_", i);
    given.insert(free);
    names[from] = std::move(free);
  }
  return names;
}

std::vector<MappedInput> rename_nodes(pb::MetaGraphDef& meta, const NewNames& names,
                                      const std::string& scope,
                                      const std::map<std::string, Output>& input_map) {
  bool changes = !scope.empty();
  for (const auto& [from, to] : names) changes |= from != to;
  const Rename rename = [&](const std::string& name) {
    const auto known = names.find(name);
    return known != names.end() ? known->second : scope.empty() ? name : scope + "/" + name;
  };
  std::map<std::string, std::string> keys;  // keys of input_map by their canonical form
  for (const auto& [key, to] : input_map) keys[input_key(key)] = key;
  std::set<std::string> unused, unbound;
  for (const auto& [input, key] : keys) unused.insert(input);
  std::vector<MappedInput> mapped;
  auto& nodes = *meta.mutable_graph_def()->mutable_node();
  for (int n = 0; n < nodes.size(); ++n) {
    nodes[n].set_name(rename(nodes[n].name()));
    for (int i = 0; i < nodes[n].input_size(); ++i) {
      std::string& input = *nodes[n].mutable_input(i);
      const auto replaced = keys.find(input_key(input));
      if (replaced != keys.end()) {
        unused.erase(replaced->first);
        mapped.push_back({n, i, replaced->second});
      } else if (input.find(kUnboundPrefix) <= 1) {
        unbound.insert(input);
      } else if (changes) {
        input = renamed(input, rename);
      }
    }
  }
  if (!unused.empty()) {
    fail(Code::kInvalidArgument, "input_map names inputs that no node has: ",
         join_for_people({unused.begin(), unused.end()}));
  }
  if (!unbound.empty()) {
    fail(Code::kInvalidArgument, "the graph has unbound inputs, which input_map must provide: ",
         join_for_people({unbound.begin(), unbound.end()}));
  }
  meta.mutable_collection_def()->erase(kUnboundKey);
  if (changes) rename_rest(meta, rename);
  return mapped;
}

void cut_scope(pb::MetaGraphDef& meta, const std::string& scope) {
  if (scope.empty()) return;
  const std::string inside = scope.back() == '/' ? scope : scope + "/";
  const Rename cut = [&](const std::string& name) {
    return name.size() > inside.size() && name.compare(0, inside.size(), inside) == 0
               ? name.substr(inside.size())
               : "";
  };
  auto& nodes = *meta.mutable_graph_def()->mutable_node();
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(),
                             [&](const auto& node) { return cut(node.name()).empty(); }),
              nodes.end());
  if (nodes.empty())
    fail(Code::kNotFound, "export_scope: the graph has no nodes under '", inside, "'");
  std::set<std::string> unbound;
  for (auto& node : nodes) {
    node.set_name(cut(node.name()));
    for (auto& input : *node.mutable_input()) {
      const std::string name = renamed(input, cut);
      const size_t control = input[0] == '^';
      input =
          name.empty() ? input.substr(0, control) + kUnboundPrefix + input.substr(control) : name;
      if (name.empty()) unbound.insert(input);
    }
  }
  rename_rest(meta, cut);
  auto& collections = *meta.mutable_collection_def();
  for (auto at = collections.begin(); at != collections.end();) {
    const bool gone = (at->second.has_node_list() && at->second.node_list().value().empty()) ||
                      (at->second.has_bytes_list() && at->second.bytes_list().value().empty());
    at = gone ? collections.erase(at) : std::next(at);
  }
  for (const auto& name : unbound) collections[kUnboundKey].mutable_bytes_list()->add_value(name);
}

void drop_other_savers(pb::MetaGraphDef& meta) {
  static constexpr std::string_view kSaverOps[] = {
      "Save", "SaveSlices", "SaveV2", "Restore", "RestoreSlice", "RestoreV2", "MergeV2Checkpoints"};
  auto& nodes = *meta.mutable_graph_def()->mutable_node();
  std::set<std::string> scopes;
  for (const auto& node : nodes) {
    if (std::find(std::begin(kSaverOps), std::end(kSaverOps), node.op()) != std::end(kSaverOps))
      scopes.insert(scope_of(node.name()));
  }
  scopes.erase("");  // a saver outside any scope cannot be distinguished from the model
  scopes.erase(scope_of(meta.saver_def().save_tensor_name()));
  scopes.erase(scope_of(meta.saver_def().restore_op_name()));
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(),
                             [&](const auto& node) {
                               for (std::string scope = scope_of(node.name()); !scope.empty();
                                    scope = scope_of(scope.substr(0, scope.size() - 1))) {
                                 if (scopes.count(scope)) return true;
                               }
                               return false;
                             }),
              nodes.end());
  auto& collections = *meta.mutable_collection_def();
  collections.erase(GraphKeys::kSavers);
  if (meta.has_saver_def()) {
    collections[GraphKeys::kSavers].mutable_bytes_list()->add_value(to_bytes(meta.saver_def()));
  }
}

}  // namespace cairn
