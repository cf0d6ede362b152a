// Graphs as files: TensorFlow's MetaGraphDef (.meta), GraphDef (.pb) and SavedModel, in bytes,
// protobuf text or JSON.
//
//   export_meta_graph(graph, {.filename = "run/model.meta", .collection_list = {{"train_var"}}});
//
//   Graph again;  // in another process, without the model's code
//   // persist/saver/saver.h: import_meta_graph gives a Saver
//   import_meta_graph_def(again, "run/model.meta");
//   too auto vars = again.collection<Output>("train_var");
//
// What a file holds and Cairn does not know (ops, attributes, collections, fields of newer
// versions, signatures, functions) is carried in the graph and written again by the next export.
// Values are not in these files; see persist/saver/saver.h.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "persist/files/file.h"
#include "persist/graph/saver_def.h"
#include "runtime/graph/graph.h"

namespace CAIRN_API cairn {

struct ReadOptions {
  // Of a SavedModel, the graph that has exactly these tags; if empty, the one tagged "serve", else
  // its first.
  std::vector<std::string> tags = {};
  FileSystem* file_system = nullptr;  // null: posix_file_system()
};

// A tensor that a signature speaks of. Sparse and composite tensors, which have several names, have
// none here.
struct TensorInfo {
  std::string name;  // "scores:0"
  DType dtype = DType::kInvalid;
  Shape shape;
};

// What a SavedModel offers to compute: tensors to feed and to fetch, by names for callers.
struct Signature {
  std::string method_name;  // "tensorflow/serving/predict"
  std::map<std::string, TensorInfo> inputs, outputs;
};

// A MetaGraphDef: one graph with all that a file says about it. A value, cheap to copy, never
// changed.
class MetaGraph {
 public:
  struct Rep;
  explicit MetaGraph(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}

  // Reads a MetaGraphDef, a SavedModel or a bare GraphDef, in bytes, text or JSON. `name` stands
  // for it in messages. Throws DataLoss for what is none of these, saying what it looks like and
  // where it stops making sense, and NotFound for tags that no graph of a SavedModel has. read()
  // takes a SavedModel's directory, too.
  static MetaGraph parse(const std::string& content, const std::string& name,
                         const ReadOptions& options = {});
  static MetaGraph read(const std::string& path, const ReadOptions& options = {});

  // The file's bytes: equal graphs give equal bytes. Throws ResourceExhausted from 2 GiB on.
  std::string bytes() const;
  // The same as protobuf text; fields of newer versions, which have no name here, are left out.
  std::string text() const;
  // And in protobuf's mapping to JSON, without those fields too; bytes are in base64. An Any of a
  // type that Cairn does not have is {"@type": "type.googleapis.com/cairn.pb.OpaqueAny",
  // "type_url": ..., "value": base64}.
  std::string json() const;
  // Its GraphDef alone.
  std::string graph_def() const;
  std::string graph_def_text() const;

  // of the program that wrote it; "" before 0.12
  const std::string& tensorflow_version() const;
  const std::string& tensorflow_git_version() const;  // "cairn-" and a version for what Cairn wrote
  bool is_graph_def() const;  // read from a bare GraphDef, which has nodes and nothing else to say
  std::optional<SaverDef> saver_def() const;
  int num_nodes() const;
  // of one graph of a SavedModel: "serve", "train", "gpu", ...
  std::vector<std::string> tags() const;
  std::map<std::string, Signature> signatures() const;
  // The tags of every graph of the SavedModel that this one was taken from; empty for other files.
  const std::vector<std::vector<std::string>>& all_tags() const;
  // Fields and enum values of later versions that text or JSON had: bytes carry such, text cannot,
  // so they were left out. "NodeDef has no field named "x" (40 times, first in line 12)".
  const std::vector<std::string>& left_out() const;
  const Rep& rep() const { return *rep_; }  // for persist/

