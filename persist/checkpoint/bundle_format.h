// Constants and encodings shared by the bundle's writer, reader and merge. They define the file
// format and must not change.
#pragma once

#include "cairn/checkpoint.pb.h"
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/table.h"
#include "persist/messages/wire.h"
#include "runtime/base/dtype.h"

namespace cairn {

inline constexpr int kBundleVersion = 1;
// The size of one read or write: large enough for the disk, small enough for the cache.
inline constexpr size_t kTransferSize = size_t{256} << 10;

inline bool is_storable(DType dtype) {
  return is_known_dtype(dtype) && !is_ref(dtype) &&
         (dtype == DType::kString || dtype_size(dtype) > 0);
}

// Appends a string's length in the form that checksums cover: fixed width. In the file the lengths
// are varints.
inline void put_string_length(std::string& out, uint64_t length) {
  if (length <= UINT32_MAX) {
    put_fixed<uint32_t>(out, static_cast<uint32_t>(length));
  } else {
    put_fixed<uint64_t>(out, length);
  }
}

// Throws InvalidArgument for a version that this reader does not support, naming `path`. V1 and V2
// files share these version numbers.
void check_checkpoint_version(const std::string& path, const pb::VersionDef& version);
// Parses the header of an index and checks its version. Throws DataLoss, or InvalidArgument as
// check_checkpoint_version().
pb::BundleHeaderProto read_bundle_header(const TableReader& table);
// Parses an entry into `proto`. Throws DataLoss if it does not parse, has a negative number or
// names a data file that does not exist.
void parse_bundle_entry(const TableReader& table, const TableReader::Entry& item, int num_shards,
                        pb::BundleEntryProto& proto);

// Most entries describe unsliced tensors, with few fields in order of number, and a checkpoint may
// have ten thousand of them. The following two functions bypass protobuf, which allocates for each
// extent of a shape.

// Appends such an entry, with the bytes that protobuf would write.
void put_plain_entry(std::string& out, const BundleEntry& entry);
// Parses such an entry. `entry` must be default-constructed. False for any other bytes: the caller
// must then use protobuf, and `entry` is unspecified.
bool take_plain_entry(std::string_view bytes, int num_shards, BundleEntry& entry);

// "model.data-00000-of-00001" -> "model"; nullopt for other names.
std::optional<std::string> prefix_of_data_file(const std::string& name);
// "run/m.index", "run/m.meta", "run/m.data-00000-of-00001" -> "run/m"; nullopt for other names.
std::optional<std::string> prefix_of_file(const std::string& path);

}  // namespace cairn
