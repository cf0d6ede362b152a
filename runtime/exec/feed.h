// Values to feed.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/tensor.h"

namespace CAIRN_API cairn {

// A tensor, or what becomes one of the dtype that is wanted where it is fed: a number, a list of
// numbers, a std::vector.
//
//   session.run(step, {{x, images}, {rate, 0.1}, {keep, 1},
//                      {lengths, std::vector<int>{3, 5}}, {weights, {0.5, 2.0}}});
//
// A tensor is taken as it is: its dtype must be that of what it is fed for. Numbers are converted
// where the value stays what it is: an integer to any dtype that holds it exactly, a fraction to
// any floating dtype (0.1 to a float: rounded) but not beyond its range, and to an integer dtype
// only when it has no fraction. Everything else is refused when it is fed. A number is a scalar, a
// list or a std::vector a tensor of rank 1, a list of lists its rows:
//
//   session.run(y, {{x, {{1, 2, 3}, {4, 5, 6}}}});  // [2,3]
class FeedValue {
 public:
  FeedValue(Tensor tensor)
      : tensor_(std::move(tensor)) {}             // NOLINT: implicit on purpose, as are all here
  FeedValue(const char* text) : tensor_(text) {}  // NOLINT
  template <Element T>
  FeedValue(T value) : tensor_(std::move(value)), converts_(true) {}  // NOLINT
  template <Element T>
  FeedValue(const std::vector<T>& values)
      : tensor_(Tensor::vector(values)), converts_(true) {}  // NOLINT
  template <Element T>
  FeedValue(std::initializer_list<T> values) : FeedValue(std::vector<T>(values)) {}  // NOLINT
  // Rows. Throws InvalidArgument where they are not of one length.
  template <Element T>
  FeedValue(std::initializer_list<std::initializer_list<T>> rows)
      : tensor_(Tensor::matrix<T>(rows)), converts_(true) {}  // NOLINT

  // As it was given.
  const Tensor& tensor() const { return tensor_; }
  operator const Tensor&() const { return tensor_; }  // NOLINT

  // Whether as() would change anything.
  bool is(DType dtype) const {
    return !converts_ || tensor_.dtype() == dtype || dtype == DType::kInvalid;
  }
  // In `dtype`. Nothing where a value would not stay what it is: `why` says which.
  std::optional<Tensor> as(DType dtype, std::string& why) const;

 private:
  Tensor tensor_;
  bool converts_ = false;
};

}  // namespace cairn
