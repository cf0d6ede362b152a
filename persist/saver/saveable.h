// What a saver saves: variables, partitioned variables, and whatever knows how to put its tensors
// back.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ops/state/partitioned_variable.h"

namespace CAIRN_API cairn {

// One tensor of a Saveable (TensorFlow's SaveSpec).
struct SaveSpec {
  Output tensor;     // what is written: a tensor or a variable's reference
  std::string name;  // its key in the checkpoint
  std::string slice =
      "";  // the part of a bigger tensor that it is, "4 10 0,2:0,10"; "" for a whole one
};

// Something with a state of its own (TensorFlow's SaveableObject): a counter outside variables, two
// variables that are saved as one.
//
//   Saveable pair = {.name = "pair",
//                    .specs = {{concat({a, b}, 0), "pair"}},
//                    .restore = [=](const std::vector<Output>& restored) {
//                      const auto parts = split(restored[0], {3, 2});
//                      return group({a.assign(parts[0]).op(), b.assign(parts[1]).op()});
//                    }};
//   Saver saver(graph, {.var_list = {pair, c}});
struct Saveable {
  std::string name;             // by which it is sorted among what is saved
  std::vector<SaveSpec> specs;  // one or more, all on one device
  // Adds the nodes that take the tensors read, one for each spec, and returns the operation that
  // runs them. Called once, when the saver is made. A saver's `reshape` does not concern it.
  std::function<Operation(const std::vector<Output>& restored)> restore;
};

// An entry of a list of what to save.
class Saved {
 public:
  Saved(const Variable& variable) : what_(variable) {}  // NOLINT: implicit on purpose, as all are
  Saved(const PartitionedVariable& variable) : what_(variable.parts()) {}          // NOLINT
  Saved(std::vector<Variable> slices_of_one) : what_(std::move(slices_of_one)) {}  // NOLINT
  Saved(Saveable saveable) : what_(std::move(saveable)) {}                         // NOLINT

  const std::variant<Variable, std::vector<Variable>, Saveable>& what() const { return what_; }

 private:
  std::variant<Variable, std::vector<Variable>, Saveable> what_;
};

// Which variables, and under which keys of the checkpoint: a list, each under its own name, or
// names with variables.
//   {.var_list = {v1, v2}}          {.var_list = {{"weight", v1}, {"bias", v2}}}
// In a list a part of a partitioned variable is saved as its slice. In a map it is a tensor of its
// own, unless the key is the name of the whole; the whole under a key is the PartitionedVariable.
class VarList {
 public:
  using Named = std::map<std::string, Saved>;
  VarList() = default;  // all of the graph's global variables
  VarList(std::initializer_list<Saved> list) : list_(list) {}
  VarList(std::initializer_list<std::pair<const std::string, Saved>> named)
      : named_(Named(named)) {}
  VarList(const std::vector<Variable>& list)  // NOLINT: implicit on purpose, as all are
      : list_(std::vector<Saved>(list.begin(), list.end())) {}
  VarList(std::vector<Saved> list) : list_(std::move(list)) {}  // NOLINT
  VarList(const std::map<std::string, Variable>& named)         // NOLINT
      : named_(Named(named.begin(), named.end())) {}
  VarList(Named named) : named_(std::move(named)) {}  // NOLINT

  const std::optional<std::vector<Saved>>& list() const { return list_; }
  const std::optional<Named>& named() const { return named_; }

 private:
  std::optional<std::vector<Saved>> list_;
  std::optional<Named> named_;
};

}  // namespace cairn
