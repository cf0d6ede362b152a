// Trains a softmax classifier of handwritten digits, and shows the use of a checkpoint and its
// .meta file.
//
// The run has two halves. The first one trains and saves checkpoints. The second one has a new
// graph: it imports the .meta file, restores the values and continues training with the tensors and
// ops in the file's collections, without the code that built the model. With --resume only the
// second half runs, from the newest checkpoint of the directory.
#include <cairn/cairn.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "samples/mnist_data.h"

using namespace cairn;

namespace {

struct Options {
  std::string data, dir = "mnist_run";
  int64_t steps = 1000;
  int batch = 100;
  double learning_rate = 0.5;
  uint64_t seed = 0;
  int threads = 0;
  int64_t save_every = 50;
  int max_to_keep = 5;
  bool resume = false;
};

// The tensors and ops of a graph that training uses, whether it was built or imported.
struct Model {
  Output x, y_true, accuracy, loss;
  Operation train;
  Variable global_step;
  int batch;
  uint64_t seed;
};

constexpr const char* kDataOrder = "data_order";  // collection: batch size and seed

Model build_model(Graph& graph, const Options& o) {
  auto x = placeholder(graph, DType::kFloat, {-1, 784}, {.name = "X"});
  auto y_true = placeholder(graph, DType::kFloat, {-1, 10}, {.name = "Y"});
  auto W = variable(zeros(graph, {784, 10}), {.name = "W"});
  auto b = variable(zeros(graph, {10}), {.name = "b"});
  auto y_pred = matmul(x, W) + b;
  auto loss = reduce_mean(softmax_cross_entropy_with_logits({.labels = y_true, .logits = y_pred}));
  auto correct = equal(argmax(y_pred, 1), argmax(y_true, 1));
  auto accuracy = reduce_mean(cast(correct, DType::kFloat), {}, {.name = "accuracy"});
  auto global_step = create_global_step(graph);
  auto train =
      GradientDescentOptimizer(o.learning_rate).minimize(loss, {.global_step = global_step});

  // Programs that have only the .meta file find the tensors by these collections. minimize() adds
  // the train op to "train_op".
  for (const Output& t : {x, y_true, accuracy}) graph.add_to_collection("train_var", t);
  graph.add_to_collection(GraphKeys::kLosses, loss);
  // A resumed run needs this to end with the same bits.
  for (const int64_t number : {int64_t{o.batch}, static_cast<int64_t>(o.seed)}) {
    graph.add_to_collection(kDataOrder, number);
  }
  return {x, y_true, accuracy, loss, train, global_step, o.batch, o.seed};
}

Model model_from_collections(Graph& graph) {
  const auto vars = graph.collection<Output>("train_var");
  const auto losses = graph.collection<Output>(GraphKeys::kLosses);
  const auto train = graph.collection<Operation>(GraphKeys::kTrainOp);
  const auto order = graph.collection<int64_t>(kDataOrder);
  if (vars.size() != 3 || losses.size() != 1 || train.size() != 1 || order.size() != 2) {
    fail(Code::kFailedPrecondition, "the .meta file is not of this sample: its collections have ",
         vars.size(), " train_var (3 are needed), ", losses.size(), " losses (1), ", train.size(),
         " train_op (1) and ", order.size(), " data_order (2)");
  }
  return {vars[0],
          vars[1],
          vars[2],
          losses[0],
          train[0],
          get_global_step(graph),
          static_cast<int>(order[0]),
          static_cast<uint64_t>(order[1])};
}

// One line of progress; on a terminal it is overwritten.
class Progress {
 public:
  Progress(int64_t first, int64_t last) : first_(first), last_(last) {}

  void show(int64_t step, float loss) {
    const bool terminal = isatty(STDOUT_FILENO) != 0;
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    if (terminal ? seconds < next_ && step < last_
                 : step < last_ && step * 10 / last_ == (step - 1) * 10 / last_)
      return;
    next_ = seconds + 0.1;
    const double rate = static_cast<double>(step - first_) / (seconds > 0 ? seconds : 1e-9);
    std::printf("%sstep %lld of %lld  loss %.4f  %.0f steps/s  ETA %.0f s%s%s",
                terminal ? "\r" : "", static_cast<long long>(step), static_cast<long long>(last_),
                loss, rate, static_cast<double>(last_ - step) / rate, terminal ? "\x1b[K" : "",
                step < last_ && terminal ? "" : "\n");
    std::fflush(stdout);
  }

