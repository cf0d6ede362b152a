// Running a SavedModel with the names of a signature instead of names of tensors.
#pragma once

#include <string>
#include <vector>

#include "persist/graph/meta_graph.h"
#include "tools/feeds.h"

namespace cairn {

// Feeds and fetches of a run, as names of tensors. `labels`: the fetches as the caller named them.
struct RunNames {
  FeedArguments feeds;
  std::vector<std::string> fetches, labels;
};

// Replaces names in `feeds` that are inputs of the signature, and names in `fetches` that are
// outputs, by their tensors; other names are not changed. No fetches: all outputs of the signature.
// An empty signature: no change. Throws NotFound for a signature that the graph does not have, and
// for names that are neither in the signature nor in the graph; the message lists the existing
// ones.
RunNames names_of_run(const MetaGraph& meta, const Graph& graph, const std::string& signature,
                      const FeedArguments& feeds, const std::vector<std::string>& fetches);

}  // namespace cairn
