// OpDef: the definition of an op, which is its signature, its flags, and the functions that infer
// its shapes, make its kernel and build its gradient.
//
// An op is one constexpr OpDef in one place (see ops/math/matmul.cc for the pattern and
// docs/add_an_op.md for the steps). An OpDef and its strings must outlive every graph that uses
// them.
//
//   constexpr OpDef kSquare = {.name = "Square", .inputs = "x: T", .outputs = "y: T",
//       .attrs = "T: {half, float, double, int32, int64}",
//       .shape = unchanged_shape, .prepare = square_prepare, .gradient = square_gradient};
//
// An OpDef's functions may be called from several threads.
//
// Definitions that fail:
//
//   constexpr OpDef kBad = {.name = "Bad", .inputs = "x: U", .outputs = "y: T",
//                           .attrs = "T: type"};
//   add_node(kBad, {x});   // op Bad: signature "x: U": at 4: 'U' is neither a type nor an attribute
//   all_ops() + OpSet(my_ops());   // my_ops() has another MatMul: AlreadyExists: two ops are called
//                                  // MatMul
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

// The function that runs in every run. OpDef::prepare makes it once per plan and reads attributes
// and picks the dtype there. Two runs of one plan may call it at once: it may not change its own
// captures.
using Kernel = std::function<void(KernelContext&)>;

// Gradients of one op. A gradient function receives those with respect to the op's outputs and
// returns those with respect to its inputs. An empty Output (the default) means zero.
using Grads = std::vector<Output>;

// How an op accesses the variables among its inputs (reference or resource inputs).
enum class Access : uint8_t {
  kRead,    // reads the values: they must be initialized
  kUpdate,  // reads and writes the values: they must be initialized
  kAssign,  // overwrites the values: they may be uninitialized
  kQuery,   // does not read the values (IsVariableInitialized): they may be uninitialized
};

// The deadness rule of an op. A value is dead if it depends on the output of a Switch that the
// Switch did not take.
enum class Flow : uint8_t {
  kPlain,   // its outputs are dead if any input is
  kSwitch,  // decides which outputs are dead
  kMerge,   // runs with the first input that is not dead
};

// Whether the kernel writes output 0 row by row (KernelContext::parallel_rows). A plan may fuse
// such kernels into a chain: each piece of rows goes through all of them while it is in the cache.
enum class ByRows : uint8_t {
  kNo,          // never fused
  kMakes,       // writes output 0 by rows: may begin a chain
  kTakesFirst,  // also reads input 0 only inside parallel_rows, row k for row k: may follow on it
  kTakesAny,    // the same for every input: may follow on any (KernelContext::taken says which)
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
  // Has an effect or a state beside its outputs (files, random sequences): never computed before a
  // run, and runs even if nothing reads its outputs. Two equal nodes are two effects.
  bool stateful = false;
  // Not used by the runtime: written to the stripped_op_list of .meta files.
  bool commutative = false, aggregate = false, allows_uninitialized_input = false;
  Access access = Access::kRead;
  Flow flow = Flow::kPlain;
  // If a run with a node of this op fails, every variable gets back the value it had before the
  // run (the restore ops, so that no checkpoint is restored in part).
  bool undoes_failed_run = false;
  // Output 0, the only one, is input 0 unchanged (Identity): readers use the input directly.
  bool passes_on = false;
  // The outputs depend on the shapes of the inputs alone (Shape, Size): shape-only, computed again
  // only when a shape changed.
  bool reads_shapes = false;
  ByRows by_rows = ByRows::kNo;
  // Has no value of its own (Placeholder): a run that needs it must feed it.
  bool must_be_fed = false;
  // Must run in every plan that contains it: its value is never computed before a run, even from
  // constants, and it is not left out if nothing reads it. For stateless ops that may be fed
  // (PlaceholderWithDefault) or that exist to fail (CheckNumerics).
  bool must_run = false;

