#include "runtime/base/numpy_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <limits>
#include <ostream>
#include <string_view>
#include <type_traits>

namespace cairn {
namespace {

constexpr int kPrecision = 8;
constexpr int64_t kEdge = 3;  // elements shown at each end of an abbreviated axis
constexpr size_t kLineWidth = 75;
constexpr auto kScientific = std::chars_format::scientific, kFixed = std::chars_format::fixed;

template <class T>
std::string chars(T value, std::chars_format format, int precision = -1) {
  char text[512];
  const auto end = precision < 0
                       ? std::to_chars(text, text + sizeof text, value, format).ptr
                       : std::to_chars(text, text + sizeof text, value, format, precision).ptr;
  return {text, end};
}

// The shortest digits that read back as `value` in its dtype, as "1.5e-07"; 16-bit floats are
// passed as floats.
std::string shortest(double value, DType dtype) {
  if (dtype == DType::kDouble || dtype == DType::kComplex128) return chars(value, kScientific);
  const float narrow = static_cast<float>(value);
  for (int digits = 0; digits < 8 && (dtype == DType::kHalf || dtype == DType::kBFloat16);
       ++digits) {
    const std::string text = chars(narrow, kScientific, digits);
    float again = 0;
    std::from_chars(text.data(), text.data() + text.size(), again);
    if (dtype == DType::kHalf ? Half(again) == Half(narrow) : BFloat16(again) == BFloat16(narrow))
      return text;
  }
  return chars(narrow, kScientific);
}

// "1.5" -> {"1", "5"}, "1.5e-07" -> {"1", "5", "e-07"}: parts of a number, at most `precision`
// digits after the point.
struct Digits {
  std::string whole, fraction, exponent;
};

Digits split(const std::string& text) {
  const size_t e = std::min(text.find('e'), text.size()), point = std::min(text.find('.'), e);
  return {text.substr(0, point), point < e ? text.substr(point + 1, e - point - 1) : "",
          text.substr(e)};
}

// "1.5e-07" -> "0.00000015": the same digits with the point moved, and zeros where there are none.
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

// The shortest digits, or those of the exact value if there are more than `most` after the point.
Digits digits_of(double value, DType dtype, bool scientific, int most) {
  Digits digits = split(shortest(value, dtype));
  if (!scientific) digits = without_exponent(digits);
  if (digits.fraction.size() > static_cast<size_t>(most)) {
    digits = split(chars(value, scientific ? kScientific : kFixed, most));
    digits.fraction.resize(digits.fraction.find_last_not_of('0') + 1);
  }
  return digits;
}

// A quotient as NumPy computes it, in the dtype of the array.
double quotient(double a, double b, DType dtype) {
  if (dtype == DType::kDouble || dtype == DType::kComplex128) return a / b;
  const float narrow = static_cast<float>(a) / static_cast<float>(b);
  return dtype == DType::kHalf       ? static_cast<float>(Half(narrow))
         : dtype == DType::kBFloat16 ? static_cast<float>(BFloat16(narrow))
                                     : narrow;
}

// Formats all floats of an array in the same way.
class FloatFormat {
 public:
  // `each(f)` calls f with every number that is printed.
  template <class Each>
  FloatFormat(const Each& each, DType dtype, bool plus = false) : dtype_(dtype), plus_(plus) {
    double largest = 0, smallest = INFINITY;
    bool odd = false, minus_infinity = false;
    each([&](double v) {
      odd = odd || !std::isfinite(v);
      minus_infinity = minus_infinity || v == -INFINITY;
      if (!std::isfinite(v) || v == 0) return;
      largest = std::max(largest, std::abs(v));
      smallest = std::min(smallest, std::abs(v));
    });
    scientific_ = largest != 0 && (largest >= 1e8 || smallest < 1e-4 ||
                                   quotient(largest, smallest, dtype) > 1000.0);
    each([&](double v) {
      if (!std::isfinite(v)) return;
      const Digits digits = parts(v, kPrecision);
      left_ = std::max(left_, digits.whole.size());
      right_ = std::max(right_, digits.fraction.size());
      exponent_ = std::max(exponent_, digits.exponent.size());
    });
    precision_ = static_cast<int>(right_);
    if (scientific_) right_ += exponent_;
    if (odd) {
      const size_t rest = right_ + 1, needed = minus_infinity || plus ? 4 : 3;
      left_ = std::max(left_, needed > rest ? needed - rest : 0);
    }
  }

