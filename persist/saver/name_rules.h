// Rules that give tensors other names, as sed does, and patterns that choose names.
//
//   // net/W becomes model/W
//   saver.restore(session, "run/model-1000", {.rename = "s/^net/model/"});
//   // one after the other
//   saver.restore(session, "run/model-1000", {.rename = {"s/^net/model/", "s/:0$//"}});
//   // exactly this name
//   saver.restore(session, "run/model-1000", {.rename = {{"W", "softmax/W"}}});
//
// A rule is s/PATTERN/REPLACEMENT/, for instance  s/^layer(\d+)\//block\1\//  or, with another mark
// in place of the slash,  s|^layer(\d+)/|block\1/| .  It is looked for anywhere in a name, and the
// first place it fits is replaced, with the flag g every one, with i whatever the case of letters.
// In the replacement \1 … \9 are the pattern's groups, \0 and & are all of what was found; \& and
// \\ are the characters. A dollar sign stands for itself.
//
// Patterns are RE2's (https://github.com/google/re2/wiki/Syntax): Perl's without what takes more
// time than the name is long, which are (?=look-ahead) and \1 within the pattern. Names and
// patterns are UTF-8; where one is not, both are taken byte by byte. A pattern that RE2 does not
// take is InvalidArgument, with RE2's reason:
//
//   // the pattern 'net(?=\/)' is no regular expression that RE2 takes: invalid …
//   NameRules("s/net(?=\\/)/model/");
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/api.h"

namespace CAIRN_API cairn {

class NameRules {
 public:
  using Map = std::map<std::string, std::string>;

  NameRules() = default;  // every name stays as it is
  // Throw InvalidArgument for a rule that does not read as one, and say where and why.
  NameRules(const char* rule) { add(rule); }         // NOLINT: implicit on purpose, as are all here
  NameRules(const std::string& rule) { add(rule); }  // NOLINT
  NameRules(std::initializer_list<const char*> rules);      // NOLINT
  NameRules(const std::vector<std::string>& rules);         // NOLINT
  NameRules(std::initializer_list<Map::value_type> exact);  // NOLINT
  NameRules(const Map& exact) {                             // NOLINT
    for (const auto& [from, to] : exact) add(from, to);
  }

  NameRules& add(std::string_view rule);
  // The name `from` becomes `to`. Throws InvalidArgument for an empty name, and when `from` has
  // another new name.
  NameRules& add(const std::string& from, const std::string& to);

  bool empty() const { return exact_.empty() && rules_.empty(); }
  // The new name: where `name` is listed exactly, that; else what the rules make of it, one after
  // the other. Throws InvalidArgument when nothing is left of it.
  std::string operator()(const std::string& name) const;

 private:
  friend struct Renaming;
  struct Rule;
  std::string apply(const std::string& name, std::vector<bool>* fits) const;

  Map exact_;
  std::vector<std::shared_ptr<const Rule>> rules_;
};

// What rules make of some names.
struct Renaming {
  // Throws as NameRules does.
  Renaming(const NameRules& rules, const std::vector<std::string>& names);

  std::vector<std::pair<std::string, std::string>> names;  // old and new, in the order given
  std::map<std::string, std::vector<std::string>>
      clashes;  // new names that several would have: those, as given
  std::vector<std::string>
      unmatched;  // rules, and names listed exactly ("old=new"), that fit none of the names

  // A line for each clash: "'a/W' and 'b/W' would both be 'W'".
  std::string clash_text() const;
};

// Names chosen by a regular expression (RE2's, as above), or all, or none.
//   {.allow_missing = true}          {.allow_missing = "^head/|/Momentum$"}
class NamePattern {
 public:
  NamePattern(bool all = false) : all_(all) {}  // NOLINT: implicit on purpose, as are all here
  // Throw InvalidArgument for what is no regular expression.
  NamePattern(const std::string& pattern);                                 // NOLINT
  NamePattern(const char* pattern) : NamePattern(std::string(pattern)) {}  // NOLINT
  bool matches(const std::string& name) const;                             // anywhere in the name
  bool matches_whole(const std::string& name) const;  // from its beginning to its end

 private:
  struct Compiled;
  bool all_ = false;
  std::shared_ptr<const Compiled> pattern_;
};

}  // namespace cairn
