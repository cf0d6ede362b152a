// cairn run.
#include <cairn/cairn.h>

#include "tests/support/catch.h"
#include "tests/tools/commands.h"
#include "tests/tools/line_model.h"
#include "tools/npy.h"

using namespace cairn;

TEST_CASE("The command cairn run computes tensors from a checkpoint, files and values", "[tools]") {
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

TEST_CASE(
    "The command cairn run takes numbers of another dtype where they fit, and says where they do "
    "not",
    "[tools]") {
  const TempDir dir;
  Graph graph;
  const Output n = placeholder(graph, DType::kInt32, {-1}, {.name = "n"});
  add(n, n);
  export_meta_graph(graph, {.filename = (dir / "g.meta").string()});
  const auto run = [&](const Tensor& fed) {
    write_npy(posix_file_system(), (dir / "n.npy").string(), fed);
    return cairn_run({"run", (dir / "g.meta").string(), "--feed", "n=" + (dir / "n.npy").string(),
                      "--fetch", "Add"});
  };
  const Finished fine = run(Tensor::vector<double>({1, -4}));
  CAPTURE(fine.out, fine.err);
  CHECK(contains(fine.out, "[ 2 -8]"));
  CHECK(contains(run(Tensor::vector<double>({1.5})).err, "'n' takes int32, which has no 1.5"));
  CHECK(contains(run(Tensor::vector<int64_t>({int64_t{1} << 31})).err, "which has no 2.14748e+09"));
  for (const char* value : {"n=[1", "n=[[1],2]", "n=[1,]", "n=1.5", "n=[1] 2", "n"}) {
    CAPTURE(value);
    const Finished wrong =
        cairn_run({"run", (dir / "g.meta").string(), "--set", value, "--fetch", "Add"});
    CHECK(wrong.status != 0);
    CHECK(contains(wrong.err, "n"));
  }
}

TEST_CASE("Options of cairn run take one value each, so that they may stand before the graph",
          "[tools]") {
  const Trained t;
  const Finished run =
      cairn_run({"run", "--fetch", "w", "--checkpoint", t.prefix, t.prefix + ".meta"});
  CHECK(run.status == 0);
  CHECK(contains(run.out, "w  float  [1,1]"));
}

TEST_CASE(
    "The command cairn run says what it lacks: feeds, nodes, files, values of variables, places to "
    "write",
    "[tools]") {
  const Trained t;
  const auto fails = [&](const std::vector<std::string>& more, int status,
                         const std::string& says) {
    const Finished run = cairn_run(std::vector<std::string>{"run", t.prefix} + more);
    CAPTURE(run.err, says);
    CHECK(run.status == status);
    CHECK(contains(run.err, says));
    CHECK(run.out.empty());
  };
  fails({}, 2, "--fetch");
  fails({"--fetch", "w"}, 1, "uninitialized variable");
  fails({"--fetch", "w"}, 1, "variable: 'w'; give --checkpoint " + t.prefix);
  fails({"--checkpoint", t.prefix, "--fetch", "loss"}, 1, "a value must be fed");
  fails({"--checkpoint", t.prefix, "--fetch", "w", "--set", "nope=1"}, 1, "'nope'");
  fails({"--checkpoint", t.prefix, "--fetch", "w", "--feed", "x=none.npy"}, 1, "none.npy");
  fails({"--checkpoint", t.prefix, "--fetch", "w", "--feed", "x"}, 2, "--feed takes NAME=FILE.npy");
  fails({"--checkpoint", t.prefix, "--fetch", "w", "--fetch", "w:0", "--output", "o"}, 2,
        "two fetches");
  fails({"--checkpoint", t.prefix + "0", "--fetch", "w"}, 1, t.prefix + "0");
}

TEST_CASE(
    "The command cairn run needs of a checkpoint only what the fetches need, and names what is "
    "missing of that",
    "[tools]") {
  Trained t;
  const std::string part =
      Saver(t.graph, {.var_list = {t.line.w}}).save(t.session, (t.dir / "part").string());
  const auto run = [&](const std::string& fetch) {
    return cairn_run({"run", t.prefix, "--checkpoint", part, "--set", "x=[[1]]", "--fetch", fetch});
  };
  CHECK(run("MatMul").status == 0);
  const Finished lacks = run("add");
  CHECK(lacks.status == 1);
  CHECK(contains(lacks.err, "b"));
  CHECK(contains(lacks.err, "part"));
}

TEST_CASE(
    "The command cairn run feeds the tensors of ops that nobody describes in the dtype of their "
    "readers",
    "[tools]") {
  const TempDir dir;
  const std::string graph = (dir / "g.pbtxt").string();
  write_bytes(graph, R"(
      node { name: "next" op: "MysteryOfTheDay" }
      node { name: "y" op: "Neg" input: "next:1" attr { key: "T" value { type: DT_INT32 } } }
      node { name: "lost" op: "MysteryOfTheDay" input: "next:2" })");
  write_npy(posix_file_system(), (dir / "doubles").string(), Tensor::vector<double>({1, -4}));
  const Finished file =
      cairn_run({"run", graph, "--feed", "next:1=" + (dir / "doubles").string(), "--fetch", "y"});
  CAPTURE(file.err);
  CHECK(contains(file.out, "y  int32  [2]  [-1  4]"));
  CHECK(contains(cairn_run({"run", graph, "--set", "next:1=[3]", "--fetch", "y"}).out, "[-3]"));
  const Finished as_it_is = cairn_run(
      {"run", graph, "--feed", "next:2=" + (dir / "doubles").string(), "--fetch", "next:2"});
  CHECK(contains(as_it_is.out, "next:2  double  [2]"));
  const Finished untold = cairn_run({"run", graph, "--set", "next:2=[3]", "--fetch", "next:2"});
  CHECK(untold.status == 1);
  CHECK(contains(untold.err,
                 "its dtype is not known from the graph; feed it with --feed next:2=FILE.npy"));
}

TEST_CASE(
    "The command cairn run computes keyword spotting from features where this build cannot make "
    "them",
    "[tools][compat]") {
  const auto folder = fixture("kws-dnn");
  if (!folder) return;
  const TempDir dir;
  const std::string graph = (*folder / "DNN_S.pb").string(), features = (dir / "features").string();
  Tensor values = Tensor::zeros(DType::kFloat, {1, 25, 10});
  for (int64_t i = 0; i < 250; ++i)
    values.data<float>()[i] = static_cast<float>((7 * i) % 11) / 10 - 0.5f;
  const auto run = [&](const std::string& name, const Tensor& value) {
    write_npy(posix_file_system(), features, value);
    return cairn_run({"run", graph, "--feed", name + "=" + features, "--fetch", "labels_softmax"});
  };
  const Finished fed = run("Mfcc", values);
  CAPTURE(fed.err);
  CHECK(fed.status == 0);
  CHECK(fed.out == run("Reshape", values.reshaped({1, 250})).out);
}

TEST_CASE(
    "Arrays of no elements cost nothing to feed, compute and print, however large an extent is",
    "[tools]") {
  const TempDir dir;
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {}, {.name = "x"});
  (void)x;
  placeholder(graph, DType::kFloat, Shape::unknown(), {.name = "any"});
  export_meta_graph(graph, {.filename = (dir / "g.meta").string()});
  for (const Shape& shape :
       {Shape{int64_t{1} << 31, 0}, Shape{0, int64_t{1} << 40}, Shape{int64_t{1} << 40, 4, 0, 2}}) {
    const std::string file = (dir / "empty.npy").string();
    write_npy(posix_file_system(), file, Tensor::zeros(DType::kFloat, shape));
    for (const std::string form : {"--json", "--output"}) {
      std::vector<std::string> args = {
          "run", (dir / "g.meta").string(), "--feed", "any=" + file, "--fetch", "any", form};
      if (form == "--output") args.push_back((dir / str_cat("out", shape[0])).string());
      const Finished run = cairn_run(args);
      CAPTURE(run.err);
      CHECK(run.status == 0);
      CHECK(run.out.size() < 400);
      if (form == "--json") CHECK(contains(run.out, "\"value\": []"));
    }
    CHECK(cairn_run({"run", (dir / "g.meta").string(), "--feed", "any=" + file, "--fetch", "any"})
              .out.size() < 200);
  }
}

