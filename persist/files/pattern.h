// A regular expression that a user or a file gives, matched by RE2: in time that grows with the
// text's length alone and in bounded memory, whatever the pattern and however long the text.
#pragma once

#include <memory>
#include <string>

namespace re2 {
class RE2;
}

namespace cairn {

class Pattern {
 public:
  // Throws InvalidArgument for what RE2 does not take, with the pattern and RE2's reason.
  explicit Pattern(const std::string& text, bool any_case = false);
  ~Pattern();

  bool is_in(const std::string& text) const;  // anywhere in it
  bool is_all_of(const std::string& text) const;
  int groups() const;
  // Replaces the first place, or every one, in `text`: tells whether there is one. `rewrite` is
  // RE2's: \0 … \9, \\.
  bool replace(std::string& text, const std::string& rewrite, bool everywhere) const;

 private:
  const re2::RE2& for_text(const std::string& text) const;

  // Patterns and texts are UTF-8. Where one of them is not, both are taken byte by byte.
  std::unique_ptr<re2::RE2> characters_, bytes_;
};

}  // namespace cairn
