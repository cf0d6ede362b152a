// What names that were not found may be called instead.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cairn {

// Of a list in a report: after so many lines it says how many more there are.
inline constexpr size_t kMostLines = 20;

class NameHints {
 public:
  // `candidates` are referred to, not copied.
  explicit NameHints(const std::vector<std::string>& candidates);

  // Candidates that look most like `name`, at most three, the likeliest first: those that differ in
  // a common way (":0",
  // "_1", a scope more or less), then those that end alike, then by edit distance.
  std::vector<std::string> nearest(const std::string& name) const;

  // The rule, as NameRules reads it, under which the most candidates become names that are wanted,
  // and how many do. Nothing when it would be fewer than two. Takes time linear in the number of
  // names.
  std::optional<std::pair<std::string, size_t>> common_rule(
      const std::vector<std::string>& wanted) const;

 private:
  using Places = std::vector<const std::string*>;
  const Places* at(const std::unordered_map<std::string_view, Places>& index,
                   std::string_view part) const;

  const std::vector<std::string>& candidates_;
  // By what is left of a name after some of its first scopes, and by all before the last slash; a
  // few of each.
  std::unordered_map<std::string_view, Places> by_ending_, by_scope_;
};

}  // namespace cairn
