// Savers write the variables of a session to checkpoints and read them back, by running nodes of
// the graph.
//
//   Saver saver(graph, {.max_to_keep = 7, .keep_checkpoint_every_n_hours = 0.5});
//   Session session(graph);
//   ...
//   // writes run/model-1000.index, .data-00000-of-00001 and .meta
//   std::string prefix = saver.save(session, "run/model", {.global_step = step});
//
//   Graph again;                                     // later, without the model's code
//   Saver restorer = import_meta_graph(again, "run/model-1000.meta");
//   Session resumed(again);
//   restorer.restore(resumed, "run/model-1000");
//
// A Saver adds TensorFlow's nodes under TensorFlow's names (save/Const, save/SaveV2,
// save/control_dependency, save/RestoreV2, save/Assign…, save/restore_all). Anything that knows the
// names can run them:
//
//   session.run("save/restore_all", {{"save/Const:0", "run/model-1000"}});
//
// Guarantees of a save. Data, index and meta graph are completed and synced under temporary names
// and published together; then the `checkpoint` file is replaced; then older checkpoints are
// removed. So at every moment, even after a crash and while a path is overwritten, the directory
// has a complete checkpoint that its checkpoint file names. On an error no existing file is lost
// and no new one is left, including a directory made for it. One writer at a time saves into a
// directory; a second one is refused. The files that dead writers left are removed, and nothing
// else; files outside the directory are never changed, whatever its files and links contain.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "persist/checkpoint/checkpoint_state.h"
#include "persist/files/kept.h"
#include "persist/graph/meta_graph.h"
#include "persist/graph/saver_def.h"
#include "persist/saver/restore_report.h"
#include "persist/saver/saveable.h"
#include "runtime/exec/session.h"

namespace CAIRN_API cairn {

class Retention;
namespace internal {
struct BackgroundSave;
struct BackgroundSaves;
struct SaveJob;
}  // namespace internal

// Options of a Saver.
struct SaverOptions {
  VarList var_list = {};
  bool reshape = false;  // restore tensors of another shape with the same number of elements
  bool sharded = false;  // write one part for each device of the variables, and merge them
  int max_to_keep = 5;   // 0: keep all
  // In addition, keep one checkpoint for every so many hours permanently; 0: every checkpoint.
  double keep_checkpoint_every_n_hours = 10000;
  std::string name = "save";  // the name scope of the nodes; made unique
  // Read a tensor only when the one before it has been assigned, so that no more than one is held
  // besides the variables; otherwise one node reads all. The nodes are those of TensorFlow up to
  // 1.5.
  bool restore_sequentially = false;
  // Accept a graph without variables: no nodes are added, and a save writes only the meta graph.
  bool allow_empty = false;
  bool pad_step_number = false;  // model-00000100
  // Write paths relative to its directory into the checkpoint file, so that the directory can be
  // moved. false: absolute paths remain absolute, TensorFlow's default.
  bool save_relative_paths = true;
  // kV1: the format of TensorFlow before 0.12.
  CheckpointFormat write_version = CheckpointFormat::kV2;
  // The default value of the tensor to which the path is fed.
  std::string filename = "model";
  std::function<double()> clock = nullptr;  // seconds since 1970; null: the system's
  // Receives warnings; null: they are printed to standard error, one line each. An exception it
  // throws reaches the caller of save() and the like; in the saver's destructor it is printed to
  // standard error. save_async() may call it from another thread.
  std::function<void(const std::string&)> on_warning = nullptr;
};

// The number of a checkpoint: an integer, or a variable, a tensor or the name of a tensor that
// holds one.
class StepNumber {
 public:
  StepNumber() = default;  // no number: the path is used unchanged
  template <class T>
  requires std::is_integral_v<T> StepNumber(T number)
      : number_(static_cast<int64_t>(number)) {}  // NOLINT: implicit on purpose, as are all here
  StepNumber(const Variable& variable) : target_(variable) {}  // NOLINT
  StepNumber(const Output& tensor) : target_(tensor) {}        // NOLINT
  StepNumber(const char* name) : target_(name) {}              // NOLINT

