#include "ops/state/initializers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/array/array.h"
#include "ops/array/slicing.h"
#include "ops/random/random.h"

namespace cairn {
namespace {

// The beginning of an error of an initializer: its name, and the line of the program that makes the
// variable.
std::string refused_by(const char* initializer, const GraphAt& graph) {
  return str_cat(initializer, " (", graph->current_location(graph.at).str(),
                 "): the initial value ");
}

Tensor filled(const GraphAt& graph, double value, DType dtype, const Shape& shape) {
  Tensor tensor = Tensor::zeros(dtype, shape);
  const bool made =
      for_dtype<float, double, Half, BFloat16, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t,
                uint32_t, uint64_t, std::complex<float>, std::complex<double>, bool>(
          dtype, [&]<class T> {
            T one;
            if constexpr (std::is_arithmetic_v<T>) {
              using Limits = std::numeric_limits<T>;
              if (std::is_integral_v<T> &&
                  (value != std::trunc(value) || value < static_cast<double>(Limits::lowest()) ||
                   value >= static_cast<double>(Limits::max()) + 1)) {
                fail(Code::kInvalidArgument, refused_by("constant_initializer", graph), value,
                     " is not a value of dtype ", dtype);
              }
              one = static_cast<T>(value);
            } else {
              one = T(static_cast<float>(value));
            }
            std::fill_n(tensor.data<T>(), tensor.num_elements(), one);
          });
  if (!made)
    fail(Code::kInvalidArgument, refused_by("constant_initializer", graph), value,
         " is not a value of dtype ", dtype);
  return tensor;
}

struct Fans {
  double in, out;
};
Fans fans_of(const Shape& shape) {
  const int rank = shape.rank();
  if (rank < 1) return {1, 1};
  if (rank == 1) return {static_cast<double>(shape[0]), static_cast<double>(shape[0])};
  double field = 1;
  for (int i = 0; i < rank - 2; ++i) field *= static_cast<double>(shape[i]);
  return {field * static_cast<double>(shape[rank - 2]),
          field * static_cast<double>(shape[rank - 1])};
}

}  // namespace

Initializer zeros_initializer() {
  return [](GraphAt graph, const Shape& shape, DType dtype) { return zeros(graph, shape, dtype); };
}
Initializer ones_initializer() {
  return [](GraphAt graph, const Shape& shape, DType dtype) { return ones(graph, shape, dtype); };
}

Initializer constant_initializer(double value) {
  return [value](GraphAt graph, const Shape& shape, DType dtype) {
    return constant(graph, filled(graph, value, dtype, shape));
  };
}
Initializer constant_initializer(const Tensor& value) {
  return [value](GraphAt graph, const Shape& shape, DType dtype, const SaveSliceInfo* part) {
    if (value.dtype() != dtype)
      fail(Code::kInvalidArgument, refused_by("constant_initializer", graph), "is of dtype ",
           value.dtype(), ", the variable of dtype ", dtype);
    const Shape whole = part ? Shape(part->full_shape) : shape;
    if (value.num_elements() != 1 && value.num_elements() != whole.num_elements())
      fail(Code::kInvalidArgument, refused_by("constant_initializer", graph), "is of shape ",
           value.shape(), ", the variable of shape ", whole);
    if (part && value.num_elements() != 1) {
      return slice(constant(graph, value.reshaped(Shape(part->full_shape))), part->var_offset,
                   part->var_shape);
    }
    if (value.num_elements() != 1) return constant(graph, value.reshaped(shape));
    return fill(graph, shape, value.reshaped({}), {.name = "Const"});
  };
}

Initializer random_normal_initializer(const NormalInitializer& o) {
  return [o](GraphAt graph, const Shape& shape, DType dtype) {
    return random_normal(graph, shape,
                         {.mean = o.mean, .stddev = o.stddev, .dtype = dtype, .seed = o.seed});
  };
}
Initializer truncated_normal_initializer(const NormalInitializer& o) {
  return [o](GraphAt graph, const Shape& shape, DType dtype) {
    return truncated_normal(graph, shape,
                            {.mean = o.mean, .stddev = o.stddev, .dtype = dtype, .seed = o.seed});
  };
}
Initializer random_uniform_initializer(const UniformInitializer& o) {
  return [o](GraphAt graph, const Shape& shape, DType dtype) {
    return random_uniform(graph, shape,
                          {.minval = o.minval,
                           .maxval = o.maxval ? std::optional<Operand>(*o.maxval) : std::nullopt,
                           .dtype = dtype,
                           .seed = o.seed});
  };
}

Initializer variance_scaling_initializer(const VarianceScaling& o, SourceLocation at) {
  if (!(o.scale > 0)) {
    fail(Code::kInvalidArgument, "variance_scaling_initializer (", at.str(),
         "): scale must be above 0, is ", o.scale);
  }
  return [o](GraphAt graph, const Shape& shape, DType dtype, const SaveSliceInfo* part) {
    const Fans fans = fans_of(part ? Shape(part->full_shape) : shape);
    const double n = o.mode == Fan::kIn    ? fans.in
                     : o.mode == Fan::kOut ? fans.out
                                           : (fans.in + fans.out) / 2;
    const double variance = o.scale / std::max(1.0, n);
    if (o.distribution == Distribution::kUniform) {
      const double limit = std::sqrt(3 * variance);
      return random_uniform(graph, shape,
                            {.minval = -limit, .maxval = limit, .dtype = dtype, .seed = o.seed});
    }
    const bool truncated = o.distribution == Distribution::kTruncatedNormal;
    // The standard deviation of the standard normal distribution truncated to [-2, 2].
    const double stddev = std::sqrt(variance) / (truncated ? .87962566103423978 : 1);
    return (truncated ? truncated_normal_initializer : random_normal_initializer)(
        {.stddev = stddev, .seed = o.seed})(graph, shape, dtype);
  };
}
Initializer glorot_uniform_initializer(std::optional<int64_t> seed) {
  return variance_scaling_initializer(
      {.mode = Fan::kAverage, .distribution = Distribution::kUniform, .seed = seed});
}
Initializer glorot_normal_initializer(std::optional<int64_t> seed) {
  return variance_scaling_initializer({.mode = Fan::kAverage, .seed = seed});
}

}  // namespace cairn
