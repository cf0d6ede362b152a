#include "persist/checkpoint/checkpoint_reader.h"

#include <algorithm>
#include <cstring>
#include <iostream>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/files/quote.h"
#include "persist/files/read_retry.h"
#include "persist/files/settled_view.h"
#include "runtime/base/text.h"

namespace cairn {

CheckpointReader::CheckpointReader(const std::string& path, FileSystem* file_system, Files files) {
  FileSystem& fs = or_posix(file_system);
  for (ReadRetry attempt(fs, path);; attempt.again()) {
    prefix_ =
        files == Files::kNamed && attempt.prefix() == shard_pattern(path) ? path : attempt.prefix();
    try {
      const auto view = view_for(fs, prefix_);
      if ((view ? *view : fs).exists(bundle_index_path(prefix_))) {
        v2_ = std::make_unique<BundleReader>(fs, prefix_);
        return;
      }
      v1_ = std::make_unique<CheckpointV1Reader>(fs, prefix_);
      // Files of two saves would each be whole.
      if (v1_->files().size() == 1 || !attempt.has_changed()) return;
    } catch (const Error& e) {
      if (!attempt.should_retry(e)) throw;
    }
  }
}

CheckpointReader::~CheckpointReader() = default;

int CheckpointReader::num_shards() const {
  return v2_ ? v2_->num_shards() : static_cast<int>(v1_->files().size());
}

std::vector<std::string> CheckpointReader::names_but(
    std::span<const std::string_view> sorted) const {
  if (v2_) return v2_->names_but(sorted);
  std::vector<std::string> names = v1_->names();
  std::erase_if(names, [&](const std::string& name) {
    return std::binary_search(sorted.begin(), sorted.end(), name);
  });
  return names;
}

std::optional<CheckpointReader::Entry> CheckpointReader::find(const std::string& name) const {
  if (v2_) {
    const BundleEntry* entry = v2_->find(name);
    return entry ? std::optional(Entry{entry->dtype, entry->shape, entry->slices}) : std::nullopt;
  }
  const CheckpointV1Entry* entry = v1_->find(name);
  if (!entry) return std::nullopt;
  const bool whole = entry->slices.size() == 1 && entry->slices[0].covers(entry->shape);
  return Entry{entry->dtype, entry->shape, whole ? std::vector<TensorSlice>() : entry->slices};
}

std::map<std::string, Shape> CheckpointReader::variable_to_shape_map() const {
  std::map<std::string, Shape> shapes;
  for (const std::string& name : names()) shapes[name] = find(name)->shape;
  return shapes;
}

std::map<std::string, DType> CheckpointReader::variable_to_dtype_map() const {
  std::map<std::string, DType> dtypes;
  for (const std::string& name : names()) dtypes[name] = find(name)->dtype;
  return dtypes;
}

Tensor CheckpointReader::get_tensor(const std::string& name, const ParallelFor& in_parallel) const {
  return v2_ ? v2_->read(name, in_parallel) : v1_->read(name);
}

Tensor CheckpointReader::get_tensor(const std::string& name, const TensorSlice& slice) const {
  return v2_ ? v2_->read_slice(name, slice) : v1_->read_slice(name, slice);
}

std::function<void(std::span<char>)> CheckpointReader::stream(const std::string& name) const {
  if (v2_) return v2_->stream(name);
  const Tensor tensor = v1_->read(name);
  if (tensor.dtype() == DType::kString)
    fail(Code::kInvalidArgument, prefix_, ": tensor ", quote(name),
         " holds strings, which are read as a whole");
  return [tensor, at = size_t{0}, this](std::span<char> into) mutable {
    if (into.size() > tensor.num_bytes() - at)
      fail(Code::kInvalidArgument, prefix_, ": more bytes of a tensor are asked for than are left");
    if (!into.empty())
      std::memcpy(into.data(), static_cast<const char*>(tensor.raw_data()) + at, into.size());
    at += into.size();
  };
}

size_t CheckpointReader::missing_files() const { return v1_ ? v1_->missing_files() : 0; }

void CheckpointReader::check_no_file_is_missing() const {
  if (v1_) v1_->check_no_file_is_missing();
}

void CheckpointReader::verify() const { v2_ ? v2_->verify() : v1_->verify(); }

std::string CheckpointReader::debug_string() const {
  std::string text;
  for (const std::string& name : names()) {
    const Entry entry = *find(name);
    text += str_cat(printable(name), " (", dtype_enum_name(entry.dtype), ") ", entry.shape);
    if (entry.slices.size() > 1) text += str_cat(", ", entry.slices.size(), " slices");
    text += "\n";
  }
  return text;
}

void print_tensors_in_checkpoint_file(const std::string& file, const std::string& tensor_name,
                                      bool all_tensors, bool all_tensor_names,
                                      const PrintTensorsOptions& options) {
  std::ostream& out = options.out ? *options.out : std::cout;
  const CheckpointReader reader(file, options.file_system);
  const auto print = [&](const std::string& name, bool value) {
    out << "tensor_name:  " << printable(name) << "\n";
    if (!value) return;
    reader.get_tensor(name).print(out, options.full ? -1 : 1000);
    out << "\n";
  };
  if (all_tensors || all_tensor_names) {
    for (const std::string& name : reader.names()) print(name, all_tensors);
  } else if (!tensor_name.empty()) {
    print(tensor_name, true);
  } else {
    out << reader.debug_string() << "\n";
  }
  if (!options.count_parameters) return;
  int64_t parameters = 0;
  for (const auto& [name, shape] : reader.variable_to_shape_map())
    parameters += shape.num_elements();
  out << "# Total number of params: " << parameters << "\n";
}

}  // namespace cairn
