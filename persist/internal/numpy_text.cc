#include "persist/internal/numpy_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <type_traits>
#include <vector>

namespace cairn {
namespace {

constexpr int kPrecision = 8;
constexpr int64_t kEdge = 3;  // elements shown at each end of an axis that is cut short
constexpr size_t kLineWidth = 75;

template <class T>
std::string chars(T value, std::chars_format format, int precision = -1) {
  char text[512];
  const auto end = precision < 0 ? std::to_chars(text, text + sizeof text, value, format).ptr
                                 : std::to_chars(text, text + sizeof text, value, format, precision).ptr;
  return {text, end};
}

// The shortest digits that mean `value` and no other number of its type, as "1.5e-07"; 16-bit floats come as floats.
std::string shortest(double value, DType dtype) {
  constexpr auto kFormat = std::chars_format::scientific;
  if (dtype == DType::kDouble || dtype == DType::kComplex128) return chars(value, kFormat);
  const float narrow = static_cast<float>(value);
  for (int digits = 0; digits < 8 && (dtype == DType::kHalf || dtype == DType::kBFloat16); ++digits) {
    const std::string text = chars(narrow, kFormat, digits);
    float again = 0;
    std::from_chars(text.data(), text.data() + text.size(), again);
    if (dtype == DType::kHalf ? Half(again) == Half(narrow) : BFloat16(again) == BFloat16(narrow)) return text;
  }
  return chars(narrow, kFormat);
}

// "1.5" -> {"1", "5"}, "1.5e-07" -> {"1", "5", "e-07"}: parts of a number, at most `precision` digits after the point.
struct Digits {
  std::string whole, fraction, exponent;
};

Digits split(const std::string& text) {
  const size_t e = std::min(text.find('e'), text.size()), point = std::min(text.find('.'), e);
  return {text.substr(0, point), point < e ? text.substr(point + 1, e - point - 1) : "", text.substr(e)};
}

// "1.5e-07" -> "0.00000015": the same digits around another point, with zeros where there are none.
Digits without_exponent(const Digits& digits) {
  const bool minus = digits.whole.starts_with('-');
  std::string all = digits.whole.substr(minus) + digits.fraction;
  int point = 1 + std::atoi(digits.exponent.c_str() + 1);
  if (point < 1) {
    all.insert(0, static_cast<size_t>(1 - point), '0');
    point = 1;
  }
  all.resize(std::max(all.size(), static_cast<size_t>(point)), '0');
  std::string fraction = all.substr(static_cast<size_t>(point));
  fraction.resize(fraction.find_last_not_of('0') + 1);
  return {(minus ? "-" : "") + all.substr(0, static_cast<size_t>(point)), fraction, ""};
}

Digits digits_of(double value, DType dtype, bool scientific, int precision) {
  Digits digits = split(shortest(value, dtype));
  if (!scientific) digits = without_exponent(digits);
  if (digits.fraction.size() > static_cast<size_t>(precision)) {
    digits = split(chars(value, scientific ? std::chars_format::scientific : std::chars_format::fixed, precision));
    digits.fraction.resize(digits.fraction.find_last_not_of('0') + 1);
  }
  return digits;
}

// Formats all floats of an array alike.
class FloatFormat {
 public:
  FloatFormat(const std::vector<double>& shown, DType dtype, bool plus = false) : dtype_(dtype), plus_(plus) {
    double largest = 0, smallest = INFINITY;
    bool odd = false, minus_infinity = false;
    for (const double v : shown) {
      odd = odd || !std::isfinite(v);
      minus_infinity = minus_infinity || v == -INFINITY;
      if (!std::isfinite(v) || v == 0) continue;
      largest = std::max(largest, std::abs(v));
      smallest = std::min(smallest, std::abs(v));
    }
    scientific_ = largest != 0 && (largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1000.0);
    for (const double v : shown) {
      if (!std::isfinite(v)) continue;
      const Digits digits = parts(v, kPrecision);
      left_ = std::max(left_, digits.whole.size());
      right_ = std::max(right_, digits.fraction.size());
      exponent_ = std::max(exponent_, digits.exponent.size());
    }
    precision_ = static_cast<int>(right_);
    if (scientific_) right_ += exponent_;
    if (odd) {
      const size_t rest = right_ + 1, needed = minus_infinity || plus ? 4 : 3;
      left_ = std::max(left_, needed > rest ? needed - rest : 0);
    }
  }

  std::string operator()(double v) const {
    if (!std::isfinite(v)) {
      const std::string text = std::isnan(v) ? plus_ ? "+nan" : "nan" : v < 0 ? "-inf" : plus_ ? "+inf" : "inf";
      const size_t width = left_ + right_ + 1;
      return std::string(width - std::min(width, text.size()), ' ') + text;
    }
    Digits digits = parts(v, precision_);
    std::string text(left_ - std::min(left_, digits.whole.size()), ' ');
    text += digits.whole + "." + digits.fraction;
    if (!scientific_) return text + std::string(right_ - std::min(right_, digits.fraction.size()), ' ');
    digits.exponent.insert(2, exponent_ - digits.exponent.size(), '0');
    return text + std::string(static_cast<size_t>(precision_) - digits.fraction.size(), '0') + digits.exponent;
  }

 private:
  Digits parts(double v, int precision) const {
    Digits digits = digits_of(v, dtype_, scientific_, precision);
    if (plus_ && !std::signbit(v)) digits.whole = "+" + digits.whole;
    return digits;
  }

  DType dtype_;
  bool plus_, scientific_ = false;
  size_t left_ = 0, right_ = 0, exponent_ = 0;
  int precision_ = 0;
};

// A number on its own: "1.0", "1e-07".
std::string lone_float(double v, DType dtype) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  const double magnitude = std::abs(v);
  if (magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16)) return shortest(v, dtype);
  const Digits digits = without_exponent(split(shortest(v, dtype)));
  return digits.whole + "." + (digits.fraction.empty() ? "0" : digits.fraction);
}

