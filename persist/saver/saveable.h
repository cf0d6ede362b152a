// The things that a saver saves: variables, partitioned variables, and objects that restore their
// own tensors.
//
//   Saver saver(graph, {.var_list = {{"weight", v1}, {"bias", v2}}});
//   Saver twice(graph, {.var_list = {v1, v1}});   // throws InvalidArgument: At least two variables
//                                                 // have the same name: ...
//
// The types here only hold handles of a graph; Saver's constructor checks them.
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
  Output tensor;     // the tensor or variable's reference that is saved
  std::string name;  // its key in the checkpoint
  // The part of a larger tensor that it is, "4 10 0,2:0,10"; "" for a whole tensor.
  std::string slice = "";
};

// An object with its own state (TensorFlow's SaveableObject): a counter outside variables, or two
// variables that are saved as one tensor.
//
//   Saveable pair = {.name = "pair",
//                    .specs = {{concat({a, b}, 0), "pair"}},
//                    .restore = [=](const std::vector<Output>& restored) {
//                      const auto parts = split(restored[0], {3, 2});
//                      return group({a.assign(parts[0]).op(), b.assign(parts[1]).op()});
//                    }};
//   Saver saver(graph, {.var_list = {pair, c}});
struct Saveable {
  std::string name;             // determines its position among the saved items
  std::vector<SaveSpec> specs;  // one or more, all on the same device
  // Adds the nodes that restore the state from the tensors read, one for each spec, and returns the
  // operation that does. Called once, by Saver's constructor. Is not affected by
  // SaverOptions::reshape.
  std::function<Operation(const std::vector<Output>& restored)> restore;
};

// An entry of a VarList.
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

// What to save, and under which keys of the checkpoint: a list, in which each item has its own
// name, or a map from keys to items.
//
//   {.var_list = {v1, v2}}          {.var_list = {{"weight", v1}, {"bias", v2}}}
//
// In a list, a part of a partitioned variable is saved as a slice of the whole. In a map it is
// saved as a separate tensor, unless the key is the name of the whole. To save the whole under
// another key, give the PartitionedVariable.
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
