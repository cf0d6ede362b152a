// What has gone wrong in other readers of models: each advisory by its name, with bytes of our own
// that ask for it. Here all of them are an Error that says what is wrong, before memory is touched.
#include "cairn/checkpoint.pb.h"
#include "ops/array/array.h"
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/files/crc.h"
#include "persist/graph/meta_graph.h"
#include "persist/messages/message.h"
#include "persist/saver/save_restore_ops.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/table_bytes.h"

namespace cairn {
namespace {

using Entries = std::map<std::string, pb::BundleEntryProto>;

constexpr const char* kData = "m.data-00000-of-00001";

pb::BundleEntryProto entry_of(DType dtype, const std::vector<int64_t>& extents, int64_t offset,
                              int64_t size) {
  pb::BundleEntryProto entry;
  entry.set_dtype(static_cast<pb::DataType>(dtype));
  entry.mutable_shape();
  for (const int64_t extent : extents) entry.mutable_shape()->add_dim()->set_size(extent);
  entry.set_offset(offset);
  entry.set_size(size);
  return entry;
}

void add_slice(pb::BundleEntryProto& entry, int64_t start, int64_t length) {
  auto* extent = entry.add_slices()->add_extent();
  extent->set_start(start);
  extent->set_length(length);
}

std::string index_of(const Entries& entries) {
  pb::BundleHeaderProto header;
  header.set_num_shards(1);
  header.mutable_version()->set_producer(1);
  std::map<std::string, std::string> items = {{"", header.SerializeAsString()}};
  for (const auto& [key, entry] : entries) items[key] = entry.SerializeAsString();
  return table_of(items);
}

// Reading all of a bundle with these entries over a data file of 16 bytes, checksums right where
// they can be.
Error reading(Entries entries) {
  const std::string data(16, '\7');
  for (auto& [key, entry] : entries) {
    const auto offset = static_cast<uint64_t>(entry.offset()),
               size = static_cast<uint64_t>(entry.size());
    if (offset <= data.size() && size <= data.size() - offset)
      entry.set_crc32c(mask_crc(crc32c(data.substr(offset, size))));
  }
  MemoryFileSystem fs;
  fs.set("m.index", index_of(entries));
  fs.set(kData, data);
  return error_of([&] {
    const BundleReader reader(fs, "m");
    reader.verify();
    for (const std::string& name : reader.names()) reader.read(name);
  });
}

void check_damaged(const Error& error, const std::string& what) {
  CHECK(error.code() == Code::kDataLoss);
  CHECK_THAT(error.what(), Catch::Contains(what));
}

// What importing the nodes of a GraphDef in text comes to, and running `fetch`.
Error importing(const std::string& nodes, const std::string& fetch = "") {
  Graph graph;
  const Error error = error_of([&] {
    import_meta_graph_def(graph, MetaGraph::parse("graph_def {" + nodes + "}", "m.meta"));
    if (!fetch.empty()) Session(graph).run(fetch);
  });
  if (fetch.empty() && error.code() != Code::kOk) CHECK(graph.num_nodes() == 0);
  return error;
}

const std::string kConst =
    R"(node { name: "c" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { } float_val: 2 } } } })";
const std::string kFloat = R"(attr { key: "T" value { type: DT_FLOAT } })";

std::string const_of(const std::string& dtype, const std::string& tensor) {
  return "node { name: 'c' op: 'Const' attr { key: 'dtype' value { type: " + dtype +
         " } } attr { key: 'value' value { tensor { " + tensor + " } } } }";
}

}  // namespace

// ---- TensorFlow's four seeds for its checkpoint reader's fuzzer ---------------------------------

TEST_CASE("Advisory extent_end_overflow: a slice whose end is beyond 63 bits is refused",
          "[persist][advisories]") {
  auto entry = entry_of(DType::kFloat, {4}, 0, 0);
  add_slice(entry, INT64_MAX - 1, 4);
  check_damaged(reading({{"W", entry}}), "Invalid tensor shape: W");
}

TEST_CASE("Advisory missing_tensor_data: an entry whose bytes are not in the data file is refused",
          "[persist][advisories]") {
  check_damaged(reading({{"W", entry_of(DType::kFloat, {1000}, 0, 4000)}}),
                "go beyond the end of the file, 16");
  auto sliced = entry_of(DType::kFloat, {4}, 0, 0);
  add_slice(sliced, 0, 4);
  check_damaged(reading({{"W", sliced}}), "has no entry");
}

TEST_CASE("Advisory negative_extent_start: a slice that begins before its tensor is refused",
          "[persist][advisories]") {
  auto entry = entry_of(DType::kFloat, {4}, 0, 0);
  add_slice(entry, -3, 2);
  check_damaged(reading({{"W", entry}}), "Invalid tensor shape: W");
}

TEST_CASE("Advisory tensor_size_overflow: a shape whose size does not fit 64 bits is refused",
          "[persist][advisories]") {
  const int64_t big = int64_t{1} << 32;
  check_damaged(reading({{"W", entry_of(DType::kFloat, {big, big}, 0, 16)}}),
                "Invalid tensor shape: W");
  check_damaged(reading({{"W", entry_of(DType::kDouble, {big, big / 4}, 0, 16)}}),
                "Invalid size in bundle entry");
}

// ---- TensorFlow's advisories --------------------------------------------------------------------

TEST_CASE("TFSA-2018-004: a block handle whose end wraps around is refused",
          "[persist][advisories]") {
  for (const auto& [offset, size] : {std::pair{~uint64_t{0}, uint64_t{1}},
                                     {uint64_t{0}, ~uint64_t{0} - 4},
                                     {~uint64_t{0} - 4, ~uint64_t{0} - 4},
                                     {uint64_t{1} << 63, uint64_t{1} << 63}}) {
    MemoryFileSystem fs;
    fs.set("t", table_around(block_of(from_hex("00 01 01 61 62 00000000 01000000")),
                             index_entry(offset, size)));
    check_damaged(error_of([&] { TableReader(fs, "t"); }), "t: at offset");
  }
}

TEST_CASE("CVE-2021-41203: every number of a bundle's entry is held against the files",
          "[persist][advisories]") {
  for (const int64_t number : {int64_t{-1}, INT64_MIN, INT64_MAX, int64_t{17}}) {
    CAPTURE(number);
    CHECK(reading({{"W", entry_of(DType::kUInt8, {16}, number, 16)}}).code() == Code::kDataLoss);
    CHECK(reading({{"W", entry_of(DType::kUInt8, {16}, 0, number)}}).code() == Code::kDataLoss);
    CHECK(reading({{"W", entry_of(DType::kUInt8, {number}, 0, 16)}}).code() == Code::kDataLoss);
    CHECK(reading({{"W", entry_of(DType::kString, {number}, 0, 16)}}).code() == Code::kDataLoss);
  }
  for (const int32_t shard : {-1, 1, INT32_MAX, INT32_MIN}) {
    auto entry = entry_of(DType::kUInt8, {16}, 0, 16);
    entry.set_shard_id(shard);
    CHECK(reading({{"W", entry}}).code() == Code::kDataLoss);
  }
}

TEST_CASE("CVE-2021-37639: restoring an empty list of names is refused or empty",
          "[persist][advisories]") {
  MemoryFileSystem fs;
  BundleWriter(fs, "m").finish();
  Graph graph;
  const Output none = constant(graph, Tensor::zeros(DType::kString, {0}));
  const Output prefix = constant(graph, "m");
  const auto restore = [&](const Output& names, const Output& specs) {
    return error_of([&] {
      const OpDef& op = **std::find_if(save_restore_ops().begin(), save_restore_ops().end(),
                                       [](const OpDef* def) { return def->name == "RestoreV2"; });
      const Operation node = add_operation(graph, op, {prefix, names, specs},
                                           {{"dtypes", std::vector<DType>{DType::kFloat}}});
      Session(graph, {.file_system = &fs}).run(node.output());
    });
  };
  CHECK(restore(none, none).code() == Code::kInvalidArgument);
  CHECK(restore(prefix, prefix).code() == Code::kInvalidArgument);
  CHECK(error_of([&] {
          Session(graph, {.file_system = &fs}).run(restore_v1(none, "W", "", DType::kFloat));
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("CVE-2021-37648: a save whose lists differ in length writes nothing",
          "[persist][advisories]") {
  MemoryFileSystem fs;
  Graph graph;
  const Output w = constant(graph, 1.0f);
  const Error error = error_of([&] {
    Session(graph, {.file_system = &fs}).run(save_v2(constant(graph, "m"), {"a", "b"}, {""}, {w}));
  });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(fs.contents().empty());
}

TEST_CASE("CVE-2021-41197: a shape of too many elements is an error wherever it comes from",
          "[persist][advisories]") {
  const std::string huge = "tensor_shape { dim { size: 4294967296 } dim { size: 4294967296 } }";
  CHECK(importing(const_of("DT_FLOAT", "dtype: DT_FLOAT " + huge + " float_val: 1")).code() ==
        Code::kInvalidArgument);
  CHECK(error_of([] {
          Shape({int64_t{1} << 32, int64_t{1} << 32});
        }).code() == Code::kInvalidArgument);
}

TEST_CASE("CVE-2022-23571: a tensor of an impossible dtype is an error, with elements or without",
          "[persist][advisories]") {
  for (const char* shape : {"tensor_shape { }", "tensor_shape { dim { size: 0 } }"}) {
    for (const char* dtype : {"DT_INVALID", "DT_RESOURCE", "DT_VARIANT"}) {
      CAPTURE(shape, dtype);
      const std::string tensor = std::string("dtype: ") + dtype + " " + shape;
      CHECK(importing(const_of(dtype, tensor), "c:0").code() != Code::kOk);
    }
  }
}

TEST_CASE("CVE-2022-23564: a tensor of negative extents or of too few values is an error",
          "[persist][advisories]") {
  for (const char* shape :
       {"tensor_shape { dim { size: -1 } }", "tensor_shape { dim { size: -9 } }",
        "tensor_shape { unknown_rank: true }"}) {
    CAPTURE(shape);
    CHECK(importing(const_of("DT_FLOAT", std::string("dtype: DT_FLOAT float_val: 1 ") + shape))
              .code() == Code::kInvalidArgument);
  }
  CHECK(
      importing(const_of("DT_FLOAT",
                         "dtype: DT_FLOAT tensor_shape { dim { size: 2 } } tensor_content: 'abc'"))
          .code() == Code::kInvalidArgument);
}

TEST_CASE("CVE-2022-23588: a tensor of a reference dtype is an error", "[persist][advisories]") {
  CHECK(importing(const_of("DT_FLOAT_REF", "dtype: DT_FLOAT_REF tensor_shape { } float_val: 1"))
            .code() == Code::kInvalidArgument);
  check_damaged(reading({{"W", entry_of(make_ref(DType::kFloat), {4}, 0, 16)}}),
                "Invalid dtype of W: 101");
}

TEST_CASE(
    "CVE-2020-15206: a Const without a value is an error, and so is an op without its attributes",
    "[persist][advisories]") {
  CHECK(importing("node { name: 'c' op: 'Const' attr { key: 'dtype' value { type: DT_FLOAT } } }",
                  "c:0")
            .code() == Code::kInvalidArgument);
  CHECK(importing("node { name: 'c' op: 'Const' }", "c:0").code() == Code::kInvalidArgument);
  CHECK(importing("node { name: 'v' op: 'VariableV2' }", "v:0").code() == Code::kInvalidArgument);
  CHECK(importing("node { name: 'r' op: 'RestoreV2' }", "r:0").code() == Code::kInvalidArgument);
}

TEST_CASE("CVE-2020-15206: a checkpoint whose keys were renamed is told by the key that is missing",
          "[persist][advisories]") {
  MemoryFileSystem fs;
  BundleWriter writer(fs, "m");
  writer.add("V", Tensor(1.0f));
  writer.finish();
  Graph graph;
  const Output restored = restore_v2(constant(graph, "m"), {"W"}, {""}, {DType::kFloat})[0];
  const Error error = error_of([&] { Session(graph, {.file_system = &fs}).run(restored); });
  CHECK(error.code() == Code::kNotFound);
  CHECK_THAT(error.what(), Catch::Contains("Key W not found in checkpoint"));
}

TEST_CASE("CVE-2020-26271: an edge from an output that its node does not have is an error",
          "[persist][advisories]") {
  for (const char* input : {"c:1", "c:99", "c:4294967296", "c:-1", "c:99999999999999999999"}) {
    CAPTURE(input);
    CHECK(
        importing(kConst + "node { name: 'x' op: 'Identity' input: '" + input + "' " + kFloat + "}")
            .code() == Code::kInvalidArgument);
  }
  // Of an op that nobody describes as many outputs are taken to be there as are used, within
  // reason.
  CHECK(
      importing(
          "node { name: 'u' op: 'Unknown' } node { name: 'x' op: 'Unknown' input: 'u:2147483647' }")
          .code() == Code::kInvalidArgument);
}

TEST_CASE("A value fed for an op that nobody knows must be of the dtype that its readers expect",
          "[persist][advisories]") {
  const std::string indices =
      R"(node { name: 'i' op: 'Const' attr { key: 'dtype' value { type: DT_INT32 } }
    attr { key: 'value' value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 1 } } } })";
  const std::string gather = R"(node { name: 'x' op: 'Gather' input: 'u' input: 'i'
    attr { key: 'Tparams' value { type: DT_FLOAT } } attr { key: 'Tindices' value { type: DT_INT32 } } })";
  Graph graph;
  import_meta_graph_def(graph, MetaGraph::parse("graph_def { node { name: 'u' op: 'Unknown' } " +
                                                    indices + gather + "}",
                                                "m.meta"));
  Session session(graph);
  CHECK(session.run("x:0", {{"u:0", Tensor::vector<float>({1, 2})}}).scalar<float>() == 2);
  const Error error = error_of([&] {
    session.run("x:0", {{"u:0", Tensor::vector<int8_t>({1, 2})}});
  });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Catch::Contains("expects float, got int8"));
}

