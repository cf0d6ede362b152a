// The items of a saver: the entries of a VarList, resolved and ordered.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "persist/saver/saver.h"

namespace cairn {

// A variable, one slice of a partitioned one, or a Saveable.
struct SaverItem {
  std::string key;         // in the checkpoint; for a Saveable its position in the order
  std::string spec = {};   // the slice, or ""
  Variable variable = {};  // either a variable
  std::optional<Saveable> saveable = {};  // or a Saveable

  // True if each use reads the variable again: a slice of a resource.
  bool reads_anew() const { return variable && variable.is_resource() && !spec.empty(); }
};

// Ordered as every saver writes them: by key, slices in the given order. Throws as Saver's
// constructor.
std::vector<SaverItem> saver_items(Graph& graph, const VarList& list);

// canonical_device("/job:ps/task:0/gpu:1") is "/job:ps/task:0/device:GPU:1"; cpu_of() is the CPU of
// the same host.
std::string canonical_device(const std::string& device);
std::string cpu_of(const std::string& device);

}  // namespace cairn
