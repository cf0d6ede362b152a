// Partitioned variables: one big tensor held by several variables, each a slice of it.
//
//   PartitionedVariable w = get_partitioned_variable(graph, "W", {10000, 64}, fixed_size_partitioner(4));
//   Output y = matmul(x, w.as_tensor());
//   Saver saver(graph);                                // a checkpoint holds W, in four slices
//
// The parts are ordinary variables W/part_0, W/part_1, ... that stand in the graph's collections
// one by one; optimizers train them one by one. Each says which slice of which tensor it is
// (VariableDef's save_slice_info_def), so savers write the slices of W under the name W, and what
// was saved in slices is restored whole or in other slices, and the other way round.
// (tf.get_variable with a partitioner)
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ops/state/variables.h"

namespace CAIRN_API cairn {

// In how many parts a tensor is cut along each axis: {4, 1} cuts the rows of a matrix in four. One
// number at most may be above 1.
using Partitioner = std::function<std::vector<int64_t>(const Shape& shape, DType dtype)>;

// `num_shards` parts along `axis`, or as many as it is long. What partitioners refuse names the
// line that made them.
Partitioner fixed_size_partitioner(int64_t num_shards, int axis = 0,
                                   SourceLocation at = SourceLocation::current());

struct AxisPartitioner {
  int axis = 0;
  int64_t bytes_per_string_element = 16;  // what a string is taken to be
  int64_t max_shards = 0;                 // 0: no limit
};
// As few parts along an axis as keep each within `max_shard_bytes`.
Partitioner variable_axis_size_partitioner(int64_t max_shard_bytes,
                                           const AxisPartitioner& options = {},
                                           SourceLocation at = SourceLocation::current());

struct MinMaxPartitioner {
  int64_t max_partitions = 1;
  int axis = 0;
  int64_t min_slice_size = 256 << 10;  // bytes
  int64_t bytes_per_string_element = 16;
};
// As many parts, up to max_partitions, as have min_slice_size each.
Partitioner min_max_variable_partitioner(const MinMaxPartitioner& options = {},
                                         SourceLocation at = SourceLocation::current());

// The parts of one tensor, in order of their place. Cheap to copy.
class PartitionedVariable {
 public:
  PartitionedVariable() = default;
  // Variables that are slices of one tensor, in any order. Throws InvalidArgument unless they are
  // of one tensor and hold each of its elements once.
  explicit PartitionedVariable(std::vector<Variable> parts);

  explicit operator bool() const { return !parts_.empty(); }
  const std::string& name() const { return slice().full_name; }  // "W"
  DType dtype() const { return part(0).dtype(); }
  Shape shape() const { return Shape(slice().full_shape); }
  const std::vector<Variable>& parts() const { return parts_; }
  // Which axis is cut; 0 where none is.
  int axis() const { return axis_; }

  // The whole: a new Concat of the parts, W/ConcatPartitions/concat, and an Identity named W. Each
  // call makes nodes. They stand outside of control_dependencies(), as TensorFlow 1.x has it, so
  // that they do not see what the nodes waited for write. Put together what is read then instead:
  //   const auto scope = graph.control_dependencies({train_op});
  //   std::vector<Operand> parts;
  //   for (const Variable& part : w.parts()) parts.push_back(part.read_value());
  //   Output now = concat(parts, w.axis());
  // Throws Unimplemented where more than one axis is cut.
  Output as_tensor(SourceLocation at = SourceLocation::current()) const;

 private:
  const Variable& part(size_t i) const;
  const SaveSliceInfo& slice() const { return *part(0).slice(); }
  std::vector<Variable> parts_;
  int axis_ = 0;
};

// The partitioned variable `name` of the current variable scope, a new one or, where the scope
// reuses, the one there is. The first parts are longer by one where the cut is not even. An
// initializer is called for each part. Throws as get_variable(), and InvalidArgument when the
// partitioner does not fit the shape.
PartitionedVariable get_partitioned_variable(GraphAt graph, std::string_view name,
                                             const Shape& shape, const Partitioner& partitioner,
                                             const GetVariableOptions& options = {});
// The one called exactly `name`, from the parts in the graph's collections: how one is found after
// an import. Throws NotFound.
PartitionedVariable find_partitioned_variable(const Graph& graph, std::string_view name);

}  // namespace cairn
