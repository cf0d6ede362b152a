#include "runtime/base/dtype.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/catch.h"

using namespace cairn;

TEST_CASE("Every dtype has TensorFlow's number, name and size", "[runtime][dtype]") {
  const struct {
    int number;
    DType dtype;
    const char* name;
    size_t size;
  } kTable[] = {{1, DType::kFloat, "float", 4},      {2, DType::kDouble, "double", 8},
                {3, DType::kInt32, "int32", 4},      {4, DType::kUInt8, "uint8", 1},
                {5, DType::kInt16, "int16", 2},      {6, DType::kInt8, "int8", 1},
                {7, DType::kString, "string", 0},    {8, DType::kComplex64, "complex64", 8},
                {9, DType::kInt64, "int64", 8},      {10, DType::kBool, "bool", 1},
                {11, DType::kQInt8, "qint8", 1},     {12, DType::kQUInt8, "quint8", 1},
                {13, DType::kQInt32, "qint32", 4},   {14, DType::kBFloat16, "bfloat16", 2},
                {15, DType::kQInt16, "qint16", 2},   {16, DType::kQUInt16, "quint16", 2},
                {17, DType::kUInt16, "uint16", 2},   {18, DType::kComplex128, "complex128", 16},
                {19, DType::kHalf, "half", 2},       {20, DType::kResource, "resource", 0},
                {21, DType::kVariant, "variant", 0}, {22, DType::kUInt32, "uint32", 4},
                {23, DType::kUInt64, "uint64", 8}};
  for (const auto& row : kTable) {
    CAPTURE(row.name);
    CHECK(static_cast<int>(row.dtype) == row.number);
    CHECK(dtype_name(row.dtype) == row.name);
    CHECK(dtype_size(row.dtype) == row.size);
    CHECK(is_known_dtype(row.dtype));
    CHECK(parse_dtype(row.name) == row.dtype);
    CHECK(parse_dtype(dtype_enum_name(row.dtype)) == row.dtype);
    const DType ref = make_ref(row.dtype);
    CHECK(static_cast<int>(ref) == row.number + 100);
    CHECK((is_ref(ref) && !is_ref(row.dtype)));
    CHECK(base_dtype(ref) == row.dtype);
    CHECK(make_ref(ref) == ref);
    CHECK(dtype_size(ref) == row.size);
    CHECK(dtype_name(ref) == std::string(row.name) + "_ref");
    CHECK(parse_dtype(dtype_enum_name(ref)) == ref);
  }
  CHECK(dtype_enum_name(DType::kBFloat16) == "DT_BFLOAT16");
  CHECK(dtype_enum_name(make_ref(DType::kFloat)) == "DT_FLOAT_REF");
}

TEST_CASE("Numbers that stand for no dtype are known as such", "[runtime][dtype]") {
  for (const int number : {-1, 0, 24, 99, 100, 124, 200, std::numeric_limits<int>::max(),
                           std::numeric_limits<int>::min()}) {
    CAPTURE(number);
    CHECK_FALSE(is_known_dtype(static_cast<DType>(number)));
    CHECK(dtype_size(static_cast<DType>(number)) == 0);
    CHECK_FALSE(dtype_name(static_cast<DType>(number)).empty());
  }
  CHECK_FALSE(parse_dtype("dtype 201"));
  CHECK_FALSE(parse_dtype("flaot"));
  CHECK_FALSE(parse_dtype(""));
  CHECK_FALSE(parse_dtype("invalid"));
}

TEST_CASE("Dtypes are of one kind each", "[runtime][dtype]") {
  for (int number = 1; number <= 23; ++number) {
    const DType t = static_cast<DType>(number);
    CAPTURE(dtype_name(t));
    const int kinds = is_floating(t) + is_integer(t) + is_complex(t) + is_quantized(t);
    const bool other =
        t == DType::kString || t == DType::kBool || t == DType::kResource || t == DType::kVariant;
    CHECK(kinds == (other ? 0 : 1));
    CHECK(is_numeric(t) == !other);
    CHECK(is_numeric(make_ref(t)) == !other);
  }
  CHECK(is_floating(DType::kHalf));
  CHECK(is_integer(DType::kUInt64));
  CHECK(storage_dtype(DType::kQUInt8) == DType::kUInt8);
  CHECK(storage_dtype(DType::kFloat) == DType::kFloat);
}

