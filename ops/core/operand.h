// Arguments of builders: a tensor, a variable or a plain number.
//
// An Operand is an Output, a Variable (its value at the time the builder reads it), a Tensor, or a
// number that becomes a constant of the dtype of the other operand. It remembers the line of the
// call, so that builders need no argument for it.
//
//   Output y = matmul(x, w) + 0.5f;       // a constant named add/y
//
// Messages of errors begin with the op, the name and the line of the node, "MatMul 'MatMul'
// (mnist.cc:41): ", or if there is no node yet with the builder and the line, "Pad (mnist.cc:41):
// ". The headers of ops/ show the rest of the message only. These errors are common to all
// builders:
//
//   relu(Output());               // FailedPrecondition: Relu (a.cc:7): an empty handle, which
//                                 // stands for no tensor: ...
//   relu(0.5f);                   // InvalidArgument: a.cc:8: expected a tensor of a graph, got a
//                                 // plain number or value; use constant()
//   add(n, 0.5f);                 // InvalidArgument for an int32 n: a.cc:9: 0.5 is not a value of
//                                 // dtype int32
//
// If a builder throws, the graph is unchanged.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "runtime/graph/graph.h"

namespace CAIRN_API cairn {

// Builders have TensorFlow's names, and a dozen of these are also names of class templates in the
// standard library (less, rank, tuple, ...). With `using namespace std` and `using namespace cairn`
// in one scope, tf::less(a, b) is the builder.
namespace tf = ::cairn;

// The option that most builders have: the name of the node. The graph puts the current scope in
// front and makes it unique. Empty: the default of the builder (the name of its op, or Python's:
// "add", "sub", ...).
struct NameOptions {
  std::string name = "";
};

// Made implicitly at a call of a builder; cheap. Not for keeping: a variable is read once per
// Operand.
class Operand {
 public:
  // Implicit on purpose, as all below.
  Operand(const Output& output, SourceLocation at = SourceLocation::current())  // NOLINT
      : value_(output), at_(at) {}
  Operand(const Variable& variable, SourceLocation at = SourceLocation::current())  // NOLINT
      : value_(variable), at_(at) {}
  template <class T>
  requires std::is_arithmetic_v<T> Operand(T number,
                                           SourceLocation at = SourceLocation::current())  // NOLINT
      : value_(std::is_integral_v<T> ? Number(static_cast<int64_t>(number))
                                     : Number(static_cast<double>(number))),
        at_(at) {}
  // A constant with this value.
  Operand(const Tensor& tensor, SourceLocation at = SourceLocation::current())  // NOLINT
      : value_(tensor), at_(at) {}

  // The number, if it is one.
  std::optional<double> number() const {
    const Number* number = std::get_if<Number>(&value_);
    return number ? std::visit([](auto n) { return std::optional<double>(n); }, *number)
                  : std::nullopt;
  }
  // True for an output or a variable.
  bool is_output() const {
    return std::holds_alternative<Output>(value_) || std::holds_alternative<Variable>(value_);
  }
  // The variable, if it is one that was not read yet; else null.
  const Variable* variable() const { return std::get_if<Variable>(&value_); }
  // The dtype if nothing else decides: that of an output, variable or tensor; for numbers int32 or,
  // with a fraction, float, as in Python.
  DType natural_dtype() const;
  // Throws FailedPrecondition, naming `op` and the line, for an empty handle and for one whose
  // graph is gone or was reset.
  void require(std::string_view op) const;
  // The output. A variable is read at the first call, which may make a node (Variable::as_tensor).
  // Throws InvalidArgument for a number or a tensor, FailedPrecondition for an empty handle.
  const Output& output() const;
  // Its graph, without making a node. Throws as output().
  Graph& graph() const;
  operator const Output&() const { return output(); }  // NOLINT

  // The operand as a tensor of `graph`: the output itself, or a new constant named `name`. A number
  // takes `dtype`; throws InvalidArgument for a fraction and an integer dtype, and for bool and
  // string.
  Output in(Graph& graph, DType dtype, std::string_view name) const;
  SourceLocation at() const { return at_; }

 private:
  using Number = std::variant<int64_t, double>;
  // a variable becomes an output when it is read
  mutable std::variant<Output, Number, Tensor, Variable> value_;
  SourceLocation at_;
};

// An argument of integers: a shape, a permutation, offsets. Either a tensor of the graph or a list,
// which becomes a constant vector (int32; int64 if a value needs it).
//
//   reshape(x, {-1, 784});  reshape(x, shape(y));
class IntList {
 public:
  IntList(std::initializer_list<int64_t> values)
      : value_(std::vector<int64_t>(values)) {}                        // NOLINT: implicit
  IntList(std::vector<int64_t> values) : value_(std::move(values)) {}  // NOLINT
  // Unknown extents are -1. Throws InvalidArgument for a shape of unknown rank.
  IntList(const Shape& shape);                       // NOLINT
  IntList(const Output& output) : value_(output) {}  // NOLINT
  IntList(const Variable& v, SourceLocation at = SourceLocation::current())
      : value_(v.as_tensor(at)) {}  // NOLINT

  // The list; null if it is a tensor of the graph.
  const std::vector<int64_t>* list() const { return std::get_if<std::vector<int64_t>>(&value_); }
  // The list as a tensor; invalid if it is a tensor of the graph. `dtype`: int32 or int64, instead
  // of the rule above; throws InvalidArgument for int32 and a value that does not fit.
  Tensor tensor(std::optional<DType> dtype = {}) const;
  // The integers as a tensor of `graph`: the output itself, or a new constant named `name`, of
  // `dtype` if given.
  Output in(GraphAt graph, std::string_view name, std::optional<DType> dtype = {}) const;
  // The common dtype of several lists: that of the first that is a tensor, else int32, or int64 if
  // a value needs it.
  static DType common_dtype(std::initializer_list<const IntList*> lists);

 private:
  std::variant<Output, std::vector<int64_t>> value_;
};

// The builder of an op with two operands, one of which may be a number, which becomes the constant
// name/x or name/y, as with Python's operators. The node is named options.name, else
// `default_name`, else after the op.
Output binary_op(const OpDef& op, std::string_view default_name, const Operand& x, const Operand& y,
                 const NameOptions& options);
// The builder of an op with one operand and no attributes of its own.
inline Output unary_op(const OpDef& op, const Operand& x, const NameOptions& options) {
  x.require(op.name);
  const Graph::Transaction whole(x.graph());
  return add_node(op, {x.output()}, {}, options.name, x.at());
}

}  // namespace cairn
