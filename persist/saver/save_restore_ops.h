// The ops that touch files: what a Saver's nodes are made of. They have no privileges; a program
// may use them directly.
//
//   Output prefix = constant(graph, "run/m");
//   Operation save = save_v2(prefix, {"W"}, {""}, {w.ref()});
//   session.run(save);  // writes run/m.index, run/m.data-00000-of-00001
//   Output restored = restore_v2(prefix, {"W"}, {""}, {DType::kFloat})[0];
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// Writes `tensors` under `names` as the checkpoint `prefix`, a string scalar (TensorFlow's SaveV2).
// `specs` say which part of a bigger tensor each one is, "4 10 0,2:0,10", or "" for a whole one.
// Names and specs become constants. Running throws what BundleWriter does; the old files under the
// prefix stay until the new ones are complete.
Operation save_v2(const Operand& prefix, const std::vector<std::string>& names,
                  const std::vector<std::string>& specs, const std::vector<Output>& tensors,
                  const NameOptions& options = {});

// Reads the tensors (or parts) back; one output each (TensorFlow's RestoreV2), from V1 files too
// where the prefix has no index. Running throws NotFound naming every key that is missing,
// InvalidArgument naming every one of another dtype, DataLoss for damage.
std::vector<Output> restore_v2(const Operand& prefix, const std::vector<std::string>& names,
                               const std::vector<std::string>& specs,
                               const std::vector<DType>& dtypes, const NameOptions& options = {});

// "run/m-00001-of-00002" from basename, shard and num_shards (TensorFlow's ShardedFilename).
Output sharded_filename(const Operand& basename, int shard, const Operand& num_shards,
                        const NameOptions& options = {});

// Joins the parts of a sharded save into one checkpoint (TensorFlow's MergeV2Checkpoints): see
// merge_bundles().
Operation merge_v2_checkpoints(const Operand& prefixes, const Operand& destination,
                               bool delete_old_dirs = true, const NameOptions& options = {});

// "run/m-?????-of-00002" from basename and num_shards: how a sharded V1 checkpoint is named
// (TensorFlow's ShardedFilespec).
Output sharded_filespec(const Operand& basename, const Operand& num_shards,
                        const NameOptions& options = {});

// Writes a V1 checkpoint (TensorFlow's SaveSlices; Save where there are no `specs` at all). Running
// throws what CheckpointV1Writer does; an old file of that name stays until the new one is
// complete.
Operation save_v1(const Operand& filename, const std::vector<std::string>& names,
                  const std::vector<std::string>& specs, const std::vector<Output>& tensors,
                  const NameOptions& options = {});

struct RestoreV1Options {
  std::string name = "";
  int preferred_shard = -1;  // of several files, the one to look into first
};
// Reads one tensor, or a part of it, of a V1 checkpoint (TensorFlow's RestoreSlice), or of a V2
// one. Running throws as restore_v2() does.
Output restore_v1(const Operand& file_pattern, const std::string& name, const std::string& spec,
                  DType dtype, const RestoreV1Options& options = {});

// The strings one after the other (TensorFlow's StringJoin); scalars among them go with every
// element of the others.
Output string_join(const std::vector<Output>& parts, const std::string& separator = "",
                   const NameOptions& options = {}, SourceLocation at = SourceLocation::current());

std::span<const OpDef* const> save_restore_ops();

}  // namespace cairn