TEST_CASE("Commands advise what commands can do, and nothing of the library", "[tools]") {
  const TempDir dir;
  Graph graph, other;
  for (const std::string name : {"w", "b"}) {
    variable(graph, 1.0f, {.name = "model/" + name});
    variable(other, 1.0f, {.name = name});
  }
  const auto save = [&](Graph& of, const std::string& name) {
    Session session(of);
    session.run(global_variables_initializer(of));
    return Saver(of).save(session, (dir / name).string());
  };
  const std::string own = save(graph, "own"), plain = save(other, "plain");
  const Finished run = cairn_run({"run", own, "--checkpoint", plain, "--fetch", "model/w"});
  CAPTURE(run.err);
  CHECK(run.status == 1);
  CHECK(contains(run.err, "all 2 missing keys are found under other names: cairn rename " + plain +
                              " DST --re 's|^|model/|'\n"));
  CHECK(!contains(run.err, ".rename ="));
  // Of another dtype: options of the library would help.
  const std::string ints = write_tensors(dir / "ints", {{"w", Tensor(1)}, {"b", Tensor(1)}});
  const Finished dtypes = cairn_run({"run", plain, "--checkpoint", ints, "--fetch", "w"});
  CHECK(dtypes.status == 1);
  CHECK(contains(dtypes.err, "checkpoint int32"));
  CHECK(!contains(dtypes.err, "ignore_dtype"));
  const Finished none = cairn_run({"run", plain, "--fetch", "w"});
  CHECK(contains(none.err, "'w'; give --checkpoint " + plain + "\n"));
  CHECK(!contains(none.err, "global_variables_initializer"));
}

TEST_CASE(
    "The command cairn train says which checkpoints it does not count, and nothing of the library",
    "[tools]") {
  const Trained t;
  std::filesystem::remove(t.dir / ".cairn");  // as if TensorFlow had saved
  const Finished run =
      cairn_run(t.train_args(t.dir.path().string()) + std::vector<std::string>{"--steps", "1"});
  CAPTURE(run.err);
  CHECK(run.status == 0);
  CHECK(contains(run.err, "cairn train: earlier checkpoints are not removed"));
  CHECK(!contains(run.err, "recover_last_checkpoints"));
}