TEST_CASE("An attribute that an op does not allow is refused before its kernel sees it",
          "[persist][advisories]") {
  const std::string gather = R"(node { name: 'g' op: 'GatherV2' input: 'c' input: 'i' input: 'h'
    attr { key: 'Tparams' value { type: DT_FLOAT } } attr { key: 'Tindices' value { type: DT_INT32 } }
    attr { key: 'Taxis' value { type: DT_RESOURCE } } })";
  const std::string indices =
      R"(node { name: 'i' op: 'Const' attr { key: 'dtype' value { type: DT_INT32 } }
    attr { key: 'value' value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 0 } } } })";
  const std::string handle =
      R"(node { name: 'h' op: 'VarHandleOp' attr { key: 'dtype' value { type: DT_INT32 } }
    attr { key: 'shape' value { shape { } } } })";
  const std::string params =
      const_of("DT_FLOAT", "dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 1");
  const Error error = importing(params + indices + handle + gather, "g:0");
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Catch::Contains("attribute 'Taxis' is resource; allowed are"));
}

TEST_CASE("One variable under two nodes is of one dtype", "[persist][advisories]") {
  const auto variable = [](const std::string& name, const std::string& dtype) {
    return "node { name: '" + name +
           "' op: 'VariableV2' attr { key: 'dtype' value { type: " + dtype +
           " } } attr { key: 'shape' value { shape { } } } attr { key: 'shared_name' value { s: "
           "'v' } } }";
  };
  const Error error =
      importing(variable("a", "DT_FLOAT") + variable("b", "DT_INT8") + kConst +
                    "node { name: 'set' op: 'Assign' input: 'a' input: 'c' " + kFloat +
                    "} node { name: 'x' op: 'Identity' input: 'b' input: '^set' "
                    "attr { key: 'T' value { type: DT_INT8 } } }",
                "x:0");
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(),
             Catch::Contains("the variable 'v' is float elsewhere, and int8 here") ||
                 Catch::Contains("the variable 'v' is int8 elsewhere, and float here"));
}

