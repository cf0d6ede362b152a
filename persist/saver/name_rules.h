// Rules for renaming tensors, in the syntax of sed, and patterns for selecting names.
//
//   // net/W becomes model/W
//   saver.restore(session, "run/model-1000", {.rename = "s/^net/model/"});
//   // one after the other
//   saver.restore(session, "run/model-1000", {.rename = {"s/^net/model/", "s/:0$//"}});
//   // exactly this name
//   saver.restore(session, "run/model-1000", {.rename = {{"W", "softmax/W"}}});
//
// A rule is s/PATTERN/REPLACEMENT/, for instance  s/^layer(\d+)\//block\1\//  or, with another
// delimiter,  s|^layer(\d+)/|block\1/| .  The pattern may match anywhere in a name. The first match
// is replaced; with the flag g all matches are; the flag i ignores case. In the replacement \1 … \9
// are the pattern's groups, \0 and & the whole match; \& and \\ are the characters themselves. A
// dollar sign is literal.
//
// Patterns are RE2's (https://github.com/google/re2/wiki/Syntax): Perl's without the constructs
// that need more than linear time, (?=look-ahead) and \1 within the pattern. Names and patterns are
// UTF-8; if one is not, both are matched as bytes. A pattern that RE2 does not accept is
// InvalidArgument, with RE2's reason:
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

// A list of rules and of exact renamings. A value; the const functions may be called from several
// threads.
class NameRules {
 public:
  using Map = std::map<std::string, std::string>;

  NameRules() = default;  // no rules: names are unchanged
  // Throw InvalidArgument for a rule that does not parse, with the position and the reason.
  NameRules(const char* rule) { add(rule); }         // NOLINT: implicit on purpose, as are all here
  NameRules(const std::string& rule) { add(rule); }  // NOLINT
  NameRules(std::initializer_list<const char*> rules);      // NOLINT
  NameRules(const std::vector<std::string>& rules);         // NOLINT
  NameRules(std::initializer_list<Map::value_type> exact);  // NOLINT
  NameRules(const Map& exact) {                             // NOLINT
    for (const auto& [from, to] : exact) add(from, to);
  }

  // Appends a rule. Throws InvalidArgument; the rules are then unchanged.
  NameRules& add(std::string_view rule);
  // Renames exactly `from` to `to`. Throws InvalidArgument if either is empty, or if `from` has
  // another new name already.
  NameRules& add(const std::string& from, const std::string& to);

  bool empty() const { return exact_.empty() && rules_.empty(); }
  // The new name of `name`: that of an exact renaming if there is one, otherwise the result of
  // applying all rules in order. Throws InvalidArgument if the result is empty.
  std::string operator()(const std::string& name) const;

 private:
  friend struct Renaming;
  struct Rule;
  std::string apply(const std::string& name, std::vector<bool>* fits) const;

  Map exact_;
  std::vector<std::shared_ptr<const Rule>> rules_;
};

// The result of applying rules to a list of names.
struct Renaming {
  // Throws as NameRules::operator().
  Renaming(const NameRules& rules, const std::vector<std::string>& names);

  std::vector<std::pair<std::string, std::string>> names;  // old and new, in the order given
  // New names that several names would get, with these names.
  std::map<std::string, std::vector<std::string>> clashes;
  // Rules, and exact renamings ("old=new"), that match none of the names.
  std::vector<std::string> unmatched;

  // One line for each clash: "'a/W' and 'b/W' would both be 'W'".
  std::string clash_text() const;
};

// A set of names: those that match a regular expression (RE2's, as above), all, or none.
//
//   {.allow_missing = true}          {.allow_missing = "^head/|/Momentum$"}
class NamePattern {
 public:
  NamePattern(bool all = false) : all_(all) {}  // NOLINT: implicit on purpose, as are all here
  // Throw InvalidArgument for text that is not a regular expression.
  NamePattern(const std::string& pattern);                                 // NOLINT
  NamePattern(const char* pattern) : NamePattern(std::string(pattern)) {}  // NOLINT
  bool matches(const std::string& name) const;        // matches anywhere in the name
  bool matches_whole(const std::string& name) const;  // matches the whole name

 private:
  struct Compiled;
  bool all_ = false;
  std::shared_ptr<const Compiled> pattern_;
};

}  // namespace cairn
