// Small ops for tests of the runtime: variables, kernels that fail on demand, and kernels that
// record their inputs. Float only.
#pragma once

#include <algorithm>
#include <atomic>

#include "ops/array/array.h"
#include "runtime/exec/context.h"

namespace cairn::test {

// ---- variables ----------------------------------------------------------------------------------

inline Kernel nothing(const KernelSetup&) {
  return [](KernelContext&) {};
}
inline constexpr OpDef kVariable = {
    .name = "TestVariable",
    .inputs = "",
    .outputs = "ref: Ref(dtype)",
    .attrs =
        "shape: shape, dtype: type, container: string = '', "
        "shared_name: string = ''",
    .stateful = true,
    .shape = [](ShapeContext& c) { c.set_output(c.shape("shape")); },
    .prepare = nothing};
inline constexpr OpDef kAssign = {.name = "TestAssign",
                                  .inputs = "ref: Ref(T), value: T",
                                  .outputs = "output_ref: Ref(T)",
                                  .attrs = "T: type",
                                  .access = Access::kAssign,
                                  .shape = [](ShapeContext& c) { c.set_output(c.input(1)); },
                                  .prepare = [](const KernelSetup&) -> Kernel {
                                    return
                                        [](KernelContext& c) { c.variable(0).assign(c.input(1)); };
                                  }};
inline constexpr OpDef kAssignAdd = {.name = "TestAssignAdd",
                                     .inputs = "ref: Ref(T), value: T",
                                     .outputs = "output_ref: Ref(T)",
                                     .attrs = "T: {float}",
                                     .access = Access::kUpdate,
                                     .shape = unchanged_shape,
                                     .prepare = [](const KernelSetup&) -> Kernel {
                                       return [](KernelContext& c) {
                                         Tensor& value = c.variable(0).writable();
                                         const float* delta = c.in<float>(1);
                                         const bool one = c.input(1).num_elements() == 1;
                                         for (int64_t i = 0; i < value.num_elements(); ++i)
                                           value.data<float>()[i] += delta[one ? 0 : i];
                                       };
                                     }};

// ---- elementwise, in place where that may be ----------------------------------------------------

inline float* in_place(KernelContext& c) {
  return c.allocate_or_reuse(0, 0, c.input(0).shape()).data<float>();
}
inline constexpr OpDef kAdd = {.name = "TestAdd",
                               .inputs = "x: float, y: float",
                               .outputs = "z: float",
                               .attrs = "",
                               .shape = unchanged_shape,
                               .prepare = [](const KernelSetup&) -> Kernel {
                                 return [](KernelContext& c) {
                                   const float *x = c.in<float>(0), *y = c.in<float>(1);
                                   const int64_t n = c.input(0).num_elements();
                                   const bool one = c.input(1).num_elements() == 1;
                                   if (!one && c.input(1).num_elements() != n)
                                     c.fail("shapes differ");
                                   float* z = in_place(c);
                                   for (int64_t i = 0; i < n; ++i) z[i] = x[i] + y[one ? 0 : i];
                                 };
                               }};
inline constexpr OpDef kNegate = {.name = "TestNegate",
                                  .inputs = "x: float",
                                  .outputs = "y: float",
                                  .attrs = "",
                                  .shape = unchanged_shape,
                                  .prepare = [](const KernelSetup&) -> Kernel {
                                    return [](KernelContext& c) {
                                      const float* x = c.in<float>(0);
                                      const int64_t n = c.input(0).num_elements();
                                      float* y = in_place(c);
                                      for (int64_t i = 0; i < n; ++i) y[i] = -x[i];
                                    };
                                  }};
// Adds 1 + i to element i, so that a wrong result in place on a part of a larger tensor is seen.
inline constexpr OpDef kCountUp = {.name = "TestCountUp",
                                   .inputs = "x: float",
                                   .outputs = "y: float",
                                   .attrs = "",
                                   .shape = unchanged_shape,
                                   .prepare = [](const KernelSetup&) -> Kernel {
                                     return [](KernelContext& c) {
                                       const float* x = c.in<float>(0);
                                       const int64_t n = c.input(0).num_elements();
                                       float* y = in_place(c);
                                       for (int64_t i = n; i-- > 0;)
                                         y[i] = x[i] + static_cast<float>(1 + i);
                                     };
                                   }};
// The first and the second half of the rows, as views of x.
inline constexpr OpDef kHalves = {.name = "TestHalves",
                                  .inputs = "x: float",
                                  .outputs = "upper: float, lower: float",
                                  .attrs = "",
                                  .shape =
                                      [](ShapeContext& c) {
                                        Shape half = c.with_rank_at_least(0, 1, "x");
                                        if (!half.has_rank()) return;
                                        if (half[0] >= 0) half.set_dim(0, half[0] / 2);
                                        c.set_output(0, half);
                                        c.set_output(1, half);
                                      },
                                  .prepare = [](const KernelSetup&) -> Kernel {
                                    return [](KernelContext& c) {
                                      const int64_t half = c.input(0).dim(0) / 2;
                                      c.set(0, c.input(0).rows(0, half));
                                      c.set(1, c.input(0).rows(half, 2 * half));
                                    };
                                  }};
// x times a scalar; the kernel uses its static value if it has one.
inline constexpr OpDef kScale = {.name = "TestScale",
                                 .inputs = "x: float, factor: float",
                                 .outputs = "y: float",
                                 .attrs = "",
                                 .shape = unchanged_shape,
                                 .prepare = [](const KernelSetup& s) -> Kernel {
                                   return [known = s.constant(1)](KernelContext& c) {
                                     const float factor =
                                         (known.valid() ? known : c.input(1)).scalar<float>();
                                     const float* x = c.in<float>(0);
                                     const int64_t n = c.input(0).num_elements();
                                     float* y = in_place(c);
                                     for (int64_t i = 0; i < n; ++i) y[i] = x[i] * factor;
                                   };
                                 }};

// ---- kernels that do as a test says -------------------------------------------------------------

// Returns x; fails if its first element is negative.
inline constexpr OpDef kRefuseNegative = {.name = "TestRefuseNegative",
                                          .inputs = "x: float",
                                          .outputs = "y: float",
                                          .attrs = "",
                                          .shape = unchanged_shape,
                                          .prepare = [](const KernelSetup&) -> Kernel {
                                            return [](KernelContext& c) {
                                              if (c.in<float>(0)[0] < 0)
                                                c.fail("x is negative", Code::kOutOfRange);
                                              c.forward(0, 0);
                                            };
                                          }};
// Counts its runs in `runs` and returns the count.
inline std::atomic<int> runs{0};
inline constexpr OpDef kCountRuns = {.name = "TestCountRuns",
                                     .inputs = "",
                                     .outputs = "count: int32",
                                     .attrs = "",
                                     .stateful = true,
                                     .shape = scalar_shape,
                                     .prepare = [](const KernelSetup&) -> Kernel {
                                       return [](KernelContext& c) {
                                         *c.allocate(0, {}).data<int32_t>() = ++runs;
                                       };
                                     }};
// Returns x and counts its runs in `runs`; not declared stateful.
inline constexpr OpDef kCounted = {.name = "TestCounted",
                                   .inputs = "x: int32",
                                   .outputs = "y: int32",
                                   .attrs = "",
                                   .shape = unchanged_shape,
                                   .prepare = [](const KernelSetup&) -> Kernel {
                                     return [](KernelContext& c) {
                                       ++runs;
                                       c.allocate(0, c.input(0).shape()).copy_from(c.input(0));
                                     };
                                   }};
// Uses twice the memory of x as scratch memory.
inline constexpr OpDef kUseScratch = {
    .name = "TestUseScratch",
    .inputs = "x: float",
    .outputs = "y: float",
    .attrs = "",
    .shape = unchanged_shape,
    .prepare = [](const KernelSetup&) -> Kernel {
      return [](KernelContext& c) {
        c.scratch(DType::kFloat, c.input(0).shape());
        c.scratch(DType::kFloat, c.input(0).shape());
        const int64_t n = c.input(0).num_elements();
        const float* x = c.in<float>(0);
        float* y = c.allocate(0, c.input(0).shape()).data<float>();
        c.parallel_for(
            n, 1e6, [&](int64_t begin, int64_t end) { std::copy(x + begin, x + end, y + begin); });
      };
    }};

// ---- builders -----------------------------------------------------------------------------------

// A variable with the initializer name/Assign and the value name/read, named as by TensorFlow.
inline Variable variable(Graph& graph, const Output& initial, const std::string& name,
                         std::optional<Shape> shape = std::nullopt) {
  VariableInfo info;
  info.ref = add_operation(graph, kVariable, {},
                           {{"shape", shape.value_or(initial.shape())},
                            {"dtype", base_dtype(initial.dtype())}},
                           name)
                 .output();
  const std::string full = info.ref.op().name();
  const Scope scope = graph.name_scope(full + "/");
  info.initializer = add_node(kAssign, {info.ref, initial}, {}, "Assign").op();
  info.snapshot = identity({info.ref}, {.name = "read"});
  info.initial_value = initial;
  return Variable(std::move(info));
}
inline Output assign(const Output& ref, const Output& value, std::string_view name = "") {
  return add_node(kAssign, {ref, value}, {}, name);
}
inline Output assign_add(const Output& ref, const Output& value, std::string_view name = "") {
  return add_node(kAssignAdd, {ref, value}, {}, name);
}
inline Output add(const Output& x, const Output& y, std::string_view name = "") {
  return add_node(kAdd, {x, y}, {}, name);
}
inline Output negate(const Output& x, std::string_view name = "") {
  return add_node(kNegate, {x}, {}, name);
}

inline const OpSet& ops() {
  static constexpr const OpDef* kOps[] = {&kVariable,       &kAssign,    &kAssignAdd, &kAdd,
                                          &kNegate,         &kCountUp,   &kHalves,    &kScale,
                                          &kRefuseNegative, &kCountRuns, &kCounted,   &kUseScratch};
  static const OpSet kSet{std::span<const OpDef* const>(kOps)};
  return kSet;
}

}  // namespace cairn::test
