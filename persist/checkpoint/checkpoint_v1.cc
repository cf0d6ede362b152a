#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/checkpoint/save_names.h"

#include <algorithm>
#include <cctype>
#include <climits>
#include <complex>
#include <cstring>
#include <limits>
#include <utility>

#include "persist/checkpoint/bundle_format.h"
#include "persist/checkpoint/table.h"
#include "persist/files/publication.h"
#include "persist/files/quote.h"
#include "persist/files/settled_view.h"
#include "persist/graph/convert.h"
#include "persist/messages/message.h"
#include "runtime/base/text.h"

namespace cairn {
namespace {

// ---- values -------------------------------------------------------------------------------------

// The messages of the format have no fields for the other dtypes.
bool fits_format(DType dtype) {
  using enum DType;
  return is_storable(dtype) && dtype != kBFloat16 && dtype != kUInt32 && dtype != kUInt64 &&
         dtype != kQInt16 && dtype != kQUInt16;
}

template <class F>
void with_type(DType dtype, F&& f) {
  for_dtype<float, double, int32_t, uint8_t, int16_t, int8_t, uint16_t, std::string,
            std::complex<float>, int64_t, bool, std::complex<double>, Half>(storage_dtype(dtype),
                                                                            std::forward<F>(f));
}

template <class T>
inline constexpr bool kIsComplex =
    std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;

// The field of a TensorProto for values of T.
template <class T>
auto& values_of(pb::TensorProto& proto) {
  if constexpr (std::is_same_v<T, float>)
    return *proto.mutable_float_val();
  else if constexpr (std::is_same_v<T, double>)
    return *proto.mutable_double_val();
  else if constexpr (std::is_same_v<T, int64_t>)
    return *proto.mutable_int64_val();
  else if constexpr (std::is_same_v<T, bool>)
    return *proto.mutable_bool_val();
  else if constexpr (std::is_same_v<T, Half>)
    return *proto.mutable_half_val();
  else if constexpr (std::is_same_v<T, std::string>)
    return *proto.mutable_string_val();
  else if constexpr (std::is_same_v<T, std::complex<float>>)
    return *proto.mutable_scomplex_val();
  else if constexpr (std::is_same_v<T, std::complex<double>>)
    return *proto.mutable_dcomplex_val();
  else
    return *proto.mutable_int_val();
}

// The bytes per element by TensorFlow's estimate, which takes every varint at its maximum length.
template <class T>
constexpr size_t kMostBytes = std::is_same_v<T, uint8_t>                               ? 2
                              : std::is_same_v<T, uint16_t> || std::is_same_v<T, Half> ? 3
                              : std::is_integral_v<T> && !std::is_same_v<T, bool>      ? 10
                              : std::is_same_v<T, std::string>                         ? 10
                                                                                       : sizeof(T);

constexpr size_t kMostRecordBytes = size_t{1} << 31;
constexpr size_t kRecordHeaderBytes = 1 << 10;

size_t estimated_size(const pb::SavedSlice& head, const Tensor& tensor) {
  size_t bytes = head.ByteSizeLong() + kRecordHeaderBytes;
  with_type(tensor.dtype(),
            [&]<class T> { bytes += kMostBytes<T> * static_cast<size_t>(tensor.num_elements()); });
  if (tensor.dtype() == DType::kString) {
    for (const std::string& s : tensor.span<std::string>()) bytes += s.size();
  }
  return bytes;
}

// ---- a record's bytes ----

constexpr char field_tag(int number, int kind) { return static_cast<char>(number << 3 | kind); }
constexpr int kBytesKind = 2;

// The number of the field that values_of<T>() returns.
template <class T>
constexpr int kValuesField =
    std::is_same_v<T, float>                  ? pb::TensorProto::kFloatValFieldNumber
    : std::is_same_v<T, double>               ? pb::TensorProto::kDoubleValFieldNumber
    : std::is_same_v<T, int64_t>              ? pb::TensorProto::kInt64ValFieldNumber
    : std::is_same_v<T, bool>                 ? pb::TensorProto::kBoolValFieldNumber
    : std::is_same_v<T, Half>                 ? pb::TensorProto::kHalfValFieldNumber
    : std::is_same_v<T, std::string>          ? pb::TensorProto::kStringValFieldNumber
    : std::is_same_v<T, std::complex<float>>  ? pb::TensorProto::kScomplexValFieldNumber
    : std::is_same_v<T, std::complex<double>> ? pb::TensorProto::kDcomplexValFieldNumber
                                              : pb::TensorProto::kIntValFieldNumber;

template <class T>
constexpr bool kIsVarint = std::is_integral_v<T> || std::is_same_v<T, Half>;

// Protobuf's varint of an element: negative numbers are extended to 64 bits.
template <class T>
uint64_t varint_of(T v) {
  if constexpr (std::is_same_v<T, Half>)
    return v.bits;
  else
    return static_cast<uint64_t>(static_cast<int64_t>(v));
}

// Passes the bytes of a SavedTensorSlices that holds `head` and the tensor's values to `sink`, in
// pieces, with only one piece in memory beside the tensor.
class RecordBytes {
 public:
  RecordBytes(const pb::SavedSlice& head, const Tensor& tensor) : tensor_(tensor) {
    with_type(tensor.dtype(), [&]<class T> { values_size_ = size_of_values<T>(); });
    const bool packed = tensor.dtype() != DType::kString;
    std::string before;  // the bytes before the values
    if (packed && values_size_ > 0) {
      with_type(tensor.dtype(), [&]<class T> { before += field_tag(kValuesField<T>, kBytesKind); });
      put_varint(before, values_size_);
    }
    std::string slice = head.SerializeAsString();
    slice += field_tag(pb::SavedSlice::kDataFieldNumber, kBytesKind);
    put_varint(slice, before.size() + values_size_);
    slice += before;
    begin_ += field_tag(pb::SavedTensorSlices::kDataFieldNumber, kBytesKind);
    put_varint(begin_, slice.size() + values_size_);
    begin_ += slice;
  }

