// The runtime's types as messages and back: the one place where both are visible.
//
// Reading takes nothing on trust and throws InvalidArgument, or ResourceExhausted where an
// Allowance is used up, saying what is wrong; the caller adds the file. Writing fails only for what
// a file cannot hold.
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

// Bytes of tensors that a file may ask for beyond those it holds: "zeros of [1000000]" is a few
// bytes in a file. One allowance serves all tensors of a file.
class Allowance {
 public:
  explicit Allowance(int64_t bytes = int64_t{2} << 30) : left_(bytes) {}
  // To look at a file of so many bytes: the value of an attribute that asks for more is left as the
  // file has it, as `wire` alone.
  static Allowance to_look(size_t file_bytes);
  // Throws ResourceExhausted.
  void take(int64_t bytes);
  bool leaves_the_rest() const { return leaves_the_rest_; }

 private:
  int64_t left_;
  bool leaves_the_rest_ = false;
};

// Shapes. An extent below -1 and a product beyond 63 bits are refused.
Shape from_proto(const pb::TensorShapeProto& proto);
pb::TensorShapeProto to_proto(const Shape& shape);

// Slices of tensors. What is no slice is refused.
TensorSlice from_proto(const pb::TensorSliceProto& proto);
pb::TensorSliceProto to_proto(const TensorSlice& slice);

// Tensors. Reading: `tensor_content` of exactly the right size (for strings: the lengths as
// varints, then the bytes), or the dtype's *_val field, whose last value fills what is left; no
// value at all is zeros. Refused: dtypes that are unknown, references or no data (resource,
// variant), and shapes not fully defined.
//
// Writing follows Python's make_tensor_proto: one element as *_val, strings always, more as
// tensor_content. A tensor whose elements are all equal bit by bit is written as one *_val, as
// TensorFlow writes zeros and fills; vectors of integers, which in graphs are shapes, axes and
// slices given as lists, are not.
Tensor from_proto(const pb::TensorProto& proto, Allowance& allowance);
pb::TensorProto to_proto(const Tensor& tensor);

// Attributes. `wire` is kept where writing the value anew would not give an equal message. Values
// that Cairn has no type for (placeholders, tensors of resources and variants) are kept as `wire`
// alone.
Attr from_proto(const pb::AttrValue& proto, Allowance& allowance);
pb::AttrValue to_proto(const Attr& attr);

// Nodes. Errors name node and attribute. `_output_shapes` is written for every node that has
// outputs if `with_shapes`. Control inputs of nodes made here are sorted by name, as TensorFlow
// does since 1.8; those of nodes that came from a file stay in the file's order.
ImportedNode from_proto(const pb::NodeDef& proto, Allowance& allowance);
pb::NodeDef to_proto(const Node& node, bool with_shapes);

// Ops. What came from a file is written back as it was; descriptions are never written for others.
Op from_proto(const pb::OpDef& proto, Allowance& allowance);
pb::OpDef to_proto(const Op& op);

GraphVersions from_proto(const pb::VersionDef& proto);
pb::VersionDef to_proto(const GraphVersions& versions);

SaverDef from_proto(const pb::SaverDef& proto);
pb::SaverDef to_proto(const SaverDef& saver);

// Variables. Nothing where the graph lacks a node that the message names.
std::optional<Variable> from_proto(const pb::VariableDef& proto, const Graph& graph);
pb::VariableDef to_proto(const Variable& variable);

// "a:1" and "a:0" as an output of `graph`, "a" as a node; nothing where there is none.
std::optional<Output> find_output(const Graph& graph, const std::string& name);
std::optional<Operation> find_op(const Graph& graph, const std::string& name);

// The fields that the schema does not name, as they stood in the file, and put back.
const std::string& unknown_fields_of(const google::protobuf::MessageLite& message);
void add_unknown_fields(google::protobuf::MessageLite& message, const std::string& fields);

}  // namespace cairn
