// Sessions that are used again, with batches of the sizes that users' are, held against sessions
// that were not: random models, fed and trained; one run of a sequence after the other, some of
// which fail.
#include "ops/array/gather.h"
#include "ops/array/joining.h"
#include "ops/array/reshape.h"
#include "ops/array/slicing.h"
#include "ops/core/gradients.h"
#include "ops/flow/cond.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/nn/nn.h"
#include "ops/nn/softmax.h"
#include "ops/state/variables.h"
#include "tests/support/catch.h"
#include "tests/support/naive_evaluator.h"
#include "train/optimizers.h"

using namespace cairn;

namespace {

using Outputs = std::vector<Output>;
using Maker = RandomGraph::Maker;

constexpr int64_t kWidth = 6, kEntries = 4;

// A stretch of each of a few sizes, and the first again; epochs whose last batch is smaller;
// requests of any size.
std::vector<int64_t> batch_sizes(RandomGraph& random) {
  const auto any = [&]() -> int64_t {
    constexpr int64_t kSizes[] = {0,  1,  1,  2,  3,  4,  5,   8,   10,
                                  10, 17, 31, 32, 33, 64, 100, 149, 256};
    return random.chance(0.02) ? 712 : kSizes[random.below(std::size(kSizes))];
  };
  std::vector<int64_t> sizes;
  const size_t kind = random.below(3);
  if (kind == 0) {
    const std::vector<int64_t> some = {any(), any(), any()};
    for (size_t stretch = 3 + random.below(3), i = 0; i < stretch; ++i) {
      sizes.insert(sizes.end(), 1 + random.below(4), some[i % (2 + random.below(2))]);
    }
  } else if (kind == 1) {
    const int64_t batch = any(), last = any();
    for (size_t epochs = 2 + random.below(2), each = 2 + random.below(4); epochs > 0; --epochs) {
      sizes.insert(sizes.end(), each, batch);
      sizes.push_back(last);
    }
  } else {
    for (size_t n = 6 + random.below(8); n > 0; --n) sizes.push_back(any());
  }
  return sizes;
}

// What a model is fed, and the nodes that are made of it.
struct Model {
  Model(uint64_t seed, bool trained) : random(graph, seed, /*batches=*/true), trained(trained) {
    x = placeholder(graph, DType::kFloat, {-1, kWidth});
    y = placeholder(graph, DType::kFloat, {-1});
    entry = placeholder(graph, DType::kInt32, {});
    flag = placeholder(graph, DType::kBool, {});
  }

  Output weights(const Shape& shape) {
    const Output value = constant(graph, random.tensor(shape));
    return trained ? variable(value).value() : value;
  }
  Output dense(const Output& of) {
    const int64_t width = 1 + static_cast<int64_t>(random.below(8));
    const Output product = matmul(of, weights({of.shape()[1], width}));
    return random.chance(0.7) ? bias_add(product, weights({width})) : product;
  }
  Output any() { return random.pick(); }
  Output any(const std::function<bool(const Output&)>& fits) {
    const Output found = random.pick(fits);
    return found ? found : x;
  }
  Output matrix() {
    return any([](const Output& o) { return o.shape().rank() == 2; });
  }
  Output of_rows() {
    return any([](const Output& o) { return o.shape().rank() > 0 && o.shape()[0] < 0; });
  }
  // One that may stand beside `o` in an elementwise op.
  Output beside(const Output& o) {
    return random.pick([&](const Output& other) {
      return other.shape() == o.shape() || other.shape().is_scalar() ||
             (other.shape().rank() == 1 && o.shape().rank() == 2 &&
              other.shape() == o.shape().slice(1));
    });
  }

  void grow(int steps);
  std::vector<Tensor> feeds(int64_t rows, bool fails);

