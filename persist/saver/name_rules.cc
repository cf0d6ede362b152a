#include "persist/saver/name_rules.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "persist/files/pattern.h"
#include "persist/files/quote.h"

namespace cairn {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Converts `replacement` to RE2's syntax. In a rule, & is the whole match and a backslash makes any
// character but a digit literal (letters are refused). RE2 writes \0 for the match and accepts a
// backslash only before backslashes and digits.
std::string re2_rewrite(std::string_view replacement) {
  std::string rewrite;
  for (size_t i = 0; i < replacement.size(); ++i) {
    const char c = replacement[i];
    if (c == '&') {
      rewrite += "\\0";
    } else if (c != '\\') {
      rewrite += c;
    } else {
      const char next = i + 1 < replacement.size() ? replacement[++i] : c;
      if (is_digit(next) || next == '\\') rewrite += c;
      rewrite += next;
    }
  }
  return rewrite;
}

}  // namespace

// ---- rules --------------------------------------------------------------------------------------

struct NameRules::Rule {
  std::string text, rewrite;
  std::unique_ptr<const Pattern> pattern;
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
    if (end == std::string::npos)
      refuse(str_cat("there is no third ", mark, ", which ends the replacement"));
    if (middle == 2) refuse("the pattern is empty");
    bool any_case = false;
    for (const char flag : std::string_view(text).substr(end + 1)) {
      if (flag != 'g' && flag != 'i')
        refuse(str_cat("after the third ", mark, " only g and i may stand, not '", flag,
                       "' (in a name ", mark, " is written \\", mark, ")"));
      (flag == 'g' ? everywhere : any_case) = true;
    }
    compile(mark, text.substr(2, middle - 2), any_case);
    const std::string replacement = text.substr(middle + 1, end - middle - 1);
    check_groups(replacement);
    rewrite = re2_rewrite(replacement);
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    fail(Code::kInvalidArgument, "the rule '", text,
         "' does not read s/PATTERN/REPLACEMENT/: ", why);
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

  void compile(char mark, std::string source, bool any_case) {
    if (mark == '_') {  // the only delimiter that RE2 does not accept after a backslash
      for (size_t at = source.find('\\'); at != std::string::npos; at = source.find('\\', at + 1)) {
        source[at + 1] == mark ? source.erase(at, 1), 0 : ++at;
      }
    }
    try {
      pattern = std::make_unique<const Pattern>(source, any_case);
    } catch (const Error& e) {
      fail(e.code(), "the rule '", text, "': ", e.what());
    }
  }

  void check_groups(const std::string& replacement) const {
    const int groups = pattern->groups();
    for (size_t i = 0; i + 1 < replacement.size(); ++i) {
      if (replacement[i] != '\\') continue;
      const char next = replacement[++i];
      if (is_digit(next) && next - '0' > groups)
        refuse(str_cat("the replacement names group \\", next, ", the pattern has ", groups));
      if (std::isalpha(static_cast<unsigned char>(next)))
        refuse(str_cat(
            "\\", next,
            " in the replacement has no meaning; write a backslash only before a digit, & or ",
            "another character that has a meaning without it"));
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
    fail(Code::kInvalidArgument, quote(from), " has two new names: ", quote(known->second), " and ",
         quote(to));
  return *this;
}

std::string NameRules::apply(const std::string& name, std::vector<bool>* fits) const {
  if (const auto known = exact_.find(name); known != exact_.end()) return known->second;
  std::string renamed = name;
  for (size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = *rules_[i];
    if (rule.pattern->replace(renamed, rule.rewrite, rule.everywhere) && fits) (*fits)[i] = true;
    if (renamed.empty())
      fail(Code::kInvalidArgument, "the rule ", quote(rule.text), " leaves nothing of the name ",
           quote(name));
  }
  return renamed;
}

std::string NameRules::operator()(const std::string& name) const { return apply(name, nullptr); }

// ---- renaming lists of names --------------------------------------------------------------------

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
    text += str_cat(text.empty() ? "" : "\n  ", quote_list(from, 5),
                    from.size() == 2 ? " would both be " : " would all be ", quote(name));
  }
  return text;
}

// ---- patterns -----------------------------------------------------------------------------------

struct NamePattern::Compiled : Pattern {
  using Pattern::Pattern;
};

NamePattern::NamePattern(const std::string& pattern) {
  try {
    pattern_ = std::make_shared<const Compiled>(pattern);
  } catch (const Error& e) {
    fail(e.code(), "a pattern for names: ", e.what());
  }
}

bool NamePattern::matches(const std::string& name) const {
  return pattern_ ? pattern_->is_in(name) : all_;
}

bool NamePattern::matches_whole(const std::string& name) const {
  return pattern_ ? pattern_->is_all_of(name) : all_;
}

}  // namespace cairn
