#include <algorithm>
#include <cstring>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/bundle_format.h"
#include "persist/checkpoint/table.h"
#include "persist/files/crc.h"
#include "persist/files/file_kind.h"
#include "persist/files/quote.h"
#include "persist/files/settled_view.h"
#include "persist/graph/convert.h"
#include "persist/messages/message.h"
#include "persist/messages/wire.h"

namespace cairn {

// ---- Index --------------------------------------------------------------------------------------

namespace {

std::string key_text(std::string_view key) {
  if (!is_slice_key(key)) return printable(key);
  return str_cat(printable(key.substr(1, key.find('\0', 1) - 1)), " (a slice)");
}

[[noreturn]] void bad_entry(const TableReader& table, const TableReader::Entry& item,
                            std::string_view what) {
  fail(Code::kDataLoss, table.path(), ": in the block at offset ", item.block, ": ", what,
       "; the file is damaged, use another copy");
}

// `proto` is scratch memory, reused for all entries.
void read_entry(const TableReader& table, const TableReader::Entry& item, int num_shards,
                pb::BundleEntryProto& proto, BundleEntry& entry) {
  if (!take_plain_entry(item.value, num_shards, entry)) {
    parse_bundle_entry(table, item, num_shards, proto);
    entry = {.dtype = static_cast<DType>(proto.dtype()),
             .shape = {},
             .shard = proto.shard_id(),
             .offset = static_cast<uint64_t>(proto.offset()),
             .size = static_cast<uint64_t>(proto.size()),
             .masked_crc = proto.crc32c(),
             .slices = {}};
    try {
      entry.shape = from_proto(proto.shape());
      for (const auto& slice : proto.slices()) {
        entry.slices.push_back(from_proto(slice));
        entry.slices.back().within(entry.shape);
      }
    } catch (const Error& e) {
      bad_entry(table, item, str_cat("Invalid tensor shape: ", key_text(item.key), ": ", e.what()));
    }
  }
  if (!entry.shape.is_fully_defined()) {
    bad_entry(table, item, str_cat("Invalid tensor shape: ", key_text(item.key), " ", entry.shape));
  }
  if (static_cast<int>(entry.dtype) <= 0 || is_ref(entry.dtype)) {
    bad_entry(
        table, item,
        str_cat("Invalid dtype of ", key_text(item.key), ": ", static_cast<int>(entry.dtype)));
  }
}

}  // namespace

void check_checkpoint_version(const std::string& path, const pb::VersionDef& version) {
  const auto refuse = [&](const auto&... what) {
    fail(Code::kInvalidArgument, path, ": ", what...,
         "; use the program that wrote it, or a newer Cairn");
  };
  if (version.producer() < 0) {
    refuse("Checkpoint producer version ", version.producer(), " below min producer 0 supported");
  }
  if (version.min_consumer() > kBundleVersion) {
    refuse("Checkpoint min consumer version ", version.min_consumer(), " above current version ",
           kBundleVersion);
  }
  for (const int bad : version.bad_consumers()) {
    if (bad == kBundleVersion) refuse("Checkpoint disallows consumer version ", bad);
  }
}

pb::BundleHeaderProto read_bundle_header(const TableReader& table) {
  const auto refuse = [&](std::string_view why) {
    fail(Code::kDataLoss, "Unable to read file (", table.path(),
         "). Perhaps the file is corrupt or was produced by a newer version of TensorFlow with "
         "format changes (",
         why, ")");
  };
  const auto* item = table.find("");
  if (!item) refuse("failed to seek to header entry");
  pb::BundleHeaderProto header;
  if (!parse_bytes(item->value, header)) refuse("unable to parse header");
  constexpr int kMostShards = 99999;  // the file names have five digits
  if (header.num_shards() <= 0 || header.num_shards() > kMostShards)
    refuse(str_cat("the header counts ", header.num_shards(), " data files"));
  if (header.endianness() != pb::BundleHeaderProto::LITTLE &&
      header.endianness() != pb::BundleHeaderProto::BIG) {
    refuse(str_cat("unknown byte order ", header.endianness()));
  }
  check_checkpoint_version(table.path(), header.version());
  return header;
}

void parse_bundle_entry(const TableReader& table, const TableReader::Entry& item, int num_shards,
                        pb::BundleEntryProto& proto) {
  if (!parse_bytes(item.value, proto))
    bad_entry(table, item, str_cat("Entry for key ", key_text(item.key), " not parseable."));
  if (proto.offset() < 0 || proto.size() < 0 || proto.shard_id() < 0 ||
      proto.shard_id() >= num_shards) {
    bad_entry(
        table, item,
        str_cat("Entry for key ", key_text(item.key), " has offset ", proto.offset(), ", size ",
                proto.size(), ", data file ", proto.shard_id(), " of ", num_shards));
  }
}

BundleReader::BundleReader(FileSystem& fs, std::string prefix)
    : view_(view_for(fs, bundle_index_path(prefix))),
      fs_(view_ ? *view_ : fs),
      prefix_(std::move(prefix)) {
  const auto index = open_table(fs_, bundle_index_path(prefix_));
  TableReader& table = *index;
  const auto header = read_bundle_header(table);
  num_shards_ = header.num_shards();
  big_endian_ = header.endianness() == pb::BundleHeaderProto::BIG;
  stored_.reserve(table.entries().size() - 1);
  pb::BundleEntryProto proto;
  for (size_t i = 1; i < table.entries().size(); ++i) {
    const TableReader::Entry& item = table.entries()[i];
    Stored& stored = stored_.emplace_back();
    stored.key = item.key;
    read_entry(table, item, num_shards_, proto, stored.entry);
  }
  keys_ = table.take_keys();
  check_overlaps();
}

BundleReader::~BundleReader() = default;

// If entries could share bytes, a small file could describe arbitrarily large tensors.
void BundleReader::check_overlaps() const {
  std::vector<const Stored*> by_place;
  by_place.reserve(stored_.size());
  for (const Stored& s : stored_) {
    if (s.entry.slices.empty() && s.entry.size > 0) by_place.push_back(&s);
  }
  const auto comes_before = [](const Stored* a, const Stored* b) {
    return std::pair(a->entry.shard, a->entry.offset) < std::pair(b->entry.shard, b->entry.offset);
  };
  if (!std::is_sorted(by_place.begin(), by_place.end(), comes_before)) {
    std::sort(by_place.begin(), by_place.end(), comes_before);
  }
  for (size_t i = 1; i < by_place.size(); ++i) {
    const BundleEntry &before = by_place[i - 1]->entry, &entry = by_place[i]->entry;
    if (before.shard == entry.shard && before.offset + before.size > entry.offset) {
      corrupt(entry, key_text(by_place[i]->key),
              str_cat("its bytes overlap those of ", key_text(by_place[i - 1]->key)));
    }
  }
}

std::vector<std::string> BundleReader::names_but(std::span<const std::string_view> sorted) const {
  std::vector<std::string> names;
  auto next = sorted.begin();
  for (const Stored& s : stored_) {
    int order = 1;  // of the next listed name, relative to the key
    while (next != sorted.end() && (order = next->compare(s.key)) < 0) ++next;
    const bool listed = next != sorted.end() && order == 0;
    if (!listed && !is_slice_key(s.key)) names.emplace_back(s.key);
  }
  return names;
}

// Tries the entry after the last one found and that one again: keys are mostly looked up in order,
// some repeatedly.
const BundleEntry* BundleReader::find_key(std::string_view key) const {
  const size_t last = last_found_.load(std::memory_order_relaxed);
  for (const size_t i : {last + 1, last}) {
    if (i >= stored_.size() || stored_[i].key != key) continue;
    last_found_.store(i, std::memory_order_relaxed);
    return &stored_[i].entry;
  }
  const auto at =
      std::lower_bound(stored_.begin(), stored_.end(), key,
                       [](const Stored& s, std::string_view wanted) { return s.key < wanted; });
  if (at == stored_.end() || at->key != key) return nullptr;
  last_found_.store(static_cast<size_t>(at - stored_.begin()), std::memory_order_relaxed);
  return &at->entry;
}

const BundleEntry* BundleReader::find(const std::string& name) const {
  return is_slice_key(name) ? nullptr : find_key(name);
}

const BundleEntry& BundleReader::entry(const std::string& name) const {
  const BundleEntry* found = find(name);
  if (found) return *found;
  const auto near = nearest_names(name, names());
  fail(Code::kNotFound, prefix_, ": Key ", printable(name), " not found in checkpoint",
       near.empty() ? "" : str_cat("; did you mean ", join_for_people(near), "?"));
}

const BundleEntry& BundleReader::slice_entry(const std::string& name,
                                             const TensorSlice& slice) const {
  const BundleEntry& full = entry(name);
  const BundleEntry* found = find_key(slice_key(name, slice));
  const auto refuse = [&](std::string_view what) {
    fail(Code::kDataLoss, bundle_index_path(prefix_), ": slice ", slice.str(), " of ", quote(name),
         " ", what, "; the file is damaged, use another copy");
  };
  if (!found) refuse("has no entry");
  if (found->dtype != full.dtype || found->shape != slice.shape_in(full.shape) ||
      !found->slices.empty()) {
    refuse("is of another dtype or shape than the tensor's entry says");
  }
  return *found;
}

std::vector<BundlePiece> BundleReader::pieces_in_file_order() const {
  std::vector<std::pair<const BundleEntry*, BundlePiece>> placed;
  for (const Stored& s : stored_) {
    if (is_slice_key(s.key)) continue;
    if (s.entry.slices.empty())
      placed.push_back(
          {&s.entry,
           {std::string(s.key), std::nullopt, s.entry.shard, s.entry.size, s.entry.masked_crc}});
    for (const TensorSlice& slice : s.entry.slices) {
      const std::string name(s.key);
      const BundleEntry& entry = slice_entry(name, slice);
      placed.push_back({&entry, {name, slice, entry.shard, entry.size, entry.masked_crc}});
    }
  }
  std::stable_sort(placed.begin(), placed.end(), [](const auto& a, const auto& b) {
    const auto place = [](const BundleEntry& e) { return std::tuple(e.shard, e.offset, e.size); };
    return place(*a.first) < place(*b.first);
  });
  std::vector<BundlePiece> pieces;
  for (auto& [entry, piece] : placed) pieces.push_back(std::move(piece));
  return pieces;
}

// ---- Data ---------------------------------------------------------------------------------------

const RandomAccessFile& BundleReader::shard(int index) const {
  const std::lock_guard lock(mutex_);
  auto& file = shards_[index];
  if (file) return *file;
  const std::string path = bundle_data_path(prefix_, index, num_shards_);
  try {
    file = fs_.open(path);
  } catch (const Error& e) {
    if (e.code() != Code::kNotFound) throw;
    fail(Code::kNotFound, path, ": this data file of the checkpoint is missing, while its index, ",
         bundle_index_path(prefix_), ", is there and counts ", num_shards_,
         num_shards_ == 1 ? " data file" : " data files", "; copy it beside the index");
  }
  return *file;
}

void BundleReader::corrupt(const BundleEntry& entry, std::string_view name,
                           const std::string& what) const {
  fail(Code::kDataLoss, bundle_data_path(prefix_, entry.shard, num_shards_), ": at offset ",
       entry.offset, ": tensor '", printable(name), "': ", what,
       "; the checkpoint is damaged, use another one");
}

// Checks the entry's size and position against its dtype and the size of the data file.
void BundleReader::check_place(const BundleEntry& entry, const std::string& name) const {
  if (!is_storable(entry.dtype)) {
    fail(Code::kUnimplemented, bundle_index_path(prefix_), ": tensor ", quote(name),
         " has the dtype ", entry.dtype, " (", static_cast<int>(entry.dtype),
         "), which cannot be read");
  }
  if (entry.dtype == DType::kString && big_endian_) {
    fail(Code::kUnimplemented, bundle_index_path(prefix_), ": tensor ", quote(name),
         ": strings of a big-endian checkpoint cannot be read; convert it on the machine that "
         "wrote it");
  }
  const auto elements = static_cast<uint64_t>(entry.shape.num_elements());
  uint64_t expected = elements;  // of strings the minimum: one byte of length each
  if (entry.dtype == DType::kString) {
    if (entry.size < elements) {
      corrupt(entry, name,
              str_cat("Invalid size in bundle entry: key ", printable(name), "; stored size ",
                      entry.size, "; expected size is at least ", elements));
    }
  } else if (__builtin_mul_overflow(elements, dtype_size(entry.dtype), &expected) ||
             entry.size != expected) {
    corrupt(entry, name,
            str_cat("Invalid size in bundle entry: key ", printable(name), "; stored size ",
                    entry.size, "; expected size ", expected));
  }
  const RandomAccessFile& file = shard(entry.shard);
  const uint64_t limit = file.size();
  if (entry.offset > limit || entry.size > limit - entry.offset) {
    // A failed download may have left a Git LFS pointer or a web page in place of the data.
    const std::string begin = beginning_of(file),
                      what = is_plain_text(begin) ? no_checkpoint_but(begin, "a data file") : "";
    if (!what.empty()) fail(Code::kDataLoss, file.path(), ": ", what);
    corrupt(entry, name,
            str_cat("its ", entry.size, " bytes go beyond the end of the file, ", limit));
  }
}

Tensor BundleReader::allocate_for(const BundleEntry& entry, const std::string& name) const {
  check_place(entry, name);
  return Tensor::uninitialized(entry.dtype, entry.shape);
}

Tensor BundleReader::read_stored(const BundleEntry& entry, const std::string& name,
                                 const ParallelFor& in_parallel) const {
  Tensor tensor = allocate_for(entry, name);
  read_stored_into(entry, name, tensor, in_parallel);
  return tensor;
}

namespace {

void swap_bytes(char* data, size_t bytes, DType dtype) {
  const size_t width = is_complex(dtype) ? dtype_size(dtype) / 2 : dtype_size(dtype);
  for (size_t at = 0; at < bytes; at += width) std::reverse(data + at, data + at + width);
}

}  // namespace

// Small tensors are adjacent in the file, so one read fetches many of them.
void BundleReader::read_bytes(const BundleEntry& entry, uint64_t at, std::span<char> into) const {
  constexpr size_t kSmall = 4096, kAhead = 65536;
  const uint64_t from = entry.offset + at;
  if (into.size() > kSmall) return shard(entry.shard).read(from, into);
  const std::lock_guard lock(ahead_mutex_);
  const bool there = ahead_.shard == entry.shard && from >= ahead_.offset &&
                     from + into.size() <= ahead_.offset + ahead_.bytes.size();
  if (!there) {
    const RandomAccessFile& file = shard(entry.shard);
    ahead_.shard = -1;
    ahead_.bytes.resize(std::min<uint64_t>(kAhead, file.size() - from));
    file.read(from, ahead_.bytes);
    ahead_.shard = entry.shard;
    ahead_.offset = from;
  }
  std::memcpy(into.data(), ahead_.bytes.data() + (from - ahead_.offset), into.size());
}

// Reads bytes [begin, end) of the entry into `data` and returns their checksum.
uint32_t BundleReader::read_stretch(const BundleEntry& entry, uint64_t begin, uint64_t end,
                                    char* data) const {
  uint32_t crc = 0;
  for (uint64_t at = begin; at < end; at += kTransferSize, data += kTransferSize) {
    const std::span<char> piece(data, std::min<uint64_t>(kTransferSize, end - at));
    read_bytes(entry, at, piece);
    crc = crc32c({piece.data(), piece.size()}, crc);
  }
  return crc;
}

uint32_t BundleReader::read_stretches(const BundleEntry& entry, char* data,
                                      const ParallelFor& in_parallel) const {
  constexpr uint64_t kStretch = 16 * kTransferSize;
  const auto end_of = [&](size_t k) { return std::min((k + 1) * kStretch, entry.size); };
  std::vector<uint32_t> crcs((entry.size + kStretch - 1) / kStretch);
  in_parallel(static_cast<int64_t>(crcs.size()), [&](int64_t i) {
    const auto k = static_cast<size_t>(i);
    crcs[k] = read_stretch(entry, k * kStretch, end_of(k), data + k * kStretch);
  });
  uint32_t crc = 0;
  for (size_t k = 0; k < crcs.size(); ++k)
    crc = crc32c_joined(crc, crcs[k], end_of(k) - k * kStretch);
  return crc;
}

void BundleReader::check_values(const BundleEntry& entry, std::string_view name,
                                uint32_t crc) const {
  if (mask_crc(crc) == entry.masked_crc) return;
  corrupt(entry, name,
          str_cat("Checksum does not match: stored ", entry.masked_crc,
                  " vs. calculated on the restored bytes ", mask_crc(crc)));
}

void BundleReader::check_bools(const BundleEntry& entry, std::string_view name,
                               std::span<const char> bytes) const {
  const auto is_none = [](char c) { return c != 0 && c != 1; };
  if (entry.dtype == DType::kBool && std::any_of(bytes.begin(), bytes.end(), is_none))
    corrupt(entry, name, "a bool is neither 0 nor 1");
}

// Requires check_place().
void BundleReader::read_stored_into(const BundleEntry& entry, const std::string& name, Tensor& into,
                                    const ParallelFor& in_parallel) const {
  if (entry.dtype == DType::kString) return read_strings(entry, name, into);
  char* const data = static_cast<char*>(into.raw_data());
  const uint32_t crc = in_parallel ? read_stretches(entry, data, in_parallel)
                                   : read_stretch(entry, 0, entry.size, data);
  check_values(entry, name, crc);
  check_bools(entry, name, {data, entry.size});
  if (big_endian_) swap_bytes(data, entry.size, entry.dtype);
}

void BundleReader::read_strings(const BundleEntry& entry, const std::string& name,
                                Tensor& into) const {
  std::string bytes(entry.size, '\0');
  read_bytes(entry, 0, bytes);
  std::string_view rest = bytes;
  const auto strings = into.span<std::string>();
  if (strings.empty() && bytes.empty()) return;
  std::string covered;  // the lengths as the checksum covers them
  std::vector<uint64_t> lengths(strings.size());
  for (uint64_t& length : lengths) {
    const auto taken = take_varint(rest);
    if (!taken) corrupt(entry, name, "the lengths of the strings do not end");
    length = *taken;
    put_string_length(covered, length);
  }
  if (rest.size() < sizeof(uint32_t)) corrupt(entry, name, "the length checksum is missing");
  const auto stored = get_fixed<uint32_t>(rest);
  uint32_t crc = crc32c(covered);
  if (stored != mask_crc(crc)) {
    corrupt(entry, name,
            str_cat("The length checksum does not match: expected ", stored, " but actual is ",
                    mask_crc(crc)));
  }
  crc = crc32c(rest, crc);
  rest.remove_prefix(sizeof stored);
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] > rest.size())
      corrupt(entry, name, str_cat("string ", i, " goes beyond the tensor's bytes"));
    strings[i] = rest.substr(0, lengths[i]);
    rest.remove_prefix(lengths[i]);
  }
  if (!rest.empty()) corrupt(entry, name, str_cat(rest.size(), " bytes follow the last string"));
  check_values(entry, name, crc);
}

