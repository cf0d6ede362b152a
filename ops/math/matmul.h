// Matrix products.
#pragma once

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct MatMulOptions {
  bool transpose_a = false, transpose_b = false;
  std::string name = "";
};

// a [m,k] · b [k,n] = [m,n] (TensorFlow's MatMul); with transpose_a, a is given as [k,m], with
// transpose_b, b as [n,k]. Tensors of more extents are stacks of matrices, multiplied one by one:
// [s,t,m,k] · [s,t,k,n] = [s,t,m,n] (TensorFlow's BatchMatMul, named MatMul). Throws
// InvalidArgument unless both are of one dtype, of as many extents, and inner dimensions agree.
//   auto logits = matmul(images, weights);
Output matmul(const Operand& a, const Operand& b, const MatMulOptions& options = {});

struct BatchMatMulOptions {
  bool adj_x = false, adj_y = false;
  std::string name = "";
};
// The op by itself, named BatchMatMul. adj_x, adj_y: the matrices are given transposed.
Output batch_matmul(const Operand& x, const Operand& y, const BatchMatMulOptions& options = {});

std::span<const OpDef* const> matmul_ops();

}  // namespace cairn
