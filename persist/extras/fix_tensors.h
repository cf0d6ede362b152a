// Replaces tensors of a graph by constants and removes the branches of conditions that this
// decides.
#pragma once

#include <map>
#include <string>

#include "persist/graph/meta_graph.h"
#include "runtime/graph/graph.h"

namespace cairn {

// Parts of an input in a NodeDef: whether it is a control edge ("^x"), and the node it comes from
// ("x" for "x:1", "x" and "^x").
inline bool is_control(const std::string& input) { return input.starts_with('^'); }
inline std::string node_of(const std::string& input) {
  const size_t begin = is_control(input) ? 1 : 0;
  return input.substr(begin, input.find(':') - begin);
}

// `meta`, which must be the whole of `graph`, with the tensors named in `values` ("train:0", or
// "train" for the first output of a node) replaced by Const nodes. A Switch whose predicate is then
// known becomes an Identity, the nodes of the branch not taken are removed, and a Merge becomes an
// Identity of the remaining input. Names are preserved. Throws NotFound for a tensor that does not
// exist, InvalidArgument for a value of another dtype or shape. `meta` and `graph` are not changed.
MetaGraph fix_tensors(const Graph& graph, const MetaGraph& meta,
                      const std::map<std::string, Tensor>& values);

}  // namespace cairn