  // The shape function: runs when a node is added, with the input shapes that are known then.
  // Checks them and sets the output shapes; output dtypes come from the signature. Throws
  // InvalidArgument, and the node is not added. Null: all outputs are of unknown shape.
  void (*shape)(ShapeContext&) = nullptr;
  // Makes the kernel, once per node of a plan. Throws InvalidArgument or Unimplemented for
  // attributes and dtypes that the kernel does not support. Null: the op cannot be run.
  Kernel (*prepare)(const KernelSetup&) = nullptr;
  // True if the kernel can be fused with `producer`, the node that computes input `i`. If nothing
  // else reads that value, the plan then leaves the producer out, tells prepare()
  // (KernelSetup::absorbed) and appends the producer's inputs to the kernel's inputs; the content
  // of input `i` is unspecified. Null: never fused.
  bool (*absorbs)(const Node& node, int i, const Node& producer) = nullptr;
  // True if the kernel wants to see its inputs before they were reshaped. If each input of the node
  // is computed by a Reshape of the plan, the inputs of these Reshapes are appended to the kernel's
  // inputs, in order. Null: never.
  bool (*sees_before_reshape)(const Node& node) = nullptr;
  // Adds the nodes that compute the gradient with respect to each input; returns one Output per
  // input. `not_differentiable`: the gradient stops here (TensorFlow's NotDifferentiable). Null:
  // gradients() throws, naming the op.
  Grads (*gradient)(const Operation&, const Grads& dy) = nullptr;
  // The value of output 0 if the graph alone determines it (Const, Shape of a known shape), else an
  // invalid tensor; the kernel is then not tried. Null, as for most ops: the kernel is run while
  // the graph is built if all inputs are known.
  Tensor (*static_value)(const Operation&) = nullptr;
};

// For OpDef::gradient: the op passes no gradient to any input. Returns one empty Output per input.
Grads not_differentiable(const Operation& op, const Grads& dy);

// ---- the signature, parsed ----------------------------------------------------------------------

// An input or output argument, which may be several tensors: "values: N * T" is N of dtype T,
// "tensors: dtypes" one for each dtype in the list. Exactly one of type, type_attr and
// type_list_attr is set; number_attr only if the argument is a list.
struct ArgDef {
  std::string name;
  DType type = DType::kInvalid;
  std::string type_attr, number_attr, type_list_attr;  // names of attributes
  bool is_ref = false;
};

// An attribute. Empty lists of allowed values: any.
struct AttrDef {
  std::string name;
  std::string type;  // "int", "list(shape)", ...
  std::optional<Attr> default_value;
  std::optional<int64_t> minimum;  // of an int, or of the length of a list
  std::vector<DType> allowed_types;
  std::vector<std::string> allowed_strings;
};

// An op in a graph: a parsed OpDef, or the description that a file holds of an op that this build
// does not have. The graph owns it.
struct Op {
  std::string name;
  std::vector<ArgDef> inputs, outputs;
  std::vector<AttrDef> attrs;
  bool stateful = false, commutative = false, aggregate = false, allows_uninitialized_input = false;
  const OpDef* def = nullptr;  // null: carried (kept and written again), cannot be run
  std::string wire;            // the OpDef message of the file it was read from, if any

  // Null if the op has no such attribute.
  const AttrDef* find_attr(std::string_view attr) const;
};

// Parses the signature. Throws InvalidArgument naming the op and the place that does not parse.
Op parse_op(const OpDef& def);

// Ops by name, in which imports look up the ops of a file. Refers to the OpDefs, which must outlive
// it. May be read from several threads.
//
//   OpSet ops = all_ops() + OpSet(my_ops());
//   ops.find("MatMul");                      // null if there is none
//   all_ops() + OpSet(other_matmul);         // throws AlreadyExists: two ops are called MatMul
class OpSet {
 public:
  OpSet() = default;
  // Throws AlreadyExists if two different ops have one name.
  explicit OpSet(std::span<const OpDef* const> defs);

  const OpDef* find(std::string_view name) const;
  std::vector<const OpDef*> all() const;  // ordered by name
  friend OpSet operator+(const OpSet& a, const OpSet& b);

 private:
  void add(const OpDef* def);
  std::unordered_map<std::string_view, const OpDef*> by_name_;
};
// The ops of both. Throws AlreadyExists if they have different ops of one name.
OpSet operator+(const OpSet& a, const OpSet& b);

}  // namespace cairn
