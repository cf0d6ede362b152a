// V1 checkpoints: the format before TensorFlow 0.12, byte for byte. A checkpoint is one table file
// that holds names, shapes and values together; a sharded one is several, P-00000-of-00002 and so
// on, told as P-?????-of-00002. docs/formats.md describes it.
// persist/checkpoint/checkpoint_reader.h reads both formats through one door.
//
//   CheckpointV1Writer writer(posix_file_system(), "run/m");
//   writer.add("W", weights);
//   writer.finish();
//
//   CheckpointV1Reader reader(posix_file_system(), "run/m");
//   Tensor w = reader.read("W");
//
// Not every dtype fits: bfloat16, uint32, uint64, qint16 and quint16 do not, nor resources and
// variants.
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

// Writes one file. Nothing is seen under `path` before finish(). After an error the writer is of no
// more use.
class CheckpointV1Writer {
 public:
  // Makes the file's directory if only that one level is missing. The file system must outlive the
  // writer.
  CheckpointV1Writer(FileSystem& fs, std::string path);
  ~CheckpointV1Writer();
  CheckpointV1Writer(const CheckpointV1Writer&) = delete;
  CheckpointV1Writer& operator=(const CheckpointV1Writer&) = delete;

  // Adds a tensor, which is shared and must not change until finish(). The order of calls does not
  // matter but for the slices of one tensor. Throws InvalidArgument for a name that is empty, not
  // UTF-8 or was added before, and for a tensor that may not fit a record of 2 GiB ("Tensor slice
  // is too large to serialize"); Unimplemented for another dtype.
  void add(const std::string& name, const Tensor& tensor);
  // Adds one slice of the tensor `name` whose shape is `full`. Throws as add(); InvalidArgument
  // when the slice does not fit, `tensor` has another shape than the slice, or earlier slices of
  // this name had another dtype or full shape.
  void add_slice(const std::string& name, const Shape& full, const TensorSlice& slice,
                 const Tensor& tensor);
  // The same of a tensor that `read` gives in finish(), when its turn has come: no two of them are
  // in memory at once.
  void add_slice(const std::string& name, const Shape& full, const TensorSlice& slice, DType dtype,
                 std::function<Tensor()> read);
  // Writes everything, durably, and gives the file its name; beside one tensor it takes a buffer of
  // fixed size. Throws InvalidArgument for slices that overlap.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A tensor as the files describe it. `slices` is never empty; a whole tensor is the one slice that
// covers it.
struct CheckpointV1Entry {
  DType dtype = DType::kInvalid;
  Shape shape;
  std::vector<TensorSlice> slices;  // in the order of files, then as written
  std::vector<int> files;           // for each slice, which file holds it
};

// The files that `path` stands for: itself; where it ends in -?????-of-00002 (as a sharded saver
// names its checkpoints), all of that series; where it is the part before that, the only series
// there is. In order of shard, those that are there; none where nothing is. Everything but that
// ending is taken as it stands: * and [ are letters. Throws InvalidArgument where several series
// begin so.
std::vector<std::string> checkpoint_v1_files(FileSystem& fs, const std::string& path);
// "run/m-00000-of-00002" and "run/m-?????-of-00002" -> "run/m"; other names as they are. The meta
// graph of a checkpoint is beside it under this name.
std::string without_shard_ending(const std::string& path);
// "run/m-00000-of-00002" -> "run/m-?????-of-00002"; other names as they are.
std::string shard_pattern(const std::string& path);

// Reads a V1 checkpoint. Its files are read and their tables of contents checked when the reader is
// made. The const functions are safe from several threads. Damage is DataLoss and names file,
// offset and tensor; no length that a file says is believed before it was checked.
class CheckpointV1Reader {
 public:
  // Throws NotFound when there is no such file; DataLoss for one that is none, saying what it looks
  // like.
  CheckpointV1Reader(FileSystem& fs, std::string path);
  ~CheckpointV1Reader();

  const std::string& path() const { return path_; }
  const std::vector<std::string>& files() const { return files_; }
  // How many more files the names of these speak of: 1 of P-?????-of-00003 where two are there.
  size_t missing_files() const { return missing_; }
  // Throws NotFound where there are any.
  void check_no_file_is_missing() const;

  // In byte order.
  std::vector<std::string> names() const;
  bool has(const std::string& name) const { return find(name) != nullptr; }
  // The entry, or null.
  const CheckpointV1Entry* find(const std::string& name) const;
  // Throws NotFound ("Tensor name "W" not found in checkpoint files run/m").
  const CheckpointV1Entry& entry(const std::string& name) const;

  // The whole tensor, or a part of it, however it is stored. Throws NotFound, InvalidArgument when
  // the slices leave holes, DataLoss when the values do not fit shape and dtype, Unimplemented for
  // a dtype that the format cannot hold.
  Tensor read(const std::string& name) const;
  Tensor read_slice(const std::string& name, const TensorSlice& slice) const;
  // One slice as it is stored: number `index` of the entry's.
  Tensor read_stored(const std::string& name, size_t index) const;
  // Reads everything once. Throws what is wrong first, records that no entry names included.
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
