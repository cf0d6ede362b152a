// Tensors: a typed, shaped, row-major block of elements in memory. No arithmetic here; that is in
// ops/.
//
// A Tensor is a handle: copying one shares the elements, as with shared_ptr; clone() copies them. A
// write through one handle is seen by all handles of the same elements. Several threads may read
// one tensor; a write needs the same care as a write to any shared object.
//
//   Tensor images = Tensor::zeros(DType::kFloat, {100, 784});
//   Tensor weights = Tensor::matrix<float>({{1, 2}, {3, 4}});
//   images.data<float>()[0] = 1;
//   float loss = session.run(loss_output).scalar<float>();
//   Tensor first = images.rows(0, 10);               // [10,784], shares the elements
//   Tensor flat = weights.reshaped({4});             // [4], shares the elements
//
// Calls that fail, all with InvalidArgument:
//
//   weights.data<double>();                // tensor of dtype float and shape [2,2] read as double
//   weights.scalar<float>();               // expected a scalar, got a tensor of shape [2,2]
//   weights.reshaped({3});                 // shape [3] does not hold 4 elements
//   Tensor::of<float>({2, 2}, {1, 2, 3});  // shape [2,2] does not hold 3 elements
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/dtype.h"
#include "runtime/base/error.h"
#include "runtime/base/shape.h"

namespace CAIRN_API cairn {

// Memory allocated for tensors is aligned to this many bytes: a cache line, and the widest vector
// register. A view or a slice of rows may begin anywhere.
inline constexpr size_t kTensorAlignment = 64;

// A reference-counted block of memory, shared by tensors. Counting is safe from several threads.
// For the runtime; kernels and programs use Tensor.
class Buffer {
 public:
  // `capacity` bytes, aligned to kTensorAlignment, not initialised. The caller owns one reference.
  // Throws ResourceExhausted if there is no memory.
  static Buffer* allocate(size_t capacity);
  // `count` empty strings. Throws ResourceExhausted.
  static Buffer* allocate_strings(size_t count);
  // One string: the text of Tensor::none().
  static Buffer* text(std::string text);
  // Memory of the caller: `release` runs when the last reference is dropped. Never written by
  // kernels.
  static Buffer* borrow(void* data, size_t capacity, std::function<void()> release);

