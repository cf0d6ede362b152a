// cairn inspect, meta, copy and convert.
#include <cairn/cairn.h>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "tests/support/catch.h"
#include "tests/tools/commands.h"

using namespace cairn;

namespace {

const Tensor kWeights = Tensor::matrix<float>({{1, -2.5f}, {0.1f, 4}});
const Tensor kNames = Tensor::vector<std::string>({"a\"b", "\xff"});

// A bundle of one data file; "P" is in two slices, and the order of the file is not that of the
// names.
std::string write_bundle(const std::filesystem::path& prefix) {
  BundleWriter writer(posix_file_system(), prefix.string());
  writer.add("names", kNames);
  writer.add("W", kWeights);
  writer.add_slice("P", {2, 2}, TensorSlice::parse("1,1:0,2"), Tensor::matrix<int32_t>({{3, 4}}));
  writer.add_slice("P", {2, 2}, TensorSlice::parse("0,1:0,2"), Tensor::matrix<int32_t>({{1, 2}}));
  writer.finish();
  return prefix.string();
}

void check_same_values(const std::string& a, const std::string& b) {
  const CheckpointReader one(a), other(b);
  REQUIRE(one.names() == other.names());
  for (const std::string& name : one.names())
    CHECK(bit_equal(one.get_tensor(name), other.get_tensor(name)));
}

}  // namespace

TEST_CASE("Every command prints help with an example", "[tools]") {
  for (const char* command : {"average", "convert", "copy", "diff", "doctor", "export", "freeze",
                              "inspect", "meta", "rename", "run", "show", "train"}) {
    const Finished run = cairn_run({command, "--help"});
    CHECK(run.status == 0);
    CHECK(contains(run.out, str_cat("Usage: cairn ", command)));
    CHECK(contains(run.out, str_cat("Example:\n  cairn ", command)));
    CHECK(run.err.empty());
  }
}

TEST_CASE("Wrong usage is told on standard error and ends with status 2, a problem with status 1",
          "[tools]") {
  for (const std::vector<std::string>& args : {std::vector<std::string>{},
                                               {"inspect"},
                                               {"nonsense"},
                                               {"convert", "a", "b", "--format", "v3"}}) {
    const Finished run = cairn_run(args);
    CHECK(run.status == 2);
    CHECK(run.out.empty());
    CHECK(!run.err.empty());
  }
  const Finished run = cairn_run({"inspect", "/no/such/checkpoint"});
  CHECK(run.status == 1);
  CHECK(contains(run.err, "/no/such/checkpoint"));
}

TEST_CASE("The command cairn inspect lists tensors, and as JSON with values and statistics",
          "[tools]") {
  const TempDir dir;
  const std::string prefix = write_bundle(dir / "m");
  const Finished text = cairn_run({"inspect", prefix + ".index", "--verify"});
  CHECK(text.status == 0);
  CHECK(text.out == str_cat("P      int32   [2,2]  16 bytes  2 slices\nW      float   [2,2]  16 "
                            "bytes\nnames  string  [2]     4 bytes\n",
                            prefix, ": V2, 1 shard, 3 tensors, 36 bytes, every checksum right\n"));
  const Finished json = cairn_run({"inspect", prefix, "--tensor", "W", "--values", "--json"});
  CHECK(contains(json.out, "\"shape\": [2, 2], \"bytes\": 16, \"values\": [[1, -2.5], [0.1, 4]]"));
  CHECK(contains(cairn_run({"inspect", prefix, "--values", "--json"}).out,
                 R"("values": ["a\"b", "\u00ff"])"));
}

TEST_CASE(
    "The command cairn inspect --stats counts what is not finite beside the statistics of the rest",
    "[tools]") {
  const TempDir dir;
  const float inf = std::numeric_limits<float>::infinity(),
              nan = std::numeric_limits<float>::quiet_NaN();
  BundleWriter writer(posix_file_system(), (dir / "m").string());
  writer.add("x", Tensor::vector<float>({2, nan, 4, -inf, 6, nan, 8}));
  writer.finish();
  const Finished run = cairn_run({"inspect", (dir / "m").string(), "--stats", "--json"});
  CHECK(contains(
      run.out,
      R"("stats": {"nan": 2, "inf": 1, "min": 2, "max": 8, "mean": 5, "std": 2.23606797749979})"));
}