  uint64_t size() const { return begin_.size() + values_size_; }
  void produce(const TableWriter::Sink& sink) const {
    sink(begin_);
    with_type(tensor_.dtype(), [&]<class T> { put_values<T>(sink); });
  }

 private:
  template <class T>
  std::span<const T> elements() const {
    return {static_cast<const T*>(tensor_.raw_data()), static_cast<size_t>(tensor_.num_elements())};
  }

  template <class T>
  uint64_t size_of_values() const {
    uint64_t size = 0;
    if constexpr (std::is_same_v<T, std::string>) {
      for (const std::string& s : elements<T>()) size += 1 + varint_size(s.size()) + s.size();
    } else if constexpr (kIsVarint<T>) {
      for (const T v : elements<T>()) size += varint_size(varint_of(v));
    } else {
      size = tensor_.num_bytes();
    }
    return size;
  }

  template <class T>
  void put_values(const TableWriter::Sink& sink) const {
    if constexpr (!std::is_same_v<T, std::string> && !kIsVarint<T>) {
      if (values_size_ > 0)
        sink({static_cast<const char*>(tensor_.raw_data()), tensor_.num_bytes()});
    } else {
      std::string piece;
      for (const T& v : elements<T>()) {
        if constexpr (std::is_same_v<T, std::string>) {
          piece += field_tag(kValuesField<T>, kBytesKind);
          put_varint(piece, v.size());
          piece += v;
        } else {
          put_varint(piece, varint_of(v));
        }
        if (piece.size() < kTransferSize) continue;
        sink(piece);
        piece.clear();
      }
      if (!piece.empty()) sink(piece);
    }
  }

