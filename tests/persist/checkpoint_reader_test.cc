#include "persist/checkpoint_reader.h"

#include <complex>
#include <sstream>

#include "persist/bundle.h"
#include "persist/checkpoint_v1.h"
#include "persist/internal/numpy_text.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

namespace cairn {
namespace {

template <class Writer>
void write(MemoryFileSystem& fs, const std::string& path) {
  Writer writer(fs, path);
  writer.add("W", Tensor::matrix<float>({{1, 2}, {3, 4.5}}));
  writer.add("step", Tensor(int64_t{7}));
  writer.add_slice("P", {4}, TensorSlice::parse("0,3"), Tensor::vector<int32_t>({1, 2, 3}));
  writer.add_slice("P", {4}, TensorSlice::parse("3,1"), Tensor::vector<int32_t>({4}));
  writer.finish();
}

std::string printed(MemoryFileSystem& fs, const std::string& name, bool all, bool names, bool count = false) {
  std::ostringstream out;
  print_tensors_in_checkpoint_file("m", name, all, names, {.count_parameters = count, .out = &out, .file_system = &fs});
  return out.str();
}

}  // namespace

TEST_CASE("A checkpoint reads the same from either format", "[persist][checkpoint_reader]") {
  MemoryFileSystem fs;
  const bool v1 = GENERATE(true, false);
  CAPTURE(v1);
  v1 ? write<CheckpointV1Writer>(fs, "m") : write<BundleWriter>(fs, "m");
  const CheckpointReader reader("m", &fs);
  CHECK(reader.version() == (v1 ? CheckpointFormat::kV1 : CheckpointFormat::kV2));
  CHECK(reader.names() == std::vector<std::string>{"P", "W", "step"});
  CHECK(reader.has_tensor("W"));
  CHECK_FALSE(reader.has_tensor("V"));
  CHECK(reader.variable_to_shape_map().at("P") == Shape{4});
  CHECK(reader.variable_to_dtype_map().at("step") == DType::kInt64);
  CHECK(reader.find("W")->slices.empty());
  CHECK(reader.find("P")->slices.size() == 2);
  CHECK(reader.get_tensor("P").str() == "[1 2 3 4]");
  CHECK(reader.get_tensor("P", TensorSlice::parse("2,2")).str() == "[3 4]");
  CHECK(reader.debug_string() == "P (DT_INT32) [4], 2 slices\nW (DT_FLOAT) [2,2]\nstep (DT_INT64) []\n");
  CHECK_NOTHROW(reader.verify());
  CHECK(error_of([&] { reader.get_tensor("w"); }).code() == Code::kNotFound);
}

TEST_CASE("Checkpoints are printed in TensorFlow's format", "[persist][checkpoint_reader]") {
  MemoryFileSystem fs;
  write<BundleWriter>(fs, "m");
  CHECK(printed(fs, "", false, false) == "P (DT_INT32) [4], 2 slices\nW (DT_FLOAT) [2,2]\nstep (DT_INT64) []\n\n");
  CHECK(printed(fs, "W", false, false) == "tensor_name:  W\n[[1.  2. ]\n [3.  4.5]]\n");
  CHECK(printed(fs, "", false, true) == "tensor_name:  P\ntensor_name:  W\ntensor_name:  step\n");
  CHECK(printed(fs, "", true, false, true) ==
        "tensor_name:  P\n[1 2 3 4]\ntensor_name:  W\n[[1.  2. ]\n [3.  4.5]]\ntensor_name:  step\n7\n"
        "# Total number of params: 9\n");
}

TEST_CASE("A path that names no checkpoint is NotFound", "[persist][checkpoint_reader]") {
  MemoryFileSystem fs;
  for (const char* path : {"m", "m.index", "nowhere/m", "."}) {
    CAPTURE(path);
    CHECK(error_of([&] { CheckpointReader(path, &fs); }).code() == Code::kNotFound);
  }
}

TEST_CASE("Arrays are printed as NumPy prints them", "[persist][numpy_text]") {
  const auto text = [](const Tensor& t) { return numpy_text(t); };
  const auto floats = [](const std::vector<float>& values) { return numpy_text(Tensor::vector(values)); };
  CHECK(floats({1, 1, 1}) == "[1. 1. 1.]");
  CHECK(floats({-1, 0.5f, 10}) == "[-1.   0.5 10. ]");
  CHECK(floats({0.1f, 123.456f}) == "[1.00000e-01 1.23456e+02]");
  CHECK(floats({1e8f, 1}) == "[1.e+08 1.e+00]");
  CHECK(floats({1e-5f}) == "[1.e-05]");
  CHECK(floats({NAN, 1, -INFINITY}) == "[ nan   1. -inf]");
  CHECK(floats({NAN}) == "[nan]");
  CHECK(floats({0.123456789f}) == "[0.12345679]");
  CHECK(floats({}) == "[]");
  CHECK(text(Tensor::vector<double>({1.0 / 3, 2})) == "[0.33333333 2.        ]");
  CHECK(text(Tensor::vector<double>({1e-200, 1})) == "[1.e-200 1.e+000]");
  CHECK(text(Tensor(0.1f)) == "0.1");
  CHECK(text(Tensor(3.0)) == "3.0");
  CHECK(text(Tensor(1e-7f)) == "1e-07");
  CHECK(text(Tensor(67108872.0f)) == "67108870.0");
  CHECK(text(Tensor::vector<Half>({Half(0.1f), Half(2.5f)})) == "[0.1 2.5]");
  CHECK(text(Tensor::vector<int32_t>({1, -20, 300})) == "[  1 -20 300]");
  CHECK(text(Tensor::vector<bool>({true, false})) == "[ True False]");
  CHECK(text(Tensor::vector<std::string>({"ab", "it's", "\n\x01"})) == "[b'ab' b\"it's\" b'\\n\\x01']");
  CHECK(text(Tensor::vector<std::complex<float>>({{1, 2}, {3, -4.5}})) == "[1.+2.j  3.-4.5j]");
  CHECK(text(Tensor::of<int32_t>({2, 2, 1}, {1, 2, 3, 4})) == "[[[1]\n  [2]]\n\n [[3]\n  [4]]]");
}

TEST_CASE("Long rows are wrapped and large arrays cut short, unless all is asked for", "[persist][numpy_text]") {
  Tensor row = Tensor::zeros(DType::kInt32, {40});
  for (int i = 0; i < 40; ++i) row.data<int32_t>()[i] = i;
  CHECK(numpy_text(row) ==
        "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n"
        " 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39]");
  CHECK(numpy_text(Tensor::zeros(DType::kFloat, {1001})) == "[0. 0. 0. ... 0. 0. 0.]");
  CHECK(numpy_text(Tensor::zeros(DType::kFloat, {784, 10})) ==
        "[[0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n ...\n [0. 0. 0. ... 0. 0. 0.]\n"
        " [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]]");
  const std::string full = numpy_text(Tensor::zeros(DType::kFloat, {1001}), -1);
  CHECK(std::count(full.begin(), full.end(), '0') == 1001);
}

}  // namespace cairn
