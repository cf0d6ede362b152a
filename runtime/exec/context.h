// What a kernel sees: while it is prepared for a plan (KernelSetup) and while it runs
// (KernelContext).
#pragma once

#include <any>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <type_traits>
#include <typeindex>
#include <vector>

#include "runtime/graph/node.h"
#include "runtime/graph/shape_context.h"

namespace CAIRN_API cairn {

class FileSystem;  // persist/files/file.h
class Session;
namespace internal {
class Frame;
}  // namespace internal

// ---- state of a session -------------------------------------------------------------------------

// A variable's value in one session. Readers share the value's memory (copy-on-write): what was
// read stays as it was read, however the variable changes afterwards.
struct VariableState {
  std::string name;
  DType dtype = DType::kInvalid;
  Shape shape;   // as declared
  Tensor value;  // invalid until initialised
  // What else than a tensor a handle may name (a lookup table); null until initialised. Kept by the
  // ops that know it, which replace it and never change it.
  std::shared_ptr<const void> resource;

  bool initialized() const { return value.valid(); }
  // The value, to be changed in place. Copies first if someone still reads the old one. Throws
  // FailedPrecondition when uninitialised.
  Tensor& writable();
  // The value becomes `from`'s: copied into the memory at hand where that fits and nobody reads it,
  // else into new memory (none is needed where `from` is about to be dropped).
  void assign(const Tensor& from);
};

// ---- preparing ----------------------------------------------------------------------------------

class KernelSetup : public AttrReader {
 public:
  // own_values: the plan feeds nothing that the graph itself decides.
  // absorbed: see there.
  KernelSetup(const Graph& graph, const Node& node, Session* session, bool own_values = true,
              const Node* absorbed = nullptr)
      : AttrReader(node),
        graph_(graph),
        node_(node),
        session_(session),
        own_values_(own_values),
        absorbed_(absorbed) {}

  const Node& node() const { return node_; }
  int num_inputs() const { return static_cast<int>(node_.inputs.size()); }
  int num_outputs() const { return node_.num_outputs(); }
  // Of the value: never a reference type.
  DType input_dtype(int i) const { return internal::input_dtype(node_, static_cast<size_t>(i)); }
  DType output_dtype(int i) const {
    return base_dtype(node_.output_dtypes[static_cast<size_t>(i)]);
  }
  const Shape& input_shape(int i) const {
    const Endpoint& e = node_.inputs[static_cast<size_t>(i)];
    return e.node->output_shapes[static_cast<size_t>(e.index)];
  }
  const Shape& output_shape(int i) const { return node_.output_shapes[static_cast<size_t>(i)]; }
  // The value of input i where the graph alone decides it, whatever is fed, else an invalid tensor.
  Tensor constant(int i) const;

  // The node whose value the kernel has to make itself, as OpDef::absorbs said it may; null for
  // none.
  const Node* absorbed() const { return absorbed_; }

  // Something of this node that lives as long as the session and is shared by all its plans: the
  // position of a random sequence, a queue. Made by `make` when first asked for, once however many
  // threads ask. A node may keep one of each type. Access from kernels must be synchronised by T
  // itself.
  template <class T>
  std::shared_ptr<T> session_state(const std::function<std::shared_ptr<T>()>& make) const {
    return std::any_cast<std::shared_ptr<T>>(state_of(typeid(T), [&] { return std::any(make()); }));
  }
  // 64 random bits, different in every session unless the session was given a seed.
  uint64_t fresh_seed() const;

  [[noreturn]] void fail(const std::string& message) const {
    fail_at(node_, Code::kInvalidArgument, message);
  }
  [[noreturn]] void unimplemented(const std::string& message) const {
    fail_at(node_, Code::kUnimplemented, message);
  }

 private:
  std::any state_of(std::type_index kind, const std::function<std::any()>& make) const;

