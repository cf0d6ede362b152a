// What the command line feeds: arrays from files, values from text, batches of rows.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtime/exec/session.h"
#include "runtime/graph/graph.h"

namespace cairn {

struct FeedArguments {
  std::vector<std::string> files;   // NAME=FILE.npy
  std::vector<std::string> values;  // NAME=VALUE
};
void add_file_arguments(CLI::App& app, FeedArguments& args);   // --feed
void add_value_arguments(CLI::App& app, FeedArguments& args);  // --set

// A tensor of the graph and what it is fed.
struct Fed {
  Output tensor;
  Tensor value;
  std::string name;  // as it was given: "x" or "x:0"
};

// "loss:0", or "loss" for the first output of that node. Throws NotFound, InvalidArgument for a
// node without outputs.
Output find_tensor(const Graph& graph, const std::string& name);

// The numbers as another dtype. Throws InvalidArgument (saying `name`) where a number does not fit
// an integer dtype exactly, or dtypes are not numbers.
Tensor converted(const Tensor& tensor, DType dtype, const std::string& name);

// "0.5", "true", "[1, 2]", "[[1], [2]]"; of strings, all of the text is one scalar. Throws
// InvalidArgument.
Tensor parse_value(const std::string& text, DType dtype, const std::string& name);

// Everything given, as the dtypes that the graph wants; where it tells none (the output of an op
// that nobody describes, which no op reads that this build has), a file's own. Throws UsageError
// for what is not NAME=…, and as read_npy().
std::vector<Fed> read_values(const Graph& graph, const FeedArguments& args);
std::vector<Fed> read_files(const Graph& graph, const FeedArguments& args);

}  // namespace cairn
