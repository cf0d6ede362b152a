// Reduces graphs to what inference needs: removes training and turns variables into constants.
//
//   Saver saver = import_meta_graph(graph, "run/model-1000.meta");
//   saver.restore(session, "run/model-1000");
//   MetaGraph frozen = convert_variables_to_constants(session, {"softmax"});
//   write_graph(frozen, "serve/model.pb");                   // one file: structure and values
//   ...
//   // another process; nothing to restore
//   import_graph_def(serving, "serve/model.pb", {.name = ""});
//
// All functions return a new graph, a GraphDef without collections and savers, and do not change
// their arguments. They correspond to tf.graph_util's, op for op; TensorFlow reads the files.
//
// Calls that fail:
//
//   convert_variables_to_constants(session, {"train_op"});
//   // InvalidArgument: the outputs need nodes that require a variable, not a constant: ...
//   extract_sub_graph(graph, {"sofmax"});
//   // NotFound: there is no node 'sofmax' in the graph; did you mean softmax?
#pragma once

#include <map>
#include <string>
#include <vector>

#include "persist/graph/meta_graph.h"
#include "runtime/exec/session.h"

namespace CAIRN_API cairn {

// A node of a graph, by name or by handle. "softmax:0" denotes the node softmax.
class NodeName {
 public:
  NodeName(const char* name)
      : NodeName(std::string(name)) {}  // NOLINT: implicit on purpose, as are all here
  NodeName(const std::string& name) : name_(name.substr(0, name.find(':'))) {}  // NOLINT
  NodeName(const Operation& op) : name_(op.name()) {}                           // NOLINT
  NodeName(const Output& output) : name_(output.op().name()) {}                 // NOLINT
  const std::string& str() const { return name_; }

 private:
  std::string name_;
};
using NodeNames = std::vector<NodeName>;

struct FreezeOptions {
  // The names of variables that become constants: if the whitelist is not empty, only those in it;
  // never those in the blacklist.
  std::vector<std::string> variable_names_whitelist = {}, variable_names_blacklist = {};
  // Tensors that are replaced by constants first, such as those that a training program fed. Of
  // each cond that they decide only the branch taken remains, so a model with batch normalisation
  // behind a training flag can be frozen: {.constants = {{"is_training:0", false}, {"keep_prob:0",
  // 1.0f}}}.
  std::map<std::string, Tensor> constants = {};
};

// The nodes that `outputs` depend on, in the order of the graph. Each variable is replaced by a
// Const with its name and the session's value, each ReadVariableOp by an Identity. Functions are
// kept. (tf.graph_util.convert_variables_to_constants)
//
// Throws NotFound listing outputs and whitelisted variables that do not exist; FailedPrecondition
// listing variables without a value; InvalidArgument for constants of another dtype or shape, for
// an output on a branch that the constants exclude, and for nodes that would still assign to or
// query a variable that is now a constant, listing these and the tensors that decide whether they
// run.
MetaGraph convert_variables_to_constants(Session& session, const NodeNames& outputs,
                                         const FreezeOptions& options = {});

// The nodes that `outputs` depend on by data and control edges. Throws NotFound listing outputs
// that do not exist. (tf.graph_util.extract_sub_graph)
MetaGraph extract_sub_graph(const MetaGraph& graph, const NodeNames& outputs);
MetaGraph extract_sub_graph(const Graph& graph, const NodeNames& outputs);

// The graph without nodes that only training needs: CheckNumerics, and Identity nodes without
// control edges. Their readers read their inputs instead. List tensors that will be fetched in
// `protected_nodes`. (tf.graph_util.remove_training_nodes)
MetaGraph remove_training_nodes(const MetaGraph& graph, const NodeNames& protected_nodes = {});
MetaGraph remove_training_nodes(const Graph& graph, const NodeNames& protected_nodes = {});

struct WriteGraphOptions {
  bool as_text = false;               // protobuf text (.pbtxt)
  FileSystem* file_system = nullptr;  // null: posix_file_system()
};
// Writes a graph's GraphDef atomically and creates missing directories. On an error an older file
// is unchanged. (tf.train.write_graph)
void write_graph(const MetaGraph& graph, const std::string& path,
                 const WriteGraphOptions& options = {});
void write_graph(const Graph& graph, const std::string& path,
                 const WriteGraphOptions& options = {});

}  // namespace cairn
