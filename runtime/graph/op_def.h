// OpDef: the definition of an operation: its signature, and the functions for its shapes, kernel
// and gradient.
//
// An op is one constexpr OpDef in one place (see ops/math/matmul.cc for the pattern and
// docs/add_an_op.md for the steps):
//
//   constexpr OpDef kSquare = {.name = "Square", .inputs = "x: T", .outputs = "y: T",
//       .attrs = "T: {half, float, double, int32, int64}",
//       .shape = unchanged_shape, .prepare = square_prepare, .gradient = square_gradient};
//
// OpDefs are referred to, not copied: one must outlive every graph that uses it, as a constant of
// namespace scope does. Its functions may be called from several threads.
//
// Calls that fail:
//
//   parse_op({.name = "Bad", .inputs = "x T"});   // InvalidArgument: names the op and the place
//   all_ops() + my_ops();                         // my_ops() defines a MatMul of its own:
//                                                 // AlreadyExists: two ops are called MatMul
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/base/attr.h"

namespace CAIRN_API cairn {

class ShapeContext;
class KernelSetup;
struct Node;
class KernelContext;
class Operation;
class Output;

// The function that computes a node at each step. OpDef::prepare makes it once per plan, after
// parsing attributes and choosing the implementation.
using Kernel = std::function<void(KernelContext&)>;

// Gradients of one op: on input with respect to its outputs, on output with respect to its inputs.
// An invalid Output (the default) means zero.
using Grads = std::vector<Output>;

// How an op accesses the variables among its inputs (reference or resource inputs).
enum class Access : uint8_t {
  kRead,    // reads them; they must be initialized
  kUpdate,  // reads and writes them
  kAssign,  // overwrites them; they may be uninitialized
  kQuery,   // queries their state; they may be uninitialized
};

// How control flow passes through an op (values may be "dead" behind a Switch whose other side was
// taken).
enum class Flow : uint8_t {
  kPlain,   // its outputs are dead if any input is
  kSwitch,  // decides which outputs are dead
  kMerge,   // runs with the first input that is not dead
};

// Whether a kernel can be fused row by row with the kernels before and after it: if it writes
// output 0 in blocks of rows (KernelContext::parallel_rows), its consumer can process each block
// while it is in the cache.
enum class ByRows : uint8_t {
  kNo,
  kMakes,       // writes output 0 in blocks of rows
  kTakesFirst,  // also reads input 0 in the same blocks only, so it can consume blocks of it
  kTakesAny,    // reads every input so: it can consume blocks of any one (KernelContext::taken)
};

// The definition of an op. Only `name` is required; a null function has the meaning given with it.
struct OpDef {
  std::string_view name;
  // In TensorFlow's grammar:
  //
  //   inputs, outputs: "a: T, values: N * T, ref: Ref(T), tensors: dtypes, x: float"
  //   attrs: "T: {float, int32} = DT_FLOAT, N: int >= 1, keep_dims: bool = false,
  //           shape: shape, value: tensor,
  //           strides: list(int), padding: {'SAME', 'VALID'}, T: numbertype, message: string = ''"
  std::string_view inputs, outputs, attrs;
  // Has side effects: never folded, and equal nodes are never merged.
  bool stateful = false;
  // Only written to the op list of files (stripped_op_list).
  bool commutative = false, aggregate = false, allows_uninitialized_input = false;
  Access access = Access::kRead;
  Flow flow = Flow::kPlain;
  // If a run with such a node fails, all variables get their previous values back: for ops that
  // read checkpoints.
  bool undoes_failed_run = false;
  // Its only output is its input 0, unchanged (Identity).
  bool passes_on = false;
  // Its outputs depend only on the shapes of its inputs (Shape, Size).
  bool reads_shapes = false;
  ByRows by_rows = ByRows::kNo;
  // Has no value of its own (Placeholder): a run that needs it must feed it.
  bool must_be_fed = false;
  // Its value is not known before a run, even if all inputs are: it may be fed
  // (PlaceholderWithDefault), or must run to fail (CheckNumerics).
  bool never_static = false;

