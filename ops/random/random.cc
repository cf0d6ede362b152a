#include "ops/random/random.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/array/array.h"
#include "ops/core/building.h"
#include "ops/core/elements.h"
#include "ops/core/move.h"
#include "ops/math/math.h"
#include "ops/random/philox.h"
#include "runtime/exec/context.h"

namespace cairn {
namespace {

// ---- from bits to values ------------------------------------------------------------------------
// All of this decides the bits of the result, down to the order in which words are used. The bits
// are TensorFlow's.

// Numbers in [0, 1): the bits become the mantissa of a number in [1, 2).
float unit_float(uint32_t x) { return std::bit_cast<float>(0x3F800000u | (x & 0x7FFFFFu)) - 1.0f; }
double unit_double(uint32_t x0, uint32_t x1) {
  return std::bit_cast<double>(uint64_t{1023} << 52 | uint64_t{x0 & 0xFFFFFu} << 32 | x1) - 1.0;
}
Half unit(uint32_t x, Half) {
  return Half(float(Half::from_bits(uint16_t(15 << 10 | (x & 0x3FF)))) - 1.0f);
}
BFloat16 unit(uint32_t x, BFloat16) {
  return BFloat16(float(BFloat16::from_bits(uint16_t(127 << 7 | (x & 0x7F)))) - 1.0f);
}
float unit(uint32_t x, float) { return unit_float(x); }

// Two independent normal values (Box and Muller 1958).
template <class F>
std::array<F, 2> box_muller(F u, F v) {
  const F radius = std::sqrt(F(-2) * std::log(std::max(u, F(1.0e-7))));
  const F angle = static_cast<F>(2 * 3.14159265358979323846 * v);
  return {std::sin(angle) * radius, std::cos(angle) * radius};
}

// The number of values made from one block of random words.
template <class T>
constexpr int kPerBlock = sizeof(T) == 8 ? 2 : 4;

// A distribution makes kPerBlock values at a time, a group. Groups lie kBlocks blocks of the
// sequence apart.
template <class T>
struct Uniform {
  using Value = T;
  static constexpr int64_t kBlocks = 1;
  static constexpr double kCost = 6;
  void operator()(Philox gen, T* out) const {
    const Philox::Block x = gen();
    if constexpr (std::is_same_v<T, double>) {
      for (size_t i = 0; i < 2; ++i) out[i] = unit_double(x[2 * i], x[2 * i + 1]);
    } else {
      for (size_t i = 0; i < 4; ++i) out[i] = unit(x[i], T());
    }
  }
};

template <class T>
struct UniformInt {
  using Value = T;
  static constexpr int64_t kBlocks = 1;
  static constexpr double kCost = 20;
  using Unsigned = std::make_unsigned_t<T>;
  T lowest;
  Unsigned range;
  void operator()(Philox gen, T* out) const {
    const Philox::Block x = gen();
    for (size_t i = 0; i < kPerBlock<T>; ++i) {
      const Unsigned bits =
          sizeof(T) == 8 ? Unsigned(x[2 * i] | uint64_t{x[2 * i + 1]} << 32) : Unsigned(x[i]);
      out[i] = static_cast<T>(static_cast<Unsigned>(lowest) + bits % range);
    }
  }
};

template <class T>
struct Normal {
  using Value = T;
  static constexpr int64_t kBlocks = 1;
  static constexpr double kCost = 60;
  void operator()(Philox gen, T* out) const {
    const Philox::Block x = gen();
    if constexpr (std::is_same_v<T, double>) {
      const auto pair = box_muller(unit_double(x[0], x[1]), unit_double(x[2], x[3]));
      std::copy(pair.begin(), pair.end(), out);
    } else {
      for (size_t i = 0; i < 4; i += 2) {
        const auto pair = box_muller(unit_float(x[i]), unit_float(x[i + 1]));
        out[i] = T(pair[0]);
        out[i + 1] = T(pair[1]);
      }
    }
  }
};

template <class T>
struct TruncatedNormal {
  using Value = T;
  // The number of words that a group uses is not known beforehand: 256 are reserved for each value.
  static constexpr int64_t kBlocks = 256 * kPerBlock<T> / 4;
  static constexpr double kCost = 100;
  void operator()(Philox gen, T* out) const {
    PhiloxWords words(gen);
    for (int made = 0;;) {
      for (const auto value : pair(words)) {
        if (std::abs(value) < 2) out[made++] = T(value);
        if (made == kPerBlock<T>) return;
      }
    }
  }

