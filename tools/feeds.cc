#include "tools/feeds.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/graph/signature.h"
#include "tools/commands.h"
#include "tools/npy.h"

namespace cairn {
namespace {

// Calls f<T>() with the C++ type of `dtype`, if it is a real number or bool; else returns false.
template <class F>
bool for_number(DType dtype, F&& f) {
  return for_dtype<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t,
                   uint64_t, bool, Half, BFloat16>(dtype, f);
}

template <class T>
inline constexpr bool kIsShortFloat = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

// Doubles represent all integers up to this one.
constexpr double kExact = 9007199254740992.0;

[[noreturn]] void does_not_fit(const std::string& name, const std::string& value, DType dtype) {
  fail(Code::kInvalidArgument, "'", name, "' takes ", dtype_name(dtype), ", which has no ", value);
}

template <class T>
T from_double(double v, const std::string& name) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(v);
  } else if constexpr (kIsShortFloat<T>) {
    return T(static_cast<float>(v));
  } else {
    const bool fits = v == std::trunc(v) && std::abs(v) <= kExact &&
                      v >= static_cast<double>(std::numeric_limits<T>::lowest()) &&
                      v <= static_cast<double>(std::numeric_limits<T>::max());
    if (!fits) does_not_fit(name, str_cat(v), dtype_of<T>);
    return static_cast<T>(v);
  }
}

template <class T>
double to_double(const T& v) {
  if constexpr (kIsShortFloat<T>) {
    return static_cast<float>(v);
  } else {
    return static_cast<double>(v);
  }
}

// Parses nested brackets into elements, in row-major order, and a shape.
class ValueParser {
 public:
  ValueParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  std::vector<std::string_view> parse(Shape& shape) {
    level(0);
    skip_spaces();
    if (at_ != text_.size()) bad();
    shape = Shape(std::span<const int64_t>(extents_));
    return std::move(elements_);
  }

 private:
  [[noreturn]] void bad() const {
    fail(Code::kInvalidArgument, "'", name_, "': ", text_,
         " is not a value; write 0.5, true, [1, 2] or [[1], [2]]");
  }
  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  void level(size_t depth) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != '[') {
      const size_t end = std::min(text_.find_first_of(",] ", at_), text_.size());
      if (end == at_ || (deepest_ && depth != *deepest_)) bad();
      deepest_ = depth;
      elements_.push_back(text_.substr(at_, end - at_));
      at_ = end;
      return;
    }
    if (depth == 32) bad();
    ++at_;
    int64_t count = 0;
    // The outer extent comes before the inner ones.
    const bool first = extents_.size() == depth;
    if (first) extents_.push_back(0);
    for (skip_spaces(); at_ < text_.size() && text_[at_] != ']'; skip_spaces()) {
      if (count++ > 0) {
        if (text_[at_] != ',') bad();
        ++at_;
      }
      level(depth + 1);
    }
    if (at_ == text_.size()) bad();
    ++at_;
    if (!first && extents_[depth] != count) bad();
    extents_[depth] = count;
  }

  std::string_view text_;
  const std::string& name_;
  size_t at_ = 0;
  std::optional<size_t> deepest_;
  std::vector<int64_t> extents_;
  std::vector<std::string_view> elements_;
};

template <class T>
T parse_number(std::string_view text, const std::string& name) {
  if constexpr (std::is_same_v<T, bool>) {
    if (text == "true" || text == "True" || text == "1") return true;
    if (text == "false" || text == "False" || text == "0") return false;
    does_not_fit(name, std::string(text), DType::kBool);
  } else {
    std::conditional_t<kIsShortFloat<T>, float, T> value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      does_not_fit(name, std::string(text), dtype_of<T>);
    return T(value);
  }
}

// Splits "NAME=REST".
std::pair<std::string, std::string> split(const std::string& argument, const char* option) {
  const size_t at = argument.find('=');
  if (at == std::string::npos || at == 0 || at + 1 == argument.size()) {
    throw UsageError(str_cat(option,
                             " takes NAME=", option == std::string("--feed") ? "FILE.npy" : "VALUE",
                             ", not ", argument));
  }
  return {argument.substr(0, at), argument.substr(at + 1)};
}

}  // namespace

