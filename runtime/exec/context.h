// The interface of kernels, for authors of ops: KernelSetup while a kernel is prepared, once per
// node of a plan, and KernelContext while it runs. Both are owned by the runtime and valid only
// during the call.
//
//   Kernel twice_prepare(const KernelSetup& s) {
//     return by_dtype<float, double>(s, s.dtype("T"), []<class T>() -> Kernel {
//       return [](KernelContext& c) {
//         c.allocate_or_reuse(0, 0, c.input(0).shape());   // in place if no one else reads x
//         const T* x = c.in<T>(0);
//         T* y = c.out<T>(0);
//         c.parallel_for(c.input(0).num_elements(), 1.0, [=](int64_t begin, int64_t end) {
//           for (int64_t i = begin; i < end; ++i) y[i] = 2 * x[i];
//         });
//       };
//     });
//   }
//
// A kernel reports errors by c.fail(): the run throws, and the message names op, node and line. A
// kernel that fails, or that asks for more than there is:
//
//   c.fail("x must not be empty");      // run() throws: Twice 'a' (net.cc:12): x must not be empty
//   c.allocate(0, {int64_t{1} << 62});  // ResourceExhausted: no memory for a tensor of shape …
//   s.dtype("T") is kString above       // Unimplemented: there is no kernel for dtype string; …
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

// The value of a variable in one session, which owns it. Readers share its memory (copy on write):
// a value that was read does not change when the variable is written. Kernels use it only inside a
// run, which holds the session's lock: shared if the run only reads variables, else exclusive.
struct VariableState {
  std::string name;
  DType dtype = DType::kInvalid;
  Shape shape;   // as declared
  Tensor value;  // invalid until initialized
  // Instead of a tensor, another object that a handle refers to (a lookup table); null until
  // initialized. The ops of that kind of object own its type; they replace it and never change it.
  std::shared_ptr<const void> resource;

  bool initialized() const { return value.valid(); }
  // The value, to be changed in place; copied first if its memory is shared. Throws
  // FailedPrecondition if uninitialized.
  Tensor& writable();
  // Sets the value to that of `from`. Copies into the present memory if it has the size and is not
  // shared; else takes over the memory of `from` if that is donated (nothing else refers to it);
  // else copies into new memory.
  void assign(const Tensor& from);
};

// ---- preparing ----------------------------------------------------------------------------------

// A node, as OpDef::prepare sees it: its attributes (AttrReader), and dtypes and shapes as far as
// the graph knows them. Shapes of a run may be more specific.
class KernelSetup : public AttrReader {
 public:
  // own_values: the plan feeds no tensor that has a static value, so constant() may use them.
  // session: null while a graph is built. absorbed: the fused producer, see absorbed().
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
  // Dtypes of the values: never reference types.
  DType input_dtype(int i) const { return internal::input_dtype(node_, static_cast<size_t>(i)); }
  DType output_dtype(int i) const {
    return base_dtype(node_.output_dtypes[static_cast<size_t>(i)]);
  }
  const Shape& input_shape(int i) const {
    const Endpoint& e = node_.inputs[static_cast<size_t>(i)];
    return e.node->output_shapes[static_cast<size_t>(e.index)];
  }
  const Shape& output_shape(int i) const { return node_.output_shapes[static_cast<size_t>(i)]; }
  // The value of input i if it is the same in every run of the plan (Graph::static_value), else an
  // invalid tensor.
  Tensor constant(int i) const;

  // The producer of an input that is fused into this kernel, as OpDef::absorbs allowed; else null.
  const Node* absorbed() const { return absorbed_; }

  // State of the node in the session (the position of a random sequence, a queue), shared by all
  // plans and destroyed with the session. `make` is called at the first request, once even if
  // several threads ask. A node has one state of each type. T must synchronize access by kernels.
  // Throws InvalidArgument while a graph is built, as there is no session.
  template <class T>
  std::shared_ptr<T> session_state(const std::function<std::shared_ptr<T>()>& make) const {
    return std::any_cast<std::shared_ptr<T>>(state_of(typeid(T), [&] { return std::any(make()); }));
  }
  // 64 random bits, different in every session unless SessionOptions::seed is set. Throws
  // InvalidArgument while a graph is built.
  uint64_t fresh_seed() const;