  const Graph& graph_;
  const Node& node_;
  Session* session_;  // null where a constant is computed while a graph is built
  bool own_values_;
  const Node* absorbed_;
};

// For OpDef::prepare: a kernel that leaves everything as it is (NoOp, the holders of variables).
Kernel do_nothing(const KernelSetup& s);

// Picks the kernel for a dtype: calls make.template operator()<T>() with the C++ type among Types
// that `dtype` is. Throws Unimplemented naming op, node and the dtypes there are.
//
//   return by_dtype<float, double>(s, s.dtype("T"), [=]<class T>() -> Kernel {
//     return [=](KernelContext& c) {…};
//   });
[[noreturn]] void fail_dtype(const KernelSetup& s, DType dtype, std::initializer_list<DType> known);
template <class... Types, class Make>
Kernel by_dtype(const KernelSetup& s, DType dtype, Make&& make) {
  Kernel kernel;
  const bool found =
      ((storage_dtype(dtype) == dtype_of<Types> ? (kernel = make.template operator()<Types>(), true)
                                                : false) ||
       ...);
  if (!found) fail_dtype(s, dtype, {dtype_of<Types>...});
  return kernel;
}

// ---- running ------------------------------------------------------------------------------------

// What the kernels of one run share beside tensors: a file that several of them read stays open
// from the first to the last. One value of each type, made by its default constructor when first
// asked for. A run's kernels are called one after the other, so it needs no lock.
class RunState {
 public:
  template <class T>
  T& get() {
    std::shared_ptr<void>& value = values_[typeid(T)];
    if (!value) value = std::make_shared<T>();
    return *static_cast<T*>(value.get());
  }
  void clear() { values_.clear(); }

 private:
  std::map<std::type_index, std::shared_ptr<void>> values_;
};

// Memory of one running plan: blocks come back here when their last reader has run, and are handed
// out again.
class Arena {
 public:
  // At least `bytes`, not initialised. Reuses a block of about that size when there is one.
  BufferRef take(size_t bytes);
  // Takes the block back, unless something else still holds it.
  void give_back(BufferRef buffer);
  // The same, to be handed out again after all others: what comes back from outside is not what
  // inner values had.
  void give_back_last(BufferRef buffer);
  // Takes the block out for good, so that nobody else gets it; nothing when it is not free.
  BufferRef withdraw(const Buffer* block);
  // A kernel wanted something else than what its output was bound to: see Frame::bind.
  bool strayed = false;
  // The most bytes that all blocks may have: take() throws ResourceExhausted for more.
  int64_t most_bytes = INT64_MAX;
  // Blocks got from the system so far: constant once a step has run.
  int64_t allocations() const { return allocations_; }
  int64_t bytes() const { return bytes_; }

 private:
  // Sizes are rounded up to eight steps per power of two, so that blocks fit again.
  static constexpr int kClasses = 8 * 64;
  std::vector<BufferRef> free_[kClasses];
  int64_t allocations_ = 0, bytes_ = 0;
};

// A call without arguments, kept by its bytes.
class Repeat {
 public:
  template <class F>
  void set(const F& f) {
    static_assert(std::is_trivially_copyable_v<F> && sizeof(F) <= sizeof state_ &&
                  alignof(F) <= alignof(void*));
    call_ = [](const void* state) { (*static_cast<const F*>(state))(); };
    std::memcpy(state_, &f, sizeof f);
  }
  void clear() { call_ = nullptr; }
  explicit operator bool() const { return call_ != nullptr; }
  void operator()() const { call_(state_); }

 private:
  void (*call_)(const void*) = nullptr;
  alignas(void*) char state_[64];
};

class KernelContext {
 public:
  const Node& node() const { return *node_; }
  int num_inputs() const { return num_inputs_; }
  int num_outputs() const { return num_outputs_; }

  // Input i; of a reference input the variable's present value.
  const Tensor& input(int i) const { return *inputs_[i]; }
  template <Element T>
  const T* in(int i) const {
    return static_cast<const T*>(inputs_[i]->raw_data());
  }
  // The variable at reference or resource input i. Throws InvalidArgument where a tensor was fed in
  // its place.
  VariableState& variable(int i) const {
    if (!variables_[i]) no_variable(i);
    return *variables_[i];
  }
  bool has_variable(int i) const { return variables_[i] != nullptr; }

