#include "persist/saver/saver.h"
#include <chrono>
#include <iostream>
#include <tuple>

#include "persist/checkpoint/retention.h"
#include "persist/saver/background_save.h"
#include "persist/saver/saver_graph.h"
#include "runtime/base/text.h"

namespace cairn {

// ---- construction -------------------------------------------------------------------------------

Saver::Saver(GraphAt graph, const SaverOptions& options)
    : graph_(graph->anchor()), epoch_(graph->epoch()), options_(options) {
  if (options.max_to_keep < 0)
    fail(Code::kInvalidArgument, "Saver: max_to_keep is ", options.max_to_keep,
         "; 0 (all) or more is needed");
  if (!(options.keep_checkpoint_every_n_hours >= 0))
    fail(Code::kInvalidArgument, "Saver: keep_checkpoint_every_n_hours is ",
         options.keep_checkpoint_every_n_hours, "; 0 (every checkpoint) or more is needed");
  if (options.write_version != CheckpointFormat::kV1 &&
      options.write_version != CheckpointFormat::kV2)
    fail(Code::kInvalidArgument,
         "Saver: Unexpected write_version: ", static_cast<int>(options.write_version));
  const Graph::Transaction whole(graph, graph.at);
  def_ = add_saver_nodes(graph, options);
  make_retention();
}

Saver Saver::from_proto(Graph& graph, const SaverDef& def, const SaverOptions& options) {
  if (def.save_tensor_name.empty() || def.restore_op_name.empty() ||
      def.filename_tensor_name.empty()) {
    fail(Code::kInvalidArgument, "a SaverDef must name its nodes: filename_tensor_name '",
         def.filename_tensor_name, "', save_tensor_name '", def.save_tensor_name,
         "', restore_op_name '", def.restore_op_name, "'");
  }
  Saver saver;
  saver.graph_ = graph.anchor();
  saver.epoch_ = graph.epoch();
  saver.def_ = def;
  saver.options_ = options;
  saver.options_.max_to_keep = def.max_to_keep;
  saver.options_.keep_checkpoint_every_n_hours = def.keep_checkpoint_every_n_hours;
  saver.options_.sharded = def.sharded;
  saver.options_.write_version = def.version;
  graph.find(def.filename_tensor_name);
  graph.find(def.save_tensor_name);
  graph.find_op(def.restore_op_name);
  saver.make_retention();
  return saver;
}

void Saver::require_some() const {
  if (!graph_)
    fail(Code::kFailedPrecondition, "this Saver is empty: its graph had no variables to save");
}

Graph& Saver::graph() const {
  require_some();
  if (graph_->is_gone(epoch_)) graph_->refuse(epoch_, "a Saver");
  return *graph_->graph;
}

const SaverDef& Saver::as_saver_def() const {
  require_some();
  return def_;
}

MetaGraph Saver::export_meta_graph(const std::string& filename, ExportOptions options) const {
  options.filename = filename;
  if (const SaverDef& def = as_saver_def(); !saves_nothing()) options.saver_def = def;
  return cairn::export_meta_graph(graph(), options);
}

double Saver::now() const {
  if (options_.clock) return options_.clock();
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void Saver::make_retention() {
  const auto warn = [on_warning = options_.on_warning](const std::string& message) {
    if (on_warning) return on_warning(message);
    std::cerr << "cairn: " << printable(message, "\n\t") << "\n";
  };
  retention_ = std::make_shared<Retention>(options_.max_to_keep,
                                           options_.keep_checkpoint_every_n_hours, now(), warn);
  restore_plans_ = make_restore_plans();
  background_ = std::make_shared<internal::BackgroundSaves>(warn);
}

// ---- importing ----------------------------------------------------------------------------------

namespace {

Saver saver_of(GraphAt graph, const ImportedMetaGraph& imported, const SaverOptions& saver) {
  if (imported.saver_def) return Saver::from_proto(graph, *imported.saver_def, saver);
  const std::string scope = imported.scope.empty() ? "" : imported.scope + "/";
  SaverOptions all = saver;
  const std::vector<Variable> variables =
      graph->collection<Variable>(GraphKeys::kGlobalVariables, scope);
  if (variables.empty()) return {};
  all.var_list = variables;
  return Saver(graph, all);
}

}  // namespace

Saver import_meta_graph(GraphAt graph, const std::string& file, const ImportOptions& options,
                        const SaverOptions& saver) {
  const ReadOptions read = {.tags = options.tags, .file_system = options.file_system};
  return import_meta_graph(graph, MetaGraph::read(file, read), options, saver);
}

Saver import_meta_graph(GraphAt graph, const MetaGraph& meta, const ImportOptions& options,
                        const SaverOptions& saver, std::string* scope) {
  const Graph::Transaction whole(graph);
  const auto before = std::tuple(graph->versions, graph->library, graph->from_file);
  try {
    const ImportedMetaGraph imported = import_meta_graph_def(graph, meta, options);
    if (scope) *scope = imported.scope;
    return saver_of(graph, imported, saver);
  } catch (...) {
    std::tie(graph->versions, graph->library, graph->from_file) = before;
    throw;
  }
}

}  // namespace cairn
