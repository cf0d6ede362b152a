#include "persist/saver/finite_watch.h"

namespace cairn {
namespace {

thread_local FiniteWatch* watch_of_this_thread = nullptr;

}  // namespace

// A number is NaN or infinite if its exponent is all ones, and infinite if its mantissa is zero
// then.
template <class Bits>
void NonfiniteCounter::add_as(std::string_view bytes, Bits exponent) {
  const size_t n = bytes.size() / sizeof(Bits);
  const auto* values = reinterpret_cast<const Bits*>(bytes.data());
  Bits any = 0;
  for (size_t i = 0; i < n; ++i)
    any = static_cast<Bits>(any | ((values[i] & exponent) == exponent));
  if (!any) return;
  const Bits magnitude = static_cast<Bits>(static_cast<Bits>(~Bits{0}) >> 1);
  for (size_t i = 0; i < n; ++i) {
    const Bits x = static_cast<Bits>(values[i] & magnitude);
    infinite_ += x == exponent;
    nan_ += x > exponent;
  }
}

void NonfiniteCounter::add(std::string_view bytes) {
  switch (dtype_) {
    case DType::kFloat:
    case DType::kComplex64:
      return add_as<uint32_t>(bytes, 0x7f800000u);
    case DType::kDouble:
    case DType::kComplex128:
      return add_as<uint64_t>(bytes, 0x7ff0000000000000u);
    case DType::kHalf:
      return add_as<uint16_t>(bytes, 0x7c00u);
    case DType::kBFloat16:
      return add_as<uint16_t>(bytes, 0x7f80u);
    default:
      return;
  }
}

FiniteWatch* FiniteWatch::current() { return watch_of_this_thread; }

FiniteWatch::Scope::Scope(FiniteWatch* watch) : before_(watch_of_this_thread) {
  watch_of_this_thread = watch;
}
FiniteWatch::Scope::~Scope() { watch_of_this_thread = before_; }

void FiniteWatch::note(const std::string& name, const Tensor& tensor,
                       const NonfiniteCounter& counter) {
  if (counter.nan() == 0 && counter.infinite() == 0) return;
  std::string counts = counter.nan() > 0 ? str_cat(counter.nan(), " NaN") : "";
  if (counter.infinite() > 0)
    counts += str_cat(counts.empty() ? "" : " and ", counter.infinite(), " infinite");
  const bool complex = tensor.dtype() == DType::kComplex64 || tensor.dtype() == DType::kComplex128;
  found_.push_back(str_cat("'", name, "' (", tensor.dtype(), " ", tensor.shape(), "): ", counts,
                           " of ", tensor.num_elements() * (complex ? 2 : 1),
                           tensor.num_elements() == 1 && !complex ? " value" : " values"));
}

void FiniteWatch::look_at(const std::string& name, const Tensor& tensor) {
  if (tensor.dtype() == DType::kString) return;
  NonfiniteCounter counter(tensor.dtype());
  counter.add({static_cast<const char*>(tensor.raw_data()), tensor.num_bytes()});
  note(name, tensor, counter);
}

std::string FiniteWatch::report() const {
  std::string text;
  for (const std::string& line : found_) text += (text.empty() ? "" : "; ") + line;
  return text;
}

}  // namespace cairn
