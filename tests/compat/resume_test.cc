// Training that TensorFlow began, gone on with here: every case of goldens.json, which holds the
// losses that a NumPy interpreter of the same graphs computed.
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <cmath>
#include <filesystem>

#include "ops/state/variables.h"
#include "persist/checkpoint/bundle.h"
#include "persist/saver/saver.h"
#include "samples/mnist_data.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

using namespace cairn;

namespace {

using Fields = google::protobuf::Map<std::string, google::protobuf::Value>;

google::protobuf::ListValue read_goldens(const std::filesystem::path& file) {
  google::protobuf::ListValue goldens;
  const auto status = google::protobuf::util::JsonStringToMessage(
      read_file(posix_file_system(), file.string()), &goldens);
  REQUIRE(status.ok());
  return goldens;
}

std::string text(const Fields& fields, const char* key) {
  const auto at = fields.find(key);
  return at == fields.end() ? "" : at->second.string_value();
}

// Values as the golden numbers were made with: x[i,j] = ((7i+3j) mod 11)/10 - 0.5; labels i mod 2,
// plain or one-hot.
Tensor synthetic(const std::string& form, int64_t columns) {
  Tensor t = Tensor::zeros(DType::kFloat, {16, columns});
  for (int64_t i = 0; i < 16; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      t.mat<float>()(i, j) = form == "x"    ? static_cast<float>((7 * i + 3 * j) % 11) / 10 - 0.5f
                             : form == "01" ? static_cast<float>(i % 2)
                                            : static_cast<float>(i % 2 == j);
    }
  }
  return t;
}

Tensor labels_as(const Tensor& onehot, const std::string& form) {
  if (form == "onehot") return onehot;
  const int64_t count = onehot.dim(0);
  Tensor labels = Tensor::zeros(form == "int64" ? DType::kInt64 : DType::kInt32, {count});
  for (int64_t i = 0; i < count; ++i) {
    int64_t digit = 0;
    for (int64_t j = 0; j < 10; ++j) {
      if (onehot.mat<float>()(i, j) == 1) digit = j;
    }
    form == "int64" ? labels.data<int64_t>()[i] = digit
                    : labels.data<int32_t>()[i] = static_cast<int32_t>(digit);
  }
  return labels;
}

// What one golden case feeds at each of its steps.
class Feeder {
 public:
  Feeder(const Fields& golden, const DigitData* mnist) {
    const auto feeds = golden.find("feeds");
    if (feeds != golden.end()) {
      const Fields& f = feeds->second.struct_value().fields();
      names_ = {text(f, "images") + ":0", text(f, "labels") + ":0"};
      images_ = mnist->train.images;
      labels_ = labels_as(mnist->train.labels, text(f, "label_form"));
      return;
    }
    for (const auto& [name, spec] : golden.at("synthetic").struct_value().fields()) {
      const auto& form = spec.list_value().values();
      names_.push_back(name + ":0");
      fixed_.push_back(
          synthetic(form[0].string_value(), static_cast<int64_t>(form[1].number_value())));
    }
  }

  Feeds at(int step) const {
    if (images_.valid()) {
      return {{names_[0], images_.rows(step * 100, step * 100 + 100)},
              {names_[1], labels_.rows(step * 100, step * 100 + 100)}};
    }
    Feeds feeds;
    for (size_t i = 0; i < names_.size(); ++i) feeds.push_back({names_[i], fixed_[i]});
    return feeds;
  }

 private:
  std::vector<std::string> names_;
  Tensor images_, labels_;
  std::vector<Tensor> fixed_;
};

}  // namespace

