// All targets as one libFuzzer program: `fuzzer TARGET [flags and folders]`; without arguments it
// lists the targets.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/fuzz.h"

namespace {

const cairn::fuzz::Target* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  for (const auto* target : cairn::fuzz::kTargets) {
    if (*argc < 2) std::puts(target->name);
    if (*argc >= 2 && std::string_view((*argv)[1]) == target->name) chosen = target;
  }
  if (*argc < 2) std::exit(0);
  if (!chosen) {
    std::fprintf(stderr, "there is no target %s\n", (*argv)[1]);
    std::exit(2);
  }
  (*argv)[1] = (*argv)[0];
  ++*argv;
  --*argc;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  chosen->one({reinterpret_cast<const char*>(data), size});
  return 0;
}
