// The runtime's types as messages and back.
#include "persist/graph/convert.h"

#include <complex>

#include "persist/messages/message.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;

namespace {

pb::TensorProto tensor_proto(const std::string& text) {
  pb::TensorProto proto;
  std::string why;
  if (!parse_text(text, proto, &why)) fail(Code::kInternal, why);
  return proto;
}

Tensor read(const std::string& text) {
  Allowance allowance;
  return from_proto(tensor_proto(text), allowance);
}

Attr read_attr(const std::string& text) {
  pb::AttrValue proto;
  REQUIRE(parse_text(text, proto));
  Allowance allowance;
  return from_proto(proto, allowance);
}

// Elements 1, 2, 3, ... of any dtype.
Tensor counting(DType dtype, const Shape& shape) {
  Tensor tensor = Tensor::zeros(dtype, shape);
  if (dtype == DType::kString) {
    for (int64_t i = 0; i < tensor.num_elements(); ++i)
      tensor.data<std::string>()[i] = str_cat("s", i);
  } else {
    auto* bytes = static_cast<char*>(tensor.raw_data());
    for (size_t i = 0; i < tensor.num_bytes(); ++i)
      bytes[i] = static_cast<char>(dtype == DType::kBool ? i % 2 : i + 1);
  }
  return tensor;
}

}  // namespace

TEST_CASE("A float scalar is written as TensorFlow writes it", "[persist][convert]") {
  CHECK(to_hex(to_bytes(to_proto(Tensor(0.5f)))) == "080112002a040000003f");
}

TEST_CASE("Tensors of every dtype survive being written and read", "[persist][convert]") {
  for (int number = 1; number <= 23; ++number) {
    const auto dtype = static_cast<DType>(number);
    if (dtype == DType::kResource || dtype == DType::kVariant) continue;
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{3}, Shape{2, 3}, Shape{2, 0}}) {
      INFO(dtype << shape);
      const Tensor tensor = counting(dtype, shape);
      const pb::TensorProto proto = to_proto(tensor);
      CHECK(proto.tensor_content().empty() ==
            (tensor.num_elements() < 2 || dtype == DType::kString));
      Allowance little(dtype == DType::kString ? 200 : 0);
      CHECK(bit_equal(from_proto(proto, little), tensor));
    }
  }
}

TEST_CASE("The last value of a tensor fills what is left", "[persist][convert]") {
  CHECK(
      bit_equal(read("dtype: DT_FLOAT tensor_shape { dim { size: 4 } } float_val: 1 float_val: 2"),
                Tensor::vector<float>({1, 2, 2, 2})));
  CHECK(bit_equal(
      read("dtype: DT_COMPLEX64 tensor_shape { dim { size: 2 } } scomplex_val: 1 scomplex_val: 2"),
      Tensor::vector<std::complex<float>>({{1, 2}, {1, 2}})));
}

TEST_CASE("A tensor without values is zero, and surplus values are ignored", "[persist][convert]") {
  CHECK(bit_equal(read("dtype: DT_INT64 tensor_shape { dim { size: 2 } }"),
                  Tensor::vector<int64_t>({0, 0})));
  CHECK(bit_equal(read("dtype: DT_STRING tensor_shape { }"), Tensor("")));
  CHECK(bit_equal(read("dtype: DT_INT32 tensor_shape { } int_val: 7 int_val: 8"),
                  Tensor(int32_t{7})));
}

TEST_CASE("Halves stand in half_val as their bits", "[persist][convert]") {
  const Tensor half = read("dtype: DT_HALF tensor_shape { } half_val: 15360");
  CHECK(float(half.scalar<Half>()) == 1.0f);
  CHECK(to_text(to_proto(half)) == "dtype: DT_HALF\ntensor_shape {\n}\nhalf_val: 15360\n");
  CHECK(float(read("dtype: DT_BFLOAT16 tensor_shape { } half_val: 16256").scalar<BFloat16>()) ==
        1.0f);
}

