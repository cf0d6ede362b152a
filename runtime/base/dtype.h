// Element types of tensors.
//
// Numbers and names are TensorFlow's (tensorflow/core/framework/types.proto) and are written to
// files: never change them. Functions here take every DType, reference types included, and throw
// nothing.
//
//   dtype_name(DType::kInt64)           // "int64"
//   dtype_enum_name(DType::kInt64)      // "DT_INT64"
//   parse_dtype("float_ref")            // make_ref(DType::kFloat)
//   parse_dtype("float32")              // nothing: TensorFlow's files say "float"
//   dtype_size(DType::kComplex128)      // 16
//   dtype_of<int64_t>                   // DType::kInt64
//   dtype_of<char>                      // DType::kInvalid: no tensor holds it
#pragma once

#include <complex>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "runtime/base/api.h"

namespace CAIRN_API cairn {

// The number of each dtype, and the C++ type of its elements.
enum class DType : int32_t {
  kInvalid = 0,      // no dtype: an empty Tensor
  kFloat = 1,        // float
  kDouble = 2,       // double
  kInt32 = 3,        // int32_t
  kUInt8 = 4,        // uint8_t
  kInt16 = 5,        // int16_t
  kInt8 = 6,         // int8_t
  kString = 7,       // std::string, any bytes
  kComplex64 = 8,    // std::complex<float>
  kInt64 = 9,        // int64_t
  kBool = 10,        // bool, 1 byte
  kQInt8 = 11,       // quantized: stored as int8_t
  kQUInt8 = 12,      // as uint8_t
  kQInt32 = 13,      // as int32_t
  kBFloat16 = 14,    // BFloat16, below
  kQInt16 = 15,      // as int16_t
  kQUInt16 = 16,     // as uint16_t
  kUInt16 = 17,      // uint16_t
  kComplex128 = 18,  // std::complex<double>
  kHalf = 19,        // Half, below
  kResource = 20,    // a handle; no Tensor holds its elements
  kVariant = 21,     // likewise
  kUInt32 = 22,      // uint32_t
  kUInt64 = 23,      // uint64_t
};

// Reference types: the output of a reference variable, which ops may write. The number is that of
// the base type + 100: a float variable's output is DT_FLOAT_REF, 101. Values in memory and in
// checkpoints are always of base types.
inline constexpr int32_t kRefOffset = 100;
constexpr bool is_ref(DType t) { return static_cast<int32_t>(t) > kRefOffset; }
constexpr DType base_dtype(DType t) {
  return is_ref(t) ? static_cast<DType>(static_cast<int32_t>(t) - kRefOffset) : t;
}
constexpr DType make_ref(DType t) {
  return is_ref(t) ? t : static_cast<DType>(static_cast<int32_t>(t) + kRefOffset);
}

// True for 1..23 and their reference types. Other numbers come only from damaged files or files of
// newer versions.
bool is_known_dtype(DType t);

// Bytes of one element of the base type; 0 for string, resource, variant, kInvalid and unknown
// numbers.
size_t dtype_size(DType t);

// Classes of dtypes. A reference type belongs to the class of its base type.
bool is_floating(DType t);  // half, bfloat16, float, double
bool is_integer(DType t);   // signed and unsigned, not quantized, not bool
bool is_complex(DType t);
bool is_quantized(DType t);
bool is_numeric(DType t);  // floating, integer, complex or quantized

// The name in messages and signatures: "float", "int64", "float_ref".
std::string dtype_name(DType t);
// The name in files: "DT_FLOAT", "DT_FLOAT_REF".
std::string dtype_enum_name(DType t);
// Reads either form, exactly as written above; nothing if it is neither.
std::optional<DType> parse_dtype(std::string_view name);

std::ostream& operator<<(std::ostream& out, DType t);

// ---- 16-bit floats: storage only; arithmetic goes through float ---------------------------------

// IEEE 754 binary16. Conversion from float rounds to nearest, ties to even; beyond 65504 (after
// rounding) it gives infinity. Conversion to float is exact. Comparisons are those of floats: NaN
// equals nothing, -0 equals 0.
//
//   const Half third(1.0f / 3);
//   float twice = 2 * float(third);      // arithmetic is done in float
//   third * 2;                           // does not compile
struct Half {
  uint16_t bits = 0;
  Half() = default;
  explicit Half(float value);
  explicit operator float() const;
  static Half from_bits(uint16_t bits) {
    Half h;
    h.bits = bits;
    return h;
  }
  friend bool operator==(Half a, Half b) { return float(a) == float(b); }
  friend bool operator<(Half a, Half b) { return float(a) < float(b); }
};

// The upper 16 bits of a float: its range with 8 bits of precision. Conversions and comparisons as
// for Half.
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value);
  explicit operator float() const;
  static BFloat16 from_bits(uint16_t bits) {
    BFloat16 h;
    h.bits = bits;
    return h;
  }
  friend bool operator==(BFloat16 a, BFloat16 b) { return float(a) == float(b); }
  friend bool operator<(BFloat16 a, BFloat16 b) { return float(a) < float(b); }
};

// ---- C++ type <-> DType -------------------------------------------------------------------------

// The DType of a C++ type: dtype_of<float> is DType::kFloat; kInvalid for a type that no tensor
// holds. Quantized types have no C++ type of their own: their elements are read as the integer of
// the same width.
template <class T>
inline constexpr DType dtype_of = DType::kInvalid;
template <>
inline constexpr DType dtype_of<float> = DType::kFloat;
template <>
inline constexpr DType dtype_of<double> = DType::kDouble;
template <>
inline constexpr DType dtype_of<int32_t> = DType::kInt32;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::kUInt8;
template <>
inline constexpr DType dtype_of<int16_t> = DType::kInt16;
template <>
inline constexpr DType dtype_of<int8_t> = DType::kInt8;
template <>
inline constexpr DType dtype_of<std::string> = DType::kString;
template <>
inline constexpr DType dtype_of<std::complex<float>> = DType::kComplex64;
template <>
inline constexpr DType dtype_of<int64_t> = DType::kInt64;
template <>
inline constexpr DType dtype_of<bool> = DType::kBool;
template <>
inline constexpr DType dtype_of<BFloat16> = DType::kBFloat16;
template <>
inline constexpr DType dtype_of<uint16_t> = DType::kUInt16;
template <>
inline constexpr DType dtype_of<std::complex<double>> = DType::kComplex128;
template <>
inline constexpr DType dtype_of<Half> = DType::kHalf;
template <>
inline constexpr DType dtype_of<uint32_t> = DType::kUInt32;
template <>
inline constexpr DType dtype_of<uint64_t> = DType::kUInt64;

// The unquantized type with the same storage: kQInt8 -> kInt8; for any other type its base type.
DType storage_dtype(DType t);

// A C++ type that a tensor can hold: Tensor::vector<float>(...) compiles, Tensor::vector<char>(...)
// does not.
template <class T>
concept Element = dtype_of<T>
!= DType::kInvalid;

}  // namespace cairn