TEST_CASE("CVE-2022-23577: an input that is not there is an error", "[persist][advisories]") {
  for (const char* input : {"d", "^d", "", "^", ":", ":0", "c:", "^c:0"}) {
    CAPTURE(input);
    CHECK(
        importing(kConst + "node { name: 'x' op: 'Identity' input: '" + input + "' " + kFloat + "}")
            .code() == Code::kInvalidArgument);
  }
}

TEST_CASE("CVE-2020-26266: memory that nobody wrote is zero, not what was there",
          "[persist][advisories]") {
  // One value stands for all of a constant; none for zeros.
  Graph graph;
  import_meta_graph_def(
      graph,
      MetaGraph::parse(
          "graph_def {" +
              const_of("DT_FLOAT", "dtype: DT_FLOAT tensor_shape { dim { size: 64 } }") + "}",
          "m.meta"));
  CHECK(bit_equal(Session(graph).run("c:0"), Tensor::zeros(DType::kFloat, {64})));
}

TEST_CASE("CVE-2021-41217: control flow that does not close is an error", "[persist][advisories]") {
  const std::string enter = "attr { key: 'frame_name' value { s: 'f' } }";
  CHECK(importing(kConst + "node { name: 'e' op: 'Enter' input: 'c' " + kFloat + enter + "}", "e:0")
            .code() != Code::kOk);
  CHECK(
      importing(kConst + "node { name: 'e' op: 'Exit' input: 'c' " + kFloat + "}", "e:0").code() !=
      Code::kOk);
  CHECK(importing(kConst + "node { name: 'n' op: 'NextIteration' input: 'n' " + kFloat + "}", "n:0")
            .code() != Code::kOk);
  CHECK(importing("node { name: 'm' op: 'Merge' attr { key: 'N' value { i: 0 } } " + kFloat + "}",
                  "m:0")
            .code() != Code::kOk);
}

