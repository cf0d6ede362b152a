#include <algorithm>

#include "ops/array/array.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/files/settled_view.h"
#include "persist/saver/finite_watch.h"
#include "persist/saver/save_restore.h"
#include "persist/saver/save_restore_ops.h"

namespace cairn {
namespace {

// ---- Save, SaveSlices ---------------------------------------------------------------------------

Kernel save_prepare(const KernelSetup& s) {
  const bool slices = s.node().op->name == "SaveSlices";
  return [count = s.dtypes("T").size(), slices](KernelContext& c) {
    const auto names = strings_at(c, 1, "tensor_names", count);
    const auto specs =
        slices ? strings_at(c, 2, "shapes_and_slices", count) : std::span<const std::string>();
    CheckpointV1Writer writer(files_of(c), path_at(c, 0));
    for (size_t i = 0; i < count; ++i) {
      const Tensor& tensor = c.input(static_cast<int>(i) + (slices ? 3 : 2));
      if (FiniteWatch* watch = FiniteWatch::current()) watch->look_at(names[i], tensor);
      if (const auto part = slices ? parse_shape_and_slice(specs[i]) : std::nullopt) {
        writer.add_slice(names[i], part->full, part->slice, tensor);
      } else {
        writer.add(names[i], tensor);
      }
    }
    writer.finish();
    c.run_state().get<OpenCheckpoints>().clear();
  };
}

// ---- Restore, RestoreSlice ----------------------------------------------------------------------

// The reader for a tensor: of the preferred file alone if it contains everything that is asked for,
// unless all files are open already.
const CheckpointReader& reader_for(OpenCheckpoints& opened, FileSystem& fs,
                                   const std::string& pattern, int64_t preferred_shard,
                                   const std::string& name, const std::string& spec) {
  if (const CheckpointReader* all = opened.find(pattern)) return *all;
  const auto view = view_for(fs, pattern);
  const auto files = preferred_shard < 0 ? std::vector<std::string>()
                                         : checkpoint_v1_files(view ? *view : fs, pattern);
  if (files.size() > 1 && static_cast<size_t>(preferred_shard) < files.size()) {
    const CheckpointReader& one = opened.open(files[static_cast<size_t>(preferred_shard)], fs,
                                              CheckpointReader::Files::kNamed);
    const auto entry = one.find(name);
    const auto part = parse_shape_and_slice(spec);
    const auto is_part = [&](const TensorSlice& slice) {
      return part && slice.within(entry->shape) == part->slice.within(part->full);
    };
    const bool same = entry && (!part || part->full == entry->shape);
    if (same &&
        (entry->slices.empty() || std::any_of(entry->slices.begin(), entry->slices.end(), is_part)))
      return one;
  }
  return opened.open(pattern, fs, CheckpointReader::Files::kNamed);
}

Kernel restore_prepare(const KernelSetup& s) {
  const bool slice = s.node().op->name == "RestoreSlice";
  return [dtype = s.dtype("dt"), preferred_shard = s.integer("preferred_shard"),
          slice](KernelContext& c) {
    const std::string name = c.input(1).scalar<std::string>();
    const std::string spec = slice ? c.input(2).scalar<std::string>() : "";
    auto& opened = c.run_state().get<OpenCheckpoints>();
    const CheckpointReader& reader =
        reader_for(opened, files_of(c), path_at(c, 0), preferred_shard, name, spec);
    restore_tensors(c, reader, {&name, 1}, {&spec, 1}, {&dtype, 1});
  };
}

void restore_slice_shape(ShapeContext& c) { shape_of_parts(c, 2); }

}  // namespace

constexpr OpDef kSaveOp = {.name = "Save",
                           .inputs = "filename: string, tensor_names: string, data: T",
                           .outputs = "",
                           .attrs = "T: list(type) >= 1",
                           .stateful = true,
                           .prepare = save_prepare,
                           .gradient = not_differentiable};

constexpr OpDef kSaveSlicesOp = {
    .name = "SaveSlices",
    .inputs = "filename: string, tensor_names: string, shapes_and_slices: string, data: T",
    .outputs = "",
    .attrs = "T: list(type) >= 1",
    .stateful = true,
    .prepare = save_prepare,
    .gradient = not_differentiable};

constexpr OpDef kRestoreOp = {.name = "Restore",
                              .inputs = "file_pattern: string, tensor_name: string",
                              .outputs = "tensor: dt",
                              .attrs = "dt: type, preferred_shard: int = -1",
                              .stateful = true,
                              .undoes_failed_run = true,
                              .prepare = restore_prepare,
                              .gradient = not_differentiable};

constexpr OpDef kRestoreSliceOp = {
    .name = "RestoreSlice",
    .inputs = "file_pattern: string, tensor_name: string, shape_and_slice: string",
    .outputs = "tensor: dt",
    .attrs = "dt: type, preferred_shard: int = -1",
    .stateful = true,
    .undoes_failed_run = true,
    .shape = restore_slice_shape,
    .prepare = restore_prepare,
    .gradient = not_differentiable};

// ---- builders -----------------------------------------------------------------------------------

Operation save_v1(const Operand& filename, const std::vector<std::string>& names,
                  const std::vector<std::string>& specs, const std::vector<Output>& tensors,
                  const NameOptions& options) {
  Graph& graph = filename.graph();
  const Graph::Transaction whole(graph);
  const GraphAt at(graph, filename.at());
  Scope scope = graph.name_scope(options.name.empty() ? "save" : options.name);
  std::vector<Output> inputs = {filename.output(),
                                constant(at, Tensor::vector(names), {.name = "tensor_names"})};
  if (!specs.empty())
    inputs.push_back(constant(at, Tensor::vector(specs), {.name = "shapes_and_slices"}));
  inputs.insert(inputs.end(), tensors.begin(), tensors.end());
  return add_operation(at, specs.empty() ? kSaveOp : kSaveSlicesOp, std::move(inputs), {},
                       scope.name());
}

Output restore_v1(const Operand& file_pattern, const std::string& name, const std::string& spec,
                  DType dtype, const RestoreV1Options& options) {
  Graph& graph = file_pattern.graph();
  const Graph::Transaction whole(graph);
  const GraphAt at(graph, file_pattern.at());
  Scope scope = graph.name_scope(options.name.empty() ? "restore_slice" : options.name);
  return add_node(
      kRestoreSliceOp,
      {file_pattern.output(), constant(at, name.c_str(), {.name = "tensor_name"}),
       constant(at, spec.c_str(), {.name = "shape_and_slice"})},
      {{"dt", base_dtype(dtype)}, {"preferred_shard", int64_t{options.preferred_shard}}},
      scope.name(), file_pattern.at());
}

}  // namespace cairn
