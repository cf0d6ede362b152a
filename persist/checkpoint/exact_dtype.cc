#include "persist/checkpoint/exact_dtype.h"

#include <charconv>
#include <cmath>
#include <complex>
#include <limits>
#include <utility>

namespace cairn {
namespace {

template <class F>
bool for_real(DType dtype, F&& f) {
  return for_dtype<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t,
                   uint64_t, bool, Half, BFloat16>(storage_dtype(dtype), std::forward<F>(f));
}
bool is_real(DType dtype) {
  return !is_quantized(dtype) && for_real(dtype, []<class T> {});
}

// Converts a value of any real dtype exactly to one of double, int64_t and uint64_t.
template <class T>
auto wide(T v) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>)
    return static_cast<double>(static_cast<float>(v));
  else if constexpr (std::is_floating_point_v<T>)
    return static_cast<double>(v);
  else if constexpr (std::is_signed_v<T>)
    return static_cast<int64_t>(v);
  else
    return static_cast<uint64_t>(v);
}

// Converts `v` to an integer. False, and `out` unchanged, if the type cannot represent it.
template <class Integer>
bool to_integer(double v, Integer& out) {
  // The largest value plus 1: a power of two, which a double represents exactly.
  constexpr double kPast = static_cast<double>(std::numeric_limits<Integer>::max() / 2 + 1) * 2;
  if (v != std::trunc(v) || v >= kPast ||
      v < static_cast<double>(std::numeric_limits<Integer>::lowest()))
    return false;
  out = static_cast<Integer>(v);
  return true;
}

// Converts `v` to T. False if T cannot represent it.
template <class T, class Wide>
bool narrow(Wide v, T& out) {
  constexpr bool kFloating =
      std::is_same_v<T, Half> || std::is_same_v<T, BFloat16> || std::is_floating_point_v<T>;
  if constexpr (std::is_same_v<T, bool>) {
    out = v != 0;
    return v == 0 || v == 1;
  } else if constexpr (std::is_same_v<Wide, double>) {
    if constexpr (!kFloating) return to_integer(v, out);
    if constexpr (std::is_floating_point_v<T>) out = static_cast<T>(v);
    if constexpr (kFloating && !std::is_floating_point_v<T>) out = T(static_cast<float>(v));
    const auto again = static_cast<double>(wide(out));
    return again == v || (std::isnan(again) && std::isnan(v));
  } else if constexpr (kFloating) {
    const auto widened = static_cast<double>(v);
    Wide again = 0;
    return to_integer(widened, again) && again == v && narrow<T>(widened, out);
  } else {
    out = static_cast<T>(v);
    return std::in_range<T>(v);
  }
}

template <class T>
std::string digits(T v) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, v).ptr};
}

template <class From, class To>
Tensor converted(const Tensor& tensor, DType dtype) {
  Tensor result = Tensor::uninitialized(dtype, tensor.shape());
  const auto* from = static_cast<const From*>(tensor.raw_data());
  auto* to = static_cast<To*>(result.raw_data());
  for (int64_t i = 0; i < tensor.num_elements(); ++i) {
    if (!narrow(wide(from[i]), to[i]))
      fail(Code::kInvalidArgument, "element ", i, ", ", digits(wide(from[i])), ", is no ", dtype);
  }
  return result;
}

template <class From, class To>
Tensor converted_complex(const Tensor& tensor, DType dtype) {
  Tensor result = Tensor::uninitialized(dtype, tensor.shape());
  const auto from = tensor.span<std::complex<From>>();
  auto* to = result.data<std::complex<To>>();
  for (size_t i = 0; i < from.size(); ++i) {
    To real = 0, imag = 0;
    if (!narrow(wide(from[i].real()), real) || !narrow(wide(from[i].imag()), imag))
      fail(Code::kInvalidArgument, "element ", i, ", ", digits(from[i].real()), " + ",
           digits(from[i].imag()), "i, is no ", dtype);
    to[i] = {real, imag};
  }
  return result;
}

}  // namespace

bool is_convertible(DType from, DType to) {
  return (is_real(from) && is_real(to)) || (is_complex(from) && is_complex(to));
}

Tensor converted_exactly(const Tensor& tensor, DType to) {
  const DType from = tensor.dtype();
  if (from == to) return tensor;
  if (!is_convertible(from, to)) fail(Code::kInvalidArgument, from, " cannot be converted to ", to);
  if (from == DType::kComplex64) return converted_complex<float, double>(tensor, to);
  if (from == DType::kComplex128) return converted_complex<double, float>(tensor, to);
  Tensor result;
  for_real(from, [&]<class From> {
    for_real(to, [&]<class To> { result = converted<From, To>(tensor, to); });
  });
  return result;
}

}  // namespace cairn