void add_file_arguments(CLI::App& app, FeedArguments& args) {
  app.add_option("--feed", args.files,
                 "NAME=FILE.npy: feed the array in the file for the tensor NAME; may be repeated")
      ->allow_extra_args(false);
}

void add_value_arguments(CLI::App& app, FeedArguments& args) {
  app.add_option("--set", args.values,
                 "NAME=VALUE: set the tensor NAME to 0.5, true, [1, 2], ...; may be repeated")
      ->allow_extra_args(false);
}

Output find_tensor(const Graph& graph, const std::string& name) {
  if (name.find(':') != std::string::npos) return graph.find(name);
  const Operation op = graph.find_op(name);
  if (op.num_outputs() == 0)
    fail(Code::kInvalidArgument, "'", name, "' is an operation without outputs, not a tensor");
  return op.output();
}

Tensor converted(const Tensor& tensor, DType dtype, const std::string& name) {
  if (tensor.dtype() == dtype) return tensor;
  Tensor result = Tensor::uninitialized(dtype, tensor.shape());
  const auto no_such_numbers = [&] {
    fail(Code::kInvalidArgument, "'", name, "' takes ", dtype_name(dtype), ", into which ",
         dtype_name(tensor.dtype()), " is not converted; give an array of ", dtype_name(dtype));
  };
  std::array<double, 4096> block{};
  const auto convert_from = [&]<class From> {
    const auto convert_to = [&]<class To> {
      const auto from = tensor.span<From>();
      const auto to = result.span<To>();
      for (size_t begin = 0; begin < from.size(); begin += block.size()) {
        const size_t count = std::min(block.size(), from.size() - begin);
        std::transform(from.begin() + begin, from.begin() + begin + count, block.begin(),
                       to_double<From>);
        std::transform(block.begin(), block.begin() + count, to.begin() + begin,
                       [&](double v) { return from_double<To>(v, name); });
      }
    };
    if (!for_number(dtype, convert_to)) no_such_numbers();
  };
  if (!for_number(tensor.dtype(), convert_from)) no_such_numbers();
  return result;
}

Tensor parse_value(const std::string& text, DType dtype, const std::string& name) {
  if (dtype == DType::kString) return Tensor(text);
  Shape shape;
  const auto elements = ValueParser(text, name).parse(shape);
  Tensor tensor = Tensor::uninitialized(dtype, shape);
  const auto parse = [&]<class T> {
    std::transform(elements.begin(), elements.end(), tensor.span<T>().begin(),
                   [&](std::string_view element) { return parse_number<T>(element, name); });
  };
  if (!for_number(dtype, parse)) {
    fail(Code::kUnimplemented, "'", name, "' takes ", dtype_name(dtype),
         ", which is not read from text; feed a file");
  }
  return tensor;
}

std::vector<Fed> read_values(const Graph& graph, const FeedArguments& args) {
  std::vector<Fed> feeds;
  for (const std::string& argument : args.values) {
    const auto [name, text] = split(argument, "--set");
    const Output tensor = find_tensor(graph, name);
    const DType dtype = internal::dtype_to_feed(graph, tensor);
    if (dtype == DType::kInvalid) {
      fail(Code::kInvalidArgument, "'", name, "' (", tensor.op().type(),
           "): its dtype is not known from the graph; feed it ", "with --feed ", name,
           "=FILE.npy, which has one");
    }
    feeds.push_back({tensor, parse_value(text, dtype, name), name});
  }
  return feeds;
}

std::vector<Fed> read_files(const Graph& graph, const FeedArguments& args) {
  std::vector<Fed> feeds;
  for (const std::string& argument : args.files) {
    const auto [name, file] = split(argument, "--feed");
    const Output tensor = find_tensor(graph, name);
    const DType dtype = internal::dtype_to_feed(graph, tensor);
    const Tensor value = read_npy(posix_file_system(), file);
    try {
      feeds.push_back(
          {tensor, dtype == DType::kInvalid ? value : converted(value, dtype, name), name});
    } catch (const Error& e) {
      throw Error(e.code(), str_cat(file, ": ", e.what()));
    }
  }
  return feeds;
}

}  // namespace cairn
