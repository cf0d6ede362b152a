// Writes zip archives without compression, as numpy.savez does.
//
//   ZipWriter zip(file);                  // any WritableFile
//   zip.add("W.npy", npy_bytes(w));
//   zip.finish();
//
// The same entries give the same bytes: all dates are 1980-01-01. From 4 GiB or 65,535 entries on
// the archive has 64-bit records. (PKWARE's APPNOTE.TXT)
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "persist/files/file.h"

namespace cairn {

// True if unpacking an entry of this name writes only below the folder: the name is not absolute
// and has no part "..", no drive and no control character.
bool is_safe_entry_name(std::string_view name);

class ZipWriter {
 public:
  // `largest`: the greatest size and offset that a 32-bit field holds.
  explicit ZipWriter(WritableFile& file, uint64_t largest = 0xfffffffe)
      : file_(file), largest_(largest) {}
  // Adds an entry. Throws InvalidArgument for a name of more than 65,535 bytes, and for one that is
  // not safe (is_safe_entry_name).
  void add(const std::string& name, std::string_view bytes);
  // The same, in pieces. `produce` is called twice, as the checksum comes first, and must pass the
  // same pieces in the same order to its argument both times.
  using Sink = std::function<void(std::string_view piece)>;
  void add(const std::string& name, const std::function<void(const Sink&)>& produce);
  // Writes the table of contents. No entry can be added afterwards.
  void finish();

 private:
  WritableFile& file_;
  uint64_t largest_, at_ = 0, entries_ = 0;
  std::string directory_;
};

}  // namespace cairn
