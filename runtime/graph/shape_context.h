// ShapeContext: what the shape function of an op sees of its node, when that is added to a graph.
//
//   void my_shape(ShapeContext& c) {
//     const Shape x = c.with_rank(0, 2, "x");   // "MyOp 'a' (net.cc:12): x must be of rank 2, ..."
//     c.set_output({x.dim(0)});
//   }
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "runtime/graph/node.h"

namespace CAIRN_API cairn {

namespace internal {
// Of the value at input i. Where the op that makes it does not say (one that nobody describes,
// whose output is fed), by the node's own attributes.
DType input_dtype(const Node& node, size_t i);
}  // namespace internal

// Throws Error: "MatMul 'layer1/logits' (mnist.cc:41): " + message.
[[noreturn]] void fail_at(const Node& node, Code code, const std::string& message);
// Throws the exception that is being handled as an Error that names the node, unless it names one
// already.
[[noreturn]] void rethrow_at(const Node& node);

class ShapeContext : public AttrReader {
 public:
  ShapeContext(const Graph& graph, Node& node) : AttrReader(node), graph_(graph), node_(node) {}

  const Node& node() const { return node_; }
  // The graph's GraphDef.versions.producer: what old files mean differs (formats: Placeholder's
  // shape).
  int producer() const;
  int num_inputs() const { return static_cast<int>(node_.inputs.size()); }
  int num_outputs() const { return node_.num_outputs(); }
  const Shape& input(int i) const {
    const Endpoint& e = node_.inputs[static_cast<size_t>(i)];
    return e.node->output_shapes[static_cast<size_t>(e.index)];
  }
  DType input_dtype(int i) const { return internal::input_dtype(node_, static_cast<size_t>(i)); }
  // The value of input i where the graph alone decides it, else an invalid tensor.
  Tensor constant(int i) const;
  // The shape that the integer vector at input i denotes: its value where known, else a shape of
  // unknown extents, of unknown rank when even the vector's length is unknown.
  Shape shape_from(int i) const;

  // Input i checked to have `rank` (of unknown rank: that many unknown extents). `what` names it in
  // the message.
  Shape with_rank(int i, int rank, std::string_view what) const;
  Shape with_rank_at_least(int i, int rank, std::string_view what) const;
  // Extents of the matrix at input i, swapped when `transposed`.
  std::pair<int64_t, int64_t> matrix(int i, std::string_view what, bool transposed = false) const;
  // Throws unless the extents are equal or one is unknown; gives the known one. "inner dimensions
  // differ: 784 and 128".
  int64_t same(int64_t a, int64_t b, std::string_view what) const;
  void require(bool condition, const std::string& message) const {
    if (!condition) fail(message);
  }
  [[noreturn]] void fail(const std::string& message) const {
    fail_at(node_, Code::kInvalidArgument, message);
  }

  // Outputs are of unknown shape until set.
  void set_output(const Shape& shape) { set_output(0, shape); }
  void set_output(int i, const Shape& shape) {
    node_.output_shapes[static_cast<size_t>(i)] = shape;
  }

 private:
  const Graph& graph_;
  Node& node_;
};

// Common shape functions.
void unchanged_shape(ShapeContext& c);  // every output has the shape of input 0
void broadcast_shape(ShapeContext& c);  // output 0 is inputs 0 and 1 broadcast
void scalar_shape(ShapeContext& c);     // every output is a scalar

}  // namespace cairn
