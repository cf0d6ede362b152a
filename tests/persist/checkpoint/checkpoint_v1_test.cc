#include "persist/checkpoint/checkpoint_v1.h"

#include <complex>

#include "cairn/checkpoint.pb.h"
#include "persist/checkpoint/table.h"
#include "persist/files/crc.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

namespace cairn {
namespace {

// A V1 file of these records, changed by `change` before it is written.
struct Record {
  std::string key;
  pb::SavedTensorSlices value;
};

std::vector<Record> records_of(MemoryFileSystem& fs, const std::string& path) {
  std::vector<Record> records;
  const TableReader table(fs, path);
  for (const auto& entry : table.entries()) {
    Record& record = records.emplace_back(Record{std::string(entry.key), {}});
    REQUIRE(record.value.ParseFromString(std::string(entry.value)));
  }
  return records;
}

void write_records(MemoryFileSystem& fs, const std::string& path,
                   const std::vector<Record>& records) {
  const auto file = fs.create(path);
  TableWriter table(*file);
  for (const Record& record : records) table.add(record.key, record.value.SerializeAsString());
  table.finish();
}

void write_small(MemoryFileSystem& fs, const std::string& path = "m") {
  CheckpointV1Writer writer(fs, path);
  writer.add("W", Tensor::vector<float>({1.0f, -2.5f}));
  writer.add("flag", Tensor(true));
  writer.add("n", Tensor::vector<uint8_t>({7, 255}));
  writer.add("names", Tensor::vector<std::string>({"ab", "", std::string("\0\xff", 2)}));
  writer.add_slice("P", {4, 2}, TensorSlice::parse("0,2:0,2"),
                   Tensor::matrix<int32_t>({{1, 2}, {3, 4}}));
  writer.add_slice("P", {4, 2}, TensorSlice::parse("2,2:0,2"),
                   Tensor::matrix<int32_t>({{5, 6}, {7, 8}}));
  writer.finish();
}

// What reading a file comes to after its records were changed.
template <class Change>
Error error_after(const Change& change) {
  MemoryFileSystem fs;
  write_small(fs);
  auto records = records_of(fs, "m");
  change(records);
  write_records(fs, "m", records);
  return error_of([&] { CheckpointV1Reader(fs, "m").verify(); });
}

Record& record_of(std::vector<Record>& records, const std::string& name) {
  for (Record& record : records) {
    if (record.value.data().name() == name) return record;
  }
  throw Error(Code::kNotFound, name);
}

template <class T>
Tensor corners() {
  using Limits = std::numeric_limits<T>;
  return Tensor::vector<T>({Limits::lowest(), Limits::max(), T(0), T(1)});
}

}  // namespace

TEST_CASE("A V1 checkpoint holds every dtype of its format bit by bit",
          "[persist][checkpoint_v1]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<Tensor> tensors = {
      corners<float>(),
      corners<double>(),
      corners<int32_t>(),
      corners<uint8_t>(),
      corners<int16_t>(),
      corners<int8_t>(),
      corners<int64_t>(),
      corners<uint16_t>(),
      Tensor::vector<float>({-0.0f, nan, -nan, INFINITY, 1e-45f}),
      Tensor::vector<Half>({Half(1.5f), Half::from_bits(0xfe01), Half(-0.0f)}),
      Tensor::vector<std::complex<float>>({{1, -2}, {nan, 0}}),
      Tensor::vector<std::complex<double>>({{1, -2}, {3, 4}}),
      Tensor::vector<std::string>({"", "a", std::string(3000, '\0')}),
      Tensor::of<bool>({2, 1}, {true, false}),
      Tensor(3.0f),
      Tensor::zeros(DType::kFloat, {0, 7})};
  for (const DType quantized : {DType::kQInt8, DType::kQUInt8, DType::kQInt32}) {
    Tensor t = Tensor::zeros(quantized, {3});
    std::memset(t.raw_data(), 0x9c, t.num_bytes());
    tensors.push_back(t);
  }
  MemoryFileSystem fs;
  CheckpointV1Writer writer(fs, "m");
  for (size_t i = 0; i < tensors.size(); ++i) writer.add(str_cat("t", i), tensors[i]);
  writer.finish();
  CHECK(fs.contents().size() == 1);
  const CheckpointV1Reader reader(fs, "m");
  CHECK_NOTHROW(reader.verify());
  for (size_t i = 0; i < tensors.size(); ++i) {
    CAPTURE(i, tensors[i].dtype());
    CHECK(bit_equal(reader.read(str_cat("t", i)), tensors[i]));
  }
}

