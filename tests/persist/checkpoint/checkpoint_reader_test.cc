#include "persist/checkpoint/checkpoint_reader.h"

#include <complex>
#include <sstream>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_v1.h"
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

std::string printed(MemoryFileSystem& fs, const std::string& name, bool all, bool names,
                    bool count = false) {
  std::ostringstream out;
  print_tensors_in_checkpoint_file("m", name, all, names,
                                   {.count_parameters = count, .out = &out, .file_system = &fs});
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
  CHECK(reader.debug_string() ==
        "P (DT_INT32) [4], 2 slices\nW (DT_FLOAT) [2,2]\nstep (DT_INT64) []\n");
  CHECK_NOTHROW(reader.verify());
  CHECK(error_of([&] { reader.get_tensor("w"); }).code() == Code::kNotFound);
}

TEST_CASE("Checkpoints are printed in TensorFlow's format", "[persist][checkpoint_reader]") {
  MemoryFileSystem fs;
  write<BundleWriter>(fs, "m");
  CHECK(printed(fs, "", false, false) ==
        "P (DT_INT32) [4], 2 slices\nW (DT_FLOAT) [2,2]\nstep (DT_INT64) []\n\n");
  CHECK(printed(fs, "W", false, false) == "tensor_name:  W\n[[1.  2. ]\n [3.  4.5]]\n");
  CHECK(printed(fs, "", false, true) == "tensor_name:  P\ntensor_name:  W\ntensor_name:  step\n");
  CHECK(printed(fs, "", true, false, true) ==
        "tensor_name:  P\n[1 2 3 4]\ntensor_name:  W\n[[1.  2. ]\n [3.  4.5]]\ntensor_name:  "
        "step\n7\n"
        "# Total number of params: 9\n");
}

TEST_CASE("A path that names no checkpoint is NotFound", "[persist][checkpoint_reader]") {
  MemoryFileSystem fs;
  for (const char* path : {"m", "m.index", "nowhere/m", "."}) {
    CAPTURE(path);
    CHECK(error_of([&] { CheckpointReader(path, &fs); }).code() == Code::kNotFound);
  }
}

}  // namespace cairn
