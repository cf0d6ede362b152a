// SavedModels: directories that hold a graph (saved_model.pb or .pbtxt), the values of its
// variables and files it reads, as tf.saved_model and estimators export them.
//
//   Graph graph;
//   Session session(graph);
//   SavedModel model = load_saved_model(session, "export/1567058744");
//   const Signature& serving = model.signatures.at("serving_default");
//   session.run(serving.outputs.at("scores").name, {{serving.inputs.at("x").name, x}});
//
// The directory is also taken where a meta graph is asked for (MetaGraph::read, import_meta_graph)
// and where a checkpoint is (Saver::restore, CheckpointReader): that is then its
// variables/variables.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "persist/saver/saver.h"

namespace CAIRN_API cairn {

// The file that holds `directory`'s graph, saved_model.pb or else saved_model.pbtxt; "" where there
// is neither.
std::string saved_model_graph_path(const std::string& directory, FileSystem* fs = nullptr);
// The prefix that the variables of `directory` are stored under, whether they are there or not.
std::string saved_model_variables_path(const std::string& directory);

struct LoadOptions {
  // See ReadOptions: the graph that has exactly these tags; if empty, the one tagged "serve", else
  // the first.
  std::vector<std::string> tags = {};
  std::string import_scope = {};  // see ImportOptions
};

struct SavedModel {
  Saver saver;  // none (false) for a graph without variables
  std::vector<std::string> tags;
  std::map<std::string, Signature> signatures;  // with names of tensors as they are in the graph
  std::map<std::string, std::string>
      assets;  // the file that each tensor names: "asset:0" -> "DIR/assets/vocab.txt"
  std::string initialized_by;  // the op that was run after restoring; "" where there is none
};

// Adds the graph of a SavedModel to the session's, restores its variables and runs its init op
// (main_op or legacy_init_op), with the tensors that name assets fed with where these are. An init
// op that this build cannot run is left: what needs it says so when it is run. Throws NotFound (no
// SavedModel, no graph with such tags, no file of an asset), DataLoss for what is damaged, and as
// import_meta_graph and Saver::restore; the graph keeps what was imported when restoring fails.
// (tf.saved_model.loader.load)
SavedModel load_saved_model(Session& session, const std::string& directory,
                            const LoadOptions& options = {});

// The last step of loading, for a graph that was imported and restored by hand from `meta` of
// `directory`: runs the init op and returns its name, "" where there is none or this build cannot
// run it.
std::string run_saved_model_init(Session& session, const MetaGraph& meta,
                                 const std::string& directory,
                                 const std::string& import_scope = "");

}  // namespace cairn
