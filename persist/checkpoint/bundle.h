// Bundles: named tensors in files, in the format of TensorFlow's V2 checkpoints, byte for byte.
//
// A bundle with the prefix "run/m" is the table run/m.index (name -> dtype, shape, where the bytes
// are, checksum) and the data files run/m.data-00000-of-00001 ...: the tensors' bytes one after the
// other. docs/formats.md describes both.
//
//   BundleWriter writer(posix_file_system(), "run/m");
//   writer.add("W", weights);
//   writer.finish();
//
//   BundleReader reader(posix_file_system(), "run/m");
//   Tensor w = reader.read("W");
//
// Numeric, bool and string tensors of every dtype that a Tensor holds. Resource and variant tensors
// are Unimplemented.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "persist/checkpoint/tensor_slice.h"
#include "persist/files/file.h"
#include "runtime/base/tensor.h"

namespace CAIRN_API cairn {

class FiniteWatch;
class StringPool;

// "run/m" -> "run/m.index", "run/m.data-00001-of-00002".
std::string bundle_index_path(const std::string& prefix);
std::string bundle_data_path(const std::string& prefix, int shard, int num_shards);

// What the index says of one tensor or slice.
struct BundleEntry {
  DType dtype = DType::kInvalid;
  Shape shape;
  int shard = 0;
  uint64_t offset = 0, size = 0;  // in the shard's data file
  uint32_t masked_crc = 0;
  // Not empty for a partitioned tensor: its bytes are in entries of their own, one for each of
  // these.
  std::vector<TensorSlice> slices;
};

// A stored piece: a tensor, or one slice of a partitioned tensor.
struct BundlePiece {
  std::string name;
  std::optional<TensorSlice> slice;
  // Of a piece that is read: the number of its data file, its length there and its checksum.
  int shard = 0;
  uint64_t size = 0;
  uint32_t masked_crc = 0;
};

// Writes a bundle of one data file. Nothing is seen under the prefix before publish(): both files
// are written under temporary names, which are removed when the writer is destroyed without it.
// After an error the writer is of no more use.
class BundleWriter {
 public:
  // Makes the prefix's directory if only that one level is missing. The file system must outlive
  // the writer, and so must `watch`, which is told of values that are not finite.
  BundleWriter(FileSystem& fs, std::string prefix, FiniteWatch* watch = nullptr);
  ~BundleWriter();
  BundleWriter(const BundleWriter&) = delete;
  BundleWriter& operator=(const BundleWriter&) = delete;

  // Appends the tensor's bytes; order of calls is order in the data file. Large tensors go to the
  // file straight from their own memory. Throws InvalidArgument for a name that is empty, begins
  // with a zero byte or was added before
  // ("Adding duplicate key: W"); Unimplemented for a dtype that cannot be stored.
  void add(const std::string& name, const Tensor& tensor);

  // Appends one slice of the tensor `name` whose shape is `full`. A slice that covers it all is
  // stored as a whole tensor. Throws as add(); InvalidArgument when the slice does not fit,
  // `tensor` has another shape than the slice, or earlier slices of this name had another dtype or
  // full shape.
  void add_slice(const std::string& name, const Shape& full, const TensorSlice& slice,
                 const Tensor& tensor);

  // Both files complete and durable, still under temporary names.
  void seal();
  // Data file renamed, then index, then the directory synced. Seals first if that was not done.
  void publish();
  void finish() { publish(); }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Reads a bundle of any number of data files. The index is read and checked whole when the reader
// is made; data files are opened when first needed. The const functions are safe from several
// threads.
//
// Damage is DataLoss and names the file, the offset and the tensor. Nothing a file says is believed
// before it was checked against the sizes of the files, so a damaged one can neither crash the
// reader nor make it take more memory than a small multiple of the files' sizes.
class BundleReader {
 public:
  // Throws NotFound when there is no index.
  BundleReader(FileSystem& fs, std::string prefix);
  ~BundleReader();

  const std::string& prefix() const { return prefix_; }
  int num_shards() const { return num_shards_; }
  // Tensor names in byte order, each partitioned tensor once.
  std::vector<std::string> names() const { return names_but({}); }
  // Those that are not among `sorted`, which is in byte order.
  std::vector<std::string> names_but(std::span<const std::string_view> sorted) const;
  bool has(const std::string& name) const { return find(name) != nullptr; }
  // The entry, or null.
  const BundleEntry* find(const std::string& name) const;
  // Throws NotFound ("Key W not found in checkpoint").
  const BundleEntry& entry(const std::string& name) const;

