// Constants, placeholders, filled tensors, and nodes that pass a value on. Ops on the shape of a
// tensor are in ops/array/reshape.h, which this header includes.
//
//   auto x = placeholder(graph, DType::kFloat, {-1, 784}, {.name = "X"});
//   auto labels = one_hot(digits, 10);                        // [batch] -> [batch,10]
//   auto w = variable(zeros(graph, {784, 10}));
//   session.run(y, {{x, images}});
//
// Calls that fail, with InvalidArgument (how messages begin is in ops/core/operand.h):
//
//   zeros(graph, {-1, 10});     // expected a fully known shape, got [?,10]
//   ones(graph, {2}, DType::kString);   // there is no 1 of dtype string
//   range(graph, 0, 10, 0);     // delta must not be zero (start 0, limit 10, delta 0)
//   session.run(y);             // no value was fed; feed a tensor of dtype float and shape [?,784]
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ops/array/reshape.h"
#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// A node that always has `value` (TensorFlow's Const): a number, a list, rows of a matrix, or a
// tensor of any dtype and shape. The dtype is that of the C++ type.
//
//   constant(graph, 0.5f);
//   constant(graph, {1.0f, 2.0f});
//   constant(graph, {{1, 2}, {3, 4}}, {.name = "table"});
//
// The graph shares the memory of a tensor: do not change it afterwards. Throws InvalidArgument for
// rows that differ in length.
Output constant(GraphAt graph, const Tensor& value, const NameOptions& options = {});
template <Element T>
Output constant(GraphAt graph, std::initializer_list<T> values, const NameOptions& options = {}) {
  return constant(graph, Tensor::vector<T>(values), options);
}
template <Element T>
Output constant(GraphAt graph, std::initializer_list<std::initializer_list<T>> rows,
                const NameOptions& options = {}) {
  return constant(graph, Tensor::matrix<T>(rows), options);
}
template <Element T>
Output constant(GraphAt graph, const std::vector<T>& values, const NameOptions& options = {}) {
  return constant(graph, Tensor::vector<T>(values), options);
}

// A tensor that must be fed in every run that needs it (TensorFlow's Placeholder). Unknown extents
// are -1. A run that needs it and does not feed it throws InvalidArgument with the node's name; so
// does a value of another dtype or shape.
//
//   auto x = placeholder(graph, DType::kFloat, {-1, 784}, {.name = "X"});
Output placeholder(GraphAt graph, DType dtype, const Shape& shape = Shape::unknown(),
                   const NameOptions& options = {});
// A placeholder with the value of `input` in runs that do not feed it (TensorFlow's
// PlaceholderWithDefault). Throws InvalidArgument if the shape of `input` contradicts `shape`.
//
//   auto keep = placeholder_with_default(constant(graph, 1.0f), {});
Output placeholder_with_default(const Operand& input, const Shape& shape,
                                const NameOptions& options = {});

// ---- passing on ---------------------------------------------------------------------------------

// The value of x under a node of its own (TensorFlow's Identity). Nothing is copied.
Output identity(const Operand& x, const NameOptions& options = {});
// The values of several tensors of any dtypes, available once all are computed (TensorFlow's
// IdentityN). Throws InvalidArgument for an empty list.
std::vector<Output> identity_n(const std::vector<Output>& xs, const NameOptions& options = {},
                               SourceLocation at = SourceLocation::current());
// The value of x; its gradient is not propagated to x (TensorFlow's StopGradient).
Output stop_gradient(const Operand& x, const NameOptions& options = {});
// The value of x; gradients() through it throws InvalidArgument with `message` (TensorFlow's
// PreventGradient).
struct PreventGradientOptions {
  std::string message = "";
  std::string name = "";
};
Output prevent_gradient(const Operand& x, const PreventGradientOptions& options = {});

// ---- filled tensors -----------------------------------------------------------------------------

// A tensor of `shape`, all zeros (empty strings, false) or all ones: a constant if it has fewer
// than 1,000 elements, else a Fill, so that files stay small. Throw InvalidArgument for an unknown
// extent; ones() also for strings.
//
//   auto w = variable(zeros(graph, {784, 10}));
Output zeros(GraphAt graph, const Shape& shape, DType dtype = DType::kFloat,
             const NameOptions& options = {});
Output ones(GraphAt graph, const Shape& shape, DType dtype = DType::kFloat,
            const NameOptions& options = {});
