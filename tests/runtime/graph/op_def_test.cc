#include "runtime/graph/op_def.h"

#include "ops/array/array.h"
#include "runtime/exec/context.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;

namespace {

Error parse_error(const OpDef& def) {
  return error_of([&] { (void)parse_op(def); });
}

// A node of an op with these arguments and attributes, on the given inputs.
Operation make(Graph& graph, const OpDef& def, std::vector<Output> inputs, Attrs attrs = {}) {
  return add_operation(graph, def, std::move(inputs), std::move(attrs), "node");
}

}  // namespace

TEST_CASE("Arguments are of a dtype, a type attribute, N of it, or a list of types",
          "[runtime][op_def]") {
  constexpr OpDef kDef = {.name = "Op",
                          .inputs = "a: float, b: T, c: N * T, d: Ref(T), e: types",
                          .outputs = "f: Ref(T), g: N * int64, h: string_ref",
                          .attrs = "T: type, N: int >= 1, types: list(type)"};
  const Op op = parse_op(kDef);
  REQUIRE(op.inputs.size() == 5);
  CHECK(op.inputs[0].type == DType::kFloat);
  CHECK(op.inputs[1].type_attr == "T");
  CHECK((op.inputs[2].type_attr == "T" && op.inputs[2].number_attr == "N"));
  CHECK((op.inputs[3].is_ref && op.inputs[3].type_attr == "T"));
  CHECK(op.inputs[4].type_list_attr == "types");
  REQUIRE(op.outputs.size() == 3);
  CHECK((op.outputs[0].is_ref && !op.outputs[1].is_ref));
  CHECK((op.outputs[1].type == DType::kInt64 && op.outputs[1].number_attr == "N"));
}

TEST_CASE("Attributes have types, bounds, allowed values and defaults", "[runtime][op_def]") {
  constexpr OpDef kDef = {
      .name = "Op",
      .inputs = "",
      .outputs = "",
      .attrs =
          "T: {float, int32} = DT_FLOAT, padding: {'SAME', 'VALID'}, N: int >= 2 = 3, "
          "f: float = 0.5, n: float = -1, b: bool = true, s: string = '', "
          "shape: shape = {unknown_rank: true}, dims: shape = [2,3], "
          "strides: list(int) >= 4 = [1, 2], types: list({int32, int64}) = [], "
          "names: list(string) = ['x', 'y'], shapes: list(shape), value: tensor, "
          "f2: func, empty: list(float) = []"};
  const Op op = parse_op(kDef);
  CHECK(op.find_attr("T")->allowed_types == std::vector<DType>{DType::kFloat, DType::kInt32});
  CHECK(*op.find_attr("T")->default_value->get<DType>() == DType::kFloat);
  CHECK(op.find_attr("padding")->type == "string");
  CHECK(op.find_attr("padding")->allowed_strings == std::vector<std::string>{"SAME", "VALID"});
  CHECK_FALSE(op.find_attr("padding")->default_value);
  CHECK(op.find_attr("N")->minimum == 2);
  CHECK(*op.find_attr("N")->default_value->get<int64_t>() == 3);
  CHECK(*op.find_attr("f")->default_value->get<float>() == 0.5f);
  CHECK(*op.find_attr("n")->default_value->get<float>() == -1.0f);
  CHECK(*op.find_attr("b")->default_value->get<bool>());
  CHECK(op.find_attr("s")->default_value->get<std::string>()->empty());
  CHECK_FALSE(op.find_attr("shape")->default_value->get<Shape>()->has_rank());
  CHECK(*op.find_attr("dims")->default_value->get<Shape>() == Shape{2, 3});
  CHECK(*op.find_attr("strides")->default_value->get<std::vector<int64_t>>() ==
        std::vector<int64_t>{1, 2});
  CHECK(op.find_attr("strides")->minimum == 4);
  CHECK(op.find_attr("types")->type == "list(type)");
  CHECK(op.find_attr("types")->allowed_types.size() == 2);
  CHECK(op.find_attr("names")->default_value->get<std::vector<std::string>>()->size() == 2);
  CHECK(op.find_attr("shapes")->type == "list(shape)");
  CHECK(op.find_attr("value")->type == "tensor");
  CHECK(op.find_attr("absent") == nullptr);
}

TEST_CASE("The type names numbertype and realnumbertype are TensorFlow's lists",
          "[runtime][op_def]") {
  const Op op = parse_op(
      {.name = "Op", .inputs = "", .outputs = "", .attrs = "T: numbertype, U: realnumbertype"});
  CHECK(op.find_attr("T")->allowed_types.size() == 17);
  CHECK(op.find_attr("U")->allowed_types.size() == 12);
}

TEST_CASE("A signature that does not parse names the op and the place", "[runtime][op_def]") {
  const Error error =
      parse_error({.name = "Broken", .inputs = "a float", .outputs = "", .attrs = ""});
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "Broken"));
  CHECK(says(error, "at 2"));
  for (const char* attrs : {"T", "T: {float", "T: {nothing}", "N: int >= x", "s: string = 'open",
                            "l: list(int", "b: bool = maybe", "T: type U: type", "v: tensor = 1"}) {
    CAPTURE(attrs);
    CHECK(parse_error({.name = "Op", .inputs = "", .outputs = "", .attrs = attrs}).code() ==
          Code::kInvalidArgument);
  }
  CHECK(says(parse_error({.name = "Op", .inputs = "a: T", .outputs = "", .attrs = ""}),
             "neither a type nor"));
  CHECK(says(parse_error({.name = "Op", .inputs = "a: N * float", .outputs = "", .attrs = ""}),
             "no attribute N"));
}

