// cairn run and cairn train.
#include <cairn/cairn.h>

#include <charconv>

#include "samples/mnist_data.h"
#include "tests/support/catch.h"
#include "tests/tools/commands.h"
#include "tools/npy.h"

using namespace cairn;

namespace {

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
  explicit Trained(bool two_train_ops = false) : line(graph, two_train_ops), saver(graph), session(graph) {
    session.run(global_variables_initializer(graph));
    session.run(line.steps.assign(constant(graph, int64_t{7})));
    prefix = saver.save(session, (dir / "line").string(), {.global_step = 7});
    write_npy(posix_file_system(), x_file(), x);
    write_npy(posix_file_system(), y_file(), y);
  }
  std::string x_file() const { return (dir / "x.npy").string(); }
  std::string y_file() const { return (dir / "y.npy").string(); }
  std::vector<std::string> train_args(const std::string& to) const {
    return {"train",         prefix + ".meta", "--checkpoint",  prefix,  "--loss",   "loss:0", "--feed",
            "x=" + x_file(), "--feed",         "y=" + y_file(), "--set", "rate=0.1", "--dir",  to};
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

std::vector<std::string> operator+(std::vector<std::string> args, const std::vector<std::string>& more) {
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

}  // namespace

TEST_CASE("cairn run computes tensors from a checkpoint, files and values", "[tools]") {
  const Trained t;
  const std::vector<std::string> args = {"run",          t.prefix,
                                         "--checkpoint", t.dir.path().string(),
                                         "--feed",       "x=" + t.x_file(),
                                         "--set",        "y:0=[[1], [1], [1], [1], [3]]",
                                         "--fetch",      "loss",
                                         "--fetch",      "MatMul:0"};
  const Finished text = cairn_run(args);
  CAPTURE(text.err);
  REQUIRE(text.status == 0);
  CHECK(contains(text.out, "loss  float  []  2.6\n"));
  CHECK(contains(
      cairn_run(args + std::vector<std::string>{"--json"}).out,
      R"({"loss": {"dtype": "float", "shape": [], "value": 2.6}, "MatMul:0": {"dtype": "float", "shape": [5, 1])"));
  const std::string out = (t.dir / "out").string();
  REQUIRE(cairn_run(args + std::vector<std::string>{"--output", out}).status == 0);
  CHECK(read_npy(posix_file_system(), out + "/loss.npy").scalar<float>() == 2.6f);
  CHECK(read_npy(posix_file_system(), out + "/MatMul.npy").shape() == Shape{5, 1});
}

TEST_CASE("cairn run takes numbers of another dtype where they fit, and says where they do not", "[tools]") {
  const TempDir dir;
  Graph graph;
  const Output n = placeholder(graph, DType::kInt32, {-1}, {.name = "n"});
  add(n, n);
  export_meta_graph(graph, {.filename = (dir / "g.meta").string()});
  const auto run = [&](const Tensor& fed) {
    write_npy(posix_file_system(), (dir / "n.npy").string(), fed);
    return cairn_run({"run", (dir / "g.meta").string(), "--feed", "n=" + (dir / "n.npy").string(), "--fetch", "Add"});
  };
  const Finished fine = run(Tensor::vector<double>({1, -4}));
  CAPTURE(fine.out, fine.err);
  CHECK(contains(fine.out, "[ 2 -8]"));
  CHECK(contains(run(Tensor::vector<double>({1.5})).err, "'n' takes int32, which has no 1.5"));
  CHECK(contains(run(Tensor::vector<int64_t>({int64_t{1} << 31})).err, "which has no 2.14748e+09"));
  for (const char* value : {"n=[1", "n=[[1],2]", "n=[1,]", "n=1.5", "n=[1] 2", "n"}) {
    CAPTURE(value);
    const Finished wrong = cairn_run({"run", (dir / "g.meta").string(), "--set", value, "--fetch", "Add"});
    CHECK(wrong.status != 0);
    CHECK(contains(wrong.err, "n"));
  }
}

TEST_CASE("cairn train goes on as the program would, batch by batch, and saves what restores", "[tools]") {
  Trained t;
  const std::string to = (t.dir / "resumed").string();
  const Finished run = cairn_run(
      t.train_args(to) + std::vector<std::string>{"--batch", "2", "--steps", "7", "--save-every", "3", "--json"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  std::string expected;
  for (int64_t step = 0; step < 7; ++step) {
    const int64_t first = 2 * step % 5, second = (first + 1) % 5;
    const auto pick = [&](const Tensor& from) {
      return Tensor::matrix<float>({{from.data<float>()[first]}, {from.data<float>()[second]}});
    };
    const Tensor loss = t.session.run_all(
        {t.line.loss}, {{t.line.x, pick(t.x)}, {t.line.y, pick(t.y)}, {t.line.rate, 0.1f}}, {t.line.train})[0];
    char line[100];
    char* end = std::to_chars(line, line + sizeof line, loss.scalar<float>()).ptr;
    expected += str_cat(R"({"step": )", step + 1, R"(, "loss": )", std::string(line, end), "}\n");
  }
  CHECK(run.out == expected);
  for (const char* step : {"10", "13", "14"}) CHECK(checkpoint_exists(to + "/line-" + step));
  CHECK(latest_checkpoint(to) == to + "/line-14");
  Session restored(t.graph);
  t.saver.restore(restored, to);
  CHECK(bit_equal(restored.value(t.line.w), t.session.value(t.line.w)));
  CHECK(bit_equal(restored.value(t.line.b), t.session.value(t.line.b)));
}

TEST_CASE("cairn train shuffles each epoch anew, alike for the same seed", "[tools]") {
  const Trained t;
  const auto losses = [&](const char* seed, const char* to) {
    return cairn_run(t.train_args((t.dir / to).string()) +
                     std::vector<std::string>{"--batch", "2", "--steps", "6", "--shuffle", seed, "--json"})
        .out;
  };
  const std::string one = losses("1", "a");
  CHECK(contains(one, "\"step\": 6"));
  CHECK(losses("1", "b") == one);
  CHECK(losses("2", "c") != one);
}

TEST_CASE("cairn train asks for --train-op where the collection does not decide, and lists what could be meant",
          "[tools]") {
  const Trained t(true);
  const auto args = t.train_args((t.dir / "to").string()) + std::vector<std::string>{"--steps", "1"};
  const Finished run = cairn_run(args);
  CHECK(run.status == 2);
  CHECK(contains(run.err, "several ops"));
  CHECK(contains(run.err, "GradientDescent and other"));
  CHECK(cairn_run(args + std::vector<std::string>{"--train-op", "other"}).status == 0);
}

TEST_CASE("cairn train refuses files with different numbers of rows", "[tools]") {
  const Trained t;
  write_npy(posix_file_system(), t.y_file(), Tensor::matrix<float>({{1}}));
  const Finished run = cairn_run(t.train_args((t.dir / "to").string()) + std::vector<std::string>{"--steps", "1"});
  CHECK(run.status == 1);
  CHECK(contains(run.err, "has 1 rows"));
}

TEST_CASE("cairn train resumes what TensorFlow 1.12 trained on MNIST, with its losses", "[tools][compat]") {
  const auto folder = fixture("softmax-tf112");
  if (!folder) return;
  const auto digits = *folder / ".." / ".." / "mnist";
  if (!std::filesystem::exists(digits)) return skip("no MNIST beside the fixtures");
  const TempDir dir;
  const DigitData mnist = load_mnist(digits);
  write_npy(posix_file_system(), (dir / "x.npy").string(), mnist.train.images.rows(0, 300));
  write_npy(posix_file_system(), (dir / "y.npy").string(), mnist.train.labels.rows(0, 300));
  const std::string prefix = (*folder / "521model.ckpt").string();
  const Finished run =
      cairn_run({"train", prefix + ".meta", "--checkpoint", prefix, "--loss", "Mean", "--feed",
                 "Placeholder=" + (dir / "x.npy").string(), "--feed", "Placeholder_1=" + (dir / "y.npy").string(),
                 "--batch", "100", "--steps", "3", "--dir", (dir / "to").string()});
  CAPTURE(run.err, run.out);
  REQUIRE(run.status == 0);
  const double expected[] = {0.4366058111190796, 0.7860897779464722, 0.6661608815193176};
  for (int i = 0; i < 3; ++i) {
    const std::string line = run.lines().at(static_cast<size_t>(i));
    CHECK(std::stod(line.substr(line.rfind(' '))) == Approx(expected[i]).epsilon(1e-4));
  }
  CHECK(contains(run.out, "saved " + (dir / "to/521model.ckpt-3").string()));
}

TEST_CASE("Options of cairn run take one value each, so that they may stand before the graph", "[tools]") {
  const Trained t;
  const Finished run = cairn_run({"run", "--fetch", "w", "--checkpoint", t.prefix, t.prefix + ".meta"});
  CHECK(run.status == 0);
  CHECK(contains(run.out, "w  float  [1,1]"));
}

TEST_CASE("cairn run says what it lacks: feeds, nodes, files, values of variables, places to write", "[tools]") {
  const Trained t;
  const auto fails = [&](const std::vector<std::string>& more, int status, const std::string& says) {
    const Finished run = cairn_run(std::vector<std::string>{"run", t.prefix} + more);
    CAPTURE(run.err, says);
    CHECK(run.status == status);
    CHECK(contains(run.err, says));
    CHECK(run.out.empty());
  };
  fails({}, 2, "--fetch");
  fails({"--fetch", "w"}, 1, "uninitialized variable");
  fails({"--checkpoint", t.prefix, "--fetch", "loss"}, 1, "a value must be fed");
  fails({"--checkpoint", t.prefix, "--fetch", "w", "--set", "nope=1"}, 1, "'nope'");
  fails({"--checkpoint", t.prefix, "--fetch", "w", "--feed", "x=none.npy"}, 1, "none.npy");
  fails({"--checkpoint", t.prefix, "--fetch", "w", "--feed", "x"}, 2, "--feed takes NAME=FILE.npy");
  fails({"--checkpoint", t.prefix, "--fetch", "w", "--fetch", "w:0", "--output", "o"}, 2, "two fetches");
  fails({"--checkpoint", t.prefix + "0", "--fetch", "w"}, 1, t.prefix + "0");
}

TEST_CASE("cairn train says in plain words which number of steps, rows or saves cannot be", "[tools]") {
  const Trained t;
  const auto args = t.train_args((t.dir / "to").string());
  for (const char* option : {"--steps", "--batch", "--save-every"}) {
    std::vector<std::string> more = {option, "0"};
    if (option != std::string("--steps")) more.insert(more.end(), {"--steps", "1"});
    const Finished run = cairn_run(args + more);
    CHECK(is_wrong_usage(run));
    CHECK(contains(run.err, str_cat(option, ": 0 is no number from 1 on")));
  }
  CHECK(is_wrong_usage(cairn_run(args)));
  CHECK(!std::filesystem::exists(t.dir / "to"));
}

TEST_CASE("cairn train prints each save beside the steps, and nothing but steps as JSON", "[tools]") {
  const Trained t;
  const std::string to = (t.dir / "to").string();
  const Finished text = cairn_run(t.train_args(to) + std::vector<std::string>{"--steps", "2"});
  REQUIRE(text.lines().size() == 3);
  CHECK(contains(text.lines()[0], "step 1  loss "));
  CHECK(text.lines()[2] == "saved " + to + "/line-9");
  const Finished json = cairn_run(t.train_args(to) + std::vector<std::string>{"--steps", "2", "--json"});
  CHECK(json.lines().size() == 2);
  CHECK(json.err.empty());
}
