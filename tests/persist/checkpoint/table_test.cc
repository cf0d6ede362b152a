#include "persist/checkpoint/table.h"

#include <leveldb/env.h>
#include <leveldb/iterator.h>
#include <leveldb/options.h>
#include <leveldb/table.h>
#include <leveldb/table_builder.h>
#include <snappy.h>

#include <map>
#include <random>

#include "persist/files/crc.h"
#include "persist/messages/wire.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"
#include "tests/support/table_bytes.h"

namespace cairn {
namespace {

using Items = std::map<std::string, std::string>;

Items items_of(const std::string& bytes) {
  MemoryFileSystem fs;
  fs.set("t", bytes);
  const TableReader reader(fs, "t");
  Items items;
  for (const auto& entry : reader.entries()) items[std::string(entry.key)] = entry.value;
  CHECK(items.size() == reader.entries().size());
  return items;
}

Error reading_error(const std::string& bytes) {
  return error_of([&] { items_of(bytes); });
}

// LevelDB's view of a table in memory: the oracle.
class StringFile final : public leveldb::RandomAccessFile {
 public:
  explicit StringFile(std::string bytes) : bytes_(std::move(bytes)) {}
  leveldb::Status Read(uint64_t offset, size_t n, leveldb::Slice* result, char*) const override {
    *result = leveldb::Slice(bytes_.data() + offset, n);
    return leveldb::Status::OK();
  }

 private:
  std::string bytes_;
};

Items items_by_leveldb(const std::string& bytes) {
  StringFile file(bytes);
  leveldb::Options options;
  options.paranoid_checks = true;
  leveldb::Table* opened = nullptr;
  REQUIRE(leveldb::Table::Open(options, &file, bytes.size(), &opened).ok());
  const std::unique_ptr<leveldb::Table> table(opened);
  leveldb::ReadOptions read;
  read.verify_checksums = true;
  const std::unique_ptr<leveldb::Iterator> it(table->NewIterator(read));
  Items items;
  for (it->SeekToFirst(); it->Valid(); it->Next())
    items[it->key().ToString()] = it->value().ToString();
  REQUIRE(it->status().ok());
  return items;
}

class StringSink final : public leveldb::WritableFile {
 public:
  leveldb::Status Append(const leveldb::Slice& bytes) override {
    bytes_.append(bytes.data(), bytes.size());
    return leveldb::Status::OK();
  }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }
  std::string bytes_;
};

std::string table_by_leveldb(const Items& items, const leveldb::Options& options) {
  StringSink sink;
  leveldb::TableBuilder builder(options, &sink);
  for (const auto& [key, value] : items) builder.Add(key, value);
  REQUIRE(builder.Finish().ok());
  return sink.bytes_;
}

std::string snappy_table_of(const Items& items) {
  leveldb::Options options;
  options.compression = leveldb::kSnappyCompression;
  return table_by_leveldb(items, options);
}

// With TensorFlow's options.
std::string plain_table_of(const Items& items) {
  leveldb::Options options;
  options.block_size = 262144;
  options.compression = leveldb::kNoCompression;
  return table_by_leveldb(items, options);
}

Items random_items(uint32_t seed, size_t count, size_t longest_value) {
  std::mt19937 random(seed);
  Items items;
  for (size_t i = 0; i < count; ++i) {
    std::string key, value(random() % (longest_value + 1), '\0');
    for (size_t n = random() % 12; n > 0; --n) key += "ab\x00\xff/"[random() % 5];
    for (char& c : value) c = static_cast<char>(random());
    items[key] = value;
  }
  return items;
}

}  // namespace

TEST_CASE("Checksums are CRC-32C, extended piece by piece, and stored masked", "[persist][table]") {
  CHECK(crc32c("123456789") == 0xe3069283u);
  CHECK(crc32c("6789", crc32c("12345")) == 0xe3069283u);
  CHECK(crc32("123456789") == 0xcbf43926u);
  CHECK(crc32("6789", crc32("12345")) == 0xcbf43926u);
  CHECK(crc32c("") == 0);
  CHECK(mask_crc(0xe3069283u) == 0xc78ab0e5u);
  CHECK(unmask_crc(0xc78ab0e5u) == 0xe3069283u);
}