  Graph graph;
  RandomGraph random;
  bool trained;
  Output x, y, entry, flag;
};

Output elementwise(Model& m) {
  const Output a = m.any(), b = m.beside(a);
  switch (m.random.below(b ? 12 : 6)) {
    case 0:
      return tanh(a);
    case 1:
      return relu(a);
    case 2:
      return sigmoid(a);
    case 3:
      return square(a) / 3.0f;
    case 4:
      return identity(a);
    case 5:
      return add_n({a, a});
    case 6:
      return a + b;
    case 7:
      return b - a;
    case 8:
      return a * b;
    case 9:
      return maximum(a, b);
    case 10:
      return a / (square(b) + 1.0f);
    default:
      return squared_difference(a, b);
  }
}

// What depends on how many rows there are: states that begin at zero, shapes taken from elsewhere,
// counts.
Output by_shape(Model& m) {
  const Output a = m.of_rows();
  const Output rows = element(shape(a), 0);
  const int64_t width = 1 + static_cast<int64_t>(m.random.below(7));
  switch (m.random.below(6)) {
    case 0:
      return zeros_like(a);
    case 1:
      return ones_like(a) * 0.5f;
    case 2:
      return reshape(fill(stack({rows, constant(m.graph, static_cast<int32_t>(width))}), 0.25f),
                     {-1, width});
    case 3:
      return reshape(negative(a), shape(a));
    case 4:
      return 1.0f / cast(size(a) + 1, DType::kFloat);
    default:
      return reshape(fill(expand_dims(rows, 0), 2.0f), {-1});
  }
}

Output reduced(Model& m) {
  const Output a = m.any();
  switch (m.random.below(a.shape().rank() == 0 ? 2 : 5)) {
    case 0:
      return reduce_mean(square(a));
    case 1:
      return reduce_sum(a);
    case 2:
      return reduce_mean(a, 0);
    case 3:
      return reduce_sum(a, -1, {.keep_dims = true});
    default:
      return a - reduce_mean(a, 0);
  }
}

Output of_matrices(Model& m) {
  const Output a = m.matrix();
  switch (m.random.below(4)) {
    case 0:
      return softmax(a);
    case 1:
      return concat({a, tanh(a)}, 1);
    case 2: {
      const Output b =
          m.any([](const Output& o) { return o.shape().rank() == 2 && o.shape()[0] < 0; });
      return a.shape()[0] < 0 ? matmul(a, b, {.transpose_a = true}) : log_softmax(a);
    }
    default:
      return m.dense(a);
  }
}

// Fails in the middle of a run where `entry` is none of the entries.
Output looked_up(Model& m) {
  return gather(constant(m.graph, m.random.tensor({kEntries})), m.entry) * m.any();
}

Outputs differentiated(Model& m) {
  const Output loss =
      m.random.chance(0.5) ? reduce_mean(square(m.any())) : reduce_sum(square(m.any()));
  Outputs found;
  for (const Output& gradient : gradients(loss, {m.x, m.y, m.random.outputs()[2]})) {
    if (gradient) found.push_back(gradient);
  }
  return found;
}

Output chosen(Model& m) {
  const Output a = m.any();
  return cond(
      m.flag, [&] { return tanh(a); }, [&] { return a * 0.5f; });
}

void Model::grow(int steps) {
  const bool chooses = trained && random.chance(0.2);
  const auto one = [&](Output (*make)(Model&)) -> Maker {
    return [=, this](RandomGraph&) { return Outputs{make(*this)}; };
  };
  random.grow({[&](RandomGraph&) { return Outputs{x, y, dense(x)}; }}, 1);
  std::vector<Maker> makers = {one(elementwise), one(elementwise), one(by_shape), one(reduced),
                               one(of_matrices)};
  makers.push_back(
      [this](RandomGraph&) { return random.chance(0.4) ? Outputs{looked_up(*this)} : Outputs{}; });
  if (!trained) makers.push_back([this](RandomGraph&) { return differentiated(*this); });
  if (chooses) makers.push_back(one(chosen));
  random.grow(makers, steps);
}

std::vector<Tensor> Model::feeds(int64_t rows, bool fails) {
  // else by rows that do not fit, where that matters
  const bool by_entry = fails && random.chance(0.7);
  return {random.tensor({rows, kWidth}), random.tensor({fails && !by_entry ? rows + 1 : rows}),
          static_cast<int32_t>(by_entry ? 99 : random.below(kEntries)), random.chance(0.5)};
}

// The results of a run, or how it failed, and the variables that it left.
struct Outcome {
  std::vector<Tensor> results, variables;
  std::string error;
};
Outcome outcome(Session& session, const std::function<std::vector<Tensor>()>& run) {
  Outcome outcome;
  try {
    outcome.results = run();
  } catch (const Error& e) {
    outcome.error = e.what();
  }
  for (const Variable& variable : session.graph().variables())
    outcome.variables.push_back(session.value(variable));
  return outcome;
}

std::string difference(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!bit_equal(got[i], expected[i]))
      return str_cat(i, " is\n", got[i], "\ninstead of\n", expected[i]);
  }
  return "";
}
std::string difference(const Outcome& got, const Outcome& expected) {
  if (got.error != expected.error)
    return str_cat("ends with '", got.error, "' instead of '", expected.error, "'");
  if (const std::string found = difference(got.results, expected.results); !found.empty())
    return "result " + found;
  if (const std::string found = difference(got.variables, expected.variables); !found.empty())
    return "variable " + found;
  return "";
}

void initialize(Session& session) {
  if (!session.graph().variables().empty())
    session.run(global_variables_initializer(session.graph()));
}

