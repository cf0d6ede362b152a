// Compares the values of two checkpoints, of either format.
//
//   const CheckpointDiff diff =
//       diff_checkpoints(CheckpointReader("run/m-1000"), CheckpointReader("run/m-2000"));
//   for (const TensorDifference& d : diff.differences) std::cout << d.str() << "\n";
//   // W: float [784,10]: 7840 of 7840 elements differ, at most by 0.12, relative 0.9
//
// A call that fails:
//
//   diff_checkpoints(a, b, {.tolerance = -1});
//   // InvalidArgument: the tolerance of a comparison is 0 or more, got -1
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "persist/checkpoint/checkpoint_reader.h"

namespace CAIRN_API cairn {

// A tensor that is missing in one of the checkpoints or differs between them.
struct TensorDifference {
  struct Side {
    DType dtype = DType::kInvalid;
    Shape shape;
    int64_t nans = 0;  // elements that are NaN; counted only if values were compared
  };
  std::string name;
  std::optional<Side> a, b;  // nullopt if that checkpoint lacks the tensor

  // The following are set only if both tensors have the same dtype and shape.
  int64_t elements = 0, differing = 0;
  // The maximum of |a - b|, and of |a - b| / max(|a|, |b|), over the elements that are not NaN in
  // either tensor.
  double max_absolute = 0, max_relative = 0;
  bool has_numbers = false;  // false for strings: the maxima are not set

  bool same_type() const { return a && b && a->dtype == b->dtype && a->shape == b->shape; }
  // One line for the user.
  std::string str() const;
};

struct CheckpointDiff {
  std::vector<TensorDifference> differences;  // ordered by name
  int64_t same = 0;                           // the number of tensors without a difference
};

struct CheckpointDiffOptions {
  // 0: elements are equal if all their bits are. Otherwise numbers are equal if |a - b| <=
  // tolerance * max(1, |a|, |b|), and NaN equals NaN.
  double tolerance = 0;
};

// Compares all tensors. Slices and data files are not compared, only the assembled values. One
// tensor of each checkpoint is in memory at a time. The readers are not changed. Throws
// InvalidArgument for a tolerance that is negative or NaN, DataLoss for damage.
CheckpointDiff diff_checkpoints(const CheckpointReader& a, const CheckpointReader& b,
                                const CheckpointDiffOptions& options = {});

}  // namespace cairn