// ---- Slices -------------------------------------------------------------------------------------

// Throws unless the stored slices hold every element of `asked` exactly once. Needs only the index
// and the sizes of the files.
void BundleReader::check_coverage(const BundleEntry& entry, const std::string& name,
                                  const TensorSlice& asked) const {
  uint64_t held = 0;
  std::vector<TensorSlice> resolved;
  for (const TensorSlice& slice : entry.slices) {
    check_place(slice_entry(name, slice), name);
    resolved.push_back(slice.within(entry.shape));
    if (const auto common = intersection(resolved.back(), asked)) held += volume(*common);
  }
  if (const auto overlap = first_overlap(std::move(resolved))) {
    fail(Code::kDataLoss, bundle_index_path(prefix_), ": slices ", overlap->first.str(), " and ",
         overlap->second.str(), " of ", quote(name),
         " overlap; the file is damaged, use another copy");
  }
  if (held != volume(asked)) {
    fail(Code::kInvalidArgument, prefix_,
         ": Does not have sufficient slices for partitioned tensor ", printable(name),
         " to restore in slice_spec: ", asked.str(), " (", held, " of ", volume(asked),
         " elements are there)");
  }
}

// Requires check_coverage().
void BundleReader::read_sliced_into(const BundleEntry& entry, const std::string& name,
                                    const TensorSlice& asked, Tensor& into) const {
  for (const TensorSlice& slice : entry.slices) {
    const TensorSlice resolved = slice.within(entry.shape);
    const BundleEntry& piece = slice_entry(name, slice);
    if (resolved == asked) {
      read_stored_into(piece, name, into);
    } else if (intersection(resolved, asked)) {
      copy_common(read_stored(piece, name), resolved, into, asked);
    }
  }
}

