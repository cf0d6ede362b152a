#include "tests/support/fixtures.h"

#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "tests/paths.h"

namespace cairn {

namespace fs = std::filesystem;

std::optional<fs::path> fixtures() {
  if (!*kFixtures || !fs::is_directory(kFixtures)) return std::nullopt;
  return fs::path(kFixtures);
}

std::optional<fs::path> fixture(const std::string& name) {
  const auto all = fixtures();
  if (all && fs::exists(*all / name)) return *all / name;
  skip(!*kFixtures ? "built without -Dfixtures=DIR" : str_cat("no ", name, " in ", kFixtures));
  return std::nullopt;
}

fs::path source_root() { return kSourceRoot; }
fs::path built_program(const std::string& name) {
  const char* instead =
      getenv("CAIRN_TEST_PROGRAMS");  // programs that take the place of the build's
  if (instead && fs::exists(fs::path(instead) / name)) return fs::path(instead) / name;
  return fs::path(kBuildRoot) / name;
}

TempDir::TempDir() {
  std::string name = fs::temp_directory_path() / "cairn-test-XXXXXX";
  if (!mkdtemp(name.data())) fail(Code::kInternal, "cannot make a folder like ", name);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string read_bytes(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream bytes;
  if (!in || !(bytes << in.rdbuf())) {
    if (!in || fs::file_size(file) > 0) fail(Code::kNotFound, "cannot read ", file);
  }
  return bytes.str();
}

void write_bytes(const fs::path& file, const std::string& bytes) {
  std::ofstream out(file, std::ios::binary);
  if (!out.write(bytes.data(), bytes.size()).flush()) fail(Code::kInternal, "cannot write ", file);
}

}  // namespace cairn
