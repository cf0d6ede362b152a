// Runs the examples of docs/formats.md: makes the files they show and compares every byte.

#include <sstream>

#include "cairn/checkpoint.pb.h"
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/checkpoint/retention_state.h"
#include "persist/checkpoint/table.h"
#include "persist/messages/message.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

namespace cairn {
namespace {

// The fenced blocks of the document by what stands after the fence.
std::map<std::string, std::string> blocks() {
  std::map<std::string, std::string> found;
  std::istringstream lines(read_bytes(source_root() / "docs/formats.md"));
  std::string name;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      name = line.substr(3);
    } else if (!name.empty()) {
      found[name] += line + "\n";
    }
  }
  return found;
}

// "0000  00 01  ; comment" -> its bytes, the offset checked.
std::string bytes_of(const std::string& block) {
  std::string bytes;
  std::istringstream lines(block);
  for (std::string line; std::getline(lines, line);) {
    CHECK(std::stoul(line.substr(0, 4), nullptr, 16) == bytes.size());
    bytes += from_hex(line.substr(4, line.find(';') - 4));
  }
  return bytes;
}

}  // namespace

TEST_CASE("The page docs/formats.md shows the bytes that are written", "[persist][docs]") {
  MemoryFileSystem fs;
  {
    BundleWriter m(fs, "m"), strings(fs, "strings"), slices(fs, "slices");
    m.add("W", Tensor::vector<float>({1.0f, -2.5f}));
    strings.add("s", Tensor::vector<std::string>({"ab", ""}));
    slices.add_slice("P", {4}, TensorSlice::parse("0,2"), Tensor::vector<int32_t>({1, 2}));
    slices.add_slice("P", {4}, TensorSlice::parse("2,2"), Tensor::vector<int32_t>({3, 4}));
    for (auto* writer : {&m, &strings, &slices}) writer->finish();
    CheckpointV1Writer v1(fs, "v1");
    v1.add("W", Tensor::vector<float>({1.0f, -2.5f}));
    v1.finish();
  }
  CHECK(BundleReader(fs, "strings").entry("s").masked_crc == 0x4db08891u);
  auto written = fs.contents();
  const TableReader slices(fs, "slices.index");
  REQUIRE(slices.entries().size() == 4);
  written["slices.index entry 1 key"] = slices.entries()[1].key;
  written["slices.index entry 3 value"] = slices.entries()[3].value;
  int shown = 0;
  for (const auto& [name, block] : blocks()) {
    if (!name.starts_with("hex ")) continue;
    CAPTURE(name);
    CHECK(to_hex(bytes_of(block)) == to_hex(written[name.substr(4)]));
    ++shown;
  }
  CHECK(shown == 7);
}

TEST_CASE("The page docs/formats.md shows a `checkpoint` file as it is written",
          "[persist][docs]") {
  const std::string text = blocks()["text checkpoint"];
  pb::CheckpointState state;
  REQUIRE(parse_text(text, state));
  CHECK(state.model_checkpoint_path() == "model-1000");
  CHECK(to_text(state) == text);
}

TEST_CASE("The page docs/formats.md shows a .cairn file that is read and written unchanged",
          "[persist][docs]") {
  const std::string text = blocks().at("text .cairn");
  const RetentionState state = parse_retention_state("docs/formats.md", text);
  CHECK(to_text(state) == text);
  const auto kept = state.kept("run");
  REQUIRE(kept.size() == 3);
  CHECK(kept[0].reasons == std::vector<std::string>{"best accuracy"});
  CHECK(kept[1].reasons == std::vector<std::string>{"newest", "best accuracy", "pinned"});
  CHECK(kept[2].reasons == std::vector<std::string>{"newest", "last good"});
}

}  // namespace cairn
