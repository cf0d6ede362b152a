// Conversion between the runtime's types and messages; the only place that sees both.
//
// Readers check everything and throw InvalidArgument, or ResourceExhausted if an Allowance is used
// up, describing the fault; the caller adds the file. Writers fail only for values that a file
// cannot hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cairn/checkpoint.pb.h"
#include "cairn/graph.pb.h"
#include "cairn/tensor.pb.h"
#include "persist/checkpoint/tensor_slice.h"
#include "persist/graph/saver_def.h"
#include "runtime/graph/graph.h"

namespace cairn {

// Limits the memory for tensors beyond the bytes in the file: "zeros of [1000000]" takes a few
// bytes in a file. All tensors of a file share one allowance.
class Allowance {
 public:
  explicit Allowance(int64_t bytes = int64_t{2} << 30) : left_(bytes) {}
  // For inspecting a file of this size: an attribute whose value would exceed the allowance is kept
  // as `wire` only instead of throwing.
  static Allowance to_look(size_t file_bytes);
  // Throws ResourceExhausted.
  void take(int64_t bytes);
  bool leaves_the_rest() const { return leaves_the_rest_; }

 private:
  int64_t left_;
  bool leaves_the_rest_ = false;
};

// Shapes. Throws for an extent below -1 and for a product of more than 63 bits.
Shape from_proto(const pb::TensorShapeProto& proto);
pb::TensorShapeProto to_proto(const Shape& shape);

// Slices of tensors. Throws for messages that are not valid slices.
TensorSlice from_proto(const pb::TensorSliceProto& proto);
pb::TensorSliceProto to_proto(const TensorSlice& slice);

// Tensors. Reads `tensor_content` of exactly the right size (for strings: the lengths as varints,
// then the bytes), or the dtype's *_val field, whose last value is repeated for the remaining
// elements; without any value the elements are zero. Throws for dtypes that are unknown, references
// or without data (resource, variant), and for shapes that are not fully defined.
//
// Writes as Python's make_tensor_proto: a single element and all strings as *_val, other tensors as
// tensor_content. A tensor whose elements are all bitwise equal is written as one *_val, as
// TensorFlow writes zeros and fills; except vectors of integers, which in graphs are shapes, axes
// and slices given as lists.
Tensor from_proto(const pb::TensorProto& proto, Allowance& allowance);
pb::TensorProto to_proto(const Tensor& tensor);

// Attributes. `wire` is kept if writing the value would give a different message. Values that Cairn
// has no type for (placeholders, tensors of resources and variants) are kept as `wire` only.
Attr from_proto(const pb::AttrValue& proto, Allowance& allowance);
pb::AttrValue to_proto(const Attr& attr);

// Nodes. Errors name node and attribute. `with_shapes`: writes `_output_shapes` for every node with
// outputs. Control inputs are sorted by name, as in TensorFlow since 1.8, for nodes made here, and
// in the file's order for imported nodes.
ImportedNode from_proto(const pb::NodeDef& proto, Allowance& allowance);
pb::NodeDef to_proto(const Node& node, bool with_shapes);

// Ops. An op from a file is written back unchanged; descriptions are never written for other ops.
Op from_proto(const pb::OpDef& proto, Allowance& allowance);
pb::OpDef to_proto(const Op& op);

GraphVersions from_proto(const pb::VersionDef& proto);
pb::VersionDef to_proto(const GraphVersions& versions);

SaverDef from_proto(const pb::SaverDef& proto);
pb::SaverDef to_proto(const SaverDef& saver);

// Variables. nullopt if the graph lacks a node that the message names.
std::optional<Variable> from_proto(const pb::VariableDef& proto, const Graph& graph);
pb::VariableDef to_proto(const Variable& variable);

// Finds "a:1" or "a:0" as an output, "a" as an operation; nullopt if there is none.
std::optional<Output> find_output(const Graph& graph, const std::string& name);
std::optional<Operation> find_op(const Graph& graph, const std::string& name);

// The fields of a message that the schema does not have, as serialized bytes; and restoring them.
const std::string& unknown_fields_of(const google::protobuf::MessageLite& message);
void add_unknown_fields(google::protobuf::MessageLite& message, const std::string& fields);

}  // namespace cairn
