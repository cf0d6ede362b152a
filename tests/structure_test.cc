// The shape of the tree, kept by reading it: who includes whom, which library enters where, and that no file is
// forgotten by the build.
#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

bool has(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Which rooms a room may include, besides itself.
const std::map<std::string, Names> kArrows = {
    {"runtime", {}},
    {"ops", {"runtime"}},
    {"persist", {"runtime", "ops", "proto"}},
    {"samples", {"runtime", "ops", "persist", "cairn"}},
    {"tools", {"runtime", "ops", "persist", "cairn"}},
    {"bench", {"runtime", "ops", "persist", "cairn", "samples"}},
    {"tests", {"runtime", "ops", "persist", "cairn", "proto", "samples", "tools"}},
};

// Libraries, by how their headers' names begin, and the files that may include them.
struct Library {
  std::string headers, files;
};
const std::vector<Library> kLibraries = {
    {"(unsupported/)?Eigen/.*", "(ops/[^/]*\\.cc|ops/internal/.*|bench/.*)"},
    {"(google/protobuf/.*|.*\\.pb\\.h)", "(persist/.*\\.cc|persist/internal/.*|tests/.*|samples/hyperparameters\\.cc)"},
    {"(leveldb/.*|isa-l.*|crc\\.h|snappy.*)", "(persist/.*\\.cc|persist/internal/.*|tests/.*)"},
    {"re2/.*", "persist/internal/pattern\\.cc"},
    {"CLI/.*", "(tools|samples|bench)/.*"},
    {"zlib\\.h", "(samples|tests)/.*"},
    {"catch2/.*", "tests/support/catch\\.h"},
};

struct Include {
  std::string file, header;
};

Names files_of(const std::string& room) {
  Names files;
  if (!fs::exists(source_root() / room)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(source_root() / room)) {
    const std::string ending = entry.path().extension();
    if (ending == ".cc" || ending == ".h") files.push_back(fs::relative(entry.path(), source_root()));
  }
  return files;
}

std::vector<Include> all_includes() {
  static const std::regex kInclude(R"(^\s*#\s*include\s*["<]([^">]+)[">].*)");
  std::vector<Include> includes;
  for (const auto& [room, arrows] : kArrows) {
    for (const std::string& file : files_of(room)) {
      std::ifstream in(source_root() / file);
      std::smatch match;
      for (std::string line; std::getline(in, line);) {
        if (std::regex_match(line, match, kInclude)) includes.push_back({file, match[1]});
      }
    }
  }
  return includes;
}

// What is wrong with one include, or "".
std::string fault_of(const Include& include) {
  const std::string from = include.file.substr(0, include.file.find('/'));
  const bool is_message = include.header.ends_with(".pb.h") || include.header == "cairn/schema_bytes.h";
  const std::string folder = include.header.substr(0, include.header.find('/'));
  const std::string to = folder == "cairn" && is_message ? "proto" : folder;
  if ((kArrows.count(to) || to == "proto" || to == "cairn") && to != from && !has(kArrows.at(from), to)) {
    return str_cat(include.file, " includes ", include.header, ": no arrow from ", from, " to ", to);
  }
  for (const Library& library : kLibraries) {
    if (std::regex_match(include.header, std::regex(library.headers)) &&
        !std::regex_match(include.file, std::regex(library.files))) {
      return str_cat(include.file, " includes ", include.header, ", which may only enter ", library.files);
    }
  }
  return "";
}

}  // namespace

TEST_CASE("Every include follows an arrow of the layering", "[structure]") {
  const auto includes = all_includes();
  REQUIRE(includes.size() > 10);
  Names faults;
  for (const Include& include : includes) {
    if (std::string fault = fault_of(include); !fault.empty()) faults.push_back(std::move(fault));
  }
  CHECK(faults == Names{});
}

TEST_CASE("An include against the layering is noticed", "[structure]") {
  CHECK(fault_of({"runtime/graph.cc", "ops/math.h"}) ==
        "runtime/graph.cc includes ops/math.h: no arrow from runtime to ops");
  CHECK(fault_of({"ops/math.cc", "persist/saver.h"}) != "");
  CHECK(fault_of({"ops/math.h", "Eigen/Core"}) != "");
  CHECK(fault_of({"persist/saver.h", "cairn/types.pb.h"}) != "");
  CHECK(fault_of({"runtime/tensor.cc", "google/protobuf/message.h"}) != "");
  CHECK(fault_of({"ops/math.cc", "Eigen/Core"}) == "");
  CHECK(fault_of({"persist/saver.cc", "ops/state.h"}) == "");
}

TEST_CASE("Every public header shows what it declares in a shared library", "[structure]") {
  Names hidden;
  for (const std::string room : {"runtime", "ops", "persist"}) {
    for (const std::string& file : files_of(room)) {
      const bool is_public = file.ends_with(".h") && file.find("/internal/") == std::string::npos;
      const std::string text = read_bytes(source_root() / file);
      if (is_public && text.find("\nnamespace cairn {") != std::string::npos) hidden.push_back(file);
    }
  }
  CHECK(hidden == Names{});
}

TEST_CASE("Every source file is named in a meson.build", "[structure]") {
  Names forgotten;
  for (const auto& [room, arrows] : kArrows) {
    std::string lists;
    for (const auto& entry : fs::recursive_directory_iterator(source_root() / room)) {
      if (entry.path().filename() == "meson.build") lists += read_bytes(entry.path());
    }
    for (const std::string& file : files_of(room)) {
      if (file.starts_with("tests/install/")) continue;  // compiled outside the tree, by tests/install_test.sh
      // Only what is installed must be listed among headers.
      const bool listed = has({"runtime", "ops", "persist"}, room) && file.find("/internal/") == std::string::npos;
      if (fs::path(file).extension() == ".h" && !listed) continue;
      const std::string in_room = file.substr(room.size() + 1);
      const std::string name = fs::path(file).filename();
      if (lists.find("'" + in_room + "'") == std::string::npos && lists.find("'" + name + "'") == std::string::npos) {
        forgotten.push_back(file);
      }
    }
  }
  CHECK(forgotten == Names{});
}
