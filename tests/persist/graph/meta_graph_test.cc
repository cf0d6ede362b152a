// Graphs as files: options of export and import, what is carried, what is refused.
#include "persist/graph/meta_graph.h"

#include <algorithm>
#include <cerrno>

#include "ops/array/array.h"
#include "ops/math/matmul.h"
#include "persist/graph/convert.h"
#include "persist/graph/meta_graph_rep.h"
#include "persist/messages/message.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"
#include "tests/support/small_model.h"

using namespace cairn;

namespace {

// y = x · W under a device, with a collection.
void build(Graph& graph) {
  const auto x = placeholder(graph, DType::kFloat, {-1, 3}, {.name = "x"});
  const auto device = graph.device("/device:CPU:0");
  const auto w = constant(graph, Tensor::matrix<float>({{1, 2}, {3, 4}, {5, 6}}), {.name = "W"});
  const auto y = matmul(x, w, {.name = "y"});
  graph.add_to_collection("train_var", x);
  graph.add_to_collection("train_var", y);
  graph.add_to_collection("notes", std::string("made here"));
}

const pb::MetaGraphDef& message(const MetaGraph& meta) { return meta.rep().def; }
pb::MetaGraphDef copy_of(const MetaGraph& meta) { return meta.rep().def; }

std::vector<std::string> node_names(const pb::MetaGraphDef& meta) {
  std::vector<std::string> names;
  for (const auto& node : meta.graph_def().node()) names.push_back(node.name());
  return names;
}

ImportedMetaGraph import_text(Graph& graph, const std::string& text,
                              const ImportOptions& options = {}) {
  return import_meta_graph_def(graph, MetaGraph::parse(text, "text"), options);
}

const char* const kOdd = R"(
  meta_info_def { meta_graph_version: "v7" tags: "serve" tensorflow_version: "1.15.0"
    stripped_op_list { op { name: "Odd" input_arg { name: "x" type: DT_FLOAT } output_arg { name: "y" type: DT_FLOAT }
                            output_arg { name: "z" type: DT_INT64 } summary: "Odd." is_stateful: true } } }
  graph_def {
    node { name: "c" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } }
           attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { } float_val: 2 } } } }
    node { name: "odd" op: "Odd" input: "c" device: "/gpu:0" attr { key: "mode" value { placeholder: "p" } } }
    node { name: "more" op: "NobodyKnows" input: "odd:1" input: "^c" input: "^odd" }
    node { name: "last" op: "NobodyKnows" input: "more:2" }
    versions { producer: 134 min_consumer: 12 bad_consumers: 99 } }
  collection_def { key: "empty" value { } }
  collection_def { key: "no_names" value { node_list { } } }
  signature_def { key: "predict" value { inputs { key: "in" value { name: "c:0" dtype: DT_FLOAT } } method_name: "m" } }
  asset_file_def { filename: "words.txt" tensor_info { name: "c:0" } })";

}  // namespace

// ---- export -------------------------------------------------------------------------------------

TEST_CASE("A graph written down and read again is the same graph", "[persist][meta]") {
  MemoryFileSystem fs;
  Graph graph, again;
  build(graph);
  export_meta_graph(graph, {.filename = "run/deep/model.meta", .file_system = &fs});
  const auto imported = import_meta_graph_def(again, "run/deep/model.meta", {.file_system = &fs});
  CHECK(imported.tensorflow_version == "1.12.0");
  CHECK(!imported.saver_def);
  CHECK(imported.carried_ops.empty());
  const auto vars = again.collection<Output>("train_var");
  REQUIRE(vars.size() == 2);
  CHECK(vars[0].name() == "x:0");
  CHECK(vars[1].shape() == Shape{-1, 2});
  CHECK(bit_equal(again.static_value(again.find("W:0")), graph.static_value(graph.find("W:0"))));
  CHECK(again.versions == graph.versions);
  CHECK(export_meta_graph(again).bytes() == export_meta_graph(graph).bytes());
}

