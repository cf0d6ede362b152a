#include "persist/checkpoint/bundle.h"
#include "tests/samples/idx_files.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace cairn;
namespace fs = std::filesystem;

namespace {

const fs::path kSample = built_program("samples/resume_from_meta");

}  // namespace

TEST_CASE("What mnist_softmax began, resume_from_meta goes on with to the same bits", "[samples]") {
  const TempDir dir;
  write_digits(dir / "data", 300, 100);
  const auto train = [&](const std::string& name, const std::string& steps) {
    const fs::path run = dir / name;
    REQUIRE(run_program(built_program("samples/mnist_softmax"),
                        {"--data", dir / "data", "--dir", run, "--steps", steps, "--batch", "30"})
                .status == 0);
    return run / ("model_ckpt-" + steps);
  };
  const fs::path begun = train("begun", "20"), whole = train("whole", "50"),
                 resumed = dir / "resumed";
  const Finished run = run_program(kSample, {begun, "--steps", "30", "--data", dir / "data",
                                             "--batch", "30", "--save", resumed});
  CAPTURE(run.out, run.err);
  REQUIRE(run.status == 0);
  CHECK(run.out.find("restored accuracy: ") != std::string::npos);
  CHECK(run.out.find("trained global_step: 50\n") != std::string::npos);
  for (const char* part : {".data-00000-of-00001", ".index", ".meta"}) {
    CAPTURE(part);
    CHECK(read_bytes(resumed.string() + part) == read_bytes(whole.string() + part));
  }
}

TEST_CASE(
    "The sample resume_from_meta resumes a graph without placeholders, to TensorFlow's values",
    "[samples]") {
  const auto linreg = fixture("linreg-tf14");
  if (!linreg) return;
  const TempDir dir;
  const Finished run =
      run_program(kSample, {*linreg / "my-model-0", "--steps", "999", "--save", dir / "again"});
  CAPTURE(run.out, run.err);
  REQUIRE(run.status == 0);
  const BundleReader got(posix_file_system(), (dir / "again").string()),
      expected(posix_file_system(), (*linreg / "my-model-1000").string());
  CHECK(got.read("bias").data<float>()[0] ==
        Approx(expected.read("bias").data<float>()[0]).epsilon(1e-6));
  CHECK(got.read("weight").data<float>()[0] ==
        Approx(expected.read("weight").data<float>()[0]).epsilon(1e-6));
}

TEST_CASE("The sample resume_from_meta names the file that is missing, with status 1",
          "[samples]") {
  const TempDir dir;
  const Finished run = run_program(kSample, {dir / "nothing"});
  CHECK(run.status == 1);
  CHECK(run.err.find((dir / "nothing.meta").string()) != std::string::npos);
}

TEST_CASE("The sample resume_from_meta refuses a wrong command line, with status 2", "[samples]") {
  CHECK(run_program(kSample, {}).status == 2);
  CHECK(run_program(kSample, {"prefix", "--steps", "-1"}).status == 2);
}
