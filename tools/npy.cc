#include "tools/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "tools/json.h"

namespace cairn {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr int kMaxRank = 64;  // NumPy's own limit

struct Kind {
  DType dtype;
  std::string_view descr;
};
constexpr Kind kKinds[] = {
    {DType::kFloat, "<f4"},     {DType::kDouble, "<f8"},      {DType::kHalf, "<f2"},
    {DType::kInt8, "|i1"},      {DType::kInt16, "<i2"},       {DType::kInt32, "<i4"},
    {DType::kInt64, "<i8"},     {DType::kUInt8, "|u1"},       {DType::kUInt16, "<u2"},
    {DType::kUInt32, "<u4"},    {DType::kUInt64, "<u8"},      {DType::kBool, "|b1"},
    {DType::kComplex64, "<c8"}, {DType::kComplex128, "<c16"},
};

// Text of a file for messages: quoted, with escaped control characters, cut after 40 bytes.
std::string shown(const std::string& text) {
  constexpr size_t kMost = 40;
  return text.size() <= kMost ? Json::quoted(text) : Json::quoted(text.substr(0, kMost)) + "...";
}

struct Header {
  std::string descr;
  bool fortran = false;
  std::vector<int64_t> shape;
};

// Parses the Python dictionary in the header: strings, True, False and tuples of numbers.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Header parse() {
    Header header;
    int seen = 0;
    expect('{');
    while (!take('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        if (peek() == '[')
          fail(Code::kUnimplemented, name_, ": an array of records; save its fields one by one");
        header.descr = quoted();
        seen |= 1;
      } else if (key == "fortran_order") {
        header.fortran = truth();
        seen |= 2;
      } else if (key == "shape") {
        header.shape = tuple();
        seen |= 4;
      } else {
        bad(str_cat("the header has an unknown key ", shown(key)));
      }
      if (!take(',') && peek() != '}') bad("the header's dictionary is broken");
    }
    if (seen != 7) bad("the header lacks descr, fortran_order or shape");
    if (peek() != '\0') bad("something follows the header's dictionary");
    return header;
  }

 private:
  [[noreturn]] void bad(std::string_view what) const {
    fail(Code::kDataLoss, name_, ": ", what, " (at character ", at_,
         " of it); the file is damaged or no .npy");
  }
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) bad(str_cat("the header lacks a '", c, "'"));
  }
  std::string quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') bad("the header lacks a string");
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) bad("a string of the header does not end");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  bool truth() {
    for (const std::string_view word : {"True", "False"}) {
      if (peek(), text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    }
    bad("fortran_order is neither True nor False");
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> extents;
    expect('(');
    while (!take(')')) {
      int64_t extent = -1;
      peek();
      const auto [end, error] =
          std::from_chars(text_.data() + at_, text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0 || extents.size() == kMaxRank)
        bad("the shape is none");
      at_ = static_cast<size_t>(end - text_.data());
      take('L');  // the suffix of longs in Python 2
      extents.push_back(extent);
      if (!take(',') && peek() != ')') bad("the shape does not end");
    }
    return extents;
  }

  std::string_view text_;
  const std::string& name_;
  size_t at_ = 0;
};

uint64_t little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// The dtype, and the size of an element in bytes.
std::pair<DType, uint64_t> element_of(const std::string& descr, const std::string& name) {
  if (descr.starts_with("|S")) {
    uint64_t size = 0;
    const char* last = descr.data() + descr.size();
    const auto [end, error] = std::from_chars(descr.data() + 2, last, size);
    if (error == std::errc() && end == last && size > 0) return {DType::kString, size};
  }
  for (const Kind& kind : kKinds) {
    // '|' (one byte, no order) or '=' (the byte order of the writer).
    const bool any_order = kind.descr[0] == '|';
    if (descr.size() != kind.descr.size() || descr.substr(1) != kind.descr.substr(1)) continue;
    if (any_order || descr[0] == '<' || descr[0] == '=')
      return {kind.dtype, dtype_size(kind.dtype)};
  }
  fail(Code::kUnimplemented, name, ": elements are ", shown(descr), "; ",
       descr.starts_with('>') ? "save them little-endian: a.astype(a.dtype.newbyteorder('<'))"
                              : "save a numeric array, bools or byte strings ('S')");
}

