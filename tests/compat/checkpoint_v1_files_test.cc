// Every V1 checkpoint that TensorFlow wrote, 2015 to 2018: read whole, and written again byte for
// byte.
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/files/crc.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

namespace cairn {
namespace {

struct File {
  const char* path;
  size_t tensors;
  // of all values in order of name, as a decoder of another make has them
  uint32_t crc;
  bool has_versions = true;  // the files of 2015 do not say
};
constexpr File kFiles[] = {{"add-v1-book-text/model.ckpt", 2, 0x28c0c9b1},
                           {"ema-v1-book/model2.ckpt", 2, 0x4dd6c163},
                           {"mlp-ema-v1-book-b/model.ckpt-1", 9, 0x8fe6ec3e},
                           {"mlp-ema-v1-book-b/model.ckpt-1001", 9, 0xd931265e},
                           {"mlp-ema-v1-book-b/model.ckpt-2001", 9, 0xfcbcddc2},
                           {"softmax-v1-2016a/model.ckpt", 2, 0xeb1d7108},
                           {"softmax-v1-tf18/model.ckpt", 2, 0xe7c55f75},
                           {"sugyan-v1-2015/simple.ckpt", 2, 0x62e72309, false},
                           {"tf-half-plus-two-v1shard/export-00000-of-00001", 2, 0x34c87e67}};

std::string rewritten(const CheckpointV1Reader& reader) {
  MemoryFileSystem memory;
  CheckpointV1Writer writer(memory, "again");
  for (const std::string& name : reader.names()) {
    const CheckpointV1Entry& entry = reader.entry(name);
    for (size_t i = 0; i < entry.slices.size(); ++i) {
      writer.add_slice(name, entry.shape, entry.slices[i], reader.read_stored(name, i));
    }
  }
  writer.finish();
  return memory.contents().at("again");
}

}  // namespace

TEST_CASE("Every V1 checkpoint of TensorFlow's passes all checks", "[compat][checkpoint_v1]") {
  if (!fixtures()) return skip("no fixtures: build with -Dfixtures=DIR");
  for (const File& file : kFiles) {
    const auto path = *fixtures() / file.path;
    CAPTURE(path.string());
    REQUIRE(std::filesystem::exists(path));
    const CheckpointV1Reader reader(posix_file_system(), path);
    CHECK(reader.names().size() == file.tensors);
    CHECK_NOTHROW(reader.verify());
    uint32_t crc = 0;
    for (const std::string& name : reader.names()) {
      const Tensor values = reader.read(name);
      crc = crc32c({static_cast<const char*>(values.raw_data()), values.num_bytes()}, crc);
    }
    CHECK(crc == file.crc);
  }
}

TEST_CASE("Writing a V1 checkpoint of TensorFlow's again gives the same bytes",
          "[compat][checkpoint_v1]") {
  if (!fixtures()) return skip("no fixtures: build with -Dfixtures=DIR");
  for (const File& file : kFiles) {
    const auto path = *fixtures() / file.path;
    CAPTURE(path.string());
    const CheckpointV1Reader reader(posix_file_system(), path);
    const std::string again = rewritten(reader);
    CHECK((again == read_bytes(path)) == file.has_versions);
    if (file.has_versions) continue;
    MemoryFileSystem memory;
    memory.set("again", again);
    const CheckpointV1Reader same(memory, "again");
    REQUIRE(same.names() == reader.names());
    for (const std::string& name : reader.names())
      CHECK(bit_equal(same.read(name), reader.read(name)));
  }
}

TEST_CASE("A sharded V1 checkpoint is found by its meta graph, its pattern, its file and its base",
          "[compat][checkpoint_v1]") {
  const auto dir = fixture("tf-half-plus-two-v1shard");
  if (!dir) return;
  for (const char* name :
       {"export.meta", "export-\?\?\?\?\?-of-00001", "export-00000-of-00001", "export"}) {
    CAPTURE(name);
    const CheckpointReader reader(*dir / name);
    CHECK(reader.get_tensor("a").scalar<float>() == 0.5f);
    CHECK(reader.get_tensor("b").scalar<float>() == 2.0f);
    CHECK(reader.debug_string() == "a (DT_FLOAT) []\nb (DT_FLOAT) []\n");
  }
}

TEST_CASE("A directory's checkpoint file leads to the newest V1 checkpoint",
          "[compat][checkpoint_v1]") {
  const auto dir = fixture("mlp-ema-v1-book-b");
  if (!dir) return;
  const CheckpointReader reader(*dir);
  CHECK(base_name(reader.prefix()) == "model.ckpt-2001");
  CHECK(reader.get_tensor("Variable").scalar<int32_t>() == 2001);
}

}  // namespace cairn
