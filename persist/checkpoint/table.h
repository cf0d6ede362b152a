// Tables: sorted keys and their values in one file, the container of V2 `.index` files and of V1
// checkpoints. The format is LevelDB's table with TensorFlow's options; docs/formats.md describes
// it.
//
// Writer and reader are Cairn's own. LevelDB's builder, whose bytes the tests compare with, holds a
// value twice while it writes it; this writer passes large values through in pieces. The reader
// verifies every block's checksum, checks every length before it is used, and needs memory
// proportional to the size of the file.
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
  // Appends to `file`, which must be empty and outlive the writer. Syncing and closing are up to
  // the caller.
  explicit TableWriter(WritableFile& file);
  ~TableWriter();
  TableWriter(const TableWriter&) = delete;
  TableWriter& operator=(const TableWriter&) = delete;

  // Appends an entry. Throws InvalidArgument unless `key` is greater than the previous one in byte
  // order, and the file's errors.
  void add(std::string_view key, std::string_view value);
  // The same for a value of `size` bytes that `produce` passes to its argument in pieces. `produce`
  // is called once. A large value is never held whole.
  using Sink = std::function<void(std::string_view piece)>;
  void add(std::string_view key, uint64_t size, const std::function<void(const Sink&)>& produce);
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Storage for many short strings, which are freed together.
class StringPool {
 public:
  // A copy of `text`, valid as long as the pool.
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
    std::string_view key, value;  // valid as long as the reader
    uint64_t block;               // the offset of the entry's block in the file
  };

  // Reads and checks the whole file. Throws DataLoss that names path, offset and fault, and the
  // file system's errors.
  TableReader(FileSystem& fs, const std::string& path);

  const std::string& path() const { return path_; }
  // All entries. Keys are strictly increasing in byte order.
  const std::vector<Entry>& entries() const { return entries_; }
  // The entry of `key`, or null.
  const Entry* find(std::string_view key) const;
  // Transfers the memory of the keys to the caller, so that keys can outlive the reader.
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

// Opens a table that a user named. If the file is of another kind, the DataLoss names the kind and
// a remedy.
std::unique_ptr<TableReader> open_table(FileSystem& fs, const std::string& path);

}  // namespace cairn