  const Tensor& tensor_;
  std::string begin_;  // all bytes before the values
  uint64_t values_size_ = 0;
};

// Converts the values listed in `proto`, one for each element, to a tensor. Reports faults by
// calling `refuse`, which throws.
template <class Refuse>
Tensor take_values(pb::TensorProto& proto, DType dtype, const Shape& shape, const Refuse& refuse) {
  Tensor tensor;
  with_type(dtype, [&]<class T> {
    auto& values = values_of<T>(proto);
    const auto listed = static_cast<uint64_t>(values.size()) / (kIsComplex<T> ? 2 : 1);
    if (listed != static_cast<uint64_t>(shape.num_elements()) ||
        (kIsComplex<T> && values.size() % 2 != 0)) {
      refuse(str_cat("it lists ", listed, " values, but a slice of shape ", shape, " has ",
                     shape.num_elements()));
    }
    tensor = Tensor::uninitialized(dtype, shape);
    T* const out = static_cast<T*>(tensor.raw_data());
    if constexpr (kIsComplex<T>) {
      std::copy(values.begin(), values.end(), reinterpret_cast<typename T::value_type*>(out));
    } else if constexpr (std::is_same_v<T, std::string>) {
      std::move(values.begin(), values.end(), out);
    } else if constexpr (std::is_same_v<T, Half>) {
      std::transform(values.begin(), values.end(), out,
                     [](int32_t v) { return Half::from_bits(static_cast<uint16_t>(v)); });
    } else {
      if constexpr (std::is_integral_v<T>) {
        using Limits = std::numeric_limits<T>;
        for (const auto v : values) {
          if (v < Limits::lowest() || v > Limits::max())
            refuse(str_cat("the value ", v, " is no ", dtype));
        }
      }
      std::copy(values.begin(), values.end(), out);
    }
  });
  return tensor;
}

}  // namespace

// ---- writer -------------------------------------------------------------------------------------

struct CheckpointV1Writer::Impl {
  struct Record {
    pb::SavedSlice head;
    DType dtype;
    Shape shape;
    std::function<Tensor()> read;
  };

  // Reads the record's tensor and drops the function that reads it.
  Tensor take(Record& record) const {
    const Tensor tensor = std::exchange(record.read, nullptr)();
    if (tensor.dtype() != record.dtype || tensor.shape() != record.shape) {
      fail(Code::kInvalidArgument, path, ": tensor ", quote(record.head.name()), " was to be ",
           record.dtype, " ", record.shape, " and is ", tensor.dtype(), " ", tensor.shape());
    }
    check_size(record.head, tensor);
    return tensor;
  }

  void check_size(const pb::SavedSlice& head, const Tensor& tensor) const {
    if (const size_t bytes = estimated_size(head, tensor); bytes >= kMostRecordBytes) {
      fail(Code::kInvalidArgument, path, ": tensor ", quote(head.name()),
           ": Tensor slice is too large to serialize (conservative estimate: ", bytes,
           " bytes); use V2");
    }
  }

  void add(const std::string& name, const Shape& full, const TensorSlice& slice, DType dtype,
           std::function<Tensor()> read) {
    if (name.empty() || !is_utf8(name)) {
      fail(Code::kInvalidArgument, path, ": a tensor's name must not be empty",
           name.empty() ? "" : " or anything but text: '" + name + "' is not UTF-8");
    }
    if (!fits_format(dtype)) {
      fail(Code::kUnimplemented, path, ": tensor ", quote(name), " of dtype ", dtype,
           " cannot be stored in a V1 checkpoint; use V2");
    }
    Record record;
    record.head.set_name(name);
    *record.head.mutable_slice() = to_proto(slice);
    record.dtype = dtype;
    record.shape = slice.shape_in(full);
    record.read = std::move(read);
    auto [at, first] = tensors.try_emplace(name);
    pb::SavedSliceMeta& meta = at->second;
    const pb::TensorShapeProto shape = to_proto(full);
    if (first) {
      meta.set_name(name);
      *meta.mutable_shape() = shape;
      meta.set_type(static_cast<pb::DataType>(dtype));
    } else if (meta.type() != static_cast<pb::DataType>(dtype) ||
               !same_message(meta.shape(), shape)) {
      fail(Code::kInvalidArgument, path, ": slice ", slice.str(), " of ", quote(name), " is ",
           dtype, " of a ", full, ", but an earlier slice is of another dtype or full shape");
    }
    *meta.add_slice() = record.head.slice();
    if (!records.try_emplace(slice_key(name, slice), std::move(record)).second) {
      fail(Code::kInvalidArgument, path, ": Adding duplicate key: ", name);
    }
  }