TEST_CASE("Every node is written with the shapes of its outputs", "[persist][meta]") {
  Graph graph;
  build(graph);
  const auto meta = export_meta_graph(graph);
  const auto& y = message(meta).graph_def().node(2);
  CHECK(to_line(y.attr().at("_output_shapes").list()) ==
        "shape { dim { size: -1 } dim { size: 2 } }");
  CHECK(y.device() == "/device:CPU:0");
}

TEST_CASE("The definitions of the ops used are written in order of name", "[persist][meta]") {
  Graph graph;
  build(graph);
  const auto meta = export_meta_graph(graph);
  std::vector<std::string> names;
  for (const auto& op : message(meta).meta_info_def().stripped_op_list().op())
    names.push_back(op.name());
  CHECK(names == std::vector<std::string>{"Const", "MatMul", "Placeholder"});
}

TEST_CASE("Control inputs of nodes made here are written in order of name", "[persist][meta]") {
  Graph graph;
  std::vector<Operation> ops;
  for (const char* name : {"b_2", "b_10", "a"})
    ops.push_back(constant(graph, Tensor(1.0f), {.name = name}).op());
  const auto scope = graph.control_dependencies(ops);
  constant(graph, Tensor(2.0f), {.name = "waits"});
  const auto meta = export_meta_graph(graph);
  const auto& node = message(meta).graph_def().node(3);
  CHECK(std::vector<std::string>(node.input().begin(), node.input().end()) ==
        std::vector<std::string>{"^a", "^b_10", "^b_2"});
}

TEST_CASE("Only the collections asked for are written", "[persist][meta]") {
  Graph graph;
  build(graph);
  const auto meta = export_meta_graph(graph, {.collection_list = {{"train_var"}}});
  CHECK(message(meta).collection_def().size() == 1);
  CHECK(message(meta).collection_def().at("train_var").node_list().value(1) == "y:0");
  CHECK(message(export_meta_graph(graph, {.collection_list = std::vector<std::string>{}}))
            .collection_def()
            .empty());
}

TEST_CASE("A collection that is asked for and not there is named, with the nearest",
          "[persist][meta]") {
  Graph graph;
  build(graph);
  const Error error =
      error_of([&] { export_meta_graph(graph, {.collection_list = {{"train_vars"}}}); });
  CHECK(error.code() == Code::kNotFound);
  CHECK_THAT(error.what(),
             Catch::Contains("no collection 'train_vars' in the graph; did you mean train_var?"));
}

TEST_CASE("A graph written as text reads as the one written in bytes", "[persist][meta]") {
  MemoryFileSystem fs;
  Graph graph;
  build(graph);
  const auto meta =
      export_meta_graph(graph, {.filename = "m.json", .as_text = true, .file_system = &fs});
  CHECK(read_file(fs, "m.json").substr(0, 15) == "meta_info_def {");
  CHECK(MetaGraph::read("m.json", {.file_system = &fs}).bytes() == meta.bytes());
}

TEST_CASE("Devices are dropped on request, at export and at import", "[persist][meta]") {
  Graph graph, again;
  build(graph);
  CHECK(message(export_meta_graph(graph, {.clear_devices = true}))
            .graph_def()
            .node(2)
            .device()
            .empty());
  import_meta_graph_def(again, export_meta_graph(graph), {.clear_devices = true});
  CHECK(again.find_op("y").node().device.empty());
}

TEST_CASE("Attributes that say the default are stripped on request, and are as before when read",
          "[persist][meta]") {
  Graph graph, again;
  build(graph);
  const auto meta = export_meta_graph(graph, {.strip_default_attrs = true});
  CHECK(message(meta).meta_info_def().stripped_default_attrs());
  const auto& y = message(meta).graph_def().node(2);
  CHECK(y.attr().count("transpose_a") == 0);
  CHECK(y.attr().count("T") == 1);
  import_meta_graph_def(again, meta);
  CHECK(!again.find_op("y").flag("transpose_a"));
}