  // Output i, with memory for `shape` that holds anything. Its dtype is the node's.
  Tensor& allocate(int i, const Shape& shape);
  // As allocate(0, shape), with input `in`'s own memory if nobody else needs it, no other input of
  // this node either, and it is as large: the kernel works in place (element k of the output
  // depends on that input's element k).
  Tensor& allocate_or_reuse(int i, int in, const Shape& shape);
  // Output i is `tensor`, shared, not copied.
  void set(int i, Tensor tensor) { replace(i) = std::move(tensor); }
  // Output i is input `in`, shared, under its own or another shape of as many elements.
  void forward(int in, int i) { replace(i) = *inputs_[in]; }
  void forward(int in, int i, const Shape& shape) { replace(i) = inputs_[in]->reshaped(shape); }
  // What was allocated or set for output i.
  Tensor& output(int i) { return *outputs_[i]; }
  template <Element T>
  T* out(int i) {
    return static_cast<T*>(outputs_[i]->raw_data());
  }
  // Memory for this call of the kernel, given back when it returns. Not from inside parallel_for.
  Tensor scratch(DType dtype, const Shape& shape);

  // Dead values (Switch, Merge). A plain op never sees a dead input.
  bool is_dead(int in) const { return *dead_inputs_[in]; }
  void set_dead(int i) { *dead_outputs_[i] = true; }

  // Calls body(begin, end) for pieces that cover [0, n), in parallel where the session has threads
  // and the whole, n times `cost` (rough nanoseconds per item), is worth it. The pieces depend on n
  // and cost only, never on the number of threads, so that sums over pieces come out the same on
  // any machine.
  template <class Body>
  void parallel_for(int64_t n, double cost, const Body& body) {
    await_rows();
    if (n > 0 && is_small(n, cost)) return body(int64_t{0}, n);
    const int64_t piece = piece_size(n, cost);
    if (piece >= n || !has_threads()) {
      for (int64_t begin = 0; begin < n; begin += piece) body(begin, std::min(n, begin + piece));
    } else {
      run_pieces(n, piece, std::cref(body));
    }
  }
  // As parallel_for, where output 0 is written in so many equal parts, its rows, one after the
  // other: for kernels of ops that say so (OpDef::by_rows). Where the plan has found a node that
  // takes these rows on, its kernel is called from here, and each piece goes through both kernels
  // before the next one does: while it is in the cache, and on the thread that made it. Work of a
  // single piece is done at once and left to that node's own turn. What a kernel does after
  // parallel_rows comes after all this, so it may not touch output 0.
  template <class Body>
  void parallel_rows(int64_t rows, double cost, const Body& body) {
    if (!before_ && rows > 0 && is_small(rows, cost)) return body(int64_t{0}, rows);
    in_row_pieces(rows, piece_size(rows, cost), body);
  }
  // The same, in pieces of so many rows.
  template <class Body>
  void in_row_pieces(int64_t rows, int64_t piece, const Body& body) {
    const auto call = [](const void* of, int64_t begin, int64_t end) {
      (*static_cast<const Body*>(of))(begin, end);
    };
    RowWork work{nullptr, rows, piece, &body, call};
    do_rows(work);
  }
  // The same, where element i of output 0 follows from element i of the input taken on. There are
  // n.
  template <class Body>
  void parallel_elements(int64_t n, double cost, const Body& body) {
    if (!before_ && (!follower_ || is_small(n, cost))) return parallel_for(n, cost, body);
    const int64_t rows = before_ && before_->rows > 0 && n % before_->rows == 0 ? before_->rows : n;
    const int64_t width = rows > 0 ? n / rows : 1;
    parallel_rows(rows, cost * static_cast<double>(width),
                  [&](int64_t begin, int64_t end) { body(begin * width, end * width); });
  }
  // The input whose rows this kernel takes on. When it is called from the kernel that makes them,
  // they are there in parallel_rows and its like, or once await_rows() has been called.
  int taken() const { return taken_; }
  void await_rows() {
    if (before_ && !before_->done) [[unlikely]]
      finish_rows(*before_);
  }
  // All of the work that was done, to be done again in the kernel's place in runs like this one to
  // the last address: for work so small that asking where things stand would be most of it. `f`
  // must not throw nor depend on anything but the elements it reads; it is copied by its bytes.
  template <class F>
  void repeat(const F& f) {
    if (repeat_) [[unlikely]]
      repeat_->set(f);
  }
  // Whether parallel_for makes one piece of it, too small to be handed on.
  static bool is_small(int64_t n, double cost) {
    return static_cast<double>(n) * cost < 2 * kPieceNanoseconds;
  }
  // The size of parallel_for's pieces (the last may be smaller).
  static int64_t piece_size(int64_t n, double cost);

