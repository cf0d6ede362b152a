// The end of a table: forty bytes of footer, then what its index block holds (checksum right)
// behind a good data block.
#include "tests/fuzz/fuzz.h"
#include "tests/support/table_bytes.h"

namespace cairn::fuzz {
namespace {

constexpr size_t kHandles = 40;  // the footer but for its magic number

std::string data_block() { return block_of(from_hex("00 01 01 61 62 00000000 01000000")); }

void one(std::string_view bytes) {
  std::string footer(take(bytes, kHandles));
  footer.resize(kHandles);
  MemoryFileSystem fs;
  fs.set("t", data_block() + block_of(std::string(bytes)) + footer + from_hex(kTableMagicInHex));
  accepted([&] {
    const TableReader reader(fs, "t");
    size_t size = 0;
    for (const auto& entry : reader.entries()) {
      require(reader.find(entry.key) == &entry, "a key is not found");
      size += entry.value.size();
    }
    // The index may name itself as a block of data, and what it holds may be compressed: no more is
    // sure.
    require(size < 25 * fs.contents().at("t").size(), "values have many more bytes than the file");
  });
}

std::string seed(const std::string& index, uint64_t at, uint64_t size) {
  std::string footer;
  for (const uint64_t number : {uint64_t{0}, data_block().size() - 5, at, size})
    put_varint(footer, number);
  footer.resize(kHandles);
  return footer + index;
}

std::vector<std::string> seeds() {
  const std::string data = data_block(), restarts = from_hex("00000000 01000000");
  const std::string index = index_entry(0, data.size() - 5) + restarts;
  // The metaindex is at 0 too: any block will do for it, and nothing in it is used.
  return {seed(index, data.size(), index.size()), seed(restarts, data.size(), restarts.size()),
          seed(index, 0, data.size() - 5), seed(index, ~uint64_t{0}, ~uint64_t{0})};
}

}  // namespace

const Target table_footer{"table_footer", one, seeds};

}  // namespace cairn::fuzz
