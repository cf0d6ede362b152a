#include "tools/zip.h"

#include <algorithm>

#include "persist/files/crc.h"
#include "runtime/base/text.h"

namespace cairn {
namespace {

constexpr uint16_t kPlainVersion = 20, kVersionWith64Bits = 45;
constexpr uint16_t kFlagUtf8 = 0x0800;
constexpr uint16_t kDate = 0x0021;  // 1980-01-01
constexpr uint32_t kInExtra = 0xffffffff;

// Appends little-endian numbers.
class Record {
 public:
  Record& u16(uint64_t v) { return put(v, 2); }
  Record& u32(uint64_t v) { return put(v, 4); }
  Record& u64(uint64_t v) { return put(v, 8); }
  Record& text(std::string_view v) {
    bytes_ += v;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  Record& put(uint64_t v, int count) {
    for (int i = 0; i < count; ++i) bytes_ += static_cast<char>(v >> (8 * i));
    return *this;
  }
  std::string bytes_;
};

// The record with the fields that do not fit into 32 bits; "" if all fit.
std::string extra(const std::string& fields) {
  if (fields.empty()) return "";
  return Record().u16(1).u16(fields.size()).text(fields).bytes();
}

}  // namespace

bool is_safe_entry_name(std::string_view name) {
  constexpr std::string_view kSlashes = "/\\";
  const auto is_control = [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; };
  const auto is_slash = [&](size_t i) {
    return i < name.size() && kSlashes.find(name[i]) != std::string_view::npos;
  };
  const bool on_drive = name.size() > 1 && name[1] == ':' && is_slash(2);
  if (name.empty() || is_slash(0) || on_drive || std::any_of(name.begin(), name.end(), is_control))
    return false;
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find_first_of(kSlashes, at), name.size());
    if (name.substr(at, end - at) == "..") return false;
    at = end + 1;
  }
  return true;
}

void ZipWriter::add(const std::string& name, std::string_view bytes) {
  add(name, [&](const Sink& sink) { sink(bytes); });
}

void ZipWriter::add(const std::string& name, const std::function<void(const Sink&)>& produce) {
  if (name.size() > 0xffff) {
    fail(Code::kInvalidArgument, file_.path(), ": a name of ", name.size(),
         " bytes does not fit a zip archive");
  }
  if (!is_safe_entry_name(name)) {
    fail(Code::kInvalidArgument, file_.path(), ": '", printable(name),
         "' is no name for an entry: programs that unpack the archive may write it elsewhere than "
         "in their folder");
  }
  uint64_t length = 0;
  uint32_t crc = 0;
  produce([&](std::string_view piece) {
    length += piece.size();
    crc = crc32(piece, crc);
  });
  const bool wide = length > largest_, far = at_ > largest_;
  // Without the flag names are read as code page 437, in which every byte is a character.
  const bool ascii = std::none_of(name.begin(), name.end(), [](char c) { return (c & 0x80) != 0; });
  const uint16_t flags = !ascii && is_utf8(name) ? kFlagUtf8 : 0;
  const std::string sizes = wide ? Record().u64(length).u64(length).bytes() : "";
  const auto common = [&](Record& r, const std::string& more) -> Record& {
    const uint64_t size = wide ? kInExtra : length;
    return r.u16(flags)
        .u16(0)
        .u16(0)
        .u16(kDate)
        .u32(crc)
        .u32(size)
        .u32(size)
        .u16(name.size())
        .u16(more.size());
  };

  Record local;
  const std::string local_extra = extra(sizes);
  common(local.u32(0x04034b50).u16(wide ? kVersionWith64Bits : kPlainVersion), local_extra);
  local.text(name).text(local_extra);

  Record entry;
  const std::string entry_extra = extra(sizes + (far ? Record().u64(at_).bytes() : ""));
  const uint16_t version = wide || far ? kVersionWith64Bits : kPlainVersion;
  constexpr uint16_t kUnix = 3 << 8;
  constexpr uint32_t kPermissions = 0100644u << 16;
  common(entry.u32(0x02014b50).u16(kUnix | version).u16(version), entry_extra);
  entry.u16(0)
      .u16(0)
      .u16(0)
      .u32(kPermissions)
      .u32(far ? kInExtra : at_)
      .text(name)
      .text(entry_extra);

  file_.append(local.bytes());
  produce([&](std::string_view piece) { file_.append(piece); });
  at_ += local.bytes().size() + length;
  directory_ += entry.bytes();
  ++entries_;
}

void ZipWriter::finish() {
  file_.append(directory_);
  const uint64_t size = directory_.size(), end = at_ + size;
  const bool wide = entries_ >= 0xffff || at_ > largest_ || size > largest_;
  Record tail;
  if (wide) {
    tail.u32(0x06064b50).u64(44).u16(kVersionWith64Bits).u16(kVersionWith64Bits).u32(0).u32(0);
    tail.u64(entries_).u64(entries_).u64(size).u64(at_);
    tail.u32(0x07064b50).u32(0).u64(end).u32(1);
  }
  const uint64_t entries = wide ? 0xffff : entries_;
  tail.u32(0x06054b50).u16(0).u16(0).u16(entries).u16(entries);
  tail.u32(wide ? kInExtra : size).u32(wide ? kInExtra : at_).u16(0);
  file_.append(tail.bytes());
}

}  // namespace cairn
