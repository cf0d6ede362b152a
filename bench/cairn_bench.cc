// Measures training steps, and for comparison the same steps written by hand in Eigen: without a
// graph, with buffers allocated once, and with the update fused into the product. Both are measured
// alternately in one run, so that the ratio is valid on a noisy machine. Also measures checkpoints,
// the time of a process to its first step, and building, planning and importing graphs.
//
//   cairn_bench [--threads T] [--secs S] [--only PREFIX] [--dir DIR] [--quick] [--table]
//
// Prints one line per result, {"workload", "peer", "threads", "batch", "metric", "value", "unit"},
// as other programs with the same workloads and data do; with --table a table.
#include <cairn/cairn.h>
#include <spawn.h>
#include <sys/wait.h>

#include <Eigen/Core>
#include <cstdio>
#include <cstring>
#include <functional>

#include "bench/bench.h"
#include "bench/checkpoint_workloads.h"

using namespace cairn;
using namespace cairn::bench;

namespace {

// ---- data: a hash of the index, so that every program trains on the same bits -------------------

uint32_t hash(uint32_t i, uint32_t seed) {
  uint32_t h = i * 2654435761u + seed * 0x9E3779B9u;
  h = (h ^ (h >> 16)) * 0x7feb352du;
  h = (h ^ (h >> 15)) * 0x846ca68bu;
  return h ^ (h >> 16);
}
float uniform(uint32_t i, uint32_t seed) {
  return static_cast<float>(hash(i, seed) >> 8) / 16777216.0f;
}

// About four fifths of the pixels are zero.
Tensor images(int64_t rows) {
  Tensor x = Tensor::uninitialized(DType::kFloat, {rows, 784});
  for (uint32_t i = 0; i < rows * 784; ++i) {
    const float u = uniform(i, 1);
    x.data<float>()[i] = u > 0.8f ? (u - 0.8f) * 5.0f : 0.0f;
  }
  return x;
}
Tensor labels(int64_t rows) {
  Tensor y = Tensor::uninitialized(DType::kInt32, {rows});
  for (uint32_t i = 0; i < rows; ++i) y.data<int32_t>()[i] = static_cast<int32_t>(hash(i, 2) % 10);
  return y;
}
Tensor weights(int64_t in, int64_t out, int layer, bool zero) {
  Tensor w = Tensor::zeros(DType::kFloat, {in, out});
  const float scale = 1.0f / std::sqrt(static_cast<float>(in));
  for (uint32_t i = 0; !zero && i < in * out; ++i) {
    w.data<float>()[i] = (uniform(i, 10 + static_cast<uint32_t>(layer)) * 2 - 1) * scale;
  }
  return w;
}

struct Workload {
  const char* name;
  std::vector<int64_t> sizes;
  float learning_rate;
  bool zero_init;
  std::vector<int64_t> train, infer;
};
const std::vector<Workload> kWorkloads = {
    {"W1-softmax", {784, 10}, 0.5f, true, {1, 100, 1000}, {1, 256, 10000}},
    {"W2-mlp512", {784, 512, 512, 10}, 0.1f, false, {128, 1024}, {1, 256, 10000}},
    {"W3-mlp128", {784, 128, 32, 10}, 0.01f, false, {100}, {}},
};
constexpr int kBatches = 4;  // steps cycle through these batches

// ---- by hand ------------------------------------------------------------------------------------

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Row = Eigen::RowVectorXf;
using ConstMap = Eigen::Map<const Matrix>;

class HandWritten {
 public:
  HandWritten(const Workload& w, int64_t batch) : batch_(batch), rate_(w.learning_rate) {
    for (size_t l = 0; l + 1 < w.sizes.size(); ++l) {
      const Tensor initial = weights(w.sizes[l], w.sizes[l + 1], static_cast<int>(l), w.zero_init);
      weights_.push_back(ConstMap(initial.data<float>(), w.sizes[l], w.sizes[l + 1]));
      biases_.push_back(Row::Zero(w.sizes[l + 1]));
      values_.emplace_back(batch, w.sizes[l + 1]);
      deltas_.emplace_back(batch, w.sizes[l + 1]);
    }
  }

