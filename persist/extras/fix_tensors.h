// Graphs in which tensors that were fed are constants, and conditions that follow from them are
// decided.
#pragma once

#include <map>
#include <string>

#include "persist/graph/meta_graph.h"
#include "runtime/graph/graph.h"

namespace cairn {

// Of an input as nodes in files name them: whether it is a control edge ("^x"), and the node that
// it comes from ("x" of "x:1", "x" and "^x").
inline bool is_control(const std::string& input) { return input.starts_with('^'); }
inline std::string node_of(const std::string& input) {
  const size_t begin = is_control(input) ? 1 : 0;
  return input.substr(begin, input.find(':') - begin);
}

// `meta`, which is all of `graph`, with the tensors named in `values` ("train:0", or "train" for
// the first of a node) as Const nodes. Every Switch whose predicate is known then passes its value
// on (an Identity), what stands on the side that is not taken is gone, and a Merge passes on what
// is left. Names stay. Throws NotFound for a tensor that is not there, InvalidArgument for a value
// of another dtype or shape.
MetaGraph fix_tensors(const Graph& graph, const MetaGraph& meta,
                      const std::map<std::string, Tensor>& values);

}  // namespace cairn
