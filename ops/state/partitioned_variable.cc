#include "ops/state/partitioned_variable.h"

#include <algorithm>

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/core/new_variable.h"
#include "runtime/base/text.h"

namespace cairn {
namespace {

// For messages: the function that makes a partitioner, and the line of its call.
std::string called(const char* who, SourceLocation at) { return str_cat(who, " (", at.str(), ")"); }

void check_axis(const std::string& who, const Shape& shape, int axis) {
  if (axis < 0 || axis >= shape.rank()) {
    fail(Code::kInvalidArgument, who, ": there is no axis ", axis, " in shape ", shape);
  }
}

int64_t element_bytes(DType dtype, int64_t of_string) {
  return dtype == DType::kString ? of_string : static_cast<int64_t>(dtype_size(base_dtype(dtype)));
}

std::vector<int64_t> cut_along(const Shape& shape, int axis, int64_t parts) {
  std::vector<int64_t> partitions(static_cast<size_t>(shape.rank()), 1);
  partitions[static_cast<size_t>(axis)] = parts;
  return partitions;
}

void check_positive(const std::string& who, const char* what, int64_t number) {
  if (number < 1) fail(Code::kInvalidArgument, who, ": ", what, " must be at least 1, is ", number);
}

}  // namespace

Partitioner fixed_size_partitioner(int64_t num_shards, int axis, SourceLocation at) {
  const std::string who = called("fixed_size_partitioner", at);
  check_positive(who, "num_shards", num_shards);
  return [=](const Shape& shape, DType) {
    check_axis(who, shape, axis);
    return cut_along(shape, axis, std::min(num_shards, std::max<int64_t>(shape[axis], 1)));
  };
}

Partitioner variable_axis_size_partitioner(int64_t max_shard_bytes, const AxisPartitioner& o,
                                           SourceLocation at) {
  const std::string who = called("variable_axis_size_partitioner", at);
  check_positive(who, "max_shard_bytes", max_shard_bytes);
  return [=](const Shape& shape, DType dtype) {
    check_axis(who, shape, o.axis);
    const int64_t length = std::max<int64_t>(shape[o.axis], 1);
    const int64_t row_bytes =
        shape.num_elements() / length * element_bytes(dtype, o.bytes_per_string_element);
    const int64_t rows = std::max<int64_t>(1, row_bytes > 0 ? max_shard_bytes / row_bytes : length);
    const int64_t shards = (length + rows - 1) / rows;
    return cut_along(shape, o.axis, o.max_shards > 0 ? std::min(o.max_shards, shards) : shards);
  };
}

Partitioner min_max_variable_partitioner(const MinMaxPartitioner& o, SourceLocation at) {
  const std::string who = called("min_max_variable_partitioner", at);
  check_positive(who, "max_partitions", o.max_partitions);
  check_positive(who, "min_slice_size", o.min_slice_size);
  return [=](const Shape& shape, DType dtype) {
    check_axis(who, shape, o.axis);
    const int64_t bytes = shape.num_elements() * element_bytes(dtype, o.bytes_per_string_element);
    const int64_t wanted = (bytes + o.min_slice_size - 1) / o.min_slice_size;
    return cut_along(shape, o.axis,
                     std::max<int64_t>(1, std::min({shape[o.axis], o.max_partitions, wanted})));
  };
}

// ---- the variable -------------------------------------------------------------------------------

namespace {

const SaveSliceInfo& slice_of(const Variable& part) {
  if (!part.slice()) fail(Code::kInvalidArgument, "Slices must all be slices: ", part.name());
  const SaveSliceInfo& slice = *part.slice();
  const size_t rank = slice.full_shape.size();
  if (slice.var_offset.size() != rank || slice.var_shape.size() != rank) {
    fail(Code::kInvalidArgument, "variable '", part.name(), "': its slice of '", slice.full_name,
         "' is malformed");
  }
  return slice;
}

int64_t volume(const std::vector<int64_t>& extents) {
  int64_t elements = 1;
  for (const int64_t extent : extents) elements *= extent;
  return elements;
}

bool overlap(const SaveSliceInfo& a, const SaveSliceInfo& b) {
  for (size_t d = 0; d < a.full_shape.size(); ++d) {
    if (a.var_offset[d] + a.var_shape[d] <= b.var_offset[d] ||
        b.var_offset[d] + b.var_shape[d] <= a.var_offset[d])
      return false;
  }
  return volume(a.var_shape) > 0 && volume(b.var_shape) > 0;
}

void check_parts(const std::vector<Variable>& parts) {
  const SaveSliceInfo& first = slice_of(parts[0]);
  int64_t held = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const SaveSliceInfo& slice = slice_of(parts[i]);
    if (slice.full_name != first.full_name) {
      fail(Code::kInvalidArgument, "Slices must all be from the same tensor: ", slice.full_name,
           " != ", first.full_name);
    }
    if (slice.full_shape != first.full_shape || parts[i].dtype() != parts[0].dtype()) {
      fail(Code::kInvalidArgument, "partitioned variable '", first.full_name, "': '",
           parts[i].name(), "' is a slice of ", parts[i].dtype(), " ", Shape(slice.full_shape),
           ", '", parts[0].name(), "' of ", parts[0].dtype(), " ", Shape(first.full_shape));
    }
    for (size_t k = 0; k < i; ++k) {
      if (!overlap(slice, *parts[k].slice())) continue;
      fail(Code::kInvalidArgument, "partitioned variable '", first.full_name, "': '",
           parts[k].name(), "' and '", parts[i].name(), "' overlap: ", parts[k].slice()->spec(),
           " and ", slice.spec());
    }
    held += volume(slice.var_shape);
  }
  if (held != volume(first.full_shape)) {
    fail(Code::kInvalidArgument, "partitioned variable '", first.full_name, "': its ", parts.size(),
         " parts hold ", held, " of ", volume(first.full_shape), " elements");
  }
}

}  // namespace

