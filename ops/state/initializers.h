// Initial values for get_variable(): functions from a shape and a dtype to the tensor a variable
// begins with.
//
//   auto w = get_variable(graph, "W", {784, 10}, {.initializer = truncated_normal_initializer({.stddev = 0.1})});
//
// They are TensorFlow's (tf.zeros_initializer, ...): same nodes, same numbers for the same seeds.
// Any function from graph, shape and dtype to a tensor serves as one; one that takes a fourth
// argument is told which part of a partitioned variable it makes, or null.
#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

class Initializer {
 public:
  Initializer() = default;  // none
  template <class F>
  requires std::invocable<F&, GraphAt, const Shape&, DType> Initializer(
      F f)  // NOLINT: implicit on purpose
      : make_([f = std::move(f)](GraphAt graph, const Shape& shape, DType dtype,
                                 const SaveSliceInfo*) { return f(graph, shape, dtype); }) {}
  template <class F>
  requires std::invocable<F&, GraphAt, const Shape&, DType, const SaveSliceInfo*> Initializer(
      F f)  // NOLINT
      : make_(std::move(f)) {}

  explicit operator bool() const { return make_ != nullptr; }
  // `shape` is that of the tensor to make: of the part, where `part` is given.
  Output operator()(GraphAt graph, const Shape& shape, DType dtype,
                    const SaveSliceInfo* part = nullptr) const {
    return make_(graph, shape, dtype, part);
  }

 private:
  std::function<Output(GraphAt, const Shape&, DType, const SaveSliceInfo*)> make_;
};

Initializer zeros_initializer();
Initializer ones_initializer();
// All elements `value`. Throws InvalidArgument when the dtype cannot hold it.
Initializer constant_initializer(double value);
// The elements of `value`, in order, as many as the shape has, or one for all; of the variable's
// dtype. A part of a partitioned variable gets its slice of them. Throws InvalidArgument for
// another count or dtype.
Initializer constant_initializer(const Tensor& value);

// `seed`: see Graph::set_seed.
struct NormalInitializer {
  double mean = 0, stddev = 1;
  std::optional<int64_t> seed = {};
};
Initializer random_normal_initializer(const NormalInitializer& options = {});
// Values two or more standard deviations from the mean are drawn again.
Initializer truncated_normal_initializer(const NormalInitializer& options = {});

struct UniformInitializer {
  double minval = 0;
  std::optional<double> maxval = {};  // 1; integers have no default
  std::optional<int64_t> seed = {};
};
// Values in [minval, maxval).
Initializer random_uniform_initializer(const UniformInitializer& options = {});

enum class Fan { kIn, kOut, kAverage };
enum class Distribution { kTruncatedNormal, kUntruncatedNormal, kUniform };
struct VarianceScaling {
  double scale = 1;
  Fan mode = Fan::kIn;
  Distribution distribution = Distribution::kTruncatedNormal;
  std::optional<int64_t> seed = {};
};
// Values of variance scale / n, where n is the number of inputs of a unit, of its outputs, or their
// mean: of a matrix its rows and columns, of filters [height, width, in, out] in and out times
// height times width. A part of a partitioned variable counts as the whole does.
Initializer variance_scaling_initializer(const VarianceScaling& options = {},
                                         SourceLocation at = SourceLocation::current());
// Glorot and Bengio, 2010: variance scaling of 1 by the mean. The uniform one is what
// get_variable() uses unless told.
Initializer glorot_uniform_initializer(std::optional<int64_t> seed = {});
Initializer glorot_normal_initializer(std::optional<int64_t> seed = {});

}  // namespace cairn
