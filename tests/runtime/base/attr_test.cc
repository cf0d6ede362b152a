#include "runtime/base/attr.h"

#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;

TEST_CASE("An attribute is read as the kind it is", "[runtime][attr]") {
  CHECK(*Attr(3).get<int64_t>() == 3);
  CHECK(Attr(3).get<float>() == nullptr);
  CHECK(*Attr("SAME").get<std::string>() == "SAME");
  CHECK(*Attr(true).get<bool>());
  CHECK(Attr(true).get<int64_t>() == nullptr);
  CHECK(*Attr(Shape{2}).get<Shape>() == Shape{2});
  CHECK(*Attr(DType::kHalf).get<DType>() == DType::kHalf);
  CHECK(Attr().get<int64_t>() == nullptr);
}

TEST_CASE("A list without elements is an empty list of any kind", "[runtime][attr]") {
  const Attr empty{Attr::Value(EmptyList{})};
  REQUIRE(empty.get<std::vector<int64_t>>());
  CHECK(empty.get<std::vector<int64_t>>()->empty());
  CHECK(empty.get<std::vector<Shape>>()->empty());
  CHECK(empty.get<std::string>() == nullptr);
  CHECK(empty.get<Shape>() == nullptr);
}

TEST_CASE("Attributes are equal when their values are, tensors bit by bit", "[runtime][attr]") {
  CHECK(Attr(1) == Attr(1));
  CHECK_FALSE(Attr(1) == Attr(1.0f));
  CHECK(Attr(Tensor(0.0f)) == Attr(Tensor(0.0f)));
  CHECK_FALSE(Attr(Tensor(0.0f)) == Attr(Tensor(-0.0f)));
  CHECK(Attr(Attr::Value(std::vector<Tensor>{Tensor(1), Tensor(2)})) ==
        Attr(Attr::Value(std::vector<Tensor>{Tensor(1), Tensor(2)})));
}

TEST_CASE("Attributes of a kind nobody knows are equal when their bytes are", "[runtime][attr]") {
  Attr a, b;
  CHECK(a == b);
  a.wire = std::make_shared<const std::string>("\x52");
  CHECK_FALSE(a == b);
  b.wire = std::make_shared<const std::string>("\x52");
  CHECK(a == b);
}

TEST_CASE("Attributes print for messages", "[runtime][attr]") {
  CHECK(Attr(true).str() == "true");
  CHECK(Attr(DType::kFloat).str() == "DT_FLOAT");
  CHECK(Attr("SAME").str() == "'SAME'");
  CHECK(Attr(std::vector<int64_t>{1, 2}).str() == "[1,2]");
  CHECK(Attr(Shape{-1, 2}).str() == "[?,2]");
  CHECK(Attr(Tensor::vector<float>({1, 2})).str() == "float[2] [1. 2.]");
  CHECK(Attr(Attr::Value(std::vector<bool>{true, false})).str() == "[true,false]");
}

TEST_CASE("A node's attributes stand in order of name, each once", "[runtime][attr]") {
  Attrs attrs = {{"b", 1}, {"a", 2}, {"b", 3}};
  CHECK(attrs.size() == 2);
  CHECK(attrs.begin()->first == "a");
  CHECK(*attrs.find("b")->get<int64_t>() == 3);
  CHECK(attrs.find("c") == nullptr);
  attrs.erase("a");
  attrs.erase("a");
  CHECK(attrs == Attrs{{"b", 3}});
}