PartitionedVariable::PartitionedVariable(std::vector<Variable> parts) : parts_(std::move(parts)) {
  if (parts_.empty()) fail(Code::kInvalidArgument, "a partitioned variable needs parts");
  check_parts(parts_);
  std::sort(parts_.begin(), parts_.end(), [](const Variable& a, const Variable& b) {
    return a.slice()->var_offset < b.slice()->var_offset;
  });
  const SaveSliceInfo& first = slice();
  for (size_t d = first.full_shape.size(); d-- > 0;) {
    if (first.var_shape[d] != first.full_shape[d]) axis_ = static_cast<int>(d);
  }
}

const Variable& PartitionedVariable::part(size_t i) const {
  if (parts_.empty())
    fail(Code::kFailedPrecondition, "an empty PartitionedVariable was used: it stands for none");
  return parts_[i];
}

Output PartitionedVariable::as_tensor(SourceLocation at) const {
  Graph& graph = part(0).graph();
  const Graph::Transaction all(graph, at);
  const Scope now = graph.control_dependencies(std::span<const Operation>());
  Output whole = parts_[0].value();
  if (parts_.size() > 1) {
    const Scope inside = graph.name_scope(name() + "/ConcatPartitions/");
    for (const Variable& v : parts_) {
      int cut = 0;
      for (size_t d = 0; d < v.slice()->full_shape.size(); ++d)
        cut += v.slice()->var_shape[d] != shape()[static_cast<int>(d)];
      if (cut > 1)
        fail(Code::kUnimplemented, "'", name(),
             "' is cut along several axes; only one can be put together");
    }
    whole = concat(std::vector<Operand>(parts_.begin(), parts_.end()), axis_);
  }
  const Scope root = graph.name_scope("");
  return identity(whole, {.name = name()});
}

// ---- making and finding -------------------------------------------------------------------------

