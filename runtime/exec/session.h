// Session: runs a graph and owns the values of its variables.
//
//   Session session(graph);
//   session.run(global_variables_initializer(graph));
//   float l = session.run(loss, {{x, images}, {y, labels}}).scalar<float>();
//   auto both = session.run({loss, accuracy}, {{x, images}, {y, labels}});  // std::vector<Tensor>
//   session.run("save/restore_all", {{"save/Const:0", "/tmp/model.ckpt-100"}});
//
// Calls that fail (Session::run lists all errors):
//
//   session.run(loss, {{x, images}});    // InvalidArgument: a value must be fed for Placeholder
//                                        // 'y:0' (float [?,10], made at mnist.cc:12)
//   session.run("los:0");                // NotFound: there is no node 'los' in the graph; …
//   session.run(train, {{x, image}, {y, label}});   // before initialization: FailedPrecondition:
//                                        // uninitialized variables: 'W' and 'b'; run the …
//
// Plans. The first run of a set of fetches, targets and feeds makes a plan (prunes the graph,
// orders the nodes, prepares the kernels); the session keeps it for later runs. A prepared Call
// also saves the lookup of the plan.
//
// Order. Nodes run one after the other, in an order that respects data and control edges; nodes
// that no edge orders run in the order of their creation. So a run is deterministic. If no edge
// orders a node that reads a variable and a node that writes it, the one created first runs first;
// runtime/graph/variable.h says which node reads. A fetched variable (its reference) is read when
// its node runs.
//
// Threads: all members may be called from several threads. Runs that write variables run one at a
// time; runs that do not write any run at the same time.
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
  // Threads that kernels may use, including the calling one. 0: the environment variable
  // CAIRN_THREADS, else the number of cores. Results are the same to the last bit for any number.
  int threads = 0;
  // The seed for random ops that have none; 0: a random one.
  uint64_t seed = 0;
  // The files of save and restore ops; not owned. Null: the files of the machine.
  FileSystem* file_system = nullptr;
};

// A tensor or operation to fetch, run or feed: an output, an operation, a variable or a name
// ("loss:0" is a tensor, "train" an operation).
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

// A value for one tensor of the graph in a run. Any tensor can be fed; placeholders that the run
// needs must be. Memory of the user (Tensor::view) is read in place, not copied. Numbers, lists and
// vectors are converted to the dtype of the tensor (FeedValue).
struct Feed {
  Target target;
  FeedValue value;
};
using Feeds = std::vector<Feed>;

// The values of all variables of a session, between two runs. Copy on write: a snapshot shares the
// memory of the variables, and a variable is copied when it is first written afterwards. May
// outlive the session.
class SessionSnapshot {
 public:
  SessionSnapshot() = default;  // no variable has a value

 private:
  friend class Session;
  std::map<std::string, VariableState> variables_;
};

