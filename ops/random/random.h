// Random tensors.
//
// The bits are TensorFlow's: Philox 4x32-10, the same values for the same pair of seeds, whatever
// the number of threads. There are two kinds of ops.
//
// Stateful ops (random_uniform, random_normal, truncated_normal, random_shuffle) continue their own
// sequence at each run. Where a sequence stands belongs to the session and is in no checkpoint: a
// program that is restored begins the sequence anew. They serve for what is drawn once, such as
// initial values.
//
// Stateless ops (stateless_...) are functions of a seed, an integer tensor [2]. With the global
// step as one half of it, each step draws other values, and a restored program goes on with those
// an unbroken run would have drawn:
//
//   auto noise = stateless_random_normal(graph, {100, 10}, stack({constant(graph, int64_t{7}), global_step}));
#pragma once

#include <optional>
#include <span>
#include <string>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

// Options of all: `seed` combines with the graph's (Graph::set_seed); with neither, every session
// draws anew. Values are of `dtype`: half, bfloat16, float or double.
struct RandomUniformOptions {
  Operand minval = 0;
  std::optional<Operand> maxval = {};  // 1; integers have no default
  DType dtype = DType::kFloat;         // int32 and int64 too
  std::optional<int64_t> seed = {};
  std::string name = "";
};
struct RandomNormalOptions {
  Operand mean = 0, stddev = 1;
  DType dtype = DType::kFloat;
  std::optional<int64_t> seed = {};
  std::string name = "";
};

// Values in [minval, maxval), each equally likely (TensorFlow's RandomUniform and
// RandomUniformInt).
//   auto w = variable(random_uniform(graph, {784, 10}, {.minval = -0.1, .maxval = 0.1, .seed = 1}));
// The shape is a list, or an integer vector that the graph computes; this holds for all builders
// here. Throws InvalidArgument for a negative extent; when it runs, if minval >= maxval for
// integers.
Output random_uniform(GraphAt graph, const IntList& shape,
                      const RandomUniformOptions& options = {});

// Values of the normal distribution of that mean and standard deviation (RandomStandardNormal,
// scaled and shifted).
Output random_normal(GraphAt graph, const IntList& shape, const RandomNormalOptions& options = {});

// The same, values two or more standard deviations from the mean drawn again (TruncatedNormal).
Output truncated_normal(GraphAt graph, const IntList& shape,
                        const RandomNormalOptions& options = {});

struct RandomShuffleOptions {
  std::optional<int64_t> seed = {};
  std::string name = "";
};
// The rows (first extent) of `value` in random order, each order equally likely (RandomShuffle).
// Any dtype; a scalar is itself. Has no gradient.
Output random_shuffle(const Operand& value, const RandomShuffleOptions& options = {});

// As the above, but the same `seed`, int32 or int64 [2], always gives the same values;
// `options.seed` is left out. (TensorFlow's StatelessRandomUniform, StatelessRandomNormal,
// StatelessTruncatedNormal; floating dtypes only.) Throws InvalidArgument for a seed of another
// shape.
Output stateless_random_uniform(GraphAt graph, const IntList& shape, const Operand& seed,
                                const RandomUniformOptions& options = {});
Output stateless_random_normal(GraphAt graph, const IntList& shape, const Operand& seed,
                               const RandomNormalOptions& options = {});
Output stateless_truncated_normal(GraphAt graph, const IntList& shape, const Operand& seed,
                                  const RandomNormalOptions& options = {});

std::span<const OpDef* const> random_ops();

}  // namespace cairn
