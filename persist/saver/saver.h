// Savers: writing the variables of a session to checkpoints and reading them back, through nodes of
// the graph itself.
//
//   Saver saver(graph, {.max_to_keep = 7, .keep_checkpoint_every_n_hours = 0.5});
//   Session session(graph);
//   ...
//   // run/model-1000.index, .data-…,
//   std::string prefix = saver.save(session, "run/model", {.global_step = step});
//   .meta
//
//   Graph again;                                     // later, without the model's code
//   Saver restorer = import_meta_graph(again, "run/model-1000.meta");
//   Session resumed(again);
//   restorer.restore(resumed, "run/model-1000");
//
// A Saver adds TensorFlow's nodes under TensorFlow's names (save/Const, save/SaveV2,
// save/control_dependency, save/RestoreV2, save/Assign…, save/restore_all) and runs them; anything
// that knows the names can run them too:
//   session.run("save/restore_all", {{"save/Const:0", "run/model-1000"}});
//
// What a save promises. Data, index and meta graph are complete and synced under temporary names,
// then get their names together, and only then the `checkpoint` file names them; older checkpoints
// are removed after that. A directory always has a whole checkpoint that its checkpoint file names,
// also when a path is overwritten, and whatever dies meanwhile. On an error nothing that was there
// is lost, and nothing is left that was not there, a directory made for it included. One writer at
// a time saves into a directory: a second one is refused. What writers that died have left is
// removed, and nothing else: no file outside the directory is ever changed, whatever its files and
// links say.
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

struct SaverOptions {
  VarList var_list = {};
  bool reshape = false;  // restore a tensor of another shape with as many elements
  bool sharded = false;  // one part for each device that variables are placed on, merged at the end
  int max_to_keep = 5;   // 0: all
  // In addition, keep one checkpoint for every so many hours for good; 0: all.
  double keep_checkpoint_every_n_hours = 10000;
  std::string name = "save";  // the name scope of the nodes, made unique
  // Read one tensor after the other, each when the one before it is in its variable, so that no
  // more than one is held besides them; otherwise all are read by one node. The nodes are those of
  // TensorFlow up to 1.5.
  bool restore_sequentially = false;
  // a graph without variables is fine: no nodes, and only the meta graph is written
  bool allow_empty = false;
  bool pad_step_number = false;  // model-00000100
  // The checkpoint file names checkpoints relative to its directory, so that this can be moved.
  // false: as TensorFlow does unless told, absolute paths stay absolute.
  bool save_relative_paths = true;
  // kV1: files that TensorFlow before 0.12 reads
  CheckpointFormat write_version = CheckpointFormat::kV2;
  // the constant that stands where the path is fed
  std::string filename = "model";
  std::function<double()> clock = nullptr;  // seconds since 1970; null: the system's
  // Null: one line on standard error. What it throws reaches the caller of save() and the like;
  // from the saver's destructor nobody: it is written to standard error.
  std::function<void(const std::string&)> on_warning = nullptr;
};

// The number of a checkpoint: an integer, or what holds it (a variable, a tensor, a tensor's name).
class StepNumber {
 public:
  StepNumber() = default;  // none: the path is used as it is
  template <class T>
  requires std::is_integral_v<T> StepNumber(T number)
      : number_(static_cast<int64_t>(number)) {}  // NOLINT: implicit on purpose, as are all here
  StepNumber(const Variable& variable) : target_(variable) {}  // NOLINT
  StepNumber(const Output& tensor) : target_(tensor) {}        // NOLINT
  StepNumber(const char* name) : target_(name) {}              // NOLINT

  // The number, evaluated in `session` if need be; nothing for none.
  std::optional<int64_t> evaluate(Session& session) const;
  bool given() const { return number_ || target_; }

 private:
  std::optional<int64_t> number_;
  std::optional<Target> target_;
};

// What a save does about NaN and infinity among the values. All tensors that have them are named,
// with counts.
enum class OnNonfinite {
  kIgnore,  // does not look
  kWarn,    // saves, and says so
  kRefuse,  // throws FailedPrecondition; nothing is published and what was there stays
};

struct SaveOptions {
  StepNumber global_step = {};
  std::string latest_filename = kCheckpointFileName;
  std::string meta_graph_suffix = "meta";
  bool write_meta_graph = true;
  bool write_state = true;  // also: record it for max_to_keep
  bool strip_default_attrs = false;
  OnNonfinite on_nonfinite = OnNonfinite::kWarn;
  std::map<std::string, double> metrics = {};  // what keep_best() ranks checkpoints by
};

// What a save will need.
struct Preflight {
  uint64_t checkpoint_bytes = 0;  // of one checkpoint, a little more than it will take
  uint64_t free_bytes = 0;        // where it goes
  std::vector<std::string> warnings;
};

