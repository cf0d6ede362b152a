// A whole bundle: its index, a part of the input, and the data file, the rest. An even first byte:
// the index as it stands, checksums and all. An odd one: keys and values, from which a table is
// made.
#include "persist/checkpoint/bundle.h"

#include "persist/checkpoint/checkpoint_reader.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/table_bytes.h"

namespace cairn::fuzz {
namespace {

void one(std::string_view bytes) {
  const std::string_view flags = take(bytes, 1), index = take_part(bytes);
  const bool records = !flags.empty() && (flags[0] & 1);
  MemoryFileSystem fs;
  fs.set("m.index", records ? table_of(take_records(index)) : std::string(index));
  fs.set("m.data-00000-of-00001", std::string(bytes));
  accepted([&] {
    const BundleReader reader(fs, "m");
    reader.verify();
    BundleWriter writer(fs, "again");
    for (const BundlePiece& piece : reader.pieces_in_file_order()) {
      if (piece.slice) {
        writer.add_slice(piece.name, reader.entry(piece.name).shape, *piece.slice,
                         reader.read_slice(piece.name, *piece.slice));
      } else {
        writer.add(piece.name, reader.read(piece.name));
      }
    }
    writer.finish();
    const BundleReader again(fs, "again");
    require(again.names() == reader.names(), "a bundle that was written again has other names");
    for (const std::string& name : reader.names()) {
      require(bit_equal(again.read(name), reader.read(name)),
              "a tensor that was written again has changed");
    }
  });
  accepted([&] { CheckpointReader("m", &fs).debug_string(); });
  accepted([&] { merge_bundles(fs, {"m"}, "merged"); });
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  for (int kind = 0; kind < 3; ++kind) {
    MemoryFileSystem fs;
    BundleWriter writer(fs, "m");
    if (kind > 0) writer.add("W", Tensor::vector<float>({1.0f, -2.5f}));
    if (kind > 1) {
      writer.add("flag", Tensor(true));
      writer.add("names", Tensor::vector<std::string>({"ab", "", "c"}));
      writer.add_slice("P", {4}, TensorSlice::parse("0,2"), Tensor::vector<int32_t>({1, 2}));
      writer.add_slice("P", {4}, TensorSlice::parse("2,2"), Tensor::vector<int32_t>({3, 4}));
    }
    writer.finish();
    const std::string data = fs.contents().at("m.data-00000-of-00001");
    seeds.push_back('\0' + part(fs.contents().at("m.index")) + data);
    Records records;
    const TableReader table(fs, "m.index");
    for (const auto& entry : table.entries()) records[std::string(entry.key)] = entry.value;
    seeds.push_back('\1' + part(records_bytes(records)) + data);
  }
  return seeds;
}

}  // namespace

const Target bundle{"bundle", one, seeds};

}  // namespace cairn::fuzz
