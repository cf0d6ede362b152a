// What differs between two graphs, and between two checkpoints.
#include "persist/extras/meta_graph_diff.h"

#include <cmath>
#include <limits>

#include "persist/checkpoint/bundle.h"
#include "persist/extras/checkpoint_diff.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

namespace cairn {
namespace {

using Strings = std::vector<std::string>;

MetaGraph meta(const std::string& text) { return MetaGraph::parse(text, "test"); }

Strings differences(const std::string& a, const std::string& b) {
  Strings texts;
  for (const MetaGraphDifference& d : diff_meta_graphs(meta(a), meta(b))) texts.push_back(d.str());
  return texts;
}

std::string graph(const std::string& nodes) { return "graph_def { " + nodes + " }"; }

const std::string kNode = "node { name: 'n' op: 'Const' } ";

Strings tensor_differences(const Tensor& a, const Tensor& b, double tolerance) {
  MemoryFileSystem fs;
  for (const auto& [name, tensor] : {std::pair("a", a), {"b", b}}) {
    BundleWriter writer(fs, name);
    writer.add("t", tensor);
    writer.finish();
  }
  Strings texts;
  const CheckpointReader one("a", &fs), other("b", &fs);
  for (const auto& d : diff_checkpoints(one, other, {.tolerance = tolerance}).differences)
    texts.push_back(d.str());
  return texts;
}

}  // namespace

TEST_CASE("Graphs differ in nodes, ops, devices, inputs and attributes", "[meta_diff]") {
  const std::string a = graph(
      "node { name: 'x' op: 'Placeholder' } node { name: 'gone' op: 'NoOp' }"
      "node { name: 'y' op: 'Identity' device: '/cpu:0' input: 'x' input: '^gone' "
      "attr { key: 'T' value { type: DT_FLOAT } } attr { key: 'a' value { i: 1 } } }");
  const std::string b = graph(
      "node { name: 'x' op: 'PlaceholderV2' } node { name: 'new' op: 'NoOp' }"
      "node { name: 'y' op: 'Identity' device: '/gpu:0' input: 'x:1' input: 'x' input: '^new' "
      "attr { key: 'T' value { type: DT_INT32 } } attr { key: 'b' value { s: 's' } } }");
  CHECK(differences(a, b) ==
        Strings{"node gone: only in A: NoOp", "node new: only in B: NoOp",
                "node x: op: Placeholder -> PlaceholderV2", "node y: device: /cpu:0 -> /gpu:0",
                "node y: input 0: x -> x:1", "node y: control input ^gone: only in A",
                "node y: attr T: DT_FLOAT -> DT_INT32", "node y: attr a: only in A: 1",
                "node y: input 1: only in B: x", "node y: control input ^new: only in B",
                "node y: attr b: only in B: 's'"});
  CHECK(differences(a, a) == Strings{});
}

TEST_CASE(
    "The order of nodes and control inputs, x for x:0 and the way a tensor is written are no "
    "differences",
    "[meta_diff]") {
  const std::string head =
      "node { name: 'x' op: 'NoOp' } node { name: 'c' op: 'Const' attr { key: 'value' value { ";
  const std::string a =
      graph("node { name: 'y' op: 'Id' input: 'x' input: '^c' input: '^x' } " + head +
            "tensor { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 1 } } } }");
  const std::string b = graph(head +
                              "tensor { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } "
                              "tensor_content: '\\000\\000\\200?\\000\\000\\200?' } } } } "
                              "node { name: 'y' op: 'Id' input: 'x:0' input: '^x' input: '^c' }");
  CHECK(differences(a, b) == Strings{});
  CHECK(meta_graph_listing(meta(a)) == meta_graph_listing(meta(b)));
}

TEST_CASE("Long tensors that differ in one bit anywhere differ, and say so by a checksum",
          "[meta_diff]") {
  const auto with = [](float last) {
    std::string values;
    for (int i = 0; i < 99; ++i) values += str_cat("float_val: ", i, " ");
    return graph(
        "node { name: 'c' op: 'Const' attr { key: 'value' value { tensor { dtype: DT_FLOAT "
        "tensor_shape { "
        "dim { size: 100 } } " +
        values + str_cat("float_val: ", last) + " } } } }");
  };
  CHECK(differences(with(1), with(1)) == Strings{});
  const auto found = diff_meta_graphs(meta(with(1)), meta(with(2)));
  REQUIRE(found.size() == 1);
  CHECK(found[0].what == "attr value");
  CHECK(*found[0].a != *found[0].b);
  CHECK(found[0].a->find("crc32c") != std::string::npos);
}

TEST_CASE("Graphs differ in collections: their items, kinds and order", "[meta_diff]") {
  const auto with = [](const std::string& items) {
    return graph(kNode) + "collection_def { key: 'c' value { " + items + " } }";
  };
  CHECK(differences(with("node_list { value: 'a' value: 'b' value: 'b' }"),
                    with("node_list { value: 'a' value: 'b' }")) ==
        Strings{"collection c: item b (2): only in A"});
  CHECK(differences(with("node_list { value: 'a' value: 'b' }"),
                    with("node_list { value: 'b' value: 'a' }")) ==
        Strings{"collection c: order: a and b -> b and a"});
  CHECK(differences(with("int64_list { value: 1 }"), with("float_list { value: 1 }")) ==
        Strings{"collection c: kind: int64_list -> float_list", "collection c: item 1: only in A",
                "collection c: item 1.0: only in B"});
  CHECK(differences(with("bytes_list { value: 'hello' value: '\\001' }"), graph(kNode)) ==
        Strings{"collection c: only in A: 2 items"});
}

TEST_CASE("Variables in collections are told by name and field", "[meta_diff]") {
  const auto with = [](const std::string& initializer) {
    // variable_name "v", initializer_name of one letter
    return graph(kNode) +
           "collection_def { key: 'variables' value { bytes_list { value: '\\n\\001v\\022\\001" +
           initializer + "' } } }";
  };
  CHECK(differences(with("i"), with("j")) ==
        Strings{"collection variables: item v: variable_name: \"v\" initializer_name: "
                "\"i\" -> variable_name: \"v\" initializer_name: \"j\""});
}

TEST_CASE(
    "Graphs differ in who wrote them, savers, versions, functions, signatures and op definitions",
    "[meta_diff]") {
  const std::string a =
      "meta_info_def { tensorflow_version: '1.4.0' stripped_op_list { op { name: 'A' } } tags: "
      "'serve' } "
      "graph_def { node { name: 'n' op: 'Const' } versions { producer: 24 } library { function { "
      "signature { name: 'f' "
      "} } } } saver_def { filename_tensor_name: 'save/Const:0' max_to_keep: 5 } "
      "signature_def { key: 's' value { method_name: 'm' } }";
  const std::string b =
      "meta_info_def { tensorflow_version: '1.8.0' stripped_op_list { op { name: 'A' is_stateful: "
      "true } } } "
      "graph_def { node { name: 'n' op: 'Const' } versions { producer: 26 } } "
      "saver_def { filename_tensor_name: 'save/Const:0' max_to_keep: 7 } "
      "signature_def { key: 's' value { method_name: 'n' } } asset_file_def { filename: "
      "'words.txt' }";
  CHECK(differences(a, b) ==
        Strings{"meta_info: tags: only in A: tags: \"serve\"",
                "meta_info: tensorflow_version: \"1.4.0\" -> \"1.8.0\"",
                "versions: producer: 24 -> 26", "saver: max_to_keep: 5 -> 7",
                "function f: only in A: signature { name: \"f\" }",
                "signature s: definition: method_name: \"m\" -> method_name: \"n\"",
                "asset words.txt: only in B: filename: \"words.txt\"",
                "op A: definition: name: \"A\" -> name: \"A\" is_stateful: true"});
}

TEST_CASE("Fields that this version does not know are compared by their bytes", "[meta_diff]") {
  const MetaGraph plain = meta(graph(kNode));
  const MetaGraph newer = MetaGraph::parse(plain.bytes() + std::string("\xfa\x07\x02hi"), "test");
  const auto found = diff_meta_graphs(plain, newer);
  REQUIRE(found.size() == 1);
  CHECK(found[0].str().starts_with("other: only in B: 5 bytes, crc32c "));
  CHECK(diff_meta_graphs(newer, newer).empty());
}

TEST_CASE("Numbers differ when a bit does, unless a tolerance is given", "[checkpoint_diff]") {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              inf = std::numeric_limits<float>::infinity();
  const Tensor a = Tensor::vector<float>({0.0f, nan, inf, 1});
  CHECK(tensor_differences(a, a, 0) == Strings{});
  const Tensor zero = Tensor::vector<float>({-0.0f, nan, inf, 1});
  CHECK(tensor_differences(a, zero, 0) ==
        Strings{"t: float [4]: 1 of 4 elements differ, at most by 0, relative 0, NaN 1 -> 1"});
  CHECK(tensor_differences(a, zero, 1e-9) == Strings{});
  const Tensor payload = Tensor::vector<float>({0.0f, -nan, inf, 1});
  CHECK(tensor_differences(a, payload, 0).size() == 1);
  CHECK(tensor_differences(a, payload, 1e-9) == Strings{});
  CHECK(tensor_differences(a, Tensor::vector<float>({0, 0, -inf, 1}), 1) ==
        Strings{"t: float [4]: 2 of 4 elements differ, at most by inf, relative 1, NaN 1 -> 0"});
}

TEST_CASE("Every dtype's elements are compared", "[checkpoint_diff]") {
  CHECK(tensor_differences(Tensor(int64_t{1} << 60), Tensor((int64_t{1} << 60) + 1), 0) ==
        Strings{"t: int64 []: 1 of 1 element differs, at most by 0, relative 0"});
  CHECK(tensor_differences(Tensor(Half(1.0f)), Tensor(Half(1.5f)), 0) ==
        Strings{"t: half []: 1 of 1 element differs, at most by 0.5, relative 0.333333"});
  CHECK(tensor_differences(Tensor(std::complex<double>(0, 3)), Tensor(std::complex<double>(4, 3)),
                           0) ==
        Strings{"t: complex128 []: 1 of 1 element differs, at most by 4, relative 0.8"});
  CHECK(tensor_differences(Tensor(true), Tensor(false), 0) ==
        Strings{"t: bool []: 1 of 1 element differs, at most by 1, relative 1"});
  MemoryFileSystem fs;
  BundleWriter(fs, "a").finish();
  const CheckpointReader none("a", &fs);
  CHECK(says(error_of([&] { diff_checkpoints(none, none, {.tolerance = -1}); }), "0 or more"));
  CHECK(says(error_of([&] { diff_checkpoints(none, none, {.tolerance = std::nan("")}); }),
             "0 or more"));
}

TEST_CASE(
    "Contexts of conditions and loops are compared by what they say, in whatever order a map or a "
    "set is written",
    "[meta_diff]") {
  // One context, whose map and whose set of values are written in one order and in the other.
  const std::string a =
      "\n\x01"
      "c*\x16\n\x01"
      "x\n\x01"
      "y\x12\x06\n\x01"
      "a\x12\x01"
      "1\x12\x06\n\x01"
      "b\x12\x01"
      "2";
  const std::string b =
      "\n\x01"
      "c*\x16\n\x01"
      "y\n\x01"
      "x\x12\x06\n\x01"
      "b\x12\x01"
      "2\x12\x06\n\x01"
      "a\x12\x01"
      "1";
  const std::string other =
      "\n\x01"
      "c*\x16\n\x01"
      "y\n\x01"
      "x\x12\x06\n\x01"
      "b\x12\x01"
      "2\x12\x06\n\x01"
      "a\x12\x01"
      "3";
  const auto collection = [](const std::string& bytes) {
    std::string escaped;
    for (const unsigned char c : bytes) escaped += str_cat("\\", c / 64, c / 8 % 8, c % 8);
    return "graph_def {} collection_def { key: 'cond_context' value { bytes_list { value: '" +
           escaped + "' } } }";
  };
  CHECK(differences(collection(a), collection(b)) == Strings{});
  CHECK(meta_graph_listing(meta(collection(a))) == meta_graph_listing(meta(collection(b))));
  CHECK(differences(collection(a), collection(other)).size() == 1);
}

TEST_CASE("Of long texts what differs is told", "[meta_diff]") {
  const auto function = [](const std::string& name) {
    return "graph_def { library { function { signature { name: 'f' description: '" +
           std::string(500, 'x') + name + std::string(300, 'y') + "' } } } }";
  };
  const Strings found = differences(function("left"), function("right"));
  REQUIRE(found.size() == 1);
  CHECK(found[0].find("xleftyyy") != std::string::npos);
  CHECK(found[0].find("xrightyyy") != std::string::npos);
  CHECK(found[0].size() < 600);
}

}  // namespace cairn