  // Throw InvalidArgument and Unimplemented, with op, node and line before the message.
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

// For OpDef::prepare: a kernel that does nothing (NoOp, the nodes of variables).
Kernel do_nothing(const KernelSetup& s);

// Picks the kernel for a dtype: returns make.template operator()<T>() for the type T among Types
// that stores values of `dtype`. Throws Unimplemented if there is none: the message names op, node
// and the dtypes of Types.
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

// State shared by the kernels of one run, such as the open files of a restore: one value of each
// type, default-constructed at the first request and destroyed at the end of the run. The kernels
// of a run are called one after the other, so it needs no lock.
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

// The memory of one frame (one run at a time of a plan): free lists of blocks by size. A block
// returns here after its last reader has run and is then reused, in this run or the next one. Not
// thread-safe.
class Arena {
 public:
  // A block of at least `bytes`, not initialized: a free one of the same size class or a new one.
  // Throws ResourceExhausted beyond most_bytes.
  BufferRef take(size_t bytes);
  // Puts a block of this arena on the free list. Does nothing if something else refers to it.
  void give_back(BufferRef buffer);
  // The same, at the end of the free list: for results that the caller returns, so that the blocks
  // of inner values are reused first, as in the run before.
  void give_back_last(BufferRef buffer);
  // Removes a free block from the arena; null if it is not free.
  BufferRef withdraw(const Buffer* block);
  // Set when an output that was bound to a block got another shape or another tensor: bindings must
  // be dropped (Frame::bind).
  bool binding_invalid = false;
  // The limit on the total size of blocks, in bytes.
  int64_t most_bytes = INT64_MAX;
  // Number and bytes of the blocks obtained from the system so far. Constant from the second run
  // on, as long as shapes are the same.
  int64_t allocations() const { return allocations_; }
  int64_t bytes() const { return bytes_; }

 private:
  // Size classes: multiples of a cache line, then eight for each power of two.
  static constexpr int kClasses = 8 * 64;
  std::vector<BufferRef> free_[kClasses];
  int64_t allocations_ = 0, bytes_ = 0;
};

// A stored function object without arguments, trivially copyable and of at most 64 bytes: no
// allocation, one indirect call.
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

// The inputs, outputs and resources of one call of a kernel. Input and output numbers are not
// checked: they are those of the op's signature. Unless a member says otherwise, only the thread
// that calls the kernel may use it, not the pieces of parallel_for.
class KernelContext {
 public:
  const Node& node() const { return *node_; }
  int num_inputs() const { return num_inputs_; }
  int num_outputs() const { return num_outputs_; }

  // Input i; for a reference input the present value of the variable. in<T>(): its elements, of
  // which there are input(i).num_elements(). May be used inside parallel_for.
  const Tensor& input(int i) const { return *inputs_[i]; }
  template <Element T>
  const T* in(int i) const {
    return static_cast<const T*>(inputs_[i]->raw_data());
  }
  // The variable at reference or resource input i. Throws InvalidArgument if a tensor was fed
  // instead.
  VariableState& variable(int i) const {
    if (!variables_[i]) no_variable(i);
    return *variables_[i];
  }
  bool has_variable(int i) const { return variables_[i] != nullptr; }

  // Allocates output i: the dtype of the node, the given shape, unspecified content (empty strings
  // for kString). Throws ResourceExhausted.
  Tensor& allocate(int i, const Shape& shape);
  // The same, in the memory of input `in` if that is donated: this node is its only reader, through
  // this input alone, and it has as many bytes. For kernels that work in place: element k of the
  // output must depend on no element of that input but k.
  Tensor& allocate_or_reuse(int i, int in, const Shape& shape);
  // Sets output i to `tensor`, without a copy.
  void set(int i, Tensor tensor) { replace(i) = std::move(tensor); }
  // Sets output i to input `in`, without a copy, with its own shape or another one of as many
  // elements.
  void forward(int in, int i) { replace(i) = *inputs_[in]; }
  void forward(int in, int i, const Shape& shape) { replace(i) = inputs_[in]->reshaped(shape); }
  // Output i, after it was allocated or set. May be used inside parallel_for.
  Tensor& output(int i) { return *outputs_[i]; }
  template <Element T>
  T* out(int i) {
    return static_cast<T*>(outputs_[i]->raw_data());
  }
  // Temporary memory, released when the kernel returns. Throws ResourceExhausted.
  Tensor scratch(DType dtype, const Shape& shape);

  // Deadness (Flow): whether an input is dead, and marking output i as dead. The kernel of a plain
  // op never sees a dead input.
  bool is_dead(int in) const { return *dead_inputs_[in]; }
  void set_dead(int i) { *dead_outputs_[i] = true; }

