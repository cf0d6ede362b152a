// Numbers of one dtype as another, where nothing is lost.
#pragma once

#include "runtime/base/tensor.h"

namespace cairn {

// Whether there may be values of `from` that `to` holds: both are real numbers or bool, or both
// complex.
bool is_convertible(DType from, DType to);

// The tensor with the same values in `to`. NaN stays NaN, and zero of either sign is an integer's
// zero. Throws InvalidArgument naming the first element that `to` does not hold: "element 3,
// 3000000000, is no int32".
Tensor converted_exactly(const Tensor& tensor, DType to);

}  // namespace cairn
