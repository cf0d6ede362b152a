// Checkpoints of either format, read through one door (TensorFlow's NewCheckpointReader).
//
//   CheckpointReader reader("run/model-1000");  // or .index, .meta, the directory "run"
//   for (const auto& [name, shape] : reader.variable_to_shape_map())
//     std::cout << name << " " << shape << "\n";
//   Tensor w = reader.get_tensor("W");
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

class CheckpointReader {
 public:
  // A tensor as the checkpoint describes it. `slices` is empty for one that is stored whole.
  struct Entry {
    DType dtype = DType::kInvalid;
    Shape shape;
    std::vector<TensorSlice> slices;
  };

  // `path`: a prefix, one of the checkpoint's files, a directory or its checkpoint file (the newest
  // one there); of V1 the file, the pattern P-?????-of-00002 or P. The prefix's index decides:
  // where there is one, the format is V2. Reads what names and shapes are in, not the values of V2.
  // `fs` must outlive the reader; null is the machine's. Throws NotFound; DataLoss for damage, and
  // for a file of another kind, which it names (a zip archive, HDF5, ...). Files::kNamed: of
  // several files of V1 only the named one is read.
  enum class Files { kAll, kNamed };
  explicit CheckpointReader(const std::string& path, FileSystem* fs = nullptr,
                            Files files = Files::kAll);
  ~CheckpointReader();

  // What was opened: the prefix, for V1 the file or pattern.
  const std::string& prefix() const { return prefix_; }
  CheckpointFormat version() const { return v1_ ? CheckpointFormat::kV1 : CheckpointFormat::kV2; }
  // How many files hold the values: shards.
  int num_shards() const;

  bool has_tensor(const std::string& name) const { return find(name).has_value(); }
  // in byte order, each partitioned tensor once
  std::vector<std::string> names() const { return names_but({}); }
  // Those that are not among `sorted`, which is in byte order.
  std::vector<std::string> names_but(std::span<const std::string_view> sorted) const;
  std::map<std::string, Shape> variable_to_shape_map() const;
  std::map<std::string, DType> variable_to_dtype_map() const;
  std::optional<Entry> find(const std::string& name) const;

  // The tensor, put together from its slices where it has them; or a part of it. Throws NotFound
  // ("Key W not found in checkpoint"), InvalidArgument for holes and for parts that do not fit,
  // DataLoss for damage. in_parallel: shares the reading of a tensor that is stored whole; V1 has
  // no use for it.
  Tensor get_tensor(const std::string& name, const ParallelFor& in_parallel = nullptr) const;
  Tensor get_tensor(const std::string& name, const TensorSlice& slice) const;
  // The elements' bytes, but for strings, in order: each call of the result fills its argument with
  // the next ones. Of a tensor that a V2 checkpoint stores whole no more is held than that, and its
  // checksum is verified with the last of its bytes: nothing is to be believed before. Throws as
  // get_tensor(). The reader must outlive it.
  std::function<void(std::span<char> into)> stream(const std::string& name) const;
  // How many files are missing, by the names of the others ("-00000-of-00002"). In V1 nothing else
  // reports them: their tensors are not among names(). 0 for V2, where reading such a tensor
  // throws.
  size_t missing_files() const;
  // Throws NotFound if files are missing. To be called before all tensors of a checkpoint are
  // copied or compared.
  void check_no_file_is_missing() const;
  // Reads everything once: checksums, sizes, no holes. Throws what is wrong first.
  void verify() const;

  // A line per tensor: "W (DT_FLOAT) [784,10]". Partitioned ones end in ", 3 slices", in both
  // formats (TensorFlow prints those of V2 under keys that nobody can read).
  std::string debug_string() const;

 private:
  std::string prefix_;
  std::unique_ptr<BundleReader> v2_;  // one of the two
  std::unique_ptr<CheckpointV1Reader> v1_;
};

struct PrintTensorsOptions {
  // every element; else as NumPy, of more than 1000 the first and last three per axis
  bool full = false;
  // a last line "# Total number of params: 7850", as TensorFlow has since 1.14
  bool count_parameters = false;
  std::ostream* out = nullptr;        // null: standard output
  FileSystem* file_system = nullptr;  // null: the machine's
};

// Prints what TensorFlow's inspect_checkpoint does: without a name and flags the debug string, with
// `tensor_name` that tensor ("tensor_name:  W" and the array as NumPy prints it), with
// `all_tensors` every one, with `all_tensor_names` only the names. Throws as CheckpointReader.
// (tensorflow.python.tools.inspect_checkpoint)
//   print_tensors_in_checkpoint_file("run/model-1000", "", true);
void print_tensors_in_checkpoint_file(const std::string& file, const std::string& tensor_name = "",
                                      bool all_tensors = false, bool all_tensor_names = false,
                                      const PrintTensorsOptions& options = {});

}  // namespace cairn
