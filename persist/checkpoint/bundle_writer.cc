#include <algorithm>
#include <deque>
#include <functional>
#include <set>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/bundle_format.h"
#include "persist/checkpoint/table.h"
#include "persist/files/crc.h"
#include "persist/files/publication.h"
#include "persist/graph/convert.h"
#include "persist/messages/message.h"
#include "persist/messages/wire.h"
#include "persist/saver/finite_watch.h"

namespace cairn {
namespace {

// `add_entries` must add the entries in order of their keys.
template <class F>
void write_index(WritableFile& file, const pb::BundleHeaderProto& header, F&& add_entries) {
  TableWriter table(file);
  table.add("", header.SerializeAsString());
  add_entries(table);
  table.finish();
}

// An entry of the index under construction.
struct Piece {
  std::string_view key;
  BundleEntry entry;
};

// The entries by key. Savers add keys in order, which makes each insertion an append.
class Pieces {
 public:
  Piece* find(std::string_view key) {
    const size_t i = place_of(key);
    return i < list_.size() && at(i).key == key ? &at(i) : nullptr;
  }
  // Null if the key exists already. The pointer remains valid as long as this object.
  Piece* add(std::string_view key) {
    const size_t i = place_of(key);
    if (i < list_.size() && at(i).key == key) return nullptr;
    if (i < list_.size() && order_.empty()) {
      for (uint32_t k = 0; k < list_.size(); ++k) order_.push_back(k);
    }
    if (i < list_.size() || !order_.empty())
      order_.insert(order_.begin() + static_cast<std::ptrdiff_t>(i),
                    static_cast<uint32_t>(list_.size()));
    list_.push_back({keys_.keep(key), {}});
    return &list_.back();
  }
  size_t size() const { return list_.size(); }
  Piece& at(size_t i) { return list_[order_.empty() ? i : order_[i]]; }  // i-th by key

 private:
  size_t place_of(std::string_view key) {
    if (list_.empty() || at(list_.size() - 1).key < key) return list_.size();
    size_t first = 0, last = list_.size();
    while (first < last) {
      const size_t middle = first + (last - first) / 2;
      if (at(middle).key < key) {
        first = middle + 1;
      } else {
        last = middle;
      }
    }
    return first;
  }
  StringPool keys_;
  std::deque<Piece> list_;
  std::vector<uint32_t> order_;  // positions in list_ by key; empty while list_ is sorted
};

// `bytes` is scratch memory, reused for all entries.
void add_to_table(TableWriter& table, const Piece& piece, std::string& bytes) {
  bytes.clear();
  put_plain_entry(bytes, piece.entry);
  // Slices are the last field.
  if (!piece.entry.slices.empty()) {
    pb::BundleEntryProto rest;
    for (const TensorSlice& slice : piece.entry.slices) *rest.add_slices() = to_proto(slice);
    rest.AppendToString(&bytes);
  }
  table.add(piece.key, bytes);
}

}  // namespace

std::string bundle_index_path(const std::string& prefix) { return prefix + ".index"; }

std::string bundle_data_path(const std::string& prefix, int shard, int num_shards) {
  const auto five_digits = [](int number) {
    const std::string digits = std::to_string(number);
    return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
  };
  return str_cat(prefix, ".data-", five_digits(shard), "-of-", five_digits(num_shards));
}

// ---- Writer -------------------------------------------------------------------------------------

struct BundleWriter::Impl {
  Impl(FileSystem& file_system, std::string where, FiniteWatch* finite_watch)
      : fs(file_system),
        prefix(std::move(where)),
        made(fs, directory_of(prefix), NewDirectories::kLast),
        watch(finite_watch),
        data(fs, bundle_data_path(prefix, 0, 1)) {}

  Piece& new_piece(const std::string& key, const std::string& name, DType dtype,
                   const Shape& shape) {
    Piece* piece = pieces.add(key);
    if (!piece)
      fail(Code::kInvalidArgument, bundle_index_path(prefix), ": Adding duplicate key: ", name);
    piece->entry.dtype = dtype;
    piece->entry.shape = shape;
    return *piece;
  }