  // Of this run alone. Not from inside parallel_for.
  RunState& run_state() const { return *run_state_; }

  // What persistence ops read and write; null: the machine's files.
  FileSystem* file_system() const { return file_system_; }

  [[noreturn]] void fail(const std::string& message, Code code = Code::kInvalidArgument) const {
    throw Error(code, message);  // the executor adds op, node and place
  }

 private:
  friend class internal::Frame;
  [[noreturn]] void no_variable(int i) const;
  // Output i, to become another tensor than the one it may be bound to.
  Tensor& replace(int i) {
    if (outputs_[i]->valid()) [[unlikely]]
      arena_->strayed = true;
    if (i < 64) allocated_ &= ~(uint64_t{1} << i);
    return *outputs_[i];
  }
  bool has_threads() const { return threads_ > 1; }
  // A piece is worth handing to another thread that spins from about 8 microseconds on.
  static constexpr double kPieceNanoseconds = 8000;
  void run_pieces(int64_t n, int64_t piece, std::function<void(int64_t, int64_t)> body);
  // What is to be done with rows: by `before` first, the work of the kernel that makes this one's
  // input.
  struct RowWork {
    RowWork* before;
    int64_t rows, piece;
    const void* body;
    void (*call)(const void* body, int64_t begin, int64_t end);
    bool done = false;
    void run(int64_t begin, int64_t end) const {
      if (before) before->run(begin, end);
      call(body, begin, end);
    }
  };
  void do_rows(RowWork& work);
  void finish_rows(RowWork& work);
  void call_follower(RowWork& work);
  int holders_of_output() const;

  const Node* node_ = nullptr;
  const Tensor** inputs_ = nullptr;
  Tensor** outputs_ = nullptr;
  VariableState** variables_ = nullptr;
  const bool** dead_inputs_ = nullptr;
  bool** dead_outputs_ = nullptr;
  const bool* may_reuse_ = nullptr;  // per input: this is its last reader
  int num_inputs_ = 0, num_outputs_ = 0;
  Arena* arena_ = nullptr;
  int threads_ = 1;
  FileSystem* file_system_ = nullptr;
  RunState* run_state_ = nullptr;
  std::vector<BufferRef> scratch_;
  // One bit for each of the first 64 outputs: allocated by this call; over the memory of an input
  // that it replaces.
  uint64_t allocated_ = 0, in_place_ = 0;
  Repeat* repeat_ = nullptr;  // where it is wanted
  const Kernel* kernel_ = nullptr;
  KernelContext* follower_ = nullptr;  // of the node that takes on the rows of output 0
  int taken_ = 0;
  // While this kernel is called from the one that makes its input: that one's work, and how many
  // tensors share the input's memory, outputs that were made in place of each other.
  RowWork* before_ = nullptr;
  int holders_ = 1;
  bool was_called_ = false;  // from there, so that its own turn has nothing to do
};

}  // namespace cairn