// Calls copy(i, j) for each element: its index i in row-major order and j in column-major order.
template <class Copy>
void for_each_column_major(const Shape& shape, const Copy& copy) {
  if (shape.num_elements() == 0) return;
  std::vector<int64_t> at(static_cast<size_t>(shape.rank())), strides(at.size());
  int64_t stride = 1;
  for (size_t d = 0; d < at.size(); ++d)
    strides[d] = std::exchange(stride, stride * shape[static_cast<int>(d)]);
  int64_t from = 0;
  for (int64_t i = 0; i < shape.num_elements(); ++i) {
    copy(i, from);
    for (size_t d = at.size(); d-- > 0;) {
      from += strides[d];
      if (++at[d] < shape[static_cast<int>(d)]) break;
      from -= strides[d] * std::exchange(at[d], 0);
    }
  }
}

void check_bools(std::string_view data, const std::string& name) {
  const auto odd = std::find_if(data.begin(), data.end(), [](char c) { return c != 0 && c != 1; });
  if (odd != data.end())
    fail(Code::kDataLoss, name, ": element ", odd - data.begin(), " is neither true nor false");
}

Shape shape_of(const Header& header, const std::string& name) {
  try {
    return Shape(std::span<const int64_t>(header.shape));
  } catch (const Error& e) {
    fail(Code::kDataLoss, name, ": ", e.what());
  }
}

}  // namespace

Tensor parse_npy(std::string_view bytes, const std::string& name) {
  if (!bytes.starts_with(kMagic) || bytes.size() < 10) {
    fail(Code::kDataLoss, name,
         ": this is no .npy file, which begins with \\x93NUMPY; write one with numpy.save");
  }
  const int version = static_cast<unsigned char>(bytes[6]);
  if (version < 1 || version > 3)
    fail(Code::kUnimplemented, name, ": .npy version ", version, "; save it as version 1");
  const size_t begin = version == 1 ? 10 : 12;
  if (bytes.size() < begin) fail(Code::kDataLoss, name, ": the file ends in its header");
  const uint64_t length = little_endian(bytes.substr(8, begin - 8));
  if (length > bytes.size() - begin)
    fail(Code::kDataLoss, name, ": the file ends in its header of ", length, " bytes");
  const Header header = HeaderParser(bytes.substr(begin, length), name).parse();
  const auto [dtype, size] = element_of(header.descr, name);
  const Shape shape = shape_of(header, name);
  const std::string_view data = bytes.substr(begin + length);
  uint64_t expected = 0;
  if (__builtin_mul_overflow(static_cast<uint64_t>(shape.num_elements()), size, &expected) ||
      expected != data.size()) {
    fail(Code::kDataLoss, name, ": ", shape, " of ", shown(header.descr), " does not take the ",
         data.size(), " bytes that follow the header; the file is damaged, use another copy");
  }
  if (dtype == DType::kBool) check_bools(data, name);
  Tensor tensor = Tensor::uninitialized(dtype, shape);
  const auto put = [&, size = size](int64_t to, int64_t from) {
    const std::string_view element = data.substr(static_cast<size_t>(from) * size, size);
    if (tensor.dtype() != DType::kString) {
      std::memcpy(static_cast<char*>(tensor.raw_data()) + static_cast<size_t>(to) * size,
                  element.data(), size);
    } else {
      tensor.data<std::string>()[to] = element.substr(0, element.find_last_not_of('\0') + 1);
    }
  };
  if (header.fortran) {
    for_each_column_major(shape, put);
  } else if (dtype == DType::kString) {
    for (int64_t i = 0; i < shape.num_elements(); ++i) put(i, i);
  } else if (!data.empty()) {
    std::memcpy(tensor.raw_data(), data.data(), data.size());
  }
  return tensor;
}