  float step(const float* x, const int32_t* y) {
    infer(x);
    Matrix& top = deltas_.back();
    float loss = 0;
    for (int64_t i = 0; i < batch_; ++i) {
      loss -= std::log(top(i, y[i]));
      top(i, y[i]) -= 1;
    }
    top /= static_cast<float>(batch_);
    for (size_t l = weights_.size(); l-- > 0;) {
      if (l > 0) {
        deltas_[l - 1].noalias() = deltas_[l] * weights_[l].transpose();
        deltas_[l - 1] = (values_[l - 1].array() > 0).select(deltas_[l - 1], 0);
        weights_[l].noalias() -= rate_ * values_[l - 1].transpose() * deltas_[l];
      } else {
        weights_[0].noalias() -=
            rate_ * ConstMap(x, batch_, weights_[0].rows()).transpose() * deltas_[0];
      }
      biases_[l] -= rate_ * deltas_[l].colwise().sum();
    }
    return loss / static_cast<float>(batch_);
  }

  // The probabilities are in the last delta.
  void infer(const float* x) {
    for (size_t l = 0; l < weights_.size(); ++l) {
      const float* in = l == 0 ? x : values_[l - 1].data();
      values_[l].noalias() = ConstMap(in, batch_, weights_[l].rows()) * weights_[l];
      values_[l].rowwise() += biases_[l];
      if (l + 1 < weights_.size()) values_[l] = values_[l].cwiseMax(0.0f);
    }
    for (int64_t i = 0; i < batch_; ++i) {
      auto row = deltas_.back().row(i);
      row = (values_.back().row(i).array() - values_.back().row(i).maxCoeff()).exp();
      row /= row.sum();
    }
  }

