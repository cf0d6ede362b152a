// Graphs that real TensorFlow wrote, from 0.8 to 2.16: read, written and read again.
#include <algorithm>
#include <set>

#include "persist/graph/convert.h"
#include "persist/graph/meta_graph_rep.h"
#include "persist/messages/message.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;

namespace {

// Every graph among the fixtures, and its number of nodes as the files' own table of contents has
// it.
const std::vector<std::string> kFiles = {
    "add-v1-book-text/model.ckpt.meta",
    "add-v1-book-text/model.ckpt.meta.json",
    "dqn-rmsprop-tf13/model.ckpt.meta",
    "ema-v1-book/combined_model.pb",
    "ema-v1-book/model2.ckpt.meta",
    "estimator-cnn-tf15/graph.pbtxt",
    "estimator-cnn-tf15/model.ckpt-1.meta",
    "int32-var-tf114/model/model.ckpt.meta",
    "linear-ftrl-res-2shard-tf114/model.ckpt-5000.meta",
    "linreg-tf14/my-model-0.meta",
    "linreg-tf14/my-model-1000.meta",
    "logreg-tf18/carga/carga-1000.meta",
    "logreg-tf18/terminal/terminal-1000.meta",
    "mlp-adam-tf101/model.ckpt.meta",
    "mlp-ema-v1-book-b/model.ckpt-1.meta",
    "mlp-momentum-tf113/my_model_final.ckpt.meta",
    "mlp-relu-tf16/my_model_final.ckpt.meta",
    "mlp-res-tf20/model.ckpt-100.meta",
    "softmax-tf0121/model.ckpt.meta",
    "softmax-tf112/521model.ckpt.meta",
    "softmax-v1-2016a/model.ckpt.meta",
    "softmax-v1-tf18/frozen_model.pb",
    "softmax-v1-tf18/graph.pb",
    "softmax-v1-tf18/model.ckpt.meta",
    "tf-half-plus-two-v1shard/export.meta",
    "tf-half-plus-two-v2/export.meta",
    "tf-metrics-meta-text/metrics_export_meta_graph.pb",
    "tf-sm-2shard-tf20/saved_model.pb",
    "tf-sm-half-plus-two-pbtxt/saved_model.pbtxt",
    "tflearn-adam-bool-tf216/model.tflearn.meta",
    "tiny-tf111/my_net/save_net.ckpt.meta",
};

const pb::MetaGraphDef& message(const MetaGraph& meta) { return meta.rep().def; }

// Says how `written` differs from `original`, beyond what is meant to: who wrote it, the op
// definitions of ops that Cairn has itself, shapes it knows better, and `trainable`, which files
// from before 1.9 do not say.
std::vector<std::string> differences(pb::MetaGraphDef original, pb::MetaGraphDef written) {
  std::vector<std::string> found;
  const auto same = [&](const std::string& what, const google::protobuf::MessageLite& a,
                        const google::protobuf::MessageLite& b) {
    if (!same_message(a, b)) found.push_back(what + ":\n" + to_line(a) + "\n" + to_line(b));
  };
  for (auto* meta : {&original, &written}) {
    meta->mutable_meta_info_def()->clear_tensorflow_version();
    meta->mutable_meta_info_def()->clear_tensorflow_git_version();
    meta->mutable_meta_info_def()->clear_stripped_op_list();
    for (auto& [key, collection] : *meta->mutable_collection_def()) {
      if (key.find("variables") == std::string::npos && key != "global_step") continue;
      for (auto& bytes : *collection.mutable_bytes_list()->mutable_value()) {
        pb::VariableDef def;
        if (!def.ParseFromString(bytes)) continue;
        def.clear_trainable();
        bytes = to_bytes(def);
      }
    }
  }
  auto& a = *original.mutable_graph_def()->mutable_node();
  auto& b = *written.mutable_graph_def()->mutable_node();
  if (a.size() != b.size()) return {str_cat(a.size(), " nodes became ", b.size())};
  for (int i = 0; i < a.size(); ++i) {
    const auto of_original = a[i].attr().find("_output_shapes");
    if (of_original != a[i].attr().end()) {
      const auto& theirs = of_original->second.list().shape();
      const auto& ours = b[i].attr().at("_output_shapes").list().shape();
      if (theirs.size() != ours.size())
        found.push_back(a[i].name() + ": another number of outputs");
      for (int k = 0; k < std::min(theirs.size(), ours.size()); ++k) {
        const Shape before = from_proto(theirs[k]), after = from_proto(ours[k]);
        if (!before.is_compatible_with(after) || merge(before, after) != after) {
          found.push_back(str_cat(a[i].name(), ": shape ", before, " became ", after));
        }
      }
    }
    a[i].mutable_attr()->erase("_output_shapes");
    b[i].mutable_attr()->erase("_output_shapes");
    same("node " + a[i].name(), a[i], b[i]);
  }
  for (const auto& [key, collection] : original.collection_def()) {
    if (!written.collection_def().count(key))
      found.push_back("collection " + key + " is gone");
    else
      same("collection " + key, collection, written.collection_def().at(key));
  }
  for (auto* meta : {&original, &written}) {
    meta->clear_collection_def();
    meta->mutable_graph_def()->clear_node();
  }
  same("the rest", original, written);
  return found;
}

std::set<std::string> op_names(const pb::MetaGraphDef& meta) {
  std::set<std::string> names;
  for (const auto& op : meta.meta_info_def().stripped_op_list().op()) names.insert(op.name());
  return names;
}

}  // namespace