 private:
  int64_t first_, last_;
  double next_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::string prefix_in(const std::string& dir) {
  return (std::filesystem::path(dir) / "model_ckpt").string();
}

// Trains until the global step is `last`. Saves every --save-every steps and at the end.
void train_until(int64_t last, const Model& model, Session& session, Saver& saver,
                 const Digits& digits, const Options& o) {
  Batches batches(digits, model.batch, model.seed);
  Call step = session.prepare({model.loss}, {model.x, model.y_true}, {model.train});
  const int64_t first = session.value(model.global_step).scalar<int64_t>();
  if (first >= last)
    std::printf("at step %lld of %lld: nothing to train\n", static_cast<long long>(first),
                static_cast<long long>(last));
  Progress progress(first, last);
  for (int64_t i = first; i < last; ++i) {
    const Digits& batch = batches.at(i);
    const float loss = step({batch.images, batch.labels})[0].scalar<float>();
    if ((i + 1) % o.save_every == 0 || i + 1 == last)
      saver.save(session, prefix_in(o.dir), {.global_step = i + 1});
    progress.show(i + 1, loss);
  }
}

float accuracy_on(const Digits& digits, const Model& model, Session& session) {
  return session.run(model.accuracy, {{model.x, digits.images}, {model.y_true, digits.labels}})
      .scalar<float>();
}

// The first half: builds the model and trains.
float train_first_half(const DigitData& data, const Options& o) {
  Graph graph;
  const Model model = build_model(graph, o);
  Saver saver(graph, {.max_to_keep = o.max_to_keep});
  Session session(graph, {.threads = o.threads});
  session.run(global_variables_initializer(graph));
  if (std::filesystem::exists(std::filesystem::path(o.dir) / kCheckpointFileName)) {
    std::printf("%s has an earlier run's checkpoints: starting over\n", o.dir.c_str());
    // from now on --resume continues this run
    saver.save(session, prefix_in(o.dir), {.global_step = 0});
  }
  train_until(o.steps / 2, model, session, saver, data.train, o);
  const float accuracy = accuracy_on(data.test, model, session);
  graph.reset();
  return accuracy;
}

// The second half: uses only the files.
float train_from_files(const std::string& checkpoint, const DigitData& data, const Options& o,
                       float* restored) {
  Graph graph;
  Saver saver = import_meta_graph(graph, checkpoint + ".meta");
  const Model model = model_from_collections(graph);
  Session session(graph, {.threads = o.threads});
  saver.restore(session, checkpoint);
  std::printf("restored %s\n", checkpoint.c_str());
  if (restored) *restored = accuracy_on(data.test, model, session);
  train_until(o.steps, model, session, saver, data.train, o);
  return accuracy_on(data.test, model, session);
}

void parse(int argc, char** argv, Options& o) {
  CLI::App app("Trains a softmax classifier of handwritten digits and saves checkpoints.");
  app.footer(std::string("Example:\n  ") + argv[0] + " --data mnist --dir run --steps 6000\n  " +
             argv[0] + " --data mnist --dir run --steps 12000 --resume");
  const auto number = [&](const char* flag, auto& value, int64_t least, const char* what) {
    app.add_option(flag, value, what)
        ->capture_default_str()
        ->type_name("N")
        ->check(CLI::Range(least, int64_t{1} << 53).description(""));
  };
  app.add_option("--data", o.data,
                 "folder of MNIST's four files, gzipped or not; by default digits are drawn")
      ->type_name("DIR");
  app.add_option("--dir", o.dir, "directory of the checkpoints")
      ->capture_default_str()
      ->type_name("DIR");
  number("--steps", o.steps, 2, "the global step at which training ends");
  number("--batch", o.batch, 1, "examples per step (*)");
  app.add_option("--learning-rate", o.learning_rate, "learning rate of gradient descent (*)")
      ->capture_default_str()
      ->type_name("X")
      ->check(CLI::Validator(CLI::PositiveNumber).description(""));
  number("--seed", o.seed, 0, "seed for the order of the examples (*)");
  number("--threads", o.threads, 0, "threads, 0: number of cores; results do not depend on it");
  number("--save-every", o.save_every, 1, "steps between checkpoints");
  number("--max-to-keep", o.max_to_keep, 0, "number of checkpoints to keep, 0: all (*)");
  app.add_flag("--resume", o.resume,
               "continue from the newest checkpoint in --dir; (*) then come from its .meta file");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e) == 0 ? 0 : 2);
  }
}

// The word quoted for a shell.
std::string quoted(const std::string& word) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) || std::strchr("/._-+=:,@%", c);
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::string command_to_resume(const std::string& program, const Options& o) {
  const std::string data = o.data.empty() ? "" : " --data " + quoted(o.data);
  return quoted(program) + data + " --dir " + quoted(o.dir) + " --steps " +
         std::to_string(2 * o.steps) + " --save-every " + std::to_string(o.save_every) +
         " --resume";
}

int run(const Options& o, const char* program) {
  const DigitData data = o.data.empty() ? draw_digits() : load_mnist(o.data);
  std::printf("%s\n", o.data.empty() ? "drawn digits, not MNIST; --data DIR for MNIST"
                                     : data.source.c_str());
  std::filesystem::create_directories(o.dir);

  std::optional<std::string> newest;
  if (o.resume) {
    newest = latest_checkpoint(o.dir);
    if (!newest) std::printf("no checkpoint in %s: starting afresh\n", o.dir.c_str());
  }
  const bool whole = !newest;
  float before = 0, restored = 0;
  if (whole) {
    before = train_first_half(data, o);
    newest = latest_checkpoint(o.dir);
    std::printf("graph reset; going on from %s.meta alone\n", newest->c_str());
  }
  const float accuracy = train_from_files(*newest, data, o, whole ? &restored : nullptr);
  std::printf("to go on: %s\n", command_to_resume(program, o).c_str());
  if (whole)
    std::printf("accuracy before reset: %.4f\nrestored accuracy: %.4f\n", before, restored);
  std::printf("test accuracy: %.4f\ncheckpoint: %s\n", accuracy,
              latest_checkpoint(o.dir).value_or(*newest).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  parse(argc, argv, options);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  try {
    return run(options, argv[0]);
  } catch (const std::exception& e) {
    std::cerr << "mnist_softmax: " << e.what() << "\n";
    return 1;
  }
}
