// ShapeContext: the argument of an op's shape function, which runs when a node of the op is added
// to a graph. It gives the shapes, dtypes and known values of the inputs and takes the shapes of
// the outputs.
//
//   void my_shape(ShapeContext& c) {   // of "x: T" -> "y: T": the first extent of a matrix
//     const Shape x = c.with_rank(0, 2, "x");
//     c.set_output({x.dim(0)});
//   }
//
// A vector as x: throws Error "MyOp 'a' (net.cc:12): x must be of rank 2, got shape [3]"; the graph
// is then as before the call of the builder.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "runtime/graph/node.h"

namespace CAIRN_API cairn {

namespace internal {
// The dtype of input i: that of the output which it reads or, if the op of that output is unknown
// (its output must be fed), the dtype that the node's own attributes say.
DType input_dtype(const Node& node, size_t i);
}  // namespace internal

// Throws Error: "MatMul 'layer1/logits' (mnist.cc:41): " + message.
[[noreturn]] void fail_at(const Node& node, Code code, const std::string& message);
// To be called in a catch block: throws the caught exception again, as an Error that names the node
// unless it already names one.
[[noreturn]] void rethrow_at(const Node& node);

class ShapeContext : public AttrReader {
 public:
  ShapeContext(const Graph& graph, Node& node) : AttrReader(node), graph_(graph), node_(node) {}

  const Node& node() const { return node_; }
  // The graph's GraphDef.versions.producer. Some attributes mean something else in old files (the
  // shape of a Placeholder).
  int producer() const;
  int num_inputs() const { return static_cast<int>(node_.inputs.size()); }
  int num_outputs() const { return node_.num_outputs(); }
  const Shape& input(int i) const {
    const Endpoint& e = node_.inputs[static_cast<size_t>(i)];
    return e.node->output_shapes[static_cast<size_t>(e.index)];
  }
  DType input_dtype(int i) const { return internal::input_dtype(node_, static_cast<size_t>(i)); }
  // The value of input i if it is known before any run (a constant, or computed from constants and
  // known shapes), else an invalid tensor.
  Tensor constant(int i) const;
  // The shape given by the integer vector at input i: its value if that is known, else a shape of
  // unknown extents, and of unknown rank if the length of the vector is unknown too. Throws
  // InvalidArgument for an input that is no vector.
  Shape shape_from(int i) const;

  // The shape of input i, which must have the rank `rank`, or at least that rank. For an input of
  // unknown rank with_rank() returns `rank` unknown extents, with_rank_at_least() the unknown
  // shape. Throw InvalidArgument; `what` names the input in the message.
  Shape with_rank(int i, int rank, std::string_view what) const;
  Shape with_rank_at_least(int i, int rank, std::string_view what) const;
  // Rows and columns of the matrix at input i, swapped if `transposed`. Throws as with_rank().
  std::pair<int64_t, int64_t> matrix(int i, std::string_view what, bool transposed = false) const;
  // The known one of two extents that must be equal; -1 is an unknown extent and equals any. Throws
  // InvalidArgument, with all inputs in the message: "inner dimensions differ: 784 and 128 ('x' is
  // [?,784], ...)".
  int64_t same(int64_t a, int64_t b, std::string_view what) const;
  void require(bool condition, const std::string& message) const {
    if (!condition) fail(message);
  }
  [[noreturn]] void fail(const std::string& message) const {
    fail_at(node_, Code::kInvalidArgument, message);
  }

  // Sets the shape of an output, which is unknown before.
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
