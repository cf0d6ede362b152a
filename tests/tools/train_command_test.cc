// cairn train.
#include <cairn/cairn.h>

#include <charconv>

#include "samples/mnist_data.h"
#include "tests/support/catch.h"
#include "tests/tools/commands.h"
#include "tests/tools/line_model.h"
#include "tools/npy.h"

using namespace cairn;

TEST_CASE(
    "The command cairn train goes on as the program would, batch by batch, and saves what restores",
    "[tools]") {
  Trained t;
  const std::string to = (t.dir / "resumed").string();
  const Finished run =
      cairn_run(t.train_args(to) + std::vector<std::string>{"--batch", "2", "--steps", "7",
                                                            "--save-every", "3", "--json"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  std::string expected;
  for (int64_t step = 0; step < 7; ++step) {
    const int64_t first = 2 * step % 5, second = (first + 1) % 5;
    const auto pick = [&](const Tensor& from) {
      return Tensor::matrix<float>({{from.data<float>()[first]}, {from.data<float>()[second]}});
    };
    const Tensor loss = t.session.run_all(
        {t.line.loss}, {{t.line.x, pick(t.x)}, {t.line.y, pick(t.y)}, {t.line.rate, 0.1f}},
        {t.line.train})[0];
    char line[100];
    char* end = std::to_chars(line, line + sizeof line, loss.scalar<float>()).ptr;
    expected += str_cat(R"({"step": )", step + 1, R"(, "number": )", step + 8, R"(, "loss": )",
                        std::string(line, end), "}\n");
  }
  CHECK(run.out == expected);
  for (const char* step : {"10", "13", "14"}) CHECK(checkpoint_exists(to + "/line-" + step));
  CHECK(latest_checkpoint(to) == to + "/line-14");
  Session restored(t.graph);
  t.saver.restore(restored, to);
  CHECK(bit_equal(restored.value(t.line.w), t.session.value(t.line.w)));
  CHECK(bit_equal(restored.value(t.line.b), t.session.value(t.line.b)));
}

TEST_CASE("The command cairn train shuffles each epoch anew, alike for the same seed", "[tools]") {
  const Trained t;
  const auto losses = [&](const char* seed, const char* to) {
    return cairn_run(t.train_args((t.dir / to).string()) +
                     std::vector<std::string>{"--batch", "2", "--steps", "6", "--shuffle", seed,
                                              "--json"})
        .out;
  };
  const std::string one = losses("1", "a");
  CHECK(contains(one, "\"step\": 6"));
  CHECK(losses("1", "b") == one);
  CHECK(losses("2", "c") != one);
}

TEST_CASE(
    "The command cairn train asks for --train-op where the collection does not decide, and lists "
    "what could be meant",
    "[tools]") {
  const Trained t(true);
  const auto args =
      t.train_args((t.dir / "to").string()) + std::vector<std::string>{"--steps", "1"};
  const Finished run = cairn_run(args);
  CHECK(run.status == 2);
  CHECK(contains(run.err, "several ops"));
  CHECK(contains(run.err, "GradientDescent and other"));
  CHECK(cairn_run(args + std::vector<std::string>{"--train-op", "other"}).status == 0);
}

TEST_CASE(
    "The command cairn train feeds whole what has other rows than most, a scalar, or what it is "
    "told to",
    "[tools]") {
  const Trained t;
  const auto write = [&](const std::string& name, const Tensor& value) {
    write_npy(posix_file_system(), (t.dir / name).string(), value);
    return (t.dir / name).string();
  };
  const auto losses = [&](const std::string& to, const std::vector<std::string>& more) {
    const Finished run = cairn_run(t.train_args((t.dir / to).string()) +
                                   std::vector<std::string>{"--steps", "4", "--json"} + more);
    CAPTURE(run.err);
    CHECK(run.status == 0);
    return run.out;
  };
  // A scalar from a file is the scalar; so is one row for all, which is broadcast.
  std::vector<std::string> args =
      t.train_args((t.dir / "a").string()) +
      std::vector<std::string>{"--steps", "4", "--json", "--batch", "2"};
  const std::string expected = cairn_run(args).out;
  *std::find(args.begin(), args.end(), "--set") = "--feed";
  *std::find(args.begin(), args.end(), "rate=0.1") = "rate=" + write("rate.npy", Tensor(0.1f));
  args[args.size() - 6] = (t.dir / "b").string();
  CHECK(cairn_run(args).out == expected);

  write("y.npy", Tensor::matrix<float>({{1}}));
  const Finished asked = cairn_run(t.train_args((t.dir / "c").string()) +
                                   std::vector<std::string>{"--steps", "1", "--batch", "2"});
  CHECK(asked.status == 1);
  CHECK(contains(asked.err, "'x' has 5 rows and 'y' has 1 rows; give --whole NAME"));
  CHECK(!std::filesystem::exists(t.dir / "c"));
  const std::string uncut = losses("d", {});
  CHECK(losses("e", {"--batch", "2", "--whole", "y"}) ==
        losses("f", {"--batch", "2", "--whole", "y:0"}));
  write("y.npy", Tensor::matrix<float>({{1}, {1}, {1}, {1}, {1}}));
  CHECK(losses("g", {}) == uncut);
  CHECK(is_wrong_usage(
      cairn_run(t.train_args("h") + std::vector<std::string>{"--steps", "1", "--whole", "rate"})));
}

TEST_CASE("The command cairn train says what it takes for rows where feeds are not of one length",
          "[tools]") {
  const TempDir dir;
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1}, {.name = "x"}),
               y = placeholder(graph, DType::kFloat, {-1}, {.name = "y"}),
               fixed = placeholder(graph, DType::kFloat, {3}, {.name = "fixed"}),
               other = placeholder(graph, DType::kFloat, {-1}, {.name = "other"});
  const Variable w = variable(graph, 1.0f, {.name = "w"});
  const Output loss = reduce_mean(square(w * x - y), {}, {.name = "loss"}) +
                      reduce_sum(fixed) * reduce_sum(other) * w;
  GradientDescentOptimizer(0.125).minimize(loss);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  const std::string prefix = Saver(graph).save(session, (dir / "m").string());
  std::vector<std::string> args = {"train",   prefix, "--checkpoint", prefix, "--loss", "loss",
                                   "--steps", "1",    "--batch",      "2"};
  for (const auto& [name, size] :
       std::map<std::string, int64_t>{{"x", 4}, {"y", 4}, {"fixed", 3}, {"other", 2}}) {
    write_npy(posix_file_system(), (dir / name).string(), Tensor::zeros(DType::kFloat, {size}));
    args.insert(args.end(), {"--feed", name + "=" + (dir / name).string()});
  }
  const Finished run = cairn_run(args + std::vector<std::string>{"--dir", (dir / "to").string()});
  CAPTURE(run.err);
  CHECK(run.status == 0);
  CHECK(contains(
      run.err,
      "each step takes 2 of the 4 rows of 'x' and 'y', and all of 'fixed' [3] and 'other' [2]"));
}

