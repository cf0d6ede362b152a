// What a command prints on a terminal.
#pragma once

#include <streambuf>
#include <string>

namespace cairn {

// Stands before another stream's buffer: what is written goes on line by line with hidden
// characters, and bytes that are not UTF-8, as printable() shows them, so that nothing in a file
// speaks to the terminal. Line ends and tabs stay.
class PrintableBuffer final : public std::streambuf {
 public:
  explicit PrintableBuffer(std::streambuf& to) : to_(to) {}
  ~PrintableBuffer() override;

 private:
  int_type overflow(int_type c) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;
  // Writes what is held but for a character that has only begun.
  bool pass_on(bool all);

  std::streambuf& to_;
  std::string held_;
};

}  // namespace cairn
