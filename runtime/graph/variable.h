// Variable: a handle to the nodes of a variable in a graph. The value belongs to a session and is
// kept between runs (Session::value, Session::set_value).
//
//   Variable w = variable(zeros(graph, {784, 10}), {.name = "W"});
//   Output y = matmul(x, w);
//   session.run(w.assign(w + 1.0f));      // assign: see ops/state/state.h
//
// Calls that fail:
//
//   w.assign(zeros(graph, {3}));   // InvalidArgument, and the graph is unchanged
//   Variable().name();             // FailedPrecondition: an empty Variable handle was used
//   session.run(y, {{x, image}});  // before initialization: FailedPrecondition:
//                                  // uninitialized variable: 'W'; run the initializer …
#pragma once

#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/graph/node.h"

namespace CAIRN_API cairn {

// The part of a partitioned variable that this variable holds: TensorFlow's SaveSliceInfoDef.
struct SaveSliceInfo {
  std::string full_name;
  std::vector<int64_t> full_shape, var_offset, var_shape;  // one number for each extent
  // The slice in the form of SaveV2: the full shape, then offset,extent pairs: "4 10 0,2:0,10".
  std::string spec() const;
  friend bool operator==(const SaveSliceInfo&, const SaveSliceInfo&) = default;
};

// The nodes and properties of a variable: the fields of TensorFlow's VariableDef.
struct VariableInfo {
  Output ref;             // W:0, a reference (VariableV2) or resource (VarHandleOp) output
  Operation initializer;  // W/Assign
  Output snapshot;        // W/read:0: its value as a tensor
  Output initial_value;   // W/initial_value:0; empty if a file does not name it
  bool trainable = true;
  bool is_resource = false;
  std::optional<SaveSliceInfo> slice;
  int synchronization = 0, aggregation = 0;  // TensorFlow's enums; written again
  std::string unknown_fields;                // of a newer VariableDef; written again
};

// A handle to a variable of a graph. Cheap to copy; the rules of Output apply. Converts to an
// Output, so it can be an operand of any builder.
//
// Which value a reader sees. A node that takes W/read of a reference variable sees every write that
// the graph orders before that node, by data or control edges, and no other write, whenever it
// runs. So a node made under control_dependencies() of a training step sees the values that the
// step wrote. If W/read is the input of an Identity of the program, the Identity is the reader, and
// all readers of the Identity see its value. A resource variable is read by a ReadVariableOp, whose
// value is fixed from then on; used under control_dependencies() or inside a branch of cond(), the
// variable is read by a new ReadVariableOp.
//
//   auto scope = graph.control_dependencies({train_op});
//   Output clipped = w.assign(clip_by_value(w, -1.0f, 1.0f));  // clips the trained value
class Variable {
 public:
  Variable() = default;
  explicit Variable(VariableInfo info)
      : info_(std::make_shared<const VariableInfo>(std::move(info))) {}

  explicit operator bool() const { return info_ != nullptr; }
  operator Output() const { return as_tensor(); }  // NOLINT: implicit on purpose

  // Properties of the variable. Throw FailedPrecondition for an empty handle. dtype() is never a
  // reference type; shape() is the declared one, as far as it is known.
  const std::string& name() const { return info().ref.op().name(); }  // "W"
  DType dtype() const {
    return base_dtype(is_resource() ? info().snapshot.dtype() : info().ref.dtype());
  }
  const Shape& shape() const {
    return is_resource() ? info().snapshot.shape() : info().ref.shape();
  }
  Graph& graph() const { return info().ref.graph(); }

  Output ref() const { return info().ref; }
  Output value() const { return info().snapshot; }  // W/read:0
  // The tensor that a builder uses for the variable: value() or, for a resource variable under
  // control_dependencies() or inside a branch of cond(), the output of a new ReadVariableOp.
  Output as_tensor(SourceLocation at = SourceLocation::current()) const;
  // Adds a node that reads the variable after the control dependencies in force, for both kinds of
  // variables (tf.Variable.read_value).
  Output read_value(SourceLocation at = SourceLocation::current()) const;
  Operation initializer() const { return info().initializer; }
  Output initial_value() const { return info().initial_value; }
  bool trainable() const { return info().trainable; }
  bool is_resource() const { return info().is_resource; }
  const std::optional<SaveSliceInfo>& slice() const { return info().slice; }
  // Throws FailedPrecondition for an empty handle.
  const VariableInfo& info() const;

  // Add nodes that write the variable when they are run: `value` is a tensor of the graph, a number
  // or a Tensor. The output is the variable's new value. Throw InvalidArgument if dtype or shape
  // differ from the variable's; then the graph is unchanged. Need ops/state/state.h.
  //
  //   session.run(w.assign_add(delta));
  //   session.run(w.assign(0));
  template <class Value>
  Output assign(const Value& value, SourceLocation at = SourceLocation::current()) const {
    return assign_variable(*this, value, at);
  }
  template <class Value>
  Output assign_add(const Value& delta, SourceLocation at = SourceLocation::current()) const {
    return assign_add_variable(*this, delta, at);
  }
  template <class Value>
  Output assign_sub(const Value& delta, SourceLocation at = SourceLocation::current()) const {
    return assign_sub_variable(*this, delta, at);
  }
  // Row i of as_tensor(), counted from the end if negative: w[0]. Throws as element() in
  // ops/array/slicing.h.
  Output operator[](const Index& i) const { return as_tensor(i.at)[i]; }

  // True if both refer to the same variable node, or both are empty.
  friend bool operator==(const Variable& a, const Variable& b) {
    return a.info_ == b.info_ || (a.info_ && b.info_ && a.ref() == b.ref());
  }

 private:
  std::shared_ptr<const VariableInfo> info_;
};

// Prints "W, float [784,10]"; for an empty handle "no variable".
std::ostream& operator<<(std::ostream& out, const Variable& variable);

}  // namespace cairn
