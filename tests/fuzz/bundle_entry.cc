// One entry of a bundle's index, in a table whose checksums are right, over a data file of 64
// bytes. An odd first byte: the entry's own checksum is made to fit, so that what its bytes mean is
// reached.
#include "cairn/checkpoint.pb.h"
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/bundle_format.h"
#include "persist/files/crc.h"
#include "persist/graph/convert.h"
#include "persist/messages/message.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/table_bytes.h"

namespace cairn::fuzz {
namespace {

// Floats, small integers, bools and the strings "ab", "" and "c", whose lengths and checksum begin
// at 32.
std::string data_bytes() {
  std::string data =
      from_hex("0000803f 000020c0 0000c07f 00000080 0100000000000000 0001010001000101");
  data += from_hex("020001");
  std::string lengths;
  for (const uint32_t length : {2u, 0u, 1u}) put_fixed<uint32_t>(lengths, length);
  put_fixed<uint32_t>(data, mask_crc(crc32c(lengths)));
  data += "abc";
  data.resize(64);
  return data;
}

void fit_checksum(pb::BundleEntryProto& entry, std::string_view data) {
  const auto offset = static_cast<uint64_t>(entry.offset()),
             size = static_cast<uint64_t>(entry.size());
  if (offset > data.size() || size > data.size() - offset) return;
  entry.set_crc32c(mask_crc(crc32c(data.substr(offset, size))));
}

void read_all(const BundleReader& reader, MemoryFileSystem& fs) {
  reader.verify();
  BundleWriter writer(fs, "again");
  for (const std::string& name : reader.names()) writer.add(name, reader.read(name));
  writer.finish();
  const BundleReader again(fs, "again");
  for (const std::string& name : reader.names()) {
    require(bit_equal(again.read(name), reader.read(name)),
            "a tensor that was written again has changed");
  }
}

// What is read past protobuf is what protobuf reads.
void check_plain_entry(std::string_view value) {
  BundleEntry entry;
  if (!take_plain_entry(value, 1, entry)) return;
  pb::BundleEntryProto proto;
  require(parse_bytes(value, proto) && proto.slices().empty(),
          "an entry is plain, but protobuf does not read it so");
  const bool same =
      static_cast<int>(entry.dtype) == proto.dtype() && entry.shape == from_proto(proto.shape()) &&
      entry.shard == proto.shard_id() && entry.offset == static_cast<uint64_t>(proto.offset()) &&
      entry.size == static_cast<uint64_t>(proto.size()) && entry.masked_crc == proto.crc32c();
  require(same, "a plain entry says something else to protobuf");
  std::string again;
  put_plain_entry(again, entry);
  require(!proto.has_shape() || again == proto.SerializeAsString(),
          "a plain entry is written in other bytes");
}

void one(std::string_view bytes) {
  const std::string_view flags = take(bytes, 1);
  const std::string data = data_bytes();
  std::string value(bytes);
  pb::BundleEntryProto entry;
  if (!flags.empty() && (flags[0] & 1) && parse_bytes(value, entry)) {
    fit_checksum(entry, data);
    value = entry.SerializeAsString();
  }
  pb::BundleHeaderProto header;
  header.set_num_shards(1);
  header.mutable_version()->set_producer(1);
  if (!flags.empty() && (flags[0] & 2)) header.set_endianness(pb::BundleHeaderProto::BIG);
  MemoryFileSystem fs;
  fs.set("m.index", table_of({{"", header.SerializeAsString()}, {"W", value}}));
  fs.set("m.data-00000-of-00001", data);
  check_plain_entry(value);
  accepted([&] { read_all(BundleReader(fs, "m"), fs); });
  accepted([&] { BundleReader(fs, "m").read_slice("W", TensorSlice::parse("0,1")); });
}

std::string seed(char flags, DType dtype, const std::vector<int64_t>& extents, int64_t offset,
                 int64_t size) {
  pb::BundleEntryProto entry;
  entry.set_dtype(static_cast<pb::DataType>(dtype));
  for (const int64_t extent : extents) entry.mutable_shape()->add_dim()->set_size(extent);
  entry.set_offset(offset);
  entry.set_size(size);
  return flags + entry.SerializeAsString();
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds = {
      seed(1, DType::kFloat, {4}, 0, 16),    seed(1, DType::kFloat, {}, 4, 4),
      seed(1, DType::kInt64, {1, 1}, 16, 8), seed(1, DType::kBool, {2, 4}, 24, 8),
      seed(1, DType::kString, {3}, 32, 10),  seed(3, DType::kDouble, {8}, 0, 64),
      seed(1, DType::kFloat, {0, 7}, 64, 0), seed(0, DType::kFloat, {4}, 0, 16),
      seed(1, DType::kBFloat16, {2}, 0, 4),  seed(3, DType::kComplex64, {1}, 0, 8),
      seed(1, DType::kQInt8, {2}, 30, 2),    seed(1, DType::kFloat, {-1}, 0, 4)};
  pb::BundleEntryProto sliced;
  sliced.set_dtype(pb::DT_FLOAT);
  sliced.mutable_shape()->add_dim()->set_size(4);
  for (const int64_t start : {0, 2}) {
    auto* extent = sliced.add_slices()->add_extent();
    extent->set_start(start);
    extent->set_length(2);
  }
  seeds.push_back('\1' + sliced.SerializeAsString());
  return seeds;
}

}  // namespace

const Target bundle_entry{"bundle_entry", one, seeds};

}  // namespace cairn::fuzz
