#include "runtime/base/error.h"

#include <random>

#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;

TEST_CASE("An error carries its code, its message and its node", "[error]") {
  const Error error(Code::kInvalidArgument, "expected a matrix", "layer1/logits");
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(std::string(error.what()) == "expected a matrix");
  CHECK(error.node() == "layer1/logits");
}

TEST_CASE("The arguments of fail are joined into the message", "[error]") {
  const Error error = error_of([] { fail(Code::kOutOfRange, "expected ", 3, ", got ", 4); });
  CHECK(error.code() == Code::kOutOfRange);
  CHECK(std::string(error.what()) == "expected 3, got 4");
}

TEST_CASE("A name in a message does not begin a line of it", "[error]") {
  const Error error(Code::kNotFound,
                    "there is no 'a\nFORGED: all is well\r\x1b[2J'; seen:\n  b\tc\n  d");
  CHECK(std::string(error.what()) ==
        "there is no 'a\\nFORGED: all is well\\r\\x1b[2J'; seen:\n  b\tc\n  d");
}

TEST_CASE("Every code has the name TensorFlow prints", "[error]") {
  CHECK(code_name(Code::kOk) == "Ok");
  CHECK(code_name(Code::kNotFound) == "NotFound");
  CHECK(code_name(Code::kUnauthenticated) == "Unauthenticated");
  CHECK(code_name(static_cast<Code>(99)) == "Unknown");
}

TEST_CASE("A source location is the caller's line, without folders", "[error]") {
  const SourceLocation here = SourceLocation::current();
  CHECK(here.str() == str_cat("error_test.cc:", __LINE__ - 1));
  CHECK(SourceLocation{}.str().empty());
}

TEST_CASE("The nearest names come first and distant ones not at all", "[error]") {
  const std::vector<std::string> names = {"weights_1", "bias", "weights", "Weight"};
  CHECK(nearest_names("weight", names) == std::vector<std::string>{"weights", "Weight"});
  CHECK(nearest_names("global_step", names).empty());
  CHECK(nearest_names("weights", names, 1) == std::vector<std::string>{"weights"});
}

TEST_CASE("The nearest names are those that the whole table of edits finds nearest", "[error]") {
  const auto edits = [](const std::string& a, const std::string& b) {
    std::vector<std::vector<size_t>> table(a.size() + 1, std::vector<size_t>(b.size() + 1));
    for (size_t i = 0; i <= a.size(); ++i) {
      for (size_t j = 0; j <= b.size(); ++j) {
        table[i][j] = i == 0 || j == 0 ? i + j
                                       : std::min({table[i - 1][j - 1] + (a[i - 1] != b[j - 1]),
                                                   table[i - 1][j] + 1, table[i][j - 1] + 1});
      }
    }
    return table[a.size()][b.size()];
  };
  std::mt19937 random(5);
  const auto word = [&] {
    std::string text(random() % 13, ' ');
    for (char& c : text) c = static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int i = 0; i < 300; ++i) {
    const std::string name = word();
    std::vector<std::string> candidates(10), expected;
    for (std::string& candidate : candidates) candidate = word();
    const size_t limit = std::max<size_t>(2, name.size() / 3);
    std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(expected),
                 [&](const std::string& c) { return edits(name, c) <= limit; });
    std::stable_sort(expected.begin(), expected.end(),
                     [&](const std::string& a, const std::string& b) {
                       return edits(name, a) < edits(name, b);
                     });
    for (const size_t most : {1u, 3u, 10u}) {
      const std::vector<std::string> nearest(
          expected.begin(),
          expected.begin() + static_cast<ptrdiff_t>(std::min(most, expected.size())));
      CHECK(nearest_names(name, candidates, most) == nearest);
    }
  }
}

TEST_CASE("Items are joined as people write them", "[error]") {
  CHECK(join_for_people({}) == "");
  CHECK(join_for_people({"a"}) == "a");
  CHECK(join_for_people({"a", "b"}) == "a and b");
  CHECK(join_for_people({"a", "b", "c"}) == "a, b and c");
  CHECK(join_for_people({"a", "b", "c"}, 1) == "a and 2 more");
}

TEST_CASE("A name that lacks its scope, or has one too many, is near", "[error]") {
  const std::vector<std::string> names = {"inputs/states", "states_of_others",
                                          "outputs/deep/states", "statesmen"};
  CHECK(nearest_names("states", names) ==
        std::vector<std::string>{"inputs/states", "outputs/deep/states"});
  CHECK(nearest_names("model/inputs/states", names) == std::vector<std::string>{"inputs/states"});
  CHECK(nearest_names("", names).empty());
}
