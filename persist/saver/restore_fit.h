// How what is asked of a checkpoint fits what it holds.
#pragma once

#include <string>
#include <vector>

#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/saver/restore_report.h"
#include "runtime/graph/node.h"

namespace cairn {

// One tensor that a restore reads from a checkpoint.
struct RestoreItem {
  SharedString key;  // as RestoreV2 (RestoreSlice, Restore) asks for it
  std::string spec;
  DType dtype = DType::kInvalid;
  Endpoint read;                   // the tensor that a node reads; none where no node does
  const Node* variable = nullptr;  // what it is given to; null where that cannot be told
  SharedString variable_name;      // its, or the key
  Shape shape = Shape::unknown();  // of the variable
  bool reshapes = false;           // only the number of elements counts
};

struct RestoreFit {
  RestoreReport report;
  std::vector<const RestoreItem*> restored;  // as report.restored; points into what was given

  // Every item is restored, under the name it has.
  bool whole(const std::vector<RestoreItem>& items) const;
};

// Reads no values. Throws InvalidArgument when the rules give several tensors one name that is
// asked for.
RestoreFit fit_to_checkpoint(const CheckpointReader& reader, const std::vector<RestoreItem>& items,
                             const RestoreOptions& options);
// Throws what does not fit and is not allowed for, all of it in one Error: NotFound where anything
// is missing, else InvalidArgument.
void require_fit(const RestoreReport& report, const RestoreOptions& options);

// The tensor, or the part of it, that an item asks for.
Tensor read_item(const CheckpointReader& reader, const RestoreItem& item,
                 const std::string& stored);

}  // namespace cairn
