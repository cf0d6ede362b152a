// A regular expression from a user or a file, matched by RE2: in time linear in the length of the
// text and in bounded memory, for every pattern.
#pragma once

#include <memory>
#include <string>

namespace re2 {
class RE2;
}

namespace cairn {

class Pattern {
 public:
  // Throws InvalidArgument with the pattern and RE2's reason if RE2 does not accept it.
  explicit Pattern(const std::string& text, bool any_case = false);
  ~Pattern();

  bool is_in(const std::string& text) const;  // matches anywhere
  // matches the whole text
  bool is_all_of(const std::string& text) const;
  int groups() const;
  // Replaces the first match, or every one, in `text`; false if there is none. `rewrite` is in
  // RE2's syntax: \0 … \9, \\.
  bool replace(std::string& text, const std::string& rewrite, bool everywhere) const;

 private:
  const re2::RE2& for_text(const std::string& text) const;

  // Patterns and texts are UTF-8. If one of them is not, both are matched as bytes.
  std::unique_ptr<re2::RE2> characters_, bytes_;
};

}  // namespace cairn