TEST_CASE("CVE-2021-29591: nodes that wait for each other are an error", "[persist][advisories]") {
  const auto node = [](const std::string& name, const std::string& input) {
    return "node { name: '" + name + "' op: 'Identity' input: '" + input + "' " + kFloat + "}";
  };
  CHECK(importing(node("a", "a")).code() == Code::kInvalidArgument);
  CHECK(importing(node("a", "b") + node("b", "a")).code() == Code::kInvalidArgument);
  CHECK(importing(kConst + node("a", "c") + "node { name: 'n' op: 'NoOp' input: '^n' }").code() ==
        Code::kInvalidArgument);
}

TEST_CASE("CVE-2021-29591: a graph as deep as it is large takes no more stack",
          "[persist][advisories]") {
  constexpr int kDepth = 20000;
  std::string nodes = kConst, last = "c";
  for (int i = 0; i < kDepth; ++i) {
    const std::string name = str_cat("n", i);
    nodes += "node { name: '" + name + "' op: 'Identity' input: '" + last + "' " + kFloat + "}";
    last = name;
  }
  CHECK(importing(nodes, last + ":0").code() == Code::kOk);
}

TEST_CASE("CVE-2022-23594: nodes without names, of one name or of no op are errors",
          "[persist][advisories]") {
  CHECK(importing(kConst + kConst).code() == Code::kInvalidArgument);
  CHECK(importing("node { op: 'NoOp' }").code() == Code::kInvalidArgument);
  CHECK(importing("node { name: 'a b' op: 'NoOp' }").code() == Code::kInvalidArgument);
  CHECK(importing(kConst + "node { name: 'x' }", "x:0").code() != Code::kOk);
  CHECK(importing(kConst + "node { name: 'x' op: 'Identity' }").code() == Code::kInvalidArgument);
  CHECK(importing(kConst + "node { name: 'x' op: 'Identity' input: 'c' input: 'c' " + kFloat + "}")
            .code() == Code::kInvalidArgument);
  CHECK(
      importing(
          kConst +
          "node { name: 'x' op: 'Identity' input: 'c' attr { key: 'T' value { type: DT_INT64 } } }")
          .code() == Code::kInvalidArgument);
}