TEST_CASE("Every graph that TensorFlow wrote is imported and exported as it was",
          "[compat][meta]") {
  const auto dir = fixtures();
  if (!dir) return skip("no fixtures: build with -Dfixtures=DIR");
  for (const auto& name : kFiles) {
    INFO(name);
    const MetaGraph original = MetaGraph::read(*dir / name);
    Graph graph;
    const ImportedMetaGraph imported = import_meta_graph_def(graph, original);
    CHECK(graph.num_nodes() == original.num_nodes());
    const MetaGraph written = export_meta_graph(graph, {.saver_def = imported.saver_def});
    CHECK(differences(message(original), message(written)) == std::vector<std::string>());

    // Op definitions: none is lost, and those of ops that Cairn lacks are the file's.
    const auto ops_before = op_names(message(original)), ops_after = op_names(message(written));
    if (!ops_before.empty()) CHECK(ops_before == ops_after);
    for (const auto& op : message(written).meta_info_def().stripped_op_list().op()) {
      if (!std::binary_search(imported.carried_ops.begin(), imported.carried_ops.end(), op.name()))
        continue;
      for (const auto& before : message(original).meta_info_def().stripped_op_list().op()) {
        if (before.name() == op.name()) CHECK(same_message(before, op));
      }
    }

    Graph again;
    const ImportedMetaGraph second =
        import_meta_graph_def(again, MetaGraph::parse(written.bytes(), "written"));
    CHECK(second.saver_def == imported.saver_def);
    CHECK(export_meta_graph(again, {.saver_def = second.saver_def}).bytes() == written.bytes());
  }
}

TEST_CASE("Every graph that TensorFlow wrote survives as text and as JSON", "[compat][meta]") {
  const auto dir = fixtures();
  if (!dir) return skip("no fixtures: build with -Dfixtures=DIR");
  for (const auto& name : kFiles) {
    if (name.find("tf20") != std::string::npos || name.find("tf216") != std::string::npos)
      continue;  // newer fields
    INFO(name);
    const MetaGraph original = MetaGraph::read(*dir / name);
    CHECK(MetaGraph::parse(original.text(), "text").bytes() == original.bytes());
    const MetaGraph from_json = MetaGraph::parse(original.json(), "json");
    CHECK(from_json.bytes() == original.bytes());
    Graph graph, again;
    import_meta_graph_def(graph, original);
    import_meta_graph_def(again, from_json);
    CHECK(export_meta_graph(again).bytes() == export_meta_graph(graph).bytes());
  }
}

TEST_CASE("A MetaGraph in text equals its twin in bytes", "[compat][meta]") {
  const auto dir = fixture("add-v1-book-text");
  if (!dir) return;
  // The text was written before the node `init` was made.
  pb::MetaGraphDef bytes = message(MetaGraph::read(*dir / "model.ckpt.meta"));
  pb::MetaGraphDef text = message(MetaGraph::read(*dir / "model.ckpt.meta.json"));
  auto& nodes = *bytes.mutable_graph_def()->mutable_node();
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(),
                             [](const auto& node) { return node.name() == "init"; }),
              nodes.end());
  CHECK(text.graph_def().node_size() > 5);
  CHECK(to_text(bytes) == to_text(text));
}

TEST_CASE("Collections of a file become variables, tensors and ops of the graph",
          "[compat][meta]") {
  const auto dir = fixture("mlp-momentum-tf113");
  if (!dir) return;
  Graph graph;
  const auto imported = import_meta_graph_def(graph, *dir / "my_model_final.ckpt.meta");
  CHECK(imported.tensorflow_version == "1.13.1");
  CHECK(imported.saver_def->restore_op_name == "save/restore_all");
  CHECK(graph.variables().size() == 12);
  const auto trainable = graph.trainable_variables();
  REQUIRE(trainable.size() == 6);
  CHECK(trainable[0].name() == "hidden1/kernel");
  CHECK(trainable[0].shape() == Shape{784, 300});
  CHECK(trainable[0].initializer().name() == "hidden1/kernel/Assign");
  CHECK(trainable[0].trainable());
  CHECK(!graph.variables().back().trainable());
  CHECK(graph.collection<Operation>("train_op").at(0).name() == "train/Momentum");
}

