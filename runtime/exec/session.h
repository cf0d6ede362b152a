// Sessions: values, and running a graph.
//
//   Session session(graph);
//   session.run(global_variables_initializer(graph));
//   float l = session.run(loss, {{x, images}, {y, labels}}).scalar<float>();
//   auto both = session.run({loss, accuracy}, {{x, images}, {y, labels}});  // std::vector<Tensor>
//   session.run("save/restore_all", {{"save/Const:0", "/tmp/model.ckpt-100"}});
//
// What is asked for the first time is planned (pruned, ordered, kernels prepared) and the plan
// kept; asked again it only runs. A prepared Call goes without even looking the plan up.
//
// Order. Nodes run in an order that respects data and control edges and, where those leave it open,
// the order in which nodes were created; so a run is deterministic. A variable read by a node
// created before another that writes it, with no edge between them, is read before it is written;
// which node reads is said in runtime/graph/variable.h. A fetched variable (its reference) is read
// at its node's place in that order.
//
// Threads: run() may be called from several threads. Runs that change variables go one at a time;
// others together.
#pragma once

#include <map>
#include <memory>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/exec/context.h"
#include "runtime/exec/feed.h"
#include "runtime/graph/graph.h"

namespace CAIRN_API cairn {

namespace internal {
struct SessionState;
class Frame;
struct CachedPlan;
struct PlanKey;
}  // namespace internal

struct SessionOptions {
  // Threads that kernels may use, this one included. 0: the environment's CAIRN_THREADS, else the
  // machine's cores. Results do not depend on it, to the last bit.
  int threads = 0;
  // Random ops without a seed take theirs from it; 0: from the system.
  uint64_t seed = 0;
  // What save and restore ops write to and read from. Null: the machine's files.
  FileSystem* file_system = nullptr;
};

// Something to fetch, to run or to feed: an output, an operation, a variable or a name ("loss:0" is
// an output; "train" an operation).
class Target {
 public:
  Target(const Output& output) : output_(output) {}  // NOLINT: implicit on purpose, as are all here
  Target(const Operation& op) : op_(op) {}           // NOLINT
  Target(const Variable& variable) : output_(variable.ref()), variable_(variable) {}  // NOLINT
  Target(const char* name) : name_(name) {}                                           // NOLINT
  Target(std::string_view name) : name_(name) {}                                      // NOLINT
  Target(const std::string& name) : name_(name) {}                                    // NOLINT

 private:
  friend class Session;
  Output output_;
  Operation op_;
  Variable variable_;
  std::string name_;
};

// A value for one tensor of the graph. Any tensor can be fed, placeholders must be. A tensor given
// over user memory (Tensor::view) is read in place; numbers, lists and vectors of them are
// converted to the dtype wanted (FeedValue).
struct Feed {
  Target target;
  FeedValue value;
};
using Feeds = std::vector<Feed>;

// The values of a session's variables at one moment, between two runs. It shares their memory: a
// variable that is changed afterwards is copied first, so taking one costs no copy of the model,
// and keeping it at most one.
class SessionSnapshot {
 public:
  SessionSnapshot() = default;  // no variable has a value

 private:
  friend class Session;
  std::map<std::string, VariableState> variables_;
};

// A run prepared once: what is fed and fetched is fixed, running looks nothing up and, after the
// first time, allocates nothing. For one thread at a time; make one for each thread. It is moved,
// not copied: what was moved from is empty, and to call that throws FailedPrecondition, as after
// the graph's reset(), and as when graph or session were destroyed.
//
//   Call step = session.prepare({loss}, {x, y}, {train_op});
//   for (…) float l = step({images, labels})[0].scalar<float>();
class Call {
 public:
  Call() = default;
  Call(Call&&) = default;
  Call& operator=(Call&&) = default;
  // Values in the order of prepare()'s `feeds`. The results are valid until the next call. Throws
  // as Session::run.
  std::span<const Tensor> operator()(std::span<const Tensor> feeds);
  std::span<const Tensor> operator()(std::initializer_list<Tensor> feeds) {
    return (*this)(std::span<const Tensor>(feeds.begin(), feeds.size()));
  }
  std::span<const Tensor> operator()() { return (*this)(std::span<const Tensor>()); }
  // Blocks of memory got from the system since it was made; constant from the second call on while
  // shapes stay.
  int64_t allocations() const;
  // Their bytes.
  int64_t allocated_bytes() const;