  std::string operator()(double v) const {
    if (!std::isfinite(v)) {
      const std::string text = std::isnan(v) ? plus_ ? "+nan" : "nan"
                               : v < 0       ? "-inf"
                               : plus_       ? "+inf"
                                             : "inf";
      const size_t width = left_ + right_ + 1;
      return std::string(width - std::min(width, text.size()), ' ') + text;
    }
    Digits digits = parts(v, precision_);
    // Digits beyond the shortest ones, up to the point or to the width of the column, are those of
    // the exact value, not zeros.
    if (scientific_ ? digits.fraction.size() < static_cast<size_t>(precision_)
                    : digits.fraction.empty() && v == std::trunc(v)) {
      digits = with_sign(
          split(chars(v, scientific_ ? kScientific : kFixed, scientific_ ? precision_ : 0)), v);
    }
    std::string text(left_ - std::min(left_, digits.whole.size()), ' ');
    text += digits.whole + "." + digits.fraction;
    if (!scientific_)
      return text + std::string(right_ - std::min(right_, digits.fraction.size()), ' ');
    digits.exponent.insert(2, exponent_ - digits.exponent.size(), '0');
    return text + digits.exponent;
  }

 private:
  Digits parts(double v, int precision) const {
    return with_sign(digits_of(v, dtype_, scientific_, precision), v);
  }
  Digits with_sign(Digits digits, double v) const {
    if (plus_ && !std::signbit(v)) digits.whole = "+" + digits.whole;
    return digits;
  }

  DType dtype_;
  bool plus_, scientific_ = false;
  size_t left_ = 0, right_ = 0, exponent_ = 0;
  int precision_ = 0;
};

// A single number: "1.0", "1e-07".
std::string lone_float(double v, DType dtype) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  const double magnitude = std::abs(v);
  if (magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16)) return shortest(v, dtype);
  const Digits digits = without_exponent(split(shortest(v, dtype)));
  return digits.whole + "." + (digits.fraction.empty() ? "0" : digits.fraction);
}

// "(1.5-2j)"
std::string lone_complex(double real, double imag, DType dtype) {
  const auto part = [&](double v) {
    const std::string text = lone_float(v, dtype);
    return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
  };
  if (real == 0 && !std::signbit(real)) return part(imag) + "j";
  return str_cat("(", part(real), std::signbit(imag) ? "" : "+", part(imag), "j)");
}

// As Python prints bytes, without the b. Bytes beyond ASCII are unchanged unless `ascii` is set.
std::string quoted(const std::string& bytes, bool ascii) {
  const char quote =
      bytes.find('\'') != std::string::npos && bytes.find('"') == std::string::npos ? '"' : '\'';
  std::string text(1, quote);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      text += std::string("\\") + c;
    } else if (c == '\t' || c == '\n' || c == '\r') {
      text += c == '\t' ? "\\t" : c == '\n' ? "\\n" : "\\r";
    } else if (byte < 0x20 || byte == 0x7f || (byte > 0x7f && ascii)) {
      text += std::string("\\x") + "0123456789abcdef"[byte >> 4] + "0123456789abcdef"[byte & 15];
    } else {
      text += c;
    }
  }
  return text + quote;
}

// The indices that are printed along an axis.
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

// Calls `use` with a function from the index of an element to its text; all printed elements have
// the width of one column.
template <class T, class Use>
void with_format(const Tensor& tensor, const Layout& layout, const Use& use) {
  const T* const data = static_cast<const T*>(tensor.raw_data());
  const DType dtype = tensor.dtype();
  const bool lone = tensor.rank() == 0;
  const auto numbers = [&](auto number_of) {
    return [&layout, data, number_of](const auto& f) {
      layout.for_each([&](int64_t i) { f(number_of(data[i])); });
    };
  };
  if constexpr (std::is_same_v<T, std::string>) {
    use([&](int64_t i) { return "b" + quoted(data[i], true); });
  } else if constexpr (std::is_same_v<T, bool>) {
    use([&](int64_t i) -> std::string { return data[i] ? lone ? "True" : " True" : "False"; });
  } else if constexpr (std::is_integral_v<T>) {
    size_t width = 0;
    layout.for_each([&](int64_t i) { width = std::max(width, std::to_string(data[i]).size()); });
    use([&](int64_t i) {
      const std::string text = std::to_string(data[i]);
      return std::string(width - text.size(), ' ') + text;
    });
  } else if constexpr (requires(T v) { v.imag(); }) {
    if (lone)
      return use([&](int64_t i) { return lone_complex(data[i].real(), data[i].imag(), dtype); });
    const FloatFormat real(numbers([](const T& v) -> double { return v.real(); }), dtype);
    const FloatFormat imag(numbers([](const T& v) -> double { return v.imag(); }), dtype, true);
    use([&](int64_t i) {
      std::string text = imag(data[i].imag());
      text.insert(text.find_last_not_of(' ') + 1, "j");
      return real(data[i].real()) + text;
    });
  } else if (lone) {
    use([&](int64_t i) { return lone_float(as_double(data[i]), dtype); });
  } else {
    const FloatFormat format(numbers([](T v) { return as_double(v); }), dtype);
    use([&](int64_t i) { return format(as_double(data[i])); });
  }
}

// Writes brackets and elements as NumPy lays them out; holds the text of one element at a time.
template <class Element>
class Printer {
 public:
  Printer(std::ostream& out, const Layout& layout, const Element& element)
      : out_(out), layout_(layout), element_(element) {}

