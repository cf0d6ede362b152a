// Variables: the values that live between runs of a session.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/node.h"

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

// A handle to a variable of a graph. Cheap to copy. Stands for its value wherever a tensor is wanted:
//
//   Variable w = variable(zeros(graph, {784, 10}), {.name = "W"});
//   Output y = matmul(x, w);
//   session.run(w.assign(w + 1.0f));      // assign: see ops/state.h
class Variable {
 public:
  Variable() = default;
  explicit Variable(VariableInfo info) : info_(std::make_shared<const VariableInfo>(std::move(info))) {}

  explicit operator bool() const { return info_ != nullptr; }
  operator Output() const { return info().snapshot; }  // NOLINT: implicit on purpose

  const std::string& name() const { return info().ref.op().name(); }  // "W"
  DType dtype() const { return base_dtype(is_resource() ? info().snapshot.dtype() : info().ref.dtype()); }
  const Shape& shape() const { return is_resource() ? info().snapshot.shape() : info().ref.shape(); }
  Graph& graph() const { return info().ref.graph(); }

  Output ref() const { return info().ref; }
  Output value() const { return info().snapshot; }
  Operation initializer() const { return info().initializer; }
  Output initial_value() const { return info().initial_value; }
  bool trainable() const { return info().trainable; }
  bool is_resource() const { return info().is_resource; }
  const std::optional<SaveSliceInfo>& slice() const { return info().slice; }
  // Throws FailedPrecondition for an empty handle.
  const VariableInfo& info() const;

  // New nodes that write the variable: `value` is a tensor of the graph, a number or a Tensor. They run when they are
  // run: `session.run(w.assign(w + 1.0f))`, `session.run(w.assign(0))`. Each gives the variable's new value. Throw
  // InvalidArgument when dtype or shape differ. See ops/state.h, which has to be included.
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
  // Row i of the value: w[0].
  Output operator[](const Index& i) const { return value()[i]; }

  friend bool operator==(const Variable& a, const Variable& b) {
    return a.info_ == b.info_ || (a.info_ && b.info_ && a.ref() == b.ref());
  }

 private:
  std::shared_ptr<const VariableInfo> info_;
};

// "W, float [784,10]".
std::ostream& operator<<(std::ostream& out, const Variable& variable);

}  // namespace cairn