TEST_CASE("A failed write leaves the old file", "[persist][meta]") {
  MemoryFileSystem fs;
  fs.set("m.meta", "old");
  Graph graph;
  build(graph);
  FaultyFileSystem faulty(fs, 2, ENOSPC, FaultyFileSystem::kForever);
  CHECK_THROWS_AS(export_meta_graph(graph, {.filename = "m.meta", .file_system = &faulty}), Error);
  CHECK(read_file(fs, "m.meta") == "old");
}

TEST_CASE("A scope is cut out with its collections, and its outer inputs are bound at import",
          "[persist][meta]") {
  Graph graph;
  const auto x = placeholder(graph, DType::kFloat, {-1, 3}, {.name = "x"});
  {
    const auto scope = graph.name_scope("hidden1");
    const auto w = constant(graph, Tensor::zeros(DType::kFloat, {3, 2}), {.name = "W"});
    graph.add_to_collection("out", matmul(x, w, {.name = "y"}));
  }
  constant(graph, Tensor(1.0f), {.name = "hidden10"});
  graph.add_to_collection("out", x);
  const auto meta = export_meta_graph(graph, {.export_scope = "hidden1"});
  CHECK(node_names(message(meta)) == std::vector<std::string>{"W", "y"});
  CHECK(message(meta).graph_def().node(1).input(0) == "$unbound_inputs_x");
  CHECK(to_line(message(meta).collection_def().at("out")) == R"(node_list { value: "y:0" })");

  Graph other;
  const auto images = placeholder(other, DType::kFloat, {-1, 3}, {.name = "images"});
  const Error error = error_of([&] { import_meta_graph_def(other, meta); });
  CHECK_THAT(error.what(),
             Catch::Contains("unbound inputs, which input_map must provide: $unbound_inputs_x"));
  import_meta_graph_def(other, meta,
                        {.import_scope = "h", .input_map = {{"$unbound_inputs_x:0", images}}});
  CHECK(other.find_op("h/y").input(0) == images);
  CHECK(other.collection_keys() == std::vector<std::string>{"out"});
}

TEST_CASE("Cutting out a scope without nodes is refused", "[persist][meta]") {
  Graph graph;
  build(graph);
  CHECK(error_of([&] { export_meta_graph(graph, {.export_scope = "nowhere"}); }).code() ==
        Code::kNotFound);
}

TEST_CASE("Nodes of other savers are dropped on request", "[persist][meta]") {
  const std::string text = R"(
    node { name: "a" op: "Const" attr { key: "dtype" value { type: DT_STRING } }
           attr { key: "value" value { tensor { dtype: DT_STRING tensor_shape { } string_val: "model" } } } }
    node { name: "save/SaveV2" op: "SaveSlicesOfCairn" input: "^a" }
    node { name: "save_1/Const" op: "Identity" input: "a" attr { key: "T" value { type: DT_STRING } } }
    node { name: "save_1/restore_all" op: "NoOp" input: "^a" }
    node { name: "save_2/RestoreV2" op: "RestoreV2" input: ["a", "a", "a"]
           attr { key: "dtypes" value { list { type: DT_STRING } } } }
    node { name: "save_2/parts/all" op: "NoOp" }
    node { name: "save_1/SaveV2" op: "SaveV2" input: ["a", "a", "a", "a"]
           attr { key: "dtypes" value { list { type: DT_STRING } } } })";
  Graph graph;
  import_meta_graph_def(graph, MetaGraph::parse(text, "text"));
  SaverDef saver;
  saver.save_tensor_name = "save_1/control_dependency:0";
  saver.restore_op_name = "save_1/restore_all";
  graph.add_to_collection(GraphKeys::kSavers, std::string("of before"));
  const auto meta = export_meta_graph(graph, {.saver_def = saver, .clear_extraneous_savers = true});
  CHECK(node_names(message(meta)) == std::vector<std::string>{"a", "save/SaveV2", "save_1/Const",
                                                              "save_1/restore_all",
                                                              "save_1/SaveV2"});
  CHECK(message(meta).collection_def().at("savers").bytes_list().value(0) ==
        to_bytes(to_proto(saver)));
}

// ---- import -------------------------------------------------------------------------------------

