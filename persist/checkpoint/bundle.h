// Bundles: named tensors in files, in the format of TensorFlow's V2 checkpoints, byte for byte.
//
// A bundle with the prefix "run/m" consists of the table run/m.index (for each name: dtype, shape,
// position and checksum of its bytes) and the data files run/m.data-00000-of-00001 ..., which hold
// the tensors' bytes one after the other. docs/formats.md describes both.
//
//   BundleWriter writer(posix_file_system(), "run/m");
//   writer.add("W", weights);
//   writer.finish();
//
//   BundleReader reader(posix_file_system(), "run/m");
//   Tensor w = reader.read("W");
//
// Calls that fail:
//
//   writer.add("W", weights);   // the second time, InvalidArgument: Adding duplicate key: W
//   reader.read("w");   // NotFound: run/m: Key w not found in checkpoint; did you mean W?
//
// Tensors may be numeric, bool or string, of every dtype that a Tensor holds. Resource and variant
// tensors are refused with Unimplemented.
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

// The paths of a bundle's files: "run/m" gives "run/m.index" and "run/m.data-00001-of-00002".
std::string bundle_index_path(const std::string& prefix);
std::string bundle_data_path(const std::string& prefix, int shard, int num_shards);

// One entry of the index: a tensor, or one slice of a partitioned tensor.
struct BundleEntry {
  DType dtype = DType::kInvalid;
  Shape shape;
  int shard = 0;
  uint64_t offset = 0, size = 0;  // in the shard's data file
  uint32_t masked_crc = 0;
  // Of a partitioned tensor: its slices, each of which has an entry of its own. Empty otherwise.
  std::vector<TensorSlice> slices;
};

// A unit of storage: a whole tensor, or one slice of a partitioned tensor.
struct BundlePiece {
  std::string name;
  std::optional<TensorSlice> slice;
  // Set by BundleReader: the number of the data file, the size in bytes and the masked checksum.
  int shard = 0;
  uint64_t size = 0;
  uint32_t masked_crc = 0;
};

// Writes a bundle with one data file. Nothing appears under the prefix before publish(): both files
// are written under temporary names, and the destructor removes them if they were not published.
// After an error only the destructor may be called. One thread at a time.
class BundleWriter {
 public:
  // Creates the prefix's directory if only its last component is missing. The file system must
  // outlive the writer, and so must `watch`, which receives the counts of NaN and infinity in each
  // tensor; null: values are not checked.
  BundleWriter(FileSystem& fs, std::string prefix, FiniteWatch* watch = nullptr);
  ~BundleWriter();
  BundleWriter(const BundleWriter&) = delete;
  BundleWriter& operator=(const BundleWriter&) = delete;

  // Appends the tensor's bytes to the data file, in the order of the calls. Large tensors are
  // written from their own memory, without a copy. Throws InvalidArgument for a name that is empty,
  // begins with a zero byte or was added before ("Adding duplicate key: W"), Unimplemented for a
  // dtype that cannot be stored, and the file system's errors.
  void add(const std::string& name, const Tensor& tensor);

  // Appends one slice of the tensor `name`, whose full shape is `full`. A slice that covers the
  // whole tensor is stored as an unsliced tensor. Throws as add(), and InvalidArgument if the slice
  // does not fit into `full`, `tensor` does not have the slice's shape, or earlier slices of this
  // name had another dtype or full shape.
  void add_slice(const std::string& name, const Shape& full, const TensorSlice& slice,
                 const Tensor& tensor);

  // Completes and syncs both files, still under their temporary names.
  void seal();
  // Calls seal() if that was not done, renames the data file, then the index, and syncs the
  // directory. An older bundle under the prefix is replaced; if this fails, it is still there.
  void publish();
  void finish() { publish(); }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Reads a bundle with any number of data files. The constructor reads and checks the whole index;
// data files are opened when first needed. The const functions may be called from several threads.
//
// Damage is thrown as DataLoss and names the file, the offset and the tensor. Every number in a
// file is checked against the sizes of the files before it is used: a damaged bundle can neither
// crash the reader nor make it take more memory than a small multiple of the files' sizes.
class BundleReader {
 public:
  // The file system must outlive the reader. Throws NotFound if there is no index, DataLoss for a
  // damaged one, InvalidArgument for a version that this reader does not support. While a bundle is
  // being overwritten, or if that was interrupted, the older one is read.
  BundleReader(FileSystem& fs, std::string prefix);
  ~BundleReader();