TEST_CASE(
    "Training in two goes takes the rows that training in one does, also where they do not divide",
    "[tools]") {
  const Trained t;
  const std::vector<std::string> rest = {"--json", "--batch", "2"};
  for (const std::vector<std::string>& order : {std::vector<std::string>{}, {"--shuffle", "5"}}) {
    const TempDir to;
    const Finished whole = cairn_run(t.train_args((to / "12").string()) + rest + order +
                                     std::vector<std::string>{"--steps", "12"});
    const Finished first = cairn_run(t.train_args((to / "6").string()) + rest + order +
                                     std::vector<std::string>{"--steps", "6"});
    for (const std::string& meta : {t.prefix + ".meta", (to / "6/line-13.meta").string()}) {
      std::vector<std::string> args = t.train_args((to / "6+6").string());
      args[1] = meta;
      args[3] = (to / "6").string();
      const Finished second =
          cairn_run(args + rest + order + std::vector<std::string>{"--steps", "6"});
      CAPTURE(second.err);
      REQUIRE(second.status == 0);
      CHECK(contains(second.err, "continues with row 2"));
      CHECK(read_bytes(to / "12/line-19.data-00000-of-00001") ==
            read_bytes(to / "6+6/line-19.data-00000-of-00001"));
      const auto lines = whole.lines(), firsts = first.lines(), seconds = second.lines();
      REQUIRE(lines.size() == 12);
      for (size_t i = 0; i < 6; ++i) {
        CHECK(firsts.at(i) == lines[i]);
        CHECK(seconds.at(i).substr(seconds[i].find("\"loss")) ==
              lines[i + 6].substr(lines[i + 6].find("\"loss")));
      }
    }
  }
}

