// What damaged and hostile bundles do: an error that says where, or the same content; never a
// crash.
#include <functional>

#include "cairn/checkpoint.pb.h"
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/table.h"
#include "persist/files/crc.h"
#include "persist/messages/wire.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

namespace cairn {
namespace {

const std::string kIndex = "m.index", kData = "m.data-00000-of-00001";

std::map<std::string, std::string> small_bundle() {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "m");
  writer.add("W", Tensor::vector<float>({1.0f, -2.5f}));
  writer.add("flag", Tensor(true));
  writer.add("names", Tensor::vector<std::string>({"ab", "", "c"}));
  writer.add_slice("P", {4}, TensorSlice::parse("0,2"), Tensor::vector<int32_t>({1, 2}));
  writer.add_slice("P", {4}, TensorSlice::parse("2,2"), Tensor::vector<int32_t>({3, 4}));
  writer.finish();
  return fs.contents();
}

// Reads all of a bundle and gives it in one text.
std::string content_of(const std::map<std::string, std::string>& files) {
  MemoryFileSystem fs;
  for (const auto& [path, bytes] : files) fs.set(path, bytes);
  const BundleReader reader(fs, "m");
  reader.verify();
  std::string text;
  for (const std::string& name : reader.names()) {
    const Tensor tensor = reader.read(name);
    text += str_cat(name, " ", tensor.dtype(), tensor.shape(), " ", tensor, "\n");
  }
  return text;
}

// Damaged files must give the content of the good ones or one of the errors that reading may end
// with.
void check_harmless(const std::map<std::string, std::string>& files, const std::string& good) {
  std::string content = good;
  const Error error = error_of([&] { content = content_of(files); });
  CHECK(content == good);
  if (error.code() == Code::kOk) return;
  CHECK((error.code() == Code::kDataLoss || error.code() == Code::kInvalidArgument ||
         error.code() == Code::kUnimplemented || error.code() == Code::kNotFound));
  CHECK_THAT(error.what(), Catch::Contains("m."));
}

using Entry = pb::BundleEntryProto;

// A bundle of one entry "W", float [2], eight bytes, changed by `change`.
std::map<std::string, std::string> bundle_with(
    const std::function<void(Entry&)>& change,
    const std::function<void(pb::BundleHeaderProto&)>& header_change = {},
    const std::string& data = from_hex("0000803f000020c0")) {
  pb::BundleHeaderProto header;
  header.set_num_shards(1);
  header.mutable_version()->set_producer(1);
  if (header_change) header_change(header);
  Entry entry;
  entry.set_dtype(pb::DT_FLOAT);
  entry.mutable_shape()->add_dim()->set_size(2);
  entry.set_size(8);
  entry.set_crc32c(mask_crc(crc32c(data)));
  change(entry);
  MemoryFileSystem fs;
  fs.set(kData, data);
  const auto file = fs.create(kIndex);
  TableWriter table(*file);
  table.add("", header.SerializeAsString());
  table.add("W", entry.SerializeAsString());
  table.finish();
  return fs.contents();
}

Error error_with(const std::function<void(Entry&)>& change,
                 const std::function<void(pb::BundleHeaderProto&)>& header_change = {}) {
  return error_of([&] { content_of(bundle_with(change, header_change)); });
}

void check_data_loss(const std::function<void(Entry&)>& change, const std::string& message) {
  const Error error = error_with(change);
  CHECK(error.code() == Code::kDataLoss);
  CHECK_THAT(error.what(), Catch::StartsWith("m.") && Catch::Contains(message));
}

void nothing(Entry&) {}

}  // namespace

TEST_CASE("A bundle whose index or data is cut short anywhere is refused",
          "[persist][bundle][corruption]") {
  const auto files = small_bundle();
  for (const std::string& path : {kIndex, kData}) {
    for (size_t n = 0; n < files.at(path).size(); ++n) {
      auto damaged = files;
      damaged[path].resize(n);
      CAPTURE(path, n);
      const Error error = error_of([&] { content_of(damaged); });
      CHECK(error.code() == Code::kDataLoss);
      CHECK_THAT(error.what(), Catch::StartsWith(path));
    }
  }
}

