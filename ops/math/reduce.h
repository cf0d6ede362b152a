// Sums, means, extremes and their positions along axes of a tensor.
//
//   auto loss = reduce_mean(squared_error);                      // over everything: a scalar
//   auto rows = reduce_sum(x, 1);                                // [100,10] -> [100]
//   auto norm = reduce_max(x, {1, 2}, {.keep_dims = true});      // [100,8,8] -> [100,1,1]
//
// Calls that fail, with InvalidArgument, for x [100,10]:
//
//   reduce_sum(x, 2);         // axis 2 is not in [-2, 2), the axes of a tensor of rank 2
//   reduce_sum(x, {1, -1});   // axis 1 is named twice
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// The axes to reduce: all (the default), one, a list (an empty vector: none), or an integer tensor,
// whose value is used when the graph runs. Negative axes count from the end.
class Axes {
 public:
  Axes() : all_(true) {}
  Axes(int axis) : list_{axis}, scalar_(true) {}  // NOLINT: implicit on purpose, as are all here
  Axes(std::initializer_list<int> axes) : list_(axes) {}                   // NOLINT
  Axes(const std::vector<int>& axes) : list_(axes.begin(), axes.end()) {}  // NOLINT
  Axes(const Output& axes, SourceLocation at = SourceLocation::current())  // NOLINT
      : tensor_(Operand(axes, at)) {}

  // Throws FailedPrecondition, naming `op` and the line, for an empty handle: it does not mean "all
  // axes", which is Axes().
  void require(std::string_view op) const {
    if (tensor_) tensor_->require(op);
  }
  // The node of the axes that TensorFlow's Python makes before it opens the scope of a reduction of
  // `x`: the given tensor, or if all axes are meant a constant 0 … rank-1, or a range if the rank
  // is unknown. Invalid for axes given as numbers: their constant is made by given().
  Output tensor_or_all(const Output& x) const;
  // The constant named `name` of axes given as numbers.
  Output given(Graph& graph, std::string_view name) const;

 private:
  std::vector<int32_t> list_;
  std::optional<Operand> tensor_;
  bool all_ = false, scalar_ = false;
};

struct ReduceOptions {
  bool keep_dims = false;  // keep reduced axes, with extent 1
  std::string name = "";
};

// Reductions of floats and of integers other than uint32 and uint64; reduce_all and reduce_any:
// bool. Floats are summed in blocks, 16-bit floats in float, and integers wrap around; the order of
// additions does not depend on the number of threads. A mean of integers is summed in 64 bits and
// rounded towards zero: of [-3, 2] it is 0. A maximum or minimum is NaN if an element is. Over no
// elements: sum 0, product 1, mean NaN (of integers: an error), maximum and minimum the infinities
// or the limits of the dtype. Throw InvalidArgument for an axis that x does not have or that is
// named twice, FailedPrecondition for an empty handle.
Output reduce_sum(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});
Output reduce_mean(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});
Output reduce_prod(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});
Output reduce_max(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});
Output reduce_min(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});
// Of bool.
Output reduce_all(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});
Output reduce_any(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});

// For gradients of reductions: the shape after a reduction that keeps reduced axes, of a tensor of
// shape `input_shape`: 1 at each of `axes`, else the extent. Both are integer vectors.
Output reduced_shape(const Operand& input_shape, const Operand& axes);

struct ArgOptions {
  DType output_type = DType::kInt64;  // or kInt32
  std::string name = "";
};
// The index of the largest (smallest) element along `axis`: the first of equal ones, and the first
// NaN if there is one, in agreement with reduce_max and reduce_min. The axis is removed. Throws
// InvalidArgument for an axis that x does not have; a run also for an axis without elements ("axis
// 1 of shape [2,0] is empty: it has no extreme") and for an index that output_type cannot hold.
//
//   auto predicted = argmax(logits, 1);                          // [100,10] -> [100], int64
Output argmax(const Operand& x, const Operand& axis = 0, const ArgOptions& options = {});
Output argmin(const Operand& x, const Operand& axis = 0, const ArgOptions& options = {});

struct CumulateOptions {
  bool exclusive = false;  // excludes the element itself: the first result is 0 (or 1)
  bool reverse = false;    // from the end
  std::string name = "";
};
// Running sums and products along `axis`, of the shape of x. Gradients of cumprod are right where x
// is zero: the first and second derivatives always, higher ones if at most two elements in a line
// along the axis are zero.
//
//   cumsum(x, 0)                              // of [1 2 3]: [1 3 6]
//   cumsum(x, 0, {.exclusive = true})         // of [1 2 3]: [0 1 3]
Output cumsum(const Operand& x, const Operand& axis = 0, const CumulateOptions& options = {});
Output cumprod(const Operand& x, const Operand& axis = 0, const CumulateOptions& options = {});

// The elements of the vector x that are not in y, in order, and their indices in x, as int32
// (TensorFlow's ListDiff). Throws InvalidArgument unless both are vectors of one dtype.
std::pair<Output, Output> list_diff(const Operand& x, const Operand& y,
                                    const NameOptions& options = {});

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> reduce_ops();
std::span<const OpDef* const> arg_ops();

}  // namespace cairn
