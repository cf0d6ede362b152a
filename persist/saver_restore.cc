#include <algorithm>

#include "persist/checkpoint_reader.h"
#include "persist/internal/save_restore.h"
#include "persist/internal/saver_graph.h"
#include "persist/saver.h"

namespace cairn {
namespace {

std::string quoted(const std::string& name) { return "'" + name + "'"; }

class FitReport {
 public:
  FitReport(const CheckpointReader& reader, const RestoreNodes& nodes) : reader_(reader), names_(reader.names()) {
    for (const RestoreItem& item : nodes.items) check(item);
  }

  void throw_if_any(const std::string& prefix) const {
    if (missing_.empty() && wrong_.empty()) return;
    std::string text = str_cat("cannot restore from '", prefix, "'; no variable was changed:");
    for (const std::string& line : missing_) text += "\n  Key " + line;
    for (const std::string& line : wrong_) text += "\n  " + line;
    std::vector<std::string> unused;
    for (const std::string& name : names_) {
      if (std::find(asked_.begin(), asked_.end(), name) == asked_.end()) unused.push_back(quoted(name));
    }
    if (!missing_.empty() && !unused.empty())
      text += "\n  in the checkpoint and not asked for: " + join_for_people(unused);
    throw Error(missing_.empty() ? Code::kInvalidArgument : Code::kNotFound, text);
  }

 private:
  void check(const RestoreItem& item) {
    asked_.push_back(item.key);
    const std::string variable =
        item.variable && item.variable->name != item.key ? str_cat(" (variable '", item.variable->name, "')") : "";
    const auto entry = reader_.find(item.key);
    if (!entry) {
      std::vector<std::string> close;
      for (const std::string& name : nearest_names(item.key, names_)) close.push_back(quoted(name));
      missing_.push_back(str_cat(item.key, " not found in checkpoint", variable, ": the graph wants ", item.dtype, " ",
                                 item.shape, close.empty() ? "" : "; nearest: " + join_for_people(close)));
      return;
    }
    if (entry->dtype != item.dtype) {
      wrong_.push_back(str_cat(quoted(item.key), variable, ": the graph wants dtype ", item.dtype,
                               ", the checkpoint has ", entry->dtype));
    }
    const auto part = parse_shape_and_slice(item.spec);
    if (part && !(part->full == entry->shape)) {
      wrong_.push_back(str_cat(quoted(item.key), variable, ": the graph wants a slice of ", part->full,
                               ", the checkpoint has ", entry->shape));
    }
    const Shape stored = part ? item.shape : entry->shape;
    const bool fits = item.reshapes
                          ? item.shape.num_elements() < 0 || item.shape.num_elements() == stored.num_elements()
                          : item.shape.is_compatible_with(stored);
    if (!fits)
      wrong_.push_back(
          str_cat(quoted(item.key), variable, ": the graph wants shape ", item.shape, ", the checkpoint has ", stored));
  }

  const CheckpointReader& reader_;
  std::vector<std::string> names_, asked_, missing_, wrong_;
};

}  // namespace

void Saver::restore(Session& session, const std::string& path) const {
  if (&session.graph() != &graph())
    fail(Code::kInvalidArgument, "Saver::restore: the session runs another graph than the saver's");
  if (saves_nothing()) return;
  if (path.empty()) fail(Code::kInvalidArgument, "Can't load save_path when it is empty");
  FileSystem& fs = files_of(session);
  const std::string prefix = checkpoint_prefix(path, &fs);
  const Operation restore_op = graph().find_op(def_.restore_op_name);
  const RestoreNodes nodes = find_restore_nodes(graph(), restore_op);
  {
    const CheckpointReader reader(prefix, &fs);
    FitReport(reader, nodes).throw_if_any(prefix);
    // Nodes that read apart assign apart: damage met by the second would leave the first's variables changed.
    if (nodes.reads > 1) reader.verify();
  }
  session.run(restore_op, {{def_.filename_tensor_name, prefix}});
}

}  // namespace cairn
