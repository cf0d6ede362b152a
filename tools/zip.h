// Zip archives without compression, as numpy.savez writes them.
//
//   ZipWriter zip(file);                  // any WritableFile
//   zip.add("W.npy", npy_bytes(w));
//   zip.finish();
//
// The same entries give the same bytes: every one is dated 1980-01-01. From 4 GiB or 65,535 entries
// on the archive has the 64-bit records that such ones need. (PKWARE's APPNOTE.TXT)
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "persist/files/file.h"

namespace cairn {

// Whether a program that unpacks an archive keeps to its folder under this name: it is not
// absolute, has no part "..", no drive, and no control character.
bool is_safe_entry_name(std::string_view name);

class ZipWriter {
 public:
  // `largest` is the last size and offset that a 32-bit field takes.
  explicit ZipWriter(WritableFile& file, uint64_t largest = 0xfffffffe)
      : file_(file), largest_(largest) {}
  // Throws InvalidArgument for a name of more than 65,535 bytes and for one that is not safe
  // (below).
  void add(const std::string& name, std::string_view bytes);
  // The same with bytes that come piece by piece. `produce` is called twice, and gives its argument
  // the same pieces in the same order both times: an entry begins with its checksum.
  using Sink = std::function<void(std::string_view piece)>;
  void add(const std::string& name, const std::function<void(const Sink&)>& produce);
  // The table of contents; nothing can be added afterwards.
  void finish();

 private:
  WritableFile& file_;
  uint64_t largest_, at_ = 0, entries_ = 0;
  std::string directory_;
};

}  // namespace cairn
