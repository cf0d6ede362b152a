// What the tests of commands share.
#pragma once

#include <string>
#include <vector>

#include "persist/checkpoint/bundle.h"
#include "tests/support/program.h"

namespace cairn {

inline Finished cairn_run(const std::vector<std::string>& args) {
  return run_program(built_program("tools/cairn"), args);
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A V2 checkpoint of one data file; returns its prefix.
inline std::string write_tensors(const std::filesystem::path& prefix,
                                 const std::vector<std::pair<std::string, Tensor>>& tensors) {
  BundleWriter writer(posix_file_system(), prefix.string());
  for (const auto& [name, tensor] : tensors) writer.add(name, tensor);
  writer.finish();
  return prefix.string();
}

// Wrong usage ends with status 2 and says why on standard error, with nothing on standard output.
inline bool is_wrong_usage(const Finished& run) {
  return run.status == 2 && run.out.empty() && !run.err.empty();
}

}  // namespace cairn