 private:
  int64_t batch_;
  float rate_;
  std::vector<Matrix> weights_, values_, deltas_;
  std::vector<Row> biases_;
};

// ---- as a graph ---------------------------------------------------------------------------------

struct Model {
  Model(const Workload& w, int threads) : session(graph, {.threads = threads}) {
    x = placeholder(graph, DType::kFloat, {-1, 784});
    y = placeholder(graph, DType::kInt32, {-1});
    Output value = x;
    for (size_t l = 0; l + 1 < w.sizes.size(); ++l) {
      const Variable kernel =
          variable(graph, weights(w.sizes[l], w.sizes[l + 1], static_cast<int>(l), w.zero_init));
      value = bias_add(matmul(value, kernel), variable(zeros(graph, {w.sizes[l + 1]})));
      if (l + 2 < w.sizes.size()) value = relu(value);
    }
    probabilities = softmax(value);
    loss = reduce_mean(sparse_softmax_cross_entropy_with_logits({.labels = y, .logits = value}));
    train = GradientDescentOptimizer(w.learning_rate).minimize(loss);
    session.run(global_variables_initializer(graph));
  }
  Graph graph;
  Session session;
  Output x, y, probabilities, loss;
  Operation train;
};

// ---- measuring ----------------------------------------------------------------------------------

// Seconds per call of each: the medians of seven measurements, alternating between the two. `hand`
// is measured only for the table: lines of JSON are compared with programs that run alone, with
// threads and caches of their own.
std::pair<double, double> time_in_turns(const Options& o, const std::function<void()>& cairn,
                                        const std::function<void()>& hand) {
  const std::function<void()>* const runs[] = {&cairn, &hand};
  const size_t count = o.table ? 2 : 1;
  int64_t calls[2] = {};
  for (size_t which = 0; which < count; ++which) {
    const double start = now();
    int64_t done = 0;
    do {
      (*runs[which])();
      ++done;
    } while (now() - start < o.seconds / 8 || done < 3);
    calls[which] = std::max<int64_t>(
        1, static_cast<int64_t>(static_cast<double>(done) * (o.seconds / 14) / (now() - start)));
  }
  std::vector<double> times[2];
  for (int turn = 0; turn < 7; ++turn) {
    for (size_t which = 0; which < count; ++which) {
      const double start = now();
      for (int64_t i = 0; i < calls[which]; ++i) (*runs[which])();
      times[which].push_back((now() - start) / static_cast<double>(calls[which]));
    }
  }
  for (auto& list : times) std::sort(list.begin(), list.end());
  return {times[0][3], o.table ? times[1][3] : 0};
}

void report(const Options& o, const std::string& workload, int64_t batch, const char* metric,
            double cairn_s, double hand_s) {
  if (!o.table) {
    print_json(o, workload, "cairn", batch, metric, cairn_s * 1e6, "us");
  } else {
    std::printf("%-22s %6lld %12.2f %12.2f %10.0f %8.2f\n", workload.c_str(),
                static_cast<long long>(batch), cairn_s * 1e6, hand_s * 1e6, 1 / cairn_s,
                cairn_s / hand_s);
  }
  std::fflush(stdout);
}

void measure_training(const Options& o, const Workload& w, int64_t batch) {
  const Tensor x = images(batch * kBatches), y = labels(batch * kBatches);
  Model model(w, o.threads);
  Call call = model.session.prepare({model.loss}, {model.x, model.y}, {model.train});
  std::vector<std::vector<Tensor>> feeds;
  for (int64_t k = 0; k < kBatches; ++k)
    feeds.push_back({x.rows(k * batch, (k + 1) * batch), y.rows(k * batch, (k + 1) * batch)});
  HandWritten hand(w, batch);
  size_t at = 0, hand_at = 0;
  float loss = 0, hand_loss = 0;
  const auto step = [&] { loss = call(feeds[at++ % kBatches])[0].scalar<float>(); };
  const auto hand_step = [&] {
    const auto& feed = feeds[hand_at++ % kBatches];
    hand_loss = hand.step(feed[0].data<float>(), feed[1].data<int32_t>());
  };
  for (int i = 0; i < 10; ++i) {
    step();
    hand_step();
  }
  if (std::abs(loss - hand_loss) > 1e-4f * std::abs(hand_loss)) {
    fail(Code::kInternal, w.name, ": the losses after ten steps differ: ", loss, " and by hand ",
         hand_loss);
  }
  if (!o.table) print_json(o, w.name, "cairn", batch, "loss_step10", loss, "nat");
  const auto [cairn_s, hand_s] = time_in_turns(o, step, hand_step);
  report(o, w.name, batch, "step_time", cairn_s, hand_s);
}

void measure_inference(const Options& o, const Workload& w, int64_t batch) {
  const Tensor x = images(batch);
  Model model(w, o.threads);
  Call call = model.session.prepare({model.probabilities}, {model.x});
  HandWritten hand(w, batch);
  const std::vector<Tensor> feed = {x};
  const auto [cairn_s, hand_s] = time_in_turns(
      o, [&] { call(feed); }, [&] { hand.infer(x.data<float>()); });
  report(o, std::string("W4-infer-") + w.name, batch, "call_time", cairn_s, hand_s);
}

// A chain of a thousand adds: measures the overhead of an op.
void measure_chain(const Options& o, int64_t width) {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {width});
  const Output increment = constant(
      graph, Tensor::of<float>({width}, std::vector<float>(static_cast<size_t>(width), 1e-3f)));
  Output y = x;
  for (int i = 0; i < 1000; ++i) y = y + increment;
  Session session(graph, {.threads = o.threads});
  Call call = session.prepare({y}, {x});
  const std::vector<Tensor> feed = {Tensor::zeros(DType::kFloat, {width})};
  std::vector<float> sum(static_cast<size_t>(width));
  const auto loop = [&] {
    for (int i = 0; i < 1000; ++i) {
      for (float& s : sum) s += 1e-3f;
      asm volatile("" ::"r"(sum.data()) : "memory");
    }
  };
  const auto [cairn_s, hand_s] = time_in_turns(
      o, [&] { call(feed); }, loop);
  const std::string name = width == 1 ? "W5-chain1000-scalar" : "W5-chain1000-vec8";
  if (!o.table) {
    print_json(o, name, "cairn", 1, "ns_per_op", cairn_s * 1e6, "ns");
  } else {
    std::printf("%-22s %6d %12.2f %12.2f   (ns per op)\n", name.c_str(), 1, cairn_s * 1e6,
                hand_s * 1e6);
  }
}

