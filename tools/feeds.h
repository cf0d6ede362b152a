// Feeds given on the command line: arrays in files (--feed) and values as text (--set).
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

// A tensor of the graph and its value.
struct Fed {
  Output tensor;
  Tensor value;
  std::string name;  // as it was given: "x" or "x:0"
};

// The tensor "loss:0", or "loss" for output 0 of that node. Throws NotFound, and InvalidArgument
// for a node without outputs.
Output find_tensor(const Graph& graph, const std::string& name);

// Converts numbers to another dtype. Throws InvalidArgument (naming `name`) if an integer dtype
// does not represent a number exactly, or if a dtype is not numeric.
Tensor converted(const Tensor& tensor, DType dtype, const std::string& name);

// Parses "0.5", "true", "[1, 2]" or "[[1], [2]]"; for kString the whole text is one scalar. Throws
// InvalidArgument.
Tensor parse_value(const std::string& text, DType dtype, const std::string& name);

// All feeds, converted to the dtypes of their tensors. If the graph does not determine a dtype (the
// output of an op without a description, read by no known op), that of the file is used. Throws
// UsageError for an argument that is not NAME=…, and as read_npy().
std::vector<Fed> read_values(const Graph& graph, const FeedArguments& args);
std::vector<Fed> read_files(const Graph& graph, const FeedArguments& args);

}  // namespace cairn
