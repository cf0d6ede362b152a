// Graph: the computation, as nodes without values. Values belong to sessions
// (runtime/exec/session.h).
//
// Nodes are added and never changed. Dtypes and shapes are checked when a node is added, so an
// error names the line that made the node, not the run. Programs seldom call Graph to add nodes;
// they call builders (ops/*.h), which get the graph from their operands.
//
//   Graph graph;
//   auto x = placeholder(graph, DType::kFloat, {-1, 784}, {.name = "X"});
//   {
//     auto scope = graph.name_scope("hidden1");
//     auto w = variable(zeros(graph, {784, 128}), {.name = "weights"});    // hidden1/weights
//   }
//   graph.add_to_collection("train_var", x);
//   Output same = graph.find("X:0");
//
// Calls that fail, and leave the graph unchanged:
//
//   graph.find("Y:0");           // NotFound: there is no node 'Y' in the graph; …
//   graph.find("X");             // InvalidArgument: 'X' is not the name of a tensor, …
//   graph.name_scope("a b");     // InvalidArgument: 'a b' is not a valid name for a scope
//   graph.finalize();
//   zeros(graph, {2});           // FailedPrecondition: the graph is finalized: …
//
// Transactions. A builder (variable, minimize, cond, an import …) that throws leaves nodes, names,
// collections and scopes of the graph as they were before the call. A handle to a removed node (one
// that a callback of the builder kept) throws FailedPrecondition when it is used.
//
// Moving. Handles, scopes and sessions remain valid when the graph is moved. No other thread may
// use either graph meanwhile.
//
// Lifetime. The graph owns its nodes; handles, sessions and savers do not keep it alive. They may
// outlive it, but using one then throws FailedPrecondition. The destructor waits for runs of other
// threads. A function that makes a graph and returns a handle or a session must return the graph
// too:
//   struct Model {
//     Graph graph = …;  // first
//     Output loss;
//     Session session{graph};
//   };
//
// Threads: one thread at a time may add nodes. Meanwhile other threads may run sessions and plan
// runs; they do not see the nodes of a builder that has not returned.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/graph/collected.h"
#include "runtime/graph/node.h"
#include "runtime/graph/variable.h"

