#include "persist/files/overwrite_journal.h"

#include <algorithm>
#include <set>

#include "persist/checkpoint/bundle_format.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/files/crc.h"
#include "persist/files/own_names.h"
#include "persist/messages/wire.h"

namespace cairn {
namespace {

constexpr size_t kTokenDigits = 8, kCountDigits = 6;
constexpr std::string_view kJournalFirstLine = "Cairn is overwriting 1\n";
constexpr uint64_t kIdentifyingBytes = 64 << 10;
constexpr uint64_t kLargestJournal = 16 << 20;

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

bool looks_like_table(FileSystem& fs, const std::string& path) {
  const auto info = fs.stat(path);
  if (!info || !info->is_file()) return false;
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

// Links a file, or copies it if the file system has no hard links.
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

void OverwriteJournal::begin(const std::vector<std::string>& old,
                             const std::vector<NewFile>& new_files) {
  for (const NewFile& file : new_files) new_.push_back({file.name, "", identify(file.path)});
  // A new token each time: recovery files that an earlier journal left must not be mistaken for
  // this one's.
  const std::string token = random_digits(kTokenDigits);
  for (const std::string& path : old) {
    const Identity identity = identify(path);
    old_.push_back(
        {base_name(path), str_cat(".o-", token, hex_digits(old_.size(), kCountDigits)), identity});
    keep(path, in_directory(old_.back().link));
  }
  write();
}

void OverwriteJournal::write() {
  std::string bytes(kJournalFirstLine);
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

bool OverwriteJournal::parse(std::string_view bytes) {
  if (bytes.size() < kJournalFirstLine.size() + sizeof(uint32_t) ||
      !bytes.starts_with(kJournalFirstLine))
    return false;
  const uint32_t crc = get_fixed<uint32_t>(bytes.substr(bytes.size() - sizeof(uint32_t)));
  bytes.remove_suffix(sizeof(uint32_t));
  if (crc != mask_crc(crc32c(bytes))) return false;
  bytes.remove_prefix(kJournalFirstLine.size());
  for (auto* files : {&old_, &new_}) {
    const auto count = take_varint(bytes);
    for (uint64_t i = 0; count && i < *count; ++i) {
      const auto name = take_text(bytes), link = take_text(bytes);
      const auto size = take_varint(bytes);
      if (!name || !link || !size || bytes.size() < sizeof(uint32_t)) return false;
      files->push_back({*name, *link, {*size, get_fixed<uint32_t>(bytes)}});
      bytes.remove_prefix(sizeof(uint32_t));
    }
    if (!count) return false;
  }
  return bytes.empty() && !old_.empty();
}

namespace {

// The prefixes that a file's name may belong to: for "m.ckpt.index" itself, "m.ckpt" and "m"; for
// "m-00000-of-00002" also "m".
std::vector<std::string> possible_prefixes(const std::string& name) {
  std::vector<std::string> prefixes = {name, without_shard_ending(name)};
  for (size_t dot = name.find('.', 1); dot != std::string::npos; dot = name.find('.', dot + 1)) {
    prefixes.push_back(name.substr(0, dot));
  }
  return prefixes;
}

enum class Part { kNone, kValues, kOther };  // kOther: the meta graph, whatever its suffix
Part part_of(const std::string& name, const std::string& prefix) {
  if (name == prefix || without_shard_ending(name) == prefix) return Part::kValues;
  if (!name.starts_with(prefix + ".") || name.size() == prefix.size() + 1) return Part::kNone;
  const std::string_view ending = std::string_view(name).substr(prefix.size());
  return ending == ".index" || ending.starts_with(".data-") ? Part::kValues : Part::kOther;
}

}  // namespace

std::vector<std::string> journals_about(const std::string& path) {
  std::vector<std::string> journals;
  for (const std::string& prefix : possible_prefixes(base_name(path))) {
    std::string journal = join_path(directory_of(path), base_name(journal_path(prefix)));
    if (std::find(journals.begin(), journals.end(), journal) == journals.end())
      journals.push_back(std::move(journal));
  }
  return journals;
}

// A name in the journal that it must not contain; "" if there is none.
std::string OverwriteJournal::unfit_name() const {
  const auto is_plain = [](const File& file) { return is_plain_name(file.name); };
  if (!std::all_of(old_.begin(), old_.end(), is_plain)) return "a path in place of a name";
  const auto prefixes = possible_prefixes(old_[0].name);
  const auto prefix = std::find_if(prefixes.begin(), prefixes.end(), [&](const std::string& each) {
    return base_name(journal_path(each)) == base_name(path_);
  });
  std::set<std::string> links, others;
  for (const auto* files : {&old_, &new_}) {
    std::set<std::string> names;
    for (const File& file : *files) {
      const Part part = prefix == prefixes.end() ? Part::kNone : part_of(file.name, *prefix);
      if (part == Part::kOther) others.insert(file.name);
      if (part == Part::kNone || !is_plain(file) || others.size() > 1 ||
          !names.insert(file.name).second)
        return file.name;
      if (files == &old_ ? !is_recovery_name(file.link) || !links.insert(file.link).second
                         : !file.link.empty())
        return file.link;
    }
  }
  return "";
}

bool OverwriteJournal::belongs_to_owner_of_files(const FileInfo& journal) const {
  return std::all_of(there_.begin(), there_.end(), [&](const auto& entry) {
    const auto info = fs_.stat(in_directory(entry.first));
    return !info || info->owner == journal.owner;
  });
}

// The reason not to follow the journal; "" if there is none. Fills there_.
std::string OverwriteJournal::what_is_wrong(const FileInfo& journal) {
  if (!journal.is_file() || journal.is_link) return "it is no file";
  if (journal.size > kLargestJournal) return str_cat("it has ", journal.size, " bytes");
  if (!parse(read_file(fs_, path_))) return "its bytes are not those of a journal, or damaged";
  if (const std::string unfit = unfit_name(); !unfit.empty())
    return str_cat("it names '", unfit, "', which is not a file of its checkpoint");
  for (const auto* files : {&old_, &new_}) {
    for (const File& file : *files) {
      for (const std::string& name : {file.name, file.link}) {
        const auto info =
            name.empty() || there_.count(name) ? std::nullopt : fs_.stat(in_directory(name));
        if (!info) continue;
        if (!info->is_file()) return str_cat(name, " is no file");
        there_[name] = identify(in_directory(name));
      }
    }
  }
  if (!journal.is_mine && !belongs_to_owner_of_files(journal))
    return "it belongs to another user than the checkpoint's files";
  return "";
}

std::optional<OverwriteJournal::Standing> OverwriteJournal::look() {
  old_.clear();
  new_.clear();
  there_.clear();
  const auto journal = fs_.stat(path_);
  if (!journal) return std::nullopt;
  why_ = what_is_wrong(*journal);
  if (!why_.empty()) return Standing::kForeign;
  std::map<std::string, std::vector<Identity>> known;
  for (const auto* files : {&old_, &new_}) {
    for (const File& file : *files) known[file.name].push_back(file.identity);
  }
  const auto has = [&](const std::string& name, const Identity& identity) {
    const auto at = there_.find(name);
    return at != there_.end() && at->second == identity;
  };
  for (const auto& entry : known) {
    const std::string& name = entry.first;
    const bool is_known = std::any_of(entry.second.begin(), entry.second.end(),
                                      [&](const Identity& i) { return has(name, i); });
    if (there_.count(name) && !is_known) return Standing::kSpent;
  }
  for (const File& file : old_) {
    if (has(file.link, file.identity) || has(file.name, file.identity)) continue;
    why_ = str_cat("the older ", file.name, " is nowhere as it describes it");
    return Standing::kForeign;
  }
  written_ = true;
  return Standing::kInForce;
}

std::map<std::string, std::string> OverwriteJournal::older() const {
  std::map<std::string, std::string> places;
  for (const File& file : old_) {
    const auto at = there_.find(file.link);
    places[file.name] = at != there_.end() && at->second == file.identity ? file.link : file.name;
  }
  return places;
}

std::vector<std::string> OverwriteJournal::newcomers() const {
  std::set<std::string> old_names;
  for (const File& file : old_) old_names.insert(file.name);
  std::vector<std::string> names;
  for (const File& file : new_) {
    if (!old_names.count(file.name)) names.push_back(file.name);
  }
  return names;
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
    if (!fs_.exists(link)) continue;  // restored already, or never replaced
    if (const auto at = there_.find(file.link); at != there_.end() && at->second != file.identity)
      continue;
    fs_.rename(link, in_directory(file.name));
    // Renaming between two names of the same file does nothing.
    if (fs_.exists(link)) fs_.remove(link);
  }
  for (const File& file : new_) {
    const std::string path = in_directory(file.name);
    const bool was_there = std::any_of(
        old_.begin(), old_.end(), [&](const File& before) { return before.name == file.name; });
    if (!was_there && fs_.exists(path) && identify(path) == file.identity) fs_.remove(path);
  }
  fs_.sync_dir(directory_);
  remove_journal();
}

void OverwriteJournal::undo() {
  // The removal of the journal may not be durable yet. It must be there while the names change
  // back.
  if (ended_ && !written_) write();
  if (written_) return roll_back();
  tidy();
}

std::optional<OverwriteJournal::Standing> OverwriteJournal::recover() {
  const auto standing = look();
  if (standing == Standing::kSpent) {
    remove_journal();
    tidy();
  } else if (standing == Standing::kInForce) {
    roll_back();
  }
  return standing;
}

}  // namespace cairn
