// NumPy's array files.
#include "tools/npy.h"

#include "tests/fuzz/fuzz.h"

namespace cairn::fuzz {
namespace {

void one(std::string_view bytes) {
  accepted([&] {
    const Tensor tensor = parse_npy(bytes, "x.npy");
    require(bit_equal(parse_npy(npy_bytes(tensor), "again.npy"), tensor),
            "an array that was written again has changed");
  });
}

std::string with_header(const std::string& header, const std::string& data) {
  std::string bytes("\x93NUMPY\1\0", 8);
  bytes += static_cast<char>(header.size());
  bytes += static_cast<char>(header.size() >> 8);
  return bytes + header + data;
}

std::vector<std::string> seeds() {
  return {
      npy_bytes(Tensor(1.5f)),
      npy_bytes(Tensor::matrix<double>({{1, 2}, {3, 4}})),
      npy_bytes(Tensor::vector<std::string>({"ab", "", "c"})),
      npy_bytes(Tensor::of<bool>({2, 1}, {true, false})),
      with_header("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }",
                  std::string(12, '\5')),
      with_header(
          "{\"shape\": (0L, 9223372036854775807L), \"fortran_order\": False, \"descr\": \"|S3\"}\n",
          ""),
      with_header("{'descr': '>f8', 'fortran_order': False, 'shape': (1,), }",
                  std::string(8, '\0'))};
}

}  // namespace

const Target npy{"npy", one, seeds};

}  // namespace cairn::fuzz