TEST_CASE("Varints that do not fit or do not end are refused", "[persist][table]") {
  const auto take32 = [](std::string bytes) {
    std::string_view view = bytes;
    return take_varint<uint32_t>(view);
  };
  CHECK(take32(from_hex("ffffffff0f")) == 0xffffffffu);
  CHECK_FALSE(take32(from_hex("ffffffff1f")));
  CHECK_FALSE(take32(from_hex("8080808080")));
  CHECK_FALSE(take32(from_hex("80")));
  std::string bytes;
  put_varint(bytes, ~uint64_t{0});
  std::string_view view = bytes;
  CHECK(take_varint(view) == ~uint64_t{0});
}

TEST_CASE("An empty table is its three empty parts", "[persist][table]") {
  const std::string bytes = table_of({});
  CHECK(items_of(bytes).empty());
  CHECK(items_by_leveldb(bytes).empty());
}

TEST_CASE("What the writer wrote, the reader and LevelDB read alike", "[persist][table]") {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const Items items = random_items(seed, seed * 7, seed % 3 == 0 ? 60000 : 40);
    const std::string bytes = table_of(items);
    CHECK((items_of(bytes) == items));
    CHECK((items_by_leveldb(bytes) == items));
  }
}

TEST_CASE("A block ends before an entry of twice its size, and where it is full",
          "[persist][table]") {
  const std::string big(524288, 'v'), fill(262144, 'v');
  MemoryFileSystem fs;
  fs.set("t", table_of({{"a", "1"}, {"b", big}, {"c", fill}, {"d", "1"}}));
  const TableReader reader(fs, "t");
  const auto& entries = reader.entries();
  CHECK(entries[0].block == 0);
  CHECK(entries[1].block > entries[0].block);
  CHECK(entries[2].block > entries[1].block);
  CHECK(entries[3].block > entries[2].block);
  CHECK((items_by_leveldb(fs.contents().at("t")).at("b") == big));
}

TEST_CASE("Compressed blocks, which some writers left, are read", "[persist][table]") {
  Items items = random_items(1, 300, 10);
  items["long"] = std::string(100000, 'x');
  const std::string bytes = snappy_table_of(items);
  REQUIRE(bytes.size() < 50000);
  CHECK((items_of(bytes) == items));
}

TEST_CASE("Keys are found by name", "[persist][table]") {
  MemoryFileSystem fs;
  fs.set("t", table_of({{"", "header"}, {"a", "1"}, {"ab", "2"}}));
  const TableReader reader(fs, "t");
  CHECK(reader.find("")->value == "header");
  CHECK(reader.find("ab")->value == "2");
  CHECK(reader.find("aa") == nullptr);
  CHECK(reader.find("b") == nullptr);
}

TEST_CASE("Keys out of order are refused by the writer", "[persist][table]") {
  MemoryFileSystem fs;
  const auto file = fs.create("t");
  TableWriter writer(*file);
  writer.add("b", "");
  CHECK(error_of([&] { writer.add("b", ""); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { writer.add("a", ""); }).code() == Code::kInvalidArgument);
  writer.add("c", "");
  writer.finish();
}

TEST_CASE("A table cut short anywhere is refused", "[persist][table][corruption]") {
  const std::string bytes = table_of({{"", "header"}, {"a", "1"}, {"ab", std::string(300, 'v')}});
  for (size_t n = 0; n < bytes.size(); ++n) {
    CAPTURE(n);
    CHECK(reading_error(bytes.substr(0, n)).code() == Code::kDataLoss);
  }
}

TEST_CASE("A table with any bit flipped is refused or reads the same",
          "[persist][table][corruption]") {
  const Items items = {{"", "header"}, {"a", "1"}, {"ab", "2"}, {"b", std::string(30, 'v')}};
  for (const std::string& bytes : {table_of(items), snappy_table_of(items)}) {
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      CAPTURE(bit);
      Items read = items;
      const Error error = error_of([&] { read = items_of(with_bit_flipped(bytes, bit)); });
      CHECK((read == items));
      CHECK((error.code() == Code::kOk || error.code() == Code::kDataLoss));
    }
  }
}

