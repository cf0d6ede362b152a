#include "runtime/base/dtype.h"

#include <bit>
#include <ostream>

namespace cairn {
namespace {

struct Info {
  std::string_view name;
  uint8_t size;
};

// Indexed by the number in files.
constexpr Info kInfo[] = {
    {"invalid", 0},  {"float", 4},   {"double", 8}, {"int32", 4},       {"uint8", 1},
    {"int16", 2},    {"int8", 1},    {"string", 0}, {"complex64", 8},   {"int64", 8},
    {"bool", 1},     {"qint8", 1},   {"quint8", 1}, {"qint32", 4},      {"bfloat16", 2},
    {"qint16", 2},   {"quint16", 2}, {"uint16", 2}, {"complex128", 16}, {"half", 2},
    {"resource", 0}, {"variant", 0}, {"uint32", 4}, {"uint64", 8},
};

const Info* info(DType t) {
  const auto i = static_cast<size_t>(base_dtype(t));
  return i < std::size(kInfo) ? &kInfo[i] : nullptr;
}

}  // namespace

bool is_known_dtype(DType t) {
  return t != DType::kInvalid && info(t) && base_dtype(t) != DType::kInvalid;
}

size_t dtype_size(DType t) {
  const Info* i = info(t);
  return i ? i->size : 0;
}

bool is_floating(DType t) {
  t = base_dtype(t);
  return t == DType::kFloat || t == DType::kDouble || t == DType::kHalf || t == DType::kBFloat16;
}

bool is_integer(DType t) {
  switch (base_dtype(t)) {
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
    case DType::kUInt8:
    case DType::kUInt16:
    case DType::kUInt32:
    case DType::kUInt64:
      return true;
    default:
      return false;
  }
}

bool is_complex(DType t) {
  return base_dtype(t) == DType::kComplex64 || base_dtype(t) == DType::kComplex128;
}

bool is_quantized(DType t) { return storage_dtype(t) != base_dtype(t); }

bool is_numeric(DType t) {
  return is_floating(t) || is_integer(t) || is_complex(t) || is_quantized(t);
}

DType storage_dtype(DType t) {
  switch (base_dtype(t)) {
    case DType::kQInt8:
      return DType::kInt8;
    case DType::kQUInt8:
      return DType::kUInt8;
    case DType::kQInt16:
      return DType::kInt16;
    case DType::kQUInt16:
      return DType::kUInt16;
    case DType::kQInt32:
      return DType::kInt32;
    default:
      return base_dtype(t);
  }
}

std::string dtype_name(DType t) {
  const Info* i = info(t);
  std::string name = i ? std::string(i->name) : "dtype " + std::to_string(static_cast<int32_t>(t));
  return i && is_ref(t) ? name + "_ref" : name;
}

std::string dtype_enum_name(DType t) {
  std::string name = dtype_name(t);
  for (char& c : name) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return "DT_" + name;
}

std::optional<DType> parse_dtype(std::string_view name) {
  for (int ref = 0; ref < 2; ++ref) {
    for (size_t i = 1; i < std::size(kInfo); ++i) {
      const DType t = static_cast<DType>(static_cast<int32_t>(i) + ref * kRefOffset);
      if (name == dtype_name(t) || name == dtype_enum_name(t)) return t;
    }
  }
  return std::nullopt;
}

std::ostream& operator<<(std::ostream& out, DType t) { return out << dtype_name(t); }

Half::Half(float value) {
  const uint32_t x = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (x >> 16) & 0x8000u, magnitude = x & 0x7fffffffu;
  if (magnitude >= 0x7f800000u) {  // infinity, or NaN kept quiet
    bits = static_cast<uint16_t>(
        sign | 0x7c00u | (magnitude > 0x7f800000u ? 0x200u | ((magnitude >> 13) & 0x3ffu) : 0));
  } else if (magnitude >= 0x477ff000u) {  // rounds beyond 65504
    bits = static_cast<uint16_t>(sign | 0x7c00u);
  } else if (magnitude >= 0x38800000u) {  // normal
    const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u;
    bits = static_cast<uint16_t>(sign | (rounded >> 13));
  } else {  // subnormal or zero: the float adder does the rounding
    const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
    bits = static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(aligned) - 0x3f000000u));
  }
}

Half::operator float() const {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16,
                 exponent = (bits >> 10) & 0x1fu;
  const uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0) {
    const float tiny = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -tiny : tiny;
  }
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

BFloat16::BFloat16(float value) {
  const uint32_t x = std::bit_cast<uint32_t>(value);
  if ((x & 0x7fffffffu) > 0x7f800000u) {
    bits = static_cast<uint16_t>((x >> 16) | 0x40u);
  } else {
    bits = static_cast<uint16_t>((x + 0x7fffu + ((x >> 16) & 1u)) >> 16);
  }
}

BFloat16::operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

}  // namespace cairn
