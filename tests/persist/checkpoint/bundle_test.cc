#include "persist/checkpoint/bundle.h"

#include <atomic>
#include <cerrno>
#include <random>
#include <thread>

#include "persist/checkpoint/bundle_format.h"
#include "persist/files/crc.h"
#include "persist/graph/convert.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"
#include "tests/support/recording_fs.h"

namespace cairn {
namespace {

const std::string kData = "m.data-00000-of-00001";

Tensor random_tensor(DType dtype, const Shape& shape, uint32_t seed) {
  std::mt19937 random(seed);
  Tensor tensor = Tensor::zeros(dtype, shape);
  if (dtype == DType::kString) {
    for (std::string& s : tensor.span<std::string>())
      s = std::string(random() % 300, static_cast<char>(random()));
    return tensor;
  }
  auto* bytes = static_cast<uint8_t*>(tensor.raw_data());
  for (size_t i = 0; i < tensor.num_bytes(); ++i)
    bytes[i] = static_cast<uint8_t>(random() % (dtype == DType::kBool ? 2 : 256));
  return tensor;
}

Tensor round_trip(const Tensor& tensor) {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "m");
  writer.add("t", tensor);
  writer.finish();
  return BundleReader(fs, "m").read("t");
}

void write_small(FileSystem& fs, const std::string& prefix, float value) {
  BundleWriter writer(fs, prefix);
  writer.add("W", Tensor::vector<float>({value, -2.5f}));
  writer.finish();
}

// W [4,6] in four quarters.
const Shape kFull{4, 6};
const std::vector<std::string> kQuarters = {"0,2:0,3", "0,2:3,3", "2,2:0,3", "2,2:3,3"};

Tensor quarter(const Tensor& whole, const std::string& slice) {
  const TensorSlice part = TensorSlice::parse(slice).within(whole.shape());
  Tensor piece = Tensor::zeros(whole.dtype(), part.shape_in(whole.shape()));
  copy_common(whole, TensorSlice::whole(whole.rank()).within(whole.shape()), piece, part);
  return piece;
}

void write_quarters(FileSystem& fs, const std::string& prefix, const Tensor& whole,
                    const std::vector<std::string>& slices) {
  BundleWriter writer(fs, prefix);
  for (const std::string& s : slices)
    writer.add_slice("W", whole.shape(), TensorSlice::parse(s), quarter(whole, s));
  writer.finish();
}

std::vector<std::string> write_parts(FileSystem& fs) {
  const Tensor whole = random_tensor(DType::kFloat, kFull, 5);
  fs.create_dir("m_temp");
  const std::vector<std::string> parts = {"m_temp/part-00000-of-00002",
                                          "m_temp/part-00001-of-00002"};
  BundleWriter a(fs, parts[0]), b(fs, parts[1]);
  a.add("a", Tensor(1.0f));
  b.add("b", Tensor(2.0f));
  for (size_t i = 0; i < 4; ++i) {
    (i < 2 ? a : b)
        .add_slice("W", kFull, TensorSlice::parse(kQuarters[i]), quarter(whole, kQuarters[i]));
  }
  a.finish();
  b.finish();
  return parts;
}

}  // namespace

TEST_CASE("Strings are lengths, a checksum of the lengths, and the contents", "[persist][bundle]") {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "m");
  writer.add("s", Tensor::vector<std::string>({"ab", ""}));
  writer.add("empty", Tensor(std::string()));
  writer.finish();
  CHECK(to_hex(fs.contents().at(kData)) ==
        "0200"
        "78270b34"
        "6162"
        "00"
        "a67b113a");
  const BundleReader reader(fs, "m");
  CHECK(reader.entry("s").masked_crc == 0x4db08891u);
  CHECK(reader.read("s").vec<std::string>()[0] == "ab");
  CHECK(reader.read("empty").scalar<std::string>().empty());
}

