#include "persist/saver/name_rules.h"

#include "persist/saver/name_hints.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;
using Catch::Matchers::Contains;
using Strings = std::vector<std::string>;

// ---- rules --------------------------------------------------------------------------------------

TEST_CASE("A rule replaces the first place its pattern fits, with g every one, with i in any case",
          "[rename]") {
  CHECK(NameRules("s/a/b/")("a/a") == "b/a");
  CHECK(NameRules("s/a/b/g")("a/a") == "b/b");
  CHECK(NameRules("s/A/b/gi")("a/A") == "b/b");
  CHECK(NameRules("s/^a\\///")("a/W") == "W");
  CHECK(NameRules("s/$/:0/")("W") == "W:0");
  CHECK(NameRules("s/x/y/")("W") == "W");
}

TEST_CASE("Groups and & of a replacement stand for what was found, a dollar sign for itself",
          "[rename]") {
  CHECK(NameRules(R"(s/^layer(\d+)\/(.*)$/\2\/block\1/)")("layer12/W") == "W/block12");
  CHECK(NameRules("s/W/<&>/")("W") == "<W>");
  CHECK(NameRules(R"(s/W/\&/)")("W") == "&");
  CHECK(NameRules("s/W/$1/")("W") == "$1");
}

TEST_CASE("Any mark may stand in place of the slash", "[rename]") {
  CHECK(NameRules("s|^net/|model/|")("net/W") == "model/W");
  CHECK(NameRules("s#/#_#g")("a/b/c") == "a_b_c");
  CHECK(NameRules(R"(s|a\|b|x|)")("a|b") == "x");
}

TEST_CASE("Several rules are applied in turn, and a name that is listed goes by the list alone",
          "[rename]") {
  CHECK(NameRules({"s/a/b/", "s/b/c/"})("a") == "c");
  NameRules rules({{"a", "x"}, {"b", "y"}});
  rules.add("s/^/z/");
  CHECK(rules("a") == "x");
  CHECK(rules("c") == "zc");
  CHECK(NameRules()("a") == "a");
}

TEST_CASE("A rule that does not read as one is refused with the reason", "[rename]") {
  const auto why = [](const char* rule) {
    return std::string(error_of([&] { NameRules rules(rule); }).what());
  };
  CHECK_THAT(
      why("a/b"),
      Contains("the rule 'a/b' does not read s/PATTERN/REPLACEMENT/: it must begin with s/"));
  CHECK_THAT(why("s"), Contains("it must begin with s/"));
  CHECK_THAT(why("sabc"), Contains("a mark such as / or |, not 'a'"));
  CHECK_THAT(why("s/a"), Contains("there is no second /"));
  CHECK_THAT(why("s/a/b"), Contains("there is no third /, which ends the replacement"));
  CHECK_THAT(why("s//b/"), Contains("the pattern is empty"));
  CHECK_THAT(why("s/a/b/c/"),
             Contains("only g and i may stand, not 'c' (in a name / is written \\/)"));
  CHECK_THAT(why("s/(a/b/"), Contains("the pattern '(a' is no regular expression"));
  CHECK_THAT(why("s/a/\\1/"), Contains("the replacement names group \\1, the pattern has 0"));
  CHECK_THAT(why("s/a/\\n/"), Contains("\\n in the replacement has no meaning"));
  CHECK_THAT(why("s/a/b\\U&/"), Contains("\\U in the replacement has no meaning"));
  CHECK(error_of([] { NameRules rules("s/a"); }).code() == Code::kInvalidArgument);
}

TEST_CASE("One name cannot be given two names, nor none", "[rename]") {
  NameRules rules;
  rules.add("a", "b").add("a", "b");
  CHECK_THROWS_WITH(rules.add("a", "c"), "'a' has two new names: 'b' and 'c'");
  CHECK_THROWS_WITH(rules.add("", "c"), Contains("a name is empty"));
  CHECK_THROWS_WITH(NameRules("s/.*//")("abc"),
                    "the rule 's/.*//' leaves nothing of the name 'abc'");
}

