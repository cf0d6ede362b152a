// What an operation is: its signature, and the functions that shape, run and differentiate it.
//
// An op is one constexpr OpDef in one place (see ops/math/matmul.cc for the pattern and
// docs/add_an_op.md for the steps):
//
//   constexpr OpDef kSquare = {.name = "Square", .inputs = "x: T", .outputs = "y: T",
//       .attrs = "T: {half, float, double, int32, int64}",
//       .shape = unchanged_shape, .prepare = square_prepare, .gradient = square_gradient};
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

// What runs at each step. Made once per plan by OpDef::prepare, which parsed and chose everything
// beforehand.
using Kernel = std::function<void(KernelContext&)>;

// Gradients of one op: with respect to its outputs on the way in, to its inputs on the way out. An
// invalid Output (the default) means zero: nothing flows.
using Grads = std::vector<Output>;

// What an op does to the variables among its inputs (reference or resource inputs).
enum class Access : uint8_t {
  kRead,    // reads them: they must hold a value
  kUpdate,  // reads and writes them
  kAssign,  // writes them whole: they need no value before
  kQuery,   // asks about them: they need no value
};

// How control flow passes through an op (values may be "dead" behind a Switch whose other side was
// taken).
enum class Flow : uint8_t {
  kPlain,   // dead if any input is
  kSwitch,  // decides which outputs are dead
  kMerge,   // runs with the first input that is not dead
};

// Whether output 0 is written row by row (KernelContext::parallel_rows), so that a plan may have a
// piece of its rows taken on by other kernels while it is in the cache.
enum class ByRows : uint8_t {
  kNo,
  kMakes,       // it is
  kTakesFirst,  // and so is input 0 read, there and nowhere else: the kernel can take on rows of it
  kTakesAny,    // and so is each input: the kernel can take on rows of any (KernelContext::taken)
};

struct OpDef {
  std::string_view name;
  // TensorFlow's signature grammar.
  //   inputs, outputs: "a: T, values: N * T, ref: Ref(T), tensors: dtypes, x: float"
  //   attrs: "T: {float, int32} = DT_FLOAT, N: int >= 1, keep_dims: bool = false,
  //           shape: shape, value: tensor,
  //           strides: list(int), padding: {'SAME', 'VALID'}, T: numbertype, message: string = ''"
  std::string_view inputs, outputs, attrs;
  bool stateful = false;  // never merged or folded: two nodes alike are two effects
  bool commutative = false, aggregate = false,
       allows_uninitialized_input = false;  // written to stripped_op_list
  Access access = Access::kRead;
  Flow flow = Flow::kPlain;
  // A run with such a node that fails leaves every variable as it was: what reads checkpoints
  // should not set half.
  bool undoes_failed_run = false;
  bool passes_on = false;  // its one output is its input 0, as it stands (Identity)
  bool reads_shapes =
      false;  // its outputs follow from the shapes of its inputs alone (Shape, Size)
  ByRows by_rows = ByRows::kNo;
  // has no value of its own (Placeholder): a run that needs it must feed it
  bool must_be_fed = false;
  bool never_static = false;  // is there to be fed (PlaceholderWithDefault): not known before a
                              // run, whatever its inputs

  // Runs when a node is added, with input shapes known as far as they are: checks them and sets the
  // output shapes. Output dtypes come from the signature. Throws InvalidArgument. Null: all outputs
  // are of unknown shape.
  void (*shape)(ShapeContext&) = nullptr;
  // Runs once per plan. Throws for attributes or dtypes the kernel does not take. Null: the op
  // cannot be run.
  Kernel (*prepare)(const KernelSetup&) = nullptr;
  // May the kernel make input `i` itself, from what the node that makes it reads? Where a plan
  // finds such a pair and nobody else wants the value, prepare() is told (KernelSetup::absorbed),
  // the kernel's inputs are followed by those of `producer`, and input `i` holds anything. Null:
  // never.
  bool (*absorbs)(const Node& node, int i, const Node& producer) = nullptr;
  // Is the kernel to see what the node's inputs were before they were reshaped? Where it is and a
  // Reshape of the run makes each of them, the kernel's inputs are followed by what those Reshapes
  // take, in order. Null: never.
  bool (*sees_before_reshape)(const Node& node) = nullptr;
  // Adds the nodes that compute the gradient with respect to each input. `not_differentiable` where
  // there is none to flow (the gradient stops, as TensorFlow's NotDifferentiable); null:
  // gradients() refuses the op by name.
  Grads (*gradient)(const Operation&, const Grads& dy) = nullptr;
  // The value of output 0 as far as the graph alone tells (Const, Shape of a known shape), else an
  // invalid tensor. Null for most: their value is computed by running the kernel where all inputs
  // are known. Where there is one it alone decides (PlaceholderWithDefault's value is never told).
  Tensor (*static_value)(const Operation&) = nullptr;
};

// For OpDef::gradient: the op passes no gradient to any input.
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

// An op as a graph knows it: a parsed OpDef, or what a file says about an op this build does not
// have.
struct Op {
  std::string name;
  std::vector<ArgDef> inputs, outputs;
  std::vector<AttrDef> attrs;
  bool stateful = false, commutative = false, aggregate = false, allows_uninitialized_input = false;
  const OpDef* def = nullptr;  // null: carried, not runnable
  std::string wire;            // the OpDef message of the file it was read from, if any

  const AttrDef* find_attr(std::string_view attr) const;
};

// Throws InvalidArgument naming the op and the place in its signature that does not parse.
Op parse_op(const OpDef& def);

// Ops by name: what a file's nodes are looked up in.
//
//   OpSet ops = all_ops() + my_ops();
class OpSet {
 public:
  OpSet() = default;
  // Throws AlreadyExists when two ops have one name.
  explicit OpSet(std::span<const OpDef* const> defs);

  const OpDef* find(std::string_view name) const;
  std::vector<const OpDef*> all() const;  // in order of name
  friend OpSet operator+(const OpSet& a, const OpSet& b);

 private:
  void add(const OpDef* def);
  std::unordered_map<std::string_view, const OpDef*> by_name_;
};
OpSet operator+(const OpSet& a, const OpSet& b);

}  // namespace cairn
