// The commands of `cairn`: each reads its arguments with CLI11 and does its work when it is called.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "persist/graph/meta_graph.h"

namespace cairn {

// What a command's work returns, and `cairn` exits with.
enum ExitStatus : int { kFine = 0, kProblem = 1, kWrongUsage = 2 };

// Arguments that do not fit together: exit status 2. What goes wrong in the work is an Error: exit
// status 1.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Adds a command's arguments to `app` and returns its work, to be called after they were read.
using Work = std::function<int()>;
using CommandMaker = Work (*)(CLI::App& app);

Work make_average(CLI::App& app);  // average.cc
Work make_convert(CLI::App& app);  // copy.cc
Work make_copy(CLI::App& app);     // copy.cc
Work make_diff(CLI::App& app);     // diff.cc
Work make_doctor(CLI::App& app);   // doctor.cc
Work make_export(CLI::App& app);   // export.cc
Work make_freeze(CLI::App& app);   // freeze.cc
Work make_inspect(CLI::App& app);  // inspect.cc
Work make_meta(CLI::App& app);     // meta.cc
Work make_rename(CLI::App& app);   // rename.cc
Work make_run(CLI::App& app);      // run.cc
Work make_show(CLI::App& app);     // show.cc
Work make_train(CLI::App& app);    // train.cc

// What META is, for --help.
inline constexpr const char* kMetaHelp =
    "a .meta file, a GraphDef (.pb, .pbtxt), a SavedModel's directory, or a checkpoint that has a "
    ".meta file";
// --tag, for a SavedModel. In meta.cc.
void add_tag_argument(CLI::App& app, std::vector<std::string>& tags);

// Where the meta graph is that `path` means: the file itself, or the one that belongs to a
// checkpoint (its prefix, one of its files, its directory), or a SavedModel's. Throws as
// checkpoint_prefix(). In meta.cc.
std::string find_meta_graph(const std::string& path);
// The graph that is there. Throws UsageError for tags where the file is no SavedModel, and as
// MetaGraph::read(). In meta.cc.
MetaGraph read_meta_graph(const std::string& path, const std::vector<std::string>& tags);
// Whether `path` is a file with a graph (.meta, .pb, .pbtxt, or by its bytes), and no checkpoint.
// In show.cc.
bool holds_graph(const std::string& path);

// Lets `write` write a checkpoint `destination` through command_files(), which gets its names
// together with a copy of the .meta file of `source`, if there is one ("" for none): all of it is
// there in the end, or nothing. In copy.cc.
void write_checkpoint(const std::string& source, const std::string& destination,
                      const std::function<void()>& write);

// SessionOptions::seed for --seed: 0, which any user may give, is one too.
inline uint64_t session_seed(const std::optional<uint64_t>& given) {
  constexpr uint64_t kForZero = 0x9e3779b97f4a7c15u;
  return given ? (*given == 0 ? kForZero : *given) : 0;
}

// Numbers from `least` on; says so in plain words where another is given. In cairn.cc.
CLI::Validator at_least(int64_t least);
// Whole numbers from `least` to `most`. What the option is kept in must take all of them: CLI11
// makes others fit without a word.
CLI::Validator whole_number(uint64_t least, uint64_t most);
// More steps or rows than anybody takes, and few enough to be added up.
inline constexpr uint64_t kMostSteps = 1000000000000000;
inline CLI::Validator any_seed() { return whole_number(0, std::numeric_limits<uint64_t>::max()); }

}  // namespace cairn
