// What differs between the values of two checkpoints, of either format.
//
//   const CheckpointDiff diff =
//       diff_checkpoints(CheckpointReader("run/m-1000"), CheckpointReader("run/m-2000"));
//   for (const TensorDifference& d : diff.differences) std::cout << d.str() << "\n";
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "persist/checkpoint/checkpoint_reader.h"

namespace CAIRN_API cairn {

struct TensorDifference {
  struct Side {
    DType dtype = DType::kInvalid;
    Shape shape;
    int64_t nans = 0;  // counted where values were compared
  };
  std::string name;
  std::optional<Side> a, b;  // nothing where that checkpoint does not have the tensor

  // Only of two tensors of one dtype and shape:
  int64_t elements = 0, differing = 0;
  // Over the elements that are numbers on both sides: of |a - b|, and of that divided by the larger
  // of |a| and |b|.
  double max_absolute = 0, max_relative = 0;
  bool has_numbers = false;  // false for strings, of which only `differing` is known

  bool same_type() const { return a && b && a->dtype == b->dtype && a->shape == b->shape; }
  std::string str() const;
};

struct CheckpointDiff {
  std::vector<TensorDifference> differences;  // in order of name
  int64_t same = 0;                           // tensors without a difference
};

struct CheckpointDiffOptions {
  // 0: elements differ when a bit does. Else numbers a, b are alike when |a - b| <= tolerance *
  // max(1, |a|, |b|), and NaN is like NaN.
  double tolerance = 0;
};

// How tensors are cut into slices and files is no difference. Holds one tensor of each in memory at
// a time. Throws InvalidArgument for a tolerance that is negative or NaN, DataLoss for damage.
CheckpointDiff diff_checkpoints(const CheckpointReader& a, const CheckpointReader& b,
                                const CheckpointDiffOptions& options = {});

}  // namespace cairn