TEST_CASE("The command cairn inspect names the nearest tensor, and finds a flipped bit",
          "[tools]") {
  const TempDir dir;
  BundleWriter writer(posix_file_system(), (dir / "m").string());
  writer.add("weights", kWeights);
  writer.finish();
  CHECK(contains(cairn_run({"inspect", (dir / "m").string(), "--tensor", "weight"}).err,
                 "did you mean weights?"));
  const auto data = dir / "m.data-00000-of-00001";
  std::string bytes = read_bytes(data);
  bytes[3] ^= 1;
  write_bytes(data, bytes);
  CHECK(cairn_run({"inspect", (dir / "m").string()}).status == 0);
  const Finished run = cairn_run({"inspect", (dir / "m").string(), "--verify"});
  CHECK(run.status == 1);
  CHECK(contains(run.err, "weights"));
}

TEST_CASE("The command cairn copy gives the same bytes and never overwrites", "[tools]") {
  const TempDir dir;
  const std::string from = write_bundle(dir / "m"), to = (dir / "deep/copy").string();
  write_bytes(dir / "m.meta", "whatever");
  REQUIRE(cairn_run({"copy", from, to}).status == 0);
  for (const char* ending : {".index", ".data-00000-of-00001", ".meta"}) {
    CHECK(read_bytes(to + ending) == read_bytes(from + ending));
  }
  const Finished again = cairn_run({"copy", from, to});
  CHECK(again.status == 1);
  CHECK(contains(again.err, "there is a checkpoint already"));
  CHECK(contains(cairn_run({"copy", from, dir.path().string()}).err, "is a directory"));
}

TEST_CASE("The command cairn convert goes from V2 to V1 and back with the values and slices",
          "[tools]") {
  const TempDir dir;
  const std::string v2 = write_bundle(dir / "m"), v1 = (dir / "old").string(),
                    back = (dir / "back").string();
  REQUIRE(cairn_run({"convert", v2, v1, "--format", "v1"}).status == 0);
  CHECK(contains(cairn_run({"inspect", v1}).out, ": V1, 1 shard, 3 tensors"));
  check_same_values(v2, v1);
  REQUIRE(cairn_run({"convert", v1, back, "--format", "v2"}).status == 0);
  check_same_values(v2, back);
  CHECK(CheckpointReader(back).find("P")->slices.size() == 2);
}

TEST_CASE("Of a V1 checkpoint of several files commands take all, whichever is named, or none",
          "[tools]") {
  const TempDir dir;
  const std::string prefix = (dir / "m").string(), first = prefix + "-00000-of-00002",
                    second = prefix + "-00001-of-00002";
  for (const auto& [file, name] : {std::pair(first, "a"), {second, "b"}}) {
    CheckpointV1Writer writer(posix_file_system(), file);
    writer.add(name, kWeights);
    writer.finish();
  }
  const std::string other = (dir / "other").string();
  CHECK(contains(cairn_run({"inspect", second}).out, ": V1, 2 shards, 2 tensors"));
  REQUIRE(cairn_run({"copy", first, other}).status == 0);
  check_same_values(prefix, other);
  REQUIRE(cairn_run({"convert", second, (dir / "v2").string(), "--format", "v2"}).status == 0);
  check_same_values(prefix, (dir / "v2").string());
  std::filesystem::remove(second);
  for (const std::string& named : {prefix, first}) {
    const Finished inspect = cairn_run({"inspect", named});
    CHECK(inspect.status == 0);
    CHECK(contains(inspect.out, "\n1 of its files is missing"));
    CHECK(contains(cairn_run({"inspect", named, "--json"}).out, "\"missing_files\": 1"));
    for (const std::vector<std::string>& args :
         {std::vector<std::string>{"copy", named, (dir / "x").string()},
          {"convert", named, (dir / "x").string(), "--format", "v2"},
          {"rename", named, (dir / "x").string(), "--map", "a=c"},
          {"average", named, other, (dir / "x").string()},
          {"export", named, (dir / "x.npz").string()},
          {"diff", other, named}}) {
      INFO(args[0] << " " << named);
      const Finished run = cairn_run(args);
      CHECK(run.status == 1);
      CHECK(contains(run.err, "1 of its files is missing"));
    }
  }
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1 + 2 + 2);
}

