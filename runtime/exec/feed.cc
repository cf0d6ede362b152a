#include "runtime/exec/feed.h"

#include <cmath>
#include <limits>
#include <utility>
#include <variant>

namespace cairn {
namespace {

// Holds any number without loss: signed, unsigned or floating.
using Number = std::variant<int64_t, uint64_t, double>;

template <class F>
bool for_numbers(DType dtype, F&& f) {
  return for_dtype<float, double, Half, BFloat16, int8_t, int16_t, int32_t, int64_t, uint8_t,
                   uint16_t, uint32_t, uint64_t>(dtype, f);
}

template <class T>
Number number(T value) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return value;
  } else {
    return static_cast<double>(static_cast<float>(value));
  }
}

// The number as T; empty if T does not represent it exactly.
template <class T, class Whole>
std::optional<T> whole(Whole value) {
  if constexpr (std::is_integral_v<T>) {
    return std::in_range<T>(value) ? std::optional(static_cast<T>(value)) : std::nullopt;
  } else {
    using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const T to = static_cast<T>(static_cast<Wide>(value));
    const bool same =
        static_cast<long double>(static_cast<Wide>(to)) == static_cast<long double>(value);
    return same ? std::optional(to) : std::nullopt;
  }
}

template <class T>
std::optional<T> fraction(double value) {
  if constexpr (std::is_integral_v<T>) {
    // The smallest number that is too large, represented exactly.
    const double beyond = std::ldexp(1.0, std::numeric_limits<T>::digits);
    const bool fits = value == std::trunc(value) && value < beyond &&
                      value >= (std::is_signed_v<T> ? -beyond : 0.0);
    return fits ? std::optional(static_cast<T>(value)) : std::nullopt;
  } else {
    using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const bool too_large =
        std::isfinite(value) && std::fabs(value) > double{std::numeric_limits<Wide>::max()};
    const T to = static_cast<T>(static_cast<Wide>(too_large ? INFINITY : value));
    return std::isfinite(static_cast<Wide>(to)) == std::isfinite(value) ? std::optional(to)
                                                                        : std::nullopt;
  }
}

template <class T>
std::optional<T> exactly(const Number& value) {
  return std::visit(
      [](auto n) {
        if constexpr (std::is_same_v<decltype(n), double>) {
          return fraction<T>(n);
        } else {
          return whole<T>(n);
        }
      },
      value);
}

std::vector<Number> numbers(const Tensor& tensor) {
  std::vector<Number> all;
  for_numbers(tensor.dtype(), [&]<class T> {
    for (const T& value : tensor.span<T>()) all.push_back(number(value));
  });
  return all;
}

}  // namespace

std::optional<Tensor> FeedValue::as(DType dtype, std::string& why) const {
  if (is(dtype)) return tensor_;
  const std::vector<Number> values = numbers(tensor_);
  std::optional<Tensor> made;
  const bool known =
      for_numbers(tensor_.dtype(), []<class> {}) && for_numbers(dtype, [&]<class T> {
        Tensor to = Tensor::uninitialized(dtype, tensor_.shape());
        for (size_t i = 0; i < values.size(); ++i) {
          const std::optional<T> value = exactly<T>(values[i]);
          if (!value) {
            std::visit(
                [&](auto n) { why = str_cat(Tensor(n).str(), " is not a value of dtype ", dtype); },
                values[i]);
            return;
          }
          to.data<T>()[i] = *value;
        }
        made = std::move(to);
      });
  if (!known) why = str_cat("numbers of dtype ", tensor_.dtype(), " do not become ", dtype);
  return made;
}

}  // namespace cairn
