// Every target on its kept corpus and on changes of it. `fuzz_tests "[.seeds]"` writes the targets'
// seeds into the corpora; what else is there, a fuzzer found: inputs that reached new code, and
// every one that once broke something.
#include <algorithm>
#include <filesystem>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/heap.h"
#include "tests/fuzz/mutate.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

namespace cairn::fuzz {
namespace {

namespace fs = std::filesystem;

// Objects for a few bytes each: a node of a graph is many strings and lists, and comes from a
// message of two bytes.
constexpr size_t kHeapPerByte = 4096, kHeapAlways = size_t{4} << 20;

fs::path corpus_of(const Target& target) {
  return source_root() / "tests/fuzz/corpus" / target.name;
}

std::vector<std::string> inputs_of(const Target& target) {
  std::vector<fs::path> files;
  if (fs::is_directory(corpus_of(target))) {
    for (const auto& file : fs::directory_iterator(corpus_of(target))) files.push_back(file.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> inputs = target.seeds();
  for (const fs::path& file : files) inputs.push_back(read_bytes(file));
  return inputs;
}

void try_input(const Target& target, const std::string& input) {
  std::string defect;
  const size_t heap = peak_heap_of([&] {
    try {
      target.one(input);
    } catch (const std::exception& e) {
      defect = e.what();
    }
  });
  if (defect.empty() && heap <= kHeapAlways + kHeapPerByte * input.size()) return;
  const fs::path kept = fs::temp_directory_path() / str_cat("cairn-", target.name, "-defect");
  write_bytes(kept, input);
  FAIL_CHECK(target.name << ": " << (defect.empty() ? str_cat(heap, " bytes of memory") : defect)
                         << ": input of " << input.size() << " bytes, kept in " << kept.string());
}

void try_all(const Target& target, int changes) {
  const auto inputs = inputs_of(target);
  for (const std::string& input : inputs) try_input(target, input);
  std::mt19937 random(1);
  for (int i = 0; i < changes; ++i) {
    const std::string& input = inputs[random() % inputs.size()];
    try_input(target, mutated(input, inputs[random() % inputs.size()], random));
  }
  SUCCEED();
}

}  // namespace

TEST_CASE("Any bytes for a block of a table are read or refused", "[fuzz][table_block]") {
  try_all(table_block, 5000);
}
TEST_CASE("Any bytes for the end of a table are read or refused", "[fuzz][table_footer]") {
  try_all(table_footer, 5000);
}
TEST_CASE("Any bytes for an entry of a bundle are read or refused", "[fuzz][bundle_entry]") {
  try_all(bundle_entry, 5000);
}
TEST_CASE("Any bytes for a bundle are read or refused", "[fuzz][bundle]") { try_all(bundle, 3000); }
TEST_CASE("Any bytes for a V1 checkpoint are read or refused", "[fuzz][checkpoint_v1]") {
  try_all(checkpoint_v1, 3000);
}
TEST_CASE("Any bytes for a checkpoint file are read or refused", "[fuzz][checkpoint]") {
  try_all(checkpoint, 3000);
}
TEST_CASE("Any bytes for a meta graph are read or refused", "[fuzz][meta_graph]") {
  try_all(meta_graph, 500);
}
TEST_CASE("Any bytes for a NumPy array are read or refused", "[fuzz][npy]") { try_all(npy, 5000); }
TEST_CASE("Any bytes for MNIST's files are read or refused", "[fuzz][idx]") { try_all(idx, 300); }

TEST_CASE("The kept corpora hold what the targets begin with", "[fuzz]") {
  for (const Target* target : kTargets) {
    const auto seeds = target->seeds();
    for (size_t i = 0; i < seeds.size(); ++i) {
      CAPTURE(target->name, i);
      CHECK(fs::exists(corpus_of(*target) / str_cat("seed-", i)));
    }
  }
}

TEST_CASE("Writes the seeds of every target into its corpus", "[.seeds]") {
  for (const Target* target : kTargets) {
    fs::create_directories(corpus_of(*target));
    const auto seeds = target->seeds();
    for (size_t i = 0; i < seeds.size(); ++i)
      write_bytes(corpus_of(*target) / str_cat("seed-", i), seeds[i]);
  }
}

}  // namespace cairn::fuzz
