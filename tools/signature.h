// Running a SavedModel by a signature: its names in place of those of tensors.
#pragma once

#include <string>
#include <vector>

#include "persist/graph/meta_graph.h"
#include "tools/feeds.h"

namespace cairn {

// What a run feeds and fetches, in the graph's names. `labels` are the fetches as the caller calls
// them.
struct RunNames {
  FeedArguments feeds;
  std::vector<std::string> fetches, labels;
};

// With a signature, names in `feeds` that are its inputs and names in `fetches` that are its
// outputs stand for their tensors, other names for themselves; no fetches mean all of its outputs.
// Without one ("") all stay as they are. Throws NotFound for a signature that the graph has not and
// for names that are neither, listing what there is.
RunNames names_of_run(const MetaGraph& meta, const Graph& graph, const std::string& signature,
                      const FeedArguments& feeds, const std::vector<std::string>& fetches);

}  // namespace cairn
