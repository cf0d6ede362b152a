// What a file says beyond what this build knows, and graphs as JSON.
#include <algorithm>

#include "ops/array/array.h"
#include "ops/math/matmul.h"
#include "ops/state/variables.h"
#include "persist/graph/convert.h"
#include "persist/graph/meta_graph.h"
#include "persist/graph/meta_graph_rep.h"
#include "persist/messages/message.h"
#include "persist/saver/saver.h"
#include "runtime/exec/session.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

using namespace cairn;

namespace {

// y = Neg(x) as a later TensorFlow might write it: with an attribute `rounding` whose default is
// "even". `value` is what y and z say of it.
std::string newer_graph(const std::string& value, bool described = true) {
  std::string text = R"(
    graph_def {
      node { name: "x" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } }
             attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { } float_val: 2 } } } }
      node { name: "y" op: "Neg" input: "x" attr { key: "T" value { type: DT_FLOAT } }
             attr { key: "rounding" value { s: "VALUE" } } attr { key: "_note" value { s: "fine" } } }
      node { name: "z" op: "Neg" input: "x" attr { key: "T" value { type: DT_FLOAT } }
             attr { key: "rounding" value { s: "VALUE" } } }
      versions { producer: 999 } }
    meta_info_def { stripped_op_list { DESCRIBED } })";
  const std::string op =
      R"(op { name: "Neg" input_arg { name: "x" type_attr: "T" } output_arg { name: "y" type_attr: "T" }
      attr { name: "T" type: "type" } attr { name: "rounding" type: "string" default_value { s: "even" } } })";
  const auto replace = [&](const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from))
      text.replace(at, from.size(), to);
  };
  replace("VALUE", value);
  replace("DESCRIBED", described ? op : "");
  return text;
}

ImportedMetaGraph import_text(Graph& graph, const std::string& text,
                              const ImportOptions& options = {}) {
  return import_meta_graph_def(graph, MetaGraph::parse(text, "new.meta"), options);
}

MetaGraph small() {
  Graph graph;
  const auto x = placeholder(graph, DType::kFloat, {-1, 3}, {.name = "x"});
  graph.add_to_collection("inputs", x);
  graph.add_to_collection("notes", std::string("\x00\xff", 2));
  graph.add_to_collection("rates", 0.1f);
  matmul(x, constant(graph, Tensor::matrix<float>({{0.1f}, {-0.0f}, {1e-30f}})), {.name = "y"});
  return export_meta_graph(graph);
}

}  // namespace

// ---- attributes of later versions ---------------------------------------------------------------

TEST_CASE("An attribute of a later version that says its default changes nothing",
          "[persist][meta]") {
  for (const bool strict : {false, true}) {
    Graph graph;
    const auto imported = import_text(graph, newer_graph("even"), {.strict = strict});
    CHECK(imported.carried_ops.empty());
    CHECK(Session(graph).run("y:0").scalar<float>() == -2);
    CHECK(export_meta_graph(graph).text().find("rounding") != std::string::npos);
  }
}

TEST_CASE(
    "A node with an attribute of a later version is carried, and named with it when it is to run",
    "[persist][meta]") {
  for (const bool described : {true, false}) {
    CAPTURE(described);
    Graph graph;
    import_text(graph, newer_graph("odd", described));
    CHECK(graph.find("y:0").dtype() == DType::kFloat);
    const Error error = error_of([&] { Session(graph).run({"y:0", "z:0"}); });
    CHECK(error.code() == Code::kUnimplemented);
    CHECK_THAT(
        error.what(),
        Catch::Contains("Neg (2 nodes, first 'y', with an attribute that this build's Neg does not "
                        "have: 'rounding' = 'odd')"));
    CHECK(export_meta_graph(graph).text().find("rounding") != std::string::npos);
  }
}