TEST_CASE("Op sets join, and refuse two ops of one name", "[runtime][op_def]") {
  static constexpr OpDef kA = {.name = "A", .inputs = "", .outputs = "", .attrs = ""};
  static constexpr OpDef kB = {.name = "B", .inputs = "", .outputs = "", .attrs = ""};
  static constexpr OpDef kOther = {.name = "A", .inputs = "", .outputs = "", .attrs = ""};
  const OpDef* a[] = {&kA};
  const OpDef* b[] = {&kB, &kA};
  const OpDef* other[] = {&kOther};
  const OpSet both = OpSet(a) + OpSet(b);
  CHECK(both.find("A") == &kA);
  CHECK(both.find("C") == nullptr);
  CHECK(both.all() == std::vector<const OpDef*>{&kA, &kB});
  CHECK(error_of([&] { (void)(both + OpSet(other)); }).code() == Code::kAlreadyExists);
}

TEST_CASE("Inputs decide the type and count attributes that are left out", "[runtime][op_def]") {
  static constexpr OpDef kDef = {.name = "Op",
                                 .inputs = "first: T, values: N * T, rest: types",
                                 .outputs = "out: N * T, copies: types",
                                 .attrs = "T: type, N: int >= 1, types: list(type), k: int = 7"};
  Graph graph;
  const Output x = constant(graph, 1.0f), s = constant(graph, Tensor("s"));
  const Operation op =
      make(graph, kDef, {x, x, x, s}, {{"types", std::vector<DType>{DType::kString}}});
  CHECK(op.dtype("T") == DType::kFloat);
  CHECK(op.integer("N") == 2);
  CHECK(op.integer("k") == 7);
  CHECK(op.num_outputs() == 3);
  CHECK(op.output(2).dtype() == DType::kString);
  CHECK_FALSE(op.output(0).shape().has_rank());
}

namespace {

constexpr OpDef kTwo = {.name = "Two",
                        .inputs = "x: T, y: T",
                        .outputs = "z: T",
                        .attrs =
                            "T: {float, int32}, mode: {'a', 'b'} = 'a', n: int >= 1 = 1, "
                            "list: list(int) >= 2 = [1, 2]"};

}  // namespace

TEST_CASE("A node with too few or too many inputs is refused", "[runtime][op_def]") {
  Graph graph;
  const Output x = constant(graph, 1.0f);
  CHECK(says(error_of([&] { make(graph, kTwo, {x}); }), "expected 2 inputs, got 1"));
  CHECK(says(error_of([&] { make(graph, kTwo, {x, x, x}); }), "expected 2 inputs, got 3"));
}

TEST_CASE("Inputs of two dtypes where one is needed are refused, with both named",
          "[runtime][op_def]") {
  Graph graph;
  const Error error = error_of([&] {
    make(graph, kTwo, {constant(graph, 1.0f), constant(graph, Tensor(1))});
  });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(error.node() == "node");
  CHECK(says(error, "Two 'node' (op_def_test.cc:"));
  CHECK(says(error, "input 1 ('y') is 'Const_1:0' of dtype int32; expected float"));
}

TEST_CASE("A dtype that the op does not allow is refused with those it does", "[runtime][op_def]") {
  Graph graph;
  const Output x = constant(graph, 1.0);
  CHECK(says(error_of([&] {
               make(graph, kTwo, {x, x});
             }),
             "'T' is double; allowed are float and int32"));
}

TEST_CASE("An attribute outside what the op allows is refused", "[runtime][op_def]") {
  Graph graph;
  const Output x = constant(graph, 1.0f);
  CHECK(says(error_of([&] {
               make(graph, kTwo, {x, x}, {{"mode", "c"}});
             }),
             "'mode' is 'c'; allowed are a and b"));
  CHECK(says(error_of([&] { make(graph, kTwo, {x, x}, {{"n", 0}}); }), "'n' is 0; at least 1"));
  CHECK(says(error_of([&] {
               make(graph, kTwo, {x, x}, {{"list", std::vector<int64_t>{1}}});
             }),
             "at least 2"));
}

TEST_CASE("An attribute without a default must be given", "[runtime][op_def]") {
  static constexpr OpDef kNeeds = {
      .name = "Needs", .inputs = "", .outputs = "", .attrs = "axis: int"};
  Graph graph;
  CHECK(says(error_of([&] { make(graph, kNeeds, {}); }), "attribute 'axis' is missing"));
}

TEST_CASE("An attribute of another kind is refused where the node is made", "[runtime][op_def]") {
  static constexpr OpDef kNeeds = {
      .name = "Needs", .inputs = "", .outputs = "", .attrs = "axis: int"};
  Graph graph;
  CHECK(says(error_of([&] { make(graph, kNeeds, {}, {{"axis", "one"}}); }), "'axis'"));
  CHECK(graph.num_nodes() == 0);
}

TEST_CASE("A reference argument takes references only", "[runtime][op_def]") {
  static constexpr OpDef kTakesRef = {
      .name = "TakesRef", .inputs = "ref: Ref(T)", .outputs = "", .attrs = "T: type"};
  Graph graph;
  CHECK(says(error_of([&] { make(graph, kTakesRef, {constant(graph, 1.0f)}); }),
             "expected a variable's reference"));
}