  // The number, evaluated in `session` if necessary; nullopt if there is none. Throws
  // InvalidArgument if the tensor is not a single number.
  std::optional<int64_t> evaluate(Session& session) const;
  bool given() const { return number_ || target_; }

 private:
  std::optional<int64_t> number_;
  std::optional<Target> target_;
};

// The treatment of NaN and infinity among the values. All tensors that contain them are listed,
// with counts.
enum class OnNonfinite {
  // values are not checked
  kIgnore,
  // saves, and warns
  kWarn,
  // throws FailedPrecondition; nothing is published, and existing files are unchanged
  kRefuse,
};

// Options of one save.
struct SaveOptions {
  StepNumber global_step = {};
  std::string latest_filename = kCheckpointFileName;
  std::string meta_graph_suffix = "meta";
  bool write_meta_graph = true;
  // Write the checkpoint file and .cairn. false: the checkpoint does not count for max_to_keep
  // either.
  bool write_state = true;
  bool strip_default_attrs = false;
  OnNonfinite on_nonfinite = OnNonfinite::kWarn;
  std::map<std::string, double> metrics = {};  // for keep_best()
};

// The result of Saver::preflight().
struct Preflight {
  uint64_t checkpoint_bytes = 0;  // an upper estimate of one checkpoint's size
  uint64_t free_bytes = 0;        // in the directory it is written to
  std::vector<std::string> warnings;
};

// A handle of a save in the background. Copies refer to the same save; destroying them does not
// cancel it.
class PendingSave {
 public:
  // Empty: refers to no save.
  PendingSave() = default;
  explicit operator bool() const { return save_ != nullptr; }
  // Blocks until the save is done. Returns the checkpoint's prefix or throws the save's error; the
  // same at every call. Throws FailedPrecondition for an empty handle.
  std::string wait() const;
  // True if wait() would not block.
  bool done() const;

 private:
  friend class Saver;
  std::shared_ptr<internal::BackgroundSave> save_;
};

// Copies of a saver share its nodes, its list of checkpoints and its saves in the background. After
// its graph was destroyed or reset, functions that need the graph throw FailedPrecondition.
class Saver {
 public:
  Saver() = default;  // empty, as from import_meta_graph() for a graph without variables
  // Adds the nodes. Variables that are made later are not saved. Throws InvalidArgument for a graph
  // without variables (unless allow_empty), two variables of the same name, overlapping slices,
  // handles of another graph, and negative max_to_keep or hours. The graph is then unchanged.
  explicit Saver(GraphAt graph, const SaverOptions& options = {});
  // A saver for nodes that exist in the graph. Settings that `def` does not contain
  // (pad_step_number, save_relative_paths, clock, on_warning) are taken from `options`. Throws
  // InvalidArgument if `def` does not name nodes, NotFound if the graph does not have them.
  static Saver from_proto(Graph& graph, const SaverDef& def, const SaverOptions& options = {});

  // False for an empty saver, whose functions throw FailedPrecondition.
  explicit operator bool() const { return graph_ != nullptr; }

  // Saves all variables of the saver and returns the checkpoint's prefix: `path`, or path-STEP with
  // a global step; for a sharded V1 saver followed by -?????-of-00002. The meta graph is written
  // beside it. Then the directory's checkpoint file is replaced, and then checkpoints that nothing
  // keeps are removed, if this run saved them, or an earlier one under the same path. Kept are the
  // max_to_keep newest and, in addition, one for every so many hours, the best by a metric, pinned
  // ones, and the newest whose values were all finite. Files that no Saver wrote are never removed.
  //
  // Throws FailedPrecondition for uninitialised variables, for refused values and if another writer
  // saves into the directory; InvalidArgument for a path, latest_filename or meta_graph_suffix by
  // which two of these files, or one of them and a record of Cairn's, would have the same name, and
  // for names in the graph that are not UTF-8, which a .meta file cannot hold; NotFound if the
  // parent of the directory does not exist; and the file system's errors. Older checkpoints and the
  // checkpoint file are then unchanged.
  //
  //   saver.save(session, "run/model", {.meta_graph_suffix = "index"});   // InvalidArgument
  //
  // Several threads may save with one saver; the saves run one after the other.
  std::string save(Session& session, const std::string& path, const SaveOptions& options = {});