Tensor BundleReader::read(const std::string& name, const ParallelFor& in_parallel) const {
  const BundleEntry& found = entry(name);
  if (found.slices.empty()) return read_stored(found, name, in_parallel);
  return read_slice(name, TensorSlice::whole(found.shape.rank()));
}

void BundleReader::read_into(const std::string& name, Tensor& into) const {
  const BundleEntry& found = entry(name);
  if (into.dtype() != found.dtype || into.shape() != found.shape) {
    fail(Code::kInvalidArgument, prefix_, ": tensor ", quote(name), " is ", found.dtype,
         found.shape, " in the checkpoint, but was to be read into ", into.dtype(), into.shape());
  }
  if (found.slices.empty()) {
    check_place(found, name);
    read_stored_into(found, name, into);
  } else {
    const TensorSlice asked = TensorSlice::whole(found.shape.rank()).within(found.shape);
    check_coverage(found, name, asked);
    read_sliced_into(found, name, asked, into);
  }
}

std::function<void(std::span<char>)> BundleReader::stream(const std::string& name) const {
  const BundleEntry& found = entry(name);
  if (found.dtype == DType::kString)
    fail(Code::kInvalidArgument, prefix_, ": tensor ", quote(name),
         " holds strings, which are read as a whole");
  const auto check_left = [this, name](uint64_t left, uint64_t asked) {
    if (asked <= left) return;
    fail(Code::kInvalidArgument, prefix_, ": tensor ", quote(name), ": ", asked,
         " more bytes are asked for than its ", left, " left");
  };
  if (!found.slices.empty() || big_endian_) {
    return [tensor = read(name), at = size_t{0}, check_left](std::span<char> into) mutable {
      check_left(tensor.num_bytes() - at, into.size());
      if (!into.empty())
        std::memcpy(into.data(), static_cast<const char*>(tensor.raw_data()) + at, into.size());
      at += into.size();
    };
  }
  check_place(found, name);
  return [this, name, &found, at = uint64_t{0}, crc = uint32_t{0},
          check_left](std::span<char> into) mutable {
    check_left(found.size - at, into.size());
    if (into.empty()) return;
    read_bytes(found, at, into);
    check_bools(found, name, into);
    crc = crc32c({into.data(), into.size()}, crc);
    at += into.size();
    if (at == found.size) check_values(found, name, crc);
  };
}

