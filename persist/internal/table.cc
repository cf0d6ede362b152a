#include "persist/internal/table.h"

#include <leveldb/env.h>
#include <leveldb/table_builder.h>
#include <snappy.h>

#include <algorithm>
#include <exception>

#include "persist/internal/crc.h"
#include "persist/internal/file_kind.h"
#include "persist/internal/wire.h"

namespace cairn {
namespace {

constexpr size_t kBlockSize = 262144;
constexpr size_t kBigEntry = 2 * kBlockSize;
constexpr size_t kTrailerSize = 5;  // type byte, masked checksum
constexpr size_t kFooterSize = 48;
enum BlockType : uint8_t { kRaw = 0, kSnappy = 1 };

// Snappy cannot do better than 64 bytes for 3; keys are cut to what they do not share at most 15 times in a row.
// Beyond these a file is made to exhaust memory.
constexpr size_t kMostSnappyGrowth = 24;
constexpr size_t kMostKeyGrowth = 32;

leveldb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

// Errors of our file cannot travel through LevelDB as exceptions; they wait here.
class LevelDbFile final : public leveldb::WritableFile {
 public:
  explicit LevelDbFile(cairn::WritableFile& file) : file_(file) {}
  leveldb::Status Append(const leveldb::Slice& bytes) override {
    try {
      file_.append({bytes.data(), bytes.size()});
      return leveldb::Status::OK();
    } catch (...) {
      error_ = std::current_exception();
      return leveldb::Status::IOError("append");
    }
  }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }
  const std::string& path() const { return file_.path(); }

  void check() const {
    if (error_) std::rethrow_exception(error_);
  }
  void check(const leveldb::Status& status) const {
    check();
    if (!status.ok()) fail(Code::kInternal, path(), ": writing the table: ", status.ToString());
  }

 private:
  cairn::WritableFile& file_;
  std::exception_ptr error_;
};

leveldb::Options tensorflow_options() {
  leveldb::Options options;
  options.block_size = kBlockSize;
  options.compression = leveldb::kNoCompression;
  return options;
}

}  // namespace

struct TableWriter::Impl {
  explicit Impl(WritableFile& writable) : file(writable), builder(tensorflow_options(), &file) {}
  LevelDbFile file;
  leveldb::TableBuilder builder;
  std::string last_key;
  bool finished = false;
};

TableWriter::TableWriter(WritableFile& file) : impl_(std::make_unique<Impl>(file)) {}

TableWriter::~TableWriter() {
  if (!impl_->finished) impl_->builder.Abandon();
}

void TableWriter::add(std::string_view key, std::string_view value) {
  Impl& t = *impl_;
  const bool first = t.builder.NumEntries() == 0;
  if (!first && key <= t.last_key) {
    fail(Code::kInvalidArgument, t.file.path(), ": table keys must increase: '", key, "' after '", t.last_key, "'");
  }
  if (!first && key.size() + value.size() >= kBigEntry) t.builder.Flush();
  t.builder.Add(slice(key), slice(value));
  t.last_key = key;
  t.file.check();
}

void TableWriter::finish() {
  impl_->finished = true;
  impl_->file.check(impl_->builder.Finish());
}

// ---- Reading ------------------------------------------------------------------------------------------------------

TableReader::TableReader(FileSystem& fs, const std::string& path) : path_(path), file_(read_file(fs, path)) {
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
    // Blocks that overlap would let a small file stand for a large one.
    if (handle.offset < end) corrupt(at, "bad block handle (blocks overlap)");
    end = handle.offset + handle.size;
    blocks.push_back(handle);
  });
  size_t key_bytes = 0;
  for (const Handle& handle : blocks) {
    read_entries(handle, [&](std::string_view key, std::string_view value, uint64_t at) {
      if (!entries_.empty() && key <= entries_.back().key) corrupt(at, "bad entry in block (keys do not increase)");
      key_bytes += key.size();
      if (key_bytes / kMostKeyGrowth > file_.size()) corrupt(at, "bad block contents (keys grow without bound)");
      entries_.push_back({keys_->keep(key), value, handle.offset});
    });
  }
}

const TableReader::Entry* TableReader::find(std::string_view key) const {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), key,
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

// The contents of a block, its place and checksum verified.
std::string_view TableReader::block(Handle handle) {
  const uint64_t limit = file_.size() - kFooterSize;
  if (handle.offset > limit || limit - handle.offset < kTrailerSize ||
      handle.size > limit - handle.offset - kTrailerSize) {
    corrupt(handle.offset, "truncated block read");
  }
  const std::string_view stored = std::string_view(file_).substr(handle.offset, handle.size + kTrailerSize);
  const uint32_t expected = unmask_crc(get_fixed<uint32_t>(stored.substr(handle.size + 1)));
  if (crc32c(stored.substr(0, handle.size + 1)) != expected) corrupt(handle.offset, "block checksum mismatch");
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

// Calls on_entry(key, value, offset of the block) for each entry; the key is valid only during the call.
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
    if (!shared || !more || !size || *shared > key.size() || *more > bytes.size() || *size > bytes.size() - *more) {
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
    const std::string what = no_checkpoint_but(beginning_of(*fs.open(path)));
    if (what.empty()) throw;
    fail(Code::kDataLoss, path, ": ", what);
  }
}

}  // namespace cairn