TEST_CASE("An empty tensor has the checksum of nothing", "[persist][bundle]") {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "m");
  writer.add("f", Tensor::zeros(DType::kFloat, {0, 3}));
  writer.add("s", Tensor::zeros(DType::kString, {0}));
  writer.finish();
  const BundleReader reader(fs, "m");
  CHECK(reader.entry("f").masked_crc == 0xa282ead8u);
  CHECK(reader.entry("s").size == 4);
  CHECK(reader.read("f").shape() == Shape{0, 3});
  CHECK(reader.read("s").shape() == Shape{0});
}

TEST_CASE("Tensors of every dtype come back bit for bit", "[persist][bundle]") {
  for (int number = 1; number <= 23; ++number) {
    const auto dtype = static_cast<DType>(number);
    if (dtype == DType::kResource || dtype == DType::kVariant) continue;
    for (const Shape& shape :
         {Shape{}, Shape{7}, Shape{3, 0}, Shape{2, 3, 4}, Shape{1, 1, 1, 1, 1, 1, 1, 2}}) {
      CAPTURE(dtype, shape);
      const Tensor tensor = random_tensor(dtype, shape, static_cast<uint32_t>(number));
      CHECK(bit_equal(round_trip(tensor), tensor));
    }
  }
}

TEST_CASE("Tensors larger than a transfer, and many small ones, come back bit for bit",
          "[persist][bundle]") {
  MemoryFileSystem memory;
  std::mt19937 random(3);
  std::vector<Tensor> tensors;
  BundleWriter writer(memory, "m");
  for (uint32_t i = 0; i < 60; ++i) {
    const auto count = static_cast<int64_t>(i % 5 == 0 ? random() % 2000000 : random() % 40000);
    tensors.push_back(random_tensor(DType::kUInt8, {count}, i));
    writer.add(str_cat("t", i), tensors.back());
  }
  writer.add("strings", random_tensor(DType::kString, {5000}, 9));
  writer.finish();
  const BundleReader reader(memory, "m");
  for (size_t i = 0; i < tensors.size(); ++i)
    CHECK(bit_equal(reader.read(str_cat("t", i)), tensors[i]));
  CHECK(bit_equal(reader.read("strings"), random_tensor(DType::kString, {5000}, 9)));
}

TEST_CASE("A tensor whose reading is shared comes back bit for bit, or with its damage told",
          "[persist][bundle]") {
  constexpr int64_t kStretch = 4 << 20;
  const ParallelFor in_threads = [](int64_t n, const std::function<void(int64_t)>& body) {
    std::vector<std::thread> threads;
    for (int64_t i = n; i-- > 0;) threads.emplace_back([&body, i] { body(i); });
    for (auto& thread : threads) thread.join();
  };
  for (const int64_t size :
       {int64_t{0}, int64_t{1}, kStretch - 1, kStretch, kStretch + 1, 3 * kStretch + 5000}) {
    CAPTURE(size);
    MemoryFileSystem memory;
    const Tensor tensor = random_tensor(DType::kUInt8, {size}, 1);
    BundleWriter writer(memory, "m");
    writer.add("t", tensor);
    writer.finish();
    CHECK(bit_equal(BundleReader(memory, "m").read("t", in_threads), tensor));
    if (size == 0) continue;
    std::string bytes = read_file(memory, bundle_data_path("m", 0, 1));
    bytes.back() ^= 4;
    write_file(memory, bundle_data_path("m", 0, 1), bytes);
    const BundleReader damaged(memory, "m");
    CHECK(std::string(error_of([&] { damaged.read("t", in_threads); }).what()) ==
          error_of([&] { damaged.read("t"); }).what());
  }
}