  // Calls body(begin, end) for pieces that together cover [0, n), in parallel if the session has
  // several threads and the work is large enough. `cost`: rough nanoseconds per item. The pieces
  // depend on n and cost only, not on the number of threads, so sums over pieces are the same on
  // every machine. An exception of a piece is thrown on, after pieces on other threads have ended.
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
  // As parallel_for, for ops that declare OpDef::by_rows: output 0 consists of `rows` equal parts,
  // and body(begin, end) writes those from begin to end. If the plan has fused the next node with
  // this one, its kernel is called from here, and each piece of rows goes through both kernels on
  // one thread, while it is in the cache. Work of a single piece is done at once, and the next node
  // runs as its own step. After parallel_rows a kernel may not touch output 0, which the next
  // kernel may have overwritten.
  template <class Body>
  void parallel_rows(int64_t rows, double cost, const Body& body) {
    if (!before_ && rows > 0 && is_small(rows, cost)) return body(int64_t{0}, rows);
    in_row_pieces(rows, piece_size(rows, cost), body);
  }
  // The same, in pieces of `piece` rows.
  template <class Body>
  void in_row_pieces(int64_t rows, int64_t piece, const Body& body) {
    const auto call = [](const void* of, int64_t begin, int64_t end) {
      (*static_cast<const Body*>(of))(begin, end);
    };
    RowWork work{nullptr, rows, piece, &body, call};
    do_rows(work);
  }
  // The same, for kernels that compute element i of output 0 from element i of the fused input.
  // n: the number of elements. body(begin, end): elements.
  template <class Body>
  void parallel_elements(int64_t n, double cost, const Body& body) {
    if (!before_ && (!follower_ || is_small(n, cost))) return parallel_for(n, cost, body);
    const int64_t rows = before_ && before_->rows > 0 && n % before_->rows == 0 ? before_->rows : n;
    const int64_t width = rows > 0 ? n / rows : 1;
    parallel_rows(rows, cost * static_cast<double>(width),
                  [&](int64_t begin, int64_t end) { body(begin * width, end * width); });
  }
  // The input through which this kernel is fused with the step before. If it is called from that
  // step's kernel, the rows of this input exist only inside parallel_rows (and in_row_pieces,
  // parallel_elements), or after await_rows(), which computes them all.
  int taken() const { return taken_; }
  void await_rows() {
    if (before_ && !before_->done) [[unlikely]]
      finish_rows(*before_);
  }
  // Offers a shortcut for small work: `f` does all of this call's work again. Later runs in which
  // all inputs and outputs have the same addresses and shapes call `f` instead of the kernel. `f`
  // must not throw, may depend only on the elements that it reads, and is copied by its bytes
  // (Repeat).
  template <class F>
  void repeat(const F& f) {
    if (repeat_) [[unlikely]]
      repeat_->set(f);
  }
  // True if parallel_for would make one piece of this work.
  static bool is_small(int64_t n, double cost) {
    return static_cast<double>(n) * cost < 2 * kPieceNanoseconds;
  }
  // The size of parallel_for's pieces (the last may be smaller).
  static int64_t piece_size(int64_t n, double cost);

  // The state that the kernels of this run share.
  RunState& run_state() const { return *run_state_; }

  // SessionOptions::file_system: the files of save and restore ops; null: those of the machine.
  FileSystem* file_system() const { return file_system_; }

  // Throws an Error with this message; the executor adds op, node and line. May be used inside
  // parallel_for.
  [[noreturn]] void fail(const std::string& message, Code code = Code::kInvalidArgument) const {
    throw Error(code, message);
  }

 private:
  friend class internal::Frame;
  [[noreturn]] void no_variable(int i) const;
  // Output i, to be replaced by another tensor; drops its binding to a block, if it has one.
  Tensor& replace(int i) {
    if (outputs_[i]->valid()) [[unlikely]]
      arena_->binding_invalid = true;
    if (i < 64) allocated_ &= ~(uint64_t{1} << i);
    return *outputs_[i];
  }
  bool has_threads() const { return threads_ > 1; }
  // From about 8 microseconds on, a piece is worth passing to another thread that spins.
  static constexpr double kPieceNanoseconds = 8000;
  void run_pieces(int64_t n, int64_t piece, std::function<void(int64_t, int64_t)> body);
  // The work of one kernel of a chain on a range of rows; `before` is that of the kernel which
  // computes its input, and runs first.
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
  const bool* may_reuse_ = nullptr;  // per input: this step is its last reader (liveness)
  int num_inputs_ = 0, num_outputs_ = 0;
  Arena* arena_ = nullptr;
  int threads_ = 1;
  FileSystem* file_system_ = nullptr;
  RunState* run_state_ = nullptr;
  std::vector<BufferRef> scratch_;
  // One bit for each of the first 64 outputs: allocated by this call; allocated in place, in the
  // memory of an input.
  uint64_t allocated_ = 0, in_place_ = 0;
  Repeat* repeat_ = nullptr;  // null: repeat() is ignored
  const Kernel* kernel_ = nullptr;
  KernelContext* follower_ = nullptr;  // of the next node of the chain
  int taken_ = 0;
  // While this kernel is called from the one before it in the chain: that one's work, and how many
  // tensors share the memory of the input (outputs that were computed in place of each other).
  RowWork* before_ = nullptr;
  int holders_ = 1;
  bool was_called_ = false;  // already called in this run by the kernel before: skip the step
};

}  // namespace cairn