TEST_CASE("A strict import lists every unknown op and attribute, and changes nothing",
          "[persist][meta]") {
  Graph graph;
  std::string text = newer_graph("odd");
  text.insert(text.find("versions {"),
              R"(node { name: "n" op: "FromTheFuture" } node { name: "m" op: "FromTheFuture" } )");
  const Error error = error_of([&] { import_text(graph, text, {.strict = true}); });
  CHECK(error.code() == Code::kUnimplemented);
  CHECK_THAT(error.what(), Catch::Contains("producer version 999") &&
                               Catch::Contains("op FromTheFuture: 2 nodes") &&
                               Catch::Contains("attribute rounding of Neg: 2 nodes"));
  CHECK(graph.num_nodes() == 0);
  CHECK(graph.versions == GraphVersions());
  CHECK(import_text(graph, text).carried_ops == std::vector<std::string>{"FromTheFuture", "Neg"});
}

TEST_CASE("A file without a saver and variables gives no saver; with variables a new one",
          "[persist][meta]") {
  MemoryFileSystem fs;
  fs.set("plain.meta", small().bytes());
  Graph graph;
  CHECK(!import_meta_graph(graph, "plain.meta", {.file_system = &fs}));
  Graph with_variable;
  variable(with_variable, 1.0f, {.name = "v"});
  fs.set("v.meta", export_meta_graph(with_variable).bytes());
  Graph again;
  const Saver saver = import_meta_graph(again, "v.meta", {.import_scope = "s", .file_system = &fs});
  CHECK(saver.as_saver_def().restore_op_name == "save/restore_all");
}

TEST_CASE("Scopes stand in scopes", "[persist][meta]") {
  Graph graph, again;
  import_meta_graph_def(graph, small(), {.import_scope = "a/b"});
  CHECK(graph.find_op("a/b/y").input(0).name() == "a/b/x:0");
  import_meta_graph_def(again, export_meta_graph(graph), {.import_scope = "c"});
  CHECK(again.collection<Output>("inputs")[0].name() == "c/a/b/x:0");
  CHECK(export_meta_graph(again, {.export_scope = "c/a/b"}).rep().def.graph_def().node(0).name() ==
        "x");
}

// ---- JSON ---------------------------------------------------------------------------------------

TEST_CASE("A graph written as JSON reads as the one written in bytes", "[persist][meta][json]") {
  const MetaGraph meta = small();
  const MetaGraph again = MetaGraph::parse(meta.json(), "m.json");
  CHECK(again.bytes() == meta.bytes());
  MemoryFileSystem fs;
  Graph graph, from_file;
  import_meta_graph_def(graph, meta);
  export_meta_graph(graph, {.filename = "dir/m.json", .as_json = true, .file_system = &fs});
  CHECK(read_file(fs, "dir/m.json").starts_with("{"));
  import_meta_graph_def(from_file, "dir/m.json", {.file_system = &fs});
  CHECK(export_meta_graph(from_file).bytes() == export_meta_graph(graph).bytes());
}

TEST_CASE("JSON of a GraphDef and of a SavedModel is read too, in both spellings of names",
          "[persist][meta][json]") {
  CHECK(MetaGraph::parse(R"({"node": [{"name": "a", "op": "NoOp"}]})", "g").num_nodes() == 1);
  CHECK(MetaGraph::parse(R"( {"savedModelSchemaVersion": "1", "metaGraphs": [{"graphDef": {"node": [
      {"name": "a", "op": "Const", "attr": {"dtype": {"type": "DT_FLOAT"}}}]}}]})",
                         "s")
            .num_nodes() == 1);
}

TEST_CASE("An Any survives JSON, whatever is in it", "[persist][meta][json]") {
  pb::AssetFileDef asset;
  asset.set_filename("foo.txt");
  Graph graph;
  const std::vector<AnyItem> items = {
      {"type.googleapis.com/tensorflow.AssetFileDef", to_bytes(asset)},
      {"type.googleapis.com/tensorflow.AssetFileDef", from_hex("fa07 03 616263")},
      {"example.org/Mine", from_hex("ff00")},
      {"", "bytes"},
      {"", ""}};
  for (const AnyItem& item : items) graph.add_to_collection("any", item);
  const MetaGraph meta = export_meta_graph(graph);
  const std::string json = meta.json();
  CHECK_THAT(json, Catch::Contains("\"filename\": \"foo.txt\"") &&
                       Catch::Contains("type.googleapis.com/cairn.pb.OpaqueAny") &&
                       Catch::Contains("\"type_url\": \"example.org/Mine\"") &&
                       Catch::Contains("\"/wA=\""));
  Graph again;
  import_meta_graph_def(again, MetaGraph::parse(json, "m"));
  CHECK(again.collection<AnyItem>("any") == items);
}

