// Variables: the values that live between runs of a session.
#pragma once

#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/graph/node.h"

namespace CAIRN_API cairn {

// The part of a bigger variable that this one holds (partitioned variables).
struct SaveSliceInfo {
  std::string full_name;
  std::vector<int64_t> full_shape, var_offset, var_shape;
  // The slice as SaveV2 spells it: "4 10 0,2:0,10".
  std::string spec() const;
  friend bool operator==(const SaveSliceInfo&, const SaveSliceInfo&) = default;
};

// What a variable is made of; the fields of TensorFlow's VariableDef.
struct VariableInfo {
  Output ref;             // W:0, a reference (VariableV2) or resource (VarHandleOp) output
  Operation initializer;  // W/Assign
  Output snapshot;        // W/read:0: its value as a tensor
  Output initial_value;   // W/initial_value:0; invalid where a file does not say
  bool trainable = true;
  bool is_resource = false;
  std::optional<SaveSliceInfo> slice;
  int synchronization = 0, aggregation = 0;  // TensorFlow's enums, carried
  std::string unknown_fields;                // of a newer VariableDef, carried
};

// A handle to a variable of a graph. Cheap to copy. Stands for its value wherever a tensor is
// wanted:
//
//   Variable w = variable(zeros(graph, {784, 10}), {.name = "W"});
//   Output y = matmul(x, w);
//   session.run(w.assign(w + 1.0f));      // assign: see ops/state/state.h
//
// Which value that is. A node that takes W/read sees every write of a reference variable that the
// graph orders before the node itself, by data or by control edges: so what is made under
// control_dependencies() of a training step works on what the step has written. Of writes that no
// edge orders before it, it sees none, whenever they run. Where W/read is given to an Identity of
// the program's own, that is the node that reads, and its value stays. A resource variable is read
// by a ReadVariableOp, whose value stays; wherever one is used under control_dependencies(), or
// inside a condition, it is read anew.
//
//   auto scope = graph.control_dependencies({train_op});
//   Output clipped = w.assign(clip_by_value(w, -1.0f, 1.0f));  // of what train_op has made of w
class Variable {
 public:
  Variable() = default;
  explicit Variable(VariableInfo info)
      : info_(std::make_shared<const VariableInfo>(std::move(info))) {}

  explicit operator bool() const { return info_ != nullptr; }
  operator Output() const { return as_tensor(); }  // NOLINT: implicit on purpose

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
  // What a node made now takes for the variable: value() or, of a resource variable where nodes
  // wait for something or belong to a condition, a new ReadVariableOp. Defined in
  // ops/state/state.cc, as is read_value().
  Output as_tensor(SourceLocation at = SourceLocation::current()) const;
  // A new node that reads the variable: after all that nodes made now wait for, of whatever kind
  // the variable is.
  Output read_value(SourceLocation at = SourceLocation::current()) const;
  Operation initializer() const { return info().initializer; }
  Output initial_value() const { return info().initial_value; }
  bool trainable() const { return info().trainable; }
  bool is_resource() const { return info().is_resource; }
  const std::optional<SaveSliceInfo>& slice() const { return info().slice; }
  // Throws FailedPrecondition for an empty handle.
  const VariableInfo& info() const;

  // New nodes that write the variable: `value` is a tensor of the graph, a number or a Tensor. They
  // run when they are run: `session.run(w.assign(w + 1.0f))`, `session.run(w.assign(0))`. Each
  // gives the variable's new value. Throw InvalidArgument when dtype or shape differ. See
  // ops/state/state.h, which has to be included.
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
  // Row i of what as_tensor() gives: w[0].
  Output operator[](const Index& i) const { return as_tensor(i.at)[i]; }

  friend bool operator==(const Variable& a, const Variable& b) {
    return a.info_ == b.info_ || (a.info_ && b.info_ && a.ref() == b.ref());
  }

 private:
  std::shared_ptr<const VariableInfo> info_;
};

// "W, float [784,10]".
std::ostream& operator<<(std::ostream& out, const Variable& variable);

}  // namespace cairn
