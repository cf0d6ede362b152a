#include "tools/terminal.h"

#include <algorithm>

#include "runtime/base/text.h"

namespace cairn {
namespace {

constexpr size_t kMostHeld = 16384, kLongestCharacter = 4;

// The number of bytes at the end of `text` that may be the beginning of a character.
size_t begun(std::string_view text) {
  for (size_t n = 1; n < kLongestCharacter && n <= text.size(); ++n) {
    const auto byte = static_cast<unsigned char>(text[text.size() - n]);
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return n < (byte >= 0xf0 ? 4u : byte >= 0xe0 ? 3u : 2u) ? n : 0;
  }
  return 0;
}

}  // namespace

PrintableBuffer::~PrintableBuffer() { pass_on(true); }

bool PrintableBuffer::pass_on(bool all) {
  const size_t kept = all ? 0 : begun(held_);
  const std::string text =
      printable(std::string_view(held_).substr(0, held_.size() - kept), "\n\t");
  held_.erase(0, held_.size() - kept);
  const auto size = static_cast<std::streamsize>(text.size());
  return to_.sputn(text.data(), size) == size;
}

PrintableBuffer::int_type PrintableBuffer::overflow(int_type c) {
  if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
  const char text = traits_type::to_char_type(c);
  return xsputn(&text, 1) == 1 ? c : traits_type::eof();
}

std::streamsize PrintableBuffer::xsputn(const char* text, std::streamsize size) {
  held_.append(text, static_cast<size_t>(size));
  return held_.size() < kMostHeld || pass_on(false) ? size : 0;
}

int PrintableBuffer::sync() { return pass_on(false) && to_.pubsync() == 0 ? 0 : -1; }

}  // namespace cairn
