// Slices: rectangular parts of a tensor, as checkpoints hold them for partitioned variables.
//
// A saved variable W of shape [4,10] in two parts of two rows each is the slices 0,2:0,10 and
// 2,2:0,10. A save or restore op names such a part with the string "4 10 2,2:0,10": the full shape,
// then start,length for each dimension, or - for the whole of it. The empty string stands for the
// whole tensor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/tensor.h"

namespace CAIRN_API cairn {

struct Extent {
  static constexpr int64_t kWhole = -1;
  int64_t start = 0;
  int64_t length = kWhole;
  friend bool operator==(const Extent&, const Extent&) = default;
};

class TensorSlice {
 public:
  // The one slice of a scalar.
  TensorSlice() = default;
  // Throws InvalidArgument for a negative start, a length that is negative but not kWhole, a whole
  // extent that does not start at 0, or an end beyond 63 bits.
  explicit TensorSlice(std::vector<Extent> extents);
  static TensorSlice whole(int rank) {
    return TensorSlice(std::vector<Extent>(static_cast<size_t>(rank)));
  }
  // "0,2:-". Throws InvalidArgument.
  static TensorSlice parse(std::string_view text);

  int rank() const { return static_cast<int>(extents_.size()); }
  const std::vector<Extent>& extents() const { return extents_; }
  std::string str() const;

  // The same slice with every length written out. Throws InvalidArgument when it does not fit into
  // a tensor of shape `full`.
  TensorSlice within(const Shape& full) const;
  // The slice's own shape; throws as within().
  Shape shape_in(const Shape& full) const;
  bool covers(const Shape& full) const { return shape_in(full) == full; }

  friend bool operator==(const TensorSlice&, const TensorSlice&) = default;

 private:
  std::vector<Extent> extents_;
};

// What two slices of one tensor have in common, if anything. Both must have their lengths written
// out (within()).
std::optional<TensorSlice> intersection(const TensorSlice& a, const TensorSlice& b);
// How many elements a slice has, and two of several slices that have one in common; lengths written
// out.
uint64_t volume(const TensorSlice& slice);
std::optional<std::pair<TensorSlice, TensorSlice>> first_overlap(std::vector<TensorSlice> slices);
// Whether two of them are the same.
bool has_equal(const std::vector<TensorSlice>& slices);

// Copies what `from` (the elements of `from_slice`) and `to` (those of `to_slice`) have in common;
// lengths written out. Throws InvalidArgument when dtypes differ or a tensor has not its slice's
// shape.
void copy_common(const Tensor& from, const TensorSlice& from_slice, Tensor& to,
                 const TensorSlice& to_slice);

struct ShapeAndSlice {
  Shape full;
  TensorSlice slice;
};
// "4 10 0,2:-"; nothing for the empty string. Throws InvalidArgument, also when the slice does not
// fit the shape.
std::optional<ShapeAndSlice> parse_shape_and_slice(std::string_view spec);

// The key under which a checkpoint stores a slice: TensorFlow's order-preserving code of the name
// and the extents.
std::string slice_key(std::string_view name, const TensorSlice& slice);
// True for keys that slice_key() makes; no tensor name begins so.
inline bool is_slice_key(std::string_view key) { return key.starts_with('\0'); }

}  // namespace cairn