TEST_CASE("A V1 checkpoint refuses dtypes that its format has no room for",
          "[persist][checkpoint_v1]") {
  MemoryFileSystem fs;
  CheckpointV1Writer writer(fs, "m");
  for (const DType dtype :
       {DType::kBFloat16, DType::kUInt32, DType::kUInt64, DType::kQInt16, DType::kQUInt16}) {
    CAPTURE(dtype);
    const Error error = error_of([&] { writer.add("x", Tensor::zeros(dtype, {2})); });
    CHECK(error.code() == Code::kUnimplemented);
    CHECK_THAT(error.what(), Catch::Contains("use V2"));
  }
}

TEST_CASE("A tensor that may not fit a V1 record is refused before it is touched",
          "[persist][checkpoint_v1]") {
  MemoryFileSystem fs;
  CheckpointV1Writer writer(fs, "m");
  float only = 1;
  const auto add = [&](int64_t elements) {
    return error_of([&] { writer.add(str_cat("W", elements), Tensor::view(&only, {elements})); });
  };
  CHECK(add(1 << 29).code() == Code::kInvalidArgument);
  CHECK_THAT(add(1 << 29).what(),
             Catch::Contains("Tensor slice is too large to serialize (conservative estimate: "));
  // 1 KiB of headers and "W536870000", its slice {extent {}}, are counted too.
  CHECK(add((1 << 29) - 300).code() == Code::kOk);
  CHECK(add((1 << 29) - 200).code() == Code::kInvalidArgument);
}

TEST_CASE("Slices of a V1 checkpoint come together and apart", "[persist][checkpoint_v1]") {
  MemoryFileSystem fs;
  write_small(fs);
  const CheckpointV1Reader reader(fs, "m");
  CHECK(reader.names() == std::vector<std::string>{"P", "W", "flag", "n", "names"});
  CHECK(reader.entry("P").slices.size() == 2);
  CHECK(reader.read("P").str() == "[[1 2]\n [3 4]\n [5 6]\n [7 8]]");
  CHECK(reader.read_slice("P", TensorSlice::parse("1,2:1,1")).str() == "[[4]\n [6]]");
  CHECK(reader.read_slice("P", TensorSlice::parse("2,2:-")).str() == "[[5 6]\n [7 8]]");
  CHECK(reader.read_slice("W", TensorSlice::parse("1,1")).str() == "[-2.5]");
  CHECK(reader.read_slice("P", TensorSlice::parse("2,0:-")).shape() == Shape{0, 2});
}

TEST_CASE("A V1 writer refuses what it could not read again", "[persist][checkpoint_v1]") {
  MemoryFileSystem fs;
  CheckpointV1Writer writer(fs, "m");
  const Tensor two = Tensor::vector<float>({1, 2});
  writer.add("W", two);
  const auto refused = [](const auto& action) {
    return error_of(action).code() == Code::kInvalidArgument;
  };
  CHECK(refused([&] { writer.add("W", two); }));
  CHECK(refused([&] { writer.add("", two); }));
  CHECK(refused([&] { writer.add_slice("P", {4}, TensorSlice::parse("3,2"), two); }));
  CHECK(refused([&] { writer.add_slice("P", {4}, TensorSlice::parse("0,3"), two); }));
  writer.add_slice("P", {4}, TensorSlice::parse("0,2"), two);
  CHECK(refused([&] { writer.add_slice("P", {5}, TensorSlice::parse("2,2"), two); }));
  CHECK(refused([&] {
    writer.add_slice("P", {4}, TensorSlice::parse("2,2"), Tensor::vector<double>({1, 2}));
  }));
  writer.add_slice("P", {4}, TensorSlice::parse("1,2"), two);
  CHECK_THAT(error_of([&] { writer.finish(); }).what(),
             Catch::Contains("slices 0,2 and 1,2 of 'P' overlap"));
  CHECK(fs.contents().empty());
}

