#include "persist/checkpoint/table.h"

#include <leveldb/comparator.h>
#include <leveldb/slice.h>
#include <snappy.h>

#include <algorithm>
#include <optional>

#include "persist/files/crc.h"
#include "persist/files/file_kind.h"
#include "persist/files/quote.h"
#include "persist/messages/wire.h"

namespace cairn {
namespace {

constexpr size_t kBlockSize = 262144;
constexpr size_t kBigEntry = 2 * kBlockSize;
constexpr size_t kTrailerSize = 5;  // type byte, masked checksum
constexpr size_t kFooterSize = 48;
enum BlockType : uint8_t { kRaw = 0, kSnappy = 1 };

// Limits on how much larger the contents of a block may be than its bytes; a file beyond them was
// made to exhaust memory. Snappy expands 3 bytes to at most 64. A key may share bytes with its
// predecessor at most 15 times in a row.
constexpr size_t kMostSnappyGrowth = 24;
constexpr size_t kMostKeyGrowth = 16;

struct BlockHandle {
  uint64_t offset = 0, size = 0;
};

void put_handle(std::string& out, BlockHandle handle) {
  put_varint(out, handle.offset);
  put_varint(out, handle.size);
}

// Builds one block. Each key is stored without the prefix that it shares with the previous one.
class BlockBuilder {
 public:
  // After every `restart_interval` entries a key is stored in full.
  explicit BlockBuilder(size_t restart_interval) : restart_interval_(restart_interval) { clear(); }

  void clear() {
    bytes_.clear();
    last_key_.clear();
    restarts_ = {0};
    since_restart_ = 0;
  }
  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size() + (restarts_.size() + 1) * sizeof(uint32_t); }

  // Appends an entry without its value.
  void add_key(std::string_view key, uint64_t value_size) {
    size_t shared = 0;
    if (since_restart_ == restart_interval_) {
      restarts_.push_back(static_cast<uint32_t>(bytes_.size()));
      since_restart_ = 0;
    } else {
      const size_t most = std::min(last_key_.size(), key.size());
      while (shared < most && last_key_[shared] == key[shared]) ++shared;
    }
    put_varint(bytes_, shared);
    put_varint(bytes_, key.size() - shared);
    put_varint(bytes_, value_size);
    bytes_ += key.substr(shared);
    last_key_ = key;
    ++since_restart_;
  }
  void add_value(std::string_view piece) { bytes_ += piece; }
  void add(std::string_view key, std::string_view value) {
    add_key(key, value.size());
    add_value(value);
  }
  const std::string& bytes() const { return bytes_; }
  // The bytes after the entries.
  std::string tail() const {
    std::string tail;
    for (const uint32_t restart : restarts_) put_fixed<uint32_t>(tail, restart);
    put_fixed<uint32_t>(tail, static_cast<uint32_t>(restarts_.size()));
    return tail;
  }

 private:
  size_t restart_interval_;
  std::string bytes_, last_key_;
  std::vector<uint32_t> restarts_;
  size_t since_restart_ = 0;
};

}  // namespace

struct TableWriter::Impl {
  explicit Impl(WritableFile& writable) : file(writable) {}

  // Writes the bytes that `produce` passes on as one block.
  BlockHandle write_block(const std::function<void(const Sink&)>& produce) {
    const uint64_t begin = at;
    uint32_t crc = 0;
    const auto put = [&](std::string_view piece) {
      crc = crc32c(piece, crc);
      file.append(piece);
      at += piece.size();
    };
    produce(put);
    const uint64_t size = at - begin;
    std::string trailer(1, static_cast<char>(kRaw));
    crc = crc32c(trailer, crc);
    put_fixed<uint32_t>(trailer, mask_crc(crc));
    file.append(trailer);
    at += trailer.size();
    return {begin, size};
  }
  BlockHandle write_block(const BlockBuilder& block) {
    return write_block([&](const Sink& sink) { sink(block.bytes() + block.tail()); });
  }