 private:
  friend class Session;
  std::shared_ptr<internal::SessionState> state_;
  std::vector<Endpoint> feeds_;
  std::shared_ptr<internal::Frame> frame_;
  std::vector<Tensor> results_;
};

class Session {
 public:
  // The graph may grow afterwards, and be moved while nothing runs. When it is destroyed or reset,
  // whatever the session is then asked to do throws FailedPrecondition.
  explicit Session(Graph& graph, const SessionOptions& options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Runs what `fetch` needs and returns its value (no tensor for an operation: Tensor::valid() is
  // false). Throws InvalidArgument (a feed of another dtype or shape, a placeholder not fed,
  // whatever kernels find), FailedPrecondition (uninitialised variables: all of them, by name; a
  // graph that is gone or was reset; a node of a builder that has not returned), NotFound (names),
  // Unimplemented (ops this build cannot run: all of them). On failure variables written before the
  // failing node keep what was written, but for a run that reads a checkpoint (RestoreV2,
  // RestoreSlice, Restore): that changes all or none.
  Tensor run(const Target& fetch, const Feeds& feeds = {});
  // Several at once, in one pass over the graph: values in the order of `fetches`. `targets` are
  // run for their effect.
  std::vector<Tensor> run(std::initializer_list<Target> fetches, const Feeds& feeds = {},
                          const std::vector<Target>& targets = {}) {
    return run_all(std::vector<Target>(fetches), feeds, targets);
  }
  std::vector<Tensor> run(const std::vector<Output>& fetches, const Feeds& feeds = {},
                          const std::vector<Target>& targets = {}) {
    return run_all(std::vector<Target>(fetches.begin(), fetches.end()), feeds, targets);
  }
  std::vector<Tensor> run_all(const std::vector<Target>& fetches, const Feeds& feeds = {},
                              const std::vector<Target>& targets = {});

  // Runs `targets` all or nothing: where it throws, every variable has the value, to the last bit,
  // that it had before, and those without one have none. (So does run() where the graph itself
  // reads a checkpoint.) Values that were fed are let go of as soon as nothing reads them; `shared`
  // is what the kernels begin with as their run_state().
  void run_or_undo(const std::vector<Target>& targets, Feeds feeds = {}, RunState shared = {});

  Call prepare(const std::vector<Target>& fetches, const std::vector<Target>& feeds = {},
               const std::vector<Target>& targets = {});

  // The value of a variable without running anything. Throws FailedPrecondition when it is
  // uninitialised.
  Tensor value(const Variable& variable);
  bool is_initialized(const Variable& variable);
  // Sets a variable's value without a node in the graph. Throws InvalidArgument when dtype or shape
  // differ.
  void set_value(const Variable& variable, const Tensor& value);
  // Sets several, all or none: everything is checked before the first is changed.
  void set_values(const std::vector<std::pair<Variable, Tensor>>& values);
  // All variables' values as they are now; a run that changes some is waited for.
  SessionSnapshot snapshot();
  // Every variable takes the value it had when `snapshot` was taken of this or another session of
  // the same graph; those that had none become uninitialised.
  void load(const SessionSnapshot& snapshot);
  // Of the variables in the collections "variables" and "local_variables", those without a value.
  std::vector<std::string> uninitialized_variables();

  // Throws FailedPrecondition when it is gone.
  Graph& graph() const;
  const SessionOptions& options() const { return options_; }
  FileSystem* file_system() const { return options_.file_system; }
  // Plans made so far.
  size_t num_plans() const;

 private:
  friend class KernelSetup;
  friend class Call;
  // That the graph is still the session's, and stays so while what is returned is held.
  [[nodiscard]] std::shared_lock<std::shared_mutex> hold_graph() const;
  bool has_value(const Variable& variable) const;
  // What a target names: an endpoint, or (index -1) an operation.
  Endpoint resolve(const Target& target, std::string_view what) const;
  Endpoint resolve_tensor(const Target& target, std::string_view what) const;
  // The plan for what is asked, and a frame to run it in.
  std::unique_ptr<internal::Frame> frame_for(const internal::PlanKey& key,
                                             std::shared_ptr<internal::CachedPlan>& plan);

  SessionOptions options_;
  std::shared_ptr<internal::SessionState> state_;  // calls have it too
};

}  // namespace cairn