namespace {

template <class T>
void round_trip() {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const T value = T::from_bits(static_cast<uint16_t>(bits));
    const float wide = static_cast<float>(value);
    const T back(wide);
    if (std::isnan(wide)) {
      if (!std::isnan(static_cast<float>(back)) || (back.bits ^ bits) >> 15)
        FAIL_CHECK("NaN is lost: " << bits);
    } else if (back.bits != bits) {
      FAIL_CHECK(bits << " comes back as " << back.bits);
    }
  }
}

// The value of T nearest to x by search over all, ties to an even last bit: slow and plain.
template <class T>
uint16_t nearest(double x) {
  uint16_t best = 0;
  double distance = std::numeric_limits<double>::infinity();
  for (uint32_t bits = 0; bits < 0x8000; ++bits) {
    const double candidate = static_cast<float>(T::from_bits(static_cast<uint16_t>(bits)));
    if (std::isnan(candidate) || std::isinf(candidate)) continue;
    const double d = std::abs(candidate - x);
    if (d < distance || (d == distance && bits % 2 == 0)) {
      distance = d;
      best = static_cast<uint16_t>(bits);
    }
  }
  return best;
}

}  // namespace

TEST_CASE("All 65536 half and bfloat16 bit patterns survive a trip through float",
          "[runtime][dtype]") {
  round_trip<Half>();
  round_trip<BFloat16>();
}

TEST_CASE("Floats round to the nearest half and bfloat16, ties to even", "[runtime][dtype]") {
  for (const float x : {1.0f, 1.00048828125f, 1.0014648f, 0.1f, 3.14159265f, 65504.0f, 65519.0f,
                        6.1e-5f, 5.96e-8f, 2.98e-8f, 8.9e-8f, 1e-7f, 1234.5f, 0.0f}) {
    CAPTURE(x);
    CHECK(Half(x).bits == nearest<Half>(x));
    CHECK(BFloat16(x).bits == nearest<BFloat16>(x));
    CHECK(Half(-x).bits == (nearest<Half>(x) | 0x8000));
  }
  CHECK(Half(1.0f + 0x1p-11f).bits == 0x3c00);      // half way: to the even one below
  CHECK(Half(1.0f + 3 * 0x1p-11f).bits == 0x3c02);  // half way: to the even one above
  CHECK(BFloat16(1.0f + 0x1p-8f).bits == 0x3f80);
  CHECK(BFloat16(1.0f + 3 * 0x1p-8f).bits == 0x3f82);
}

TEST_CASE("Floats beyond the range of half become infinity", "[runtime][dtype]") {
  CHECK(Half(65519.996f).bits == 0x7bff);
  CHECK(Half(65520.0f).bits == 0x7c00);
  CHECK(Half(-1e30f).bits == 0xfc00);
  CHECK(Half(0x1p-25f).bits == 0x0000);  // half of the smallest: to even, which is zero
  CHECK(Half(0x1.8p-25f).bits == 0x0001);
  CHECK(BFloat16(std::numeric_limits<float>::max()).bits == 0x7f80);
}

TEST_CASE("Half and bfloat16 compare as the floats they stand for", "[runtime][dtype]") {
  CHECK(Half(0.0f) == Half(-0.0f));
  CHECK(Half(-2.0f) < Half(1.0f));
  CHECK_FALSE(BFloat16(NAN) == BFloat16(NAN));
  CHECK(BFloat16(-2.0f) < BFloat16(-1.0f));
}

TEST_CASE("C++ types stand for the dtypes of their width", "[runtime][dtype]") {
  CHECK(dtype_of<float> == DType::kFloat);
  CHECK(dtype_of<std::string> == DType::kString);
  CHECK(dtype_of<std::complex<double>> == DType::kComplex128);
  CHECK(dtype_of<Half> == DType::kHalf);
  CHECK(Element<int64_t>);
  CHECK_FALSE(Element<const char*>);
  CHECK(sizeof(Half) == dtype_size(DType::kHalf));
  CHECK(sizeof(bool) == dtype_size(DType::kBool));
}
