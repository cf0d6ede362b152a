// Graphs as files: TensorFlow's MetaGraphDef (.meta), GraphDef (.pb) and SavedModel, as bytes,
// protobuf text or JSON.
//
//   export_meta_graph(graph, {.filename = "run/model.meta", .collection_list = {{"train_var"}}});
//
//   Graph again;  // in another process, without the model's code
//   import_meta_graph_def(again, "run/model.meta");
//   auto vars = again.collection<Output>("train_var");
//
// import_meta_graph() in persist/saver/saver.h also returns the file's Saver. Parts of a file that
// Cairn does not know (ops, attributes, collections, fields of newer versions, signatures,
// functions) are kept in the graph and written by the next export. The files do not contain the
// values of variables; see persist/saver/saver.h.
//
// Calls that fail:
//
//   MetaGraph::read("run/model.index");
//   // DataLoss: run/model.index: this is no graph (...); it holds values (...)
//   import_meta_graph_def(again, "run/model.meta");   // a second time
//   // AlreadyExists: ... have names that the graph has already: ...; reset the graph first, or
//   // import under a scope (.import_scope)
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

// Options for reading a file.
struct ReadOptions {
  // Of a SavedModel, reads the graph that has exactly these tags; if empty, the one tagged "serve",
  // or else the first.
  std::vector<std::string> tags = {};
  FileSystem* file_system = nullptr;  // null: posix_file_system()
};

// A tensor of a signature. Sparse and composite tensors consist of several tensors; their `name` is
// empty.
struct TensorInfo {
  std::string name;  // "scores:0"
  DType dtype = DType::kInvalid;
  Shape shape;
};

// A computation of a SavedModel: tensors to feed and to fetch, by the names that callers use.
struct Signature {
  std::string method_name;  // "tensorflow/serving/predict"
  std::map<std::string, TensorInfo> inputs, outputs;
};

// A MetaGraphDef: a graph and everything else in its file. An immutable value that is cheap to
// copy; may be used by several threads.
class MetaGraph {
 public:
  struct Rep;
  explicit MetaGraph(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}

  // Reads a MetaGraphDef, a SavedModel or a bare GraphDef, as bytes, text or JSON. `name` is used
  // for the file in messages. read() also takes the directory of a SavedModel or a checkpoint.
  // Throws DataLoss for anything else, with the kind of file or the position of the damage, and
  // NotFound if no graph of a SavedModel has the tags.
  static MetaGraph parse(const std::string& content, const std::string& name,
                         const ReadOptions& options = {});
  static MetaGraph read(const std::string& path, const ReadOptions& options = {});

  // The serialized MetaGraphDef. Equal graphs give equal bytes. Throws ResourceExhausted from 2 GiB
  // on.
  std::string bytes() const;
  // As protobuf text. Fields of newer versions, which have no name in this schema, are omitted.
  std::string text() const;
  // As JSON in protobuf's mapping, without those fields; bytes are in base64. An Any of a type that
  // Cairn does not have is written as {"@type": "type.googleapis.com/cairn.pb.OpaqueAny",
  // "type_url": ..., "value": base64}.
  std::string json() const;
  // The GraphDef alone.
  std::string graph_def() const;
  std::string graph_def_text() const;

  // The version of the program that wrote the file; "" before 0.12.
  const std::string& tensorflow_version() const;
  const std::string& tensorflow_git_version() const;  // "cairn-" and a version if Cairn wrote it
  // True if read from a bare GraphDef, which contains nothing but the graph.
  bool is_graph_def() const;
  std::optional<SaverDef> saver_def() const;
  int num_nodes() const;
  // The tags of this graph of a SavedModel: "serve", "train", "gpu", ...
  std::vector<std::string> tags() const;
  // The signatures by key, such as "serving_default".
  std::map<std::string, Signature> signatures() const;
  // The tags of every graph of the SavedModel that this one was read from; empty for other files.
  const std::vector<std::vector<std::string>>& all_tags() const;
  // The fields and enum values of later versions that a text or JSON file had and that were
  // dropped; in bytes they are kept. "NodeDef has no field named "x" (40 times, first in line 12)".
  const std::vector<std::string>& left_out() const;
  const Rep& rep() const { return *rep_; }  // for persist/

 private:
  std::shared_ptr<const Rep> rep_;
};

// Options of export_meta_graph().
struct ExportOptions {
  // The file to write, atomically, with missing directories; "": only return the MetaGraph.
  std::string filename = {};
  bool as_text = false;                                          // protobuf text
  bool as_json = false;                                          // see MetaGraph::json()
  std::optional<std::vector<std::string>> collection_list = {};  // nullopt: all collections
  std::optional<SaverDef> saver_def = {};
  // Export only the nodes under this name scope and remove it from their names. Inputs from outside
  // are named $unbound_inputs_NAME.
  std::string export_scope = {};
  bool clear_devices = false;
  bool clear_extraneous_savers = false;  // omit the nodes of all savers but `saver_def`'s
  bool strip_default_attrs = false;      // omit attributes that equal their op's default
  std::string graph_def = {};            // a serialized GraphDef to write instead of the graph
  FileSystem* file_system = nullptr;     // null: posix_file_system()
};