TEST_CASE("A V1 writer refuses names that are not UTF-8", "[persist][checkpoint_v1]") {
  MemoryFileSystem fs;
  CheckpointV1Writer writer(fs, "m");
  const Error error = error_of([&] { writer.add("caf\xe9", Tensor(1.0f)); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Catch::Contains("not UTF-8"));
}

TEST_CASE("A V1 save that fails leaves the file that was there", "[persist][checkpoint_v1]") {
  size_t calls = 0;
  for (bool failed = true; failed; ++calls) {
    MemoryFileSystem memory;
    write_small(memory);
    const auto before = memory.contents();
    FaultyFileSystem fs(memory, calls, ENOSPC);
    const Error error = error_of([&] {
      CheckpointV1Writer writer(fs, "m");
      writer.add("W", Tensor::vector<float>({9.0f}));
      writer.finish();
    });
    failed = fs.failed();
    CAPTURE(calls, error.what());
    // Calls after the new file is there for good only tidy up: nothing is thrown for them.
    const CheckpointV1Reader reader(memory, "m");
    CHECK((error.code() == Code::kOk) == (!failed || !reader.has("P")));
    CHECK_NOTHROW(reader.verify());
    if (failed && reader.has("P")) CHECK(memory.contents() == before);
  }
  CHECK(calls > 5);
}

TEST_CASE("Files of one V1 series are read as one checkpoint", "[persist][checkpoint_v1]") {
  MemoryFileSystem fs;
  fs.create_dir("run");
  for (int shard = 0; shard < 2; ++shard) {
    CheckpointV1Writer writer(fs, str_cat("run/m-0000", shard, "-of-00002"));
    writer.add(str_cat("only", shard), Tensor(shard));
    writer.add_slice("P", {4}, TensorSlice::parse(str_cat(2 * shard, ",2")),
                     Tensor::vector<int32_t>({shard, shard}));
    writer.finish();
  }
  const std::vector<std::string> both = {"run/m-00000-of-00002", "run/m-00001-of-00002"};
  for (const char* path : {"run/m-\?\?\?\?\?-of-00002", "run/m"}) {
    CAPTURE(path);
    const CheckpointV1Reader reader(fs, path);
    CHECK(reader.files() == both);
    CHECK(reader.read("P").str() == "[0 0 1 1]");
    CHECK(reader.read("only1").scalar<int32_t>() == 1);
    CHECK_NOTHROW(reader.verify());
  }
  SECTION("one alone is what it is") {
    const CheckpointV1Reader reader(fs, "run/m-00001-of-00002");
    CHECK(reader.names() == std::vector<std::string>{"P", "only1"});
    CHECK(error_of([&] { reader.read("P"); }).code() == Code::kInvalidArgument);
  }
  SECTION("a missing one is told") {
    fs.remove("run/m-00000-of-00002");
    const CheckpointV1Reader reader(fs, "run/m");
    CHECK(reader.missing_files() == 1);
    CHECK_THAT(error_of([&] { reader.read("only0"); }).what(),
               Catch::Contains("(1 of its files are not there)"));
    CHECK_THAT(error_of([&] { reader.read("P"); }).what(),
               Catch::Contains("(1 of its files are not there)"));
  }
  SECTION("two series of one name are told apart only by their patterns") {
    CheckpointV1Writer(fs, "run/m-00000-of-00001").finish();
    const Error error = error_of([&] { CheckpointV1Reader(fs, "run/m"); });
    CHECK(error.code() == Code::kInvalidArgument);
    CHECK_THAT(error.what(),
               Catch::Contains("run/m-\?\?\?\?\?-of-00001 and run/m-\?\?\?\?\?-of-00002"));
    CHECK(CheckpointV1Reader(fs, "run/m-\?\?\?\?\?-of-00002").files() == both);
  }
}

TEST_CASE("No character of a V1 path is a pattern", "[persist][checkpoint_v1]") {
  MemoryFileSystem fs;
  for (const char* name : {"m1", "m2", "ma-00000-of-00001", "m-0000x-of-00001", "m-000000-of-00001",
                           "x-m-00000-of-00001"}) {
    write_small(fs, name);
  }
  for (const char* path : {"m?", "m*", "m[12]", "?a-\?\?\?\?\?-of-00001", "m-\?\?\?\?\?-of-00001",
                           "m", "m-00000-of-00001"}) {
    CAPTURE(path);
    CHECK(checkpoint_v1_files(fs, path).empty());
    CHECK(error_of([&] { CheckpointV1Reader(fs, path); }).code() == Code::kNotFound);
  }
  write_small(fs, "m[1]");
  CHECK(checkpoint_v1_files(fs, "m[1]") == std::vector<std::string>{"m[1]"});
}

TEST_CASE("The ending of a shard is told from the rest of a name", "[persist][checkpoint_v1]") {
  CHECK(without_shard_ending("run/m-\?\?\?\?\?-of-00001") == "run/m");
  CHECK(without_shard_ending("run/m-10-00003-of-00012") == "run/m-10");
  CHECK(without_shard_ending("run/m-1000") == "run/m-1000");
  CHECK(without_shard_ending("a-00000-of-00001/m") == "a-00000-of-00001/m");
  CHECK(without_shard_ending("part-of-1") == "part-of-1");
  CHECK(without_shard_ending("") == "");
}

TEST_CASE("Files of 2015, which tell no version, are read", "[persist][checkpoint_v1]") {
  CHECK(error_after([](auto& records) {
          records[0].value.mutable_meta()->clear_versions();
        }).code() == Code::kOk);
}

TEST_CASE("A V1 file for readers of another time is refused", "[persist][checkpoint_v1]") {
  const Error error = error_after([](auto& records) {
    records[0].value.mutable_meta()->mutable_versions()->set_min_consumer(2);
  });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(),
             Catch::Contains("m: Checkpoint min consumer version 2 above current version 1"));
}

