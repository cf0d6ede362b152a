// The commands of `cairn`. Each declares its arguments for CLI11 and returns a function that does
// the work.
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

// The exit status of `cairn`, returned by the work of a command.
enum ExitStatus : int { kFine = 0, kProblem = 1, kWrongUsage = 2 };

// Arguments that do not fit together: exit status 2. Errors of the work are Error: exit status 1.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Adds the arguments of a command to `app` and returns its work, to be called after they were
// parsed.
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

// The description of META, for --help.
inline constexpr const char* kMetaHelp =
    "a .meta file, a GraphDef (.pb, .pbtxt), a SavedModel's directory, or a checkpoint that has a "
    ".meta file";
// --tag, for a SavedModel. In meta.cc.
void add_tag_argument(CLI::App& app, std::vector<std::string>& tags);

// The path of the meta graph for `path`: the file itself, or the .meta file of a checkpoint (given
// by its prefix, one of its files or its directory), or the graph of a SavedModel. Throws as
// checkpoint_prefix(). In meta.cc.
std::string find_meta_graph(const std::string& path);
// Reads the graph at `path`. Throws UsageError for tags if the file is not a SavedModel, and as
// MetaGraph::read(). In meta.cc.
MetaGraph read_meta_graph(const std::string& path, const std::vector<std::string>& tags);
// True if `path` is a file with a graph (.meta, .pb, .pbtxt, or by its bytes), not a checkpoint. In
// show.cc.
bool holds_graph(const std::string& path);

// Calls `write`, which writes the checkpoint `destination` through command_files(), and copies the
// .meta file of `source`, if it has one ("": no copy). The files get their names together, so that
// all exist in the end or none. In copy.cc.
void write_checkpoint(const std::string& source, const std::string& destination,
                      const std::function<void()>& write);

inline const char* format_name(CheckpointFormat format) {
  return format == CheckpointFormat::kV2 ? "V2" : "V1";
}

// SessionOptions::seed for --seed. 0 is a seed for users, but means a random one in the options.
inline uint64_t session_seed(const std::optional<uint64_t>& given) {
  constexpr uint64_t kForZero = 0x9e3779b97f4a7c15u;
  return given ? (*given == 0 ? kForZero : *given) : 0;
}

// Accepts numbers of at least `least`. In cairn.cc.
CLI::Validator at_least(int64_t least);
// Accepts whole numbers from `least` to `most`. The type of the option's variable must hold all of
// them, as CLI11 converts without a check.
CLI::Validator whole_number(uint64_t least, uint64_t most);
// A bound on steps and rows, far above any use, so that sums do not overflow.
inline constexpr uint64_t kMostSteps = 1000000000000000;
inline CLI::Validator any_seed() { return whole_number(0, std::numeric_limits<uint64_t>::max()); }

}  // namespace cairn