  void check_overlaps(const pb::SavedSliceMeta& meta) const {
    std::vector<TensorSlice> slices;
    for (const auto& slice : meta.slice())
      slices.push_back(from_proto(slice).within(from_proto(meta.shape())));
    if (const auto overlap = first_overlap(std::move(slices))) {
      fail(Code::kInvalidArgument, path, ": slices ", overlap->first.str(), " and ",
           overlap->second.str(), " of '", meta.name(), "' overlap");
    }
  }

  FileSystem& fs;
  std::string path;
  NewDirectories made;
  std::map<std::string, pb::SavedSliceMeta> tensors;
  std::map<std::string, Record> records;
};

CheckpointV1Writer::CheckpointV1Writer(FileSystem& fs, std::string path)
    : impl_(new Impl{.fs = fs,
                     .path = path,
                     .made = NewDirectories(fs, directory_of(path), NewDirectories::kLast),
                     .tensors = {},
                     .records = {}}) {}

CheckpointV1Writer::~CheckpointV1Writer() = default;

void CheckpointV1Writer::add(const std::string& name, const Tensor& tensor) {
  add_slice(name, tensor.shape(), TensorSlice::whole(tensor.rank()), tensor);
}

void CheckpointV1Writer::add_slice(const std::string& name, const Shape& full,
                                   const TensorSlice& slice, const Tensor& tensor) {
  if (const Shape shape = slice.shape_in(full); tensor.shape() != shape) {
    fail(Code::kInvalidArgument, impl_->path, ": slice ", slice.str(), " of ", quote(name), " ",
         full, " has the shape ", shape, ", but the tensor given for it ", tensor.shape());
  }
  pb::SavedSlice head;
  head.set_name(name);
  *head.mutable_slice() = to_proto(slice);
  if (fits_format(tensor.dtype())) impl_->check_size(head, tensor);
  impl_->add(name, full, slice, tensor.dtype(), [tensor] { return tensor; });
}

void CheckpointV1Writer::add_slice(const std::string& name, const Shape& full,
                                   const TensorSlice& slice, DType dtype,
                                   std::function<Tensor()> read) {
  impl_->add(name, full, slice, dtype, std::move(read));
}

void CheckpointV1Writer::finish() {
  pb::SavedTensorSlices contents;
  for (auto& [name, meta] : impl_->tensors) {
    impl_->check_overlaps(meta);
    *contents.mutable_meta()->add_tensor() = std::move(meta);
  }
  contents.mutable_meta()->mutable_versions()->set_producer(kBundleVersion);
  AtomicFile file(impl_->fs, impl_->path);
  TableWriter table(file);
  table.add("", to_bytes(contents));
  for (auto& [key, record] : impl_->records) {
    const Tensor tensor = impl_->take(record);
    const RecordBytes bytes(record.head, tensor);
    table.add(key, bytes.size(), [&](const TableWriter::Sink& sink) { bytes.produce(sink); });
  }
  table.finish();
  publish(impl_->fs, impl_->path,
          [&](Publication& publication) { publication.add(file, Publication::kLast); });
  impl_->made.keep();
}

// ---- names of files -----------------------------------------------------------------------------

namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "m-00001-of-00002": base "m", shard "00001", count "00002". The shard may be question marks.
struct ShardName {
  std::string base, shard, count;
};

std::optional<ShardName> parse_shard_name(const std::string& name) {
  const size_t of = name.rfind("-of-");
  if (of == std::string::npos || of == 0) return std::nullopt;
  const size_t dash = name.rfind('-', of - 1);
  if (dash == std::string::npos) return std::nullopt;
  ShardName parsed{name.substr(0, dash), name.substr(dash + 1, of - dash - 1), name.substr(of + 4)};
  const bool shard =
      !parsed.shard.empty() && parsed.shard.find_first_not_of("0123456789?") == std::string::npos;
  return shard && all_digits(parsed.count) ? std::optional(parsed) : std::nullopt;
}

}  // namespace