Operation train_on(Model& m, const Output& loss) {
  switch (m.random.below(3)) {
    case 0:
      return GradientDescentOptimizer(0.01).minimize(loss);
    case 1:
      return MomentumOptimizer(0.01, 0.9).minimize(loss);
    default:
      return AdamOptimizer(0.01).minimize(loss);
  }
}

// A variable of any shape that takes one value after the other in each run, each of which may
// become its memory.
void keep_twice(Model& m, Outputs& fetches, std::vector<Target>& targets) {
  const Variable kept =
      variable(zeros(m.graph, {0}), {.name = "kept", .trainable = false, .validate_shape = false});
  for (int i = 0; i < 2; ++i) {
    const Output value = assign(kept, m.any() * 3.0f, {.validate_shape = false});
    targets.push_back(value.op());
    fetches.push_back(reduce_sum(value * 0.5f) + reduce_mean(tanh(m.any())));
  }
}

// A sequence of runs of one session, by run() or a Call or in turns, each held against that of a
// session made for it alone, and where nothing is trained against the naive evaluator: what they
// give, how they fail, and the variables they leave. "" when all is the same.
std::string difference_in_sequence(uint64_t seed, bool trained) {
  Model m(seed, trained);
  m.grow(4 + static_cast<int>(m.random.below(24)));
  Outputs fetches = m.random.pick_any(1 + m.random.below(4));
  std::vector<Target> targets;
  if (trained) {
    Output loss = reduce_mean(square(m.random.outputs()[2]));
    for (int i = 0; i < 3; ++i) loss = loss + reduce_mean(tanh(m.any()));
    targets.push_back(train_on(m, loss));
    fetches = {loss};
    if (m.random.chance(0.3)) keep_twice(m, fetches, targets);
    if (m.random.chance(0.1)) fetches.push_back(m.graph.trainable_variables()[0].ref());
  }
  const Outputs fed = {m.x, m.y, m.entry, m.flag};
  const std::vector<Target> wanted(fetches.begin(), fetches.end()), given(fed.begin(), fed.end());
  const double failures = m.random.chance(0.5) ? 0.2 : 0;
  std::vector<Feeds> batches;
  std::vector<Outcome> expected;
  SessionSnapshot values;
  for (const int64_t rows : batch_sizes(m.random)) {
    const std::vector<Tensor> batch = m.feeds(rows, m.random.chance(failures));
    Feeds& feeds = batches.emplace_back();
    for (size_t i = 0; i < fed.size(); ++i) feeds.push_back({fed[i], batch[i]});
    Session fresh(m.graph, {.threads = 1});
    batches.size() > 1 ? fresh.load(values) : initialize(fresh);
    expected.push_back(outcome(fresh, [&] { return fresh.run_all(wanted, feeds, targets); }));
    values = fresh.snapshot();
    if (trained || !expected.back().error.empty()) continue;
    NaiveEvaluator naive(m.graph, feeds, fed);
    for (size_t i = 0; i < fetches.size(); ++i) {
      if (!bit_equal(expected.back().results[i], naive.value(fetches[i])))
        return str_cat("seed ", seed, ": a fresh session's ", fetches[i].name(),
                       " is not the naive evaluator's");
    }
  }
  // From here on only the used session takes memory and gives it back.
  const int threads[] = {1, 2, 4};
  Session used(m.graph, {.threads = threads[m.random.below(3)]});
  initialize(used);
  Call call = used.prepare(wanted, given, targets);
  const double calls = static_cast<double>(m.random.below(3)) / 2;
  for (size_t run = 0; run < batches.size(); ++run) {
    const Outcome got = outcome(used, [&] {
      if (!m.random.chance(calls)) return used.run_all(wanted, batches[run], targets);
      std::vector<Tensor> batch;
      for (const Feed& feed : batches[run]) batch.push_back(feed.value);
      const auto results = call(batch);
      return std::vector<Tensor>(results.begin(), results.end());
    });
    const std::string found = difference(got, expected[run]);
    if (!found.empty())
      return str_cat("seed ", seed, ", run ", run, " with ",
                     batches[run][0].value.tensor().shape()[0], " rows: ", found);
  }
  return "";
}

}  // namespace

TEST_CASE(
    "A session gives what a fresh one and a naive evaluator give, whatever the sizes of the "
    "batches before",
    "[ops][oracle]") {
  for (uint64_t seed = 1; seed <= 200; ++seed) CHECK(difference_in_sequence(seed, false) == "");
}

TEST_CASE("A session trains as fresh ones do, whatever the sizes of the batches before",
          "[ops][oracle]") {
  for (uint64_t seed = 1; seed <= 150; ++seed) CHECK(difference_in_sequence(seed, true) == "");
}
