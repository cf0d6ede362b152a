#include "runtime/exec/context.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "runtime/exec/thread_pool.h"
#include "runtime/graph/graph.h"

namespace cairn {

// ---- variables ----------------------------------------------------------------------------------

namespace {

bool is_writable(const Tensor& value) {
  return value.valid() && value.buffer()->unique() && value.buffer()->owned();
}

}  // namespace

Tensor& VariableState::writable() {
  if (!initialized()) {
    fail(Code::kFailedPrecondition, "uninitialized variables: '", name,
         "'; initialize_rest(session) initializes what has no value");
  }
  // Buffers of strings are never owned(); for them it is enough that they are not shared.
  const bool alone =
      value.buffer()->unique() && (value.buffer()->owned() || dtype == DType::kString);
  if (!alone) value = value.clone();
  return value;
}

void VariableState::assign(const Tensor& from) {
  if (is_writable(value) && value.dtype() == from.dtype() &&
      value.num_bytes() == from.num_bytes()) {
    value = value.reshaped(from.shape());
    value.copy_from(from);
    return;
  }
  const bool about_to_go = is_writable(from) && from.raw_data() == from.buffer()->data();
  value = about_to_go ? from : from.clone();
}

// ---- preparing ----------------------------------------------------------------------------------

Tensor KernelSetup::constant(int i) const {
  if (!own_values_) return {};
  return graph_.static_value(graph_.handle(node_.inputs[static_cast<size_t>(i)]));
}

Kernel do_nothing(const KernelSetup&) {
  return [](KernelContext&) {};
}

void fail_dtype(const KernelSetup& s, DType dtype, std::initializer_list<DType> known) {
  std::vector<std::string> names;
  for (DType t : known) names.push_back(dtype_name(t));
  s.unimplemented(
      str_cat("there is no kernel for dtype ", dtype, "; there are for ", join_for_people(names)));
}

// ---- memory -------------------------------------------------------------------------------------

namespace {

struct SizeClass {
  int index;
  size_t bytes;
};

// Multiples of a cache line up to 512 bytes, then eight classes for each power of two.
SizeClass class_above(size_t bytes) {
  if (bytes <= 512) {
    const size_t lines = bytes == 0 ? 1 : (bytes + 63) / 64;
    return {static_cast<int>(lines) - 1, lines * 64};
  }
  const int octave = std::bit_width(bytes - 1) - 1;  // 2^octave < bytes <= 2^(octave+1)
  const size_t step = size_t{1} << (octave - 3), base = size_t{1} << octave;
  const size_t steps = (bytes - base + step - 1) / step;  // 1..8
  return {8 + (octave - 9) * 8 + static_cast<int>(steps) - 1, base + steps * step};
}

}  // namespace

BufferRef Arena::take(size_t bytes) {
  const SizeClass size = class_above(bytes);
  auto& list = free_[size.index];
  if (!list.empty()) {
    BufferRef block = std::move(list.back());
    list.pop_back();
    return block;
  }
  if (static_cast<int64_t>(size.bytes) > most_bytes - bytes_) {
    fail(Code::kResourceExhausted, "no memory for ", bytes, " bytes: ", most_bytes,
         " are given to this");
  }
  ++allocations_;
  bytes_ += static_cast<int64_t>(size.bytes);
  BufferRef block(Buffer::allocate(size.bytes));
  block->set_home(this);
  return block;
}

void Arena::give_back_last(BufferRef buffer) {
  if (!buffer || buffer->home() != this || !buffer->unique()) return;
  auto& list = free_[class_above(buffer->capacity()).index];
  list.insert(list.begin(), std::move(buffer));
}

void Arena::give_back(BufferRef buffer) {
  if (!buffer || buffer->home() != this || !buffer->unique()) return;
  free_[class_above(buffer->capacity()).index].push_back(std::move(buffer));
}

BufferRef Arena::withdraw(const Buffer* block) {
  for (auto& list : free_) {
    const auto at = std::find_if(list.begin(), list.end(),
                                 [&](const BufferRef& b) { return b.get() == block; });
    if (at == list.end()) continue;
    BufferRef taken = std::move(*at);
    list.erase(at);
    return taken;
  }
  return {};
}

// ---- running ------------------------------------------------------------------------------------

namespace {

size_t bytes_of(DType dtype, const Shape& shape) {
  const int64_t count = shape.num_elements();
  const auto size = static_cast<int64_t>(dtype_size(dtype));
  if (count < 0 || count > INT64_MAX / size)
    fail(Code::kResourceExhausted, "no memory for a tensor of shape ", shape);
  return static_cast<size_t>(count * size);
}

}  // namespace

// An output that is valid already is bound to its block (Frame::bind) and keeps it if the shape is
// the same.
Tensor& KernelContext::allocate(int i, const Shape& shape) {
  const uint64_t bit = i < 64 ? uint64_t{1} << i : 0;
  Tensor& output = *outputs_[i];
  if (output.valid()) {
    if (!(in_place_ & bit) && output.shape() == shape) return output;
    arena_->binding_invalid = true;
  }
  allocated_ |= bit;
  in_place_ &= ~bit;
  const DType dtype = base_dtype(node_->output_dtypes[static_cast<size_t>(i)]);
  if (dtype_size(dtype) == 0) {
    if (shape.num_elements() > arena_->most_bytes / static_cast<int64_t>(sizeof(std::string)))
      fail(str_cat("no memory for a tensor of shape ", shape), Code::kResourceExhausted);
    return output = Tensor::uninitialized(dtype, shape);
  }
  return output = Tensor(dtype, shape, arena_->take(bytes_of(dtype, shape)));
}

Tensor& KernelContext::allocate_or_reuse(int i, int in, const Shape& shape) {
  if (Tensor& output = *outputs_[i]; output.valid() && output.shape() == shape) return output;
  const Tensor& input = *inputs_[in];
  // Kernels earlier in the chain, whose rows are not computed yet, may still read whole inputs (a
  // product its operand), so these are not donated.
  const bool still_read = before_ && !before_->done && in != taken_;
  const DType dtype = base_dtype(node_->output_dtypes[static_cast<size_t>(i)]);
  const auto fits = [&] {
    return (input.dtype() == dtype && input.shape() == shape) ||
           (dtype_size(input.dtype()) == dtype_size(dtype) &&
            input.num_bytes() == bytes_of(dtype, shape));
  };
  if (may_reuse_[in] && input.buffer() && input.buffer()->home() == arena_ &&
      input.buffer()->held_by(before_ && in == taken_ ? holders_ : 1) && !still_read &&
      input.raw_data() == input.buffer()->data() && fits()) {
    if (i < 64) {
      allocated_ |= uint64_t{1} << i;
      in_place_ |= uint64_t{1} << i;
    }
    return *outputs_[i] = Tensor(dtype, shape, input.buffer());
  }
  return allocate(i, shape);
}

Tensor KernelContext::scratch(DType dtype, const Shape& shape) {
  scratch_.push_back(arena_->take(bytes_of(dtype, shape)));
  return Tensor(dtype, shape, scratch_.back());
}

void KernelContext::no_variable(int i) const {
  const Endpoint& e = node_->inputs[static_cast<size_t>(i)];
  fail(str_cat("input ", i, ", '", endpoint_name(*e.node, e.index, true),
               "', must be a variable, not a fed tensor"));
}

int64_t KernelContext::piece_size(int64_t n, double cost) {
  constexpr int64_t kMostPieces = 64, kGranule = 16;
  if (n <= 0) return 1;
  const double worth = static_cast<double>(n) * cost / kPieceNanoseconds;
  if (worth < 2) return n;
  const int64_t pieces = std::min(static_cast<int64_t>(worth), kMostPieces) &
                         ~int64_t{1};  // even, so that two threads share them equally
  const int64_t size = (n + pieces - 1) / pieces;
  const bool fine = size < 16 * kGranule;  // rounding up would make small pieces uneven
  return fine ? size : (size + kGranule - 1) / kGranule * kGranule;
}

void KernelContext::run_pieces(int64_t n, int64_t piece,
                               std::function<void(int64_t, int64_t)> body) {
  const auto run = [&](int64_t i) { body(i * piece, std::min(n, (i + 1) * piece)); };
  // By reference, so that std::function allocates nothing.
  internal::run_in_parallel((n + piece - 1) / piece, threads_, std::cref(run));
}

void KernelContext::do_rows(RowWork& work) {
  const bool goes_on = before_ && !before_->done && before_->rows == work.rows;
  if (goes_on) {
    work.before = before_;
    work.piece = before_->piece;  // the result of a kernel may depend on the piece size
  } else {
    await_rows();
  }
  if (follower_ && work.piece < work.rows) call_follower(work);
  if (!work.done) finish_rows(work);
}

void KernelContext::finish_rows(RowWork& work) {
  for (RowWork* each = &work; each; each = each->before) each->done = true;
  if (work.piece < work.rows && has_threads()) {
    run_pieces(work.rows, work.piece, [&](int64_t begin, int64_t end) { work.run(begin, end); });
  } else {
    for (int64_t i = 0; i < work.rows; i += work.piece)
      work.run(i, std::min(work.rows, i + work.piece));
  }
}

// The number of tensors that refer to the memory of output 0. Inputs that were overwritten in place
// still do: they are released after the step.
int KernelContext::holders_of_output() const {
  int holders = 1;
  for (int k = 0; k < num_inputs_; ++k) {
    const bool in_place = may_reuse_[k] && inputs_[k]->valid() &&
                          inputs_[k]->buffer().get() == outputs_[0]->buffer().get();
    if (in_place) holders += before_ && k == taken_ ? holders_ : 1;
  }
  return holders;
}

void KernelContext::call_follower(RowWork& work) {
  follower_->before_ = &work;
  follower_->holders_ = holders_of_output();
  follower_->was_called_ = true;
  try {
    (*follower_->kernel_)(*follower_);
  } catch (...) {
    rethrow_at(*follower_->node_);
  }
  follower_->before_ = nullptr;
}

}  // namespace cairn