TEST_CASE(
    "Training resumed from TensorFlow's .meta files has the reference losses, and saves what "
    "restores again",
    "[compat]") {
  const auto folder = fixtures();
  if (!folder) return skip("no fixtures (-Dfixtures=DIR)");
  const auto mnist_folder = *folder / ".." / "mnist";
  std::optional<DigitData> mnist;
  if (std::filesystem::exists(mnist_folder)) mnist = load_mnist(mnist_folder);
  const auto goldens = read_goldens(*folder / "goldens.json");
  for (const auto& value : goldens.values()) {
    const Fields& golden = value.struct_value().fields();
    const auto losses = golden.find("losses");
    if (losses == golden.end()) continue;
    if (golden.count("feeds") && !mnist) {
      skip("no MNIST beside the fixtures");
      continue;
    }
    const std::string prefix = (*folder / text(golden, "id") / text(golden, "prefix")).string();
    CAPTURE(prefix);
    const Feeder feeder(golden, mnist ? &*mnist : nullptr);
    Graph graph;
    Saver saver = import_meta_graph(graph, prefix + ".meta");
    MemoryFileSystem memory;
    Session session(graph);
    saver.restore(session, prefix);
    int step = 0;
    for (const auto& expected : losses->second.list_value().values()) {
      const Tensor loss = session.run_all({text(golden, "loss_node") + ":0"}, feeder.at(step),
                                          {text(golden, "train_op")})[0];
      CAPTURE(step);
      REQUIRE(loss.scalar<float>() == Approx(expected.number_value()).epsilon(1e-4));
      ++step;
    }
    memory.create_dirs("/run");
    Session saving(graph, {.file_system = &memory});
    std::vector<std::pair<Variable, Tensor>> values;
    for (const Variable& v : graph.variables()) {
      if (session.is_initialized(v)) values.emplace_back(v, session.value(v));
    }
    saving.set_values(values);
    const std::string again = saver.save(saving, "/run/again", {.global_step = step});
    Session restored(graph, {.file_system = &memory});
    CHECK_NOTHROW(saver.restore(restored, again));
    for (const auto& [variable, trained] : values) {
      if (restored.is_initialized(variable)) CHECK(bit_equal(restored.value(variable), trained));
    }
  }
}

TEST_CASE("After 999 steps from TensorFlow's first checkpoint the values are those of its second",
          "[compat]") {
  const auto folder = fixtures();
  if (!folder) return skip("no fixtures (-Dfixtures=DIR)");
  const std::string first = (*folder / "linreg-tf14/my-model-0").string(),
                    second = (*folder / "linreg-tf14/my-model-1000").string();
  Graph graph;
  Saver saver = import_meta_graph(graph, first + ".meta");
  Session session(graph);
  saver.restore(session, first);
  const auto train = graph.collection<Operation>(GraphKeys::kTrainOp).at(0);
  Call step = session.prepare({}, {}, {train});
  for (int i = 0; i < 999; ++i) step();
  const BundleReader reader(posix_file_system(), second);
  for (const Variable& v : graph.variables()) {
    const Tensor expected = reader.read(v.name()), got = session.value(v);
    REQUIRE(got.shape() == expected.shape());
    for (int64_t i = 0; i < got.num_elements(); ++i) {
      CHECK(std::abs(got.data<float>()[i] - expected.data<float>()[i]) <=
            1e-6 * std::abs(expected.data<float>()[i]));
    }
  }
}

namespace {

// The loss of TFLearn's classifier, three layers without activations under a softmax, from the
// restored values alone.
double plain_loss(Session& session, const Tensor& x, const Tensor& y) {
  const auto value = [&](const std::string& name) { return session.run(name + ":0"); };
  std::vector<std::vector<double>> rows;
  for (int64_t i = 0; i < x.dim(0); ++i)
    rows.emplace_back(x.data<float>() + i * 18, x.data<float>() + (i + 1) * 18);
  for (const std::string layer : {"FullyConnected", "FullyConnected_1", "FullyConnected_2"}) {
    const Tensor w = value(layer + "/W"), b = value(layer + "/b");
    for (auto& row : rows) {
      std::vector<double> out(b.data<float>(), b.data<float>() + b.dim(0));
      for (int64_t i = 0; i < w.dim(0); ++i) {
        for (int64_t j = 0; j < w.dim(1); ++j)
          out[size_t(j)] += row[size_t(i)] * double(w.mat<float>()(i, j));
      }
      row = out;
    }
  }
  double loss = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    double sum = 0;
    for (const double logit : rows[i]) sum += std::exp(logit);
    for (size_t j = 0; j < rows[i].size(); ++j) {
      loss -= double(y.mat<float>()(int64_t(i), int64_t(j))) * (rows[i][j] - std::log(sum));
    }
  }
  return loss / double(rows.size());
}

}  // namespace

