// cairn export, and the archives it writes.
#include "persist/files/crc.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/memory_fs.h"
#include "tests/tools/commands.h"
#include "tools/npy.h"
#include "tools/zip.h"

using namespace cairn;

namespace {

uint64_t number_at(const std::string& bytes, size_t at, int count) {
  uint64_t v = 0;
  for (int i = count; i-- > 0;)
    v = v << 8 | static_cast<uint8_t>(bytes.at(at + static_cast<size_t>(i)));
  return v;
}

// Name and content of every entry of a zip archive without 64-bit records, read from its end as
// unzip does.
std::vector<std::pair<std::string, std::string>> entries_of(const std::string& zip) {
  const size_t end = zip.size() - 22;
  REQUIRE(zip.substr(end, 4) == "PK\5\6");
  std::vector<std::pair<std::string, std::string>> entries;
  size_t at = number_at(zip, end + 16, 4);
  CHECK(at + number_at(zip, end + 12, 4) == end);
  for (uint64_t i = 0; i < number_at(zip, end + 10, 2); ++i) {
    REQUIRE(zip.substr(at, 4) == "PK\1\2");
    const size_t size = number_at(zip, at + 24, 4), name = number_at(zip, at + 28, 2),
                 local = number_at(zip, at + 42, 4);
    REQUIRE(zip.substr(local, 4) == "PK\3\4");
    // flags, method, date, checksum, sizes, name's length
    CHECK(zip.substr(local + 6, 24) == zip.substr(at + 8, 24));
    entries.push_back({zip.substr(at + 46, name), zip.substr(local + 30 + name, size)});
    CHECK(number_at(zip, at + 16, 4) == crc32(entries.back().second));
    at += 46 + name + number_at(zip, at + 30, 2);
  }
  CHECK(at == end);
  return entries;
}

}  // namespace

TEST_CASE("A zip archive of one stored file has the bytes that the format says", "[tools][zip]") {
  MemoryFileSystem fs;
  const auto file = fs.create("a.zip");
  ZipWriter zip(*file);
  zip.add("a.txt", "123456789");
  zip.finish();
  CHECK(to_hex(read_file(fs, "a.zip")) ==
        to_hex(from_hex(
            "504b0304 1400 0000 0000 0000 2100 2639f4cb 09000000 09000000 0500 0000 612e747874"
            "313233343536373839"
            "504b0102 1403 1400 0000 0000 0000 2100 2639f4cb 09000000 09000000 0500 0000 0000 0000 "
            "0000"
            "0000a481 00000000 612e747874"
            "504b0506 0000 0000 0100 0100 33000000 2c000000 0000")));
}

TEST_CASE("A zip archive has 64-bit records for what 32 bits cannot say", "[tools][zip]") {
  MemoryFileSystem fs;
  const auto file = fs.create("a.zip");
  ZipWriter zip(*file, 40);  // as though 40 were the largest number of 32 bits
  zip.add("small", "12345");
  zip.add("large", std::string(41, 'x'));
  zip.add("far", "1");
  zip.finish();
  const std::string bytes = read_file(fs, "a.zip");
  const size_t large = 30 + 5 + 5;
  CHECK(number_at(bytes, large + 4, 2) == 45);
  CHECK(number_at(bytes, large + 18, 4) == 0xffffffff);
  CHECK(to_hex(bytes.substr(large + 30 + 5, 20)) ==
        "01001000"
        "2900000000000000"
        "2900000000000000");
  const size_t far = large + 30 + 5 + 20 + 41, directory = far + 30 + 3 + 1;
  const size_t third = directory + (46 + 5) + (46 + 5 + 20);
  CHECK(number_at(bytes, third + 42, 4) == 0xffffffff);
  CHECK(number_at(bytes, third + 46 + 3, 2) == 1);
  CHECK(number_at(bytes, third + 46 + 3 + 4, 8) == far);
  const size_t tail = third + 46 + 3 + 12;
  CHECK(bytes.substr(tail, 4) == "PK\6\6");
  CHECK(number_at(bytes, tail + 24, 8) == 3);
  CHECK(number_at(bytes, tail + 48, 8) == directory);
  CHECK(bytes.substr(tail + 56, 4) == "PK\6\7");
  CHECK(number_at(bytes, tail + 56 + 8, 8) == tail);
  CHECK(bytes.substr(tail + 76, 4) == "PK\5\6");
  CHECK(bytes.size() == tail + 98);
}

TEST_CASE("A zip archive of 65,535 files is counted in 64 bits", "[tools][zip]") {
  MemoryFileSystem fs;
  const auto file = fs.create("a.zip");
  ZipWriter zip(*file);
  for (int i = 0; i < 65535; ++i) zip.add(str_cat(i), "");
  zip.finish();
  const std::string bytes = read_file(fs, "a.zip");
  CHECK(number_at(bytes, bytes.size() - 98 + 24, 8) == 65535);
}

TEST_CASE("Zip entries say where their names are UTF-8, and refuse names that do not fit",
          "[tools][zip]") {
  MemoryFileSystem fs;
  const auto file = fs.create("a.zip");
  ZipWriter zip(*file);
  zip.add("\xc3\xa9", "");
  zip.add("\xff", "");
  zip.finish();
  const std::string bytes = read_file(fs, "a.zip");
  CHECK(number_at(bytes, 6, 2) == 0x0800);
  CHECK(number_at(bytes, 32 + 6, 2) == 0);
  CHECK(says(error_of([&] { zip.add(std::string(65536, 'n'), ""); }), "65536 bytes"));
}

