// Tables: sorted keys and their values in one file, the container of V2 `.index` files and of V1
// checkpoints. The format is LevelDB's table with TensorFlow's options; docs/formats.md describes
// it.
//
// Both ways are our own. LevelDB's builder, which the tests compare the writer's bytes with, holds
// a value twice while it writes it; here a large one passes through in pieces. In reading every
// block's checksum is verified, every length is checked before it is used, and memory stays
// proportional to the file whatever it says.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "persist/files/file.h"

namespace cairn {

// The last eight bytes of a table.
inline constexpr uint64_t kTableMagic = 0xdb4775248b80fb57u;

class TableWriter {
 public:
  // Appends to `file`, which must be empty and outlive the writer. The caller syncs and closes it.
  explicit TableWriter(WritableFile& file);
  ~TableWriter();
  TableWriter(const TableWriter&) = delete;
  TableWriter& operator=(const TableWriter&) = delete;

  // Throws InvalidArgument unless `key` comes after the one before in byte order; and what the file
  // throws.
  void add(std::string_view key, std::string_view value);
  // The same with a value of `size` bytes that comes piece by piece and, where it is large, is
  // never held whole. `produce` is called once, and gives its argument the pieces in order.
  using Sink = std::function<void(std::string_view piece)>;
  void add(std::string_view key, uint64_t size, const std::function<void(const Sink&)>& produce);
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Many short strings that are freed all at once.
class StringPool {
 public:
  // A copy that lives as long as the pool.
  std::string_view keep(std::string_view text) {
    char* const kept = static_cast<char*>(memory_.allocate(text.size() + 1, 1));
    text.copy(kept, text.size());
    return {kept, text.size()};
  }

 private:
  std::pmr::monotonic_buffer_resource memory_;
};

class TableReader {
 public:
  struct Entry {
    std::string_view key, value;  // into the reader's memory
    uint64_t block;               // where in the file the entry's block begins
  };

  // Reads and checks the whole file. Throws DataLoss that names the path, the offset and what is
  // wrong there, and what the file system throws.
  TableReader(FileSystem& fs, const std::string& path);

  const std::string& path() const { return path_; }
  // Keys strictly increasing in byte order.
  const std::vector<Entry>& entries() const { return entries_; }
  // The entry of `key`, or null.
  const Entry* find(std::string_view key) const;
  // What holds the keys, for one who keeps them for longer than the reader.
  std::unique_ptr<StringPool> take_keys() { return std::move(keys_); }

 private:
  struct Handle {
    uint64_t offset, size;
  };
  [[noreturn]] void corrupt(uint64_t offset, std::string_view what) const;
  Handle take_handle(std::string_view& bytes, uint64_t offset) const;
  std::string_view block(Handle handle);
  template <class OnEntry>
  void read_entries(Handle handle, OnEntry on_entry);

  std::string path_, file_;
  std::deque<std::string> uncompressed_;  // stable addresses: entries point into these
  std::unique_ptr<StringPool> keys_ = std::make_unique<StringPool>();
  std::vector<Entry> entries_;
};

// The same for a file that a user named: where it is of another kind, the DataLoss says which and
// what to do.
std::unique_ptr<TableReader> open_table(FileSystem& fs, const std::string& path);

}  // namespace cairn
