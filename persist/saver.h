// Savers: writing the variables of a session to checkpoints and reading them back, through nodes of the graph itself.
//
//   Saver saver(graph, {.max_to_keep = 7, .keep_checkpoint_every_n_hours = 0.5});
//   Session session(graph);
//   ...
//   std::string prefix = saver.save(session, "run/model", {.global_step = step});    // run/model-1000.index, .data-…,
//   .meta
//
//   Graph again;                                     // later, without the model's code
//   Saver restorer = import_meta_graph(again, "run/model-1000.meta");
//   Session resumed(again);
//   restorer.restore(resumed, "run/model-1000");
//
// A Saver adds TensorFlow's nodes under TensorFlow's names (save/Const, save/SaveV2, save/control_dependency,
// save/RestoreV2, save/Assign…, save/restore_all) and runs them; anything that knows the names can run them too:
//   session.run("save/restore_all", {{"save/Const:0", "run/model-1000"}});
//
// What a save promises. Data, index and meta graph are complete and synced under temporary names, then get their names
// together, and only then the `checkpoint` file names them; older checkpoints are removed after that. A directory
// always has a whole checkpoint that its checkpoint file names, also when a path is overwritten, and whatever dies
// meanwhile. On an error nothing that was there is lost. One writer at a time saves into a directory: a second one is
// refused. What writers that died have left is removed.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "persist/checkpoint_state.h"
#include "persist/meta_graph.h"
#include "persist/saver_def.h"
#include "runtime/session.h"

namespace cairn {

// Which variables, and under which keys of the checkpoint: a list, each under its own name, or names with variables.
//   {.var_list = {v1, v2}}          {.var_list = {{"weight", v1}, {"bias", v2}}}
class VarList {
 public:
  VarList() = default;  // all of the graph's global variables
  VarList(std::initializer_list<Variable> variables) : VarList(std::vector<Variable>(variables)) {}
  VarList(std::initializer_list<std::pair<const std::string, Variable>> named) : VarList(Named(named)) {}
  VarList(std::vector<Variable> variables) : list_(std::move(variables)) {}  // NOLINT: implicit on purpose
  using Named = std::map<std::string, Variable>;
  VarList(Named named) : named_(std::move(named)) {}  // NOLINT: implicit on purpose

  const std::optional<std::vector<Variable>>& list() const { return list_; }
  const std::optional<Named>& named() const { return named_; }

 private:
  std::optional<std::vector<Variable>> list_;
  std::optional<Named> named_;
};

struct SaverOptions {
  VarList var_list = {};
  bool reshape = false;  // restore a tensor of another shape with as many elements
  bool sharded = false;  // one part for each device that variables are placed on, merged at the end
  int max_to_keep = 5;   // 0: all
  // In addition, keep one checkpoint for every so many hours for good.
  double keep_checkpoint_every_n_hours = 10000;
  std::string name = "save";     // the name scope of the nodes, made unique
  bool allow_empty = false;      // a graph without variables is fine: only the meta graph is written
  bool pad_step_number = false;  // model-00000100
  CheckpointFormat write_version = CheckpointFormat::kV2;        // kV1: files that TensorFlow before 0.12 reads
  std::string filename = "model";                                // the constant that stands where the path is fed
  std::function<double()> clock = nullptr;                       // seconds since 1970; null: the system's
  std::function<void(const std::string&)> on_warning = nullptr;  // null: one line on standard error
};

// The number of a checkpoint: an integer, or what holds it (a variable, a tensor, a tensor's name).
class StepNumber {
 public:
  StepNumber() = default;  // none: the path is used as it is
  template <class T>
  requires std::is_integral_v<T> StepNumber(T number)
      : number_(static_cast<int64_t>(number)) {}               // NOLINT: implicit on purpose, as are all here
  StepNumber(const Variable& variable) : target_(variable) {}  // NOLINT
  StepNumber(const Output& tensor) : target_(tensor) {}        // NOLINT
  StepNumber(const char* name) : target_(name) {}              // NOLINT

  // The number, evaluated in `session` if need be; nothing for none.
  std::optional<int64_t> evaluate(Session& session) const;

