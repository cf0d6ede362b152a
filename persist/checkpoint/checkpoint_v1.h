// V1 checkpoints: the format of TensorFlow before 0.12, byte for byte. A checkpoint is one table
// file that holds names, shapes and values; a sharded one is several, P-00000-of-00002 and so on,
// written P-?????-of-00002. docs/formats.md describes the format. CheckpointReader
// (persist/checkpoint/checkpoint_reader.h) reads both V1 and V2.
//
//   CheckpointV1Writer writer(posix_file_system(), "run/m");
//   writer.add("W", weights);
//   writer.finish();
//
//   CheckpointV1Reader reader(posix_file_system(), "run/m");
//   Tensor w = reader.read("W");
//
// The format has no place for bfloat16, uint32, uint64, qint16, quint16, resource and variant:
//
//   writer.add("n", Tensor(uint32_t{7}));   // Unimplemented: run/m: tensor 'n' of dtype uint32
//                                           // cannot be stored in a V1 checkpoint; use V2
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "persist/checkpoint/tensor_slice.h"
#include "persist/files/file.h"
#include "runtime/base/tensor.h"

namespace CAIRN_API cairn {

class TableReader;

// Writes one file. Nothing appears under `path` before finish(). After an error only the destructor
// may be called. One thread at a time.
class CheckpointV1Writer {
 public:
  // Creates the file's directory if only its last component is missing. The file system must
  // outlive the writer.
  CheckpointV1Writer(FileSystem& fs, std::string path);
  ~CheckpointV1Writer();
  CheckpointV1Writer(const CheckpointV1Writer&) = delete;
  CheckpointV1Writer& operator=(const CheckpointV1Writer&) = delete;

  // Adds a tensor. Its memory is shared, not copied, and must not change until finish(). The order
  // of calls matters only for the slices of one tensor. Throws InvalidArgument for a name that is
  // empty, not UTF-8 or was added before, and for a tensor that may exceed the format's 2 GiB per
  // record ("Tensor slice is too large to serialize"); Unimplemented for a dtype that the format
  // does not have.
  void add(const std::string& name, const Tensor& tensor);
  // Adds one slice of the tensor `name`, whose full shape is `full`. Throws as add(), and
  // InvalidArgument if the slice does not fit into `full`, `tensor` does not have the slice's
  // shape, or earlier slices of this name had another dtype or full shape.
  void add_slice(const std::string& name, const Shape& full, const TensorSlice& slice,
                 const Tensor& tensor);
  // The same for a tensor that finish() obtains from `read`. Only one such tensor is in memory at a
  // time.
  void add_slice(const std::string& name, const Shape& full, const TensorSlice& slice, DType dtype,
                 std::function<Tensor()> read);
  // Writes and syncs everything and renames the file to `path`. Beside one tensor it needs a buffer
  // of fixed size. Throws InvalidArgument for slices that overlap; an older file under `path` is
  // then unchanged.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Dtype, shape and slices of a tensor. `slices` is never empty; a whole tensor has one slice that
// covers it.
struct CheckpointV1Entry {
  DType dtype = DType::kInvalid;
  Shape shape;
  std::vector<TensorSlice> slices;  // by file, then in the order of writing
  std::vector<int> files;           // for each slice, the index of its file
};

// The files of the V1 checkpoint `path`, ordered by shard; empty if there are none. `path` is a
// file; or a name that ends in -?????-of-00002, as sharded savers name their checkpoints, for all
// files of that series; or the part before that ending, if only one series begins with it. All
// other characters, * and [ too, are literal. Throws InvalidArgument if several series begin with
// `path`.
std::vector<std::string> checkpoint_v1_files(FileSystem& fs, const std::string& path);
// "run/m-00000-of-00002" and "run/m-?????-of-00002" -> "run/m"; other names are returned unchanged.
// The meta graph is named after this.
std::string without_shard_ending(const std::string& path);
// "run/m-00000-of-00002" -> "run/m-?????-of-00002"; other names are returned unchanged.
std::string shard_pattern(const std::string& path);

// Reads a V1 checkpoint. The constructor reads the files and checks their tables of contents. The
// const functions may be called from several threads. Damage is thrown as DataLoss and names file,
// offset and tensor; every length in a file is checked before it is used.
class CheckpointV1Reader {
 public:
  // Throws NotFound if there is no such file; DataLoss for a damaged one or a file of another kind,
  // which the message names.
  CheckpointV1Reader(FileSystem& fs, std::string path);
  ~CheckpointV1Reader();

  const std::string& path() const { return path_; }
  const std::vector<std::string>& files() const { return files_; }
  // The number of files that are missing according to the names of the others: 1 if
  // P-?????-of-00003 has two files.
  size_t missing_files() const { return missing_; }
  // Throws NotFound if missing_files() is not 0.
  void check_no_file_is_missing() const;

  // The names of all tensors, in byte order.
  std::vector<std::string> names() const;
  bool has(const std::string& name) const { return find(name) != nullptr; }
  // The entry of a tensor, or null. Valid as long as the reader.
  const CheckpointV1Entry* find(const std::string& name) const;
  // Throws NotFound ("Tensor name "W" not found in checkpoint files run/m").
  const CheckpointV1Entry& entry(const std::string& name) const;

  // The whole tensor, or the part `slice` of it, whether it is stored whole or in slices. Throws
  // NotFound; InvalidArgument if slices do not cover the part, or `slice` does not fit; DataLoss if
  // the stored values do not match shape and dtype; Unimplemented for a dtype that the format does
  // not have.
  Tensor read(const std::string& name) const;
  Tensor read_slice(const std::string& name, const TensorSlice& slice) const;
  // The slice slices[index] of the tensor's entry. Throws as read(), and OutOfRange for `index`.
  Tensor read_stored(const std::string& name, size_t index) const;
  // Reads every tensor once. Throws the first fault found, also for records that no entry names and
  // for missing files.
  void verify() const;

 private:
  void find_missing_files();
  std::string about_missing_files() const;
  void check_coverage(const CheckpointV1Entry& entry, const std::string& name,
                      const TensorSlice& asked) const;

  std::string path_;
  std::vector<std::string> files_;
  size_t missing_ = 0;
  std::vector<std::unique_ptr<TableReader>> tables_;  // of the files, in the same order
  std::map<std::string, CheckpointV1Entry> entries_;
};

}  // namespace cairn
