#include "persist/internal/overwrite_journal.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>

#include "persist/checkpoint_v1.h"
#include "persist/internal/bundle_format.h"
#include "persist/internal/crc.h"
#include "persist/internal/publication.h"
#include "persist/internal/wire.h"

namespace cairn {
namespace {

constexpr std::string_view kJournalPrefix = ".r-", kRecoveryPrefix = ".o-";
constexpr size_t kJournalDigits = 16, kTokenDigits = 8, kCountDigits = 6;
constexpr std::string_view kFirstLine = "Cairn is overwriting 1\n";
constexpr uint64_t kIdentifyingBytes = 64 << 10;
constexpr uint64_t kLargestJournal = 64 << 20;

std::string hex(uint64_t number, size_t digits) {
  std::string text(digits, '0');
  for (size_t i = digits; i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
  return text;
}

bool has_digits(std::string_view name, std::string_view prefix, size_t digits) {
  return name.size() == prefix.size() + digits && name.starts_with(prefix) &&
         name.find_first_not_of("0123456789abcdef", prefix.size()) == std::string_view::npos;
}

// Recovery names are new each time: one that an earlier overwriting left must not be taken for this one's.
std::string random_token() {
  thread_local std::mt19937_64 random(std::random_device{}());
  return hex(random(), kTokenDigits);
}

uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return hash;
}

void put_text(std::string& out, const std::string& text) {
  put_varint(out, text.size());
  out += text;
}

std::optional<std::string> take_text(std::string_view& bytes) {
  const auto size = take_varint(bytes);
  if (!size || *size > bytes.size()) return std::nullopt;
  std::string text(bytes.substr(0, *size));
  bytes.remove_prefix(*size);
  return text;
}

void copy_file(FileSystem& fs, const std::string& from, const std::string& to) {
  const auto in = fs.open(from);
  const auto out = fs.create(to);
  std::string piece;
  for (uint64_t at = 0; at < in->size(); at += piece.size()) {
    piece.resize(std::min<uint64_t>(kTransferSize, in->size() - at));
    in->read(at, piece);
    out->append(piece);
  }
  out->sync();
  out->close();
}

}  // namespace

std::string journal_path(const std::string& prefix) {
  const std::string name = base_name(without_shard_ending(prefix));
  return join_path(directory_of(prefix), str_cat(kJournalPrefix, hex(fnv1a(name), kJournalDigits)));
}

bool is_journal_name(std::string_view base_name) { return has_digits(base_name, kJournalPrefix, kJournalDigits); }

bool is_recovery_name(std::string_view base_name) {
  return has_digits(base_name, kRecoveryPrefix, kTokenDigits + kCountDigits);
}

bool looks_like_table(FileSystem& fs, const std::string& path) {
  const auto info = fs.stat(path);
  if (!info || info->is_directory) return false;
  const auto file = fs.open(path);
  std::string end(sizeof(uint64_t), '\0');
  if (file->size() < end.size()) return false;
  file->read(file->size() - end.size(), end);
  return get_fixed<uint64_t>(end) == kTableMagic;
}

OverwriteJournal::OverwriteJournal(FileSystem& fs, std::string path)
    : fs_(fs), path_(std::move(path)), directory_(directory_of(path_)) {}

OverwriteJournal::Identity OverwriteJournal::identify(const std::string& path) const {
  const auto file = fs_.open(path);
  std::string end(std::min(kIdentifyingBytes, file->size()), '\0');
  file->read(file->size() - end.size(), end);
  return {file->size(), crc32c(end)};
}

// A second name, or a copy where the file system has no second names.
void OverwriteJournal::keep(const std::string& path, const std::string& link) {
  try {
    fs_.link(path, link);
  } catch (const Error& e) {
    const bool cannot = e.code() == Code::kPermissionDenied || e.code() == Code::kUnimplemented ||
                        e.code() == Code::kInvalidArgument || e.code() == Code::kResourceExhausted;
    if (!cannot) throw;
    copy_file(fs_, path, link);
  }
}

void OverwriteJournal::begin(const std::vector<std::string>& old, const std::vector<NewFile>& new_files) {
  for (const NewFile& file : new_files) new_.push_back({file.name, "", identify(file.path)});
  const std::string token = random_token();
  for (const std::string& path : old) {
    const Identity identity = identify(path);
    old_.push_back({base_name(path), str_cat(kRecoveryPrefix, token, hex(old_.size(), kCountDigits)), identity});
    keep(path, in_directory(old_.back().link));
  }
  write();
}

void OverwriteJournal::write() {
  std::string bytes(kFirstLine);
  for (const auto* files : {&old_, &new_}) {
    put_varint(bytes, files->size());
    for (const File& file : *files) {
      put_text(bytes, file.name);
      put_text(bytes, file.link);
      put_varint(bytes, file.identity.size);
      put_fixed(bytes, file.identity.crc);
    }
  }
  put_fixed(bytes, mask_crc(crc32c(bytes)));
  AtomicFile file(fs_, path_);
  file.append(bytes);
  file.publish();
  written_ = true;
  fs_.sync_dir(directory_);
}

bool OverwriteJournal::read() {
  const auto info = fs_.stat(path_);
  if (!info || info->is_directory || info->size > kLargestJournal) return false;
  const std::string all = read_file(fs_, path_);
  if (all.size() < kFirstLine.size() + sizeof(uint32_t) || !all.starts_with(kFirstLine)) return false;
  std::string_view bytes(all);
  const uint32_t crc = get_fixed<uint32_t>(bytes.substr(bytes.size() - sizeof(uint32_t)));
  bytes.remove_suffix(sizeof(uint32_t));
  if (crc != mask_crc(crc32c(bytes))) return false;
  bytes.remove_prefix(kFirstLine.size());
  for (auto* files : {&old_, &new_}) {
    const auto count = take_varint(bytes);
    for (uint64_t i = 0; count && i < *count; ++i) {
      const auto name = take_text(bytes), link = take_text(bytes);
      const auto size = take_varint(bytes);
      // Names of this directory only: what a file says must not lead anywhere else.
      if (!name || !link || !size || bytes.size() < sizeof(uint32_t) || name->find('/') != std::string::npos ||
          (files == &old_) != is_recovery_name(*link)) {
        return false;
      }
      files->push_back({*name, *link, {*size, get_fixed<uint32_t>(bytes)}});
      bytes.remove_prefix(sizeof(uint32_t));
    }
    if (!count) return false;
  }
  written_ = bytes.empty();
  return written_;
}

void OverwriteJournal::remove_journal() {
  fs_.remove(path_);
  written_ = false;
  fs_.sync_dir(directory_);
}

void OverwriteJournal::end() {
  ended_ = true;
  remove_journal();
}

void OverwriteJournal::tidy() {
  for (const File& file : old_) {
    try {
      fs_.remove(in_directory(file.link));
    } catch (const Error&) {
    }
  }
}

void OverwriteJournal::roll_back() {
  for (const File& file : old_) {
    const std::string link = in_directory(file.link);
    if (!fs_.exists(link)) continue;  // before: put back already; or the names were never touched
    fs_.rename(link, in_directory(file.name));
    // Renaming one name of a file to another name of it does nothing.
    if (fs_.exists(link)) fs_.remove(link);
  }
  for (const File& file : new_) {
    const std::string path = in_directory(file.name);
    const bool was_there =
        std::any_of(old_.begin(), old_.end(), [&](const File& before) { return before.name == file.name; });
    if (!was_there && fs_.exists(path) && identify(path) == file.identity) fs_.remove(path);
  }
  fs_.sync_dir(directory_);
  remove_journal();
}

void OverwriteJournal::undo() {
  // A journal that is on the disk must not be gone while the names change back.
  if (ended_ && !written_) write();
  if (written_) return roll_back();
  tidy();
}

bool OverwriteJournal::is_superseded() const {
  for (const auto* files : {&old_, &new_}) {
    for (const File& file : *files) {
      const std::string path = in_directory(file.name);
      const auto info = fs_.stat(path);
      if (!info) continue;
      if (info->is_directory) return true;
      const Identity now = identify(path);
      const auto is_it = [&](const File& f) { return f.name == file.name && f.identity == now; };
      if (std::none_of(old_.begin(), old_.end(), is_it) && std::none_of(new_.begin(), new_.end(), is_it)) return true;
    }
  }
  return false;
}

void OverwriteJournal::recover() {
  if (!read()) {
    old_.clear();
    if (fs_.exists(path_)) remove_journal();
  } else if (is_superseded()) {
    remove_journal();
    tidy();
  } else {
    roll_back();
  }
}

void settle_overwriting(FileSystem& fs, const std::string& prefix) { settle_journal(fs, journal_path(prefix)); }

void settle_journal(FileSystem& fs, const std::string& journal) {
  using std::chrono::milliseconds;
  constexpr milliseconds kLongestPause(50), kLongestWait(30'000);
  const std::string directory = directory_of(journal);
  milliseconds waited(0), pause(1);
  while (fs.exists(journal)) {
    try {
      if (const auto lock = fs.lock_dir(directory)) {
        OverwriteJournal(fs, journal).recover();
        continue;
      }
    } catch (const Error& e) {
      if (e.code() == Code::kFailedPrecondition && waited < kLongestWait) {
        std::this_thread::sleep_for(pause);
        waited += pause;
        pause = std::min(pause * 2, kLongestPause);
        continue;
      }
      throw Error(e.code(), str_cat(journal,
                                    ": a writer was interrupted while it overwrote a checkpoint, and the one before "
                                    "cannot be put back: ",
                                    e.what()));
    }
    fail(Code::kUnavailable, journal,
         ": a writer is overwriting a checkpoint or was interrupted doing so, and the file system has no locks to tell "
         "which; the next save into this directory puts it right");
  }
}

}  // namespace cairn