TEST_CASE(
    "What TFLearn under TensorFlow 2.16 trained goes on: the loss is that of its values, and falls",
    "[compat]") {
  const auto folder = fixture("tflearn-adam-bool-tf216");
  if (!folder) return;
  const std::string prefix = (*folder / "model.tflearn").string();
  Graph graph;
  const Saver saver = import_meta_graph(graph, prefix + ".meta");
  Session session(graph);
  saver.restore(session, prefix);
  const Tensor x = synthetic("x", 18);
  Tensor y = Tensor::zeros(DType::kFloat, {16, 4});
  for (int64_t i = 0; i < 16; ++i) y.mat<float>()(i, i % 4) = 1;
  const Feeds feeds = {{"InputData/X:0", x}, {"TargetsData/Y:0", y}};
  const auto loss = [&] { return session.run("Crossentropy/Mean:0", feeds).scalar<float>(); };
  const auto train = graph.collection<Operation>(GraphKeys::kTrainOp).at(0);
  const float first = loss(), steps = session.run("Training_step:0").scalar<float>();
  CHECK(first == Approx(plain_loss(session, x, y)).epsilon(1e-4));
  for (int i = 0; i < 100; ++i) session.run(train, feeds);
  CHECK(loss() < first);
  CHECK(session.run("Training_step:0").scalar<float>() == steps + 100);
}

// The census model: what IteratorGetNext gives, in its order, and the variable it meets.
struct CensusColumn {
  const char* name;
  bool is_word;
};
constexpr CensusColumn kCensus[] = {
    {"Age", false},           {"Capital-Gain", false}, {"Capital-Loss", false},
    {"Country", true},        {"Education", true},     {"Hours-per-week", false},
    {"Marital-Status", true}, {"Occupation", true},    {"Race", true},
    {"Relationship", true},   {"Sex", true},           {"Workclass", true}};

