#include "ops/state/lookup.h"

#include "ops/flow/flow.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/lab.h"

namespace cairn {
namespace {

Tensor words(std::initializer_list<std::string> texts) {
  return Tensor::vector<std::string>(texts);
}

TEST_CASE("A table gives each key its value, others the default, in the keys' shape", "[lookup]") {
  Lab lab;
  const HashTable ids =
      hash_table(lab.graph, words({"cat", "dog"}), Tensor::vector<int64_t>({7, 9}), -1);
  const Output x = lab.fed(Tensor::matrix<std::string>({{"dog", "cow"}, {"cat", "dog"}}));
  Session session(lab.graph);
  session.run(tables_initializer(lab.graph));
  CHECK(Lab::told(session.run(ids.lookup(
            constant(lab.graph, Tensor::matrix<std::string>({{"dog", "cow"}, {"", "cat"}}))))) ==
        "int64 [2,2] [[ 9 -1]\n [-1  7]]");
  CHECK(ids.lookup(x).dtype() == DType::kInt64);
  CHECK(session.run(ids.size()).scalar<int64_t>() == 2);
}

TEST_CASE("Tables go from int32 and int64 to any dtype", "[lookup]") {
  Lab lab;
  const HashTable names = hash_table(lab.graph, Tensor::vector<int64_t>({3, 1}),
                                     words({"three", "one"}), Tensor(std::string("?")));
  const HashTable halves =
      hash_table(lab.graph, Tensor::vector<int32_t>({1, 2}), Tensor::vector<float>({0.5f, 1}), 0);
  Session session(lab.graph);
  session.run(tables_initializer(lab.graph));
  const Tensor said = session.run(names.lookup(Tensor::vector<int64_t>({1, 2, 3})));
  CHECK(std::vector<std::string>(said.data<std::string>(), said.data<std::string>() + 3) ==
        std::vector<std::string>{"one", "?", "three"});
  CHECK(Lab::told(session.run(halves.lookup(2))) == "float [] 1.0");
}

TEST_CASE("A table's nodes are named and typed as TensorFlow's", "[lookup]") {
  Graph graph;
  const Scope scope = graph.name_scope("in");
  const HashTable table = hash_table(graph, words({"a"}), Tensor::vector<float>({1}), 0);
  CHECK(table.handle.name() == "in/hash_table:0");
  CHECK(table.handle.op().type() == "HashTableV2");
  CHECK(table.handle.dtype() == DType::kResource);
  CHECK(table.initializer.name() == "in/key_value_init");
  CHECK(table.initializer.input(1).name() == "in/key_value_init/keys:0");
  CHECK(table.default_value.name() == "in/hash_table/Const:0");
  CHECK(graph.collection<Operation>(GraphKeys::kTableInitializers).at(0) == table.initializer);
  CHECK(table.lookup(Tensor(std::string("a"))).name() == "in/hash_table_Lookup:0");
}

TEST_CASE("A lookup before the table is initialized says so, and by what to do that", "[lookup]") {
  Lab lab;
  const HashTable table = hash_table(lab.graph, words({"a"}), Tensor::vector<float>({1}), 0);
  const Output found = table.lookup(Tensor(std::string("a")));
  const Error error = error_of([&] { Session(lab.graph).run(found); });
  CHECK(error.code() == Code::kFailedPrecondition);
  CHECK(says(
      error,
      "the table 'hash_table' is not initialized: run its initializer, or tables_initializer()"));
}

TEST_CASE("Each session has tables of its own", "[lookup]") {
  Lab lab;
  const HashTable table = hash_table(lab.graph, words({"a"}), Tensor::vector<float>({1}), 0);
  const Output found = table.lookup(Tensor(std::string("a")));
  Session one(lab.graph), other(lab.graph);
  one.run(table.initializer);
  CHECK(one.run(found).scalar<float>() == 1);
  CHECK(error_of([&] { other.run(found); }).code() == Code::kFailedPrecondition);
}

TEST_CASE("Tables of one shared name are one, initialized again with the same entries only",
          "[lookup]") {
  Lab lab;
  const Tensor keys = words({"a", "b"});
  const HashTable first =
      hash_table(lab.graph, keys, Tensor::vector<float>({1, 2}), 0, {.shared_name = "vocabulary"});
  const HashTable again =
      hash_table(lab.graph, words({"b", "a", "b"}), Tensor::vector<float>({2, 1, 2}), 0,
                 {.shared_name = "vocabulary"});
  const HashTable other =
      hash_table(lab.graph, keys, Tensor::vector<float>({1, 3}), 0, {.shared_name = "vocabulary"});
  Session session(lab.graph);
  session.run(first.initializer);
  CHECK(session.run(again.lookup(Tensor(std::string("b")))).scalar<float>() == 2);
  session.run(again.initializer);
  const Error error = error_of([&] { session.run(other.initializer); });
  CHECK(error.code() == Code::kFailedPrecondition);
  CHECK(says(error, "'vocabulary' was already initialized, with other entries"));
  CHECK(session.run(other.lookup(Tensor(std::string("b")))).scalar<float>() == 2);
}

TEST_CASE("A key with two values is refused, and nothing is initialized", "[lookup]") {
  Lab lab;
  const HashTable table =
      hash_table(lab.graph, words({"a", "b", "a"}), Tensor::vector<float>({1, 2, 3}), 0);
  Session session(lab.graph);
  CHECK(says(error_of([&] { session.run(table.initializer); }),
             "key a stands at 0 and 2, with different values"));
  CHECK(error_of([&] { session.run(table.size()); }).code() == Code::kFailedPrecondition);
}

TEST_CASE("Keys and values of different lengths are refused when the table is made", "[lookup]") {
  Graph graph;
  CHECK(says(error_of([&] {
               hash_table(graph, words({"a"}), Tensor::vector<float>({1, 2}), 0);
             }),
             "keys are of shape [1], values of shape [2]"));
}

TEST_CASE("Keys of another dtype than the table's are refused by name", "[lookup]") {
  Lab lab;
  const HashTable table = hash_table(lab.graph, words({"a"}), Tensor::vector<float>({1}), 0);
  Session session(lab.graph);
  session.run(table.initializer);
  const Output found = table.lookup(Tensor::vector<int64_t>({1}));
  const Error error = error_of([&] { session.run(found); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(says(error, "hash_table_Lookup"));
  CHECK(says(error, "keys of dtype int64 for a table of string"));
}

TEST_CASE("A graph without tables has an initializer that does nothing", "[lookup]") {
  Graph graph;
  Session session(graph);
  CHECK_NOTHROW(session.run(tables_initializer(graph)));
}

}  // namespace
}  // namespace cairn
