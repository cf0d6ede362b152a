// Eigen views of tensors, for kernels only.
#pragma once

#include "ops/core/eigen_core.h"
#include "runtime/base/tensor.h"

namespace cairn {

template <class T>
using EigenMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// A rank-2 tensor as a matrix, and the elements of any tensor as one array. They view the tensor's
// memory, which need not be aligned, as users may provide it.
template <class T>
Eigen::Map<const EigenMatrix<T>> as_matrix(const Tensor& t) {
  return {static_cast<const T*>(t.raw_data()), t.dim(0), t.dim(1)};
}
template <class T>
Eigen::Map<EigenMatrix<T>> as_matrix(Tensor& t) {
  return {static_cast<T*>(t.raw_data()), t.dim(0), t.dim(1)};
}
template <class T>
Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>> as_array(const T* data, int64_t n) {
  return {data, n};
}
template <class T>
Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>> as_array(T* data, int64_t n) {
  return {data, n};
}

}  // namespace cairn
