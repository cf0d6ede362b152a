// Constants, placeholders, tensors filled by rule, and nodes that pass a value on. Ops about the
// shape of a tensor are in ops/array/reshape.h, which this brings.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ops/array/reshape.h"
#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// A node that always has `value` (TensorFlow's Const): a number, a list, rows of a matrix, or a
// tensor.
//   constant(graph, 0.5f); constant(graph, {1.0f, 2.0f}); constant(graph, {{1, 2}, {3, 4}}, {.name = "table"});
// A tensor's memory is shared with the graph: do not change it afterwards.
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

// A tensor that every run must feed (TensorFlow's Placeholder). Unknown extents are -1.
//   auto x = placeholder(graph, DType::kFloat, {-1, 784}, {.name = "X"});
Output placeholder(GraphAt graph, DType dtype, const Shape& shape = Shape::unknown(),
                   const NameOptions& options = {});
// One that has the value of `input` in runs that do not feed it (TensorFlow's
// PlaceholderWithDefault). Throws InvalidArgument when the input cannot have that shape.
Output placeholder_with_default(const Operand& input, const Shape& shape,
                                const NameOptions& options = {});

// ---- passing on ---------------------------------------------------------------------------------

// The value of x, under a node of its own (TensorFlow's Identity).
Output identity(const Operand& x, const NameOptions& options = {});
// The values of several tensors, of any dtypes, once all are there (TensorFlow's IdentityN). Throws
// InvalidArgument for none.
std::vector<Output> identity_n(const std::vector<Output>& xs, const NameOptions& options = {},
                               SourceLocation at = SourceLocation::current());
// The value of x, through which no gradient flows (TensorFlow's StopGradient).
Output stop_gradient(const Operand& x, const NameOptions& options = {});
// The value of x; asking for a gradient through it throws InvalidArgument with `message`
// (TensorFlow's PreventGradient).
struct PreventGradientOptions {
  std::string message = "";
  std::string name = "";
};
Output prevent_gradient(const Operand& x, const PreventGradientOptions& options = {});

// ---- filled tensors -----------------------------------------------------------------------------

// A tensor of `shape`, all zeros (empty strings, false) or all ones: a constant below 1,000
// elements, else a Fill, so that files stay small. Throws InvalidArgument for an unknown extent;
// ones() also for strings.
//   auto w = variable(zeros(graph, {784, 10}));
Output zeros(GraphAt graph, const Shape& shape, DType dtype = DType::kFloat,
             const NameOptions& options = {});
Output ones(GraphAt graph, const Shape& shape, DType dtype = DType::kFloat,
            const NameOptions& options = {});
// The same with a shape computed by the graph.
Output zeros(const Operand& shape, DType dtype = DType::kFloat, const NameOptions& options = {});
Output ones(const Operand& shape, DType dtype = DType::kFloat, const NameOptions& options = {});

struct LikeOptions {
  std::optional<DType> dtype = {};  // instead of x's
  bool optimize =
      true;  // of a known shape: a constant or Fill of it; false: always a node that looks at x
  std::string name = "";
};
// As zeros() and ones(), of x's shape and dtype. The shape may be known only at run time.
Output zeros_like(const Operand& x, const LikeOptions& options = {});
Output ones_like(const Operand& x, const LikeOptions& options = {});

// A tensor of shape `dims` whose elements are all `value`, a scalar (TensorFlow's Fill). One of the
// two is of the graph. A number alone is int32 or, written as a fraction, float.
//   fill(shape(x), 0.1f);
Output fill(const Operand& dims, const Operand& value, const NameOptions& options = {});
// The graph is told: fill(graph, {2, 3}, 9.0f).
Output fill(GraphAt graph, const Shape& dims, const Tensor& value, const NameOptions& options = {});

struct OneHotOptions {
  // Tensors or numbers; numbers take `dtype`, without that their own.
  std::optional<Operand> on_value = {}, off_value = {};
  int64_t axis = -1;                // where the new extent goes; -1: last
  std::optional<DType> dtype = {};  // by default that of on_value or off_value, else float
  std::string name = "";
};
// For each index i a row of `depth` elements, on_value (1) at i and off_value (0) elsewhere; an
// index outside [0, depth) gives a row of off_value (TensorFlow's OneHot). indices: uint8, int32 or
// int64.
//   one_hot(labels, 10)                         // [batch] -> [batch,10]
Output one_hot(const Operand& indices, const Operand& depth, const OneHotOptions& options = {});

// start, start + delta, ... up to but not including limit, all scalars of one dtype: int32, int64,
// float or double (TensorFlow's Range). Numbers take the dtype of the operands that are tensors of
// the graph. Throws InvalidArgument for a delta of zero or of the wrong sign.
Output range(const Operand& start, const Operand& limit, const Operand& delta = 1,
             const NameOptions& options = {});
// The graph is told: range(graph, 0, 10, 2) is int32; with a fraction among the numbers, float.
Output range(GraphAt graph, double start, double limit, double delta = 1,
             const NameOptions& options = {});

// `num` numbers evenly from start to stop, both included (TensorFlow's LinSpace): float or double,
// as start is. Throws InvalidArgument unless num > 0.
Output linspace(const Operand& start, const Operand& stop, const Operand& num,
                const NameOptions& options = {});

struct SparseToDenseOptions {
  Operand default_value = 0;
  bool validate_indices = true;  // they must rise lexicographically, without repetition
  std::string name = "";
};
// A tensor of shape `output_shape` that is default_value but for values[k] at indices[k]
// (TensorFlow's SparseToDense). indices: [n, rank]; [n] for a vector; a scalar for one element.
// values: [n], or a scalar for all. Throws InvalidArgument for indices outside the shape.
Output sparse_to_dense(const Operand& indices, const IntList& output_shape, const Operand& values,
                       const SparseToDenseOptions& options = {});

std::span<const OpDef* const> array_ops();

}  // namespace cairn