TEST_CASE("A bundle with any bit flipped is refused or reads the same",
          "[persist][bundle][corruption]") {
  const auto files = small_bundle();
  const std::string good = content_of(files);
  for (const std::string& path : {kIndex, kData}) {
    for (size_t bit = 0; bit < files.at(path).size() * 8; ++bit) {
      auto damaged = files;
      damaged[path] = with_bit_flipped(damaged[path], bit);
      CAPTURE(path, bit);
      check_harmless(damaged, good);
    }
  }
}

TEST_CASE("Any byte of an entry changed under a good checksum does no harm",
          "[persist][bundle][corruption]") {
  // As an attacker would: the table is intact, the message in it is not.
  const auto files = small_bundle();
  MemoryFileSystem fs;
  fs.set(kIndex, files.at(kIndex));
  const TableReader table(fs, kIndex);
  for (size_t item = 0; item < table.entries().size(); ++item) {
    for (size_t at = 0; at < table.entries()[item].value.size(); ++at) {
      for (const int value : {0, 1, 2, 7, 8, 0x12, 0x7f, 0x80, 0xff}) {
        MemoryFileSystem damaged;
        const auto file = damaged.create(kIndex);
        TableWriter writer(*file);
        for (size_t i = 0; i < table.entries().size(); ++i) {
          std::string bytes(table.entries()[i].value);
          if (i == item) bytes[at] = static_cast<char>(value);
          writer.add(table.entries()[i].key, bytes);
        }
        writer.finish();
        damaged.set(kData, files.at(kData));
        CAPTURE(item, at, value);
        const Error error = error_of([&] { content_of(damaged.contents()); });
        CHECK((error.code() == Code::kOk || error.code() == Code::kDataLoss ||
               error.code() == Code::kInvalidArgument || error.code() == Code::kUnimplemented ||
               error.code() == Code::kNotFound));
      }
    }
  }
}

TEST_CASE("Sizes that do not belong to shape and dtype are refused before memory is taken",
          "[persist][bundle][corruption]") {
  REQUIRE(error_with(nothing).code() == Code::kOk);
  check_data_loss([](Entry& e) { e.set_size(4); },
                  "Invalid size in bundle entry: key W; stored size 4; expected size 8");
  check_data_loss([](Entry& e) { e.mutable_shape()->mutable_dim(0)->set_size(int64_t{1} << 40); },
                  "expected size 4398046511104");
  check_data_loss([](Entry& e) { e.mutable_shape()->mutable_dim(0)->set_size(int64_t{1} << 62); },
                  "Invalid size");
  check_data_loss(
      [](Entry& e) {
        e.mutable_shape()->mutable_dim(0)->set_size(int64_t{1} << 40);
        e.set_size(int64_t{1} << 42);
      },
      "go beyond the end of the file, 8");
  check_data_loss(
      [](Entry& e) {
        e.set_dtype(pb::DT_STRING);
        e.mutable_shape()->mutable_dim(0)->set_size(int64_t{1} << 40);
      },
      "expected size is at least 1099511627776");
}

TEST_CASE("Shapes that are none are refused", "[persist][bundle][corruption]") {
  check_data_loss([](Entry& e) { e.mutable_shape()->mutable_dim(0)->set_size(-1); },
                  "Invalid tensor shape: W");
  check_data_loss([](Entry& e) { e.mutable_shape()->mutable_dim(0)->set_size(-5); },
                  "Invalid tensor shape: W");
  check_data_loss([](Entry& e) { e.mutable_shape()->set_unknown_rank(true); },
                  "Invalid tensor shape: W");
  check_data_loss(
      [](Entry& e) {
        for (int i = 0; i < 9; ++i) e.mutable_shape()->add_dim()->set_size(1 << 30);
      },
      "Invalid tensor shape: W");
}

TEST_CASE("Places outside the data files are refused", "[persist][bundle][corruption]") {
  check_data_loss([](Entry& e) { e.set_offset(1); }, "go beyond the end of the file, 8");
  check_data_loss([](Entry& e) { e.set_offset(INT64_MAX); }, "go beyond the end of the file");
  check_data_loss([](Entry& e) { e.set_offset(-1); }, "offset -1");
  check_data_loss([](Entry& e) { e.set_size(-8); }, "size -8");
  check_data_loss([](Entry& e) { e.set_shard_id(1); }, "data file 1 of 1");
  check_data_loss([](Entry& e) { e.set_shard_id(-1); }, "data file -1 of 1");
}

