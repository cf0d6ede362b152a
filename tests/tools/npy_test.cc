#include "tools/npy.h"

#include <complex>

#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

using namespace cairn;

namespace {

// A version 1 file with this header, padded as little as can be, and these elements.
std::string file_of(const std::string& header, const std::string& data) {
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size() + 1) + '\0' +
         header + '\n' + data;
}
std::string header_of(const std::string& descr, const std::string& shape,
                      const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}
Error error_in(const std::string& bytes) {
  return error_of([&] { parse_npy(bytes, "x.npy"); });
}

}  // namespace

TEST_CASE("An .npy file has NumPy's header, and its elements begin at a multiple of 64",
          "[tools][npy]") {
  const std::string bytes = npy_bytes(Tensor::matrix<float>({{1, 2, 3}, {4, 5, 6}}));
  REQUIRE(bytes.size() == 128 + 24);
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  header.resize(117, ' ');
  CHECK(bytes.substr(0, 128) == std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + "\n");
  CHECK(npy_bytes(Tensor::vector<int8_t>({1}))
            .find("'|i1', 'fortran_order': False, 'shape': (1,), }") == 20);
  CHECK(npy_bytes(Tensor(true)).find("'shape': (), }") != std::string::npos);
}

TEMPLATE_TEST_CASE("An array comes back from its .npy file bit by bit", "[tools][npy]", float,
                   double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
                   Half, std::complex<float>, std::complex<double>) {
  MemoryFileSystem fs;
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 3}, Shape{3, 0, 2}}) {
    Tensor t = Tensor::zeros(dtype_of<TestType>, shape);
    for (int64_t i = 0; i < t.num_elements(); ++i)
      t.data<TestType>()[i] = TestType(static_cast<float>(i * 3 + 1));
    write_npy(fs, "x.npy", t);
    CHECK(bit_equal(read_npy(fs, "x.npy"), t));
  }
}

TEST_CASE("Bools and byte strings come back; bfloat16 comes back as float", "[tools][npy]") {
  const Tensor flags = Tensor::vector<bool>({true, false});
  CHECK(bit_equal(parse_npy(npy_bytes(flags), "x"), flags));
  const Tensor names = Tensor::vector<std::string>({"", "longest", "\xff"});
  CHECK(bit_equal(parse_npy(npy_bytes(names), "x"), names));
  CHECK(bit_equal(parse_npy(npy_bytes(Tensor::vector<BFloat16>({BFloat16(1.5f)})), "x"),
                  Tensor::vector<float>({1.5f})));
}

TEST_CASE("An array written column by column is put in order", "[tools][npy]") {
  const std::string data{0, 3, 1, 4, 2, 5};
  CHECK(bit_equal(parse_npy(file_of(header_of("|i1", "(2, 3)", "True"), data), "x"),
                  Tensor::matrix<int8_t>({{0, 1, 2}, {3, 4, 5}})));
  CHECK(parse_npy(file_of(header_of("|u1", "(0, 5, 4)", "True"), ""), "x").num_elements() == 0);
}

TEST_CASE("A version 2 header has a length of four bytes", "[tools][npy]") {
  const std::string header = header_of("=u1", "(2L,)") + "\n";
  const std::string bytes = std::string("\x93NUMPY\x02\x00", 8) + static_cast<char>(header.size()) +
                            std::string(3, '\0') + header + "ab";
  CHECK(bit_equal(parse_npy(bytes, "x"), Tensor::vector<uint8_t>({'a', 'b'})));
}

TEST_CASE("What is no .npy file, ends early or says what its size denies is DataLoss",
          "[tools][npy]") {
  const std::string good = file_of(header_of("<f4", "(2,)"), "12345678");
  REQUIRE(parse_npy(good, "x").num_elements() == 2);
  for (size_t length = 0; length < good.size(); ++length) {
    CHECK(error_in(good.substr(0, length)).code() == Code::kDataLoss);
  }
  CHECK(says(error_in(good + "x"), "does not take the 9 bytes"));
  CHECK(says(error_in("PK\3\4 some archive"), "write one with numpy.save"));
  for (const char* shape : {"(9223372036854775807,)", "(4611686018427387904, 4611686018427387904)",
                            "(-1,)", "(99999999999999999999,)", "2", "(2,", "(2 3)"}) {
    CAPTURE(shape);
    CHECK(error_in(file_of(header_of("<f4", shape), "12345678")).code() == Code::kDataLoss);
  }
  CHECK(error_in(file_of("{'descr': '<f4', 'shape': (2,)}", "12345678")).code() == Code::kDataLoss);
  CHECK(error_in(file_of(header_of("<f4", "(2,)", "Maybe"), "12345678")).code() == Code::kDataLoss);
  CHECK(says(error_in(file_of(header_of("|b1", "(3,)"), std::string{0, 1, 2})),
             "element 2 is neither true nor false"));
}

TEST_CASE("Arrays that have no tensor are refused by the name of their elements", "[tools][npy]") {
  for (const char* descr : {">f4", "<U4", "|O", "|S0", "<M8[ns]", "<f16"}) {
    const Error error = error_in(file_of(header_of(descr, "(1,)"), "12345678"));
    CHECK(error.code() == Code::kUnimplemented);
    CHECK(says(error, descr));
  }
  CHECK(says(error_in(file_of("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
                              "12345678")),
             "array of records"));
}

TEST_CASE("A header with any byte changed is read or refused, and reaches no terminal as it stands",
          "[tools][npy]") {
  for (const std::string& good : {file_of(header_of("<f4", "(2, 1)", "True"), "12345678"),
                                  file_of(header_of("|S4", "(2,)"), "12345678"),
                                  file_of(header_of("<c8", "(2147483648, 0)"), "")}) {
    for (size_t i = 0; i < good.size(); ++i) {
      for (const char byte : {'\0', '\x1b', '9', '(', '\'', '\xff'}) {
        std::string bytes = good;
        bytes[i] = byte;
        const Error error = error_in(bytes);
        CAPTURE(i, error.what());
        CHECK((error.code() == Code::kOk || error.code() == Code::kDataLoss ||
               error.code() == Code::kUnimplemented));
        CHECK(std::string(error.what()).find('\x1b') == std::string::npos);
      }
    }
  }
  const Error error = error_in(file_of("{'" + std::string(100, 'k') + "': 1}", ""));
  CHECK(std::string(error.what()).size() < 200);
}

TEST_CASE("Arrays without elements are read at once, however large an extent is", "[tools][npy]") {
  for (const char* fortran : {"True", "False"}) {
    for (const char* descr : {"<f4", "|S99", "|b1"}) {
      CHECK(parse_npy(file_of(header_of(descr, "(2147483648, 0)", fortran), ""), "x").shape() ==
            Shape{int64_t{1} << 31, 0});
      CHECK(parse_npy(file_of(header_of(descr, "(0, 4611686018427387904)", fortran), ""), "x")
                .num_elements() == 0);
    }
  }
}
