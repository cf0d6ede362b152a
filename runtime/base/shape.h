// Shapes: the extents of a tensor, some or all of which may be unknown while a graph is built.
//
//   Shape a = {-1, 784};                     // [?,784]
//   Shape b = merge(a, {100, -1});           // [100,784]
//   broadcast(Shape{100, 10}, Shape{10});    // [100,10]
//   a.num_elements();                        // -1: not known
//   a.dim(-1);                               // 784
//
// Calls that fail:
//
//   Shape{2, -2};                // InvalidArgument: shape extent -2 is below -1
//   a.dim(2);                    // OutOfRange: shape [?,784] has no extent 2
//   merge({2, 3}, {2, 4});       // InvalidArgument: shapes [2,3] and [2,4] are not compatible
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <utility>

#include "runtime/base/api.h"

namespace CAIRN_API cairn {

// An extent that is not known.
inline constexpr int64_t kUnknownDim = -1;

// A list of extents, or "of unknown rank". A value: copies are independent, and cheap, as up to six
// extents are stored in place. At most 254 extents, as in TensorFlow; the product of the known ones
// fits in 63 bits, so num_elements() never overflows.
//
//   Shape{}                 a scalar: prints []
//   Shape{-1, 784}          a matrix of 784 columns, any number of rows: prints [?,784]
//   Shape::unknown(2)       any matrix: prints [?,?]
//   Shape::unknown()        anything: prints <unknown>
class Shape {
 public:
  Shape() = default;
  Shape(const Shape& other) : rank_(other.rank_), few_(other.few_) {
    if (has_block()) [[unlikely]]
      copy_block(other);
  }
  Shape(Shape&& other) noexcept : rank_(std::exchange(other.rank_, 0)), few_(other.few_) {}
  Shape& operator=(Shape other) noexcept {
    std::swap(rank_, other.rank_);
    std::swap(few_, other.few_);
    return *this;
  }
  ~Shape() {
    if (has_block()) [[unlikely]]
      delete[] more_;
  }
  // Throws InvalidArgument for an extent below -1, for more than 254 extents, and if the product of
  // the known extents does not fit in 63 bits (also where another extent is 0 or unknown).
  Shape(std::initializer_list<int64_t> dims)
      : Shape(std::span<const int64_t>(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const int64_t> dims);

  static Shape unknown() { return unknown(-1); }
  // `rank` unknown extents; rank -1 is the unknown rank.
  static Shape unknown(int rank);

  bool has_rank() const { return rank_ >= 0; }
  // The number of extents; -1 if unknown. 0 is a scalar.
  int rank() const { return rank_; }
  // Extent i; a negative i counts from the end. kUnknownDim if the extent is unknown. Throws
  // OutOfRange if there is no such extent, and for every i if the rank is unknown.
  int64_t dim(int i) const;
  int64_t operator[](int i) const { return data()[i]; }  // unchecked: 0 <= i < rank()
  // All extents, outermost first; none for an unknown rank. Valid until the shape changes.
  std::span<const int64_t> dims() const {
    return {data(), static_cast<size_t>(rank_ < 0 ? 0 : rank_)};
  }
  // The same, for range-based loops.
  auto begin() const { return dims().begin(); }
  auto end() const { return dims().end(); }

  // Rank 0. A vector of one element is not a scalar.
  bool is_scalar() const { return rank_ == 0; }
  // True if the rank and every extent are known.
  bool is_fully_defined() const;
  // The product of the extents: 1 for a scalar; -1 if any extent or the rank is unknown.
  int64_t num_elements() const {
    int64_t product = rank_ < 0 ? -1 : 1;
    for (int64_t d : dims()) {
      if (d < 0) return -1;
      product *= d;
    }
    return product;
  }

  // Changes extent i (negative: from the end), or adds one at the end. Throw like the constructor,
  // set_dim() OutOfRange if there is no extent i, append() FailedPrecondition for a shape of
  // unknown rank; the shape is then unchanged.
  void set_dim(int i, int64_t extent);
  void append(int64_t extent);
  // Extents [begin, end), where negative numbers count from the end and both are clamped to the
  // rank. Of an unknown rank: unknown.
  //
  //   Shape{2, 3, 4}.slice(1)        // [3,4]
  //   Shape{2, 3, 4}.slice(0, -1)    // [2,3]
  Shape slice(int begin, int end = 1 << 30) const;
  // The extents of a, then those of b; of unknown rank if one of them is.
  friend Shape concat(const Shape& a, const Shape& b);

  // True if some fully known shape matches both: [?,3] and [2,?], not [?,3] and [2,4].
  bool is_compatible_with(const Shape& other) const;

  // Equal as descriptions: [?,3] equals only [?,3], not [2,3]; see is_compatible_with().
  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    const int64_t *x = a.data(), *y = b.data();
    for (int i = 0; i < a.rank_; ++i) {
      if (x[i] != y[i]) return false;
    }
    return true;
  }

  std::string str() const;  // "[2,3]", "[]", "[?,784]", "<unknown>"

 private:
  // Extents stored in the object; longer shapes have a block of their own.
  static constexpr int kInline = 6;
  bool has_block() const { return rank_ > kInline; }
  const int64_t* data() const { return has_block() ? more_ : few_.data(); }
  int64_t* data() { return has_block() ? more_ : few_.data(); }
  void check() const;
  void copy_block(const Shape& other);

  int rank_ = 0;
  union {  // `more_` from seven extents on
    std::array<int64_t, kInline> few_{};
    int64_t* more_;
  };
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);

// The extents known from either shape: [?,3] and [2,?] give [2,3]; with an unknown rank the other
// shape. Throws InvalidArgument ("shapes [2,3] and [2,4] are not compatible").
Shape merge(const Shape& a, const Shape& b);

// NumPy broadcasting: extents are matched from the right, missing ones count as 1, and an extent of
// 1 stretches. An unknown extent against 1 stays unknown; against any other it becomes that one. Of
// unknown rank if one of the shapes is.
//
//   broadcast({8, 1, 6}, {7, 1})      // [8,7,6]
//   broadcast({-1, 3}, {1, 3})        // [?,3]
//
// Throws InvalidArgument ("shapes [2,3] and [4] cannot be broadcast together").
Shape broadcast(const Shape& a, const Shape& b);

}  // namespace cairn
