// Rules that give tensors other names, as sed does, and patterns that choose names.
//
//   saver.restore(session, "run/model-1000", {.rename = "s/^net/model/"});             // net/W becomes model/W
//   saver.restore(session, "run/model-1000", {.rename = {"s/^net/model/", "s/:0$//"}});  // one after the other
//   saver.restore(session, "run/model-1000", {.rename = {{"W", "softmax/W"}}});        // exactly this name
//
// A rule is s/PATTERN/REPLACEMENT/, for instance  s/^layer(\d+)\//block\1\//  or, with another mark in place of the
// slash,  s|^layer(\d+)/|block\1/| .  The pattern is an ECMAScript regular expression; it is looked for anywhere in a
// name, and the first place it fits is replaced, with the flag g every one, with i whatever the case of letters. In the
// replacement \1 … \9 are the pattern's groups and & is all of what was found; \& is the character.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn {

class NameRules {
 public:
  using Map = std::map<std::string, std::string>;

  NameRules() = default;  // every name stays as it is
  // Throw InvalidArgument for a rule that does not read as one, and say where and why.
  NameRules(const char* rule) { add(rule); }                // NOLINT: implicit on purpose, as are all here
  NameRules(const std::string& rule) { add(rule); }         // NOLINT
  NameRules(std::initializer_list<const char*> rules);      // NOLINT
  NameRules(const std::vector<std::string>& rules);         // NOLINT
  NameRules(std::initializer_list<Map::value_type> exact);  // NOLINT
  NameRules(const Map& exact) {                             // NOLINT
    for (const auto& [from, to] : exact) add(from, to);
  }

  NameRules& add(std::string_view rule);
  // The name `from` becomes `to`. Throws InvalidArgument for an empty name, and when `from` has another new name.
  NameRules& add(const std::string& from, const std::string& to);

  bool empty() const { return exact_.empty() && rules_.empty(); }
  // The new name: where `name` is listed exactly, that; else what the rules make of it, one after the other. Throws
  // InvalidArgument when nothing is left of it, and for names beyond 1,024 bytes where there are rules.
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

  std::vector<std::pair<std::string, std::string>> names;   // old and new, in the order given
  std::map<std::string, std::vector<std::string>> clashes;  // new names that several would have: those, as given
  std::vector<std::string> unmatched;  // rules, and names listed exactly ("old=new"), that fit none of the names

  // A line for each clash: "'a/W' and 'b/W' would both be 'W'".
  std::string clash_text() const;
};

// Names chosen by a regular expression (ECMAScript), which is looked for anywhere in the name; or all; or none.
//   {.allow_missing = true}          {.allow_missing = "^head/|/Momentum$"}
class NamePattern {
 public:
  NamePattern(bool all = false) : all_(all) {}  // NOLINT: implicit on purpose, as are all here
  // Throws InvalidArgument for what is no regular expression.
  NamePattern(const char* pattern);                                          // NOLINT
  NamePattern(const std::string& pattern) : NamePattern(pattern.c_str()) {}  // NOLINT
  bool matches(const std::string& name) const;

 private:
  struct Compiled;
  bool all_ = false;
  std::shared_ptr<const Compiled> pattern_;
};

}  // namespace cairn
