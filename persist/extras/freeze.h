// Graphs cut down to what computing needs: training taken off, variables turned into constants.
//
//   Saver saver = import_meta_graph(graph, "run/model-1000.meta");
//   saver.restore(session, "run/model-1000");
//   MetaGraph frozen = convert_variables_to_constants(session, {"softmax"});
//   write_graph(frozen, "serve/model.pb");                   // one file: structure and values
//   ...
//   // another process; nothing to restore
//   import_graph_def(serving, "serve/model.pb", {.name = ""});
//
// All of these give a graph of their own, a GraphDef without collections and savers, and leave what
// they are given as it is. They are tf.graph_util's, op for op; TensorFlow reads the files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "persist/graph/meta_graph.h"
#include "runtime/exec/session.h"

namespace CAIRN_API cairn {

// A node of a graph, by its name or by a handle. Of "softmax:0" the node is softmax.
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
  // By name, which variables become constants: only these (if there are any), and not those.
  std::vector<std::string> variable_names_whitelist = {}, variable_names_blacklist = {};
  // Tensors that become constants first, whatever gave them their value: what a training program
  // fed. Of each cond that they decide only the side that is taken stays, so that a model with
  // batch normalisation behind a training flag can be frozen: {.constants = {{"is_training:0",
  // false}, {"keep_prob:0", 1.0f}}}.
  std::map<std::string, Tensor> constants = {};
};

// The nodes that `outputs` need, in their order, with each variable a Const of its name that holds
// the session's value and each ReadVariableOp an Identity. Functions are kept.
// (tf.graph_util.convert_variables_to_constants)
//
// Throws NotFound listing outputs and whitelisted variables that the graph does not have,
// FailedPrecondition listing variables without a value, and InvalidArgument listing nodes that
// would still change or ask about a variable that is none any more (an assignment among the
// outputs' inputs) with what decides whether they run; for a constant of another dtype or shape,
// and for an output on a side of a cond that the constants leave out.
MetaGraph convert_variables_to_constants(Session& session, const NodeNames& outputs,
                                         const FreezeOptions& options = {});

// The nodes that `outputs` need, by data and control edges. Throws NotFound listing those that are
// not there. (tf.graph_util.extract_sub_graph)
MetaGraph extract_sub_graph(const MetaGraph& graph, const NodeNames& outputs);
MetaGraph extract_sub_graph(const Graph& graph, const NodeNames& outputs);

// The graph without nodes that only training is helped by: CheckNumerics, and Identity where no
// control edge is involved. What they passed on is taken from where they had it. Outputs to be
// fetched are to be among `protected_nodes`. (tf.graph_util.remove_training_nodes)
MetaGraph remove_training_nodes(const MetaGraph& graph, const NodeNames& protected_nodes = {});
MetaGraph remove_training_nodes(const Graph& graph, const NodeNames& protected_nodes = {});

struct WriteGraphOptions {
  bool as_text = false;               // protobuf text (.pbtxt)
  FileSystem* file_system = nullptr;  // null: posix_file_system()
};
// Writes a graph's GraphDef alone, whole or not at all, in directories made as needed.
// (tf.train.write_graph)
void write_graph(const MetaGraph& graph, const std::string& path,
                 const WriteGraphOptions& options = {});
void write_graph(const Graph& graph, const std::string& path,
                 const WriteGraphOptions& options = {});

}  // namespace cairn
