// Moving elements without reading their values: shared by kernels that only rearrange. Such a
// kernel is compiled once, on bytes; a Mover has its loops, compiled for each width of elements.
//
//   Kernel prepare(const KernelSetup& s) {
//     return [&m = mover_of(s, s.dtype("T"))](KernelContext& c) {
//       const Tensor& x = c.input(0);
//       m.copy(c.allocate(0, x.shape()).raw_data(), x.raw_data(), x.num_elements());
//     };
//   }
#pragma once

#include "ops/core/dispatch.h"
#include "ops/core/extents.h"

namespace cairn {

// `extent` places in two tensors; `to` and `from` are the distances between neighbours, in
// elements.
struct Steps {
  int64_t extent, to, from;
};

struct Mover {
  int64_t size;      // bytes of an element
  const void* zero;  // an element: the number, or the empty string
  // Copies n adjacent elements.
  void (*copy)(void* to, const void* from, int64_t n);
  // Writes the element *value n times.
  void (*fill)(void* to, const void* value, int64_t n);
  // Copies rows.extent rows of row.extent elements each.
  void (*copy_rows)(void* to, const void* from, const Steps& row, const Steps& rows);

  // The address of element i.
  const void* at(const void* data, int64_t i) const {
    return static_cast<const char*>(data) + i * size;
  }
  void* at(void* data, int64_t i) const { return static_cast<char*>(data) + i * size; }
  const void* at(const Tensor& t, int64_t i) const { return at(t.raw_data(), i); }
  void* at(Tensor& t, int64_t i) const { return at(t.raw_data(), i); }
};
// For elements of `dtype`. Throws Unimplemented for dtypes that tensors cannot hold.
const Mover& mover_of(const KernelSetup& s, DType dtype);

// Returns `t`. Throws through c.fail unless it is of `dtype`: the dtype of a variable's value may
// differ from the one that a file gives its readers.
const Tensor& of_dtype(const KernelContext& c, const Tensor& t, DType dtype);
// The value of the variable at input i, to be changed in place. Throws as of_dtype.
Tensor& writable_value(KernelContext& c, int i, DType dtype);

template <class T>
const T* elements(const Tensor& t) {
  return static_cast<const T*>(t.raw_data());
}
template <class T>
T* elements(Tensor& t) {
  return static_cast<T*>(t.raw_data());
}

// The highest rank of kernels with per-extent tables.
inline constexpr int kMaxRank = 16;

// Copies a box of elements between two strided layouts. Extents are added from the innermost
// outwards, with their strides in elements (a source stride of 0 repeats, a negative one goes
// backwards); neighbouring extents that are contiguous in both are joined.
//
//   StridedCopy copy(c, mover);
//   copy.add(columns, 1, 1);
//   copy.add(rows, columns, source_columns);
//   copy.run(to, from);
class StridedCopy {
 public:
  StridedCopy(KernelContext& c, const Mover& mover) : c_(c), mover_(mover) {}
  void add(int64_t extent, int64_t to, int64_t from);
  void run(void* to, const void* from) const;

 private:
  int column_dim() const;
  void run_rows(void* to, const void* from) const;
  void run_blocks(int across, void* to, const void* from) const;

  KernelContext& c_;
  const Mover& mover_;
  std::array<Steps, kMaxRank> dims_;
  int rank_ = 0;
  bool empty_ = false;
};

// Copies `rows` runs of `n` elements each; the starts of consecutive runs are `to_step` and
// `from_step` apart.
void copy_runs(KernelContext& c, const Mover& mover, int64_t rows, int64_t n, void* to,
               int64_t to_step, const void* from, int64_t from_step);

// All elements of `t` become *value.
void fill_all(KernelContext& c, const Mover& mover, Tensor& t, const void* value);

}  // namespace cairn
