// Collected: the items of a graph's collection, of one type. Returned by Graph::collection(),
// Graph::variables() and Graph::trainable_variables() (runtime/graph/graph.h).
//
//   Operation train = graph.collection<Operation>("train_op")[0];
//   for (const Variable& v : graph.variables()) …
//   std::vector<Output> vars = graph.collection<Output>("train_var");
//
// An index past the end throws NotFound, where a std::vector would read foreign memory:
//
//   graph.collection<Operation>("trainop")[0];
//   // item 0 was asked for: there is no collection 'trainop' in the graph; did you mean train_op?
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/error.h"

namespace CAIRN_API cairn {

// The items in the order of the collection: a read-only std::vector with checked access. It is a
// copy: later changes of the collection do not change it. It may outlive the graph, but then the
// handles in it throw FailedPrecondition when they are used. Copies cost as much as those of the
// vector; several threads may read one.
template <class T>
class Collected {
 public:
  using value_type = T;
  using const_iterator = typename std::vector<T>::const_iterator;
  using iterator = const_iterator;

  // For Graph. `what` goes into the message of errors: the collection's name or, if there are no
  // items, the reason.
  Collected(std::vector<T> items, std::string what)
      : items_(std::move(items)), what_(std::move(what)) {}

  // Item i, from 0; the first; the last. References are valid as long as this object; called on a
  // temporary they return the item by value. Throw NotFound if there is no such item: the message
  // names the collection and, if the graph has none of that name, similar names or some of those
  // that exist.
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

  // As of std::vector.
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  const T* data() const { return items_.data(); }
  const_iterator begin() const { return items_.begin(); }
  const_iterator end() const { return items_.end(); }

  // The items as a std::vector, for functions that take one.
  operator std::vector<T>() const& { return items_; }         // NOLINT: implicit on purpose
  operator std::vector<T>() && { return std::move(items_); }  // NOLINT: implicit on purpose

  // Equal if the items are equal and in the same order.
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
  std::string what_;  // "collection 'train_op'" or, if there are no items, the reason
};

}  // namespace cairn