TEST_CASE("The command cairn export writes tensors as .npy files in an .npz", "[tools]") {
  const TempDir dir;
  const Tensor w = Tensor::matrix<float>({{1, 2}, {3, 4}}),
               s = Tensor::vector<std::string>({"a", "bc"});
  const std::string prefix =
      write_tensors(dir / "m", {{"layer/W", w}, {"s", s}, {"n", Tensor(int64_t{7})}});
  const std::string to = (dir / "out/w.npz").string();
  const Finished run = cairn_run({"export", prefix, to});
  CHECK(run.err.empty());
  REQUIRE(run.status == 0);
  CHECK(run.out == str_cat(to, ": 3 tensors of ", prefix, "\n"));
  const auto entries = entries_of(read_bytes(to));
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].first == "layer/W.npy");
  CHECK(entries[1].first == "n.npy");
  CHECK(bit_equal(parse_npy(entries[0].second, "W"), w));
  CHECK(bit_equal(parse_npy(entries[2].second, "s"), s));
}

TEST_CASE("The command cairn export --tensor takes names and regular expressions for whole names",
          "[tools]") {
  const TempDir dir;
  const Tensor one(1.0f);
  const std::string prefix =
      write_tensors(dir / "m", {{"a/W", one}, {"a/b", one}, {"b/W", one}, {"c(1)", one}});
  const auto exported = [&](const char* to, const std::vector<std::string>& patterns) {
    std::vector<std::string> args = {"export", "--json"};
    for (const std::string& p : patterns) args.insert(args.end(), {"--tensor", p});
    args.insert(args.end(), {prefix, (dir / to).string()});
    return cairn_run(args);
  };
  CHECK(
      contains(exported("1.npz", {".*/W", "c(1)"}).out, R"x("tensors": ["a/W", "b/W", "c(1)"]})x"));
  CHECK(contains(exported("2.npz", {"a/W"}).out, R"("tensors": ["a/W"]})"));
  const Finished none = exported("3.npz", {"W", "a/w"});
  CHECK(none.status == 1);
  CHECK(contains(none.err, "no tensor matches 'W'"));
  CHECK(contains(none.err, "did you mean a/W"));
  const Finished wrong = exported("3.npz", {"a("});
  CHECK(is_wrong_usage(wrong));
  CHECK(contains(wrong.err,
                 "the pattern 'a(' is no regular expression that RE2 takes: missing ): a("));
  CHECK(!std::filesystem::exists(dir / "3.npz"));
}

TEST_CASE(
    "The command cairn export --tensor chooses among names of any length, and by names that are no "
    "regular expression",
    "[tools]") {
  const TempDir dir;
  const std::string longest(30000, 'a');
  const std::string prefix =
      write_tensors(dir / "m", {{longest, Tensor(1.0f)}, {"b(", Tensor(2.0f)}});
  const Finished all =
      cairn_run({"export", "--json", "--tensor", ".*", prefix, (dir / "all.npz").string()});
  CHECK(all.status == 0);
  CHECK(contains(all.out, longest));
  CHECK(cairn_run({"export", "--tensor", "(a*)*c", prefix, (dir / "none.npz").string()}).status ==
        1);
  CHECK(contains(
      cairn_run({"export", "--json", "--tensor", "b(", prefix, (dir / "b.npz").string()}).out,
      R"("tensors": ["b("]})"));
}

TEST_CASE(
    "The command cairn export writes safetensors: a header in JSON, then the elements, the widest "
    "first",
    "[tools]") {
  const TempDir dir;
  const std::string prefix = write_tensors(
      dir / "m",
      {{"b", Tensor(true)}, {"n", Tensor(int64_t{7})}, {"w", Tensor::vector<float>({1, 2})}});
  const std::string to = (dir / "m.safetensors").string();
  REQUIRE(cairn_run({"export", prefix, to}).status == 0);
  const std::string bytes = read_bytes(to);
  const size_t length = number_at(bytes, 0, 8);
  CHECK(length % 8 == 0);
  const std::string header = bytes.substr(8, length);
  CHECK(header.substr(0, header.find_last_not_of(' ') + 1) ==
        R"({"n": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}, )"
        R"("w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}, )"
        R"("b": {"dtype": "BOOL", "shape": [], "data_offsets": [16, 17]}})");
  CHECK(to_hex(bytes.substr(8 + length)) ==
        "0700000000000000"
        "0000803f"
        "00000040"
        "01");
}

TEST_CASE("The command cairn export never overwrites and leaves nothing behind on an error",
          "[tools]") {
  const TempDir dir;
  const std::string prefix = write_tensors(dir / "m", {{"s", Tensor("text")}, {"w", Tensor(1.0f)}});
  CHECK(is_wrong_usage(cairn_run({"export", prefix, (dir / "m.zip").string()})));
  const Finished strings = cairn_run({"export", prefix, (dir / "m.safetensors").string()});
  CHECK(strings.status == 1);
  CHECK(contains(strings.err, "no dtype for s (string)"));
  write_bytes(dir / "there.npz", "mine");
  const Finished there = cairn_run({"export", prefix, (dir / "there.npz").string()});
  CHECK(there.status == 1);
  CHECK(contains(there.err, "the file exists"));
  CHECK(read_bytes(dir / "there.npz") == "mine");
  const auto names = posix_file_system().list_dir(dir.path().string());
  CHECK(names == std::vector<std::string>{"m.data-00000-of-00001", "m.index", "there.npz"});
}