TEST_CASE("What Cairn does not know is carried from file to file", "[persist][meta]") {
  Graph graph;
  pb::MetaGraphDef original = copy_of(MetaGraph::parse(kOdd, "odd"));
  const std::string unknown = from_hex("fa07 03 616263");
  add_unknown_fields(original, unknown);
  add_unknown_fields(*original.mutable_meta_info_def(), unknown);
  add_unknown_fields(*original.mutable_graph_def(), unknown);
  add_unknown_fields(*original.mutable_graph_def()->mutable_versions(), unknown);
  add_unknown_fields(*original.mutable_graph_def()->mutable_node(1), unknown);
  add_unknown_fields((*original.mutable_collection_def())["empty"], unknown);
  const auto imported = import_meta_graph_def(graph, MetaGraph::parse(to_bytes(original), "odd"));
  CHECK(imported.carried_ops == std::vector<std::string>{"NobodyKnows", "Odd"});
  CHECK(graph.find_op("odd").num_outputs() == 2);
  CHECK(graph.find_op("more").num_outputs() == 3);

  pb::MetaGraphDef written = copy_of(export_meta_graph(graph));
  for (auto& node : *written.mutable_graph_def()->mutable_node())
    node.mutable_attr()->erase("_output_shapes");
  const auto of_ours = [](const pb::OpDef& op) { return op.name() == "Const"; };
  auto& ops = *written.mutable_meta_info_def()->mutable_stripped_op_list()->mutable_op();
  ops.erase(std::remove_if(ops.begin(), ops.end(), of_ours), ops.end());
  for (auto* meta : {&original, &written}) {
    meta->mutable_meta_info_def()->clear_tensorflow_version();
    meta->mutable_meta_info_def()->clear_tensorflow_git_version();
  }
  CHECK(to_line(original) == to_line(written));
  CHECK(same_message(original, written));
}

TEST_CASE("Functions of a file are carried, and two of one name are refused", "[persist][meta]") {
  const std::string text = R"(graph_def { node { name: "n" op: "NoOp" } library { function {
      signature { name: "f" } node_def { name: "inner" op: "Placeholder" } } } })";
  Graph graph;
  import_text(graph, text);
  const auto meta = export_meta_graph(graph);
  CHECK(message(meta).graph_def().library().function(0).node_def(0).name() == "inner");
  import_text(graph, text, {.import_scope = "twin"});
  CHECK(message(export_meta_graph(graph)).graph_def().library().function_size() == 1);
  std::string other = text;
  other.replace(other.find("inner"), 5, "other");
  CHECK(error_of([&] { import_text(graph, other, {.import_scope = "third"}); }).code() ==
        Code::kAlreadyExists);
}

TEST_CASE("A reset() drops all carried definitions", "[persist][meta]") {
  Graph graph;
  import_text(graph, kOdd);
  graph.reset();
  const auto meta = export_meta_graph(graph);
  CHECK(message(meta).signature_def().empty());
  CHECK(message(meta).graph_def().node_size() == 0);
}

TEST_CASE("Importing names that the graph has already fails, lists them and changes nothing",
          "[persist][meta]") {
  Graph graph;
  build(graph);
  const std::string before = export_meta_graph(graph).bytes();
  const Error error =
      error_of([&] { import_meta_graph_def(graph, MetaGraph::parse(before, "twice.meta")); });
  CHECK(error.code() == Code::kAlreadyExists);
  CHECK_THAT(
      error.what(),
      Catch::Contains("twice.meta: 3 of its 3 nodes have names that the graph has already: x, W") &&
          Catch::Contains(".import_scope"));
  CHECK(export_meta_graph(graph).bytes() == before);
}

TEST_CASE("An import that fails leaves versions, functions and collections alone",
          "[persist][meta]") {
  Graph graph;
  build(graph);
  const std::string before = export_meta_graph(graph).bytes();
  CHECK_THROWS_AS(import_text(graph, R"(graph_def { node { name: "n" op: "NoOp" input: "^gone" }
                                        versions { producer: 5 } library { function { signature { name: "f" } } } }
                                        collection_def { key: "k" value { int64_list { value: 1 } } })"),
                  Error);
  CHECK(export_meta_graph(graph).bytes() == before);
}