// As Python shows bytes.
std::string quoted(const std::string& bytes) {
  const char quote = bytes.find('\'') != std::string::npos && bytes.find('"') == std::string::npos ? '"' : '\'';
  std::string text = std::string("b") + quote;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      text += std::string("\\") + c;
    } else if (c == '\t' || c == '\n' || c == '\r') {
      text += c == '\t' ? "\\t" : c == '\n' ? "\\n" : "\\r";
    } else if (byte < 0x20 || byte >= 0x7f) {
      text += std::string("\\x") + "0123456789abcdef"[byte >> 4] + "0123456789abcdef"[byte & 15];
    } else {
      text += c;
    }
  }
  return text + quote;
}

// The indices along an axis that are shown.
struct Layout {
  const Shape& shape;
  bool cut;
  bool cuts(int axis) const { return cut && shape[axis] > 2 * kEdge; }

  template <class F>
  void for_each(const F& f, int axis = 0, int64_t at = 0) const {
    if (axis == shape.rank()) return f(at);
    for (int64_t i = 0; i < shape[axis]; ++i) {
      if (cuts(axis) && i == kEdge) i = shape[axis] - kEdge;
      for_each(f, axis + 1, at * shape[axis] + i);
    }
  }
};

template <class T>
double as_double(T v) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<double>(v);
  } else {
    return static_cast<float>(v);
  }
}

// Every shown element as text, in order; columns of one width.
template <class T>
std::vector<std::string> element_texts(const Tensor& tensor, const Layout& layout) {
  const T* const data = static_cast<const T*>(tensor.raw_data());
  std::vector<std::string> texts;
  const auto each = [&](const auto& text_of) {
    layout.for_each([&](int64_t i) { texts.push_back(text_of(data[i])); });
  };
  const auto all = [&](const auto& number_of) {
    std::vector<double> numbers;
    layout.for_each([&](int64_t i) { numbers.push_back(number_of(data[i])); });
    return numbers;
  };
  const DType dtype = tensor.dtype();
  const bool lone = tensor.rank() == 0;
  if constexpr (std::is_same_v<T, std::string>) {
    each(quoted);
  } else if constexpr (std::is_same_v<T, bool>) {
    each([&](bool v) -> std::string { return v ? lone ? "True" : " True" : "False"; });
  } else if constexpr (std::is_integral_v<T>) {
    each([](T v) { return std::to_string(v); });
    size_t width = 0;
    for (const std::string& text : texts) width = std::max(width, text.size());
    for (std::string& text : texts) text.insert(0, width - text.size(), ' ');
  } else if constexpr (requires(T v) { v.imag(); }) {
    const FloatFormat real(all([](const T& v) -> double { return v.real(); }), dtype);
    const FloatFormat imag(all([](const T& v) -> double { return v.imag(); }), dtype, true);
    each([&](const T& v) {
      std::string text = imag(v.imag());
      text.insert(text.find_last_not_of(' ') + 1, "j");
      return lone ? str_cat("(", lone_float(v.real(), dtype), std::signbit(v.imag()) ? "" : "+",
                            lone_float(v.imag(), dtype), "j)")
                  : real(v.real()) + text;
    });
  } else if (lone) {
    each([&](T v) { return lone_float(as_double(v), dtype); });
  } else {
    const FloatFormat format(all([](T v) { return as_double(v); }), dtype);
    each([&](T v) { return format(as_double(v)); });
  }
  return texts;
}

class Printer {
 public:
  Printer(const Layout& layout, std::vector<std::string> elements) : layout_(layout), elements_(std::move(elements)) {}

  // The array from `axis` on, of which the outer brackets take `indent` characters; as NumPy lays it out.
  std::string print(int axis, const std::string& indent, size_t width) {
    const int left = layout_.shape.rank() - axis;
    if (left == 0) return elements_[next_++];
    const int64_t n = layout_.shape[axis];
    std::string done, line = indent;
    const auto put = [&](const std::string& word, bool last) {
      if (left > 1) {
        done += indent + word + (last ? "" : std::string(static_cast<size_t>(left - 1), '\n'));
        return;
      }
      if (line.size() + word.size() > width - 1 && line.size() > indent.size()) {
        line.resize(line.find_last_not_of(' ') + 1);
        done += line + "\n";
        line = indent;
      }
      line += word + (last ? "" : " ");
    };
    for (int64_t i = 0; i < n; ++i) {
      if (layout_.cuts(axis) && i == kEdge) {
        put("...", false);
        i = n - kEdge;
      }
      put(print(axis + 1, indent + " ", width - 1), i == n - 1);
    }
    if (left == 1) done += line;
    return "[" + done.substr(indent.size()) + "]";
  }

 private:
  const Layout& layout_;
  std::vector<std::string> elements_;
  size_t next_ = 0;
};

}  // namespace

std::string numpy_text(const Tensor& tensor, int64_t threshold) {
  if (!tensor.valid()) return "None";
  if (tensor.num_elements() == 0) return "[]";
  const Layout layout{tensor.shape(), threshold >= 0 && tensor.num_elements() > threshold};
  std::vector<std::string> elements;
  for_dtype<float, double, int32_t, uint8_t, int16_t, int8_t, uint16_t, uint32_t, uint64_t, std::string,
            std::complex<float>, int64_t, bool, std::complex<double>, Half, BFloat16>(
      storage_dtype(tensor.dtype()), [&]<class T> { elements = element_texts<T>(tensor, layout); });
  return Printer(layout, std::move(elements)).print(0, " ", kLineWidth);
}

}  // namespace cairn