TEST_CASE("Entries of whole tensors are written and read past protobuf as protobuf does it",
          "[persist][bundle]") {
  std::mt19937_64 random(5);
  const auto number = [&](uint64_t most) {
    return random() % 3 == 0 ? 0 : random() >> (random() % 64) & most;
  };
  for (int i = 0; i < 3000; ++i) {
    BundleEntry entry{.dtype = static_cast<DType>(number(127)),
                      .shape = {},
                      .shard = static_cast<int>(number(0xffff)),
                      .offset = number(INT64_MAX),
                      .size = number(INT64_MAX),
                      .masked_crc = static_cast<uint32_t>(number(UINT32_MAX)),
                      .slices = {}};
    for (uint64_t k = random() % 9; k > 0; --k)
      entry.shape.append(static_cast<int64_t>(number(255)));
    pb::BundleEntryProto proto;
    proto.set_dtype(static_cast<pb::DataType>(entry.dtype));
    *proto.mutable_shape() = to_proto(entry.shape);
    proto.set_shard_id(entry.shard);
    proto.set_offset(static_cast<int64_t>(entry.offset));
    proto.set_size(static_cast<int64_t>(entry.size));
    proto.set_crc32c(entry.masked_crc);
    std::string bytes;
    put_plain_entry(bytes, entry);
    REQUIRE(bytes == proto.SerializeAsString());
    BundleEntry read;
    const bool plain = take_plain_entry(bytes, 0x10000, read);
    CHECK(plain == (entry.shape.rank() <= 6));  // longer shapes are left to protobuf
    if (!plain) continue;
    CHECK((read.dtype == entry.dtype && read.shape == entry.shape && read.shard == entry.shard));
    CHECK((read.offset == entry.offset && read.size == entry.size &&
           read.masked_crc == entry.masked_crc));
    // what is not whole is protobuf's to judge, and never more
    for (size_t cut = 1; cut < bytes.size(); ++cut) {
      pb::BundleEntryProto part;
      if (take_plain_entry(bytes.substr(0, cut), 0x10000, read))
        CHECK(part.ParseFromString(bytes.substr(0, cut)));
    }
    CHECK_FALSE(take_plain_entry(bytes, entry.shard, read));
    CHECK_FALSE(take_plain_entry(bytes + '\x3a', 0x10000, read));
  }
}

TEST_CASE("Bytes lie in the order of the calls, the index in the order of the names",
          "[persist][bundle]") {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "m");
  writer.add("b", Tensor(1.0f));
  writer.add("a", Tensor(2.0f));
  writer.finish();
  const BundleReader reader(fs, "m");
  CHECK(reader.names() == std::vector<std::string>{"a", "b"});
  CHECK(reader.entry("a").offset == 4);
  CHECK(reader.pieces_in_file_order()[0].name == "b");
}