TEST_CASE(
    "The command cairn copy gives the bytes of checkpoints that TensorFlow wrote, of one shard and "
    "of two, V1 and V2",
    "[tools][compat]") {
  const auto folder = fixtures();
  if (!folder) return skip("no fixtures (-Dfixtures=DIR)");
  for (const std::string name :
       {"softmax-tf112/521model.ckpt", "linear-ftrl-res-2shard-tf114/model.ckpt-5000",
        "softmax-v1-tf18/model.ckpt", "keras-object-2shard/model.ckpt",
        "tf-half-plus-two-v1shard/export-00000-of-00001"}) {
    CAPTURE(name);
    const TempDir dir;
    const auto source = *folder / name;
    REQUIRE(cairn_run({"copy", source.string(), (dir / source.filename()).string()}).status == 0);
    for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
      CHECK(read_bytes(entry.path()) == read_bytes(source.parent_path() / entry.path().filename()));
    }
  }
}

TEST_CASE(
    "The command cairn meta tells who wrote a graph, its saver, collections, ops and variables",
    "[tools][compat]") {
  const auto folder = fixture("softmax-tf112");
  if (!folder) return;
  const std::string prefix = (*folder / "521model.ckpt").string();
  const Finished text = cairn_run({"meta", prefix});
  CHECK(text.status == 0);
  CHECK(contains(text.out, "118 nodes, written by TensorFlow 1.12.0, producer 27"));
  CHECK(contains(
      text.out,
      "saver: save/Const:0, save/control_dependency:0, save/restore_all, V2, max_to_keep 5\n"));
  CHECK(contains(text.out, "  train_op:\n    GradientDescent\n"));
  CHECK(contains(text.out, "  3  MatMul\n"));
  CHECK(contains(text.out, "  Variable    float  [784,10]  trainable\n"));
  const Finished json = cairn_run({"meta", prefix + ".meta", "--ops", "--json"});
  CHECK(contains(json.out, "\"MatMul\": 3"));
  CHECK(!contains(json.out, "\"collections\""));
  CHECK(contains(cairn_run({"meta", prefix, "--text"}).out, "tensorflow_version: \"1.12.0\""));
  CHECK(contains(cairn_run({"meta", prefix, "--text", "--json"}).out,
                 "\"tensorflow_version\": \"1.12.0\""));
  CHECK(cairn_run({"meta", prefix, "--text", "--ops"}).status == 2);
}

TEST_CASE(
    "A checkpoint is named by its prefix, any of its files, its directory or the checkpoint file",
    "[tools]") {
  const TempDir dir;
  const std::string prefix = write_bundle(dir / "m");
  update_checkpoint_state(dir.path().string(), prefix);
  write_bytes(dir / "m.meta", "");
  const std::string expected = cairn_run({"inspect", prefix}).out;
  CHECK(contains(expected, "3 tensors"));
  for (const std::string name : {"m.index", "m.data-00000-of-00001", "m.meta", "checkpoint", "."}) {
    CAPTURE(name);
    CHECK(cairn_run({"inspect", (dir.path() / name).lexically_normal().string()}).out == expected);
    CHECK(cairn_run({"diff", prefix, name == "m.meta" ? prefix : (dir / name).string()}).status ==
          0);
  }
}

TEST_CASE(
    "The command cairn inspect --verify tells that it did, in JSON too, and --stats passes over "
    "text",
    "[tools]") {
  const TempDir dir;
  const std::string prefix = write_bundle(dir / "m");
  const Finished json = cairn_run({"inspect", prefix, "--verify", "--stats", "--json"});
  CHECK(json.status == 0);
  CHECK(contains(json.out, R"("name": "names", "dtype": "string", "shape": [2], "bytes": 4})"));
  CHECK(contains(json.out, R"("verified": true)"));
  CHECK(!contains(cairn_run({"inspect", prefix, "--json"}).out, "verified"));
}

