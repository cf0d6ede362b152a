// Table files made byte by byte, for tests of files that the writer never writes.
#pragma once

#include <map>
#include <string>

#include "persist/checkpoint/table.h"
#include "persist/files/crc.h"
#include "persist/messages/wire.h"
#include "tests/support/bytes.h"
#include "tests/support/memory_fs.h"

namespace cairn {

inline constexpr const char* kTableMagicInHex = "57fb808b247547db";  // from_hex() makes it bytes

// A block as it is stored: the content, its type (0 plain, 1 compressed) and a correct checksum.
inline std::string block_of(std::string contents, uint8_t type = 0) {
  contents += static_cast<char>(type);
  put_fixed<uint32_t>(contents, mask_crc(crc32c(contents)));
  return contents;
}

// A table of one data block and the given index block.
inline std::string table_around(const std::string& data_block, std::string index_entries,
                                uint32_t restarts = 1) {
  const std::string no_entries = from_hex("00000000 01000000");
  std::string bytes = data_block, footer;
  put_varint(footer, bytes.size());
  put_varint(footer, no_entries.size());
  bytes += block_of(no_entries);
  put_fixed<uint32_t>(index_entries, 0);
  put_fixed<uint32_t>(index_entries, restarts);
  put_varint(footer, bytes.size());
  put_varint(footer, index_entries.size());
  bytes += block_of(index_entries);
  footer.resize(40);
  return bytes + footer + from_hex(kTableMagicInHex);
}

inline std::string index_entry(uint64_t offset, uint64_t size) {
  std::string handle;
  put_varint(handle, offset);
  put_varint(handle, size);
  return std::string{'\0', '\1', static_cast<char>(handle.size()), 'z'} + handle;
}

// The table that the writer makes of these keys and values.
inline std::string table_of(const std::map<std::string, std::string>& items) {
  MemoryFileSystem fs;
  const auto file = fs.create("t");
  TableWriter writer(*file);
  for (const auto& [key, value] : items) writer.add(key, value);
  writer.finish();
  return fs.contents().at("t");
}

}  // namespace cairn
