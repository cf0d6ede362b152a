// What builders take where the text says "a tensor": an Output, a Variable (its value as it is when
// the builder reads it), or a plain number that becomes a constant of the other operand's dtype. It
// also remembers the line of the call, so builders need no argument for that.
//
//   Output y = matmul(x, w) + 0.5f;       // a constant named add/y
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "runtime/graph/graph.h"

namespace CAIRN_API cairn {

// Builders have TensorFlow's names, and a dozen of these are names of class templates in the
// standard library too (less, rank, tuple, ...). Where `using namespace std` and `using namespace
// cairn` stand together, tf::less(a, b) is the builder.
namespace tf = ::cairn;

// The one option most builders have: the node's name, as wished. Empty: the builder's default (its
// op's name, or Python's: "add", "sub", ...).
struct NameOptions {
  std::string name = "";
};

class Operand {
 public:
  Operand(const Output& output,
          SourceLocation at = SourceLocation::current())  // NOLINT: implicit on purpose
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

  // The number it was made of, if it was.
  std::optional<double> number() const {
    const Number* number = std::get_if<Number>(&value_);
    return number ? std::visit([](auto n) { return std::optional<double>(n); }, *number)
                  : std::nullopt;
  }
  // An output, or a variable.
  bool is_output() const {
    return std::holds_alternative<Output>(value_) || std::holds_alternative<Variable>(value_);
  }
  // The variable, if it is one that was not read yet.
  const Variable* variable() const { return std::get_if<Variable>(&value_); }
  // What it is of where nothing else decides: an output's or a tensor's own dtype; of numbers int32
  // or, for fractions, float, as in Python.
  DType natural_dtype() const;
  // Throws FailedPrecondition, naming `op` and the line, for an empty handle and for one whose
  // graph is gone or was reset.
  void require(std::string_view op) const;
  // The output; throws InvalidArgument when the operand is a number or a tensor, as only one
  // operand of an op may be, FailedPrecondition for an empty handle. A variable is read when this
  // is first called, which may make a node (Variable::as_tensor).
  const Output& output() const;
  // Its graph, without making a node. Throws as output().
  Graph& graph() const;
  operator const Output&() const { return output(); }  // NOLINT

  // The operand in `graph`: the output itself, or a new constant named `name`; a number takes
  // `dtype` (a fraction given for an integer dtype throws InvalidArgument).
  Output in(Graph& graph, DType dtype, std::string_view name) const;
  SourceLocation at() const { return at_; }

 private:
  using Number = std::variant<int64_t, double>;
  // a variable becomes an output when it is read
  mutable std::variant<Output, Number, Tensor, Variable> value_;
  SourceLocation at_;
};

// Integers an op is told with: a shape, a permutation, where to begin. Either a tensor of the graph
// or a list, which becomes a constant vector (int32; int64 where a value needs it).
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

  // Null when it is a tensor of the graph.
  const std::vector<int64_t>* list() const { return std::get_if<std::vector<int64_t>>(&value_); }
  // The list as a tensor, or an invalid one. `dtype`: instead of the rule above; throws
  // InvalidArgument where that is int32 and a value does not fit.
  Tensor tensor(std::optional<DType> dtype = {}) const;
  // The integers in `graph`: the output itself, or a new constant named `name`, of `dtype` if
  // given.
  Output in(GraphAt graph, std::string_view name, std::optional<DType> dtype = {}) const;
  // The dtype that the lists among several take together: that of those which are tensors, else
  // what all values need.
  static DType common_dtype(std::initializer_list<const IntList*> lists);

 private:
  std::variant<Output, std::vector<int64_t>> value_;
};

// Builder of a two-operand op, either of which may be a number: `op` named `name`, or
// `default_name`, or after the op when that is empty; a number becomes the constant name/x or
// name/y, as Python's operators make it.
Output binary_op(const OpDef& op, std::string_view default_name, const Operand& x, const Operand& y,
                 const NameOptions& options);
// Builder of a one-operand op without attributes of its own.
inline Output unary_op(const OpDef& op, const Operand& x, const NameOptions& options) {
  x.require(op.name);
  const Graph::Transaction whole(x.graph());
  return add_node(op, {x.output()}, {}, options.name, x.at());
}

}  // namespace cairn