// A save that goes on in the background.
class PendingSave {
 public:
  PendingSave() = default;  // none
  explicit operator bool() const { return save_ != nullptr; }
  // Until it is done. Returns the checkpoint's prefix, or throws what the save threw; again and
  // again if asked.
  std::string wait() const;
  bool done() const;

 private:
  friend class Saver;
  std::shared_ptr<internal::BackgroundSave> save_;
};

// When its graph is destroyed, whatever a saver is asked to do with it throws FailedPrecondition.
class Saver {
 public:
  Saver() = default;  // none, as import_meta_graph gives for a graph without variables
  // Adds the nodes. Variables made later are not saved. Throws InvalidArgument: no variables
  // (unless allow_empty), two of one name, slices that overlap, a handle of another graph,
  // max_to_keep or hours below zero.
  explicit Saver(GraphAt graph, const SaverOptions& options = {});
  // A saver over nodes that are in the graph already. What `def` does not say (pad_step_number,
  // save_relative_paths, clock, on_warning) is taken from `options`. Throws InvalidArgument when
  // `def` names no nodes, NotFound when the graph has them not.
  static Saver from_proto(Graph& graph, const SaverDef& def, const SaverOptions& options = {});

  explicit operator bool() const { return graph_ != nullptr; }

  // Saves every variable of the saver and returns the checkpoint's prefix: `path`, or path-STEP
  // with a global step; of a sharded V1 saver followed by -?????-of-00002. The meta graph is beside
  // it. Then, in this order: the directory's checkpoint file; removal of all that nothing keeps any
  // more of what this run or, under the same path, runs before it saved. Kept are the max_to_keep
  // newest and, in addition: one for every so many hours, the best by a metric, pinned ones, and
  // the newest whose values were all finite. What no Saver wrote is never removed. Throws
  // FailedPrecondition for uninitialised variables, for values that are refused and when another
  // writer is saving into the directory; InvalidArgument for a path, latest_filename or
  // meta_graph_suffix by which two of these files, or one of them and what the directory keeps its
  // own records in, would have one name, and for names in the graph that are not UTF-8, which a
  // .meta file cannot hold; what the file system throws. When it throws, older checkpoints and the
  // checkpoint file are as before.
  //   saver.save(session, "run/model", {.meta_graph_suffix = "index"});   // InvalidArgument
  // Several threads may save with one saver: one save after the other.
  std::string save(Session& session, const std::string& path, const SaveOptions& options = {});

  // The same in the background: returns when the values are held, those of this moment, whatever is
  // trained meanwhile. They are not copied for it but shared, and each variable is copied when it
  // is next changed; so at most one model's memory more is in use until the save is done. The
  // commit order is save()'s. The step is evaluated and the graph written down before it returns.
  //
  // One is under way at a time: a save() or save_async() of the same saver, in any thread, waits
  // for it first. An error is thrown by wait(), or else by the next save, which then saves nothing;
  // or else the saver's destructor, which waits too, warns of it. The file system must outlive
  // the saver, and the graph the save; the session need not. on_warning may be called from another
  // thread. A saver of static storage finishes the save after main() has returned.
  //   PendingSave pending = saver.save_async(session, "run/model", {.global_step = i});
  PendingSave save_async(Session& session, const std::string& path,
                         const SaveOptions& options = {});

  // Tries, before the first step is trained, whether save() with these arguments will work: the
  // directory can be made or written in, files renamed and linked; nobody else is saving there; the
  // longest file name fits; a checkpoint, by the declared shapes of the variables, has space.
  // Throws one Error that tells all problems, with the code of the first. What may become one later
  // (space for max_to_keep checkpoints and the next) is a warning. Leaves nothing behind.
  //   saver.preflight(session, "run/model", {.global_step = step});
  Preflight preflight(Session& session, const std::string& path, const SaveOptions& options = {});

  // Sets the variables of the saver from a checkpoint, named by its prefix, one of its files or its
  // directory: all of them, unless the options allow for less. Everything is checked first: what is
  // missing, of another shape or dtype is told in one Error (NotFound, InvalidArgument) with the
  // nearest names and, where one would do, the rule to rename by. DataLoss for damaged files,
  // NotFound for files that are not there. Whatever it throws, and whenever, every variable is as
  // it was, to the last bit.
  //   saver.restore(session, "run/model-1000");
  //   auto report = saver.restore(session, "run",
  //                               {.allow_missing = "^head/", .rename = "s/^net/model/"});
  //   initialize_rest(session);  // persist/extras/warm_start.h: what was left alone
  RestoreReport restore(Session& session, const std::string& path,
                        const RestoreOptions& options = {}) const;

