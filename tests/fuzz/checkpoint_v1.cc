// A V1 checkpoint. An even first byte: the file as it stands. An odd one: keys and values, from
// which a table is made.
#include "persist/checkpoint/checkpoint_v1.h"

#include "persist/checkpoint/checkpoint_reader.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/table_bytes.h"

namespace cairn::fuzz {
namespace {

void write_again(const CheckpointV1Reader& reader, MemoryFileSystem& fs) {
  CheckpointV1Writer writer(fs, "again");
  for (const std::string& name : reader.names()) {
    const CheckpointV1Entry& entry = reader.entry(name);
    for (size_t i = 0; i < entry.slices.size(); ++i) {
      writer.add_slice(name, entry.shape, entry.slices[i], reader.read_stored(name, i));
    }
  }
  writer.finish();
}

void one(std::string_view bytes) {
  const std::string_view flags = take(bytes, 1);
  MemoryFileSystem fs;
  fs.set("m",
         !flags.empty() && (flags[0] & 1) ? table_of(take_records(bytes)) : std::string(bytes));
  accepted([&] {
    const CheckpointV1Reader reader(fs, "m");
    reader.verify();
    write_again(reader, fs);
    const CheckpointV1Reader again(fs, "again");
    require(again.names() == reader.names(), "a checkpoint that was written again has other names");
    for (const std::string& name : reader.names()) {
      if (!accepted([&] { reader.read(name); })) continue;  // its slices leave holes
      require(bit_equal(again.read(name), reader.read(name)),
              "a tensor that was written again has changed");
    }
  });
  accepted([&] { CheckpointReader("m", &fs).debug_string(); });
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  for (int kind = 0; kind < 3; ++kind) {
    MemoryFileSystem fs;
    CheckpointV1Writer writer(fs, "m");
    if (kind > 0) writer.add("W", Tensor::vector<float>({1.0f, -2.5f}));
    if (kind > 1) {
      writer.add("flag", Tensor(true));
      writer.add("n", Tensor::vector<uint8_t>({7, 255}));
      writer.add("h", Tensor::vector<Half>({Half(1.5f)}));
      writer.add("c", Tensor::vector<std::complex<double>>({{1, -2}}));
      writer.add("names", Tensor::vector<std::string>({"ab", ""}));
      writer.add_slice("P", {4}, TensorSlice::parse("0,2"), Tensor::vector<int64_t>({1, 2}));
      writer.add_slice("P", {4}, TensorSlice::parse("2,2"), Tensor::vector<int64_t>({3, 4}));
    }
    writer.finish();
    seeds.push_back('\0' + fs.contents().at("m"));
    Records records;
    const TableReader table(fs, "m");
    for (const auto& entry : table.entries()) records[std::string(entry.key)] = entry.value;
    seeds.push_back('\1' + records_bytes(records));
  }
  return seeds;
}

}  // namespace

const Target checkpoint_v1{"checkpoint_v1", one, seeds};

}  // namespace cairn::fuzz
