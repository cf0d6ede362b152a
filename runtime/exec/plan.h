// Plan: the steps of a run in order, for given fetches, targets and feeds. A plan holds no values
// and no kernels.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "runtime/graph/graph.h"

namespace cairn::internal {

// Fetches, feeds and targets of a run. A fetch of index -1 is an operation: run, without a value.
struct PlanKey {
  std::vector<Endpoint> fetches, feeds;
  std::vector<const Node*> targets;
  friend bool operator==(const PlanKey&, const PlanKey&) = default;
};
struct PlanKeyHash {
  size_t operator()(const PlanKey& key) const;
};

// One node of a plan. Values are in slots: one for each output of each node, one for each feed.
struct Step {
  const Node* node = nullptr;
  // The producer that is fused into this step (OpDef::absorbs) and whose own step is idle; its
  // inputs are appended to this step's.
  const Node* absorbed = nullptr;
  std::vector<int> inputs;  // slots; -1: the value of the variable below
  // Per input: the variable whose reference or handle it is, or null.
  std::vector<const Node*> variables;
  std::vector<int> sources;     // slots whose deadness counts: as inputs, references included
  std::vector<int> controls;    // steps of the control inputs; used only in plans with a Switch
  int first_output = 0;         // slot of output 0; the others follow
  std::vector<int> releases;    // slots that no later step reads (liveness)
  std::vector<bool> may_reuse;  // per input: donated: in `releases`, and read by no other input
  // Variables that are checked for a value before this step, not before the run, because this step
  // or one that assigns them may be skipped.
  std::vector<const Node*> needs_value;
  std::vector<int> fetches;  // fetches of variables, read right after this step
  // For a read that is repeated for one reader: the node that the reader names, which may be
  // skipped. Else null.
  const Node* read_behind = nullptr;
  // Has no kernel to run: NoOp, the node of a variable, a node without effect that nothing reads.
  bool idle = false;
  // No inputs, the same value in every run: computed once, and its slots are never released.
  bool constant = false;
  // Fused with the step before (OpDef::by_rows), whose rows it reads as this input; -1: not fused.
  // The step before then calls this one's kernel if the work is large enough.
  int fused_input = -1;
  // Shape-only steps, run again only when an input shape changed: reads_shapes depends on the
  // shapes of its inputs, derived on the values of such steps and constants. Their slots are never
  // released.
  bool reads_shapes = false, derived = false;
};

struct Plan {
  struct Fetch {
    int slot = -1;                   // -1: an operation
    const Node* variable = nullptr;  // of a reference: the variable, read right after its step
    bool is_feed = false;
    Tensor nothing = {};  // of an operation: not valid(), with a text that says what to fetch
  };
  std::vector<Step> steps;
  int num_slots = 0;
  std::vector<int> feed_slots;      // in the order of PlanKey::feeds
  std::vector<int> kept_slots;      // of feeds and fetches: released after the run
  std::vector<Fetch> fetches;       // in the order of PlanKey::fetches
  std::vector<const Node*> reads;   // variables that must hold a value before the first step
  std::vector<const Node*> writes;  // variables that some step may change
  bool undoes = false;              // a run that fails restores their values
  bool uses_variables = false, writes_variables = false, has_switch = false;
};

// Throws Unimplemented, naming every op that cannot be run (with `graph`, also why a node of an op
// of this build cannot), and InvalidArgument, naming every placeholder that is not fed, or for a
// cycle.
Plan make_plan(const PlanKey& key, const Graph* graph = nullptr);

}  // namespace cairn::internal
