#include "runtime/internal/name_table.h"

#include <algorithm>

namespace cairn::internal {
namespace {

char lower(char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

bool alike(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

uint32_t NameTable::hash_of(std::string_view name, uint32_t before) {  // FNV-1a
  for (const char c : name) before = (before ^ static_cast<unsigned char>(lower(c))) * 16777619;
  return before;
}

// The first of those that are the same.
template <class Same>
int NameTable::find_entry(Hashed name, const Same& same) const {
  if (slots_.empty()) return -1;
  const size_t mask = slots_.size() - 1;
  for (size_t at = name.hash & mask; slots_[at].entry >= 0; at = (at + 1) & mask) {
    if (slots_[at].hash == name.hash && same(entries_[static_cast<size_t>(slots_[at].entry)])) return slots_[at].entry;
  }
  return -1;
}

int NameTable::find_alike(Hashed name) const {
  return find_entry(name, [&](const Entry& entry) { return alike(entry.name, name.name); });
}

const Node* NameTable::find(Hashed name) const {
  const int at = find_entry(name, [&](const Entry& entry) { return entry.node && entry.name == name.name; });
  return at < 0 ? nullptr : entries_[static_cast<size_t>(at)].node;
}

NameTable::Choice NameTable::exactly(std::string name) {
  const uint32_t hash = hash_of(name);
  return {.name = std::move(name), .hash = hash};
}

NameTable::Choice NameTable::choose(std::string wish) const {
  Choice choice = exactly(std::move(wish));
  choice.wished = find_alike({choice.name, choice.hash});
  if (choice.wished < 0) return choice;
  const size_t length = choice.name.size();
  const uint32_t hash = choice.hash;
  choice.next = entries_[static_cast<size_t>(choice.wished)].next;
  do {
    const std::string number = "_" + std::to_string(choice.next++);
    choice.name.replace(length, std::string::npos, number);
    choice.hash = hash_of(number, hash);
  } while (find_alike({choice.name, choice.hash}) >= 0);
  return choice;
}

void NameTable::take(const Choice& choice, const Node* node) {
  if (choice.wished >= 0) entries_[static_cast<size_t>(choice.wished)].next = choice.next;
  take({node ? std::string_view(node->name) : kept_.emplace_back(choice.name), choice.hash}, node);
}

bool NameTable::take(Hashed name, const Node* node) {
  const int before = find_alike(name);
  if (before >= 0 && !node) return false;
  if (2 * (entries_.size() + 1) > slots_.size()) grow();
  entries_.push_back({.name = name.name, .node = node, .hash = name.hash});
  place(name.hash, static_cast<int>(entries_.size()) - 1);
  return before < 0;
}

// Of entries with one hash the oldest is met first.
void NameTable::place(uint32_t hash, int entry) {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].entry >= 0) at = (at + 1) & mask;
  slots_[at] = {hash, entry};
}

void NameTable::grow() {
  slots_.assign(std::max<size_t>(64, 2 * slots_.size()), {});
  for (size_t i = 0; i < entries_.size(); ++i) place(entries_[i].hash, static_cast<int>(i));
}

void NameTable::clear() {
  entries_.clear();
  slots_.clear();
  kept_.clear();
}

}  // namespace cairn::internal
