// Random tensors.
//
// The bits are TensorFlow's: Philox 4x32-10, the same values for the same pair of seeds, for every
// number of threads. There are two kinds of ops.
//
// Stateful ops (random_uniform, random_normal, truncated_normal, random_shuffle) continue their own
// sequence at each run. The position in the sequence belongs to the session and is not saved: a
// restored program restarts the sequence. Use them for values drawn once, such as initial values.
//
// Stateless ops (stateless_...) are functions of a seed, an integer tensor [2]. With the global
// step as one half of it, each step draws other values, and a restored program continues with the
// values that an uninterrupted run would have drawn:
//
//   auto seed = stack({constant(graph, int64_t{7}), global_step});
//   auto noise = stateless_random_normal(graph, {100, 10}, seed);
//
// Calls that fail, with InvalidArgument:
//
//   random_uniform(graph, {-1, 2});
//   // random values need a fully known shape, got the extent -1
//   random_uniform(graph, {2}, {.dtype = DType::kInt32});
//   // random_uniform of integers needs maxval
#pragma once

#include <optional>
#include <span>
#include <string>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// Options of all builders: `seed` is combined with the graph's (Graph::set_seed); with neither,
// every session draws other values. Values are of `dtype`: half, bfloat16, float or double.
struct RandomUniformOptions {
  Operand minval = 0;
  std::optional<Operand> maxval = {};  // default 1; integers have none
  DType dtype = DType::kFloat;         // also int32 and int64
  std::optional<int64_t> seed = {};
  std::string name = "";
};
struct RandomNormalOptions {
  Operand mean = 0, stddev = 1;
  DType dtype = DType::kFloat;
  std::optional<int64_t> seed = {};
  std::string name = "";
};

// Values in [minval, maxval), uniformly distributed (TensorFlow's RandomUniform and
// RandomUniformInt). The shape is a list, or an integer vector that the graph computes, here and in
// all builders below. Throws InvalidArgument for a negative extent; a run for minval >= maxval of
// integers.
//
//   auto init = random_uniform(graph, {784, 10}, {.minval = -0.1, .maxval = 0.1, .seed = 1});
//   auto w = variable(init);
Output random_uniform(GraphAt graph, const IntList& shape,
                      const RandomUniformOptions& options = {});

// Values of the normal distribution with this mean and standard deviation (RandomStandardNormal,
// scaled and shifted).
Output random_normal(GraphAt graph, const IntList& shape, const RandomNormalOptions& options = {});

// The same, but values two or more standard deviations from the mean are drawn again
// (TruncatedNormal).
Output truncated_normal(GraphAt graph, const IntList& shape,
                        const RandomNormalOptions& options = {});

struct RandomShuffleOptions {
  std::optional<int64_t> seed = {};
  std::string name = "";
};
// The rows (first extent) of `value` in random order, every order equally likely (RandomShuffle).
// Any dtype; a scalar is returned unchanged. Has no gradient.
Output random_shuffle(const Operand& value, const RandomShuffleOptions& options = {});

// As above, but values are a function of `seed`, int32 or int64 [2] (TensorFlow's
// StatelessRandomUniform, StatelessRandomNormal, StatelessTruncatedNormal; floating dtypes only).
// Throw InvalidArgument for a seed of another shape, and if `options.seed` is set.
Output stateless_random_uniform(GraphAt graph, const IntList& shape, const Operand& seed,
                                const RandomUniformOptions& options = {});
Output stateless_random_normal(GraphAt graph, const IntList& shape, const Operand& seed,
                               const RandomNormalOptions& options = {});
Output stateless_truncated_normal(GraphAt graph, const IntList& shape, const Operand& seed,
                                  const RandomNormalOptions& options = {});

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> random_ops();

}  // namespace cairn
