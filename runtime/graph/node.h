// Nodes of a graph, and the handles through which programs use them: Output (a tensor) and
// Operation (a node).
//
//   Output y = matmul(x, w);
//   y.name();                    // "MatMul:0"
//   y.shape();                   // [?,10]: extents that are unknown until a run are ?
//   Operation op = y.op();
//   op.type();                   // "MatMul"
//   op.flag("transpose_a");      // false
//
// Calls that fail:
//
//   op.input(2);                 // OutOfRange: MatMul 'MatMul' (mnist.cc:41): there is no input 2
//   op.integer("N");             // InvalidArgument: … attribute 'N' is missing
//   Output().name();             // FailedPrecondition: an empty handle was used
//   graph.reset(), y.name();     // FailedPrecondition: the graph of a handle was reset
//
// Threads: nodes do not change, so handles may be read from several threads, also while another
// thread adds nodes. A handle may not be assigned while another thread reads it.
#pragma once

#include <atomic>
#include <cstdint>
#include <iosfwd>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/graph/op_def.h"

namespace CAIRN_API cairn {

class Graph;
class Operation;
struct Node;

namespace internal {
// The fixed address by which handles, sessions and savers find a graph, which itself may be moved.
// They also store the epoch of the graph at the time they were made; reset() begins a new epoch. An
// anchor is never freed: after its graph was destroyed, a new graph may get it. No epoch is ever
// used twice, so a handle of an old epoch is always recognized.
struct GraphAnchor {
  std::atomic<Graph*> graph = nullptr;
  // The present epoch of the graph; 0: the graph was destroyed.
  std::atomic<uint64_t> epoch = 0;
  // The first epoch of the present graph: handles of older epochs belong to a destroyed graph.
  std::atomic<uint64_t> first_epoch = UINT64_MAX;
  // Locked shared by sessions while they use nodes, exclusively to destroy nodes.
  mutable std::shared_mutex runs_mutex;
  GraphAnchor* next_free = nullptr;

  bool is_gone(uint64_t of) const { return of < first_epoch; }
  // Throws FailedPrecondition: the graph of `who` ("a handle"), made in the epoch `of`, was
  // destroyed or reset.
  [[noreturn]] void refuse(uint64_t of, std::string_view who) const;
};
// Makes the anchor of a destroyed graph available to new graphs.
struct ReleaseAnchor {
  void operator()(GraphAnchor* anchor) const noexcept;
};
// An anchor for a new graph, which begins a new epoch.
GraphAnchor* take_anchor(Graph* graph);
uint64_t next_epoch();
}  // namespace internal

// Output `index` of `node`, without the checks of Output: for code that knows the node is alive.
struct Endpoint {
  const Node* node = nullptr;
  int index = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// One node. The graph owns it and never moves it; it does not change once it is added. Programs
// refer to it through Operation and Output.
struct Node {
  // Its index in the graph, in the order of creation: 0, 1, 2 … -1: the builder that made it threw,
  // and the node was removed again.
  int id = 0;
  std::string name;
  const Op* op = nullptr;
  std::vector<Endpoint> inputs;
  std::vector<const Node*> control_inputs;
  Attrs attrs;
  std::string device;
  SourceLocation made_at;
  std::vector<DType> output_dtypes;  // reference types if the op returns references
  std::vector<Shape> output_shapes;  // as far as they are known before a run
  std::string unknown_fields;        // of the NodeDef it was read from; written again
  bool imported = false;  // read from a file: control inputs are in the order of the file

  int num_outputs() const { return static_cast<int>(output_dtypes.size()); }
  // "MatMul 'layer1/logits' (mnist.cc:41)", for messages. Hidden characters are escaped.
  std::string str() const;
};

// The name of an output as files write inputs: "a" for output 0, "a:1" for the next. with_zero: as
// tensors are named, "a:0" too.
std::string endpoint_name(const Node& node, int index, bool with_zero);

// Reads attributes of a node by name. An attribute that the node leaves out has the default of its
// op. All but find() throw InvalidArgument, naming node and attribute, if it is missing or of
// another type. The results are valid as long as the node.
//
//   AttrReader attrs(node);
//   attrs.dtype("T");               // float
//   attrs.integers("strides");      // {1, 2, 2, 1}
//   attrs.integer("T");   // throws: attribute 'T': expected an int, got DT_FLOAT
class AttrReader {
 public:
  explicit AttrReader(const Node& node) : reader_node_(&node) {}
  bool flag(std::string_view name) const;
  int64_t integer(std::string_view name) const;
  float real(std::string_view name) const;
  DType dtype(std::string_view name) const;
  const std::string& str(std::string_view name) const;
  const Shape& shape(std::string_view name) const;
  const Tensor& tensor(std::string_view name) const;
  const std::vector<int64_t>& integers(std::string_view name) const;
  const std::vector<float>& reals(std::string_view name) const;
  const std::vector<std::string>& strings(std::string_view name) const;
  const std::vector<DType>& dtypes(std::string_view name) const;
  const std::vector<Shape>& shapes(std::string_view name) const;
  // Null if the node does not have it and its op has no default for it.
  const Attr* find(std::string_view name) const;