TEST_CASE("A scope is made unique, and savers, variables and contexts follow it",
          "[persist][meta]") {
  pb::VariableDef variable;
  variable.set_variable_name("c:0");
  variable.set_initializer_name("c");
  variable.set_snapshot_name("c:0");
  pb::MetaGraphDef meta = copy_of(MetaGraph::parse(kOdd, "odd"));
  meta.mutable_saver_def()->set_save_tensor_name("c:0");
  (*meta.mutable_collection_def())["variables"].mutable_bytes_list()->add_value(to_bytes(variable));
  (*meta.mutable_graph_def()->mutable_node(1)->mutable_attr())["_class"].mutable_list()->add_s(
      "loc:@c");
  const MetaGraph file = MetaGraph::parse(to_bytes(meta), "odd");
  Graph graph;
  CHECK(import_meta_graph_def(graph, file, {.import_scope = "s"}).scope == "s");
  const auto second = import_meta_graph_def(graph, file, {.import_scope = "s/"});
  CHECK(second.scope == "s_1");
  CHECK(second.saver_def->save_tensor_name == "s_1/c:0");
  CHECK(graph.variables().at(1).name() == "s_1/c");
  CHECK(graph.find_op("s_1/more").control_inputs().at(1).name() == "s_1/odd");
  CHECK(graph.find_op("s_1/odd").attrs().strings("_class").at(0) == "loc:@s_1/c");
  const auto written = export_meta_graph(graph);
  CHECK(message(written).signature_def().at("predict").inputs().at("in").name() == "s_1/c:0");
}

TEST_CASE("Inputs are replaced by tensors of the graph", "[persist][meta]") {
  Graph graph, file;
  build(file);
  const auto mine = placeholder(graph, DType::kFloat, {7, 3}, {.name = "mine"});
  import_meta_graph_def(graph, export_meta_graph(file),
                        {.import_scope = "net", .input_map = {{"x", mine}}});
  CHECK(graph.find_op("net/y").input(0) == mine);
  CHECK(graph.find("net/y:0").shape() == Shape{7, 2});
  const Error error = error_of([&] {
    import_meta_graph_def(graph, export_meta_graph(file),
                          {.import_scope = "n2", .input_map = {{"z:0", mine}}});
  });
  CHECK_THAT(error.what(), Catch::Contains("input_map names inputs that no node has: z:0"));
}

TEST_CASE("Versions of a file are the graph's, and of two files the stricter ones",
          "[persist][meta]") {
  Graph graph;
  import_text(
      graph,
      "graph_def { node { name: 'a' op: 'NoOp' } versions { producer: 24 min_consumer: 12 } }");
  CHECK(graph.versions.producer == 24);
  import_text(
      graph,
      "graph_def { node { name: 'b' op: 'NoOp' } versions { producer: 21 bad_consumers: 9 } }");
  CHECK(graph.versions == GraphVersions{.producer = 21, .min_consumer = 12, .bad_consumers = {9}});
}

TEST_CASE("The version of the oldest files is the producer's", "[persist][meta]") {
  Graph graph;
  import_text(graph, "graph_def { node { name: 'a' op: 'NoOp' } version: 4 }");
  CHECK(graph.versions.producer == 4);
  CHECK(message(export_meta_graph(graph)).graph_def().versions().producer() == 4);
}

TEST_CASE("A GraphDef is imported under the scope import unless told otherwise",
          "[persist][meta]") {
  MemoryFileSystem fs;
  Graph graph, again;
  build(graph);
  fs.set("frozen.pb", as_graph_def(graph));
  CHECK(import_graph_def(again, "frozen.pb", {.file_system = &fs}).at(0).name() == "import/x");
  CHECK(import_graph_def(again, "frozen.pb", {.name = "", .file_system = &fs}).at(2).name() == "y");
  CHECK(again.collection_keys().empty());
}

