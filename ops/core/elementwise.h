// Element-by-element kernels: one template for one operand and one for two, over a functor that
// computes an element.
//
//   struct Square {
//     static constexpr double kCost = 0.2;                     // nanoseconds per element, roughly
//     template <class T> T operator()(T x) const { return x * x; }
//   };
//   constexpr OpDef kSquare = {.name = "Square", …,
//                              .prepare = unary_prepare<Square, TypeList<float, Half, int32_t>>};
//
// 16-bit floats are computed as float: a functor gets float, double, integers, bool or strings.
// Output elements have the type that the functor returns (bool for comparisons), or the 16-bit type
// of the inputs.
#pragma once

#include <algorithm>

#include "ops/core/broadcast.h"
#include "ops/core/elements.h"

namespace cairn {

// Base of functors that take a few instructions.
struct Light {
  static constexpr double kCost = 0.3;
};

// The order used by maxima, minima, top k and their indices: true if y replaces x. NaN wins over
// every number, in both directions; of equal elements (and of NaNs) the first is kept.
template <class T>
bool is_above(const T& y, const T& x) {
  if constexpr (std::is_floating_point_v<T>)
    return !(y <= x) & (x == x);
  else
    return x < y;
}
template <class T>
bool is_below(const T& y, const T& x) {
  if constexpr (std::is_floating_point_v<T>)
    return !(y >= x) & (x == x);
  else
    return y < x;
}

// A kernel consists of a loop, compiled for each functor and dtype, and the code around it (shapes,
// pieces, threads), compiled once: unary_kernel and binary_kernel.

// out[i] = f(x[i]) for i < n.
struct UnaryLoop {
  void (*run)(const void* x, void* out, int64_t n);
  double cost;
  size_t x_size, out_size;
  bool in_place;  // out may be x
};
Kernel unary_kernel(const UnaryLoop& loop);

template <class F, class T, class R>
void unary_run(const void* from, void* to, int64_t n) {
  const T* x = static_cast<const T*>(from);
  R* out = static_cast<R*>(to);
  if constexpr (requires { F::run(x, out, n); }) {  // a functor with a loop of its own
    F::run(x, out, n);
  } else {
    each(n, [=](int64_t i) { out[i] = R(F()(widen(x[i]))); });
  }
}

template <class F, class Types>
Kernel unary_prepare(const KernelSetup& s) {
  return unary_kernel(by_types(Types(), s, s.input_dtype(0), []<class T>() {
    using Result = std::invoke_result_t<F, Wide<T>>;
    using R = std::conditional_t<std::is_same_v<Result, Wide<T>>, T, Result>;
    return UnaryLoop{unary_run<F, T, R>, F::kCost, sizeof(T), sizeof(R), std::is_same_v<R, T>};
  }));
}

// out[i] = f(x[i], y[i]) for i < n; an operand that does not move repeats its first element. A
// functor with a member `parameter` gets that of the node.
struct BinaryLoop {
  void (*run)(double parameter, const void* x, bool x_moves, const void* y, bool y_moves, void* out,
              int64_t n);
  double cost;
  size_t size, out_size;
  bool in_place;
  // True if an element of y makes the op fail (a zero divisor), and the message. Null: none does.
  bool (*refuses)(const void* y, int64_t n);
  const char* refusal;
  double parameter = 0;
  bool exchanged = false;   // x is input 1 and y is input 0
  bool same_shape = false;  // no broadcasting
  // The name of the two operands in the error of same_shape; lives as long as the node.
  const char* alike = "operands";
};
Kernel binary_kernel(const BinaryLoop& loop);

template <class F, class T, class R>
void binary_run(double parameter, const void* left, bool x_moves, const void* right, bool y_moves,
                void* to, int64_t n) {
  const T *x = static_cast<const T*>(left), *y = static_cast<const T*>(right);
  R* out = static_cast<R*>(to);
  F f;
  if constexpr (requires { f.parameter; }) f.parameter = parameter;
  if (x_moves && y_moves) {
    each(n, [=](int64_t i) { out[i] = R(f(widen(x[i]), widen(y[i]))); });
  } else if (x_moves) {
    each(n, [=, b = Wide<T>(widen(*y))](int64_t i) { out[i] = R(f(widen(x[i]), b)); });
  } else {
    each(n, [=, a = Wide<T>(widen(*x))](int64_t i) { out[i] = R(f(a, widen(y[i]))); });
  }
}

template <class F, class T, class R>
void alike_run(double parameter, const void* left, bool, const void* right, bool, void* to,
               int64_t n) {
  F f;
  if constexpr (requires { f.parameter; }) f.parameter = parameter;
  each(n, [=, x = static_cast<const T*>(left), y = static_cast<const T*>(right),
           out = static_cast<R*>(to)](int64_t i) { out[i] = R(f(widen(x[i]), widen(y[i]))); });
}

template <class F, class T>
bool any_refused(const void* from, int64_t n) {
  const T* y = static_cast<const T*>(from);
  bool refused = false;
  for (int64_t i = 0; i < n; ++i) refused |= F::refuses(y[i]);
  return refused;
}

// kAlike: for operands of one shape only.
template <class F, class T, bool kAlike = false>
BinaryLoop binary_loop() {
  using Result = std::invoke_result_t<F, Wide<T>, Wide<T>>;
  using R = std::conditional_t<std::is_same_v<Result, Wide<T>>, T, Result>;
  BinaryLoop loop = {kAlike ? alike_run<F, T, R> : binary_run<F, T, R>,
                     F::kCost,
                     sizeof(T),
                     sizeof(R),
                     std::is_same_v<R, T>,
                     nullptr,
                     nullptr};
  loop.same_shape = kAlike;
  if constexpr (requires(T v) { F::refuses(v); }) {
    loop.refuses = any_refused<F, T>;
    loop.refusal = F::kRefusal;
  }
  return loop;
}

template <class F, class Types>
Kernel binary_prepare(const KernelSetup& s) {
  return binary_kernel(
      by_types(Types(), s, s.input_dtype(0), []<class T>() { return binary_loop<F, T>(); }));
}
// For operands of one shape.
template <class F, class Types>
Kernel alike_prepare(const KernelSetup& s) {
  return binary_kernel(
      by_types(Types(), s, s.dtype("T"), []<class T>() { return binary_loop<F, T, true>(); }));
}

}  // namespace cairn
