// oneDNN, where the machine has it. Nothing of it is needed to compile or to run: the library
// (libdnnl.so.2 or .3, Debian's libdnnl2) is loaded when the first product that is worth it asks,
// which takes some 20 ms, once. CAIRN_ONEDNN=0 in the environment does without.
#pragma once

#include <cstdint>

namespace cairn {

// C [m,n] = alpha · A · B + beta · C, row-major, on the calling thread alone; A is a, or its
// transpose where `ta`, and so is B. With beta 0 C may hold anything. False, and nothing done,
// where there is no oneDNN.
bool onednn_sgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
                  int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc);

// Whether it is there, and multiplies by kernels that read the operands where they stand: with
// AVX-512 it copies them into blocks of its own.
bool onednn_reads_in_place();

}  // namespace cairn
