// SavedModels: directories with a graph (saved_model.pb or .pbtxt), the values of its variables,
// and assets (files that it reads), as tf.saved_model and estimators export them.
//
//   Graph graph;
//   Session session(graph);
//   SavedModel model = load_saved_model(session, "export/1567058744");
//   const Signature& serving = model.signatures.at("serving_default");
//   session.run(serving.outputs.at("scores").name, {{serving.inputs.at("x").name, x}});
//
// Functions that take a meta graph (MetaGraph::read, import_meta_graph) or a checkpoint
// (Saver::restore, CheckpointReader) also take such a directory; the checkpoint is then its
// variables/variables.
//
// A call that fails:
//
//   load_saved_model(session, "run");   // NotFound: run: this is no SavedModel (there is neither
//                                       // saved_model.pb nor saved_model.pbtxt in it)
#pragma once

#include <map>
#include <string>
#include <vector>

#include "persist/saver/saver.h"

namespace CAIRN_API cairn {

// The path of the graph of `directory`: saved_model.pb, or else saved_model.pbtxt; "" if neither
// exists. `fs` null: posix_file_system().
std::string saved_model_graph_path(const std::string& directory, FileSystem* fs = nullptr);
// The prefix under which the variables of `directory` are stored, whether they exist or not.
std::string saved_model_variables_path(const std::string& directory);

struct LoadOptions {
  // As in ReadOptions: load the graph that has exactly these tags; if empty, the one tagged
  // "serve", or else the first.
  std::vector<std::string> tags = {};
  std::string import_scope = {};  // see ImportOptions
};

// The result of load_saved_model().
struct SavedModel {
  Saver saver;  // empty (false) for a graph without variables
  std::vector<std::string> tags;
  std::map<std::string, Signature> signatures;  // with the names of tensors in the graph
  // The file for each tensor that names an asset: "asset:0" -> "DIR/assets/vocab.txt".
  std::map<std::string, std::string> assets;
  std::string initialized_by;  // the init op that was run; "" if there is none
};

// Imports the graph of a SavedModel into the session's graph, restores its variables and runs its
// init op (main_op or legacy_init_op), feeding the paths of the assets. An init op that this build
// cannot run is skipped; ops that depend on it then fail when they are run. Throws NotFound (no
// SavedModel, no graph with these tags, no asset file), DataLoss for damage, and the errors of
// import_meta_graph() and Saver::restore(). If importing fails the graph is unchanged; if a later
// step fails, the imported nodes remain. (tf.saved_model.loader.load)
SavedModel load_saved_model(Session& session, const std::string& directory,
                            const LoadOptions& options = {});

// The last step of load_saved_model(), for a graph that was imported and restored separately from
// `meta` of `directory`: runs the init op and returns its name; "" if there is none or this build
// cannot run it.
std::string run_saved_model_init(Session& session, const MetaGraph& meta,
                                 const std::string& directory,
                                 const std::string& import_scope = "");

}  // namespace cairn
