#include "persist/name_rules.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>

#include "persist/internal/quoted.h"

namespace cairn {
namespace {

// The standard library's matcher goes one call deeper with each character.
constexpr size_t kLongestName = 1024;

void check_length(const std::string& name) {
  if (name.size() > kLongestName) {
    fail(Code::kInvalidArgument, "a name of ", name.size(), " bytes, '", name.substr(0, 40),
         "…', is too long for a regular expression (at most ", kLongestName, "); list it exactly, old=new");
  }
}

// Calls `match`, whose patterns may turn out too hard while they are tried.
template <class Match>
auto tried(const std::string& what, const std::string& name, const Match& match) {
  check_length(name);
  try {
    return match();
  } catch (const std::regex_error& e) {
    fail(Code::kInvalidArgument, what, " cannot be tried on '", name, "': ", e.what());
  }
}

std::regex compiled(const std::string& pattern, bool any_case, const std::string& what) {
  try {
    auto flags = std::regex::ECMAScript;
    if (any_case) flags |= std::regex::icase;
    return std::regex(pattern, flags);
  } catch (const std::regex_error& e) {
    fail(Code::kInvalidArgument, what, ": the pattern '", pattern, "' is no regular expression: ", e.what());
  }
}

}  // namespace

// ---- rules --------------------------------------------------------------------------------------------------------

struct NameRules::Rule {
  std::string text, replacement;
  std::regex pattern;
  bool everywhere = false;

  explicit Rule(std::string_view rule) : text(rule) {
    if (text.size() < 2 || text[0] != 's') refuse("it must begin with s/");
    const char mark = text[1];
    if (std::isalnum(static_cast<unsigned char>(mark)) || mark == '\\' ||
        std::isspace(static_cast<unsigned char>(mark)))
      refuse(str_cat("after the s comes a mark such as / or |, not '", mark, "'"));
    const size_t middle = find_mark(mark, 2);
    if (middle == std::string::npos) refuse(str_cat("there is no second ", mark));
    const size_t end = find_mark(mark, middle + 1);
    if (end == std::string::npos) refuse(str_cat("there is no third ", mark, ", which ends the replacement"));
    if (middle == 2) refuse("the pattern is empty");
    bool any_case = false;
    for (const char flag : std::string_view(text).substr(end + 1)) {
      if (flag != 'g' && flag != 'i')
        refuse(str_cat("after the third ", mark, " only g and i may stand, not '", flag, "' (in a name ", mark,
                       " is written \\", mark, ")"));
      (flag == 'g' ? everywhere : any_case) = true;
    }
    pattern = compiled(text.substr(2, middle - 2), any_case, str_cat("the rule '", text, "'"));
    replacement = text.substr(middle + 1, end - middle - 1);
    check_groups();
  }

  std::string apply(const std::string& name, bool& fits) const {
    return tried(str_cat("the rule '", text, "'"), name, [&] {
      std::string renamed;
      std::ptrdiff_t done = 0;
      for (std::sregex_iterator at(name.begin(), name.end(), pattern), end; at != end; ++at) {
        fits = true;
        renamed.append(name, static_cast<size_t>(done), static_cast<size_t>(at->position() - done));
        renamed += at->format(replacement, std::regex_constants::format_sed);
        done = at->position() + at->length();
        if (!everywhere) break;
      }
      return renamed.append(name, static_cast<size_t>(done), std::string::npos);
    });
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    fail(Code::kInvalidArgument, "the rule '", text, "' does not read s/PATTERN/REPLACEMENT/: ", why);
  }

  size_t find_mark(char mark, size_t from) const {
    for (size_t i = from; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == mark) {
        return i;
      }
    }
    return std::string::npos;
  }

  void check_groups() const {
    for (size_t i = 0; i + 1 < replacement.size(); ++i) {
      if (replacement[i] != '\\') continue;
      const char next = replacement[++i];
      if (next < '0' || next > '9' || static_cast<unsigned>(next - '0') <= pattern.mark_count()) continue;
      refuse(str_cat("the replacement names group \\", next, ", the pattern has ", pattern.mark_count()));
    }
  }
};

NameRules::NameRules(std::initializer_list<const char*> rules) {
  for (const char* rule : rules) add(rule);
}

NameRules::NameRules(const std::vector<std::string>& rules) {
  for (const std::string& rule : rules) add(rule);
}

NameRules::NameRules(std::initializer_list<Map::value_type> exact) {
  for (const auto& [from, to] : exact) add(from, to);
}

NameRules& NameRules::add(std::string_view rule) {
  rules_.push_back(std::make_shared<const Rule>(rule));
  return *this;
}

NameRules& NameRules::add(const std::string& from, const std::string& to) {
  if (from.empty() || to.empty())
    fail(Code::kInvalidArgument, "a name is empty in the renaming '", from, "' to '", to, "'");
  const auto [known, is_new] = exact_.emplace(from, to);
  if (!is_new && known->second != to)
    fail(Code::kInvalidArgument, quoted(from), " has two new names: ", quoted(known->second), " and ", quoted(to));
  return *this;
}

std::string NameRules::apply(const std::string& name, std::vector<bool>* fits) const {
  if (const auto known = exact_.find(name); known != exact_.end()) return known->second;
  std::string renamed = name;
  for (size_t i = 0; i < rules_.size(); ++i) {
    bool fit = false;
    renamed = rules_[i]->apply(renamed, fit);
    if (fit && fits) (*fits)[i] = true;
    if (renamed.empty())
      fail(Code::kInvalidArgument, "the rule ", quoted(rules_[i]->text), " leaves nothing of the name ", quoted(name));
  }
  return renamed;
}

std::string NameRules::operator()(const std::string& name) const { return apply(name, nullptr); }

// ---- many names ---------------------------------------------------------------------------------------------------

Renaming::Renaming(const NameRules& rules, const std::vector<std::string>& old_names) {
  std::vector<bool> fits(rules.rules_.size(), false);
  std::map<std::string, const std::string*> first_of;  // by new name
  for (const std::string& name : old_names) {
    names.emplace_back(name, rules.apply(name, &fits));
    const auto [first, is_new] = first_of.emplace(names.back().second, &name);
    if (is_new) continue;
    auto& clash = clashes[names.back().second];
    if (clash.empty()) clash.push_back(*first->second);
    clash.push_back(name);
  }
  const std::set<std::string_view> there(old_names.begin(), old_names.end());
  for (const auto& [from, to] : rules.exact_) {
    if (there.count(from) == 0) unmatched.push_back(from + "=" + to);
  }
  for (size_t i = 0; i < fits.size(); ++i) {
    if (!fits[i]) unmatched.push_back(rules.rules_[i]->text);
  }
}

std::string Renaming::clash_text() const {
  std::string text;
  for (const auto& [name, from] : clashes) {
    text += str_cat(text.empty() ? "" : "\n", quoted_list(from, 5),
                    from.size() == 2 ? " would both be " : " would all be ", quoted(name));
  }
  return text;
}

// ---- patterns -----------------------------------------------------------------------------------------------------

struct NamePattern::Compiled {
  std::string text;
  std::regex pattern;
};

NamePattern::NamePattern(const char* pattern)
    : pattern_(std::make_shared<const Compiled>(Compiled{pattern, compiled(pattern, false, "a pattern for names")})) {}

bool NamePattern::matches(const std::string& name) const {
  if (!pattern_) return all_;
  return tried(str_cat("the pattern '", pattern_->text, "'"), name,
               [&] { return std::regex_search(name, pattern_->pattern); });
}

}  // namespace cairn