 private:
  std::shared_ptr<const Rep> rep_;
};

struct ExportOptions {
  // written whole or not at all, in directories made as needed; "": not written
  std::string filename = {};
  bool as_text = false;                                          // protobuf text
  bool as_json = false;                                          // see MetaGraph::json()
  std::optional<std::vector<std::string>> collection_list = {};  // nothing: all collections
  std::optional<SaverDef> saver_def = {};
  // Only the nodes under this name scope, without it in their names. Inputs from outside become
  // $unbound_inputs_NAME.
  std::string export_scope = {};
  bool clear_devices = false;
  bool clear_extraneous_savers = false;  // drop the nodes of all savers but that of `saver_def`
  bool strip_default_attrs = false;      // drop attributes that say what their op's default is
  std::string graph_def = {};         // a serialized GraphDef to write in place of the graph's own
  FileSystem* file_system = nullptr;  // null: posix_file_system()
};

// Writes `graph` down: nodes with their shapes (`_output_shapes`), the definitions of their ops,
// collections, versions and functions, and what was carried from the file it was imported from. The
// graph stays as it is. Collections that are empty are not stored. Throws InvalidArgument for a
// collection of mixed kinds, for names (of devices, collections, types of messages) that are not
// UTF-8, which no reader would take, and for as_text with as_json; NotFound for an export_scope
// without nodes or a key in collection_list that the graph does not have; and what the FileSystem
// throws. (tf.train.export_meta_graph)
MetaGraph export_meta_graph(const Graph& graph, const ExportOptions& options = {});

struct ImportOptions {
  // Put before every name as "scope/", made unique as name scopes are. Needed where the graph has
  // variables of the same names; variables, savers and collections follow. A node other than a
  // variable whose name is taken is renamed without it too (init becomes init_1, as in TensorFlow),
  // with all that names it in the file.
  std::string import_scope = {};
  bool clear_devices = false;
  // Refuse what this build would carry without being able to run it: all unknown ops, and
  // attributes that this build's ops do not have (unless they say what the file gives as their
  // default), in one error. Also what a text file has that cannot be carried (MetaGraph::left_out).
  bool strict = false;
  // The graph is to be shown, not run: values of constants that would take far more memory than
  // bytes in the file (all together more than 8 MB and four times the file) are left as the file
  // has them. Such nodes are carried.
  bool look_only = false;
  // Inputs of the imported nodes, "x:0" or "$unbound_inputs_x:0" by the names in the file, and what
  // they read instead.
  std::map<std::string, Output> input_map = {};
  std::vector<std::string> tags = {};  // see ReadOptions
  FileSystem* file_system = nullptr;   // null: posix_file_system()
  const OpSet* ops = nullptr;          // null: all_ops()
};

struct ImportedMetaGraph {
  std::vector<Operation> operations;     // in the file's order
  std::optional<SaverDef> saver_def;     // with names as they are in the graph
  std::string scope;                     // the scope in fact used, without a slash
  std::string tensorflow_version;        // of the program that wrote the file
  std::vector<std::string> carried_ops;  // op types that this build does not have, in order of name
};

// Adds what a file holds to `graph`: nodes, collections, versions, functions. A directory stands
// for the .meta file of its newest checkpoint. Variables have no values until they are restored or
// initialised. What a file's nodes take as inputs are nodes of the file, or what `input_map` says;
// a node that the file lacks is never looked for in the graph. All or nothing: on an error the
// graph is as before. Throws NotFound and DataLoss for files, AlreadyExists listing names that the
// graph has already where a variable's is among them, or all are (and what to do), InvalidArgument
// listing nodes that do not fit together, Unimplemented under `strict`. (tf.train.import_meta_graph
// without the Saver)
//   session.run(global_variables_initializer(graph));       // makes `init`
//   import_meta_graph_def(graph, "run/model.meta");         // whose own `init` is now init_1
ImportedMetaGraph import_meta_graph_def(Graph& graph, const std::string& file,
                                        const ImportOptions& options = {});
ImportedMetaGraph import_meta_graph_def(Graph& graph, const MetaGraph& meta,
                                        const ImportOptions& options = {});

struct ImportGraphDefOptions {
  std::string name = "import";  // the scope, as TensorFlow has it; "" for none
  std::map<std::string, Output> input_map = {};
  FileSystem* file_system = nullptr;
  const OpSet* ops = nullptr;
};

// The nodes of a GraphDef alone; from a MetaGraphDef too. (tf.import_graph_def)
//   import_graph_def(graph, "frozen.pb", {.name = ""});
std::vector<Operation> import_graph_def(Graph& graph, const std::string& file,
                                        const ImportGraphDefOptions& options = {});
std::vector<Operation> import_graph_def(Graph& graph, const MetaGraph& meta,
                                        const ImportGraphDefOptions& options = {});

// The graph as a serialized GraphDef. (tf.Graph.as_graph_def)
std::string as_graph_def(const Graph& graph, bool add_shapes = false);

}  // namespace cairn
