// The names that are taken in a graph, and the nodes that have them.
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

// Names that differ in case only are alike: if one of them is taken, new nodes do not get another.
// Files may have such nodes, so nodes are found by their exact names. Most lookups are for names
// that are not taken; the hash alone decides those, in a table of little more than hashes. In a
// graph larger than the cache such lookups are most of the cost of adding a node.
class NameTable {
 public:
  static constexpr uint32_t kEmptyHash = 2166136261;
  // The hash of the name in lower case. hash_of("ab") is hash_of("b", hash_of("a")).
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
    int wished = -1;  // the entry alike to the wished name, if that is taken
    int next = 1;     // the number to try next after the wished name
  };

  // The name itself, taken or not.
  static Choice exactly(std::string name);
  // `wish`, or the first of wish_1, wish_2, … that is not alike to a taken name.
  Choice choose(std::string wish) const;
  // Null if no node has exactly this name.
  const Node* find(Hashed name) const;
  // Takes a chosen name for a node, which owns the string, or reserves it (null).
  void take(const Choice& choice, const Node* node);
  // Takes a name whose characters outlive the table. False if one alike was taken already: then a
  // node still gets the name, and null does not reserve it.
  bool take(Hashed name, const Node* node);

  // take_back() undoes changes since the last keep(): it removes the names after the first `size`
  // and the changes of Entry::next after the first `renumbered`.
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
    bool variant = false;  // alike to an earlier name: in variants_, not in the slots
  };
  struct Slot {
    uint32_t hash = 0;
    int entry = -1;
  };

  int find_alike(Hashed name) const;
  void place(uint32_t hash, int entry);
  void grow();

  std::vector<Entry> entries_;  // in the order in which they were taken
  std::vector<Slot> slots_;     // size: a power of two; at most half are used
  std::unordered_map<std::string_view, const Node*> variants_;
  // The names of entries without a node, in their order.
  std::deque<std::string> kept_;
  // The entries whose `next` was changed since keep(), with the value before.
  std::vector<std::pair<size_t, int>> renumbered_;
};

}  // namespace cairn::internal