std::string without_shard_ending(const std::string& path) {
  const auto parsed = parse_shard_name(base_name(path));
  return parsed ? path.substr(0, path.size() - base_name(path).size() + parsed->base.size()) : path;
}

std::string shard_pattern(const std::string& path) {
  const auto parsed = parse_shard_name(base_name(path));
  if (!parsed) return path;
  return str_cat(without_shard_ending(path), "-", std::string(parsed->shard.size(), '?'), "-of-",
                 parsed->count);
}

std::vector<std::string> checkpoint_v1_files(FileSystem& fs, const std::string& path) {
  if (is_file(fs, path)) return {path};
  const std::string directory = directory_of(path), name = base_name(path);
  const auto asked = parse_shard_name(name);
  const bool is_pattern = asked && asked->shard.find_first_not_of('?') == std::string::npos;
  const auto info = fs.stat(directory);
  if (name.empty() || !info || !info->is_directory) return {};
  std::map<std::string, std::vector<std::string>> series;  // by the number of files
  for (const std::string& there : fs.list_dir(directory)) {
    const auto found = parse_shard_name(there);
    if (!found || !all_digits(found->shard)) continue;
    const bool fits =
        is_pattern ? found->base == asked->base && found->count == asked->count &&
                         found->shard.size() == asked->shard.size()
                   : found->base == name && found->shard.size() == 5 && found->count.size() == 5;
    const std::string file = path.substr(0, path.size() - name.size()) + there;
    if (fits && is_file(fs, file)) series[found->count].push_back(file);
  }
  if (series.size() > 1) {
    std::vector<std::string> patterns;
    for (const auto& [count, files] : series)
      patterns.push_back(str_cat(path, "-\?\?\?\?\?-of-", count));
    fail(Code::kInvalidArgument, path, " begins the names of several checkpoints; give one of ",
         join_for_people(patterns));
  }
  return series.empty() ? std::vector<std::string>() : series.begin()->second;
}

// ---- reader -------------------------------------------------------------------------------------

namespace {

[[noreturn]] void damaged(const TableReader& table, uint64_t offset, const std::string& what) {
  fail(Code::kDataLoss, table.path(), ": in the block at offset ", offset, ": ", what,
       "; the file is damaged, use another copy");
}

pb::SavedTensorSliceMeta read_contents(const TableReader& table) {
  const auto* item = table.find("");
  pb::SavedTensorSlices contents;
  if (!item || !parse_bytes(item->value, contents) || !contents.has_meta()) {
    fail(Code::kDataLoss,
         "Failed to find the saved tensor slices at the beginning of the checkpoint file: ",
         table.path(),
         table.path().ends_with(".index")
             ? " (it is the index of a V2 checkpoint: give its name without .index)"
             : "");
  }
  check_checkpoint_version(table.path(), contents.meta().versions());
  return std::move(*contents.mutable_meta());
}

// Merges one file's description of a tensor into `entry`.
void merge_entry(const TableReader& table, int file, const pb::SavedSliceMeta& meta,
                 CheckpointV1Entry& entry) {
  const uint64_t offset = table.find("")->block;
  const auto refuse = [&](const auto&... what) {
    damaged(table, offset, str_cat("tensor ", quote(meta.name()), ": ", what...));
  };
  CheckpointV1Entry here;
  try {
    here.dtype = static_cast<DType>(meta.type());
    here.shape = from_proto(meta.shape());
    for (const auto& slice : meta.slice()) {
      here.slices.push_back(from_proto(slice));
      here.slices.back().within(here.shape);
    }
  } catch (const Error& e) {
    refuse("Invalid tensor shape: ", e.what());
  }
  if (!here.shape.is_fully_defined()) refuse("Invalid tensor shape: ", here.shape);
  if (static_cast<int>(here.dtype) <= 0 || is_ref(here.dtype))
    refuse("invalid dtype ", meta.type());
  if (here.slices.empty()) refuse("it has no slices");
  if (entry.slices.empty()) {
    entry.dtype = here.dtype;
    entry.shape = here.shape;
  } else if (entry.dtype != here.dtype || entry.shape != here.shape) {
    refuse("it is ", here.dtype, here.shape, ", but elsewhere ", entry.dtype, entry.shape);
  }
  entry.slices.insert(entry.slices.end(), here.slices.begin(), here.slices.end());
  entry.files.insert(entry.files.end(), here.slices.size(), file);
}

}  // namespace

