// The samples of TensorFlow's guides to saving and to meta graphs: that they run, and what they
// print.
#include <algorithm>
#include <cstdlib>

#include "persist/checkpoint/bundle.h"
#include "persist/graph/meta_graph.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace cairn;

namespace {

using Lines = std::vector<std::string>;

// What the sample prints, run with `dir` to write to.
Finished run_sample(const std::string& name, const TempDir& dir) {
  const Finished run = run_program(built_program("samples/" + name), {dir.path()}, dir.path());
  CAPTURE(name, run.out, run.err);
  REQUIRE(run.status == 0);
  REQUIRE(run.err.empty());
  return run;
}

double last_number(const std::string& line) { return std::stod(line.substr(line.rfind(' '))); }

}  // namespace

TEST_CASE("The sample save_restore prints the output shown in the guide", "[samples][guide]") {
  const TempDir dir;
  CHECK(run_sample("save_restore", dir).lines() ==
        Lines{"Model saved in path: " + (dir / "model.ckpt").string(), "Model restored.",
              "v1 : [1. 1. 1.]", "v2 : [-1. -1. -1. -1. -1.]"});
}

TEST_CASE("The sample choose_variables restores the chosen variables, and leaves the rest",
          "[samples][guide]") {
  const TempDir dir;
  CHECK(run_sample("choose_variables", dir).lines() ==
        Lines{"v1 : [0. 0. 0.]", "v2 : [-1. -1. -1. -1. -1.]",           // by name
              "v1 : [1. 1. 1.]", "v2 : (no value)", "not restored: v2",  // a list
              "weight : [1. 1. 1.]", "bias : [-1. -1. -1. -1. -1.]",     // under other names
              "early is in the checkpoint", "late is not in the checkpoint"});
}

TEST_CASE("The sample inspect_checkpoint prints names, every tensor and one of them",
          "[samples][guide]") {
  const TempDir dir;
  const Finished run = run_program(built_program("samples/inspect_checkpoint"), {}, dir.path());
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  CHECK(run.out.find("v1 (DT_FLOAT) [3]\nv2 (DT_FLOAT) [5]\n") != std::string::npos);
  CHECK(run.out.find(
            "tensor_name:  v1\n[1. 1. 1.]\ntensor_name:  v2\n[-1. -1. -1. -1. -1.]\n# only v1\n"
            "tensor_name:  v1\n[1. 1. 1.]\n") != std::string::npos);
  CHECK(run.out.find("v2: 5 elements of float, [5]\n") != std::string::npos);
  const Finished missing =
      run_program(built_program("samples/inspect_checkpoint"), {dir / "nothing"});
  CHECK(missing.status == 1);
  CHECK(missing.err.find("nothing") != std::string::npos);
}

TEST_CASE(
    "The sample export_import uses the model from every form of its graph, and twice in one graph",
    "[samples][guide]") {
  const TempDir dir;
  const Finished run = run_sample("export_import", dir);
  const Lines lines = run.lines();
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] ==
        "model.meta: inputs outputs scratch trainable_variables variables; y = [ 5. 23.]");
  const std::string chosen = ": inputs outputs; y = [ 5. 23.]";
  for (size_t i = 1; i < 4; ++i) CHECK(lines[i].ends_with(chosen));
  CHECK(lines[4] == "add:0 = [[10.]]");
  CHECK(read_bytes(dir / "chosen.pbtxt").find("collection_def {") != std::string::npos);
  CHECK(read_bytes(dir / "chosen.json").starts_with("{"));
}

TEST_CASE("The sample extend_graph trains the imported graph, and saves the extended one",
          "[samples][guide]") {
  const TempDir dir;
  const Lines lines = run_sample("extend_graph", dir).lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].starts_with("6 variables restored, loss "));
  CHECK(last_number(lines[1]) < last_number(lines[0]) / 2);
  const BundleReader saved(posix_file_system(), (dir / "my-model-50").string());
  CHECK(saved.find("hidden1/weights"));
  Graph graph;
  import_meta_graph_def(graph, (dir / "my-model-50.meta").string());
  CHECK(graph.collection<Operation>("train_op").at(0).name() == "GradientDescent");
  CHECK(graph.collection<Output>("summaries").at(0).op().type() == "ScalarSummary");
}

TEST_CASE("The sample hyperparameters reads its settings back", "[samples][guide]") {
  const TempDir dir;
  CHECK(run_sample("hyperparameters", dir).lines() ==
        Lines{"learning rate 0.05, 16 hidden units", "note: first try", "note: no dropout"});
}

TEST_CASE("The sample moving_average restores the averages under the variables' names",
          "[samples][guide]") {
  const TempDir dir;
  const Lines lines = run_sample("moving_average", dir).lines();
  REQUIRE(lines.size() == 4);
  CHECK(lines[1] == "height <- height/ExponentialMovingAverage");
  CHECK(lines[2] == "slope <- slope/ExponentialMovingAverage");
  const BundleReader saved(posix_file_system(), (dir / "line").string());
  const auto text = [&](const std::string& name) { return saved.read(name).str(); };
  CHECK(lines[0] == "trained: y = " + text("slope") + " x + " + text("height"));
  CHECK(lines[3] == "averaged: y = " + text("slope/ExponentialMovingAverage") + " x + " +
                        text("height/ExponentialMovingAverage"));
  CHECK(last_number(lines[3]) == Approx(1).margin(0.05));  // the noise is averaged out of it
  CHECK(last_number(lines[0]) != Approx(1).margin(0.05));
}

TEST_CASE("The sample freeze_and_serve serves from one file", "[samples][guide]") {
  const TempDir dir;
  const Lines lines = run_sample("freeze_and_serve", dir).lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].starts_with("6 of "));
  CHECK(lines[1].ends_with("is of class 0"));
  CHECK(lines[2].ends_with("is of class 1"));
}

TEST_CASE(
    "The sample versions keeps the newest three and one for every two hours, across a restart",
    "[samples][guide]") {
  const TempDir dir;
  const Lines lines = run_sample("versions", dir).lines();
  REQUIRE(lines.size() >= 6);
  CHECK(lines[0] == "going on from model-6");
  CHECK(lines[1] == "newest: model-10");
  CHECK((Lines{lines[2], lines[3], lines[4]} ==
         Lines{"listed: model-8", "listed: model-9", "listed: model-10"}));
  const Lines there(lines.begin() + 5, lines.end());
  for (const char* newest : {"there: model-8", "there: model-9", "there: model-10"}) {
    CHECK(std::find(there.begin(), there.end(), newest) != there.end());
  }
  CHECK(there.size() > 3);  // some hours' checkpoint is kept for good
  CHECK(there.size() < 7);
}
