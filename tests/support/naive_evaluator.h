// An oracle for sessions: a simple evaluator, and random graphs on which the two are compared.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <random>

#include "ops/array/array.h"
#include "runtime/exec/executor.h"
#include "runtime/exec/session.h"

namespace cairn {

// Evaluates a graph recursively: no plan, no reuse of memory, a new kernel for each node. For
// stateless ops without dead values.
class NaiveEvaluator {
 public:
  NaiveEvaluator(const Graph& graph, const Feeds& feeds, const std::vector<Output>& fed)
      : graph_(graph) {
    for (size_t i = 0; i < fed.size(); ++i)
      fed_[{fed[i].node().id, fed[i].index()}] = feeds[i].value;
  }

  Tensor value(const Output& output) { return value(output.endpoint()); }

 private:
  Tensor value(Endpoint e) {
    const auto fed = fed_.find({e.node->id, e.index});
    if (fed != fed_.end()) return fed->second;
    auto known = values_.find(e.node->id);
    if (known == values_.end()) {
      std::vector<Tensor> inputs;
      for (const Endpoint& input : e.node->inputs) inputs.push_back(value(input).clone());
      known = values_
                  .emplace(e.node->id,
                           internal::evaluate(graph_, *e.node, inputs, /*own_values=*/false))
                  .first;
    }
    return known->second[static_cast<size_t>(e.index)];
  }

  const Graph& graph_;
  std::map<std::pair<int, int>, Tensor> fed_;
  std::map<int, std::vector<Tensor>> values_;
};

// Makes random graphs with makers. A maker adds some nodes on existing tensors and returns their
// outputs; none if no tensor fits.
class RandomGraph {
 public:
  using Maker = std::function<std::vector<Output>(RandomGraph&)>;

  // batches: first extents may be unknown; makers must ensure that all unknown ones are equal in a
  // run.
  RandomGraph(Graph& graph, uint64_t seed, bool batches = false)
      : graph_(graph), random_(seed), batches_(batches) {}

  void grow(const std::vector<Maker>& makers, int steps) {
    for (int i = 0; i < steps; ++i) {
      for (const Output& made : makers[below(makers.size())](*this)) outputs_.push_back(made);
    }
  }

  Graph& graph() { return graph_; }
  const std::vector<Output>& outputs() const { return outputs_; }
  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
  bool chance(double p) { return std::bernoulli_distribution(p)(random_); }
  Tensor tensor(const Shape& shape) {
    Tensor t = Tensor::uninitialized(DType::kFloat, shape);
    std::uniform_real_distribution<float> values(-2, 2);
    for (float& x : t.span<float>()) x = values(random_);
    return t;
  }
  // A random float tensor, later ones more likely. With a condition: one that meets it, found in a
  // few tries, or none.
  Output pick(const std::function<bool(const Output&)>& fits = nullptr) {
    for (int attempt = 0; attempt < 20 && !outputs_.empty(); ++attempt) {
      const Output& some = outputs_[std::max(below(outputs_.size()), below(outputs_.size()))];
      if (some.dtype() == DType::kFloat && is_known(some.shape()) && (!fits || fits(some)))
        return some;
    }
    return {};
  }
  // n random outputs, possibly repeated.
  std::vector<Output> pick_any(size_t n) {
    std::vector<Output> some;
    while (some.size() < n) some.push_back(outputs_[below(outputs_.size())]);
    return some;
  }

 private:
  bool is_known(const Shape& shape) const {
    return shape.is_fully_defined() ||
           (batches_ && shape.has_rank() && shape.rank() > 0 && shape.slice(1).is_fully_defined());
  }

  Graph& graph_;
  std::mt19937_64 random_;
  bool batches_;
  std::vector<Output> outputs_;
};

// Compares the results of a prepared call for `fetches` with the naive evaluator, bit for bit.
// Returns the first difference, or "".
inline std::string difference_from_naive(const Graph& graph, Call& call,
                                         const std::vector<Output>& fetches,
                                         const std::vector<Output>& fed,
                                         const std::vector<Tensor>& values) {
  Feeds feeds;
  for (size_t i = 0; i < fed.size(); ++i) feeds.push_back({fed[i], values[i]});
  NaiveEvaluator naive(graph, feeds, fed);
  const auto& got = call(values);
  for (size_t i = 0; i < fetches.size(); ++i) {
    const Tensor expected = naive.value(fetches[i]);
    if (bit_equal(got[i], expected)) continue;
    return str_cat(fetches[i].op().node().str(), " gives\n", got[i], "\ninstead of\n", expected);
  }
  return "";
}

// Makes a graph from two placeholders, of shapes `first` and [], with the makers. Compares results
// of a prepared call for some outputs, where the placeholders and a few tensors inside the graph
// are fed, with other values in each of several runs.
inline std::string difference_from_naive(const std::vector<RandomGraph::Maker>& makers,
                                         uint64_t seed, const Shape& first = {4, 2}) {
  Graph graph;
  RandomGraph random(graph, seed);
  for (const Shape& shape : {first, Shape{}}) {
    random.grow({[&](RandomGraph& g) {
                  return std::vector<Output>{placeholder(g.graph(), DType::kFloat, shape)};
                }},
                1);
  }
  random.grow(makers, 3 + static_cast<int>(random.below(40)));
  std::vector<Output> fed = {random.outputs()[0], random.outputs()[1]};
  for (size_t i = random.below(4); i > 0; --i) {
    const Output inner = random.pick();
    if (std::find(fed.begin(), fed.end(), inner) == fed.end()) fed.push_back(inner);
  }
  const std::vector<Output> fetches = random.pick_any(1 + random.below(6));
  Session session(graph, {.threads = 1 + static_cast<int>(random.below(3))});
  Call call = session.prepare({fetches.begin(), fetches.end()}, {fed.begin(), fed.end()});
  for (int run = 1; run <= 6; ++run) {
    std::vector<Tensor> values;
    for (const Output& output : fed) values.push_back(random.tensor(output.shape()));
    const std::string difference = difference_from_naive(graph, call, fetches, fed, values);
    if (!difference.empty()) return str_cat("seed ", seed, ", run ", run, ": ", difference);
  }
  return "";
}

}  // namespace cairn