TEST_CASE("Strings in tensor_content are lengths, then bytes", "[persist][convert]") {
  const std::string two = "dtype: DT_STRING tensor_shape { dim { size: 2 } } tensor_content: ";
  CHECK(bit_equal(read(two + R"("\002\001abc")"), Tensor::vector<std::string>({"ab", "c"})));
  for (const char* bad : {R"("\002")", R"("\002\005abc")", R"("\002\001abcd")", R"("\200\200")"}) {
    INFO(bad);
    CHECK_THAT(error_of([&] { read(two + bad); }).what(),
               Catch::Contains("does not hold 2 strings"));
  }
}

TEST_CASE("A bool in tensor_content is true for every byte but zero", "[persist][convert]") {
  const Tensor t =
      read(R"(dtype: DT_BOOL tensor_shape { dim { size: 3 } } tensor_content: "\000\001\002")");
  CHECK(bit_equal(t, Tensor::of<bool>({3}, {false, true, true})));
}

TEST_CASE("Equal elements are written once, but for lists of integers", "[persist][convert]") {
  CHECK(to_proto(Tensor::zeros(DType::kFloat, {1000, 1000})).ByteSizeLong() < 30);
  CHECK(to_proto(Tensor::zeros(DType::kInt32, {2, 2})).int_val_size() == 1);
  CHECK(to_proto(Tensor::vector<int32_t>({1, 1})).tensor_content().size() == 8);
  CHECK(to_proto(Tensor::vector<float>({0.0f, -0.0f})).tensor_content().size() == 8);
  CHECK(to_proto(Tensor::vector<std::string>({"", ""})).string_val_size() == 2);
}