TEST_CASE("Of a SavedModel the graph with the tags asked for is read", "[persist][meta]") {
  const std::string text = R"(saved_model_schema_version: 1
    meta_graphs { meta_info_def { tags: "serve" } graph_def { node { name: "a" op: "NoOp" } } }
    meta_graphs { meta_info_def { tags: "train" tags: "gpu" }
                  graph_def { node { name: "a" op: "NoOp" } node { name: "b" op: "NoOp" } } })";
  pb::SavedModel saved;
  REQUIRE(parse_text(text, saved));
  for (const std::string& content : {text, to_bytes(saved)}) {
    CHECK(MetaGraph::parse(content, "m").num_nodes() == 1);
    CHECK(MetaGraph::parse(content, "m", {.tags = {"gpu", "train"}}).num_nodes() == 2);
    const Error error = error_of([&] { MetaGraph::parse(content, "m", {.tags = {"tpu"}}); });
    CHECK_THAT(
        error.what(),
        Catch::Contains("no graph tagged tpu; it has graphs tagged: serve and gpu and train"));
  }
}

// ---- bad input ----------------------------------------------------------------------------------

TEST_CASE("A file that is no graph is told by what it looks like", "[persist][meta][corruption]") {
  const std::pair<std::string, std::string> kFiles[] = {
      {"", "m: the file is empty"},
      {"\x1f\x8b rest", "gzip"},
      {"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"},
      {"<!DOCTYPE html>", "web page"},
      {"{\"a\": 1}", "JSON"},
      {std::string(60, 'x') + "\x57\xfb\x80\x8b\x24\x75\x47\xdb", "the graph is in the .meta file"},
      {from_hex("0a00"), "it holds no graph"},
      {"graph_def { node { name: 5 } }", "not a MetaGraphDef in protobuf text: line 1, column 26"},
      {"node { name: 'a' op: }", "not a GraphDef in protobuf text"}};
  for (const auto& [content, message] : kFiles) {
    INFO(message);
    const Error error = error_of([&, &content = content] { MetaGraph::parse(content, "m"); });
    CHECK(error.code() == Code::kDataLoss);
    CHECK_THAT(error.what(), Catch::StartsWith("m: ") && Catch::Contains(message));
  }
}

TEST_CASE("The place where a damaged file stops making sense is named",
          "[persist][meta][corruption]") {
  Graph graph;
  build(graph);
  const std::string whole = export_meta_graph(graph).bytes();
  const Error cut = error_of([&] { MetaGraph::parse(whole.substr(0, whole.size() - 5), "m"); });
  CHECK_THAT(cut.what(),
             Catch::Contains("damaged: collection_def at byte ") && Catch::Contains("are left"));
  std::string damaged = whole;
  damaged[damaged.find("Placeholder\x2a")] = '\xff';
  const Error inside = error_of([&] { MetaGraph::parse(damaged, "m"); });
  CHECK_THAT(inside.what(), Catch::Contains("damaged: graph_def.node at byte "));
}

TEST_CASE("A missing file is named", "[persist][meta][corruption]") {
  MemoryFileSystem fs;
  Graph graph;
  const Error error =
      error_of([&] { import_meta_graph_def(graph, "run/gone.meta", {.file_system = &fs}); });
  CHECK(error.code() == Code::kNotFound);
  CHECK_THAT(error.what(), Catch::Contains("run/gone.meta"));
}

TEST_CASE("A message nested beyond all measure is refused", "[persist][meta][corruption]") {
  std::string nested = from_hex("0a00");
  for (int i = 0; i < 300; ++i) {  // AttrValue.func.attr["a"] in itself
    const auto wrap = [](const std::string& tag, const std::string& inside) {
      std::string length;
      for (size_t n = inside.size(); length.empty() || n > 0; n >>= 7)
        length += static_cast<char>((n & 127) | (n >> 7 ? 128 : 0));
      return tag + length + inside;
    };
    nested = wrap("\x52", wrap("\x12", from_hex("0a0161") + wrap("\x12", nested)));
  }
  pb::AttrValue value;
  CHECK(!parse_bytes(nested, value));
}