  // Saves in the background: returns when the current values are held, which are saved whatever is
  // trained meanwhile. The values are shared, not copied; each variable is copied when it is next
  // changed, so at most one model's memory more is in use until the save is done. The order of
  // publishing is save()'s. The step is evaluated and the meta graph serialized before this
  // returns.
  //
  // One save runs at a time: a save() or save_async() of the same saver, in any thread, first waits
  // for the one in the background. An error is thrown by wait(), or otherwise by the next save,
  // which then saves nothing, or is otherwise a warning of the saver's destructor, which also
  // waits. The file system must outlive the saver, and the graph the save; the session need not. A
  // saver of static storage finishes the save after main() has returned.
  //
  //   PendingSave pending = saver.save_async(session, "run/model", {.global_step = i});
  //   saver.save_async(other_session, "run/model");   // of another graph: InvalidArgument
  PendingSave save_async(Session& session, const std::string& path,
                         const SaveOptions& options = {});

  // Checks before training whether save() with these arguments will work: the directory exists or
  // can be created and is writable; files can be renamed and linked; no other writer is saving
  // there; the longest file name is not too long; and there is space for a checkpoint, by the
  // declared shapes of the variables. Throws one error that lists all problems, with the code of
  // the first. Possible later problems (space for max_to_keep checkpoints and the next) are
  // warnings. Leaves no files.
  //
  //   saver.preflight(session, "run/model", {.global_step = step});
  Preflight preflight(Session& session, const std::string& path, const SaveOptions& options = {});

  // Sets the variables of the saver from a checkpoint, given by its prefix, one of its files or its
  // directory. All variables must be found and fit, unless the options allow otherwise. Everything
  // is checked first: missing variables and different shapes and dtypes are listed in one error
  // (NotFound, InvalidArgument) with the nearest names and, if there is one, a suitable renaming
  // rule. DataLoss for damaged files, NotFound for missing ones, InvalidArgument for a session of
  // another graph. After any error all variables have their previous values, bit for bit.
  //
  //   saver.restore(session, "run/model-1000");
  //   auto report = saver.restore(session, "run",
  //                               {.allow_missing = "^head/", .rename = "s/^net/model/"});
  //   initialize_rest(session);  // persist/extras/warm_start.h: the variables that were left alone
  RestoreReport restore(Session& session, const std::string& path,
                        const RestoreOptions& options = {}) const;

  // The prefixes of the max_to_keep newest checkpoints, oldest first, as in the checkpoint file.
  std::vector<std::string> last_checkpoints() const;
  // Replaces the list of newest checkpoints by those of `prefixes` that exist: they count for
  // max_to_keep and are removed in turn, and those that were in the list are no longer removed.
  // Needed only for checkpoints from elsewhere: save() does so with those that an earlier Saver
  // wrote under the same path.
  void recover_last_checkpoints(const std::vector<std::string>& prefixes, FileSystem* fs = nullptr);
  // The same with times (seconds since 1970), whether the checkpoints exist or not.
  void set_last_checkpoints_with_time(
      const std::vector<std::pair<std::string, double>>& checkpoints);

  // Prevents this saver from deleting these checkpoints, for instance while they are read. They are
  // counted and listed like others. Not recorded: a later saver deletes those that max_to_keep has
  // dropped meanwhile, with its first save.
  void protect(const std::vector<std::string>& prefixes);

