// Compares the tensors that a restore asks for with those of the checkpoint.
#pragma once

#include <string>
#include <vector>

#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/saver/restore_report.h"
#include "runtime/graph/node.h"

namespace cairn {

// One tensor that a restore reads from a checkpoint.
struct RestoreItem {
  SharedString key;  // the name that RestoreV2 (RestoreSlice, Restore) asks for
  std::string spec;
  DType dtype = DType::kInvalid;
  Endpoint read;                   // the output that reads it; none if no node does
  const Node* variable = nullptr;  // the variable it is assigned to; null if unknown
  SharedString variable_name;      // the variable's name, or the key
  Shape shape = Shape::unknown();  // of the variable
  bool reshapes = false;           // only the number of elements must match
};

struct RestoreFit {
  RestoreReport report;
  std::vector<const RestoreItem*> restored;  // parallel to report.restored; point into the argument

  // True if every item is restored, without renaming or conversion.
  bool whole(const std::vector<RestoreItem>& items) const;
};

// Compares names, dtypes and shapes; reads no values. Throws InvalidArgument if the rules give
// several tensors the same name and that name is asked for.
RestoreFit fit_to_checkpoint(const CheckpointReader& reader, const std::vector<RestoreItem>& items,
                             const RestoreOptions& options);
// Throws one error that lists everything that does not fit and is not allowed by the options:
// NotFound if anything is missing, otherwise InvalidArgument.
void require_fit(const RestoreReport& report, const RestoreOptions& options);

// Reads the tensor of an item, or the part of it, and converts it if dtypes differ.
Tensor read_item(const CheckpointReader& reader, const RestoreItem& item,
                 const std::string& stored);

}  // namespace cairn
