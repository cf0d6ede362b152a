#include "runtime/base/tensor.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <ostream>
#include <sstream>

#include "runtime/base/numpy_text.h"

namespace cairn {

namespace {

// More than the memory of any machine this runs on. Larger requests are refused without asking the
// allocator: some abort, and some systems promise memory that they do not have.
constexpr size_t kMostBytes = size_t{1} << 39;

}  // namespace

Buffer* Buffer::allocate(size_t capacity) {
  // The head of the block and its data share one allocation, with the data aligned. Aligned
  // allocation is slow: if little is lost, the memory is allocated without alignment and a little
  // larger.
  constexpr size_t kHead =
      (sizeof(Buffer) + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
  constexpr size_t kSmall = 4096, kGap = kTensorAlignment - alignof(std::max_align_t);
  const size_t bytes = (capacity + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
  const bool small = capacity <= kSmall;
  void* memory = capacity > kMostBytes ? nullptr
                 : small               ? std::malloc(kHead + bytes + kGap)
                                       : std::aligned_alloc(kTensorAlignment, kHead + bytes);
  if (!memory) fail(Code::kResourceExhausted, "no memory for a tensor of ", capacity, " bytes");
  const size_t shift = -reinterpret_cast<uintptr_t>(memory) % kTensorAlignment;
  char* const block = static_cast<char*>(memory) + shift;
  auto* buffer = new (block) Buffer(Kind::kOwned, block + kHead, bytes);
  buffer->shift_ = static_cast<uint8_t>(shift);
  return buffer;
}

Buffer* Buffer::allocate_strings(size_t count) {
  try {
    if (count > kMostBytes / sizeof(std::string)) throw std::bad_alloc();
    auto strings = std::make_unique<std::string[]>(count);
    auto* buffer = new Buffer(Kind::kStrings, strings.get(), count);
    strings.release();
    return buffer;
  } catch (const std::bad_alloc&) {
    fail(Code::kResourceExhausted, "no memory for a tensor of ", count, " strings");
  }
}

Buffer* Buffer::text(std::string text) {
  Buffer* buffer = allocate_strings(1);
  *static_cast<std::string*>(buffer->data()) = std::move(text);
  return buffer;
}

Buffer* Buffer::borrow(void* data, size_t capacity, std::function<void()> release) {
  auto* buffer = new Buffer(Kind::kBorrowed, data, capacity);
  buffer->release_ = std::move(release);
  return buffer;
}

void Buffer::destroy() {
  switch (kind_) {
    case Kind::kOwned: {
      char* const memory = reinterpret_cast<char*>(this) - shift_;
      this->~Buffer();
      std::free(memory);
      return;
    }
    case Kind::kStrings:
      delete[] static_cast<std::string*>(data_);
      break;
    case Kind::kBorrowed:
      if (release_) release_();
      break;
  }
  delete this;
}

Tensor Tensor::uninitialized(DType dtype, const Shape& shape) {
  if (!shape.is_fully_defined())
    fail(Code::kInvalidArgument, "a tensor needs a fully defined shape, got ", shape);
  const auto count = static_cast<size_t>(shape.num_elements());
  if (dtype == DType::kString)
    return Tensor(dtype, shape, BufferRef(Buffer::allocate_strings(count)));
  const size_t size = is_ref(dtype) ? 0 : dtype_size(dtype);
  if (size == 0) fail(Code::kInvalidArgument, "a tensor cannot hold elements of dtype ", dtype);
  if (count > static_cast<size_t>(INT64_MAX) / size) {
    fail(Code::kResourceExhausted, "no memory for a tensor of shape ", shape, " and dtype ", dtype);
  }
  return Tensor(dtype, shape, BufferRef(Buffer::allocate(count * size)));
}

Tensor Tensor::zeros(DType dtype, const Shape& shape) {
  Tensor tensor = uninitialized(dtype, shape);
  if (dtype != DType::kString) std::memset(tensor.raw_data(), 0, tensor.num_bytes());
  return tensor;
}

void check_count(const Shape& shape, size_t count) {
  if (!shape.is_fully_defined() || static_cast<size_t>(shape.num_elements()) != count) {
    fail(Code::kInvalidArgument, "shape ", shape, " does not hold ", count, " elements");
  }
}

void Tensor::check_valid() const {
  if (valid()) return;
  fail(Code::kInvalidArgument, "no tensor here: ",
       buffer_ ? *static_cast<const std::string*>(data_)
               : "an operation was run, which has no value, or the tensor was moved from");
}

void Tensor::fail_type(DType asked) const {
  check_valid();
  fail(Code::kInvalidArgument, "tensor of dtype ", dtype_, " and shape ", shape_, " read as ",
       asked);
}

void Tensor::check_scalar() const {
  check_valid();
  if (num_elements() != 1)
    fail(Code::kInvalidArgument, "expected a scalar, got a tensor of shape ", shape_);
}

void Tensor::check_rank(int rank) const {
  check_valid();
  if (shape_.rank() != rank)
    fail(Code::kInvalidArgument, "expected rank ", rank, ", got a tensor of shape ", shape_);
}

std::vector<int64_t> Tensor::to_int64s() const {
  std::vector<int64_t> values;
  const bool read =
      for_dtype<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>(
          storage_dtype(dtype_), [&]<class T> {
            const auto elements = span<T>();
            values.assign(elements.begin(), elements.end());
          });
  check_valid();
  if (!read) fail(Code::kInvalidArgument, "expected integers, got a tensor of dtype ", dtype_);
  return values;
}

Tensor Tensor::reshaped(const Shape& shape) const {
  check_valid();
  check_count(shape, static_cast<size_t>(num_elements()));
  Tensor tensor = *this;
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::rows(int64_t begin, int64_t end) const {
  check_valid();
  if (rank() < 1 || begin < 0 || end < begin || end > shape_[0]) {
    fail(Code::kOutOfRange, "rows [", begin, ", ", end, ") of a tensor of shape ", shape_);
  }
  Shape shape = shape_;
  shape.set_dim(0, end - begin);
  const int64_t first = shape_[0] == 0 ? 0 : num_elements() / shape_[0] * begin;
  Tensor tensor = *this;
  tensor.shape_ = shape;
  tensor.data_ = dtype_ == DType::kString
                     ? static_cast<void*>(static_cast<std::string*>(data_) + first)
                     : static_cast<char*>(data_) + static_cast<size_t>(first) * dtype_size(dtype_);
  return tensor;
}

Tensor Tensor::clone() const {
  if (!valid()) return {};
  Tensor copy = uninitialized(dtype_, shape_);
  copy.copy_from(*this);
  return copy;
}

void Tensor::copy_from(const Tensor& from) {
  from.check_valid();
  if (from.dtype_ != dtype_ || !(from.shape_ == shape_)) {
    fail(Code::kInvalidArgument, "cannot copy a tensor of dtype ", from.dtype_, " and shape ",
         from.shape_, " over one of dtype ", dtype_, " and shape ", shape_);
  }
  if (dtype_ == DType::kString) {
    const auto source = from.span<std::string>();
    std::copy(source.begin(), source.end(), data<std::string>());
  } else if (num_bytes() > 0) {
    std::memmove(data_, from.data_, num_bytes());
  }
}

bool bit_equal(const Tensor& a, const Tensor& b) {
  if (a.dtype_ != b.dtype_ || !(a.shape_ == b.shape_)) return false;
  if (!a.valid()) return true;
  if (a.dtype_ == DType::kString) {
    const auto x = a.span<std::string>(), y = b.span<std::string>();
    return std::equal(x.begin(), x.end(), y.begin());
  }
  return a.num_bytes() == 0 || std::memcmp(a.data_, b.data_, a.num_bytes()) == 0;
}

// ---- printing -----------------------------------------------------------------------------------

std::string Tensor::str(int64_t threshold) const {
  std::ostringstream out;
  print(out, threshold);
  return out.str();
}

void Tensor::print(std::ostream& out, int64_t threshold) const {
  valid() ? print_like_numpy(out, *this, threshold) : void(out << "<no tensor>");
}

std::string Tensor::summary(int64_t most) const {
  return valid() ? summary_of(*this, most) : "<no tensor>";
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  tensor.print(out);
  return out;
}

}  // namespace cairn
