#include "persist/checkpoint/bundle_format.h"

#include <algorithm>

namespace cairn {
namespace {

constexpr auto kVarint = 0, kBytes = 2, kFixed32 = 5;
constexpr char tag(int field, int kind) { return static_cast<char>(field << 3 | kind); }
// The tags of BundleEntryProto, then those of a TensorShapeProto's dimension.
constexpr char kDType = tag(1, kVarint), kShape = tag(2, kBytes), kShard = tag(3, kVarint),
               kOffset = tag(4, kVarint), kSize = tag(5, kVarint), kChecksum = tag(6, kFixed32);
constexpr char kDim = tag(2, kBytes), kExtent = tag(1, kVarint);

bool take(std::string_view& bytes, char expected) {
  if (bytes.empty() || bytes.front() != expected) return false;
  bytes.remove_prefix(1);
  return true;
}

// Reads a varint field, which writers omit if it is 0.
bool take_field(std::string_view& bytes, char tag, uint64_t most, uint64_t& value) {
  value = 0;
  if (!take(bytes, tag)) return true;
  const auto taken = take_varint(bytes);
  if (!taken || *taken > most) return false;
  value = *taken;
  return true;
}

std::optional<std::string_view> take_bytes(std::string_view& bytes) {
  // As in protobuf, a length has at most 32 bits, even if the higher ones are zero.
  const auto length = take_varint<uint32_t>(bytes);
  if (!length || *length > bytes.size()) return std::nullopt;
  const std::string_view taken = bytes.substr(0, *length);
  bytes.remove_prefix(*length);
  return taken;
}

bool take_shape(std::string_view bytes, Shape& shape) {
  constexpr size_t kFew = 6;
  int64_t extents[kFew];
  size_t rank = 0;
  int64_t product = 1;
  while (!bytes.empty()) {
    if (rank == kFew || !take(bytes, kDim)) return false;
    auto dim = take_bytes(bytes);
    uint64_t extent = 0;
    if (!dim || !take_field(*dim, kExtent, INT64_MAX, extent) || !dim->empty()) return false;
    extents[rank++] = static_cast<int64_t>(extent);
    if (__builtin_mul_overflow(product, std::max<int64_t>(1, static_cast<int64_t>(extent)),
                               &product))
      return false;
  }
  shape = Shape(std::span<const int64_t>(extents, rank));
  return true;
}

void put_field(std::string& out, char tag, uint64_t value) {
  if (value == 0) return;
  out += tag;
  put_varint(out, value);
}

}  // namespace

bool take_plain_entry(std::string_view bytes, int num_shards, BundleEntry& entry) {
  uint64_t dtype = 0, shard = 0;
  if (!take_field(bytes, kDType, INT32_MAX, dtype)) return false;
  if (take(bytes, kShape)) {
    const auto extents = take_bytes(bytes);
    if (!extents || !take_shape(*extents, entry.shape)) return false;
  }
  if (!take_field(bytes, kShard, INT32_MAX, shard) || static_cast<int64_t>(shard) >= num_shards)
    return false;
  if (!take_field(bytes, kOffset, INT64_MAX, entry.offset)) return false;
  if (!take_field(bytes, kSize, INT64_MAX, entry.size)) return false;
  if (take(bytes, kChecksum)) {
    if (bytes.size() < sizeof entry.masked_crc) return false;
    entry.masked_crc = get_fixed<uint32_t>(bytes);
    bytes.remove_prefix(sizeof entry.masked_crc);
  }
  entry.dtype = static_cast<DType>(dtype);
  entry.shard = static_cast<int>(shard);
  return bytes.empty();
}

void put_plain_entry(std::string& out, const BundleEntry& entry) {
  put_field(out, kDType, static_cast<uint64_t>(entry.dtype));
  const auto extent_size = [](int64_t extent) {
    return extent == 0 ? 0 : 1 + varint_size(static_cast<uint64_t>(extent));
  };
  uint64_t shape_size = 0;
  for (int64_t extent : entry.shape) shape_size += 2 + extent_size(extent);
  out += kShape;  // written even if it is empty, for a scalar
  put_varint(out, shape_size);
  for (int64_t extent : entry.shape) {
    out += kDim;
    put_varint(out, extent_size(extent));
    put_field(out, kExtent, static_cast<uint64_t>(extent));
  }
  put_field(out, kShard, static_cast<uint64_t>(entry.shard));
  put_field(out, kOffset, entry.offset);
  put_field(out, kSize, entry.size);
  if (entry.masked_crc == 0) return;
  out += kChecksum;
  put_fixed<uint32_t>(out, entry.masked_crc);
}

std::optional<std::string> prefix_of_data_file(const std::string& name) {
  const size_t at = name.rfind(".data-");
  if (at == std::string::npos || at == 0) return std::nullopt;
  const std::string ending = name.substr(at + 6);  // 00000-of-00001
  const size_t of = ending.find("-of-");
  if (of == std::string::npos || of == 0) return std::nullopt;
  const std::string digits = ending.substr(0, of) + ending.substr(of + 4);
  const bool all = digits.find_first_not_of("0123456789") == std::string::npos;
  return all ? std::optional(name.substr(0, at)) : std::nullopt;
}

std::optional<std::string> prefix_of_file(const std::string& path) {
  for (const std::string_view ending : {".index", ".meta"}) {
    if (path.ends_with(ending) && path.size() > ending.size())
      return path.substr(0, path.size() - ending.size());
  }
  const auto prefix = prefix_of_data_file(base_name(path));
  return prefix ? std::optional(join_path(directory_of(path), *prefix)) : std::nullopt;
}

}  // namespace cairn
