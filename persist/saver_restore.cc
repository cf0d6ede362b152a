#include <algorithm>

#include "persist/checkpoint_reader.h"
#include "persist/internal/restore_fit.h"
#include "persist/internal/save_restore.h"
#include "persist/internal/saver_graph.h"
#include "persist/internal/undisturbed.h"
#include "persist/saver.h"

namespace cairn {
namespace {

// Restores what fits by giving the saver's own nodes the values that they would have read: they know best how a slice,
// another shape or a resource gets into its variable.
void run_with_values(Session& session, const CheckpointReader& reader, const Operation& restore_op,
                     const RestoreNodes& nodes, const RestoreFit& fit) {
  Graph& graph = session.graph();
  if (nodes.unknown) {
    fail(Code::kInvalidArgument, nodes.unknown->str(),
         ": what it reads is computed as it runs; a restore that renames or leaves out variables needs names that are "
         "constants in the graph");
  }
  std::vector<Target> targets;
  const bool all = fit.restored.size() == nodes.items.size();
  if (all) targets.emplace_back(restore_op);
  Feeds feeds;
  for (size_t i = 0; i < fit.restored.size(); ++i) {
    const RestoreItem& item = *fit.restored[i];
    if (!all && item.assigns.empty()) {
      fail(Code::kUnimplemented, "'", item.key, "' is restored by nodes other than Assign and AssignVariableOp (after ",
           item.read.node->str(), "); it can only be restored together with everything else");
    }
    for (const Node* assign : item.assigns) {
      if (!all) targets.emplace_back(graph.handle(*assign));
    }
    feeds.push_back({graph.handle(item.read), read_item(reader, item, fit.report.restored[i].stored)});
  }
  if (!targets.empty()) session.run_or_undo(targets, std::move(feeds));
}

}  // namespace

RestoreReport Saver::restore(Session& session, const std::string& path, const RestoreOptions& options) const {
  if (&session.graph() != &graph())
    fail(Code::kInvalidArgument, "Saver::restore: the session runs another graph than the saver's");
  if (saves_nothing()) return {};
  if (path.empty()) fail(Code::kInvalidArgument, "Can't load save_path when it is empty");
  for (Undisturbed look(files_of(session), path);; look.again()) {
    try {
      return restore_from(session, look.prefix(), options);
    } catch (const Error& e) {
      if (!look.was_disturbed(e)) throw;
    }
  }
}

RestoreReport Saver::restore_from(Session& session, const std::string& prefix, const RestoreOptions& options) const {
  const Operation restore_op = graph().find_op(def_.restore_op_name);
  const RestoreNodes nodes = find_restore_nodes(graph(), restore_op);
  const auto reader = std::make_shared<const CheckpointReader>(prefix, &files_of(session));
  RestoreFit fit = fit_to_checkpoint(*reader, nodes.items, options);
  require_fit(fit.report, options);
  if (fit.whole(nodes.items) && (!nodes.unknown || options.rename.empty())) {
    RunState shared;  // the nodes find the checkpoint open
    shared.get<OpenCheckpoints>().add(prefix, reader);
    session.run_or_undo({restore_op}, {{def_.filename_tensor_name, prefix}}, std::move(shared));
  } else {
    run_with_values(session, *reader, restore_op, nodes, fit);
  }
  if (fit.restored.size() < graph().items(GraphKeys::kGlobalVariables).size() ||
      !graph().items(GraphKeys::kLocalVariables).empty()) {
    fit.report.uninitialized = session.uninitialized_variables();
  }
  return std::move(fit.report);
}

}  // namespace cairn
