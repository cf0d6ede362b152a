#include "persist/saver/save_restore_ops.h"

#include <cstdio>

#include "ops/array/array.h"
#include "persist/checkpoint/bundle.h"
#include "persist/saver/finite_watch.h"
#include "persist/saver/save_restore.h"
#include "runtime/base/text.h"

namespace cairn {

// ---- shared by the ops --------------------------------------------------------------------------

const CheckpointReader& OpenCheckpoints::open(const std::string& path, FileSystem& fs,
                                              CheckpointReader::Files files) {
  if (const CheckpointReader* known = find(path)) return *known;
  return *(readers_[path] = std::make_shared<const CheckpointReader>(path, &fs, files));
}

const CheckpointReader* OpenCheckpoints::find(const std::string& path) const {
  const auto known = readers_.find(path);
  return known == readers_.end() ? nullptr : known->second.get();
}

std::span<const std::string> strings_at(KernelContext& c, int i, const char* what, size_t count) {
  const Tensor& t = c.input(i);
  if (t.rank() != 1 || static_cast<size_t>(t.num_elements()) != count) {
    c.fail(str_cat("got ", what, " of shape ", t.shape(), " for ", count, " tensors"));
  }
  return t.span<std::string>();
}

const std::string& path_at(KernelContext& c, int i) {
  if (c.input(i).num_elements() != 1)
    c.fail(str_cat("the path must be one string, got shape ", c.input(i).shape()));
  if (c.in<std::string>(i)->empty()) c.fail("the path is empty");
  return *c.in<std::string>(i);
}

namespace {

// Checks all names and dtypes before any value is read, and throws all faults together, in
// TensorFlow's words for the format. Returns the number of elements of each tensor.
std::vector<int64_t> check_entries(KernelContext& c, const CheckpointReader& reader,
                                   std::span<const std::string> names,
                                   std::span<const DType> dtypes) {
  const bool v1 = reader.version() == CheckpointFormat::kV1;
  std::string missing, mismatched;
  std::vector<int64_t> elements;
  elements.reserve(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    const auto entry = reader.find(names[i]);
    if (!entry) {
      missing += missing.empty() ? "" : "; ";
      missing += v1 ? str_cat("Tensor name \"", names[i], "\" not found in checkpoint files")
                    : str_cat("Key ", printable(names[i]), " not found in checkpoint");
    } else if (entry->dtype != dtypes[i]) {
      mismatched += mismatched.empty() ? "" : "\n  ";
      mismatched += v1 ? str_cat("Expected to restore a tensor of type ", dtypes[i],
                                 ", got a tensor of type ", entry->dtype,
                                 " instead: tensor_name = ", names[i])
                       : str_cat("tensor_name = ", names[i], "; expected dtype ", dtypes[i],
                                 " does not equal original dtype ", entry->dtype);
    } else {
      elements.push_back(entry->shape.num_elements());
    }
  }
  if (!missing.empty()) c.fail(str_cat(missing, " '", reader.prefix(), "'"), Code::kNotFound);
  if (!mismatched.empty()) c.fail(mismatched);
  return elements;
}

// Reads one tensor, or the part `spec` of it.
Tensor restored(KernelContext& c, const CheckpointReader& reader, const std::string& name,
                const std::string& spec, const ParallelFor& in_parallel = nullptr) {
  const auto part = parse_shape_and_slice(spec);
  if (!part) return reader.get_tensor(name, in_parallel);
  if (const Shape stored = reader.find(name)->shape; !(part->full == stored)) {
    c.fail(str_cat("tensor_name = ", printable(name), "; shape in shape_and_slice spec ",
                   part->full, " does not match the shape stored in checkpoint: ", stored));
  }
  return reader.get_tensor(name, part->slice);
}

}  // namespace

void restore_tensors(KernelContext& c, const CheckpointReader& reader,
                     std::span<const std::string> names, std::span<const std::string> specs,
                     std::span<const DType> dtypes) {
  // Numbers of elements. Tensors below kLarge are adjacent in the file and read together; larger
  // ones are distributed over threads; those from kLargest on are each read by all threads.
  constexpr int64_t kLarge = 1 << 20, kLargest = 1 << 24;
  const std::vector<int64_t> elements = check_entries(c, reader, names, dtypes);
  const ParallelFor in_parallel = [&c](int64_t n, const std::function<void(int64_t)>& body) {
    c.parallel_for(n, 1e6, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i);
    });
  };
  std::vector<size_t> large;
  for (size_t i = 0; i < names.size(); ++i) {
    if (elements[i] >= kLarge && elements[i] < kLargest) {
      large.push_back(i);
    } else {
      c.set(static_cast<int>(i),
            restored(c, reader, names[i], specs[i], elements[i] < kLarge ? nullptr : in_parallel));
    }
  }
  std::vector<Tensor> values(large.size());
  in_parallel(static_cast<int64_t>(large.size()), [&](int64_t k) {
    const size_t i = large[static_cast<size_t>(k)];
    values[static_cast<size_t>(k)] = restored(c, reader, names[i], specs[i]);
  });
  for (size_t k = 0; k < large.size(); ++k) c.set(static_cast<int>(large[k]), std::move(values[k]));
}