// ---- what readers of GGUF and safetensors took on trust -----------------------------------------

TEST_CASE("GGUF: a few bytes that claim gigabytes take none", "[persist][advisories]") {
  // A length, a count, a shape and a compressed block.
  check_damaged(reading({{"W", entry_of(DType::kFloat, {int64_t{1} << 34}, 0, int64_t{1} << 36)}}),
                "beyond the end");
  check_damaged(reading({{"W", entry_of(DType::kString, {int64_t{1} << 34}, 0, 16)}}),
                "Invalid size in bundle entry");
  CHECK(
      importing(const_of("DT_FLOAT",
                         "dtype: DT_FLOAT tensor_shape { dim { size: 17179869184 } } float_val: 1"))
          .code() != Code::kOk);
  MemoryFileSystem fs;
  const std::string block = block_of(from_hex("ffffffff0f 00"), 1);
  fs.set("t", table_around(block, index_entry(0, block.size() - 5)));
  check_damaged(error_of([&] { TableReader(fs, "t"); }), "corrupted compressed block");
}

TEST_CASE("GGUF: more dimensions than any tensor has are refused by a check that every build makes",
          "[persist][advisories]") {
  check_damaged(reading({{"W", entry_of(DType::kFloat, std::vector<int64_t>(300, 1), 0, 4)}}),
                "Invalid tensor shape: W");
}