namespace {

// The axis that is cut, and the number of parts.
std::pair<size_t, int64_t> cut_of(GraphAt graph, std::string_view name, const Shape& shape,
                                  const std::vector<int64_t>& partitions) {
  const std::string shown = printable(name);
  if (partitions.size() != static_cast<size_t>(shape.rank())) {
    fail(Code::kInvalidArgument, "get_partitioned_variable (", graph.at.str(), "): '", shown,
         "': the partitioner gives ", partitions.size(), " numbers for shape ", shape);
  }
  std::pair<size_t, int64_t> cut = {0, 1};
  for (size_t d = 0; d < partitions.size(); ++d) {
    const int64_t length = shape[static_cast<int>(d)];
    if (partitions[d] < 1 || (partitions[d] > 1 && length < partitions[d])) {
      fail(Code::kInvalidArgument, "get_partitioned_variable (", graph.at.str(),
           "): Cannot create ", partitions[d], " slices for size ", length, ": variable '", shown,
           "' of shape ", shape);
    }
    if (partitions[d] == 1) continue;
    if (cut.second > 1) {
      fail(Code::kInvalidArgument, "get_partitioned_variable (", graph.at.str(),
           "): Can only slice a variable along one dimension: variable '", shown, "' of shape ",
           shape);
    }
    cut = {d, partitions[d]};
  }
  return cut;
}

PartitionedVariable reused(GraphAt graph, PartitionedVariable found, const Shape& shape,
                           DType dtype, int64_t parts) {
  if (found.shape() != shape || found.dtype() != dtype ||
      found.parts().size() != static_cast<size_t>(parts)) {
    fail(Code::kInvalidArgument, "get_partitioned_variable (", graph.at.str(), "): '", found.name(),
         "' is ", found.dtype(), " of shape ", found.shape(), " in ", found.parts().size(),
         " parts, not ", dtype, " of shape ", shape, " in ", parts);
  }
  return found;
}

}  // namespace

PartitionedVariable get_partitioned_variable(GraphAt graph, std::string_view name,
                                             const Shape& shape, const Partitioner& partitioner,
                                             const GetVariableOptions& options) {
  const std::string scope = graph->current_variable_scope();
  const std::string full = scope.empty() ? std::string(name) : str_cat(scope, "/", name);
  if (!shape.is_fully_defined() || shape.rank() == 0) {
    fail(Code::kInvalidArgument, "get_partitioned_variable (", graph.at.str(), "): '", full,
         "' needs a fully known shape with an axis, got ", shape);
  }
  const auto [axis, count] = cut_of(graph, full, shape, partitioner(shape, options.dtype));
  if (graph->reusing_variables()) {
    return reused(graph, find_partitioned_variable(graph, full), shape, base_dtype(options.dtype),
                  count);
  }
  const int64_t length = shape[static_cast<int>(axis)];
  SaveSliceInfo slice = {.full_name = full,
                         .full_shape = {shape.begin(), shape.end()},
                         .var_offset = std::vector<int64_t>(static_cast<size_t>(shape.rank()), 0),
                         .var_shape = {shape.begin(), shape.end()}};
  const Graph::Transaction whole(*graph.graph, graph.at);
  std::vector<Variable> parts;
  for (int64_t i = 0; i < count; ++i) {
    slice.var_shape[axis] = length / count + (i < length % count ? 1 : 0);
    parts.push_back(internal::get_variable_part(graph, str_cat(name, "/part_", i),
                                                Shape(slice.var_shape), options, slice));
    slice.var_offset[axis] += slice.var_shape[axis];
  }
  return PartitionedVariable(std::move(parts));
}

PartitionedVariable find_partitioned_variable(const Graph& graph, std::string_view name) {
  std::vector<Variable> parts;
  std::vector<std::string> names;
  for (const std::string& key : graph.collection_keys()) {
    for (const CollectionItem& item : graph.items(key)) {
      const auto* variable = std::get_if<Variable>(&item);
      if (!variable || !variable->slice()) continue;
      const std::string& full = variable->slice()->full_name;
      if (full == name && std::find(parts.begin(), parts.end(), *variable) == parts.end())
        parts.push_back(*variable);
      if (std::find(names.begin(), names.end(), full) == names.end()) names.push_back(full);
    }
  }
  if (!parts.empty()) return PartitionedVariable(std::move(parts));
  fail(Code::kNotFound, "there is no partitioned variable '", printable(name),
       "' in the graph's collections", names_instead_of(name, names));
}

}  // namespace cairn
