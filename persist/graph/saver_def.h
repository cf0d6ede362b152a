// SaverDef: what a graph's file says about its saver.
#pragma once

#include <string>

#include "runtime/base/api.h"

namespace CAIRN_API cairn {

// The format of the checkpoints that a saver's nodes write; TensorFlow's numbers.
enum class CheckpointFormat : int {
  kLegacy = 0,  // files from before 0.12 do not say: V1
  kV1 = 1,
  kV2 = 2,
};

// The fields of TensorFlow's SaverDef: the nodes by which values are saved and restored, and what
// is kept.
//
//   session.run({}, {{def.filename_tensor_name, prefix}}, {def.restore_op_name});
struct SaverDef {
  std::string filename_tensor_name = {};  // "save/Const:0": fed the path
  std::string save_tensor_name = {};      // "save/control_dependency:0": fetched to save
  std::string restore_op_name =
      {};               // "save/restore_all": run to restore; an op, hence without ":0"
  int max_to_keep = 5;  // 0: all
  bool sharded = false;
  float keep_checkpoint_every_n_hours = 10000;
  CheckpointFormat version = CheckpointFormat::kV2;
  std::string unknown_fields = {};  // of a newer SaverDef, carried

  friend bool operator==(const SaverDef&, const SaverDef&) = default;
};

}  // namespace cairn