TEST_CASE("A V1 record that does not fit its tensor is DataLoss that names file, offset and tensor",
          "[persist][checkpoint_v1][corruption]") {
  const auto damaged = [](const auto& change, const std::string& what) {
    const Error error = error_after(change);
    CHECK(error.code() == Code::kDataLoss);
    CHECK_THAT(error.what(),
               Catch::StartsWith("m: in the block at offset 0: ") && Catch::Contains(what));
  };
  const auto values = [](auto& records, const char* name) -> pb::TensorProto& {
    return *record_of(records, name).value.mutable_data()->mutable_data();
  };
  damaged([&](auto& r) { values(r, "W").mutable_float_val()->RemoveLast(); },
          "'W': it lists 1 values");
  damaged([&](auto& r) { values(r, "W").add_float_val(0); }, "'W': it lists 3 values");
  damaged([&](auto& r) { values(r, "n").set_int_val(1, 256); }, "'n': the value 256 is no uint8");
  damaged([&](auto& r) { values(r, "n").set_int_val(1, -1); }, "'n': the value -1 is no uint8");
  damaged([&](auto& r) { record_of(r, "W").value.clear_data(); }, "its record cannot be parsed");
  damaged([&](auto& r) { record_of(r, "W").value.mutable_data()->set_name("V"); },
          "is of another tensor or slice");
  damaged([&](auto& r) { r.erase(r.begin() + 3); }, "there is no record of it");
  const auto meta = [](auto& records, int i) {
    return records[0].value.mutable_meta()->mutable_tensor(i);
  };
  damaged([&](auto& r) { meta(r, 1)->mutable_shape()->mutable_dim(0)->set_size(-1); },
          "Invalid tensor shape");
  damaged([&](auto& r) { meta(r, 1)->mutable_shape()->mutable_dim(0)->set_size(int64_t{1} << 60); },
          "'W': it lists 2 values");
  damaged([&](auto& r) { meta(r, 1)->set_type(pb::DT_FLOAT_REF); }, "invalid dtype");
  damaged([&](auto& r) { meta(r, 1)->clear_slice(); }, "it has no slices");
  damaged([&](auto& r) { meta(r, 0)->mutable_slice(0)->mutable_extent(0)->set_length(9); },
          "does not fit");
}

TEST_CASE("V1 slices that overlap or leave holes are refused",
          "[persist][checkpoint_v1][corruption]") {
  const Error overlap = error_after([](auto& records) {
    auto* slice = records[0].value.mutable_meta()->mutable_tensor(0)->mutable_slice(1);
    slice->mutable_extent(0)->set_start(1);
  });
  CHECK(overlap.code() == Code::kDataLoss);
  const Error hole = error_after([](auto& records) {
    records[0].value.mutable_meta()->mutable_tensor(0)->mutable_slice()->RemoveLast();
  });
  CHECK(hole.code() == Code::kInvalidArgument);
  CHECK_THAT(hole.what(),
             Catch::Contains("Does not have sufficient slices for partitioned tensor P"));
  const Error unnamed = error_after(
      [](auto& records) { records[0].value.mutable_meta()->mutable_tensor()->RemoveLast(); });
  CHECK(unnamed.code() == Code::kDataLoss);
  CHECK_THAT(unnamed.what(),
             Catch::Contains("it has 6 records, but its table of contents names 5"));
}

TEST_CASE("Every bit flipped in a V1 file is noticed, and every length cut",
          "[persist][checkpoint_v1][corruption]") {
  MemoryFileSystem fs;
  write_small(fs);
  const std::string good = fs.contents().at("m");
  const auto outcome = [&](std::string bytes) {
    fs.set("m", std::move(bytes));
    return error_of([&] { CheckpointV1Reader(fs, "m").verify(); }).code();
  };
  size_t unnoticed = 0;
  for (size_t bit = 0; bit < good.size() * 8; ++bit)
    unnoticed += outcome(with_bit_flipped(good, bit)) == Code::kOk;
  // Only the zeros that fill the footer up to its fixed size mean nothing.
  CHECK(unnoticed <= 40 * 8);
  for (size_t length = 0; length < good.size(); ++length)
    CHECK(outcome(good.substr(0, length)) == Code::kDataLoss);
}

}  // namespace cairn
