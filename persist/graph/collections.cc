#include "persist/graph/collections.h"

#include <algorithm>

#include "persist/graph/convert.h"
#include "persist/messages/message.h"

namespace cairn {

bool holds_variable_defs(const std::string& key) {
  static constexpr std::string_view kKeys[] = {
      GraphKeys::kGlobalVariables, GraphKeys::kTrainableVariables,     GraphKeys::kLocalVariables,
      GraphKeys::kModelVariables,  GraphKeys::kMovingAverageVariables, GraphKeys::kMetricVariables,
      GraphKeys::kGlobalStep,      "trainable_resource_variables"};
  return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
}

namespace {

CollectionItem variable_or_bytes(const std::string& bytes, const Graph& graph,
                                 VariablesRead& variables) {
  if (const auto seen = variables.find(bytes); seen != variables.end()) return seen->second;
  pb::VariableDef def;
  if (!parse_bytes(bytes, def)) return bytes;
  const auto variable = from_proto(def, graph);
  if (!variable) return bytes;
  variables.emplace(bytes, *variable);
  return *variable;
}

CollectionItem named(const std::string& name, const Graph& graph) {
  if (const auto output = find_output(graph, name)) return *output;
  if (const auto op = find_op(graph, name)) return *op;
  return UnresolvedName{name};
}

// The name of an item in a node_list.
std::string node_name(const CollectionItem& item) {
  if (const auto* output = std::get_if<Output>(&item)) return output->name();
  if (const auto* op = std::get_if<Operation>(&item)) return op->name();
  if (const auto* variable = std::get_if<Variable>(&item)) return variable->ref().name();
  return std::get<UnresolvedName>(item).name;
}

using Kind = pb::CollectionDef::KindCase;

Kind kind_of(const CollectionItem& item, bool variable_defs) {
  struct Of {
    bool variable_defs;
    Kind operator()(const Variable&) const {
      return variable_defs ? Kind::kBytesList : Kind::kNodeList;
    }
    Kind operator()(const std::string&) const { return Kind::kBytesList; }
    Kind operator()(int64_t) const { return Kind::kInt64List; }
    Kind operator()(float) const { return Kind::kFloatList; }
    Kind operator()(const AnyItem&) const { return Kind::kAnyList; }
    Kind operator()(const Output&) const { return Kind::kNodeList; }
    Kind operator()(const Operation&) const { return Kind::kNodeList; }
    Kind operator()(const UnresolvedName&) const { return Kind::kNodeList; }
  };
  return std::visit(Of{variable_defs}, item);
}

// The kind of list that can hold all items; KIND_NOT_SET if there is none.
Kind kind_of(const std::vector<CollectionItem>& items, bool variable_defs) {
  const auto all = [&](auto is) { return std::all_of(items.begin(), items.end(), is); };
  for (const bool as_defs : {variable_defs, false}) {
    for (const Kind kind :
         {Kind::kNodeList, Kind::kBytesList, Kind::kInt64List, Kind::kFloatList, Kind::kAnyList}) {
      if (all([&](const auto& item) { return kind_of(item, as_defs) == kind; })) return kind;
    }
  }
  const auto is_number = [](const auto& item) {
    return std::holds_alternative<int64_t>(item) || std::holds_alternative<float>(item);
  };
  return all(is_number) ? Kind::kFloatList : Kind::KIND_NOT_SET;
}

}  // namespace

std::vector<CollectionItem> from_proto(const std::string& key, const pb::CollectionDef& proto,
                                       const Graph& graph, VariablesRead& variables) {
  std::vector<CollectionItem> items;
  const bool variable_defs = holds_variable_defs(key);
  for (const auto& name : proto.node_list().value()) items.push_back(named(name, graph));
  for (const auto& bytes : proto.bytes_list().value()) {
    items.push_back(variable_defs ? variable_or_bytes(bytes, graph, variables)
                                  : CollectionItem(bytes));
  }
  for (const int64_t i : proto.int64_list().value()) items.emplace_back(i);
  for (const float f : proto.float_list().value()) items.emplace_back(f);
  for (const auto& any : proto.any_list().value())
    items.push_back(AnyItem{any.type_url(), any.value()});
  return items;
}

pb::CollectionDef to_proto(const std::string& key, const std::vector<CollectionItem>& items) {
  pb::CollectionDef proto;
  if (items.empty()) return proto;
  const Kind kind = kind_of(items, holds_variable_defs(key));
  if (kind == Kind::KIND_NOT_SET) {
    fail(Code::kInvalidArgument, "collection '", key,
         "' cannot be written: a file holds items of one kind ",
         "(tensors and ops, bytes, integers, floats, or Any messages), and these are of several");
  }
  for (const CollectionItem& item : items) {
    switch (kind) {
      case Kind::kBytesList: {
        const auto* variable = std::get_if<Variable>(&item);
        proto.mutable_bytes_list()->add_value(variable ? to_bytes(to_proto(*variable))
                                                       : std::get<std::string>(item));
        break;
      }
      case Kind::kInt64List:
        proto.mutable_int64_list()->add_value(std::get<int64_t>(item));
        break;
      case Kind::kFloatList: {
        const auto* integer = std::get_if<int64_t>(&item);
        proto.mutable_float_list()->add_value(integer ? static_cast<float>(*integer)
                                                      : std::get<float>(item));
        break;
      }
      case Kind::kAnyList: {
        auto& any = *proto.mutable_any_list()->add_value();
        any.set_type_url(std::get<AnyItem>(item).type_url);
        any.set_value(std::get<AnyItem>(item).value);
        break;
      }
      default:
        proto.mutable_node_list()->add_value(node_name(item));
    }
  }
  return proto;
}

}  // namespace cairn
