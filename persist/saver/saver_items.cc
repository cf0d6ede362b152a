#include "persist/saver/saver_items.h"

#include <algorithm>
#include <set>

#include "persist/checkpoint/tensor_slice.h"

namespace cairn {
namespace {

class Collector {
 public:
  Collector(Graph& graph, const VarList& list) : graph_(graph) {
    if (list.named()) {
      for (const auto& [key, saved] : *list.named()) add_named(key, saved);
    } else if (list.list()) {
      for (const Saved& saved : *list.list()) add_listed(saved);
    } else {
      for (const Variable& variable : graph.variables()) add_listed(variable);
    }
    std::stable_sort(items.begin(), items.end(),
                     [](const auto& a, const auto& b) { return a.key < b.key; });
  }

  std::vector<SaverItem> items;

 private:
  void add(const std::string& key, const Variable& variable, bool as_slice) {
    graph_.check_owns(variable.ref(), "Saver");
    items.push_back(
        {.key = key, .spec = as_slice ? variable.slice()->spec() : "", .variable = variable});
  }

  void add_listed(const Saved& saved) {
    if (const auto* variable = std::get_if<Variable>(&saved.what())) {
      return add(variable->slice() ? variable->slice()->full_name : variable->name(), *variable,
                 variable->slice().has_value());
    }
    if (const auto* slices = std::get_if<std::vector<Variable>>(&saved.what()))
      return add_slices("", *slices);
    const auto& saveable = std::get<Saveable>(saved.what());
    add(saveable.name, saveable);
  }

  void add_named(const std::string& key, const Saved& saved) {
    if (const auto* variable = std::get_if<Variable>(&saved.what())) {
      return add(key, *variable, variable->slice() && variable->slice()->full_name == key);
    }
    if (const auto* slices = std::get_if<std::vector<Variable>>(&saved.what()))
      return add_slices(key, *slices);
    add(key, std::get<Saveable>(saved.what()));
  }

  // With an empty `key` the slices are saved under their own name.
  void add_slices(const std::string& key, const std::vector<Variable>& slices) {
    if (slices.empty()) fail(Code::kInvalidArgument, "Saver: a list of slices is empty");
    for (const Variable& variable : slices) {
      if (!variable.slice())
        fail(Code::kInvalidArgument, "Slices must all be slices: ", variable.name());
      const std::string &name = variable.slice()->full_name, &first = slices[0].slice()->full_name;
      if (name != first)
        fail(Code::kInvalidArgument, "Slices must all be from the same tensor: ", first,
             " != ", name);
      add(key.empty() ? name : key, variable, true);
    }
  }

  void add(const std::string& key, const Saveable& saveable) {
    if (saveable.specs.empty() || !saveable.restore) {
      fail(Code::kInvalidArgument, "Saveable '", saveable.name,
           "' needs specs and a restore function");
    }
    for (const SaveSpec& spec : saveable.specs) {
      graph_.check_owns(spec.tensor, str_cat("Saveable '", saveable.name, "'"));
      if (spec.name.empty())
        fail(Code::kInvalidArgument, "Saveable '", saveable.name, "': a spec has no name");
      const auto part = parse_shape_and_slice(spec.slice);
      if (!part || part->slice.shape_in(part->full).is_compatible_with(spec.tensor.shape()))
        continue;
      fail(Code::kInvalidArgument, "Saveable '", saveable.name, "': the slice ", spec.slice,
           " of '", spec.name, "' does not have the tensor's shape ", spec.tensor.shape());
    }
    const auto device = [](const SaveSpec& spec) {
      return canonical_device(spec.tensor.node().device);
    };
    for (const SaveSpec& spec : saveable.specs) {
      if (device(spec) == device(saveable.specs[0])) continue;
      fail(Code::kInvalidArgument,
           "All tensors of a saveable object must be on the same device: ", saveable.name);
    }
    items.push_back({.key = key, .saveable = saveable});
  }

  Graph& graph_;
};

// Checks the items [begin, end), which have the same key.
void check_same_key(const std::vector<SaverItem>& items, size_t begin, size_t end) {
  const std::string& key = items[begin].key;
  if (end - begin < 2) return;
  const auto whole = std::count_if(items.begin() + static_cast<std::ptrdiff_t>(begin),
                                   items.begin() + static_cast<std::ptrdiff_t>(end),
                                   [](const SaverItem& item) { return item.spec.empty(); });
  if (whole > 0) {
    fail(Code::kInvalidArgument,
         static_cast<size_t>(whole) == end - begin
             ? "At least two variables have the same name: "
             : "Mixing slices and non-slices with the same name: ",
         key);
  }
  std::vector<TensorSlice> slices;
  for (size_t i = begin; i < end; ++i) {
    const auto part = *parse_shape_and_slice(items[i].spec),
               first = *parse_shape_and_slice(items[begin].spec);
    if (!(part.full == first.full)) {
      fail(Code::kInvalidArgument, "slices of '", key,
           "' are of tensors of different shapes: ", first.full, " and ", part.full);
    }
    slices.push_back(part.slice.within(part.full));
  }
  if (const auto overlap = first_overlap(std::move(slices))) {
    fail(Code::kInvalidArgument, "slices ", overlap->first.str(), " and ", overlap->second.str(),
         " of '", key, "' overlap");
  }
}

void check_keys(const std::vector<SaverItem>& items) {
  for (size_t begin = 0, end = 0; begin < items.size(); begin = end) {
    while (end < items.size() && items[end].key == items[begin].key) ++end;
    check_same_key(items, begin, end);
  }
  std::set<std::string> keys;
  std::set<const Node*> seen;
  for (const SaverItem& item : items) {
    const Node& node =
        item.variable ? item.variable.ref().node() : item.saveable->specs[0].tensor.node();
    if (!seen.insert(&node).second) {
      fail(Code::kInvalidArgument, "The same saveable will be restored with two names: ", item.key);
    }
    if (item.variable) keys.insert(item.key);
  }
  for (const SaverItem& item : items) {
    if (!item.saveable) continue;
    for (const SaveSpec& spec : item.saveable->specs) {
      if (spec.slice.empty() && !keys.insert(spec.name).second) {
        fail(Code::kInvalidArgument, "At least two variables have the same name: ", spec.name);
      }
    }
  }
}

}  // namespace

std::vector<SaverItem> saver_items(Graph& graph, const VarList& list) {
  Collector collected(graph, list);
  check_keys(collected.items);
  return std::move(collected.items);
}

std::string canonical_device(const std::string& device) {
  std::string job, replica, task, type;
  for (size_t at = 0; at < device.size();) {
    const size_t end = std::min(device.find('/', at), device.size());
    std::string part = device.substr(at, end - at);
    at = end + 1;
    if (part.starts_with("job:")) job = "/" + part;
    if (part.starts_with("replica:")) replica = "/" + part;
    if (part.starts_with("task:")) task = "/" + part;
    const bool is_short = part.starts_with("cpu:") || part.starts_with("gpu:") ||
                          part.starts_with("CPU:") || part.starts_with("GPU:");
    if (is_short) part = "device:" + part;
    if (!part.starts_with("device:")) continue;
    type = "/" + part;
    std::transform(type.begin() + 8, type.end(), type.begin() + 8, [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
  }
  return job + replica + task + type;
}

std::string cpu_of(const std::string& device) {
  const std::string canonical = canonical_device(device);
  return canonical.substr(0, canonical.find("/device:")) + "/device:CPU:0";
}

}  // namespace cairn