TEST_CASE("A tensor whose content does not fit dtype and shape is refused", "[persist][convert]") {
  const Error error = error_of(
      [] { read(R"(dtype: DT_FLOAT tensor_shape { dim { size: 2 } } tensor_content: "1234")"); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(error.what(), Catch::Contains("tensor_content has 4 bytes, dtype and shape need 8"));
}

TEST_CASE("Tensors of no dtype, of references and of resources are refused", "[persist][convert]") {
  for (const char* dtype : {"DT_INVALID", "DT_FLOAT_REF", "DT_RESOURCE", "DT_VARIANT"}) {
    INFO(dtype);
    CHECK_THAT(error_of([&] { read(str_cat("dtype: ", dtype, " tensor_shape { }")); }).what(),
               Catch::Contains("a tensor cannot be of dtype"));
  }
  pb::TensorProto unknown;
  unknown.set_dtype(static_cast<pb::DataType>(77));
  Allowance allowance;
  CHECK_THROWS_AS(from_proto(unknown, allowance), Error);
}

TEST_CASE("Tensors of unknown, negative or overflowing shape are refused", "[persist][convert]") {
  for (const char* shape : {"unknown_rank: true", "dim { size: -1 }", "dim { size: -7 }",
                            "dim { size: 4611686018427387904 } dim { size: 4 }"}) {
    INFO(shape);
    CHECK_THROWS_AS(read(str_cat("dtype: DT_FLOAT tensor_shape { ", shape, " }")), Error);
  }
}

TEST_CASE("All tensors of a file share one allowance of bytes that it does not hold",
          "[persist][convert]") {
  const auto zeros = tensor_proto("dtype: DT_FLOAT tensor_shape { dim { size: 1000 } }");
  Allowance allowance(10000);
  CHECK(from_proto(zeros, allowance).num_elements() == 1000);
  CHECK(from_proto(zeros, allowance).num_elements() == 1000);
  CHECK(error_of([&] { from_proto(zeros, allowance); }).code() == Code::kResourceExhausted);
  CHECK(error_of([&] {
          read("dtype: DT_DOUBLE tensor_shape { dim { size: 2305843009213693951 } }");
        }).code() == Code::kResourceExhausted);
}

TEST_CASE("Shapes keep unknown extents and unknown rank", "[persist][convert]") {
  for (const Shape& shape : {Shape{}, Shape{-1, 784}, Shape::unknown(), Shape{0}}) {
    CHECK(from_proto(to_proto(shape)) == shape);
  }
}

TEST_CASE("An attribute keeps the file's bytes only where its value would be written otherwise",
          "[persist][convert]") {
  for (const char* plain :
       {"i: 0", "s: ''", "b: false", "f: 0.5", "type: DT_FLOAT_REF", "shape { dim { size: -1 } }",
        "list { }", "list { i: 1 i: 2 }", "list { b: true }", "list { shape { } }",
        "func { name: 'f' }", "tensor { dtype: DT_INT32 tensor_shape { } int_val: 1 }", ""}) {
    INFO(plain);
    CHECK(read_attr(plain).wire == nullptr);
  }
  for (const char* special :
       {"placeholder: 'T'", "shape { dim { size: 2 name: 'rows' } }", "list { i: 1 s: 'a' }",
        "func { name: 'f' attr { key: 'T' value { type: DT_FLOAT } } }",
        "tensor { dtype: DT_RESOURCE tensor_shape { } }",
        "tensor { dtype: DT_INT32 tensor_shape { dim { size: 2 } } int_val: 1 int_val: 2 }"}) {
    INFO(special);
    const Attr attr = read_attr(special);
    REQUIRE(attr.wire != nullptr);
    pb::AttrValue original;
    REQUIRE(parse_text(special, original));
    CHECK(same_message(to_proto(attr), original));
  }
}

TEST_CASE("A node's attribute that does not parse is named", "[persist][convert]") {
  pb::NodeDef node;
  REQUIRE(parse_text(
      "name: 'c' op: 'Const' attr { key: 'value' value { tensor { dtype: DT_INVALID } } }", node));
  Allowance allowance;
  CHECK_THAT(error_of([&] { from_proto(node, allowance); }).what(),
             Catch::Contains("node 'c' (Const), attribute value: a tensor cannot be of dtype"));
}

TEST_CASE("An op of this build is written as TensorFlow defines it", "[persist][convert]") {
  constexpr OpDef kOp = {.name = "MatMul",
                         .inputs = "a: T, b: T",
                         .outputs = "product: T",
                         .attrs = "transpose_a: bool = false, T: {half, float}"};
  CHECK(
      to_text(to_proto(parse_op(kOp))) ==
      "name: \"MatMul\"\n"
      "input_arg {\n  name: \"a\"\n  type_attr: \"T\"\n}\n"
      "input_arg {\n  name: \"b\"\n  type_attr: \"T\"\n}\n"
      "output_arg {\n  name: \"product\"\n  type_attr: \"T\"\n}\n"
      "attr {\n  name: \"transpose_a\"\n  type: \"bool\"\n  default_value {\n    b: false\n  }\n}\n"
      "attr {\n  name: \"T\"\n  type: \"type\"\n  allowed_values {\n    list {\n      type: "
      "DT_HALF\n"
      "      type: DT_FLOAT\n    }\n  }\n}\n");
}

TEST_CASE("An op of a file is written back as it was, descriptions and new fields too",
          "[persist][convert]") {
  pb::OpDef proto;
  REQUIRE(parse_text(
      "name: 'Odd' output_arg { name: 'y' type: DT_FLOAT } summary: 'Counts.' is_stateful: true "
      "attr { name: 'N' type: 'int' has_minimum: true minimum: 2 default_value { i: 3 } }",
      proto));
  add_unknown_fields(proto, from_hex("fa07 03 616263"));
  Allowance allowance;
  const Op op = from_proto(proto, allowance);
  CHECK(op.stateful);
  CHECK(op.find_attr("N")->minimum == 2);
  CHECK(*op.find_attr("N")->default_value->get<int64_t>() == 3);
  CHECK(same_message(to_proto(op), proto));
}

TEST_CASE("A SaverDef keeps every field", "[persist][convert]") {
  SaverDef saver{.filename_tensor_name = "save/Const:0",
                 .save_tensor_name = "save/control_dependency:0",
                 .restore_op_name = "save/restore_all"};
  CHECK(to_hex(to_bytes(to_proto(saver))) ==
        "0a0c736176652f436f6e73743a30"
        "1219736176652f636f6e74726f6c5f646570656e64656e63793a30"
        "1a10736176652f726573746f72655f616c6c"
        "20053500401c463802");
  saver.unknown_fields = from_hex("fa07 01 61");
  saver.sharded = true;
  saver.version = CheckpointFormat::kV1;
  CHECK(from_proto(to_proto(saver)) == saver);
}