namespace CAIRN_API cairn {

class FlowContext;

namespace internal {
struct GraphScopes;
class NameTable;
}  // namespace internal

// TensorFlow's standard collection names (tf.GraphKeys).
struct GraphKeys {
  static constexpr const char* kGlobalVariables = "variables";
  static constexpr const char* kTrainableVariables = "trainable_variables";
  static constexpr const char* kLocalVariables = "local_variables";
  static constexpr const char* kModelVariables = "model_variables";
  static constexpr const char* kMovingAverageVariables = "moving_average_variables";
  static constexpr const char* kMetricVariables = "metric_variables";
  static constexpr const char* kGlobalStep = "global_step";
  static constexpr const char* kSavers = "savers";
  static constexpr const char* kSaveableObjects = "saveable_objects";
  static constexpr const char* kTrainOp = "train_op";
  static constexpr const char* kInitOp = "init_op";
  static constexpr const char* kLocalInitOp = "local_init_op";
  static constexpr const char* kReadyOp = "ready_op";
  static constexpr const char* kLosses = "losses";
  static constexpr const char* kRegularizationLosses = "regularization_losses";
  static constexpr const char* kUpdateOps = "update_ops";
  static constexpr const char* kSummaries = "summaries";
  static constexpr const char* kSummaryOp = "summary_op";
  static constexpr const char* kQueueRunners = "queue_runners";
  static constexpr const char* kCondContext = "cond_context";
  static constexpr const char* kWhileContext = "while_context";
  static constexpr const char* kTableInitializers = "table_initializer";
  static constexpr const char* kAssetFilepaths = "asset_filepaths";
  static constexpr const char* kWeights = "weights";
  static constexpr const char* kBiases = "biases";
  static constexpr const char* kActivations = "activations";
};

// A google.protobuf.Any in a collection.
struct AnyItem {
  std::string type_url, value;
  friend bool operator==(const AnyItem&, const AnyItem&) = default;
};
// A name in the node_list of a file's collection that no node of the graph has. Kept, and written
// again.
struct UnresolvedName {
  std::string name;
  friend bool operator==(const UnresolvedName&, const UnresolvedName&) = default;
};
// One item of a collection. std::string is raw bytes, usually a serialized message.
using CollectionItem =
    std::variant<Output, Operation, Variable, std::string, int64_t, float, AnyItem, UnresolvedName>;

// GraphDef.versions.
struct GraphVersions {
  int producer = 27;  // the value that Cairn writes: that of TensorFlow 1.11 to 1.13
  int min_consumer = 0;
  std::vector<int> bad_consumers;
  friend bool operator==(const GraphVersions&, const GraphVersions&) = default;
};

// A graph and the line of the program that calls: the first parameter of builders without operands.
// Converts from Graph, so that callers pass a graph and builders learn the line.
struct GraphAt {
  GraphAt(Graph& g, SourceLocation a = SourceLocation::current())
      : graph(&g), at(a) {}                   // NOLINT: implicit on purpose
  operator Graph&() const { return *graph; }  // NOLINT
  Graph* operator->() const { return graph; }
  Graph* graph;
  SourceLocation at;
};

// A node to be added. Attributes that the inputs determine (T, N) or that have a default may be
// left out; the node stores all of them.
struct NodeSpec {
  const OpDef* op = nullptr;
  // The wished name; empty: the op's. The graph puts the scope in front and makes it unique. With a
  // '/' at the end the name is used exactly (without the '/').
  std::string name;
  std::vector<Output> inputs;
  Attrs attrs;
  std::vector<Operation> control_inputs;
  std::string device;
  SourceLocation at;
};

// A node read from a file. Inputs are names ("a", "a:1", "^a") of nodes that are imported with it.
// `outside` maps the index of an input to a tensor of the graph that replaces it; a control input
// "^a" is replaced by the node that computes that tensor.
struct ImportedNode {
  std::string name, op;
  std::vector<std::string> inputs;
  Attrs attrs;
  std::string device;
  std::string unknown_fields;  // of the NodeDef; written again
  std::map<size_t, Output> outside = {};
};

// An operation to wait for or to run. Converts from a tensor: the operation that computes it.
class Dependency {
 public:
  Dependency(const Operation& op) : op_(op) {}  // NOLINT: implicit on purpose, as are all here
  // An empty tensor gives an empty operation, which the function that uses it refuses.
  Dependency(const Output& tensor) : op_(tensor ? tensor.op() : Operation()) {}  // NOLINT
  operator const Operation&() const { return op_; }                              // NOLINT

 private:
  Operation op_;
};

// A scope of a graph, open as long as this handle lives. Handles may be moved, kept in containers,
// assigned and closed in any order: the scopes that are open are in force, a later one inside an
// earlier one. A handle may outlive the graph.
//
//   Scope layer = graph.name_scope("layer1");
//   layer = graph.name_scope("layer2");  // entered from layer1, which then closes: layer1/layer2
class [[nodiscard]] Scope {
 public:
  Scope() = default;  // no scope
  Scope(Scope&& other) noexcept { *this = std::move(other); }
  Scope& operator=(Scope&& other) noexcept;
  ~Scope() { close(); }
  // Ends the scope before the handle is destroyed. Does nothing if it is closed.
  void close() noexcept;
  // The full name of a name scope with a slash, "hidden1/", with which name_scope() enters it
  // again; "" for the root and for other kinds of scopes.
  const std::string& name() const { return name_; }

