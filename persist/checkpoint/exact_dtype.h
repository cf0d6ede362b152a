// Conversion between dtypes without loss.
#pragma once

#include "runtime/base/tensor.h"

namespace cairn {

// True if values of `from` can be values of `to`: both are real or bool, or both are complex.
bool is_convertible(DType from, DType to);

// The tensor converted to `to`. NaN is converted to NaN, and either zero to an integer's 0. Throws
// InvalidArgument naming the first element that `to` cannot represent: "element 3, 3000000000, is
// no int32".
Tensor converted_exactly(const Tensor& tensor, DType to);

}  // namespace cairn