TEST_CASE(
    "The command cairn train begins with the row it is told, whatever the checkpoint was trained "
    "on",
    "[tools]") {
  const Trained t;
  const TempDir to;
  const std::vector<std::string> rest = {"--json", "--batch", "2", "--steps", "3"};
  const std::string from_first = cairn_run(t.train_args((to / "a").string()) + rest).out;
  const Finished again = cairn_run(t.train_args((to / "b").string()) + rest +
                                   std::vector<std::string>{"--start-row", "0"});
  CHECK(again.out == from_first);
  const Finished third = cairn_run(t.train_args((to / "c").string()) + rest +
                                   std::vector<std::string>{"--start-row", "3"});
  CHECK(third.status == 0);
  CHECK(third.out != from_first);
  std::vector<std::string> args = t.train_args((to / "d").string());
  args[3] = (to / "a").string();
  CHECK(cairn_run(args + rest + std::vector<std::string>{"--start-row", "0"}).err.empty());
  CHECK(is_wrong_usage(cairn_run(args + rest + std::vector<std::string>{"--start-row", "-1"})));
}

TEST_CASE(
    "The command cairn train begins what a checkpoint lacks with the graph's initial values when "
    "it is told to",
    "[tools]") {
  const TempDir dir;
  Graph graph;
  const Variable w = variable(graph, 3.0f, {.name = "w"});
  const Output loss = square(w, {.name = "loss"});
  MomentumOptimizer(0.125, 0.5).minimize(loss);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  const bool partial = GENERATE(false, true);
  CAPTURE(partial);
  // The .meta file's saver saves all, and the checkpoint was written by another; or it saves no
  // slots itself.
  const std::string prefix = Saver(graph, {.var_list = {w}}).save(session, (dir / "m").string());
  if (!partial) Saver(graph).export_meta_graph(prefix + ".meta");
  const auto args = [&](const std::string& from, const std::string& to) {
    return std::vector<std::string>{"train",   prefix, "--checkpoint", from, "--loss", "loss",
                                    "--steps", "2",    "--dir",        to};
  };
  const std::string to = (dir / "to").string();
  const Finished refused = cairn_run(args(prefix, to));
  CHECK(refused.status == 1);
  CHECK(contains(refused.err, "w/Momentum"));
  CHECK(contains(refused.err, "--init-rest"));
  CHECK(!std::filesystem::exists(to));
  const Finished run = cairn_run(args(prefix, to) + std::vector<std::string>{"--init-rest"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  CHECK(contains(run.err, "initial values: w/Momentum"));
  CHECK(run.lines()[0] == "step 1 (1 of 2)  loss 9.0");
  // All that the training needs is saved.
  Graph again;
  const Saver saver = import_meta_graph(again, to + "/m-2.meta");
  Session resumed(again);
  saver.restore(resumed, to);
  CHECK(resumed.uninitialized_variables().empty());
}

TEST_CASE("The command cairn train refuses an op that changes no variable, by name", "[tools]") {
  const Trained t;
  const Finished run = cairn_run(t.train_args("to") +
                                 std::vector<std::string>{"--steps", "1", "--train-op", "MatMul"});
  CHECK(is_wrong_usage(run));
  CHECK(contains(run.err,
                 "'MatMul' (MatMul) changes no variable, so it trains nothing; --train-op could be "
                 "GradientDescent"));
}

TEST_CASE("Random ops draw the same numbers for the same --seed, also for 0", "[tools]") {
  const TempDir dir;
  Graph graph;
  const Variable w = variable(graph, 1.0f, {.name = "w"});
  const Output loss = multiply(w, random_uniform(graph, {}), {.name = "loss"});
  GradientDescentOptimizer(0.125).minimize(loss);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  const std::string prefix = Saver(graph).save(session, (dir / "m").string());
  int count = 0;
  const auto train = [&](const std::vector<std::string>& seed) {
    const std::string to = (dir / str_cat("to", count++)).string();
    const Finished run =
        cairn_run(std::vector<std::string>{"train", prefix, "--checkpoint", prefix, "--loss",
                                           "loss", "--steps", "3", "--json", "--dir", to} +
                  seed);
    CAPTURE(run.err);
    CHECK(run.status == 0);
    return run.out;
  };
  CHECK(train({"--seed", "0"}) == train({"--seed", "0"}));
  CHECK(train({"--seed", "7"}) == train({"--seed", "7"}));
  CHECK(train({"--seed", "0"}) != train({"--seed", "7"}));
  CHECK(train({}) != train({}));
  const std::vector<std::string> run = {"run",     prefix, "--checkpoint", prefix,
                                        "--fetch", "loss", "--seed",       "7"};
  CHECK(cairn_run(run).out == cairn_run(run).out);
}

TEST_CASE(
    "The command cairn train trains what the snake player of TensorFlow 1.11 feeds, rows and whole",
    "[tools][compat]") {
  const auto folder = fixture("snake-dqn");
  if (!folder) return;
  const TempDir dir;
  const std::string prefix = (*folder / "model.ckpt").string();
  std::vector<std::string> args = {
      "train", prefix + ".meta", "--checkpoint",       prefix, "--loss", "Mean", "--steps",
      "2",     "--dir",          (dir / "to").string()};
  const std::vector<std::pair<std::string, Shape>> feeds = {
      {"Placeholder", {6, 8, 8, 1}}, {"Placeholder_1", {6, 1}}, {"Placeholder_2", {4, 6}}};
  for (const auto& [name, shape] : feeds) {
    Tensor value = Tensor::zeros(DType::kFloat, shape);
    for (int64_t i = 0; i < value.num_elements(); ++i)
      value.data<float>()[i] = static_cast<float>((7 * i) % 11) / 10 - 0.5f;
    write_npy(posix_file_system(), (dir / name).string(), value);
    args.insert(args.end(), {"--feed", name + "=" + (dir / name).string()});
  }
  const Finished run = cairn_run(args);
  CAPTURE(run.err);
  CHECK(run.status == 0);
  CHECK(contains(
      run.err,
      "6 of the 6 rows of 'Placeholder' and 'Placeholder_1', and all of 'Placeholder_2' [4,6]"));
}

TEST_CASE(
    "The command cairn train trains a model whose saver leaves variables out, of TensorFlow 1.6",
    "[tools][compat]") {
  const auto folder = fixture("l2l-sd");
  if (!folder) return;
  const TempDir dir;
  const std::string prefix = (*folder / "model.ckpt").string();
  write_npy(posix_file_system(), (dir / "x").string(), Tensor::zeros(DType::kFloat, {7, 784}));
  write_npy(posix_file_system(), (dir / "y").string(), Tensor::zeros(DType::kInt64, {7}));
  const std::vector<std::string> args = {
      "train",        prefix + ".meta",
      "--checkpoint", prefix,
      "--loss",       "optimizee0/Mean",
      "--train-op",   "optimizee0/Adam",
      "--feed",       "optimizee0/Placeholder=" + (dir / "x").string(),
      "--feed",       "optimizee0/Placeholder_1=" + (dir / "y").string(),
      "--steps",      "2",
      "--batch",      "3",
      "--dir",        (dir / "to").string()};
  const Finished refused = cairn_run(args);
  CHECK(refused.status == 1);
  CHECK(contains(refused.err, "--init-rest"));
  CHECK(!std::filesystem::exists(dir / "to"));
  const Finished run = cairn_run(args + std::vector<std::string>{"--init-rest"});
  CAPTURE(run.err);
  CHECK(run.status == 0);
  CHECK(contains(run.err, "new checkpoints have all variables"));
}

TEST_CASE("The command cairn train resumes what TensorFlow 1.12 trained on MNIST, with its losses",
          "[tools][compat]") {
  const auto folder = fixture("softmax-tf112");
  if (!folder) return;
  const auto digits = *folder / ".." / ".." / "mnist";
  if (!std::filesystem::exists(digits)) return skip("no MNIST beside the fixtures");
  const TempDir dir;
  const DigitData mnist = load_mnist(digits);
  write_npy(posix_file_system(), (dir / "x.npy").string(), mnist.train.images.rows(0, 300));
  write_npy(posix_file_system(), (dir / "y.npy").string(), mnist.train.labels.rows(0, 300));
  const std::string prefix = (*folder / "521model.ckpt").string();
  const Finished run = cairn_run({"train", prefix + ".meta", "--checkpoint", prefix, "--loss",
                                  "Mean", "--feed", "Placeholder=" + (dir / "x.npy").string(),
                                  "--feed", "Placeholder_1=" + (dir / "y.npy").string(), "--batch",
                                  "100", "--steps", "3", "--dir", (dir / "to").string()});
  CAPTURE(run.err, run.out);
  REQUIRE(run.status == 0);
  const double expected[] = {0.4366058111190796, 0.7860897779464722, 0.6661608815193176};
  for (int i = 0; i < 3; ++i) {
    const std::string line = run.lines().at(static_cast<size_t>(i));
    CHECK(std::stod(line.substr(line.rfind(' '))) == Approx(expected[i]).epsilon(1e-4));
  }
  CHECK(contains(run.out, "saved " + (dir / "to/521model.ckpt-3").string()));
}

TEST_CASE(
    "The command cairn train says in plain words which number of steps, rows or saves cannot be",
    "[tools]") {
  const Trained t;
  const auto args = t.train_args((t.dir / "to").string());
  for (const char* option : {"--steps", "--batch", "--save-every"}) {
    std::vector<std::string> more = {option, "0"};
    if (option != std::string("--steps")) more.insert(more.end(), {"--steps", "1"});
    const Finished run = cairn_run(args + more);
    CHECK(is_wrong_usage(run));
    CHECK(contains(run.err, str_cat(option, ": 0 is not a whole number from 1 to ")));
  }
  CHECK(is_wrong_usage(cairn_run(args)));
  CHECK(!std::filesystem::exists(t.dir / "to"));
}

TEST_CASE(
    "The command cairn train prints each save beside the steps, and nothing but steps as JSON",
    "[tools]") {
  const Trained t;
  const std::string to = (t.dir / "to").string();
  const Finished text = cairn_run(t.train_args(to) + std::vector<std::string>{"--steps", "2"});
  REQUIRE(text.lines().size() == 3);
  CHECK(contains(text.lines()[0], "step 8 (1 of 2)  loss "));
  CHECK(text.lines()[2] == "saved " + to + "/line-9");
  const Finished json =
      cairn_run(t.train_args(to) + std::vector<std::string>{"--steps", "2", "--json"});
  CHECK(json.lines().size() == 2);
  CHECK(json.err.empty());
}

TEST_CASE(
    "The command cairn train writes over no checkpoint that the directory's record does not list",
    "[tools]") {
  const Trained t;
  const TempDir to;
  const std::vector<std::string> steps = {"--steps", "3", "--save-every", "1"};
  // Another program's of that number, as a whole and as a file alone.
  for (const std::string taken : {"line-9", "line-10.meta"}) {
    std::filesystem::remove_all(to / "d");
    std::filesystem::create_directory(to / "d");
    taken == "line-9" ? write_tensors(to / "d/line-9", {{"w", Tensor(5.0f)}}) : "";
    if (taken != "line-9") write_bytes(to / "d" / taken, "somebody's own");
    const Finished run = cairn_run(t.train_args((to / "d").string()) + steps);
    CAPTURE(taken, run.err);
    CHECK(run.status == 1);
    CHECK(run.out.empty());  // before it trains
    CHECK(contains(run.err, "files of this prefix exist (" + taken));
    CHECK(contains(run.err, "d/.cairn does not list as saved here"));
    CHECK(!std::filesystem::exists(to / "d/checkpoint"));
  }
  // Its own are, until another program replaces one.
  const std::string own = (to / "own").string();
  CHECK(cairn_run(t.train_args(own) + steps).status == 0);
  CHECK(cairn_run(t.train_args(own) + steps).status == 0);
  remove_checkpoint(own + "/line-9");
  write_tensors(own + "/line-9", {{"w", Tensor(5.0f)}});
  const Finished replaced = cairn_run(t.train_args(own) + steps);
  CHECK(replaced.status == 1);
  CHECK(contains(replaced.err, "line-9: files of this prefix exist"));
}

TEST_CASE(
    "The command cairn train keeps the checkpoint and the graph that it goes on from, whose turn "
    "to go has come",
    "[tools]") {
  const Trained t;
  const std::string run = t.dir.path().string();
  // the same directory, otherwise spelled
  const std::string link = run + "/../" + t.dir.path().filename().string();
  // Seven saves, of which five stay.
  const std::vector<std::string> steps = {"--steps", "7", "--save-every", "1"};
  CHECK(cairn_run(t.train_args(link + "/") + steps).status == 0);
  for (const std::string ending : {".index", ".meta", ".data-00000-of-00001"}) {
    CHECK(std::filesystem::exists(t.prefix + ending));
  }
  CHECK(!checkpoint_exists(run + "/line-9"));
  CHECK(checkpoint_exists(run + "/line-10"));
  // A graph of one and the values of another: both stay.
  std::vector<std::string> args =
      t.train_args(run) + std::vector<std::string>{"--steps", "9", "--save-every", "1"};
  args[1] = run + "/line-11.meta";
  args[3] = run + "/line-10";
  REQUIRE(args[2] == "--checkpoint");
  const Finished over = cairn_run(args);
  CAPTURE(over.err);
  CHECK(over.status == 1);
  CHECK(contains(over.err, "line-11 is the checkpoint that the training continues from"));
  args = t.train_args(run) + std::vector<std::string>{"--steps", "8", "--save-every", "1"};
  args[1] = run + "/line-11.meta";
  args[3] = run + "/line-12";
  CHECK(cairn_run(args).status == 0);
  CHECK(checkpoint_exists(run + "/line-11"));
  CHECK(std::filesystem::exists(run + "/line-11.meta"));
  CHECK(checkpoint_exists(run + "/line-12"));
  CHECK(!checkpoint_exists(run + "/line-13"));
}

TEST_CASE("Trainings that each go on from the last checkpoint keep as many as one Saver would",
          "[tools]") {
  const Trained t;
  const TempDir to;
  const std::string run = (to / "run").string();
  const auto listed = [&] {
    std::vector<std::string> names;
    const auto state = get_checkpoint_state(run);
    for (const std::string& prefix : state->all_model_checkpoint_paths)
      names.push_back(base_name(prefix));
    return names;
  };
  std::vector<std::string> args = t.train_args(run) + std::vector<std::string>{"--steps", "1"};
  REQUIRE(args[2] == "--checkpoint");
  for (int step = 8; step <= 16; ++step) {
    const Finished trained = cairn_run(args);
    CAPTURE(step, trained.err);
    CHECK(trained.status == 0);
    CHECK(!contains(trained.err, "stay"));
    args[1] = args[3] = run;
  }
  CHECK(listed() ==
        std::vector<std::string>{"line-12", "line-13", "line-14", "line-15", "line-16"});
  CHECK(find_checkpoints(run).size() == 5);
}

TEST_CASE("Training in the directory of a Saver lists its checkpoints and lets the oldest go",
          "[tools]") {
  const TempDir dir;
  const std::string run = (dir / "run").string();
  Graph graph;
  const Line line(graph);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  Saver saver(graph, {.max_to_keep = 3});
  for (const int64_t step : {50, 100, 150, 200}) {
    session.run(line.steps.assign(constant(graph, step)));
    saver.save(session, run + "/line", {.global_step = step});
  }
  write_npy(posix_file_system(), (dir / "x.npy").string(), Tensor::matrix<float>({{1}}));
  const std::string x = (dir / "x.npy").string();
  const auto train = [&](const std::string& from) {
    return cairn_run({"train", from, "--checkpoint", from, "--loss", "loss:0", "--feed", "x=" + x,
                      "--feed", "y=" + x, "--set", "rate=0.1", "--steps", "3", "--dir", run});
  };
  const auto listed = [&] {
    std::string names;
    const auto state = get_checkpoint_state(run);
    for (const std::string& prefix : state->all_model_checkpoint_paths)
      names += base_name(prefix) + " ";
    return names;
  };
  CHECK(train(run).status == 0);
  CHECK(listed() == "line-150 line-200 line-203 ");
  CHECK(!checkpoint_exists(run + "/line-100"));
  // The one that is trained from is not deleted by the run that reads it, but by the next one.
  CHECK(train(run + "/line-150").status == 0);
  CHECK(listed() == "line-200 line-203 line-153 ");
  CHECK(checkpoint_exists(run + "/line-150"));
  CHECK(std::filesystem::exists(run + "/line-150.meta"));
  CHECK(train(run).status == 0);
  CHECK(listed() == "line-203 line-153 line-156 ");
  CHECK(!checkpoint_exists(run + "/line-150"));
  CHECK(find_checkpoints(run).size() == 3);
}

TEST_CASE(
    "The command cairn train is refused before it trains where a directory is called as the "
    "checkpoint file",
    "[tools]") {
  const Trained t;
  const TempDir to;
  std::filesystem::create_directory(to / "checkpoint");
  const Finished run =
      cairn_run(t.train_args(to.path().string()) + std::vector<std::string>{"--steps", "1"});
  CHECK(run.status == 1);
  CHECK(run.out.empty());
  CHECK(contains(
      run.err,
      "checkpoint: this is a directory, where a save writes the file that names the newest"));
}