TEST_CASE("Dtypes that no checkpoint holds are refused, unknown ones only when read",
          "[persist][bundle][corruption]") {
  check_data_loss([](Entry& e) { e.set_dtype(pb::DT_INVALID); }, "Invalid dtype of W: 0");
  check_data_loss([](Entry& e) { e.set_dtype(pb::DT_FLOAT_REF); }, "Invalid dtype of W: 101");
  for (const int number : {20, 21, 24, 99}) {
    const auto files =
        bundle_with([&](Entry& e) { e.set_dtype(static_cast<pb::DataType>(number)); });
    MemoryFileSystem fs;
    for (const auto& [path, bytes] : files) fs.set(path, bytes);
    const BundleReader reader(fs, "m");
    CHECK(reader.names() == std::vector<std::string>{"W"});
    CHECK(error_of([&] { reader.read("W"); }).code() == Code::kUnimplemented);
  }
}

TEST_CASE("RestoreV2's bytes are refused when their checksum does not match",
          "[persist][bundle][corruption]") {
  check_data_loss([](Entry& e) { e.set_crc32c(7); },
                  "Checksum does not match: stored 7 vs. calculated on the restored bytes");
}

TEST_CASE("A bool that is neither 0 nor 1 is refused", "[persist][bundle][corruption]") {
  check_data_loss(
      [](Entry& e) {
        e.set_dtype(pb::DT_BOOL);
        e.mutable_shape()->mutable_dim(0)->set_size(8);
      },
      "a bool is neither 0 nor 1");
}

TEST_CASE("Slices that do not fit their tensor are refused",
          "[persist][bundle][corruption][slice]") {
  const auto with_extent = [](int64_t start, int64_t length) {
    return [=](Entry& e) {
      auto* extent = e.add_slices()->add_extent();
      extent->set_start(start);
      extent->set_length(length);
    };
  };
  check_data_loss(with_extent(-1, 1), "Invalid tensor shape: W");
  check_data_loss(with_extent(1, 2), "Invalid tensor shape: W");
  check_data_loss(with_extent(INT64_MAX, INT64_MAX), "Invalid tensor shape: W");
  check_data_loss(with_extent(0, -7), "Invalid tensor shape: W");
  check_data_loss([](Entry& e) { e.add_slices(); }, "Invalid tensor shape: W");
  check_data_loss(with_extent(0, 1), "slice 0,1 of 'W' has no entry");
}

TEST_CASE("Entries that share bytes are refused", "[persist][bundle][corruption]") {
  MemoryFileSystem fs;
  Entry entry;
  entry.set_dtype(pb::DT_FLOAT);
  entry.mutable_shape();
  entry.set_size(4);
  pb::BundleHeaderProto header;
  header.set_num_shards(1);
  const auto file = fs.create(kIndex);
  TableWriter table(*file);
  table.add("", header.SerializeAsString());
  table.add("a", entry.SerializeAsString());
  entry.set_offset(3);
  table.add("b", entry.SerializeAsString());
  table.finish();
  CHECK_THAT(error_of([&] { BundleReader(fs, "m"); }).what(),
             Catch::Contains("its bytes overlap those of a"));
}

TEST_CASE("A header of another time or of no sense is refused", "[persist][bundle][corruption]") {
  const auto refused = [](const std::function<void(pb::BundleHeaderProto&)>& change, Code code,
                          const char* message) {
    const Error error = error_with(nothing, change);
    CHECK(error.code() == code);
    CHECK_THAT(error.what(), Catch::Contains("m.index") && Catch::Contains(message));
  };
  refused([](auto& h) { h.set_num_shards(0); }, Code::kDataLoss, "counts 0 data files");
  refused([](auto& h) { h.set_num_shards(-3); }, Code::kDataLoss, "counts -3 data files");
  refused([](auto& h) { h.set_endianness(static_cast<pb::BundleHeaderProto::Endianness>(5)); },
          Code::kDataLoss, "unknown byte order 5");
  refused([](auto& h) { h.mutable_version()->set_producer(-1); }, Code::kInvalidArgument,
          "Checkpoint producer version -1");
  refused([](auto& h) { h.mutable_version()->set_min_consumer(2); }, Code::kInvalidArgument,
          "Checkpoint min consumer version 2");
  refused([](auto& h) { h.mutable_version()->add_bad_consumers(1); }, Code::kInvalidArgument,
          "Checkpoint disallows consumer version 1");
}

