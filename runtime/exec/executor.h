// Runs plans.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "runtime/exec/context.h"
#include "runtime/exec/plan.h"
#include "runtime/graph/graph.h"

namespace cairn::internal {

// A plan with its kernels and the variables of one session: made once, shared by all runs.
struct PreparedPlan {
  Plan plan;
  std::vector<Kernel> kernels;  // one for each step
  std::vector<std::vector<VariableState*>>
      variables;                        // per step and input, null where there is none
  std::vector<VariableState*> reads;    // Plan::reads
  std::vector<VariableState*> writes;   // Plan::writes
  std::vector<VariableState*> fetched;  // per fetch, null where it is no variable
};

// What one run at a time of a plan needs: the slots' tensors and the memory they come from. Kept
// between runs, so that the next one finds everything in place.
class Frame {
 public:
  Frame(std::shared_ptr<const PreparedPlan> plan, int threads, FileSystem* file_system);
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  const PreparedPlan& prepared() const { return *plan_; }
  // Forgets what was fed: for a run that does not come about.
  void drop_feeds();
  // Takes a value for the i-th feed. Throws InvalidArgument when dtype or shape do not fit.
  void feed(size_t i, const Endpoint& where, const Tensor& value);
  // What the next run's kernels find in their run_state().
  void share(RunState state) { run_state_ = std::move(state); }
  // Runs all steps. On failure all slots are emptied and the error names the node.
  void run();
  // Moves the fetched values into `results`, each its own memory; then empties what is left. Throws
  // InvalidArgument for a value that is dead.
  void collect(std::vector<Tensor>& results);
  // Takes memory of results no longer wanted back.
  void recycle(std::vector<Tensor>& results);
  const Arena& arena() const { return arena_; }
  // A run that needs more fails with ResourceExhausted.
  void limit_memory(int64_t bytes) { arena_.most_bytes = bytes; }

 private:
  // Where the outputs of a run stood: `block` where a kernel allocated it, `held` whoever did.
  struct Place {
    const Buffer *block = nullptr, *held = nullptr;
    Shape shape;
    size_t bytes = 0;
    friend bool operator==(const Place&, const Place&) = default;
  };
  struct Turn {
    size_t step;
    bool may_rest;  // derived, or tells shapes: see needs_turn()
    Repeat repeat = {};
  };
  bool needs_turn(size_t i);
  void call_kernel(size_t i);
  void run_step(size_t i);
  void end_step(size_t i);
  void run_watched(size_t& i);
  void run_bound(size_t& i);
  std::vector<bool> slots_that_stay() const;
  bool may_repeat(const Turn& turn, const std::vector<bool>& stays) const;
  void keep_apart(size_t i);
  void settle();
  void bind(std::vector<bool> stays);
  void unbind();
  void list_releases();
  void run_constants();
  void check_readers(int slot, const Endpoint& where, const Tensor& value) const;
  bool is_skipped(const Step& step, size_t i);
  void fetch_variables_after(const Step& step);
  Tensor own(const Tensor& tensor);
  void clear();

  std::shared_ptr<const PreparedPlan> plan_;
  Arena arena_;
  RunState run_state_;  // empty between runs
  std::vector<Tensor> slots_;
  std::vector<Tensor> fetched_;   // of variables, read at their turn
  std::unique_ptr<bool[]> dead_;  // per slot
  std::unique_ptr<bool[]> dead_steps_;
  std::vector<KernelContext> contexts_;
  // What the contexts point into, one stretch for each step.
  std::vector<const Tensor*> inputs_;
  std::vector<Tensor*> outputs_;
  std::vector<VariableState*> variables_;
  std::vector<const bool*> dead_inputs_;
  std::vector<bool*> dead_outputs_;
  std::unique_ptr<bool[]> may_reuse_;
  std::vector<Turn> turns_;  // the steps that compute something, in order
  bool shapes_changed_ = true, shapes_known_ = false;
  // per step that tells shapes: of its inputs, when it ran last
  std::vector<std::vector<Shape>> told_;
  std::vector<Tensor*> releases_;    // Step::releases, one stretch for each step
  std::vector<size_t> release_end_;  // where that of step i - 1 ends
  int variable_fetches_ = 0;
  std::vector<Place> places_, last_places_;  // per slot; empty once nothing is watched any more
  std::vector<BufferRef> bound_blocks_;      // what bound slots stand in: out of the arena
  std::vector<bool> bound_;                  // per slot
  bool recorded_ = false;                    // what may be repeated is known
  int changes_ = 0;                          // runs unlike the one before
};

// The kernel of the setup's node, its attributes checked.
Kernel make_kernel(const KernelSetup& setup);

// Runs one stateless node on given values, outside any session: how static values are computed.
// own_values: the values are those the graph itself decides, so the kernel may take them from
// there.
std::vector<Tensor> evaluate(const Graph& graph, const Node& node,
                             const std::vector<Tensor>& inputs, bool own_values = true,
                             int64_t most_bytes = INT64_MAX);

}  // namespace cairn::internal