  // The max_to_keep newest checkpoints, oldest first: what the checkpoint file lists.
  std::vector<std::string> last_checkpoints() const;
  // Takes checkpoints of an earlier run into its care; those that are not there any more are passed
  // over. save() does so by itself with what an earlier Saver wrote under the same path; this is
  // for checkpoints from elsewhere.
  void recover_last_checkpoints(const std::vector<std::string>& prefixes, FileSystem* fs = nullptr);
  // The same with times (seconds since 1970), whether they are there or not.
  void set_last_checkpoints_with_time(
      const std::vector<std::pair<std::string, double>>& checkpoints);

  // Checkpoints that this saver does not delete, as one that is being read. They are counted and
  // listed as any other, and nothing of this is written down: one whose turn to go came meanwhile
  // goes with the first save of a later saver.
  void protect(const std::vector<std::string>& prefixes);

  // Keeps, beside the newest, the `count` checkpoints of a path with the best value of a metric,
  // from the next save on and in later processes too; 0 ends that. Of equals the older one stays;
  // NaN is never among the best.
  //   saver.keep_best("accuracy", 3);
  //   saver.save(session, path, {.global_step = i, .metrics = {{"accuracy", a}}});
  void keep_best(const std::string& metric, int count, const KeepBestOptions& options = {});
  // Keeps a checkpoint until unpin(), in later processes too. A step stands for the checkpoint of
  // that number in the directories that this saver saved in. Throws NotFound when there is none.
  void pin(const std::string& prefix, FileSystem* fs = nullptr);
  void pin(int64_t step, FileSystem* fs = nullptr);
  void unpin(const std::string& prefix, FileSystem* fs = nullptr);
  void unpin(int64_t step, FileSystem* fs = nullptr);
  // All that is kept in the directories that this saver saved in, and why; kept_checkpoints() reads
  // it without a Saver.
  std::vector<KeptCheckpoint> kept() const;

  // A saver of nothing (allow_empty): names are empty.
  const SaverDef& as_saver_def() const;
  // The graph with this saver's SaverDef: see persist/graph/meta_graph.h.
  MetaGraph export_meta_graph(const std::string& filename, ExportOptions options = {}) const;

 private:
  void require_some() const;  // throws FailedPrecondition when this saver is none
  Graph& graph() const;
  RestoreReport restore_from(Session& session, const std::string& prefix,
                             const RestoreOptions& options) const;
  bool saves_nothing() const { return def_.save_tensor_name.empty(); }  // of an empty graph
  uint64_t size_of_values(std::vector<std::string>& warnings) const;
  size_t longest_name(const std::string& path, const SaveOptions& options) const;
  struct Exported;
  std::shared_ptr<const std::string> meta_graph_bytes(bool strip_default_attrs);
  std::unique_ptr<DirLock> lock_for_saving(FileSystem& fs, const std::string& directory) const;
  double now() const;
  void make_retention();
  Retention& retention() const;
  // A save is begun where it was asked for and finished there or in another thread. `run` runs the
  // save nodes.
  internal::SaveJob begin_save(Session& session, const std::string& path,
                               const SaveOptions& options, FileSystem& fs);
  std::string finish_save(const internal::SaveJob& job, const std::function<Tensor()>& run) const;
  std::string write_checkpoint(const internal::SaveJob& job, const std::function<Tensor()>& run,
                               std::optional<bool>& finite) const;

  const internal::GraphAnchor* graph_ = nullptr;
  uint64_t epoch_ = 0;  // of the graph when the saver was made
  SaverDef def_;
  SaverOptions options_;
  std::shared_ptr<Retention> retention_;  // copies of a saver count together
  std::shared_ptr<internal::BackgroundSaves> background_;
  struct RestorePlan;
  std::shared_ptr<const RestorePlan> restore_plan() const;
  struct RestorePlans;
  static std::shared_ptr<RestorePlans> make_restore_plans();
  std::shared_ptr<RestorePlans> restore_plans_;
  // Of the last export, which is not made again while the graph stays as it is.
  std::shared_ptr<const Exported> exported_;
};

// Adds what a .meta file holds to `graph` and returns its saver. A file without one gets a default
// Saver if it has variables, and none (false) otherwise. `saver` says what the file does not: see
// Saver::from_proto. A directory stands for the .meta file of its newest checkpoint, as it does for
// restore(). Throws as import_meta_graph_def, which it is but for the Saver.
// (tf.train.import_meta_graph)
Saver import_meta_graph(GraphAt graph, const std::string& file, const ImportOptions& options = {},
                        const SaverOptions& saver = {});
// The same for a graph that was read already. `scope`, if given, becomes the import scope in fact
// used.
Saver import_meta_graph(GraphAt graph, const MetaGraph& meta, const ImportOptions& options = {},
                        const SaverOptions& saver = {}, std::string* scope = nullptr);

}  // namespace cairn