TEST_CASE("Text or JSON, not both", "[persist][meta][json]") {
  CHECK(error_of([] { export_meta_graph(Graph(), {.as_text = true, .as_json = true}); }).code() ==
        Code::kInvalidArgument);
}

TEST_CASE("JSON that is no graph, or a damaged one, is refused with the reason",
          "[persist][meta][json][corruption]") {
  const std::pair<std::string, std::string> kFiles[] = {
      {R"({"a": 1})", "JSON"},
      {R"({})", "JSON"},
      {R"({"graph_def": {"node": [{"name": {}}]}})", "not a MetaGraphDef in JSON: "},
      {R"({"graph_def": {"node": [)", "not a MetaGraphDef in JSON: "},
      {R"({"node": 5})", "not a GraphDef in JSON: "}};
  for (const auto& [content, message] : kFiles) {
    CAPTURE(content);
    const Error error = error_of([&, &content = content] { MetaGraph::parse(content, "m.json"); });
    CHECK(error.code() == Code::kDataLoss);
    CHECK_THAT(error.what(), Catch::StartsWith("m.json: ") && Catch::Contains(message));
  }
}

TEST_CASE("JSON cut short anywhere is refused", "[persist][meta][json][corruption]") {
  const std::string whole = small().json();
  const size_t end = whole.rfind('}');
  for (size_t length = 1; length <= end; length += 7) {
    CHECK(error_of([&] { MetaGraph::parse(whole.substr(0, length), "cut"); }).code() ==
          Code::kDataLoss);
  }
}

TEST_CASE(
    "Numbers come back from JSON as they were, zeros of either sign and the smallest and greatest "
    "too",
    "[json]") {
  const std::vector<float> floats = {
      -0.0f, 0.0f,     1e-45f,    -1e-45f, 1.17549421e-38f, 3.40282347e38f, -3.40282347e38f,
      0.1f,  INFINITY, -INFINITY, NAN,     -10.0f,          100.0f};
  const std::vector<double> doubles = {-0.0, 0.0,      5e-324,    -5e-324, 1.7976931348623157e308,
                                       0.1,  INFINITY, -INFINITY, NAN,     -20.0};
  Graph graph;
  for (size_t i = 0; i < floats.size(); ++i) {
    constant(graph, floats[i], {.name = str_cat("f", i)});
    graph.add_to_collection("floats", floats[i]);
  }
  for (size_t i = 0; i < doubles.size(); ++i)
    constant(graph, Tensor(doubles[i]), {.name = str_cat("d", i)});
  constant(graph, Tensor::vector<float>(floats), {.name = "all"});
  constant(graph, Tensor("a -0, -0 \" : -0 "), {.name = "text"});
  constant(graph, Tensor::vector<int32_t>({0, -10, 0}), {.name = "numbers"});
  MemoryFileSystem fs;
  for (const bool json : {true, false}) {
    export_meta_graph(graph,
                      {.filename = "m", .as_text = !json, .as_json = json, .file_system = &fs});
    Graph back;
    import_meta_graph_def(back, "m", {.file_system = &fs});
    const auto same = [&](const std::string& name) {
      INFO(name << (json ? " as JSON" : " as text"));
      CHECK(bit_equal(back.static_value(back.find(name + ":0")),
                      graph.static_value(graph.find(name + ":0"))));
    };
    for (size_t i = 0; i < floats.size(); ++i) same(str_cat("f", i));
    for (size_t i = 0; i < doubles.size(); ++i) same(str_cat("d", i));
    for (const char* name : {"all", "text", "numbers"}) same(name);
    const std::vector<float> collected = back.collection<float>("floats");
    for (size_t i = 0; i < floats.size(); ++i)
      CHECK(bit_equal(Tensor(collected.at(i)), Tensor(floats[i])));
  }
}
