// Initial values for get_variable(): functions from a shape and a dtype to the tensor that a
// variable begins with.
//
//   const auto init = truncated_normal_initializer({.stddev = 0.1});
//   auto w = get_variable(graph, "W", {784, 10}, {.initializer = init});
//
// They are TensorFlow's (tf.zeros_initializer, ...): same nodes, same values for the same seeds.
// Any function of graph, shape and dtype that returns a tensor can be used:
//
//   {.initializer = [](GraphAt g, const Shape& s, DType t) { return fill(g, s, 0.5f); }}
//
// A function with a fourth argument gets the part of a partitioned variable that it makes, or null.
// If a function gives another dtype or shape than requested, get_variable() throws
// InvalidArgument:
//
//   const auto half = constant_initializer(0.5);
//   get_variable(graph, "n", {3}, {.dtype = DType::kInt32, .initializer = half});
//   // constant_initializer (a.cc:8): the initial value 0.5 is not a value of dtype int32
#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// A function as above, or none.
class Initializer {
 public:
  Initializer() = default;  // none
  // Implicit on purpose.
  template <class F>
  requires std::invocable<F&, GraphAt, const Shape&, DType> Initializer(F f)  // NOLINT
      : make_([f = std::move(f)](GraphAt graph, const Shape& shape, DType dtype,
                                 const SaveSliceInfo*) { return f(graph, shape, dtype); }) {}
  template <class F>
  // NOLINTNEXTLINE
  requires std::invocable<F&, GraphAt, const Shape&, DType, const SaveSliceInfo*> Initializer(F f)
      : make_(std::move(f)) {}

  explicit operator bool() const { return make_ != nullptr; }
  // Makes the tensor. `shape` is that of the result: of the part, if `part` is given.
  Output operator()(GraphAt graph, const Shape& shape, DType dtype,
                    const SaveSliceInfo* part = nullptr) const {
    return make_(graph, shape, dtype, part);
  }

 private:
  std::function<Output(GraphAt, const Shape&, DType, const SaveSliceInfo*)> make_;
};

// All elements 0 (false, empty strings), or 1. Ones of strings throw InvalidArgument.
Initializer zeros_initializer();
Initializer ones_initializer();
// All elements `value`. Using it throws InvalidArgument if the dtype cannot hold the value.
Initializer constant_initializer(double value);
// The elements of `value`, in row-major order: as many as the shape has, or one for all, of the
// dtype of the variable. A part of a partitioned variable gets its slice of them. Using it throws
// InvalidArgument for another number of elements or dtype.
Initializer constant_initializer(const Tensor& value);

// Values of a normal distribution, of a floating dtype. `seed`: see Graph::set_seed().
struct NormalInitializer {
  double mean = 0, stddev = 1;
  std::optional<int64_t> seed = {};
};
Initializer random_normal_initializer(const NormalInitializer& options = {});
// The same, but values two or more standard deviations from the mean are drawn again.
Initializer truncated_normal_initializer(const NormalInitializer& options = {});

struct UniformInitializer {
  double minval = 0;
  std::optional<double> maxval = {};  // default 1; integers have none
  std::optional<int64_t> seed = {};
};
// Values in [minval, maxval), uniformly distributed.
Initializer random_uniform_initializer(const UniformInitializer& options = {});

// The number n by which variance scaling divides: the inputs of a unit (kIn), its outputs (kOut),
// or the mean of both (kAverage). The distribution of the values: a normal one, truncated at two
// standard deviations or not, or a uniform one.
enum class Fan { kIn, kOut, kAverage };
enum class Distribution { kTruncatedNormal, kUntruncatedNormal, kUniform };
struct VarianceScaling {
  double scale = 1;
  Fan mode = Fan::kIn;
  Distribution distribution = Distribution::kTruncatedNormal;
  std::optional<int64_t> seed = {};
};
// Random values of mean 0 and variance scale / n, of a floating dtype. The numbers of inputs and
// outputs of a unit are the rows and columns of a matrix; of filters [height, width, in, out] they
// are in and out, each times height times width; of a vector both are its length. A part of a
// partitioned variable uses the numbers of the whole. Throws InvalidArgument unless scale > 0.
Initializer variance_scaling_initializer(const VarianceScaling& options = {},
                                         SourceLocation at = SourceLocation::current());
// Glorot and Bengio, 2010: variance scaling of 1 by the mean. get_variable() uses the uniform one
// by default. For a matrix [784, 10] its values are in (-limit, limit) with limit = sqrt(6 / (784 +
// 10)).
Initializer glorot_uniform_initializer(std::optional<int64_t> seed = {});
Initializer glorot_normal_initializer(std::optional<int64_t> seed = {});

}  // namespace cairn
