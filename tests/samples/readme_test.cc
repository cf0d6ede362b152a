#include <algorithm>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;

namespace {

// Lines without the white space around them, each with a newline.
std::string without_indentation(const std::string& text) {
  std::string out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const size_t first = std::min(line.find_first_not_of(' '), line.size());
    out += line.substr(first) + "\n";
  }
  return out;
}

std::vector<std::string> cpp_blocks(const std::string& markdown) {
  const std::string open = "```cpp\n", close = "```\n";
  std::vector<std::string> blocks;
  for (size_t at = markdown.find(open); at != std::string::npos; at = markdown.find(open, at)) {
    at += open.size();
    blocks.push_back(markdown.substr(at, markdown.find(close, at) - at));
  }
  return blocks;
}

}  // namespace

TEST_CASE("Every C++ block of the README stands word for word in a sample, and so compiles",
          "[samples]") {
  std::string samples;
  for (const auto& file : std::filesystem::directory_iterator(source_root() / "samples")) {
    if (file.path().extension() == ".cc") samples += without_indentation(read_bytes(file.path()));
  }
  const auto blocks = cpp_blocks(read_bytes(source_root() / "README.md"));
  REQUIRE(blocks.size() >= 2);
  for (const std::string& block : blocks) {
    CAPTURE(block);
    CHECK(samples.find(without_indentation(block)) != std::string::npos);
  }
}
