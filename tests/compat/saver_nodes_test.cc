// Savers rebuilt in graphs of TensorFlow's, beside the nodes that TensorFlow itself made for them.
#include <algorithm>
#include <regex>

#include "ops/state/variables.h"
#include "persist/graph/convert.h"
#include "persist/graph/meta_graph_rep.h"
#include "persist/messages/message.h"
#include "persist/saver/saver_graph.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"

using namespace cairn;

namespace {

struct File {
  const char* path;
  SaverOptions options = {};
  SaverEra era = {};
  bool controls_sorted = true;                                // by name, as from 1.8
  std::vector<std::pair<std::string, std::string>> map = {};  // key, variable; empty: all variables
  size_t variables = 1000;  // how many there were when the saver was made
};

const std::vector<File> kFiles = {
    {"softmax-tf0121/model.ckpt.meta", {}, {.reads_each = true}, false, {{"weight", "Variable"}}},
    {"tf-half-plus-two-v1shard/export.meta",
     {.sharded = true, .max_to_keep = 0, .write_version = CheckpointFormat::kV1},
     {.reads_each = true, .shards_anywhere = true},
     false,
     {{"a", "a"}, {"b", "b"}}},
    {"tf-half-plus-two-v2/export.meta",
     {.sharded = true, .max_to_keep = 0},
     {.reads_each = true, .shards_anywhere = true},
     false,
     {{"a", "a"}, {"b", "b"}}},
    {"mlp-adam-tf101/model.ckpt.meta", {}, {.reads_each = true}, false},
    {"tf-sm-half-plus-two-pbtxt/saved_model.pbtxt",
     {.sharded = true},
     {.reads_each = true, .shards_anywhere = true},
     false},
    {"dqn-rmsprop-tf13/model.ckpt.meta", {}, {.reads_each = true}, false},
    {"linreg-tf14/my-model-0.meta", {}, {.reads_each = true}, false},
    {"linreg-tf14/my-model-1000.meta", {}, {.reads_each = true}, false},
    {"estimator-cnn-tf15/model.ckpt-1.meta", {.sharded = true}, {.reads_each = true}, false},
    {"mlp-relu-tf16/my_model_final.ckpt.meta", {}, {}, false},
    {"logreg-tf18/carga/carga-1000.meta"},
    {"softmax-v1-tf18/model.ckpt.meta", {.write_version = CheckpointFormat::kV1}},
    {"tiny-tf111/my_net/save_net.ckpt.meta"},
    {"softmax-tf112/521model.ckpt.meta"},
    {"mlp-momentum-tf113/my_model_final.ckpt.meta", {}, {.filename_placeholder = true}},
    {"int32-var-tf114/model/model.ckpt.meta", {}, {.filename_placeholder = true}},
    {"linear-ftrl-res-2shard-tf114/model.ckpt-5000.meta",
     {.sharded = true},
     {.filename_placeholder = true}},
    {.path = "mlp-res-tf20/model.ckpt-100.meta",
     .era = {.filename_placeholder = true},
     .variables = 12},
};

// A node with everything that a file says of it, but for the shapes that were inferred.
std::string line(const pb::NodeDef& node, bool controls_sorted) {
  std::vector<std::string> inputs(node.input().begin(), node.input().end());
  const auto controls =
      std::find_if(inputs.begin(), inputs.end(), [](const auto& name) { return name[0] == '^'; });
  if (!controls_sorted) std::sort(controls, inputs.end());
  std::string text = node.name() + " = " + node.op() + "(";
  for (const std::string& input : inputs) text += input + ", ";
  text += ") on '" + node.device() + "'";
  std::map<std::string, pb::AttrValue> attrs(node.attr().begin(), node.attr().end());
  for (auto& [name, value] : attrs) {
    if (name == "_output_shapes") continue;
    std::string shown = to_line(value);
    if (value.has_tensor()) {
      Allowance allowance;
      const Tensor tensor = from_proto(value.tensor(), allowance);
      shown = str_cat(tensor.dtype(), tensor.shape(), tensor.summary(-1));
    }
    text +=
        "; " + name + " " + std::regex_replace(shown, std::regex("_temp_[0-9a-f]{32}"), "_temp_N");
  }
  return text;
}

std::vector<std::string> saver_lines(const pb::MetaGraphDef& meta, bool controls_sorted) {
  std::vector<std::string> lines;
  for (const auto& node : meta.graph_def().node()) {
    if (node.name().starts_with("save/")) lines.push_back(line(node, controls_sorted));
  }
  return lines;
}

pb::MetaGraphDef without_saver(pb::MetaGraphDef meta) {
  auto& nodes = *meta.mutable_graph_def()->mutable_node();
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(),
                             [](const auto& n) { return n.name().starts_with("save/"); }),
              nodes.end());
  meta.clear_saver_def();
  return meta;
}

}  // namespace

TEST_CASE("A saver made here is node for node the one that TensorFlow made for the same graph",
          "[compat][saver]") {
  if (!fixtures()) return skip("no fixtures: build with -Dfixtures=DIR");
  for (const File& file : kFiles) {
    INFO(file.path);
    const pb::MetaGraphDef theirs = MetaGraph::read(*fixtures() / file.path).rep().def;
    Graph graph;
    import_meta_graph_def(graph, MetaGraph::parse(to_bytes(without_saver(theirs)), file.path));
    SaverOptions options = file.options;
    std::vector<Variable> variables = graph.variables();
    variables.resize(std::min(variables.size(), file.variables));
    options.var_list = variables;
    if (!file.map.empty()) {
      std::map<std::string, Variable> map;
      for (const auto& [key, name] : file.map) map.emplace(key, find_variable(graph, name));
      options.var_list = map;
    }
    const SaverDef def = add_saver_nodes(graph, options, file.era);
    const pb::MetaGraphDef ours = export_meta_graph(graph, {.saver_def = def}).rep().def;
    const auto made = saver_lines(ours, file.controls_sorted),
               expected = saver_lines(theirs, file.controls_sorted);
    REQUIRE(expected.size() > 8);
    for (size_t i = 0; i < std::min(made.size(), expected.size()); ++i) {
      if (made[i] == expected[i]) continue;
      CHECK(made[i] == expected[i]);
      break;
    }
    CHECK(made.size() == expected.size());
    const bool is_last = theirs.saver_def().filename_tensor_name().starts_with("save/");
    if (is_last) CHECK(same_message(ours.saver_def(), theirs.saver_def()));
  }
}
