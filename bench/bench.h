// Common parts of the benchmarks: options, timing, and printing of results.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "runtime/base/error.h"

namespace cairn::bench {

struct Options {
  int threads = 1;
  double seconds = 0.2;
  std::string only;  // run only workloads whose names begin with this
  std::string dir;   // the directory for files
  bool quick = false;
  // Print a table; else a line of JSON per result, as other programs with the same workloads do.
  bool table = false;
  bool wants(const std::string& workload) const { return workload.starts_with(only); }
};

inline Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 == argc) fail(Code::kInvalidArgument, "'", arg, "' needs a value");
      return argv[++i];
    };
    if (arg == "--table") {
      o.table = true;
    } else if (arg == "--quick") {
      o.quick = true;
      o.seconds = 0.05;
    } else if (arg == "--threads") {
      o.threads = std::atoi(value().c_str());
    } else if (arg == "--secs") {
      o.seconds = std::atof(value().c_str());
    } else if (arg == "--only") {
      o.only = value();
    } else if (arg == "--dir") {
      o.dir = value();
    } else {
      fail(Code::kInvalidArgument, "unknown argument '", arg,
           "'; there are --threads T, --secs S, --only PREFIX, --dir DIR, --quick, --table");
    }
  }
  return o;
}

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Prints one result as a line of JSON, in the form of other programs with the same workloads.
inline void print_json(const Options& o, const std::string& workload, const char* peer,
                       int64_t batch, const char* metric, double value, const char* unit) {
  std::printf(
      "{\"workload\": \"%s\", \"peer\": \"%s\", \"threads\": %d, \"batch\": %lld, \"metric\": "
      "\"%s\", "
      "\"value\": %.9g, \"unit\": \"%s\"}\n",
      workload.c_str(), peer, o.threads, static_cast<long long>(batch), metric, value, unit);
  std::fflush(stdout);
}

// Parses the options and calls `run`; returns the exit status of the program.
template <class Run>
int main_of(const char* program, int argc, char** argv, Run&& run) {
  try {
    run(parse(argc, argv));
    return 0;
  } catch (const Error& e) {
    std::fprintf(stderr, "%s: %s\n", program, e.what());
    return e.code() == Code::kInvalidArgument ? 2 : 1;
  }
}

}  // namespace cairn::bench
