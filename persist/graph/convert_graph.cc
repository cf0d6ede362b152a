// Conversion of nodes, ops, versions, savers and variables.
#include <algorithm>
#include <charconv>

#include "persist/graph/convert.h"
#include "persist/messages/message.h"
#include "runtime/base/text.h"

namespace cairn {

// ---- nodes --------------------------------------------------------------------------------------

namespace {

// Calls `convert` and rethrows its errors with place() in front.
template <class Place, class F>
auto at_place(const Place& place, F&& convert) {
  try {
    return convert();
  } catch (const Error& error) {
    throw Error(error.code(), str_cat(place(), ": ", error.what()), error.node());
  }
}

}  // namespace

ImportedNode from_proto(const pb::NodeDef& proto, Allowance& allowance) {
  ImportedNode node{.name = proto.name(),
                    .op = proto.op(),
                    .inputs = {proto.input().begin(), proto.input().end()},
                    .attrs = {},
                    .device = proto.device(),
                    .unknown_fields = {}};
  // sorted by name, as in Attrs
  std::vector<std::pair<std::string_view, const pb::AttrValue*>> attrs;
  for (const auto& [name, value] : proto.attr()) attrs.emplace_back(name, &value);
  std::sort(attrs.begin(), attrs.end());
  for (const auto& [name, value] : attrs) {
    const auto place = [&, &name = name] {
      return str_cat("node '", proto.name(), "' (", proto.op(), "), attribute ", name);
    };
    node.attrs.set(name,
                   at_place(place, [&, &value = value] { return from_proto(*value, allowance); }));
  }
  const std::string unknown = unknown_fields_of(proto);
  if (unknown.empty() && !proto.has_experimental_debug_info() && !proto.has_experimental_type())
    return node;
  pb::NodeDef rest;
  if (proto.has_experimental_debug_info())
    *rest.mutable_experimental_debug_info() = proto.experimental_debug_info();
  if (proto.has_experimental_type()) *rest.mutable_experimental_type() = proto.experimental_type();
  add_unknown_fields(rest, unknown);
  node.unknown_fields = to_bytes(rest);
  return node;
}

pb::NodeDef to_proto(const Node& node, bool with_shapes) {
  pb::NodeDef proto;
  if (!parse_bytes(node.unknown_fields, proto))
    fail(Code::kInternal, "a node's carried bytes do not parse");
  proto.set_name(node.name);
  proto.set_op(node.op->name);
  proto.set_device(node.device);
  for (const Endpoint& input : node.inputs)
    proto.add_input(endpoint_name(*input.node, input.index, false));
  const int first_control = proto.input_size();
  for (const Node* control : node.control_inputs) proto.add_input("^" + control->name);
  if (!node.imported)
    std::sort(proto.mutable_input()->begin() + first_control, proto.mutable_input()->end());
  for (const auto& [name, attr] : node.attrs) (*proto.mutable_attr())[name] = to_proto(attr);
  if (with_shapes && node.num_outputs() > 0) {
    (*proto.mutable_attr())["_output_shapes"] = to_proto(Attr(node.output_shapes));
  }
  return proto;
}

// ---- ops ----------------------------------------------------------------------------------------

namespace {

ArgDef arg_from_proto(const pb::OpDef::ArgDef& proto) {
  return {.name = proto.name(),
          .type = static_cast<DType>(proto.type()),
          .type_attr = proto.type_attr(),
          .number_attr = proto.number_attr(),
          .type_list_attr = proto.type_list_attr(),
          .is_ref = proto.is_ref()};
}

pb::OpDef::ArgDef to_proto(const ArgDef& arg) {
  pb::OpDef::ArgDef proto;
  proto.set_name(arg.name);
  proto.set_type(static_cast<pb::DataType>(arg.type));
  proto.set_type_attr(arg.type_attr);
  proto.set_number_attr(arg.number_attr);
  proto.set_type_list_attr(arg.type_list_attr);
  proto.set_is_ref(arg.is_ref);
  return proto;
}

AttrDef attr_def_from_proto(const pb::OpDef::AttrDef& proto, Allowance& allowance) {
  AttrDef attr{.name = proto.name(),
               .type = proto.type(),
               .default_value = {},
               .minimum = {},
               .allowed_types = {},
               .allowed_strings = {}};
  if (proto.has_default_value()) attr.default_value = from_proto(proto.default_value(), allowance);
  if (proto.has_minimum()) attr.minimum = proto.minimum();
  for (const int type : proto.allowed_values().list().type())
    attr.allowed_types.push_back(static_cast<DType>(type));
  for (const auto& s : proto.allowed_values().list().s()) attr.allowed_strings.push_back(s);
  return attr;
}

pb::OpDef::AttrDef to_proto(const AttrDef& attr) {
  pb::OpDef::AttrDef proto;
  proto.set_name(attr.name);
  proto.set_type(attr.type);
  if (attr.default_value) *proto.mutable_default_value() = to_proto(*attr.default_value);
  if (attr.minimum) proto.set_has_minimum(true), proto.set_minimum(*attr.minimum);
  if (!attr.allowed_types.empty())
    *proto.mutable_allowed_values() = to_proto(Attr(attr.allowed_types));
  if (!attr.allowed_strings.empty())
    *proto.mutable_allowed_values() = to_proto(Attr(attr.allowed_strings));
  return proto;
}

}  // namespace

Op from_proto(const pb::OpDef& proto, Allowance& allowance) {
  const auto place = [&] { return str_cat("op ", proto.name()); };
  return at_place(place, [&] {
    Op op;
    op.name = proto.name();
    for (const auto& arg : proto.input_arg()) op.inputs.push_back(arg_from_proto(arg));
    for (const auto& arg : proto.output_arg()) op.outputs.push_back(arg_from_proto(arg));
    for (const auto& attr : proto.attr()) op.attrs.push_back(attr_def_from_proto(attr, allowance));
    op.stateful = proto.is_stateful();
    op.commutative = proto.is_commutative();
    op.aggregate = proto.is_aggregate();
    op.allows_uninitialized_input = proto.allows_uninitialized_input();
    op.wire = to_bytes(proto);
    return op;
  });
}

pb::OpDef to_proto(const Op& op) {
  pb::OpDef proto;
  if (!op.wire.empty()) {
    if (!parse_bytes(op.wire, proto))
      fail(Code::kInternal, "op ", op.name, ": its carried bytes do not parse");
    return proto;
  }
  proto.set_name(op.name);
  for (const ArgDef& arg : op.inputs) *proto.add_input_arg() = to_proto(arg);
  for (const ArgDef& arg : op.outputs) *proto.add_output_arg() = to_proto(arg);
  for (const AttrDef& attr : op.attrs) *proto.add_attr() = to_proto(attr);
  proto.set_is_stateful(op.stateful);
  proto.set_is_commutative(op.commutative);
  proto.set_is_aggregate(op.aggregate);
  proto.set_allows_uninitialized_input(op.allows_uninitialized_input);
  return proto;
}

// ---- versions, savers, variables ----------------------------------------------------------------

GraphVersions from_proto(const pb::VersionDef& proto) {
  return {.producer = proto.producer(),
          .min_consumer = proto.min_consumer(),
          .bad_consumers = {proto.bad_consumers().begin(), proto.bad_consumers().end()}};
}

pb::VersionDef to_proto(const GraphVersions& versions) {
  pb::VersionDef proto;
  proto.set_producer(versions.producer);
  proto.set_min_consumer(versions.min_consumer);
  proto.mutable_bad_consumers()->Add(versions.bad_consumers.begin(), versions.bad_consumers.end());
  return proto;
}

SaverDef from_proto(const pb::SaverDef& proto) {
  return {.filename_tensor_name = proto.filename_tensor_name(),
          .save_tensor_name = proto.save_tensor_name(),
          .restore_op_name = proto.restore_op_name(),
          .max_to_keep = proto.max_to_keep(),
          .sharded = proto.sharded(),
          .keep_checkpoint_every_n_hours = proto.keep_checkpoint_every_n_hours(),
          .version = static_cast<CheckpointFormat>(proto.version()),
          .unknown_fields = unknown_fields_of(proto)};
}

pb::SaverDef to_proto(const SaverDef& saver) {
  pb::SaverDef proto;
  proto.set_filename_tensor_name(saver.filename_tensor_name);
  proto.set_save_tensor_name(saver.save_tensor_name);
  proto.set_restore_op_name(saver.restore_op_name);
  proto.set_max_to_keep(saver.max_to_keep);
  proto.set_sharded(saver.sharded);
  proto.set_keep_checkpoint_every_n_hours(saver.keep_checkpoint_every_n_hours);
  proto.set_version(static_cast<pb::SaverDef::CheckpointFormatVersion>(saver.version));
  add_unknown_fields(proto, saver.unknown_fields);
  return proto;
}

std::optional<Operation> find_op(const Graph& graph, const std::string& name) {
  if (!graph.contains(name)) return std::nullopt;
  return graph.find_op(name);
}

std::optional<Output> find_output(const Graph& graph, const std::string& name) {
  const size_t colon = name.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  const char* end = name.data() + name.size();
  int index = -1;
  const auto [stop, error] = std::from_chars(name.data() + colon + 1, end, index);
  const auto op = find_op(graph, name.substr(0, colon));
  if (!op || stop != end || error != std::errc() || index < 0 || index >= op->num_outputs())
    return std::nullopt;
  return op->output(index);
}

std::optional<Variable> from_proto(const pb::VariableDef& proto, const Graph& graph) {
  const auto ref = find_output(graph, proto.variable_name());
  const auto initializer = find_op(graph, proto.initializer_name());
  const auto snapshot = find_output(graph, proto.snapshot_name());
  const auto initial_value = find_output(graph, proto.initial_value_name());
  if (!ref || !initializer || !snapshot || (!initial_value && !proto.initial_value_name().empty()))
    return std::nullopt;
  VariableInfo info{.ref = *ref,
                    .initializer = *initializer,
                    .snapshot = *snapshot,
                    .initial_value = initial_value.value_or(Output()),
                    .trainable = proto.trainable(),
                    .is_resource = proto.is_resource(),
                    .slice = {},
                    .synchronization = proto.synchronization(),
                    .aggregation = proto.aggregation(),
                    .unknown_fields = unknown_fields_of(proto)};
  if (proto.has_save_slice_info_def()) {
    const auto& slice = proto.save_slice_info_def();
    info.slice = {.full_name = slice.full_name(),
                  .full_shape = {slice.full_shape().begin(), slice.full_shape().end()},
                  .var_offset = {slice.var_offset().begin(), slice.var_offset().end()},
                  .var_shape = {slice.var_shape().begin(), slice.var_shape().end()}};
  }
  return Variable(std::move(info));
}

pb::VariableDef to_proto(const Variable& variable) {
  const VariableInfo& info = variable.info();
  pb::VariableDef proto;
  proto.set_variable_name(info.ref.name());
  if (info.initializer) proto.set_initializer_name(info.initializer.name());
  if (info.snapshot) proto.set_snapshot_name(info.snapshot.name());
  if (info.initial_value) proto.set_initial_value_name(info.initial_value.name());
  proto.set_trainable(info.trainable);
  proto.set_is_resource(info.is_resource);
  proto.set_synchronization(static_cast<pb::VariableSynchronization>(info.synchronization));
  proto.set_aggregation(static_cast<pb::VariableAggregation>(info.aggregation));
  add_unknown_fields(proto, info.unknown_fields);
  if (info.slice) {
    if (!is_utf8(info.slice->full_name)) {
      fail(Code::kInvalidArgument, info.ref.node().str(),
           ": the name of the variable that it is a part of, '", printable(info.slice->full_name),
           "', is not UTF-8 and cannot be written");
    }
    auto& slice = *proto.mutable_save_slice_info_def();
    slice.set_full_name(info.slice->full_name);
    slice.mutable_full_shape()->Add(info.slice->full_shape.begin(), info.slice->full_shape.end());
    slice.mutable_var_offset()->Add(info.slice->var_offset.begin(), info.slice->var_offset.end());
    slice.mutable_var_shape()->Add(info.slice->var_shape.begin(), info.slice->var_shape.end());
  }
  return proto;
}

}  // namespace cairn
