// The shape of the tree, kept by reading it: who includes whom, which library enters where, and
// that no file is forgotten by the build.
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
    {"train", {"runtime", "ops"}},
    {"persist", {"runtime", "ops", "train", "proto"}},
    {"samples", {"runtime", "ops", "train", "persist", "cairn"}},
    {"tools", {"runtime", "ops", "train", "persist", "cairn"}},
    {"bench", {"runtime", "ops", "train", "persist", "cairn", "samples"}},
    {"tests", {"runtime", "ops", "train", "persist", "cairn", "proto", "samples", "tools"}},
};

// Which folders of a room the files of a folder may include, besides their own; nothing is said of
// folders that are not listed. A graph computes the values of constants, hence the one file.
const std::map<std::string, Names> kFolders = {
    {"runtime/base", {}},
    {"runtime/graph", {"runtime/base", "runtime/exec/executor.h"}},
    {"runtime/exec", {"runtime/base", "runtime/graph"}},
    {"persist/messages", {"persist/files"}},
    {"persist/saver", {"persist/files", "persist/messages", "persist/checkpoint", "persist/graph"}},
};
// Folders that no other folder of their room may include.
const Names kApart = {"persist/extras", "persist/summary"};

// Rooms whose headers users include: those that meson.build lists.
const Names kInstalled = {"runtime", "ops", "train", "persist"};

// Libraries, by how their headers' names begin, and the files that may include them; no public
// header may.
struct Library {
  std::string headers, files;
};
const std::vector<Library> kLibraries = {
    {"(unsupported/)?Eigen/.*", "(ops|bench)/.*"},
    {"(google/protobuf/.*|.*\\.pb\\.h)", "(persist/.*|tests/.*|samples/hyperparameters\\.cc)"},
    {"(leveldb/.*|isa-l.*|crc\\.h|snappy.*)", "(persist|tests)/.*"},
    {"re2/.*", "persist/files/pattern\\.cc"},
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
    if (ending == ".cc" || ending == ".h")
      files.push_back(fs::relative(entry.path(), source_root()));
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

std::string room_of(const std::string& file) { return file.substr(0, file.find('/')); }

// What the meson.build files of a room list.
std::string listed_in(const std::string& room) {
  std::string lists;
  for (const auto& entry : fs::recursive_directory_iterator(source_root() / room)) {
    if (entry.path().filename() == "meson.build") lists += read_bytes(entry.path());
  }
  return lists;
}

bool is_public_header(const std::string& file) {
  const std::string room = room_of(file);
  if (!file.ends_with(".h") || !has(kInstalled, room)) return false;
  static std::map<std::string, std::string> lists;
  if (!lists.count(room)) lists[room] = listed_in(room);
  return lists[room].find("'" + file.substr(room.size() + 1) + "'") != std::string::npos;
}

// What is wrong with one include, or "".
std::string fault_of(const Include& include) {
  const std::string from = room_of(include.file);
  const bool is_message =
      include.header.ends_with(".pb.h") || include.header == "cairn/schema_bytes.h";
  const std::string folder = include.header.substr(0, include.header.find('/'));
  const std::string to = folder == "cairn" && is_message ? "proto" : folder;
  if ((kArrows.count(to) || to == "proto" || to == "cairn") && to != from &&
      !has(kArrows.at(from), to)) {
    return str_cat(include.file, " includes ", include.header, ": no arrow from ", from, " to ",
                   to);
  }
  const std::string own = fs::path(include.file).parent_path(),
                    other = fs::path(include.header).parent_path();
  const auto allowed = kFolders.find(own);
  if (to == from && own != other &&
      (has(kApart, other) ? own != from
                          : allowed != kFolders.end() && !has(allowed->second, other) &&
                                !has(allowed->second, include.header))) {
    return str_cat(include.file, " includes ", include.header, ": no arrow from ", own, " to ",
                   other);
  }
  for (const Library& library : kLibraries) {
    if (std::regex_match(include.header, std::regex(library.headers)) &&
        (is_public_header(include.file) ||
         !std::regex_match(include.file, std::regex(library.files)))) {
      return str_cat(include.file, " includes ", include.header, ", which may only enter ",
                     library.files);
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
  CHECK(fault_of({"runtime/graph/graph.cc", "ops/math/math.h"}) ==
        "runtime/graph/graph.cc includes ops/math/math.h: no arrow from runtime to ops");
  CHECK(fault_of({"runtime/graph/graph.cc", "runtime/exec/session.h"}) ==
        "runtime/graph/graph.cc includes runtime/exec/session.h: no arrow from runtime/graph to "
        "runtime/exec");
  CHECK(fault_of({"runtime/graph/graph.cc", "runtime/exec/executor.h"}) == "");
  CHECK(fault_of({"persist/saver/saver.cc", "persist/extras/freeze.h"}) != "");
  CHECK(fault_of({"persist/catalog.cc", "persist/summary/summary_ops.h"}) == "");
  CHECK(fault_of({"ops/math.cc", "persist/saver/saver.h"}) != "");
  CHECK(fault_of({"ops/math/math.h", "Eigen/Core"}) != "");
  CHECK(fault_of({"persist/saver/saver.h", "cairn/types.pb.h"}) != "");
  CHECK(fault_of({"runtime/base/tensor.cc", "google/protobuf/message.h"}) != "");
  CHECK(fault_of({"ops/math.cc", "Eigen/Core"}) == "");
  CHECK(fault_of({"persist/saver/saver.cc", "ops/state/state.h"}) == "");
}

TEST_CASE("Every public header shows what it declares in a shared library", "[structure]") {
  Names hidden;
  for (const std::string& room : kInstalled) {
    for (const std::string& file : files_of(room)) {
      const std::string text = read_bytes(source_root() / file);
      if (is_public_header(file) && text.find("\nnamespace cairn {") != std::string::npos)
        hidden.push_back(file);
    }
  }
  CHECK(hidden == Names{});
}

TEST_CASE("Every source file is named in a meson.build", "[structure]") {
  Names forgotten;
  for (const auto& [room, arrows] : kArrows) {
    const std::string lists = listed_in(room);
    for (const std::string& file : files_of(room)) {
      // compiled outside the tree, by tests/install_test.sh
      if (file.starts_with("tests/install/")) continue;
      if (file.ends_with(".h")) continue;  // those that are installed are listed
      // A name is as seen from the folder of its meson.build.
      bool listed = false;
      for (size_t at = 0; (at = file.find('/', at)) != file.npos && !listed;) {
        listed = lists.find("'" + file.substr(++at) + "'") != lists.npos;
      }
      if (!listed) forgotten.push_back(file);
    }
  }
  CHECK(forgotten == Names{});
}