 private:
  std::optional<int64_t> number_;
  std::optional<Target> target_;
};

struct SaveOptions {
  StepNumber global_step = {};
  std::string latest_filename = kCheckpointFileName;
  std::string meta_graph_suffix = "meta";
  bool write_meta_graph = true;
  bool write_state = true;  // also: record it for max_to_keep
  bool strip_default_attrs = false;
};

class Saver {
 public:
  Saver() = default;  // none, as import_meta_graph gives for a graph without variables
  // Adds the nodes. Variables made later are not saved. Throws InvalidArgument: no variables (unless allow_empty), two
  // of one name, a handle of another graph.
  explicit Saver(Graph& graph, const SaverOptions& options = {});
  // A saver over nodes that are in the graph already. Throws InvalidArgument when `def` names none or others.
  static Saver from_proto(Graph& graph, const SaverDef& def, const SaverOptions& options = {});

  explicit operator bool() const { return graph_ != nullptr; }

  // Saves every variable of the saver and returns the checkpoint's prefix: `path`, or path-STEP with a global step; of
  // a sharded V1 saver followed by -?????-of-00002. The meta graph is beside it. Then, in this order: the directory's
  // checkpoint file; removal of checkpoints beyond max_to_keep, of this run or, under the same path, of runs before it.
  // Throws FailedPrecondition for uninitialised variables and when another writer is saving into the directory,
  // InvalidArgument for a path that clashes with the checkpoint file, what the file system throws. When it throws, older
  // checkpoints and the checkpoint file are as before.
  std::string save(Session& session, const std::string& path, const SaveOptions& options = {});

  // Sets every variable of the saver from a checkpoint, named by its prefix, one of its files or its directory. Checks
  // everything first: what is missing, of another shape or dtype is reported in one Error (NotFound, InvalidArgument)
  // with the nearest names, and no variable is changed. DataLoss for damaged files.
  void restore(Session& session, const std::string& path) const;

  // The checkpoints that this saver keeps, oldest first.
  std::vector<std::string> last_checkpoints() const;
  // Takes checkpoints of an earlier run into its care; those that are not there any more are passed over. save() does
  // so by itself with what the checkpoint file lists under the same path.
  void recover_last_checkpoints(const std::vector<std::string>& prefixes, FileSystem* fs = nullptr);
  // The same with times (seconds since 1970), whether they are there or not.
  void set_last_checkpoints_with_time(const std::vector<std::pair<std::string, double>>& checkpoints);

  const SaverDef& as_saver_def() const;
  // The graph with this saver's SaverDef: see persist/meta_graph.h.
  MetaGraph export_meta_graph(const std::string& filename, ExportOptions options = {}) const;

 private:
  struct Kept {
    std::string prefix;
    double time;
  };
  Graph& graph() const;
  struct Exported;
  std::shared_ptr<const std::string> meta_graph_bytes(bool strip_default_attrs);
  std::unique_ptr<DirLock> lock_for_saving(FileSystem& fs, const std::string& directory) const;
  std::string write_checkpoint(Session& session, const std::string& checkpoint, const std::string& meta_graph_suffix,
                               const std::string* meta) const;
  double now() const;
  void warn(const std::string& message) const;
  void adopt_earlier_run(const std::string& path, const std::string& latest_filename, FileSystem& fs);
  void remove_surplus(const std::string& meta_graph_suffix, FileSystem& fs);

  Graph* graph_ = nullptr;
  SaverDef def_;
  SaverOptions options_;
  std::vector<Kept> kept_;
  double next_preserved_ = 0;
  // Of the last export, which is not made again while the graph stays as it is.
  std::shared_ptr<const Exported> exported_;
  std::shared_ptr<const std::string> meta_graph_bytes_;
  std::vector<std::string> adopted_;  // "directory/checkpoint" files whose lists were taken over
};

// Adds what a .meta file holds to `graph` and returns its saver. A file without one gets a default Saver if it has
// variables, and none (false) otherwise. Throws as import_meta_graph_def, which it is but for the Saver.
// (tf.train.import_meta_graph)
Saver import_meta_graph(Graph& graph, const std::string& file, const ImportOptions& options = {});

}  // namespace cairn
