#include "persist/graph/saved_model.h"

#include <algorithm>

#include "persist/graph/meta_graph_rep.h"
#include "persist/messages/message.h"

namespace cairn {
namespace {

constexpr const char* kGraphFiles[] = {"saved_model.pb", "saved_model.pbtxt"};
constexpr char kMainOp[] = "saved_model_main_op", kLegacyInitOp[] = "legacy_init_op",
               kInitOp[] = "__saved_model_init_op";
constexpr char kAssetsKey[] = "saved_model_assets";

std::string in_scope(const std::string& name, const std::string& scope) {
  return scope.empty() || name.empty() ? name : scope + "/" + name;
}

// The assets: in a field since TensorFlow 2, in a collection before.
std::vector<pb::AssetFileDef> assets_of(const pb::MetaGraphDef& def) {
  std::vector<pb::AssetFileDef> assets(def.asset_file_def().begin(), def.asset_file_def().end());
  const auto collection = def.collection_def().find(kAssetsKey);
  if (!assets.empty() || collection == def.collection_def().end()) return assets;
  for (const auto& any : collection->second.any_list().value()) {
    pb::AssetFileDef asset;
    if (parse_bytes(any.value(), asset)) assets.push_back(std::move(asset));
  }
  return assets;
}

// The name of the init op in the file.
std::string init_op_of(const pb::MetaGraphDef& def) {
  const auto signature = def.signature_def().find(kInitOp);
  if (signature != def.signature_def().end() && signature->second.outputs().count(kInitOp)) {
    const std::string& tensor = signature->second.outputs().at(kInitOp).name();
    return tensor.substr(0, tensor.find(':'));
  }
  for (const char* key : {kMainOp, kLegacyInitOp}) {
    const auto collection = def.collection_def().find(key);
    if (collection == def.collection_def().end()) continue;
    const auto& names = collection->second.node_list().value();
    if (names.size() > 1)
      fail(Code::kDataLoss, "the collection ", key, " names ", names.size(),
           " ops in place of one");
    if (names.size() == 1) return names[0].substr(0, names[0].find(':'));
  }
  return "";
}

// The paths of the assets, which must be inside the directory.
std::map<std::string, std::string> asset_paths(const MetaGraph& meta, const std::string& directory,
                                               const std::string& scope) {
  std::map<std::string, std::string> paths;
  for (const pb::AssetFileDef& asset : assets_of(meta.rep().def)) {
    const std::string& file = asset.filename();
    if (file.empty() || file.starts_with('/') ||
        ("/" + file + "/").find("/../") != std::string::npos) {
      fail(Code::kDataLoss, directory, ": the asset '", file,
           "' would not be a file in the directory's assets");
    }
    paths[in_scope(asset.tensor_info().name(), scope)] =
        join_path(join_path(directory, "assets"), file);
  }
  return paths;
}

}  // namespace

std::string saved_model_graph_path(const std::string& directory, FileSystem* file_system) {
  FileSystem& fs = or_posix(file_system);
  for (const char* name : kGraphFiles) {
    const std::string path = join_path(directory, name);
    const auto info = fs.stat(path);
    if (info && !info->is_directory) return path;
  }
  return "";
}

std::string saved_model_variables_path(const std::string& directory) {
  return join_path(join_path(directory, "variables"), "variables");
}

std::string run_saved_model_init(Session& session, const MetaGraph& meta,
                                 const std::string& directory, const std::string& import_scope) {
  const std::string op = in_scope(init_op_of(meta.rep().def), import_scope);
  if (op.empty()) return "";
  Feeds feeds;
  for (const auto& [tensor, path] : asset_paths(meta, directory, import_scope))
    feeds.push_back({tensor, Tensor(path)});
  try {
    session.run({session.graph().find_op(op)}, feeds);
  } catch (const Error& e) {
    if (e.code() != Code::kUnimplemented) throw;
    return "";
  }
  return op;
}

SavedModel load_saved_model(Session& session, const std::string& directory,
                            const LoadOptions& options) {
  const std::string path = saved_model_graph_path(directory);
  if (path.empty()) {
    fail(Code::kNotFound, directory, ": this is no SavedModel (there is neither ", kGraphFiles[0],
         " nor ", kGraphFiles[1], " in it)");
  }
  const MetaGraph meta = MetaGraph::read(path, {.tags = options.tags, .file_system = nullptr});
  const std::string variables = saved_model_variables_path(directory);
  const auto& collections = meta.rep().def.collection_def();
  const bool restores = checkpoint_exists(variables);
  if (!restores && collections.count(GraphKeys::kGlobalVariables)) {
    fail(Code::kNotFound, directory,
         ": the graph has variables, and there are no values for them (no ", variables, ".index)");
  }
  SavedModel model;
  std::string scope;
  model.saver =
      import_meta_graph(session.graph(), meta, {.import_scope = options.import_scope}, {}, &scope);
  model.tags = meta.tags();
  model.signatures = meta.signatures();
  for (auto& [name, signature] : model.signatures) {
    for (auto* tensors : {&signature.inputs, &signature.outputs}) {
      for (auto& [key, tensor] : *tensors) tensor.name = in_scope(tensor.name, scope);
    }
  }
  model.assets = asset_paths(meta, directory, scope);
  if (model.saver && restores) model.saver.restore(session, variables);
  model.initialized_by = run_saved_model_init(session, meta, directory, scope);
  return model;
}

}  // namespace cairn