  // Writes the current data block. Its index entry is added later: the separator key depends on the
  // first key of the next block.
  void flush() {
    if (data.empty()) return;
    pending = write_block(data);
    data.clear();
  }
  void add_to_index(const std::string& key) {
    std::string handle;
    put_handle(handle, *pending);
    index.add(key, handle);
    pending.reset();
  }
  void begin_entry(std::string_view key) {
    if (any && key <= last_key) {
      fail(Code::kInvalidArgument, file.path(),
           ": table keys must increase: ", quote(std::string(key)), " after ", quote(last_key));
    }
    if (pending) {
      leveldb::BytewiseComparator()->FindShortestSeparator(&last_key, {key.data(), key.size()});
      add_to_index(last_key);
    }
    any = true;
    last_key = key;
  }

  WritableFile& file;
  uint64_t at = 0;
  BlockBuilder data{16}, index{1};
  std::optional<BlockHandle> pending;
  std::string last_key;
  bool any = false;
};

TableWriter::TableWriter(WritableFile& file) : impl_(std::make_unique<Impl>(file)) {}

TableWriter::~TableWriter() = default;

void TableWriter::add(std::string_view key, std::string_view value) {
  add(key, value.size(), [&](const Sink& sink) { sink(value); });
}

void TableWriter::add(std::string_view key, uint64_t size,
                      const std::function<void(const Sink&)>& produce) {
  Impl& t = *impl_;
  const bool big = key.size() + size >= kBigEntry;
  if (big && (!t.any || key > t.last_key)) t.flush();
  t.begin_entry(key);
  t.data.add_key(key, size);
  if (big) {
    t.pending = t.write_block([&](const Sink& sink) {
      sink(t.data.bytes());
      produce(sink);
      sink(t.data.tail());
    });
    t.data.clear();
    return;
  }
  produce([&](std::string_view piece) { t.data.add_value(piece); });
  if (t.data.size() >= kBlockSize) t.flush();
}

void TableWriter::finish() {
  Impl& t = *impl_;
  t.flush();
  std::string footer;
  put_handle(footer, t.write_block(BlockBuilder(16)));
  if (t.pending) {
    leveldb::BytewiseComparator()->FindShortSuccessor(&t.last_key);
    t.add_to_index(t.last_key);
  }
  put_handle(footer, t.write_block(t.index));
  footer.resize(kFooterSize - sizeof kTableMagic);
  put_fixed<uint64_t>(footer, kTableMagic);
  t.file.append(footer);
}

// ---- Reading ------------------------------------------------------------------------------------

TableReader::TableReader(FileSystem& fs, const std::string& path)
    : path_(path), file_(read_file(fs, path)) {
  if (file_.size() < kFooterSize) corrupt(0, "file is too short to be an sstable");
  const uint64_t footer_at = file_.size() - kFooterSize;
  std::string_view footer = std::string_view(file_).substr(footer_at);
  if (get_fixed<uint64_t>(footer.substr(kFooterSize - sizeof kTableMagic)) != kTableMagic) {
    corrupt(footer_at, "not an sstable (bad magic number)");
  }
  const Handle metaindex = take_handle(footer, footer_at);
  const Handle index = take_handle(footer, footer_at);
  read_entries(metaindex, [](std::string_view, std::string_view, uint64_t) {});

  std::vector<Handle> blocks;
  uint64_t end = 0;
  read_entries(index, [&](std::string_view, std::string_view value, uint64_t at) {
    const Handle handle = take_handle(value, at);
    if (handle.offset > file_.size() || handle.size > file_.size()) corrupt(at, "bad block handle");
    // If blocks could overlap, a small file could describe an arbitrarily large table.
    if (handle.offset < end) corrupt(at, "bad block handle (blocks overlap)");
    end = handle.offset + handle.size;
    blocks.push_back(handle);
  });
  size_t key_bytes = 0;
  for (const Handle& handle : blocks) {
    read_entries(handle, [&](std::string_view key, std::string_view value, uint64_t at) {
      if (!entries_.empty() && key <= entries_.back().key)
        corrupt(at, "bad entry in block (keys do not increase)");
      key_bytes += key.size();
      if (key_bytes / kMostKeyGrowth > file_.size() + kBlockSize)
        corrupt(at, "bad block contents (keys grow without bound)");
      entries_.push_back({keys_->keep(key), value, handle.offset});
    });
  }
}