TEST_CASE("Safetensors: a key that appears twice is refused", "[persist][advisories]") {
  MemoryFileSystem fs;
  fs.set("m.index",
         table_around(block_of(from_hex("00 00 00  00 01 00 57  00 01 00 57  00000000 01000000")),
                      index_entry(0, 19)));
  check_damaged(error_of([&] { BundleReader(fs, "m"); }), "keys do not increase");
}

TEST_CASE("Safetensors: tensors that share bytes are refused", "[persist][advisories]") {
  check_damaged(reading({{"V", entry_of(DType::kFloat, {2}, 0, 8)},
                         {"W", entry_of(DType::kFloat, {2}, 4, 8)}}),
                "its bytes overlap those of V");
}

TEST_CASE("Safetensors: a range outside the file is refused though its length fits",
          "[persist][advisories]") {
  check_damaged(reading({{"W", entry_of(DType::kFloat, {4}, 8, 16)}}),
                "go beyond the end of the file, 16");
  check_damaged(reading({{"W", entry_of(DType::kFloat, {4}, INT64_MAX - 7, 16)}}),
                "go beyond the end of the file");
}

TEST_CASE("Safetensors: bytes of the data file that no tensor has do no harm",
          "[persist][advisories]") {
  // As TensorFlow: what an interrupted or merged save left between tensors is not read.
  CHECK(reading(
            {{"V", entry_of(DType::kFloat, {1}, 0, 4)}, {"W", entry_of(DType::kFloat, {1}, 8, 4)}})
            .code() == Code::kOk);
}

TEST_CASE("Safetensors: a slice that its tensor lists twice is refused", "[persist][advisories]") {
  auto whole = entry_of(DType::kFloat, {4}, 0, 0);
  add_slice(whole, 0, 2);
  add_slice(whole, 0, 2);
  const auto piece = entry_of(DType::kFloat, {2}, 0, 8);
  check_damaged(reading({{"W", whole}, {slice_key("W", TensorSlice::parse("0,2")), piece}}),
                "overlap");
}

}  // namespace cairn
