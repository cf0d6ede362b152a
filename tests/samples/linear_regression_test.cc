#include <regex>

#include "persist/checkpoint/bundle.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace cairn;

TEST_CASE(
    "The linear regression finds the line through its points and prints it from the restored "
    "values",
    "[samples]") {
  const TempDir dir;
  const Finished run = run_program(built_program("samples/linear_regression"), {}, dir.path());
  CAPTURE(run.out, run.err);
  REQUIRE(run.status == 0);
  // The least squares of its five points.
  CHECK(run.out == "y = 3.01 x + 2.04\n");
  const BundleReader saved(posix_file_system(), (dir / "line-100").string());
  CHECK(saved.read("slope").scalar<float>() == Approx(3.01));
  CHECK(saved.read("height").scalar<float>() == Approx(2.04));
}

TEST_CASE("The linear regression says why it cannot save", "[samples]") {
  const TempDir dir;
  std::filesystem::create_directory(dir / "checkpoint");
  const Finished run = run_program(built_program("samples/linear_regression"), {}, dir.path());
  CHECK(run.status == 1);
  CHECK(run.err.find("checkpoint") != std::string::npos);
}