// ---- processes and graphs -----------------------------------------------------------------------

constexpr const char* kFirstStep = "--first-step";

// The program that `cairn_bench --first-step` runs.
int first_step() {
  const Workload& w = kWorkloads[0];
  Model model(w, 1);
  model.session.run(model.train, {{model.x, images(100)}, {model.y, labels(100)}});
  return 0;
}

double median_of(int rounds, const std::function<double()>& measure) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) times.push_back(measure());
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void report_plain(const Options& o, const char* workload, int64_t batch, const char* metric,
                  double value, const char* unit) {
  if (o.table) {
    std::printf("%-22s %6lld %12.3f %s (%s)\n", workload, static_cast<long long>(batch), value,
                unit, metric);
  } else {
    print_json(o, workload, "cairn", batch, metric, value, unit);
  }
}

// The time of a process from start to end, with one training step, measured by its parent.
void measure_startup(const Options& o, const char* program) {
  const auto once = [&] {
    char first_step_argument[16];
    std::strcpy(first_step_argument, kFirstStep);
    std::string path = program;
    char* arguments[] = {path.data(), first_step_argument, nullptr};
    pid_t child = 0;
    int status = 0;
    const double start = now();
    if (posix_spawn(&child, program, nullptr, nullptr, arguments, environ) != 0 ||
        waitpid(child, &status, 0) < 0 || status != 0) {
      fail(Code::kInternal, program, " ", kFirstStep, " did not end well");
    }
    return now() - start;
  };
  report_plain(o, "W7-startup", 0, "process", 1e3 * median_of(o.quick ? 5 : 21, once), "ms");
}

// The cost per node of adding nodes to a graph, planning a first run, and importing a .meta file.
void measure_graph(const Options& o) {
  const int nodes = o.quick ? 10'000 : 100'000;
  const auto rounds = [](const std::function<double()>& measure) { return median_of(5, measure); };
  double build = 0, plan = 0;
  rounds([&] {
    Graph graph;
    const Output x = placeholder(graph, DType::kFloat, {});
    Output y = x;
    const double start = now();
    for (int i = 1; i < nodes; ++i) y = negative(y);
    build = now() - start;
    Session session(graph, {.threads = o.threads});
    const double planned = now();
    Call call = session.prepare({y}, {x});
    plan = now() - planned;
    return 0.0;
  });
  report_plain(o, "W9-graph", nodes, "build", 1e9 * build / nodes, "ns");
  report_plain(o, "W9-graph", nodes, "plan", 1e9 * plan / nodes, "ns");
  Graph graph;
  Output y = placeholder(graph, DType::kFloat, {});
  for (int i = 1; i < nodes / 2; ++i) y = negative(y);
  const std::string file = export_meta_graph(graph).bytes();
  const double import = rounds([&] {
    Graph other;
    const double start = now();
    import_meta_graph_def(other, MetaGraph::parse(file, "chain.meta"));
    return now() - start;
  });
  report_plain(o, "W9-graph", nodes / 2, "import", 1e3 * import, "ms");
}

void run(const Options& o, const char* program) {
  Eigen::setNbThreads(o.threads);
  if (o.table)
    std::printf("%-22s %6s %12s %12s %10s %8s   (%d threads; by hand: 1)\n", "workload", "batch",
                "cairn us", "by hand us", "steps/s", "ratio", o.threads);
  for (const Workload& w : kWorkloads) {
    for (int64_t batch : w.train) {
      if (o.wants(w.name)) measure_training(o, w, batch);
    }
    for (int64_t batch : w.infer) {
      if (o.wants(std::string("W4-infer-") + w.name)) measure_inference(o, w, batch);
    }
  }
  for (int64_t width : {1, 8}) {
    if (o.wants("W5-chain1000")) measure_chain(o, width);
  }
  measure_checkpoints(o);
  if (o.wants("W7-startup")) measure_startup(o, program);
  if (o.wants("W9-graph")) measure_graph(o);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == kFirstStep) return first_step();
  return main_of("cairn_bench", argc, argv, [&](const Options& o) { run(o, "/proc/self/exe"); });
}