  const std::string& prefix() const { return prefix_; }
  int num_shards() const { return num_shards_; }
  // The names of all tensors in byte order, a partitioned one listed once.
  std::vector<std::string> names() const { return names_but({}); }
  // The same without the names in `sorted`, which must be in byte order.
  std::vector<std::string> names_but(std::span<const std::string_view> sorted) const;
  bool has(const std::string& name) const { return find(name) != nullptr; }
  // The entry of a tensor, or null. Valid as long as the reader.
  const BundleEntry* find(const std::string& name) const;
  // Throws NotFound ("Key W not found in checkpoint").
  const BundleEntry& entry(const std::string& name) const;

  // The whole tensor, assembled from its slices if it is partitioned. `in_parallel` distributes the
  // reading of an unsliced tensor. Throws NotFound; InvalidArgument if slices do not cover the
  // tensor; DataLoss if the bytes do not match size, checksum or dtype; Unimplemented for an
  // unknown dtype.
  Tensor read(const std::string& name, const ParallelFor& in_parallel = nullptr) const;
  // Reads into existing memory: `into` must have the entry's dtype and shape (InvalidArgument
  // otherwise). After an error its elements are unspecified.
  void read_into(const std::string& name, Tensor& into) const;
  // Reads a tensor in portions: each call of the returned function fills its argument with the next
  // bytes of the elements, in row-major order. An unsliced tensor is not held in memory. Its
  // checksum is verified with the last byte, so no value is trustworthy before that. The reader
  // must outlive the function. Throws as read(), and InvalidArgument for a string tensor and for
  // more bytes than are left.
  //
  //   auto next = reader.stream("W");
  //   std::vector<char> row(4 * 10);
  //   for (int i = 0; i < 784; ++i) next(row);   // one more call would throw InvalidArgument
  std::function<void(std::span<char> into)> stream(const std::string& name) const;
  // The part `slice` of a tensor, whether the tensor is stored whole or in slices. Throws as
  // read(), and InvalidArgument if the slice does not fit.
  Tensor read_slice(const std::string& name, const TensorSlice& slice) const;

  // All pieces in order of data file and offset. Adding them to a writer in this order reproduces
  // the bytes.
  std::vector<BundlePiece> pieces_in_file_order() const;
  // Reads every tensor once: checks all checksums, sizes and dtypes, and that slices cover their
  // tensors. Throws the first fault found.
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

  // While a bundle is overwritten: shows the older one. Null otherwise.
  std::unique_ptr<FileSystem> view_;
  FileSystem& fs_;
  std::string prefix_;
  int num_shards_ = 0;
  bool big_endian_ = false;
  // the memory of the keys in stored_
  std::unique_ptr<StringPool> keys_;
  // sorted by key
  std::vector<Stored> stored_;
  // the index in stored_ where the last search ended
  mutable std::atomic<size_t> last_found_ = 0;
  // bytes read ahead from a data file
  struct Ahead {
    int shard = -1;
    uint64_t offset = 0;
    std::string bytes;
  };
  mutable Ahead ahead_;
  mutable std::mutex ahead_mutex_;
  mutable std::mutex mutex_;
  mutable std::map<int, std::unique_ptr<RandomAccessFile>> shards_;
};

// Merges bundles into one, as the last step of a sharded save: renames the data files to those of
// `destination`, writes one index for all of them and, once that is durable, removes the indexes of
// the parts and, with `delete_old_dirs`, their directories if these are empty. Two parts may hold
// different slices of one tensor.
//
// Throws InvalidArgument if there are no parts, if parts hold the same tensor ("Duplicate tensor
// keyed by W encountered, when merging prefix: run/b") or differ in byte order or version. The
// parts are then unchanged.
//
//   merge_bundles(fs, {"run/m_temp/part-0", "run/m_temp/part-1"}, "run/m");
void merge_bundles(FileSystem& fs, const std::vector<std::string>& prefixes,
                   const std::string& destination, bool delete_old_dirs = true);

}  // namespace cairn
