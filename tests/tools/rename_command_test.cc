// cairn rename.
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "tests/support/catch.h"
#include "tests/tools/commands.h"

using namespace cairn;
using Catch::Matchers::Contains;
using Strings = std::vector<std::string>;

namespace {

const Tensor kWeights = Tensor::matrix<float>({{1, -2.5f}, {0.1f, 4}});

template <class Writer>
std::string write(const std::filesystem::path& prefix) {
  Writer writer(posix_file_system(), prefix.string());
  writer.add("net/W", kWeights);
  writer.add("step", Tensor(int64_t{7}));
  writer.add_slice("net/P", {2, 2}, TensorSlice::parse("1,1:0,2"),
                   Tensor::matrix<int32_t>({{3, 4}}));
  writer.add_slice("net/P", {2, 2}, TensorSlice::parse("0,1:0,2"),
                   Tensor::matrix<int32_t>({{1, 2}}));
  writer.finish();
  return prefix.string();
}

}  // namespace

TEST_CASE(
    "The command cairn rename gives V1 and V2 checkpoints other names and keeps values, format and "
    "slices",
    "[tools]") {
  for (const bool v1 : {false, true}) {
    const TempDir dir;
    const std::string from =
        v1 ? write<CheckpointV1Writer>(dir / "m") : write<BundleWriter>(dir / "m");
    const std::string to = (dir / "deep/renamed").string();
    const Finished run = cairn_run({"rename", "--re", "s/^net/model/", "--re", "s|/W$|/kernel|",
                                    from, to, "--map", "step=global_step"});
    CHECK(run.err.empty());
    REQUIRE(run.status == 0);
    CHECK(run.out == str_cat("net/P -> model/P\nnet/W -> model/kernel\nstep  -> global_step\n", to,
                             ": 3 of 3 names changed\n"));
    const CheckpointReader reader(to);
    CHECK((reader.version() == CheckpointFormat::kV1) == v1);
    CHECK(reader.names() == Strings{"global_step", "model/P", "model/kernel"});
    CHECK(reader.find("model/P")->slices.size() == 2);
    CHECK(bit_equal(reader.get_tensor("model/kernel"), kWeights));
    CHECK(bit_equal(reader.get_tensor("model/P"), Tensor::matrix<int32_t>({{1, 2}, {3, 4}})));
    CHECK(reader.get_tensor("global_step").scalar<int64_t>() == 7);
    reader.verify();
  }
}

TEST_CASE("The command cairn rename keeps the shards of a checkpoint", "[tools]") {
  const TempDir dir;
  FileSystem& fs = posix_file_system();
  Strings parts;
  for (const std::string name : {"a", "b"}) {
    parts.push_back((dir / "parts" / name).string());
    BundleWriter writer(fs, parts.back());
    writer.add(name, kWeights);
    writer.finish();
  }
  merge_bundles(fs, parts, (dir / "m").string());
  REQUIRE(
      cairn_run({"rename", (dir / "m").string(), (dir / "n").string(), "--re", "s/$/:0/"}).status ==
      0);
  const CheckpointReader reader((dir / "n").string());
  CHECK(reader.num_shards() == 2);
  CHECK(reader.names() == Strings{"a:0", "b:0"});
  CHECK(read_bytes(dir / "n.data-00001-of-00002") == read_bytes(dir / "m.data-00001-of-00002"));
}

TEST_CASE(
    "The command cairn rename --dry-run prints the names that it would write, and writes nothing",
    "[tools]") {
  const TempDir dir;
  const std::string from = write<BundleWriter>(dir / "m"), to = (dir / "deep/n").string();
  const Finished dry = cairn_run({"rename", from, to, "--re", "s/^net/x/", "--dry-run"});
  CHECK(dry.status == 0);
  CHECK_FALSE(std::filesystem::exists(dir / "deep"));
  const Finished real = cairn_run({"rename", from, to, "--re", "s/^net/x/"});
  CHECK(dry.lines()[0] == "net/P -> x/P");
  CHECK(dry.lines().back() == to + ": not written (--dry-run), 2 of 3 names changed");
  Strings would = dry.lines(), did = real.lines();
  would.pop_back();
  did.pop_back();
  CHECK(would == did);
  const Finished json =
      cairn_run({"rename", from, (dir / "k").string(), "--re", "s/^net/x/", "--dry-run", "--json"});
  CHECK_THAT(json.out,
             Contains(R"("dry_run": true, "renamed": [{"from": "net/P", "to": "x/P"}, )") &&
                 Contains(R"("unchanged": ["step"])"));
}

TEST_CASE(
    "The command cairn rename refuses names that would be the same and rules that fit nothing, and "
    "writes nothing",
    "[tools]") {
  const TempDir dir;
  const std::string from = write<BundleWriter>(dir / "m"), to = (dir / "n").string();
  const Finished clash = cairn_run({"rename", from, to, "--re", "s|/.*||"});
  CHECK(clash.status == 1);
  CHECK_THAT(clash.err,
             Contains("names would be the same:\n  'net/P' and 'net/W' would both be 'net'"));
  const Finished unused =
      cairn_run({"rename", from, to, "--re", "s/^net/x/", "--re", "s/^nat/y/", "--map", "stp=s"});
  CHECK(unused.status == 1);
  CHECK_THAT(unused.err, Contains("no name fits\n  stp=s   (did you mean step?)\n  s/^nat/y/"));
  CHECK_FALSE(std::filesystem::exists(to + ".index"));
}

TEST_CASE("The command cairn rename overwrites neither its source nor any other checkpoint",
          "[tools]") {
  const TempDir dir;
  const std::string from = write<BundleWriter>(dir / "m"),
                    other = write<BundleWriter>(dir / "other");
  const std::string before = read_bytes(from + ".index");
  const Finished source = cairn_run({"rename", from + ".index", from, "--re", "s/^net/x/"});
  CHECK(source.status == 1);
  CHECK_THAT(source.err, Contains("is the source itself, which is never overwritten"));
  CHECK_THAT(cairn_run({"rename", from, other, "--re", "s/^net/x/"}).err,
             Contains("there is a checkpoint already"));
  CHECK(read_bytes(from + ".index") == before);
}

TEST_CASE("The command cairn rename --map renames names that hold a =", "[tools]") {
  const TempDir dir;
  BundleWriter writer(posix_file_system(), (dir / "m").string());
  writer.add("a=b", kWeights);
  writer.add("c\\d", kWeights);
  writer.finish();
  const Finished run = cairn_run({"rename", (dir / "m").string(), (dir / "n").string(), "--map",
                                  R"(a\=b=x=y)", "--map", R"(c\d=z)"});
  CHECK(run.err.empty());
  CHECK(CheckpointReader((dir / "n").string()).names() == Strings{"x=y", "z"});
}

TEST_CASE("The command cairn rename tells wrong rules as wrong usage, and helps with an example",
          "[tools]") {
  CHECK(cairn_run({"rename", "a", "b"}).status == 2);
  const Finished run = cairn_run({"rename", "a", "b", "--re", "s/a"});
  CHECK(run.status == 2);
  CHECK_THAT(run.err, Contains("there is no second /"));
  CHECK(cairn_run({"rename", "a", "b", "--map", "ab"}).status == 2);
  CHECK_THAT(cairn_run({"rename", "--help"}).out, Contains("Example:\n  cairn rename "));
}
