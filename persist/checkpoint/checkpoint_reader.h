// Reads checkpoints of both formats, V1 and V2 (TensorFlow's NewCheckpointReader).
//
//   CheckpointReader reader("run/model-1000");  // or .index, .meta, the directory "run"
//   for (const auto& [name, shape] : reader.variable_to_shape_map())
//     std::cout << name << " " << shape << "\n";
//   Tensor w = reader.get_tensor("W");
//
// Calls that fail:
//
//   CheckpointReader("run/model-7");    // NotFound: no such checkpoint, with the nearest names
//   CheckpointReader("weights.zip");    // DataLoss: "this is no checkpoint but a zip archive, ..."
//   reader.get_tensor("w");           // NotFound: Key w not found in checkpoint; ...
#pragma once

#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "persist/checkpoint/tensor_slice.h"
#include "persist/files/file.h"
#include "persist/graph/saver_def.h"
#include "runtime/base/tensor.h"

namespace CAIRN_API cairn {

class BundleReader;
class CheckpointV1Reader;

// An open checkpoint. The const functions may be called from several threads.
class CheckpointReader {
 public:
  // Dtype and shape of a tensor. `slices` is empty for a tensor that is stored whole.
  struct Entry {
    DType dtype = DType::kInvalid;
    Shape shape;
    std::vector<TensorSlice> slices;
  };

  // `path` is a prefix, one of the checkpoint's files, or a directory or its checkpoint file, which
  // stand for the newest checkpoint there. Of a V1 checkpoint it is the file, the pattern
  // P-?????-of-00002 or P. The checkpoint is V2 if its prefix has an index. With Files::kNamed, of
  // a V1 checkpoint in several files only the named file is read.
  //
  // Reads names and shapes; the values of V2 are read when asked for. If a writer replaces the
  // checkpoint meanwhile, opening is tried again. `fs` must outlive the reader; null:
  // posix_file_system(). Throws NotFound, and DataLoss for damage or for a file of another kind,
  // which the message names (a zip archive, HDF5, ...).
  enum class Files { kAll, kNamed };
  explicit CheckpointReader(const std::string& path, FileSystem* fs = nullptr,
                            Files files = Files::kAll);
  ~CheckpointReader();

  // The prefix that was opened; for V1 the file or pattern.
  const std::string& prefix() const { return prefix_; }
  CheckpointFormat version() const { return v1_ ? CheckpointFormat::kV1 : CheckpointFormat::kV2; }
  // The number of files that hold values (shards).
  int num_shards() const;

  bool has_tensor(const std::string& name) const { return find(name).has_value(); }
  // The names of all tensors in byte order, a partitioned one listed once.
  std::vector<std::string> names() const { return names_but({}); }
  // The same without the names in `sorted`, which must be in byte order.
  std::vector<std::string> names_but(std::span<const std::string_view> sorted) const;
  std::map<std::string, Shape> variable_to_shape_map() const;
  std::map<std::string, DType> variable_to_dtype_map() const;
  // nullopt if there is no such tensor.
  std::optional<Entry> find(const std::string& name) const;

  // A whole tensor, assembled from its slices if it is partitioned, or the part `slice` of it.
  // `in_parallel` distributes the reading of a tensor that V2 stores whole; V1 ignores it. Throws
  // NotFound ("Key W not found in checkpoint"), InvalidArgument if slices do not cover the tensor
  // or `slice` does not fit, DataLoss for damage.
  Tensor get_tensor(const std::string& name, const ParallelFor& in_parallel = nullptr) const;
  Tensor get_tensor(const std::string& name, const TensorSlice& slice) const;
  // Reads a tensor in portions: each call of the returned function fills its argument with the next
  // bytes of the elements, in row-major order. A tensor that V2 stores whole is not held in memory.
  // Its checksum is verified with the last byte, so no value is trustworthy before that. The reader
  // must outlive the function. Throws as get_tensor(), and InvalidArgument for a string tensor and
  // for more bytes than are left.
  std::function<void(std::span<char> into)> stream(const std::string& name) const;
  // The number of files that are missing from a V1 checkpoint, according to the names of the others
  // ("-00000-of-00002"). Their tensors are not in names(), so nothing else reports them. Always 0
  // for V2, where reading such a tensor throws.
  size_t missing_files() const;
  // Throws NotFound if missing_files() is not 0. Call it before copying or comparing all tensors.
  void check_no_file_is_missing() const;
  // Reads every tensor once: checks checksums and sizes, and that slices cover their tensors.
  // Throws the first fault found.
  void verify() const;

  // One line per tensor: "W (DT_FLOAT) [784,10]". Lines of partitioned tensors end in ", 3 slices"
  // in both formats, where TensorFlow prints V2's binary slice keys.
  std::string debug_string() const;

 private:
  std::string prefix_;
  std::unique_ptr<BundleReader> v2_;  // exactly one of v2_ and v1_ is set
  std::unique_ptr<CheckpointV1Reader> v1_;
};

struct PrintTensorsOptions {
  // Print every element. false: as NumPy does, of more than 1000 elements only the first and last
  // three per axis.
  bool full = false;
  // Add the line "# Total number of params: 7850", as TensorFlow has since 1.14.
  bool count_parameters = false;
  std::ostream* out = nullptr;        // null: standard output
  FileSystem* file_system = nullptr;  // null: the machine's
};

// Prints what TensorFlow's inspect_checkpoint prints: by default debug_string(); with `tensor_name`
// that tensor ("tensor_name:  W" and the array in NumPy's format); with `all_tensors` all of them;
// with `all_tensor_names` only the names. Throws as CheckpointReader.
// (tensorflow.python.tools.inspect_checkpoint)
//
//   print_tensors_in_checkpoint_file("run/model-1000", "", true);
void print_tensors_in_checkpoint_file(const std::string& file, const std::string& tensor_name = "",
                                      bool all_tensors = false, bool all_tensor_names = false,
                                      const PrintTensorsOptions& options = {});

}  // namespace cairn
