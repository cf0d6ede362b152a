// What cairn meta says a graph is for, and SavedModels given to the commands.
#include <cairn/cairn.h>

#include <algorithm>
#include <sstream>

#include "persist/version.h"

#include "tests/support/catch.h"
#include "tests/support/saved_model.h"
#include "tests/tools/commands.h"

using namespace cairn;

namespace {

// The lines of a list that cairn meta prints, without indentation and with single blanks.
std::vector<std::string> lines_under(const std::string& out, const std::string& title) {
  std::vector<std::string> lines;
  std::istringstream in(out);
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("  ")) {
      inside = line.starts_with(title + ":");
      continue;
    }
    if (!inside) continue;
    std::istringstream words(line);
    std::string joined;
    for (std::string word; words >> word;) joined += (joined.empty() ? "" : " ") + word;
    lines.push_back(joined);
  }
  return lines;
}

using Lines = std::vector<std::string>;

Finished meta_of(const Graph& graph, const TempDir& dir) {
  const std::string file = (dir / "g.meta").string();
  export_meta_graph(graph, {.filename = file});
  return cairn_run({"meta", file});
}

// Two layers, softmax, dropout with a rate that has a default, accuracy; trained or not.
void build_classifier(Graph& graph, bool trained) {
  const Output rate = placeholder(graph, DType::kFloat, {}, {.name = "rate"});
  const Output x = placeholder(graph, DType::kFloat, {-1, 4}, {.name = "x"});
  const Output labels = placeholder(graph, DType::kFloat, {-1, 3}, {.name = "labels"});
  const Output keep =
      placeholder_with_default(constant(graph, Tensor(1.0f)), Shape{}, {.name = "keep_prob"});
  const Variable w1 = variable(zeros(graph, {4, 5}), {.name = "w1"});
  const Variable w2 = variable(zeros(graph, {5, 3}), {.name = "w2"});
  const Output hidden = relu(matmul(x, w1)) * keep;
  const Output logits = matmul(hidden, w2, {.name = "logits"});
  const Output probabilities = softmax(logits, {.name = "probabilities"});
  const Output right = equal(argmax(probabilities, 1, {.name = "class"}), argmax(labels, 1));
  reduce_mean(cast(right, DType::kFloat), {}, {.name = "accuracy"});
  const Output loss =
      reduce_mean(reduce_sum(labels * log(probabilities), {1}) * -1.0f, {}, {.name = "loss"});
  if (trained) AdamOptimizer(rate).minimize(loss);
  Saver saver(graph);
}

}  // namespace

TEST_CASE(
    "The command cairn meta names what a model takes, gives, minimises and trains with, likeliest "
    "first",
    "[tools][meta]") {
  const TempDir dir;
  Graph graph;
  build_classifier(graph, true);
  const Finished run = meta_of(graph, dir);
  CAPTURE(run.out);
  CHECK(lines_under(run.out, "inputs") == Lines{"x:0 float [?,4]", "labels:0 float [?,3]",
                                                "rate:0 float []",
                                                "keep_prob:0 float [] has a default"});
  const Lines outputs = lines_under(run.out, "outputs");
  CHECK(outputs == Lines{"probabilities:0 float [?,3]", "logits:0 float [?,3]", "class:0 int64 [?]",
                         "accuracy:0 float []"});
  CHECK(lines_under(run.out, "losses") == Lines{"loss:0 float [] gradients begin here"});
  CHECK(lines_under(run.out, "train ops") == Lines{"Adam in the collection train_op"});
  CHECK(contains(run.out, "signatures: none\n"));
}

TEST_CASE("Without training a loss is told by its name, and nothing is called a train op",
          "[tools][meta]") {
  const TempDir dir;
  Graph graph;
  build_classifier(graph, false);
  const Finished run = meta_of(graph, dir);
  CHECK(lines_under(run.out, "losses") == Lines{"loss:0 float [] by its name"});
  CHECK(contains(run.out, "train ops: none found\n"));
  CHECK(lines_under(run.out, "inputs").back() == "rate:0 float [] nothing reads it");
}

TEST_CASE(
    "The command cairn meta --json lists inputs, outputs, losses, train ops and signatures whole",
    "[tools][meta]") {
  const TempDir dir;
  Graph graph;
  build_classifier(graph, true);
  export_meta_graph(graph, {.filename = (dir / "g.meta").string()});
  const Finished run = cairn_run({"meta", (dir / "g.meta").string(), "--json"});
  CHECK(contains(run.out, R"("inputs": [{"name": "x:0", "dtype": "float", "shape": [-1, 4]}, )"));
  CHECK(contains(
      run.out,
      R"("losses": [{"name": "loss:0", "dtype": "float", "shape": [], "why": "gradients begin here"}])"));
  CHECK(
      contains(run.out, R"("train_ops": [{"name": "Adam", "why": "in the collection train_op"}])"));
  CHECK(contains(run.out, R"("signatures": {})"));
  CHECK(!contains(cairn_run({"meta", (dir / "g.meta").string(), "--json", "--ops"}).out,
                  "\"inputs\""));
}

