// Sums, means, extremes and their positions along axes of a tensor.
//
//   auto loss = reduce_mean(squared_error);                      // over everything: a scalar
//   auto rows = reduce_sum(x, 1);                                // [100,10] -> [100]
//   auto norm = reduce_max(x, {1, 2}, {.keep_dims = true});      // [100,8,8] -> [100,1,1]
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// Which axes to reduce: all (the default), one, a list (an empty vector: none), or what an integer
// tensor says when it runs. Negative axes count from the end.
class Axes {
 public:
  Axes() : all_(true) {}
  Axes(int axis) : list_{axis}, scalar_(true) {}  // NOLINT: implicit on purpose, as are all here
  Axes(std::initializer_list<int> axes) : list_(axes) {}                   // NOLINT
  Axes(const std::vector<int>& axes) : list_(axes.begin(), axes.end()) {}  // NOLINT
  Axes(const Output& axes, SourceLocation at = SourceLocation::current())  // NOLINT
      : tensor_(Operand(axes, at)) {}

  // Throws FailedPrecondition, naming `op` and the line, for an empty handle: "all axes" is said by
  // none.
  void require(std::string_view op) const {
    if (tensor_) tensor_->require(op);
  }
  // The axes as TensorFlow's Python makes them in front of a reduction of `x`: a constant 0 …
  // rank-1, or for a tensor of unknown rank a range, where all are meant; invalid where they are
  // given and `given` makes the constant.
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

// Floats add up in blocks, 16-bit floats in float, integers wrap around; the order does not depend
// on threads. A mean of integers is summed in 64 bits and cut off as C++ divides: of [-3, 2] it is
// 0. A maximum or minimum is NaN where any of its elements is. Of no elements: sum 0, product 1,
// mean NaN (of integers: an error), maximum and minimum the infinities or the dtype's ends. Throw
// InvalidArgument for an axis that x does not have or that is named twice, FailedPrecondition for
// an empty handle.
Output reduce_sum(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});
Output reduce_mean(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});
Output reduce_prod(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});
Output reduce_max(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});
Output reduce_min(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});
// of bool
Output reduce_all(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});
// of bool
Output reduce_any(const Operand& x, const Axes& axes = {}, const ReduceOptions& options = {});

// The shape of a reduction of a tensor of shape `input_shape` that keeps reduced axes: 1 where
// `axes` says, else the extent. Both are integer vectors. What gradients of reductions are made of.
Output reduced_shape(const Operand& input_shape, const Operand& axes);

struct ArgOptions {
  DType output_type = DType::kInt64;  // or kInt32
  std::string name = "";
};
// The index of the largest (smallest) element along `axis`, the first of equals; the first NaN
// where there is one, as that is what reduce_max and reduce_min give. Throws InvalidArgument for an
// axis that x does not have, when it is run for one without elements.
//   auto predicted = argmax(logits, 1);
Output argmax(const Operand& x, const Operand& axis = 0, const ArgOptions& options = {});
Output argmin(const Operand& x, const Operand& axis = 0, const ArgOptions& options = {});

struct CumulateOptions {
  bool exclusive = false;  // leave out the element itself: the first result is 0 (or 1)
  bool reverse = false;    // from the end
  std::string name = "";
};
// Running sums and products along `axis`. Gradients of cumprod take zeros as they are: the first
// and second derivatives are right wherever zeros stand, higher ones where at most two stand in a
// line along the axis.
Output cumsum(const Operand& x, const Operand& axis = 0, const CumulateOptions& options = {});
Output cumprod(const Operand& x, const Operand& axis = 0, const CumulateOptions& options = {});

// The elements of the vector x that are not in y, in order, and where they stand in x, as int32
// (TensorFlow's ListDiff).
std::pair<Output, Output> list_diff(const Operand& x, const Operand& y,
                                    const NameOptions& options = {});

std::span<const OpDef* const> reduce_ops();
std::span<const OpDef* const> arg_ops();

}  // namespace cairn