 private:
  friend class Graph;
  Scope(std::string name, std::shared_ptr<internal::GraphScopes> of, unsigned kinds, uint64_t id)
      : name_(std::move(name)), of_(std::move(of)), kinds_(kinds), id_(id) {}

  std::string name_;
  std::shared_ptr<internal::GraphScopes> of_;  // null: closed
  unsigned kinds_ = 0;
  uint64_t id_ = 0;
};

// TensorFlow's rule for names of nodes: [A-Za-z0-9.][A-Za-z0-9_.\\/>-]*
bool is_valid_node_name(std::string_view name);

// A context of control flow, such as a branch of cond(). While it is in force
// (Graph::control_flow()), it may change each node before it is added: cond() passes tensors from
// outside through a Switch. For authors of control flow ops.
class FlowContext {
 public:
  virtual ~FlowContext() = default;
  // May change inputs and control inputs of the node. Nodes added here are in the name scope of the
  // node and have its line; they are in no context and have no control dependencies.
  virtual void amend(Graph& graph, NodeSpec& spec) = 0;
  // Called after the node was added.
  virtual void added(const Operation& op) = 0;
  // Called before the node is removed because its builder threw. Must not throw.
  virtual void taken_back(const Operation&) {}
  // True if `tensor` was made in this context, so that it has a value only if the context runs.
  virtual bool holds(const Output&) const { return false; }
};

class Graph {
 public:
  Graph();
  ~Graph();
  // The graph moved from is empty and usable. The previous content of the graph assigned to is
  // dropped as by reset(). Throw FailedPrecondition while a builder works on either graph; then
  // both are unchanged.
  Graph(Graph&& other);
  Graph& operator=(Graph&& other);

  // Removes all nodes, collections, names, scopes and seeds (tf.reset_default_graph). Handles and
  // sessions made before throw FailedPrecondition from then on. Waits for runs of other threads;
  // runs that begin meanwhile throw. Throws FailedPrecondition when a builder calls it.
  void reset();

  // From now on adding a node, or changing a collection, throws FailedPrecondition with its name: a
  // training loop that adds nodes in every step fails in the first one. Undone by reset() only.
  // (tf.Graph.finalize)
  void finalize() { data_.finalized = true; }
  bool finalized() const { return data_.finalized; }

  // A transaction, from here to the end of the block: if an exception ends the block, everything
  // that was added to the graph since is removed. Every builder that adds more than one node, or
  // takes a name first, begins with one. Transactions nest: an inner one is part of the outer one.
  // One thread at a time: another thread that opens one waits. Nodes added inside get the line
  // `at`, if it is known (made_at()).
  //
  //   const Graph::Transaction whole(graph, at);
  class [[nodiscard]] Transaction {
   public:
    explicit Transaction(Graph& graph, SourceLocation at = {});
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

   private:
    Graph& graph_;
    std::unique_lock<std::recursive_mutex> building_;
    int exceptions_;
    size_t nodes_, names_, renumbered_, collection_changes_;
    uint64_t scopes_;
    Scope place_;
  };

  // ---- nodes ------------------------------------------------------------------------------------

  // Adds a node in the current scopes. Throws InvalidArgument (signature, dtypes, shapes; the
  // message names op, node and line) or FailedPrecondition (an input of another graph, or from
  // before a reset); then the graph is unchanged.
  Operation add_node(NodeSpec spec);
  // Adds nodes read from a file, under their names and in their order; an input may come after the
  // node that uses it. Ops are looked up in `ops`, then in `carried` (the ops that the file
  // describes); an op in neither is carried with as many outputs as other nodes use. A node that
  // does not fit this build's definition of its op is carried as the file describes the op. Carried
  // nodes are kept and written again, and cannot be run. Attributes `_output_shapes` are removed
  // and refine the inferred shapes. Throws InvalidArgument with a list of all errors (names taken,
  // inputs missing, cycles, attributes that do not fit the op) and ResourceExhausted if the nodes
  // have too many outputs; then the graph is unchanged.
  std::vector<Operation> import_nodes(std::vector<ImportedNode> nodes, const OpSet& ops,
                                      std::vector<Op> carried = {});

