// The open scopes of a graph. They determine the names, control inputs, colocation, device, control
// flow context and source line of new nodes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/graph/node.h"

namespace cairn {

class FlowContext;

namespace internal {

// Scopes of one kind, in the order in which they were opened. They may be closed in any order: a
// closed one keeps its entry, without the value, until all later ones are closed.
template <class T>
class OpenScopes {
 public:
  void open(uint64_t id, T value) { entries_.push_back({id, true, std::move(value)}); }
  void close(uint64_t id) noexcept {
    const auto at =
        std::lower_bound(entries_.begin(), entries_.end(), id,
                         [](const Entry& entry, uint64_t wanted) { return entry.id < wanted; });
    if (at == entries_.end() || at->id != id) return;
    at->open = false;
    at->value = T();
    while (!entries_.empty() && !entries_.back().open) entries_.pop_back();
  }
  void close_after(uint64_t id) noexcept {
    while (!entries_.empty() && (entries_.back().id > id || !entries_.back().open))
      entries_.pop_back();
  }
  // The last open scope; null if there is none.
  const T* innermost() const { return entries_.empty() ? nullptr : &entries_.back().value; }
  // All open scopes, the outermost first.
  template <class F>
  void for_each(const F& use) const {
    for (const Entry& entry : entries_) {
      if (entry.open) use(entry.value);
    }
  }
  // For kinds whose scopes may cancel the outer ones (sets_aside): the open scopes after the last
  // one that does.
  template <class F>
  void for_each_in_force(const F& use) const {
    size_t first = entries_.size();
    while (first > 0 && !(entries_[first - 1].open && entries_[first - 1].value.sets_aside))
      --first;
    for (size_t i = first; i < entries_.size(); ++i) {
      if (entries_[i].open) use(entries_[i].value);
    }
  }

 private:
  struct Entry {
    uint64_t id;
    bool open;
    T value;
  };
  std::vector<Entry> entries_;
};

struct VariableScope {
  std::string name;
  bool reuse = false;
};
struct ControlScope {
  bool sets_aside = false;
  std::vector<const Node*> ops;
  // Shared, so that nodes can be added through a const scope.
  std::shared_ptr<std::unordered_set<const Node*>> made_inside;
};
struct Colocation {
  bool sets_aside = false;
  std::vector<std::string> groups;
};

// Owned by the graph and by the handles of its open scopes, which may outlive the graph or a
// reset().
struct GraphScopes {
  // The kinds that a handle closes; one handle may have opened several.
  enum Kind : unsigned {
    kName = 1,
    kVariable = 2,
    kControl = 4,
    kColocation = 8,
    kDevice = 16,
    kFlow = 32,
    kPlace = 64,
  };

  uint64_t last = 0;              // the number of the scope opened last
  OpenScopes<std::string> names;  // "hidden1/layer", without a slash
  OpenScopes<VariableScope> variables;
  OpenScopes<ControlScope> controls;
  OpenScopes<Colocation> colocations;
  OpenScopes<std::string> devices;
  OpenScopes<std::shared_ptr<FlowContext>> flows;
  OpenScopes<SourceLocation> places;

  void close(unsigned kinds, uint64_t id) noexcept;
  void close_after(uint64_t id) noexcept;

  std::string_view name() const {
    return names.innermost() ? std::string_view(*names.innermost()) : "";
  }
  std::string_view device() const {
    return devices.innermost() ? std::string_view(*devices.innermost()) : "";
  }
  std::shared_ptr<FlowContext> flow() const {
    return flows.innermost() ? *flows.innermost() : nullptr;
  }
  // The outermost known line since the last made_at({}).
  SourceLocation place() const;
  std::vector<std::string> colocation() const;
};

}  // namespace internal
}  // namespace cairn
