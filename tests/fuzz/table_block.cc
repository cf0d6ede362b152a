// One data block of a table, its checksum right: the first byte says whether it is compressed.
#include <snappy.h>

#include "tests/fuzz/fuzz.h"
#include "tests/support/table_bytes.h"

namespace cairn::fuzz {
namespace {

void one(std::string_view bytes) {
  const auto type = static_cast<uint8_t>(bytes.empty() ? 0 : bytes[0] & 1);
  const std::string block = block_of(std::string(bytes.substr(bytes.empty() ? 0 : 1)), type);
  MemoryFileSystem fs;
  fs.set("t", table_around(block, index_entry(0, block.size() - 5)));
  accepted([&] {
    const TableReader reader(fs, "t");
    Records items;
    for (const auto& entry : reader.entries()) items[std::string(entry.key)] = entry.value;
    require(items.size() == reader.entries().size(), "a key appears twice");
    fs.set("again", table_of(items));
    const TableReader again(fs, "again");
    require(again.entries().size() == items.size(),
            "a table that was written again has other entries");
    for (const auto& entry : again.entries())
      require(items.at(std::string(entry.key)) == entry.value, "an entry has changed");
  });
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  for (const Records& items :
       {Records{}, Records{{"", "header"}, {"a", "1"}, {"ab", "2"}, {"b", ""}},
        Records{{"layer/w", std::string(40, 'v')}, {"layer/w/m", std::string(3, '\0')}}}) {
    const std::string table = table_of(items);
    const std::string_view block =
        std::string_view(table).substr(0, table.find(from_hex("01000000")) + 4);
    seeds.push_back('\0' + std::string(block));
    std::string packed;
    snappy::Compress(block.data(), block.size(), &packed);
    seeds.push_back('\1' + packed);
  }
  return seeds;
}

}  // namespace

const Target table_block{"table_block", one, seeds};

}  // namespace cairn::fuzz
