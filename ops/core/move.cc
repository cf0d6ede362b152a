#include "ops/core/move.h"

#include <algorithm>

namespace cairn {
namespace {

// ---- loops for each width -----------------------------------------------------------------------

template <class T>
void copy(void* to, const void* from, int64_t n) {
  std::copy_n(static_cast<const T*>(from), n, static_cast<T*>(to));
}

template <class T>
void fill(void* to, const void* value, int64_t n) {
  std::fill_n(static_cast<T*>(to), n, *static_cast<const T*>(value));
}

// Calls body(to, from) for the first elements of each row.
template <class T, class Body>
void each_row(void* to, const void* from, const Steps& rows, const Body& body) {
  for (int64_t i = 0; i < rows.extent; ++i)
    body(static_cast<T*>(to) + i * rows.to, static_cast<const T*>(from) + i * rows.from);
}

template <class T>
void copy_rows(void* to, const void* from, const Steps& row, const Steps& rows) {
  const int64_t n = row.extent, to_step = row.to, from_step = row.from;
  if (to_step == 1 && from_step == 1) {
    each_row<T>(to, from, rows, [n](T* to, const T* from) { std::copy_n(from, n, to); });
  } else if (to_step == 1 && from_step == 0) {
    each_row<T>(to, from, rows, [n](T* to, const T* from) { std::fill_n(to, n, *from); });
  } else if (to_step == 1) {
    each_row<T>(to, from, rows, [n, from_step](T* to, const T* from) {
      for (int64_t i = 0; i < n; ++i) to[i] = from[i * from_step];
    });
  } else {
    each_row<T>(to, from, rows, [n, to_step, from_step](T* to, const T* from) {
      for (int64_t i = 0; i < n; ++i) to[i * to_step] = from[i * from_step];
    });
  }
}

template <class T>
const T kZero{};
template <class T>
constexpr Mover kMover = {sizeof(T), &kZero<T>, copy<T>, fill<T>, copy_rows<T>};

}  // namespace

const Mover& mover_of(const KernelSetup& s, DType dtype) {
  return *by_width(s, dtype, []<class T>() { return &kMover<T>; });
}

const Tensor& of_dtype(const KernelContext& c, const Tensor& t, DType dtype) {
  if (storage_dtype(t.dtype()) != storage_dtype(dtype))
    c.fail(str_cat("tensor of dtype ", t.dtype(), " and shape ", t.shape(), " read as ", dtype));
  return t;
}
Tensor& writable_value(KernelContext& c, int i, DType dtype) {
  Tensor& value = c.variable(i).writable();
  of_dtype(c, value, dtype);
  return value;
}

// ---- strided copies -----------------------------------------------------------------------------

namespace {

// Counts through the index tuples of some of the extents.
struct Odometer {
  std::array<Steps, kMaxRank> dims;
  std::array<int64_t, kMaxRank> at;
  int rank;
  int64_t count = 1, to = 0, from_offset = 0;

  void add(const Steps& dim) {
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

}  // namespace

void StridedCopy::add(int64_t extent, int64_t to, int64_t from) {
  if (extent == 0) empty_ = true;
  if (extent <= 1) return;
  if (rank_ > 0) {
    Steps& last = dims_[static_cast<size_t>(rank_ - 1)];
    if (to == last.to * last.extent && from == last.from * last.extent) {
      last.extent *= extent;
      return;
    }
  }
  if (rank_ == kMaxRank)
    c_.fail("a tensor of such a rank cannot be rearranged", Code::kUnimplemented);
  dims_[static_cast<size_t>(rank_++)] = {extent, to, from};
}

void StridedCopy::run(void* to, const void* from) const {
  if (empty_) return;
  if (rank_ <= 1)
    return mover_.copy_rows(to, from, rank_ > 0 ? dims_[0] : Steps{1, 1, 1}, {1, 0, 0});
  const int across = column_dim();
  across > 0 ? run_blocks(across, to, from) : run_rows(to, from);
}

// The rows along the innermost extent, as many at a time as the next extent has.
void StridedCopy::run_rows(void* to, const void* from) const {
  const Steps row = dims_[0], rows = dims_[1];
  Odometer outer{};
  for (int i = 2; i < rank_; ++i) outer.add(dims_[static_cast<size_t>(i)]);
  const double cost = static_cast<double>(mover_.size * row.extent) / 16 + 3;
  c_.parallel_for(outer.count * rows.extent, cost, [&](int64_t begin, int64_t end) {
    int64_t first = begin % rows.extent;
    for (Odometer w = outer.from(begin / rows.extent); begin < end; w.next(), first = 0) {
      const int64_t n = std::min(rows.extent - first, end - begin);
      mover_.copy_rows(mover_.at(to, w.to + first * rows.to),
                       mover_.at(from, w.from_offset + first * rows.from), row,
                       {n, rows.to, rows.from});
      begin += n;
    }
  });
}

// The extent with adjacent source elements, if those of the innermost extent are not adjacent: a
// transposition, done in blocks so that both sides stay in cache. 0 if there is none.
int StridedCopy::column_dim() const {
  constexpr int64_t kWorthwhile = 8;
  if (rank_ < 2 || dims_[0].to != 1 || dims_[0].from == 1 || dims_[0].extent < kWorthwhile)
    return 0;
  for (int i = 1; i < rank_; ++i) {
    const Steps& dim = dims_[static_cast<size_t>(i)];
    if (dim.from == 1 && dim.extent >= kWorthwhile) return i;
  }
  return 0;
}

void StridedCopy::run_blocks(int across, void* to, const void* from) const {
  constexpr int64_t kBlock = 32;
  const Steps row = dims_[0], column = dims_[static_cast<size_t>(across)];
  Odometer walk{};
  walk.add({(column.extent + kBlock - 1) / kBlock, column.to * kBlock, kBlock});
  for (int i = 1; i < rank_; ++i) {
    if (i != across) walk.add(dims_[static_cast<size_t>(i)]);
  }
  const double cost = static_cast<double>(mover_.size * row.extent * kBlock) / 8;
  c_.parallel_for(walk.count, cost, [&](int64_t begin, int64_t end) {
    for (Odometer w = walk.from(begin); begin < end; ++begin, w.next()) {
      const int64_t columns = std::min(kBlock, column.extent - w.at[0] * kBlock);
      for (int64_t i = 0; i < row.extent; i += kBlock) {
        mover_.copy_rows(mover_.at(to, w.to + i), mover_.at(from, w.from_offset + i * row.from),
                         {std::min(kBlock, row.extent - i), 1, row.from}, {columns, column.to, 1});
      }
    }
  });
}

void copy_runs(KernelContext& c, const Mover& mover, int64_t rows, int64_t n, void* to,
               int64_t to_step, const void* from, int64_t from_step) {
  StridedCopy copy(c, mover);
  copy.add(n, 1, 1);
  copy.add(rows, to_step, from_step);
  copy.run(to, from);
}

void fill_all(KernelContext& c, const Mover& mover, Tensor& t, const void* value) {
  void* const to = t.raw_data();
  c.parallel_for(
      t.num_elements(), static_cast<double>(mover.size) / 16.0,
      [&](int64_t begin, int64_t end) { mover.fill(mover.at(to, begin), value, end - begin); });
}

}  // namespace cairn
