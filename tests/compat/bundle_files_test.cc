// Every V2 checkpoint that TensorFlow wrote: read with all checksums, and written again byte for
// byte.
#include <set>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/table.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

namespace cairn {
namespace {

// Those whose data files are there; `without_data`: the others, of which people published the index
// alone.
std::vector<std::string> all_prefixes(bool without_data = false) {
  std::vector<std::string> prefixes;
  if (!fixtures()) return prefixes;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*fixtures())) {
    if (entry.path().extension() != ".index") continue;
    const std::string path = entry.path(), prefix = path.substr(0, path.size() - 6);
    const BundleReader reader(posix_file_system(), prefix);
    const bool whole = posix_file_system().exists(bundle_data_path(prefix, 0, reader.num_shards()));
    if (whole != without_data) prefixes.push_back(prefix);
  }
  return prefixes;
}

void rewrite(const BundleReader& reader, FileSystem& to, const std::string& prefix) {
  BundleWriter writer(to, prefix);
  for (const BundlePiece& piece : reader.pieces_in_file_order()) {
    if (piece.slice) {
      writer.add_slice(piece.name, reader.entry(piece.name).shape, *piece.slice,
                       reader.read_slice(piece.name, *piece.slice));
    } else {
      writer.add(piece.name, reader.read(piece.name));
    }
  }
  writer.finish();
}

// TensorFlow builds of one time compressed their merged indexes, which LevelDB's snappy alone
// cannot reproduce.
bool is_compressed(const std::string& prefix) {
  return base_name(directory_of(prefix)) == "tf-mnist-trt";
}

}  // namespace

TEST_CASE("Every V2 checkpoint of TensorFlow's passes all checks", "[compat][bundle]") {
  const auto prefixes = all_prefixes();
  if (prefixes.empty()) return skip("no fixtures: build with -Dfixtures=DIR");
  for (const std::string& prefix : prefixes) {
    CAPTURE(prefix);
    const BundleReader reader(posix_file_system(), prefix);
    CHECK_FALSE(reader.names().empty());
    CHECK_NOTHROW(reader.verify());
  }
}

TEST_CASE(
    "An index of TensorFlow's without its data tells names and shapes, and reading names the file",
    "[compat][bundle]") {
  const auto prefixes = all_prefixes(/*without_data=*/true);
  if (prefixes.empty()) return skip("no fixtures with an index alone: build with -Dfixtures=DIR");
  for (const std::string& prefix : prefixes) {
    CAPTURE(prefix);
    const BundleReader reader(posix_file_system(), prefix);
    REQUIRE_FALSE(reader.names().empty());
    CHECK(reader.entry(reader.names()[0]).shape.is_fully_defined());
    CHECK_THROWS_WITH(reader.verify(), Catch::Contains(bundle_data_path(base_name(prefix), 0,
                                                                        reader.num_shards())) &&
                                           Catch::Contains("missing"));
  }
}

TEST_CASE("Writing a checkpoint of TensorFlow's again gives the same bytes", "[compat][bundle]") {
  const auto prefixes = all_prefixes();
  if (prefixes.empty()) return skip("no fixtures: build with -Dfixtures=DIR");
  size_t identical = 0;
  for (const std::string& prefix : prefixes) {
    CAPTURE(prefix);
    auto& disk = posix_file_system();
    const BundleReader reader(disk, prefix);
    MemoryFileSystem memory;
    rewrite(reader, memory, "again");
    const BundleReader again(memory, "again");
    CHECK(again.names() == reader.names());
    for (const std::string& name : reader.names())
      CHECK(bit_equal(again.read(name), reader.read(name)));
    if (reader.num_shards() > 1) continue;
    CHECK((memory.contents().at("again.data-00000-of-00001") ==
           read_file(disk, bundle_data_path(prefix, 0, 1))));
    if (is_compressed(prefix)) continue;
    CHECK((memory.contents().at("again.index") == read_file(disk, bundle_index_path(prefix))));
    ++identical;
  }
  CHECK(identical >= 20);
}

TEST_CASE("Shards split from a checkpoint of TensorFlow's merge into the same index",
          "[compat][bundle]") {
  const auto dir = fixture("linear-ftrl-res-2shard-tf114");
  if (!dir) return;
  auto& disk = posix_file_system();
  const std::string prefix = *dir / "model.ckpt-5000";
  const BundleReader reader(disk, prefix);
  REQUIRE(reader.num_shards() == 2);
  MemoryFileSystem memory;
  memory.create_dir("m_temp");
  const std::vector<std::string> parts = {"m_temp/part-00000-of-00002",
                                          "m_temp/part-00001-of-00002"};
  for (int shard = 0; shard < 2; ++shard) {
    BundleWriter writer(memory, parts[static_cast<size_t>(shard)]);
    for (const BundlePiece& piece : reader.pieces_in_file_order()) {
      if (reader.entry(piece.name).shard == shard) writer.add(piece.name, reader.read(piece.name));
    }
    writer.finish();
  }
  merge_bundles(memory, parts, "m");
  const auto files = memory.contents();
  CHECK(files.size() == 3);
  CHECK((files.at("m.index") == read_file(disk, bundle_index_path(prefix))));
  for (int i = 0; i < 2; ++i)
    CHECK(
        (files.at(bundle_data_path("m", i, 2)) == read_file(disk, bundle_data_path(prefix, i, 2))));
  CHECK_FALSE(memory.exists("m_temp"));
}

}  // namespace cairn
