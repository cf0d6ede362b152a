// Rows picked out by index, and put in by index.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct GatherOptions {
  int64_t axis = 0;  // negative: from the end
  std::string name = "";
};
// The places of `params` along `axis` that `indices` (int32 or int64, of any shape) name: extent
// `axis` is replaced by the extents of indices (TensorFlow's GatherV2). Throws InvalidArgument for
// an index outside [0, extent).
//   gather(table, {2, 0, 2})  of  [n,8]  is  [3,8]
// Its gradient is dense where TensorFlow makes IndexedSlices: the sum UnsortedSegmentSum makes of
// them.
Output gather(const Operand& params, const Operand& indices, const GatherOptions& options = {});
Output gather(const Operand& params, std::initializer_list<int64_t> indices,
              const GatherOptions& options = {});

// For each of the last extent's rows of `indices`, [..., k], the place of `params` that its k
// numbers name, whole where k is less than the rank (TensorFlow's GatherNd): [...] +
// params.shape[k:]. Throws as gather().
Output gather_nd(const Operand& params, const Operand& indices, const NameOptions& options = {});
// The reverse: zeros of `shape` with `updates` added at the places that `indices` names, which may
// repeat (TensorFlow's ScatterNd).
Output scatter_nd(const Operand& indices, const Operand& updates, const IntList& shape,
                  const NameOptions& options = {});

// [num_segments, ...] where row k is the sum of those rows of `data` whose segment id is k
// (TensorFlow's UnsortedSegmentSum). The extents of ids are data's first ones; rows with a negative
// id are left out. Throws InvalidArgument for an id of num_segments or more.
Output unsorted_segment_sum(const Operand& data, const Operand& segment_ids,
                            const Operand& num_segments, const NameOptions& options = {});

// One tensor of the slices of several: place indices[m][i...] of the result is data[m][i...]
// (TensorFlow's DynamicStitch). Where a place is named twice the later wins; a place never named is
// zeros. indices: int32.
Output dynamic_stitch(const std::vector<Output>& indices, const std::vector<Output>& data,
                      const NameOptions& options = {},
                      SourceLocation at = SourceLocation::current());
// The reverse: the slices of `data` sorted, in their order, into num tensors by partitions[i...],
// which is in [0, num) (TensorFlow's DynamicPartition).
std::vector<Output> dynamic_partition(const Operand& data, const Operand& partitions, int64_t num,
                                      const NameOptions& options = {});

std::span<const OpDef* const> gather_ops();

}  // namespace cairn
