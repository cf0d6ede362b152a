// Collections as messages and back.
#include "persist/graph/collections.h"

#include "ops/array/array.h"
#include "persist/graph/convert.h"
#include "persist/graph/meta_graph.h"
#include "persist/messages/message.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;

namespace {

// A variable W with its nodes, as a file describes it.
constexpr char kVariable[] = R"(
  node { name: "W/initial_value" op: "Const"
         attr { key: "dtype" value { type: DT_FLOAT } }
         attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 1 } } } }
  node { name: "W" op: "VariableV2"
         attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "shape" value { shape { dim { size: 2 } } } }
         attr { key: "container" value { s: "" } } attr { key: "shared_name" value { s: "" } } }
  node { name: "W/Assign" op: "Assign" input: "W" input: "W/initial_value"
         attr { key: "T" value { type: DT_FLOAT } } }
  node { name: "W/read" op: "Identity" input: "W" attr { key: "T" value { type: DT_FLOAT } } }
  versions { producer: 27 })";

constexpr char kVariableDef[] =
    "0a03573a30 1208572f41737369676e 1a08572f726561643a30 32 11 572f696e697469616c5f76616c75653a30 "
    "3801";

struct Lab {
  Lab() { import_meta_graph_def(graph, MetaGraph::parse(kVariable, "lab")); }

  std::vector<CollectionItem> read(const std::string& key, const std::string& text) {
    pb::CollectionDef proto;
    std::string why;
    if (!parse_text(text, proto, &why)) fail(Code::kInternal, why);
    return from_proto(key, proto, graph, variables);
  }
  std::vector<CollectionItem> read_bytes(const std::string& key, const std::string& bytes) {
    pb::CollectionDef proto;
    proto.mutable_bytes_list()->add_value(bytes);
    return from_proto(key, proto, graph, variables);
  }

  Graph graph;
  VariablesRead variables;
};

std::string text_of(const std::string& key, const std::vector<CollectionItem>& items) {
  return to_line(to_proto(key, items));
}

}  // namespace

TEST_CASE("A VariableDef becomes a variable and the same bytes again", "[persist][collections]") {
  Lab lab;
  const auto items = lab.read_bytes("variables", from_hex(kVariableDef));
  REQUIRE(items.size() == 1);
  const auto& variable = std::get<Variable>(items[0]);
  CHECK(variable.name() == "W");
  CHECK(variable.shape() == Shape{2});
  CHECK(variable.initializer().name() == "W/Assign");
  CHECK(variable.value().name() == "W/read:0");
  CHECK(variable.initial_value().name() == "W/initial_value:0");
  CHECK(variable.trainable());
  CHECK(to_proto("variables", items).bytes_list().value(0) == from_hex(kVariableDef));
}

TEST_CASE("The slice, the enumerations and new fields of a VariableDef are kept",
          "[persist][collections]") {
  Lab lab;
  pb::VariableDef def;
  REQUIRE(def.ParseFromString(from_hex(kVariableDef)));
  def.mutable_save_slice_info_def()->set_full_name("big");
  for (const int64_t extent : {0, 2}) {
    def.mutable_save_slice_info_def()->add_full_shape(4);
    def.mutable_save_slice_info_def()->add_var_offset(extent);
    def.mutable_save_slice_info_def()->add_var_shape(2);
  }
  def.set_aggregation(pb::VARIABLE_AGGREGATION_ONLY_FIRST_REPLICA);
  def.set_synchronization(pb::VARIABLE_SYNCHRONIZATION_ON_READ);
  add_unknown_fields(def, from_hex("fa07 03 616263"));
  const auto items = lab.read_bytes("variables", to_bytes(def));
  CHECK(std::get<Variable>(items.at(0)).slice()->full_name == "big");
  CHECK(to_proto("variables", items).bytes_list().value(0) == to_bytes(def));
}

TEST_CASE("One variable in two collections is one variable", "[persist][collections]") {
  Lab lab;
  const auto a = std::get<Variable>(lab.read_bytes("variables", from_hex(kVariableDef)).at(0));
  const auto b =
      std::get<Variable>(lab.read_bytes("trainable_variables", from_hex(kVariableDef)).at(0));
  CHECK(&a.info() == &b.info());
}

TEST_CASE("A VariableDef whose nodes the graph lacks is carried as bytes",
          "[persist][collections]") {
  Lab lab;
  pb::VariableDef def;
  def.set_variable_name("gone:0");
  for (const std::string& bytes : {to_bytes(def), std::string("\xff not a message")}) {
    const auto items = lab.read_bytes("variables", bytes);
    CHECK(std::get<std::string>(items.at(0)) == bytes);
    CHECK(to_proto("variables", items).bytes_list().value(0) == bytes);
  }
}

TEST_CASE("Names become tensors and ops, and those of nothing are carried",
          "[persist][collections]") {
  Lab lab;
  const std::string text =
      R"(node_list { value: "W/read:0" value: "W/Assign" value: "gone" value: "W:7" value: "W:x" })";
  const auto items = lab.read("losses", text);
  REQUIRE(items.size() == 5);
  CHECK(std::get<Output>(items[0]).name() == "W/read:0");
  CHECK(std::get<Operation>(items[1]).name() == "W/Assign");
  for (int i = 2; i < 5; ++i)
    CHECK(std::holds_alternative<UnresolvedName>(items[static_cast<size_t>(i)]));
  CHECK(text_of("losses", items) == text);
}

TEST_CASE("Every kind of list keeps its kind and its values", "[persist][collections]") {
  Lab lab;
  for (const char* text :
       {R"(node_list { value: "W" })", R"(bytes_list { value: "\000a" value: "" })",
        "int64_list { value: -5 value: 9223372036854775807 }", "float_list { value: 0.1 }",
        R"(any_list { value { type_url: "x.org/T" value: "ab" } })"}) {
    INFO(text);
    pb::CollectionDef original;
    REQUIRE(parse_text(text, original));
    CHECK(same_message(to_proto("mine", lab.read("mine", text)), original));
  }
}

TEST_CASE("Variables are messages under the keys for variables, and names under others",
          "[persist][collections]") {
  Lab lab;
  const auto items = lab.read_bytes("variables", from_hex(kVariableDef));
  CHECK(to_proto("trainable_variables", items).has_bytes_list());
  CHECK(text_of("target_network", items) == R"(node_list { value: "W:0" })");
  // Among tensors they are names everywhere.
  CHECK(text_of("variables", {items[0], lab.graph.find("W/read:0")}) ==
        R"(node_list { value: "W:0" value: "W/read:0" })");
}

TEST_CASE("Integers among floats are floats", "[persist][collections]") {
  CHECK(text_of("hparams", {int64_t{1}, 0.5f}) == "float_list { value: 1 value: 0.5 }");
}

TEST_CASE("A collection of several kinds is refused by name", "[persist][collections]") {
  Lab lab;
  lab.graph.add_to_collection("mixed", lab.graph.find("W:0"));
  lab.graph.add_to_collection("mixed", std::string("bytes"));
  const Error error = error_of([&] { export_meta_graph(lab.graph); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Catch::Contains("collection 'mixed' cannot be written"));
}