// The same with a shape that the graph computes: an int32 or int64 vector. Always a Fill; a
// negative extent fails the run with InvalidArgument.
Output zeros(const Operand& shape, DType dtype = DType::kFloat, const NameOptions& options = {});
Output ones(const Operand& shape, DType dtype = DType::kFloat, const NameOptions& options = {});

struct LikeOptions {
  std::optional<DType> dtype = {};  // default: that of x
  // A constant or Fill where the shape of x is known; false: always a node that reads x at run
  // time.
  bool optimize = true;
  std::string name = "";
};
// As zeros() and ones(), with the shape and dtype of x. The shape may be known only at run time.
// Throw as those.
Output zeros_like(const Operand& x, const LikeOptions& options = {});
Output ones_like(const Operand& x, const LikeOptions& options = {});

// A tensor of shape `dims` (an int32 or int64 vector) with all elements `value`, a scalar of any
// dtype (TensorFlow's Fill). At least one of the two must be a tensor of the graph. A plain number
// is int32 or, with a fraction, float. Throws InvalidArgument for a negative extent and a value
// that is not a scalar.
//
//   fill(shape(x), 0.1f);
Output fill(const Operand& dims, const Operand& value, const NameOptions& options = {});
// The same for a graph given explicitly: fill(graph, {2, 3}, 9.0f).
Output fill(GraphAt graph, const Shape& dims, const Tensor& value, const NameOptions& options = {});

struct OneHotOptions {
  // Scalars. Plain numbers take `dtype` or, without it, their own: 1 is int32, 0.5 float.
  std::optional<Operand> on_value = {}, off_value = {};
  int64_t axis = -1;                // position of the new extent; -1: last
  std::optional<DType> dtype = {};  // by default that of on_value or off_value, else float
  std::string name = "";
};
// For each index i a row of `depth` elements: on_value (default 1) at place i and off_value
// (default 0) elsewhere. An index outside [0, depth) gives a row of off_value (TensorFlow's
// OneHot). indices: uint8, int32 or int64, of any shape; depth: an int32 scalar. Throws
// InvalidArgument for an axis outside [-1, rank] and a negative depth.
//
//   one_hot(labels, 10)                         // [batch] -> [batch,10]
//   one_hot(labels, 10, {.axis = 0})            // [batch] -> [10,batch]
Output one_hot(const Operand& indices, const Operand& depth, const OneHotOptions& options = {});

// start, start + delta, ... up to but not including limit (TensorFlow's Range): a vector. All three
// are scalars of one dtype: int32, int64, float or double. At least one is a tensor of the graph;
// numbers take its dtype. Throws InvalidArgument for a delta of zero, NaN or of the wrong sign,
// when built if all are constant, else when run.
//
//   range(0, size(x), 1)        // [0 1 2 ...], one for each element of x
Output range(const Operand& start, const Operand& limit, const Operand& delta = 1,
             const NameOptions& options = {});
// The same for a graph given explicitly: range(graph, 0, 10, 2) is int32; with a fraction, or a
// number that int32 does not hold, it is float.
Output range(GraphAt graph, double start, double limit, double delta = 1,
             const NameOptions& options = {});

// `num` evenly spaced numbers from start to stop, both included (TensorFlow's LinSpace): float or
// double, the dtype of start or stop. Throws InvalidArgument unless num > 0.
//
//   linspace(zero, 1.0f, 5)     // [0. 0.25 0.5 0.75 1.]
Output linspace(const Operand& start, const Operand& stop, const Operand& num,
                const NameOptions& options = {});

struct SparseToDenseOptions {
  Operand default_value = 0;
  bool validate_indices = true;  // they must be sorted lexicographically, without repetition
  std::string name = "";
};
// A tensor of shape `output_shape`, with values[k] at indices[k] and default_value elsewhere
// (TensorFlow's SparseToDense). indices: [n, rank]; [n] if the output is a vector; a scalar for one
// element. values: [n], or a scalar for all. Throws InvalidArgument for an index outside the shape
// and, with validate_indices, for one that is out of order or repeated ("sparse_indices[1] is
// repeated").
Output sparse_to_dense(const Operand& indices, const IntList& output_shape, const Operand& values,
                       const SparseToDenseOptions& options = {});

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> array_ops();

}  // namespace cairn
