// A JSON writer: {"step": 1, "loss": 0.2416}
#pragma once

#include <charconv>
#include <cmath>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "runtime/base/tensor.h"
#include "runtime/base/text.h"

namespace cairn {

//   Json j;
//   j.object().key("step").value(1).key("shape").array().value(2).value(3).end().end();
//   std::cout << j.text() << "\n";
//
// With a stream, text is written to it from time to time, so that little is held in memory:
//   Json j(std::cout);   ...   j.end().finish();
//
// Numbers have the fewest digits that read back as the same value; other values are the strings
// "nan", "inf" and "-inf". In text that is not UTF-8 each byte becomes the character with its
// number.
class Json {
 public:
  Json() = default;
  explicit Json(std::ostream& out) : out_(&out) {}
  Json& object() { return open('{', '}'); }
  Json& array() { return open('[', ']'); }
  Json& end();
  Json& key(std::string_view name);

  Json& value(bool v) { return put(v ? "true" : "false"); }
  Json& value(std::string_view v) { return put(quoted(v)); }
  Json& value(const std::string& v) { return value(std::string_view(v)); }
  Json& value(const char* v) { return value(std::string_view(v)); }
  template <class T>
  requires std::is_arithmetic_v<T> Json& value(T v) {
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(v)) return value(std::isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
    }
    char digits[64];
    return put({digits, std::to_chars(digits, digits + sizeof digits, v).ptr});
  }
  Json& value(const Shape& shape);
  // Nested arrays in the shape of the tensor, [] for an extent of 0. A complex element is [real,
  // imaginary].
  Json& value(const Tensor& tensor);
  Json& value(const std::vector<std::string>& values);

  // The whole text; with a stream, the part that is not written yet.
  const std::string& text() const { return text_; }
  // Writes the rest and a line end to the stream.
  void finish();
  static std::string quoted(std::string_view text);

 private:
  Json& open(char begin, char end);
  Json& put(std::string_view token);
  void separate();
  std::ostream* out_ = nullptr;
  std::string text_, ends_;  // ends_: the closing brackets of the open levels
  bool first_ = true, after_key_ = false;
};

}  // namespace cairn
