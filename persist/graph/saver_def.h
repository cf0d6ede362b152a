// SaverDef: the description of a saver in a graph's file.
#pragma once

#include <string>

#include "runtime/base/api.h"

namespace CAIRN_API cairn {

// The format of the checkpoints that a saver's nodes write; TensorFlow's numbers.
enum class CheckpointFormat : int {
  kLegacy = 0,  // files from before 0.12, which do not name a format: V1
  kV1 = 1,
  kV2 = 2,
};

// The fields of TensorFlow's SaverDef: the nodes that save and restore values, and which
// checkpoints are kept. A plain value.
//
//   session.run({}, {{def.filename_tensor_name, prefix}}, {def.restore_op_name});
//
// A graph that lacks these nodes is refused: Saver::from_proto() throws NotFound.
struct SaverDef {
  std::string filename_tensor_name = {};  // "save/Const:0": the path is fed here
  std::string save_tensor_name = {};      // "save/control_dependency:0": fetch it to save
  // "save/restore_all": run it to restore. An op, hence without ":0".
  std::string restore_op_name = {};
  int max_to_keep = 5;  // 0: keep all
  bool sharded = false;
  float keep_checkpoint_every_n_hours = 10000;
  CheckpointFormat version = CheckpointFormat::kV2;
  std::string unknown_fields = {};  // serialized fields of a newer SaverDef

  friend bool operator==(const SaverDef&, const SaverDef&) = default;
};

}  // namespace cairn
