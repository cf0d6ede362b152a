// Copying elements without reading their values: shared by kernels that only rearrange.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <type_traits>

#include "runtime/exec/context.h"

namespace cairn {

// An element of a given width, of any dtype. All bytes zero is the zero of every numeric dtype.
template <class Bits, int kCount = 1>
struct [[gnu::may_alias]] Cell {
  std::array<Bits, kCount> bits{};
};

// Picks the kernel by the width of elements: calls make.template operator()<T>() with a Cell or
// std::string, so that six bodies serve all dtypes. Throws Unimplemented for dtypes that tensors
// cannot hold.
template <class Make>
Kernel by_width(const KernelSetup& s, DType dtype, Make&& make) {
  if (dtype == DType::kString) return make.template operator()<std::string>();
  switch (dtype_size(dtype)) {
    case 1:
      return make.template operator()<Cell<uint8_t>>();
    case 2:
      return make.template operator()<Cell<uint16_t>>();
    case 4:
      return make.template operator()<Cell<uint32_t>>();
    case 8:
      return make.template operator()<Cell<uint64_t>>();
    case 16:
      return make.template operator()<Cell<uint64_t, 2>>();
    default:
      s.unimplemented(str_cat("there is no kernel for elements of dtype ", dtype));
  }
}

template <class T>
const T* elements(const Tensor& t) {
  return static_cast<const T*>(t.raw_data());
}
template <class T>
T* elements(Tensor& t) {
  return static_cast<T*>(t.raw_data());
}

// The elements of an int32, int64 or uint8 tensor of any shape, read as int64.
class IntReader {
 public:
  explicit IntReader(const Tensor& t)
      : data_(t.raw_data()),
        size_(t.num_elements()),
        width_(static_cast<int>(dtype_size(t.dtype()))) {}
  int64_t size() const { return size_; }
  int64_t operator[](int64_t i) const {
    if (width_ == 4) return static_cast<const int32_t*>(data_)[i];
    return width_ == 8 ? static_cast<const int64_t*>(data_)[i]
                       : static_cast<const uint8_t*>(data_)[i];
  }

 private:
  const void* data_;
  int64_t size_;
  int width_;
};

// The integers at input i, which must be a vector; shape functions check that only if ranks are
// known. Throws through c.fail.
inline IntReader vector_input(const KernelContext& c, int i, const char* what) {
  if (c.input(i).rank() != 1)
    c.fail(str_cat(what, " must be a vector, got shape ", c.input(i).shape()));
  return IntReader(c.input(i));
}

// The highest rank of kernels with per-extent tables.
inline constexpr int kMaxRank = 16;

// Copies a box of elements between two strided layouts. Extents are added from the innermost
// outwards, with their strides in elements (a source stride of 0 repeats, a negative one goes
// backwards); neighbouring extents that are contiguous in both are joined.
//
//   StridedCopy copy(c);
//   copy.add(columns, 1, 1);
//   copy.add(rows, columns, source_columns);
//   copy.run(to, from);
class StridedCopy {
 public:
  explicit StridedCopy(KernelContext& c) : c_(c) {}

  void add(int64_t extent, int64_t to, int64_t from) {
    if (extent == 0) empty_ = true;
    if (extent <= 1) return;
    if (rank_ > 0) {
      Dim& last = dims_[static_cast<size_t>(rank_ - 1)];
      if (to == last.to * last.extent && from == last.from * last.extent) {
        last.extent *= extent;
        return;
      }
    }
    if (rank_ == kMaxRank)
      c_.fail("a tensor of such a rank cannot be rearranged", Code::kUnimplemented);
    dims_[static_cast<size_t>(rank_++)] = {extent, to, from};
  }

  template <class T>
  void run(T* to, const T* from) const {
    if (empty_) return;
    const Dim row = rank_ > 0 ? dims_[0] : Dim{1, 1, 1};
    if (rank_ <= 1) return copy_row(row, to, from);
    const int across = column_dim();
    if (across > 0) return run_blocks(across, to, from);
    if (rank_ == 2) return run_rows(row, dims_[1], to, from);
    Odometer walk{};
    for (int i = 1; i < rank_; ++i) walk.add(dims_[static_cast<size_t>(i)]);
    c_.parallel_for(walk.count, row_cost<T>(row), [&](int64_t begin, int64_t end) {
      for (Odometer w = walk.from(begin); begin < end; ++begin, w.next())
        copy_row(row, to + w.to, from + w.from_offset);
    });
  }

 private:
  struct Dim {
    int64_t extent, to, from;
  };
  // Counts through the index tuples of some of the extents.
  struct Odometer {
    std::array<Dim, kMaxRank> dims;
    std::array<int64_t, kMaxRank> at;
    int rank;
    int64_t count = 1, to = 0, from_offset = 0;

    void add(const Dim& dim) {
      dims[static_cast<size_t>(rank++)] = dim;
      count *= dim.extent;
    }
    Odometer from(int64_t index) const {
      Odometer walk = *this;
      for (size_t i = 0; i < static_cast<size_t>(rank); ++i) {
        walk.at[i] = index % dims[i].extent;
        index /= dims[i].extent;
        walk.to += walk.at[i] * dims[i].to;
        walk.from_offset += walk.at[i] * dims[i].from;
      }
      return walk;
    }
    void next() {
      for (size_t i = 0; i < static_cast<size_t>(rank); ++i) {
        to += dims[i].to;
        from_offset += dims[i].from;
        if (++at[i] < dims[i].extent) return;
        to -= dims[i].to * dims[i].extent;
        from_offset -= dims[i].from * dims[i].extent;
        at[i] = 0;
      }
    }
  };

