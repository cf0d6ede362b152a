// Matrix products, of float, double, int32, int64, half and bfloat16 (the 16-bit floats are summed
// in float; integers wrap around). The result is the same for every number of threads.
//
//   auto logits = matmul(images, weights);                       // [100,784] · [784,10]
//   auto gram = matmul(x, x, {.transpose_a = true});             // [n,k] -> [k,k]
//
//   matmul(images, images);     // InvalidArgument: inner dimensions differ: 784 and 100
#pragma once

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct MatMulOptions {
  bool transpose_a = false, transpose_b = false;
  std::string name = "";
};

// a [m,k] · b [k,n] = [m,n] (TensorFlow's MatMul); with transpose_a, a is given as [k,m], with
// transpose_b, b as [n,k]. Tensors of higher rank are stacks of matrices, multiplied one by one:
// [s,t,m,k] · [s,t,k,n] = [s,t,m,n] (TensorFlow's BatchMatMul, named MatMul). Throws
// InvalidArgument unless both have one dtype and rank, and the inner dimensions agree; a run does
// so for shapes that were not known before.
Output matmul(const Operand& a, const Operand& b, const MatMulOptions& options = {});

struct BatchMatMulOptions {
  bool adj_x = false, adj_y = false;
  std::string name = "";
};
// The op BatchMatMul under its own name; rank 2 is allowed. adj_x, adj_y: the matrices are given
// transposed.
Output batch_matmul(const Operand& x, const Operand& y, const BatchMatMulOptions& options = {});

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> matmul_ops();

}  // namespace cairn
