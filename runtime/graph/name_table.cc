#include "runtime/graph/name_table.h"

#include <algorithm>

namespace cairn::internal {
namespace {

char lower(char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

bool alike(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

uint32_t NameTable::hash_of(std::string_view name, uint32_t before) {  // FNV-1a
  for (const char c : name) before = (before ^ static_cast<unsigned char>(lower(c))) * 16777619;
  return before;
}

// The first entry that is alike, which is the only one of them in the slots.
int NameTable::find_alike(Hashed name) const {
  if (slots_.empty()) return -1;
  const size_t mask = slots_.size() - 1;
  for (size_t at = name.hash & mask; slots_[at].entry >= 0; at = (at + 1) & mask) {
    const auto entry = static_cast<size_t>(slots_[at].entry);
    if (slots_[at].hash == name.hash && alike(entries_[entry].name, name.name))
      return slots_[at].entry;
  }
  return -1;
}

const Node* NameTable::find(Hashed name) const {
  const int at = find_alike(name);
  if (at < 0) return nullptr;
  const Entry& first = entries_[static_cast<size_t>(at)];
  if (first.node && first.name == name.name) return first.node;
  const auto variant = variants_.find(name.name);
  return variant == variants_.end() ? nullptr : variant->second;
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
  if (choice.wished >= 0) {
    const auto wished = static_cast<size_t>(choice.wished);
    renumbered_.emplace_back(wished, entries_[wished].next);
    entries_[wished].next = choice.next;
  }
  if (node) {
    take(Hashed(node->name, choice.hash), node);
  } else if (take(Hashed(kept_.emplace_back(choice.name), choice.hash), node)) {
    entries_.back().kept = true;
  } else {
    kept_.pop_back();
  }
}

bool NameTable::take(Hashed name, const Node* node) {
  const int before = find_alike(name);
  if (before >= 0 && !node) return false;
  if (2 * (entries_.size() + 1) > slots_.size()) grow();
  entries_.push_back({.name = name.name, .node = node, .hash = name.hash, .variant = before >= 0});
  if (before >= 0) {
    variants_.emplace(name.name, node);
  } else {
    place(name.hash, static_cast<int>(entries_.size()) - 1);
  }
  return before < 0;
}

void NameTable::place(uint32_t hash, int entry) {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].entry >= 0) at = (at + 1) & mask;
  slots_[at] = {hash, entry};
}

void NameTable::grow() {
  slots_.assign(std::max<size_t>(64, 2 * slots_.size()), {});
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!entries_[i].variant) place(entries_[i].hash, static_cast<int>(i));
  }
}

// Slots are emptied in the reverse order of insertion, so no probe sequence is cut.
void NameTable::take_back(size_t size, size_t renumbered) noexcept {
  for (; renumbered_.size() > renumbered; renumbered_.pop_back()) {
    entries_[renumbered_.back().first].next = renumbered_.back().second;
  }
  const size_t mask = slots_.size() - 1;
  for (; entries_.size() > size; entries_.pop_back()) {
    const Entry& entry = entries_.back();
    if (entry.variant) {
      variants_.erase(entry.name);
    } else {
      size_t at = entry.hash & mask;
      while (slots_[at].entry != static_cast<int>(entries_.size()) - 1) at = (at + 1) & mask;
      slots_[at].entry = -1;
    }
    if (entry.kept) kept_.pop_back();
  }
}

}  // namespace cairn::internal