  // Keeps, in addition to the newest, the `count` checkpoints of a path with the best values of a
  // metric, from the next save on and in later processes too; 0 ends that. Of equal values the
  // older checkpoint is kept; NaN never is. Throws InvalidArgument for a negative count.
  //
  //   saver.keep_best("accuracy", 3);
  //   saver.save(session, path, {.global_step = i, .metrics = {{"accuracy", a}}});
  void keep_best(const std::string& metric, int count, const KeepBestOptions& options = {});
  // Keeps a checkpoint until unpin(), in later processes too. A step denotes the checkpoint of that
  // number in the directories that this saver saved into. Throws NotFound if there is none,
  // InvalidArgument if a step has several; the pins are then unchanged.
  void pin(const std::string& prefix, FileSystem* fs = nullptr);
  void pin(int64_t step, FileSystem* fs = nullptr);
  void unpin(const std::string& prefix, FileSystem* fs = nullptr);
  void unpin(int64_t step, FileSystem* fs = nullptr);
  // All checkpoints that are kept in the directories that this saver saved into, with the reasons.
  // kept_checkpoints() reads the same without a Saver.
  std::vector<KeptCheckpoint> kept() const;

  // The saver's SaverDef; for a saver without variables (allow_empty) the names in it are empty.
  const SaverDef& as_saver_def() const;
  // Exports the graph with this saver's SaverDef: see cairn::export_meta_graph() in
  // persist/graph/meta_graph.h.
  MetaGraph export_meta_graph(const std::string& filename, ExportOptions options = {}) const;

 private:
  void require_some() const;  // throws FailedPrecondition if this saver is empty
  Graph& graph() const;
  RestoreReport restore_from(Session& session, const std::string& prefix,
                             const RestoreOptions& options) const;
  bool saves_nothing() const { return def_.save_tensor_name.empty(); }  // a graph without variables
  uint64_t size_of_values(std::vector<std::string>& warnings) const;
  size_t longest_name(const std::string& path, const SaveOptions& options) const;
  struct Exported;
  std::shared_ptr<const std::string> meta_graph_bytes(bool strip_default_attrs);
  std::unique_ptr<DirLock> lock_for_saving(FileSystem& fs, const std::string& directory) const;
  double now() const;
  void make_retention();
  Retention& retention() const;
  // A save begins in the caller's thread and is finished there or in another one. `run` runs the
  // save nodes.
  internal::SaveJob begin_save(Session& session, const std::string& path,
                               const SaveOptions& options, FileSystem& fs);
  std::string finish_save(const internal::SaveJob& job, const std::function<Tensor()>& run) const;
  std::string write_checkpoint(const internal::SaveJob& job, const std::function<Tensor()>& run,
                               std::optional<bool>& finite) const;

  const internal::GraphAnchor* graph_ = nullptr;
  uint64_t epoch_ = 0;  // the graph's epoch when the saver was made
  SaverDef def_;
  SaverOptions options_;
  std::shared_ptr<Retention> retention_;  // shared by copies of a saver
  std::shared_ptr<internal::BackgroundSaves> background_;
  struct RestorePlan;
  std::shared_ptr<const RestorePlan> restore_plan() const;
  struct RestorePlans;
  static std::shared_ptr<RestorePlans> make_restore_plans();
  std::shared_ptr<RestorePlans> restore_plans_;
  // The last export, reused as long as the graph does not change.
  std::shared_ptr<const Exported> exported_;
};

// Imports a .meta file into `graph` and returns its saver. For a file without one, returns a
// default Saver if the file has variables and an empty one otherwise. `saver` contains the settings
// that the file does not: see Saver::from_proto(). A directory denotes the .meta file of its newest
// checkpoint, as in restore(). Throws as import_meta_graph_def() and Saver::from_proto(); the graph
// is then unchanged. (tf.train.import_meta_graph)
//
//   Saver saver = import_meta_graph(graph, "run/model-1000.meta", {}, {.pad_step_number = true});
Saver import_meta_graph(GraphAt graph, const std::string& file, const ImportOptions& options = {},
                        const SaverOptions& saver = {});
// The same for a MetaGraph. If `scope` is given, it is set to the import scope, made unique.
Saver import_meta_graph(GraphAt graph, const MetaGraph& meta, const ImportOptions& options = {},
                        const SaverOptions& saver = {}, std::string* scope = nullptr);

}  // namespace cairn