 private:
  static auto pair(PhiloxWords& words) {
    const uint32_t x0 = words(), x1 = words();
    if constexpr (std::is_same_v<T, double>) {
      const uint32_t x2 = words(), x3 = words();
      return box_muller(unit_double(x0, x1), unit_double(x2, x3));
    } else {
      return box_muller(unit_float(x0), unit_float(x1));
    }
  }
};

// Groups [begin, end) of n values.
template <class D>
void fill_groups(const void* of, Philox at, int64_t begin, int64_t end, int64_t n, void* to) {
  using T = typename D::Value;
  constexpr int64_t kGroup = kPerBlock<T>;
  const D distribution = *static_cast<const D*>(of);
  T* const out = static_cast<T*>(to);
  at.skip(static_cast<uint64_t>(begin * D::kBlocks));
  for (int64_t group = begin; group < end; ++group, at.skip(D::kBlocks)) {
    if ((group + 1) * kGroup <= n) {
      distribution(at, out + group * kGroup);
    } else {
      T last[kGroup];
      distribution(at, last);
      std::copy_n(last, n - group * kGroup, out + group * kGroup);
    }
  }
}
struct Filler {
  int64_t group;
  double cost;
  void (*run)(const void* distribution, Philox start, int64_t begin, int64_t end, int64_t n,
              void* out);
  const void* distribution;
};
// For distributions without parameters.
template <template <class> class D>
Filler filler_of(const KernelSetup& s) {
  return by_types(Floats(), s, s.dtype("dtype"), []<class T>() {
    static constexpr D<T> kPlain{};
    return Filler{kPerBlock<T>, D<T>::kCost, fill_groups<D<T>>, &kPlain};
  });
}

void fill(KernelContext& c, const Filler& filler, Tensor& tensor, const Philox& start) {
  const int64_t n = tensor.num_elements();
  c.parallel_for((n + filler.group - 1) / filler.group, filler.cost,
                 [&](int64_t begin, int64_t end) {
                   filler.run(filler.distribution, start, begin, end, n, tensor.raw_data());
                 });
}

// ---- common to the kernels ----------------------------------------------------------------------

void random_shape(ShapeContext& c) { c.set_output(c.shape_from(0)); }

// The shape given by input 0.
Shape shape_input(const KernelContext& c) {
  const Tensor& extents = c.input(0);
  if (extents.rank() != 1)
    c.fail(str_cat("shape must be a vector, got a tensor of shape ", extents.shape()));
  return shape_of_vector(extents, "shape");
}

// The node's sequence in this session.
std::shared_ptr<PhiloxSequence> sequence_of(const KernelSetup& s) {
  return s.session_state<PhiloxSequence>([&s] {
    auto seed = static_cast<uint64_t>(s.integer("seed")),
         seed2 = static_cast<uint64_t>(s.integer("seed2"));
    if (seed == 0 && seed2 == 0) {
      seed = s.fresh_seed();
      seed2 = s.fresh_seed();
    }
    return std::make_shared<PhiloxSequence>(Philox(seed, seed2));
  });
}

// TensorFlow reserves this many blocks for each value, for every distribution.
constexpr uint64_t kReserved = 256;

template <template <class> class D>
Kernel random_prepare(const KernelSetup& s) {
  return [filler = filler_of<D>(s), sequence = sequence_of(s)](KernelContext& c) {
    Tensor& out = c.allocate(0, shape_input(c));
    fill(c, filler, out, sequence->reserve(static_cast<uint64_t>(out.num_elements()) * kReserved));
  };
}

template <class T>
void fill_uniform_int(KernelContext& c, PhiloxSequence& sequence) {
  Tensor& out = c.allocate(0, shape_input(c));
  for (int i : {1, 2}) {
    if (c.input(i).num_elements() != 1)
      c.fail(str_cat(i == 1 ? "minval" : "maxval", " must be a scalar, is of shape ",
                     c.input(i).shape()));
  }
  const T lowest = *c.in<T>(1), limit = *c.in<T>(2);
  if (out.num_elements() == 0) return;
  if (lowest >= limit)
    c.fail(str_cat("minval must be less than maxval, got ", lowest, " and ", limit));
  using D = UniformInt<T>;
  using Unsigned = typename D::Unsigned;
  const D distribution = {lowest, static_cast<Unsigned>(limit) - static_cast<Unsigned>(lowest)};
  fill(c, {kPerBlock<T>, D::kCost, fill_groups<D>, &distribution}, out,
       sequence.reserve(static_cast<uint64_t>(out.num_elements()) * kReserved));
}
Kernel random_uniform_int_prepare(const KernelSetup& s) {
  const auto fill = by_types(TypeList<int32_t, int64_t>(), s, s.dtype("Tout"),
                             []<class T>() { return fill_uniform_int<T>; });
  return [fill, sequence = sequence_of(s)](KernelContext& c) { fill(c, *sequence); };
}

void check_seed_shape(ShapeContext& c) {
  random_shape(c);
  c.same(c.with_rank(1, 1, "seed")[0], 2, "the length of seed");
}

// Key and counter of a stateless op: the seed, scrambled, so that any two seeds differ in many
// bits.
Philox scramble(const KernelContext& c) {
  const Tensor& seed = c.input(1);
  if (seed.shape() != Shape{2})
    c.fail(str_cat("seed must be of shape [2], is of shape ", seed.shape()));
  const auto half = [&](int i) { return static_cast<uint64_t>(IntReader(seed)[i]); };
  const auto word = [](uint64_t x, int i) { return static_cast<uint32_t>(x >> (32 * i)); };
  const Philox::Block mix =
      Philox({word(half(0), 0), word(half(0), 1), word(half(1), 0), word(half(1), 1)},
             {0x3EC8F720, 0x02461E29})();
  return Philox({0, 0, mix[2], mix[3]}, {mix[0], mix[1]});
}

template <template <class> class D>
Kernel stateless_prepare(const KernelSetup& s) {
  return [filler = filler_of<D>(s)](KernelContext& c) {
    fill(c, filler, c.allocate(0, shape_input(c)), scramble(c));
  };
}

// ---- RandomShuffle ------------------------------------------------------------------------------

Kernel random_shuffle_prepare(const KernelSetup& s) {
  const DType dtype = s.dtype("T");
  if (dtype != DType::kString && dtype_size(dtype) == 0)
    s.unimplemented(str_cat("tensors of dtype ", dtype, " cannot be shuffled"));
  return [&m = mover_of(s, dtype), sequence = sequence_of(s)](KernelContext& c) {
    const Tensor& value = c.input(0);
    if (value.num_elements() <= 1 || value.dim(0) <= 1) return c.forward(0, 0);
    const int64_t rows = value.dim(0);
    if (rows > std::numeric_limits<uint32_t>::max())
      c.fail(str_cat(rows, " rows are too many to shuffle"));
    PhiloxWords words(sequence->reserve(static_cast<uint64_t>(rows - 1 + 3) / 4));
    Tensor order_tensor = c.scratch(DType::kInt64, {rows});
    auto* order = order_tensor.data<int64_t>();
    for (int64_t i = 0; i < rows; ++i) order[i] = i;
    for (int64_t i = 0; i + 1 < rows; ++i)
      std::swap(order[i], order[i + words() % static_cast<uint32_t>(rows - i)]);
    Tensor& out = c.allocate(0, value.shape());
    const int64_t row = value.num_elements() / rows;
    for (int64_t i = 0; i < rows; ++i) m.copy(m.at(out, i * row), m.at(value, order[i] * row), row);
  };
}

// ---- the ops ------------------------------------------------------------------------------------

constexpr std::string_view kRandomAttrs =
    "seed: int = 0, seed2: int = 0, dtype: {half, bfloat16, float, double}, T: {int32, int64}";
constexpr OpDef random_op(std::string_view name, Kernel (*prepare)(const KernelSetup&)) {
  return {.name = name,
          .inputs = "shape: T",
          .outputs = "output: dtype",
          .attrs = kRandomAttrs,
          .stateful = true,
          .shape = random_shape,
          .prepare = prepare,
          .gradient = not_differentiable};
}
constexpr OpDef stateless_op(std::string_view name, Kernel (*prepare)(const KernelSetup&)) {
  return {.name = name,
          .inputs = "shape: T, seed: Tseed",
          .outputs = "output: dtype",
          .attrs =
              "dtype: {half, bfloat16, float, double} = DT_FLOAT, T: {int32, int64} = DT_INT32, "
              "Tseed: {int32, int64} = DT_INT64",
          .shape = check_seed_shape,
          .prepare = prepare,
          .gradient = not_differentiable};
}

constexpr OpDef kRandomUniform = random_op("RandomUniform", random_prepare<Uniform>);
constexpr OpDef kRandomStandardNormal = random_op("RandomStandardNormal", random_prepare<Normal>);
constexpr OpDef kTruncatedNormal = random_op("TruncatedNormal", random_prepare<TruncatedNormal>);
constexpr OpDef kStatelessRandomUniform =
    stateless_op("StatelessRandomUniform", stateless_prepare<Uniform>);
constexpr OpDef kStatelessRandomNormal =
    stateless_op("StatelessRandomNormal", stateless_prepare<Normal>);
constexpr OpDef kStatelessTruncatedNormal =
    stateless_op("StatelessTruncatedNormal", stateless_prepare<TruncatedNormal>);

constexpr OpDef kRandomUniformInt = {
    .name = "RandomUniformInt",
    .inputs = "shape: T, minval: Tout, maxval: Tout",
    .outputs = "output: Tout",
    .attrs = "seed: int = 0, seed2: int = 0, Tout: {int32, int64}, T: {int32, int64}",
    .stateful = true,
    .shape = random_shape,
    .prepare = random_uniform_int_prepare,
    .gradient = not_differentiable};

// As in TensorFlow, without a gradient.
constexpr OpDef kRandomShuffle = {.name = "RandomShuffle",
                                  .inputs = "value: T",
                                  .outputs = "output: T",
                                  .attrs = "seed: int = 0, seed2: int = 0, T: type",
                                  .stateful = true,
                                  .shape = unchanged_shape,
                                  .prepare = random_shuffle_prepare};

// ---- builders -----------------------------------------------------------------------------------

// A builder as Python has it: the op, and the scope in which its constants and the op are made.
struct RandomWrapper {
  const OpDef& op;
  std::string_view scope;
};

Output shape_in(const BuilderScope& b, const IntList& shape) {
  if (const auto* extents = shape.list()) {
    for (int64_t extent : *extents) {
      if (extent < 0)
        fail(Code::kInvalidArgument, GraphAt(b).at.str(),
             ": random values need a fully known shape, got the extent ", extent);
    }
  }
  return shape.in(b, "shape");
}

// The op alone: stateless if a stateless seed is given, else stateful.
Output draw(const BuilderScope& b, const OpDef& op, const Output& shape, DType dtype,
            std::optional<int64_t> op_seed, const Operand* stateless_seed) {
  const GraphAt graph = b;
  if (stateless_seed) {
    if (op_seed)
      fail(Code::kInvalidArgument, op.name, " (", graph.at.str(),
           "): it takes its seed as a tensor only; leave .seed out");
    return add_node(op,
                    {shape, stateless_seed->in(graph, DType::kInt64, str_cat(op.name, "/seed"))},
                    {{"dtype", dtype}});
  }
  const auto [seed, seed2] = graph->random_seeds(op_seed);
  return add_node(op, {shape}, {{"seed", seed}, {"seed2", seed2}, {"dtype", dtype}});
}

Output uniform(GraphAt graph, const IntList& extents, const RandomWrapper& wrapper,
               const RandomUniformOptions& o, const Operand* stateless_seed = nullptr) {
  const bool integers = is_integer(o.dtype);
  if (integers && (!o.maxval || stateless_seed))
    fail(Code::kInvalidArgument, wrapper.scope, " (", graph.at.str(), "): ",
         stateless_seed ? "it makes no integers; cast() its result"
                        : "of integers it needs .maxval");
  const BuilderScope b(graph, wrapper.scope, o.name);
  const Output shape = shape_in(b, extents);
  const Output low = o.minval.in(graph, o.dtype, "min");
  const Output high = o.maxval.value_or(Operand(1)).in(graph, o.dtype, "max");
  if (integers) {
    const auto [seed, seed2] = graph->random_seeds(o.seed);
    return b.add(kRandomUniformInt, {shape, low, high}, {{"seed", seed}, {"seed2", seed2}});
  }
  const Output values = draw(b, wrapper.op, shape, o.dtype, o.seed, stateless_seed);
  return add(values * (high - low), low, {.name = b.name()});
}

Output normal(GraphAt graph, const IntList& extents, const RandomWrapper& wrapper,
              const RandomNormalOptions& o, const Operand* stateless_seed = nullptr) {
  const BuilderScope b(graph, wrapper.scope, o.name);
  const Output shape = shape_in(b, extents);
  const Output mean = o.mean.in(graph, o.dtype, "mean"),
               stddev = o.stddev.in(graph, o.dtype, "stddev");
  const Output values = draw(b, wrapper.op, shape, o.dtype, o.seed, stateless_seed);
  return add(values * stddev, mean, {.name = b.name()});
}

}  // namespace

Output random_uniform(GraphAt graph, const IntList& shape, const RandomUniformOptions& options) {
  return uniform(graph, shape, {kRandomUniform, "random_uniform"}, options);
}
Output random_normal(GraphAt graph, const IntList& shape, const RandomNormalOptions& options) {
  return normal(graph, shape, {kRandomStandardNormal, "random_normal"}, options);
}
Output truncated_normal(GraphAt graph, const IntList& shape, const RandomNormalOptions& options) {
  return normal(graph, shape, {kTruncatedNormal, "truncated_normal"}, options);
}

Output random_shuffle(const Operand& value, const RandomShuffleOptions& options) {
  const Graph::Transaction whole(value.graph());
  const auto [seed, seed2] = value.graph().random_seeds(options.seed);
  return add_node(kRandomShuffle, {value.output()}, {{"seed", seed}, {"seed2", seed2}},
                  options.name, value.at());
}

Output stateless_random_uniform(GraphAt graph, const IntList& shape, const Operand& seed,
                                const RandomUniformOptions& options) {
  return uniform(graph, shape, {kStatelessRandomUniform, "stateless_random_uniform"}, options,
                 &seed);
}
Output stateless_random_normal(GraphAt graph, const IntList& shape, const Operand& seed,
                               const RandomNormalOptions& options) {
  return normal(graph, shape, {kStatelessRandomNormal, "stateless_random_normal"}, options, &seed);
}
Output stateless_truncated_normal(GraphAt graph, const IntList& shape, const Operand& seed,
                                  const RandomNormalOptions& options) {
  return normal(graph, shape, {kStatelessTruncatedNormal, "stateless_truncated_normal"}, options,
                &seed);
}

std::span<const OpDef* const> random_ops() {
  static constexpr const OpDef* kOps[] = {&kRandomShuffle,
                                          &kRandomStandardNormal,
                                          &kRandomUniform,
                                          &kRandomUniformInt,
                                          &kStatelessRandomNormal,
                                          &kStatelessRandomUniform,
                                          &kStatelessTruncatedNormal,
                                          &kTruncatedNormal};
  return kOps;
}

}  // namespace cairn