  template <class T>
  static void copy_row(const Dim& row, T* to, const T* from) {
    if (row.to == 1 && row.from == 1) {
      std::copy_n(from, row.extent, to);
    } else if (row.to == 1 && row.from == 0) {
      std::fill_n(to, row.extent, *from);
    } else {
      for (int64_t i = 0; i < row.extent; ++i) to[i * row.to] = from[i * row.from];
    }
  }

  template <class T>
  static double row_cost(const Dim& row) {
    return sizeof(T) * static_cast<double>(row.extent) / 16 + 3;
  }

  // The most common case, without an odometer.
  template <class T>
  void run_rows(const Dim& row, const Dim& rows, T* to, const T* from) const {
    c_.parallel_for(rows.extent, row_cost<T>(row), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) copy_row(row, to + i * rows.to, from + i * rows.from);
    });
  }

  // The extent with adjacent source elements, if those of the innermost extent are not adjacent: a
  // transposition, done in blocks so that both sides stay in cache. 0 if there is none.
  int column_dim() const {
    constexpr int64_t kWorthwhile = 8;
    if (rank_ < 2 || dims_[0].to != 1 || dims_[0].from == 1 || dims_[0].extent < kWorthwhile)
      return 0;
    for (int i = 1; i < rank_; ++i) {
      const Dim& dim = dims_[static_cast<size_t>(i)];
      if (dim.from == 1 && dim.extent >= kWorthwhile) return i;
    }
    return 0;
  }

  template <class T>
  void run_blocks(int across, T* to, const T* from) const {
    constexpr int64_t kBlock = 32;
    const Dim row = dims_[0], column = dims_[static_cast<size_t>(across)];
    Odometer walk{};
    walk.add({(column.extent + kBlock - 1) / kBlock, column.to * kBlock, kBlock});
    for (int i = 1; i < rank_; ++i) {
      if (i != across) walk.add(dims_[static_cast<size_t>(i)]);
    }
    const double cost = sizeof(T) * static_cast<double>(row.extent * kBlock) / 8;
    c_.parallel_for(walk.count, cost, [&](int64_t begin, int64_t end) {
      for (Odometer w = walk.from(begin); begin < end; ++begin, w.next()) {
        const int64_t columns = std::min(kBlock, column.extent - w.at[0] * kBlock);
        for (int64_t first = 0; first < row.extent; first += kBlock) {
          const int64_t last = std::min(first + kBlock, row.extent);
          for (int64_t j = 0; j < columns; ++j) {
            T* line = to + w.to + j * column.to;
            const T* source = from + w.from_offset + j;
            for (int64_t i = first; i < last; ++i) line[i] = source[i * row.from];
          }
        }
      }
    });
  }

  KernelContext& c_;
  std::array<Dim, kMaxRank> dims_;
  int rank_ = 0;
  bool empty_ = false;
};

// Copies `rows` runs of `n` elements each; the starts of consecutive runs are `to_step` and
// `from_step` apart.
template <class T>
void copy_runs(KernelContext& c, int64_t rows, int64_t n, T* to, int64_t to_step, const T* from,
               int64_t from_step) {
  StridedCopy copy(c);
  copy.add(n, 1, 1);
  copy.add(rows, to_step, from_step);
  copy.run(to, from);
}

template <class T>
void fill_all(KernelContext& c, Tensor& t, const T& value) {
  T* to = elements<T>(t);
  c.parallel_for(t.num_elements(), sizeof(T) / 16.0,
                 [&](int64_t begin, int64_t end) { std::fill(to + begin, to + end, value); });
}

// The products of the extents before and after `axis`: a tensor as [before, shape[axis], after].
inline int64_t product_of(const Shape& shape, int begin, int end) {
  int64_t product = 1;
  for (int i = begin; i < end; ++i) product *= shape[i];
  return product;
}
inline int64_t extents_before(const Shape& shape, int axis) { return product_of(shape, 0, axis); }
inline int64_t extents_after(const Shape& shape, int axis) {
  return product_of(shape, axis + 1, shape.rank());
}

// `axis` counted from the front, for a tensor of `rank` (for an axis to be inserted: its rank + 1).
// Throws through c.fail.
template <class Context>
int axis_of(const Context& c, int64_t axis, int rank, const char* what = "axis") {
  if (axis < -rank || axis >= rank) {
    c.fail(
        str_cat(what, " ", axis, " is outside [", -rank, ", ", rank, "), as the rank is ", rank));
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

// a * b and a + b of extents, none negative. Throw through c.fail if the result does not fit in 63
// bits.
template <class Context>
int64_t times(const Context& c, int64_t a, int64_t b) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product))
    c.fail(str_cat("an extent of ", a, " times ", b, " is out of range"));
  return product;
}
template <class Context>
int64_t plus(const Context& c, int64_t a, int64_t b) {
  int64_t sum;
  if (__builtin_add_overflow(a, b, &sum))
    c.fail(str_cat("an extent of ", a, " plus ", b, " is out of range"));
  return sum;
}

// The shape given by an integer vector. Throws through c.fail for negative extents and for another
// rank.
template <class Context>
Shape shape_of_vector(const Context& c, const Tensor& dims, const char* what) {
  if (dims.rank() > 1) c.fail(str_cat(what, " must be a vector, got shape ", dims.shape()));
  const IntReader values(dims);
  Shape shape;
  for (int64_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0)
      c.fail(str_cat(what, "[", i, "] is ", values[i], ": an extent must not be negative"));
    shape.append(values[i]);
  }
  return shape;
}

}  // namespace cairn