void shape_of_parts(ShapeContext& c, int i) {
  const Tensor specs = c.constant(i);
  if (!specs.valid() || specs.dtype() != DType::kString) return;
  const auto list = specs.span<std::string>();
  for (size_t k = 0; k < list.size() && k < static_cast<size_t>(c.num_outputs()); ++k) {
    if (const auto part = parse_shape_and_slice(list[k]))
      c.set_output(static_cast<int>(k), part->slice.shape_in(part->full));
  }
}

namespace {

// ---- SaveV2 -------------------------------------------------------------------------------------

Kernel save_v2_prepare(const KernelSetup& s) {
  return [count = s.dtypes("dtypes").size()](KernelContext& c) {
    const auto names = strings_at(c, 1, "tensor_names", count),
               specs = strings_at(c, 2, "shape_and_slices", count);
    BundleWriter writer(files_of(c), path_at(c, 0), FiniteWatch::current());
    for (size_t i = 0; i < count; ++i) {
      const Tensor& tensor = c.input(static_cast<int>(i) + 3);
      if (const auto part = parse_shape_and_slice(specs[i])) {
        writer.add_slice(names[i], part->full, part->slice, tensor);
      } else {
        writer.add(names[i], tensor);
      }
    }
    writer.finish();
    c.run_state().get<OpenCheckpoints>().clear();
  };
}

constexpr OpDef kSaveV2 = {
    .name = "SaveV2",
    .inputs = "prefix: string, tensor_names: string, shape_and_slices: string, tensors: dtypes",
    .outputs = "",
    .attrs = "dtypes: list(type) >= 1",
    .stateful = true,
    .prepare = save_v2_prepare,
    .gradient = not_differentiable};

// ---- RestoreV2 ----------------------------------------------------------------------------------

void restore_v2_shape(ShapeContext& c) { shape_of_parts(c, 2); }

Kernel restore_v2_prepare(const KernelSetup& s) {
  return [dtypes = s.dtypes("dtypes")](KernelContext& c) {
    const auto names = strings_at(c, 1, "tensor_names", dtypes.size());
    const auto specs = strings_at(c, 2, "shape_and_slices", dtypes.size());
    const auto& reader = c.run_state().get<OpenCheckpoints>().open(path_at(c, 0), files_of(c));
    restore_tensors(c, reader, names, specs, dtypes);
  };
}

constexpr OpDef kRestoreV2 = {
    .name = "RestoreV2",
    .inputs = "prefix: string, tensor_names: string, shape_and_slices: string",
    .outputs = "tensors: dtypes",
    .attrs = "dtypes: list(type) >= 1",
    .stateful = true,
    .undoes_failed_run = true,
    .shape = restore_v2_shape,
    .prepare = restore_v2_prepare,
    .gradient = not_differentiable};

// ---- names of shards ----------------------------------------------------------------------------

Kernel sharded_filename_prepare(const KernelSetup&) {
  return [](KernelContext& c) {
    char ending[48];
    std::snprintf(ending, sizeof ending, "-%05d-of-%05d", c.input(1).scalar<int32_t>(),
                  c.input(2).scalar<int32_t>());
    c.allocate(0, {}).data<std::string>()[0] = path_at(c, 0) + ending;
  };
}

constexpr OpDef kShardedFilename = {.name = "ShardedFilename",
                                    .inputs = "basename: string, shard: int32, num_shards: int32",
                                    .outputs = "filename: string",
                                    .attrs = "",
                                    .shape = scalar_shape,
                                    .prepare = sharded_filename_prepare,
                                    .gradient = not_differentiable};

Kernel sharded_filespec_prepare(const KernelSetup&) {
  return [](KernelContext& c) {
    char ending[32];
    std::snprintf(ending, sizeof ending, "-\?\?\?\?\?-of-%05d", c.input(1).scalar<int32_t>());
    c.allocate(0, {}).data<std::string>()[0] = path_at(c, 0) + ending;
  };
}

constexpr OpDef kShardedFilespec = {.name = "ShardedFilespec",
                                    .inputs = "basename: string, num_shards: int32",
                                    .outputs = "filename: string",
                                    .attrs = "",
                                    .shape = scalar_shape,
                                    .prepare = sharded_filespec_prepare,
                                    .gradient = not_differentiable};

// ---- MergeV2Checkpoints -------------------------------------------------------------------------

Kernel merge_v2_prepare(const KernelSetup& s) {
  return [delete_old_dirs = s.flag("delete_old_dirs")](KernelContext& c) {
    if (c.input(0).rank() != 1)
      c.fail(str_cat("checkpoint_prefixes must be a vector, got shape ", c.input(0).shape()));
    const auto prefixes = c.input(0).span<std::string>();
    merge_bundles(files_of(c), {prefixes.begin(), prefixes.end()}, path_at(c, 1), delete_old_dirs);
    c.run_state().get<OpenCheckpoints>().clear();
  };
}

constexpr OpDef kMergeV2Checkpoints = {
    .name = "MergeV2Checkpoints",
    .inputs = "checkpoint_prefixes: string, destination_prefix: string",
    .outputs = "",
    .attrs = "delete_old_dirs: bool = true",
    .stateful = true,
    .prepare = merge_v2_prepare,
    .gradient = not_differentiable};

// ---- StringJoin ---------------------------------------------------------------------------------

void string_join_shape(ShapeContext& c) {
  Shape joined;
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (!c.input(i).has_rank()) return;
    if (!c.input(i).is_scalar())
      joined = joined.is_scalar() ? c.input(i) : merge(joined, c.input(i));
  }
  c.set_output(joined);
}