TEST_CASE("Names of any length are tried on patterns of any kind", "[rename]") {
  const std::string name(1 << 20, 'a');
  CHECK(NameRules("s/(a|b)*$/x/")(name) == "x");
  CHECK(NameRules("s/(a*)*b/x/")(name) == name);
  CHECK(NameRules("s/a/b/g")(name) == std::string(name.size(), 'b'));
  CHECK(NamePattern("^(a|aa)+$").matches(name));
  CHECK_FALSE(NamePattern("(a*)*b").matches(name));
  CHECK(NamePattern(".*").matches_whole(name));
  CHECK_FALSE(NamePattern("(.*)(.*)(.*)(.*)(.*)[^a]").matches_whole(name));
}

TEST_CASE("A pattern that would take too much memory is refused", "[rename]") {
  CHECK_THROWS_WITH(NamePattern("((((a{30}){30}){30}){30}){30}"), Contains("that RE2 takes: "));
  CHECK_THROWS_WITH(NamePattern("(\\pL{500}){2}"), Contains("pattern too large"));
  CHECK_THROWS_WITH(NamePattern(std::string(100000, '(')), Contains("that RE2 takes: "));
}

TEST_CASE(
    "A replacement has what RE2 has: groups, & and \\0 for all; any other but a letter behind \\ "
    "is itself",
    "[rename]") {
  CHECK(NameRules(R"(s/a(b)/<\0\1>/)")("ab") == "<abb>");
  CHECK(NameRules(R"(s/a/\\1/)")("a") == R"(\1)");
  CHECK(NameRules(R"(s/a/\-\:/)")("a") == "-:");
  CHECK(NameRules(R"(s|a|\||)")("a") == "|");
  CHECK(NameRules(R"(s_a\_b_\__)")("a_b") == "_");
  CHECK(NameRules(R"(s/x*/-/g)")("abxc") == "-a-b-c-");
}

TEST_CASE("Names that are not UTF-8 are taken byte by byte, others character by character",
          "[rename]") {
  CHECK(NamePattern("a.b").matches_whole("a\u00e9b"));
  CHECK(
      NamePattern("a.b").matches_whole("a\xff"
                                       "b"));
  CHECK_FALSE(
      NamePattern("a.b").matches_whole("a\xff\xff"
                                       "b"));
  CHECK(NamePattern("\xff").matches("a\xff"));
  CHECK(NamePattern("\u00e9").matches("\xff\u00e9"));
  CHECK(NameRules("s/./x/g")("a\u00e9") == "xx");
  CHECK(NameRules("s/\xff/x/")("a\xff") == "ax");
}

TEST_CASE("What RE2 lacks is refused with its reason", "[rename]") {
  const Error error = error_of([] { NameRules rules("s/net(?=x)/model/"); });
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK_THAT(
      error.what(),
      Contains("the rule 's/net(?=x)/model/': the pattern 'net(?=x)' is no regular expression "
               "that RE2 takes: invalid perl operator: (?="));
  CHECK_FALSE(NamePattern(std::string("a\0b", 3)).matches("a"));
}

TEST_CASE("Renaming many names tells which would clash and which rules fit nothing", "[rename]") {
  NameRules rules({"s|^[ab]/||", "s/never/x/"});
  rules.add("gone", "here");
  const Renaming renaming(rules, {"a/W", "b/W", "c/W"});
  CHECK(renaming.names == std::vector<std::pair<std::string, std::string>>{
                              {"a/W", "W"}, {"b/W", "W"}, {"c/W", "c/W"}});
  CHECK(renaming.clash_text() == "'a/W' and 'b/W' would both be 'W'");
  CHECK(renaming.unmatched == Strings{"gone=here", "s/never/x/"});
}