TEST_CASE("A constant that asks for more memory than any file may is refused",
          "[persist][meta][corruption]") {
  Graph graph;
  std::string text = "graph_def {";
  for (int i = 0; i < 3; ++i) {
    text += str_cat(" node { name: 'c", i,
                    "' op: 'NobodyKnows' attr { key: 'value' value { tensor { dtype: DT_FLOAT ",
                    "tensor_shape { dim { size: ", (int64_t{1} << 29) + 100, " } } } } } }");
  }
  const Error error = error_of([&] { import_text(graph, text + "}"); });
  CHECK(error.code() == Code::kResourceExhausted);
  CHECK_THAT(error.what(), Catch::Contains("node 'c0' (NobodyKnows), attribute value"));
}

TEST_CASE("A prefix given for its meta graph is told the file's name", "[persist][meta]") {
  RunDisk disk;
  SmallModel m(disk);
  m.save(1);
  for (const char* name : {"/run/m-1", "/run/m-1.index.gone", "/run/m-1.data-00000-of-00009"}) {
    Graph graph;
    const std::string said = [&]() -> std::string {
      try {
        import_meta_graph(graph, name, {.file_system = &disk});
      } catch (const Error& e) {
        CHECK(e.code() == Code::kNotFound);
        return e.what();
      }
      return "";
    }();
    const bool hint = said.find("did you mean '/run/m-1.meta'?") != std::string::npos;
    CHECK(hint == (std::string_view(name) != "/run/m-1.index.gone"));
    CHECK(graph.num_nodes() == 0);
  }
}

TEST_CASE("A directory stands for the meta graph of its newest checkpoint", "[persist][meta]") {
  RunDisk disk;
  SmallModel m(disk);
  m.save_all({1, 2});
  disk.remove("/run/m-1.meta");
  Graph graph;
  Saver saver = import_meta_graph(graph, "/run", {.file_system = &disk});
  Session session(graph, {.file_system = &disk});
  saver.restore(session, "/run");
  CHECK(
      session.value(graph.collection<Variable>(GraphKeys::kGlobalVariables).at(1)).num_elements() ==
      4);
  disk.create_dirs("/empty");
  CHECK_THROWS_WITH(import_meta_graph_def(graph, "/empty", {.file_system = &disk}),
                    Catch::Contains("/empty: there is no checkpoint in this directory"));
}

TEST_CASE("Fields of later versions in text are passed over and told", "[meta_graph]") {
  const MetaGraph meta = MetaGraph::parse(
      "node { name: 'a' op: 'NoOp' from_2031 { deep: [ 1, 2 ] word: NEW text: 'x' } }\n"
      "node { name: 'b' op: 'NoOp'\n from_2031 { } attr { key: 'k' value { i: 3 of_attr: 4 } } }\n"
      "versions { producer: 9999 }\n",
      "later.pbtxt");
  CHECK(meta.num_nodes() == 2);
  CHECK(message(meta).graph_def().node(1).attr().at("k").i() == 3);
  CHECK(message(meta).graph_def().versions().producer() == 9999);
  CHECK(meta.left_out() ==
        std::vector<std::string>{
            "NodeDef has no field named \"from_2031\" (2 times, first in line 1)",
            "AttrValue has no field named \"of_attr\" (line 3)"});
  CHECK(MetaGraph::parse("node { name: 'a' op: 'NoOp' }", "plain.pbtxt").left_out().empty());
}

