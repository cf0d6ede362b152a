// What a graph's collection holds, as items of one type.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/error.h"

namespace CAIRN_API cairn {

// The items that Graph::collection() found, in their order: a std::vector that is only read, and
// that refuses an index behind its end. It is a copy and stays as it is when the collection
// changes.
//
//   Operation train = graph.collection<Operation>("train_op")[0];
//   for (const Variable& v : graph.variables()) …
//   std::vector<Output> vars = graph.collection<Output>("train_var");
//   // throws: there is no collection 'trainop' in the graph; did you mean train_op?
//   graph.collection<Operation>("trainop")[0];
template <class T>
class Collected {
 public:
  using value_type = T;
  using const_iterator = typename std::vector<T>::const_iterator;
  using iterator = const_iterator;

  Collected(std::vector<T> items, std::string what)
      : items_(std::move(items)), what_(std::move(what)) {}

  // Throws NotFound, naming the collection and those of nearly that name, or some of those there
  // are.
  const T& operator[](size_t i) const& { return at(i); }
  T operator[](size_t i) && { return std::move(*this).at(i); }
  const T& at(size_t i) const& {
    check(i);
    return items_[i];
  }
  T at(size_t i) && {
    check(i);
    return std::move(items_[i]);
  }
  const T& front() const& { return at(0); }
  T front() && { return std::move(*this).at(0); }
  const T& back() const& { return at(empty() ? 0 : size() - 1); }
  T back() && { return std::move(*this).at(empty() ? 0 : size() - 1); }

  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  const T* data() const { return items_.data(); }
  const_iterator begin() const { return items_.begin(); }
  const_iterator end() const { return items_.end(); }

  operator std::vector<T>() const& {
    return items_;
  }  // NOLINT: implicit on purpose, as is the next
  operator std::vector<T>() && { return std::move(items_); }  // NOLINT

  friend bool operator==(const Collected& a, const Collected& b) { return a.items_ == b.items_; }
  friend bool operator==(const Collected& a, const std::vector<T>& b) { return a.items_ == b; }

 private:
  void check(size_t i) const {
    if (i < items_.size()) return;
    if (items_.empty()) fail(Code::kNotFound, "item ", i, " was asked for: ", what_);
    fail(Code::kNotFound, "item ", i, " was asked for: ", what_, " has ", items_.size(),
         items_.size() == 1 ? " item" : " items");
  }

  std::vector<T> items_;
  std::string what_;  // "collection 'train_op'", or, where there is no item, why
};

}  // namespace cairn