// A prepared run, with fixed fetches, feeds and targets: a call looks nothing up and, from the
// second one on, allocates no memory if shapes are the same. For one thread at a time; prepare one
// per thread. It can be moved; the one moved from is empty. Calling throws FailedPrecondition if
// the Call is empty, the graph was reset or destroyed, or the session was destroyed.
//
//   Call step = session.prepare({loss}, {x, y}, {train_op});
//   for (…) float l = step({images, labels})[0].scalar<float>();
//   step({images});   // throws InvalidArgument: this call takes 2 values to feed, got 1
class Call {
 public:
  Call() = default;
  Call(Call&&) = default;
  Call& operator=(Call&&) = default;
  // Runs with values in the order of prepare()'s `feeds`; they are not converted. The results are
  // valid until the next call. Throws as Session::run.
  std::span<const Tensor> operator()(std::span<const Tensor> feeds);
  std::span<const Tensor> operator()(std::initializer_list<Tensor> feeds) {
    return (*this)(std::span<const Tensor>(feeds.begin(), feeds.size()));
  }
  std::span<const Tensor> operator()() { return (*this)(std::span<const Tensor>()); }
  // Number and bytes of memory blocks that it obtained from the system. Constant from the second
  // call on, as long as shapes are the same.
  int64_t allocations() const;
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
  // The graph is not owned. Nodes may be added to it later, and it may be moved while nothing runs.
  // After it was destroyed or reset, all members that use it throw FailedPrecondition. Throws
  // InvalidArgument for a negative number of threads.
  explicit Session(Graph& graph, const SessionOptions& options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Runs the nodes that `fetch` needs and returns its value; for an operation a tensor that is not
  // valid(). Throws
  // - InvalidArgument: a feed of another dtype or shape, a placeholder that is not fed, a tensor
  //   that is fed twice, an error of a kernel;
  // - FailedPrecondition: uninitialized variables (the message names all), a graph that was
  //   destroyed or reset, a node of a builder that has not returned;
  // - NotFound: a name that the graph does not have;
  // - Unimplemented: ops without a kernel in this build (the message names all).
  // If a kernel fails, variables that were written before it keep the new values, except in a run
  // that reads a checkpoint (RestoreV2, RestoreSlice, Restore): then all variables keep their
  // values.
  Tensor run(const Target& fetch, const Feeds& feeds = {});
  // Several fetches in one run: values in the order of `fetches`. `targets` are run for their
  // effect, and their values are not returned. run_all() is the same for a vector of targets.
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

  // Runs `targets` as a transaction: if it throws, every variable has its previous value, to the
  // last bit, and uninitialized ones remain uninitialized. (run() does the same if the graph reads
  // a checkpoint.) Fed values are donated: the run may take over their memory. `shared`: the
  // initial run_state() of the kernels. Throws as run().
  void run_or_undo(const std::vector<Target>& targets, Feeds feeds = {}, RunState shared = {});

  // Prepares a run for repeated calls, with the feeds in a fixed order. Throws as run(), but for
  // errors that only a run can find (values, uninitialized variables).
  Call prepare(const std::vector<Target>& fetches, const std::vector<Target>& feeds = {},
               const std::vector<Target>& targets = {});

  // A copy of a variable's value, without a run. Throws FailedPrecondition if it is uninitialized.
  Tensor value(const Variable& variable);
  bool is_initialized(const Variable& variable);
  // Sets the value of a variable to a copy of `value`, without a node in the graph. Throws
  // InvalidArgument if dtype or shape differ; then the value is unchanged.
  //
  //   session.set_value(w, Tensor(1.0f));   // throws: no variable was set: 'W' is float [784,10],
  //                                         // the value float []
  void set_value(const Variable& variable, const Tensor& value);
  // Sets several values, all or none: all are checked before the first is set. The message names
  // each that does not fit.
  void set_values(const std::vector<std::pair<Variable, Tensor>>& values);
  // The present values of all variables. Waits for a run that writes variables.
  SessionSnapshot snapshot();
  // Sets all variables to the values in `snapshot`, taken from this or another session of the same
  // graph; variables without a value in it become uninitialized.
  void load(const SessionSnapshot& snapshot);
  // The names of uninitialized variables in the collections "variables" and "local_variables".
  std::vector<std::string> uninitialized_variables();

  // Throws FailedPrecondition if the graph was destroyed.
  Graph& graph() const;
  const SessionOptions& options() const { return options_; }
  FileSystem* file_system() const { return options_.file_system; }
  // The number of plans made so far.
  size_t num_plans() const;

 private:
  friend class KernelSetup;
  friend class Call;
  // Locks the graph against being destroyed or reset. Throws FailedPrecondition if it was.
  [[nodiscard]] std::shared_lock<std::shared_mutex> hold_graph() const;
  bool has_value(const Variable& variable) const;
  // The endpoint of a target; of an operation, its node with index -1.
  Endpoint resolve(const Target& target, std::string_view what) const;
  Endpoint resolve_tensor(const Target& target, std::string_view what) const;
  // The plan for `key`, made if it is new, and a frame to run it in.
  std::unique_ptr<internal::Frame> frame_for(const internal::PlanKey& key,
                                             std::shared_ptr<internal::CachedPlan>& plan);

  SessionOptions options_;
  std::shared_ptr<internal::SessionState> state_;  // shared with calls
};

}  // namespace cairn