TEST_CASE("The command cairn meta --ops marks ops that it cannot run and ops that touch files",
          "[tools]") {
  const TempDir dir;
  write_bytes(
      dir / "g.pbtxt",
      "node { name: 'f' op: 'Const' attr { key: 'dtype' value { type: DT_STRING } } attr { key: "
      "'value' "
      "value { tensor { dtype: DT_STRING tensor_shape {} string_val: '/etc/passwd' } } } }\n"
      "node { name: 'r' op: 'ReadFile' input: 'f' }\n"
      "node { name: 'm' op: 'Mystery' input: 'r' }\n");
  const Finished text = cairn_run({"meta", (dir / "g.pbtxt").string(), "--ops"});
  CAPTURE(text.err);
  CHECK(text.status == 0);
  CHECK(contains(text.out, "  1  Const\n  1  Mystery   (carried, not run)\n"));
  CHECK(contains(text.out, "  1  ReadFile"));
  CHECK(contains(text.out, "  (touches files)\n"));
  CHECK(!contains(text.out, "collections:"));
  const Finished json = cairn_run({"meta", (dir / "g.pbtxt").string(), "--ops", "--json"});
  CHECK(contains(json.out, R"("unknown_ops": ["Mystery")"));
  CHECK(contains(json.out, R"("file_ops": ["ReadFile"]})"));
}

TEST_CASE(
    "The command cairn meta shows collections alone where asked, and says what a file is that "
    "holds no graph",
    "[tools]") {
  const TempDir dir;
  Graph graph;
  graph.add_to_collection("outputs", placeholder(graph, DType::kFloat, {}, {.name = "x"}));
  export_meta_graph(graph, {.filename = (dir / "g.meta").string()});
  const Finished run = cairn_run({"meta", (dir / "g.meta").string(), "--collections"});
  CHECK(contains(run.out, "collections:\n  outputs:\n    x:0\n"));
  CHECK(!contains(run.out, "ops:"));
  CHECK(contains(cairn_run({"meta", (dir / "g.meta").string(), "--collections", "--json"}).out,
                 R"("collections": {"outputs": ["x:0"]}})"));
  write_bytes(dir / "weights.meta", "\x89HDF\r\n\x1a\n and more");
  const Finished wrong = cairn_run({"meta", (dir / "weights.meta").string()});
  CHECK(wrong.status == 1);
  CHECK(contains(wrong.err, "HDF5"));
  CHECK(wrong.out.empty());
}

TEST_CASE("Commands that are given no checkpoint say which ones are there", "[tools]") {
  const TempDir dir;
  const std::string e = (dir / "e").string();
  std::filesystem::create_directory(e);
  write_tensors(dir / "e/m-5", {{"w", Tensor(1.0f)}});
  const std::vector<std::tuple<std::string, std::string>> wrong = {
      {e + "/m", "; did you mean '" + e + "/m-5'?\n"},
      {e + "/m-6", "; did you mean '" + e + "/m-5'?\n"},
      {e + "/other", "; there is '" + e + "/m-5'\n"},
      {e + "/m.index", "; did you mean '" + e + "/m-5'?\n"},
      {(dir / "none/m").string(), "; there is no directory '" + (dir / "none").string() + "'\n"}};
  for (const auto& [given, says] : wrong) {
    for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
             {"inspect", given},
             {"copy", given, (dir / "to").string()},
             {"convert", given, (dir / "to").string(), "--format", "v1"},
             {"export", given, (dir / "to.npz").string()},
             {"rename", given, (dir / "to").string(), "--map", "a=b"},
             {"diff", given, given}}) {
      const Finished run = cairn_run(args);
      CAPTURE(args, run.err, says);
      CHECK(run.status == 1);
      CHECK(contains(run.err, says));
    }
  }
}

TEST_CASE("The command cairn copy and convert say what they wrote", "[tools]") {
  const TempDir dir;
  const std::string from = write_tensors(dir / "m", {{"w", Tensor(1.0f)}, {"b", Tensor(2.0f)}}),
                    v1 = (dir / "v1").string(), again = (dir / "again").string();
  CHECK(cairn_run({"convert", from, v1, "--format", "v1"}).out ==
        v1 + ": V1, 2 tensors, from " + from + ", V2\n");
  CHECK(cairn_run({"copy", v1, again}).out == again + ": V1, 2 tensors, from " + v1 + ", V1\n");
}

TEST_CASE(
    "The command cairn meta shows short text of a collection, and of other strings the length",
    "[tools]") {
  const TempDir dir;
  Graph graph;
  constant(graph, 1.0f);
  for (const std::string& item :
       {std::string("hello"), std::string("\n\x05hello"), std::string(81, 'a')})
    graph.add_to_collection("notes", item);
  write_bytes(dir / "g.meta", export_meta_graph(graph).bytes());
  const Finished text = cairn_run({"meta", (dir / "g.meta").string(), "--collections"});
  CHECK(contains(text.out, "  notes:\n    \"hello\"\n    7 bytes\n    81 bytes\n"));
}
