// Which names of a graph are taken, and by which nodes.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/graph/node.h"

namespace cairn::internal {

// Names that differ in case alone are alike: where one of them is taken, the others are not given
// to new nodes. Files have such nodes, though, so that nodes are found by their exact names. A name
// that nobody has, as most that new nodes try, is told by its hash, in a table of little more than
// these: in a graph too large for the cache that is most of the time that adding a node takes.
class NameTable {
 public:
  static constexpr uint32_t kEmptyHash = 2166136261;
  // Of the name in lower case. hash_of("ab") is hash_of("b", hash_of("a")).
  static uint32_t hash_of(std::string_view name, uint32_t before = kEmptyHash);
  struct Hashed {
    Hashed(std::string_view n) : Hashed(n, hash_of(n)) {}  // NOLINT: implicit on purpose
    Hashed(std::string_view n, uint32_t h) : name(n), hash(h) {}
    std::string_view name;
    uint32_t hash;
  };
  struct Choice {
    std::string name;
    uint32_t hash = 0;
    int wished = -1;  // the entry alike to what was wished for, where it was taken
    int next = 1;     // the number to try after it the next time
  };

  // The name itself, taken or not.
  static Choice exactly(std::string name);
  // `wish`, or the first of wish_1, wish_2, … that no name is alike to.
  Choice choose(std::string wish) const;
  // Null where no node has exactly this name.
  const Node* find(Hashed name) const;
  // Takes a chosen name, for a node that now bears it or for none.
  void take(const Choice& choice, const Node* node);
  // Takes a name that stays where it is as long as the table. False where one alike was taken
  // already, which a node does not mind.
  bool take(Hashed name, const Node* node);

  // What may be taken back until keep() is called: the names after the first `size`, and what they
  // changed about those before them, from change number `renumbered` on.
  size_t size() const { return entries_.size(); }
  size_t renumbered() const { return renumbered_.size(); }
  void take_back(size_t size, size_t renumbered) noexcept;
  void keep() noexcept { renumbered_.clear(); }

 private:
  struct Entry {
    std::string_view name;
    const Node* node;  // null: a scope's
    uint32_t hash;
    int next = 1;
    bool kept = false;     // the name is in kept_
    bool variant = false;  // one alike was there before: in variants_, not among the slots
  };
  struct Slot {
    uint32_t hash = 0;
    int entry = -1;
  };

  int find_alike(Hashed name) const;
  void place(uint32_t hash, int entry);
  void grow();

  std::vector<Entry> entries_;  // in the order in which they were taken
  std::vector<Slot> slots_;     // a power of two; at most half are used
  std::unordered_map<std::string_view, const Node*> variants_;
  // names of entries that no node keeps, in their order
  std::deque<std::string> kept_;
  // entries whose `next` was changed since keep(), and what it was
  std::vector<std::pair<size_t, int>> renumbered_;
};

}  // namespace cairn::internal
