#include "tools/json.h"

#include <complex>

namespace cairn {
namespace {

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

void Json::separate() {
  if (!first_ && !after_key_) text_ += ", ";
  first_ = after_key_ = false;
}

Json& Json::put(std::string_view token) {
  constexpr size_t kMostHeld = size_t{64} << 10;
  separate();
  text_ += token;
  if (out_ && text_.size() >= kMostHeld) {
    *out_ << text_;
    text_.clear();
  }
  return *this;
}

void Json::finish() {
  *out_ << text_ << "\n";
  text_.clear();
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
  if (tensor.rank() > 0 && tensor.num_elements() == 0) return array().end();
  const DType dtype = storage_dtype(tensor.dtype());
  const auto put_all = [&]<class T> { put_level(*this, tensor.shape(), 0, tensor.data<T>()); };
  for_dtype<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
            bool, Half, BFloat16, std::complex<float>, std::complex<double>, std::string>(dtype,
                                                                                          put_all);
  return *this;
}

std::string Json::quoted(std::string_view text) {
  const bool utf8 = is_utf8(text);
  std::string out = "\"";
  const auto put_unit = [&](char32_t unit) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[(unit >> shift) & 15];
  };
  while (!text.empty()) {
    const Character c =
        utf8 ? first_character(text) : Character{1, static_cast<unsigned char>(text[0])};
    if (c.code == '"' || c.code == '\\') {
      out += {'\\', text[0]};
    } else if (c.code == '\n') {
      out += "\\n";
    } else if (c.code > 0xffff && c.hidden()) {
      put_unit(0xd800 + ((c.code - 0x10000) >> 10));
      put_unit(0xdc00 + ((c.code - 0x10000) & 0x3ff));
    } else if (c.hidden() || (c.code >= 0x80 && !utf8)) {
      put_unit(c.code);
    } else {
      out += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes);
  }
  return out + '"';
}

}  // namespace cairn