  void add(const std::string& key, const std::string& name, const Tensor& tensor) {
    if (name.empty() || is_slice_key(name)) {
      fail(Code::kInvalidArgument, bundle_index_path(prefix),
           ": a tensor's name must not be empty or begin with a zero byte");
    }
    if (!is_storable(tensor.dtype())) {
      fail(Code::kUnimplemented, bundle_index_path(prefix), ": tensor '", name, "' of dtype ",
           tensor.dtype(), " cannot be stored in a checkpoint");
    }
    BundleEntry& entry = new_piece(key, name, tensor.dtype(), tensor.shape()).entry;
    const uint64_t begin = offset;
    NonfiniteCounter counter(tensor.dtype());
    const uint32_t crc =
        tensor.dtype() == DType::kString
            ? put_strings(tensor)
            : put({static_cast<const char*>(tensor.raw_data()), tensor.num_bytes()}, 0,
                  watch ? &counter : nullptr);
    if (watch) watch->note(name, tensor, counter);
    entry.offset = begin;
    entry.size = offset - begin;
    entry.masked_crc = mask_crc(crc);
  }

  // Appends bytes and extends `crc` over them. Works in pieces that fit the cache, so that
  // checksum, counter and write read each from memory once. A piece that is not full is held in
  // `pending` until it is.
  uint32_t put(std::string_view bytes, uint32_t crc, NonfiniteCounter* counter = nullptr) {
    offset += bytes.size();
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, kTransferSize);
      crc = crc32c(piece, crc);
      if (counter) counter->add(piece);
      if (piece.size() < kTransferSize) {
        pending += piece;
        if (pending.size() >= kTransferSize) flush();
      } else {
        flush();
        data.append(piece);
      }
      bytes.remove_prefix(piece.size());
    }
    return crc;
  }

  uint32_t put_strings(const Tensor& tensor) {
    const auto strings = tensor.span<std::string>();
    std::string head, lengths;
    for (const std::string& s : strings) {
      put_varint(head, s.size());
      put_string_length(lengths, s.size());
    }
    uint32_t crc = crc32c(lengths);
    std::string checksum;
    put_fixed<uint32_t>(checksum, mask_crc(crc));
    put(head, 0);
    crc = put(checksum, crc);
    for (const std::string& s : strings) crc = put(s, crc);
    return crc;
  }

  void flush() {
    if (!pending.empty()) data.append(pending);
    pending.clear();
  }

  FileSystem& fs;
  std::string prefix;
  NewDirectories made;
  FiniteWatch* watch;
  AtomicFile data;
  std::optional<AtomicFile> index;  // once sealed
  std::string pending;
  uint64_t offset = 0;
  Pieces pieces;
};

BundleWriter::BundleWriter(FileSystem& fs, std::string prefix, FiniteWatch* watch)
    : impl_(std::make_unique<Impl>(fs, std::move(prefix), watch)) {}
BundleWriter::~BundleWriter() = default;

void BundleWriter::add(const std::string& name, const Tensor& tensor) {
  impl_->add(name, name, tensor);
}

void BundleWriter::add_slice(const std::string& name, const Shape& full, const TensorSlice& slice,
                             const Tensor& tensor) {
  const std::string index = bundle_index_path(impl_->prefix);
  const Shape shape = slice.shape_in(full);
  if (tensor.shape() != shape) {
    fail(Code::kInvalidArgument, index, ": slice ", slice.str(), " of '", name, "' ", full,
         " has the shape ", shape, ", but the tensor given for it ", tensor.shape());
  }
  if (shape == full) return add(name, tensor);
  if (const Piece* whole = impl_->pieces.find(name); !whole) {
    impl_->add(slice_key(name, slice), name, tensor);
    impl_->new_piece(name, name, tensor.dtype(), full);
  } else {
    if (whole->entry.slices.empty())
      fail(Code::kInvalidArgument, index, ": Adding duplicate key: ", name);
    if (whole->entry.dtype != tensor.dtype() || !(whole->entry.shape == full)) {
      fail(Code::kInvalidArgument, index, ": slice ", slice.str(), " of '", name, "' is ",
           tensor.dtype(), " of a ", full,
           ", but an earlier slice is of another dtype or full shape");
    }
    impl_->add(slice_key(name, slice), str_cat(name, " (slice ", slice.str(), ")"), tensor);
  }
  impl_->pieces.find(name)->entry.slices.push_back(slice);
}

void BundleWriter::seal() {
  Impl& b = *impl_;
  if (b.index) return;
  b.flush();
  b.data.seal();
  b.index.emplace(b.fs, bundle_index_path(b.prefix));
  pb::BundleHeaderProto header;
  header.set_num_shards(1);
  header.mutable_version()->set_producer(kBundleVersion);
  write_index(*b.index, header, [&](TableWriter& table) {
    std::string bytes;
    for (size_t i = 0; i < b.pieces.size(); ++i) add_to_table(table, b.pieces.at(i), bytes);
  });
  b.index->seal();
}

void BundleWriter::publish() {
  seal();
  cairn::publish(impl_->fs, impl_->prefix, [&](Publication& publication) {
    publication.add(impl_->data, Publication::kBefore);
    publication.add(*impl_->index, Publication::kLast);
  });
  impl_->made.keep();
}