Tensor read_npy(FileSystem& fs, const std::string& path) {
  return parse_npy(read_file(fs, path), path);
}

namespace {

constexpr size_t kPiece = size_t{256} << 10;

size_t longest_string(const Tensor& tensor) {
  size_t longest = 1;
  for (const std::string& s : tensor.span<std::string>()) longest = std::max(longest, s.size());
  return longest;
}

std::string descr_of(const Tensor& tensor) {
  if (tensor.dtype() == DType::kString) return str_cat("|S", longest_string(tensor));
  const DType dtype =
      tensor.dtype() == DType::kBFloat16 ? DType::kFloat : storage_dtype(tensor.dtype());
  for (const Kind& kind : kKinds) {
    if (kind.dtype == dtype) return std::string(kind.descr);
  }
  fail(Code::kUnimplemented, "NumPy has no dtype for ", tensor.dtype());
}

// The bytes before the elements: magic number, version, header.
std::string npy_header(const Tensor& tensor) {
  std::string shape;
  for (const int64_t extent : tensor.shape())
    shape += str_cat(shape.empty() ? "" : " ", extent, ",");
  if (tensor.rank() > 1) shape.pop_back();
  std::string header = str_cat("{'descr': '", descr_of(tensor),
                               "', 'fortran_order': False, 'shape': (", shape, "), }");
  // The elements begin at a multiple of 64 bytes. Version 1 stores the length of the header in two
  // bytes.
  const size_t begin = header.size() + 1 + 10 > 65535 ? 12 : 10;
  header.append(63 - (begin + header.size()) % 64, ' ').push_back('\n');
  std::string bytes = str_cat(kMagic, begin == 10 ? '\1' : '\2', '\0');
  for (size_t i = 0; i < begin - 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i));
  return bytes + header;
}

void string_pieces(const Tensor& tensor, const PieceSink& sink) {
  const size_t longest = longest_string(tensor);
  std::string piece;
  for (const std::string& s : tensor.span<std::string>()) {
    piece.append(s).append(longest - s.size(), '\0');
    if (piece.size() < kPiece) continue;
    sink(piece);
    piece.clear();
  }
  if (!piece.empty()) sink(piece);
}

void bfloat16_pieces(const Tensor& tensor, const PieceSink& sink) {
  std::vector<float> floats;
  const auto all = tensor.span<BFloat16>();
  for (size_t at = 0; at < all.size(); at += floats.size()) {
    const auto some = all.subspan(at, std::min(kPiece / sizeof(float), all.size() - at));
    floats.resize(some.size());
    std::transform(some.begin(), some.end(), floats.begin(),
                   [](BFloat16 v) { return static_cast<float>(v); });
    sink({reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float)});
  }
}

}  // namespace

void npy_pieces(const Tensor& tensor, const PieceSink& sink) {
  sink(npy_header(tensor));
  if (tensor.dtype() == DType::kString) return string_pieces(tensor, sink);
  if (tensor.dtype() == DType::kBFloat16) return bfloat16_pieces(tensor, sink);
  if (tensor.num_bytes() > 0)
    sink({static_cast<const char*>(tensor.raw_data()), tensor.num_bytes()});
}

std::string npy_bytes(const Tensor& tensor) {
  std::string bytes;
  npy_pieces(tensor, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

void write_npy(FileSystem& fs, const std::string& path, const Tensor& tensor) {
  AtomicFile file(fs, path);
  npy_pieces(tensor, [&](std::string_view piece) { file.append(piece); });
  file.publish();
  fs.sync_dir(directory_of(path));
}

}  // namespace cairn