CheckpointV1Reader::CheckpointV1Reader(FileSystem& file_system, std::string path)
    : path_(std::move(path)) {
  const auto view = view_for(file_system, path_);
  FileSystem& fs = view ? *view : file_system;
  files_ = checkpoint_v1_files(fs, path_);
  if (files_.empty()) {
    fail(Code::kNotFound,
         "Unsuccessful TensorSliceReader constructor: Failed to find any matching files for ",
         path_, about_missing_checkpoint(fs, path_));
  }
  for (const std::string& file : files_) {
    tables_.push_back(open_table(fs, file));
    const int index = static_cast<int>(tables_.size()) - 1;
    const pb::SavedTensorSliceMeta contents = read_contents(*tables_.back());
    for (const auto& meta : contents.tensor()) {
      merge_entry(*tables_.back(), index, meta, entries_[meta.name()]);
    }
  }
  find_missing_files();
}

CheckpointV1Reader::~CheckpointV1Reader() = default;

void CheckpointV1Reader::find_missing_files() {
  const auto parsed = parse_shard_name(base_name(files_[0]));
  if (!parsed || files_[0] == path_) return;
  const size_t count = std::strtoull(parsed->count.c_str(), nullptr, 10);
  if (files_.size() >= count) return;
  missing_ = count - files_.size();
}

void CheckpointV1Reader::check_no_file_is_missing() const {
  if (missing_ == 0) return;
  fail(Code::kNotFound, path_, ": ", missing_,
       missing_ == 1 ? " of its files is" : " of its files are",
       " missing, with all that is in it; all files of a checkpoint are needed");
}

std::vector<std::string> CheckpointV1Reader::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

const CheckpointV1Entry* CheckpointV1Reader::find(const std::string& name) const {
  const auto at = entries_.find(name);
  return at == entries_.end() ? nullptr : &at->second;
}

const CheckpointV1Entry& CheckpointV1Reader::entry(const std::string& name) const {
  if (const CheckpointV1Entry* found = find(name)) return *found;
  const auto near = nearest_names(name, names());
  fail(Code::kNotFound, "Tensor name \"", printable(name), "\" not found in checkpoint files ",
       path_, about_missing_files(),
       near.empty() ? "" : str_cat("; did you mean ", join_for_people(near), "?"));
}

std::string CheckpointV1Reader::about_missing_files() const {
  return missing_ == 0 ? "" : str_cat(" (", missing_, " of its files are not there)");
}

