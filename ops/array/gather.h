// Gather and scatter: rows selected by index, and rows added at indices.
//
//   gather(table, {2, 0, 2})               // table [3,8] -> [3,8]: rows 2, 0 and 2
//   unsorted_segment_sum(x, groups, 4)     // x [n,8], groups [n] -> [4,8]
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct GatherOptions {
  int64_t axis = 0;  // negative: counted from the end
  std::string name = "";
};
// Slices of `params` along `axis`, in the order of `indices` (int32 or int64, of any shape): extent
// `axis` is replaced by the extents of indices (TensorFlow's GatherV2). Any dtype. Throws
// InvalidArgument for an axis that params does not have and, when run, for an index outside [0,
// extent).
//
//   gather(table, {2, 0, 2})  of  [n,8]  is  [3,8]
//   gather(table, {3})        of  [3,8]  fails the run: indices[0] is 3, outside [0, 3)
//
// The gradient is dense, the UnsortedSegmentSum of the rows, where TensorFlow makes IndexedSlices.
Output gather(const Operand& params, const Operand& indices, const GatherOptions& options = {});
Output gather(const Operand& params, std::initializer_list<int64_t> indices,
              const GatherOptions& options = {});

// For each index tuple in the last extent of `indices`, [..., k], the slice of `params` at these k
// numbers: an element if k is the rank of params, a whole slice if k is less (TensorFlow's
// GatherNd). The result has shape indices.shape[:-1] + params.shape[k:]. Throws as gather().
//
//   gather_nd(x, constant(graph, {{0, 1}, {2, 0}}))    // x [3,4]: the elements x[0,1] and x[2,0]
Output gather_nd(const Operand& params, const Operand& indices, const NameOptions& options = {});
// The reverse: a tensor of shape `shape` that is zero, with `updates` added at the given indices;
// updates for a repeated index are summed (TensorFlow's ScatterNd). updates: numbers of shape
// indices.shape[:-1] + shape[k:]. Throws InvalidArgument for an index outside `shape` and for
// another shape of updates.
Output scatter_nd(const Operand& indices, const Operand& updates, const IntList& shape,
                  const NameOptions& options = {});

// Row k of the result, [num_segments, ...], is the sum of the rows of `data` with segment id k
// (TensorFlow's UnsortedSegmentSum); rows with a negative id are skipped, and a segment without
// rows is zero. The extents of segment_ids (int32 or int64) are the first extents of data. Sums run
// in the order of the rows for every number of threads. Throws InvalidArgument for an id >=
// num_segments ("segment_ids[0] is 4, outside [0, 4)").
Output unsorted_segment_sum(const Operand& data, const Operand& segment_ids,
                            const Operand& num_segments, const NameOptions& options = {});

// Merges slices of several tensors: place indices[m][i...] of the result is data[m][i...]
// (TensorFlow's DynamicStitch). If an index is repeated, the later slice wins; a place without an
// index is zero. indices: int32, not negative; the extents of indices[m] are the first extents of
// data[m]. Throws InvalidArgument for lists that are empty or of different length, and for shapes
// that do not match.
//
//   dynamic_stitch({even, odd}, {a, b})    // even {0, 2}, odd {1}: rows a[0], b[0], a[1]
Output dynamic_stitch(const std::vector<Output>& indices, const std::vector<Output>& data,
                      const NameOptions& options = {},
                      SourceLocation at = SourceLocation::current());
// The reverse: slices of `data` distributed over `num` tensors, in their order, by partitions[i...]
// (TensorFlow's DynamicPartition). partitions: int32, its extents are the first extents of data.
// Throws InvalidArgument when a partition is not in [0, num).
std::vector<Output> dynamic_partition(const Operand& data, const Operand& partitions, int64_t num,
                                      const NameOptions& options = {});

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> gather_ops();

}  // namespace cairn
