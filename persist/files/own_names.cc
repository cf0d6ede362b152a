#include "persist/files/own_names.h"

#include <algorithm>
#include <random>

#include "persist/checkpoint/checkpoint_v1.h"

namespace cairn {
namespace {

constexpr std::string_view kTemporaryPrefix = ".t-", kJournalPrefix = ".r-",
                           kRecoveryPrefix = ".o-";
constexpr std::string_view kPartsMark = "_temp_";
constexpr size_t kTemporaryDigits = 8, kJournalDigits = 16, kRecoveryDigits = 14, kPartsDigits = 32;

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool has_digits(std::string_view name, std::string_view prefix, size_t digits) {
  return name.size() == prefix.size() + digits && name.starts_with(prefix) &&
         is_hex(name.substr(prefix.size()));
}

// Removes "-00000-of-00002" and the like from the front of `text`.
bool take_shard(std::string_view& text, std::string_view before) {
  const std::string form = std::string(before) + "-00000-of-00000";
  if (text.size() < form.size()) return false;
  for (size_t i = 0; i < form.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == '0' ? !digit : text[i] != form[i]) return false;
  }
  text.remove_prefix(form.size());
  return true;
}

// FNV-1a.
uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

std::string hex_digits(uint64_t number, size_t digits) {
  std::string text(digits, '0');
  for (size_t i = digits; i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
  return text;
}

std::string random_digits(size_t digits) {
  std::random_device random;
  std::string text;
  constexpr size_t kAtOnce = 8;
  while (text.size() < digits)
    text += hex_digits(random(), std::min(kAtOnce, digits - text.size()));
  return text;
}

bool is_temporary_name(std::string_view base_name) {
  return has_digits(base_name, kTemporaryPrefix, kTemporaryDigits);
}

std::string journal_path(const std::string& prefix) {
  const std::string name = base_name(without_shard_ending(prefix));
  return join_path(directory_of(prefix),
                   str_cat(kJournalPrefix, hex_digits(hash_of(name), kJournalDigits)));
}

bool is_journal_name(std::string_view base_name) {
  return has_digits(base_name, kJournalPrefix, kJournalDigits);
}

bool is_recovery_name(std::string_view base_name) {
  return has_digits(base_name, kRecoveryPrefix, kRecoveryDigits);
}

bool is_parts_directory_name(std::string_view base_name) {
  if (base_name.size() <= kPartsMark.size() + kPartsDigits) return false;
  return has_digits(base_name.substr(base_name.size() - kPartsDigits - kPartsMark.size()),
                    kPartsMark, kPartsDigits);
}

bool is_part_name(std::string_view base_name) {
  if (is_temporary_name(base_name) || is_journal_name(base_name) || is_recovery_name(base_name))
    return true;
  if (!take_shard(base_name, "part")) return false;
  return base_name.empty() || base_name == ".index" ||
         (take_shard(base_name, ".data") && base_name.empty());
}

bool is_own_name(std::string_view base_name) {
  return is_temporary_name(base_name) || is_journal_name(base_name) ||
         is_recovery_name(base_name) || is_parts_directory_name(base_name);
}

bool is_plain_name(std::string_view name) {
  constexpr size_t kLongest = 255;
  constexpr std::string_view kNever("/\0", 2);
  return !name.empty() && name != "." && name != ".." && name.size() <= kLongest &&
         name.find_first_of(kNever) == std::string_view::npos;
}

}  // namespace cairn
