#include "persist/files/pattern.h"

#include <re2/re2.h>

#include "runtime/base/error.h"

namespace cairn {
namespace {

using re2::RE2;

constexpr int64_t kMostMemory = 8 << 20;  // for one pattern's program and automata

std::unique_ptr<RE2> compiled(const std::string& text, bool any_case,
                              RE2::Options::Encoding encoding) {
  RE2::Options options;
  options.set_encoding(encoding);
  options.set_case_sensitive(!any_case);
  options.set_log_errors(false);
  options.set_max_mem(kMostMemory);
  return std::make_unique<RE2>(text, options);
}

bool is_characters(const std::string& text) {
  static const RE2 every_character("(?s).*");
  return RE2::FullMatch(text, every_character);
}

}  // namespace

Pattern::Pattern(const std::string& text, bool any_case)
    : bytes_(compiled(text, any_case, RE2::Options::EncodingLatin1)) {
  if (is_characters(text)) characters_ = compiled(text, any_case, RE2::Options::EncodingUTF8);
  for (const RE2* pattern : {characters_.get(), bytes_.get()}) {
    if (pattern && !pattern->ok())
      fail(Code::kInvalidArgument, "the pattern '", text,
           "' is no regular expression that RE2 takes: ", pattern->error());
  }
}

Pattern::~Pattern() = default;

const RE2& Pattern::for_text(const std::string& text) const {
  return characters_ && is_characters(text) ? *characters_ : *bytes_;
}

bool Pattern::is_in(const std::string& text) const {
  return RE2::PartialMatch(text, for_text(text));
}

bool Pattern::is_all_of(const std::string& text) const {
  return RE2::FullMatch(text, for_text(text));
}

int Pattern::groups() const { return bytes_->NumberOfCapturingGroups(); }

bool Pattern::replace(std::string& text, const std::string& rewrite, bool everywhere) const {
  const RE2& pattern = for_text(text);
  return everywhere ? RE2::GlobalReplace(&text, pattern, rewrite) > 0
                    : RE2::Replace(&text, pattern, rewrite);
}

}  // namespace cairn