TEST_CASE(
    "Values of enums of later versions in text count as 0 and are told; strings stay as they are",
    "[meta_graph]") {
  const MetaGraph meta = MetaGraph::parse(
      "node {\tname: 'DT_NEW'\top: 'NoOp' attr { key: 'T' value {\ttype: DT_NEW } }\n"
      "  attr { key: 'list' value { list { type: [ DT_FLOAT, DT_NEW, DT_INT32 ] type: DT_NEWER } } "
      "}\n"
      "  attr { key: 'f' value { f: INF } } }  # DT_NEW\n",
      "later.pbtxt");
  const pb::NodeDef& node = message(meta).graph_def().node(0);
  CHECK(node.name() == "DT_NEW");
  CHECK(node.attr().at("T").type() == pb::DT_INVALID);
  CHECK(node.attr().at("T").value_case() == pb::AttrValue::kType);
  CHECK(node.attr().at("f").f() > 1e30f);
  const auto& types = node.attr().at("list").list().type();
  CHECK(std::vector<int>(types.begin(), types.end()) ==
        std::vector<int>{pb::DT_FLOAT, pb::DT_INVALID, pb::DT_INT32, pb::DT_INVALID});
  CHECK(meta.left_out() ==
        std::vector<std::string>{
            "there is no enum value named DT_NEW; it counts as 0 (2 times, first in line 1)",
            "there is no enum value named DT_NEWER; it counts as 0 (line 2)"});
}

TEST_CASE("What text has of later versions is no excuse for what is wrong in it", "[meta_graph]") {
  for (const char* text : {"node { name: 'a' later: }", "node { name: 5 later: 1 }",
                           "node { later { }", "node { attr { key: 'T' value { type: DT_NEW } }"}) {
    CAPTURE(text);
    CHECK(error_of([&] { MetaGraph::parse(text, "bad.pbtxt"); }).code() == Code::kDataLoss);
  }
}

TEST_CASE("Fields of later versions that are nested without end are refused", "[meta_graph]") {
  for (const char* deeper : {"later {", "later: {", "later: [", "later: [{ x: "}) {
    CAPTURE(deeper);
    std::string text = "node { name: 'a' } ";
    for (int i = 0; i < 20000; ++i) text += deeper;
    CHECK(error_of([&] { MetaGraph::parse(text, "deep.pbtxt"); }).code() == Code::kDataLoss);
  }
}

TEST_CASE("A strict import refuses what text has and cannot be carried", "[meta_graph]") {
  const MetaGraph meta = MetaGraph::parse("node { name: 'a' op: 'NoOp' later: 1 }", "later.pbtxt");
  Graph graph;
  const Error error = error_of([&] { import_meta_graph_def(graph, meta, {.strict = true}); });
  CHECK(error.code() == Code::kUnimplemented);
  CHECK(says(error, "NodeDef has no field named \"later\""));
  CHECK(graph.num_nodes() == 0);
  import_meta_graph_def(graph, meta);
  CHECK(graph.num_nodes() == 1);
}

TEST_CASE("JSON may have fields of later versions, too", "[meta_graph]") {
  const MetaGraph meta =
      MetaGraph::parse(R"({"node": [{"name": "a", "op": "NoOp", "later": {"x": [1]}}]})", "g.json");
  CHECK(meta.num_nodes() == 1);
  REQUIRE(meta.left_out().size() == 1);
  CHECK(meta.left_out()[0].find("later") != std::string::npos);
}

TEST_CASE(
    "The full types that TensorFlow 2.7 and later give to nodes are carried through text, bytes "
    "and graphs",
    "[meta_graph]") {
  const std::string text =
      "node { name: 'a' op: 'NoOp' experimental_type { type_id: TFT_PRODUCT args { type_id: "
      "TFT_SHAPE_TENSOR args { "
      "type_id: TFT_INT32 } } } }";
  const MetaGraph meta = MetaGraph::parse(text, "g.pbtxt");
  CHECK(meta.left_out().empty());
  Graph graph;
  import_meta_graph_def(graph, MetaGraph::parse(meta.bytes(), "g.pb"));
  const MetaGraph again = export_meta_graph(graph);
  CHECK(message(again).graph_def().node(0).experimental_type().args(0).args(0).type_id() ==
        pb::TFT_INT32);
}

TEST_CASE("The text graph of a TensorFlow 2 estimator is read", "[meta_graph][compat]") {
  const auto folder = fixture("census-pbtxt");
  if (!folder) return;
  Graph graph;
  const MetaGraph meta = MetaGraph::read((*folder / "graph.pbtxt").string());
  CHECK(meta.left_out().empty());
  import_meta_graph_def(graph, meta, {.strict = false});
  CHECK(graph.num_nodes() == 1945);
}
