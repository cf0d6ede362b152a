// Graphs: what to compute, without any values.
//
// A graph only grows, and is typed and shaped as it grows: an error shows where a node is made, not
// where it runs. Programs seldom call Graph to add nodes; they call builders (ops/*.h), which find
// the graph from their operands.
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
// All or nothing. A builder (variable, minimize, cond, an import …) that throws leaves the graph as
// it was before the call: nodes, names, collections and scopes, whatever it had made until then and
// whoever threw. What else the program holds of it (a handle that a function given to the builder
// kept) throws FailedPrecondition when it is used.
//
// A graph may be moved: handles, scopes and sessions follow it. No other thread may use either
// graph meanwhile.
//
// A graph is destroyed with its nodes, whoever still has a handle, session or saver of it. Those
// may be kept and destroyed later; using one throws FailedPrecondition. Runs of other threads are
// waited for. A function that makes a graph and returns a handle or a session returns the graph
// too:
//   struct Model {
//     Graph graph = …;  // first
//     Output loss;
//     Session session{graph};
//   };
//
// Threads: one thread at a time may build; sessions may run, and make plans, while it does, and
// find nothing of a builder that has not returned.
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
// A name in a node_list that no node of the graph has; carried from file to file.
struct UnresolvedName {
  std::string name;
  friend bool operator==(const UnresolvedName&, const UnresolvedName&) = default;
};
// One thing in a collection. std::string is raw bytes, usually a serialized message.
using CollectionItem =
    std::variant<Output, Operation, Variable, std::string, int64_t, float, AnyItem, UnresolvedName>;

// GraphDef.versions.
struct GraphVersions {
  int producer = 27;  // what Cairn writes: TensorFlow 1.11 - 1.13's
  int min_consumer = 0;
  std::vector<int> bad_consumers;
  friend bool operator==(const GraphVersions&, const GraphVersions&) = default;
};

// Where in the program a graph is asked for: the Graph& argument of builders without operands.
// Converts from Graph.
struct GraphAt {
  GraphAt(Graph& g, SourceLocation a = SourceLocation::current())
      : graph(&g), at(a) {}                   // NOLINT: implicit on purpose
  operator Graph&() const { return *graph; }  // NOLINT
  Graph* operator->() const { return graph; }
  Graph* graph;
  SourceLocation at;
};

// A node to be added. Type and count attributes (T, N) that the inputs decide may be left out, and
// so may attributes with a default; all are stored.
struct NodeSpec {
  const OpDef* op = nullptr;
  std::string name;  // as wished: scope and uniqueness are the graph's. Ending in '/': exactly
                     // this, as a scope named it
  std::vector<Output> inputs;
  Attrs attrs;
  std::vector<Operation> control_inputs;
  std::string device;
  SourceLocation at;
};

// A node as a file tells it, its inputs by name ("a", "a:1", "^a"): of nodes that come with it.
// Those of its inputs that are tensors of the graph instead (by number; of a control input: a
// tensor of the node waited for) are in `outside`.
struct ImportedNode {
  std::string name, op;
  std::vector<std::string> inputs;
  Attrs attrs;
  std::string device;
  std::string unknown_fields;
  std::map<size_t, Output> outside = {};
};

// What is waited for, or run together with others: an operation, or a tensor, which stands for the
// operation that gives it.
class Dependency {
 public:
  Dependency(const Operation& op) : op_(op) {}  // NOLINT: implicit on purpose, as are all here
  // Of an empty handle an empty one: who takes it knows the line to name.
  Dependency(const Output& tensor) : op_(tensor ? tensor.op() : Operation()) {}  // NOLINT
  operator const Operation&() const { return op_; }                              // NOLINT

 private:
  Operation op_;
};