TEST_CASE("Of a frozen graph the inputs and outputs are named, though nothing else is left",
          "[tools][meta]") {
  const TempDir dir;
  Graph graph;
  build_classifier(graph, false);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  const std::string file = (dir / "frozen.pb").string();
  write_graph(convert_variables_to_constants(session, {"probabilities"}), file);
  const Finished run = cairn_run({"meta", file});
  CHECK(contains(run.out, ": GraphDef, "));
  CHECK(lines_under(run.out, "inputs") ==
        Lines{"x:0 float [?,4]", "keep_prob:0 float [] has a default"});
  CHECK(lines_under(run.out, "outputs") == Lines{"probabilities:0 float [?,3]"});
}

TEST_CASE("The command cairn meta says who wrote a file where that can be told", "[tools][meta]") {
  const TempDir dir;
  Graph graph;
  placeholder(graph, DType::kFloat, {}, {.name = "x"});
  CHECK(contains(meta_of(graph, dir).out,
                 str_cat("written by Cairn ", kVersion, ", as TensorFlow ")));
  const auto written = [&](const std::string& head) {
    write_bytes(dir / "g.pbtxt",
                head + " graph_def { node { name: 'x' op: 'NoOp' } versions { producer: 26 } }");
    return cairn_run({"meta", (dir / "g.pbtxt").string()}).out;
  };
  CHECK(contains(written("meta_info_def { tensorflow_version: '1.8.0' }"),
                 "written by TensorFlow 1.8.0, producer 26"));
  const std::string unnamed = written("");
  CHECK(contains(
      unnamed, "a version that it does not name (by its producer, TensorFlow about 1.6 to 1.10)"));
  for (const auto& [producer, releases] :
       {std::pair(8, "0.12 or before"), {24, "1.3 to 1.5"}, {134, "1.15 or later"}}) {
    write_bytes(dir / "g.pbtxt",
                str_cat("node { name: 'x' op: 'NoOp' } versions { producer: ", producer, " }"));
    CHECK(contains(cairn_run({"meta", (dir / "g.pbtxt").string()}).out, releases));
  }
  write_bytes(dir / "g.pbtxt", "node { name: 'x' op: 'NoOp' }");
  CHECK(contains(cairn_run({"meta", (dir / "g.pbtxt").string()}).out,
                 "a version that it does not name, producer 0"));
}

