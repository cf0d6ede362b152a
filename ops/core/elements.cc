#include "ops/core/elements.h"

namespace cairn {
namespace {

template <class T, T kCombine(T, T)>
void combine(const void* left, const void* right, bool right_moves, void* to, int64_t n) {
  const T *x = static_cast<const T*>(left), *y = static_cast<const T*>(right);
  T* out = static_cast<T*>(to);
  if (right_moves) {
    each(n, [=](int64_t i) { out[i] = kCombine(x[i], y[i]); });
  } else {
    each(n, [=, b = *y](int64_t i) { out[i] = kCombine(x[i], b); });
  }
}

template <class T>
constexpr Adder kAdder = {combine<T, plus>, combine<T, minus>};

}  // namespace

const Adder& adder_of(const KernelSetup& s, DType dtype) {
  return *by_types(Numbers(), s, dtype, []<class T>() { return &kAdder<Added<T>>; });
}

}  // namespace cairn
