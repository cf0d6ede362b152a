#include <mutex>
#include <unordered_map>

#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/checkpoint/retention.h"
#include "persist/files/read_retry.h"
#include "persist/saver/restore_fit.h"
#include "persist/saver/save_restore.h"
#include "persist/saver/saver.h"
#include "persist/saver/saver_graph.h"

namespace cairn {
namespace {

// The graph's variables by their nodes.
std::unordered_map<const Node*, Variable> variables_by_node(const Graph& graph) {
  std::unordered_map<const Node*, Variable> variables;
  for (const std::string& key : graph.collection_keys()) {
    for (const CollectionItem& item : graph.items(key)) {
      if (const auto* variable = std::get_if<Variable>(&item))
        variables.emplace(&variable->ref().node(), *variable);
    }
  }
  return variables;
}

// For a restore that is complete but renames or converts: feeds the tensors to the outputs that
// would have read them, so that the saver's own nodes assign them.
void run_with_values(Session& session, const CheckpointReader& reader, const Operation& restore_op,
                     const RestoreFit& fit) {
  Feeds feeds;
  for (size_t i = 0; i < fit.restored.size(); ++i) {
    const RestoreItem& item = *fit.restored[i];
    feeds.push_back({session.graph().handle(item.read),
                     read_item(reader, item, fit.report.restored[i].stored)});
  }
  session.run_or_undo({restore_op}, std::move(feeds));
}

// For a partial restore: sets the variables without running the saver's nodes, which may depend on
// each other (restore_sequentially).
void set_values(Session& session, const CheckpointReader& reader, const RestoreFit& fit) {
  const auto variables = variables_by_node(session.graph());
  std::vector<std::pair<Variable, Tensor>> values;
  for (size_t i = 0; i < fit.restored.size(); ++i) {
    const RestoreItem& item = *fit.restored[i];
    const auto known = variables.find(item.variable);
    if (known == variables.end()) {
      fail(Code::kUnimplemented, "'", item.key,
           "' is no variable in the graph's collections (it is restored after ",
           item.read.node->str(), "); it can only be restored together with everything else");
    }
    Tensor value = read_item(reader, item, fit.report.restored[i].stored);
    if (item.reshapes && item.shape.is_fully_defined()) value = value.reshaped(item.shape);
    values.emplace_back(known->second, std::move(value));
  }
  session.set_values(values);
}

}  // namespace

// The tensors that the restore nodes read. Cached, since nodes never change.
struct Saver::RestorePlan {
  uint64_t epoch;
  int num_nodes;
  Operation op;
  RestoreNodes nodes;
};
// The most recent plan, shared by all copies of a saver and all threads.
struct Saver::RestorePlans {
  std::mutex mutex;
  std::shared_ptr<const RestorePlan> last;
};

std::shared_ptr<const Saver::RestorePlan> Saver::restore_plan() const {
  const Graph& g = graph();
  const std::lock_guard lock(restore_plans_->mutex);
  auto& last = restore_plans_->last;
  if (!last || last->epoch != g.epoch() || last->num_nodes != g.num_nodes()) {
    const Operation op = g.find_op(def_.restore_op_name);
    last = std::make_shared<const RestorePlan>(
        RestorePlan{g.epoch(), g.num_nodes(), op, find_restore_nodes(g, op)});
  }
  return last;
}

std::shared_ptr<Saver::RestorePlans> Saver::make_restore_plans() {
  return std::make_shared<RestorePlans>();
}

RestoreReport Saver::restore(Session& session, const std::string& path,
                             const RestoreOptions& options) const {
  if (&session.graph() != &graph())
    fail(Code::kInvalidArgument, "Saver::restore: the session runs another graph than the saver's");
  if (saves_nothing()) return {};
  if (path.empty()) fail(Code::kInvalidArgument, "Can't load save_path when it is empty");
  for (ReadRetry attempt(files_of(session), path);; attempt.again()) {
    try {
      return restore_from(session, attempt.prefix(), options);
    } catch (const Error& e) {
      if (!attempt.should_retry(e)) throw;
    }
  }
}

RestoreReport Saver::restore_from(Session& session, const std::string& prefix,
                                  const RestoreOptions& options) const {
  const auto plan = restore_plan();
  const Operation& restore_op = plan->op;
  const RestoreNodes& nodes = plan->nodes;
  const auto reader = std::make_shared<const CheckpointReader>(prefix, &files_of(session));
  if (const auto note = interrupted_overwriting(prefix, &files_of(session)))
    retention().warn(*note);
  RestoreFit fit = fit_to_checkpoint(*reader, nodes.items, options);
  require_fit(fit.report, options);
  if (fit.whole(nodes.items) && (!nodes.unknown || options.rename.empty())) {
    RunState shared;  // the nodes use the checkpoint opened here
    shared.get<OpenCheckpoints>().add(prefix, reader);
    session.run_or_undo({restore_op}, {{def_.filename_tensor_name, prefix}}, std::move(shared));
  } else if (nodes.unknown) {
    fail(Code::kInvalidArgument, nodes.unknown->str(),
         ": the names that it reads are computed when it runs; a restore that renames or leaves "
         "out variables "
         "needs names that are "
         "constants in the graph");
  } else if (fit.restored.size() == nodes.items.size()) {
    run_with_values(session, *reader, restore_op, fit);
  } else {
    set_values(session, *reader, fit);
  }
  if (fit.restored.size() < graph().items(GraphKeys::kGlobalVariables).size() ||
      !graph().items(GraphKeys::kLocalVariables).empty()) {
    fit.report.uninitialized = session.uninitialized_variables();
  }
  return std::move(fit.report);
}

}  // namespace cairn
