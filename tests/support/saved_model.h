// A SavedModel for tests.
#pragma once

#include <cairn/cairn.h>

#include "tests/support/fixtures.h"

namespace cairn {

struct SavedModelOptions {
  std::string first_tag = {};       // of another graph, without nodes, that comes first in the file
  std::string asset = "vocab.txt";  // the file name that is fed to the tensor asset:0
};

// Writes DIR with saved_model.pbtxt, variables/ and assets/: y = 2 x, called product and number in
// the signature serving_default. Its init op stores the path of the asset in the variable
// `remembered`.
inline void write_saved_model(const std::filesystem::path& dir,
                              const SavedModelOptions& options = {}) {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {}, {.name = "x"});
  const Variable w = variable(constant(graph, 2.0f), {.name = "w"});
  multiply(x, w, {.name = "y"});
  const Variable remembered =
      variable(constant(graph, Tensor("nothing")),
               {.name = "remembered", .trainable = false, .collections = {}});
  const Output asset = constant(graph, Tensor(""), {.name = "asset"});
  group({remembered.assign(asset).op()}, {.name = "init_all_tables"});
  Saver saver(graph, {.var_list = {w}});
  Session session(graph);
  session.run(w.initializer());
  std::filesystem::create_directories(dir / "variables");
  std::filesystem::create_directories(dir / "assets");
  saver.save(session, (dir / "variables/variables").string(),
             {.write_meta_graph = false, .write_state = false});
  write_bytes(dir / "assets/vocab.txt", "a\nb\n");
  std::string meta = export_meta_graph(graph, {.saver_def = saver.as_saver_def()}).text();
  meta.insert(meta.find('{') + 1, " tags: 'serve'");
  const auto info = [](const char* side, const char* key, const char* name) {
    return str_cat(side, " { key: '", key, "' value { name: '", name,
                   "' dtype: DT_FLOAT tensor_shape {} } } ");
  };
  std::string text = "saved_model_schema_version: 1\n";
  if (!options.first_tag.empty()) {
    text +=
        str_cat("meta_graphs { meta_info_def { tags: '", options.first_tag, "' } graph_def {} }\n");
  }
  text += str_cat("meta_graphs {\n", meta, "signature_def { key: 'serving_default' value { ",
                  info("inputs", "number", "x:0"), info("outputs", "product", "y:0"),
                  "method_name: 'tensorflow/serving/predict' } }\n",
                  "collection_def { key: 'saved_model_main_op' value { node_list { value: "
                  "'init_all_tables' } } }\n",
                  "asset_file_def { tensor_info { name: 'asset:0' } filename: '", options.asset,
                  "' }\n}\n");
  write_bytes(dir / "saved_model.pbtxt", text);
}

}  // namespace cairn
