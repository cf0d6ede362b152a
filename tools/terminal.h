// Safe output on a terminal.
#pragma once

#include <streambuf>
#include <string>

namespace cairn {

// A stream buffer that passes text to another one line by line. It escapes hidden characters and
// bytes that are not UTF-8 as printable() does, except line ends and tabs, so that names in files
// cannot control the terminal.
class PrintableBuffer final : public std::streambuf {
 public:
  explicit PrintableBuffer(std::streambuf& to) : to_(to) {}
  ~PrintableBuffer() override;

 private:
  int_type overflow(int_type c) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;
  // Writes all held text except an incomplete character.
  bool pass_on(bool all);

  std::streambuf& to_;
  std::string held_;
};

}  // namespace cairn