TEST_CASE("Each kind of damage to a table is named, with path and offset",
          "[persist][table][corruption]") {
  const std::string good = block_of(from_hex("00 01 01 61 62 00000000 01000000"));
  const size_t size = good.size() - 5;
  REQUIRE(items_of(table_around(good, index_entry(0, size))) == Items{{"a", "b"}});

  const auto check = [](const std::string& bytes, const std::string& message) {
    const Error error = reading_error(bytes);
    CHECK(error.code() == Code::kDataLoss);
    CHECK_THAT(error.what(), Catch::StartsWith("t: at offset ") && Catch::Contains(message));
  };
  const auto check_block = [&](const std::string& block, const std::string& message) {
    check(table_around(block, index_entry(0, block.size() - 5)), message);
  };
  check("short", "file is too short to be an sstable");
  check(std::string(48, 'x'), "not an sstable (bad magic number)");
  check(table_around(good, index_entry(0, size + 1)), "block checksum mismatch");
  check(table_around(good, index_entry(0, 100000)), "bad block handle");
  check(table_around(good, index_entry(~uint64_t{0}, ~uint64_t{0})), "bad block handle");
  check(table_around(good, index_entry(90, 10)), "truncated block read");
  check(table_around(good, index_entry(0, size) + index_entry(0, size)), "blocks overlap");
  check(table_around(good, index_entry(0, size), 1000000), "bad block contents");
  check(table_around(good, index_entry(0, size).substr(0, 4)), "bad entry in block");
  check_block(block_of(from_hex("00 01 01 61 62 00000000 01000000"), 7), "bad block type");
  check_block(block_of("ab"), "bad block contents");
  check_block(block_of(from_hex("01 01 01 61 62 00000000 01000000")), "bad entry in block");
  check_block(block_of(from_hex("00 01 7f 61 62 00000000 01000000")), "bad entry in block");
  check_block(block_of(from_hex("00 01 00 61 00 01 00 61 00000000 01000000")),
              "keys do not increase");
  check_block(block_of(from_hex("ffffffff0f 00"), 1), "corrupted compressed block contents");
  check_block(block_of(from_hex("0a 00"), 1), "corrupted compressed block contents");
}

TEST_CASE("A small table cannot stand for a large one", "[persist][table][corruption]") {
  // One long key, then many that share it.
  std::string entries = from_hex("00 a01f 00") + std::string(4000, 'k');
  for (int i = 0; i < 4000; ++i) {
    std::string entry;
    put_varint(entry, 4000 + static_cast<uint64_t>(i));
    entries += entry + from_hex("01 00 6b");
  }
  const std::string block = block_of(entries + from_hex("00000000 01000000"));
  const Error error = reading_error(table_around(block, index_entry(0, block.size() - 5)));
  CHECK_THAT(error.what(), Catch::Contains("keys grow without bound"));
}

TEST_CASE("The writer's bytes are LevelDB's, whatever the sizes of keys and values",
          "[persist][table]") {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    INFO("seed " << seed);
    const Items items = random_items(seed, seed, seed % 4 == 0 ? 100'000 : 300);
    CHECK((table_of(items) == plain_table_of(items)));
  }
  // Around the sizes at which blocks end.
  for (const size_t size : {262'130, 262'140, 262'144, 262'150}) {
    Items items = random_items(1, 5, 10);
    items["b"] = std::string(size, 'x');
    CHECK((table_of(items) == plain_table_of(items)));
  }
}

TEST_CASE("A large value that comes in pieces is in a block of its own, as TensorFlow has it",
          "[persist][table]") {
  const std::string large(600'000, 'v');
  for (const Items& others :
       {Items{}, Items{{"a", "1"}}, Items{{"x", "1"}}, Items{{"a", "1"}, {"x", "2"}}}) {
    Items items = others;
    items["m"] = large;
    MemoryFileSystem fs;
    const auto file = fs.create("t");
    TableWriter writer(*file);
    for (const auto& [key, value] : items) {
      writer.add(key, value.size(), [&, &value = value](const TableWriter::Sink& sink) {
        for (size_t at = 0; at < value.size(); at += 1000)
          sink(std::string_view(value).substr(at, 1000));
      });
    }
    writer.finish();
    const std::string bytes = fs.contents().at("t");
    CHECK((bytes == table_of(items)));
    CHECK((items_by_leveldb(bytes) == items));
    const TableReader reader(fs, "t");
    for (const auto& entry : reader.entries())
      CHECK((entry.key == "m" || entry.block != reader.find("m")->block));
  }
}

}  // namespace cairn