// ---- Merge --------------------------------------------------------------------------------------

namespace {

class Merge {
 public:
  explicit Merge(FileSystem& fs) : fs_(fs) {}

  void take(const std::string& prefix) {
    const TableReader table(fs_, bundle_index_path(prefix));
    const pb::BundleHeaderProto header = read_bundle_header(table);
    if (header_.num_shards() == 0) header_ = header;
    if (header.endianness() != header_.endianness()) {
      fail(Code::kInvalidArgument, table.path(),
           ": Merging bundles with conflicting endianness; inputs corrupted?");
    }
    if (header.version().SerializeAsString() != header_.version().SerializeAsString()) {
      fail(Code::kInvalidArgument, table.path(),
           ": Merging bundles with different format versions: ", to_line(header_.version()),
           " and ", to_line(header.version()));
    }
    std::map<int, int> shard_here_to_shard;
    for (size_t i = 1; i < table.entries().size(); ++i) {
      pb::BundleEntryProto entry;
      parse_bundle_entry(table, table.entries()[i], header.num_shards(), entry);
      const std::string key(table.entries()[i].key);
      if (entry.slices().empty()) {
        const auto [at, first] =
            shard_here_to_shard.try_emplace(entry.shard_id(), static_cast<int>(data_files_.size()));
        if (first)
          data_files_.push_back(bundle_data_path(prefix, entry.shard_id(), header.num_shards()));
        entry.set_shard_id(at->second);
      }
      add(key, std::move(entry), prefix);
    }
  }

  // `tidy` is called after the merged bundle has been published.
  void write(const std::string& destination, std::function<void()> tidy) {
    NewDirectories made(fs_, directory_of(destination), NewDirectories::kLast);
    const int n = static_cast<int>(data_files_.size());
    // The index is complete before any data file loses its old name.
    AtomicFile index(fs_, bundle_index_path(destination));
    header_.set_num_shards(std::max(n, 1));
    write_index(index, header_, [&](TableWriter& table) {
      for (const auto& [key, entry] : entries_) table.add(key, entry.SerializeAsString());
    });
    index.seal();
    publish(fs_, destination, [&](Publication& publication) {
      if (n == 0) {
        AtomicFile nothing(fs_, bundle_data_path(destination, 0, 1));
        publication.add(nothing, Publication::kBefore);
      }
      for (int i = 0; i < n; ++i) {
        publication.move(data_files_[static_cast<size_t>(i)], bundle_data_path(destination, i, n),
                         Publication::kBefore);
      }
      publication.add(index, Publication::kLast);
      publication.afterwards(std::move(tidy));
    });
    made.keep();
  }

 private:
  void add(const std::string& key, pb::BundleEntryProto entry, const std::string& prefix) {
    const auto [at, added] = entries_.try_emplace(key, entry);
    if (added) return;
    auto& there = at->second;
    const bool same_tensor = there.dtype() == entry.dtype() &&
                             there.shape().SerializeAsString() == entry.shape().SerializeAsString();
    if (there.slices().empty() || entry.slices().empty() || !same_tensor) {
      fail(Code::kInvalidArgument, "Duplicate tensor keyed by ",
           is_slice_key(key) ? "a slice" : key, " encountered, when merging prefix: ", prefix);
    }
    there.mutable_slices()->MergeFrom(entry.slices());
  }

  FileSystem& fs_;
  pb::BundleHeaderProto header_;
  std::map<std::string, pb::BundleEntryProto> entries_;
  std::vector<std::string> data_files_;
};

}  // namespace

void merge_bundles(FileSystem& fs, const std::vector<std::string>& prefixes,
                   const std::string& destination, bool delete_old_dirs) {
  if (prefixes.empty())
    fail(Code::kInvalidArgument, "merging into ", destination, ": there are no parts");
  Merge merge(fs);
  for (const std::string& prefix : prefixes) merge.take(prefix);
  merge.write(destination, [&fs, prefixes, destination, delete_old_dirs] {
    const auto tidy = [](auto action) {
      try {
        action();
      } catch (const Error&) {
      }
    };
    std::set<std::string> directories;
    for (const std::string& prefix : prefixes) {
      if (prefix == destination) continue;
      tidy([&] { fs.remove(bundle_index_path(prefix)); });
      directories.insert(directory_of(prefix));
    }
    if (!delete_old_dirs) return;
    for (const std::string& directory : directories) {
      if (directory != directory_of(destination)) tidy([&] { fs.remove_dir(directory); });
    }
  });
}

}  // namespace cairn