// A scope of a graph, in force as long as this handle lives. Handles may be moved, kept in
// containers, given another scope and closed in any order: what is in force is what those say that
// live, a later one before an earlier one, and when all are closed the graph is as it was.
//   Scope layer = graph.name_scope("layer1");
//   layer = graph.name_scope("layer2");  // entered from layer1, which then closes: layer1/layer2
class [[nodiscard]] Scope {
 public:
  Scope() = default;
  Scope(Scope&& other) noexcept { *this = std::move(other); }
  Scope& operator=(Scope&& other) noexcept;
  ~Scope() { close(); }
  void close() noexcept;
  // The scope's full name with a slash, "hidden1/", which name_scope() takes to enter it again; ""
  // for the root.
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

// Has a say in nodes about to be added, while Graph::control_flow() has it in force: how a branch
// of cond() takes what it uses from outside.
class FlowContext {
 public:
  virtual ~FlowContext() = default;
  // May change what the node takes and waits for. Called in the name scope of the node and its
  // place, with no context in force and nothing to wait for.
  virtual void amend(Graph& graph, NodeSpec& spec) = 0;
  virtual void added(const Operation& op) = 0;
  // The node, added before, goes again: the builder that made it threw. Must not throw.
  virtual void taken_back(const Operation&) {}
  // Was `tensor` made under this context, so that it is there only when the context runs?
  virtual bool holds(const Output&) const { return false; }
};

class Graph {
 public:
  Graph();
  ~Graph();
  // What was moved from is a new, empty graph. What the other one held is forgotten as by reset().
  // Throw FailedPrecondition while a builder is at work on either.
  Graph(Graph&& other);
  Graph& operator=(Graph&& other);

  // Forgets all nodes, collections, names, scopes and seeds: tf.reset_default_graph(). Handles into
  // it and sessions on it throw FailedPrecondition from then on. Runs of other threads are waited
  // for; those that begin meanwhile are refused. Throws FailedPrecondition when a builder calls it.
  void reset();

  // From now on adding a node or an item of a collection throws FailedPrecondition, naming it: a
  // loop that makes nodes at every step is found at its first. reset() ends it. (tf.Graph.finalize)
  void finalize() { data_.finalized = true; }
  bool finalized() const { return data_.finalized; }

  // A builder's call, from here to the end of the block: if an exception ends the block, all that
  // was added to the graph meanwhile is taken back. Every builder that makes more than one node, or
  // takes a name first, begins with one. Those of builders that it calls are parts of it. For one
  // thread: others that build wait. All nodes made inside remember the place `at` of the call, if
  // it is known (made_at()).
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
  // Adds a node under the current scopes. Throws InvalidArgument (signature, dtypes, shapes; the
  // message names op, node and where it is made) or FailedPrecondition (an input of another or a
  // reset graph); then the graph is as before.
  Operation add_node(NodeSpec spec);
  // Adds nodes read from a file, in their order, whatever order their inputs stand in, under the
  // names they have. Ops are looked up in `ops`, then in `carried` (what the file itself tells of
  // ops); an op in neither is carried with as many outputs as others use. All or nothing. Throws
  // InvalidArgument listing everything wrong: names taken, inputs that are not there, cycles,
  // attributes that do not fit the op.
  // `_output_shapes` are taken off the nodes and refine what is inferred. A node that does not fit
  // its op as this build knows it is carried as the file describes the op.
  std::vector<Operation> import_nodes(std::vector<ImportedNode> nodes, const OpSet& ops,
                                      std::vector<Op> carried = {});

  int num_nodes() const;
  Operation node_at(int id) const;
  std::vector<Operation> operations() const;  // in order of creation
  // "a:0" is an Output of node a. Throws NotFound with the nearest names, or where none is near
  // with some of those there are; InvalidArgument for a malformed name.
  Output find(std::string_view tensor_name) const;
  // "a". Throws NotFound, as find().
  Operation find_op(std::string_view name) const;
  bool contains(std::string_view node_name) const;
  // The value of `output` when the graph alone decides it (constants, and what follows from them
  // and from known shapes), else an invalid tensor. Small tensors only (up to 1,024 elements are
  // computed).
  Tensor static_value(const Output& output) const;