TEST_CASE(
    "A linear model over words trains on: its tables are filled, its loss is that of its weights, "
    "and falls",
    "[compat]") {
  const auto folder = fixture("linear-ftrl-res-2shard-tf114");
  if (!folder) return;
  const std::string prefix = (*folder / "model.ckpt-5000").string();
  Graph graph;
  Saver saver = import_meta_graph(graph, prefix + ".meta");
  Session session(graph);
  saver.restore(session, prefix);
  for (const auto& table : graph.collection<Operation>(GraphKeys::kTableInitializers))
    session.run(table);

  constexpr int64_t kRows = 8;
  Feeds feeds;
  std::vector<double> logits(kRows,
                             session.run("linear/linear_model/bias_weights:0").data<float>()[0]);
  for (size_t c = 0; c < std::size(kCensus); ++c) {
    const std::string name = kCensus[c].name,
                      parts = "linear/linear_model/linear_model/linear_model/" + name;
    const Tensor weights = session.run(str_cat(
        "linear/linear_model/", name, kCensus[c].is_word ? "_indicator" : "", "/weights:0"));
    Tensor column = Tensor::zeros(kCensus[c].is_word ? DType::kString : DType::kInt64, {kRows});
    const Tensor words = kCensus[c].is_word
                             ? session.run(str_cat(parts, "_indicator/", name, "_lookup/Const:0"))
                             : Tensor();
    for (int64_t i = 0; i < kRows; ++i) {
      const int64_t number = (5 * i + 3 * static_cast<int64_t>(c)) % 7;
      // one row of words that nobody knows: they weigh nothing
      const bool is_known = words.valid() && i != 3;
      const int64_t word = words.valid() ? number % words.num_elements() : 0;
      if (is_known) {
        column.data<std::string>()[i] = words.data<std::string>()[word];
        logits[static_cast<size_t>(i)] += weights.data<float>()[word];
      } else if (words.valid()) {
        column.data<std::string>()[i] = "no such word";
      } else {
        column.data<int64_t>()[i] = number;
        logits[static_cast<size_t>(i)] += static_cast<double>(number) * weights.data<float>()[0];
      }
    }
    feeds.push_back({str_cat("IteratorGetNext:", c), column});
  }
  Tensor labels = Tensor::zeros(DType::kInt64, {kRows});
  double expected = 0;
  for (int64_t i = 0; i < kRows; ++i) {
    const double z = logits[static_cast<size_t>(i)];
    labels.data<int64_t>()[i] = i % 2;
    expected +=
        std::max(z, 0.0) - z * static_cast<double>(i % 2) + std::log1p(std::exp(-std::abs(z)));
  }
  feeds.push_back({"IteratorGetNext:12", labels});

  const auto loss = [&] {
    return session.run("linear/head/weighted_loss/Sum:0", feeds).scalar<float>();
  };
  const auto train = graph.collection<Operation>(GraphKeys::kTrainOp).at(0);
  CHECK(loss() == Approx(expected).epsilon(1e-5));
  for (int i = 0; i < 200; ++i) session.run(train, feeds);
  CHECK(loss() < 0.9 * expected);
  CHECK(session.run("global_step:0").scalar<int64_t>() == 5200);
}

TEST_CASE("Where the saver kept a part of the variables, the rest begins anew and training goes on",
          "[compat]") {
  const auto folder = fixture("softmax-tf0121");
  if (!folder) return;
  const std::string prefix = (*folder / "model.ckpt").string();
  Graph graph;
  const Saver saver = import_meta_graph(graph, prefix + ".meta");
  Session session(graph);
  saver.restore(session, prefix);
  CHECK(session.uninitialized_variables() == std::vector<std::string>{"Variable_1"});
  session.run(find_variable(graph, "Variable_1").initializer());
  const Feeds feeds = {{"Placeholder:0", synthetic("x", 784)},
                       {"Placeholder_1:0", synthetic("onehot", 10)}};
  const auto train = graph.collection<Operation>(GraphKeys::kTrainOp).at(0);
  const float first = session.run("Mean:0", feeds).scalar<float>();
  for (int i = 0; i < 20; ++i) session.run(train, feeds);
  CHECK(session.run("Mean:0", feeds).scalar<float>() < first);
}

TEST_CASE("What cannot resume yet says so: every op that is missing, with where it is needed",
          "[compat]") {
  const std::pair<const char*, std::vector<const char*>> kCases[] = {
      {"linear-ftrl-res-2shard-tf114/model.ckpt-5000", {"IteratorGetNext", "IteratorV2"}},
      {"estimator-cnn-tf15/model.ckpt-1", {"QueueDequeueManyV2", "RandomShuffleQueueV2"}}};
  const auto folder = fixtures();
  if (!folder) return skip("no fixtures (-Dfixtures=DIR)");
  for (const auto& [name, ops] : kCases) {
    CAPTURE(name);
    const std::string prefix = (*folder / name).string();
    Graph graph;
    const Saver saver = import_meta_graph(graph, prefix + ".meta");
    Session session(graph);
    saver.restore(session, prefix);
    const Error error =
        error_of([&] { session.run(graph.collection<Operation>(GraphKeys::kTrainOp).at(0)); });
    CHECK(error.code() == Code::kUnimplemented);
    for (const char* op : ops) CHECK(says(error, op));
  }
}
