// Partitioned variables: one big tensor held by several variables, each a slice of it.
//
//   const auto four = fixed_size_partitioner(4);
//   PartitionedVariable w = get_partitioned_variable(graph, "W", {10000, 64}, four);
//   Output y = matmul(x, w.as_tensor());
//   Saver saver(graph);                                // a checkpoint holds W, in four slices
//
// The parts are ordinary variables W/part_0, W/part_1, ... in the graph's collections; optimizers
// train them one by one. Each knows which slice of which tensor it is (VariableDef's
// save_slice_info_def): savers write the slices of W under the name W, and slices can be restored
// as a whole tensor or as other slices, and the reverse. (tf.get_variable with a partitioner)
//
// Calls that fail, with InvalidArgument:
//
//   get_partitioned_variable(graph, "V", {}, four);
//   // get_partitioned_variable (a.cc:7): 'V' needs a fully known shape with an axis, got []
//   fixed_size_partitioner(0);     // num_shards must be at least 1, is 0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ops/state/variables.h"

namespace CAIRN_API cairn {

// The number of parts along each axis: {4, 1} cuts the rows of a matrix in four. At most one number
// may be above 1.
using Partitioner = std::function<std::vector<int64_t>(const Shape& shape, DType dtype)>;

// `num_shards` parts along `axis`, or as many as the axis is long. This and the next two throw
// InvalidArgument for numbers below 1, and when used for an axis that the shape does not have; the
// message names the line that made the partitioner.
Partitioner fixed_size_partitioner(int64_t num_shards, int axis = 0,
                                   SourceLocation at = SourceLocation::current());

struct AxisPartitioner {
  int axis = 0;
  int64_t bytes_per_string_element = 16;  // the assumed size of a string
  int64_t max_shards = 0;                 // 0: no limit
};
// The fewest parts along an axis of which each has at most `max_shard_bytes` (or one row).
Partitioner variable_axis_size_partitioner(int64_t max_shard_bytes,
                                           const AxisPartitioner& options = {},
                                           SourceLocation at = SourceLocation::current());

struct MinMaxPartitioner {
  int64_t max_partitions = 1;
  int axis = 0;
  int64_t min_slice_size = 256 << 10;  // bytes
  int64_t bytes_per_string_element = 16;
};
// The most parts, up to max_partitions, of which each has about min_slice_size bytes.
Partitioner min_max_variable_partitioner(const MinMaxPartitioner& options = {},
                                         SourceLocation at = SourceLocation::current());

// The parts of one tensor, in order of their offsets. A handle: copies refer to the same variables.
class PartitionedVariable {
 public:
  PartitionedVariable() = default;
  // Variables that are slices of one tensor, in any order. Throws InvalidArgument unless they have
  // one dtype and together hold each element exactly once ("partitioned variable 'W': its 3 parts
  // hold 480000 of 640000 elements").
  explicit PartitionedVariable(std::vector<Variable> parts);

  explicit operator bool() const { return !parts_.empty(); }
  const std::string& name() const { return slice().full_name; }  // "W"
  DType dtype() const { return part(0).dtype(); }
  Shape shape() const { return Shape(slice().full_shape); }
  const std::vector<Variable>& parts() const { return parts_; }
  // The axis that is cut; 0 if there is one part.
  int axis() const { return axis_; }

  // The whole tensor: a new Concat of the parts, W/ConcatPartitions/concat, and an Identity named
  // W. Each call makes new nodes. As in TensorFlow 1.x they ignore control_dependencies(), so they
  // may read the parts before the awaited nodes write them. To read after those:
  //
  //   const auto scope = graph.control_dependencies({train_op});
  //   std::vector<Operand> parts;
  //   for (const Variable& part : w.parts()) parts.push_back(part.read_value());
  //   Output now = concat(parts, w.axis());
  //
  // Throws Unimplemented if more than one axis is cut.
  Output as_tensor(SourceLocation at = SourceLocation::current()) const;

 private:
  const Variable& part(size_t i) const;
  const SaveSliceInfo& slice() const { return *part(0).slice(); }
  std::vector<Variable> parts_;
  int axis_ = 0;
};

// The partitioned variable `name` of the current variable scope: a new one or, if the scope reuses,
// the existing one. If the extent is not a multiple of the number of parts, the first parts are
// longer by one. The initializer is called once for each part. Throws as get_variable(), and
// InvalidArgument if the partitioner does not fit the shape.
PartitionedVariable get_partitioned_variable(GraphAt graph, std::string_view name,
                                             const Shape& shape, const Partitioner& partitioner,
                                             const GetVariableOptions& options = {});
// The partitioned variable with exactly this name, made of the parts in the graph's collections;
// for imported graphs. Throws NotFound ("there is no partitioned variable 'V' in the graph's
// collections").
PartitionedVariable find_partitioned_variable(const Graph& graph, std::string_view name);

}  // namespace cairn
