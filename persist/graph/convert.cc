#include "persist/graph/convert.h"

#include <algorithm>
#include <charconv>
#include <complex>
#include <cstring>

#include "persist/messages/message.h"

namespace cairn {

Allowance Allowance::to_look(size_t file_bytes) {
  Allowance allowance((int64_t{8} << 20) + 4 * static_cast<int64_t>(file_bytes));
  allowance.leaves_the_rest_ = true;
  return allowance;
}

void Allowance::take(int64_t bytes) {
  if (bytes > left_) {
    fail(Code::kResourceExhausted, "the tensors need ", bytes,
         " bytes that the file does not hold, more than the ", left_, " still allowed");
  }
  left_ -= std::max<int64_t>(bytes, 0);
}

namespace {

// proto3's lite messages keep the bytes of unknown fields in this member and have no accessor for
// it.
struct LiteMessage : google::protobuf::MessageLite {
  using MessageLite::_internal_metadata_;
};

}  // namespace

const std::string& unknown_fields_of(const google::protobuf::MessageLite& message) {
  static const std::string none;
  const auto& kept = message.*(&LiteMessage::_internal_metadata_);
  return kept.have_unknown_fields()
             ? kept.unknown_fields<std::string>([]() -> const std::string& { return none; })
             : none;
}

void add_unknown_fields(google::protobuf::MessageLite& message, const std::string& fields) {
  if (!fields.empty())
    (message.*(&LiteMessage::_internal_metadata_))
        .mutable_unknown_fields<std::string>()
        ->append(fields);
}

// ---- shapes -------------------------------------------------------------------------------------

Shape from_proto(const pb::TensorShapeProto& proto) {
  if (proto.unknown_rank()) return Shape::unknown();
  std::vector<int64_t> dims;
  dims.reserve(static_cast<size_t>(proto.dim_size()));
  for (const auto& dim : proto.dim()) dims.push_back(dim.size());
  return Shape(dims);
}

pb::TensorShapeProto to_proto(const Shape& shape) {
  pb::TensorShapeProto proto;
  proto.set_unknown_rank(!shape.has_rank());
  for (const int64_t dim : shape) proto.add_dim()->set_size(dim);
  return proto;
}

TensorSlice from_proto(const pb::TensorSliceProto& proto) {
  std::vector<Extent> extents;
  extents.reserve(static_cast<size_t>(proto.extent_size()));
  for (const auto& e : proto.extent()) {
    const bool whole = e.has_length_case() == pb::TensorSliceProto::Extent::HAS_LENGTH_NOT_SET;
    extents.push_back({e.start(), whole ? Extent::kWhole : e.length()});
  }
  return TensorSlice(std::move(extents));
}

pb::TensorSliceProto to_proto(const TensorSlice& slice) {
  pb::TensorSliceProto proto;
  for (const Extent& e : slice.extents()) {
    auto& extent = *proto.add_extent();
    if (e.length == Extent::kWhole) continue;
    extent.set_start(e.start);
    extent.set_length(e.length);
  }
  return proto;
}

// ---- tensors ------------------------------------------------------------------------------------

namespace {

template <class F>
bool for_stored_dtype(DType dtype, F&& f) {
  return for_dtype<float, double, int32_t, uint8_t, int16_t, int8_t, std::string,
                   std::complex<float>, int64_t, bool, BFloat16, uint16_t, std::complex<double>,
                   Half, uint32_t, uint64_t>(storage_dtype(dtype), std::forward<F>(f));
}

template <class T>
inline constexpr bool kIsComplex = false;
template <class T>
inline constexpr bool kIsComplex<std::complex<T>> = true;
template <class T>
inline constexpr bool kIs16BitFloat = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

// The *_val field for elements of type T.
template <class T>
const auto& values_of(const pb::TensorProto& proto) {
  if constexpr (std::is_same_v<T, float>)
    return proto.float_val();
  else if constexpr (std::is_same_v<T, double>)
    return proto.double_val();
  else if constexpr (std::is_same_v<T, int64_t>)
    return proto.int64_val();
  else if constexpr (std::is_same_v<T, bool>)
    return proto.bool_val();
  else if constexpr (std::is_same_v<T, std::string>)
    return proto.string_val();
  else if constexpr (std::is_same_v<T, std::complex<float>>)
    return proto.scomplex_val();
  else if constexpr (std::is_same_v<T, std::complex<double>>)
    return proto.dcomplex_val();
  else if constexpr (kIs16BitFloat<T>)
    return proto.half_val();
  else if constexpr (std::is_same_v<T, uint32_t>)
    return proto.uint32_val();
  else if constexpr (std::is_same_v<T, uint64_t>)
    return proto.uint64_val();
  else
    return proto.int_val();
}
template <class T>
auto& values_of(pb::TensorProto& proto) {
  using Values = std::remove_cvref_t<decltype(values_of<T>(std::as_const(proto)))>;
  // the field belongs to `proto`, which is not const
  return const_cast<Values&>(values_of<T>(std::as_const(proto)));
}

// Element i of a *_val field.
template <class T, class Values>
T value_at(const Values& values, int i) {
  if constexpr (kIsComplex<T>)
    return {values[2 * i], values[2 * i + 1]};
  else if constexpr (kIs16BitFloat<T>)
    return T::from_bits(static_cast<uint16_t>(values[i]));
  else
    return static_cast<T>(values[i]);
}

template <class T, class Values>
void add_value(Values& values, const T& value) {
  if constexpr (kIsComplex<T>)
    values.Add(value.real()), values.Add(value.imag());
  else if constexpr (kIs16BitFloat<T>)
    values.Add(value.bits);
  else if constexpr (std::is_same_v<T, std::string>)
    *values.Add() = value;
  else
    values.Add(value);
}

// Parses a tensor_content of strings: all lengths as varints, then all bytes.
void read_string_content(std::string_view content, std::span<std::string> into) {
  size_t at = 0;
  std::vector<uint64_t> lengths(std::min(into.size(), content.size()));
  const auto damaged = [&] {
    fail(Code::kInvalidArgument, "tensor_content of ", content.size(), " bytes does not hold ",
         into.size(), " strings");
  };
  if (lengths.size() < into.size()) damaged();
  for (uint64_t& length : lengths) {
    int shift = 0;
    uint8_t byte = 0x80;
    for (; (byte & 0x80) && shift < 63; shift += 7) {
      if (at == content.size()) damaged();
      byte = static_cast<uint8_t>(content[at++]);
      length |= static_cast<uint64_t>(byte & 0x7f) << shift;
    }
    if ((byte & 0x80) || length > content.size()) damaged();
  }
  for (size_t i = 0; i < into.size(); ++i) {
    if (lengths[i] > content.size() - at) damaged();
    into[i] = content.substr(at, lengths[i]);
    at += lengths[i];
  }
  if (at != content.size()) damaged();
}

template <class T>
void read_content(const std::string& content, std::span<T> into) {
  if constexpr (std::is_same_v<T, std::string>) {
    read_string_content(content, into);
  } else {
    if (content.size() != into.size_bytes()) {
      fail(Code::kInvalidArgument, "tensor_content has ", content.size(),
           " bytes, dtype and shape need ", into.size_bytes());
    }
    if constexpr (std::is_same_v<T, bool>) {
      std::transform(content.begin(), content.end(), into.begin(), [](char c) { return c != 0; });
    } else {
      std::memcpy(into.data(), content.data(), content.size());
    }
  }
}

template <class T>
void read_values(const pb::TensorProto& proto, std::span<T> into) {
  const auto& values = values_of<T>(proto);
  const int stored = values.size() / (kIsComplex<T> ? 2 : 1);
  const size_t count = std::min(into.size(), static_cast<size_t>(stored));
  for (size_t i = 0; i < count; ++i) into[i] = value_at<T>(values, static_cast<int>(i));
  if (stored > 0)
    std::fill(into.begin() + static_cast<int64_t>(count), into.end(),
              value_at<T>(values, stored - 1));
}

// The memory of `count` elements in bytes; INT64_MAX on overflow.
template <class T>
int64_t bytes_in_memory(const pb::TensorProto& proto, int64_t count) {
  int64_t bytes = 0;
  if (__builtin_mul_overflow(count, int64_t{sizeof(T)}, &bytes)) return INT64_MAX;
  if constexpr (std::is_same_v<T, std::string>) {
    const auto& values = values_of<T>(proto);
    const int64_t repeated = values.empty() ? 0 : std::max<int64_t>(count - values.size(), 0);
    int64_t text = 0;
    const bool fits = repeated == 0 ||
                      !__builtin_mul_overflow(
                          repeated, static_cast<int64_t>(values[values.size() - 1].size()), &text);
    if (!fits || __builtin_add_overflow(bytes, text, &bytes)) return INT64_MAX;
  }
  return bytes;
}

bool all_elements_equal(const Tensor& tensor) {
  const size_t size = dtype_size(tensor.dtype());
  const auto* bytes = static_cast<const char*>(tensor.raw_data());
  return std::memcmp(bytes, bytes + size, tensor.num_bytes() - size) == 0;
}

bool is_data(DType dtype) {
  return is_known_dtype(dtype) && !is_ref(dtype) && for_stored_dtype(dtype, []<class T> {});
}

}  // namespace

Tensor from_proto(const pb::TensorProto& proto, Allowance& allowance) {
  const auto dtype = static_cast<DType>(proto.dtype());
  if (!is_data(dtype)) fail(Code::kInvalidArgument, "a tensor cannot be of dtype ", dtype);
  const Shape shape = from_proto(proto.tensor_shape());
  if (!shape.is_fully_defined())
    fail(Code::kInvalidArgument, "a tensor cannot be of shape ", shape);
  Tensor tensor;
  for_stored_dtype(dtype, [&]<class T> {
    const int64_t count = shape.num_elements();
    allowance.take(bytes_in_memory<T>(proto, count) - static_cast<int64_t>(proto.ByteSizeLong()));
    tensor = Tensor::zeros(dtype, shape);
    const std::span<T> into(static_cast<T*>(tensor.raw_data()), static_cast<size_t>(count));
    if (proto.tensor_content().empty())
      read_values<T>(proto, into);
    else
      read_content<T>(proto.tensor_content(), into);
  });
  return tensor;
}

pb::TensorProto to_proto(const Tensor& tensor) {
  if (!is_data(tensor.dtype()))
    fail(Code::kInvalidArgument, "a tensor of dtype ", tensor.dtype(), " cannot be written");
  pb::TensorProto proto;
  proto.set_dtype(static_cast<pb::DataType>(tensor.dtype()));
  *proto.mutable_tensor_shape() = to_proto(tensor.shape());
  const int64_t count = tensor.num_elements();
  const bool is_string = tensor.dtype() == DType::kString;
  const bool is_list = tensor.rank() == 1 && is_integer(tensor.dtype());
  if (is_string || count == 1 || (count > 1 && !is_list && all_elements_equal(tensor))) {
    for_stored_dtype(tensor.dtype(), [&]<class T> {
      const auto* data = static_cast<const T*>(tensor.raw_data());
      for (int64_t i = 0; i < (is_string ? count : 1); ++i)
        add_value<T>(values_of<T>(proto), data[i]);
    });
  } else if (count > 0) {
    proto.set_tensor_content(tensor.raw_data(), tensor.num_bytes());
  }
  return proto;
}

// ---- attributes ---------------------------------------------------------------------------------

namespace {

// Converts the list of an AttrValue to the vector that Attr has for it.
Attr::Value read_list(const pb::AttrValue::ListValue& list, Allowance& allowance) {
  if (list.s_size()) return std::vector<std::string>(list.s().begin(), list.s().end());
  if (list.i_size()) return std::vector<int64_t>(list.i().begin(), list.i().end());
  if (list.f_size()) return std::vector<float>(list.f().begin(), list.f().end());
  if (list.b_size()) return std::vector<bool>(list.b().begin(), list.b().end());
  const auto collect = [](const auto& field, auto convert) {
    std::vector<decltype(convert(*field.begin()))> values;
    values.reserve(static_cast<size_t>(field.size()));
    for (const auto& item : field) values.push_back(convert(item));
    return values;
  };
  if (list.type_size())
    return collect(list.type(), [](int type) { return static_cast<DType>(type); });
  if (list.shape_size())
    return collect(list.shape(), [](const auto& shape) { return from_proto(shape); });
  if (list.tensor_size())
    return collect(list.tensor(), [&](const auto& t) { return from_proto(t, allowance); });
  if (list.func_size())
    return collect(list.func(), [](const auto& func) { return FuncAttr{func.name()}; });
  return EmptyList{};
}

Attr::Value read_value(const pb::AttrValue& proto, Allowance& allowance) {
  switch (proto.value_case()) {
    case pb::AttrValue::kList:
      return read_list(proto.list(), allowance);
    case pb::AttrValue::kS:
      return proto.s();
    case pb::AttrValue::kI:
      return int64_t{proto.i()};
    case pb::AttrValue::kF:
      return proto.f();
    case pb::AttrValue::kB:
      return proto.b();
    case pb::AttrValue::kType:
      return static_cast<DType>(proto.type());
    case pb::AttrValue::kShape:
      return from_proto(proto.shape());
    case pb::AttrValue::kTensor: {
      const int dtype = proto.tensor().dtype();
      if (dtype == pb::DT_RESOURCE || dtype == pb::DT_VARIANT) return std::monostate{};
      return from_proto(proto.tensor(), allowance);
    }
    case pb::AttrValue::kFunc:
      return FuncAttr{proto.func().name()};
    case pb::AttrValue::kPlaceholder:
    case pb::AttrValue::VALUE_NOT_SET:
      break;
  }
  return std::monostate{};
}

Attr::Value read_or_leave(const pb::AttrValue& proto, Allowance& allowance) {
  try {
    return read_value(proto, allowance);
  } catch (const Error& e) {
    if (e.code() != Code::kResourceExhausted || !allowance.leaves_the_rest()) throw;
    return std::monostate{};
  }
}

// One overload per alternative of Attr::Value.
struct AttrWriter {
  pb::AttrValue& to;
  void operator()(std::monostate) const {}
  void operator()(const std::string& s) const { to.set_s(s); }
  void operator()(int64_t i) const { to.set_i(i); }
  void operator()(float f) const { to.set_f(f); }
  void operator()(bool b) const { to.set_b(b); }
  void operator()(DType type) const { to.set_type(static_cast<pb::DataType>(type)); }
  void operator()(const Shape& shape) const { *to.mutable_shape() = to_proto(shape); }
  void operator()(const Tensor& tensor) const { *to.mutable_tensor() = to_proto(tensor); }
  void operator()(const FuncAttr& func) const { to.mutable_func()->set_name(func.name); }
  void operator()(EmptyList) const { to.mutable_list(); }
  template <class T>
  void operator()(const std::vector<T>& items) const {
    auto& list = *to.mutable_list();
    for (const T& item : items) {
      if constexpr (std::is_same_v<T, std::string>)
        list.add_s(item);
      else if constexpr (std::is_same_v<T, int64_t>)
        list.add_i(item);
      else if constexpr (std::is_same_v<T, float>)
        list.add_f(item);
      else if constexpr (std::is_same_v<T, DType>)
        list.add_type(static_cast<pb::DataType>(item));
      else if constexpr (std::is_same_v<T, Shape>)
        *list.add_shape() = to_proto(item);
      else if constexpr (std::is_same_v<T, Tensor>)
        *list.add_tensor() = to_proto(item);
      else if constexpr (std::is_same_v<T, FuncAttr>)
        list.add_func()->set_name(item.name);
      else
        list.add_b(item);
    }
  }
};

pb::AttrValue write_value(const Attr& attr) {
  pb::AttrValue proto;
  std::visit(AttrWriter{proto}, attr.value);
  return proto;
}

}  // namespace

Attr from_proto(const pb::AttrValue& proto, Allowance& allowance) {
  Attr attr(read_or_leave(proto, allowance));
  // Most attributes are of these kinds, which have only one encoding.
  const auto kind = proto.value_case();
  const bool simple =
      kind == pb::AttrValue::kType || kind == pb::AttrValue::kB || kind == pb::AttrValue::kI;
  if (simple && unknown_fields_of(proto).empty()) return attr;
  std::string bytes = to_bytes(proto);
  if (to_bytes(write_value(attr)) != bytes)
    attr.wire = std::make_shared<const std::string>(std::move(bytes));
  return attr;
}

pb::AttrValue to_proto(const Attr& attr) {
  if (!attr.wire) return write_value(attr);
  pb::AttrValue proto;
  if (!parse_bytes(*attr.wire, proto))
    fail(Code::kInternal, "an attribute's carried bytes do not parse");
  return proto;
}

}  // namespace cairn