 private:
  template <class T>
  const T& get(std::string_view name, const char* kind) const;
  const Node* reader_node_;
};

// An index along the first extent, as in x[2], and the line of the program that wrote it.
struct Index {
  Index(int64_t i, SourceLocation line = SourceLocation::current())
      : value(i), at(line) {}  // NOLINT: implicit
  int64_t value;
  SourceLocation at;
};

// A handle to a tensor that a graph will compute: one output of one node. A small value to copy and
// pass around. It does not own the graph; it remains valid when the graph is moved. Every member
// that looks at the node throws FailedPrecondition for an empty handle, after the graph was
// destroyed or reset, and after the builder that made the node threw. References obtained before
// (a Node, a Shape, an AttrReader) are then invalid without a check.
class Output {
 public:
  Output() = default;  // empty
  // False only for an empty handle; does not tell whether the graph still exists.
  explicit operator bool() const { return node_ != nullptr; }

  Graph& graph() const;
  Operation op() const;  // the node that computes it
  int index() const { return index_; }
  DType dtype() const;         // may be a reference type
  const Shape& shape() const;  // as far as it is known before a run
  std::string name() const;    // "layer1/logits:0"
  const Node& node() const;
  Endpoint endpoint() const { return {&node(), index_}; }
  // Adds nodes that take row i, counted from the end if negative: x[0], x[-1]. Throws as element()
  // in ops/array/slicing.h.
  Output operator[](const Index& i) const;

  // True if both refer to the same output of the same node, or both are empty.
  friend bool operator==(const Output& a, const Output& b) {
    return a.node_ == b.node_ && a.index_ == b.index_ && a.epoch_ == b.epoch_;
  }

 private:
  friend class Graph;
  friend class Operation;
  Output(const internal::GraphAnchor* anchor, const Node* node, int index, uint64_t epoch)
      : anchor_(anchor), node_(node), epoch_(epoch), index_(index) {}
  const internal::GraphAnchor* anchor_ = nullptr;
  const Node* node_ = nullptr;
  uint64_t epoch_ = 0;
  int index_ = 0;
};

// A handle to a node. Programs run it for its effect (train ops, initializers) or look at its
// inputs, outputs and attributes. The rules of Output apply.
class Operation {
 public:
  Operation() = default;  // empty
  explicit operator bool() const { return node_ != nullptr; }

  Graph& graph() const;
  const Node& node() const;
  const std::string& name() const { return node().name; }
  const std::string& type() const { return node().op->name; }
  int num_inputs() const { return static_cast<int>(node().inputs.size()); }
  int num_outputs() const { return node().num_outputs(); }
  // Data input or output i. Throw OutOfRange if there is none.
  Output input(int i) const;
  Output output(int i = 0) const;
  std::vector<Output> inputs() const;
  // The nodes that run before this one, beside those of its inputs.
  std::vector<Operation> control_inputs() const;
  // Its attributes by name. The three below throw as AttrReader's.
  AttrReader attrs() const { return AttrReader(node()); }
  bool flag(std::string_view name) const { return attrs().flag(name); }
  int64_t integer(std::string_view name) const { return attrs().integer(name); }
  DType dtype(std::string_view name) const { return attrs().dtype(name); }

  friend bool operator==(const Operation& a, const Operation& b) {
    return a.node_ == b.node_ && a.epoch_ == b.epoch_;
  }

 private:
  friend class Graph;
  friend class Output;
  Operation(const internal::GraphAnchor* anchor, const Node* node, uint64_t epoch)
      : anchor_(anchor), node_(node), epoch_(epoch) {}
  const internal::GraphAnchor* anchor_ = nullptr;
  const Node* node_ = nullptr;
  uint64_t epoch_ = 0;
};

// Print "layer1/logits:0, float [?,10]" and "MatMul 'layer1/logits' (mnist.cc:41)"; for empty
// handles "no tensor" and "no operation". Throw as name() for handles that are no longer valid.
std::ostream& operator<<(std::ostream& out, const Output& output);
std::ostream& operator<<(std::ostream& out, const Operation& op);

}  // namespace cairn
