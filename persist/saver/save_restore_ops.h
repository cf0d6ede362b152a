// The ops that read and write checkpoints, of which a Saver's nodes consist. Programs may use them
// directly.
//
//   Output prefix = constant(graph, "run/m");
//   Operation save = save_v2(prefix, {"W"}, {""}, {w.ref()});
//   session.run(save);  // writes run/m.index, run/m.data-00000-of-00001
//   Output restored = restore_v2(prefix, {"W"}, {""}, {DType::kFloat})[0];
//
// Builders throw InvalidArgument for operands that do not match the op's signature; the graph is
// then unchanged. Files are accessed only when the op runs, in the session's file system. A run
// that fails:
//
//   session.run(restore_v2(prefix, {"V"}, {""}, {DType::kFloat})[0]);
//   // NotFound: RestoreV2 ...: Key V not found in checkpoint 'run/m'
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// Writes `tensors` under `names` as the checkpoint `prefix`, a string scalar (TensorFlow's SaveV2).
// `specs` name the part of a larger tensor that each one is, "4 10 0,2:0,10"; "" for a whole
// tensor. There is one name and one spec for each tensor; they become constants. Running throws
// BundleWriter's errors; an older checkpoint under the prefix is replaced only when the new one is
// complete.
Operation save_v2(const Operand& prefix, const std::vector<std::string>& names,
                  const std::vector<std::string>& specs, const std::vector<Output>& tensors,
                  const NameOptions& options = {});

// Reads tensors, or parts of them, with one output for each name (TensorFlow's RestoreV2). Reads V1
// files if the prefix has no index. Running throws NotFound listing every missing key,
// InvalidArgument listing every tensor of another dtype, DataLoss for damage.
std::vector<Output> restore_v2(const Operand& prefix, const std::vector<std::string>& names,
                               const std::vector<std::string>& specs,
                               const std::vector<DType>& dtypes, const NameOptions& options = {});

// "run/m-00001-of-00002" from basename, shard and num_shards, a scalar (TensorFlow's
// ShardedFilename).
Output sharded_filename(const Operand& basename, int shard, const Operand& num_shards,
                        const NameOptions& options = {});

// Merges the parts of a sharded save into one checkpoint (TensorFlow's MergeV2Checkpoints); see
// merge_bundles(). prefixes: a vector of strings; destination: a scalar.
Operation merge_v2_checkpoints(const Operand& prefixes, const Operand& destination,
                               bool delete_old_dirs = true, const NameOptions& options = {});

// "run/m-?????-of-00002", the name of a sharded V1 checkpoint, from basename and num_shards
// (TensorFlow's ShardedFilespec).
Output sharded_filespec(const Operand& basename, const Operand& num_shards,
                        const NameOptions& options = {});

// Writes a V1 checkpoint (TensorFlow's SaveSlices, or Save if `specs` is empty). Running throws
// CheckpointV1Writer's errors; an older file of that name is replaced only when the new one is
// complete.
Operation save_v1(const Operand& filename, const std::vector<std::string>& names,
                  const std::vector<std::string>& specs, const std::vector<Output>& tensors,
                  const NameOptions& options = {});

struct RestoreV1Options {
  std::string name = "";
  int preferred_shard = -1;  // the index of the file to read first; -1: none
};
// Reads one tensor, or the part `spec` of it, of a V1 checkpoint or a V2 one (TensorFlow's
// RestoreSlice). Running throws as restore_v2().
Output restore_v1(const Operand& file_pattern, const std::string& name, const std::string& spec,
                  DType dtype, const RestoreV1Options& options = {});

// Concatenates strings elementwise (TensorFlow's StringJoin). All inputs that are not scalars must
// have one shape, which is the output's; scalars are used for every element. Throws InvalidArgument
// for different shapes.
Output string_join(const std::vector<Output>& parts, const std::string& separator = "",
                   const NameOptions& options = {}, SourceLocation at = SourceLocation::current());

// The ops of this file, for OpSet; all_ops() includes them.
std::span<const OpDef* const> save_restore_ops();

}  // namespace cairn
