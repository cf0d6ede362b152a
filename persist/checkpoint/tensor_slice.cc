#include "persist/checkpoint/tensor_slice.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace cairn {
namespace {

// Splits `text` at each separator.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t at; (at = text.find(separator)) != std::string_view::npos;
       text.remove_prefix(at + 1)) {
    parts.push_back(text.substr(0, at));
  }
  parts.push_back(text);
  return parts;
}

std::optional<int64_t> parse_int(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Extent parse_extent(std::string_view text, std::string_view whole_text) {
  if (text == "-") return {};
  const auto parts = split(text, ',');
  const auto start = parse_int(parts[0]),
             length = parts.size() == 2 ? parse_int(parts[1]) : std::nullopt;
  if (!start || !length || *length < 0) {
    fail(Code::kInvalidArgument, "slice '", whole_text, "': expected start,length or -, got '",
         text, "'");
  }
  return {*start, *length};
}

void put_number(std::string& key, uint64_t value) {
  std::string bytes;
  for (; value != 0; value >>= 8) bytes.insert(bytes.begin(), static_cast<char>(value));
  key += static_cast<char>(bytes.size());
  key += bytes;
}

void put_string(std::string& key, std::string_view text) {
  for (const char c : text) {
    key += c;
    if (c == '\0') key += '\xff';
    if (c == '\xff') key += '\0';
  }
  key += '\0';
  key += '\1';
}

// n bytes of two's complement with the first n bits flipped, so that longer encodings sort outside
// shorter ones.
void put_signed(std::string& key, int64_t value) {
  const uint64_t magnitude = static_cast<uint64_t>(value < 0 ? ~value : value);
  int n = 1;
  while (7 * n - 1 < 63 && (magnitude >> (7 * n - 1)) != 0) ++n;
  const unsigned flips = (0xffffu << (16 - n)) & 0xffffu;
  for (int i = 0; i < n; ++i) {
    const int shift = 8 * (n - 1 - i);
    const auto byte = static_cast<unsigned>(value >> std::min(shift, 63)) & 0xff;
    const unsigned flip = i == 0 ? flips >> 8 : i == 1 ? flips & 0xff : 0;
    key += static_cast<char>(byte ^ flip);
  }
}

// The strides, in elements, of a row-major tensor of the slice's shape.
std::vector<int64_t> strides_of(const TensorSlice& slice) {
  std::vector<int64_t> strides(slice.extents().size(), 1);
  for (size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * slice.extents()[i].length;
  return strides;
}

void check_holds(const Tensor& tensor, const TensorSlice& slice) {
  bool same = tensor.rank() == slice.rank();
  for (int i = 0; same && i < slice.rank(); ++i)
    same = tensor.dim(i) == slice.extents()[static_cast<size_t>(i)].length;
  if (!same)
    fail(Code::kInvalidArgument, "slice ", slice.str(), " held in a tensor of shape ",
         tensor.shape());
}

}  // namespace

TensorSlice::TensorSlice(std::vector<Extent> extents) : extents_(std::move(extents)) {
  for (const Extent& e : extents_) {
    int64_t end;
    const bool whole = e.length == Extent::kWhole;
    if (e.start < 0 || e.length < Extent::kWhole || (whole && e.start != 0) ||
        __builtin_add_overflow(e.start, e.length, &end)) {
      fail(Code::kInvalidArgument, "a slice cannot start at ", e.start, " and have the length ",
           e.length);
    }
  }
}

TensorSlice TensorSlice::parse(std::string_view text) {
  std::vector<Extent> extents;
  for (const std::string_view part : split(text, ':')) extents.push_back(parse_extent(part, text));
  return TensorSlice(std::move(extents));
}

std::string TensorSlice::str() const {
  std::string text;
  for (const Extent& e : extents_) {
    if (!text.empty()) text += ':';
    text += e.length == Extent::kWhole ? "-" : str_cat(e.start, ",", e.length);
  }
  return text;
}

TensorSlice TensorSlice::within(const Shape& full) const {
  TensorSlice resolved = *this;
  bool fits = full.rank() == rank();
  for (int i = 0; fits && i < rank(); ++i) {
    Extent& e = resolved.extents_[static_cast<size_t>(i)];
    if (e.length == Extent::kWhole) e.length = full[i];
    fits = e.start <= full[i] && e.length <= full[i] - e.start;
  }
  if (!fits)
    fail(Code::kInvalidArgument, "slice ", str(), " does not fit into a tensor of shape ", full);
  return resolved;
}

Shape TensorSlice::shape_in(const Shape& full) const {
  Shape shape = full;
  const TensorSlice resolved = within(full);
  for (int i = 0; i < rank(); ++i)
    shape.set_dim(i, resolved.extents_[static_cast<size_t>(i)].length);
  return shape;
}

std::optional<TensorSlice> intersection(const TensorSlice& a, const TensorSlice& b) {
  if (a.rank() != b.rank()) return std::nullopt;
  std::vector<Extent> common;
  for (size_t i = 0; i < a.extents().size(); ++i) {
    const Extent &x = a.extents()[i], &y = b.extents()[i];
    const int64_t start = std::max(x.start, y.start),
                  end = std::min(x.start + x.length, y.start + y.length);
    if (start >= end) return std::nullopt;
    common.push_back({start, end - start});
  }
  return TensorSlice(std::move(common));
}

uint64_t volume(const TensorSlice& slice) {
  uint64_t elements = 1;
  for (const Extent& e : slice.extents()) elements *= static_cast<uint64_t>(e.length);
  return elements;
}

namespace {

bool have_common(const TensorSlice& a, const TensorSlice& b) {
  for (size_t i = 0; i < a.extents().size(); ++i) {
    const Extent &x = a.extents()[i], &y = b.extents()[i];
    if (std::max(x.start, y.start) >= std::min(x.start + x.length, y.start + y.length))
      return false;
  }
  return true;
}

// The axis with the most distinct starts. For a tensor that is partitioned along one axis, this is
// that axis.
size_t axis_of_cuts(const std::vector<TensorSlice>& slices) {
  size_t best = 0, most = 0;
  for (size_t axis = 0; axis < slices[0].extents().size(); ++axis) {
    std::vector<int64_t> starts;
    for (const TensorSlice& s : slices) starts.push_back(s.extents()[axis].start);
    std::sort(starts.begin(), starts.end());
    const auto places =
        static_cast<size_t>(std::unique(starts.begin(), starts.end()) - starts.begin());
    if (places > most) best = axis, most = places;
  }
  return best;
}

}  // namespace

std::optional<std::pair<TensorSlice, TensorSlice>> first_overlap(std::vector<TensorSlice> slices) {
  if (slices.size() < 2) return std::nullopt;
  if (slices[0].rank() == 0) return std::pair(slices[0], slices[1]);
  const size_t axis = axis_of_cuts(slices);
  const auto extent = [&](const TensorSlice& s) -> const Extent& { return s.extents()[axis]; };
  std::sort(slices.begin(), slices.end(),
            [&](const auto& a, const auto& b) { return extent(a).start < extent(b).start; });
  // Slices with overlapping ranges on the chosen axis are compared pairwise. The limit is higher
  // than any grid of slices needs.
  constexpr size_t kComparisons = 1000;
  size_t left = kComparisons * (slices.size() + kComparisons);
  for (size_t i = 0; i < slices.size(); ++i) {
    const int64_t end = extent(slices[i]).start + extent(slices[i]).length;
    for (size_t j = i + 1; j < slices.size() && extent(slices[j]).start < end; ++j) {
      if (have_common(slices[i], slices[j])) return std::pair(slices[i], slices[j]);
      if (left-- == 0)
        fail(Code::kResourceExhausted, slices.size(),
             " slices lie side by side in too many ways to be compared");
    }
  }
  return std::nullopt;
}

bool has_equal(const std::vector<TensorSlice>& slices) {
  std::vector<const TensorSlice*> sorted;
  for (const TensorSlice& s : slices) sorted.push_back(&s);
  const auto before = [](const TensorSlice* a, const TensorSlice* b) {
    return std::lexicographical_compare(
        a->extents().begin(), a->extents().end(), b->extents().begin(), b->extents().end(),
        [](const Extent& x, const Extent& y) {
          return std::pair(x.start, x.length) < std::pair(y.start, y.length);
        });
  };
  std::sort(sorted.begin(), sorted.end(), before);
  return std::adjacent_find(sorted.begin(), sorted.end(),
                            [](const auto* a, const auto* b) { return *a == *b; }) != sorted.end();
}

void copy_common(const Tensor& from, const TensorSlice& from_slice, Tensor& to,
                 const TensorSlice& to_slice) {
  if (from.dtype() != to.dtype()) {
    fail(Code::kInvalidArgument, "cannot copy a slice of ", from.dtype(), " into ", to.dtype());
  }
  check_holds(from, from_slice);
  check_holds(to, to_slice);
  const auto common = intersection(from_slice, to_slice);
  if (!common) return;
  const size_t rank = common->extents().size(), size = dtype_size(from.dtype());
  const auto from_strides = strides_of(from_slice), to_strides = strides_of(to_slice);
  int64_t from_at = 0, to_at = 0;
  for (size_t i = 0; i < rank; ++i) {
    from_at += (common->extents()[i].start - from_slice.extents()[i].start) * from_strides[i];
    to_at += (common->extents()[i].start - to_slice.extents()[i].start) * to_strides[i];
  }
  // Copies one run along the last dimension at a time; `index` counts through the other dimensions.
  const int64_t run = rank == 0 ? 1 : common->extents()[rank - 1].length;
  std::vector<int64_t> index(rank, 0);
  const auto step = [&] {
    for (size_t d = rank < 2 ? 0 : rank - 1; d-- > 0;) {
      from_at += from_strides[d];
      to_at += to_strides[d];
      if (++index[d] < common->extents()[d].length) return true;
      from_at -= index[d] * from_strides[d];
      to_at -= index[d] * to_strides[d];
      index[d] = 0;
    }
    return false;
  };
  do {
    if (size > 0) {
      std::memcpy(static_cast<char*>(to.raw_data()) + static_cast<size_t>(to_at) * size,
                  static_cast<const char*>(from.raw_data()) + static_cast<size_t>(from_at) * size,
                  static_cast<size_t>(run) * size);
    } else {
      std::copy_n(from.data<std::string>() + from_at, run, to.data<std::string>() + to_at);
    }
  } while (step());
}

std::optional<ShapeAndSlice> parse_shape_and_slice(std::string_view spec) {
  if (spec.empty()) return std::nullopt;
  const size_t last_blank = spec.rfind(' ');
  const auto refuse = [&](std::string_view why) {
    fail(Code::kInvalidArgument, "shape_and_slice '", spec, "': ", why);
  };
  if (last_blank == std::string_view::npos)
    refuse("expected extents and a slice, such as '4 10 0,2:-'");
  std::vector<int64_t> dims;
  for (const std::string_view part : split(spec.substr(0, last_blank), ' ')) {
    const auto dim = parse_int(part);
    if (!dim || *dim < 0) refuse("an extent is not a number from 0 up");
    dims.push_back(*dim);
  }
  ShapeAndSlice parsed{Shape(dims), TensorSlice::parse(spec.substr(last_blank + 1))};
  parsed.slice.within(parsed.full);
  return parsed;
}

std::string slice_key(std::string_view name, const TensorSlice& slice) {
  std::string key;
  put_number(key, 0);
  put_string(key, name);
  put_number(key, static_cast<uint64_t>(slice.rank()));
  for (const Extent& e : slice.extents()) {
    put_signed(key, e.start);
    put_signed(key, e.length);
  }
  return key;
}

}  // namespace cairn
