// oneDNN, if the machine has it. It is not needed to build or to run: the library (libdnnl.so.2 or
// .3, Debian's libdnnl2) is loaded at the first product that is large enough, once, in some 20 ms.
// CAIRN_ONEDNN=0 in the environment turns it off.
#pragma once

#include <cstdint>

namespace cairn {

// C [m,n] = alpha · A · B + beta · C, row-major, on the calling thread alone; A is a or, if `ta`,
// its transpose, and likewise B. With beta 0 C may be uninitialized. Returns false, and does
// nothing, if there is no oneDNN.
bool onednn_sgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
                  int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc);

// True if oneDNN is there and its kernels read the operands in place: with AVX-512 it copies them
// into blocks.
bool onednn_reads_in_place();

}  // namespace cairn