TEST_CASE("Variables of files from before 1.9 are trainable if their collection says so",
          "[compat][meta]") {
  const auto dir = fixture("dqn-rmsprop-tf13");
  if (!dir) return;
  Graph graph;
  import_meta_graph_def(graph, *dir / "model.ckpt.meta");
  const auto variables = graph.variables();
  CHECK(std::count_if(variables.begin(), variables.end(),
                      [](const auto& v) { return v.trainable(); }) == 8);
}

TEST_CASE("A graph imported under a scope has no name outside it", "[compat][meta]") {
  const auto dir = fixtures();
  if (!dir) return skip("no fixtures: build with -Dfixtures=DIR");
  for (const char* name :
       {"estimator-cnn-tf15/model.ckpt-1.meta", "linear-ftrl-res-2shard-tf114/model.ckpt-5000.meta",
        "softmax-tf112/521model.ckpt.meta"}) {
    INFO(name);
    Graph graph;
    import_meta_graph_def(graph, *dir / name);
    const int nodes = graph.num_nodes();
    const auto variables = graph.variables();
    const auto imported = import_meta_graph_def(graph, *dir / name, {.import_scope = "twin"});
    CHECK(graph.num_nodes() == 2 * nodes);
    CHECK(imported.scope == "twin");
    CHECK(imported.saver_def->save_tensor_name.rfind("twin/", 0) == 0);
    const auto all = graph.variables();
    REQUIRE(all.size() == 2 * variables.size());
    for (size_t i = 0; i < variables.size(); ++i) {
      CHECK(all[variables.size() + i].name() == "twin/" + all[i].name());
      CHECK(all[variables.size() + i].initializer().name() ==
            "twin/" + all[i].initializer().name());
    }
    // Cutting the scope out again gives the file's graph.
    const auto cut = message(export_meta_graph(graph, {.export_scope = "twin"}));
    const auto original = message(MetaGraph::read(*dir / name));
    REQUIRE(cut.graph_def().node_size() == original.graph_def().node_size());
    for (int i = 0; i < nodes; ++i) {
      auto a = original.graph_def().node(i), b = cut.graph_def().node(i);
      a.mutable_attr()->erase("_output_shapes");
      b.mutable_attr()->erase("_output_shapes");
      CHECK(to_text(a) == to_text(b));
    }
    CHECK(cut.collection_def().size() == original.collection_def().size());
  }
}

TEST_CASE("Importing the same file twice without a scope fails and changes nothing",
          "[compat][meta]") {
  const auto dir = fixture("linreg-tf14");
  if (!dir) return;
  Graph graph;
  import_meta_graph_def(graph, *dir / "my-model-0.meta");
  const std::string before = export_meta_graph(graph).bytes();
  const Error error = error_of([&] { import_meta_graph_def(graph, *dir / "my-model-0.meta"); });
  CHECK(error.code() == Code::kAlreadyExists);
  CHECK(std::string(error.what()).find("import under a scope") != std::string::npos);
  CHECK(export_meta_graph(graph).bytes() == before);
}

TEST_CASE("A .meta cut short anywhere gives a graph or an error", "[compat][meta][corruption]") {
  const auto dir = fixture("add-v1-book-text");
  if (!dir) return;
  const std::string whole = read_bytes(*dir / "model.ckpt.meta");
  size_t refused = 0;
  for (size_t length = 0; length < whole.size(); ++length) {
    try {
      Graph graph;
      import_meta_graph_def(graph, MetaGraph::parse(whole.substr(0, length), "cut.meta"));
    } catch (const Error& error) {
      ++refused;
      if (std::string(error.what()).rfind("cut.meta: ", 0) != 0) FAIL_CHECK(error.what());
    }
  }
  CHECK(refused > whole.size() - 100);
}

TEST_CASE("A .meta with any bit flipped gives a graph or an error", "[compat][meta][corruption]") {
  const auto dir = fixture("add-v1-book-text");
  if (!dir) return;
  const std::string whole = read_bytes(*dir / "model.ckpt.meta");
  size_t refused = 0;
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    try {
      Graph graph;
      const auto imported =
          import_meta_graph_def(graph, MetaGraph::parse(with_bit_flipped(whole, bit), "bad.meta"));
      export_meta_graph(graph, {.saver_def = imported.saver_def});
    } catch (const Error& error) {
      ++refused;
      if (std::string(error.what()).rfind("bad.meta: ", 0) != 0) FAIL_CHECK(error.what());
    }
  }
  CHECK(refused > whole.size());
}
