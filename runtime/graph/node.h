// Nodes of a graph, and the handles by which programs hold them.
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
// What handles, sessions and savers hold of a graph, beside the epoch in which they were made: it
// stays where it is when the graph is moved. Never freed: when its graph is gone, another graph may
// get it. No epoch is ever used twice, so who has an anchor and an epoch can always ask.
struct GraphAnchor {
  std::atomic<Graph*> graph = nullptr;
  // Of the graph as it is now; 0: it is gone.
  std::atomic<uint64_t> epoch = 0;
  // Of the graph that has the anchor, its first: what is older belongs to one that is gone.
  std::atomic<uint64_t> first_epoch = UINT64_MAX;
  // Held, together, by whatever of a session looks at nodes; alone by who forgets nodes.
  mutable std::shared_mutex runs_mutex;
  GraphAnchor* next_free = nullptr;

  bool is_gone(uint64_t of) const { return of < first_epoch; }
  // Throws FailedPrecondition: the graph, as `who` knew it in the epoch `of`, is gone or was reset.
  [[noreturn]] void refuse(uint64_t of, std::string_view who) const;
};
// Gives back the anchor of a graph that has ended its epoch.
struct ReleaseAnchor {
  void operator()(GraphAnchor* anchor) const noexcept;
};
// For a new graph.
GraphAnchor* take_anchor(Graph* graph);
uint64_t next_epoch();
}  // namespace internal

// Output `index` of `node`, inside a graph.
struct Endpoint {
  const Node* node = nullptr;
  int index = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// One node. Made by a Graph and never changed or moved afterwards; programs hold it through
// Operation and Output.
struct Node {
  // its place in the graph, 0, 1, 2 …: the order of creation; -1: taken back with the builder that
  // made it
  int id = 0;
  std::string name;
  const Op* op = nullptr;
  std::vector<Endpoint> inputs;
  std::vector<const Node*> control_inputs;
  Attrs attrs;
  std::string device;
  SourceLocation made_at;
  std::vector<DType> output_dtypes;  // reference types where the op gives references
  std::vector<Shape> output_shapes;
  std::string unknown_fields;  // of the NodeDef it was read from, carried
  bool imported = false;       // read from a file: its control inputs stand in the file's order

  int num_outputs() const { return static_cast<int>(output_dtypes.size()); }
  // "MatMul 'layer1/logits' (mnist.cc:41)": how messages name it.
  std::string str() const;
};

// "a" for output 0 and "a:1" for others, as inputs are written; with_zero: "a:0" too, as tensors
// are named.
std::string endpoint_name(const Node& node, int index, bool with_zero);

// Reads attributes of a node by name; what a node leaves out comes from its op's defaults. All
// throw InvalidArgument naming node and attribute when it is missing or of another kind.
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
  // Null when neither the node nor its op's defaults have it.
  const Attr* find(std::string_view name) const;

 private:
  template <class T>
  const T& get(std::string_view name, const char* kind) const;
  const Node* reader_node_;
};

// A place along the first extent, as in x[2], and the line that says so.
struct Index {
  Index(int64_t i, SourceLocation line = SourceLocation::current())
      : value(i), at(line) {}  // NOLINT: implicit
  int64_t value;
  SourceLocation at;
};

// A tensor that a graph will compute: one output of one node. A small value, which does not keep
// the graph alive and follows it when it is moved. Using a handle after its graph was destroyed or
// reset, or after the builder that made the node threw, throws FailedPrecondition. References that
// it gave before (a Node, a name, a Shape, an AttrReader) may not be used any more then.
class Output {
 public:
  Output() = default;  // none
  explicit operator bool() const { return node_ != nullptr; }

  Graph& graph() const;
  Operation op() const;
  int index() const { return index_; }
  DType dtype() const;         // may be a reference type
  const Shape& shape() const;  // as far as it is known
  std::string name() const;    // "layer1/logits:0"
  const Node& node() const;
  Endpoint endpoint() const { return {&node(), index_}; }
  // Row i, for negative i from the end: x[0], x[-1]. A new node, see element() in
  // ops/array/slicing.h.
  Output operator[](const Index& i) const;

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

// A node as programs hold it; also what is run for its effect (train ops, initializers). The same
// rules as for Output.
class Operation {
 public:
  Operation() = default;  // none
  explicit operator bool() const { return node_ != nullptr; }

  Graph& graph() const;
  const Node& node() const;
  const std::string& name() const { return node().name; }
  const std::string& type() const { return node().op->name; }
  int num_inputs() const { return static_cast<int>(node().inputs.size()); }
  int num_outputs() const { return node().num_outputs(); }
  Output input(int i) const;       // Throws OutOfRange
  Output output(int i = 0) const;  // Throws OutOfRange
  std::vector<Output> inputs() const;
  std::vector<Operation> control_inputs() const;
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

// For people: "layer1/logits:0, float [?,10]"; "MatMul 'layer1/logits' (mnist.cc:41)". An empty
// handle: "no tensor", "no operation".
std::ostream& operator<<(std::ostream& out, const Output& output);
std::ostream& operator<<(std::ostream& out, const Operation& op);

}  // namespace cairn