  // The whole tensor, put together from its slices where it has them. Throws NotFound;
  // InvalidArgument when the slices leave holes; DataLoss when the bytes do not match size,
  // checksum or dtype; Unimplemented for an unknown dtype. in_parallel: shares the reading of a
  // tensor that is stored whole.
  Tensor read(const std::string& name, const ParallelFor& in_parallel = nullptr) const;
  // The same into memory that is there: `into` must have the entry's dtype and shape
  // (InvalidArgument). After an error its elements are unspecified.
  void read_into(const std::string& name, Tensor& into) const;
  // The elements' bytes, but for strings, in order: each call of the result fills its argument with
  // the next ones. Of a tensor that is stored whole no more is held than that, and its checksum is
  // verified with the last of its bytes: nothing is to be believed before. Throws as read();
  // InvalidArgument for strings and for more bytes than there are. The reader must outlive it.
  std::function<void(std::span<char> into)> stream(const std::string& name) const;
  // The part `slice` of a tensor, however it is stored. Throws as read(), and when the slice does
  // not fit.
  Tensor read_slice(const std::string& name, const TensorSlice& slice) const;

  // Every stored piece in the order of shards and offsets: adding them to a writer in this order
  // gives the same bytes.
  std::vector<BundlePiece> pieces_in_file_order() const;
  // Reads everything once: all checksums, all sizes, no holes. Throws what is wrong first.
  void verify() const;

 private:
  struct Stored {  // one key of the index
    std::string_view key;
    BundleEntry entry;
  };
  const BundleEntry* find_key(std::string_view key) const;
  const BundleEntry& slice_entry(const std::string& name, const TensorSlice& slice) const;
  void check_overlaps() const;
  const RandomAccessFile& shard(int index) const;
  [[noreturn]] void corrupt(const BundleEntry& entry, std::string_view name,
                            const std::string& what) const;
  void check_values(const BundleEntry& entry, std::string_view name, uint32_t crc) const;
  void check_bools(const BundleEntry& entry, std::string_view name,
                   std::span<const char> bytes) const;
  void check_place(const BundleEntry& entry, const std::string& name) const;
  Tensor allocate_for(const BundleEntry& entry, const std::string& name) const;
  Tensor read_stored(const BundleEntry& entry, const std::string& name,
                     const ParallelFor& in_parallel = nullptr) const;
  void read_stored_into(const BundleEntry& entry, const std::string& name, Tensor& into,
                        const ParallelFor& in_parallel = nullptr) const;
  uint32_t read_stretch(const BundleEntry& entry, uint64_t begin, uint64_t end, char* data) const;
  uint32_t read_stretches(const BundleEntry& entry, char* data,
                          const ParallelFor& in_parallel) const;
  void read_bytes(const BundleEntry& entry, uint64_t at, std::span<char> into) const;
  void read_strings(const BundleEntry& entry, const std::string& name, Tensor& into) const;
  void check_coverage(const BundleEntry& entry, const std::string& name,
                      const TensorSlice& asked) const;
  void read_sliced_into(const BundleEntry& entry, const std::string& name, const TensorSlice& asked,
                        Tensor& into) const;

  // the older checkpoint, where one is being overwritten; else null
  std::unique_ptr<FileSystem> view_;
  FileSystem& fs_;
  std::string prefix_;
  int num_shards_ = 0;
  bool big_endian_ = false;
  std::unique_ptr<StringPool> keys_;            // the letters of those below
  std::vector<Stored> stored_;                  // by key
  mutable std::atomic<size_t> last_found_ = 0;  // where in it the last search ended
  struct Ahead {                                // a stretch of a data file
    int shard = -1;
    uint64_t offset = 0;
    std::string bytes;
  };
  mutable Ahead ahead_;
  mutable std::mutex ahead_mutex_;
  mutable std::mutex mutex_;
  mutable std::map<int, std::unique_ptr<RandomAccessFile>> shards_;
};

// Makes one bundle of several, as a sharded save ends: the data files are renamed to
// `destination`'s, one index is written over all of them, and only when that is durable the parts'
// indexes are removed, with `delete_old_dirs` also their directories where these are empty. Two
// parts may hold slices of one tensor. Throws InvalidArgument when parts hold the same tensor
// ("Duplicate tensor keyed by W encountered, when merging prefix: ...") or differ in byte order or
// version.
void merge_bundles(FileSystem& fs, const std::vector<std::string>& prefixes,
                   const std::string& destination, bool delete_old_dirs = true);

}  // namespace cairn
