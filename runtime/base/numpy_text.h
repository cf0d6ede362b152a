// Tensors as text: the one printer behind Tensor::str, <<, messages and the commands.
#pragma once

#include <iosfwd>
#include <string>

#include "runtime/base/tensor.h"

namespace cairn {

// See Tensor::print. `tensor` is valid.
void print_like_numpy(std::ostream& out, const Tensor& tensor, int64_t threshold);

// See Tensor::summary. `tensor` is valid.
std::string summary_of(const Tensor& tensor, int64_t most);

}  // namespace cairn