Tensor CheckpointV1Reader::read_stored(const std::string& name, size_t index) const {
  const CheckpointV1Entry& found = entry(name);
  if (index >= found.slices.size()) {
    fail(Code::kOutOfRange, path_, ": tensor ", quote(name), " has ", found.slices.size(),
         " slices, not ", index + 1);
  }
  const TensorSlice& slice = found.slices[index];
  const TableReader& table = *tables_[static_cast<size_t>(found.files[index])];
  if (!fits_format(found.dtype)) {
    fail(Code::kUnimplemented, table.path(), ": tensor ", quote(name), " has the dtype ",
         found.dtype, " (", static_cast<int>(found.dtype), "), which cannot be read");
  }
  const auto* item = table.find(slice_key(name, slice));
  const auto refuse = [&](const std::string& what) {
    damaged(table, item ? item->block : 0,
            str_cat("slice ", slice.str(), " of ", quote(name), ": ", what));
  };
  if (!item) refuse("there is no record of it");
  pb::SavedTensorSlices record;
  if (!parse_bytes(item->value, record) || !record.has_data())
    refuse("its record cannot be parsed");
  if (record.data().name() != name || !same_message(record.data().slice(), to_proto(slice))) {
    refuse("its record says it is of another tensor or slice");
  }
  return take_values(*record.mutable_data()->mutable_data(), found.dtype,
                     slice.shape_in(found.shape), refuse);
}

// Throws unless the slices hold every element of `asked` exactly once. Needs only the tables of
// contents.
void CheckpointV1Reader::check_coverage(const CheckpointV1Entry& entry, const std::string& name,
                                        const TensorSlice& asked) const {
  uint64_t held = 0;
  std::vector<TensorSlice> resolved;
  for (const TensorSlice& slice : entry.slices) {
    resolved.push_back(slice.within(entry.shape));
    if (const auto common = intersection(resolved.back(), asked)) held += volume(*common);
  }
  const bool twice = has_equal(resolved);
  if (const auto overlap = first_overlap(std::move(resolved))) {
    fail(Code::kDataLoss, path_, ": Overlapping slices of ", quote(name),
         ": existing slice = ", overlap->first.str(), ", new slice = ", overlap->second.str(),
         "; the file is damaged, use another copy");
  }
  if (twice)  // only possible for a slice without elements
    fail(Code::kDataLoss, path_, ": a slice of ", quote(name),
         " is named twice; the file is damaged, use another copy");
  if (held != volume(asked)) {
    fail(Code::kInvalidArgument, path_, ": Does not have sufficient slices for partitioned tensor ",
         printable(name), " to restore in slice_spec: ", asked.str(), " (", held, " of ",
         volume(asked), " elements are there)", about_missing_files());
  }
}

Tensor CheckpointV1Reader::read(const std::string& name) const {
  return read_slice(name, TensorSlice::whole(entry(name).shape.rank()));
}

Tensor CheckpointV1Reader::read_slice(const std::string& name, const TensorSlice& slice) const {
  const CheckpointV1Entry& found = entry(name);
  const TensorSlice asked = slice.within(found.shape);
  check_coverage(found, name, asked);
  std::optional<Tensor> tensor;
  for (size_t i = 0; i < found.slices.size(); ++i) {
    const TensorSlice resolved = found.slices[i].within(found.shape);
    if (resolved == asked) return read_stored(name, i);
    if (!intersection(resolved, asked)) continue;
    const Tensor part = read_stored(name, i);
    if (!tensor) tensor = Tensor::uninitialized(found.dtype, slice.shape_in(found.shape));
    copy_common(part, resolved, *tensor, asked);
  }
  return tensor ? *tensor : Tensor::uninitialized(found.dtype, slice.shape_in(found.shape));
}

void CheckpointV1Reader::verify() const {
  if (missing_ > 0) fail(Code::kDataLoss, path_, ": ", missing_, " of its files are not there");
  size_t named = 0, stored = 0;
  for (const auto& table : tables_) stored += table->entries().size() - 1;
  for (const auto& [name, entry] : entries_) {
    named += entry.slices.size();
    // Overlaps are checked first: otherwise a damaged file could make the loop below read one
    // record any number of times.
    check_coverage(entry, name, TensorSlice::whole(entry.shape.rank()).within(entry.shape));
    for (size_t i = 0; i < entry.slices.size(); ++i) read_stored(name, i);
  }
  if (named != stored) {
    fail(Code::kDataLoss, path_, ": it has ", stored, " records, but its table of contents names ",
         named, "; the file is damaged, use another copy");
  }
}

}  // namespace cairn
