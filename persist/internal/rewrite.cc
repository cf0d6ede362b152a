#include "persist/internal/rewrite.h"

#include <algorithm>
#include <functional>
#include <set>

#include "cairn/control_flow.pb.h"
#include "persist/internal/collections.h"
#include "persist/internal/message.h"
#include "persist/internal/schema.h"

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

// The new name of a node; "" when it has none.
using Rename = std::function<std::string(const std::string&)>;

// The same for what refers to a node: "x:1", "^x", "loc:@x".
std::string renamed(const std::string& reference, const Rename& rename) {
  size_t mark = 0;
  for (const std::string_view prefix : {"^", "loc:@"}) {
    if (reference.compare(0, prefix.size(), prefix) == 0) mark = prefix.size();
  }
  const std::string name = rename(reference.substr(mark));
  return name.empty() ? "" : reference.substr(0, mark) + name;
}

// Renames every string in `message`; all strings of the messages given here are names of nodes. What has no new name
// keeps its own.
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
        reflection->SetRepeatedString(&message, field, i, pick(reflection->GetRepeatedString(message, field, i)));
      }
      if (is_message) rename_strings(*reflection->MutableRepeatedMessage(&message, field, i), rename);
    }
  }
}

// Renames the items of a collection; those about nodes that have no new name go.
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
  if (!parse_bytes(to_bytes(*copy), message)) fail(Code::kInvalidArgument, "a new name is not UTF-8");
}

void rename_tensor(pb::TensorInfo& info, const Rename& rename) {
  const auto set = [&](const std::string& old, std::string* to) {
    if (const std::string name = renamed(old, rename); !name.empty()) *to = name;
  };
  if (info.encoding_case() == pb::TensorInfo::kName) set(std::string(info.name()), info.mutable_name());
  if (info.has_coo_sparse()) rename_strings(*info.mutable_coo_sparse(), rename);
  if (info.has_composite_tensor()) {
    for (auto& part : *info.mutable_composite_tensor()->mutable_components()) rename_tensor(part, rename);
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

// Everything but names and inputs of nodes.
void rename_rest(pb::MetaGraphDef& meta, const Rename& rename) {
  for (auto& node : *meta.mutable_graph_def()->mutable_node()) rename_class(node, rename);
  if (meta.has_saver_def()) rename_strings(*meta.mutable_saver_def(), rename);
  for (auto& [key, collection] : *meta.mutable_collection_def()) rename_items(key, collection, rename);
  for (auto& [key, signature] : *meta.mutable_signature_def()) {
    for (auto& [name, info] : *signature.mutable_inputs()) rename_tensor(info, rename);
    for (auto& [name, info] : *signature.mutable_outputs()) rename_tensor(info, rename);
  }
  for (auto& asset : *meta.mutable_asset_file_def()) rename_tensor(*asset.mutable_tensor_info(), rename);
}

// "x:0" and "x" are one input.
std::string input_key(const std::string& input) {
  return input.empty() || input[0] == '^' || input.find(':') != std::string::npos ? input : input + ":0";
}

// "1.12.0" as {1, 12}; {0, 0} when it is nothing of the kind.
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
  if (graph.version() != 0 && !graph.has_versions()) graph.mutable_versions()->set_producer(graph.version());
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
      if (!parse_bytes(bytes, def) || def.trainable() || !trainable.count(def.variable_name())) continue;
      def.set_trainable(true);
      bytes = to_bytes(def);
    }
  }
}

void clear_devices(pb::GraphDef& graph) {
  for (auto& node : *graph.mutable_node()) node.clear_device();
}

void add_scope(pb::MetaGraphDef& meta, const std::string& scope, const std::map<std::string, std::string>& input_map) {
  const Rename prefix = [&](const std::string& name) { return scope.empty() ? name : scope + "/" + name; };
  std::map<std::string, std::string> replaced;
  for (const auto& [from, to] : input_map) replaced[input_key(from)] = to;
  std::set<std::string> unused, unbound;
  for (const auto& [from, to] : replaced) unused.insert(from);
  for (auto& node : *meta.mutable_graph_def()->mutable_node()) {
    node.set_name(prefix(node.name()));
    for (auto& input : *node.mutable_input()) {
      const std::string key = input_key(input);
      if (input.find(kUnboundPrefix) <= 1 && !replaced.count(key)) unbound.insert(input);
      unused.erase(key);
      input = replaced.count(key) ? replaced[key] : renamed(input, prefix);
    }
  }
  if (!unused.empty()) {
    fail(Code::kInvalidArgument,
         "input_map names inputs that no node has: ", join_for_people({unused.begin(), unused.end()}));
  }
  if (!unbound.empty()) {
    fail(Code::kInvalidArgument, "the graph has unbound inputs, which input_map must provide: ",
         join_for_people({unbound.begin(), unbound.end()}));
  }
  meta.mutable_collection_def()->erase(kUnboundKey);
  if (!scope.empty()) rename_rest(meta, prefix);
}

void cut_scope(pb::MetaGraphDef& meta, const std::string& scope) {
  if (scope.empty()) return;
  const std::string inside = scope.back() == '/' ? scope : scope + "/";
  const Rename cut = [&](const std::string& name) {
    return name.size() > inside.size() && name.compare(0, inside.size(), inside) == 0 ? name.substr(inside.size()) : "";
  };
  auto& nodes = *meta.mutable_graph_def()->mutable_node();
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(), [&](const auto& node) { return cut(node.name()).empty(); }),
              nodes.end());
  if (nodes.empty()) fail(Code::kNotFound, "export_scope: the graph has no nodes under '", inside, "'");
  std::set<std::string> unbound;
  for (auto& node : nodes) {
    node.set_name(cut(node.name()));
    for (auto& input : *node.mutable_input()) {
      const std::string name = renamed(input, cut);
      const size_t control = input[0] == '^';
      input = name.empty() ? input.substr(0, control) + kUnboundPrefix + input.substr(control) : name;
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
  scopes.erase("");  // a saver outside any scope cannot be told from the model
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
