// Suggests names and renaming rules for names that were not found.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cairn {

// The maximum number of lines of a list in a report; it ends with the number of the remaining ones.
inline constexpr size_t kMostLines = 20;

class NameHints {
 public:
  // `candidates` are not copied and must outlive this.
  explicit NameHints(const std::vector<std::string>& candidates);

  // The candidates most similar to `name`, at most three, best first: those that differ in a common
  // way (":0", "_1", a scope more or less), then those with the same ending, then by edit distance.
  std::vector<std::string> nearest(const std::string& name) const;

  // The rule, in the syntax of NameRules, that turns the most candidates into wanted names, and
  // their number. nullopt if that is less than two. Takes time linear in the number of names.
  std::optional<std::pair<std::string, size_t>> common_rule(
      const std::vector<std::string>& wanted) const;

 private:
  using Places = std::vector<const std::string*>;
  const Places* at(const std::unordered_map<std::string_view, Places>& index,
                   std::string_view part) const;

  const std::vector<std::string>& candidates_;
  // Candidates by each ending that begins after a slash, and by the scope before the last slash; a
  // few of each.
  std::unordered_map<std::string_view, Places> by_ending_, by_scope_;
};

}  // namespace cairn
