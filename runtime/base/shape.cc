#include "runtime/base/shape.h"

#include <algorithm>
#include <ostream>
#include <vector>

#include "runtime/base/error.h"

namespace cairn {

Shape::Shape(std::span<const int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  if (has_block()) more_ = new int64_t[dims.size()];
  std::copy(dims.begin(), dims.end(), data());
  try {
    check();
  } catch (...) {
    if (has_block()) delete[] more_;  // the destructor does not run if the constructor throws
    throw;
  }
}

void Shape::copy_block(const Shape& other) {
  more_ = new int64_t[static_cast<size_t>(rank_)];
  std::copy(other.begin(), other.end(), more_);
}

Shape Shape::unknown(int rank) {
  Shape shape;
  shape.rank_ = rank;
  if (shape.has_block()) shape.more_ = new int64_t[static_cast<size_t>(rank)];
  for (int i = 0; i < rank; ++i) shape.data()[i] = kUnknownDim;
  return shape;
}

void Shape::check() const {
  constexpr int kMostExtents = 254;  // as TensorFlow's
  if (rank_ > kMostExtents) {
    fail(Code::kInvalidArgument, "a shape of ", rank_, " extents; there may be ", kMostExtents);
  }
  int64_t product = 1;
  for (int64_t d : dims()) {
    if (d < kUnknownDim) fail(Code::kInvalidArgument, "shape extent ", d, " is below -1");
    if (d > 0 && __builtin_mul_overflow(product, d, &product)) {
      fail(Code::kInvalidArgument, "shape ", str(), " has more elements than 63 bits count");
    }
  }
}

int64_t Shape::dim(int i) const {
  const int at = i < 0 ? i + rank_ : i;
  if (at < 0 || at >= rank_) fail(Code::kOutOfRange, "shape ", str(), " has no extent ", i);
  return data()[at];
}

bool Shape::is_fully_defined() const {
  if (rank_ < 0) return false;
  for (int64_t d : dims()) {
    if (d < 0) return false;
  }
  return true;
}

void Shape::set_dim(int i, int64_t extent) {
  const int64_t before = dim(i);
  int64_t& at = data()[i < 0 ? i + rank_ : i];
  at = extent;
  try {
    check();
  } catch (...) {
    at = before;
    throw;
  }
}

void Shape::append(int64_t extent) {
  if (!has_rank()) {
    fail(Code::kFailedPrecondition, "extent ", extent, " cannot follow a shape of unknown rank");
  }
  if (rank_ + 1 > kInline) {
    std::vector<int64_t> longer(begin(), end());
    longer.push_back(extent);
    *this = Shape(std::span<const int64_t>(longer));
    return;
  }
  few_[static_cast<size_t>(rank_)] = extent;
  ++rank_;
  try {
    check();
  } catch (...) {
    --rank_;
    throw;
  }
}

Shape Shape::slice(int begin, int end) const {
  if (!has_rank()) return unknown();
  if (begin < 0) begin += rank_;
  if (end < 0) end += rank_;
  begin = std::clamp(begin, 0, rank_);
  end = std::clamp(end, begin, rank_);
  return Shape(dims().subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
}

Shape concat(const Shape& a, const Shape& b) {
  if (!a.has_rank() || !b.has_rank()) return Shape::unknown();
  Shape joined = a;
  for (int64_t d : b) joined.append(d);
  return joined;
}

bool Shape::is_compatible_with(const Shape& other) const {
  if (!has_rank() || !other.has_rank()) return true;
  if (rank_ != other.rank_) return false;
  for (int i = 0; i < rank_; ++i) {
    const int64_t a = (*this)[i], b = other[i];
    if (a >= 0 && b >= 0 && a != b) return false;
  }
  return true;
}

std::string Shape::str() const {
  if (!has_rank()) return "<unknown>";
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) {
    if (i > 0) text += ",";
    text += (*this)[i] < 0 ? "?" : std::to_string((*this)[i]);
  }
  return text + "]";
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.str(); }

Shape merge(const Shape& a, const Shape& b) {
  if (!a.is_compatible_with(b))
    fail(Code::kInvalidArgument, "shapes ", a, " and ", b, " are not compatible");
  if (!a.has_rank()) return b;
  if (!b.has_rank()) return a;
  Shape merged = a;
  for (int i = 0; i < a.rank(); ++i) {
    if (merged[i] < 0) merged.set_dim(i, b[i]);
  }
  return merged;
}

Shape broadcast(const Shape& a, const Shape& b) {
  if (!a.has_rank() || !b.has_rank()) return Shape::unknown();
  const int rank = std::max(a.rank(), b.rank());
  Shape result = Shape::unknown(rank);
  for (int i = 1; i <= rank; ++i) {
    const int64_t x = i <= a.rank() ? a[a.rank() - i] : 1, y = i <= b.rank() ? b[b.rank() - i] : 1;
    int64_t d;
    if (x == 1 || y == x) {
      d = y;
    } else if (y == 1) {
      d = x;
    } else if (x < 0) {
      d = y;  // the unknown extent is 1 or y, and in both cases the result is y
    } else if (y < 0) {
      d = x;
    } else {
      fail(Code::kInvalidArgument, "shapes ", a, " and ", b, " cannot be broadcast together");
    }
    result.set_dim(rank - i, d);
  }
  return result;
}

}  // namespace cairn
