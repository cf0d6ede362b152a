// Plans: what one way of running a graph takes, in order. A plan holds no values and no kernels.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "runtime/graph/graph.h"

namespace cairn::internal {

// What is asked for. A fetch of index -1 is an operation, run and giving no tensor.
struct PlanKey {
  std::vector<Endpoint> fetches, feeds;
  std::vector<const Node*> targets;
  friend bool operator==(const PlanKey&, const PlanKey&) = default;
};
struct PlanKeyHash {
  size_t operator()(const PlanKey& key) const;
};

// One node's turn. Values stand in slots, one for each output of each node of the plan and one for
// each feed.
struct Step {
  const Node* node = nullptr;
  // The node whose value this step makes on its way (OpDef::absorbs), whose own step is idle then;
  // its inputs follow.
  const Node* absorbed = nullptr;
  std::vector<int> inputs;  // slots; -1: the value of the variable below
  std::vector<const Node*>
      variables;                // per input: the variable whose reference or handle it is, or null
  std::vector<int> sources;     // slots whose deadness counts: as inputs, references included
  std::vector<int> controls;    // steps waited for; only in plans with Switch
  int first_output = 0;         // slot of output 0; the others follow
  std::vector<int> releases;    // slots that nobody reads after this step
  std::vector<bool> may_reuse;  // per input: its slot is among `releases`, and of no other input
  std::vector<const Node*>
      needs_value;           // variables to be checked at this turn (it may be skipped as dead)
  std::vector<int> fetches;  // of variables, taken right after this step
  // Of a read made again for one reader: the node that the reader names, which may be skipped.
  // Null: of any other step.
  const Node* read_behind = nullptr;
  // nothing to compute: NoOp, a variable's handle, what nobody reads and has no other effect
  bool idle = false;
  // no inputs, the same value in every run: computed once, its slots are never released
  bool constant = false;
  // The input whose rows are taken on as the step before this one makes them (OpDef::by_rows); -1:
  // none. That step then calls this one's kernel, where it is worth it.
  int takes_rows = -1;
  // Needed again only when the shapes of its inputs change, or when a step of that kind was; slots
  // never released too.
  bool tells_shapes = false, derived = false;
};

struct Plan {
  struct Fetch {
    int slot = -1;                   // -1: an operation
    const Node* variable = nullptr;  // a reference: the variable's value right after its step
    bool is_feed = false;
    Tensor nothing = {};  // of an operation: no tensor, which says what to fetch instead
  };
  std::vector<Step> steps;
  int num_slots = 0;
  std::vector<int> feed_slots;      // in the order of PlanKey::feeds
  std::vector<int> kept_slots;      // of feeds and fetches: full until the run is over
  std::vector<Fetch> fetches;       // in the order of PlanKey::fetches
  std::vector<const Node*> reads;   // variables that must hold a value before the first step
  std::vector<const Node*> writes;  // variables that some step may change
  bool undoes = false;              // a run that fails gives them their values back
  bool uses_variables = false, writes_variables = false, has_switch = false;
};

// Throws Unimplemented naming every op that cannot be run here (`graph`, if given, tells why of
// those that this build has), InvalidArgument naming every placeholder that is not fed and for a
// cycle.
Plan make_plan(const PlanKey& key, const Graph* graph = nullptr);

}  // namespace cairn::internal
