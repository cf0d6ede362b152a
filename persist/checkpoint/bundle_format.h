// What the bundle's writer, reader and merge agree on. The numbers are the format; do not change
// them.
#pragma once

#include "cairn/checkpoint.pb.h"
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/table.h"
#include "persist/messages/wire.h"
#include "runtime/base/dtype.h"

namespace cairn {

inline constexpr int kBundleVersion = 1;
// Bytes go to and from files in pieces of this size: large enough for the disk, small enough for
// the cache.
inline constexpr size_t kTransferSize = size_t{256} << 10;

inline bool is_storable(DType dtype) {
  return is_known_dtype(dtype) && !is_ref(dtype) &&
         (dtype == DType::kString || dtype_size(dtype) > 0);
}

// The lengths of strings as the checksums cover them; in the file they are varints.
inline void put_string_length(std::string& out, uint64_t length) {
  if (length <= UINT32_MAX) {
    put_fixed<uint32_t>(out, static_cast<uint32_t>(length));
  } else {
    put_fixed<uint64_t>(out, length);
  }
}

// Throws InvalidArgument for a version of another time; `path` is the file that says it. V1 files
// count as V2's do.
void check_checkpoint_version(const std::string& path, const pb::VersionDef& version);
// The header of an index, its version checked. Throws DataLoss, or InvalidArgument for a version of
// another time.
pb::BundleHeaderProto read_bundle_header(const TableReader& table);
// Reads an entry, whose numbers must not be negative and whose shard must exist, into `proto`.
// Throws DataLoss.
void parse_bundle_entry(const TableReader& table, const TableReader::Entry& item, int num_shards,
                        pb::BundleEntryProto& proto);

// Most entries are of tensors stored whole, in few fields in their order; a checkpoint may have ten
// thousands. These two go past protobuf, which allocates for each extent of a shape.

// Appends the bytes of such an entry as protobuf makes them.
void put_plain_entry(std::string& out, const BundleEntry& entry);
// Into an entry as it was made. False where the bytes are anything else: protobuf is to be asked,
// and the entry holds anything.
bool take_plain_entry(std::string_view bytes, int num_shards, BundleEntry& entry);

// "model.data-00000-of-00001" -> "model"; nothing for other names.
std::optional<std::string> prefix_of_data_file(const std::string& name);
// "run/m.index", "run/m.meta", "run/m.data-00000-of-00001" -> "run/m"; nothing for other names.
std::optional<std::string> prefix_of_file(const std::string& path);

}  // namespace cairn