TEST_CASE("A tensor is read into memory that is there, if dtype and shape agree",
          "[persist][bundle]") {
  MemoryFileSystem fs;
  write_small(fs, "m", 1.0f);
  const BundleReader reader(fs, "m");
  Tensor into = Tensor::zeros(DType::kFloat, {2});
  const void* memory = into.raw_data();
  reader.read_into("W", into);
  CHECK(into.raw_data() == memory);
  CHECK(bit_equal(into, Tensor::vector<float>({1.0f, -2.5f})));
  Tensor other = Tensor::zeros(DType::kFloat, {3});
  const Error error = error_of([&] { reader.read_into("W", other); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(
      error.what(),
      Catch::Contains("'W' is float[2] in the checkpoint, but was to be read into float[3]"));
}

TEST_CASE("A name that is not there is NotFound, with the nearest that is", "[persist][bundle]") {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "m");
  writer.add("layer1/weights", Tensor(1.0f));
  writer.finish();
  const Error error = error_of([&] { BundleReader(fs, "m").read("layer1/weight"); });
  CHECK(error.code() == Code::kNotFound);
  CHECK_THAT(
      error.what(),
      Catch::Contains("Key layer1/weight not found in checkpoint; did you mean layer1/weights?"));
}

TEST_CASE("A bundle without an index is NotFound", "[persist][bundle]") {
  MemoryFileSystem fs;
  CHECK(error_of([&] { BundleReader(fs, "m"); }).code() == Code::kNotFound);
}

TEST_CASE("Names that cannot be keys are refused", "[persist][bundle]") {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "m");
  writer.add("W", Tensor(1.0f));
  const Error error = error_of([&] { writer.add("W", Tensor(2.0f)); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Catch::Contains("Adding duplicate key: W"));
  CHECK(error_of([&] { writer.add("", Tensor(1.0f)); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { writer.add(std::string("\0W", 2), Tensor(1.0f)); }).code() ==
        Code::kInvalidArgument);
  CHECK(error_of([&] { writer.add("none", Tensor()); }).code() == Code::kUnimplemented);
}

TEST_CASE("A writer makes the prefix's directory, but only one level", "[persist][bundle]") {
  MemoryFileSystem fs;
  write_small(fs, "run/m", 1.0f);
  CHECK(BundleReader(fs, "run/m").has("W"));
  CHECK(error_of([&] { write_small(fs, "a/b/m", 1.0f); }).code() == Code::kNotFound);
}

// ---- Slices -------------------------------------------------------------------------------------

TEST_CASE("Slices are entries of their own beside the full tensor's", "[persist][bundle][slice]") {
  MemoryFileSystem fs;
  const Tensor whole = random_tensor(DType::kFloat, {4, 2}, 1);
  write_quarters(fs, "m", whole, {"0,2:0,2", "2,2:0,2"});
  const std::string index = to_hex(fs.contents().at("m.index"));
  const auto holds = [&](std::string_view hex) {
    return index.find(to_hex(from_hex(hex))) != std::string::npos;
  };
  CHECK(holds("00 5700 01 01 02 80 82 80 82 | 08 01 12 08 12020802 12020802 28 10 35"));
  CHECK(
      holds("57 | 08 01 12 08 12020804 12020802 3a 08 0a02 1002 0a02 1002 3a 0a 0a04 0802 1002 "
            "0a02 1002"));
  CHECK(BundleReader(fs, "m").names() == std::vector<std::string>{"W"});
}

TEST_CASE("A partitioned tensor is read whole, in its own parts and in others",
          "[persist][bundle][slice]") {
  for (const DType dtype : {DType::kFloat, DType::kHalf, DType::kBool, DType::kString}) {
    MemoryFileSystem fs;
    const Tensor whole = random_tensor(dtype, kFull, 5);
    write_quarters(fs, "m", whole, kQuarters);
    const BundleReader reader(fs, "m");
    CHECK(bit_equal(reader.read("W"), whole));
    Tensor into = Tensor::zeros(dtype, kFull);
    reader.read_into("W", into);
    CHECK(bit_equal(into, whole));
    for (const std::string s : {"0,2:3,3", "1,2:2,2", "3,1:-", "-:-"}) {
      CHECK(bit_equal(reader.read_slice("W", TensorSlice::parse(s)), quarter(whole, s)));
    }
    reader.verify();
  }
}

TEST_CASE("A tensor stored whole is read in slices", "[persist][bundle][slice]") {
  MemoryFileSystem fs;
  const Tensor whole = random_tensor(DType::kDouble, kFull, 5);
  BundleWriter writer(fs, "m");
  writer.add("W", whole);
  writer.finish();
  const BundleReader reader(fs, "m");
  CHECK(
      bit_equal(reader.read_slice("W", TensorSlice::parse("1,2:2,2")), quarter(whole, "1,2:2,2")));
  CHECK(error_of([&] { reader.read_slice("W", TensorSlice::parse("1,4:2,2")); }).code() ==
        Code::kInvalidArgument);
}

TEST_CASE("A slice that covers the whole tensor is stored as the tensor",
          "[persist][bundle][slice]") {
  MemoryFileSystem plain, sliced;
  const Tensor whole = random_tensor(DType::kFloat, kFull, 5);
  {
    BundleWriter a(plain, "m"), b(sliced, "m");
    a.add("W", whole);
    b.add_slice("W", kFull, TensorSlice::parse("0,4:0,6"), whole);
    a.finish();
    b.finish();
  }
  CHECK(plain.contents() == sliced.contents());
}

TEST_CASE("Missing slices are reported, and the parts that are there still read",
          "[persist][bundle][slice]") {
  MemoryFileSystem fs;
  const Tensor whole = random_tensor(DType::kFloat, kFull, 5);
  write_quarters(fs, "m", whole, {kQuarters[0], kQuarters[1], kQuarters[3]});
  const BundleReader reader(fs, "m");
  const Error error = error_of([&] { reader.read("W"); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(
      error.what(),
      Catch::Contains("Does not have sufficient slices for partitioned tensor W to restore in "
                      "slice_spec: 0,4:0,6 (18 of 24 elements are there)"));
  CHECK(bit_equal(reader.read_slice("W", TensorSlice::parse("0,2:-")), quarter(whole, "0,2:0,6")));
  CHECK(error_of([&] { reader.verify(); }).code() == Code::kInvalidArgument);
}

TEST_CASE("Slices that overlap are refused when read", "[persist][bundle][slice]") {
  MemoryFileSystem fs;
  const Tensor whole = random_tensor(DType::kFloat, kFull, 5);
  write_quarters(fs, "m", whole, {"0,2:0,6", "1,2:0,6"});
  CHECK(error_of([&] { BundleReader(fs, "m").read("W"); }).code() == Code::kDataLoss);
}

TEST_CASE("A slice that contradicts its tensor is refused", "[persist][bundle][slice]") {
  MemoryFileSystem fs;
  const TensorSlice half = TensorSlice::parse("0,2:-"), other_half = TensorSlice::parse("2,2:-");
  const Tensor piece = Tensor::zeros(DType::kFloat, {2, 6});
  BundleWriter writer(fs, "m");
  writer.add_slice("W", kFull, half, piece);
  const auto refused = [&](const Shape& full, const TensorSlice& slice, const Tensor& tensor) {
    return error_of([&] { writer.add_slice("W", full, slice, tensor); }).code() ==
           Code::kInvalidArgument;
  };
  CHECK(refused(kFull, half, piece));
  CHECK(refused({8, 6}, other_half, piece));
  CHECK(refused(kFull, other_half, Tensor::zeros(DType::kDouble, {2, 6})));
  CHECK(refused(kFull, other_half, Tensor::zeros(DType::kFloat, {6, 2})));
  CHECK(refused(kFull, TensorSlice::parse("3,2:-"), piece));
  CHECK(error_of([&] { writer.add("W", piece); }).code() == Code::kInvalidArgument);
}

// ---- Commit -------------------------------------------------------------------------------------

TEST_CASE("A bundle is synced before it is renamed, data before index, directory last",
          "[persist][bundle]") {
  MemoryFileSystem memory;
  RecordingFileSystem fs(memory);
  write_small(fs, "m", 1.0f);
  std::vector<std::string> order;
  for (const FileOp& op : fs.changes()) {
    if (op.kind == FileOp::kSync) order.push_back("sync");
    if (op.kind == FileOp::kRename) order.push_back(op.to);
    if (op.kind == FileOp::kSyncDir) order.push_back("sync " + op.path);
  }
  CHECK(order == std::vector<std::string>{"sync", "sync", kData, "m.index", "sync ."});
}

TEST_CASE("Wherever writing a bundle fails, what was there stays and nothing else does",
          "[persist][bundle]") {
  for (const auto span : {FaultyFileSystem::kOnce, FaultyFileSystem::kForever}) {
    for (size_t i = 0;; ++i) {
      MemoryFileSystem memory;
      write_small(memory, "old", 1.0f);
      const auto before = memory.contents();
      FaultyFileSystem fs(memory, i, ENOSPC, span);
      const Error error = error_of([&] { write_small(fs, "m", 2.0f); });
      if (!fs.failed()) break;
      CAPTURE(i, error.what());
      CHECK(error.code() == Code::kResourceExhausted);
      for (const auto& [path, bytes] : before) CHECK(memory.contents().at(path) == bytes);
      // What the last steps left is complete, or has no index; a disk that fails for good keeps the
      // temporary files.
      for (const auto& [path, bytes] : memory.contents()) {
        if (is_temporary_name(path)) CHECK(span == FaultyFileSystem::kForever);
      }
      if (memory.exists("m.index")) BundleReader(memory, "m").verify();
    }
  }
}

TEST_CASE("A writer that is dropped leaves nothing", "[persist][bundle]") {
  MemoryFileSystem fs;
  {
    BundleWriter writer(fs, "m");
    writer.add("W", Tensor(1.0f));
    writer.seal();
    CHECK(fs.contents().size() == 2);
  }
  CHECK(fs.contents().empty());
}

TEST_CASE("Wherever reading a bundle fails, the error names the file", "[persist][bundle]") {
  MemoryFileSystem memory;
  write_quarters(memory, "m", random_tensor(DType::kString, kFull, 5), kQuarters);
  for (size_t i = 0;; ++i) {
    FaultyFileSystem fs(memory, i, EIO);
    const Error error = error_of([&] { BundleReader(fs, "m").read("W"); });
    if (!fs.failed()) break;
    CHECK(error.code() == Code::kDataLoss);
    CHECK_THAT(error.what(), Catch::StartsWith("m."));
  }
}

TEST_CASE("A reader serves several threads at once", "[persist][bundle]") {
  MemoryFileSystem fs;
  merge_bundles(fs, write_parts(fs), "m");
  const BundleReader reader(fs, "m");
  const Tensor whole = random_tensor(DType::kFloat, kFull, 5);
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i)
        right += bit_equal(reader.read("W"), whole) && reader.read("b").scalar<float>() == 2.0f;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 200);
}

// ---- Merge --------------------------------------------------------------------------------------

TEST_CASE("Merged parts are one bundle of as many data files", "[persist][bundle][merge]") {
  MemoryFileSystem fs;
  merge_bundles(fs, write_parts(fs), "m");
  const BundleReader reader(fs, "m");
  CHECK(reader.num_shards() == 2);
  CHECK(reader.names() == std::vector<std::string>{"W", "a", "b"});
  CHECK(reader.read("b").scalar<float>() == 2.0f);
  CHECK(bit_equal(reader.read("W"), random_tensor(DType::kFloat, kFull, 5)));
  CHECK(reader.entry("W").slices.size() == 4);
  CHECK(fs.contents().size() == 3);
  CHECK_FALSE(fs.exists("m_temp"));
  reader.verify();
}

TEST_CASE("Merging keeps the parts' directory when told so", "[persist][bundle][merge]") {
  MemoryFileSystem fs;
  merge_bundles(fs, write_parts(fs), "m", false);
  CHECK(fs.list_dir("m_temp").empty());
}

TEST_CASE("Merging counts the data files that hold something", "[persist][bundle][merge]") {
  MemoryFileSystem fs;
  BundleWriter(fs, "nothing").finish();
  write_small(fs, "part", 1.0f);
  merge_bundles(fs, {"nothing", "part"}, "m");
  const BundleReader reader(fs, "m");
  CHECK(reader.num_shards() == 1);
  CHECK(reader.read("W").vec<float>()[0] == 1.0f);
}

TEST_CASE("Parts that hold the same tensor are not merged, and stay", "[persist][bundle][merge]") {
  MemoryFileSystem fs;
  write_small(fs, "x", 1.0f);
  write_small(fs, "y", 2.0f);
  const auto before = fs.contents();
  const Error error = error_of([&] { merge_bundles(fs, {"x", "y"}, "m"); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(),
             Catch::Contains("Duplicate tensor keyed by W encountered, when merging prefix: y"));
  CHECK(fs.contents() == before);
}

TEST_CASE("A merge that fails leaves no index", "[persist][bundle][merge]") {
  for (size_t i = 0;; ++i) {
    MemoryFileSystem memory;
    const auto parts = write_parts(memory);
    FaultyFileSystem fs(memory, i, EIO);
    const Error error = error_of([&] { merge_bundles(fs, parts, "m"); });
    if (!fs.failed()) break;
    CAPTURE(i, error.what());
    if (error.code() == Code::kOk || memory.exists("m.index")) {
      BundleReader(memory, "m").verify();
    }
  }
}

TEST_CASE("Many small tensors, some half in what was read ahead, are read and verified",
          "[persist][bundle]") {
  // 300 bytes do not divide the 64 KiB that are read at once, and neither do 4096, up to which
  // tensors count as small.
  for (const int64_t bytes : {300, 4093, 4096, 4097}) {
    MemoryFileSystem fs;
    fs.create_dirs("run");
    {
      BundleWriter writer(fs, "run/m");
      for (int i = 0; i < 400; ++i) {
        Tensor tensor = Tensor::uninitialized(DType::kUInt8, {bytes});
        for (int64_t k = 0; k < bytes; ++k)
          tensor.data<uint8_t>()[k] = static_cast<uint8_t>(i * 7 + k);
        writer.add(str_cat("t", i), tensor);
      }
      writer.finish();
    }
    const BundleReader reader(fs, "run/m");
    reader.verify();
    for (int i = 399; i >= 0; --i) {  // backwards, too
      const Tensor tensor = reader.read(str_cat("t", i));
      CHECK(tensor.data<uint8_t>()[bytes - 1] == static_cast<uint8_t>(i * 7 + bytes - 1));
    }
  }
}

TEST_CASE("A tensor is read in pieces of any size, and its checksum is verified with the last",
          "[persist][bundle]") {
  MemoryFileSystem fs;
  fs.create_dirs("run");
  Tensor values = Tensor::uninitialized(DType::kInt32, {5000});
  for (int i = 0; i < 5000; ++i) values.data<int32_t>()[i] = i * i;
  {
    BundleWriter writer(fs, "run/m");
    writer.add("W", values);
    writer.add_slice("P", {2, 2}, TensorSlice::parse("0,1:0,2"), Tensor::matrix<float>({{1, 2}}));
    writer.add_slice("P", {2, 2}, TensorSlice::parse("1,1:0,2"), Tensor::matrix<float>({{3, 4}}));
    writer.add("s", Tensor(std::string("text")));
    writer.add("none", Tensor::zeros(DType::kFloat, {0}));
    writer.finish();
  }
  const auto read_all = [&](const BundleReader& reader, const std::string& name, size_t bytes,
                            size_t step) {
    std::string all(bytes, '\0');
    const auto next = reader.stream(name);
    for (size_t at = 0; at < bytes; at += step) next({all.data() + at, std::min(step, bytes - at)});
    return all;
  };
  const std::string expected(static_cast<const char*>(values.raw_data()), values.num_bytes());
  {
    const BundleReader reader(fs, "run/m");
    for (const size_t step : {1, 7, 4096, 5000, 20000})
      CHECK((read_all(reader, "W", 20000, step) == expected));
    const std::vector<float> parts = {1, 2, 3, 4};
    CHECK((read_all(reader, "P", 16, 6) ==
           std::string(reinterpret_cast<const char*>(parts.data()), 16)));
    CHECK(read_all(reader, "none", 0, 1).empty());
    CHECK_THROWS_WITH(reader.stream("s"), Catch::Contains("holds strings"));
    CHECK_THROWS_WITH(read_all(reader, "W", 20001, 20001), Catch::Contains("20001 more bytes"));
    CHECK_THROWS_AS(reader.stream("X"), Error);
  }
  std::string data = fs.contents().at(bundle_data_path("run/m", 0, 1));
  data[10] ^= 1;
  fs.set(bundle_data_path("run/m", 0, 1), data);
  const BundleReader reader(fs, "run/m");
  CHECK_THROWS_WITH(read_all(reader, "W", 20000, 5000), Catch::Contains("Checksum does not match"));
}

}  // namespace cairn