// Converts `graph` to a MetaGraph and writes it if `filename` is given: nodes with their shapes
// (`_output_shapes`), the definitions of their ops, collections, versions, functions, and the parts
// carried from an imported file. The graph is not changed. Empty collections are not stored. Throws
// InvalidArgument for a collection of mixed kinds, for names (of devices, collections, message
// types) that are not UTF-8, which no reader would accept, and for as_text with as_json; NotFound
// for an export_scope without nodes or a key in collection_list that the graph does not have; and
// the FileSystem's errors. (tf.train.export_meta_graph)
MetaGraph export_meta_graph(const Graph& graph, const ExportOptions& options = {});

// Options of import_meta_graph_def().
struct ImportOptions {
  // Import under this name scope, made unique. Needed if the graph has variables of the same names.
  // The names of variables, savers and collections change with it. A node whose name is taken and
  // that is not a variable is renamed even without a scope (init becomes init_1, as in TensorFlow),
  // with all references to it in the file.
  std::string import_scope = {};
  bool clear_devices = false;
  // Throw Unimplemented, listing all of them, for unknown ops and for attributes that this build's
  // ops do not have (unless they equal the default given in the file). Otherwise they are carried
  // without being runnable. Also for MetaGraph::left_out() of a text file.
  bool strict = false;
  // For inspection only: values of constants that would take far more memory than their bytes in
  // the file (in total more than 8 MB and four times the file) are kept as they are in the file.
  // Such nodes cannot be run.
  bool look_only = false;
  // Replaces inputs of the imported nodes, given by their names in the file, "x:0" or
  // "$unbound_inputs_x:0", by tensors of the graph.
  std::map<std::string, Output> input_map = {};
  std::vector<std::string> tags = {};  // see ReadOptions
  FileSystem* file_system = nullptr;   // null: posix_file_system()
  const OpSet* ops = nullptr;          // null: all_ops()
};

// The result of import_meta_graph_def().
struct ImportedMetaGraph {
  std::vector<Operation> operations;     // in the order of the file
  std::optional<SaverDef> saver_def;     // with the names in the graph
  std::string scope;                     // the name scope, made unique, without a slash
  std::string tensorflow_version;        // of the program that wrote the file
  std::vector<std::string> carried_ops;  // op types that this build does not have, by name
};

// Adds the content of a file to `graph`: nodes, collections, versions, functions. A directory
// denotes the .meta file of its newest checkpoint. Variables have no values until they are restored
// or initialised. The inputs of the file's nodes are nodes of the file or those in `input_map`;
// nodes that the file lacks are not looked up in the graph. On an error the graph is unchanged.
// (tf.train.import_meta_graph without the Saver)
//
// Throws NotFound and DataLoss for files; AlreadyExists, listing the names, if the graph already
// has a variable's name or all names; InvalidArgument listing nodes that do not fit together;
// Unimplemented under `strict`.
//
//   session.run(global_variables_initializer(graph));       // makes `init`
//   import_meta_graph_def(graph, "run/model.meta");         // whose own `init` is now init_1
ImportedMetaGraph import_meta_graph_def(Graph& graph, const std::string& file,
                                        const ImportOptions& options = {});
ImportedMetaGraph import_meta_graph_def(Graph& graph, const MetaGraph& meta,
                                        const ImportOptions& options = {});

// Options of import_graph_def(); see ImportOptions.
struct ImportGraphDefOptions {
  std::string name = "import";  // the name scope, TensorFlow's default; "" for none
  std::map<std::string, Output> input_map = {};
  FileSystem* file_system = nullptr;
  const OpSet* ops = nullptr;
};

// Adds only the nodes of a GraphDef, or of a MetaGraphDef, and returns them in the order of the
// file. Throws as import_meta_graph_def(). (tf.import_graph_def)
//
//   import_graph_def(graph, "frozen.pb", {.name = ""});
std::vector<Operation> import_graph_def(Graph& graph, const std::string& file,
                                        const ImportGraphDefOptions& options = {});
std::vector<Operation> import_graph_def(Graph& graph, const MetaGraph& meta,
                                        const ImportGraphDefOptions& options = {});

// The graph as a serialized GraphDef; `add_shapes` adds `_output_shapes`. (tf.Graph.as_graph_def)
std::string as_graph_def(const Graph& graph, bool add_shapes = false);

}  // namespace cairn
