// A checkpoint of a line, and rows to train it on.
#pragma once

#include <cairn/cairn.h>

#include <string>
#include <vector>

#include "tests/support/fixtures.h"
#include "tools/npy.h"

namespace cairn {

// y = w x + b with rate-fed steps; the checkpoint is DIR/line-7, whose global step is 7.
struct Line {
  explicit Line(Graph& graph, bool two_train_ops = false) {
    x = placeholder(graph, DType::kFloat, {-1, 1}, {.name = "x"});
    y = placeholder(graph, DType::kFloat, {-1, 1}, {.name = "y"});
    rate = placeholder(graph, DType::kFloat, {}, {.name = "rate"});
    w = variable(zeros(graph, {1, 1}), {.name = "w"});
    b = variable(zeros(graph, {1}), {.name = "b"});
    loss = reduce_mean(square(matmul(x, w) + b - y), {}, {.name = "loss"});
    steps = create_global_step(graph);
    train = GradientDescentOptimizer(rate).minimize(loss, {.global_step = steps});
    if (two_train_ops) GradientDescentOptimizer(rate).minimize(loss, {.name = "other"});
  }
  Output x, y, rate, loss;
  Variable w, b, steps;
  Operation train;
};

struct Trained {
  explicit Trained(bool two_train_ops = false)
      : line(graph, two_train_ops), saver(graph), session(graph) {
    session.run(global_variables_initializer(graph));
    session.run(line.steps.assign(constant(graph, int64_t{7})));
    prefix = saver.save(session, (dir / "line").string(), {.global_step = 7});
    write_npy(posix_file_system(), x_file(), x);
    write_npy(posix_file_system(), y_file(), y);
  }
  std::string x_file() const { return (dir / "x.npy").string(); }
  std::string y_file() const { return (dir / "y.npy").string(); }
  std::vector<std::string> train_args(const std::string& to) const {
    return {"train",  prefix + ".meta", "--checkpoint",  prefix,   "--loss",
            "loss:0", "--feed",         "x=" + x_file(), "--feed", "y=" + y_file(),
            "--set",  "rate=0.1",       "--dir",         to};
  }

  TempDir dir;
  Graph graph;
  Line line;
  Saver saver;
  Session session;
  std::string prefix;
  Tensor x = Tensor::matrix<float>({{1}, {2}, {-1}, {0.5f}, {3}}),
         y = Tensor::matrix<float>({{3}, {5}, {-1}, {2}, {7}});
};

inline std::vector<std::string> operator+(std::vector<std::string> args,
                                          const std::vector<std::string>& more) {
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

}  // namespace cairn
