#include "tools/json.h"

#include <complex>

namespace cairn {
namespace {

// The length of the UTF-8 character at the beginning of `text`; 0 when there is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t length = byte(0) < 0x80 ? 1 : byte(0) < 0xc2 ? 0 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  if (byte(0) > 0xf4 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xf0 && byte(1) < 0x90);
  const bool beyond = (byte(0) == 0xed && byte(1) >= 0xa0) || (byte(0) == 0xf4 && byte(1) >= 0x90);
  return overlong || beyond ? 0 : length;
}

template <class T>
void put_element(Json& j, const T& v) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    j.value(static_cast<float>(v));
  } else if constexpr (requires { v.imag(); }) {
    j.array().value(v.real()).value(v.imag()).end();
  } else {
    j.value(v);
  }
}

template <class T>
const T* put_level(Json& j, const Shape& shape, int axis, const T* at) {
  if (axis == shape.rank()) {
    put_element(j, *at);
    return at + 1;
  }
  j.array();
  for (int64_t i = 0; i < shape[axis]; ++i) at = put_level(j, shape, axis + 1, at);
  j.end();
  return at;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void Json::separate() {
  if (!first_ && !after_key_) text_ += ", ";
  first_ = after_key_ = false;
}

Json& Json::put(std::string_view token) {
  separate();
  text_ += token;
  return *this;
}

Json& Json::open(char begin, char end) {
  separate();
  text_ += begin;
  ends_ += end;
  first_ = true;
  return *this;
}

Json& Json::end() {
  text_ += ends_.back();
  ends_.pop_back();
  first_ = false;
  return *this;
}

Json& Json::key(std::string_view name) {
  separate();
  text_ += quoted(name) + ": ";
  after_key_ = true;
  return *this;
}

Json& Json::value(const Shape& shape) {
  array();
  for (const int64_t extent : shape) value(extent);
  return end();
}

Json& Json::value(const std::vector<std::string>& values) {
  array();
  for (const std::string& v : values) value(v);
  return end();
}

Json& Json::value(const Tensor& tensor) {
  const DType dtype = storage_dtype(tensor.dtype());
  const auto put_all = [&]<class T> { put_level(*this, tensor.shape(), 0, tensor.data<T>()); };
  for_dtype<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, bool, Half,
            BFloat16, std::complex<float>, std::complex<double>, std::string>(dtype, put_all);
  return *this;
}

std::string Json::quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  const bool utf8 = is_utf8(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) {
      out += {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace cairn