Kernel string_join_prepare(const KernelSetup& s) {
  return [separator = s.str("separator")](KernelContext& c) {
    Shape shape;
    for (int i = 0; i < c.num_inputs(); ++i) {
      const Shape& part = c.input(i).shape();
      if (part.is_scalar()) continue;
      if (!shape.is_scalar() && !(shape == part))
        c.fail(str_cat("inputs of shapes ", shape, " and ", part, " do not join"));
      shape = part;
    }
    const auto out = c.allocate(0, shape).span<std::string>();
    for (size_t k = 0; k < out.size(); ++k) {
      for (int i = 0; i < c.num_inputs(); ++i) {
        if (i > 0) out[k] += separator;
        out[k] += c.in<std::string>(i)[c.input(i).shape().is_scalar() ? 0 : k];
      }
    }
  };
}

constexpr OpDef kStringJoin = {.name = "StringJoin",
                               .inputs = "inputs: N * string",
                               .outputs = "output: string",
                               .attrs = "N: int >= 1, separator: string = ''",
                               .shape = string_join_shape,
                               .prepare = string_join_prepare,
                               .gradient = not_differentiable};

}  // namespace

// ---- builders -----------------------------------------------------------------------------------

Operation save_v2(const Operand& prefix, const std::vector<std::string>& names,
                  const std::vector<std::string>& specs, const std::vector<Output>& tensors,
                  const NameOptions& options) {
  Graph& graph = prefix.graph();
  const Graph::Transaction whole(graph);
  const GraphAt at(graph, prefix.at());
  Scope scope = graph.name_scope(options.name.empty() ? "SaveV2" : options.name);
  std::vector<Output> inputs = {prefix.output(),
                                constant(at, Tensor::vector(names), {.name = "tensor_names"}),
                                constant(at, Tensor::vector(specs), {.name = "shape_and_slices"})};
  inputs.insert(inputs.end(), tensors.begin(), tensors.end());
  return add_operation(at, kSaveV2, std::move(inputs), {}, scope.name());
}