TEST_CASE("The command cairn meta says what of a text of a later version it left out",
          "[tools][meta]") {
  const TempDir dir;
  write_bytes(dir / "g.pbtxt", "node { name: 'x' op: 'NoOp' later: 1 }");
  const Finished run = cairn_run({"meta", (dir / "g.pbtxt").string()});
  CHECK(run.status == 0);
  CHECK(contains(run.out, "left out: NodeDef has no field named \"later\" (line 1)\n"));
  CHECK(contains(cairn_run({"meta", (dir / "g.pbtxt").string(), "--json"}).out,
                 R"("left_out": ["NodeDef has no)"));
}

TEST_CASE("The command cairn meta lists a SavedModel's tags and signatures", "[tools][meta]") {
  const TempDir dir;
  write_saved_model(dir.path(), {.first_tag = "train"});
  const Finished run = cairn_run({"meta", dir.path().string()});
  CAPTURE(run.err);
  CHECK(contains(run.out, "saved_model.pbtxt: SavedModel, "));
  CHECK(
      contains(run.out, "tags: serve; the file has graphs tagged: train and serve (see --tag)\n"));
  CHECK(lines_under(run.out, "signatures") == Lines{"serving_default tensorflow/serving/predict",
                                                    "input number x:0 float []",
                                                    "output product y:0 float []"});
  CHECK(lines_under(run.out, "inputs") == Lines{"x:0 float [] in the signature serving_default"});
  CHECK(lines_under(run.out, "outputs").front() == "y:0 float [] in the signature serving_default");
  CHECK(contains(cairn_run({"meta", dir.path().string(), "--tag", "train"}).out,
                 ": SavedModel, 0 nodes"));
  CHECK(cairn_run({"meta", dir.path().string(), "--tag", "gpu"}).status == 1);
  CHECK(contains(
      cairn_run({"meta", dir.path().string(), "--json"}).out,
      R"("signatures": {"serving_default": {"method_name": "tensorflow/serving/predict", "inputs": )"
      R"({"number": {"name": "x:0", "dtype": "float", "shape": []}})"));
}

TEST_CASE("The command cairn run takes a SavedModel by its signature", "[tools][run]") {
  const TempDir dir;
  write_saved_model(dir.path());
  const std::string model = dir.path().string();
  const Finished run =
      cairn_run({"run", model, "--signature", "serving_default", "--set", "number=3"});
  CAPTURE(run.err);
  CHECK(run.out == "product  float  []  6.0\n");
  CHECK(cairn_run({"run", model, "--set", "x=3", "--fetch", "y"}).out == "y  float  []  6.0\n");
  CHECK(cairn_run(
            {"run", model, "--signature", "serving_default", "--set", "x:0=3", "--fetch", "w/read"})
            .out == "w/read  float  []  2.0\n");
  CHECK(contains(cairn_run({"run", model, "--fetch", "remembered/read"}).out, "assets/vocab.txt"));
  const auto error = [&](const std::vector<std::string>& more) {
    std::vector<std::string> args = {"run", model, "--signature"};
    args.insert(args.end(), more.begin(), more.end());
    const Finished failed = cairn_run(args);
    CHECK(failed.status == 1);
    return failed.err;
  };
  CHECK(contains(error({"nope"}), "there is no signature 'nope'; the graph has serving_default"));
  CHECK(contains(error({"serving_default", "--set", "z=3"}),
                 "has no input 'z', and the graph no such tensor; its inputs: number"));
  CHECK(contains(error({"serving_default", "--set", "number=3", "--fetch", "z"}),
                 "its outputs: product"));
  CHECK(is_wrong_usage(cairn_run({"run", model})));
}

TEST_CASE("A graph without signatures says so when it is run by one", "[tools][run]") {
  const TempDir dir;
  write_bytes(dir / "g.pbtxt", "node { name: 'x' op: 'NoOp' }");
  CHECK(
      contains(cairn_run({"run", (dir / "g.pbtxt").string(), "--signature", "serving_default"}).err,
               "the graph has none: name tensors with --feed and --fetch"));
}

TEST_CASE("The commands inspect, show, diff, freeze and doctor take a SavedModel's directory",
          "[tools]") {
  const TempDir dir, other;
  write_saved_model(dir.path());
  write_saved_model(other.path(), {.asset = "words.txt"});
  const std::string model = dir.path().string();
  CHECK(contains(cairn_run({"inspect", model}).out, "w  float  []  4 bytes\n"));
  CHECK(contains(cairn_run({"show", model}).out, "signature serving_default\n"));
  const Finished same = cairn_run({"diff", model, model});
  CHECK(same.status == 0);
  CHECK(contains(same.out, "no difference, 1 tensor is alike\n"));
  const Finished differs = cairn_run({"diff", model, other.path().string()});
  CHECK(differs.status == 1);
  CHECK(contains(differs.out, "asset words.txt: only in B"));
  const Finished json = cairn_run({"diff", model, other.path().string(), "--json"});
  CHECK(json.out.starts_with(R"({"graph": {"a": ")"));
  CHECK(contains(json.out, R"(, "values": {"a": ")"));
  CHECK(json.out.ends_with("}\n"));
  CHECK(cairn_run({"diff", model, (dir / "variables/variables").string()}).status == 0);
  CHECK(cairn_run({"diff", (dir / "saved_model.pbtxt").string(), model}).status == 0);
  CHECK(cairn_run({"freeze", model, model, (other / "f.pb").string(), "--output", "y"}).status ==
        0);
  CHECK(cairn_run({"run", (other / "f.pb").string(), "--set", "x=4", "--fetch", "y"}).out ==
        "y  float  []  8.0\n");
  const Finished doctor = cairn_run({"doctor", model});
  CHECK(doctor.status == 0);
  CHECK(contains(doctor.out, "graph of a SavedModel"));
  CHECK(contains(doctor.out, "variables/variables: V2, "));
}

TEST_CASE("The commands freeze and train take the graph of a SavedModel that has the tags of --tag",
          "[tools]") {
  const TempDir dir, other;
  write_saved_model(dir.path(), {.first_tag = "train"});
  const std::string model = dir.path().string(), frozen = (other / "f.pb").string();
  const auto freeze = [&](const char* tag) {
    return cairn_run({"freeze", model, model, frozen, "--output", "y", "--tag", tag});
  };
  const auto train = [&](const char* tag) {
    return cairn_run({"train", model, "--checkpoint", model, "--train-op", "y", "--loss", "y:0",
                      "--steps", "1", "--dir", (other / "run").string(), "--tag", tag});
  };
  CHECK(contains(freeze("gpu").err, "gpu"));
  CHECK(contains(freeze("train").err, "the graph has no variables"));
  CHECK(freeze("serve").status == 0);
  CHECK(contains(train("gpu").err, "gpu"));
  CHECK(contains(train("train").err, "the graph has no variables"));
  CHECK(contains(train("serve").err, "changes no variable"));
}

TEST_CASE("A wrong name is answered with the same name in a scope", "[tools][run]") {
  const TempDir dir;
  write_bytes(dir / "g.pbtxt", "node { name: 'inputs/states' op: 'NoOp' }");
  CHECK(contains(cairn_run({"run", (dir / "g.pbtxt").string(), "--fetch", "states"}).err,
                 "did you mean inputs/states?"));
}

TEST_CASE("The command cairn inspect lists tensors in columns", "[tools]") {
  const TempDir dir;
  const std::string prefix = write_tensors(
      dir / "m",
      {{"a", Tensor::zeros(DType::kDouble, {100, 100})}, {"layer/weights", Tensor(1.0f)}});
  CHECK(contains(cairn_run({"inspect", prefix}).out,
                 "a              double  [100,100]  80000 bytes\n"
                 "layer/weights  float   []             4 bytes\n"));
}

TEST_CASE("The command cairn run and inspect --values print as NumPy does", "[tools]") {
  const TempDir dir;
  const std::string prefix =
      write_tensors(dir / "m", {{"a", Tensor::vector<float>({0.5f, 1e-5f, 100, 0.1f})},
                                {"long", Tensor::zeros(DType::kFloat, {1001})}});
  const std::string out = cairn_run({"inspect", prefix, "--values"}).out;
  CHECK(contains(out, "[5.e-01 1.e-05 1.e+02 1.e-01]\n"));
  CHECK(std::count(out.begin(), out.end(), '0') > 1001);  // every element
  Graph graph;
  zeros(graph, {1001}, DType::kFloat, {.name = "z"});
  export_meta_graph(graph, {.filename = (dir / "g.meta").string()});
  CHECK(contains(cairn_run({"run", (dir / "g.meta").string(), "--fetch", "z"}).out,
                 "[0. 0. 0. ... 0. 0. 0.]\n"));
}

TEST_CASE(
    "The command cairn meta knows the inputs, outputs, losses and train ops of models that "
    "TensorFlow wrote",
    "[tools][meta][compat]") {
  const auto folder = fixtures();
  if (!folder) return skip("no fixtures (-Dfixtures=DIR)");
  struct Known {
    const char *file, *input, *output, *loss, *train_op;
  };
  for (const Known& k : {
           Known{"softmax-tf112/521model.ckpt.meta", "Placeholder:0 float [?,784]",
                 "Softmax:0 float [?,10]", "Mean:0", "GradientDescent"},
           {"logreg-tf18/carga/carga-1000.meta", "X:0 float [?,20]", "smoke:0 float [?,1]",
            "Mean:0", "GradientDescent"},
           {"mlp-momentum-tf113/my_model_final.ckpt.meta", "X:0 float [?,784]",
            "dnn/outputs/BiasAdd:0 float [?,10]", "loss/loss:0", "train/Momentum"},
           {"capsnet/model.ckpt.meta", "input_img:0 float [?,32,32,3]", "", "add_2:0", "Adam"},
           {"wide-deep/graph.pbtxt", "", "head/predictions/logistic:0 float [100,1]",
            "head/weighted_loss/Sum:0", "head/AssignAdd"},
           {"softmax-v1-2016a/model.ckpt.meta", "Placeholder:0 float <unknown>",
            "Softmax:0 float [?,2]", "Neg:0", "GradientDescent"},
           {"kws-dnn/DNN_M.pb", "wav_data:0 string <unknown>", "labels_softmax:0 float [?,12]", "",
            ""},
       }) {
    CAPTURE(k.file);
    const Finished run = cairn_run({"meta", (*folder / k.file).string()});
    REQUIRE(run.status == 0);
    const auto first_is = [&](const char* title, const std::string& expected) {
      const Lines lines = lines_under(run.out, title);
      CHECK((expected.empty() || (!lines.empty() && lines[0].starts_with(expected))));
    };
    first_is("inputs", k.input);
    first_is("outputs", k.output);
    first_is("losses", k.loss);
    first_is("train ops", k.train_op);
  }
}
