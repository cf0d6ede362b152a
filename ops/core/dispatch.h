// Choosing code by the dtype of a node: by its C++ type where values are computed, by the width of
// its elements where they are only moved. A kernel is compiled once; what is chosen are its loops
// over elements, as pointers to functions.
//
//   using Negate = void (*)(const void* x, void* out, int64_t n);
//   const Negate negate = by_types(Floats(), s, s.dtype("T"), []<class T>() -> Negate {
//     return negate_all<T>;
//   });
#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/exec/context.h"

namespace cairn {

template <class... Ts>
struct TypeList {};
using Floats = TypeList<float, double, Half, BFloat16>;
// The dtypes of arithmetic: all floats, and int32 and int64.
using FloatsAndInts = TypeList<float, double, int32_t, int64_t, Half, BFloat16>;
// Floats, and integers other than uint32 and uint64.
using Reals =
    TypeList<float, double, int32_t, int64_t, Half, BFloat16, uint8_t, int8_t, uint16_t, int16_t>;
// Everything that is added.
using Numbers = TypeList<float, double, int32_t, int64_t, Half, BFloat16, int8_t, int16_t, uint8_t,
                         uint16_t, uint32_t, uint64_t, std::complex<float>, std::complex<double>>;

// Attributes of ops on floating-point numbers.
inline constexpr std::string_view kFloatAttrs = "T: {half, bfloat16, float, double}";

// Returns make.template operator()<T>() (a kernel, a loop, a table of loops) for the type T of the
// list that stores elements of `dtype`. Throws Unimplemented, naming op, node and the dtypes of the
// list, if there is none.
template <class First, class... Rest, class Make>
auto by_types(TypeList<First, Rest...>, const KernelSetup& s, DType dtype, const Make& make) {
  decltype(make.template operator()<First>()) made{};
  const DType stored = storage_dtype(dtype);
  const auto is = [&]<class T>() {
    if (stored != dtype_of<T>) return false;
    made = make.template operator()<T>();
    return true;
  };
  if (!(is.template operator()<First>() || ... || is.template operator()<Rest>()))
    fail_dtype(s, dtype, {dtype_of<First>, dtype_of<Rest>...});
  return made;
}

// An element of a given width, of any dtype. All bytes zero is the zero of every numeric dtype.
template <class Bits, int kCount = 1>
struct [[gnu::may_alias]] Cell {
  std::array<Bits, kCount> bits{};
  bool operator==(const Cell&) const = default;
};

// Returns make.template operator()<T>() for a T as wide as elements of `dtype`: a Cell, or
// std::string. Six loops serve all dtypes. Throws Unimplemented for dtypes that tensors cannot
// hold.
template <class Make>
auto by_width(const KernelSetup& s, DType dtype, const Make& make) {
  if (dtype == DType::kString) return make.template operator()<std::string>();
  switch (dtype_size(dtype)) {
    case 1:
      return make.template operator()<Cell<uint8_t>>();
    case 2:
      return make.template operator()<Cell<uint16_t>>();
    case 4:
      return make.template operator()<Cell<uint32_t>>();
    case 8:
      return make.template operator()<Cell<uint64_t>>();
    case 16:
      return make.template operator()<Cell<uint64_t, 2>>();
    default:
      s.unimplemented(str_cat("there is no kernel for elements of dtype ", dtype));
  }
}

}  // namespace cairn