  // ---- scopes: in force as long as the returned handle lives ------------------------------------

  // Nodes made inside are named "name/…"; a name already used becomes name_1. "name/" re-enters
  // that scope; "" leaves all.
  Scope name_scope(std::string_view name);
  // Nodes made inside wait for these; a tensor stands for its node. An empty list: for nothing, not
  // even for what scopes outside say. A node lists what it waits for in order of name. What is read
  // of a variable inside is read after them: see runtime/graph/variable.h.
  //   auto scope = graph.control_dependencies({train_op, update.output()});
  Scope control_dependencies(std::span<const Operation> ops);
  Scope control_dependencies(std::span<const Output> tensors);
  Scope control_dependencies(std::initializer_list<Dependency> all);
  // Does a node made now wait for any?
  bool has_control_dependencies() const;
  // Nodes made inside wait for nothing and belong to no condition: what is made once, whoever asks
  // for it, such as a variable. The name scope stays. (tf.init_scope)
  Scope init_scope();
  // Nodes made inside carry `_class: loc:@op`; an op that carries one itself passes it on. An empty
  // handle: none do. Nodes that take a reference stand beside its variable in any case.
  Scope colocate_with(const Operation& op);
  // The same for a node still to be made, unless nodes made now are colocated already: for initial
  // values.
  Scope colocate_with_future(std::string_view node_name);
  // Nodes made inside carry this device string.
  Scope device(std::string_view device);
  // Nodes made inside remember `at` as the place that made them: for builders that make several.
  // The outermost wins. made_at({}): nodes made inside remember their own lines again, for
  // callbacks of the program that a builder runs.
  Scope made_at(SourceLocation at);
  SourceLocation current_location(SourceLocation at) const;

  // Nodes made inside are handed to `context` first. Null: to none.
  Scope control_flow(std::shared_ptr<FlowContext> context);
  std::shared_ptr<FlowContext> control_flow() const;

  // The name a node wished to be called `name` would get now: scope, then _1, _2 … (case does not
  // distinguish names). mark: takes the name.
  std::string unique_name(std::string_view name, bool mark = true);
  std::string current_scope() const;  // "hidden1/layer", without a slash

  // ---- variable scopes (tf.variable_scope, tf.get_variable) -------------------------------------
  // Variables got inside are named "name/…", and their nodes stand in a name scope of that name
  // (made unique). reuse: get_variable returns variables that exist instead of making them.
  Scope variable_scope(std::string_view name, bool reuse = false);
  std::string current_variable_scope() const;
  bool reusing_variables() const;

  // ---- seeds ------------------------------------------------------------------------------------
  void set_seed(std::optional<int64_t> seed) { data_.seed = seed; }
  // The attributes (seed, seed2) of a random op made now: from the graph's seed and `op_seed` by
  // TensorFlow's rule (tf.get_seed). Neither: (0, 0), which means a different sequence in every
  // session.
  std::pair<int64_t, int64_t> random_seeds(std::optional<int64_t> op_seed) const;

  // ---- collections ------------------------------------------------------------------------------

  // Appends; items may repeat. Throws FailedPrecondition for handles of another graph.
  void add_to_collection(std::string_view key, CollectionItem item);
  // empty when there is no such collection
  const std::vector<CollectionItem>& items(std::string_view key) const;
  std::vector<std::string> collection_keys() const;  // in order of name
  void clear_collection(std::string_view key);
  // Another number whenever a collection has changed: what was made of them then still holds while
  // it stays.
  uint64_t collections_revision() const { return data_.collections_revision; }
  // The items as T (Output, Operation, Variable, std::string, int64_t, float, AnyItem); of those
  // with a name only the ones that begin with `scope`. A Variable is also an Output, its value; an
  // Output also an Operation, the one that gives it. No items where there is no such collection;
  // taking the first of none throws NotFound (see Collected). Throws InvalidArgument when an item
  // is of another kind, saying which.
  template <class T>
  Collected<T> collection(std::string_view key, std::string_view scope = "") const;
  Collected<Variable> variables() const {
    return collection<Variable>(GraphKeys::kGlobalVariables);
  }
  Collected<Variable> trainable_variables() const {
    return collection<Variable>(GraphKeys::kTrainableVariables);
  }