TEST_CASE("A pattern for names fits anywhere in them; a bool is all or none", "[rename]") {
  CHECK(NamePattern("^head/|/Momentum$").matches("conv/W/Momentum"));
  CHECK_FALSE(NamePattern("^head/").matches("a/head/W"));
  CHECK(NamePattern(true).matches("anything"));
  CHECK_FALSE(NamePattern(false).matches("anything"));
  CHECK(NamePattern("a|ab").matches_whole("ab"));
  CHECK_FALSE(NamePattern("a").matches_whole("ab"));
  CHECK(NamePattern(true).matches_whole("anything"));
  CHECK_FALSE(NamePattern(false).matches_whole("anything"));
  CHECK_THROWS_WITH(NamePattern("("),
                    Contains("a pattern for names: the pattern '(' is no regular expression"));
}

// ---- suggestions --------------------------------------------------------------------------------

namespace {

// The rule that is found, checked to do what it says.
std::string common_rule(const Strings& wanted, const Strings& candidates, size_t finds) {
  const auto rule = NameHints(candidates).common_rule(wanted);
  if (!rule) return "";
  CHECK(rule->second == finds);
  const NameRules rules(rule->first);
  size_t found = 0;
  for (const std::string& name : candidates)
    found += std::count(wanted.begin(), wanted.end(), rules(name)) > 0;
  CHECK(found == finds);
  return rule->first;
}

}  // namespace

TEST_CASE("One rule is found that takes a scope off, puts one on, or changes it", "[rename]") {
  CHECK(common_rule({"W", "b"}, {"a/W", "a/b", "c"}, 2) == "s|^a/||");
  CHECK(common_rule({"a/W", "a/b"}, {"W", "b"}, 2) == "s|^|a/|");
  CHECK(common_rule({"m/l1/W", "m/l2/W", "z"}, {"n/l1/W", "n/l2/W", "n/l3/W"}, 2) == "s|^n/|m/|");
  CHECK(common_rule({"new.net/l1/W", "new.net/l2/W"}, {"old.net/l1/W", "old.net/l2/W"}, 2) ==
        "s|^old[.]net/|new.net/|");
}

TEST_CASE("One rule is found for what stands behind names: a number, an output, another word",
          "[rename]") {
  CHECK(common_rule({"W", "b"}, {"W:0", "b:0"}, 2) == "s/:0$//");
  CHECK(common_rule({"a/W_1", "b/W_1"}, {"a/W", "b/W"}, 2) == "s/$/_1/");
  CHECK(common_rule({"a/W", "b/c"}, {"a/W_1", "b/c_1"}, 2) == "s/_1$//");
  CHECK(common_rule({"a/kernel", "b/kernel"}, {"a/weights", "b/weights"}, 2) ==
        "s|/weights$|/kernel|");
  CHECK(common_rule({"a_1/x", "b_1/y"}, {"a/x", "b/y"}, 2) == "s|^([^/]*)/|\\1_1/|");
}

TEST_CASE("No rule is suggested for one name, nor where names have nothing in common", "[rename]") {
  CHECK(common_rule({"W"}, {"a/W"}, 0).empty());
  CHECK(common_rule({"x", "y"}, {"a/W", "b/V"}, 0).empty());
}

TEST_CASE("The names nearest to a missing one differ in a usual way, end alike or are spelt alike",
          "[rename]") {
  const Strings names = {"old/conv/kernel", "W:0",           "V_1",
                         "biases",          "logits/kernel", "other/kernel"};
  const NameHints hints(names);
  CHECK(hints.nearest("W") == Strings{"W:0"});
  CHECK(hints.nearest("V").front() == "V_1");
  CHECK(hints.nearest("new/conv/kernel").front() == "old/conv/kernel");
  CHECK(hints.nearest("conv/kernel").front() == "old/conv/kernel");
  CHECK(hints.nearest("biase") == Strings{"biases"});
  CHECK(hints.nearest("nothing like it at all").empty());
}