std::vector<Output> restore_v2(const Operand& prefix, const std::vector<std::string>& names,
                               const std::vector<std::string>& specs,
                               const std::vector<DType>& dtypes, const NameOptions& options) {
  Graph& graph = prefix.graph();
  const Graph::Transaction whole(graph);
  const GraphAt at(graph, prefix.at());
  Scope scope = graph.name_scope(options.name.empty() ? "RestoreV2" : options.name);
  const Output tensor_names = constant(at, Tensor::vector(names), {.name = "tensor_names"});
  const Output shape_and_slices = constant(at, Tensor::vector(specs), {.name = "shape_and_slices"});
  const Operation op =
      add_operation(at, kRestoreV2, {prefix.output(), tensor_names, shape_and_slices},
                    {{"dtypes", dtypes}}, scope.name());
  std::vector<Output> outputs;
  for (int i = 0; i < op.num_outputs(); ++i) outputs.push_back(op.output(i));
  return outputs;
}

Output sharded_filename(const Operand& basename, int shard, const Operand& num_shards,
                        const NameOptions& options) {
  Graph& graph = basename.graph();
  const Graph::Transaction whole(graph);
  const GraphAt at(graph, basename.at());
  Scope scope = graph.name_scope(options.name.empty() ? "ShardedFilename" : options.name);
  const Output index = constant(at, Tensor(int32_t{shard}), {.name = "shard"});
  return add_node(kShardedFilename,
                  {basename.output(), index, num_shards.in(graph, DType::kInt32, "num_shards")}, {},
                  scope.name(), basename.at());
}

Output sharded_filespec(const Operand& basename, const Operand& num_shards,
                        const NameOptions& options) {
  Graph& graph = basename.graph();
  const Graph::Transaction whole(graph);
  return add_node(kShardedFilespec,
                  {basename.output(), num_shards.in(graph, DType::kInt32, "num_shards")}, {},
                  options.name, basename.at());
}

Operation merge_v2_checkpoints(const Operand& prefixes, const Operand& destination,
                               bool delete_old_dirs, const NameOptions& options) {
  return add_operation({prefixes.graph(), prefixes.at()}, kMergeV2Checkpoints,
                       {prefixes.output(), destination.output()},
                       {{"delete_old_dirs", delete_old_dirs}}, options.name);
}

Output string_join(const std::vector<Output>& parts, const std::string& separator,
                   const NameOptions& options, SourceLocation at) {
  return add_node(kStringJoin, parts, {{"separator", separator}}, options.name, at);
}

std::span<const OpDef* const> save_restore_ops() {
  static constexpr const OpDef* kOps[] = {
      &kMergeV2Checkpoints, &kRestoreOp, &kRestoreSliceOp,  &kRestoreV2,       &kSaveOp,
      &kSaveSlicesOp,       &kSaveV2,    &kShardedFilename, &kShardedFilespec, &kStringJoin};
  return kOps;
}

}  // namespace cairn
