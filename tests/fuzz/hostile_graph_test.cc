// Graphs of a stranger that are small as files and would be large, or never end, as what follows
// from them.
#include <chrono>

#include "ops/array/array.h"
#include "persist/catalog.h"
#include "persist/extras/meta_graph_diff.h"
#include "persist/graph/meta_graph.h"
#include "runtime/exec/session.h"
#include "runtime/graph/graph.h"
#include "tests/fuzz/heap.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

namespace cairn {
namespace {

ImportedNode node(std::string name, std::string op, std::vector<std::string> inputs, Attrs attrs) {
  return {.name = std::move(name),
          .op = std::move(op),
          .inputs = std::move(inputs),
          .attrs = std::move(attrs),
          .device = "",
          .unknown_fields = ""};
}
ImportedNode constant_node(std::string name, const Tensor& value) {
  return node(std::move(name), "Const", {}, {{"dtype", value.dtype()}, {"value", value}});
}

// Imports the nodes, which has to stay within what a file of that many nodes may cost.
void check_cost(const char* what, const std::vector<ImportedNode>& nodes) {
  INFO(what);
  const auto begin = std::chrono::steady_clock::now();
  const size_t heap = peak_heap_of([&] {
    Graph graph;
    try {
      graph.import_nodes(nodes, all_ops());
    } catch (const Error&) {
      // What cannot be, is refused.
    }
  });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  CHECK(heap < (size_t{64} << 20) + 2000 * nodes.size());
  // A generous bound: without one of its own such a graph takes minutes, or for ever.
  CHECK(seconds.count() < 10 + 1e-3 * static_cast<double>(nodes.size()));
}

// Nodes that ask for the value of `text` while they are imported: its shape follows from whether it
// is itself.
void ask_for_text(std::vector<ImportedNode>& nodes, const std::string& text) {
  nodes.push_back(node("same", "Equal", {text, text}, {{"T", DType::kString}}));
  nodes.push_back(
      node("number", "Cast", {"same"}, {{"SrcT", DType::kBool}, {"DstT", DType::kInt32}}));
  nodes.push_back(node("vector", "Pack", {"number"}, {{"T", DType::kInt32}, {"N", int64_t{1}}}));
  nodes.push_back(constant_node("zero", Tensor(0.0f)));
  nodes.push_back(node("filled", "Fill", {"vector", "zero"},
                       {{"T", DType::kFloat}, {"index_type", DType::kInt32}}));
}

// A chain of nodes that each make twice of what the one before made.
template <class Make>
std::vector<ImportedNode> doubling(const Tensor& first, int times, const Make& make) {
  std::vector<ImportedNode> nodes = {constant_node("n0", first)};
  for (int i = 1; i <= times; ++i)
    nodes.push_back(make("n" + std::to_string(i), "n" + std::to_string(i - 1)));
  return nodes;
}

}  // namespace

TEST_CASE("Chains of nodes that double what they are given cost little to import",
          "[fuzz][import]") {
  limit_heap(size_t{1} << 30);
  const Tensor word(std::string("0123456789abcdef"));
  auto joins = doubling(word, 40, [](const std::string& name, const std::string& from) {
    return node(name, "StringJoin", {from, from}, {{"N", int64_t{2}}});
  });
  ask_for_text(joins, "n40");
  check_cost("joins", joins);
  auto sums = doubling(word, 40, [](const std::string& name, const std::string& from) {
    return node(name, "Add", {from, from}, {{"T", DType::kString}});
  });
  ask_for_text(sums, "n40");
  check_cost("sums of strings", sums);
  const auto numbers = [](DType dtype) {
    return [dtype](const std::string& name, const std::string& from) {
      return node(name, "ConcatV2", {from, from, "axis"},
                  {{"N", int64_t{2}}, {"T", dtype}, {"Tidx", DType::kInt32}});
    };
  };
  auto concats = doubling(Tensor::vector<int32_t>({1, 2}), 60, numbers(DType::kInt32));
  concats.push_back(constant_node("axis", Tensor(0)));
  check_cost("concatenations", concats);
  auto tiles = doubling(Tensor::vector<int32_t>({1}), 60,
                        [](const std::string& name, const std::string& from) {
                          return node(name, "Tile", {from, "twice"},
                                      {{"T", DType::kInt32}, {"Tmultiples", DType::kInt32}});
                        });
  tiles.push_back(constant_node("twice", Tensor::vector<int32_t>({2})));
  check_cost("tiles", tiles);
}

TEST_CASE("Many nodes that each make much of little cost little to import", "[fuzz][import]") {
  const Tensor extents = Tensor::vector<int32_t>({1024});
  std::vector<ImportedNode> wide = {constant_node("dims", extents),
                                    constant_node("value", Tensor(int64_t{3}))};
  std::vector<ImportedNode> long_texts = {constant_node("dims", extents),
                                          constant_node("value", Tensor(std::string(60000, 'x')))};
  for (int i = 0; i < 20000; ++i) {
    const std::string n = std::to_string(i);
    wide.push_back(node("f" + n, "Fill", {"dims", "value"},
                        {{"T", DType::kInt64}, {"index_type", DType::kInt32}}));
    wide.push_back(node("r" + n, "Reshape", {"value", "f" + n},
                        {{"T", DType::kInt64}, {"Tshape", DType::kInt64}}));
  }
  check_cost("fills of numbers", wide);
  for (int i = 0; i < 200; ++i) {
    const std::string n = std::to_string(i);
    long_texts.push_back(node("f" + n, "Fill", {"dims", "value"},
                              {{"T", DType::kString}, {"index_type", DType::kInt32}}));
  }
  ask_for_text(long_texts, "f0");
  check_cost("fills of text", long_texts);
}

TEST_CASE("Nodes of very many outputs cost little to import", "[fuzz][import]") {
  constexpr int64_t kMany = 65536;
  std::vector<ImportedNode> unknown,
      splits = {constant_node("axis", Tensor(0)),
                constant_node("value", Tensor::zeros(DType::kFloat, {kMany}))};
  for (int i = 0; i < 200; ++i) {
    const std::string n = std::to_string(i);
    unknown.push_back(node("a" + n, "UnknownOp", {"b" + n + ":60000"}, {}));
    unknown.push_back(node("b" + n, "UnknownToo", {}, {}));
    splits.push_back(
        node("s" + n, "Split", {"axis", "value"}, {{"T", DType::kFloat}, {"num_split", kMany}}));
  }
  check_cost("outputs that only their use tells of", unknown);
  check_cost("outputs that an attribute tells of", splits);
  std::vector<ImportedNode> shapes = {
      node("x", "Placeholder", {},
           {{"dtype", DType::kFloat}, {"shape", Shape(std::vector<int64_t>(254, 1))}}),
      node("i", "Placeholder", {}, {{"dtype", DType::kInt32}, {"shape", Shape{1}}}),
      node("p", "DynamicPartition", {"x", "i"}, {{"T", DType::kFloat}, {"num_partitions", kMany}})};
  check_cost("outputs of long shapes", shapes);
  Graph graph;
  const Error error = error_of([&] { graph.import_nodes(splits, all_ops()); });
  CHECK(error.code() == Code::kResourceExhausted);
  CHECK(says(error, "Split 's4' has 65536"));
  CHECK(graph.num_nodes() == 0);
}

TEST_CASE("Constants of one value for all their elements cost little to look at",
          "[fuzz][import]") {
  const auto constant = [](const char* dtype, const char* extents, const std::string& value) {
    return str_cat(
        "node { name: 'c' op: 'Const' attr { key: 'dtype' value { type: ", dtype,
        " } } attr { key: 'value' value { tensor { dtype: ", dtype, " tensor_shape { ", extents,
        " } ", value,
        " } } } } node { name: 'y' op: 'Identity' input: 'c' attr { key: 'T' value { type: ", dtype,
        " } } }");
  };
  const std::string large = "dim { size: 268435456 }";
  for (const std::string& text : {constant("DT_FLOAT", large.c_str(), "float_val: 1"),
                                  constant("DT_FLOAT", large.c_str(), ""),
                                  constant("DT_STRING", large.c_str(), "string_val: 'abc'"),
                                  constant("DT_STRING", "dim { size: 100000 }",
                                           "string_val: '" + std::string(4000, 'a') + "'")}) {
    INFO(text.substr(0, 200));
    const auto begin = std::chrono::steady_clock::now();
    const size_t heap = peak_heap_of([&] {
      const MetaGraph meta = MetaGraph::parse(text, "g.pbtxt");
      Graph graph;
      const auto imported = import_meta_graph_def(graph, meta, {.look_only = true});
      CHECK(imported.carried_ops == std::vector<std::string>{"Const"});
      CHECK(graph.find_op("y").type() == "Identity");
      CHECK(export_meta_graph(graph).text().find("dim {") != std::string::npos);
      CHECK(says(error_of([&] { Session(graph).run("y:0"); }), "only to be looked at"));
      CHECK(meta_graph_listing(meta).find("node c") != std::string::npos);
      CHECK(diff_meta_graphs(meta, meta).empty());
    });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    CHECK(heap < (size_t{64} << 20) + 50 * text.size());
    CHECK(seconds.count() < 10);
  }
}

TEST_CASE("A deep nest of nodes is imported without depth on the stack", "[fuzz][import]") {
  std::vector<ImportedNode> nodes = {constant_node("n0", Tensor::vector<int32_t>({1}))};
  for (int i = 1; i < 30000; ++i) {
    const std::string from = "n" + std::to_string(i - 1);
    nodes.push_back(node("n" + std::to_string(i), "Neg", {from}, {{"T", DType::kInt32}}));
  }
  std::reverse(nodes.begin(), nodes.end());
  nodes.push_back(constant_node("value", Tensor(1.0f)));
  nodes.push_back(node("last", "Fill", {"n29999", "value"},
                       {{"T", DType::kFloat}, {"index_type", DType::kInt32}}));
  check_cost("a nest", nodes);
}

TEST_CASE("What is known of a graph is what it was: shapes, axes and short texts", "[import]") {
  Graph graph;
  const Output text = constant(graph, Tensor::vector<std::string>({"a", "bc"}));
  const Output twice = add_operation(graph, *all_ops().find("Add"), {text, text}, {}).output();
  CHECK(graph.static_value(twice).data<std::string>()[1] == "bcbc");
  const Output long_text = constant(graph, Tensor(std::string(40000, 'x')));
  const Output longer =
      add_operation(graph, *all_ops().find("Add"), {long_text, long_text}, {}).output();
  CHECK_FALSE(graph.static_value(longer).valid());
  Session session(graph);
  CHECK(session.run(longer).scalar<std::string>().size() == 80000);
}

}  // namespace cairn
