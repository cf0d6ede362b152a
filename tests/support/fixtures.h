// Files and programs that tests use, and skipping of tests if they are absent.
//
//   TEST_CASE("The reader reads what TensorFlow 1.4 wrote", "[compat]") {
//     const auto dir = fixture("linreg-tf14");
//     if (!dir) return;                          // counted and printed as skipped, with the reason
//     ...
//   }
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "runtime/base/error.h"

namespace cairn {

// The folder of files that real TensorFlow wrote, from the build option -Dfixtures=DIR; empty if it
// is not set.
std::optional<std::filesystem::path> fixtures();

// fixtures()/name. If it does not exist, calls skip() with the reason and returns an empty
// optional.
std::optional<std::filesystem::path> fixture(const std::string& name);

// The running test case counts as skipped, not passed, unless it fails. The test must return after
// the call.
void skip(const std::string& reason);

// The root of the source tree, and a program of this build: built_program("samples/mnist_softmax").
std::filesystem::path source_root();
std::filesystem::path built_program(const std::string& name);

// A new empty folder, removed with its content by the destructor.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Read all bytes of a file, and write a file with exactly `bytes`. Throw Error on failure.
std::string read_bytes(const std::filesystem::path& file);
void write_bytes(const std::filesystem::path& file, const std::string& bytes);

// The Error that `action` throws; if it throws none, an Error with Code::kOk and a message about
// that.
//
//   const Error error = error_of([&] { reader.read("w"); });
//   REQUIRE(error.code() == Code::kDataLoss);
template <class Action>
Error error_of(Action&& action) {
  try {
    std::forward<Action>(action)();
  } catch (const Error& error) {
    return error;
  }
  return Error(Code::kOk, "nothing was thrown");
}

// True if the message of the error contains `text`.
inline bool says(const Error& error, std::string_view text) {
  return std::string_view(error.what()).find(text) != std::string_view::npos;
}

}  // namespace cairn