const TableReader::Entry* TableReader::find(std::string_view key) const {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), key,
      [](const Entry& entry, std::string_view wanted) { return entry.key < wanted; });
  return at != entries_.end() && at->key == key ? &*at : nullptr;
}

void TableReader::corrupt(uint64_t offset, std::string_view what) const {
  fail(Code::kDataLoss, path_, ": at offset ", offset, " of ", file_.size(), ": ", what,
       "; the file is damaged or of another kind, use another copy");
}

TableReader::Handle TableReader::take_handle(std::string_view& bytes, uint64_t offset) const {
  const auto at = take_varint(bytes), size = take_varint(bytes);
  if (!at || !size) corrupt(offset, "bad block handle");
  return {*at, *size};
}

// Reads a block, checks its position and checksum, and returns its contents.
std::string_view TableReader::block(Handle handle) {
  const uint64_t limit = file_.size() - kFooterSize;
  if (handle.offset > limit || limit - handle.offset < kTrailerSize ||
      handle.size > limit - handle.offset - kTrailerSize) {
    corrupt(handle.offset, "truncated block read");
  }
  const std::string_view stored =
      std::string_view(file_).substr(handle.offset, handle.size + kTrailerSize);
  const uint32_t expected = unmask_crc(get_fixed<uint32_t>(stored.substr(handle.size + 1)));
  if (crc32c(stored.substr(0, handle.size + 1)) != expected)
    corrupt(handle.offset, "block checksum mismatch");
  const std::string_view bytes = stored.substr(0, handle.size);
  const auto type = static_cast<uint8_t>(stored[handle.size]);
  if (type == kRaw) return bytes;
  if (type != kSnappy) corrupt(handle.offset, "bad block type");
  size_t length = 0;
  if (!snappy::GetUncompressedLength(bytes.data(), bytes.size(), &length) ||
      length / kMostSnappyGrowth > bytes.size()) {
    corrupt(handle.offset, "corrupted compressed block contents");
  }
  std::string& out = uncompressed_.emplace_back(length, '\0');
  if (!snappy::RawUncompress(bytes.data(), bytes.size(), out.data())) {
    corrupt(handle.offset, "corrupted compressed block contents");
  }
  return out;
}

// Calls on_entry(key, value, offset of the block) for each entry. The key is valid only during the
// call.
template <class OnEntry>
void TableReader::read_entries(Handle handle, OnEntry on_entry) {
  std::string_view bytes = block(handle);
  constexpr size_t kWord = sizeof(uint32_t);
  if (bytes.size() < kWord) corrupt(handle.offset, "bad block contents");
  const size_t restarts = get_fixed<uint32_t>(bytes.substr(bytes.size() - kWord));
  if (restarts > (bytes.size() - kWord) / kWord) corrupt(handle.offset, "bad block contents");
  bytes = bytes.substr(0, bytes.size() - (restarts + 1) * kWord);
  std::string key;
  while (!bytes.empty()) {
    const auto shared = take_varint<uint32_t>(bytes), more = take_varint<uint32_t>(bytes);
    const auto size = take_varint<uint32_t>(bytes);
    if (!shared || !more || !size || *shared > key.size() || *more > bytes.size() ||
        *size > bytes.size() - *more) {
      corrupt(handle.offset, "bad entry in block");
    }
    key.resize(*shared);
    key += bytes.substr(0, *more);
    on_entry(std::string_view(key), bytes.substr(*more, *size), handle.offset);
    bytes.remove_prefix(size_t{*more} + *size);
  }
}

std::unique_ptr<TableReader> open_table(FileSystem& fs, const std::string& path) {
  try {
    return std::make_unique<TableReader>(fs, path);
  } catch (const Error& e) {
    if (e.code() != Code::kDataLoss) throw;
    const std::string what =
        no_checkpoint_but(beginning_of(*fs.open(path)), path.ends_with(".index") ? "an index" : "");
    if (what.empty()) throw;
    fail(Code::kDataLoss, path, ": ", what);
  }
}

}  // namespace cairn
