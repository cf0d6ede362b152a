// What a saver's nodes are made for: the entries of a VarList, resolved and in order.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "persist/saver/saver.h"

namespace cairn {

// A variable, one slice of a partitioned one, or a Saveable.
struct SaverItem {
  std::string key;                        // in the checkpoint; of a Saveable what it is sorted by
  std::string spec = {};                  // the slice, or ""
  Variable variable = {};                 // either this
  std::optional<Saveable> saveable = {};  // or this

  // Whether what is saved is a read that each use makes anew: a resource that is partitioned.
  bool reads_anew() const { return variable && variable.is_resource() && !spec.empty(); }
};

// In the order in which every saver writes: by key, slices as they were given. Throws as Saver's
// constructor.
std::vector<SaverItem> saver_items(Graph& graph, const VarList& list);

// "/job:ps/task:0/device:GPU:1" however it is written ("/job:ps/task:0/gpu:1"), and the processor
// of the same host.
std::string canonical_device(const std::string& device);
std::string cpu_of(const std::string& device);

}  // namespace cairn
