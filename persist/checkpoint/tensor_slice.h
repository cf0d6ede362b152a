// Slices: rectangular parts of a tensor, as checkpoints store them for partitioned variables.
//
// A variable W of shape [4,10] that is saved in two parts of two rows each has the slices 0,2:0,10
// and 2,2:0,10. A save or restore op names such a part with the string "4 10 2,2:0,10": the full
// shape, then start,length for each dimension, or - for a whole dimension. The empty string stands
// for the whole tensor.
//
//   const auto spec = parse_shape_and_slice("4 10 2,2:-");
//   spec->slice.shape_in(spec->full);             // [2,10]
//   parse_shape_and_slice("4 10 3,2:-");          // InvalidArgument: row 4 of 4 rows
//   TensorSlice::parse("0,x");                    // InvalidArgument
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/tensor.h"

namespace CAIRN_API cairn {

// The range of a slice in one dimension: `length` indices from `start` on.
struct Extent {
  static constexpr int64_t kWhole = -1;
  int64_t start = 0;
  int64_t length = kWhole;
  friend bool operator==(const Extent&, const Extent&) = default;
};

// One Extent for each dimension. A value; equal if the extents are written the same.
class TensorSlice {
 public:
  // The only slice of a scalar.
  TensorSlice() = default;
  // Throws InvalidArgument for a negative start, a length that is negative but not kWhole, kWhole
  // with a start other than 0, or an end that exceeds 63 bits.
  explicit TensorSlice(std::vector<Extent> extents);
  static TensorSlice whole(int rank) {
    return TensorSlice(std::vector<Extent>(static_cast<size_t>(rank)));
  }
  // Parses "0,2:-". Throws InvalidArgument.
  static TensorSlice parse(std::string_view text);

  int rank() const { return static_cast<int>(extents_.size()); }
  const std::vector<Extent>& extents() const { return extents_; }
  // "0,2:-", as parse() takes it.
  std::string str() const;

  // The same slice with every length given as a number. Throws InvalidArgument if it does not fit
  // into a tensor of shape `full`.
  TensorSlice within(const Shape& full) const;
  // The shape of the slice in a tensor of shape `full`. Throws as within().
  Shape shape_in(const Shape& full) const;
  bool covers(const Shape& full) const { return shape_in(full) == full; }

  friend bool operator==(const TensorSlice&, const TensorSlice&) = default;

 private:
  std::vector<Extent> extents_;
};

// The common part of two slices of one tensor; nullopt if they do not overlap. Both must be results
// of within().
std::optional<TensorSlice> intersection(const TensorSlice& a, const TensorSlice& b);
// The number of elements of a slice, and a pair of slices that overlap, if there is one. The slices
// must be results of within(). first_overlap() throws ResourceExhausted for slices whose
// arrangement would need too many comparisons, which no real partition does.
uint64_t volume(const TensorSlice& slice);
std::optional<std::pair<TensorSlice, TensorSlice>> first_overlap(std::vector<TensorSlice> slices);
// True if two of the slices are equal.
bool has_equal(const std::vector<TensorSlice>& slices);

// Copies the elements that two slices have in common: `from` holds the elements of `from_slice`,
// `to` those of `to_slice`. The slices must be results of within(). Throws InvalidArgument if the
// dtypes differ or a tensor does not have the shape of its slice; `to` is then unchanged.
void copy_common(const Tensor& from, const TensorSlice& from_slice, Tensor& to,
                 const TensorSlice& to_slice);

struct ShapeAndSlice {
  Shape full;
  TensorSlice slice;
};
// Parses "4 10 0,2:-"; nullopt for the empty string. Throws InvalidArgument, also if the slice does
// not fit the shape.
std::optional<ShapeAndSlice> parse_shape_and_slice(std::string_view spec);

// The key under which a checkpoint stores a slice: TensorFlow's order-preserving encoding of name
// and extents.
std::string slice_key(std::string_view name, const TensorSlice& slice);
// True for keys that slice_key() makes; no tensor name begins with a zero byte.
inline bool is_slice_key(std::string_view key) { return key.starts_with('\0'); }

}  // namespace cairn