Tensor BundleReader::read_slice(const std::string& name, const TensorSlice& slice) const {
  const BundleEntry& found = entry(name);
  const TensorSlice asked = slice.within(found.shape);
  if (found.slices.empty()) {
    const Tensor whole = read_stored(found, name);
    const Shape shape = slice.shape_in(found.shape);
    if (shape == found.shape) return whole;
    Tensor part = Tensor::uninitialized(found.dtype, shape);
    copy_common(whole, TensorSlice::whole(found.shape.rank()).within(found.shape), part, asked);
    return part;
  }
  check_coverage(found, name, asked);
  Tensor tensor = Tensor::uninitialized(found.dtype, slice.shape_in(found.shape));
  read_sliced_into(found, name, asked, tensor);
  return tensor;
}

void BundleReader::verify() const {
  // Overlaps are checked first: otherwise a damaged index could make the loop below read one piece
  // any number of times.
  for (const Stored& s : stored_) {
    if (s.entry.slices.empty()) continue;
    check_coverage(s.entry, std::string(s.key),
                   TensorSlice::whole(s.entry.shape.rank()).within(s.entry.shape));
  }
  for (const BundlePiece& piece : pieces_in_file_order()) {
    const BundleEntry& stored =
        piece.slice ? slice_entry(piece.name, *piece.slice) : entry(piece.name);
    read_stored(stored, piece.name);
  }
}

}  // namespace cairn