  // The array from `axis` on, whose elements begin at index `at`. Lines are indented by `indent`
  // columns and have `width`.
  void print(int axis = 0, int64_t at = 0, size_t indent = 1, size_t width = kLineWidth) {
    const int left = layout_.shape.rank() - axis;
    if (left == 0) {
      out_ << element_(at);
      return;
    }
    const int64_t n = layout_.shape[axis];
    out_ << '[';
    column_ = indent;
    for (int64_t i = 0; i < n; ++i) {
      if (layout_.cuts(axis) && i == kEdge) {
        begin_item(i, left, indent);
        put("...", indent, width);
        i = n - kEdge;
      }
      begin_item(i, left, indent);
      left > 1 ? print(axis + 1, at * n + i, indent + 1, width - 1)
               : put(element_(at * n + i), indent, width);
    }
    put_blanks();
    out_ << ']';
  }

 private:
  void begin_item(int64_t i, int left, size_t indent) {
    if (i == 0) return;
    if (left == 1) {
      ++blanks_;
      ++column_;
    } else {
      out_ << std::string(static_cast<size_t>(left - 1), '\n') << std::string(indent, ' ');
      column_ = indent;
    }
  }

  // Blanks are written with the word after them: at the end of a wrapped line they are dropped.
  void put(const std::string& word, size_t indent, size_t width) {
    if (column_ > indent && column_ + word.size() > width - 1) {
      out_ << '\n' << std::string(indent, ' ');
      column_ = indent;
      blanks_ = 0;
    }
    put_blanks();
    const size_t size = word.find_last_not_of(' ') + 1;
    out_ << std::string_view(word).substr(0, size);
    blanks_ = word.size() - size;
    column_ += word.size();
  }

  void put_blanks() {
    out_ << std::string(blanks_, ' ');
    blanks_ = 0;
  }

  std::ostream& out_;
  const Layout& layout_;
  const Element& element_;
  size_t column_ = 0, blanks_ = 0;
};

// ---- in a line, as TensorFlow shows values in messages ----

template <class T>
std::string plain_float(T value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  constexpr int kSafe = std::numeric_limits<T>::digits10,
                kAll = std::numeric_limits<T>::max_digits10;
  const std::string text = chars(value, std::chars_format::general, kSafe);
  T again = 0;
  std::from_chars(text.data(), text.data() + text.size(), again);
  return again == value ? text : chars(value, std::chars_format::general, kAll);
}

template <class T>
std::string plain(const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return quoted(value, false);
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "True" : "False";
  } else if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    return plain_float(value);
  } else if constexpr (requires { value.imag(); }) {
    return str_cat("(", plain_float(value.real()), ",", plain_float(value.imag()), ")");
  } else {
    return plain_float(static_cast<float>(value));
  }
}

class Summary {
 public:
  Summary(const Shape& shape, int64_t most)
      : shape_(shape), most_(most < 0 ? shape.num_elements() : most) {}

  template <class Element>
  std::string print(const Element& element) {
    level(0, element);
    return text_;
  }

 private:
  template <class Element>
  void level(int axis, const Element& element) {
    if (axis == shape_.rank()) {
      text_ += at_ < most_ ? element(at_) : "...";
      ++at_;
      return;
    }
    text_ += '[';
    for (int64_t i = 0; i < shape_[axis]; ++i) {
      if (at_ >= most_) {
        text_ += "...";
        break;
      }
      if (i > 0) text_ += ' ';
      level(axis + 1, element);
    }
    text_ += ']';
  }

  const Shape& shape_;
  const int64_t most_;
  int64_t at_ = 0;
  std::string text_;
};

template <class F>
void for_element_type(const Tensor& tensor, const F& f) {
  for_dtype<float, double, int32_t, uint8_t, int16_t, int8_t, uint16_t, uint32_t, uint64_t,
            std::string, std::complex<float>, int64_t, bool, std::complex<double>, Half, BFloat16>(
      storage_dtype(tensor.dtype()), f);
}

}  // namespace

void print_like_numpy(std::ostream& out, const Tensor& tensor, int64_t threshold) {
  if (tensor.num_elements() == 0) {
    out << "[]";
    return;
  }
  const Layout layout{tensor.shape(), threshold >= 0 && tensor.num_elements() > threshold};
  for_element_type(tensor, [&]<class T> {
    with_format<T>(tensor, layout,
                   [&](const auto& element) { Printer(out, layout, element).print(); });
  });
}

std::string summary_of(const Tensor& tensor, int64_t most) {
  if (tensor.num_elements() == 0) return "[]";
  std::string text;
  for_element_type(tensor, [&]<class T> {
    const T* const data = static_cast<const T*>(tensor.raw_data());
    text = Summary(tensor.shape(), most).print([data](int64_t i) { return plain(data[i]); });
  });
  return text;
}

}  // namespace cairn