TEST_CASE("A table without a header is no bundle", "[persist][bundle][corruption]") {
  MemoryFileSystem fs;
  const auto file = fs.create(kIndex);
  TableWriter table(*file);
  table.add("W", "not an entry");
  table.finish();
  CHECK_THAT(error_of([&] { BundleReader(fs, "m"); }).what(),
             Catch::Contains("Unable to read file (m.index)") &&
                 Catch::Contains("failed to seek to header entry"));
}

TEST_CASE("A data file that is missing is named", "[persist][bundle][corruption]") {
  auto files = small_bundle();
  files.erase(kData);
  const Error error = error_of([&] { content_of(files); });
  CHECK(error.code() == Code::kNotFound);
  CHECK_THAT(error.what(), Catch::StartsWith(kData));
}

TEST_CASE("Numbers of a big-endian checkpoint are swapped, its strings refused",
          "[persist][bundle]") {
  const auto big = [](auto& header) { header.set_endianness(pb::BundleHeaderProto::BIG); };
  const auto read = [](const std::map<std::string, std::string>& files) {
    MemoryFileSystem fs;
    for (const auto& [path, bytes] : files) fs.set(path, bytes);
    return BundleReader(fs, "m").read("W");
  };
  const std::string data = from_hex("3f800000c0200000");
  CHECK(bit_equal(read(bundle_with(nothing, big, data)), Tensor::vector<float>({1.0f, -2.5f})));
  const auto as_complex = [](Entry& e) {
    e.set_dtype(pb::DT_COMPLEX64);
    e.mutable_shape()->mutable_dim(0)->set_size(1);
  };
  CHECK(read(bundle_with(as_complex, big, data)).span<std::complex<float>>()[0] ==
        std::complex<float>(1.0f, -2.5f));
  const auto as_strings = [](Entry& e) { e.set_dtype(pb::DT_STRING); };
  CHECK(error_of([&] { read(bundle_with(as_strings, big, data)); }).code() == Code::kUnimplemented);
}

// A bundle of one entry "W", string [2], whose bytes are `lengths`, their checksum and `letters`;
// all checksums fit.
std::map<std::string, std::string> strings_with(const std::string& lengths,
                                                const std::string& letters,
                                                uint32_t lengths_crc_change = 0,
                                                uint32_t crc_change = 0) {
  std::string covered;
  for (const char length : lengths) put_fixed<uint32_t>(covered, static_cast<uint8_t>(length));
  std::string data = lengths, checksum;
  put_fixed<uint32_t>(checksum, mask_crc(crc32c(covered)) ^ lengths_crc_change);
  data += checksum + letters;
  const uint32_t crc = mask_crc(crc32c(letters, crc32c(checksum, crc32c(covered)))) ^ crc_change;
  return bundle_with(
      [&](Entry& e) {
        e.set_dtype(pb::DT_STRING);
        e.set_size(static_cast<int64_t>(data.size()));
        e.set_crc32c(crc);
      },
      {}, data);
}

TEST_CASE("Strings whose lengths, letters or checksums do not fit are refused by what is wrong",
          "[persist][bundle][corruption]") {
  CHECK_THAT(content_of(strings_with("\2\1", "abc")), Catch::Contains("ab"));
  const auto why = [](const std::map<std::string, std::string>& files) {
    const Error error = error_of([&] { content_of(files); });
    CHECK(error.code() == Code::kDataLoss);
    return std::string(error.what());
  };
  CHECK_THAT(why(strings_with("\2\1", "ab")),
             Catch::Contains("string 1 goes beyond the tensor's bytes"));
  CHECK_THAT(why(strings_with("\2\1", "abcd")), Catch::Contains("1 bytes follow the last string"));
  CHECK_THAT(why(strings_with("\2\1", "abc", 1)),
             Catch::Contains("The length checksum does not match"));
  CHECK_THAT(why(strings_with("\2\1", "abc", 0, 1)), Catch::Contains("Checksum does not match"));
  const auto cut = [](const std::string& data) {
    return bundle_with(
        [&](Entry& e) {
          e.set_dtype(pb::DT_STRING);
          e.set_size(static_cast<int64_t>(data.size()));
        },
        {}, data);
  };
  CHECK_THAT(why(cut("\x82\x81\x80")), Catch::Contains("the lengths of the strings do not end"));
  CHECK_THAT(why(cut("\2\1abc")), Catch::Contains("the length checksum is missing"));
}

}  // namespace cairn