  void* data() const { return data_; }
  size_t capacity() const { return capacity_; }
  // The last unref() destroys the block; a count of one is checked without an atomic write.
  void ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void unref() {
    if (refs_.load(std::memory_order_acquire) == 1 ||
        refs_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      destroy();
  }
  // No other tensor shares the block.
  bool unique() const { return held_by(1); }
  bool held_by(int64_t tensors) const { return refs_.load(std::memory_order_acquire) == tensors; }
  // May be written in place: owned memory, not borrowed, no strings.
  bool owned() const { return kind_ == Kind::kOwned; }
  // The arena that reuses the block when it is free, or null.
  const void* home() const { return home_; }
  void set_home(const void* arena) { home_ = arena; }

 private:
  enum class Kind : uint8_t { kOwned, kStrings, kBorrowed };
  Buffer(Kind kind, void* data, size_t capacity) : kind_(kind), data_(data), capacity_(capacity) {}
  void destroy();

  std::atomic<int32_t> refs_{1};
  Kind kind_;
  uint8_t shift_ = 0;  // bytes from where the piece of memory begins to this
  void* data_;
  size_t capacity_;  // bytes; for strings their count
  const void* home_ = nullptr;
  std::function<void()> release_;
};

// The owning pointer to a Buffer: one reference each.
class BufferRef {
 public:
  BufferRef() = default;
  explicit BufferRef(Buffer* adopted) : buffer_(adopted) {}
  BufferRef(const BufferRef& other) : buffer_(other.buffer_) {
    if (buffer_) buffer_->ref();
  }
  BufferRef(BufferRef&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  BufferRef& operator=(BufferRef other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~BufferRef() {
    if (buffer_) buffer_->unref();
  }
  // Null for an empty reference; the count is not changed.
  Buffer* get() const { return buffer_; }
  Buffer* operator->() const { return buffer_; }
  explicit operator bool() const { return buffer_ != nullptr; }

 private:
  Buffer* buffer_ = nullptr;
};

// A matrix seen through a tensor: m(row, column). Row and column are not checked; dtype and rank
// were when the view was made. Valid while a tensor holds the elements.
template <class T>
struct MatrixView {
  T* data;
  int64_t rows, cols;
  T& operator()(int64_t row, int64_t col) const { return data[row * cols + col]; }
};

class Tensor {
 public:
  // No tensor: dtype kInvalid, valid() is false. run() returns it for an operation, and a
  // moved-from tensor is one. Reading it throws InvalidArgument.
  Tensor() = default;
  // The same, with a reason: reading it throws InvalidArgument with the text `why`, which says what
  // was run and which tensor to fetch instead.
  static Tensor none(std::string why) {
    return Tensor(DType::kInvalid, {}, BufferRef(Buffer::text(std::move(why))));
  }
  Tensor(const Tensor&) = default;
  Tensor& operator=(const Tensor&) = default;
  Tensor(Tensor&& other) noexcept
      : dtype_(std::exchange(other.dtype_, DType::kInvalid)),
        shape_(std::exchange(other.shape_, Shape())),
        data_(std::exchange(other.data_, nullptr)),
        buffer_(std::move(other.buffer_)) {}
  Tensor& operator=(Tensor&& other) noexcept {
    if (this == &other) return *this;
    dtype_ = std::exchange(other.dtype_, DType::kInvalid);
    shape_ = std::exchange(other.shape_, Shape());
    data_ = std::exchange(other.data_, nullptr);
    buffer_ = std::move(other.buffer_);
    return *this;
  }

  // All elements zero (false, the empty string). Throws InvalidArgument for a reference, resource,
  // variant or unknown dtype and for a shape that is not fully defined; ResourceExhausted if there
  // is no memory.
  static Tensor zeros(DType dtype, const Shape& shape);
  // As zeros(), but numeric elements are not initialised. Throws the same.
  static Tensor uninitialized(DType dtype, const Shape& shape);

  // Scalars convert implicitly: session.run(y, {{x, 3.0f}}). The dtype is that of the C++ type: 3
  // is int32, 3.0 is double, "text" is a string.
  template <Element T>
  Tensor(T value) : Tensor(uninitialized(dtype_of<T>, {})) {  // NOLINT: implicit on purpose
    *static_cast<T*>(raw_data()) = std::move(value);
  }
  Tensor(const char* text) : Tensor(std::string(text)) {}  // NOLINT: implicit on purpose

  // Tensors of copied values, row by row.
  //
  //   Tensor::vector<float>({1, 2, 3})                  // [3]
  //   Tensor::of<int32_t>({2, 2}, {1, 2, 3, 4})         // [2,2]
  //   Tensor::matrix<float>({{1, 2}, {3, 4}})           // [2,2]
  //
  // Throw InvalidArgument if the number of values is not that of the shape, or if rows differ in
  // length.
  template <Element T>
  static Tensor of(const Shape& shape, const std::vector<T>& values);
  template <Element T>
  static Tensor vector(const std::vector<T>& values) {
    return of<T>(Shape{static_cast<int64_t>(values.size())}, values);
  }
  template <Element T>
  static Tensor matrix(std::initializer_list<std::initializer_list<T>> rows);

  // A tensor over memory of the caller: nothing is copied, in either direction. `data` must outlive
  // every copy of the tensor; `release`, if given, is called when the last one is destroyed, on the
  // thread that destroys it. Kernels never write to it. Strings cannot be viewed. Throws
  // InvalidArgument for a shape that is not fully defined.
  //
  //   Tensor images = Tensor::view(pixels.data(), {10000, 784});
  template <Element T>
  static Tensor view(T* data, const Shape& shape, std::function<void()> release = nullptr);

  // For the runtime: a tensor over `buffer`, whose capacity must be enough; not checked.
  Tensor(DType dtype, const Shape& shape, BufferRef buffer)
      : dtype_(dtype), shape_(shape), buffer_(std::move(buffer)) {
    data_ = buffer_ ? buffer_->data() : nullptr;
  }

  // Never throw, except dim(): OutOfRange. The dtype of an empty handle is kInvalid.
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  bool valid() const { return dtype_ != DType::kInvalid; }
  int rank() const { return shape_.rank(); }
  int64_t dim(int i) const { return shape_.dim(i); }
  int64_t num_elements() const { return shape_.num_elements(); }
  // num_elements() times dtype_size(dtype()); 0 for strings.
  size_t num_bytes() const { return static_cast<size_t>(num_elements()) * dtype_size(dtype_); }

  // The elements, row-major. Throw InvalidArgument if T is not the C++ type of the dtype (for a
  // quantized dtype: of its storage type); elements are never converted, see cast() in
  // ops/math/math.h. The result is valid while a tensor holds the elements:
  //
  //   Tensor y = session.run(x);
  //   for (float v : y.span<float>()) ...
  //   for (float v : session.run(x).span<float>()) ...   // reads freed memory; clang warns
  template <Element T>
  const T* data() const {
    check_type(dtype_of<T>);
    return static_cast<const T*>(data_);
  }
  template <Element T>
  T* data() {
    check_type(dtype_of<T>);
    return static_cast<T*>(data_);
  }
  template <Element T>
  std::span<const T> span() const CAIRN_LIFETIMEBOUND {
    return {data<T>(), static_cast<size_t>(num_elements())};
  }
  template <Element T>
  std::span<T> span() CAIRN_LIFETIMEBOUND {
    return {data<T>(), static_cast<size_t>(num_elements())};
  }
  // The only element of a scalar, or of a tensor of any rank with one element. Throws
  // InvalidArgument, as all accessors do, if the dtype or the number of elements is another.
  template <Element T>
  const T& scalar() const CAIRN_LIFETIMEBOUND {
    check_scalar();
    return *data<T>();
  }
  // The elements of a rank-1 tensor, of a rank-2 tensor. Throw InvalidArgument for another rank or
  // dtype.
  template <Element T>
  std::span<const T> vec() const CAIRN_LIFETIMEBOUND {
    check_rank(1);
    return span<T>();
  }
  template <Element T>
  MatrixView<const T> mat() const CAIRN_LIFETIMEBOUND {
    check_rank(2);
    return {data<T>(), shape_[0], shape_[1]};
  }
  template <Element T>
  MatrixView<T> mat() CAIRN_LIFETIMEBOUND {
    check_rank(2);
    return {data<T>(), shape_[0], shape_[1]};
  }
  // Integers of any width, in order, as int64: for shapes, axes and indices. Throws InvalidArgument
  // for a dtype that is not an integer.
  std::vector<int64_t> to_int64s() const;

  // The first element, without a check; null for an empty handle.
  const void* raw_data() const { return data_; }
  void* raw_data() { return data_; }

  // The same elements under another shape, sharing them. Throws InvalidArgument if the numbers of
  // elements differ.
  Tensor reshaped(const Shape& shape) const;
  // Rows [begin, end) of the first extent, sharing the elements. Throws OutOfRange for other rows
  // ("rows [1, 3) of a tensor of shape [2,2]") and for a scalar.
  Tensor rows(int64_t begin, int64_t end) const;
  // A copy with elements of its own. Throws ResourceExhausted.
  Tensor clone() const;
  // Copies the elements of `from` over the elements of this tensor, for all its handles. Throws
  // InvalidArgument unless dtype and shape are equal; nothing is changed then.
  void copy_from(const Tensor& from);

  // True if both are in one block of memory, also where their elements do not overlap.
  bool shares_buffer_with(const Tensor& other) const {
    return buffer_ && buffer_.get() == other.buffer_.get();
  }
  // The block of memory; null for an empty handle. For the runtime.
  const BufferRef& buffer() const { return buffer_; }
  // Takes the block out; this tensor is then empty. For the runtime.
  BufferRef take_buffer() {
    dtype_ = DType::kInvalid;
    data_ = nullptr;
    return std::move(buffer_);
  }

  // True if dtype, shape and every bit of every element are equal: NaN equals the same NaN, 0.0
  // does not equal -0.0.
  friend bool bit_equal(const Tensor& a, const Tensor& b);

  // The tensor as NumPy 1.14 to 1.26 prints an array by default: "[0.5 1. ]", "1.0", "[b'a' b'b']".
  // Rows are nested brackets, columns have one width, numbers at most 8 digits after the point,
  // lines at most 75 characters. With more than `threshold` elements only the first and last three
  // along each axis are printed, with "..." between them; a negative threshold prints all. An empty
  // handle is "<no tensor>". print() does not hold the text in memory; << is print(out).
  //
  //   std::cout << Tensor::matrix<float>({{0.5f, 1}, {2, 3}});
  //   // [[0.5 1. ]
  //   //  [2.  3. ]]
  std::string str(int64_t threshold = 1000) const;
  void print(std::ostream& out, int64_t threshold = 1000) const;

  // On one line, for messages: "[[1 2] [3...]...]". The first `most` elements, then "..."; a
  // negative `most` means all. Floats have six digits (doubles 15) if these read back as the same
  // number, else as many as are needed.
  std::string summary(int64_t most = 3) const;

 private:
  void check_type(DType asked) const {
    if (asked != dtype_ && asked != storage_dtype(dtype_)) fail_type(asked);
  }
  void check_scalar() const;
  void check_rank(int rank) const;
  [[noreturn]] void fail_type(DType asked) const;
  void check_valid() const;

  DType dtype_ = DType::kInvalid;
  Shape shape_;
  void* data_ = nullptr;
  BufferRef buffer_;
};

bool bit_equal(const Tensor& a, const Tensor& b);
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

// ---- templates ----------------------------------------------------------------------------------

// Throws InvalidArgument if `shape` is not fully defined or does not have `count` elements.
void check_count(const Shape& shape, size_t count);

template <Element T>
Tensor Tensor::of(const Shape& shape, const std::vector<T>& values) {
  check_count(shape, values.size());
  Tensor tensor = uninitialized(dtype_of<T>, shape);
  std::copy(values.begin(), values.end(), static_cast<T*>(tensor.raw_data()));
  return tensor;
}

template <Element T>
Tensor Tensor::matrix(std::initializer_list<std::initializer_list<T>> rows) {
  const size_t cols = rows.size() == 0 ? 0 : rows.begin()->size();
  std::vector<T> values;
  for (const auto& row : rows) {
    if (row.size() != cols)
      fail(Code::kInvalidArgument, "a matrix needs rows of one length: ", cols, " and ",
           row.size());
    values.insert(values.end(), row.begin(), row.end());
  }
  return of<T>({static_cast<int64_t>(rows.size()), static_cast<int64_t>(cols)}, values);
}

template <Element T>
Tensor Tensor::view(T* data, const Shape& shape, std::function<void()> release) {
  static_assert(!std::is_same_v<T, std::string>,
                "string tensors own their strings: use Tensor::of");
  if (!shape.is_fully_defined())
    fail(Code::kInvalidArgument, "a view needs a fully defined shape, got ", shape);
  const size_t bytes = static_cast<size_t>(shape.num_elements()) * sizeof(T);
  return Tensor(dtype_of<T>, shape, BufferRef(Buffer::borrow(data, bytes, std::move(release))));
}

// Calls f.template operator()<T>() with the C++ type T of `dtype`. False, without a call, if T is
// not among Types; quantized dtypes never are (use storage_dtype()).
//
//   if (!for_dtype<float, double>(t.dtype(), [&]<class T> { use(t.data<T>()); }))
//     fail(Code::kInvalidArgument, "expected float or double, got ", t.dtype());
template <class... Types, class F>
bool for_dtype(DType dtype, F&& f) {
  return ((dtype == dtype_of<Types> ? (f.template operator()<Types>(), true) : false) || ...);
}

}  // namespace cairn
