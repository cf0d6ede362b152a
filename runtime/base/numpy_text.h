// Tensors as text: the one printer behind Tensor::str(), Tensor::summary(), <<, messages and the
// commands.
#pragma once

#include <iosfwd>
#include <string>

#include "runtime/base/tensor.h"

namespace cairn {

// The body of Tensor::print(): the array as NumPy prints it, written to `out` one element at a
// time. `tensor` must be valid.
void print_like_numpy(std::ostream& out, const Tensor& tensor, int64_t threshold);

// The body of Tensor::summary(): one line. `tensor` must be valid.
std::string summary_of(const Tensor& tensor, int64_t most);

}  // namespace cairn
