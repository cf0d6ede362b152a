// Zip archives without compression, as numpy.savez writes them.
//
//   ZipWriter zip(file);                  // any WritableFile
//   zip.add("W.npy", npy_bytes(w));
//   zip.finish();
//
// The same entries give the same bytes: every one is dated 1980-01-01. From 4 GiB or 65,535 entries on the archive has
// the 64-bit records that such ones need. (PKWARE's APPNOTE.TXT)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "persist/file.h"

namespace cairn {

class ZipWriter {
 public:
  // `largest` is the last size and offset that a 32-bit field takes.
  explicit ZipWriter(WritableFile& file, uint64_t largest = 0xfffffffe) : file_(file), largest_(largest) {}
  // Throws InvalidArgument for a name of more than 65,535 bytes.
  void add(const std::string& name, std::string_view bytes);
  // The table of contents; nothing can be added afterwards.
  void finish();

 private:
  WritableFile& file_;
  uint64_t largest_, at_ = 0, entries_ = 0;
  std::string directory_;
};

}  // namespace cairn
