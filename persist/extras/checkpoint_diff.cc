#include "persist/extras/checkpoint_diff.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstring>
#include <set>

#include "runtime/base/text.h"

namespace cairn {
namespace {

// Converts an element for the measured distance: double, or complex. Equality is tested on the
// original bits, so integers beyond 2^53 are compared exactly.
template <class T>
auto as_number(const T& v) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return static_cast<double>(static_cast<float>(v));
  } else if constexpr (requires { v.imag(); }) {
    return std::complex<double>(v);
  } else {
    return static_cast<double>(v);
  }
}

bool is_nan(double v) { return std::isnan(v); }
bool is_nan(const std::complex<double>& v) { return std::isnan(v.real()) || std::isnan(v.imag()); }

template <class T>
void compare_numbers(std::span<const T> a, std::span<const T> b, double tolerance,
                     TensorDifference& d) {
  for (size_t i = 0; i < a.size(); ++i) {
    const auto x = as_number(a[i]), y = as_number(b[i]);
    const bool x_nan = is_nan(x), y_nan = is_nan(y);
    d.a->nans += x_nan;
    d.b->nans += y_nan;
    if (std::memcmp(&a[i], &b[i], sizeof(T)) == 0) continue;
    if (x_nan || y_nan) {
      d.differing += tolerance == 0 || x_nan != y_nan;
      continue;
    }
    // The difference of two equal infinities would be NaN.
    const double away = x == y ? 0 : std::abs(x - y), larger = std::max(std::abs(x), std::abs(y));
    d.differing +=
        tolerance == 0 || !(away <= tolerance * std::max(1.0, std::isinf(larger) ? 1.0 : larger));
    d.max_absolute = std::max(d.max_absolute, away);
    if (away > 0)
      d.max_relative = std::max(d.max_relative, std::isinf(larger) ? 1.0 : away / larger);
  }
}

void compare_values(const Tensor& a, const Tensor& b, double tolerance, TensorDifference& d) {
  const auto compare = [&]<class T> { compare_numbers<T>(a.span<T>(), b.span<T>(), tolerance, d); };
  d.elements = a.num_elements();
  d.has_numbers =
      for_dtype<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t,
                uint64_t, bool, Half, BFloat16, std::complex<float>, std::complex<double>>(
          storage_dtype(a.dtype()), compare);
  if (d.has_numbers) return;
  const auto x = a.span<std::string>(), y = b.span<std::string>();
  for (size_t i = 0; i < x.size(); ++i) d.differing += x[i] != y[i];
}

std::optional<TensorDifference::Side> side_of(const CheckpointReader& reader,
                                              const std::string& name) {
  const auto entry = reader.find(name);
  if (!entry) return std::nullopt;
  return TensorDifference::Side{entry->dtype, entry->shape};
}

std::string text_of(const TensorDifference::Side& side) {
  return str_cat(dtype_name(side.dtype), " ", side.shape,
                 side.nans > 0 ? str_cat(", ", side.nans, " NaN") : "");
}

}  // namespace

std::string TensorDifference::str() const {
  if (!a || !b)
    return str_cat(printable(name), ": only in ", a ? "A" : "B", ": ", text_of(a ? *a : *b));
  if (!same_type()) return str_cat(printable(name), ": ", text_of(*a), " -> ", text_of(*b));
  std::string text =
      str_cat(printable(name), ": ", dtype_name(a->dtype), " ", a->shape, ": ", differing, " of ",
              elements, elements == 1 ? " element differs" : " elements differ");
  if (has_numbers) text += str_cat(", at most by ", max_absolute, ", relative ", max_relative);
  if (a->nans > 0 || b->nans > 0) text += str_cat(", NaN ", a->nans, " -> ", b->nans);
  return text;
}

CheckpointDiff diff_checkpoints(const CheckpointReader& a, const CheckpointReader& b,
                                const CheckpointDiffOptions& options) {
  if (!(options.tolerance >= 0)) {
    fail(Code::kInvalidArgument, "the tolerance of a comparison is 0 or more, got ",
         options.tolerance);
  }
  std::set<std::string> names;
  for (const CheckpointReader* reader : {&a, &b}) {
    for (std::string& name : reader->names()) names.insert(std::move(name));
  }
  CheckpointDiff diff;
  for (const std::string& name : names) {
    TensorDifference d;
    d.name = name;
    d.a = side_of(a, name);
    d.b = side_of(b, name);
    if (d.same_type()) compare_values(a.get_tensor(name), b.get_tensor(name), options.tolerance, d);
    if (d.same_type() && d.differing == 0) {
      ++diff.same;
    } else {
      diff.differences.push_back(std::move(d));
    }
  }
  return diff;
}

}  // namespace cairn