  int num_nodes() const;
  // The node of this Node::id. Throws OutOfRange.
  Operation node_at(int id) const;
  std::vector<Operation> operations() const;  // in order of creation
  // The tensor "a:0", output 0 of node a. Throws NotFound, with similar names or, if there are
  // none, with some names of the graph; InvalidArgument for a malformed name.
  Output find(std::string_view tensor_name) const;
  // The node "a". Throws NotFound, as find().
  Operation find_op(std::string_view name) const;
  bool contains(std::string_view node_name) const;
  // The value of `output` if the graph alone determines it (constants, and values computed from
  // them and from known shapes), else an invalid tensor. Values are computed up to 1,024 elements.
  // Throws FailedPrecondition for a handle that is not of this graph.
  //
  //   graph.static_value(shape(zeros(graph, {2, 3})));      // [2, 3]
  //   graph.static_value(placeholder(…)).valid();           // false
  Tensor static_value(const Output& output) const;

  // ---- scopes: in force as long as the returned handle lives ------------------------------------

  // New nodes are named "name/…"; a name already used becomes name_1. "name/" enters that scope
  // again; "" leaves all scopes. Throws InvalidArgument for a name that nodes cannot have.
  Scope name_scope(std::string_view name);
  // New nodes run after these operations: they get them as control inputs, in order of name. A node
  // with an input that was made in the scope does not need them and gets none. An empty list: new
  // nodes have no control inputs, also not those of outer scopes. Variables are read after the
  // control inputs: see runtime/graph/variable.h. Throws FailedPrecondition for an empty handle or
  // one of another graph.
  //
  //   auto scope = graph.control_dependencies({train_op, update.output()});
  Scope control_dependencies(std::span<const Operation> ops);
  Scope control_dependencies(std::span<const Output> tensors);
  Scope control_dependencies(std::initializer_list<Dependency> all);
  // True if a node added now would get control inputs from a scope.
  bool has_control_dependencies() const;
  // New nodes have no control inputs from scopes and are in no branch of a cond(): for nodes that
  // are shared, such as variables. The name scope remains. (tf.init_scope)
  Scope init_scope();
  // New nodes get the attribute `_class: loc:@op`, or the `_class` of `op` if it has one. An empty
  // handle: outer colocation scopes do not apply. Nodes with a reference input get the `_class` of
  // its variable in any case. Throws FailedPrecondition for an op of another graph.
  Scope colocate_with(const Operation& op);
  // The same for a node that does not exist yet (initial values are made before their variable).
  // Does nothing inside another colocation scope.
  Scope colocate_with_future(std::string_view node_name);
  // New nodes get this device string. It is written to files; Cairn itself runs on the CPU only.
  Scope device(std::string_view device);
  // New nodes get the line `at`, for builders that add several nodes. The outermost such scope
  // wins. made_at({}): new nodes get their own lines again, for callbacks of the program that a
  // builder calls.
  Scope made_at(SourceLocation at);
  // The line that a node added now at `at` gets.
  SourceLocation current_location(SourceLocation at) const;

  // New nodes are passed to `context` before they are added. Null: to none.
  Scope control_flow(std::shared_ptr<FlowContext> context);
  // The context in force, or null.
  std::shared_ptr<FlowContext> control_flow() const;

  // The name that a node with the wished name `name` would get now: scope/name, or with the first
  // free of _1, _2 … Names that differ in case only count as equal. mark: reserves the name.
  std::string unique_name(std::string_view name, bool mark = true);
  std::string current_scope() const;  // "hidden1/layer", without a slash

  // ---- variable scopes (tf.variable_scope, tf.get_variable) -------------------------------------

