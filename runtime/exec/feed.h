// FeedValue: a value to feed into a run (Session::run).
//
//   session.run(step, {{x, images}, {rate, 0.1}, {keep, 1},
//                      {lengths, std::vector<int>{3, 5}}, {weights, {0.5, 2.0}}});
//   session.run(y, {{x, {{1, 2, 3}, {4, 5, 6}}}});  // [2,3]
//
// Calls that fail, with InvalidArgument:
//
//   session.run(y, {{labels, 0.5}});               // int32: 0.5 is not a value of dtype int32
//   session.run(y, {{x, Tensor(0.1)}});            // float: expected float …, got double []
//   session.run(y, {{x, {{1, 2}, {3}}}});          // a matrix needs rows of one length: 2 and 1
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/tensor.h"

namespace CAIRN_API cairn {

// A tensor, or numbers that are converted to the dtype of the tensor that is fed. A number gives a
// scalar, a list or a std::vector a tensor of rank 1, a list of lists a matrix.
//
// A Tensor is not converted: it must have the dtype of the tensor that is fed. Numbers are
// converted if the value does not change: an integer to any dtype that represents it exactly; a
// number with a fraction to any floating dtype (0.1 to a float is rounded), unless it is out of
// range; a floating number to an integer dtype only if it has no fraction. Other values throw
// InvalidArgument when the run begins. A FeedValue may be used for several runs.
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
  // Rows of a matrix. Throws InvalidArgument if they differ in length.
  template <Element T>
  FeedValue(std::initializer_list<std::initializer_list<T>> rows)
      : tensor_(Tensor::matrix<T>(rows)), converts_(true) {}  // NOLINT

  // The value before conversion.
  const Tensor& tensor() const { return tensor_; }
  operator const Tensor&() const { return tensor_; }  // NOLINT

  // True if as() would return the tensor unchanged, or cannot know the dtype (kInvalid).
  bool is(DType dtype) const {
    return !converts_ || tensor_.dtype() == dtype || dtype == DType::kInvalid;
  }
  // The value converted to `dtype`. Empty if a number would change; `why` then names the first such
  // number.
  std::optional<Tensor> as(DType dtype, std::string& why) const;

 private:
  Tensor tensor_;
  bool converts_ = false;
};

}  // namespace cairn