  // Called when a node is added, with the input shapes as far as they are known: checks them and
  // sets the output shapes. Output dtypes follow from the signature. Throws InvalidArgument; the
  // node is then not added. Null: all output shapes are unknown.
  void (*shape)(ShapeContext&) = nullptr;
  // Called once per plan. Throws for attributes or dtypes that the kernel does not support. Null:
  // the op cannot be run.
  Kernel (*prepare)(const KernelSetup&) = nullptr;
  // True if the kernel can compute input `i` itself from the inputs of `producer`, the node that
  // computes it. If the plan finds such a pair and nothing else reads the value, prepare() is
  // informed (KernelSetup::absorbed), `producer` is not run, the kernel's inputs are followed by
  // the producer's, and input `i` is unspecified. Null: never.
  bool (*absorbs)(const Node& node, int i, const Node& producer) = nullptr;
  // True if the kernel needs its inputs as they were before reshaping. If each of them is computed
  // by a Reshape in the run, the inputs of those Reshapes are appended to the kernel's inputs, in
  // order. Null: never.
  bool (*sees_before_reshape)(const Node& node) = nullptr;
  // Adds the nodes that compute the gradient with respect to each input. `not_differentiable` if
  // the gradient stops here (TensorFlow's NotDifferentiable); null: gradients() refuses the op by
  // name.
  Grads (*gradient)(const Operation&, const Grads& dy) = nullptr;
  // The value of output 0 if the graph determines it (Const, Shape of a known shape), otherwise an
  // invalid tensor. Null for most ops: the value is computed by the kernel if all inputs are known.
  // If this function exists it alone decides.
  Tensor (*static_value)(const Operation&) = nullptr;
};

// For OpDef::gradient: no gradient flows to any input.
Grads not_differentiable(const Operation& op, const Grads& dy);

// ---- the signature, parsed ----------------------------------------------------------------------

struct ArgDef {
  std::string name;
  DType type = DType::kInvalid;  // one of type, type_attr, type_list_attr
  std::string type_attr, number_attr, type_list_attr;
  bool is_ref = false;
};

struct AttrDef {
  std::string name;
  std::string type;  // "int", "list(shape)", ...
  std::optional<Attr> default_value;
  std::optional<int64_t> minimum;
  std::vector<DType> allowed_types;  // empty: any
  std::vector<std::string> allowed_strings;
};

// A parsed OpDef, or the definition in a file of an op that this build does not have.
struct Op {
  std::string name;
  std::vector<ArgDef> inputs, outputs;
  std::vector<AttrDef> attrs;
  bool stateful = false, commutative = false, aggregate = false, allows_uninitialized_input = false;
  const OpDef* def = nullptr;  // null: the op is carried but cannot be run
  std::string wire;            // the serialized OpDef message if it was read from a file

  const AttrDef* find_attr(std::string_view attr) const;
};

// Parses the signature. Throws InvalidArgument naming the op and the place that does not parse.
Op parse_op(const OpDef& def);

// A set of ops by name, in which the nodes of files are looked up. Holds pointers to the OpDefs. A
// value; const functions may be called from several threads.
//
//   OpSet ops = all_ops() + my_ops();
class OpSet {
 public:
  OpSet() = default;
  // Throws AlreadyExists if two different ops have the same name.
  explicit OpSet(std::span<const OpDef* const> defs);

  const OpDef* find(std::string_view name) const;
  std::vector<const OpDef*> all() const;  // ordered by name
  friend OpSet operator+(const OpSet& a, const OpSet& b);

 private:
  void add(const OpDef* def);
  std::unordered_map<std::string_view, const OpDef*> by_name_;
};
OpSet operator+(const OpSet& a, const OpSet& b);

}  // namespace cairn