  // get_variable() names variables "name/…" inside, and new nodes are in a name scope of that name
  // (made unique). reuse: get_variable() returns existing variables and does not make new ones.
  // Throws as name_scope().
  Scope variable_scope(std::string_view name, bool reuse = false);
  std::string current_variable_scope() const;  // "name/inner", without a slash
  // True if this or an outer variable scope was opened with reuse.
  bool reusing_variables() const;

  // ---- seeds ------------------------------------------------------------------------------------

  // The graph's seed, for random ops that are added later (tf.set_random_seed).
  void set_seed(std::optional<int64_t> seed) { data_.seed = seed; }
  // The attributes (seed, seed2) of a random op added now, from the graph's seed and `op_seed` by
  // TensorFlow's rule (tf.get_seed). With neither seed: (0, 0), a different sequence in every
  // session.
  std::pair<int64_t, int64_t> random_seeds(std::optional<int64_t> op_seed) const;

  // ---- collections ------------------------------------------------------------------------------

  // Appends an item; items may repeat. Throws FailedPrecondition for handles of another graph.
  void add_to_collection(std::string_view key, CollectionItem item);
  // Empty if there is no such collection. Valid until the collection changes.
  const std::vector<CollectionItem>& items(std::string_view key) const;
  std::vector<std::string> collection_keys() const;  // in order of name
  // Does nothing if there is no such collection.
  void clear_collection(std::string_view key);
  // Increases with every change of a collection, so that a cache of items knows when it is out of
  // date.
  uint64_t collections_revision() const { return data_.collections_revision; }
  // The items as T (Output, Operation, Variable, std::string, int64_t, float, AnyItem). With a
  // `scope`, items whose name does not begin with it are left out. A Variable converts to an Output
  // (its value), an Output to the Operation that computes it. Empty if there is no such collection;
  // asking for its first item throws NotFound (see Collected). Throws InvalidArgument if an item is
  // of another type.
  //
  //   graph.collection<Output>("losses", "tower1/");
  //   graph.collection<Variable>("losses");
  //   // throws: collection 'losses' holds a tensor, 'loss:0', where a variable was asked for
  template <class T>
  Collected<T> collection(std::string_view key, std::string_view scope = "") const;
  Collected<Variable> variables() const {
    return collection<Variable>(GraphKeys::kGlobalVariables);
  }
  Collected<Variable> trainable_variables() const {
    return collection<Variable>(GraphKeys::kTrainableVariables);
  }

  // ---- versions, functions: read from a file and written again ----------------------------------

  GraphVersions versions;
  std::string library;  // GraphDef.library, serialized
  // Other parts of the file, which only persist/ reads and writes.
  std::shared_ptr<const void> from_file;

  // ---- for the runtime --------------------------------------------------------------------------

  uint64_t epoch() const { return anchor_->epoch; }
  // Throw FailedPrecondition unless the handle is of this graph since its last reset and its node
  // was not removed; `what` names the caller.
  void check_owns(const Output& output, std::string_view what) const;
  void check_owns(const Operation& op, std::string_view what) const;
  // True if check_owns() would not throw.
  bool owns(const Output& output) const;
  // Throws FailedPrecondition for a node of a builder that has not returned, as it may still be
  // removed.
  void check_complete(const Node& node, std::string_view what) const;
  Operation handle(const Node& node) const { return Operation(anchor_.get(), &node, epoch()); }
  Output handle(Endpoint e) const { return Output(anchor_.get(), e.node, e.index, epoch()); }
  const internal::GraphAnchor* anchor() const { return anchor_.get(); }
  std::shared_mutex& mutex() const { return mutex_; }
  // `call` runs before each added node (once for an import) and each change of a collection, with
  // its name; if it throws, the change is not made. For tests that check what failing builders
  // leave behind.
  void before_change(std::function<void(std::string_view name)> call) {
    data_.before_change = std::move(call);
  }

 private:
  friend class GraphImporter;  // graph_import.cc: import_nodes

