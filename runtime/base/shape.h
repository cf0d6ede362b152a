// Shapes: the extents of a tensor, some or all of which may be unknown while a graph is built.
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

// An unknown extent.
inline constexpr int64_t kUnknownDim = -1;

// A list of extents, or "of unknown rank". Copies are cheap: up to six extents are stored in place.
//
//   Shape{}                 a scalar
//   Shape{-1, 784}          a matrix of 784 columns, any number of rows: prints [?,784]
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
  // Throws InvalidArgument for an extent below -1, or when the known extents' product does not fit
  // 63 bits.
  Shape(std::initializer_list<int64_t> dims)
      : Shape(std::span<const int64_t>(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const int64_t> dims);

  static Shape unknown() { return unknown(-1); }
  // `rank` unknown extents; rank -1 is "unknown rank".
  static Shape unknown(int rank);

  bool has_rank() const { return rank_ >= 0; }
  // The number of extents, -1 when unknown.
  int rank() const { return rank_; }
  // Extent i, counted from the end when negative. kUnknownDim when unknown. Throws OutOfRange.
  int64_t dim(int i) const;
  int64_t operator[](int i) const { return data()[i]; }  // unchecked: 0 <= i < rank()
  std::span<const int64_t> dims() const {
    return {data(), static_cast<size_t>(rank_ < 0 ? 0 : rank_)};
  }
  auto begin() const { return dims().begin(); }
  auto end() const { return dims().end(); }

  bool is_scalar() const { return rank_ == 0; }
  bool is_fully_defined() const;
  // The product of the extents; -1 when any is unknown.
  int64_t num_elements() const {
    int64_t product = rank_ < 0 ? -1 : 1;
    for (int64_t d : dims()) {
      if (d < 0) return -1;
      product *= d;
    }
    return product;
  }

  // Throws like the constructor, as does append; the shape is then as before
  void set_dim(int i, int64_t extent);
  void append(int64_t extent);
  // Extents [begin, end), negative counted from the end, clamped. Of unknown rank: unknown.
  Shape slice(int begin, int end = 1 << 30) const;
  friend Shape concat(const Shape& a, const Shape& b);

  // True when some fully known shape fits both.
  bool is_compatible_with(const Shape& other) const;

  // Equal as descriptions: [?,3] equals only [?,3].
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

// What is known from either. Throws InvalidArgument ("shapes [2,3] and [2,4] are not compatible").
Shape merge(const Shape& a, const Shape& b);

// NumPy broadcasting: extents are matched from the right, 1 stretches. Unknown extents stay unknown
// unless the other side decides them. Throws InvalidArgument ("shapes [2,3] and [4] cannot be
// broadcast together").
Shape broadcast(const Shape& a, const Shape& b);

}  // namespace cairn
