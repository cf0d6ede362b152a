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

// The state of one run at a time of a plan: a tensor for each slot, and the arena of their memory.
// Kept between runs, which reuse it. For one thread at a time.
class Frame {
 public:
  Frame(std::shared_ptr<const PreparedPlan> plan, int threads, FileSystem* file_system);
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  const PreparedPlan& prepared() const { return *plan_; }
  // Releases the fed values, if the run is not begun after all.
  void drop_feeds();
  // Sets the value of the i-th feed. Throws InvalidArgument if dtype or shape do not fit.
  void feed(size_t i, const Endpoint& where, const Tensor& value);
  // Sets the run_state() of the next run's kernels.
  void share(RunState state) { run_state_ = std::move(state); }
  // Runs all steps. On failure all slots are released and the error names the node.
  void run();
  // Moves the fetched values into `results`, each in memory of its own, and releases the fed values
  // and fetches. Throws InvalidArgument for a dead value.
  void collect(std::vector<Tensor>& results);
  // Returns the memory of results to the arena.
  void recycle(std::vector<Tensor>& results);
  const Arena& arena() const { return arena_; }
  // Runs that need more memory throw ResourceExhausted.
  void limit_memory(int64_t bytes) { arena_.most_bytes = bytes; }

 private:
  // The memory of an output in a run: `held`, its block; `block`, the same if the kernel allocated
  // it in this run, else null.
  struct Place {
    const Buffer *block = nullptr, *held = nullptr;
    Shape shape;
    size_t bytes = 0;
    friend bool operator==(const Place&, const Place&) = default;
  };
  struct Scheduled {
    size_t step;
    bool shape_only;  // see must_rerun()
    Repeat repeat = {};
  };
  bool must_rerun(size_t i);
  void call_kernel(size_t i);
  void run_step(size_t i);
  void end_step(size_t i);
  void run_watched(size_t& i);
  void run_bound(size_t& i);
  std::vector<bool> stable_slots() const;
  bool may_repeat(const Scheduled& scheduled, const std::vector<bool>& stable) const;
  void unshare_outputs(size_t i);
  void settle();
  void bind(std::vector<bool> stable);
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
  std::vector<Tensor> fetched_;   // values of fetched variables, read after their step
  std::unique_ptr<bool[]> dead_;  // per slot
  std::unique_ptr<bool[]> dead_steps_;
  std::vector<KernelContext> contexts_;
  // The arrays that contexts_ point into; each step has a contiguous range.
  std::vector<const Tensor*> inputs_;
  std::vector<Tensor*> outputs_;
  std::vector<VariableState*> variables_;
  std::vector<const bool*> dead_inputs_;
  std::vector<bool*> dead_outputs_;
  std::unique_ptr<bool[]> may_reuse_;
  std::vector<Scheduled> schedule_;  // the steps that have a kernel to run, in order
  bool shapes_changed_ = true, shapes_known_ = false;
  // Per shape-only step: the shapes of its inputs when it ran last.
  std::vector<std::vector<Shape>> last_shapes_;
  std::vector<Tensor*> releases_;    // Step::releases; each step has a contiguous range
  std::vector<size_t> release_end_;  // element i: the end of the range of step i - 1
  int variable_fetches_ = 0;
  std::vector<Place> places_, last_places_;  // per slot; no places_: outputs are not bound any more
  std::vector<BufferRef> bound_blocks_;      // of bound slots; taken out of the arena
  std::vector<bool> bound_;                  // per slot
  bool recorded_ = false;                    // Scheduled::repeat is set wherever it can be
  int changes_ = 0;                          // runs whose shapes differed from the run before
};

// Checks the attributes of the setup's node and makes its kernel.
Kernel make_kernel(const KernelSetup& setup);

// Runs one stateless node on given values, without a session: computes static values. own_values:
// the inputs are the static values of the graph, so the kernel may use KernelSetup::constant().
std::vector<Tensor> evaluate(const Graph& graph, const Node& node,
                             const std::vector<Tensor>& inputs, bool own_values = true,
                             int64_t most_bytes = INT64_MAX);

}  // namespace cairn::internal