  // A change of a collection that a transaction may undo: an added item or a cleared collection.
  struct CollectionChange {
    std::string key;
    bool is_new = false;  // the item made the collection
    // The cleared collection; empty: an item was added.
    std::map<std::string, std::vector<CollectionItem>, std::less<>>::node_type cleared;
  };
  // The part that reset() replaces.
  struct Data {
    Data();
    ~Data();
    Data(Data&&) noexcept;
    Data& operator=(Data&&) noexcept;

    std::vector<std::unique_ptr<Node>> nodes;
    // Nodes removed by transactions, kept because handles may still point to them.
    std::vector<std::unique_ptr<Node>> taken_back;
    std::unique_ptr<internal::NameTable> names;
    std::unordered_map<const OpDef*, std::unique_ptr<Op>> parsed;
    std::vector<std::unique_ptr<Op>> carried;
    // The values of all outputs of a node; empty: it has no static values.
    mutable std::unordered_map<const Node*, std::vector<Tensor>> static_values;
    // Total bytes read and written to compute them.
    mutable int64_t static_bytes = 0;
    std::shared_ptr<internal::GraphScopes> scopes;
    std::optional<int64_t> seed;
    std::map<std::string, std::vector<CollectionItem>, std::less<>> collections;
    uint64_t collections_revision = 0;
    bool finalized = false;
    std::function<void(std::string_view)> before_change;
  };

  const Op& parsed(const OpDef& def);
  std::vector<const Node*> control_inputs_for(const Node& node) const;
  void set_colocation(Node& node) const;
  static std::vector<std::string> colocation_groups(const Node& node);
  std::string scoped(std::string_view name) const;
  std::string entered_by(std::string_view name);
  void amend(FlowContext& context, NodeSpec& spec, const std::string& node_name);
  Scope opened(unsigned kinds, std::string name = "");
  Scope wait_for(std::vector<const Node*> ops);
  void about_to_change(std::string_view what, std::string_view name);
  std::optional<Tensor> known_static_value(Endpoint e) const;
  bool static_values_may_grow() const;
  void compute_static_values(const Node& node) const;
  std::vector<std::string> node_names() const;
  std::string absence(std::string_view key, std::string_view scope) const;
  size_t nodes_shown() const;
  const Node* find_node(std::string_view name) const;
  void check_not_building(std::string_view what) const;
  void swap(Graph& other);
  void undo_nodes(size_t first) noexcept;
  void undo_collections(size_t first) noexcept;

  std::unique_ptr<internal::GraphAnchor, internal::ReleaseAnchor> anchor_;
  // Guards nodes and names: plans are made while another thread adds nodes.
  mutable std::shared_mutex mutex_;
  mutable std::mutex static_mutex_;  // guards static values
  Data data_;
  std::recursive_mutex building_;                     // held by the open transactions
  int builders_ = 0;                                  // number of open transactions
  std::atomic<std::thread::id> builder_ = {};         // the thread that opened them
  std::atomic<size_t> complete_ = 0;                  // nodes of builders that have returned
  std::vector<CollectionChange> collection_changes_;  // of the open transactions
};

// Adds a node to the graph of its inputs and returns its output 0: the last line of most builders.
// An empty name: the op's. Throws as Graph::add_node(), and FailedPrecondition if there is no input
// or the first is an empty handle.
//
//   return add_node(kMatMul, {a, b}, {{"transpose_a", o.transpose_a}}, o.name, at);
Output add_node(const OpDef& op, std::vector<Output> inputs, Attrs attrs = {},
                std::string_view name = "", SourceLocation at = SourceLocation::current());
// The same for ops without inputs, with several outputs or with none. Throws as Graph::add_node().
Operation add_operation(GraphAt graph, const OpDef& op, std::vector<Output> inputs = {},
                        Attrs attrs = {}, std::string_view name = "");

}  // namespace cairn