  // ---- versions, functions: carried from file to file -------------------------------------------

  GraphVersions versions;
  std::string library;  // GraphDef.library, serialized
  // What persist/ read beside the graph itself and writes again. Graphs do not look into it.
  std::shared_ptr<const void> from_file;

  // ---- for the runtime --------------------------------------------------------------------------

  uint64_t epoch() const { return anchor_->epoch; }
  // Throws FailedPrecondition unless the handle belongs to this graph as it is now; `what` names
  // the caller.
  void check_owns(const Output& output, std::string_view what) const;
  void check_owns(const Operation& op, std::string_view what) const;
  // Whether it does.
  bool owns(const Output& output) const;
  // Throws FailedPrecondition for a node of a builder that has not returned: it may still be taken
  // back.
  void check_complete(const Node& node, std::string_view what) const;
  Operation handle(const Node& node) const { return Operation(anchor_.get(), &node, epoch()); }
  Output handle(Endpoint e) const { return Output(anchor_.get(), e.node, e.index, epoch()); }
  const internal::GraphAnchor* anchor() const { return anchor_.get(); }
  std::shared_mutex& mutex() const { return mutex_; }
  // Called before each change, a node or an item of a collection to be added, with its name; what
  // it throws refuses it. For tests of what builders leave behind.
  void before_change(std::function<void(std::string_view name)> call) {
    data_.before_change = std::move(call);
  }

 private:
  friend class GraphImporter;  // graph_import.cc: import_nodes

  // One more, or one less, of what a transaction may have to take back.
  struct CollectionChange {
    std::string key;
    // the key was not there
    bool is_new = false;
    // empty: an item was added
    std::map<std::string, std::vector<CollectionItem>, std::less<>>::node_type cleared;
  };
  // What reset() forgets.
  struct Data {
    Data();
    ~Data();
    Data(Data&&) noexcept;
    Data& operator=(Data&&) noexcept;

    std::vector<std::unique_ptr<Node>> nodes;
    std::vector<std::unique_ptr<Node>> taken_back;  // by transactions: handles to them may be about
    std::unique_ptr<internal::NameTable> names;
    std::unordered_map<const OpDef*, std::unique_ptr<Op>> parsed;
    std::vector<std::unique_ptr<Op>> carried;
    // no tensors: not known
    mutable std::unordered_map<const Node*, std::vector<Tensor>> static_values;
    // read and written to compute them
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

  // what handles point at
  std::unique_ptr<internal::GraphAnchor, internal::ReleaseAnchor> anchor_;
  mutable std::shared_mutex
      mutex_;  // guards nodes and names against plans being made while the graph grows
  mutable std::mutex static_mutex_;
  Data data_;
  std::recursive_mutex building_;
  int builders_ = 0;                                  // transactions that are open
  std::atomic<std::thread::id> builder_ = {};         // whose they are
  std::atomic<size_t> complete_ = 0;                  // nodes of builders that have returned
  std::vector<CollectionChange> collection_changes_;  // while one is open
};

// Adds a node and returns its output 0: the last line of most builders.
//   return add_node(kMatMul, {a, b}, {{"transpose_a", o.transpose_a}}, o.name, at);
// An empty name takes the op's. The graph is that of the inputs.
Output add_node(const OpDef& op, std::vector<Output> inputs, Attrs attrs = {},
                std::string_view name = "", SourceLocation at = SourceLocation::current());
// The same for ops without inputs, several outputs or none.
Operation add_operation(GraphAt graph, const OpDef& op, std::vector<Output> inputs = {},
                        Attrs attrs = {}, std::string_view name = "");

}  // namespace cairn
